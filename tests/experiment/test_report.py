"""An experiment told to others: one file that runs nothing but itself, a table, and results as files."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Server, json_reply
from ttapi_nb.cli import main
from ttapi_nb.experiment import Trial

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u2028\u202e"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Two hostile prompts on a masked photo, and words alone, offline; no test changes it."""
    log = tt.RunLog(tmp_path_factory.mktemp("trial") / "log")
    photo = Image.radial_gradient("L").resize((64, 64)).convert("RGB")
    mask = tt.Mask((64, 64)).rectangle((16, 16, 48, 48))
    plan = tt.Experiment(
        [EVIL, "=cmd|'/c calc'!A0"], [(photo, mask), None], "gpt-image-1.5", "1024x1024", name=EVIL[:40]
    )
    client = tt.Client.offline(fill=lambda image, mask, prompt, seed: Image.new("RGB", image.size, "teal"))
    made = plan.run(client, log=log, progress=False)
    assert made.counts == {"done": 4}
    return made.rate(1, 5, f"-{EVIL}")


def told(page: str) -> Any:
    """What the report tells."""
    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.slow
def test_a_report_is_one_file_that_runs_only_itself(trial: Trial, tmp_path: Path) -> None:
    """Its policy names its script and style by their hashes, all else is data in which no tag can begin, and it asks
    nobody for anything.
    """
    path = trial.report(tmp_path / "bowls")
    page = path.read_text(encoding="utf-8")
    assert path.name == "bowls.html"
    blocks = re.findall(r"<(script|style)([^>]*)>(.*?)</\1>", page, re.DOTALL)
    assert [given for _, given, _ in blocks] == [
        "",
        ' type="application/json" id="told"',
        ' type="application/json" id="pictures"',
        "",
    ]
    assert page.count("<script") == 3
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    for at in (0, 3):
        digest = base64.b64encode(hashlib.sha256(blocks[at][2].encode()).digest()).decode()
        assert f"sha256-{digest}" in policy[1].replace("&#x27;", "'")
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    found = told(page)
    assert found["name"] == EVIL[:40]
    assert {one["text"] for one in found["results"]} == {EVIL, "=cmd|'/c calc'!A0"}
    assert found["results"][0]["note"] == f"-{EVIL}"
    assert found["cost"] == "nothing was billed"
    assert str(tmp_path.parent) not in page


@pytest.mark.slow
def test_small_pictures_unless_all_of_them_are_wanted(trial: Trial, tmp_path: Path) -> None:
    """A report of four results is small; with `full` each is there at its own size too."""
    small, full = trial.report(tmp_path / "a.html"), trial.report(tmp_path / "b.html", full=True)
    counts = []
    for path in (small, full):
        found = re.search(r'id="pictures">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
        assert found
        pictures = json.loads(found[1])
        counts.append(len(pictures))
        assert all(base64.b64decode(one)[8:12] == b"WEBP" for one in pictures)
    # The photo, the photo with its mask, and each result once or twice.
    assert counts == [2 + 4, 2 + 8]
    assert small.stat().st_size < 150_000


def test_a_report_that_can_not_be_written(trial: Trial, tmp_path: Path) -> None:
    """It is said in a sentence."""
    with pytest.raises(tt.ResultError, match="Choose another place"):
        trial.report(tmp_path / "none" / "x.html")
    with pytest.raises(tt.ResultError, match="Choose another place"):
        trial.to_csv(tmp_path / "none" / "x.csv")


def test_rows_and_a_table_for_spreadsheets(trial: Trial, tmp_path: Path) -> None:
    """Plain rows with all that is known, a DataFrame where that is wanted, and CSV that no spreadsheet runs."""
    table = trial.table()
    assert [row["cell"] for row in table] == [1, 2, 3, 4]
    assert (table[0]["stars"], table[0]["state"], table[0]["width"]) == (5, "done", 64)
    assert table[0]["leak"] == 1.0
    assert table[2]["leak"] is None
    assert list(table.pandas()["cell"]) == [1, 2, 3, 4]
    assert "<script>" not in table._repr_html_()
    with trial.to_csv(tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1]["text"] == "'=cmd|'/c calc'!A0"
    assert rows[0]["note"].startswith("'-</script>")
    assert rows[0]["text"] == EVIL


@pytest.mark.slow
def test_each_result_is_a_file_with_what_made_it(trial: Trial, tmp_path: Path) -> None:
    """Pasted, in the photo's size, under a name of its own."""
    files = trial.save(tmp_path / "out")
    assert len({file.name for file in files}) == 4
    opened = tt.open_result(files[0])
    assert (opened.prompt, opened.picture.size) == (EVIL, (64, 64))
    assert tt.open_image(files[2]).size == (1024, 1024)


def test_what_is_not_done_is_told_too(server: Server, tmp_path: Path) -> None:
    """Refused and skipped cells are in it, each with why."""
    server.answer = json_reply({"error": {"message": "no <b>", "code": "moderation_blocked"}}, 400)
    client, log = tt.Client("key", base_url=server.url), tt.RunLog(tmp_path / "log")
    plan = tt.Experiment("a", models=["gpt-image-1.5"], sizes=["auto", "9x9"], name="x")
    trial = plan.run(client, log=log, progress=False)
    found = told(trial.report(tmp_path / "x.html").read_text(encoding="utf-8"))
    assert found["results"][0]["state"] == "refused"
    assert found["results"][0]["at"] is None
    assert "doesn't make results of size '9x9'" in found["skipped"][0]["why"]
    assert found["counts"] == {"refused": 1}
    assert "key" not in [one["state"] for one in found["results"]]


def test_a_plan_is_done_without_a_notebook(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says what it takes, does it, goes on where it was stopped, and reports; what goes wrong is told."""
    monkeypatch.setattr("ttapi_nb.client.default_client", lambda: tt.Client("key", base_url=server.url))
    plan = tmp_path / "plan.yaml"
    plan.write_text("prompts: [a, b]\nmodels: gpt-image-1.5\n", encoding="utf-8")
    assert main(["experiment", str(plan), "--estimate"]) == 0
    assert not server.requests
    assert "2 runs, 2 images, cost unknown" in capsys.readouterr().out
    assert main(["experiment", str(plan), "--most-runs", "1"]) == 3
    assert "budget is 1 run" in capsys.readouterr().out
    files = [
        "--report",
        str(tmp_path / "r.html"),
        "--csv",
        str(tmp_path / "r.csv"),
        "--save",
        str(tmp_path / "out"),
    ]
    assert main(["experiment", str(plan), *files]) == 0
    assert "2 done" in capsys.readouterr().out
    assert len(server.posts) == 2
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert (tmp_path / "r.html").exists()
    assert (tmp_path / "r.csv").exists()
    assert main(["experiment", str(tmp_path / "none.yaml")]) == 1
    assert "can't be read" in capsys.readouterr().err

"""The commands as scripts use them: what they print, and a gateway that they start."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Server, json_reply, pictures
from tests.support.folders import contents, modes
from tests.support.gateways import KEY, process
from ttapi_nb.cli import main


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints as JSON."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command says as it fails."""
    assert main(list(arguments)) == 1
    return capsys.readouterr().err


@pytest.mark.slow
def test_a_class_from_its_making_to_its_export(
    capsys: pytest.CaptureFixture[str], database: str | None, tmp_path: Path
) -> None:
    """What a script needs is under the documented names, on SQLite and on Postgres."""
    more = [] if database is None else ["--database", database]
    made = told(
        capsys, "class", "new", "bowls", "--people", "3", "--runs-each", "2", "--runs-room", "5", "--models",
        "gpt-image-1,gpt-image-2", "--from", "2026-01-01", "--until", "2036-01-01T10:00", *more,
    )  # fmt: skip
    assert set(made) == {"name", "join_code", "teacher_token", "people"}
    assert [one["name"] for one in made["people"]] == ["person-1", "person-2", "person-3"]
    assert len({one["token"] for one in made["people"]} | {made["teacher_token"]}) == 4
    shown = told(capsys, "class", "show", "bowls", *more)
    assert shown["limits"] == {"each": {"runs": 2}, "team": {}, "room": {"runs": 5}}
    assert shown["models"] == ["gpt-image-1", "gpt-image-2"]
    assert [one["spent"]["runs"] for one in shown["people"]] == [0, 0, 0]
    assert told(capsys, "class", "close", "bowls", *more) == {"name": "bowls", "open": False}
    assert "closed" in told(capsys, "class", "show", "bowls", *more)["now"]
    assert told(capsys, "class", "open", "bowls", *more)["open"]
    assert told(capsys, "class", "revoke", "bowls", "person-2", *more)["revoked"]
    assert told(capsys, "class", "renew", "bowls", "person-2", *more)["token"] != made["people"][1]["token"]
    assert told(capsys, "class", "export", "bowls", *more) == []
    assert main(["class", "show", "bowls", *more]) == 0
    assert "Join code" in capsys.readouterr().out


def test_names_come_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A teacher's own names, and teams behind commas."""
    file = tmp_path / "names.txt"
    file.write_text("Ada Åkesson, red\nBob\n\n", encoding="utf-8")
    made = told(capsys, "class", "new", "art", "--names", str(file), "--runs-team", "3")
    assert [one["name"] for one in made["people"]] == ["Ada Åkesson", "Bob"]
    assert [one["team"] for one in told(capsys, "class", "show", "art")["people"]] == ["red", ""]


def test_limits_are_changed_and_shown(
    capsys: pytest.CaptureFixture[str], database: str | None, tmp_path: Path
) -> None:
    """Limits of every kind, for each person, a team and the room, are changed one by one, and for one person alone."""
    more = [] if database is None else ["--database", database]
    names, prices = tmp_path / "names.txt", tmp_path / "prices.json"
    names.write_text("Ada, red\nBob, red\n", encoding="utf-8")
    prices.write_text('{"gpt-image-1": 0.25}', encoding="utf-8")
    told(capsys, "class", "new", "bowls", "--names", str(names), "--runs-each", "4", *more)
    assert "--prices" in said(capsys, "class", "change", "bowls", "--cost-team", "5", *more)
    changed = told(
        capsys, "class", "change", "bowls", "--cost-team", "5", "--prices", str(prices), "--currency", "EUR",
        "--tokens-each", "900", "--tokens-per-image", "300", "--images-room", "7", "--runs-room", "none",
        "--safety-identifier", "--tokens-until", "2040-01-01", *more,
    )  # fmt: skip
    limits = {"each": {"runs": 4, "tokens": 900}, "team": {"cost": 5.0}, "room": {"images": 7}}
    assert changed == {"name": "bowls", "limits": limits}
    person = told(capsys, "class", "change", "bowls", "--person", "Ada", "--runs-each", "9", *more)
    assert person == {"name": "Ada", "limits": {"runs": 9, "tokens": 900}}
    assert "--person" in said(
        capsys, "class", "change", "bowls", "--person", "Ada", "--runs-room", "9", *more
    )
    shown = told(capsys, "class", "show", "bowls", *more)
    assert shown["limits"] == limits
    assert (shown["prices"], shown["currency"], shown["tokens_each"]) == ({"gpt-image-1": 0.25}, "EUR", 300)
    assert [(one["name"], one["limits"]["runs"]) for one in shown["people"]] == [("Ada", 9), ("Bob", 4)]
    assert [one["name"] for one in shown["teams"]] == ["red"]
    assert shown["safety_identifier"] is True
    assert shown["tokens_until"] > 2e9
    told(capsys, "class", "change", "bowls", "--tokens-until", "none", *more)
    assert told(capsys, "class", "show", "bowls", *more)["tokens_until"] is None
    assert told(capsys, "class", "open", "bowls", "--no-safety-identifier", *more)["open"]
    assert told(capsys, "class", "show", "bowls", *more)["safety_identifier"] is False
    assert main(["class", "show", "bowls", *more]) == 0
    out = capsys.readouterr().out
    assert "Ada: 0 of 9 runs, 0 images, 0 of 900 tokens." in out
    assert "Team red: 0 runs, 0 images, 0.00 of 5.00 EUR." in out


def test_what_cannot_be_done_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A class that is there or is not, wrong times, prices and databases end with a sentence and the code 1."""
    told(capsys, "class", "new", "bowls")
    assert "already" in said(capsys, "class", "new", "bowls")
    assert "There is no class" in said(capsys, "class", "show", "bowl")
    assert "nobody of that name" in said(capsys, "class", "revoke", "bowls", "Ada")
    assert "--until is not after --from" in said(
        capsys, "class", "new", "x", "--from", "2026-02-02", "--until", "2026-02-01"
    )
    assert "can't be read" in said(capsys, "class", "new", "x", "--from", "soon")
    assert "--tokens-per-image" in said(capsys, "class", "new", "x", "--tokens-each", "5")
    assert "--prices" in said(capsys, "class", "new", "x", "--cost-room", "5")
    assert "--prices" in said(capsys, "class", "new", "x", "--prices", str(tmp_path / "none.json"))
    wrong = said(
        capsys, "class", "show", "bowls", "--database", "postgresql+psycopg://u:secret@127.0.0.1:1/x"
    )
    assert "secret" not in wrong


@pytest.mark.parametrize("upstream", ["http://example.com/v1", "nonsense", "https://u:p@example.com/v1"])
def test_upstreams_that_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, upstream: str
) -> None:
    """Plain http to another machine, and what is no address, are refused before anything listens."""
    monkeypatch.setenv("TT_API_KEY", KEY)
    assert "--upstream" in said(capsys, "gateway", "--port", "0", "--upstream", upstream)


def test_a_gateway_needs_a_key_and_keeps_offline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key, and where the environment forbids the network, the sentence says what to do."""
    assert "ttapi-nb key" in said(capsys, "gateway", "--port", "0")
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    monkeypatch.setenv("TT_API_KEY", KEY)
    assert "TTAPI_OFFLINE" in said(capsys, "gateway", "--port", "0", "--upstream", "https://example.com/v1")


@pytest.mark.slow
def test_a_gateway_as_a_process(capsys: pytest.CaptureFixture[str], environment: Path) -> None:
    """Started by its command, it serves a class; the key is neither in what it prints nor in the list of processes."""
    made = told(capsys, "class", "new", "bowls", "--people", "1", "--runs-each", "2")
    with Server() as service:
        service.answer = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))
        started, port = process(environment, "--port", "0", "--upstream", service.url)
        try:
            client = tt.Client(made["people"][0]["token"], base_url=f"http://127.0.0.1:{port}/v1")
            run = tt.edit(Image.new("RGB", (64, 64)), "a bowl", model="gpt-image-1", client=client)
            assert run.status == "done"
            assert service.posts[0].get("tt-api-key") == KEY
            listed = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
            assert KEY not in listed
        finally:
            started.terminate()
            out, _ = started.communicate(timeout=30)
    assert KEY not in out
    (row,) = told(capsys, "class", "export", "bowls")
    assert (row["id"], row["state"], row["prompt"], row["came"]) == (run.id, "settled", "a bowl", 1)
    assert main(["class", "export", "bowls", "--to", str(environment / "out.csv")]) == 0
    assert "a bowl" in (environment / "out.csv").read_text()
    assert [path for path, data in contents(environment).items() if KEY.encode() in data] == []
    readable = [path for path, mode in modes(environment).items() if mode & 0o077 and path.is_file()]
    assert os.name != "posix" or [path for path in readable if path.suffix != ".csv"] == []

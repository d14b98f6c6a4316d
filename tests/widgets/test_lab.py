"""The prompt lab: a form that says what it takes, cells that fill, votes, and what the notebook keeps."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Server
from ttapi_nb import loop
from ttapi_nb.experiment import Trial
from ttapi_nb.widgets.lab.view import LabView, static_grid

MODEL = "gpt-image-1.5"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def lab(server: Server, tmp_path: Path) -> Any:
    """A lab of two prompts, of words alone, on the counting server."""
    plan = tt.Experiment(["a bowl", EVIL], models=MODEL, name="bowls")
    lab = tt.PromptLab(plan, client=tt.Client("key", base_url=server.url), log=tt.RunLog(tmp_path / "log"))
    yield lab
    lab.close()


def control(lab: tt.PromptLab, description: str) -> Any:
    """The part of the form with this label."""
    waiting: list[Any] = list(lab.children)
    while waiting:
        one = waiting.pop()
        if getattr(one, "description", "") == description:
            return one
        waiting += getattr(one, "children", ())
    raise AssertionError(f"there is no {description!r}")


def words(lab: tt.PromptLab) -> str:
    """What the lab says below its form."""
    return " ".join(one.value for one in lab.children if isinstance(one, ipywidgets.HTML))


def finished(trial: Trial | None) -> Trial:
    """The trial, when all is done."""
    assert trial is not None
    return trial.wait(PATIENCE)


def test_the_form_is_a_plan(lab: tt.PromptLab) -> None:
    """It begins with the plan that it was given, and says what it takes, or what is wrong, before anything is sent."""
    assert lab.plan == tt.Experiment(["a bowl", EVIL], models=MODEL, name="bowls")
    assert "2 runs, 2 images" in words(lab)
    control(lab, "Prompts").value = "a bowl\n\n a cup \na bowl\n"
    control(lab, "Models").value = (MODEL, "dall-e-3")
    control(lab, "Sizes").value = "auto 1792x1024"
    control(lab, "Repeats").value = 2
    assert [cell.text for cell in lab.plan.cells[:3]] == ["a bowl", "a bowl", "a bowl"]
    assert len(lab.plan.cells) == 12
    assert "4 skipped: gpt-image-1.5 doesn&#x27;t make results of size" in words(lab)
    control(lab, "Prompts").value = " \n"
    assert "no prompt" in words(lab)
    control(lab, "Run").click()
    assert lab.trial is None


def test_it_runs_stops_and_goes_on(lab: tt.PromptLab, server: Server) -> None:
    """Run sends each once and grows with the form; Stop lets what is under way come home."""
    server.answer = Reply(body=server.answer.body, hold=server.event())  # type: ignore[union-attr] # a plain reply
    control(lab, "Prompts").value = "\n".join(f"bowl {number}" for number in range(6))
    control(lab, "Run").click()
    server.wait_for(4)
    assert lab.trial is not None
    control(lab, "Run").click()
    control(lab, "Stop").click()
    server.let_go()
    assert finished(lab.trial).counts == {"done": 4, "waiting": 2}
    control(lab, "Prompts").value += "\nbowl 6"
    lab.run()
    assert finished(lab.trial).counts == {"done": 7}
    assert len(server.posts) == 7


def told(lab: tt.PromptLab, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], threading.Event]:
    """What the browser is told from now on."""
    said: list[dict[str, Any]] = []
    came = threading.Event()

    def send(self: LabView, content: dict[str, Any], buffers: Any = None) -> None:
        said.append(content | {"buffers": buffers or []})
        came.set()

    monkeypatch.setattr(LabView, "send", send)
    return said, came


def test_the_browser_is_told_and_votes(lab: tt.PromptLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that comes gets cells and thumbnails; its votes are written down, and what is no vote is not."""
    lab.run()
    trial = finished(lab.trial)
    said, came = told(lab, monkeypatch)
    view = next(one for one in lab.children if isinstance(one, LabView))
    view._handle_custom_msg({"type": "ready"}, [])
    assert came.wait(PATIENCE)
    assert loop.quiet(PATIENCE)
    results = [message for message in said if message["type"] == "told"][-1]["told"]["results"]
    pictures = {message["at"] for message in said if message["type"] == "picture"}
    assert {one["at"] for one in results} <= pictures
    left, right = (one["id"] for one in results)
    good = {"left": left, "right": right, "choice": "left", "voter": "Ana", "id": "v1"}
    for vote in (
        good,
        good,
        good | {"id": "v2", "choice": "both bad"},
        good | {"left": "x.1"},
        good | {"choice": 3},
        None,
    ):
        view._handle_custom_msg({"type": "vote", "vote": vote}, [])
    assert [vote.choice for vote in trial.votes] == ["left", "both bad"]
    came.clear()
    view._handle_custom_msg({"type": "want", "id": left}, [])
    assert came.wait(PATIENCE)
    assert said[-1]["type"] == "large"
    assert bytes(said[-1]["buffers"][0])[8:12] == b"WEBP"
    count = len(said)
    view._handle_custom_msg({"type": "want", "id": "../../x.1"}, [])
    assert len(said) == count


def test_what_the_notebook_keeps_is_small_and_plain(lab: tt.PromptLab) -> None:
    """A static grid of thumbnails, escaped, of which a hundred stay under a megabyte."""
    lab.run()
    page = static_grid(finished(lab.trial))
    assert page.count("<figure") == 2
    assert EVIL not in page
    assert not re.search(r"<script|onerror=(?!alert\(1\)&gt;)", page)
    assert len(page) / 2 * 100 < 1_000_000


def test_a_trial_is_looked_at(lab: tt.PromptLab, tmp_path: Path) -> None:
    """One that is in the log opens as it stands."""
    lab.run()
    finished(lab.trial)
    again = tt.PromptLab(
        tt.Experiment.open("bowls", log=tt.RunLog(tmp_path / "log")), client=tt.Client.offline()
    )
    assert again.trial is not None
    assert again.trial.counts == {"done": 2}
    assert "2 done" in words(again)
    again.close()
    with pytest.raises(tt.SettingsError, match="either the plan"):
        tt.PromptLab(lab.plan, photos=Image.new("RGB", (8, 8)))

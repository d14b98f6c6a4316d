"""*Lab* in an editor: its photo, mask and prompt go over, cells open on the stage, and one comes back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import PATIENCE
from tests.support.controls import has, labelled, message, of_kind, press, said, sees, sentences
from ttapi_nb.widgets.lab.stage import CellStage
from ttapi_nb.widgets.lab.view import LabView

Opened = tuple[tt.ImageEditor, tt.PromptLab]


@pytest.fixture
def both(photo: Image.Image, tmp_path: Path) -> Opened:
    """An editor with a painted mask and a prompt, and the lab that was opened from it."""
    editor = tt.ImageEditor(
        photo,
        prompt="a bowl",
        size="1536x1024",
        fit="pad",
        client=tt.Client.offline(),
        log=tt.RunLog(tmp_path / "log"),
    )
    editor.options = {"quality": "low"}
    editor.mask = editor.mask.rectangle((8, 8, 40, 40))
    press(editor, "Lab")
    return editor, of_kind(editor, tt.PromptLab)


def ran(lab: tt.PromptLab) -> Any:
    """The lab's trial, when all of it is done."""
    press(lab, "Run")
    assert lab.trial is not None
    return lab.trial.wait(PATIENCE)


def opened(lab: tt.PromptLab, key: str) -> None:
    """Open a cell's first result as the browser asks for it, and wait until it is shown."""
    shown = threading.Event()
    stage = of_kind(lab, CellStage)
    stage.layout.observe(lambda _: shown.set(), "display")
    message(of_kind(lab, LabView), {"type": "open", "id": f"{key}.1"})
    assert shown.wait(PATIENCE)


def test_what_does_not_go_over_is_said(both: Opened) -> None:
    """Tiles and reference pictures stay behind, each with a sentence, and the lab has a plan all the same."""
    editor, lab = both
    editor.fit = "tiles"
    editor.references = (tt.open_image(Image.new("RGB", (32, 32), "teal")),)
    press(editor, "Lab")
    assert [cell.fit for cell in lab.plan.cells] == ["auto"]
    assert any("Reference pictures stay here" in sentence for sentence in sentences(editor))
    assert any("one request" in sentence for sentence in sentences(editor))
    editor.close()


def test_drafts_stay_with_the_editor(both: Opened) -> None:
    """Nobody would see a cell's drafts, which are paid for; a plan that asks for them itself gets and reckons them."""
    editor, lab = both
    editor.options = {"quality": "low", "partial_images": 2}
    press(editor, "Lab")
    (cell,) = lab.plan.cells
    assert dict(cell.options) == {"quality": "low"}
    assert not cell.asked.request.streams
    editor.close()
    plan = tt.Experiment("a bowl", options={"partial_images": 2})
    budget = tt.Budget(tokens_each=1000)
    assert budget.estimate(plan.cells[0].asked.request).tokens == 1200


@pytest.mark.slow
def test_a_lab_is_closed_and_comes_back(both: Opened) -> None:
    """*Close the lab* takes it away, also while it sends, and *Lab* brings it back with all that it had."""
    editor, lab = both
    trial = ran(lab)
    press(editor, "Close the lab")
    assert not sees(editor, "Close the lab")
    assert not sees(editor, "Stop")
    press(editor, "Lab")
    assert of_kind(editor, tt.PromptLab) is lab
    assert lab.trial is trial
    assert sees(editor, "Close the lab")
    assert sees(editor, "Stop")
    editor.close()


def test_what_is_edited_goes_over(both: Opened) -> None:
    """Photo, mask, prompt, model, size, options and fit are one cell; sent again, a prompt is another line."""
    editor, lab = both
    (cell,) = lab.plan.cells
    assert (cell.text, cell.model, cell.size, cell.fit) == ("a bowl", editor.model, "1536x1024", "pad")
    assert (cell.photo.picture, cell.photo.mask) == (editor.image, editor.mask)
    assert dict(cell.options) == {"quality": "low"}
    editor.prompt, editor.size = "a cup", "1024x1024"
    press(editor, "Lab")
    assert of_kind(editor, tt.PromptLab) is lab
    assert [(one.text, one.size) for one in lab.plan.cells] == [
        (text, size) for text in ("a bowl", "a cup") for size in ("1536x1024", "1024x1024")
    ]
    editor.mask = editor.mask.clear()
    press(editor, "Lab")
    assert [one.mask is None for one in lab.plan.photos] == [False, True]
    editor.close()


@pytest.mark.slow
def test_a_cell_opens_and_goes_back(both: Opened) -> None:
    """A result opens over its photo with slider and heat map; *Edit this* fills the editor in as the cell is."""
    editor, lab = both
    trial = ran(lab)
    assert not has(lab, "Download")
    opened(lab, trial.cells[0].key)
    assert sees(lab, "Download")
    viewer = of_kind(lab, tt.ResultViewer)
    assert viewer.result is not None
    assert viewer.result.kept
    viewer.mode = "heat"
    mask = editor.mask
    editor.prompt, editor.fit, editor.mask = "other", "crop", mask.clear()
    press(lab, "Edit this")
    assert (editor.prompt, editor.fit, editor.mask) == ("a bowl", "pad", mask)
    assert editor.options == {"quality": "low"}
    assert "cell 1 of the lab" in said(editor)
    press(lab, "Close")
    assert not sees(lab, "Edit this")
    editor.close()


@pytest.mark.slow
def test_stars_by_keys(both: Opened) -> None:
    """Stars that the browser tells are in the log, and what is no star is not."""
    editor, lab = both
    trial = ran(lab)
    view, key = of_kind(lab, LabView), trial.cells[0].key
    message(view, {"type": "rate", "id": f"{key}.1", "stars": 4})
    assert trial[key].stars == 4
    for wrong in (
        {"id": f"{key}.1", "stars": 6},
        {"id": "x.1", "stars": 2},
        {"id": f"{key}.one", "stars": 2},
        {},
    ):
        message(view, {"type": "rate"} | wrong)
        message(view, {"type": "open"} | wrong | {"id": "x.1"})
    assert trial[key].stars == 4
    assert trial.log.row(trial[key].run_id).ratings[1].stars == 4
    editor.close()


def test_a_lab_needs_a_prompt_and_a_log(photo: Image.Image) -> None:
    """Without a prompt it is said what is missing, and an editor that keeps nothing has no lab."""
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    press(editor, "Lab")
    assert "Write a prompt first" in said(editor)
    assert not has(editor, "Repeats")
    assert not has(tt.ImageEditor(photo, client=tt.Client.offline(), log=False), "Lab")
    # One that stands by itself has nowhere to send a cell.
    lab = tt.PromptLab(client=tt.Client.offline())
    assert labelled(lab, "Edit this").layout.display == "none"

"""A replaying editor is filled in by a click with what was recorded: photo, prompt, options and mask."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.support import coarse
from tests.support.controls import has, labelled, press, said, sees


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lesson of two edits, recorded with masks, and their photo."""
    folder = tmp_path_factory.mktemp("lesson")
    Image.radial_gradient("L").resize((64, 64)).convert("RGB").save(folder / "vase.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTAPI_OFFLINE", "1")
        # As for each test; this comes before them.
        coarse.make_coarse(patch)
        teacher = tt.Client.record(folder / "lesson.zip", masks=True)
        for prompt, box in (("a teal wall", (0, 0, 20, 64)), ("a gold door", (30, 30, 60, 60))):
            mask = tt.Mask((64, 64)).rectangle(box)
            tt.edit(
                folder / "vase.png", prompt, mask=mask, client=teacher, log=False, model="gpt-image-1",
                size="1024x1024", quality="low",
            )  # fmt: skip
    return folder


@pytest.fixture
def tape(lesson: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lesson, whose photo lies in the working directory."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(lesson / "vase.png", work)
    monkeypatch.chdir(work)
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    return Path(shutil.copy(lesson / "lesson.zip", tmp_path))


@pytest.mark.slow
def test_one_click_fills_all_in_and_the_run_replays(tape: Path):
    """Recorded brings photo, prompt, model, options and mask, and what is run then is what was recorded."""
    editor = tt.ImageEditor(client=tt.Client.replay(tape), log=False)
    press(editor, "Recorded")
    assert editor.image is not None
    assert (editor.image.name, editor.prompt, editor.model) == ("vase.png", "a teal wall", "gpt-image-1")
    assert (editor.size, editor.options) == ("1024x1024", {"quality": "low", "n": 1})
    assert (editor.mask.to_array() == tt.Mask((64, 64)).rectangle((0, 0, 20, 64)).to_array()).all()
    assert "Run replays it" in said(editor)
    assert editor.run().wait(30).results[0].replayed


@pytest.mark.slow
def test_another_recording_is_chosen(tape: Path):
    """Of several recordings the one that is chosen fills the editor in, and the button then brings that one."""
    editor = tt.ImageEditor(client=tt.Client.replay(tape), log=False)
    labelled(editor, "Recording").value = 1
    assert editor.prompt == "a gold door"
    editor.prompt = "something else"
    press(editor, "Recorded")
    assert editor.prompt == "a gold door"


@pytest.mark.slow
def test_a_photo_that_is_not_at_hand_is_named(tape: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Where the photo is elsewhere its name is said, and once it is open the same button brings the mask too."""
    photo = Path("vase.png").resolve()
    monkeypatch.chdir(tmp_path)
    editor = tt.ImageEditor(client=tt.Client.replay(tape), log=False)
    press(editor, "Recorded")
    assert editor.prompt == "a teal wall"
    assert "'vase.png'" in said(editor)
    editor.image = photo
    press(editor, "Recorded")
    assert editor.mask.to_array().any()


@pytest.mark.slow
def test_the_sample_is_always_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What was recorded of the sample photo finds it wherever the package is."""
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    mask = tt.Mask((1024, 1024)).rectangle((0, 0, 200, 200))
    teacher = tt.Client.record(tmp_path / "lesson.zip", masks=True)
    tt.edit(tt.sample(), "a wall", mask=mask, client=teacher, log=False, size="1024x1024")
    editor = tt.ImageEditor(client=tt.Client.replay(tmp_path / "lesson.zip"), log=False)
    press(editor, "Recorded")
    assert editor.image is not None
    assert editor.image.digest == tt.sample().digest


def test_no_button_without_such_a_recording(tape: Path, tmp_path: Path, photo: Image.Image):
    """An editor whose client records, or replays what was recorded without masks, has no such button."""
    tt.edit(photo, "x", client=tt.Client.record(tmp_path / "plain.zip"), log=False, size="1024x1024")
    for client in (tt.Client.replay(tmp_path / "plain.zip"), tt.Client.offline()):
        assert not has(tt.ImageEditor(photo, client=client, log=False), "Recorded")
    assert sees(tt.ImageEditor(photo, client=tt.Client.replay(tape), log=False), "Recorded")

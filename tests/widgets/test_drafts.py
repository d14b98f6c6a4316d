"""A painted mask outlives its kernel: kept beside the log, and offered back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.support.controls import controls, press
from ttapi_nb import loop
from ttapi_nb.log.drafts import Drafts


@pytest.fixture
def log(tmp_path: Path) -> tt.RunLog:
    """A log of the test's own."""
    return tt.RunLog(tmp_path / "log")


def editor_of(photo: Image.Image, log: tt.RunLog, **more: object) -> tt.ImageEditor:
    """An editor as a kernel that was just started has it."""
    return tt.ImageEditor(photo, client=tt.Client.offline(), log=log, **more)  # type: ignore[arg-type] # a mask


def kept(editor: tt.ImageEditor, log: tt.RunLog, there: bool = True) -> None:
    """Wait until what is painted is on the disk, or gone from there."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert loop.quiet(30)
        if (Drafts(log.folder).find(editor.image.digest, editor.image.size) is not None) == there:
            return
        time.sleep(0.05)
    raise AssertionError("It was not kept.")


def offered(editor: tt.ImageEditor) -> list[str]:
    """What is offered, once the editor has looked."""
    assert loop.quiet(30)
    written = [getattr(one, "description", "") for one in controls(editor)]
    return [one for one in written if one.startswith("Bring back") or one == "Dismiss"]


def test_a_mask_survives_its_kernel(photo: Image.Image, log: tt.RunLog) -> None:
    """What was painted is offered when its photo is opened by another kernel, and one click and one undo do it."""
    first = editor_of(photo, log)
    assert offered(first) == []
    first.mask = first.mask.rectangle((5, 5, 30, 30))
    first.mask = first.mask.paint([(40, 40), (50, 50)], radius=6)
    kept(first, log)
    second = editor_of(photo, log)
    when = time.strftime("%H:%M")
    assert offered(second)[1:] == ["Dismiss"]
    name = offered(second)[0]
    assert name.startswith("Bring back the mask of ")
    assert abs(int(name[-2:]) - int(when[-2:])) in (0, 1, 59)
    press(second, name)
    assert second.mask == first.mask
    assert offered(second) == []
    second.drawer.undo()
    assert second.mask.area == 0


def test_it_is_dismissed_for_good(photo: Image.Image, log: tt.RunLog) -> None:
    """Dismissed, it is not offered again."""
    first = editor_of(photo, log)
    first.mask = first.mask.rectangle((5, 5, 30, 30))
    kept(first, log)
    second = editor_of(photo, log)
    assert offered(second)
    press(second, "Dismiss")
    assert offered(second) == []
    assert offered(editor_of(photo, log)) == []


@pytest.mark.slow
def test_another_photo_takes_nothing_away(photo: Image.Image, log: tt.RunLog) -> None:
    """A draft stays while other photos are opened; one that is cleared by hand goes."""
    other = Image.new("RGB", (50, 20), "teal")
    first = editor_of(photo, log)
    first.mask = first.mask.rectangle((5, 5, 30, 30))
    kept(first, log)
    first.image = other
    assert offered(first) == []
    first.image = photo
    assert offered(first)[1:] == ["Dismiss"]
    press(first, offered(first)[0])
    kept(first, log)
    first.mask = first.mask.clear()
    kept(first, log, there=False)


def test_a_mask_that_was_given_is_not_in_doubt(photo: Image.Image, log: tt.RunLog) -> None:
    """Nothing is offered over a mask that is there, nor kept where there is no log."""
    first = editor_of(photo, log)
    first.mask = first.mask.rectangle((5, 5, 30, 30))
    kept(first, log)
    mask = tt.Mask((64, 64)).rectangle((1, 1, 9, 9))
    assert editor_of(photo, log, mask=mask).mask == mask
    silent = tt.ImageEditor(photo, client=tt.Client.offline(), log=False)
    silent.mask = mask
    assert offered(silent) == []

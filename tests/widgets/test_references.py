"""The tray of reference pictures: their order, and what it says."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.support.controls import controls, has, labelled, labels_of, living, press, said
from tests.support.uploading import upload
from ttapi_nb import open_image
from ttapi_nb.widgets.references import ReferenceTray


def png(colour: str) -> bytes:
    """A small picture of one colour, as a file."""
    out = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(out, "PNG")
    return out.getvalue()


ADD = "Add reference pictures"


@pytest.fixture
def tray() -> ReferenceTray:
    """A tray with three pictures."""
    tray = ReferenceTray()
    for colour in ("red", "green", "blue"):
        upload(tray, f"{colour}.png", png(colour), label=ADD)
    return tray


def names(tray: ReferenceTray) -> list[str]:
    """The pictures' names, in order."""
    return [picture.name.removesuffix(".png") for picture in tray.value]


def test_pictures_are_moved_and_removed(tray):
    """Buttons move a picture by one place or take it out; the ends have nowhere to go."""
    assert names(tray) == ["red", "green", "blue"]
    press(tray, "Earlier: 3. blue.png")
    assert names(tray) == ["red", "blue", "green"]
    press(tray, "Later: 1. red.png")
    assert names(tray) == ["blue", "red", "green"]
    press(tray, "Remove: 2. red.png")
    assert names(tray) == ["blue", "green"]
    assert not has(tray, "Remove: 3. green.png")
    assert labelled(tray, "Earlier: 1. blue.png").disabled
    assert labelled(tray, "Later: 2. green.png").disabled
    tray.move(0, -1)
    assert names(tray) == ["blue", "green"]


def test_who_moves_pictures_by_keys_stays_at_the_button(tray):
    """The buttons are a place's, not a picture's: none is made anew, and so none loses the focus."""
    later, blue = labelled(tray, "Later: 1. red.png"), labelled(tray, "Earlier: 3. blue.png")
    press(tray, "Later: 1. red.png")
    assert names(tray) == ["green", "red", "blue"]
    assert labelled(tray, "Later: 1. green.png") is later
    upload(tray, "white.png", png("white"), label=ADD)
    press(tray, "Remove: 2. red.png")
    assert names(tray) == ["green", "blue", "white"]
    assert labelled(tray, "Later: 1. green.png") is later
    assert labelled(tray, "Earlier: 3. white.png") is blue


def test_says_whose_the_mask_is_and_what_the_model_takes(tray):
    """The tray tells that the mask belongs to the photo, and when the model takes no references at all."""
    assert "The mask is for the photo" in said(tray)
    tray.model = "dall-e-2"
    assert tray.layout.display != "none"
    assert "takes one picture" in said(tray, "notice")
    assert "The mask is for the photo" not in said(tray)
    tray.value = ()
    assert tray.layout.display == "none"
    tray.model = "gpt-image-1"
    assert tray.layout.display != "none"


def test_a_broken_file_is_told_and_the_others_stay(tray):
    """A file that is no picture leaves the tray as it was and says what is wrong, until another one opens."""
    upload(tray, "notes.png", b"not a picture", label=ADD)
    assert names(tray) == ["red", "green", "blue"]
    assert "notes.png" in said(tray, "alert")
    upload(tray, "white.png", png("white"), label=ADD)
    assert not said(tray, "alert")
    assert names(tray) == ["red", "green", "blue", "white"]


def test_assigning_opens_what_can_be_opened(tray):
    """Pictures can be assigned as anything that opens, and the cards that are left over are closed."""
    before = [one for one in controls(tray) if any("blue.png" in label for label in labels_of(one))]
    assert len(before) == 3
    count = len(living())
    tray.value = [open_image(png("red")), Image.new("RGB", (5, 5))]
    assert [picture.size for picture in tray.value] == [(20, 10), (5, 5)]
    assert all(button.comm is None for button in before)
    assert len(living()) < count

"""The tray of reference pictures: their order, and what it says."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from ttapi_nb import open_image
from ttapi_nb.widgets.tray import ReferenceTray


def png(colour: str) -> bytes:
    """A small picture of one colour, as a file."""
    out = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(out, "PNG")
    return out.getvalue()


def upload(tray: ReferenceTray, name: str, data: bytes) -> None:
    """Choose a file in the browser."""
    message = {"type": "piece", "id": name, "name": name, "size": len(data), "start": 0, "last": True}
    tray._input._handle_custom_msg(message, [memoryview(data)])


@pytest.fixture
def tray() -> ReferenceTray:
    """A tray with three pictures."""
    tray = ReferenceTray()
    for colour in ("red", "green", "blue"):
        upload(tray, f"{colour}.png", png(colour))
    return tray


def names(tray: ReferenceTray) -> list[str]:
    """The pictures' names, in order."""
    return [picture.name.removesuffix(".png") for picture in tray.value]


def press(tray: ReferenceTray, at: int, what: str) -> None:
    """Press a button of a card."""
    card = tray._cards.children[at]
    button = next(one for one in card.children[-1].children if one.tooltip.startswith(what))
    assert not button.disabled
    button._handle_custom_msg({"event": "click"}, [])


def test_pictures_are_moved_and_removed(tray):
    """Buttons move a picture by one place or take it out; the ends have nowhere to go."""
    assert names(tray) == ["red", "green", "blue"]
    press(tray, 2, "Earlier")
    assert names(tray) == ["red", "blue", "green"]
    press(tray, 0, "Later")
    assert names(tray) == ["blue", "red", "green"]
    press(tray, 1, "Remove")
    assert names(tray) == ["blue", "green"]
    assert tray._cards.children[0].children[-1].children[0].disabled
    tray.move(0, -1)
    assert names(tray) == ["blue", "green"]


def test_says_whose_the_mask_is_and_what_the_model_takes(tray):
    """The tray tells that the mask belongs to the photo, and when the model takes no references at all."""
    assert "The mask is for the photo" in tray._note.words[0]
    tray.model = "dall-e-2"
    assert tray.layout.display is None
    assert "takes one picture" in tray._note.words[0]
    tray.value = ()
    assert tray.layout.display == "none"
    tray.model = "gpt-image-1"
    assert tray.layout.display is None


def test_a_broken_file_is_told_and_the_others_stay(tray):
    """A file that is no picture leaves the tray as it was and says what is wrong, until another one opens."""
    upload(tray, "notes.png", b"not a picture")
    assert names(tray) == ["red", "green", "blue"]
    assert "notes.png" in tray._problem.words[0]
    upload(tray, "white.png", png("white"))
    assert tray._problem.words == ()


def test_assigning_opens_what_can_be_opened(tray):
    """Pictures can be assigned as anything that opens, and removed cards are closed."""
    before = tray._cards.children
    tray.value = [open_image(png("red")), Image.new("RGB", (5, 5))]
    assert [picture.size for picture in tray.value] == [(20, 10), (5, 5)]
    assert all(card.comm is None for card in before)

"""Where an answer goes on past the mask, growing the mask is offered beside the result, and costs nothing by itself."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageDraw

import ttapi_nb as tt
from tests.support.controls import has, press, said, sees, shown
from ttapi_nb.mask import Mask

SIZE = (400, 400)


@pytest.fixture
def editor() -> tt.ImageEditor:
    """An editor whose answers paint a blue bar from within the mask beyond its right side."""
    photo = tt.sample().pixels.convert("RGB").resize(SIZE)

    def fill(image: Image.Image, mask: Any, prompt: str, seed: int) -> Image.Image:
        if prompt == "past":
            scale = image.width / SIZE[0]
            box = [round(side * scale) for side in (240, 160, 330, 230)]
            ImageDraw.Draw(image).rectangle(box, (60, 160, 210))
        return image

    editor = tt.ImageEditor(photo, prompt="past", client=tt.Client.offline(fill=fill))
    editor.mask = Mask(SIZE).ellipse((130, 130, 280, 260))
    return editor


def offer(editor: tt.ImageEditor) -> str:
    """What is written on the button, or nothing."""
    names = [getattr(one, "description", "") for one in shown(editor)]
    return next((name for name in names if name.startswith("Grow the mask by ")), "")


@pytest.mark.slow
def test_growing_is_offered_and_paid_only_by_run(editor: tt.ImageEditor) -> None:
    """The side is said, the button grows the mask so that it holds what was cut off, undo takes that back, and only Run
    sends again.
    """
    assert not offer(editor)
    editor.run().wait(30)
    name, before = offer(editor), editor.mask
    assert "goes on past the mask on the right" in said(editor)
    press(editor, name)
    assert editor.mask == before.grow(int(name.split()[4]))
    assert editor.mask.to_array()[160:230, 240:330].all()
    assert editor.drawer.stage.side == "edit"
    assert not has(editor, name)
    assert len(tt.RunLog().rows()) == 1
    editor.drawer.undo()
    assert editor.mask == before
    assert sees(editor, name)
    editor.drawer.redo()
    editor.run().wait(30)
    assert len(tt.RunLog().rows()) == 2
    assert not offer(editor)


@pytest.mark.slow
def test_it_is_offered_for_what_is_looked_at(editor: tt.ImageEditor) -> None:
    """Not where nothing goes on, nor for another photo or a mask that was changed since."""
    first = editor.run().wait(30)
    editor.prompt = "nothing"
    editor.run().wait(30)
    assert not offer(editor)
    editor.viewer.run = first
    assert offer(editor)
    editor.mask = editor.mask.rectangle((0, 0, 9, 9))
    assert not offer(editor)
    editor.drawer.undo()
    assert offer(editor)
    editor.image = Image.new("RGB", SIZE)
    assert not offer(editor)

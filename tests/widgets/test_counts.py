"""What a key, a stroke and an undo make the kernel do: counted, since times say little on a busy machine."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from PIL import PngImagePlugin

import ttapi_nb as tt
from tests.support.counting import Count, counted
from ttapi_nb.mask import Bitmap, Change, Shape, Stroke
from ttapi_nb.mask.tiles import Tiles

SIZE = (2400, 1600)


@pytest.fixture(scope="module")
def photo() -> tt.SourceImage:
    """A photo that is larger than what is shown and sent of it."""
    ramp = np.arange(SIZE[0] * SIZE[1], dtype=np.uint32).reshape(SIZE[1], SIZE[0])
    return tt.open_image(np.stack([ramp % 251, ramp % 241, ramp % 239], axis=2).astype(np.uint8))


def scribble(number: int) -> list[tuple[float, float]]:
    """A stroke in a place of its own."""
    x, y = 150 + 230 * (number % 9), 200 + 300 * (number // 9)
    return [(x, y), (x + 60, y + 40), (x + 20, y + 90)]


def renders(stack: ExitStack) -> list[Count]:
    """Counts of everything by which a mask becomes pixels."""
    drawn = [stack.enter_context(counted(kind, "draw")) for kind in (Stroke, Shape, Bitmap, Change)]
    return [*drawn, stack.enter_context(counted(Tiles, "whole"))]


@pytest.mark.dear
@pytest.mark.parametrize("fit", ["auto", "none", "scale"])
def test_a_typed_letter_encodes_nothing(photo: tt.SourceImage, fit: str) -> None:
    """With a mask, a letter in the prompt neither encodes a PNG nor renders a mask, however the photo is fitted."""
    editor = tt.ImageEditor(photo, client=tt.Client.offline(), log=False, fit=fit)
    editor.mask = editor.mask.paint(scribble(0), radius=40)
    editor.prompt = "a"
    with ExitStack() as stack:
        encoded = stack.enter_context(counted(PngImagePlugin, "_save"))
        packed = stack.enter_context(counted(Bitmap, "of"))
        rendered = renders(stack)
        for letter in "n empty bowl":
            editor.prompt += letter
    assert editor.problems == ()
    assert [encoded.calls, packed.calls, *(one.calls for one in rendered)] == [0] * 7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drawer", "editor"])
def test_an_undo_renders_no_mask(photo: tt.SourceImage, kind: str) -> None:
    """Twelve strokes are taken back, and made again, without a mask being rendered, and each is what it was."""
    editor = tt.ImageEditor(photo, client=tt.Client.offline(), log=False) if kind == "editor" else None
    drawer = editor.drawer if editor is not None else tt.MaskDrawer(photo)
    masks = [drawer.mask]
    for number in range(12):
        drawer.mask = drawer.mask.paint(scribble(number), radius=30)
        masks.append(drawer.mask)
    with ExitStack() as stack:
        rendered = renders(stack)
        for mask in reversed(masks[:-1]):
            drawer.undo()
            assert drawer.mask == mask
        for mask in masks[1:]:
            drawer.redo()
            assert drawer.mask == mask
    assert [one.calls for one in rendered] == [0] * 5
    for mask in masks:
        afresh = tt.Mask(mask.size, mask.marks)
        assert np.array_equal(mask.coverage(), afresh.coverage())


def test_the_ink_after_an_undo_is_the_masks(photo: tt.SourceImage) -> None:
    """What is shown after undo and redo is what a drawer shows that was given the mask at once."""
    drawer = tt.MaskDrawer(photo)
    for number in range(8):
        drawer.mask = drawer.mask.paint(scribble(number % 3), radius=20 + 9 * number)
    drawer.mask = drawer.mask.invert()
    for _ in range(6):
        drawer.undo()
    drawer.redo()
    fresh = tt.MaskDrawer(photo, mask=tt.Mask(drawer.mask.size, drawer.mask.marks))
    assert np.array_equal(ink(drawer), ink(fresh))


def ink(drawer: tt.MaskDrawer) -> np.ndarray:
    """The mask as the drawer shows it."""
    shown: np.ndarray = drawer._surface._sheet.shown  # noqa: SLF001 - no browser is here to show it
    return shown

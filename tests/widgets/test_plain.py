"""Painting through the kernel, where the stage can't be."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.support.controls import message
from tests.support.painting import fall_back
from ttapi_nb import Mask, MaskDrawer
from ttapi_nb.widgets.plain import PlainCanvas


@pytest.fixture
def plain(drawer: MaskDrawer) -> PlainCanvas:
    """The canvas of a drawer whose browser could not make the stage."""
    return fall_back(drawer)


def send(plain: PlainCanvas, event: str, x: float, y: float) -> None:
    """A mouse event as ipycanvas sends it."""
    message(plain, {"event": event, "x": float(x), "y": float(y)})


def drag(plain: PlainCanvas, *points: tuple[float, float]) -> None:
    """Press, drag and release along `points`."""
    send(plain, "mouse_down", *points[0])
    for point in points[1:]:
        send(plain, "mouse_move", *point)
    send(plain, "mouse_up", *points[-1])


def test_plain_stroke_is_the_same_mask_as_painting_in_python(drawer, plain):
    """What the mouse drew is a stroke of the brush's size along the pointer's way."""
    drawer.brush_size = 40
    drag(plain, (100, 100), (200, 150))
    painted = Mask((400, 300)).paint([(100, 100), (200, 150), (200, 150)], radius=20)
    assert (drawer.mask.coverage() == painted.coverage()).all()
    assert (plain.sheet.shown == painted.coverage()).all()


def test_plain_hover_paints_nothing(drawer, plain):
    """Moving the mouse over the photo is no stroke."""
    send(plain, "mouse_move", 100, 100)
    send(plain, "mouse_up", 120, 100)
    assert drawer.mask.marks == ()


def test_plain_pointer_that_leaves_ends_its_stroke(drawer, plain):
    """A pointer that leaves the canvas ends the stroke, and what follows is another."""
    send(plain, "mouse_down", 100, 100)
    send(plain, "mouse_out", 0, 100)
    send(plain, "mouse_move", 300, 200)
    assert len(drawer.mask.marks) == 1


def test_plain_touch_paints(drawer, plain):
    """A finger paints as the mouse does."""
    for event in ("touch_start", "touch_move", "touch_end"):
        touches = [] if event == "touch_end" else [{"x": 100.0, "y": 120.0}]
        message(plain, {"event": event, "touches": touches})
    assert drawer.mask.to_array()[120, 100]


def test_plain_assignment_during_a_stroke_keeps_both(drawer, plain):
    """A mask assigned while a stroke is drawn is there with the stroke on top."""
    send(plain, "mouse_down", 100, 100)
    drawer.mask = Mask((400, 300)).rectangle((300, 200, 350, 250))
    send(plain, "mouse_up", 100, 100)
    assert drawer.mask.to_array()[100, 100]
    assert drawer.mask.to_array()[220, 320]


def test_plain_shows_the_next_photo(drawer, plain):
    """After the fall-back, another photo is shown at its own size."""
    drawer.image = Image.new("RGB", (200, 100))
    assert (plain.width, plain.height) == (200, 100)
    drag(plain, (50, 50))
    assert drawer.mask.to_array()[50, 50]

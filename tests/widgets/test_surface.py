"""What the browser is sent and what it sends: the stage, and plain ipycanvas where the stage can't be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttapi_nb import Mask, MaskDrawer
from ttapi_nb.widgets.surface import PlainCanvas, Surface


@pytest.fixture
def drawer() -> MaskDrawer:
    """A drawer with a grey photo of 400 x 300 pixels."""
    return MaskDrawer(Image.new("RGB", (400, 300), "grey"))


@pytest.fixture
def plain(drawer: MaskDrawer) -> PlainCanvas:
    """The canvas of a drawer whose browser could not make the stage."""
    drawer._surface.stage._handle_custom_msg({"type": "no_ink", "reason": "no canvas"}, [])
    assert drawer._surface.plain is not None
    return drawer._surface.plain


def send(plain: PlainCanvas, event: str, x: float, y: float) -> None:
    """A mouse event as ipycanvas sends it."""
    plain._handle_custom_msg({"event": event, "x": float(x), "y": float(y)}, [])


def drag(plain: PlainCanvas, *points: tuple[float, float]) -> None:
    """Press, drag and release along `points`."""
    send(plain, "mouse_down", *points[0])
    for point in points[1:]:
        send(plain, "mouse_move", *point)
    send(plain, "mouse_up", *points[-1])


def boxes(monkeypatch: pytest.MonkeyPatch, surface: Surface) -> list[tuple[Any, ...]]:
    """The boxes of ink that are sent from now on."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        surface.stage.ink, "put_image_data", lambda pixels, x, y: sent.append((x, y, *pixels.shape[:2]))
    )
    return sent


def test_only_what_changed_is_sent(drawer, monkeypatch):
    """A new stroke sends the box around it, and not the whole picture; a mask that looks the same sends nothing."""
    sent = boxes(monkeypatch, drawer._surface)
    drawer.mask = drawer.mask.rectangle((10, 20, 40, 60))
    assert sent == [(10, 20, 40, 30)]
    drawer.mask = drawer.mask.rectangle((15, 25, 30, 50))
    assert len(sent) == 1
    drawer.undo()
    drawer.undo()
    assert sent[-1] == (10, 20, 40, 30)


def test_taken_strokes_are_acknowledged(drawer, monkeypatch):
    """After its ink has been sent, the browser is told that a stroke is in the mask."""
    told: list[Any] = []
    stage = drawer._surface.stage
    monkeypatch.setattr(stage, "send", lambda content, buffers=None: told.append((content, drawer.mask.area)))
    points = memoryview(np.array([[100, 100], [120, 110]], np.float32).tobytes())
    stage._handle_custom_msg(
        {"type": "mark", "id": "a:1", "tool": "brush", "radius": 10.0, "erase": False}, [points]
    )
    assert told == [({"type": "taken", "id": "a:1"}, drawer.mask.area)]
    assert drawer.mask.area > 0


def test_brush_reaches_the_stage_in_pixels_of_the_preview():
    """On a photo that is shown at half its size, the ring and the ink are half as wide."""
    drawer = MaskDrawer(Image.new("RGB", (3200, 1600)))
    drawer.brush_size = 100
    drawer.tool = "eraser"
    assert (drawer._surface.stage.radius, drawer._surface.stage.erase) == (25.0, True)


def test_a_stroke_keeps_the_brush_it_was_drawn_with(drawer):
    """A brush that changed while a stroke was on its way doesn't change that stroke."""
    drawer.tool, drawer.brush_size = "eraser", 2
    points = memoryview(np.array([[100, 100]], np.float32).tobytes())
    drawer._surface.stage._handle_custom_msg(
        {"type": "mark", "id": "a:1", "tool": "brush", "radius": 30.0, "erase": False}, [points]
    )
    assert drawer.mask.bounds == (70, 70, 130, 130)


def test_without_a_photo_the_stage_is_not_ready():
    """Nothing can be painted before there is a photo."""
    drawer = MaskDrawer()
    assert not drawer._surface.stage.ready
    drawer.image = Image.new("RGB", (8, 8))
    assert drawer._surface.stage.ready


def test_fall_back_says_so_and_shows_what_was_there(drawer):
    """Where the stage can't be, ipycanvas shows photo and mask, and the drawer says that painting is slower."""
    drawer.mask = drawer.mask.rectangle((10, 10, 50, 50))
    drawer._surface.stage._handle_custom_msg({"type": "no_ink", "reason": "no canvas"}, [])
    assert isinstance(drawer._surface.children[0], PlainCanvas)
    assert (drawer._surface.plain.sheet.shown == drawer.mask.coverage()).all()
    assert "through the kernel" in " ".join(drawer._words.words)


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
        plain._handle_custom_msg({"event": event, "touches": touches}, [])
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

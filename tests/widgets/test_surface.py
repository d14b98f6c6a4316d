"""What the stage in the browser is sent and what it sends, and what happens where it can't be."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.support.controls import message
from tests.support.painting import Screen, mark, own_surface, stage_of
from ttapi_nb import MaskDrawer


def test_only_what_changed_is_sent(drawer):
    """A new stroke sends the box around it, and not the whole picture; a mask that looks the same sends nothing."""
    screen = Screen(drawer)
    drawer.mask = drawer.mask.rectangle((10, 20, 40, 60))
    assert screen.boxes == [(10, 20, 40, 30)]
    drawer.mask = drawer.mask.rectangle((15, 25, 30, 50))
    assert len(screen.boxes) == 1
    drawer.undo()
    drawer.undo()
    assert screen.boxes[-1] == (10, 20, 40, 30)
    assert not screen.ink.any()


@pytest.fixture
def told(drawer: MaskDrawer, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The numbers of the marks that the browser is told are in the mask, with the mask's area at that moment."""
    said: list[tuple[int, int]] = []
    monkeypatch.setattr(
        stage_of(drawer),
        "send",
        lambda content, buffers=None: said.append((content["number"], drawer.mask.area)),
    )
    return said


def test_taken_strokes_are_acknowledged(drawer, told):
    """After its ink has been sent, the browser is told that a stroke is in the mask."""
    mark(drawer, 1, [(100, 100, 10), (120, 110, 10)])
    assert drawer.mask.area > 0
    assert told == [(1, drawer.mask.area)]


def test_a_mark_that_comes_twice_is_taken_once(drawer, told):
    """A mark that is sent again, because its answer was lost, is answered again and changes nothing."""
    mark(drawer, 1, [(100, 100, 10)])
    mark(drawer, 1, [(100, 100, 10)])
    assert len(drawer.mask.marks) == 1
    assert [number for number, _ in told] == [1, 1]


def test_marks_are_taken_in_order_where_one_was_lost(drawer, told):
    """A mark that overtook a lost one is left for later, and both are taken in order when they are sent again."""
    mark(drawer, 2, [(200, 100, 10)])
    assert drawer.mask.marks == ()
    assert told == []
    mark(drawer, 1, [(100, 100, 10)])
    mark(drawer, 2, [(200, 100, 10)])
    assert [stroke.points[0][0] for stroke in drawer.mask.marks] == [100, 200]


def test_pressure_makes_a_line_of_changing_width(drawer):
    """Each point has its own radius, and the mask keeps them."""
    mark(drawer, 1, [(100, 100, 4), (200, 100, 20)])
    (stroke,) = drawer.mask.marks
    assert stroke.points == ((100, 100, 4), (200, 100, 20))
    assert drawer.mask.bounds == (96, 80, 220, 120)


def test_bucket_fills_similar_colours_of_the_photo():
    """A click with the bucket masks the region of like colour, and the right button takes it away."""
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[:, 200:] = (0, 90, 200)
    photo[10:40, 10:40] = 20
    drawer = MaskDrawer(photo)
    drawer.tolerance = 8
    mark(drawer, 1, [(300, 100, 0)], tool="bucket")
    assert drawer.mask.area == 300 * 200
    mark(drawer, 2, [(20, 20, 0)], tool="bucket")
    assert drawer.mask.area == 300 * 200 + 30 * 30
    mark(drawer, 3, [(300, 100, 0)], tool="bucket", erase=True)
    assert drawer.mask.area == 30 * 30


def test_polygon_by_its_corners(drawer):
    """Corners become a polygon; fewer than three cover nothing and are answered all the same."""
    mark(drawer, 1, [(10, 10, 5), (50, 10, 5)], tool="polygon")
    assert drawer.mask.marks == ()
    mark(drawer, 2, [(10, 10, 5), (50, 10, 5), (50, 50, 5), (10, 50, 5)], tool="polygon")
    assert drawer.mask.area == 1600


def test_brush_reaches_the_stage_with_the_scale_of_the_preview():
    """On a photo that is shown at half its size, the browser knows brush and scale, and what it changes comes back."""
    drawer = MaskDrawer(Image.new("RGB", (3200, 1600)))
    drawer.brush_size = 100
    drawer.tool = "eraser"
    stage = stage_of(drawer)
    assert (stage.brush_size, stage.scale, stage.tool) == (100, 0.5, "eraser")
    stage.set_state({"tool": "lasso", "brush_size": 50})
    assert (drawer.tool, drawer.brush_size) == ("lasso", 50)


def test_a_stroke_keeps_the_brush_it_was_drawn_with(drawer):
    """A brush that changed while a stroke was on its way doesn't change that stroke."""
    drawer.tool, drawer.brush_size = "eraser", 2
    mark(drawer, 1, [(100, 100, 30)])
    assert drawer.mask.bounds == (70, 70, 130, 130)


def test_without_a_photo_the_stage_is_not_ready():
    """Nothing can be painted before there is a photo."""
    drawer = MaskDrawer()
    assert not stage_of(drawer).ready
    drawer.image = Image.new("RGB", (8, 8))
    assert stage_of(drawer).ready


def test_a_browser_without_ipycanvas_is_sent_photo_and_ink(drawer, monkeypatch):
    """Asked for by the stage, the photo comes as a file and the ink as a byte a pixel, and later only what changed."""
    drawer.mask = drawer.mask.rectangle((10, 20, 50, 60))
    told: list[tuple[dict[str, object], bytes]] = []
    monkeypatch.setattr(
        stage_of(drawer), "send", lambda content, buffers=None: told.append((content, (buffers or [b""])[0]))
    )
    own_surface(drawer)
    (photo, file), (ink, alpha) = told
    assert (photo["type"], photo["width"], photo["height"]) == ("photo", 400, 300)
    with Image.open(io.BytesIO(file)) as sent:
        assert sent.size == (400, 300)
        assert sent.get_format_mimetype() == photo["mime"]
    assert (ink["type"], ink["left"], ink["top"], ink["width"], ink["height"]) == ("ink", 0, 0, 400, 300)
    assert (np.frombuffer(alpha, np.uint8).reshape(300, 400) == drawer.mask.coverage()).all()
    told.clear()
    mark(drawer, 1, [(100, 100, 10)])
    kinds = [head["type"] for head, _ in told]
    assert kinds == ["ink", "taken"]
    assert (told[0][0]["left"], told[0][0]["width"]) == (90, 20)


def test_a_run_is_taken_once_and_after_its_marks(drawer):
    """A run waits for a mark that was lost before it, and sent twice it is one; its prompt goes with it."""
    asked = []
    drawer.on_run(lambda prompt: asked.append((prompt, len(drawer.mask.marks), drawer.lock.is_mine)))
    run = {"type": "run", "view": "a", "number": 2, "prompt": "red"}
    message(stage_of(drawer), run)
    assert asked == []
    mark(drawer, 1, [(100, 100, 10)])
    message(stage_of(drawer), run)
    message(stage_of(drawer), run)
    assert asked == [("red", 1, False)]
    message(stage_of(drawer), run | {"number": 3, "prompt": "blue"})
    assert asked[1:] == [("blue", 1, False)]


def test_the_page_has_the_photo_before_the_kernel_draws_it(drawer):
    """The stage refers to the file that the photo is sent in, as large as it is shown; another photo brings its own."""
    stage = stage_of(drawer)
    first = stage.preview
    assert first is not None
    with Image.open(io.BytesIO(first.value)) as shown:
        assert shown.size == (stage.photo.width, stage.photo.height)
    drawer.image = Image.new("RGB", (90, 60), "navy")
    second = stage.preview
    assert second is not None
    assert second is not first
    assert first.comm is None
    with Image.open(io.BytesIO(second.value)) as shown:
        assert shown.size == (90, 60)
        assert shown.getpixel((5, 5)) == pytest.approx((0, 0, 128), abs=3)

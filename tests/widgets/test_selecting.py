"""Selecting on the drawer: clicks and boxes as a browser sends them, and models that do as they like."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.controls import message
from tests.support.painting import act, answers, mark, stage_of, stroke
from ttapi_nb import ImageEditor, Mask, MaskDrawer
from ttapi_nb.mask import Selection
from ttapi_nb.picture import SourceImage

SIZE = (400, 300)


class Model:
    """A model that selects a square of 40 pixels around each place on the thing, and not around the others; or a box.

    While `closed` it waits, and notes what it was asked. `answer` is given in place of what it finds, or raised.
    """

    quick = True

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Any, Any]] = []
        self.open = threading.Event()
        self.open.set()
        self.answer: Any = None

    def __call__(self, picture: SourceImage, points: Any, labels: Any, box: Any) -> Any:
        self.asked.append((points, labels, box))
        self.open.wait(30)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        found = np.zeros(picture.size[::-1], bool)
        if box is not None:
            found[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
        for (x, y), label in sorted(zip(points, labels, strict=True), key=lambda one: -one[1]):
            found[max(0, int(y) - 20) : int(y) + 20, max(0, int(x) - 20) : int(x) + 20] = bool(label)
        return found


@pytest.fixture
def model() -> Model:
    """A model of somebody's own."""
    return Model()


@pytest.fixture
def drawer(model: Model) -> MaskDrawer:
    """A drawer that selects with it."""
    drawer = MaskDrawer(Image.new("RGB", SIZE, "teal"), select=model)
    drawer.tool = "select"
    return drawer


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds: what is found comes from a thread."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def idle(drawer: MaskDrawer) -> None:
    """Wait until nothing is being selected."""
    until(lambda: not stage_of(drawer).selecting["busy"])


def click(drawer: MaskDrawer, x: float, y: float, *, erase: bool = False, wait: bool = True) -> None:
    """Click on the photo, or press the right button."""
    stroke_like(drawer, [(x, y)], erase=erase)
    if wait:
        idle(drawer)


def stroke_like(drawer: MaskDrawer, points: list[tuple[float, float]], *, erase: bool = False) -> None:
    """What the stage sends of a click, or of a box that was dragged."""
    sent = [(x, y, 1.0) for x, y in points]
    mark(drawer, 1, sent, view=f"{time.monotonic_ns()}", tool="select", erase=erase)


def selections(drawer: MaskDrawer) -> list[Selection]:
    """The selections in the mask."""
    return [one for one in drawer.mask.marks if isinstance(one, Selection)]


def press(drawer: MaskDrawer, what: str) -> None:
    """Press one of the tool's own buttons."""
    message(stage_of(drawer), {"type": "select", "what": what})
    idle(drawer)


def test_a_click_selects_and_further_clicks_refine(drawer, model) -> None:
    """Each click asks again with all places so far; each is one undo, and what is there stays one mark."""
    click(drawer, 100, 100)
    assert drawer.mask.to_array()[100, 100]
    click(drawer, 130, 100)
    click(drawer, 100, 115, erase=True)
    assert [len(points) for points, _, _ in model.asked] == [1, 2, 3]
    assert model.asked[-1][1] == [1, 1, 0]
    assert len(drawer.mask.marks) == 1
    assert not drawer.mask.to_array()[115, 100]
    drawer.undo()
    assert drawer.mask.to_array()[115, 100]
    assert selections(drawer)[0].points == ((100, 100), (130, 100))
    drawer.undo()
    drawer.undo()
    assert drawer.mask.marks == ()
    drawer.redo()
    click(drawer, 90, 90)
    assert selections(drawer)[0].points == ((100, 100), (90, 90))


def test_the_later_of_two_clicks_at_one_place_counts(drawer, model) -> None:
    """A click takes the place of one beside it that said the opposite, but for the last that is on the thing."""
    click(drawer, 100, 100)
    click(drawer, 130, 100)
    click(drawer, 131, 100, erase=True)
    assert model.asked[-1][:2] == ([(100, 100), (131, 100)], [1, 0])
    assert not drawer.mask.to_array()[100, 130]
    click(drawer, 131, 102)
    assert model.asked[-1][:2] == ([(100, 100), (131, 102)], [1, 1])
    assert drawer.mask.to_array()[100, 130]
    press(drawer, "another")
    click(drawer, 300, 200)
    click(drawer, 300, 200, erase=True)
    assert model.asked[-1][:2] == ([(300, 200), (300, 200)], [1, 0])


def test_what_is_far_away_is_another_thing(drawer) -> None:
    """A click elsewhere adds a thing of its own, and Alt takes a thing away that was not just selected."""
    click(drawer, 60, 60)
    click(drawer, 340, 240)
    assert len(selections(drawer)) == 2
    assert drawer.mask.to_array()[60, 60]
    assert drawer.mask.to_array()[240, 340]
    click(drawer, 60, 60, erase=True)
    assert not drawer.mask.to_array()[60, 60]
    assert selections(drawer)[-1].erase
    assert drawer.mask.to_array()[240, 340]


def test_another_begins_another_thing_beside_it(drawer) -> None:
    """After its button the next click is no refinement, however near it is."""
    click(drawer, 100, 100)
    press(drawer, "another")
    assert stage_of(drawer).selecting["points"] == []
    click(drawer, 120, 100)
    assert [one.points for one in selections(drawer)] == [((100, 100),), ((120, 100),)]


def test_a_box_is_dragged(drawer, model) -> None:
    """Two corners are a box, either way around; what trembles is a click."""
    stroke_like(drawer, [(300, 200), (50, 40)])
    idle(drawer)
    assert model.asked[-1] == ([], [], (50.0, 40.0, 300.0, 200.0))
    click(drawer, 200, 120, erase=True)
    assert model.asked[-1] == ([(200.0, 120.0)], [0], (50.0, 40.0, 300.0, 200.0))
    press(drawer, "another")
    stroke_like(drawer, [(30, 30), (32, 31)])
    idle(drawer)
    assert model.asked[-1] == ([(30.0, 30.0)], [1], None)


def test_subject_and_background(drawer, model) -> None:
    """One button asks for what the photo shows, and the other for all but that."""
    model.answer = np.pad(np.ones((100, 100)), ((100, 100), (150, 150)))
    press(drawer, "subject")
    assert model.asked[-1][2] == (0.0, 0.0, 400.0, 300.0)
    assert drawer.mask.area == 100 * 100
    drawer.undo()
    press(drawer, "background")
    assert drawer.mask.area == 400 * 300 - 100 * 100
    drawer.undo()
    assert drawer.mask.marks == ()


def test_drawing_goes_on_while_it_works(drawer, model) -> None:
    """A stroke that is drawn meanwhile stays; what was selected comes on top of it."""
    model.open.clear()
    click(drawer, 100, 100, wait=False)
    assert stage_of(drawer).selecting["busy"]
    assert stage_of(drawer).selecting["engine"] == "Model"
    drawer.tool = "brush"
    stroke(drawer, (300, 250), (350, 250))
    model.open.set()
    idle(drawer)
    assert drawer.mask.to_array()[250, 320]
    assert drawer.mask.to_array()[100, 100]
    drawer.undo()
    assert drawer.mask.to_array()[250, 320]
    assert not drawer.mask.to_array()[100, 100]


def test_a_new_click_takes_the_place_of_the_one_before(drawer, model) -> None:
    """Of two quick clicks only the second is answered, with both places, as one change."""
    model.open.clear()
    click(drawer, 100, 100, wait=False)
    until(lambda: model.asked)
    click(drawer, 140, 100, wait=False)
    model.open.set()
    idle(drawer)
    assert selections(drawer)[0].points == ((100, 100), (140, 100))
    drawer.undo()
    assert drawer.mask.marks == ()


def test_undo_gives_up_what_is_being_selected(drawer, model) -> None:
    """Undo takes the click back that is not answered yet, and leaves the mask alone."""
    stroke(drawer, (300, 250))
    drawer.mask = Mask(SIZE).paint([(300, 250)])
    model.open.clear()
    click(drawer, 100, 100, wait=False)
    until(lambda: stage_of(drawer).selecting["busy"])
    before = drawer.mask
    drawer.undo()
    model.open.set()
    idle(drawer)
    assert drawer.mask is before


def test_a_photo_that_is_replaced_meanwhile(drawer, model) -> None:
    """What is found in the photo of before is dropped, and nothing holds that photo."""
    model.open.clear()
    gone = weakref.ref(drawer.image)
    click(drawer, 100, 100, wait=False)
    until(lambda: model.asked)
    drawer.image = Image.new("RGB", SIZE, "navy")
    idle(drawer)
    model.open.set()
    click(drawer, 50, 50)
    assert [one.points for one in selections(drawer)] == [((50, 50),)]
    # Undo goes back to a few photos.
    for shade in range(5):
        drawer.image = Image.new("RGB", SIZE, (shade, 0, 0))
    until(lambda: gc.collect() is not None and gone() is None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ValueError("no weights"), "Model failed (ValueError: no weights)"),
        (np.ones((3, 3)), "gave a mask of 3x3"),
        (np.full((300, 400), np.nan), "nan or infinity"),
        (np.zeros((300, 400)), "found nothing there"),
    ],
)
def test_a_model_that_fails_is_told_and_nothing_is_lost(drawer, model, answer, words) -> None:
    """A sentence stands over the photo, the mask is as it was, and the next click is asked as ever."""
    click(drawer, 60, 60)
    before = drawer.mask
    model.answer = answer
    click(drawer, 70, 70)
    assert words in stage_of(drawer).problem
    assert drawer.mask is before
    model.answer = None
    click(drawer, 80, 80)
    assert stage_of(drawer).problem == ""
    # What was refused is not asked again.
    assert selections(drawer)[0].points == ((60, 60), (80, 80))


def test_a_model_that_hangs_is_told(drawer, model, monkeypatch) -> None:
    """After the time-out the drawer says so and goes on; what comes late changes nothing."""
    monkeypatch.setattr("ttapi_nb.widgets.drawer.selecting.SECONDS", 0.05)
    model.open.clear()
    click(drawer, 100, 100)
    assert "gave no answer" in stage_of(drawer).problem
    model.open.set()
    click(drawer, 300, 200)
    assert [one.points for one in selections(drawer)] == [((300, 200),)]


def test_clicks_beside_the_photo_are_told(drawer, model) -> None:
    """A press that missed the photo asks nobody."""
    click(drawer, -5, 10)
    assert "is not in the picture" in stage_of(drawer).problem
    assert model.asked == []


@pytest.mark.parametrize(
    "sent",
    [
        {"what": "hover"},
        {"what": "hover", "x": "1", "y": 2, "number": 1},
        {"what": "hover", "x": float("nan"), "y": 2, "number": 1},
        {"what": "hover", "x": 10**400, "y": 2, "number": 1},
        {"what": "hover", "x": 1, "y": 2, "number": True},
        {"what": "hover", "x": 5000, "y": 2, "number": 1},
        {"what": "everything"},
        {"what": 7},
        {},
    ],
)
def test_messages_that_are_none_are_left_alone(drawer, model, sent) -> None:
    """A page may send anything: what is no question asks no model, and raises nothing."""
    message(stage_of(drawer), {"type": "select"} | sent)
    assert model.asked == []
    assert drawer.mask.marks == ()


def test_what_lies_under_the_pointer_is_shown(drawer, model) -> None:
    """Of a quick model the stage gets what a click would select; nothing is changed by that."""
    told = answers(drawer)
    message(stage_of(drawer), {"type": "select", "what": "hover", "x": 100.0, "y": 100.0, "number": 3})
    until(lambda: any(one["type"] == "glimpse" for one in told))
    assert {"type": "glimpse", "number": 3, "width": 400, "height": 300} in told
    assert drawer.mask.marks == ()


def test_two_drawers_at_once(model) -> None:
    """Two drawers ask the same model about two photos, and each gets its own."""
    drawers = [MaskDrawer(Image.new("RGB", SIZE, colour), select=model) for colour in ("teal", "navy")]
    model.open.clear()
    for at, one in enumerate(drawers):
        one.tool = "select"
        click(one, 50 + 200 * at, 50, wait=False)
    model.open.set()
    for at, one in enumerate(drawers):
        idle(one)
        assert selections(one)[0].points == ((50 + 200 * at, 50),)


def test_the_result_is_painted_over_like_any_mark(drawer) -> None:
    """Brush, eraser, edges and undo do with a selection what they do with every mark."""
    click(drawer, 100, 100)
    drawer.tool = "eraser"
    drawer.brush_size = 10
    stroke(drawer, (100, 100))
    assert not drawer.mask.to_array()[100, 100]
    message(stage_of(drawer), {"type": "edge", "what": "grow", "pixels": 20})
    assert drawer.mask.to_array()[100, 100]
    assert Mask.from_json(drawer.mask.to_json()) == drawer.mask
    drawer.tool = "select"
    # The next click begins anew: the thing is no more what was selected.
    click(drawer, 100, 100)
    assert len(selections(drawer)) == 2
    act(drawer, "Undo")
    assert len(selections(drawer)) == 1


def test_without_the_extra_the_tool_says_what_is_missing(monkeypatch) -> None:
    """The tool's tip has the pip line, and a click says it too."""
    for name in ("cv2", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    drawer = MaskDrawer(Image.new("RGB", SIZE))
    assert 'pip install "ttapi-nb[select]"' in stage_of(drawer).selecting["missing"]
    drawer.tool = "select"
    click(drawer, 10, 10)
    assert 'pip install "ttapi-nb[select]"' in stage_of(drawer).problem


def test_the_editor_hands_its_model_on(model) -> None:
    """ImageEditor(select=…) selects with that."""
    editor = ImageEditor(Image.new("RGB", SIZE), select=model)
    editor.drawer.tool = "select"
    click(editor.drawer, 100, 100)
    assert editor.mask.area == 40 * 40


def test_grabcut_selects_in_the_drawer() -> None:
    """The engine that comes with the extra takes a thing by a click."""
    image = Image.new("RGB", SIZE, (90, 90, 90))
    image.paste((200, 40, 40), (100, 80, 220, 200))
    drawer = MaskDrawer(image, select="grabcut")
    drawer.tool = "select"
    idle(drawer)
    click(drawer, 150, 140)
    assert abs(drawer.mask.area - 120 * 120) < 700
    assert stage_of(drawer).selecting["engine"] == "GrabCut"

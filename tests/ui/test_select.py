"""Selecting in the browser: by the mouse, by a box, by keys; undone, refined with the brush, and run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.ui.drawing import SHOW, drag, on_screen, wait_for_ink
from tests.ui.notebook import PATIENCE, Notebook
from ttapi_nb import Mask
from ttapi_nb.mask import Selection, Stroke

Opened = Callable[..., Notebook]
DRAWER = "import ttapi_nb as tt\ndrawer = tt.MaskDrawer(tt.sample(), select='grabcut')\ndrawer"
# A model that shows what is under the pointer, and is slow where a flag says so.
OWN = """
import threading, numpy as np, ttapi_nb as tt
gate = threading.Event()
def squares(picture, points, labels, box):
    gate.wait(60)
    found = np.zeros(picture.size[::-1], bool)
    for (x, y), label in zip(points, labels):
        found[max(0, int(y) - 60):int(y) + 60, max(0, int(x) - 60):int(x) + 60] = bool(label)
    return found
squares.quick = True
gate.set()
drawer = tt.MaskDrawer(tt.sample(), select=squares)
drawer"""
EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample(), select='grabcut')\neditor"
# In the bowl of the sample, and on the stone.
FLESH, RIND, STONE = (580, 560), (600, 752), (60, 960)


def choose(page: Page) -> None:
    """Choose the tool, and wait until its engine is ready."""
    page.get_by_role("button", name="Select", exact=True).first.click()
    expect(page.get_by_role("button", name="Subject")).to_be_visible()
    ready(page)


def ready(page: Page) -> None:
    """Wait until nothing is being selected."""
    expect(page.locator(".ttapi-selecting:not(.ttapi-busy)")).to_be_visible(timeout=PATIENCE)


def click(page: Page, x: float, y: float, *, alt: bool = False, button: str = "left") -> None:
    """Click on a pixel of the photo."""
    place = on_screen(page, x, y)
    if alt:
        page.keyboard.down("Alt")
    page.mouse.click(*place, button=button)  # type: ignore[arg-type] # one of Playwright's own names
    if alt:
        page.keyboard.up("Alt")


def test_click_add_take_away_box_and_undo(notebook: Opened) -> None:
    """A click takes the fig's flesh, another its rind; the right button takes away; a box is dragged; all is undone."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    page.locator("canvas.ttapi-ink").first.wait_for(timeout=PATIENCE)
    choose(page)
    expect(page.get_by_text("GrabCut", exact=True)).to_be_visible()
    click(page, *FLESH)
    wait_for_ink(page, *FLESH)
    click(page, *RIND)
    wait_for_ink(page, *RIND)
    expect(page.locator(".ttapi-dot")).to_have_count(2)
    click(page, *RIND, button="right")
    expect(page.locator(".ttapi-dot-away")).to_have_count(1)
    ready(page)
    wait_for_ink(page, *RIND, there=False)
    for left in (2, 1):
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".ttapi-dot")).to_have_count(left)
    page.get_by_role("button", name="Undo").click()
    wait_for_ink(page, *FLESH, there=False)
    drag(page, (300, 345), (775, 785))
    wait_for_ink(page, *FLESH)
    (mark,) = Mask.from_json(book.run(1)).marks
    assert isinstance(mark, Selection)
    assert mark.box is not None
    assert [round(at / 10) for at in mark.box] == pytest.approx([30, 34, 78, 78], abs=1)


def test_a_selection_is_refined_with_the_brush_and_run(notebook: Opened) -> None:
    """What was selected is painted over, erased and sent like any mask."""
    book = notebook(EDITOR, "print(editor.mask.to_json())")
    book.run(0)
    page = book.page
    page.locator("canvas.ttapi-ink").first.wait_for(timeout=PATIENCE)
    choose(page)
    click(page, *FLESH)
    wait_for_ink(page, *FLESH)
    page.keyboard.press("b")
    drag(page, (420, 480), (340, 480))
    wait_for_ink(page, 380, 480)
    marks = Mask.from_json(book.run(1)).marks
    assert [type(mark) for mark in marks] == [Selection, Stroke]
    book.prompt.fill("a blue bowl")
    book.button("Run").click()
    book.wait_for_results()


def test_the_keyboard_does_it_all(notebook: Opened) -> None:
    """Arrows move a crosshair, Enter selects, Delete takes away, N begins another thing, Ctrl+Z goes back."""
    book = notebook(OWN, SHOW)
    book.run(0)
    page = book.page
    page.locator("canvas.ttapi-ink").first.wait_for(timeout=PATIENCE)
    page.locator(".ttapi-sheet").focus()
    page.keyboard.press("w")
    ready(page)
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("Enter selects")).to_be_visible()
    page.keyboard.press("Enter")
    wait_for_ink(page, 512, 512)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".ttapi-dot")).to_have_count(2)
    ready(page)
    page.keyboard.press("Delete")
    expect(page.locator(".ttapi-dot-away")).to_have_count(1)
    ready(page)
    page.keyboard.press("n")
    expect(page.locator(".ttapi-dot")).to_have_count(0)
    for _ in range(3):
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".ttapi-dot")).to_have_count(1)
    ready(page)
    first, second = Mask.from_json(book.run(1)).marks
    assert isinstance(first, Selection)
    assert isinstance(second, Selection)
    # It was taken away at the very place where it was added.
    assert (first.labels, second.labels) == ((1, 0), (1,))
    page.locator(".ttapi-sheet").focus()
    page.keyboard.press("Control+z")
    expect(page.locator(".ttapi-dot")).to_have_count(2)


def test_it_shows_what_it_would_take_and_that_it_is_busy(notebook: Opened) -> None:
    """A quick model is shown under the pointer; while it works the tool says so, and drawing goes on."""
    book = notebook(OWN, "gate.clear()", "gate.set()", SHOW)
    book.run(0)
    page = book.page
    page.locator("canvas.ttapi-ink").first.wait_for(timeout=PATIENCE)
    choose(page)
    page.mouse.move(*on_screen(page, 700, 300))
    page.mouse.move(*on_screen(page, 710, 310))
    expect(page.locator(".ttapi-glimpse")).to_be_visible(timeout=PATIENCE)
    page.mouse.move(1, 1)
    expect(page.locator(".ttapi-glimpse")).to_be_hidden()
    book.run(1)
    click(page, 300, 300)
    expect(page.locator(".ttapi-selecting.ttapi-busy")).to_be_visible()
    page.keyboard.press("b")
    drag(page, (700, 700), (800, 700))
    wait_for_ink(page, 750, 700)
    book.run(2)
    wait_for_ink(page, 300, 300)
    marks = Mask.from_json(book.run(3)).marks
    assert [type(mark) for mark in marks] == [Stroke, Selection]


def test_without_the_extra_the_tip_has_the_pip_line(notebook: Opened) -> None:
    """Where OpenCV and ONNX Runtime are missing the tool's tip says how to install them."""
    book = notebook(
        "import sys\nsys.modules['cv2'] = sys.modules['onnxruntime'] = None\n"
        "import ttapi_nb as tt\ndrawer = tt.MaskDrawer(tt.sample())\ndrawer"
    )
    book.run(0)
    button = book.page.get_by_role("button", name="Select", exact=True).first
    expect(button).to_have_attribute(
        "data-tip",
        "Select (W) · Selecting by a click needs an extra, which is not "
        'installed. Install it with: pip install "ttapi-nb[select]"',
    )
    button.click()
    expect(book.page.get_by_role("button", name="Subject")).to_be_disabled()

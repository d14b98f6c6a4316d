"""Ink on the screen: at once, whatever the kernel does, and the same as the mask in Python."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from playwright.sync_api import Page, expect

from tests.ui.drawing import DRAWER, SHOW, alpha, drag, on_screen, shown, taken, touch_screen, wait_for_ink
from tests.ui.notebook import PATIENCE, START_TRIES, Notebook
from ttapi_nb import Mask
from ttapi_nb.mask import Bitmap, Shape, Stroke

Opened = Callable[..., Notebook]
# A tool's button goes to the kernel, and from there to the stage. The label is told after the stage.
CHOOSING = """
import ipywidgets
chosen = ipywidgets.Label(f"tool: {drawer.tool}")
drawer.observe(lambda change: setattr(chosen, "value", f"{change.name}: {change.new}"), ["tool", "pressure"])
ipywidgets.VBox([drawer, chosen])"""
# What the kernel has not been told: a message is counted as it enters the socket.
COUNT_MESSAGES = """() => {
    window.sentToKernel = 0;
    const send = WebSocket.prototype.send;
    window.ttapiUncounted = () => { WebSocket.prototype.send = send; };
    WebSocket.prototype.send = function (...message) { window.sentToKernel += 1; return send.apply(this, message); };
}"""

# How opaque a pixel of the ink on the page is each time that it is copied anew.
SPY = """([x, y]) => {
  const shown = document.querySelector("canvas.ttapi-ink"), copy = CanvasRenderingContext2D.prototype.drawImage;
  window.ttapiSeen = [];
  window.ttapiUnspied = () => { CanvasRenderingContext2D.prototype.drawImage = copy; return window.ttapiSeen; };
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    copy.apply(this, given);
    if (this.canvas === shown) window.ttapiSeen.push(this.getImageData(x, y, 1, 1).data[3]);
  };
}"""


# Neither photo nor ink is on the sheet, which is as large as one without a photo.
NOTHING = """['photo', 'ink'].every((name) => {
  const canvas = document.querySelector(`canvas.ttapi-${name}`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return canvas.width === 320 && data.every((value) => value === 0);
})"""


def choose(page: Page, tool: str) -> None:
    """Click on a tool, and wait until the photo can be painted with it."""
    page.get_by_role("button", name=tool).click()
    expect(page.get_by_text(f"tool: {tool.lower()}")).to_be_visible()


def test_ink_appears_while_a_cell_is_running(notebook: Opened) -> None:
    """With the kernel busy, strokes are on the screen as they are drawn, and are in the mask afterwards, in order."""
    book = notebook(
        DRAWER, "import time\nend = time.monotonic() + 4\nwhile time.monotonic() < end: pass", SHOW
    )
    book.run(0)
    expect(book.page.locator("canvas.ttapi-ink")).to_be_visible()
    busy = book.start(1)
    drag(book.page, (200, 200), (400, 200))
    assert alpha(book.page, 300, 200) == 255
    drag(book.page, (200, 400), (400, 400))
    assert alpha(book.page, 300, 400) == 255
    # Keys that choose are as quick.
    book.page.keyboard.press("r")
    drag(book.page, (600, 600), (800, 800))
    assert alpha(book.page, 610, 790) == 255
    expect(busy.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    mask = Mask.from_json(book.run(2))
    drawn = [mark for mark in mask.marks if isinstance(mark, Stroke | Shape)]
    assert [round(mark.points[0][1] / 100) for mark in drawn] == [2, 4, 6]


def test_screen_shows_what_the_mask_says(notebook: Opened) -> None:
    """After strokes, erasing and undoing, the canvas is the derived mask, but for the edges' last bit of smoothness."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    drag(book.page, (200, 200), (600, 300), (300, 500))
    drag(book.page, (250, 250), (500, 420), button="right")
    expect(book.page.get_by_role("menu")).to_have_count(0)
    drag(book.page, (700, 700), (800, 800))
    book.page.get_by_role("button", name="Undo").click()
    wait_for_ink(book.page, 750, 750, there=False)
    mask = Mask.from_json(book.run(1))
    assert len(mask.marks) == 2
    difference = np.abs(shown(book.page).astype(int) - mask.coverage())
    assert (difference > 8).mean() < 0.001


def test_another_photo_has_none_of_the_ink(notebook: Opened) -> None:
    """Also where something else was drawn since, so that ipycanvas has nothing to say of the old ink's canvas; and
    without a photo there is neither.
    """
    other = "import ipycanvas\nipycanvas.Canvas().clear()"
    photo = "drawer.image = tt.sample().pixels.resize((600, 500))\nprint(drawer.mask.area)"
    book = notebook(DRAWER, SHOW, other, photo, "drawer.image = None")
    book.run(0)
    drag(book.page, (200, 200), (500, 300))
    wait_for_ink(book.page, 350, 250)
    taken(book)
    book.run(2)
    assert book.run(3) == "0"
    book.page.wait_for_function("document.querySelector('canvas.ttapi-ink')?.width === 600")
    # A cell's end is told after all that it drew.
    book.run(1)
    assert not shown(book.page).any()
    drag(book.page, (200, 200), (500, 300))
    book.run(4)
    book.page.wait_for_function(NOTHING)


def test_hovering_sends_nothing(notebook: Opened) -> None:
    """Moving the pointer over the photo shows the brush's ring and sends the kernel no message."""
    book = notebook(DRAWER)
    book.page.evaluate(COUNT_MESSAGES)
    book.run(0)
    book.page.mouse.move(*on_screen(book.page, 100, 100))
    expect(book.page.locator(".ttapi-ring")).to_be_visible()
    before = book.page.evaluate("window.sentToKernel")
    for step in range(60):
        book.page.mouse.move(*on_screen(book.page, 100 + 10 * step, 100 + 5 * step))
    assert book.page.evaluate("window.sentToKernel") == before
    drag(book.page, (100, 100), (200, 200))
    book.page.wait_for_function(f"window.sentToKernel > {before}")
    book.page.evaluate("window.ttapiUncounted()")


def test_ink_that_stays_is_never_gone(notebook: Opened) -> None:
    """While other ink in the same box is undone and comes back, the page at no time shows it without what stays."""
    book = notebook(DRAWER)
    book.run(0)
    page = book.page
    page.locator("canvas.ttapi-ink").first.wait_for(timeout=PATIENCE)
    drag(page, (200, 500), (800, 500))
    wait_for_ink(page, 700, 500)
    drag(page, (300, 300), (700, 700))
    wait_for_ink(page, 350, 350)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.evaluate(SPY, [450, 500])
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
        wait_for_ink(page, 350, 350, there=False)
        page.get_by_role("button", name="Redo").click()
        wait_for_ink(page, 350, 350)
    seen = page.evaluate("window.ttapiUnspied()")
    assert len(seen) >= 4
    assert set(seen) == {255}


def test_pointer_released_outside_ends_the_stroke(notebook: Opened) -> None:
    """A stroke that leaves the canvas ends where the button is released, and the next move paints nothing."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    page.mouse.move(*on_screen(page, 100, 100))
    page.mouse.down()
    page.mouse.move(*on_screen(page, 300, 100), steps=3)
    page.mouse.move(*on_screen(page, 300, -150), steps=3)
    page.mouse.up()
    page.mouse.move(*on_screen(page, 600, 600), steps=3)
    taken(book)
    mask = Mask.from_json(book.run(1))
    assert len(mask.marks) == 1
    assert mask.to_array()[100, 200]
    assert not mask.to_array()[600, 600]


def test_shift_draws_straight_and_alt_erases(notebook: Opened) -> None:
    """With Shift a stroke is the straight line from its start, with Alt it takes paint away."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    page.keyboard.down("Shift")
    drag(page, (100, 100), (300, 600), (700, 100))
    page.keyboard.up("Shift")
    assert alpha(page, 300, 500) == 0
    page.keyboard.down("Alt")
    drag(page, (400, 60), (400, 140))
    page.keyboard.up("Alt")
    assert alpha(page, 400, 100) == 0
    mask = Mask.from_json(book.run(1)).to_array()
    assert mask[100, 200]
    assert not mask[500, 300]
    assert not mask[100, 400]


def test_ink_survives_a_reload_and_shows_in_a_second_view(notebook: Opened) -> None:
    """After reloading the page with the kernel alive the ink is there again, and a second view shows the same."""
    book = notebook(DRAWER, "drawer", SHOW)
    book.run(0)
    book.run(1)
    drag(book.page, (200, 200), (400, 200))
    wait_for_ink(book.page, 300, 200, view=1)
    taken(book)
    book.save()
    book.reload()
    wait_for_ink(book.page, 300, 200)
    drag(book.page, (200, 500), (400, 500))
    wait_for_ink(book.page, 300, 500)
    assert len(Mask.from_json(book.run(2)).marks) == 2


def test_assignment_during_a_stroke_keeps_both(notebook: Opened) -> None:
    """A mask assigned from Python while a stroke is being drawn is shown at once, and the stroke comes on top of it."""
    book = notebook(
        DRAWER,
        "import threading\n"
        "threading.Timer(1, lambda: setattr(drawer, 'mask', drawer.mask.rectangle((700, 700, 800, 800)))).start()",
        SHOW,
    )
    book.run(0)
    page = book.page
    book.run(1)
    page.mouse.move(*on_screen(page, 100, 100))
    page.mouse.down()
    page.mouse.move(*on_screen(page, 200, 100), steps=3)
    wait_for_ink(page, 750, 750)
    assert alpha(page, 150, 100) == 255
    page.mouse.move(*on_screen(page, 300, 100), steps=3)
    page.mouse.up()
    mask = Mask.from_json(book.run(2)).to_array()
    assert mask[750, 750]
    assert mask[100, 250]


def test_without_ipycanvas_the_stage_has_canvases_of_its_own(own_notebook: Opened, page: Page) -> None:
    """Where its script can't be had, photo and ink are shown all the same, painting is as quick, and undo shows."""
    page.route(re.compile("ipycanvas.*[.]js"), lambda route: route.abort())
    book = own_notebook(DRAWER, SHOW, "drawer.image = None")
    book.run(0)
    expect(page.locator("canvas.ttapi-ink")).to_have_attribute("width", "1024", timeout=PATIENCE)
    page.wait_for_function(
        "document.querySelector('.ttapi-photo')?.getContext('2d').getImageData(700, 700, 1, 1).data[0] > 100"
    )
    drag(page, (200, 200), (400, 200))
    assert alpha(page, 300, 200) == 255
    taken(book)
    drag(page, (200, 400), (400, 400))
    page.get_by_role("button", name="Undo").click()
    wait_for_ink(page, 300, 400, there=False)
    assert alpha(page, 300, 200) == 255
    mask = Mask.from_json(book.run(1)).to_array()
    assert mask[200, 300]
    assert not mask[400, 300]
    book.run(2)
    page.wait_for_function(NOTHING)


EACH_TOOL: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "Brush": ((300, 200), (300, 260)),
    "Line": ((300, 300), (200, 380)),
    "Rectangle": ((390, 210), (410, 300)),
    "Ellipse": ((300, 300), (205, 205)),
    "Lasso": ((330, 250), (220, 380)),
}


def test_each_tool_by_pixels_and_by_the_mask(notebook: Opened) -> None:
    """What a tool draws is on the screen at once, is the same in the mask, and the eraser takes it away."""
    book = notebook(DRAWER + CHOOSING, SHOW)
    book.run(0)
    page = book.page
    undo = page.get_by_role("button", name="Undo").first
    for tool, (inside, outside) in EACH_TOOL.items():
        choose(page, tool)
        # A way along two sides of a square: each tool makes something else of it.
        drag(page, (200, 200), (400, 200), (400, 400))
        assert alpha(page, *inside) == 255, tool
        assert alpha(page, *outside) == 0, tool
        taken(book)
        mask = Mask.from_json(book.run(1)).to_array()
        assert mask[inside[1], inside[0]], tool
        assert not mask[outside[1], outside[0]], tool
        choose(page, "Eraser")
        drag(page, (inside[0] - 2, inside[1]), (inside[0] + 2, inside[1]))
        assert alpha(page, *inside) == 0, tool
        undo.click()
        wait_for_ink(page, *inside)
        undo.click()
        wait_for_ink(page, *inside, there=False)
        expect(undo).to_be_disabled()


def test_polygon_by_its_corners(notebook: Opened) -> None:
    """Clicks set corners, which look half drawn; Backspace takes one back, Esc lets go of them, Enter or the first
    corner closes.
    """
    book = notebook(DRAWER + CHOOSING, SHOW)
    book.run(0)
    page = book.page
    choose(page, "Polygon")
    corners = ((200, 200), (400, 200), (400, 400), (200, 400))
    for corner in corners:
        page.mouse.click(*on_screen(page, *corner))
    assert alpha(page, 300, 300) == 0
    expect(page.locator(".ttapi-corners circle")).to_have_count(4)
    expect(page.get_by_text("Enter closes", exact=False)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".ttapi-corners circle")).to_have_count(0)
    expect(page.get_by_text("Enter closes", exact=False)).to_be_hidden()
    for corner in (*corners, (900, 900)):
        page.mouse.click(*on_screen(page, *corner))
    page.keyboard.press("Backspace")
    page.mouse.move(*on_screen(page, 300, 350))
    page.mouse.click(*on_screen(page, *corners[0]))
    taken(book)
    for corner in ((600, 600), (700, 600), (700, 700)):
        page.mouse.click(*on_screen(page, *corner))
    page.keyboard.press("Enter")
    wait_for_ink(page, 690, 610)
    first, second = Mask.from_json(book.run(1)).marks
    assert isinstance(first, Shape)
    assert isinstance(second, Shape)
    assert np.abs(np.array(first.points) - corners).max() < 2
    assert len(second.points) == 3


def test_bucket_fills_what_is_coloured_alike(notebook: Opened) -> None:
    """A click with the bucket fills the region under it, and Ctrl+Z takes it back."""
    book = notebook(
        "import numpy, ttapi_nb as tt\nphoto = numpy.zeros((1024, 1024, 3), 'uint8')\nphoto[300:600, 300:600] = 250\n"
        "drawer = tt.MaskDrawer(photo)" + CHOOSING,
        SHOW,
    )
    book.run(0)
    choose(book.page, "Bucket")
    book.page.mouse.click(*on_screen(book.page, 450, 450))
    wait_for_ink(book.page, 320, 580)
    assert alpha(book.page, 200, 200) == 0
    mask = Mask.from_json(book.run(1))
    assert mask == Mask((1024, 1024), (Bitmap.of(mask.coverage()),))
    assert mask.bounds == (300, 300, 600, 600)
    book.page.locator(".ttapi-sheet").focus()
    book.page.keyboard.press("Control+z")
    wait_for_ink(book.page, 320, 580, there=False)


def test_a_pen_paints_by_its_pressure(notebook: Opened) -> None:
    """With pen pressure on, a pen that is pressed less paints a finer line; a mouse paints as before."""
    book = notebook(DRAWER + CHOOSING, SHOW)
    book.run(0)
    page = book.page
    page.get_by_label("Pen pressure").check()
    expect(page.get_by_text("pressure: True")).to_be_visible()
    session = page.context.new_cdp_session(page)

    def pen(kind: str, x: float, y: float, force: float) -> None:
        x, y = on_screen(page, x, y)
        given = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "force": force}
        session.send("Input.dispatchMouseEvent", given | {"pointerType": "pen", "clickCount": 1})

    pen("mousePressed", 200, 200, 0.2)
    pen("mouseMoved", 300, 200, 0.2)
    pen("mouseMoved", 600, 200, 1.0)
    pen("mouseReleased", 600, 200, 1.0)
    assert [alpha(page, 250, y) for y in (200, 212)] == [255, 0]
    assert [alpha(page, 590, y) for y in (200, 216)] == [255, 255]
    taken(book)
    (mark,) = Mask.from_json(book.run(1)).marks
    assert isinstance(mark, Stroke)
    assert sorted({round(radius) for _, _, radius in mark.points}) == [4, 20]


def test_a_pens_other_end_erases(notebook: Opened) -> None:
    """Where a pen has an eraser at its other end, that takes paint away whatever the tool."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    drag(page, (200, 200), (400, 200))
    wait_for_ink(page, 300, 200)
    places = [on_screen(page, x, 200) for x in (280, 320)]
    # No browser's automation has such a pen: its events are made here, as the Pointer Events standard gives them.
    page.locator("canvas.ttapi-ink").evaluate(
        """(canvas, [from, to]) => {
          const send = (type, [clientX, clientY], button, buttons) => canvas.dispatchEvent(new PointerEvent(type, {
            clientX, clientY, button, buttons, pointerId: 1, pointerType: "pen", isPrimary: true, bubbles: true,
            pressure: 0.5,
          }));
          send("pointerdown", from, 5, 32);
          send("pointermove", to, -1, 32);
          send("pointerup", to, 5, 0);
        }""",
        places,
    )
    wait_for_ink(page, 300, 200, there=False)
    expect(page.get_by_role("button", name="Brush", exact=True)).to_have_attribute("aria-pressed", "true")
    for _ in range(START_TRIES):
        # JupyterLab sends marks to a subshell, which a cell does not wait for.
        mask = Mask.from_json(book.run(1)).to_array()
        if not mask[200, 300]:
            break
    assert mask[200, 220]
    assert not mask[200, 300]


def test_keys_work_on_the_photo_and_stay_out_of_the_notebook(notebook: Opened) -> None:
    """The painter's keys act while the photo has the focus, none of them reaches the notebook, and Tab leaves."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    drag(page, (200, 200), (400, 200))
    taken(book)
    for key, tool in {
        "e": "Eraser",
        "x": "Brush",
        "l": "Line",
        "r": "Rectangle",
        "o": "Ellipse",
        "p": "Polygon",
        "f": "Lasso",
        "g": "Bucket",
        "b": "Brush",
    }.items():
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=tool)).to_have_attribute("aria-pressed", "true")
    size = page.get_by_role("slider", name="Brush size")
    expect(size).to_have_value("41")
    page.keyboard.press("]")
    expect(size).to_have_value("47")
    page.keyboard.press("[")
    expect(size).to_have_value("40")
    page.keyboard.press("Control+z")
    wait_for_ink(page, 300, 200, there=False)
    for redo in ("Control+Shift+z", "Control+y"):
        page.keyboard.press(redo)
        wait_for_ink(page, 300, 200)
        page.keyboard.press("Control+z")
        wait_for_ink(page, 300, 200, there=False)
    # In a notebook "d d" deletes the cell, and the drawing with it.
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("a")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    page.keyboard.press("Tab")
    assert not page.evaluate("document.querySelector('.ttapi-sheet').contains(document.activeElement)")


def test_a_finger_paints(notebook: Opened) -> None:
    """On a touch screen a finger's drag is a stroke."""
    book = notebook(DRAWER, SHOW)
    page = book.page
    page.set_viewport_size({"width": 1400, "height": 1400})
    book.run(0)
    with touch_screen(page) as touch:
        touch("touchStart", on_screen(page, 200, 200))
        touch("touchMove", on_screen(page, 300, 200))
        touch("touchMove", on_screen(page, 400, 200))
        touch("touchEnd")
        wait_for_ink(page, 300, 200)
        taken(book)
    assert Mask.from_json(book.run(1)).to_array()[200, 300]

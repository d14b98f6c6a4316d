"""Looking at the mask: zoom, tint and edges, hidden, full screen, sharp, and without a mouse."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from tests.ui.drawing import DRAWER, SHOW, alpha, drag, on_screen, taken, touch_screen, wait_for_ink
from tests.ui.notebook import Notebook
from tests.ui.shared import Shared
from ttapi_nb import Mask
from ttapi_nb.mask import Stroke

Opened = Callable[..., Notebook]


def pixels(page: Page) -> NDArray[np.uint8]:
    """What the screen shows of the photo, as RGB."""
    picture = page.locator(".ttapi-paper").screenshot()
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def scale_of(page: Page) -> float:
    """How many pixels of the screen one of the photo takes."""
    box = page.locator("canvas.ttapi-ink").first.bounding_box()
    assert box is not None
    return box["width"] / 1024


def test_zoom_and_pan_and_paint_in_the_right_place(notebook: Opened) -> None:
    """Ctrl+wheel zooms at the pointer, Space or the middle button drags, paint is under the pointer, 0 fits."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    whole = scale_of(page)
    at = on_screen(page, 700, 300)
    page.mouse.move(*at)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -500)
    page.keyboard.up("Control")
    page.wait_for_function("document.querySelector('.ttapi-paper')?.getBoundingClientRect().width > 1500")
    box = page.locator("canvas.ttapi-ink").first.bounding_box()
    assert box is not None
    # What was under the pointer still is.
    assert abs((at[0] - box["x"]) / scale_of(page) - 700) < 2
    # Canvases that are scaled together are all drawn anew for each frame of a stroke.
    matrix = "new DOMMatrix(getComputedStyle(document.querySelector('.ttapi-paper')).transform)"
    assert page.evaluate(f"{matrix}.a") == 1
    page.mouse.down()
    page.mouse.move(at[0] + 40, at[1], steps=3)
    page.mouse.up()
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(at[0] - 60, at[1] + 30, steps=3)
    page.mouse.up()
    page.keyboard.up(" ")
    moved = page.locator("canvas.ttapi-ink").first.bounding_box()
    assert moved is not None
    assert (round(moved["x"] - box["x"]), round(moved["y"] - box["y"])) == (-100, 30)
    page.mouse.down(button="middle")
    page.mouse.move(at[0] - 40, at[1] + 50, steps=3)
    page.mouse.up(button="middle")
    again = page.locator("canvas.ttapi-ink").first.bounding_box()
    assert again is not None
    assert (round(again["x"] - moved["x"]), round(again["y"] - moved["y"])) == (20, 20)
    page.keyboard.press("0")
    assert scale_of(page) == pytest.approx(whole)
    page.keyboard.press("+")
    assert scale_of(page) == pytest.approx(whole * 1.25)
    page.get_by_role("button", name="Show the whole photo").click()
    taken(book)
    (mark,) = Mask.from_json(book.run(1)).marks
    assert isinstance(mark, Stroke)
    assert np.hypot(mark.points[0][0] - 700, mark.points[0][1] - 300) < 2
    # The brush is as wide in the photo as before, whatever the zoom.
    assert mark.points[0][2] == 20.5


def test_two_fingers_zoom_and_paint_nothing(notebook: Opened) -> None:
    """On a touch screen two fingers that part zoom in, and the stroke that the first began is taken back."""
    book = notebook(DRAWER, SHOW)
    page = book.page
    page.set_viewport_size({"width": 1400, "height": 1200})
    book.run(0)
    whole = scale_of(page)
    one, other = on_screen(page, 400, 400), on_screen(page, 600, 400)
    with touch_screen(page) as touch:
        touch("touchStart", one)
        touch("touchStart", one, other)
        touch("touchMove", (one[0] - 80, one[1]), (other[0] + 80, other[1]))
        touch("touchEnd")
        assert scale_of(page) > 1.3 * whole
    assert alpha(page, 400, 400) == 0
    assert Mask.from_json(book.run(1)).marks == ()


def test_tint_edges_and_hiding(notebook: Opened) -> None:
    """The tint has the chosen colour and opacity, edges are an outline alone; H or the button hides while held."""
    book = notebook(
        "import numpy, ttapi_nb as tt\ndrawer = tt.MaskDrawer(numpy.zeros((1024, 1024, 3), 'uint8'))\ndrawer"
    )
    book.run(0)
    page = book.page
    page.keyboard.press("Escape")
    drag(page, (300, 300), (700, 300))
    page.mouse.move(*on_screen(page, 500, 800))
    height = pixels(page).shape[0]
    inside, edge = (round(300 * height / 1024), height // 2), round(279.5 * height / 1024)
    assert pixels(page)[inside].tolist() == pytest.approx([0, 114, 153], abs=3)
    page.get_by_role("button", name="View", exact=True).click()
    page.get_by_role("textbox", name="Colour").fill("#ff8000")
    page.keyboard.press("Enter")
    expect(page.locator("canvas.ttapi-ink").first).to_have_css("opacity", "0.6")
    page.get_by_role("slider", name="Opacity").press("End")
    page.wait_for_function("document.querySelector('.ttapi-ink')?.style.opacity === '1'")
    page.locator(".ttapi-sheet").focus()
    page.mouse.move(*on_screen(page, 500, 800))
    assert pixels(page)[inside].tolist() == pytest.approx([255, 128, 0], abs=3)
    page.keyboard.down("h")
    assert pixels(page)[inside].tolist() == [0, 0, 0]
    page.keyboard.up("h")
    assert pixels(page)[inside].tolist() == pytest.approx([255, 128, 0], abs=3)
    page.get_by_role("button", name="Hide the mask while held").hover()
    page.mouse.down()
    assert pixels(page)[inside].tolist() == [0, 0, 0]
    page.mouse.up()
    assert pixels(page)[inside].tolist() == pytest.approx([255, 128, 0], abs=3)
    page.get_by_label("Show as").select_option(label="Marching edges")
    page.wait_for_function("document.querySelector('.ttapi-outlined')")
    page.wait_for_function(OUTLINED)
    shown = pixels(page)
    assert shown[inside].tolist() == [0, 0, 0]
    # White and black stripes take turns along the edge.
    along = shown[edge - 3 : edge + 3, round(0.4 * height) : round(0.6 * height)].max(axis=(0, 2))
    assert along.max() > 200
    assert along.min() < 60
    before = shown.tobytes()
    # The stripes come back to where they were: a look may fall on that.
    for _ in range(5):
        page.wait_for_function(MARCHED, arg=page.evaluate(EDGES))
        if pixels(page).tobytes() != before:
            break
    else:
        raise AssertionError("The edges stand still.")


EDGES = "document.querySelector('canvas.ttapi-edges')?.toDataURL()"
MARCHED = f"(before) => {EDGES} !== before"
OUTLINED = """() => {
  const canvas = document.querySelector('canvas.ttapi-edges');
  return canvas?.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value);
}"""


def test_full_screen_and_back(notebook: Opened) -> None:
    """On the full screen the photo and its tools fill the window, and paint lands in the right place."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    page.get_by_role("button", name="full screen").click()
    page.wait_for_function("document.fullscreenElement?.classList.contains('ttapi-drawer')")
    page.wait_for_function("document.querySelector('.ttapi-sheet')?.clientWidth > 1200")
    drag(page, (200, 200), (400, 200))
    wait_for_ink(page, 300, 200)
    expect(page.get_by_role("button", name="Undo").first).to_be_in_viewport()
    expect(page.get_by_role("button", name="full screen")).to_be_in_viewport()
    page.get_by_role("button", name="full screen").click()
    page.wait_for_function("!document.fullscreenElement")
    assert Mask.from_json(book.run(1)).to_array()[200, 300]


def test_without_a_mouse(notebook: Opened) -> None:
    """The keyboard alone adds a shape by its numbers and grows it, by names that a screen reader speaks."""
    book = notebook(DRAWER, SHOW)
    book.run(0)
    page = book.page
    page.get_by_role("button", name="Numbers", exact=True).press("Enter")
    for label, value in (("Left", "100"), ("Top", "200"), ("Width", "300"), ("Height", "50")):
        page.get_by_label(label, exact=True).fill(value)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    wait_for_ink(page, 110, 240)
    page.get_by_role("button", name="Edge", exact=True).press("Enter")
    page.get_by_role("button", name="Grow", exact=True).press("Enter")
    wait_for_ink(page, 95, 240)
    page.keyboard.press("Escape")
    for tool, name in (("Brush", "Brush size"), ("Bucket", "Tolerance")):
        page.get_by_role("button", name=tool, exact=True).press("Enter")
        expect(page.get_by_role("slider", name=name, exact=True)).to_be_visible()
    for name in (
        "Brush",
        "Eraser",
        "Line",
        "Rectangle",
        "Ellipse",
        "Polygon",
        "Lasso",
        "Bucket",
        "Undo",
        "Zoom in",
    ):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    mask = Mask.from_json(book.run(1))
    assert mask == Mask((1024, 1024)).rectangle((100, 200, 400, 250)).grow(8)


def test_large_photo_is_sent_once_and_small(shared: Shared, notebook: Opened) -> None:
    """A photo of 24 megapixels reaches the browser as one small file, is sharp on a dense screen, and stays so."""
    page = shared.page
    page.set_viewport_size({"width": 1400, "height": 1200})
    session = page.context.new_cdp_session(page)
    # Until the page has its usual size again.
    session.send(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1400, "height": 1200, "deviceScaleFactor": 2, "mobile": False},
    )
    received: list[int] = []
    page.once("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    code = (
        "import numpy, ttapi_nb as tt\n"
        "photo = numpy.zeros((4000, 6000, 3), 'uint8'); photo[:, ::2000] = 255; photo[::2000] = 255\n"
        "photo[:, 3000:] = 255\ndrawer = tt.MaskDrawer(photo)\ndrawer"
    )
    book = notebook(code, SHOW)
    assert page.evaluate("devicePixelRatio") == 2
    book.run(0)
    canvas = page.locator("canvas.ttapi-ink").first
    expect(canvas).to_have_attribute("width", "1600")
    page.wait_for_function(
        "document.querySelector('.ttapi-photo')?.getContext('2d').getImageData(1500, 500, 1, 1).data[0] > 200"
    )
    assert 20_000 < sum(received) < 1_000_000
    screen = pixels(page)
    # The step from black to white takes no more than a few pixels of the screen.
    line = screen[screen.shape[0] // 4, :, 0].astype(int)
    assert np.count_nonzero((line > 30) & (line < 225)) <= 24
    before = sum(received)
    drag(page, (200, 200), (400, 200))
    taken(book)
    assert sum(received) - before < 300_000
    mask = Mask.from_json(book.run(1))
    assert mask.size == (6000, 4000)
    session.detach()

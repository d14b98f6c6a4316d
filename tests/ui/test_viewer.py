"""Results compared in the browser: what is on the screen, read from its pixels."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.ui.lab import Lab
from tests.ui.notebook import Notebook
from tests.ui.shared import Shared

Opened = Callable[..., Notebook]
# Red tells how far right a pixel of the photo is, and green how far down. The model paints a blue square where it
# should, and another in the first corner, where it should not.
RUN = """
import numpy as np, ttapi_nb as tt
down, right = np.mgrid[0:512, 0:512] // 2
photo = np.dstack([right, down, 0 * right]).astype("uint8")
mask = tt.Mask((512, 512)).rectangle((206, 206, 306, 306))
def fill(image, mask, prompt, seed):
    image = image.convert("RGB")
    for box in ((206, 206, 306, 306), (0, 0, 100, 100)):
        image.paste("blue", box)
    return image
client = tt.Client.offline(fill=fill)
run = tt.edit(photo, "a <b>blue</b> square", mask=mask, n=2, model="dall-e-2", size="512x512", client=client)
"""
MIDDLE, CORNER = (0.5, 0.5), (0.1, 0.1)


@pytest.fixture(scope="module")
def book(shared: Shared) -> Iterator[Notebook]:
    """A notebook with a viewer that shows two results, after its pictures have come; the tests of the comparison all
    look at it.
    """
    show = "prompts = []\nviewer = tt.ResultViewer(run)\nviewer.on_use_prompt(prompts.append)\nviewer"
    say = "print(prompts, viewer.starred, viewer.notes, viewer.mode, viewer.index)"
    book = shared.open("viewer.ipynb", RUN + show, say)
    book.run(0)
    compare(book.page, "Slider")
    yield book
    shared.leave(book)


def compare(page: Page, mode: str, side: str = "Result") -> Locator:
    """Choose how to compare and what, show the whole picture, and return the view once it shows them."""
    for name in (mode, side):
        # The button itself is see-through, and its words are what is clicked.
        choice = page.get_by_role("radio", name=name, exact=True)
        if choice.is_enabled():
            choice.check(force=True)
    page.get_by_role("button", name="The whole picture (key 0)").click()
    shown(page)
    return page.locator(".ttapi-view")


def shown(page: Page) -> None:
    """Wait until both panes show pictures from the kernel, and no thumbnails."""
    page.wait_for_function(
        """() => {
          const images = [...document.querySelectorAll('.ttapi-pane img')];
          return images.length > 0 && images.every((image) => image.complete && image.naturalWidth === 512);
        }"""
    )


def pixels(view: Locator) -> NDArray[np.int16]:
    """What is on the screen, (height, width, red green blue)."""
    data = view.screenshot()
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int16)


def colour(view: Locator, at: tuple[float, float]) -> str:
    """Whether the photo or something blue is at a point of the view, in shares of its width and height."""
    screen = pixels(view)
    red, green, blue = screen[int(at[1] * screen.shape[0]), int(at[0] * screen.shape[1])]
    return "blue" if blue > red + 40 and blue > green + 40 else "photo"


def place(screen: NDArray[np.int16], x: float, y: float) -> tuple[float, float]:
    """Which point of the photo, in shares of its width and height, is seen at a point of a pane."""
    red, green, _ = screen[int(y * screen.shape[0]), int(x * screen.shape[1])]
    return red / 255, green / 255


def point(view: Locator, x: float, y: float) -> tuple[float, float]:
    """A point of the view on the page."""
    box = view.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Page, view: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag with the mouse from one point of the view to another."""
    page.mouse.move(*point(view, *start))
    page.mouse.down()
    page.mouse.move(*point(view, *end), steps=4)
    page.mouse.up()


def test_slider_follows_the_mouse(book: Notebook) -> None:
    """Left of the line is the photo, right of it the result, wherever the line is dragged."""
    view = compare(book.page, "Slider")
    drag(book.page, view, (0.5, 0.8), (0.8, 0.2))
    assert colour(view, MIDDLE) == "photo"
    expect(view.get_by_role("slider")).to_have_attribute("aria-valuenow", "80")
    drag(book.page, view, (0.8, 0.5), (0.2, 0.5))
    assert colour(view, MIDDLE) == "blue"
    # Outside the mask the result is the photo.
    assert colour(view, (0.3, 0.1)) == "photo"


def test_slider_follows_the_keys_and_leaves_others_their_own(book: Notebook) -> None:
    """Arrows, Page, Home and End move the line; no letter reaches the notebook; Tab leaves."""
    page = book.page
    view = compare(page, "Slider")
    slider = view.get_by_role("slider")
    slider.focus()
    for key, percent, middle in (
        *(("Home", "0", "blue"), ("PageUp", "10", "blue"), ("ArrowRight", "11", "blue")),
        *(("End", "100", "photo"), ("PageDown", "90", "photo"), ("ArrowLeft", "89", "photo")),
        *(("Shift+ArrowLeft", "79", "photo"), ("ArrowDown", "78", "photo"), ("ArrowUp", "79", "photo")),
    ):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuenow", percent)
        assert colour(view, MIDDLE) == middle
    expect(slider).to_have_attribute("aria-valuetext", "79% before, 21% after")
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    # In the notebook's own hands, these would delete, add and cut cells.
    for letter in "ddabx":
        page.keyboard.press(letter)
    page.keyboard.press("Tab")
    expect(slider).not_to_be_focused()
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_zoom_and_pan_keep_both_sides_in_step(book: Notebook) -> None:
    """Ctrl and the wheel zoom at the pointer, keys zoom at the middle, a drag pans: both panes show the same place."""
    page = book.page
    view = compare(page, "Side by side")
    before, after = view.locator(".ttapi-before"), view.locator(".ttapi-after")

    def seen(x: float, y: float) -> tuple[float, float]:
        places = place(pixels(before), x, y), place(pixels(after), x, y)
        assert np.allclose(places[0], places[1], atol=0.02)
        return places[0]

    assert np.allclose(seen(0.75, 0.25), (0.75, 0.25), atol=0.02)
    page.mouse.move(*point(after, 0.75, 0.25))
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(page.get_by_role("button", name="The whole picture (key 0)")).to_have_text("272%")
    # What was under the pointer still is; a step to the right is now a smaller one in the photo.
    assert np.allclose(seen(0.75, 0.25), (0.75, 0.25), atol=0.02)
    assert np.allclose(seen(0.95, 0.25), (0.75 + 0.2 / 2.72, 0.25), atol=0.02)
    x, y = seen(0.75, 0.5)
    drag(page, before, (0.3, 0.3), (0.5, 0.2))
    assert np.allclose(seen(0.95, 0.4), (x, y), atol=0.02)

    page.keyboard.press("ArrowRight")
    assert np.allclose(seen(0.95, 0.4), (x + 0.1 / 2.72, y), atol=0.02)
    page.keyboard.press("0")
    assert np.allclose(seen(0.75, 0.25), (0.75, 0.25), atol=0.02)
    page.keyboard.press("+")
    assert np.allclose(seen(0.9, 0.1), (0.5 + 0.4 / 1.5, 0.5 - 0.4 / 1.5), atol=0.02)
    page.keyboard.press("-")
    assert np.allclose(seen(0.9, 0.1), (0.9, 0.1), atol=0.02)


def test_slider_pans_with_space(book: Notebook) -> None:
    """With Space held, a drag moves the zoomed pictures and not the line."""
    page = book.page
    view = compare(page, "Slider")
    view.get_by_role("slider").focus()
    page.keyboard.press("End")
    page.get_by_role("button", name="Zoom in").click()
    x, y = place(pixels(view), 0.3, 0.3)
    view.get_by_role("slider").focus()
    page.keyboard.down(" ")
    drag(page, view, (0.3, 0.3), (0.4, 0.35))
    page.keyboard.up(" ")
    assert np.allclose(place(pixels(view), 0.4, 0.35), (x, y), atol=0.02)
    expect(view.get_by_role("slider")).to_have_attribute("aria-valuenow", "100")


def test_raw_answer_and_heat_map(book: Notebook) -> None:
    """The raw answer shows what the model painted outside the mask, and the heat map glows there and nowhere else."""
    view = compare(book.page, "Slider")
    view.get_by_role("slider").focus()
    book.page.keyboard.press("Home")
    assert (colour(view, CORNER), colour(view, MIDDLE)) == ("photo", "blue")
    view = compare(book.page, "Slider", "Raw answer")
    assert (colour(view, CORNER), colour(view, MIDDLE)) == ("blue", "blue")
    expect(book.page.locator(".ttapi-results")).to_contain_text("Raw answer 1: 512 × 512")
    view = compare(book.page, "Heat map", "Raw answer")
    screen = pixels(view)
    side = screen.shape[0]
    glow, rest = screen[side // 10, side // 10], screen[side // 2, side // 2]
    assert glow[0] > glow[2] + 100
    # Where nothing leaked there is the photo in grey.
    assert abs(rest - rest.mean()).max() < 8
    expect(book.page.locator(".ttapi-results")).to_contain_text("repainted 4% of what you protected")
    compare(book.page, "Slider", "Result")


def test_blink_is_held_or_runs_by_itself(book: Notebook) -> None:
    """Blinking shows before and after in turn; pressing, or holding Space, shows before; less motion starts none."""
    page = book.page
    view = compare(page, "Blink")
    for visibility in ("hidden", "visible", "hidden"):
        expect(view.locator(".ttapi-after")).to_have_css("visibility", visibility)
    page.get_by_role("button", name="Stop blinking").click()
    page.mouse.move(*point(view, *MIDDLE))
    page.mouse.down()
    assert colour(view, MIDDLE) == "photo"
    page.mouse.up()
    assert colour(view, MIDDLE) == "blue"
    page.keyboard.down(" ")
    assert colour(view, MIDDLE) == "photo"
    page.keyboard.up(" ")
    assert colour(view, MIDDLE) == "blue"
    compare(page, "Slider")
    page.emulate_media(reduced_motion="reduce")
    compare(page, "Blink")
    expect(page.get_by_role("button", name="Blink by itself")).to_be_visible()
    page.emulate_media(reduced_motion="no-preference")
    compare(page, "Slider")


def test_results_are_chosen_marked_and_saved(book: Notebook, lab: Lab) -> None:
    """The tray is chosen from by keys; stars and note reach Python; Save all says where; the prompt comes back."""
    page = book.page
    compare(page, "Slider")
    strip = page.get_by_role("radiogroup", name="Results of this session")
    first, second = strip.get_by_role("radio").all()
    expect(strip.get_by_role("img").first).to_have_attribute("alt", "Result 1: a <b>blue</b> square")
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(second).to_be_checked()
    expect(page.locator(".ttapi-results")).to_contain_text("Result 2: 512 × 512")
    results = page.locator(".ttapi-results")
    page.keyboard.press("1")
    expect(results.get_by_role("radio", name="1 star")).to_be_checked()
    expect(strip.get_by_text("2 ★")).to_be_visible()
    results.get_by_label("Note").fill("this one")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    results.get_by_role("button", name="Copy the prompt back").click()
    results.get_by_role("button", name="Save all").click()
    expect(results.locator(".ttapi-status")).to_contain_text(f"Saved 2 results in {lab.folder}")
    assert book.run(1) == "['a <b>blue</b> square'] (1,) {1: 'this one'} slider 1"
    assert {path.name for path in lab.folder.glob("image-edit-*.png")} == {
        "image-edit-1.png",
        "image-edit-2.png",
    }


def test_nothing_is_cut_off_on_a_phone(book: Notebook) -> None:
    """In a column 360 pixels wide every control is within it, and side by side is one above the other."""
    page = book.page
    page.evaluate("document.querySelector('.ttapi-results').style.width = '360px'")
    view = compare(page, "Side by side")
    right = page.evaluate("document.querySelector('.ttapi-results').getBoundingClientRect().right")
    for part in page.locator(".ttapi-compare :is(label, button, .ttapi-pane), .ttapi-actions > *").all():
        box = part.bounding_box()
        # Hidden ones have none.
        assert box is None or box["x"] + box["width"] <= right + 1
    before, after = (view.locator(f".ttapi-{name}").bounding_box() for name in ("before", "after"))
    assert before
    assert after
    assert after["y"] >= before["y"] + before["height"]
    page.evaluate("document.querySelector('.ttapi-results').style.width = ''")

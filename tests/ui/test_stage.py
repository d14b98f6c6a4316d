"""The editor as one stage: what is in sight together, the result where one painted, and the keyboard all the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support import npm
from tests.ui.drawing import wait_for_ink
from tests.ui.fast_typing import cells, prompts_of, type_and_run
from tests.ui.focus import WEAK_FOCUS
from tests.ui.notebook import PATIENCE, START_TRIES, Notebook

Opened = Callable[..., Notebook]
EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample(), client=tt.Client.offline())\neditor"
# A run that goes on until a cell says so.
WAITS = """
import threading
go = threading.Event()
def fill(image, mask, prompt, seed):
    go.wait(60)
    return image
"""
SIZES = ((1024, 768), (1400, 900), (1920, 1080))
TOGETHER = {"photo": ".ttapi-sheet", "prompt": ".ttapi-prompt textarea", "Run": ".ttapi-act .ttapi-primary"}
AXE = ("axe-core", "4.10.3", "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292")
CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
IN_SIGHT = """(element) => {
  const around = element.closest(".jp-WindowedPanel-outer");
  const [inner, outer] = [element, around].map((one) => one.getBoundingClientRect());
  return inner.width > 0 && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1
    && inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
}"""
SCROLLED_INTO_SIGHT = f"""(selectors) => {{
  document.querySelector(".ttapi-editor")?.scrollIntoView();
  const elements = selectors.map((selector) => document.querySelector(selector));
  return elements.every((element) => element && ({IN_SIGHT})(element));
}}"""
AUDIT = """async ([part, rules]) => (await axe.run(part, rules ? { runOnly: rules } : {})).violations
  .map(({ id, nodes }) => [id, ...nodes.map((node) => node.html.slice(0, 200))])"""
# JupyterLab's body has no height and hides what is beyond it: axe-core takes all words in it for hidden.
HEIGHT = "height => { document.body.style.height = height; }"
PALE = """() => {
  const words = document.createElement("span");
  words.textContent = "pale words";
  words.style.cssText = "color: #787878; background: #828282";
  document.querySelector(".ttapi-editor").append(words);
}"""
# A theme that was just changed may not be laid out yet.
FINDS_PALE = f"""async () => {{
  for (let left = 20; left > 0; left--) {{
    const found = await ({AUDIT})([".ttapi-editor", ["color-contrast"]]);
    if (found.some(([, ...nodes]) => nodes.some((node) => node.includes("pale words")))) return true;
    await new Promise((tell) => {{ requestAnimationFrame(tell); }});
  }}
  return false;
}}"""
# All that axe-core has to say of colours, which is all that a theme changes.
OF_COLOURS = ("color-contrast", "link-in-text-block")


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core."""
    return (npm.package(*AXE, tmp_path_factory.mktemp("axe")) / "axe.min.js").read_text(encoding="utf-8")


def opened(notebook: Opened, width: int, height: int, *cells: str) -> Notebook:
    """A notebook in a window of that size, with the file browser open and its first cell run and scrolled to."""
    book = notebook(*(cells or (EDITOR,)))
    page = book.page
    page.set_viewport_size({"width": width, "height": height})
    if not page.locator(".jp-FileBrowser").is_visible():
        page.get_by_role("tab", name="File Browser").click()
    book.run(0)
    page.locator("canvas.ttapi-ink").wait_for(timeout=PATIENCE)
    book.editor.evaluate("editor => editor.scrollIntoView()")
    return book


def in_sight(page: Page, selector: str) -> bool:
    """Whether all of an element is within what the notebook shows."""
    found: bool = page.locator(selector).first.evaluate(IN_SIGHT)
    return found


@pytest.mark.slow
def test_all_is_in_sight_and_the_result_too(notebook: Opened) -> None:
    """Photo, prompt and Run are seen together; after Ctrl+Enter the result is, without scrolling, where one painted."""
    book = opened(notebook, *SIZES[0])
    page = book.page
    for number, (width, height) in enumerate(SIZES, start=1):
        page.set_viewport_size({"width": width, "height": height})
        page.get_by_role("radio", name="Edit", exact=True).first.check(force=True)
        book.editor.evaluate("editor => editor.scrollIntoView()")
        assert {name: in_sight(page, selector) for name, selector in TOGETHER.items()} == dict.fromkeys(
            TOGETHER, True
        )
        if width > 1024:
            assert in_sight(page, ".ttapi-status")
        photo = page.locator("canvas.ttapi-ink").bounding_box()
        book.paint([(400, 400), (600, 600)])
        book.prompt.fill("an empty bowl")
        book.prompt.press("Control+Enter")
        expect(page.locator(".ttapi-strip input")).to_have_count(number, timeout=PATIENCE)
        expect(page.get_by_role("radio", name="Result", exact=True).first).to_be_checked()
        page.wait_for_function("document.querySelector('.ttapi-after img')?.naturalWidth === 1024")
        assert in_sight(page, ".ttapi-view")
        result = page.locator(".ttapi-view").bounding_box()
        assert photo is not None
        assert result == pytest.approx(photo, abs=1.5)
        expect(book.prompt).to_be_focused()
    page.locator(".ttapi-view [role=slider]").focus()
    page.keyboard.press("b")
    expect(page.locator(".ttapi-view")).to_be_hidden()
    expect(page.locator(".ttapi-sheet")).to_be_focused()


def test_one_column_where_it_is_narrow(notebook: Opened) -> None:
    """At 500 pixels prompt and Run stand right under the photo, and nothing is wider than the notebook."""
    book = opened(notebook, 1200, 900)
    page = book.page
    page.get_by_role("tab", name="File Browser").click()
    page.set_viewport_size({"width": 500, "height": 900})
    # JupyterLab lays out its own parts a moment later.
    page.wait_for_function(SCROLLED_INTO_SIGHT, arg=list(TOGETHER.values()))
    photo, prompt, run = (page.locator(selector).first.bounding_box() for selector in TOGETHER.values())
    assert photo is not None and prompt is not None and run is not None  # noqa: PT018 - for the type checker
    assert photo["y"] + photo["height"] < prompt["y"] < run["y"]
    wider = book.editor.evaluate(
        "(editor) => editor.querySelector('.ttapi-body').scrollWidth - editor.clientWidth"
    )
    assert wider <= 1
    # As others who share the page find it.
    page.set_viewport_size({"width": 1200, "height": 900})
    page.get_by_role("tab", name="File Browser").click()


def test_nothing_is_pushed_down(notebook: Opened) -> None:
    """Pop-overs lie over the photo, one at a time, say that they are open, and close by Escape to where one was."""
    book = notebook(EDITOR)
    book.run(0)
    page = book.page
    before = page.locator(".ttapi-sheet").bounding_box()
    for name in ("Numbers", "Edge", "View", "Extend"):
        page.get_by_role("button", name=name, exact=True).click(force=True)
        dialog = page.get_by_role("dialog", name=name, exact=True)
        if name == "Edge":
            # There is nothing yet that has an edge.
            expect(dialog).to_be_hidden()
            continue
        expect(dialog).to_be_visible()
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-expanded", "true")
        expect(page.locator(".ttapi-popover:visible")).to_have_count(1)
        assert page.locator(".ttapi-sheet").bounding_box() == before
    page.keyboard.press("Escape")
    expect(page.locator(".ttapi-popover:visible")).to_have_count(0)
    expect(page.get_by_role("button", name="Extend", exact=True)).to_be_focused()


def test_the_rail_is_one_stop(notebook: Opened) -> None:
    """Tab reaches the rail once; arrows, Home and End go along it, and Enter or a letter chooses, also from there."""
    # Without a log there is no mask of another test's to be brought back, whose button would come first.
    book = notebook(EDITOR.replace("offline()", "offline(), log=False"))
    book.run(0)
    page = book.page
    rail = page.get_by_role("toolbar", name="Tools")
    expect(rail.locator("[tabindex='0']")).to_have_count(1)
    brush = page.get_by_role("button", name="Brush", exact=True)
    for _ in range(START_TRIES):
        page.get_by_role("button", name="Use the sample").focus()
        page.keyboard.press("Tab")
        # JupyterLab may yet take the focus to the cell that it made below the one that was run.
        with contextlib.suppress(AssertionError):
            expect(brush).to_be_focused(timeout=2_000)
            break
    expect(brush).to_be_focused()
    for key, name in (
        ("ArrowRight", "Eraser"),
        ("ArrowDown", "Rectangle"),
        ("End", "View"),
        ("Home", "Brush"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Line", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    assert not page.evaluate("document.querySelector('.ttapi-rail').contains(document.activeElement)")


def in_both_themes(page: Page, look: Callable[[bool], list[Any]]) -> list[Any]:
    """What a look finds in JupyterLab's light theme and in its dark one, from the one that it is in; it is told whether
    that is the second.
    """
    found = look(False)
    dark = page.locator("body").get_attribute("data-jp-theme-light") == "false"
    page.evaluate(CHANGE_THEME, "JupyterLab Light" if dark else "JupyterLab Dark")
    page.locator(f"body[data-jp-theme-light={'true' if dark else 'false'}]").wait_for(state="attached")
    return found + look(True)


def audited(page: Page, part: str = ".ttapi-editor") -> list[Any]:
    """What axe-core finds wrong in a part of the page, in both themes."""
    return in_both_themes(
        page, lambda again: list(page.evaluate(AUDIT, [part, list(OF_COLOURS) if again else None]))
    )


def weakly_focused(page: Page) -> list[Any]:
    """The controls whose focus doesn't stand out, in both themes."""
    return in_both_themes(page, lambda _: list(page.evaluate(WEAK_FOCUS)))


def test_the_editor_passes_an_audit(notebook: Opened, axe: str) -> None:
    """axe-core finds no violation in an empty editor, a painted one with all open, one that runs, and its result; and
    each control's focus stands out by 3 to 1; in the light theme and in the dark one.
    """
    empty = WAITS + EDITOR.replace("tt.sample(), ", "").replace("offline()", "offline(fill=fill)")
    cells = (empty, "editor.image = tt.sample()", "go.set()")
    # So high that all of it is in sight: what isn't is taken for hidden too.
    page_of = opened(notebook, 1400, 2000, *cells)
    page = page_of.page
    try:
        page.evaluate(axe)
        page.evaluate(HEIGHT, "100vh")
        assert audited(page) == []
        page_of.run(1)
        page_of.paint([(400, 400), (600, 600)])
        page.get_by_role("button", name="More options").click()
        for name in ("Numbers", "Edge", "Extend", "View"):
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.get_by_role("dialog", name=name, exact=True)).to_be_visible()
            # What is around them is the same for each.
            part = ".ttapi-editor" if name == "Numbers" else ".ttapi-popover:not([hidden])"
            assert audited(page, part) == []
        page.keyboard.press("Escape")
        assert weakly_focused(page) == []
        page_of.prompt.fill("an empty bowl")
        page_of.prompt.press("Control+Enter")
        page.locator(".ttapi-progress").wait_for()
        assert audited(page) == []
        page_of.run(2)
        page_of.wait_for_results()
        page.locator(".ttapi-view").wait_for()
        assert audited(page) == []
        page.get_by_role("button", name="Earlier runs").click()
        page.locator(".ttapi-run").first.wait_for()
        page.keyboard.press("Tab")
        assert weakly_focused(page) == []
        assert audited(page) == []
        # Words that can't be read would be found.
        page.evaluate(PALE)
        assert page.evaluate(FINDS_PALE)
    finally:
        page.evaluate(HEIGHT, "")
        # It is a setting of JupyterLab's, whose other pages are light.
        page.evaluate(CHANGE_THEME, "JupyterLab Light")


def test_a_prompt_is_sent_whole_however_fast(notebook: Opened) -> None:
    """400 letters at 1 ms each and Ctrl+Enter are what the run asks for, with the kernel idle and while a cell runs."""
    idle, busy = 1, 1
    book = notebook(*cells(idle, busy))
    book.run(0)
    typed = type_and_run(book, idle)
    book.start(1)
    typed += type_and_run(book, busy, before=idle)
    assert prompts_of(book, 2) == typed


def test_a_stroke_over_the_heat_map_turns_back(notebook: Opened) -> None:
    """Painted over the map of what changed, the photo is back in its place with the stroke under the pointer."""
    book = notebook(EDITOR, "print(editor.mask.to_array()[800, 300], len(editor.mask.marks))")
    book.run(0)
    page = book.page
    book.paint([(400, 400), (600, 600)])
    book.prompt.fill("an empty bowl")
    book.prompt.press("Control+Enter")
    book.wait_for_results()
    page.get_by_role("radio", name="Heat map", exact=True).check(force=True)
    expect(page.get_by_text("in levels of 255")).to_be_visible()
    box = page.locator(".ttapi-view").bounding_box()
    assert box is not None
    places = [
        (box["x"] + x * box["width"] / 1024, box["y"] + 800 * box["height"] / 1024) for x in (200, 300, 400)
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    expect(page.locator(".ttapi-view")).to_be_hidden()
    wait_for_ink(page, 300, 800)
    expect(page.get_by_role("radio", name="Edit", exact=True)).to_be_checked()
    assert book.run(1) == "True 2"

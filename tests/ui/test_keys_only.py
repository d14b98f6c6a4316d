"""From an empty editor to a saved result without a mouse."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.ui.notebook import PATIENCE, Notebook

Opened = Callable[..., Notebook]
EDITOR = """
import ttapi_nb as tt
log = tt.RunLog("LOG")
editor = tt.ImageEditor(client=tt.Client.offline(), log=log)
editor
"""
SHOW = """
print([(row.prompt, row.images, row.ratings[1].stars, row.ratings[1].verdict) for row in log.rows()])
print(editor.request.mask.bounds, editor.options)
"""
MOST_TABS = 70


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab, or another key, until this has the focus."""
    here = wanted.first.element_handle()
    for _ in range(MOST_TABS):
        if page.evaluate("(one) => document.activeElement === one", here):
            return
        page.keyboard.press(key)
    raise AssertionError(
        f"{key} does not lead to {wanted}, but to {page.evaluate('document.activeElement.outerHTML')}"
    )


def test_an_edit_with_keys_only(notebook: Opened) -> None:
    """Sample, mask by numbers, options, prompt, Run, the result and its slider, star, keep, save, an earlier run."""
    book = notebook(EDITOR.replace("LOG", uuid.uuid4().hex), SHOW)
    page, editor = book.page, book.editor
    book.run(0)
    # Up from the cell after it, as Shift+Enter left it.
    tab_to(page, editor.get_by_role("button", name="Earlier runs"), "Shift+Tab")
    tab_to(page, editor.get_by_role("button", name="Use the sample"), "Shift+Tab")
    page.keyboard.press("Enter")
    page.locator(".ttapi-file").filter(has_text="1024 × 1024").wait_for(timeout=PATIENCE)
    # The rail is one stop, along which arrows go.
    tab_to(page, editor.get_by_role("button", name="Brush", exact=True))
    tab_to(page, editor.get_by_role("button", name="Numbers", exact=True), "ArrowRight")
    page.keyboard.press("Enter")
    tab_to(page, editor.get_by_label("Left", exact=True))
    page.keyboard.type("300")
    tab_to(page, editor.get_by_role("button", name="Add", exact=True))
    page.keyboard.press("Enter")
    expect(page.locator(".ttapi-masked")).to_contain_text("%")
    page.keyboard.press("Escape")
    expect(editor.get_by_role("button", name="Numbers", exact=True)).to_be_focused()
    # A tool's letter leads to the photo.
    page.keyboard.press("b")
    expect(page.locator(".ttapi-sheet")).to_be_focused()
    tab_to(page, book.prompt)
    page.keyboard.type("an empty bowl")
    tab_to(page, editor.get_by_role("button", name="More options"))
    page.keyboard.press("Enter")
    results = editor.get_by_label("Results", exact=True)
    tab_to(page, results)
    page.keyboard.press("ArrowUp")
    tab_to(page, book.button("Run"), "Shift+Tab")
    page.keyboard.press("Enter")
    book.wait_for_results()
    expect(book.button("Run")).to_be_focused()
    expect(page.get_by_role("radio", name="Result", exact=True).first).to_be_checked()
    slider = page.get_by_role("slider", name="Before and after")
    tab_to(page, slider, "Shift+Tab")
    before = slider.get_attribute("aria-valuenow")
    page.keyboard.press("ArrowLeft")
    expect(slider).not_to_have_attribute("aria-valuenow", before or "")
    tray = editor.locator(".ttapi-session")
    tab_to(page, tray.locator(".ttapi-strip input:checked"))
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    expect(tray.locator(".ttapi-strip span").first).to_have_text("1 ★★★★ ✓")
    tab_to(page, tray.get_by_role("button", name="Save: write this result"))
    page.keyboard.press("Enter")
    saved = editor.get_by_text("Saved as")
    saved.wait_for(timeout=PATIENCE)
    name = saved.inner_text().rsplit("/", 1)[1]
    assert (book.lab.folder / name).stat().st_size > 10_000
    tab_to(page, editor.get_by_role("button", name="Earlier runs"))
    page.keyboard.press("Enter")
    fill = editor.get_by_role("button", name="Fill in: an empty bowl")
    fill.wait_for(timeout=PATIENCE)
    tab_to(page, fill)
    page.keyboard.press("Enter")
    expect(editor.locator(".ttapi-card-done")).to_contain_text("Filled in", timeout=PATIENCE)
    rows, asked = book.run(1).splitlines()
    assert rows == "[('an empty bowl', 2, 4, 'kept')]"
    assert asked.startswith("(300, ")

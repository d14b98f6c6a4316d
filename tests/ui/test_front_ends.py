"""The same edit in the two other front ends that the README names."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.ui.drawing import drag, taken, wait_for_ink
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook, written

EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample())\neditor"


def edit(book: Notebook) -> None:
    """Paint a stroke, write a prompt and run with the keyboard."""
    book.paint([(400, 400), (600, 600)])
    book.prompt.fill("nothing there")
    book.prompt.press("Control+Enter")
    book.wait_for_results()


def test_edit_in_notebook_7(page: Page, lab: Lab) -> None:
    """In Notebook 7 one paints, with the keys kept from the notebook; after a reload the ink is there, takes more, and
    the edit runs by Ctrl+Enter, which there runs a cell elsewhere.
    """
    show = "shown = editor.mask.to_array()\nprint(shown[200, 300], shown[500, 500], len(editor.results))"
    book = Notebook.opened_in_seven(page, lab, "seven.ipynb", [EDITOR, show])
    book.run(0)
    drag(page, (200, 200), (400, 200))
    taken(book)
    for key in "dd":
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2
    book.save()
    page.reload()
    wait_for_ink(page, 300, 200)
    edit(book)
    assert book.run(1) == "True True 1"
    assert page.locator(".jp-CodeCell .jp-InputPrompt").first.inner_text().strip() == "[1]:"


def test_edit_in_voila(page: Page, lab: Lab) -> None:
    """In Voila, where there are no cells, one paints and undoes, and the edit runs; a reload is a new kernel, and
    starts afresh.
    """
    written(lab, "voila.ipynb", [EDITOR])
    book = Notebook(page, lab)
    for _ in range(2):
        page.goto(f"{lab.url}/voila/render/voila.ipynb")
        book.editor.wait_for(timeout=PATIENCE)
        page.locator("canvas.ttapi-ink").wait_for(timeout=PATIENCE)
        page.locator(".ttapi-sheet").scroll_into_view_if_needed()
        wait_for_ink(page, 300, 200, there=False)
        drag(page, (200, 200), (400, 200))
        wait_for_ink(page, 300, 200)
        page.get_by_role("button", name="Undo").click()
        wait_for_ink(page, 300, 200, there=False)
    edit(book)
    assert book.editor.locator(".ttapi-view img").count() == 2

"""The same edit in the two other front ends that the README names."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook, written

EDITOR = "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample())\neditor"


def edit(book: Notebook) -> None:
    """Paint a stroke, write a prompt and run with the keyboard."""
    book.paint([(400, 400), (600, 600)])
    book.prompt.fill("nothing there")
    book.prompt.press("Control+Enter")
    book.wait_for_results()


def test_edit_in_notebook_7(page: Page, lab: Lab):
    """In Notebook 7 a painted edit runs by Ctrl+Enter, which there runs a cell elsewhere."""
    show = "print(editor.mask.to_array()[500, 500], len(editor.results))"
    book = Notebook.opened_in_seven(page, lab, "seven.ipynb", [EDITOR, show])
    book.run(0)
    edit(book)
    assert book.run(1) == "True 1"
    assert page.locator(".jp-CodeCell .jp-InputPrompt").first.inner_text().strip() == "[1]:"


def test_edit_in_voila(page: Page, lab: Lab):
    """In Voila, where there are no cells, the editor shows and a painted edit runs."""
    written(lab, "voila.ipynb", [EDITOR])
    page.goto(f"{lab.url}/voila/render/voila.ipynb")
    book = Notebook(page, lab)
    book.editor.wait_for(timeout=PATIENCE)
    edit(book)
    assert book.editor.locator(".ttapi-view img").count() == 2

"""What browser tests hand on to each other: a page of JupyterLab, and a kernel."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize

from tests.ui.lab import Lab
from tests.ui.notebook import Notebook

WINDOW: ViewportSize = {"width": 1400, "height": 1100}
SAVE_WIDGETS = """async () => {
  await window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState');
}"""
"""Changes whether widget state is saved."""


class Shared:
    """A page with JupyterLab and the session of a kernel, which tests hand on to each other; made anew for the first
    test, and for one that comes after a failed one.
    """

    def __init__(self, browser: Browser, lab: Lab) -> None:
        self._browser = browser
        self._lab = lab
        self._page: Page | None = None
        self._session = ""
        # A setting, which outlives its page.
        self._saving = False
        self._book: Notebook | None = None

    @property
    def page(self) -> Page:
        """The page; where there is none yet, it is opened with an empty notebook."""
        if self._page is None:
            self.leave(self.open("empty.ipynb"))
        assert self._page is not None
        return self._page

    def open(self, name: str, *cells: str) -> Notebook:
        """Open a notebook of these cells; the one before has to be left."""
        assert self._book is None, "one notebook at a time"
        session, self._session = self._session, ""
        if self._page is not None:
            self._book = Notebook.opened_next(self._page, self._lab, name, cells, session)
        else:
            self._page = self._browser.new_context(viewport=WINDOW, accept_downloads=True).new_page()
            self._book = Notebook.opened(self._page, self._lab, name, cells)
        return self._book

    def leave(self, book: Notebook) -> None:
        """Close it, with the page as the next one expects it."""
        self._book = None
        self._session = book.leave()
        book.page.set_viewport_size(WINDOW)
        book.page.mouse.move(0, 0)

    def fail(self, folder: Path) -> None:
        """Keep what the page shows as `last.png` in a folder, and give it up with its kernel."""
        if self._page is not None:
            self._page.screenshot(path=folder / "last.png")
        if self._book is not None:
            self._book.tell_kernel("shut down")
        self._book = None
        self.close()

    def close(self) -> None:
        """Close the page."""
        if self._page is not None:
            self._page.context.close()
        self._page, self._session = None, ""

    def save_widgets(self, wanted: bool) -> None:
        """Have widget state be saved with a notebook, or not, as JupyterLab's menu does."""
        if wanted != self._saving:
            self.page.evaluate(SAVE_WIDGETS)
            self._saving = wanted

"""A notebook in the browser, driven as a person would: cells are run with Shift+Enter, widgets by mouse and keys."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import nbformat
from playwright.sync_api import Error, Locator, Page, expect

from tests.ui.lab import NOTEBOOKS, Lab

START_TRIES = 5
PATIENCE = 60_000
"""How long a kernel or a run may take, in milliseconds."""
OPEN = """async (path) => {
  await window.jupyterapp.commands.execute('docmanager:open', { path, factory: 'Notebook' });
}"""
"""Opens a notebook in a page of JupyterLab, without handing over the widget that the command returns."""
CLOSE = "() => [...window.jupyterapp.shell.widgets('main')].forEach(one => one.dispose())"
"""Closes all that is open there, without a question."""
CLEAN = """async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const doing = kernel.requestExecute({ code, store_history: false }).done;
  const done = doing.then((reply) => reply.content.status === "ok");
  return Promise.race([done, new Promise((tell) => { setTimeout(tell, 5000, false); })]);
}"""
"""Runs code in the kernel of the open notebook, and says whether it did: a kernel may be busy for ever."""
FORGET = """
import os
import ipywidgets.widgets.widget as _widget
for _one in list(_widget._instances.values()):
    # ipycanvas has one manager for all canvases of a kernel.
    if type(_one).__name__ != "_CanvasManager":
        _one.close()
get_ipython().run_line_magic("xmode", "Context")
os.environ.clear()
os.environ.update(os.at_start)
get_ipython().reset(new_session=False)
"""
"""Has a kernel forget what was made in it, and its environment be as it was."""


def written(lab: Lab, name: str, cells: Sequence[str]) -> None:
    """Put a notebook where `lab` serves it."""
    path = lab.folder / name
    if len(cells) == 1 and cells[0].endswith(".ipynb"):
        shutil.copy(NOTEBOOKS / cells[0], path)
        return
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(book, path)


def _with_kernel(page: Page, lab: Lab, name: str, session: str = "") -> str:
    """Start the notebook's kernel before its page opens, which then only has to find it, or give it the one of this
    session; returns its session.
    """
    if not any(cookie["name"] == "_xsrf" for cookie in page.context.cookies()):
        page.request.get(f"{lab.url}/lab")
    wanted = {"path": name, "name": name, "type": "notebook"} | (
        {} if session else {"kernel": {"name": "python3"}}
    )
    ask = page.request.patch if session else page.request.post
    answer = ask(f"{lab.url}/api/sessions/{session}".rstrip("/"), data=wanted, headers=_page_token(page))
    assert answer.ok, answer.text()
    found: str = answer.json()["id"]
    return found


def _page_token(page: Page) -> dict[str, str]:
    # The server takes such a request only with the token of its page.
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    return {"X-XSRFToken": cookies["_xsrf"]}


def _choose(dialog: Locator) -> None:
    # JupyterLab takes the question back when it has found the kernel meanwhile, and on a busy machine asks again.
    for _ in range(START_TRIES):
        with contextlib.suppress(Error):
            dialog.get_by_role("button", name="Select", exact=True).click(timeout=3_000)
            dialog.wait_for(state="hidden", timeout=3_000)
            return


class Notebook:
    """One open notebook and the first editor in it."""

    def __init__(self, page: Page, lab: Lab, name: str | None = None) -> None:
        self.page = page
        self.lab = lab
        self.name = name
        self.session = ""

    @classmethod
    def opened(cls, page: Page, lab: Lab, name: str, cells: Sequence[str]) -> Notebook:
        """Open in JupyterLab a copy of the example named by `cells`, or a new notebook with these code cells."""
        book = cls._loaded(page, lab, name, cells, lab.address(name, Path(name).stem))
        book.wait_until_ready()
        return book

    @classmethod
    def opened_in_seven(cls, page: Page, lab: Lab, name: str, cells: Sequence[str]) -> Notebook:
        """As `opened`, in Notebook 7."""
        book = cls._loaded(page, lab, name, cells, f"{lab.url}/notebooks/{name}")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE)
        return book

    @classmethod
    def _loaded(cls, page: Page, lab: Lab, name: str, cells: Sequence[str], where: str) -> Notebook:
        written(lab, name, cells)
        book = cls(page, lab, name)
        book.session = _with_kernel(page, lab, name)
        # A cell that is run while the page is still finding its kernel asks for one, and runs when it has it.
        asked = page.locator("dialog.jp-Dialog").filter(has_text="Select Kernel")
        page.add_locator_handler(asked, _choose)
        page.goto(where)
        return book

    @property
    def file(self) -> Path:
        """Where the server keeps it."""
        assert self.name is not None
        return self.lab.folder / self.name

    def reload(self) -> None:
        """Load JupyterLab's page again, and wait until it has found the kernel."""
        self.page.reload()
        self.wait_until_ready()

    @classmethod
    def opened_next(cls, page: Page, lab: Lab, name: str, cells: Sequence[str], session: str) -> Notebook:
        """Open one where JupyterLab is open already, and no other notebook: that takes a fifth of the time, and less
        with the kernel of a `session` that another left.
        """
        written(lab, name, cells)
        book = cls(page, lab, name)
        book.session = _with_kernel(page, lab, name, session)
        page.evaluate(OPEN, name)
        book.wait_until_ready()
        return book

    def leave(self) -> str:
        """Close the notebook; returns the session of its kernel, which has forgotten what was made in it, or an empty
        one where it could not.
        """
        is_clean = False
        with contextlib.suppress(Error):
            is_clean = self.page.evaluate(CLEAN, FORGET)
        self.page.evaluate(CLOSE)
        if not is_clean:
            self.tell_kernel("shut down")
        return self.session if is_clean else ""

    def wait_until_ready(self) -> None:
        """Wait until the page has the notebook and its kernel, which has answered."""
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE)
        toolbar = self.page.locator(".jp-NotebookPanel-toolbar")
        # A page that has not found its kernel yet says Idle too, and asks for one when a cell is run.
        toolbar.locator(".jp-Toolbar-kernelName").filter(has_text="Python 3").wait_for(timeout=PATIENCE)
        toolbar.locator("[data-status=idle]").wait_for(state="attached", timeout=PATIENCE)

    def start(self, number: int) -> Locator:
        """Run the code cell of that number, from 0, without waiting for its end."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
        prompt = cell.locator(".jp-InputPrompt").first
        before = prompt.inner_text()
        for _ in range(START_TRIES):
            cell.locator(".cm-content").first.click()
            self.page.keyboard.press("Shift+Enter")
            # A page that has just been opened may not know its shortcuts yet.
            with contextlib.suppress(AssertionError):
                expect(prompt).not_to_have_text(before, timeout=3_000)
                return cell
        raise AssertionError(f"Cell {number} could not be started.")

    def run(self, number: int) -> str:
        """Run a code cell, wait for its end, and return the text it printed."""
        cell = self.start(number)
        # [*] while it runs, [3] when it has ended.
        ended = cell.locator(".jp-InputPrompt").first.filter(has_text=re.compile(r"\[\d+\]"))
        ended.wait_for(state="attached", timeout=PATIENCE)
        return "\n".join(cell.locator(".jp-OutputArea-output pre").all_inner_texts()).strip()

    def save(self) -> None:
        """Save the notebook, and wait until the server has it."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "PUT" and "/api/contents/" in answer.url
        ):
            self.page.keyboard.press("Control+s")
        self.page.wait_for_function("!document.querySelector('.jp-mod-dirty')")

    def tell_kernel(self, what: Literal["interrupt", "restart", "shut down"]) -> None:
        """Interrupt, restart or shut down the notebook's kernel, as its menu does."""
        name = self.name or re.sub(r".*/tree/", "", self.page.url).split("?")[0]
        headers = _page_token(self.page)
        for session in self.page.request.get(f"{self.lab.url}/api/sessions").json():
            if session["path"] == name and what == "shut down":
                self.page.request.delete(f"{self.lab.url}/api/sessions/{session['id']}", headers=headers)
            elif session["path"] == name:
                kernel = f"{self.lab.url}/api/kernels/{session['kernel']['id']}"
                assert self.page.request.post(f"{kernel}/{what}", headers=headers).ok

    def restart(self) -> None:
        """Restart the kernel by JupyterLab's own button, so that the page knows of it, and wait until it is idle."""
        toolbar = self.page.locator(".jp-NotebookPanel-toolbar")
        toolbar.locator("[data-jp-item-name=restart]").locator("button, jp-button").first.click()
        with self.page.expect_response(lambda answer: "/restart" in answer.url):
            self.page.locator("dialog.jp-Dialog").get_by_role(
                "button", name=re.compile("Restart")
            ).last.click()
        toolbar.locator("[data-status=idle]").wait_for(state="attached", timeout=PATIENCE)

    @property
    def editor(self) -> Locator:
        """The first editor."""
        return self.page.locator(".ttapi-editor").first

    def button(self, name: str) -> Locator:
        """A button of the editor by the name that a screen reader speaks."""
        if name == "Run":
            # Behind it stands what it will cost.
            return self.editor.get_by_role("button", name=re.compile(r"^Run\b.* · "))
        # Before the name stands the icon, a letter of its own font.
        return self.editor.get_by_role("button", name=re.compile(rf"\b{name}$"))

    @property
    def prompt(self) -> Locator:
        """Where the prompt is written."""
        return self.editor.locator(".ttapi-prompt textarea")

    @property
    def status(self) -> Locator:
        """The line under the Run button."""
        return self.editor.locator(".ttapi-panel .ttapi-status")

    def pick(self, label: str, choice: str) -> None:
        """Choose from one of the editor's lists."""
        self.editor.get_by_label(label, exact=True).select_option(label=choice)

    def paint(self, points: Sequence[tuple[float, float]]) -> None:
        """Drag the mouse over the photo along `points`, in pixels of a photo 1024 wide."""
        canvas = self.editor.locator("canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        on_screen = [
            (box["x"] + x * box["width"] / 1024, box["y"] + y * box["width"] / 1024) for x, y in points
        ]
        self.page.mouse.move(*on_screen[0])
        self.page.mouse.down()
        for point in on_screen[1:]:
            self.page.mouse.move(*point, steps=4)
        self.page.mouse.up()

    def wait_for_results(self) -> None:
        """Wait until the run that was started is done."""
        expect(self.status).to_contain_text("Done in", timeout=PATIENCE)

    def downloaded(self, folder: Path) -> Path:
        """Press Download and return the file that the browser saved."""
        with self.page.expect_download() as waiting:
            self.button("Download").click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

"""One click, at most one POST: whatever happens to the page or the kernel while a paid run is under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.server import Reply, Server, json_reply, pictures
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.paid import paid_editor

Opened = Callable[..., Notebook]
STATES = "print([row.state for row in log.rows()])"


class Held:
    """A server that answers when it is let: until then, a run is under way."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._go = server.event()
        picture = pictures(Image.new("RGB", (1024, 1024), "teal"))
        server.answer = Reply(body=json_reply(picture).body, hold=self._go)

    def has_it(self) -> None:
        """Wait until the request has come."""
        self.server.wait_for(1)

    def answer(self) -> None:
        """Let the answer go."""
        self._go.set()


@pytest.fixture
def held(server: Server) -> Held:
    """The test's own server, holding its answer back."""
    return Held(server)


def test_double_click_and_key(notebook: Opened, held: Held, tmp_path: Path) -> None:
    """A double click, and Ctrl+Enter after it, send one request."""
    book = notebook(paid_editor(held.server, tmp_path), STATES)
    book.run(0)
    book.button("Run").dblclick()
    book.prompt.click()
    book.page.keyboard.press("Control+Enter")
    book.page.keyboard.press("Control+Enter")
    held.has_it()
    held.answer()
    book.wait_for_results()
    assert book.run(1) == "['done']"
    assert len(held.server.posts) == 1


def test_two_tabs(notebook: Opened, lab: Lab, held: Held, tmp_path: Path) -> None:
    """The same editor in two tabs: Run is pressed in both, one request is sent, and both show the result."""
    first = notebook(paid_editor(held.server, tmp_path), STATES)
    first.run(0)
    first.save()
    second = Notebook(first.page.context.new_page(), lab)
    second.page.goto(lab.address(first.file.name, "second"))
    expect(second.button("Run")).to_be_enabled(timeout=PATIENCE)
    # Neither click waits for what the other has done.
    for book in (first, second):
        book.button("Run").evaluate("button => button.click()")
    held.has_it()
    for book in (first, second):
        expect(book.button("Run")).to_be_disabled()
    held.answer()
    for book in (first, second):
        book.wait_for_results()
        expect(book.editor.get_by_role("slider", name="Before and after")).to_be_visible()
    second.page.close()
    assert first.run(1) == "['done']"
    assert len(held.server.posts) == 1


def test_reload(notebook: Opened, held: Held, tmp_path: Path) -> None:
    """After a reload while a run is under way the editor still waits for it, and shows its result."""
    book = notebook(paid_editor(held.server, tmp_path), STATES)
    book.run(0)
    book.save()
    book.button("Run").click()
    held.has_it()
    book.reload()
    expect(book.button("Run")).to_be_disabled(timeout=PATIENCE)
    expect(book.status).to_contain_text("Waiting")
    held.answer()
    book.wait_for_results()
    assert book.run(1) == "['done']"
    assert len(held.server.posts) == 1


def test_interrupt(notebook: Opened, held: Held, tmp_path: Path) -> None:
    """Interrupting the kernel stops the cell that waits, and not the run."""
    book = notebook(paid_editor(held.server, tmp_path), "print('it waits')\neditor.current.wait()", STATES)
    book.run(0)
    book.button("Run").click()
    held.has_it()
    output = book.start(1).locator(".jp-OutputArea-output")
    # Before that the kernel has nothing to interrupt.
    expect(output.first).to_contain_text("it waits", timeout=PATIENCE)
    book.tell_kernel("interrupt")
    expect(output.last).to_contain_text("KeyboardInterrupt", timeout=PATIENCE)
    expect(output.last).to_contain_text("The run goes on all the same")
    held.answer()
    book.wait_for_results()
    assert book.run(2) == "['done']"
    assert len(held.server.posts) == 1


def test_restart(notebook: Opened, held: Held, tmp_path: Path) -> None:
    """A kernel that restarts while a run is under way sends nothing again, and says that it may have been billed."""
    book = notebook(paid_editor(held.server, tmp_path), STATES)
    book.run(0)
    book.button("Run").click()
    held.has_it()
    book.tell_kernel("restart")
    held.answer()
    book.run(0)
    assert book.run(1) == "['unknown']"
    # Open by itself, as there is something to be settled.
    history = book.editor.locator(".ttapi-history")
    expect(history).to_contain_text("1 may have been billed")
    expect(history).to_contain_text("unknown: may have been billed")
    history.get_by_role("button", name="It was not").click()
    expect(history).not_to_contain_text("may have been billed")
    assert len(held.server.posts) == 1

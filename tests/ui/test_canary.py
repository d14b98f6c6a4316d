"""The key is in nothing that the browser, the notebook or the server of JupyterLab keeps, whatever goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.canary import FAULTS, KEY, answers
from tests.server import Server
from tests.support.folders import contents
from tests.ui.lab import Lab
from tests.ui.notebook import PATIENCE, Notebook
from tests.ui.paid import paid_editor, sample_of

Opened = Callable[..., Notebook]
# Those in which the server answers; a client that waits in vain is told sooner than a person.
ANSWERED = [
    name for name in FAULTS if name not in ("nobody listens", "no connection", "disk full", "cancelled")
]
# What somebody does who wants to know what went wrong: shows everything, with the most talkative tracebacks.
ASK = """%xmode Verbose
display(editor.client, editor.current, vars(editor.current), editor.request, log.rows())
editor.current.wait(30)
"""
ASK_AGAIN = "editor.client.images.edit(image=tt.sample(), prompt='x')"


class Searched:
    """Counts places, and collects those that show the key."""

    def __init__(self) -> None:
        self.places = 0
        self.hits: list[str] = []

    def look(self, place: str, text: str | bytes) -> None:
        """Look for the key in what was found at a place; there must be something."""
        data = text.encode(errors="replace") if isinstance(text, str) else text
        assert data, f"nothing to search in {place}"
        self.places += 1
        if KEY.encode() in data or KEY.encode("utf-16-le") in data or KEY.encode().hex().encode() in data:
            self.hits.append(place)


def kept_by_page(page: Page) -> str:
    """What the page shows and what it keeps for the next time, fields and their values too."""
    found: str = page.evaluate(
        """() => JSON.stringify([
            document.documentElement.outerHTML,
            [...document.querySelectorAll("input, textarea")].map((field) => field.value),
            Object.entries(localStorage), Object.entries(sessionStorage), document.cookie, location.href,
        ])"""
    )
    return found


def files(folder: Path) -> bytes:
    """All that lies in a folder, names and contents."""
    return b"\n".join(
        str(path.relative_to(folder)).encode() + b"\n" + data for path, data in contents(folder).items()
    )


@pytest.mark.parametrize("saving_widgets", [True], ids=["with widget state"], indirect=True)
def test_the_key_is_nowhere(
    notebook: Opened,
    lab: Lab,
    server: Server,
    tmp_path: Path,
    saving_widgets: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """Run after run fails in another way: page, saved notebook, checkpoint, export, logs and history lack the key."""
    searched = Searched()
    said: list[str] = []
    book = notebook(paid_editor(server, tmp_path, timeout=2), ASK, ASK_AGAIN)
    page = book.page

    def note(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", note)
    book.run(0)
    history = book.editor.locator(".ttapi-history")
    history.get_by_text("Earlier runs").click()
    faults = sample_of(ANSWERED, 8)
    for number, fault in enumerate(faults, 1):
        answers(server)[fault]()
        book.button("Run").click()
        expect(history.locator(".ttapi-run")).to_have_count(min(number, 12), timeout=PATIENCE)
        expect(book.button("Cancel")).to_be_disabled(timeout=PATIENCE)
        book.run(1)
        book.run(2)
        server.let_go()
        book.save()
        saved = book.file.read_text()
        assert "Traceback" in saved or fault.startswith("200"), fault
        searched.look(f"{fault}: page", kept_by_page(page))
        searched.look(f"{fault}: saved notebook", saved)
        searched.look(f"{fault}: its widget state", json.dumps(json.loads(saved)["metadata"]["widgets"]))
        exported = page.request.get(
            f"{lab.url}/nbconvert/html/{book.file.name}?download=false", headers={"Referer": f"{lab.url}/lab"}
        )
        assert exported.ok
        searched.look(f"{fault}: exported page", exported.body())
    page.remove_listener("console", note)
    searched.look("checkpoint", files(lab.folder / ".ipynb_checkpoints"))
    searched.look("JupyterLab's log, settings, workspaces, IPython's history", files(lab.folder.parent))
    searched.look("run log", files(tmp_path / "log"))
    searched.look("console", "\n".join([*said, "-"]))
    record_property("faults", len(faults))
    record_property("checks", searched.places)
    record_property("hits", len(searched.hits))
    assert searched.hits == []
    # The search does find it, where it is: in the request that the service got.
    assert re.search(KEY.encode(), server.posts[0].head)
    assert len(server.posts) == 2 * len(faults)


@pytest.mark.parametrize("saving_widgets", [True], ids=["with widget state"], indirect=True)
def test_a_typed_key_goes_in_and_never_comes_out(
    notebook: Opened, lab: Lab, tmp_path: Path, saving_widgets: bool
) -> None:
    """A key typed into the editor is used, and neither before nor after that is it in anything that is kept."""
    kept = tmp_path / "config" / "key"
    show = (
        f"import os\nos.environ.pop('TTAPI_OFFLINE', None)\nos.environ['TT_API_KEY_FILE'] = {str(kept)!r}\n"
        "import ttapi_nb as tt\neditor = tt.ImageEditor(tt.sample())\neditor"
    )
    ask = "%xmode Verbose\nprint(editor.client, vars(editor), editor.client.core.secret)\nraise KeyError"
    book = notebook(show, ask)
    page = book.page
    book.run(0)
    book.button("Use a key").click()
    field = book.editor.get_by_label("TTAPI key")
    field.press_sequentially(KEY)
    searched = Searched()
    book.save()
    searched.look("saved before it is used", book.file.read_bytes())
    book.editor.get_by_label("Remember on this computer").check()
    book.editor.get_by_role("button", name="Use key").click()
    expect(book.button("Use another key")).to_be_visible()
    assert "api.ttapi.io" in book.run(1)
    book.save()
    saved = book.file.read_text()
    searched.look("page", kept_by_page(page))
    searched.look("saved notebook", saved)
    searched.look("its widget state", json.dumps(json.loads(saved)["metadata"]["widgets"]))
    searched.look("all that JupyterLab keeps", files(lab.folder.parent))
    assert searched.hits == []
    # The one place where it is, since that was asked for.
    assert kept.read_text().strip() == KEY

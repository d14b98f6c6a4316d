"""Giving the editor a key at the notebook: it is used, it can be kept, and it never comes out again."""

from __future__ import annotations

import io
import json
import logging
import pickle
import stat
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
from ipywidgets.embed import embed_minimal_html
from jupyter_client.manager import start_new_kernel
from PIL import Image

import ttapi_nb as tt
from tests.canary import KEY, MODES
from tests.server import PATIENCE
from tests.support.controls import has, labelled, of_kind, said
from ttapi_nb.client.key import find_key, look_for_key
from ttapi_nb.widgets.key import KeyForm, KeyInput


@pytest.fixture
def editor(photo) -> Iterator[tt.ImageEditor]:
    """An editor that found no key, and could run."""
    editor = tt.ImageEditor(photo, prompt="red")
    yield editor
    editor.close()


def form_of(editor: tt.ImageEditor) -> KeyForm:
    """The form for the key, opened if it was not."""
    labelled(editor, "Use a key").value = True
    form = of_kind(editor, KeyForm)
    assert isinstance(form, KeyForm)
    return form


def send(editor: tt.ImageEditor, text: str, *, remember: bool = False) -> dict[str, Any]:
    """Bring a key as the browser does, and return the message that it came in."""
    content = {"type": "key", "remember": remember}
    message = {
        "content": {"comm_id": "x", "data": {"method": "custom", "content": content}},
        "buffers": [memoryview(text.encode())],
    }
    of_kind(form_of(editor), KeyInput)._handle_msg(message)
    return message


def test_a_key_makes_the_hosted_service_answer(editor):
    """Without a key there is a closed form; the key that is typed into it is used, and the editor says so."""
    assert "Embedded service: no key" in said(editor)
    editor.budget = tt.Budget(images=0)
    assert editor.problems == ()
    form = form_of(editor)
    send(editor, f" {KEY}\n")
    assert not editor.client.is_offline
    assert editor.client.core.secret.reveal() == KEY
    assert "Sends to api.ttapi.io" in said(editor)
    assert "forgotten when the kernel stops" in said(editor)
    assert not labelled(editor, "Use another key").value
    assert form.layout.display == "none"
    assert labelled(editor, "Run").disabled
    assert "budget" in editor.status.words[0]


def test_a_key_can_be_remembered(editor, tmp_path):
    """Ticked, it is stored as the command does, in a file that only its owner reads."""
    send(editor, KEY, remember=True)
    path = tmp_path / "config" / "key"
    assert str(path) in said(editor)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find_key().reveal() == KEY


def test_a_key_is_not_remembered_unasked(editor):
    """Not ticked, nothing is stored."""
    send(editor, KEY)
    assert look_for_key() is None


def test_where_it_cannot_be_stored_it_is_used_all_the_same(editor, tmp_path, monkeypatch):
    """A folder that takes no file is told with what to do, and the run goes to the hosted service."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "file" / "key"))
    send(editor, KEY, remember=True)
    assert not editor.client.is_offline
    assert "not remembered" in said(editor)
    assert "TT_API_KEY_FILE" in said(editor)


@pytest.mark.parametrize(
    ("typed", "words"), [("", "was empty"), (f"{KEY} x", "Copy it again"), (f"{KEY}é", "Copy it again")]
)
def test_what_is_no_key_is_told_without_quoting_it(editor, typed, words):
    """What can't be a key changes nothing, and what is wrong is said in the form, which stays open."""
    send(editor, typed)
    form = of_kind(editor, KeyForm)
    assert words in said(form, "alert")
    assert KEY not in said(editor)
    assert editor.client.is_offline
    assert labelled(editor, "Use a key").value
    assert form.layout.display != "none"
    send(editor, KEY)
    labelled(editor, "Use another key").value = True
    assert form.layout.display != "none"
    assert not said(form)


def test_a_run_under_way_keeps_its_client(photo):
    """A key that is given while a run goes on is for the next one."""
    entered, go_on = threading.Event(), threading.Event()

    def fill(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        entered.set()
        go_on.wait(PATIENCE)
        return image

    editor = tt.ImageEditor(photo, prompt="red")
    editor.client = tt.Client.offline(fill=fill)
    run = editor.run()
    try:
        assert entered.wait(PATIENCE)
        send(editor, KEY)
        assert editor.current is run
        assert labelled(editor, "Run").disabled
        assert "Sends to" in said(editor)
    finally:
        go_on.set()
    assert run.wait(PATIENCE).results[0].offline
    assert not editor.client.is_offline
    editor.close()


def test_not_offered_where_a_client_was_chosen(photo, monkeypatch):
    """Whoever brings a client, has a key, or works offline by the environment is not asked for one."""
    assert not has(tt.ImageEditor(photo, client=tt.Client.offline()), "Use a key")
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    forced = tt.ImageEditor(photo)
    assert not has(forced, "Use a key")
    with pytest.raises(tt.SettingsError, match="TTAPI_OFFLINE"):
        forced.use_key(KEY)
    monkeypatch.delenv("TTAPI_OFFLINE")
    monkeypatch.setenv("TT_API_KEY", "not-a-real-one")
    hosted = tt.ImageEditor(photo)
    assert not has(hosted, "Use a key")
    assert "Sends to api.ttapi.io" in said(hosted)


def everything_of(widget: ipywidgets.Widget, message: dict[str, Any]) -> str:
    """What the widgets, a page made of them, and the message that the kernel keeps tell."""
    page = io.StringIO()
    embed_minimal_html(page, views=[widget], drop_defaults=False)
    state = ipywidgets.Widget.get_manager_state(drop_defaults=False)
    return "\n".join(
        (page.getvalue(), json.dumps(state), repr(state), repr(message), repr(widget), repr(vars(widget)))
    )


@pytest.mark.slow
@pytest.mark.parametrize("typed", [KEY, f"{KEY} and more"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_key_is_nowhere(editor, typed, caplog, tmp_path, monkeypatch):
    """A key that was typed, good or not, is in no state, page, repr, message, pickle or log afterwards."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TT_API_KEY_FILE", str(tmp_path / "file" / "key"))
    caplog.set_level(logging.DEBUG)
    message = send(editor, typed, remember=True)
    left = everything_of(editor, message) + caplog.text + editor.to_code()
    for one in (of_kind(editor, KeyForm), of_kind(editor, KeyInput)):
        assert not [name for name, value in one.trait_values().items() if KEY in repr(value)]
        left += repr(vars(one)) + repr(one.get_state())
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as unpickled:
            pickle.dumps(one)
        left += str(unpickled.value)
    assert "KeyInput" in left or "key_input" in left
    assert message["buffers"] == []
    assert KEY not in left


class BrokenError(Exception):
    """What a hostile callback raises."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_traceback_shows_it(editor, mode, monkeypatch):
    """Where something below fails, no frame has the key, whatever %xmode shows of them."""
    from IPython.core.ultratb import AutoFormattedTB

    def fails(key: object) -> str:
        raise BrokenError

    class Shell:
        """IPython, as far as ipywidgets asks it to show what a callback raised."""

        def showtraceback(self) -> None:
            """Write the traceback down."""
            formatter = AutoFormattedTB(mode=mode, theme_name="nocolor")
            error = sys.exception()
            assert error is not None
            shown.append(formatter.text(type(error), error, error.__traceback__))

    shown: list[str] = []
    monkeypatch.setattr("ttapi_nb.widgets.key.store_key", fails)
    monkeypatch.setattr("ipywidgets.widgets.widget.get_ipython", Shell)
    send(editor, KEY, remember=True)
    assert "BrokenError" in "".join(shown)
    assert KEY not in "".join(shown)


def test_called_from_python_no_frame_has_it(editor):
    """`use_key` with what can't be a key raises without it in a frame, an argument or the words."""
    with pytest.raises(tt.SettingsError) as caught:
        editor.use_key(f"{KEY} x")
    _, *below = [entry.frame.f_locals for entry in caught.traceback]
    assert below
    assert not [name for frame in below for name, value in frame.items() if KEY in repr(value)]
    assert KEY not in str(caught.value) + repr(caught.value.args)


def printed(client: Any, code: str) -> str:
    """What a cell prints in a kernel."""
    found: list[str] = []

    def take(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            found.append(message["content"]["text"])

    reply = client.execute_interactive(textwrap.dedent(code), timeout=PATIENCE, output_hook=take)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(found).strip()


@pytest.mark.slow
def test_in_a_real_kernel(tmp_path):
    """A kernel with its log at DEBUG takes the key, and neither what it logs nor what it keeps shows it."""
    log = tmp_path / "kernel.log"
    with log.open("wb") as out:
        manager, client = start_new_kernel(
            startup_timeout=PATIENCE, extra_arguments=["--debug"], stdout=out, stderr=out
        )
    try:
        model = printed(
            client,
            """
            import ipywidgets
            import ttapi_nb as tt
            from tests.support.controls import labelled, of_kind, said
            from ttapi_nb.widgets.key import KeyForm, KeyInput
            editor = tt.ImageEditor(prompt="red")
            labelled(editor, "Use a key").value = True
            print(of_kind(editor, KeyInput).model_id)
            """,
        )
        data = {"method": "custom", "content": {"type": "key", "remember": True}}
        message = client.session.msg("comm_msg", {"comm_id": model, "data": data})
        client.session.send(client.shell_channel.socket, message, buffers=[KEY.encode()])
        words = printed(client, "print(said(editor), editor.client)")
        assert "Sends to api.ttapi.io" in words
        assert "The key is in" in words
        # In two halves: this cell is itself among what the kernel keeps.
        kept = printed(
            client,
            f"""
            kernel = get_ipython().kernel
            form = vars(of_kind(editor, KeyForm))
            kept = repr([kernel.get_parent("shell"), ipywidgets.Widget.get_manager_state(), form])
            print("found" if {KEY[:9]!r} + {KEY[9:]!r} in kept else "not found", len(kept) > 9999)
            """,
        )
        assert (words.count(KEY), kept) == (0, "not found True")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    logged = log.read_bytes()
    assert b"'remember': True" in logged
    assert KEY.encode() not in logged

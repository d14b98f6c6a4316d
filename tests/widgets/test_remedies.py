"""What Run says it will do, and what is offered where a run did not go well."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Server, fail, json_reply
from tests.support.controls import has, labelled, message, of_kind, press, said, sees
from tests.support.uploading import upload
from ttapi_nb.widgets.browser import PhotoInput
from ttapi_nb.widgets.copier import Copier

PRICES = tt.PriceTable({"gpt-image-1.5": 0.04}, "USD")


def hosted(server: Server, photo: Image.Image, **more: Any) -> tt.ImageEditor:
    """An editor whose runs go to the test's server, with a mask."""
    client = tt.Client(api_key="sk-test-0123456789", base_url=server.url)
    editor = tt.ImageEditor(photo, prompt="x", client=client, **more)
    editor.mask = editor.mask.rectangle((8, 8, 30, 30))
    return editor


def name(editor: tt.ImageEditor) -> str:
    """What is written on Run."""
    return str(labelled(editor, "Run").description)


def test_run_says_what_it_costs(server: Server, photo: Image.Image) -> None:
    """Free where nothing can be billed, the estimate where there are prices, and unknown where nobody knows."""
    assert name(tt.ImageEditor(client=tt.Client.offline())) == "Run · free"
    assert name(hosted(server, photo)) == "Run · cost unknown"
    editor = hosted(server, photo, budget=tt.Budget(prices=PRICES))
    assert name(editor) == "Run · about 0.04 USD"
    editor.options = {"n": 2}
    assert name(editor) == "Run · about 0.08 USD"
    editor.model = "gpt-image-2"
    assert name(editor) == "Run · cost unknown"


def test_run_says_that_all_may_change(server: Server, photo: Image.Image) -> None:
    """Where nothing is masked, or all, that is written on the button; a corner that is kept is enough for the other."""
    editor = hosted(server, photo, budget=tt.Budget(prices=PRICES))
    whole = "Run on the whole photo · about 0.04 USD"
    editor.mask = editor.mask.clear()
    assert name(editor) == whole
    editor.mask = editor.mask.invert()
    assert name(editor) == whole
    editor.mask = editor.mask.rectangle((0, 0, 2, 2), erase=True)
    assert name(editor) == "Run · about 0.04 USD"


def test_nobody_runs_twice_without_being_told(server: Server, photo: Image.Image) -> None:
    """After an unknown outcome the button says so until something else is asked for."""
    editor = hosted(server, photo)
    fail(server, "dropped")
    with pytest.raises(tt.UnknownOutcomeError):
        editor.run().wait(60)
    assert name(editor) == "Run again anyway · cost unknown"
    assert not labelled(editor, "Run").disabled
    editor.prompt = "y"
    assert name(editor) == "Run · cost unknown"


def test_a_model_that_is_gone(server: Server, photo: Image.Image) -> None:
    """The models that live are one click away, and go when something else is asked for."""
    editor = hosted(server, photo, model="gpt-image-1")
    server.answer = json_reply({"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    with pytest.raises(tt.RefusedError):
        editor.run().wait(60)
    assert "Nothing was billed" in editor.status.words[0]
    assert sees(editor, "Use gpt-image-2")
    press(editor, "Use gpt-image-1.5")
    assert editor.model == "gpt-image-1.5"
    assert not has(editor, "Use gpt-image-2")


def test_a_key_that_is_refused(server: Server, photo: Image.Image) -> None:
    """Another key is one click away, and goes to the same gateway."""
    editor = hosted(server, photo)
    server.answer = Reply(401)
    with pytest.raises(tt.AuthenticationError):
        editor.run().wait(60)
    assert "the account at 127.0.0.1" in editor.status.words[0]
    assert not has(editor, "Send runs with a key")
    press(editor, "Use another key")
    assert labelled(editor, "Send runs with a key").value
    before = editor.client.core.address
    editor.use_key("another-key-0123456789")
    assert editor.client.core.address == before
    assert not editor.client.is_offline


def test_how_long_to_wait_is_said(server: Server, photo: Image.Image) -> None:
    """The service's own Retry-After stands in the status."""
    editor = hosted(server, photo)
    server.answer = Reply(429, headers={"Retry-After": "37"})
    with pytest.raises(tt.RateLimitError):
        editor.run().wait(60)
    assert "wait 37 seconds, as it asks" in editor.status.words[0]


def test_a_bad_photo_is_said_where_it_was_chosen(photo: Image.Image) -> None:
    """What can't be opened is told in the photo's row, and gone with the next that can."""
    editor = tt.ImageEditor(photo, prompt="x", client=tt.Client.offline())
    row = editor.children[0]
    assert isinstance(row, PhotoInput)
    upload(row, "notes.txt", b"no picture")
    assert "notes.txt" in row.problem
    assert editor.status.words == ("Ready.",)
    message(row, {"type": "sample"})
    assert row.problem == ""


def test_the_edit_is_copied_as_code(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The button gives the page the edit as Python; what can't be written is said."""
    editor = tt.ImageEditor(photo, prompt="a red sofa", client=tt.Client.offline())
    copier = of_kind(editor, Copier)
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(copier, "send", sent.append)
    message(copier, {"type": "copy"})
    message(copier, {"type": "nonsense"})
    (told,) = sent
    assert told == {"type": "code", "text": editor.to_code()}
    assert "a red sofa" not in said(editor)

"""The key shows up nowhere but in the header of a request to the API."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

import tests
from tests.canary import chain, shown_as
from tests.server import Failure, Reply, Server, fail, html_reply, json_reply, pictures
from tests.support.folders import contents
from ttapi_nb import Client, RefusedError, Run, RunLog, SettingsError, TTAPIError, start_edit
from ttapi_nb.client.key import Secret
from ttapi_nb.client.key.secret import SHORTEST_SCRUBBED
from ttapi_nb.errors import ResultError

KEY = "sk-very-secret-0123456789"
TESTS = str(Path(tests.__file__).parent)


def shown(error: BaseException) -> str:
    """All that a traceback with every frame's variables could show of an error, but for the test's own frames."""
    words = []
    for link in chain(error):
        words += [str(link), repr(link), repr(vars(link)), repr(getattr(link, "__notes__", ""))]
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if not frame.f_code.co_filename.startswith(TESTS):
                words += [f"{name} = {shown_as(value)}" for name, value in frame.f_locals.items()]
        with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
            words.append(repr(pickle.dumps(link)))
    return "\n".join(words)


def _edit(server: Server, photo: Image.Image, **settings: Any) -> TTAPIError:
    client = Client(KEY, base_url=server.url, **settings)
    with pytest.raises(TTAPIError) as caught:
        client.images.edit(image=photo, prompt="x")
    return caught.value


def test_the_search_finds_keys() -> None:
    """What the tests below look through would show a key that is in a frame's variables or in an error's context."""

    def raises(password: str) -> None:
        try:
            json.loads(password)
        except ValueError:
            raise ValueError("no") from None

    with pytest.raises(ValueError, match="no") as caught:
        raises(KEY)
    # json's own frames, which are not the test's, have the text as a variable.
    assert KEY in shown(caught.value)


@pytest.mark.parametrize("how", get_args(Failure))
def test_failures(server: Server, photo: Image.Image, how: Failure) -> None:
    """No failure of a request shows the key, with all variables of all frames, contexts and causes."""
    fail(server, how)
    assert KEY not in shown(_edit(server, photo, timeout=0.3 if how == "time-out" else 30))


def test_not_sent(server: Server, photo: Image.Image) -> None:
    """A refused connection shows no key."""
    server.url = "http://127.0.0.1:9/v1"
    assert KEY not in shown(_edit(server, photo))


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize(
    "content",
    [
        {"error": {"message": f"Incorrect API key provided: {KEY}.", "code": KEY, "param": f"x{KEY}"}},
        {"error": f"bad key {KEY}"},
        {"status": "FAILED", "message": f"bad key {KEY}"},
        {"error": {"message": {"words": [KEY]}}},
        {"x": KEY},
    ],
)
def test_service_quotes_the_key(server: Server, photo: Image.Image, status: int, content: Any) -> None:
    """A service that quotes the key in its answer does not put it on the screen."""
    server.answer = json_reply(content, status)
    error = _edit(server, photo)
    assert KEY not in shown(error)
    if isinstance(error, RefusedError) and "x" not in content:
        assert "[key]" in str(error)


def test_service_quotes_the_key_in_other_letters(server: Server, photo: Image.Image) -> None:
    """A key written in JSON's escapes is recognised."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    server.answer = Reply(401, f'{{"error": {{"message": "bad key {escaped}"}}}}'.encode())
    assert KEY not in shown(_edit(server, photo))


def test_service_quotes_the_key_elsewhere(server: Server, photo: Image.Image) -> None:
    """A web page or a header with the key in it does not show it either."""
    page = f"<html>Your key {KEY} is wrong</html>".encode()
    server.answer = Reply(403, page, headers={"X-Your-Key": KEY}, mime="text/html")
    assert KEY not in shown(_edit(server, photo))
    server.answer = json_reply({"data": [{"b64_json": "%", "revised_prompt": f"a {KEY}"}]})
    response = Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    assert KEY not in repr(response.data[0].revised_prompt)


@pytest.mark.parametrize(
    "key", [f"{KEY}\nX-Evil: 1", f"{KEY} again", f"{KEY}\r", f"{KEY}\x00z", f"{KEY}ü", f"\t{KEY}\tz"]
)
def test_illegal_key(key: str) -> None:
    """A key with a space, a line break or a foreign letter inside is refused without being shown."""
    if key.strip() == KEY:
        assert "secret" not in repr(Client(key))
        return
    with pytest.raises(SettingsError, match="space, a line break") as caught:
        Client(key)
    assert KEY not in shown(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "http://example.com"},
        {"base_url": "nonsense"},
        {"wire": "xml"},
        {"timeout": 0},
        {"auth_header": "a b"},
        {"timeout": "soon"},
    ],
)
def test_other_settings(settings: dict[str, Any]) -> None:
    """A client that can't be made for another reason does not show the key it was given."""
    with pytest.raises((SettingsError, TypeError)) as caught:
        Client(KEY, **settings)
    assert KEY not in shown(caught.value)


@pytest.mark.parametrize(
    "look", [repr, str, lambda it: repr(vars(it)), lambda it: repr(it.core), lambda it: repr(it.images)]
)
def test_client_shows_nothing(look: Callable[[Client], str]) -> None:
    """A client and all that hangs on it can be printed."""
    found = look(Client(KEY))
    assert found
    assert KEY not in found


@pytest.mark.parametrize("keep", [pickle.dumps, copy.deepcopy])
def test_client_does_not_pickle(keep: Callable[[object], object]) -> None:
    """A client with a key can't be pickled or copied deeply, so the key lands in no file."""
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as caught:
        keep(Client(KEY))
    assert KEY not in shown(caught.value)
    with pytest.raises(TypeError, match="can't be pickled") as refused:
        keep(Secret(KEY))
    assert KEY not in shown(refused.value)


@pytest.mark.parametrize("scheme", ["", "Bearer"])
def test_debug_logs(
    server: Server, photo: Image.Image, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    """What httpx and httpcore log at their most talkative does not show the key, also when a request fails."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    header = "Authorization" if scheme else "TT-API-KEY"
    client = Client(KEY, base_url=server.url, auth_header=header, auth_scheme=scheme)

    client.images.edit(image=photo, prompt="x")
    server.answer = html_reply(502)
    with pytest.raises(TTAPIError):
        client.images.edit(image=photo, prompt="x")

    assert {"httpx", "httpcore"} <= {record.name.split(".")[0] for record in caplog.records}
    everything = caplog.text + "".join(
        f"{record.getMessage()}{record.args!r}{vars(record)!r}" for record in caplog.records
    )
    assert "send_request_headers" in everything
    assert KEY not in everything


@pytest.mark.parametrize("how", ["done", *get_args(Failure)])
def test_run_log(server: Server, photo: Image.Image, tmp_path: Path, how: Any) -> None:
    """No byte of the run log's folder is the key's, however the run ended and whatever the service quoted."""
    if how == "done":
        server.answer = json_reply(pictures(photo) | {"note": KEY})
    else:
        fail(server, how)
    if how == "200 failed":
        server.answer = json_reply({"status": "FAILED", "message": f"wrong key {KEY}"})
    run = start_edit(
        photo,
        "x",
        client=Client(KEY, base_url=server.url, timeout=0.3 if how == "time-out" else 30),
        log=RunLog(tmp_path / "log"),
    )
    if how == "done":
        run.wait(20)
    else:
        with pytest.raises(TTAPIError) as caught:
            run.wait(20)
        assert KEY not in shown(caught.value)
    files = contents(tmp_path / "log")
    assert files
    assert [path for path, data in files.items() if KEY.encode() in data] == []
    assert KEY not in repr(run) + repr(vars(run))


def test_a_log_that_fails_as_the_request_leaves(server: Server, photo: Image.Image, tmp_path: Path) -> None:
    """Where the run can't be marked as sent, nothing is sent, and the error does not show the request's headers."""

    class FullDisk(RunLog):
        def mark_sent(self, run_id: str) -> None:
            raise ResultError("The disk is full.")

    run: Run = start_edit(photo, "x", client=Client(KEY, base_url=server.url), log=FullDisk(tmp_path))
    with pytest.raises(ResultError, match="disk is full") as caught:
        run.wait(20)
    assert KEY not in shown(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    "text",
    [
        f"before {KEY} after",
        f"{KEY}{KEY}",
        f"{KEY[:-1]} {KEY[1:]} {KEY[:5]}{KEY}",
        "sk-very-sk-very-secret-0123456789 sk-",
        "nothing of it",
    ],
)
def test_a_key_in_pieces(text: str) -> None:
    """Wherever the pieces end in which words come, the key is taken out and all else is there once, in its order."""
    secret = Secret(KEY)
    data = text.encode()
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1, 5):
            held, shown_so_far = b"", b""
            for piece in (data[:first], data[first:second], data[second:]):
                on, held = secret.scrub_piece(held, piece)
                shown_so_far += on
                assert len(held) < len(KEY)
            assert shown_so_far + held == data.replace(KEY.encode(), b"[key]")
    for length, taken_out in ((SHORTEST_SCRUBBED - 1, False), (SHORTEST_SCRUBBED, True)):
        one = "k" * length
        assert Secret(one).scrub_piece(b"", one.encode()) == (b"[key]" if taken_out else one.encode(), b"")
        assert Secret(one).scrub(one) == ("[key]" if taken_out else one)

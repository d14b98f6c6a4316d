"""Every way a request can go wrong, what the error is to be, and what the log is to say: by every way to send one.

Used by `tests/test_faults.py` for a sample and by `tests/trust/faults.py` for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image

import ttapi_nb as tt
from tests.canary import KEY
from tests.server import PATIENCE, Reply, Server, fail, full_port, html_reply, json_reply, pictures
from tests.support.controls import labelled
from ttapi_nb import loop
from ttapi_nb.client.client import Wire

WIRES: tuple[Wire, ...] = ("json", "multipart", "references")
PHOTO = Image.effect_noise((64, 64), 40).convert("RGB")
GOOD = json.dumps(pictures(PHOTO)).encode()
# In seconds: for a client that waits in vain.
SOON = 0.4


@dataclass(frozen=True)
class Fault:
    """One way to go wrong: how it is brought about, the error's class, the POSTs that the server gets, the log's word.

    `connections` counts what a POST that is never read can't show. `address` is where requests go, for those that never
    reach the server. `refusals` are attempts to connect that this machine refuses; one after these gets through.
    """

    name: str
    make: Callable[[Server], object]
    error: type[tt.TTAPIError] | None
    posts: int
    state: str
    slow: bool = False
    address: str = ""
    connections: int = 1
    refusals: int = 0


@dataclass(frozen=True)
class Seen:
    """What came of one request: the error's class, the POSTs that the server got, the log's word, where one is kept,
    and what of all that is `wrong`.
    """

    error: str
    posts: int
    state: str
    wrong: tuple[str, ...]


def answering(reply: Reply) -> Callable[[Server], object]:
    """Lets the server answer so."""
    return lambda server: setattr(server, "answer", reply)


def failing(how: str) -> Callable[[Server], object]:
    """Lets the server fail in one of the ways that `fail` knows."""
    return lambda server: fail(server, how)  # type: ignore[arg-type] # one of its names


def greeting(how: str) -> Callable[[Server], object]:
    """What the server does with who connects."""
    return lambda server: setattr(server, "greeting", how)


def nothing(server: Server) -> None:
    """Leaves the server as it is."""


def not_sent(name: str, address: str = "", *, slow: bool = False, connections: int = 0) -> Fault:
    """One in which no byte of the request leaves."""
    return Fault(name, nothing, tt.NotSentError, 0, "not sent", slow, address, connections)


def refused(name: str, reply: Reply, error: type[tt.TTAPIError] = tt.RefusedError) -> Fault:
    """One in which the service says no, so that nothing is billed."""
    return Fault(name, answering(reply), error, 1, "refused")


def unknown(name: str, make: Callable[[Server], object], *, posts: int = 1, slow: bool = False) -> Fault:
    """One in which nobody can say whether the edit was made."""
    return Fault(name, make, tt.UnknownOutcomeError, posts, "unknown", slow)


def read(name: str, reply: Reply, *, slow: bool = False) -> Fault:
    """One in which the picture came, whatever stands around it, and is the answer."""
    return Fault(name, answering(reply), None, 1, "done", slow)


def _said(status: int) -> Reply:
    return json_reply({"error": {"message": "No.", "code": "no", "param": None}}, status)


def events(*kinds: str, behind: bytes = b"", **how: Any) -> Reply:
    """A stream of such events, each with the good answer's picture, and what comes behind them."""
    picture = json.loads(GOOD)["data"][0]
    said = [{"type": f"image_edit.{kind}"} | picture for kind in kinds]
    body = b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in said)
    return Reply(200, body + behind, mime="text/event-stream", **how)


DRAFTS = events("partial_image", "partial_image")
STREAM = events("partial_image", "completed")

FAULTS: tuple[Fault, ...] = (
    not_sent("nobody listens", "http://127.0.0.1:9/v1"),
    not_sent("no connection", "full port", slow=True),
    not_sent("no such name", "https://nowhere.invalid/v1", slow=True),
    # Nothing of a request is in an attempt to connect, so each is made twice.
    not_sent("no TLS there", "https", connections=2),
    replace(not_sent("refused twice"), refusals=2),
    Fault("refused once", nothing, None, 1, "done", refusals=1),
    unknown("reset at the first byte", greeting("reset"), posts=0),
    unknown("never read", greeting("stall"), posts=0, slow=True),
    unknown("reset as it is sent", failing("half sent")),
    unknown("no answer", failing("time-out"), slow=True),
    unknown("reset before an answer", failing("dropped")),
    unknown("hangs up before an answer", answering(Reply(leave=True))),
    read("a broken head", Reply(body=GOOD, headers={"X Y\x00": "z"})),
    unknown("stalls in the head", answering(Reply(body=GOOD, stall=30)), slow=True),
    unknown("stalls after the head", answering(Reply(body=GOOD, stall=len(GOOD) // 2)), slow=True),
    read("stalls before the last byte", Reply(body=GOOD, stall=len(GOOD) + 60), slow=True),
    unknown("half a body", failing("half answered")),
    unknown("drips", answering(Reply(drip=True)), slow=True),
    read("longer than it says", Reply(body=GOOD, headers={"Content-Length": "10"})),
    read("shorter than it says", Reply(body=GOOD, headers={"Content-Length": "9999999"})),
    unknown(
        "breaks off between pieces",
        answering(
            Reply(
                body=b"40\r\n" + GOOD[:64] + b"\r\n",
                headers={"Content-Length": "", "Transfer-Encoding": "chunked"},
            )
        ),
    ),
    read("packed, and is not", Reply(body=GOOD, headers={"Content-Encoding": "gzip"})),
    read("no end", Reply(body=GOOD[:-1])),
    read("201", Reply(201, body=GOOD)),
    read("an error that says nothing", Reply(body=GOOD[:-1] + b', "error": {}}')),
    read("500 with a picture", Reply(500, body=GOOD)),
    unknown("packed as nobody can undo", answering(Reply(body=GOOD, headers={"Content-Encoding": "snappy"}))),
    refused("400", _said(400)),
    refused("401", _said(401), tt.AuthenticationError),
    refused("402", _said(402), tt.QuotaError),
    refused("403, a page", html_reply(403), tt.AuthenticationError),
    refused("404", _said(404)),
    refused("413, a page", html_reply(413)),
    refused("429", _said(429), tt.RateLimitError),
    refused("499", _said(499), tt.RateLimitError),
    refused("301", Reply(301, headers={"Location": "/elsewhere"})),
    refused("307", Reply(307, headers={"Location": "/elsewhere"})),
    unknown("303", answering(Reply(303, headers={"Location": "/elsewhere"}))),
    unknown("500", answering(_said(500))),
    unknown("502, a page", answering(html_reply(502))),
    unknown("504", failing("504")),
    unknown("524, a page", answering(html_reply(524))),
    refused("200, FAILED", json_reply({"status": "FAILED", "message": "No.", "data": None})),
    refused("200, an error", json_reply({"error": {"message": "No."}})),
    unknown("200, a page", answering(html_reply(200))),
    unknown("200, nothing", answering(Reply())),
    unknown("200, no picture", answering(json_reply({"data": []}))),
    read("a stream", STREAM),
    read("a stream that stalls behind its result", replace(STREAM, stall=len(STREAM.body) + 300), slow=True),
    unknown("a stream of drafts", answering(DRAFTS)),
    unknown("a stream cut within its result", answering(replace(STREAM, cut=len(STREAM.body) - 60))),
    unknown("a stream that stalls after a draft", answering(replace(DRAFTS, stall=500)), slow=True),
    refused(
        "a draft, and FAILED", events("partial_image", behind=b'data:{"status":"FAILED","message":"No."}\n\n')
    ),
    unknown(
        "a draft, and a fault of the service",
        answering(
            events("partial_image", behind=b'data: {"error": {"message": "No.", "type": "server_error"}}\n\n')
        ),
    ),
    unknown("200, half of JSON", answering(Reply(body=GOOD[: len(GOOD) // 2]))),
)


def bare(settings: dict[str, Any], log: tt.RunLog) -> None:
    """The endpoint alone, which keeps no log."""
    tt.Client(**settings).images.edit(image=PHOTO, prompt="x")


def bare_awaited(settings: dict[str, Any], log: tt.RunLog) -> None:
    """The same, awaited."""
    asyncio.run(tt.AsyncClient(**settings).images.edit(image=PHOTO, prompt="x"))


def waited_for(settings: dict[str, Any], log: tt.RunLog) -> None:
    """A run without a widget."""
    tt.edit(PHOTO, "x", client=tt.Client(**settings), log=log)


def awaited(settings: dict[str, Any], log: tt.RunLog) -> None:
    """A run of a client for `await`."""

    async def wait() -> None:
        await tt.start_edit(PHOTO, "x", client=tt.AsyncClient(**settings), log=log)

    asyncio.run(wait())


def by_editor(settings: dict[str, Any], log: tt.RunLog) -> None:
    """The editor's Run button. Raises `AssertionError` where the editor is not as it should be afterwards."""
    editor = tt.ImageEditor(PHOTO, client=tt.Client(**settings), prompt="a bowl", log=log)
    mask = editor.mask = editor.mask.rectangle((8, 8, 30, 30))
    photo = editor.image
    failure: tt.TTAPIError | None = None
    try:
        labelled(editor, "Run").click()
        assert editor.current is not None, f"there is no run: {editor.status.words}"
        try:
            editor.current.wait(PATIENCE)
        except tt.TTAPIError as error:
            failure = error
        said = editor.status.words
        assert failure is None or said == (str(failure),), f"the status says {said}"
        assert (editor.image, editor.mask) == (photo, mask), "photo or mask are gone"
        assert editor.prompt == "a bowl", "the prompt is gone"
        assert not labelled(editor, "Run").disabled, "Run can't be pressed again"
    finally:
        editor.close()
    if failure is not None:
        raise failure


DRIVERS: dict[str, Callable[[dict[str, Any], tt.RunLog], None]] = {
    "bare": bare,
    "bare, awaited": bare_awaited,
    "run": waited_for,
    "run, awaited": awaited,
    "editor": by_editor,
}
LOGGED = ("run", "run, awaited", "editor")


@contextlib.contextmanager
def refusals(count: int) -> Iterator[None]:
    """Refuses the package's next attempts to connect, so many of them, as a machine does where nobody listens."""
    left, connect = count, socket.socket.connect

    def attempt(self: socket.socket, address: Any) -> None:
        nonlocal left
        if left and loop.is_here():
            left -= 1
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        connect(self, address)

    with mock.patch.object(socket.socket, "connect", attempt):
        yield
    assert left == 0, f"{left} attempts to connect were not made"


async def all_ended() -> None:
    """Wait for all that still goes on on the package's loop, a second request say, but for what shows the time."""
    others = {
        task
        for task in asyncio.all_tasks() - {asyncio.current_task()}
        if getattr(task.get_coro(), "__name__", "") != "_show_time"
    }
    if others:
        await asyncio.wait(others, timeout=PATIENCE)


def after(fault: Fault, driver: str, wire: Wire, folder: Path) -> Seen:
    """Send one request in that way, with that fault, and look at what came of it."""
    wrong: list[str] = []
    failure: tt.TTAPIError | None = None
    log = tt.RunLog(folder / "log")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server())
        fault.make(server)
        address = fault.address or server.url
        if address == "full port":
            address = f"http://127.0.0.1:{stack.enter_context(full_port())}/v1"
        elif address == "https":
            address = f"https://127.0.0.1:{server.port}/v1"
        timeout = SOON if fault.slow else PATIENCE
        try:
            with refusals(fault.refusals):
                DRIVERS[driver]({"api_key": KEY, "base_url": address, "wire": wire, "timeout": timeout}, log)
        except tt.TTAPIError as error:
            failure = error
        except AssertionError as error:
            wrong.append(str(error))
        # What is sent after the error counts too.
        loop.call(all_ended())
    error_name = type(failure).__name__ if failure is not None else "no error"
    expected = fault.error.__name__ if fault.error is not None else "no error"
    if error_name != expected:
        wrong.append(f"{error_name} instead of {expected}")
    if ("may have been carried out and billed" in str(failure)) != (fault.state == "unknown"):
        wrong.append(f"the error says {str(failure)!r}")
    if len(server.posts) != fault.posts or len(server.requests) != len(server.posts):
        wrong.append(f"{len(server.requests)} requests, {len(server.posts)} POSTs, instead of {fault.posts}")
    if server.connections != fault.connections:
        wrong.append(f"{server.connections} connections instead of {fault.connections}")
    state = ""
    if driver in LOGGED:
        state, found = _logged(log, fault, str(failure or ""))
        wrong += found
        anew = tt.RunLog(folder / "log")
        if (anew.rows(), anew.totals()) != (log.rows(), log.totals()):
            wrong.append("the log says something else when it is opened anew")
    return Seen(error_name, len(server.posts), state, tuple(wrong))


def _logged(log: tt.RunLog, fault: Fault, problem: str) -> tuple[str, list[str]]:
    """The state of the only run in a log, and what the log says other than it should."""
    rows = log.rows()
    if len(rows) != 1:
        return "", [f"the log has {len(rows)} runs"]
    row, totals, wrong = rows[0], log.totals(), []
    if row.state != fault.state:
        wrong.append(f"the log says {row.state!r} instead of {fault.state!r}")
    if row.sent != (fault.state != "not sent"):
        wrong.append(f"the log says that it was {'' if row.sent else 'not '}sent")
    if row.problem != problem:
        wrong.append(f"the log's words are {row.problem!r}")
    if len(row.results) != (fault.state == "done"):
        wrong.append(f"the log has {len(row.results)} results")
    # What is billed, or may be, counts as spent, and nothing else.
    expected = fault.state in ("done", "unknown"), fault.state == "unknown"
    if (totals.runs, totals.unknown) != expected:
        wrong.append(f"the log counts {totals.runs} runs, {totals.unknown} of them unknown")
    return row.state, wrong

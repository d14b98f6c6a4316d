"""Every way a request can go wrong, what the error is to be, and what the log is to say: by every way to send one.

Used by `tests/test_faults.py` for a sample and by `tests/trust/faults.py` for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import ttapi_nb as tt
from tests.canary import KEY
from tests.server import PATIENCE, Reply, Server, fail, full_port, html_reply, json_reply, pictures

WIRES: tuple[tt.Wire, ...] = ("json", "multipart", "references")
PHOTO = Image.effect_noise((64, 64), 40).convert("RGB")
GOOD = json.dumps(pictures(PHOTO)).encode()
# In seconds: for a client that waits in vain.
SOON = 0.4


@dataclass(frozen=True)
class Fault:
    """One way to go wrong: how it is brought about, the error's class, the POSTs that the server gets, the log's word.

    `address` is where requests go, for those that never reach the server.
    """

    name: str
    make: Callable[[Server], object]
    error: type[tt.TTAPIError]
    posts: int
    state: str
    slow: bool = False
    address: str = ""


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


def not_sent(name: str, address: str, *, slow: bool = False) -> Fault:
    """One in which no byte of the request leaves."""
    return Fault(name, nothing, tt.NotSentError, 0, "not sent", slow, address)


def refused(name: str, reply: Reply, error: type[tt.TTAPIError] = tt.RefusedError) -> Fault:
    """One in which the service says no, so that nothing is billed."""
    return Fault(name, answering(reply), error, 1, "refused")


def unknown(name: str, make: Callable[[Server], object], *, posts: int = 1, slow: bool = False) -> Fault:
    """One in which nobody can say whether the edit was made."""
    return Fault(name, make, tt.UnknownOutcomeError, posts, "unknown", slow)


def _said(status: int) -> Reply:
    return json_reply({"error": {"message": "No.", "code": "no", "param": None}}, status)


FAULTS: tuple[Fault, ...] = (
    not_sent("nobody listens", "http://127.0.0.1:9/v1"),
    not_sent("no connection", "full port", slow=True),
    not_sent("no such name", "https://nowhere.invalid/v1", slow=True),
    not_sent("no TLS there", "https"),
    unknown("reset at the first byte", greeting("reset"), posts=0),
    unknown("never read", greeting("stall"), posts=0, slow=True),
    unknown("reset as it is sent", failing("half sent")),
    unknown("no answer", failing("time-out"), slow=True),
    unknown("reset before an answer", failing("dropped")),
    unknown("stalls in the head", answering(Reply(body=GOOD, stall=30)), slow=True),
    unknown("stalls after the head", answering(Reply(body=GOOD, stall=len(GOOD) // 2)), slow=True),
    unknown("stalls before the last byte", answering(Reply(body=GOOD, stall=len(GOOD) + 60)), slow=True),
    unknown("half a body", failing("half answered")),
    unknown("drips", answering(Reply(drip=True)), slow=True),
    unknown("longer than it says", answering(Reply(body=GOOD, headers={"Content-Length": "10"}))),
    unknown("shorter than it says", answering(Reply(body=GOOD, headers={"Content-Length": "9999999"}))),
    unknown(
        "breaks off between pieces",
        answering(
            Reply(
                body=b"40\r\n" + GOOD[:64] + b"\r\n",
                headers={"Content-Length": "", "Transfer-Encoding": "chunked"},
            )
        ),
    ),
    unknown("packed, and is not", answering(Reply(body=GOOD, headers={"Content-Encoding": "gzip"}))),
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
    unknown("500", answering(_said(500))),
    unknown("502, a page", answering(html_reply(502))),
    unknown("504", failing("504")),
    unknown("524, a page", answering(html_reply(524))),
    refused("200, FAILED", json_reply({"status": "FAILED", "message": "No.", "data": None})),
    refused("200, an error", json_reply({"error": {"message": "No."}})),
    unknown("200, a page", answering(html_reply(200))),
    unknown("200, nothing", answering(Reply())),
    unknown("200, no picture", answering(json_reply({"data": []}))),
    unknown("200, half of JSON", answering(Reply(body=GOOD[:-1]))),
)


def bare(client_options: dict[str, object], log: tt.RunLog) -> str:
    """The endpoint alone, which keeps no log."""
    tt.Client(**client_options).images.edit(image=PHOTO, prompt="x")  # type: ignore[arg-type]
    return ""


def bare_awaited(client_options: dict[str, object], log: tt.RunLog) -> str:
    """The same, awaited."""
    client = tt.AsyncClient(**client_options)  # type: ignore[arg-type]
    asyncio.run(client.images.edit(image=PHOTO, prompt="x"))
    return ""


def waited_for(client_options: dict[str, object], log: tt.RunLog) -> str:
    """A run without a widget."""
    tt.edit(PHOTO, "x", client=tt.Client(**client_options), log=log)  # type: ignore[arg-type]
    return ""


def awaited(client_options: dict[str, object], log: tt.RunLog) -> str:
    """A run of a client for `await`."""

    async def wait() -> None:
        await tt.start_edit(PHOTO, "x", client=tt.AsyncClient(**client_options), log=log)  # type: ignore[arg-type]

    asyncio.run(wait())
    return ""


def by_editor(client_options: dict[str, object], log: tt.RunLog) -> str:
    """The editor's Run button. Returns what is wrong with the editor afterwards."""
    client = tt.Client(**client_options)  # type: ignore[arg-type]
    editor = tt.ImageEditor(PHOTO, client=client, prompt="a bowl", log=log)
    mask = editor.mask = editor.mask.rectangle((8, 8, 30, 30))
    photo = editor.image
    try:
        editor._run_button.click()
        assert editor.current is not None
        try:
            editor.current.wait(PATIENCE)
        except tt.TTAPIError as error:
            wrong = [] if editor.status.words == (str(error),) else [f"the status says {editor.status.words}"]
            wrong += [] if (editor.image, editor.mask) == (photo, mask) else ["photo or mask are gone"]
            wrong += [] if editor.prompt == "a bowl" else ["the prompt is gone"]
            wrong += [] if not editor._run_button.disabled else ["Run can't be pressed again"]
            if wrong:
                raise AssertionError(", ".join(wrong)) from error
            raise
    finally:
        editor.close()
    return ""


DRIVERS: dict[str, Callable[[dict[str, object], tt.RunLog], str]] = {
    "bare": bare,
    "bare, awaited": bare_awaited,
    "run": waited_for,
    "run, awaited": awaited,
    "editor": by_editor,
}
LOGGED = ("run", "run, awaited", "editor")


def wrong_after(fault: Fault, driver: str, wire: tt.Wire, folder: Path) -> list[str]:
    """Send one request in that way, with that fault, and return what is not as it should be."""
    with Server() as server, contextlib.ExitStack() as stack:
        fault.make(server)
        address = fault.address or server.url
        if address == "full port":
            address = f"http://127.0.0.1:{stack.enter_context(full_port())}/v1"
        elif address == "https":
            address = f"https://127.0.0.1:{server.port}/v1"
        timeout = SOON if fault.slow else PATIENCE
        options = {"api_key": KEY, "base_url": address, "wire": wire, "timeout": timeout}
        log = tt.RunLog(folder / "log")
        wrong: list[str] = []
        try:
            DRIVERS[driver](options, log)
        except tt.TTAPIError as error:
            if type(error) is not fault.error:
                wrong.append(f"{type(error).__name__} instead of {fault.error.__name__}")
        except AssertionError as error:
            wrong.append(str(error))
        else:
            wrong.append("no error")
        if len(server.posts) != fault.posts or len(server.requests) != len(server.posts):
            wrong.append(
                f"{len(server.requests)} requests, {len(server.posts)} POSTs, instead of {fault.posts}"
            )
        server.let_go()
    if driver in LOGGED:
        wrong += _wrong_in(tt.RunLog(folder / "log"), fault)
    return wrong


def _wrong_in(log: tt.RunLog, fault: Fault) -> list[str]:
    """What a log that is opened anew says other than it should."""
    states = [row.state for row in log.rows()]
    totals = log.totals()
    wrong = [] if states == [fault.state] else [f"the log says {states} instead of {fault.state!r}"]
    # What may be billed counts as spent, and nothing else.
    expected = (1, 1) if fault.state == "unknown" else (0, 0)
    if (totals.runs, totals.unknown) != expected:
        wrong.append(f"the log counts {totals.runs} runs, {totals.unknown} of them unknown")
    return wrong

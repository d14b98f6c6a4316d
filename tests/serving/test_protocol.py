"""The server under gateway and embedded service: clients that end their side, and clients that read slowly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.server import Server, json_reply
from tests.service.test_service_serve import all_of, post, running, status_of
from tests.support import gateways
from tests.support.gateways import ANSWER, class_of
from ttapi_nb.gateway.answering import unread
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.service import Answer, Service
from ttapi_nb.service.serve import LocalServer
from ttapi_nb.serving import Lines, listen, server_for

PATIENCE = 20
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

service = gateways.answering_service
ledger = gateways.ledger_in_file
room = class_of(1, runs=10)


class Slow:
    """An application that answers with `size` bytes once it may; `asked`, `left` and `over` say what it saw."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.may, self.asked = threading.Event(), threading.Event()
        self.left, self.over = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                self.asked.set()

        gone = asyncio.ensure_future(until_gone())
        may = asyncio.ensure_future(asyncio.to_thread(self.may.wait, PATIENCE))
        await asyncio.wait([gone, may], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.left.set()
            return
        length = str(self.size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": b"x" * self.size})
        gone.cancel()
        self.over.set()


@contextlib.contextmanager
def serving(app: Slow, **lines: Any) -> Iterator[int]:
    """A server for an application; its port."""
    ready, line = threading.Event(), listen("127.0.0.1", 0)
    server = server_for(app, unread, ready.set, lines=Lines(**lines), lifespan="off")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [line]})
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield line.getsockname()[1]
    finally:
        app.may.set()
        server.stop()
        thread.join(PATIENCE)
        line.close()


def connected(port: int) -> socket.socket:
    """A line to it."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def without_continue(said: bytes) -> bytes:
    """What came behind the status lines that a client passes over."""
    while said.startswith(CONTINUE):
        said = said.removeprefix(CONTINUE)
    return said


# Clients that end their side


def test_who_has_ended_their_side_still_gets_an_answer() -> None:
    """A client that says that it sends nothing more is answered, and then the line ends."""
    app = Slow()
    with serving(app) as port, connected(port) as line:
        line.sendall(GET)
        assert app.asked.wait(PATIENCE)
        line.shutdown(socket.SHUT_WR)
        # It is asked whether it is there before it has its answer.
        assert line.recv(len(CONTINUE)) == CONTINUE
        app.may.set()
        said = without_continue(all_of(line))
        assert status_of(said) == 200
        assert said.endswith(b"x" * app.size)


@pytest.mark.parametrize("kind", ["closed", "ended first", "reset", "old"])
def test_who_is_gone_is_noticed(kind: str) -> None:
    """A client that hung up is not worked for, whether it ended its side before or not; one of HTTP/1.0 never is."""
    app = Slow()
    with serving(app) as port, connected(port) as line:
        line.sendall(GET.replace(b"HTTP/1.1", b"HTTP/1.0") if kind == "old" else GET)
        assert app.asked.wait(PATIENCE)
        if kind in ("ended first", "old"):
            line.shutdown(socket.SHUT_WR)
        if kind == "ended first":
            line.recv(len(CONTINUE))
        if kind == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind != "old":
            line.close()
        assert app.left.wait(PATIENCE)


@pytest.mark.parametrize(
    "sent", [GET[:20], GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 9\r\n\r\nhalf"]
)
def test_half_a_request_gets_no_answer(sent: bytes) -> None:
    """Where the end comes before the request is whole there is nothing to wait for."""
    with serving(Slow()) as port, connected(port) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        assert all_of(line) == b""


def test_a_run_of_who_has_ended_their_side(ledger: Ledger, room: Made, service: Server) -> None:
    """Through a gateway they get what was paid for, at once and under the same key again, and it is sent once."""
    hold = service.event()
    service.answer = json_reply(ANSWER, hold=hold)
    picture = {"prompt": "x", "mode": "gpt-image-1", "image": [], "n": 1}
    content = json.dumps(picture).encode()
    head = (
        b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: run-1\r\n"
        b"TT-API-KEY: " + room.people[0][1].encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(content)
    )
    with gateways.running(ledger, service.url) as gateway:
        for gone in (True, False, False):
            with connected(gateway.port) as line:
                line.sendall(head + content)
                line.shutdown(socket.SHUT_WR)
                if gone:
                    # Asked whether it is there, it is not.
                    assert line.recv(len(CONTINUE)) == CONTINUE
                    continue
                hold.set()
                said = without_continue(all_of(line))
            assert status_of(said) == 200
            assert ANSWER["data"][0]["b64_json"].encode() in said
    assert len(service.posts) == 1


# Heads that two readers could take in two ways

ODD = {
    "a bare line feed": GET.replace(b"Host", b"X: y\nHost"),
    "a bare carriage return": GET.replace(b"Host", b"X: y\rHost"),
    "a folded line": GET.replace(b"Host", b"X: y\r\n z\r\nHost"),
    "line feeds alone": GET.replace(b"\r\n", b"\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("piece", [1, 1000])
def test_lines_that_end_oddly(kind: str, piece: int) -> None:
    """What a proxy may take for part of a line, or for its end, is refused, however it comes; a body may have it."""
    app = Slow()
    app.may.set()
    long = GET.replace(b"GET", b"POST")[:-2] + b"Content-Length: 4\r\n\r\na\n\rb"
    with serving(app) as port, connected(port) as line:
        sent = long + ODD[kind]
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(sent), piece):
                line.sendall(sent[at : at + piece])
        said = all_of(line)
        assert status_of(said) == 200
        assert (said.count(b"HTTP/1.1 200"), said.count(b"HTTP/1.1 400")) == (1, 1)


def test_an_odd_line_is_told_in_words() -> None:
    """Alone on its line it gets an answer."""
    for sent in ODD.values():
        with serving(Slow()) as port, connected(port) as line:
            line.sendall(sent)
            assert status_of(all_of(line)) == 400


# Clients that read slowly


def test_an_answer_has_a_time_for_all_of_it() -> None:
    """Who takes a little of an answer now and then is hung up on in the end, be it the last of it or the middle."""
    app = Slow(size=30_000_000)
    app.may.set()
    with serving(app, answer_seconds=0.3) as port, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(PATIENCE)
        line.connect(("127.0.0.1", port))
        line.sendall(GET)
        came = 0
        while not app.over.wait(0.001):
            came += len(line.recv(100))
        assert came < app.size / 10


@pytest.fixture
def narrow() -> Iterator[LocalServer]:
    """The embedded service with one place for edits."""
    for server in running(Service(require_key=True)):
        server.limits.at_once = 1
        yield server


def test_a_slow_reader_of_a_stream_keeps_no_place(
    narrow: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody takes a stream slowly, and while they take an answer so, others are served."""
    large = bytes(30_000_000)

    def endless() -> Generator[bytes]:
        while True:
            yield large

    answers = [
        Answer(200, {"Content-Type": "text/event-stream"}, pieces=endless()),
        Answer(200, {"Content-Type": "image/png"}, large),
        Answer(200, {"Content-Type": "image/png"}, b"small"),
    ]
    left = iter(answers)
    monkeypatch.setattr(narrow.service, "handle", lambda *_: next(left))
    asked = post(narrow, b"Content-Length: 0", b"Connection: close")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            line = stack.enter_context(connected(narrow.server_port))
            line.sendall(asked)
            assert status_of(line.recv(12)) == 200
        with connected(narrow.server_port) as line:
            line.sendall(asked)
            assert all_of(line).endswith(b"small")

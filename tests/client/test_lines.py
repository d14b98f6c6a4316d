"""Lines that are kept from one request to the next: fewer of them, and no request is lost or sent twice for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.secure import FIXTURES
from tests.server import PATIENCE, pictures
from ttapi_nb import RunLog, loop, start_edit
from ttapi_nb.client import AsyncClient, Client
from ttapi_nb.client.told import Told
from ttapi_nb.errors import NotSentError, UnknownOutcomeError
from ttapi_nb.network import early, heads, tls
from ttapi_nb.request import EditRequest

KEY = "sk-lines-0123456789"
BODY = json.dumps(pictures(Image.new("RGB", (8, 8), "teal"))).encode()


def answer(body: bytes = BODY, more: str = "", status: str = "200 OK") -> bytes:
    """An answer after which the line stays."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@dataclass
class Line:
    """One line to the service, and the requests that came by it."""

    socket: socket.socket
    number: int
    heads: list[bytes] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)


@dataclass
class Keeper:
    """A service whose lines carry one request after the other; `reply(line)` says what is done with each."""

    url: str
    lines: list[Line] = field(default_factory=list)
    reply: Callable[[Line], bytes | None] = lambda line: answer()
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def heads(self) -> list[bytes]:
        return [head for line in self.lines for head in line.heads]

    def talk(self, line: Line) -> None:
        with contextlib.suppress(OSError), line.socket, line.socket.makefile("rb") as stream:
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    byte = stream.readline()
                    if not byte:
                        break
                    head += byte
                if not head:
                    break
                length = next(
                    int(one.partition(b":")[2])
                    for one in head.split(b"\r\n")
                    if one.lower().startswith(b"content-length")
                )
                stream.read(length)
                with self.changed:
                    line.heads.append(head)
                said = self.reply(line)
                if said is None:
                    break
                line.socket.sendall(said)
        line.closed.set()


@contextlib.contextmanager
def keeper(context: ssl.SSLContext | None = None) -> Iterator[Keeper]:
    """A service on this machine."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    scheme = "http" if context is None else "https"
    service = Keeper(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = listener.accept()
                came.settimeout(PATIENCE)
                if context is not None:
                    came = context.wrap_socket(came, server_side=True, do_handshake_on_connect=False)
                line = Line(came, len(service.lines) + 1)
                service.lines.append(line)
                threading.Thread(target=service.talk, args=(line,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield service
    finally:
        # Closing alone does not wake who waits for a line.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for line in service.lines:
            with contextlib.suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def service() -> Iterator[Keeper]:
    """A service that keeps its lines, and answers with one picture."""
    with keeper() as service:
        yield service


def test_64_edits_need_16_lines(service: Keeper, photo: Image.Image) -> None:
    """However many are awaited together, no more lines are made than requests are under way at once."""
    client = AsyncClient(KEY, base_url=service.url)

    async def many() -> list[Any]:
        return await asyncio.gather(*(client.images.edit(image=photo, prompt="x") for _ in range(64)))

    assert all(response.data for response in asyncio.run(many()))
    assert len(service.heads) == 64
    assert len(service.lines) <= 16


def test_one_after_the_other_go_by_one_line(service: Keeper, photo: Image.Image) -> None:
    """Edits that follow each other closely share a line, by either client, in chunks too."""
    parts = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked"
    service.reply = lambda line: answer() if len(line.heads) % 2 else head + b"\r\n\r\n" + parts
    client = Client(KEY, base_url=service.url)
    for _ in range(4):
        assert client.images.edit(image=photo, prompt="x").data
    assert [len(line.heads) for line in service.lines] == [4]


def test_one_context_for_a_client(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """What secures a client's lines is made once, also where many ask for it at the same time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(FIXTURES / "tls_authority.pem"))
    made: list[object] = []
    make = tls._made

    def counted(*names: str) -> ssl.SSLContext:
        made.append(names)
        return make(*names)

    monkeypatch.setattr(tls, "_made", counted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FIXTURES / "tls_server.pem")
    with keeper(context) as service:
        client = AsyncClient(KEY, base_url=service.url, at_once=4)

        async def many() -> None:
            await asyncio.gather(*(client.images.edit(image=photo, prompt="x") for _ in range(12)))

        asyncio.run(many())
        assert len(service.heads) == 12
        assert len(service.lines) <= 4
    assert len(made) == 1


def test_a_line_that_was_hung_up_is_not_used(service: Keeper, photo: Image.Image) -> None:
    """Where the service hung up without a word after its answer, the next request goes by another line."""
    client = Client(KEY, base_url=service.url)
    service.reply = lambda line: answer()
    client.images.edit(image=photo, prompt="x")
    first = service.lines[0]
    first.socket.shutdown(socket.SHUT_RDWR)
    assert first.closed.wait(PATIENCE)
    assert client.images.edit(image=photo, prompt="x").data
    assert [len(line.heads) for line in service.lines] == [1, 1]


def test_hung_up_while_it_waits_to_leave(service: Keeper, photo: Image.Image) -> None:
    """A line that is hung up while the log is written is left for another, and the log is told once."""
    client = Client(KEY, base_url=service.url)
    client.images.edit(image=photo, prompt="x")
    marks: list[float] = []

    async def marked() -> None:
        marks.append(time.monotonic())
        service.lines[0].socket.shutdown(socket.SHUT_RDWR)
        await asyncio.to_thread(service.lines[0].closed.wait, PATIENCE)

    request = EditRequest.make(image=photo, prompt="x")
    assert loop.call(client.core.send(request, Told(sent=marked))).data
    assert [len(line.heads) for line in service.lines] == [1, 1]
    assert len(marks) == 1


def test_kept_too_long_while_it_waits_to_leave(
    service: Keeper, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is one that was kept too long by then, even where nobody has hung up."""
    client = Client(KEY, base_url=service.url)
    client.images.edit(image=photo, prompt="x")

    async def marked() -> None:
        monkeypatch.setattr(early, "KEPT", 0.0)

    request = EditRequest.make(image=photo, prompt="x")
    assert loop.call(client.core.send(request, Told(sent=marked))).data
    assert [len(line.heads) for line in service.lines] == [1, 1]


def test_nobody_there_any_more(photo: Image.Image, tmp_path: Path) -> None:
    """Where the line was hung up and no other can be made, nothing was sent, and the run says so."""
    with keeper() as service:
        client = Client(KEY, base_url=service.url)
        client.images.edit(image=photo, prompt="x")
        line = service.lines[0]
    assert line.closed.wait(PATIENCE)
    log = RunLog(tmp_path / "log")
    run = start_edit(photo, "x", client=client, log=log)
    with pytest.raises(NotSentError, match="nothing was sent"):
        run.wait(PATIENCE)
    assert log.rows()[0].state == "not sent"
    assert log.totals().runs == 0


def test_lost_with_the_line(service: Keeper, photo: Image.Image, tmp_path: Path) -> None:
    """Where a kept line breaks after a request has left, nobody knows what became of it, and it is not sent again."""
    service.reply = lambda line: answer() if len(line.heads) == 1 else None
    client = Client(KEY, base_url=service.url, wait_when_busy=60)
    log = RunLog(tmp_path / "log")
    start_edit(photo, "x", client=client, log=log).wait(PATIENCE)
    run = start_edit(photo, "x", client=client, log=log)
    with pytest.raises(UnknownOutcomeError):
        run.wait(PATIENCE)
    assert [len(line.heads) for line in service.lines] == [2]
    assert [row.state for row in log.rows()] == ["unknown", "done"]


@pytest.mark.parametrize(
    "said",
    [
        answer() + answer(b'{"data": [{"b64_json": "c3dhcHBlZA=="}]}'),
        answer() + b"\r\n",
        answer(more="Connection: close\r\n"),
        answer(more="Content-Length: 7\r\n"),
        answer(more="Transfer-Encoding: chunked\r\n"),
        answer(more="An illegal line\r\n"),
        answer(more="Folded: a\r\n b\r\n"),
        answer().replace(b"HTTP/1.1", b"HTTP/1.0"),
        answer().replace(b"\r\n", b"\n", 3),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nMore: x\r\n\r\n"
        % (len(BODY), BODY),
    ],
    ids=[
        "two answers",
        "more behind it",
        "closes",
        "two lengths",
        "two framings",
        "illegal",
        "folded",
        "1.0",
        "bare lines",
        "trailers",
    ],
)
def test_an_odd_answer_is_its_lines_last(
    service: Keeper, photo: Image.Image, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an answer in which anything had to be mended, or with something behind it, no request goes by its line."""
    monkeypatch.setattr(heads, "PATIENCE", 0.2)
    service.reply = lambda line: said if line.number == 1 else answer()
    client = Client(KEY, base_url=service.url)
    with contextlib.suppress(UnknownOutcomeError):
        client.images.edit(image=photo, prompt="x")
    response = client.images.edit(image=photo, prompt="x")
    assert [item.data is not None for item in response.data] == [True]
    assert [len(line.heads) for line in service.lines] == [1, 1]


def test_a_service_gets_no_cookies_back(service: Keeper, photo: Image.Image) -> None:
    """What a service wants remembered is not."""
    service.reply = lambda line: answer(more="Set-Cookie: person=7\r\n")
    client = Client(KEY, base_url=service.url)
    for _ in range(2):
        client.images.edit(image=photo, prompt="x")
    assert [len(line.heads) for line in service.lines] == [2]
    assert not any(b"cookie" in head.lower() for head in service.heads)


def test_another_proxy_is_another_way(
    service: Keeper, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names something else than before, the kept line is not used."""
    client = Client(KEY, base_url="http://api.example.com/v1", allow_http=True)
    with keeper() as second:
        for proxy in (service, second):
            monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
            client.images.edit(image=photo, prompt="x")
            client.images.edit(image=photo, prompt="x")
        assert [len(line.heads) for line in service.lines + second.lines] == [2, 2]


def test_a_line_that_nobody_needs_is_closed(
    service: Keeper, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little after the last request its line is closed, and the next makes another."""
    monkeypatch.setattr("ttapi_nb.client.lines.KEPT", 0.05)
    client = Client(KEY, base_url=service.url)
    client.images.edit(image=photo, prompt="x")
    assert service.lines[0].closed.wait(PATIENCE)
    client.images.edit(image=photo, prompt="x")
    assert [len(line.heads) for line in service.lines] == [1, 1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_lines_of_its_own(service: Keeper, photo: Image.Image) -> None:
    """A child that is made while a line is kept asks by another, and leaves its parent's as it is."""
    client = Client(KEY, base_url=service.url)
    client.images.edit(image=photo, prompt="x")

    def ask(told: Any) -> None:
        told.put(len(client.images.edit(image=photo, prompt="x").data))

    context = multiprocessing.get_context("fork")
    told = context.Queue()
    child = context.Process(target=ask, args=(told,))
    child.start()
    assert told.get(timeout=PATIENCE) == 1
    child.join(PATIENCE)
    client.images.edit(image=photo, prompt="x")
    assert len(service.heads) == 3
    assert len(service.lines[1].heads) == 1

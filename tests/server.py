"""A real HTTP server on this machine that keeps exactly what it got, and answers as a test says.

It speaks plain sockets, so that it can also do what no well-behaved server does: hang, drip, or hang up half-way.
"""

from __future__ import annotations

import base64
import contextlib
import email.policy
import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any, Literal, Self, TypeAlias

from PIL import Image

PATIENCE = 20.0
"""Seconds after which a wait in a test is taken for a hang."""


@dataclass(frozen=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    mime: str | None
    data: bytes


@dataclass(frozen=True)
class Request:
    """A request as it came over the socket; `head` is everything before the body."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    head: bytes

    def get(self, name: str) -> str | None:
        """The value of a header that may come once."""
        found = [value for header, value in self.headers if header.lower() == name.lower()]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def parts(self) -> list[Part]:
        """The body, read as a form by the standard library's parser."""
        head = f"Content-Type: {self.get('content-type')}\r\n\r\n".encode()
        form = BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        assert form.is_multipart()
        found = []
        for part in form.iter_parts():
            name = part.get_param("name", header="content-disposition")
            assert isinstance(name, str)
            mime = part.get_content_type() if "content-type" in part else None
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            found.append(Part(name, part.get_filename(), mime, data))
        return found


@dataclass(frozen=True)
class Reply:
    """What the server answers.

    `hold` is waited for before a byte leaves. `cut` sends only so many bytes of the body and drops the line. `drip`
    sends the body over and over, a byte at a time, until the client hangs up. `drop` answers nothing, and `leave`
    does so with the usual goodbye. `stall` sends only so many bytes, the head's among them, and then neither the rest
    nor a goodbye. `said` are the words behind the status. A header without a value is left out. `line` is all that is
    sent, as it is, and `stays` keeps the line open behind it.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    mime: str = "application/json"
    hold: threading.Event | None = None
    cut: int | None = None
    drip: bool = False
    drop: bool = False
    leave: bool = False
    stall: int | None = None
    said: str = "Said"
    line: bytes | None = None
    stays: bool = False


Answer: TypeAlias = Reply | Callable[[Request], Reply]


def json_reply(content: object, status: int = 200, **more: Any) -> Reply:
    """A reply of JSON."""
    return Reply(status, json.dumps(content).encode(), **more)


def html_reply(status: int) -> Reply:
    """A gateway's web page."""
    return Reply(status, b"<html><body><h1>Sorry</h1> cloud gateway says no</body></html>", mime="text/html")


def encoded(image: Image.Image, format: str = "PNG", **settings: Any) -> bytes:
    """The bytes of a picture's file."""
    out = io.BytesIO()
    image.save(out, format, **settings)
    return out.getvalue()


def decoded(data: bytes) -> Image.Image:
    """The picture in a file's bytes."""
    return Image.open(io.BytesIO(data))


def pictures(*images: Image.Image) -> dict[str, Any]:
    """The content of a plain reply with these results."""
    return {
        "created": 1_774_500_000,
        "data": [{"b64_json": base64.b64encode(encoded(image)).decode()} for image in images],
        "usage": {
            "total_tokens": 30,
            "input_tokens": 10,
            "output_tokens": 20,
            "input_tokens_details": {"text_tokens": 4, "image_tokens": 6},
        },
    }


class Server:
    """Listens on 127.0.0.1 while its `with` block lasts; `answer` and `routes` (by path) say what it replies."""

    def __init__(self) -> None:
        self.answer: Answer = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))
        self.routes: dict[str, Answer] = {}
        self.drop_halfway: bool = False
        """Hang up after half of a request's body."""
        self.greeting: Literal["listen", "reset", "stall"] = "listen"
        """What to do with who connects: hear the request, hang up at its first byte, or do nothing at all."""
        self.stream: tuple[bytes, threading.Event, bytes] | None = None
        """Bytes to send at once, and bytes to send when the event is set."""
        self.requests: list[Request] = []
        self.connections = 0
        self._changed = threading.Condition()
        self._failures: list[BaseException] = []
        self._held: list[threading.Event] = []
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/v1"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self.let_go()
        # Wakes accept(), which closing alone does not everywhere.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        self._threads[0].join(PATIENCE)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
        if self._failures:
            raise self._failures[0]

    def event(self) -> threading.Event:
        """An event for `Reply.hold`, which `let_go` and the server's end set too."""
        event = threading.Event()
        self._held.append(event)
        return event

    def let_go(self) -> None:
        """Let every reply go that is held back."""
        for event in self._held:
            event.set()

    @property
    def posts(self) -> list[Request]:
        """The requests that may cost something."""
        return [request for request in self.requests if request.method == "POST"]

    def wait_for(self, count: int) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, PATIENCE), "no request came"

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._closing.is_set():
                connection.close()
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            connection.settimeout(PATIENCE)
            if self.greeting == "reset":
                # Sooner, and whoever connects might or might not have begun to send.
                connection.recv(1)
                _reset(connection)
                return
            if self.greeting == "stall":
                self._closing.wait(PATIENCE)
                return
            try:
                self._converse(connection, stream)
            except (ConnectionError, TimeoutError):
                pass  # the client hung up, which many tests are about
            except BaseException as error:  # noqa: BLE001 - raised again where the test ends
                self._failures.append(error)

    def _converse(self, connection: socket.socket, stream: io.BufferedIOBase) -> None:
        lines: list[bytes] = []
        while (line := stream.readline()) not in (b"\r\n", b""):
            if not lines and not line.isascii():
                return  # TLS, which this server does not speak
            lines.append(line)
        if not lines:
            return
        method, path, _ = lines[0].decode("latin-1").split(" ", 2)
        headers = tuple(_header(line) for line in lines[1:])
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = stream.read(length // 2 if self.drop_halfway else length)
        request = Request(method, path, headers, body, b"".join(lines))
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if self.drop_halfway:
            _reset(connection)
            return
        if self.stream is not None:
            first, event, last = self.stream
            connection.sendall(first)
            assert event.wait(PATIENCE), "nobody let the rest of the stream go"
            connection.sendall(last)
            return
        answer = self.routes.get(path, self.answer)
        self._send(connection, answer if isinstance(answer, Reply) else answer(request))

    def _send(self, connection: socket.socket, reply: Reply) -> None:
        if reply.hold is not None:
            assert reply.hold.wait(PATIENCE), "nobody let the reply go"
        if reply.drop:
            _reset(connection)
            return
        if reply.leave:
            return
        if reply.line is not None:
            connection.sendall(reply.line)
            if reply.stays:
                self._closing.wait(PATIENCE)
            return
        headers = {
            "Content-Type": reply.mime,
            "Content-Length": str(10**6 if reply.drip else len(reply.body)),
            "Connection": "close",
        } | dict(reply.headers)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        head = f"HTTP/1.1 {reply.status} {reply.said}\r\n{lines}\r\n".encode("latin-1")
        if reply.stall is not None:
            connection.sendall((head + reply.body)[: reply.stall])
            self._closing.wait(PATIENCE)
            return
        connection.sendall(head)
        if reply.drip:
            while not self._closing.wait(0.02):
                connection.sendall(b" ")
        elif reply.cut is not None:
            connection.sendall(reply.body[: reply.cut])
            _reset(connection)
        else:
            connection.sendall(reply.body)


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name, value.strip()


def _reset(connection: socket.socket) -> None:
    """Hang up at once, without the usual goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def full_port() -> Iterator[int]:
    """A port of this machine whose queue is full, so that a connection to it is neither made nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", port))
        yield port


Failure: TypeAlias = Literal["time-out", "500", "504", "dropped", "half sent", "half answered", "200 failed"]


def fail(server: Server, how: Failure) -> None:
    """Make the server fail a request in one of the ways that are known from the wild."""
    if how == "time-out":
        server.answer = Reply(hold=server.event())
    elif how == "half sent":
        server.drop_halfway = True
    elif how == "200 failed":
        server.answer = json_reply({"status": "FAILED", "message": "banned words", "data": None})
    else:
        good = json.dumps(pictures(Image.new("RGB", (64, 64)))).encode()
        server.answer = {
            "500": json_reply({"error": {"message": "oops", "type": "server_error"}}, 500),
            "504": html_reply(504),
            "dropped": Reply(drop=True),
            "half answered": Reply(body=good, cut=len(good) // 2),
        }[how]

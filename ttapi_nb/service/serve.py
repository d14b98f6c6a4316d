"""The embedded service on a port of this machine, for clients other than our own."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .app import Answer, Service
from .framing import CHUNKED, CutOffError, body_length, pieces
from .inbox import Inbox, Store
from .names import own_names, target_of
from .refusal import Refusal

__all__ = ["BODY_CAP", "LINES", "LocalServer", "serve"]

BODY_CAP = 300_000_000
"""The most bytes a request's body may have."""

LINES = 64
"""How many connections are served at once, a thread for each."""

# As many more are told that it is full, and whoever comes beyond these is hung up on.
TURNED_AWAY = 8
BODIES_CAP = 400_000_000
HEAD_CAP = 256 * 1024
# What of a refused request is read and thrown away: many clients look at an answer only after they have sent all.
DRAINED = 4 * BODY_CAP
SILENCE = 1.0
PIECE = 1 << 20
NO_LIMIT = 1 << 62
FULL = "This service has as many connections as it takes. Send the request again in a moment."
SLOW = "The request came too slowly. Send it again."


class LocalServer(ThreadingHTTPServer):
    """The listening server: `serve_forever()` answers requests until another thread calls `shutdown()`.

    `idle_seconds` is how long a line may stay open without a request, `head_seconds` and `body_seconds` how long a
    request's head and body may take to come, `send_seconds` how long an answer may take to go, and `drain_seconds` how
    long the rest of a refused request is read. A line that has waited for `patience` seconds gives way to a new one
    where all are taken.
    """

    daemon_threads = True
    request_queue_size = 64
    idle_seconds, head_seconds, body_seconds = 60.0, 20.0, 120.0
    send_seconds, drain_seconds, patience = 60.0, 10.0, 1.0

    def __init__(self, host: str, port: int, service: Service) -> None:
        self.service = service
        self.bodies = Store(BODIES_CAP)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._lines = threading.BoundedSemaphore(LINES)
        self._turned_away = threading.BoundedSemaphore(TURNED_AWAY)
        self._lock = threading.Lock()
        # Lines that wait for a request, and since when; the longest first.
        self._resting: dict[socket.socket, float] = {}
        super().__init__((host, port), _Handler)
        self.names = own_names(self._host, self.server_port)

    @property
    def url(self) -> str:
        """What a client is given as its base URL."""
        return f"http://{self.origin}/v1"

    @property
    def origin(self) -> str:
        """Host and port, as they stand in a URL."""
        return (
            f"[{self._host}]:{self.server_port}" if ":" in self._host else f"{self._host}:{self.server_port}"
        )

    @property
    def _host(self) -> str:
        host = self.server_address[0]
        return host.decode() if isinstance(host, bytes | bytearray) else str(host)

    def server_bind(self) -> None:
        """Bind, without the look-up of a host name that `http.server` does, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    # A line's turn

    def rest(self, line: socket.socket) -> None:
        """Say that a line waits for its next request."""
        with self._lock:
            self._resting[line] = time.monotonic()

    def take_up(self, line: socket.socket) -> bool:
        """Say that a request has come on a line; False where the line had to give way meanwhile."""
        with self._lock:
            return self._resting.pop(line, None) is not None

    def _make_room(self) -> bool:
        """Close the line that has waited longest, where one has waited for long, and take its place."""
        with self._lock:
            oldest = next(iter(self._resting), None)
            if oldest is None or time.monotonic() - self._resting[oldest] < self.patience:
                return False
            del self._resting[oldest]
        with contextlib.suppress(OSError):
            oldest.shutdown(socket.SHUT_RDWR)
        return self._lines.acquire(timeout=1)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new line on a thread of its own, or turn it away where there are enough."""
        if self._lines.acquire(blocking=False) or self._make_room():
            self._begin(self._lines, self.process_request_thread, request, client_address)
        elif self._turned_away.acquire(blocking=False):
            self._begin(self._turned_away, self._turn_away, request, client_address)
        else:
            self.shutdown_request(request)

    def _begin(
        self, slots: threading.Semaphore, act: Callable[[Any, Any], None], request: Any, address: Any
    ) -> None:
        def run() -> None:
            try:
                act(request, address)
            finally:
                self.take_up(request)
                slots.release()

        try:
            threading.Thread(target=run, daemon=True).start()
        except RuntimeError:
            # The system has no thread left.
            slots.release()
            self.shutdown_request(request)

    def _turn_away(self, request: Any, address: Any) -> None:
        try:
            _FullHandler(request, address, self)
        except Exception:  # noqa: BLE001 - as `process_request_thread` does
            self.handle_error(request, address)
        finally:
            self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that hang up; anything else is a fault to see."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed wants its own alias


def serve(host: str = "127.0.0.1", port: int = 0, service: Service | None = None) -> LocalServer:
    """The service on a port of this machine (0: any that is free); the caller calls `serve_forever()` on it.

    Left out, `service` is one that takes any key and refuses a request without one. The address must be this
    machine's own loopback: the service is made for one person's clients, not for a network. It answers only for its
    own names, so that a web page can't use it. Raises `ValueError` where the address is another, and `OSError` where
    the port is taken.
    """
    if not _is_loopback(host):
        message = f"{host!r} is not this machine's own address. Listen on 127.0.0.1 or ::1."
        raise ValueError(message)
    return LocalServer(host, port, service or Service(require_key=True))


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # What can't be read is answered so that a person can.
    default_request_version = "HTTP/1.0"
    server: LocalServer

    def setup(self) -> None:
        """Read by deadlines: `http.server` has a time-out for each byte only."""
        super().setup()
        self.rfile.close()
        self.inbox = Inbox(self.connection)
        self.reader = self.rfile = io.BufferedReader(self.inbox, 16_384)
        self.headers = Message()
        self.expects = False
        # Bytes of the request that are still to come; None where nobody knows.
        self.unread: int | None = None

    def handle_one_request(self) -> None:
        """Wait for a request, read its head and answer it."""
        self.server.rest(self.connection)
        self.close_connection = True
        self.unread, self.expects = None, False
        self.inbox.allow(self.server.idle_seconds, HEAD_CAP)
        if not self._more():
            return
        self.inbox.allow(self.server.head_seconds, HEAD_CAP)
        try:
            super().handle_one_request()
        except Refusal as refusal:
            self._refuse(refusal)

    def _more(self) -> bool:
        try:
            return bool(self.reader.peek(1))
        except OSError:
            return False

    def handle_expect_100(self) -> bool:
        """Say that the body may come only once the head was found to be in order."""
        self.expects = True
        return True

    def _reply(self) -> None:
        if not self.server.take_up(self.connection):
            self.close_connection = True
            return
        try:
            length = body_length(self.command, self.request_version, self.headers)
            self.unread = None if length == CHUNKED else length
            answer = self._answer(length)
        except Refusal as refusal:
            self._refuse(refusal)
        except TimeoutError:
            self._refuse(Refusal(SLOW, status=408))
        except CutOffError:
            self.close_connection = True
        else:
            self._send(answer)

    def _answer(self, length: int) -> Answer:
        host, path = target_of(self.path, self.headers, self.server.names)
        too_large = Refusal(f"The body is over {BODY_CAP // 10**6} MB. Send smaller pictures.", status=413)
        if length > BODY_CAP:
            raise too_large
        if self.expects and length:
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        self.inbox.allow(self.server.body_seconds, NO_LIMIT)
        with self.server.bodies.lot() as lot, io.BytesIO() as collected:
            for piece in pieces(self.reader, length):
                if collected.tell() + len(piece) > BODY_CAP:
                    raise too_large
                lot.grow(len(piece))
                collected.write(piece)
                if self.unread is not None:
                    self.unread -= len(piece)
            self.unread = 0
            headers = dict(self.headers.items())
            return self.server.service.handle(
                self.command, f"http://{host}{path}", headers, collected.getvalue()
            )

    def _refuse(self, refusal: Refusal) -> None:
        # What is left of the body would be taken for the next request.
        self._send(self.server.service.refused(refusal, dict(self.headers.items())), last=True)
        self.inbox.allow(self.server.drain_seconds, NO_LIMIT, pause=SILENCE)
        left = DRAINED if self.unread is None else min(self.unread, DRAINED)
        with contextlib.suppress(OSError):
            while left > 0 and (piece := self.rfile.read1(min(left, PIECE))):
                left -= len(piece)

    def _send(self, answer: Answer, *, last: bool = False) -> None:
        self.connection.settimeout(self.server.send_seconds)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        pieces = answer.pieces
        # What HTTP/1.0 can't be told the length of ends with its line.
        chunked = pieces is not None and self.request_version == "HTTP/1.1"
        if pieces is None:
            self.send_header("Content-Length", str(len(answer.body)))
        elif chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if last or (pieces is not None and not chunked):
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        if pieces is None:
            self.wfile.write(answer.body)
            return
        with contextlib.closing(pieces):
            for piece in pieces:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        self.wfile.write(b"0\r\n\r\n" if chunked else b"")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _reply  # noqa: N815 - http.server's names

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what `http.server` itself refuses in the service's words."""
        self.unread = None
        self._refuse(Refusal("The request can't be read. Let the HTTP library write it.", status=int(code)))

    def version_string(self) -> str:
        """What the `Server` header says."""
        return "ttapi_nb"

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a request's lines may hold what is the user's own."""


class _FullHandler(_Handler):
    """For a line that comes when all are taken: it is told so."""

    def _answer(self, length: int) -> Answer:
        raise Refusal(FULL, status=503)

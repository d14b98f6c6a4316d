"""The embedded service on a port of this machine, for clients other than our own."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .app import Answer, Service

__all__ = ["BODY_CAP", "LocalServer", "serve"]

BODY_CAP = 300_000_000
"""The most bytes a request's body may have."""

IDLE_SECONDS = 60
PIECE = 1 << 20


class LocalServer(ThreadingHTTPServer):
    """The listening server: `serve_forever()` answers requests until another thread calls `shutdown()`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, service: Service) -> None:
        self.service = service
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """What a client is given as its base URL."""
        return f"http://{self.origin}/v1"

    @property
    def origin(self) -> str:
        """Host and port, as they stand in a URL."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else str(host)
        return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"

    def server_bind(self) -> None:
        """Bind, without the look-up of a host name that `http.server` does, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that hang up; anything else is a fault to see."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed wants its own alias


def serve(host: str = "127.0.0.1", port: int = 0, service: Service | None = None) -> LocalServer:
    """The service on a port of this machine (0: any that is free); the caller calls `serve_forever()` on it.

    Left out, `service` is one that takes any key and refuses a request without one. The address must be this
    machine's own loopback: the service is made for one person's clients, not for a network.
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
    timeout = IDLE_SECONDS
    server: LocalServer

    def _reply(self) -> None:
        length = self._body_length()
        if length is None:
            self._refuse(411, "The body must come with its Content-Length.")
        elif length > BODY_CAP:
            # Read to the end first: many clients look at an answer only after they have sent everything.
            self._skip(min(length, 4 * BODY_CAP))
            self._refuse(413, f"The body is over {BODY_CAP // 10**6} MB. Send smaller pictures.")
        else:
            body = self.rfile.read(length)
            if len(body) == length:
                headers = dict(self.headers.items())
                self._send(self.server.service.handle(self.command, self._url(), headers, body))
            else:
                self.close_connection = True

    def _body_length(self) -> int | None:
        if "Transfer-Encoding" in self.headers:
            return None
        text = self.headers.get("Content-Length", "0" if self.command in ("GET", "HEAD", "OPTIONS") else "")
        return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None

    def _skip(self, length: int) -> None:
        while length > 0 and (piece := self.rfile.read(min(length, PIECE))):
            length -= len(piece)

    def _url(self) -> str:
        host = self.headers.get("Host", "")
        if not re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?", host):
            host = self.server.origin
        return f"http://{host}{self.path}"

    def _refuse(self, status: int, message: str) -> None:
        # What is left of the body would be taken for the next request.
        self._send(self.server.service.refusal(status, message), last=True)

    def _send(self, answer: Answer, *, last: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if last:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _reply  # noqa: N815 - http.server's names

    def version_string(self) -> str:
        """What the `Server` header says."""
        return "ttapi_nb"

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a request's lines may hold what is the user's own."""

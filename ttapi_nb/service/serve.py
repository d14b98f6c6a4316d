"""The embedded service on a port of this machine, for clients other than our own."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from typing import TYPE_CHECKING, Self

from ..errors import SettingsError
from .app import Service
from .names import own_names

if TYPE_CHECKING:
    import socket

    from ..serving import Lines
    from .asgi import Limits

__all__ = ["LINES", "LocalServer", "serve"]

LINES = 256
"""How many connections there may be at once."""

# What the extra named serve brings.
PACKAGES = ("starlette", "uvicorn")
NEEDED = 'The embedded service on a port needs a few more packages. Install them with: pip install "ttapi-nb[serve]"'


class LocalServer:
    """The listening server: `serve_forever()` answers requests until another thread calls `shutdown()`, or Ctrl+C.

    Use it in a `with` block, which closes it. `lines` says how long connections may take and how many there may be,
    `limits` how large and slow bodies may be and how many edits are made at once; both may be changed at any time.
    """

    def __init__(self, host: str, listening: socket.socket, service: Service) -> None:
        from ..serving import Lines, server_for
        from .asgi import Application, Limits

        self.service = service
        self.lines: Lines = Lines(
            head_seconds=60.0, write_seconds=60.0, answer_seconds=120.0, drain_seconds=10.0,
            leaving_seconds=2, most=LINES,
        )  # fmt: skip
        self.limits: Limits = Limits()
        self._socket = listening
        self._host, self.server_port = str(listening.getsockname()[0]), int(listening.getsockname()[1])
        self.names = own_names(self._host, self.server_port)
        app = Application(service, self.names, self.limits)
        self._server = server_for(app, app.refuse, lines=self.lines, lifespan="off")
        self._ended = threading.Event()
        self._ended.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server_close()

    @property
    def url(self) -> str:
        """What a client is given as its base URL."""
        return f"http://{self.origin}/v1"

    @property
    def origin(self) -> str:
        """Host and port, as they stand in a URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self.server_port}"

    def serve_forever(self) -> None:
        """Answer requests. Whoever connected before is answered too."""
        self._ended.clear()
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._ended.set()

    def shutdown(self) -> None:
        """Have `serve_forever()` return, which another thread is in, and wait until it has."""
        self._server.stop()
        self._ended.wait()

    def server_close(self) -> None:
        """Listen no more."""
        self._socket.close()


def serve(host: str = "127.0.0.1", port: int = 0, service: Service | None = None) -> LocalServer:
    """The service on a port of this machine (0: any that is free); the caller calls `serve_forever()` on it.

    Left out, `service` is one that takes any key and refuses a request without one. The address must be this
    machine's own loopback: the service is made for one person's clients, not for a network. It answers only for its
    own names, so that a web page can't use it. Raises `ValueError` where the address is another, `OSError` where
    the port is taken, and `SettingsError` where the extra `ttapi-nb[serve]` is missing.
    """
    if not _is_loopback(host):
        message = f"{host!r} is not this machine's own address. Listen on 127.0.0.1 or ::1."
        raise ValueError(message)
    try:
        from ..serving import listen
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in PACKAGES:
            raise
        raise SettingsError(NEEDED) from None
    return LocalServer(host, listen(host, port), service or Service(require_key=True))


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"

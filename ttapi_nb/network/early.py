"""Hearing a service that refuses before it has read the whole request, and then hangs up.

The line breaks under what is still being sent, and what the service had said is gone with it, unless somebody listened.
So each line is listened to while it is written to. What says no (HTTP 4xx and 5xx) ends the writing; all else does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from .heads import Heads

__all__ = ["listening", "load"]

# In bytes: what is written between two looks at what came.
PIECE = 1 << 16
HEARD = 1 << 16
REFUSALS = (b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4", b"HTTP/1.0 5")


def load() -> None:
    """Load what httpx would as it makes its first line; another version of it may have other parts."""
    for name in ("httpcore._backends.anyio", "anyio._backends._asyncio"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def listening(transport: httpx.AsyncHTTPTransport) -> httpx.AsyncHTTPTransport:
    """The same transport, whose lines are listened to while a request leaves."""
    # httpx gives no way in; tests over sockets hold that this is one.
    pool: Any = transport._pool
    pool._network_backend = _Backend(pool._network_backend)
    return transport


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens lines that are listened to."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A line to a host."""
        return _Line(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


class _Line(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._heard: asyncio.Task[bytes] | None = None
        self._heads = Heads()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What came while it was written to, and then what comes, with the answer's head in a form that is taken."""
        while True:
            came = await self._next(max_bytes, timeout)
            found = self._heads.through(came)
            if found or not came:
                return found

    async def _next(self, max_bytes: int, timeout: float | None) -> bytes:
        if self._heard is None:
            return await self._inner.read(max_bytes, timeout)
        heard, self._heard = self._heard, None
        return await heard

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write, and stop where the other end says no meanwhile. Raises `httpcore.WriteError` then."""
        if len(buffer) > PIECE and self._heard is None:
            self._heard = asyncio.create_task(self._inner.read(HEARD, None))
        if self._heard is None:
            await self._inner.write(buffer, timeout)
            return
        for start in range(0, len(buffer), PIECE):
            # So that what came is taken before a write finds the line broken.
            await asyncio.sleep(0)
            writing = asyncio.ensure_future(self._inner.write(buffer[start : start + PIECE], timeout))
            try:
                while not writing.done() and not self._was_refused():
                    # Who does not read any more may have answered all the same.
                    pending = {writing} if self._heard.done() else {writing, self._heard}
                    await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not writing.done():
                    writing.cancel()
            if self._was_refused():
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await writing
                raise httpcore.WriteError("The other end has answered already.")
            await writing

    def _was_refused(self) -> bool:
        heard = self._heard
        if heard is None or not heard.done() or heard.cancelled() or heard.exception() is not None:
            return False
        return heard.result().startswith(REFUSALS)

    async def aclose(self) -> None:
        """End it, and the listening."""
        if self._heard is not None:
            self._heard.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._heard
            self._heard = None
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """The same line, secured."""
        return _Line(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What is known of the line."""
        return self._inner.get_extra_info(info)

"""Lines on which an answer is heard whenever it comes and however it is written.

A service may refuse before it has read the whole request, and then hang up. The line breaks under what is still being
sent, and what the service had said is gone with it, unless somebody listened. So each line is listened to while it is
written to. What says no (HTTP 4xx and 5xx) ends the writing; all else does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import re
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from .heads import Answer

__all__ = ["KEPT", "listening", "load"]

KEPT = 1.5
"""For how many seconds a line is kept for another request: less than services keep theirs, which hang up then."""

# In bytes: what is written between two looks at what came, and what a line takes without being waited for; what is
# taken of what came at once, and kept at most.
PIECE, SIP = 1 << 20, 1 << 14
HEARD = 1 << 16
MOST_HEARD = 1 << 22
# Begins a request; a line to a proxy of SOCKS begins with other things. How a proxy makes a line is its own affair.
REQUEST = re.compile(rb"(?!CONNECT )([A-Z]+) [^\r\n]* HTTP/1\.1\r\n")


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
    """A line for one request and its answer, and for others where that answer leaves it to them."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._rests_since = 0.0
        self._heard: asyncio.Task[bytes] | None = None
        self._answer: Answer | None = None
        self._failure: Exception | None = None
        self._size = 0
        # The line's end in this process once more: asyncio lets go of its own where a write fails.
        self._spare: socket.socket | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What came while it was written to, and then what comes: once a request has left, its answer, mended."""
        answer = self._answer
        if answer is None:
            return await self._inner.read(max_bytes, timeout)
        while not (ready := answer.take()):
            if self._failure is not None:
                raise self._failure
            if answer.is_over:
                return b""
            await self._read_on(answer, max_bytes, timeout)
        if answer.leaves_line:
            self._rests_since = asyncio.get_running_loop().time()
        return ready

    async def _read_on(self, answer: Answer, max_bytes: int, timeout: float | None) -> None:
        """Take the next bytes of the answer, or its end."""
        failure: Exception | None = None
        data = b""
        if self._heard is None:
            self._heard = asyncio.ensure_future(self._inner.read(max_bytes, timeout))
        await asyncio.wait({self._heard}, timeout=answer.patience)
        if self._heard.done():
            heard, self._heard = self._heard, None
            try:
                data = heard.result()
            except httpcore.ReadError as error:
                failure = error
        if data:
            answer.feed(data)
            return
        self._salvage(answer)
        answer.end(broken=failure is not None)
        if not answer.is_whole:
            self._failure = failure or httpcore.RemoteProtocolError("The answer has no end.")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write, and stop where the other end says no meanwhile. Raises `httpcore.WriteError` then.

        A request for which the line was kept too long is not begun: `httpcore.ConnectionNotAvailable` has it go by
        another line.
        """
        if (self._answer is None or self._is_left) and (request := REQUEST.match(buffer)):
            if self._is_left and self._is_stale():
                raise httpcore.ConnectionNotAvailable
            self._failure, self._size = None, 0
            self._answer = Answer(without_head=request[1] == b"POST")
            with contextlib.suppress(OSError, AttributeError):
                self._spare = self._spare or self._inner.get_extra_info("socket").dup()
        answer = self._answer
        if answer is None:
            await self._inner.write(buffer, timeout)
            return
        if len(buffer) <= SIP:
            self._listen(answer)
            await self._inner.write(buffer, timeout)
            return
        view = memoryview(buffer)
        for start in range(0, len(buffer), PIECE):
            self._listen(answer)
            # So that what came is taken before a write finds the line broken.
            await asyncio.sleep(0)
            await self._write(answer, view[start : start + PIECE], timeout)

    @property
    def _is_left(self) -> bool:
        """Whether it carried an answer, and may carry another."""
        return self._answer is not None and self._answer.leaves_line and self._heard is None

    def _is_stale(self) -> bool:
        """Whether the other end has hung up, or soon may: that would leave it open what became of a request."""
        rested = asyncio.get_running_loop().time() - self._rests_since
        return rested > KEPT or bool(self._inner.get_extra_info("is_readable"))

    async def _write(self, answer: Answer, piece: memoryview, timeout: float | None) -> None:
        # Typed for bytes; all that takes them there takes any buffer.
        writing = asyncio.ensure_future(self._inner.write(piece, timeout))  # type: ignore[arg-type]
        try:
            while True:
                self._listen(answer)
                if writing.done() or answer.refuses:
                    break
                # Who does not read any more may have answered all the same.
                pending = {writing} if self._heard is None or self._heard.done() else {writing, self._heard}
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not writing.done():
                writing.cancel()
        if answer.refuses:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await writing
            raise httpcore.WriteError("The other end has answered already.")
        await writing

    def _listen(self, answer: Answer) -> None:
        """Give what was heard to the answer, and listen on; who has hung up says nothing more."""
        heard = self._heard
        if heard is not None and heard.done() and not heard.cancelled() and heard.exception() is None:
            if not heard.result() or self._size > MOST_HEARD:
                return
            self._size += len(heard.result())
            answer.feed(heard.result())
            self._heard = None
        if self._heard is None and not answer.is_over:
            self._heard = asyncio.ensure_future(self._inner.read(HEARD, None))

    def _salvage(self, answer: Answer) -> None:
        """What lay in this machine when a write found the line broken: asyncio reads nothing after that."""
        if self._spare is None:
            return
        spare, self._spare = self._spare, None
        with spare, contextlib.suppress(OSError, ValueError):
            while data := spare.recv(HEARD):
                answer.feed(self._plain(data))

    def _plain(self, data: bytes) -> bytes:
        """What bytes of the line say: themselves, or what they decrypt to."""
        secured = self._inner.get_extra_info("ssl_object")
        if secured is None:
            return data
        plain = b""
        # anyio gives no way in either; without one, what is read here is lost as it was before.
        with contextlib.suppress(ssl.SSLError, AttributeError):
            inner: Any = self._inner
            inner._stream._read_bio.write(data)
            while piece := secured.read(HEARD):
                plain += piece
        return plain

    async def aclose(self) -> None:
        """End it, and the listening."""
        if self._heard is not None:
            self._heard.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._heard
            self._heard = None
        if self._spare is not None:
            self._spare.close()
            self._spare = None
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """The same line, secured."""
        return _Line(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What is known of the line."""
        if info == "is_readable" and self._answer is not None and not self._is_left:
            # By this it is told that a line that rests is none any more.
            return True
        return self._inner.get_extra_info(info)

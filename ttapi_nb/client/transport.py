"""The ways out: the network with the key, or the embedded service in this process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

import httpx

from .. import loop
from ..download import origin
from ..errors import NotSentError, SettingsError
from ..network import address, ways
from .key import Secret

if TYPE_CHECKING:
    from ..service import Service

__all__ = [
    "CONNECT_EVENT",
    "SENT_EVENT",
    "WAITS_EVENT",
    "EmbeddedTransport",
    "KeyTransport",
    "is_loopback",
    "network_set_up",
    "network_transport",
]

SENT_EVENT = "send_request_headers.started"
"""How the trace event ends with which a request's first byte leaves (httpcore's name)."""

WAITS_EVENT = "place.started"
"""How the trace event ends with which a request for the embedded service waits for others: that is not its own time."""

T = TypeVar("T")

CONNECT_EVENT = "connect_tcp.started"
"""How the trace event ends with which a new line is made."""

# Any address that a result's URL may have.
ANY_RESULT = httpx.URL("https://results.invalid")


def _without_answer(record: logging.LogRecord) -> bool:
    """Take what a service wrote into its answer's head out of a log's line: it may quote the key there."""
    if not loop.is_here():
        return True
    if record.name == "httpx":
        # Method, URL, version, status, and the service's own words for the status.
        if isinstance(record.args, tuple) and len(record.args) == 5:
            record.args = (*record.args[:4], "")
    elif str(record.msg).startswith(("receive_response", "setup_socks5_connection")):
        # The second has a proxy's password.
        record.msg = str(record.msg).split(" ", 1)[0]
    return True


# Of our own requests only, which all run on the package's thread.
for _name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_without_answer)


class KeyTransport(httpx.AsyncBaseTransport):
    """Adds the key to a copy of each request, and only to requests for the API's own origin.

    The request that httpx knows, logs and hangs on its exceptions never has it.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, base_url: httpx.URL, secret: Secret, header: str, scheme: str
    ) -> None:
        self._inner = inner
        self._origin = origin(base_url)
        self._secret = secret
        self._header = header
        self._scheme = scheme

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if origin(request.url) != self._origin:
            raise httpx.UnsupportedProtocol("The key goes to the API's own address only.")
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                request.url,
                headers=[
                    *request.headers.raw,
                    (self._header.encode(), f"{self._scheme} {self._secret.reveal()}".strip().encode()),
                ],
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _untold(event: str, info: Mapping[str, object]) -> None:
    """Nobody asked."""


class _Places:
    """Lets `loop.AT_ONCE` through at a time, and one more where for `PATIENCE` seconds nobody could go in.

    What is inside may wait for what is outside: a fill of one's own may ask for another edit. Only for one loop.
    """

    PATIENCE = 10.0

    def __init__(self) -> None:
        self._inside = 0
        self._entered = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        here = asyncio.get_running_loop()
        while self._inside >= loop.AT_ONCE and (left := self._entered + self.PATIENCE - here.time()) > 0:
            turn = here.create_future()
            self._waiting.append(turn)
            try:
                await asyncio.wait((turn,), timeout=left)
            except asyncio.CancelledError:
                if turn.done():
                    self._call_next()
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        self._inside += 1
        self._entered = here.time()

    def leave(self) -> None:
        # Nothing is awaited, so that whoever is cancelled leaves too.
        self._inside -= 1
        self._call_next()

    def _call_next(self) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(None)


# Memory is one, so these are for all services together; a forked child has a loop of its own.
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, _Places] = WeakKeyDictionary()


class EmbeddedTransport(httpx.AsyncBaseTransport):
    """Hands each request to an embedded service in this process, on a thread: no socket, no key.

    Edits wait for each other where there are many: each takes memory, and so does the picture that comes of it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        trace = request.extensions.get("trace", _untold)
        if request.method != "POST":
            return await self._answer(request, body)
        places = _places.setdefault(asyncio.get_running_loop(), _Places())
        await trace("embedded." + WAITS_EVENT, {})
        await places.enter()
        with contextlib.ExitStack() as left:
            left.callback(places.leave)
            await trace("embedded." + SENT_EVENT, {})
            answer = await self._answer(request, body)
            if isinstance(answer.stream, _Pieces):
                # It is still at work.
                answer.stream.ended = left.pop_all().close
            return answer

    async def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        answer = await asyncio.to_thread(
            self._service.handle, request.method, str(request.url), dict(request.headers), body
        )
        # As a stream: whoever downloads a result reads it piece by piece, as from a network.
        stream = httpx.ByteStream(answer.body) if answer.pieces is None else _Pieces(answer.pieces)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=stream)


class _Pieces(httpx.AsyncByteStream):
    """What a service answers piece by piece, each made on a thread; `ended` is called when it is over."""

    def __init__(self, pieces: Generator[bytes]) -> None:
        self._pieces = pieces
        self.ended: Callable[[], object] = pieces.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(next, self._pieces, b""):
            yield piece

    async def aclose(self) -> None:
        ended, self.ended = self.ended, self._pieces.close
        ended()
        # While a piece is made it can't be closed, and is when that is done.
        with contextlib.suppress(ValueError):
            self._pieces.close()


def network_set_up(base_url: httpx.URL, fetch_from: Sequence[str] = ()) -> tuple[ways.SetUp, ...]:
    """What the environment says now of the ways to `base_url`, and to results.

    It reads files, so it is not called on the loop's thread. Raises `NotSentError`, which names the variable, where
    the network can't be set up, for the results' URLs too (`fetch_from` are origins of such): those are fetched when
    the request is paid for, which is too late to find out. So it is for a service on this very machine, which is itself
    spoken to directly.
    """
    return _not_sent(lambda: tuple(map(ways.set_up, (base_url, ANY_RESULT, *map(httpx.URL, fetch_from)))))


def network_transport(
    base_url: httpx.URL, fetch_from: Sequence[str] = (), keep: int = 0
) -> httpx.AsyncBaseTransport:
    """A transport that opens connections to `base_url`, through the environment's proxy where one is set, and keeps
    so many of them for a moment. Not for the loop's thread; raises what `network_set_up` does.
    """
    network_set_up(base_url, fetch_from)
    return _not_sent(lambda: ways.way_to(base_url, keep))


def _not_sent(work: Callable[[], T]) -> T:
    problem = ""
    try:
        return work()
    except SettingsError as error:
        problem = str(error)
    except httpx.InvalidURL:
        problem = "One of the addresses that fetch_from names is none: write it as in http://10.0.0.5:9000."
    raise NotSentError(f"{problem} So nothing was sent or billed.")


def is_loopback(url: httpx.URL) -> bool:
    """Whether the URL leads to this very machine, by its literal host."""
    return address.is_loopback(url.host)

"""Asking again under the same key, where a class's gateway honours it: it sends a run to the service at most once.

A broken line is no unknown outcome there. Nobody else is asked again: only an address that has said on an answer, to
this process, that it honours `Idempotency-Key`, and that says so once more (`GET …/me`) before each asking. Ports are
used again, and another service that stands there by now would bill the same edit twice. An answer that can't be read as
a whole is asked for again too, until it has come alike so often that it is what the service said. A class's token is
known by how it begins, so that with one the address may be asked who it is, which sends no run.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import httpx

from ..download import origin
from ..errors import NotSentError, UnknownOutcomeError
from .key import Secret
from .told import Told

__all__ = ["KEY_HEADER", "TOKEN_PREFIX", "BrokenLineError", "posted"]

KEY_HEADER = "Idempotency-Key"
GATEWAY_HEADER, HONOURED = "TTAPI-NB-Gateway", "idempotency-key"
TOKEN_PREFIX = "ttclass-"  # noqa: S105 - what all of them begin with
# In seconds: pauses between two askings, how long a question about oneself may take, and how often the place is asked.
FIRST_PAUSE, LONGEST_PAUSE, PATIENCE, LOOK, LONGEST_LOOK = 0.25, 5.0, 10.0, 2.0, 20.0
LARGEST = 65_536
# How often an answer that can't be read has to come, alike, to be taken for what the service said.
ALIKE = 4
BROKE = "The line broke. The gateway is asked again; it sends nothing twice."
PAUSED = "Your teacher has paused the class, and this run waits."
NEXT = "You are next."

# Of this process; a gateway says it again on every answer.
_honouring: set[tuple[str, str, int]] = set()


class Line(Protocol):
    """The part of `ways.Line` that is needed here."""

    @property
    def secret(self) -> Secret | None:
        """The key that goes along."""

    @property
    def base_url(self) -> str:
        """Where requests go, up to the path."""

    @property
    def offline(self) -> bool:
        """Whether they stay in this process."""

    @property
    def timeout(self) -> float:
        """Seconds for the whole of a request."""

    def transport(self) -> httpx.AsyncBaseTransport:
        """What carries their bytes."""


class Reply(Protocol):
    """What came back for one POST, as far as it matters here."""

    @property
    def status(self) -> int:
        """Its HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers."""

    @property
    def broke(self) -> bool:
        """Whether its line broke before it was whole."""

    async def unread(self) -> bytes:
        """A digest of an answer that speaks of success and can't be read as a whole; empty for any other."""


R = TypeVar("R", bound=Reply)
Post: TypeAlias = Callable[[Told, float], Awaitable[R]]
"""One POST, with whom to tell of its stages, and for how many seconds. Raises `BrokenLineError`, among others."""


class BrokenLineError(Exception):
    """The line broke before an answer had begun; `failure` is what that means."""

    def __init__(self, failure: UnknownOutcomeError) -> None:
        super().__init__()
        self.failure = failure


async def posted(line: Line, post: Post[R], told: Told) -> R:
    """The reply to one POST; where its line breaks, and a gateway honours its key, the one to another POST under it."""
    end = 0.0

    async def sent() -> None:
        nonlocal end
        await told.sent()
        end = time.monotonic() + line.timeout

    reply: R | None = None
    failure: UnknownOutcomeError | None = None
    unread = b""
    async with _place_told(line, told.waits):
        try:
            reply = await post(replace(told, sent=sent), line.timeout)
            # What stands before a gateway speaks for it while it is away.
            stranger = not _heard(line, reply.headers) and reply.status >= 500 and _honours(line)
            if not reply.broke and not stranger:
                # It may have lost its end with nothing on the line to tell.
                unread = await reply.unread() if _may_honour(line) else b""
                if not unread:
                    return reply
        except BrokenLineError as error:
            failure = error.failure
        if _may_honour(line):
            await told.waits(BROKE)
            again = await _ask_again(line, post, replace(told, sent=Told().sent), end, unread)
            if again is not None:
                return again
    if failure is not None:
        raise failure
    if reply is None:
        raise AssertionError("there is a reply or a failure")
    return reply


async def _ask_again(line: Line, post: Post[R], told: Told, end: float, unread: bytes) -> R | None:
    """The gateway's reply, asked for until `end`; None where none came, or this is no gateway.

    Nothing is posted before the address has said, just now, that it honours the key. What stands before a gateway may
    speak for it meanwhile. `unread` is what came and can't be read.
    """
    pause = FIRST_PAUSE
    count = 1
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)
        me = await _me(line)
        if me.is_stranger and not _honours(line):
            return None
        left = end - time.monotonic()
        if me.is_gateway and left > 0:
            with contextlib.suppress(NotSentError, UnknownOutcomeError, BrokenLineError):
                reply = await post(told, left)
                if _heard(line, reply.headers) and not reply.broke:
                    last, unread = unread, await reply.unread()
                    count = count + 1 if unread == last else 1
                    if not unread or count == ALIKE:
                        return reply
    return None


def _heard(line: Line, headers: Mapping[str, str]) -> bool:
    """Whether an answer with these headers is of a gateway that honours the key; it is remembered."""
    honours = headers.get(GATEWAY_HEADER) == HONOURED
    if honours and not line.offline:
        _honouring.add(_origin(line.base_url))
    return honours


@functools.lru_cache(16)
def _origin(url: str) -> tuple[str, str, int]:
    return origin(httpx.URL(url))


def _honours(line: Line) -> bool:
    """Whether this address has said that it honours the key."""
    return not line.offline and bool(_honouring) and _origin(line.base_url) in _honouring


def _may_honour(line: Line) -> bool:
    """Whether it has, or may be asked: the key is a class's token."""
    return _honours(line) or (
        not line.offline and line.secret is not None and line.secret.reveal().startswith(TOKEN_PREFIX)
    )


@contextlib.asynccontextmanager
async def _place_told(line: Line, tell: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """Tell, as long as the block lasts, how many people are before this one in a gateway's queue."""
    if not _may_honour(line):
        yield
        return
    task = asyncio.ensure_future(_tell_places(line, tell))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await tell("")


async def _tell_places(line: Line, tell: Callable[[str], Awaitable[None]]) -> None:
    told, pause = "", LOOK
    while True:
        await asyncio.sleep(pause)
        me = await _me(line)
        if me.is_stranger and not _honours(line):
            return
        ahead = me.standing.get("ahead")
        words = ""
        if isinstance(ahead, int):
            words = (
                PAUSED if me.standing.get("paused") is True else f"{ahead} ahead of you." if ahead else NEXT
            )
            # Many that wait ask less often.
            pause = min(LONGEST_LOOK, LOOK * (1 + ahead / 20))
        if words != told:
            told = words
            await tell(words)


class _Me(NamedTuple):
    """What came of asking an address who one is."""

    is_gateway: bool = False
    """Whether what answered honours the key."""
    is_stranger: bool = False
    """Whether it is somebody else, and not what stands before a gateway while that is away."""
    standing: dict[str, Any] = {}  # noqa: RUF012 - nobody writes into it
    """What a gateway says of whoever asks."""


async def _me(line: Line) -> _Me:
    """Ask who answers at the address now, and what it says of us."""
    me = _Me()
    with contextlib.suppress(Exception):
        transport = await asyncio.to_thread(line.transport)
        async with (
            asyncio.timeout(PATIENCE),
            httpx.AsyncClient(transport=transport, timeout=None, follow_redirects=False) as client,  # noqa: S113 - above
            client.stream("GET", f"{line.base_url.rstrip('/')}/me") as reply,
        ):
            me = _Me(is_gateway=_heard(line, reply.headers))
            body = bytearray()
            async for part in reply.aiter_raw():
                body += part
                if len(body) > LARGEST:
                    break
            if not me.is_gateway:
                # Only now: of an answer that broke off, the line may be missing by which a gateway is known.
                return _Me(is_stranger=reply.status_code < 500)
            if (
                reply.status_code == 200
                and len(body) <= LARGEST
                and isinstance(said := json.loads(body), dict)
            ):
                return _Me(is_gateway=True, standing=said)
    return me

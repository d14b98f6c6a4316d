"""One POST: sent, seen to leave, and its reply taken in, whatever becomes of its line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import httpx

from .. import loop
from ..coding import CodingError, TooLargeError
from ..errors import NotSentError, TTAPIError, UnknownOutcomeError
from ..network import ways
from ..rawanswers import RawAnswer
from ..reply import PartialData
from ..text import may_be_billed
from .again import KEY_HEADER, BrokenLineError
from .forms import Body
from .gate import Gate
from .intake import Intake
from .key import Secret
from .lines import Lines
from .told import Told
from .transport import CONNECT_EVENT, SENT_EVENT, WAITS_EVENT

__all__ = ["Line", "Reply", "post"]

# In bytes: how much of an answer is read at a time.
PIECE = 2**18
PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity"}
STREAM = PLAIN | {"Accept": "text/event-stream, application/json"}


class Line(Protocol):
    """What a request is sent over; see `ways.Line`."""

    @property
    def timeout(self) -> float:
        """Seconds for the whole of a request."""

    @property
    def secret(self) -> Secret | None:
        """The key that goes along, if one does."""

    @property
    def wait_when_busy(self) -> float:
        """For how many seconds to wait for a service that is too busy."""

    @property
    def gate(self) -> Gate:
        """How many go at once."""

    @property
    def lines(self) -> Lines:
        """What was made to carry them."""

    @property
    def fetch_from(self) -> tuple[str, ...]:
        """Further places that results may be fetched from."""

    @property
    def base_url(self) -> str:
        """Where requests go, up to the path."""

    @property
    def host(self) -> str:
        """The name of the machine that they go to."""

    @property
    def offline(self) -> bool:
        """Whether they stay in this process."""

    @property
    def account(self) -> str:
        """Where somebody finds what was billed, for a sentence."""

    def set_up(self) -> object:
        """What the transport depends on."""

    def transport(self) -> httpx.AsyncBaseTransport:
        """What carries their bytes."""


async def post(
    client: httpx.AsyncClient,
    line: Line,
    body: Body,
    cap: int,
    raw: RawAnswer | None,
    stages: Told,
    seconds: float,
) -> Reply:
    """Send it, within so many seconds. Raises `NotSentError`, `UnknownOutcomeError`, or `BrokenLineError`."""
    failure: Exception
    limit = asyncio.timeout(seconds)
    leaving = _Leaving(limit, seconds, stages.sent)
    headers = (STREAM if body.streams else PLAIN) | {
        "Content-Type": body.content_type,
        KEY_HEADER: stages.key,
    }
    url = f"{line.base_url.rstrip('/')}/{body.path}"
    reply: Reply | None = None
    try:
        async with (
            limit,
            client.stream(
                "POST", url, content=body.data, headers=headers, extensions={"trace": leaving.trace}
            ) as stream,
        ):
            status, received = stream.status_code, stream.headers
            # A service may quote the key in what it answers. No name here holds that text: a traceback shows them.
            scrub = line.secret.scrub if line.secret else str
            reply = Reply(
                status, received, Intake(status, dict(received), cap, raw, partial(_tell, stages), scrub)
            )
            live = body.streams or "event-stream" in received.get("content-type", "")
            await _read(stream, reply.body, live=live)
            return reply
    except _StoppedError:
        failure = _not_let_go(leaving.stopped)
    except httpx.ConnectError as error:
        failure = ways.told(error, httpx.URL(url)) or NotSentError(
            f"{line.host} can't be reached, so nothing was sent or billed. "
            "Check the network (and base_url), then run again; without a network use Client.offline()."
        )
    except Exception as error:  # noqa: BLE001 - a fault below us too is told without the frames that hold the key
        failure = _broken(line, error, leaving.sent)
        # Nothing is wrong with the line where only the time is over.
        broke = isinstance(error, httpx.HTTPError | OSError | EOFError) and not _is_late(error)
        if isinstance(failure, UnknownOutcomeError):
            if reply is not None:
                # Its status came, and perhaps all that it has to say.
                return replace(reply, failure=failure, broke=broke)
            failure = BrokenLineError(failure) if broke else failure
    finally:
        leaving.forget()
    # Raised here, not above: httpx's exceptions hang on to the request, and a traceback shows them.
    raise failure


def _is_late(error: Exception) -> bool:
    return isinstance(error, TimeoutError | httpx.TimeoutException)


class _Leaving:
    """Sees a request leave: `sent` is whether a byte of it has, and `stopped` why none may."""

    def __init__(
        self, limit: asyncio.Timeout, timeout: float, on_sent: Callable[[], Awaitable[None]]
    ) -> None:
        self.sent = False
        self.stopped: Exception | None = None
        self._limit, self._timeout = limit, timeout
        self._on_sent: Callable[[], Awaitable[None]] | None = on_sent

    def forget(self) -> None:
        # httpx's request and answer hold each other, and `trace`, until the collector comes by: not a run as well.
        self._on_sent = None

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpx tells of a request's way."""
        if event.endswith(WAITS_EVENT):
            self._limit.reschedule(None)
        if event.endswith(CONNECT_EVENT):
            # Where it was to go by a line that was kept, and that was gone before a byte was written.
            self.sent = False
        # A proxy is asked for a line to the service first, and has seen nothing of the request then.
        tunnel = getattr(info.get("request"), "method", b"") == b"CONNECT"
        if not event.endswith(SENT_EVENT) or self.sent or tunnel:
            return
        on_sent, self._on_sent = self._on_sent, None
        try:
            # To wait until it may leave, for the log say, is no fault of the service.
            self._limit.reschedule(None)
            if on_sent is not None:
                await on_sent()
            self._limit.reschedule(asyncio.get_running_loop().time() + self._timeout)
        except Exception as error:  # noqa: BLE001 - raised again where httpx's frames, which hold the key, are left
            self.stopped = error
            raise _StoppedError from None
        self.sent = True


def _not_let_go(error: Exception | None) -> TTAPIError:
    if isinstance(error, TTAPIError):
        return error
    return NotSentError(f"Nothing was sent or billed. {type(error).__name__}: {error}")


def _broken(line: Line, error: Exception, sent: bool) -> TTAPIError:
    late = _is_late(error)
    if not sent:
        what = (
            f"did not take the connection within {line.timeout:g} seconds"
            if late
            else "could not be spoken to"
        )
        return ways.told(error, httpx.URL(line.base_url)) or NotSentError(
            f"{line.host} {what}, so nothing was sent or billed. Check the network, then run again."
        )
    what = (
        f"No answer came within {line.timeout:g} seconds"
        if late
        else "The answer is larger than any answer is, and was not read to its end"
        if isinstance(error, TooLargeError)
        else f"The answer came, and can't be unpacked: {error}"
        if isinstance(error, CodingError)
        else "The answer came, and there was not enough memory to read it"
        if isinstance(error, MemoryError)
        else f"The answer came, and it could not be read here ({type(error).__name__})"
        if not isinstance(error, httpx.HTTPError | OSError | EOFError)
        else "The line broke before the whole answer was here"
    )
    return UnknownOutcomeError(f"{what}. {may_be_billed(line.account)}")


@dataclass(frozen=True)
class Reply:
    """What came back for one POST."""

    status: int
    # A traceback shows this, and a service may quote the key.
    headers: httpx.Headers = field(repr=False)
    body: Intake
    failure: UnknownOutcomeError | None = None
    """What is to be said where the rest of it did not come, or can't be unpacked."""
    broke: bool = False
    """Whether its line broke."""

    async def unread(self) -> bytes:
        """A digest of an answer that speaks of success and can't be read as a whole; empty for any other."""
        if self.failure is not None or not 200 <= self.status < 300:
            return b""
        return await loop.in_thread(partial(self.body.unread, self.headers.get("content-type", "")))


class _StoppedError(Exception):
    """Ends a request before its first byte leaves."""


def _tell(stages: Told, data: bytes, index: int | None) -> None:
    # An answer must not be lost to whoever looks at its drafts.
    with contextlib.suppress(Exception):
        stages.draft(PartialData(data, index=index))


@contextlib.asynccontextmanager
async def _until(over: asyncio.Timeout) -> AsyncIterator[None]:
    """As `over`, whose end is no error."""
    try:
        async with over:
            yield
    except TimeoutError:
        if not over.expired():
            raise


async def _read(reply: httpx.Response, intake: Intake, *, live: bool) -> None:
    """Take the body in; `live` says that each piece is wanted as soon as it is here."""
    parts = bytearray()
    taking: asyncio.Task[None] | None = None
    over = asyncio.timeout(None)

    async def take() -> None:
        # What comes meanwhile goes along, so that many small pieces are few.
        while parts and (live or len(parts) >= PIECE):
            data = bytes(parts)
            parts.clear()
            await loop.in_thread(partial(intake.take, data))
        if intake.is_over:
            # The line may stay open behind a stream's last word. It may also have ended by itself.
            with contextlib.suppress(RuntimeError):
                over.reschedule(asyncio.get_running_loop().time())

    try:
        async with _until(over):
            async for part in reply.aiter_raw():
                parts += part
                if taking is not None and (taking.done() or len(parts) >= PIECE):
                    # Not awaited itself: what is being taken must be over before the rest is, also when time is up.
                    await asyncio.wait((taking,))
                    taking.result()
                    taking = None
                if taking is None and (live or len(parts) >= PIECE):
                    taking = asyncio.ensure_future(take())
        if taking is not None:
            await asyncio.wait((taking,))
            taking.result()
        rest, parts = bytes(parts), bytearray()
        await loop.in_thread(partial(intake.end, rest))
    except BaseException:
        # The line broke, or its time was over: what came until then is kept, in its order.
        if taking is not None:
            await asyncio.wait((taking,))
            _ = taking.cancelled() or taking.exception()
        await loop.in_thread(partial(intake.broken, bytes(parts)))
        raise

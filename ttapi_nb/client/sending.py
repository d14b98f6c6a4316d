"""Sending one request: written, posted once within its deadline, and its reply read.

What needs httpx is here and in the transports, so that a client can be made, and an editor shown, without loading it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx

from .. import loop
from ..download import download
from ..errors import (
    DownloadError,
    RateLimitError,
    RefusedError,
    TTAPIError,
    UnknownOutcomeError,
)
from ..loading import loading
from ..log.budget import asked_images, asked_partials
from ..network import ways
from ..rawanswers import RawAnswer
from ..reply.meaning import Asked, interpret
from ..reply.responses import ImageData, ImagesResponse, fetched, read_response
from ..request import EditRequest
from ..text import may_be_billed
from .again import posted
from .forms import Body, Form
from .gate import LONGEST_PAUSE, Turn, apart
from .lines import Looked
from .posting import Line, post
from .told import Told

__all__ = ["fetch", "send"]

EMBEDDED_HEADER = "TTAPI-NB-Service"
# In bytes: the largest picture there is takes 45 million as base64.
REPLY_CAP, CAP_PER_PICTURE = 500 * 10**6, 50 * 10**6
# The most results that are read, where fewer were asked for, and how many are fetched at a time.
MOST_RESULTS, FETCHED_AT_ONCE = 10, 4
# In seconds: how long a busy service is left alone the first time it does not say; it is doubled each time.
FIRST_PAUSE = 1.0
BROKE, ENDLESS = "The line broke", "The answer went on for longer than any"


async def send(
    line: Line, request: EditRequest, form: Form, told: Told, raw: RawAnswer | None = None
) -> ImagesResponse:
    """Send `request` once and read the reply, again only where it was refused for being too much; see `Core.send`.

    Where that is so, and `line.wait_when_busy` allows, it is sent again after a while.
    """
    turn = line.gate.turn(line.wait_when_busy)
    written: asyncio.Task[tuple[Body, Looked]] | None = None
    try:
        await turn.near(told.queued)
        # While it waits, and not before it has its place among those that wait: a large one must not come later.
        written = asyncio.ensure_future(_written(line, form, request))
        written.add_done_callback(lambda one: one.cancelled() or one.exception())
        asked = request.body()
        cap = min(REPLY_CAP, CAP_PER_PICTURE * asked_images(asked) * (1 + asked_partials(asked)))
        plain, embedded, cut = await _in_turn(line, written, cap, told, raw, turn)
    finally:
        if written is not None:
            written.cancel()
        turn.end()
    most = max(MOST_RESULTS, asked_images(request.body()))
    try:
        response = await read_response(plain, offline=embedded, fetch=_not_yet, most=most)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, it is paid for
        failure = await _unread(error, raw, line.account)
    else:
        if cut:
            response = _cut_off(response, asked_images(request.body()), cut)
        if raw is not None and any(item.data is None and item.url is None for item in response.data):
            kept = await loop.in_thread(lambda: raw.words)
            response = replace(response, note=f"{response.note} {kept}".strip())
        if all(item.url is None for item in response.data):
            return response
        # Told first: the addresses are paid for, and fetching takes a while.
        await told.answer(response)
        places = asyncio.Semaphore(FETCHED_AT_ONCE)

        async def fetch_one(item: ImageData) -> ImageData:
            async with places:
                return await fetched(item, partial(fetch, line))

        return replace(response, data=tuple(await asyncio.gather(*map(fetch_one, response.data))))
    raise failure


async def _written(line: Line, form: Form, request: EditRequest) -> tuple[Body, Looked]:
    """The body, and what the machine's set-up is now: both on one thread."""

    def write() -> tuple[Body, Looked]:
        body = form.encode(request)
        # It reads certificates, and tells what is wrong with the network's set-up.
        return replace(body, model=str(request.model), streams=request.streams), line.lines.look(line)

    # Pillow loads what it writes a picture with when that is first wanted.
    with loading():
        return await asyncio.to_thread(write)


async def _in_turn(
    line: Line,
    written: asyncio.Task[tuple[Body, Looked]],
    cap: int,
    told: Told,
    raw: RawAnswer | None,
    turn: Turn,
) -> tuple[dict[str, Any], bool, str]:
    """As `_ask`, when it is its turn, and again after a while where the service was too busy."""
    left, pause = line.wait_when_busy, FIRST_PAUSE

    async def goes() -> None:
        await told.sent()
        turn.goes()

    tell: Callable[[str], Awaitable[None]] | None = told.queued
    key = told.key or uuid.uuid4().hex
    for count in itertools.count(1):
        await turn.come(tell)
        try:
            # A refusal was the answer to its key: what is sent anew has another one.
            named = replace(told, sent=goes, key=key if count == 1 else f"{key}-{count}")
            answer = await _ask(line, *await written, cap, named, raw)
            turn.accepted()
            return answer
        except RateLimitError as error:
            seconds = turn.refused(error.status, error.retry_after, pause)
            # Sooner than it asks for would only make it busier, so there is no use in waiting for less.
            if seconds > (max(left, LONGEST_PAUSE) if turn.is_trial else left):
                raise
        finally:
            turn.leave()
        left -= seconds
        await told.busy(seconds)
        await asyncio.sleep(apart(seconds))
        pause, tell = min(2 * pause, LONGEST_PAUSE), None
    raise AssertionError("it counts for ever")


def _cut_off(response: ImagesResponse, asked: int, why: str) -> ImagesResponse:
    """What came of an answer that has no end, and in the place of each result that did not the words for that."""
    missing = (ImageData(problem=f"{why} before all of it was here."),) * max(0, asked - len(response.data))
    ended = f"{why} before the answer's end" if why == BROKE else why
    note = "" if missing else f"{ended}, and all results that were asked for had come."
    return replace(response, data=response.data + missing, note=f"{response.note} {note}".strip())


async def _unread(error: Exception, raw: RawAnswer | None, account: str) -> UnknownOutcomeError:
    """What is said of an answer that came and could not be read, whatever went wrong with that."""
    kept = await loop.in_thread(lambda: raw.words) if raw is not None else ""
    why = f"{type(error).__name__}: {error}".removesuffix(": ")
    words = f"The answer came, and it could not be read here ({why}). {may_be_billed(account)}"
    return UnknownOutcomeError(f"{words} {kept}".strip())


async def _ask(
    line: Line,
    body: Body,
    looked: Looked,
    cap: int,
    told: Told,
    raw: RawAnswer | None,
) -> tuple[dict[str, Any], bool, str]:
    """The plain reply to one POST, whether the embedded service gave it, and what kept it from coming to its end."""
    async with line.lines.opened(line, looked) as client:
        send_it = partial(post, client, line, body, cap, raw)
        reply = await posted(line, send_it, told)
    if reply.status == 407 and not line.offline:
        # Of a proxy that passes plain http on: it has passed nothing on.
        unsent = await asyncio.to_thread(ways.told, httpx.ProxyError("407"), httpx.URL(line.base_url))
        if unsent is not None:
            raise unsent
    embedded = reply.headers.get(EMBEDDED_HEADER) == "embedded"
    failure: TTAPIError
    try:
        parsed = await reply.body.parsed()
        pause = _retry_after(reply.headers.get("Retry-After", ""))
        plain = interpret(reply.status, parsed, Asked(line.account, body.model, pause))
        cut = "" if reply.failure is None else ENDLESS if reply.body.is_too_large else BROKE
        return plain, embedded, cut
    except RefusedError as error:
        # The status came, and tells what became of the request, unless a picture may have been lost.
        refused = reply.failure is None or not reply.body.may_hold_picture
        if refused and raw is not None:
            await loop.in_thread(raw.understood)
        failure = error if refused or reply.failure is None else reply.failure
    except UnknownOutcomeError as error:
        failure = reply.failure or error
    except Exception as error:  # noqa: BLE001 - whatever went wrong, it may be paid for
        failure = reply.failure or await _unread(error, None, line.account)
    if raw is not None and isinstance(failure, UnknownOutcomeError):
        streams = reply.body.reader.is_stream
        kept = await loop.in_thread(lambda: raw.words_of_stream if streams else raw.words)
        failure = UnknownOutcomeError(f"{failure} {kept}".strip(), status=failure.status)
    raise failure


async def _not_yet(url: str) -> bytes:
    raise DownloadError("It has not been fetched yet.")


def _retry_after(header: str) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date; None where it can't be read."""
    header = header.strip()
    try:
        if header.isascii() and header.isdecimal():
            return float(header)
        # The tolerance is for clocks that differ: a date in the past is now.
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


async def fetch(line: Line, url: str) -> bytes:
    """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
    transport = line.transport() if line.offline else None
    return await download(
        url,
        public_only=True,
        own=httpx.URL(line.base_url),
        fetch_from=line.fetch_from,
        transport=transport,
    )

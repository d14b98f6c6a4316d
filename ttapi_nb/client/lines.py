"""`Lines`: what a client's requests travel over, made once and kept as long as the machine's set-up stays as it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple, Protocol

import httpx

from .. import loop
from ..network.early import KEPT

__all__ = ["Lines", "Looked"]

FRESH = 1.0
"""Seconds for which a look at the machine's set-up is one of now."""


class Makes(Protocol):
    """What makes the transport of a client; see `ways.Line`."""

    def set_up(self) -> object:
        """What the transport depends on, to be compared."""

    def transport(self) -> httpx.AsyncBaseTransport:
        """What carries the bytes."""


class Looked(NamedTuple):
    """What the machine's set-up was at a time, and a transport of it where none was kept."""

    set_up: object
    transport: httpx.AsyncBaseTransport | None
    at: float


class Lines:
    """The transport of one client, with the lines that it keeps for a moment, on one loop.

    All but the looking is done on the loop. A forked child has another loop, and makes its own.
    """

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        # Of a loop that is gone: what is closed there would speak on its parent's lines.
        self._foreign: list[_Kept] = []

    def look(self, makes: Makes) -> Looked:
        """What the machine's set-up is now; not for the loop's thread. Raises `NotSentError` where there is none."""
        known, set_up = self._kept, makes.set_up()
        is_new = known is None or known.set_up != set_up
        return Looked(set_up, makes.transport() if is_new else None, time.monotonic())

    @contextlib.asynccontextmanager
    async def opened(self, makes: Makes, looked: Looked | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """What sends, for one request, where the machine was just `looked` at or is looked at now. Raises
        `NotSentError` where the network can't be set up.
        """
        here = asyncio.get_running_loop()
        if self._kept is not None and self._kept.loop is not here:
            self._foreign.append(self._kept)
            self._kept = None
        if looked is None or time.monotonic() - looked.at > FRESH:
            looked = await loop.in_thread(lambda: self.look(makes))
        set_up, made = looked.set_up, looked.transport
        if self._kept is None or self._kept.set_up != set_up:
            # Who uses the other still has it.
            transport = await loop.in_thread(makes.transport) if made is None else made
            old, self._kept = self._kept, _Kept(here, set_up, transport)
            if old is not None:
                old.retire()
        kept = self._kept
        kept.users += 1
        try:
            yield kept.client
        finally:
            kept.users -= 1
            kept.rest(self)

    def forget(self, kept: _Kept) -> None:
        """The next request makes another."""
        if self._kept is kept:
            self._kept = None


class _Kept:
    """A transport, and how many use it."""

    def __init__(
        self, here: asyncio.AbstractEventLoop, set_up: object, transport: httpx.AsyncBaseTransport
    ) -> None:
        self.loop, self.set_up = here, set_up
        # Made once, as that takes as long as sending a small request. httpx limits each read alone; one deadline over
        # all of them is what people mean. A service's cookies go nowhere.
        self.client = httpx.AsyncClient(
            transport=transport, timeout=httpx.Timeout(None), follow_redirects=False, trust_env=False
        )
        self.client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.users = 0
        self._is_retired = False
        self._closing: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def retire(self) -> None:
        """It is used no more once those are done that use it."""
        self._is_retired = True
        self._close_if_unused()

    def rest(self, lines: Lines) -> None:
        """Somebody has done with it: what nobody uses for longer than a line is kept is closed."""
        if self._is_retired:
            self._close_if_unused()
            return
        if self._timer is not None:
            self._timer.cancel()

        def close() -> None:
            if not self.users:
                lines.forget(self)
                self._close_if_unused()

        self._timer = None if self.users else self.loop.call_later(KEPT, close)

    def _close_if_unused(self) -> None:
        if not self.users and self._closing is None:
            self._closing = asyncio.ensure_future(self.client.aclose())

"""`Server`: what listens, until another thread has it stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Literal

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from .framing import Framing
from .lines import BACKLOG, HEAD_CAP, Lines
from .protocol import Protocol
from .refusing import FULL, Refuse, headers_of

__all__ = ["Server", "server_for"]

# In seconds: how often it is looked whether to end.
TICK = 0.1


class Server(uvicorn.Server):
    """Calls `ready` once it answers; `run(sockets=[listen(…)])` returns when another thread has called `stop`."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        self._own_loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn's looks less often."""
        tick = 0
        while not await self.on_tick(tick):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), TICK)
            tick += 1

    def stop(self) -> None:
        """Have it end. May be called from any thread."""
        self.should_exit = True
        if self._own_loop is not None:
            with contextlib.suppress(RuntimeError):
                self._own_loop.call_soon_threadsafe(self._woken.set)


def server_for(
    app: ASGIApp,
    refuse: Refuse,
    ready: Callable[[], None] = lambda: None,
    *,
    lines: Lines | None = None,
    lifespan: Literal["on", "off"] = "on",
) -> Server:
    """A server for an application; `refuse` writes what is refused before that is asked."""
    # It repeats what was sent in what it logs.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    lines = lines or Lines()

    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        answer = refuse(503, FULL, headers_of(scope))
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)

    config = uvicorn.Config(
        Framing(app, lines, refuse),
        http=partial(Protocol, lines=lines, refuse=refuse, full=Framing(full, lines, refuse)),  # type: ignore[arg-type]  # it calls it, whatever it is
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=HEAD_CAP,
        # A head has its own time here.
        timeout_keep_alive=int(2 * lines.head_seconds) + 1,
        timeout_graceful_shutdown=lines.leaving_seconds,
    )
    return Server(config, ready)

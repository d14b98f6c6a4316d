"""One event loop, on a thread of the package's own, that all network traffic runs on.

An httpx client belongs to one loop, and notebook front ends call back on whichever thread they like. With a loop
of our own a request outlives the cell that began it, and one client serves every thread, cell and widget.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["call", "submit"]

T = TypeVar("T")


class _Runner:
    """The loop and its thread, made when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="ttapi_nb", daemon=True).start()
            return self._loop

    def forget(self) -> None:
        # A forked child has the loop, and perhaps a held lock, but not the thread that ran it.
        self._lock = threading.Lock()
        self._loop = None


_runner = _Runner()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_runner.forget)


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start `work` on the package's loop and return at once; cancelling the future cancels the task."""
    return asyncio.run_coroutine_threadsafe(work, _runner.loop())


def call(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the package's loop and wait for it; an interrupt while waiting cancels it."""
    future = submit(work)
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise

"""One event loop, on a thread of the package's own, that all network traffic runs on.

An httpx client belongs to one loop, and notebook front ends call back on whichever thread they like. With a loop
of our own a request outlives the cell that began it, and one client serves every thread, cell and widget.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["call", "is_here", "open_in_thread", "submit"]

T = TypeVar("T")


class _Runner:
    """The loop and its threads, made when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._openers: ThreadPoolExecutor | None = None
        self.thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self.thread = threading.Thread(target=self._loop.run_forever, name="ttapi_nb", daemon=True)
                self.thread.start()
            return self._loop

    def openers(self) -> ThreadPoolExecutor:
        with self._lock:
            self._openers = self._openers or ThreadPoolExecutor(8, "ttapi_nb-open")
            return self._openers

    def forget(self) -> None:
        # A forked child has the loop, and perhaps a held lock, but not the threads that ran it.
        self._lock = threading.Lock()
        self._loop = self._openers = self.thread = None


_runner = _Runner()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_runner.forget)


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start `work` on the package's loop and return at once; cancelling the future cancels the task."""
    return asyncio.run_coroutine_threadsafe(work, _runner.loop())


def is_here() -> bool:
    """Whether this is the package's own thread, on which nobody may wait for the loop."""
    return threading.current_thread() is _runner.thread


async def open_in_thread(work: Callable[[], T]) -> T:
    """Do `work`, which may itself wait for the loop (to open a picture from a URL), on a thread.

    It is none of the loop's own threads: were all of those waiting for downloads, none would be left to look up an
    address for them.
    """
    return await asyncio.get_running_loop().run_in_executor(_runner.openers(), work)


def call(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the package's loop and wait for it; an interrupt while waiting cancels it."""
    if is_here():
        work.close()
        raise RuntimeError(
            "This would wait for the very thread it is called on. Call it from another thread."
        )
    future = submit(work)
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise

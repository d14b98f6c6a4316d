"""One event loop, on a thread of the package's own, that all network traffic runs on, and threads for all the rest.

An httpx client belongs to one loop, and notebook front ends call back on whichever thread they like. With a loop
of our own a request outlives the cell that began it, and one client serves every thread, cell and widget.

Its thread does network and nothing else: whatever may wait there (a lock, a disk, a picture, somebody's callback) makes
every other run wait too, and whoever waits for the loop while holding what it wants waits for ever. So there are

* `in_thread` for what may block: its threads grow in number as they are needed, so nobody's waiting costs another's;
* `heavy` for work on pictures, of which only so much goes on at once, as each takes memory;
* `Lane` for what has to happen in order: one piece after the other, each on some thread, and no lane waits for another.

All these threads are daemons: what hangs in one can't keep Python from ending. `exiting` sees to what must not be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from .threads import Calm, Lane, Threads, leaving

__all__ = [
    "Lane",
    "call",
    "calmly",
    "follow",
    "heavy",
    "help_out",
    "in_thread",
    "is_here",
    "lane",
    "leaves",
    "left",
    "not_here",
    "open_in_thread",
    "picture_work",
    "quiet",
    "start",
    "submit",
    "wait",
]

T = TypeVar("T")

AT_ONCE = max(8, (os.cpu_count() or 1) + 4)
"""How many edits the embedded services of this process have under way at the same time."""
PICTURES = max(2, os.cpu_count() or 1)
"""How many pieces of work on pictures go on at the same time."""
BEHIND = 0.25
"""Seconds for which work on pictures waits for requests that are about to leave."""


class _Runner:
    """The loop and its threads, made when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None
        self.threads, self.pictures, self.openers = self._pools()
        self.calm = Calm()

    def _pools(self) -> tuple[Threads, Threads, Threads]:
        return Threads("ttapi_nb-any"), Threads("ttapi_nb-work", PICTURES), Threads("ttapi_nb-open", 8)

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                made = asyncio.new_event_loop()
                # What asyncio itself does on threads, as looking up an address, must not queue behind anybody.
                made.set_default_executor(self.threads)
                self.thread = threading.Thread(target=_serve, args=(made,), name="ttapi_nb", daemon=True)
                try:
                    self.thread.start()
                except Exception:
                    made.close()
                    raise
                # Last: one without its thread, where there is none or this is interrupted, would never answer.
                self._loop = made
            return self._loop

    def forget(self) -> None:
        # A forked child has the loop, and perhaps a held lock, but not the threads that ran it.
        self._lock = threading.Lock()
        self._loop = self.thread = None
        self.threads, self.pictures, self.openers = self._pools()
        self.calm = Calm()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop whatever is thrown: asyncio lets SystemExit and KeyboardInterrupt through, which end one task."""
    while True:
        try:
            loop.run_forever()
        except BaseException:  # noqa: BLE001 - all other runs go on
            if loop.is_closed():
                return


_runner = _Runner()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_runner.forget)


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Start `work` on the package's loop and return at once; cancelling the future cancels the task."""
    try:
        loop = _runner.loop()
    except BaseException:
        work.close()
        raise
    return asyncio.run_coroutine_threadsafe(work, loop)


def is_here() -> bool:
    """Whether this is the package's own thread, on which nobody may wait for the loop."""
    return threading.current_thread() is _runner.thread


def not_here(what: str) -> None:
    """Raise `RuntimeError` where this is the loop's thread, on which `what` has no place."""
    if is_here():
        raise RuntimeError(
            f"The loop's thread does network only, and this is {what}. Use a thread or a lane."
        )


def start(work: Callable[[], T]) -> Future[T]:
    """Begin `work`, which may block as long as it likes, on a thread."""
    return _runner.threads.submit(work)


def lane() -> Lane:
    """A lane of its own, on the package's threads."""
    return Lane(start)


async def in_thread(work: Callable[[], T]) -> T:
    """Do `work`, which may block as long as it likes, on a thread."""
    return await asyncio.get_running_loop().run_in_executor(_runner.threads, work)


async def heavy(work: Callable[[], T]) -> T:
    """Do `work` on pictures on a thread: no more than `PICTURES` at a time, and behind what is about to leave."""
    return await asyncio.get_running_loop().run_in_executor(_runner.pictures, partial(calmly, work))


def picture_work(work: Callable[[], T]) -> Future[T]:
    """As `heavy`, for a thread that waits for it."""
    return _runner.pictures.submit(partial(calmly, work))


def calmly(work: Callable[[], T]) -> T:
    """Do `work`, which others can wait for, behind what is about to leave; on a thread."""
    _runner.calm.wait(BEHIND)
    return work()


def leaves(who: object) -> None:
    """A request is about to leave, and what is done calmly waits for a moment until it has `left`."""
    _runner.calm.begin(who)


def left(who: object) -> None:
    """It has left, waits for its turn, or won't leave. May be said twice."""
    _runner.calm.end(who)


async def open_in_thread(work: Callable[[], T]) -> T:
    """Do `work`, which may itself wait for the loop (to open a picture from a URL), on a thread.

    It is none of those for other work: were all of these waiting for downloads, none would be left for that.
    """
    return await asyncio.get_running_loop().run_in_executor(_runner.openers, work)


def call(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the package's loop and wait for it; an interrupt while waiting cancels it."""
    if is_here():
        work.close()
        raise RuntimeError(
            "This would wait for the very thread it is called on. Call it from another thread."
        )
    future: Future[T] | None = None
    try:
        future = submit(work)
        return future.result()
    except KeyboardInterrupt:
        if future is not None:
            future.cancel()
        raise


async def follow(future: Future[T]) -> T:
    """What `future` gives, awaited on any loop; whoever stops awaiting it leaves it going."""
    here = asyncio.get_running_loop()
    ended: asyncio.Future[None] = here.create_future()

    def tell(_: object) -> None:
        # A loop that was closed has nobody waiting.
        with contextlib.suppress(RuntimeError):
            here.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

    future.add_done_callback(tell)
    await ended
    return future.result()


async def wait(futures: Collection[Future[Any]], seconds: float) -> None:
    """Wait until all of `futures` are done, whatever came of them, but no longer than so many seconds."""
    if futures:
        await asyncio.wait([asyncio.ensure_future(_over(one)) for one in futures], timeout=seconds)


async def _over(future: Future[Any]) -> None:
    with contextlib.suppress(BaseException):
        await follow(future)


def quiet(timeout: float) -> bool:
    """Wait until no thread of the package has anything to do, and say whether that came to be in so many seconds."""
    pools = (_runner.threads, _runner.pictures, _runner.openers)
    return all(pool.quiet(timeout) for pool in pools)


def help_out() -> bool:
    """Do one piece of work that waits for a thread; whether there was one.

    For when Python ends: from 3.12 on no thread can be started then.
    """
    leaving.set()
    return any(pool.help_out() for pool in (_runner.threads, _runner.pictures, _runner.openers))

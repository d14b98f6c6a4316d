"""What is still under way as Python ends: what has left is waited for, and what has not left does not leave any more.

Waited for in `atexit`, when all threads that Python itself waits for have ended, and while ours still run.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait

from . import loop

__all__ = ["Unfinished", "add", "afterwards", "discard"]

GRACE = 70.0
"""Seconds beyond a request's own time for what follows its answer: fetching results, and writing them down."""
LAST_WORDS = 10.0
"""Seconds to write down what did not leave."""
# In seconds: how often to look whether there is work that no thread could be started for.
LOOK = 0.1


class Unfinished:
    """A request that somebody may have paid for before it is over, with `timeout` seconds of its own from when it left.

    * `over`: done when it has ended, for whoever waits for that.
    * `left_at`: when its first byte left, in seconds of `time.monotonic`; None where it has not.
    * `offline`: whether nobody bills it.
    """

    def __init__(self, timeout: float, offline: bool) -> None:
        self.over: Future[None] = Future()
        # So that whoever waits for it can't cancel it by being cancelled.
        self.over.set_running_or_notify_cancel()
        self.left_at: float | None = None
        self.offline = offline
        self._timeout = timeout

    def withdraw(self) -> bool:
        """Keep it from leaving; False where it has left, or has ended. Returns at once."""
        raise NotImplementedError

    @property
    def has_left(self) -> bool:
        """Whether it may be billed."""
        return self.left_at is not None

    @property
    def due(self) -> float:
        """By when, in seconds of `time.monotonic`, a request that left has its answer or has failed."""
        return (self.left_at or time.monotonic()) + self._timeout

    def set_over(self) -> None:
        """It has ended: Python need not wait for it any more."""
        discard(self)
        with contextlib.suppress(InvalidStateError):
            self.over.set_result(None)


_lock = threading.Lock()
_under_way: dict[int, Unfinished] = {}
_last: list[Callable[[], None]] = []


def add(one: Unfinished) -> None:
    """From now on Python does not end before this has."""
    with _lock:
        _under_way[id(one)] = one


def discard(one: Unfinished) -> None:
    """It has ended."""
    with _lock:
        _under_way.pop(id(one), None)


def afterwards(work: Callable[[], None]) -> None:
    """Do `work` when all is over that can be; it must not take long."""
    _last.append(work)


@atexit.register
def _see_to_them() -> None:
    with _lock:
        under_way = list(_under_way.values())
    unsent = [one for one in under_way if _is_withdrawn(one)]
    left = [one for one in under_way if one not in unsent and one.has_left]
    if unsent:
        were = "1 edit had" if len(unsent) == 1 else f"{len(unsent)} edits had"
        _say(
            f"{were} not been sent when Python ended, and won't be: nothing is billed. Call wait() on a run first."
        )
    now = time.monotonic()
    ends = max((one.due + GRACE for one in left), default=now + LAST_WORDS)
    try:
        # Within it: who reads this may press Ctrl+C at once.
        if left:
            _say(_words(left, ends - now))
        _wait_for(under_way, ends)
        for work in _last:
            work()
    except KeyboardInterrupt:
        still = [one for one in left if not one.over.done()]
        if any(not one.offline for one in still):
            _say(
                "Stopped waiting. What had left may be billed: the run log tells what is known of it, and "
                "your account what was billed."
            )


def _is_withdrawn(one: Unfinished) -> bool:
    with contextlib.suppress(Exception):
        return one.withdraw()
    return False


def _words(left: Sequence[Unfinished], seconds: float) -> str:
    edits = "1 edit" if len(left) == 1 else f"{len(left)} edits"
    several = len(left) > 1
    if all(one.offline for one in left):
        why = "are still under way" if several else "is still under way"
    else:
        why = "were sent and may be billed" if several else "was sent and may be billed"
    return f"{edits} {why}: waiting at most {seconds:.0f} s for the answer before Python ends. Ctrl+C ends it now."


def _wait_for(unfinished: Sequence[Unfinished], ends: float) -> None:
    while pending := [one.over for one in unfinished if not one.over.done()]:
        seconds = ends - time.monotonic()
        if seconds <= 0:
            return
        if not loop.help_out():
            wait(pending, min(seconds, LOOK), FIRST_COMPLETED)


def _say(words: str) -> None:
    # There may be nobody to say it to any more.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"ttapi_nb: {words}\n")
        sys.stderr.flush()


def _forget() -> None:
    # A forked child carries nothing out that its parent began.
    global _lock  # noqa: PLW0603 - it may be held by a thread that the child has not got
    _lock = threading.Lock()
    _under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

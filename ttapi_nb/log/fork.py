"""Forks and SQLite: a process is copied only while none of its threads is inside a log.

What SQLite knows of locks is in memory. A child that is made in the midst of that has locks which nobody lets go of,
and hangs as soon as it opens the same file. So a fork waits, for a moment, until every log is closed, and keeps new
ones from opening until it is done. Where that takes too long the child is told, and refuses instead of hanging.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator

__all__ = ["FORKED_INSIDE", "in_use", "is_wanted", "on_fork"]

PATIENCE = 5.0
"""For how many seconds a fork waits until other threads have closed their logs."""
FORKED_INSIDE = (
    "This process was forked while its parent was writing into a run log, so SQLite can't be used here. Start it with "
    "multiprocessing's 'spawn' or 'forkserver', or fork before the first run"
)


class _Gate:
    """Who is inside a log: threads, each so many times. A fork holds it shut."""

    def __init__(self) -> None:
        self._inside: dict[int, int] = {}
        self._make_lock()
        self._shut = False
        self.torn = False
        """Whether this process is a copy that was made while somebody was inside."""

    def _make_lock(self) -> None:
        # Entered as it is: an interrupt as a condition's own `__enter__` returns would leave it locked for ever.
        self._lock = threading.RLock()
        self._change = threading.Condition(self._lock)

    @property
    def is_shut(self) -> bool:
        return self._shut

    @property
    def times(self) -> int:
        """How often this thread is inside."""
        return self._inside.get(threading.get_ident(), 0)

    def enter(self) -> None:
        me = threading.get_ident()
        with self._lock:
            # Whoever is inside already is waited for, and must not wait in turn.
            while self._shut and me not in self._inside:
                self._change.wait()
            self._inside[me] = self._inside.get(me, 0) + 1

    def leave(self, times: int) -> None:
        """Be inside so many times as before: whoever is interrupted as they enter may not be counted."""
        with self._lock:
            self._inside.pop(threading.get_ident(), None)
            if times:
                self._inside[threading.get_ident()] = times
            self._change.notify_all()

    def before_fork(self) -> None:
        me = threading.get_ident()
        self._change.acquire()
        # Two threads may fork at once.
        self._change.wait_for(lambda: not self._shut, PATIENCE)
        self._shut = True
        self._change.wait_for(lambda: self._inside.keys() <= {me}, PATIENCE)
        # Kept until after the fork: so nobody comes in.

    def in_parent(self) -> None:
        self._shut = False
        self._change.notify_all()
        self._change.release()

    def in_child(self) -> None:
        self.torn = self.torn or bool(self._inside)
        self._inside, self._shut = {}, False
        # The old one is held by a thread that the child has not got.
        self._make_lock()


_gate = _Gate()


@contextlib.contextmanager
def in_use() -> Iterator[Callable[[], bool]]:
    """Within this a log may be open; what it gives tells whether this is still the process that opened it.

    Raises `OSError` in a process that was made while a log was open.
    """
    if _gate.torn:
        raise OSError(FORKED_INSIDE)
    process, times = os.getpid(), _gate.times
    try:
        _gate.enter()
        yield lambda: os.getpid() == process
    finally:
        if os.getpid() == process:
            _gate.leave(times)


def is_wanted() -> bool:
    """Whether somebody waits for all logs to be closed, to fork."""
    return _gate.is_shut


def on_fork(in_child: Callable[[], None]) -> None:
    """Have this called in a child as it is made, where the system can fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=in_child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork, after_in_parent=_gate.in_parent, after_in_child=_gate.in_child
    )

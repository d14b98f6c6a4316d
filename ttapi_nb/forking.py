"""What a forked child must not inherit: a lock that a thread held which the child has not got.

SQLite has locks of its own, which nobody else can reach. So no process forks while one of its threads is in there.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["anew", "quietly"]

PATIENCE = 2.0
"""Seconds for which a fork waits: a database that others have locked is waited for far longer, but without a lock."""


class _Gate:
    """Counts who is inside, and lets nobody in while the process forks."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False
        self._mine = threading.local()

    def enter(self) -> None:
        depth = getattr(self._mine, "depth", 0)
        with self._changed:
            # Who is inside may go further in, or the fork would wait for it and it for the fork.
            self._changed.wait_for(lambda: depth or not self._shut)
            self._inside += 1
        self._mine.depth = depth + 1

    def leave(self) -> None:
        self._mine.depth -= 1
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def shut(self) -> None:
        with self._changed:
            self._shut = True
            self._changed.wait_for(lambda: not self._inside, PATIENCE)

    def open(self) -> None:
        with self._changed:
            self._shut = False
            self._changed.notify_all()


_gate = _Gate()
_locks: list[tuple[dict[str, Any], str]] = []


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Do something during which this process must not fork."""
    _gate.enter()
    try:
        yield
    finally:
        _gate.leave()


def anew(names: dict[str, Any], name: str) -> None:
    """Give a forked child a lock of its own in place of a module's, of which `names` are the globals."""
    _locks.append((names, name))


def _renew() -> None:
    _gate.renew()
    for names, name in _locks:
        names[name] = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_gate.shut, after_in_parent=_gate.open, after_in_child=_renew)

"""`Turns`: the lock of a drawer and all around it, and `Patient`: a widget whose observers are called without it.

ipywidgets' callbacks come in several threads, and some changes are of several traits at once, so there is a lock. Who
observes a trait may do anything, also wait for another thread that wants the lock: with it held, both would wait for
ever. So what the package itself observes is called at once, and everybody else when the lock has been given back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import traitlets

from ... import loop

__all__ = ["Patient", "Turns"]


class Turns:
    """A lock for `with`, which a thread may take again, and never the loop's thread.

    What is given to `after` while it is held is done when this thread has given it back.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        # Both are touched by whoever holds the lock.
        self._depth = 0
        self._later: list[Callable[[], object]] = []
        self._holder: int | None = None

    def __enter__(self) -> None:
        loop.not_here("a lock of the widgets'")
        self._lock.acquire()
        self._depth += 1
        self._holder = threading.get_ident()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        later: list[Callable[[], object]] = []
        if not self._depth:
            later, self._later = self._later, []
            self._holder = None
        self._lock.release()
        _do_all(later)

    @property
    def is_mine(self) -> bool:
        """Whether this thread holds it."""
        return self._holder == threading.get_ident()

    def after(self, work: Callable[[], object]) -> None:
        """Do `work` as soon as this thread does not hold the lock: now, where it does not."""
        if self.is_mine:
            self._later.append(work)
        else:
            work()


def _do_all(works: list[Callable[[], object]]) -> None:
    """Do each of them, whatever the others raise; then raise what the first that did raised."""
    failure: BaseException | None = None
    for work in works:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = failure or error
    if failure is not None:
        raise failure


class _Later:
    """An observer that is called without the lock. It is the same as what it calls, so that it can be taken away."""

    def __init__(self, handler: Any, turns: Turns) -> None:
        self.handler = handler
        self._turns = turns

    def __eq__(self, other: object) -> bool:
        return bool(self.handler == (other.handler if isinstance(other, _Later) else other))

    def __hash__(self) -> int:
        return hash(self.handler)

    def __call__(self, change: Any) -> None:
        self._turns.after(lambda: self.handler(change))


class Patient(traitlets.HasTraits):
    """A widget with a `lock`, whose observers from outside are called when it has been given back.

    From outside is who observes while `_others_observe` is set: a widget sets it at the end of its making, and one
    around it that has its own observers to add clears it for that long.
    """

    lock: Turns
    _others_observe = False

    def observe(self, handler: Any, *args: Any, **more: Any) -> None:
        """As every widget's; `handler` is called when it may do anything, also wait for another thread."""
        later = _Later(handler, self.lock) if self._others_observe else handler
        super().observe(later, *args, **more)

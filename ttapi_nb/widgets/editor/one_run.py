"""One run at a time: whoever asks for one while another is begun, or under way, gets that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from ...errors import SettingsError
from ...run import Run

__all__ = ["OneRun"]

BEGINNING = (
    "A price function, or whatever else is asked before a run may begin, can't start a run of the same editor. "
    "Start that from somewhere else."
)


class OneRun:
    """The run that is `current`, and the one that is being begun."""

    def __init__(self) -> None:
        self.current: Run | None = None
        # Held for a few assignments; `_starting` is for whoever asks for a run while one is being begun.
        self._guard = threading.Lock()
        self._starting: Future[Run] | None = None
        # The threads that ask what is spent, as somebody's price function may be called for that.
        self._asking: set[int] = set()

    @property
    def under_way(self) -> bool:
        """Whether the current one has not ended."""
        return self.current is not None and not self.current.done

    @contextlib.contextmanager
    def asked_on_this_thread(self) -> Iterator[None]:
        """Within it no run is begun on this thread: that would wait for itself."""
        me = threading.get_ident()
        self._asking.add(me)
        try:
            yield
        finally:
            self._asking.discard(me)

    def begin(self, start: Callable[[], Run], failed: Callable[[], None]) -> tuple[Run, bool]:
        """The run under way, or else the one that `start` begins and makes `current`; and whether it was this one.

        Raises what `start` raises, after `failed()`, and `SettingsError` where that would wait for itself.
        """
        waits = self.current is not None and self.current._waits_here()
        if waits or threading.get_ident() in self._asking:
            raise SettingsError(BEGINNING)
        with self._guard:
            if self._starting is None and self.current is not None and not self.current.done:
                return self.current, False
            starting, mine = self._starting or Future(), self._starting is None
            self._starting = starting
        if not mine:
            return starting.result(), False
        before = self.current
        try:
            run = start()
        except BaseException as error:
            with self._guard:
                self.current, self._starting = before, None
            starting.set_exception(error)
            failed()
            raise
        with self._guard:
            self._starting = None
        starting.set_result(run)
        return run, True

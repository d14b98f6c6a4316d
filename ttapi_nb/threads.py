"""`Threads`: a pool that grows and does not keep Python from ending; `Lane`: what happens in order; `Together`: what
one thread does for several; `InTurn`: what is done sooner one by one; and `Calm`: work that others go before.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Calm", "InTurn", "Lane", "Threads", "Together"]

P = ParamSpec("P")
T = TypeVar("T")

IDLE = 10.0
"""Seconds after which a thread with nothing to do ends."""

LONG = 1.0
"""Seconds after which nobody waits any more for whoever is about to leave."""

leaving = threading.Event()
"""Set as Python ends: from 3.12 on no thread can be started then, and `help_out` does what is left."""


class _Job:
    """A piece of work, and who waits for what comes of it."""

    __slots__ = ("future", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.future: Future[Any] = Future()
        self.work = work

    def do(self) -> None:
        """Do it, once; nothing that it raises gets out of here."""
        with contextlib.suppress(BaseException):
            if self.future.set_running_or_notify_cancel():
                _do(self.future, self.work)


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
        future.set_exception(error)
        # The error's traceback has this frame, and would hold what holds the error.
        del future, work
    else:
        future.set_result(result)


class Threads(ThreadPoolExecutor):
    """Daemon threads, as many as there is work for, or at most `most`; those with nothing to do end after a while.

    The standard library's pool is joined when Python ends, so that one piece of work that hangs keeps it from ending,
    and takes nothing more from then on. asyncio takes only that class as a loop's own: hence the name of the base.
    """

    def __init__(self, name: str, most: int | None = None) -> None:
        self._name, self._most = name, most
        self._work: deque[_Job] = deque()
        # Entered as it is: an interrupt as a condition's own `__enter__` returns would leave it locked for ever.
        self._lock = threading.Lock()
        self._ready, self._calm = threading.Condition(self._lock), threading.Condition(self._lock)
        # Those that serve, or are about to.
        self._serving: set[threading.Thread | None] = set()
        self._idle = self._busy = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do `fn(*args, **kwargs)` on a thread. Raises `RuntimeError` where the system has none, nor ever had.

        Who is interrupted in here may have it done all the same.
        """
        job = _Job(partial(fn, *args, **kwargs) if args or kwargs else fn)
        future: Future[T] = job.future
        thread: threading.Thread | None = None
        try:
            with self._lock:
                self._work.append(job)
                if self._idle >= len(self._work):
                    self._ready.notify()
                    return future
                if self._most is not None and len(self._serving) >= self._most:
                    return future
                thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._serving.add(thread)
            thread.start()
        except (RuntimeError, MemoryError):
            with self._lock:
                self._serving.discard(thread)
                # One of those that are there takes it, or, as Python ends, `help_out`.
                if not self._serving and not leaving.is_set() and job in self._work:
                    self._work.remove(job)
                    raise
        except BaseException:
            # It may never have begun: nobody counts on it.
            self._serving.discard(thread)
            raise
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: the threads end by themselves."""

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                self._ready.wait_for(lambda: self._work, IDLE)
                self._idle -= 1
                if not self._work:
                    self._serving.discard(threading.current_thread())
                    return
                job = self._work.popleft()
                self._busy += 1
            job.do()
            # Nothing of it may stay in this frame until the next piece of work comes.
            del job
            self._rest()

    def _rest(self) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy and not self._work:
                self._calm.notify_all()

    def help_out(self) -> bool:
        """Do one piece of work on this thread; whether there was one."""
        with self._lock:
            if not self._work:
                return False
            job = self._work.popleft()
            self._busy += 1
        try:
            job.do()
        finally:
            self._rest()
        return True

    def quiet(self, timeout: float) -> bool:
        """Wait until nothing is being done; False where that takes longer."""
        with self._lock:
            return self._calm.wait_for(lambda: not self._busy and not self._work, timeout)


class Together(Generic[T]):
    """What several threads want done, by one of them or for them, as long as anybody waits: all that comes meanwhile is
    done with the next.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: list[T] = []
        self._came = threading.Event()
        self._is_done = False

    def add(self, one: T) -> bool:
        """Wait with the others; whether there is nobody yet who sees to them."""
        with self._guard:
            self._waiting.append(one)
            self._came.set()
            begins, self._is_done = not self._is_done, True
            return begins

    def taken(self, patience: float = 0.0) -> list[T]:
        """All that wait, or come within so many seconds. Where these are none, whoever sees to them is through."""
        if patience:
            self._came.wait(patience)
        with self._guard:
            waiting, self._waiting = self._waiting, []
            self._came.clear()
            self._is_done = bool(waiting)
            return waiting


class InTurn:
    """Lets threads do something one after the other, so that the first is through while the others wait: side by side
    all of them would be as late as the last. Nothing hangs on it: who has waited for `patience` seconds goes on.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._free = threading.Lock()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """One's turn, for a block."""
        free, mine = self._free, False
        try:
            mine = free.acquire(timeout=self.patience)
            if not mine and self._free is free:
                # Whoever has it may have been interrupted just then, and never lets go.
                self._free = threading.Lock()
            yield
        finally:
            if mine:
                free.release()


class Calm:
    """Who is about to leave, and until when others had better wait with work that takes all of a processor.

    Python does one thing at a time: a request that is about to leave takes a dozen short steps, and each would wait
    until somebody else's work lets go.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._leaving: dict[object, float] = {}
        self._nobody = threading.Event()
        self._nobody.set()

    def begin(self, who: object) -> None:
        """Somebody is about to leave."""
        with self._guard:
            self._leaving[who] = time.monotonic()
            self._nobody.clear()

    def end(self, who: object) -> None:
        """It has left, or waits, or never will leave. May be said twice."""
        with self._guard:
            self._leaving.pop(who, None)
            if not self._leaving:
                self._nobody.set()

    def wait(self, seconds: float) -> None:
        """Wait until nobody is about to leave, but no longer than so many seconds."""
        if self._nobody.wait(seconds):
            return
        # A log that is locked, say, keeps one from leaving for long.
        latest = time.monotonic() - LONG
        with self._guard:
            late = [who for who, since in self._leaving.items() if since < latest]
        for who in late:
            self.end(who)


class Lane:
    """Does one piece of work after the other, in order, on whichever thread there is. Waiting costs no other lane.

    `start(work)` is to begin the work on some thread.
    """

    def __init__(self, start: Callable[[Callable[[], None]], object]) -> None:
        self._start = start
        self._guard = threading.Lock()
        self._work: deque[_Job] = deque()
        self._thread: int | None = None
        self._going = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Do `work` when all that came before is done. Takes no time.

        Raises what `start` raises where there is no thread; the work is not done then. Who is interrupted in here has
        it done all the same.
        """
        job = _Job(work)
        try:
            with self._guard:
                self._work.append(job)
                going, self._going = self._going, True
            if not going:
                self._start(self._serve)
        except Exception:
            with self._guard:
                self._going = False
                self._work.clear()
            raise
        except BaseException:
            # Perhaps before a thread was there, perhaps after: of two that serve one leaves.
            with self._guard:
                self._going = bool(self._work)
            if self._going:
                self._start(self._serve)
            raise
        future: Future[T] = job.future
        return future

    def is_here(self) -> bool:
        """Whether this is the lane's own work, which can't wait for what comes after it."""
        return self._thread == threading.get_ident()

    def _serve(self) -> None:
        with self._guard:
            if self._thread is not None:
                return
            self._thread = threading.get_ident()
        while True:
            with self._guard:
                if not self._work:
                    self._going, self._thread = False, None
                    return
                job = self._work.popleft()
            job.do()
            del job

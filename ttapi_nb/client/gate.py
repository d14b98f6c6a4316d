"""`Gate`: how many of a client's requests are under way at once, how many begin in a minute, and whose turn it is.

Whoever waits here has sent nothing, and its request's own time has not begun. The first that came is the first that
goes. What the service refuses for being too much (HTTP 429 and 499) teaches the gate: as many as were under way beside
a refused request are let through from then on, until one more is tried after a while; where none was, or where the
service asks for a pause (Retry-After), nobody goes before that is over. What two clients wait is never quite the same,
so that they don't come again in step.

All of it is done on the package's loop, in steps that await nothing, so that no lock is needed. A forked child has
another loop, and begins anew.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import math
import random
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from ..errors import RateLimitError
from ..loop import leaves, left

__all__ = ["AT_ONCE", "LONGEST_PAUSE", "UNLIMITED", "Gate", "Turn", "apart"]

Tell: TypeAlias = Callable[[str], Awaitable[None]]

AT_ONCE = 16
"""How many requests of a client are under way at once, where nothing else is said."""
UNLIMITED = 2**31
LONGEST_PAUSE = 60.0
"""Seconds for which a service is left alone at most that does not say for how long."""
MINUTE = 60.0
# Which part of a pause is added to it at most.
JITTER = 0.2
# In seconds: after how long one request more than was refused is tried, doubled each time that it is refused again.
FIRST_TRIAL, LAST_TRIAL = 60.0, 3600.0


class Gate:
    """Lets `at_once` requests through at a time, and `per_minute` within any minute; None is no such limit."""

    def __init__(self, at_once: int = AT_ONCE, per_minute: int | None = None) -> None:
        self.at_once, self.per_minute = at_once, per_minute
        self._queue: _Queue | None = None

    def turn(self, patience: float = 0.0) -> Turn:
        """The turn of one request, to be asked for on the loop.

        `patience`: for how many seconds it may wait for a service that asks for a pause, at least a minute.
        """
        here = asyncio.get_running_loop()
        if self._queue is None or self._queue.loop is not here:
            self._queue = _Queue(here, self.at_once, self.per_minute)
        return Turn(self._queue, patience)


class Turn:
    """One request's way through a gate: `come`, `goes` as its first byte leaves, how it went, and `leave`."""

    def __init__(self, queue: _Queue, patience: float) -> None:
        queue.count += 1
        self.number = queue.count
        self.patience = max(patience, LONGEST_PAUSE)
        self.went: float | None = None
        """When its first byte left, in the loop's seconds, while it is inside."""
        self.is_trial = False
        """Whether it was let through to find out whether the service takes one more by now."""
        self.let_in: asyncio.Future[None] | None = None
        self._queue = queue
        self._is_near = False

    async def near(self, tell: Tell) -> None:
        """Wait until its body may be made: those of all that wait at once would take too much memory."""
        queue = self._queue
        if queue.near.locked():
            await tell(queue.words())
        await queue.near.acquire()
        self._is_near = True

    async def come(self, tell: Tell | None = None) -> None:
        """Wait until it may go; `tell` is told in a sentence why it waits.

        Raises `RateLimitError`, with nothing sent, where the service asks for a longer pause than it may wait.
        """
        queue = self._queue
        let_in = self.let_in = queue.loop.create_future()
        queue.waiting.add(self)
        queue.move()
        try:
            if tell is not None and not let_in.done():
                await tell(queue.words())
            await let_in
        except BaseException:
            queue.waiting.discard(self)
            # It may have been let in just as it was stopped.
            self.leave()
            raise

    @property
    def is_stopped(self) -> bool:
        """Whether whoever asked for it waits no more."""
        return self.let_in is None or self.let_in.done()

    def goes(self) -> None:
        """Its first byte leaves now."""
        self.went = self._queue.loop.time()
        left(self)

    def accepted(self) -> None:
        """The service took it."""
        self._queue.learn_up(self)

    def refused(self, status: int, asked: float | None, pause: float) -> float:
        """The service was too busy for it, and `asked` for so many seconds; how many it is to wait before it comes
        again, at least `pause`.
        """
        return self._queue.learn_down(self, status, asked, pause)

    def leave(self) -> None:
        """Its answer is here, or it does not go after all."""
        self._queue.let_out(self)

    def end(self) -> None:
        """It does not come again."""
        if self._is_near:
            self._is_near = False
            self._queue.near.release()


class _Waiting:
    """Turns that wait, in the order of their numbers."""

    def __init__(self) -> None:
        self._turns: list[Turn] = []

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, turn: Turn) -> None:
        bisect.insort(self._turns, turn, key=lambda one: one.number)

    def discard(self, turn: Turn) -> None:
        with contextlib.suppress(ValueError):
            self._turns.remove(turn)

    def take(self, longest: float = math.inf) -> Turn | None:
        """The first of them that has less patience than that, which waits no more."""
        for place, turn in enumerate(self._turns):
            if turn.patience < longest:
                return self._turns.pop(place)
        return None


class _Queue:
    """A gate on one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, at_once: int, per_minute: int | None) -> None:
        self.loop = loop
        self.waiting = _Waiting()
        # Those inside, and as many that can follow at once.
        self.near = asyncio.Semaphore(2 * at_once)
        self.count = 0
        self._at_once, self._per_minute = at_once, per_minute
        self._inside: set[Turn] = set()
        # When those of the last minute went; how many are let through; and how many were once too many.
        self._gone: list[float] = []
        self._most, self._too_many = at_once, at_once + 1
        self._opens, self._status = -math.inf, 0
        self._pause = 0.0
        self._trial, self._trial_pause = -math.inf, FIRST_TRIAL
        self._timer: asyncio.TimerHandle | None = None

    def move(self) -> None:
        """Let in whoever may go, and look again when the next may."""
        now = self.loop.time()
        while (turn := self.waiting.take(self._opens - now)) is not None:
            _set(turn, self._too_long(now))
        while self.waiting and now >= self._soonest(now) and self._has_room(now):
            turn = self.waiting.take()
            if turn is None or turn.is_stopped:
                continue
            turn.is_trial = len(self._inside) >= self._most
            if turn.is_trial:
                self._trial = now + self._trial_pause
            self._inside.add(turn)
            leaves(turn)
            _set(turn, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.waiting:
            return
        due = self._soonest(now)
        if due <= now and self._too_many <= self._at_once:
            due = self._trial
        if now < due < math.inf:
            self._timer = self.loop.call_at(due, self.move)

    def let_out(self, turn: Turn) -> None:
        left(turn)
        if turn not in self._inside:
            return
        self._inside.discard(turn)
        if turn.went is not None and self._per_minute is not None:
            self._gone.append(turn.went)
        turn.went = None
        self.move()

    def learn_up(self, turn: Turn) -> None:
        self._pause = 0.0
        if turn.is_trial and self._too_many <= self._at_once:
            self._too_many += 1
        if self._most < self._too_many - 1:
            self._most += 1

    def learn_down(self, turn: Turn, status: int, asked: float | None, pause: float) -> float:
        now = self.loop.time()
        others = sum(one.went is not None for one in self._inside) - 1
        seconds = max(pause, asked or 0.0)
        if others > 0:
            self._most = min(self._most, others)
            self._too_many = min(self._too_many, others + 1)
        else:
            # It is busy with others than us, so nothing is known of how many of ours it takes.
            self._most, self._too_many = 1, self._at_once + 1
            seconds = max(seconds, self._pause)
            self._pause = min(2 * seconds, LONGEST_PAUSE)
        if turn.is_trial:
            self._trial_pause = min(2 * self._trial_pause, LAST_TRIAL)
        self._trial = now + self._trial_pause
        # Those that are refused together are one pause.
        if (others <= 0 or asked) and now + seconds > self._opens:
            self._opens, self._status = now + apart(seconds), status
        return seconds

    def words(self) -> str:
        """Why somebody waits."""
        now = self.loop.time()
        if self._opens > now:
            why = f"the service asked to be left alone for {self._opens - now:.0f} s more"
        elif self._soonest(now) > now:
            why = f"{self._per_minute} requests of this client began within a minute"
        else:
            count = len(self._inside)
            are = "1 request of this client is" if count == 1 else f"{count} requests of this client are"
            why = f"{are} under way"
        return f"It waits for its turn: {why}. Nothing is sent or billed before that."

    def _has_room(self, now: float) -> bool:
        inside = len(self._inside)
        if inside < self._most:
            return True
        return (
            inside == self._most < self._at_once and self._most == self._too_many - 1 and now >= self._trial
        )

    def _soonest(self, now: float) -> float:
        """When the next may go, as far as time has to do with it."""
        if self._per_minute is None:
            return self._opens
        self._gone = sorted(went for went in self._gone if went > now - MINUTE)
        # Those inside that have not gone yet may do so now.
        went = sorted([*self._gone, *(now if one.went is None else one.went for one in self._inside)])
        free = -math.inf if len(went) < self._per_minute else went[-self._per_minute] + MINUTE
        return max(self._opens, free)

    def _too_long(self, now: float) -> RateLimitError:
        seconds = self._opens - now
        error = RateLimitError(
            "The service was too busy for another request of this client, and asked to be left alone for "
            f"{seconds:,.0f} s more. So nothing was sent or billed. Run again then.",
            status=self._status,
        )
        error.retry_after = seconds
        return error


def _set(turn: Turn, error: Exception | None) -> None:
    future = turn.let_in
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def apart(seconds: float) -> float:
    """A little more than so many seconds, and never the same."""
    return seconds * (1 + JITTER * random.random())  # noqa: S311 - no secret

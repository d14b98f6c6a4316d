"""`Sender`: sends what waits, so many at once and so many a minute, until nothing is left to send or it is stopped.

Each cell is carried out on a thread, which waits for it. Fitting an answer is work for this machine alone, so the next
cell goes as soon as one's answer is here. What may go, and when, is decided under the board's condition, which
is held for a few assignments only.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from .. import loop
from ..errors import TTAPIError
from ..log import RunLog
from ..threads import Together
from .board import Board, TrialCell
from .carrying import Outcome
from .cells import Cell

__all__ = ["Does", "Sender"]

Does: TypeAlias = Callable[[Cell, bool, Callable[[], None], Callable[[], None]], Outcome]
"""What carries a cell out, or sends it again though it was sent, and says when it is under way; as soon as its answer
is here it may say that too.
"""

MINUTE = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds for which a busy service is left alone that does not say for how long; doubled each time."""
LOOK = 1.0
"""Seconds between two looks at what another notebook sends."""
FITTING = 2
"""How many times as many cells may be under way as may be sent, those included whose answer is being fitted."""
TRIES = 3
"""How often in a row the service may be out of reach before it is given up."""
UNREACHED = "The service could not be reached {tries} times in a row. {why}"
STOPPED = "Stopped."


class Sender:
    """Sends the cells of a `board` with `do`, `parallel` at once and `per_minute` within any minute.

    `read(keys)` tells what the log says of cells by now.
    """

    def __init__(
        self,
        board: Board,
        log: RunLog,
        do: Does,
        read: Callable[[Collection[str]], list[TrialCell]],
        *,
        parallel: int,
        per_minute: int | None,
        again: Collection[str] = (),
    ) -> None:
        self.note = ""
        """Why it stopped before all was sent, in a sentence."""
        self.parallel = parallel
        self.began = time.monotonic()
        self.ended: float | None = None
        self.sent = 0
        """How many cells it has been through."""
        self._board, self._log, self._do, self._read = board, log, do, read
        self._rows = _Rows(read)
        self._guard, self._changed = board.guard, board.changed
        self._per_minute = per_minute
        self._again = set(again)
        self._queue: deque[str] = deque()
        # By cell, the turn it is under way in: it may begin anew before all of an earlier one is through.
        self._flying: dict[str, object] = {}
        # Of those, whom the service has yet to answer.
        self._asked: set[str] = set()
        self._elsewhere: set[str] = set()
        self._gone: deque[float] = deque()
        self._opens, self._pause, self._failed = 0.0, FIRST_PAUSE, 0
        self._holds = False
        self._stopped = False
        self._wakes: float | None = None
        self._over = threading.Event()

    def begin(self, waiting: Iterable[str], elsewhere: Iterable[str]) -> None:
        """Set out with these cells, and watch those."""
        with self._guard:
            self._queue.extend(waiting)
            self._elsewhere.update(elsewhere)
            self._go()
        if self._elsewhere:
            loop.start(self._watch)

    def add(self, keys: Iterable[str], *, again: bool = False) -> bool:
        """Send these too; False where it has ended already."""
        with self._guard:
            if self._over.is_set() or self._stopped:
                return False
            new = [key for key in keys if key not in self._queue and key not in self._flying]
            self._queue.extend(new)
            if again:
                self._again.update(new)
            self._go()
            return True

    def stop(self, why: str = STOPPED) -> None:
        """Send nothing more; what has left goes on."""
        with self._guard:
            if not self._stopped and not self._over.is_set():
                self.note, self._stopped = why, True
            self._go()
            self._changed.notify_all()

    @property
    def over(self) -> bool:
        """Whether all is done that it will do."""
        return self._over.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for that; whether it came to be in so many seconds."""
        return self._over.wait(timeout)

    @property
    def left(self) -> int:
        """How many cells are yet to be sent or answered."""
        with self._guard:
            return len(self._queue) + len(self._flying)

    # On its threads

    def _go(self) -> None:
        """Have all go that may, each on a thread; `_guard` is held.

        None waits for its turn on a thread: of thirty that wait, all are woken whenever something changes, and what is
        to be sent waits for them.
        """
        while self._queue and not (self._stopped or self._holds) and self._has_room():
            seconds = self._until()
            if seconds > 0:
                self._later_on(seconds)
                break
            key = self._queue.popleft()
            turn = self._flying[key] = object()
            self._asked.add(key)
            self._gone.append(time.monotonic())
            loop.leaves((self, key))
            try:
                loop.start(partial(self._serve, key, turn))
            except BaseException:
                loop.left((self, key))
                self._leave(key, turn)
                self._queue.appendleft(key)
                raise
        if not self._flying and (self._stopped or not self._queue) and not self._waits_elsewhere():
            self.ended = self.ended or time.monotonic()
            self._over.set()

    def _has_room(self) -> bool:
        return len(self._asked) < self.parallel and len(self._flying) < FITTING * self.parallel

    def _later_on(self, seconds: float) -> None:
        """Go on in so many seconds, unless that is to be done before."""
        wakes = time.monotonic() + seconds
        if self._wakes is not None and self._wakes <= wakes:
            return
        self._wakes = wakes

        async def wake() -> None:
            await asyncio.sleep(seconds)
            loop.start(self._woken)

        loop.submit(wake())

    def _woken(self) -> None:
        with self._guard:
            self._wakes = None
            self._go()

    def _leave(self, key: str, turn: object) -> None:
        """This turn of a cell is over; `_guard` is held. Another that began meanwhile is not."""
        if self._flying.get(key) is turn:
            del self._flying[key]
            self._asked.discard(key)

    def _serve(self, key: str, turn: object) -> None:
        try:
            cell = self._board[key].cell
            self._board.put(TrialCell(cell, "sending", offline=self._board[key].offline))
            begun, answered = partial(loop.left, (self, key)), partial(self._answered, key, turn)
            self._land(key, turn, self._do(cell, key in self._again, begun, answered))
        finally:
            loop.left((self, key))
            with self._guard:
                self._leave(key, turn)
                self._go()

    def _waits_elsewhere(self) -> bool:
        return bool(self._elsewhere) and not self._stopped

    def _until(self) -> float:
        """Seconds until the next may go, as far as time has to do with it."""
        now = time.monotonic()
        opens = self._opens
        if self._per_minute is not None:
            while self._gone and self._gone[0] <= now - MINUTE:
                self._gone.popleft()
            if len(self._gone) >= self._per_minute:
                opens = max(opens, self._gone[-self._per_minute] + MINUTE)
        return opens - now

    def _answered(self, key: str, turn: object) -> None:
        """The answer of a cell is here: another may go."""
        with self._guard:
            if self._flying.get(key) is turn:
                self._asked.discard(key)
            self._go()

    def _land(self, key: str, turn: object, went: Outcome) -> None:
        if went.kind == "over":
            self._board.put(*self._outcome(key, went))
        with self._guard:
            self._leave(key, turn)
            self._holds = False
            if went.kind == "over" and self._board[key].state == "waiting":
                # It did not leave: its worker was lost, or another notebook's run of it was stopped.
                self._later(key, replace(went, kind="unreachable"))
            elif went.kind == "over":
                self.sent += 1
                self._pause, self._failed = FIRST_PAUSE, 0
                self._again.discard(key)
                if self._board[key].state == "elsewhere":
                    self._elsewhere.add(key)
                    if len(self._elsewhere) == 1:
                        loop.start(self._watch)
            elif went.kind == "impossible":
                self._board.put(replace(self._board[key], state="not sent", problem=went.problem))
            else:
                self._later(key, went)

    def _later(self, key: str, went: Outcome) -> None:
        """A cell that did not leave, or was refused for being too much, is the next once more."""
        self._queue.appendleft(key)
        self._board.put(replace(self._board[key], state="waiting", problem=went.problem))
        if went.kind == "budget":
            # An answer may cost less than was reckoned, so the others are waited for.
            self._holds = bool(self._flying)
        elif went.kind == "unreachable" and time.monotonic() >= self._opens:
            # Those that were under way together failed of one cause.
            self._failed += 1
        if went.kind in ("busy", "unreachable"):
            # All of them wait, as the service asked of one.
            self._opens = max(self._opens, time.monotonic() + (went.seconds or self._pause))
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        out_of_reach = self._failed >= TRIES
        if went.kind == "halt" or out_of_reach or (went.kind == "budget" and not self._holds):
            why = UNREACHED.format(tries=TRIES, why=went.problem) if out_of_reach else went.problem
            self.note, self._stopped = self.note or why, True

    def _outcome(self, key: str, went: Outcome) -> list[TrialCell]:
        """What the log says of a cell that was carried out."""
        try:
            cell = self._rows.of(key)
        except TTAPIError as error:
            problem = str(error)
        else:
            if cell is not None and cell.run_id:
                more = went.problem if cell.state == "done" else ""
                return [replace(cell, problem=more) if more else cell]
            problem = went.problem
        return [replace(self._board[key], state="failed", problem=problem, run_id=went.run_id)]

    def _watch(self) -> None:
        """Look at what another notebook sends, until it has its answer, or is gone."""
        while True:
            with self._guard:
                self._changed.wait_for(lambda: self._stopped, LOOK)
                keys = set(self._elsewhere)
                if self._stopped or not keys:
                    break
            try:
                # Whoever sent them may be gone.
                self._log.recover()
                cells = self._read(keys)
            except TTAPIError:
                continue
            self._board.put(*cells)
            with self._guard:
                self._elsewhere -= {one.key for one in cells if one.state != "elsewhere"}
                freed = [one.key for one in cells if one.state == "waiting"]
                self._queue.extend(freed)
                self._go()
                if not self._elsewhere:
                    return
        with self._guard:
            self._go()


class _Rows:
    """What the log says of cells, asked by one thread for all that ask meanwhile: it is opened once for them."""

    def __init__(self, read: Callable[[Collection[str]], list[TrialCell]]) -> None:
        self._read = read
        self._asked = Together[tuple[str, Future[TrialCell | None]]]()

    def of(self, key: str) -> TrialCell | None:
        """What it says of a cell by now; None for nothing. Raises what `read` raises."""
        future: Future[TrialCell | None] = Future()
        if self._asked.add((key, future)):
            self._read_all()
        return future.result()

    def _read_all(self) -> None:
        while asked := self._asked.taken():
            try:
                cells = {cell.key: cell for cell in self._read([key for key, _ in asked])}
                for key, future in asked:
                    future.set_result(cells.get(key))
            except BaseException as error:  # noqa: BLE001 - whoever asked is told
                for _, future in asked:
                    if not future.done():
                        future.set_exception(error)


def room() -> threading.BoundedSemaphore:
    """Room for fitting photos: a large one takes much memory for a moment."""
    return threading.BoundedSemaphore(max(2, os.cpu_count() or 1))

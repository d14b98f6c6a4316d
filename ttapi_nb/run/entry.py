"""`Entry`: what a run has in its log, from its row to its end there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Literal

from .. import loop
from ..errors import NotSentError, ResultError, TTAPIError
from ..log import RunLog, State
from ..log.budget import sent_options
from ..reply import ImagesResponse
from ..threads import Lane
from .debts import owe, pay_debts, settle, store
from .ending import HANGS, INTERRUPTED, caught, either, words_of
from .run import Run

__all__ = ["Entry"]

LOG_PATIENCE = 90.0
"""Seconds for one thing to be written into the log. SQLite itself gives up sooner; a disk that hangs never does."""
PRICE_PATIENCE = 5.0
"""Seconds for a price function to say what a run cost."""


class Entry:
    """Writes into the log of a run, where it has one, on the run's lane: row, mark, answer and end, in that order.

    `begin`, `undo` and `settle` are for the lane; the others are awaited on the loop.
    """

    def __init__(self, run: Run, lane: Lane) -> None:
        self._run = run
        self._lane = lane
        # Of what is in the log; only work on the lane asks.
        self._row: Literal["none", "perhaps", "written"] = "none"
        self._marked = False

    # On the lane

    def begin(self, *, offline: bool, address: str) -> None:
        """Write its row, behind what the log did not take of earlier runs."""
        log = self._run.log
        if log is None:
            return
        pay_debts(log)
        self._row = "perhaps"
        log.begin(
            self._run.id,
            self._run.prepared,
            offline=offline,
            address=address,
            budget=self._run.budget,
            claim=self._run.claim,
        )
        self._row = "written"

    def undo(self, error: BaseException) -> None:
        """It was not begun, for this error: a row that may be there says so."""
        self._row = "none" if isinstance(error, TTAPIError) else self._row
        self.settle("not sent", INTERRUPTED)

    def settle(self, state: State, problem: str) -> None:
        """Write how it ended. What the log does not take now, it is given later."""
        log = self._run.log
        if log is None or self._row == "none":
            return
        debt = partial(
            settle, self._run.id, state, problem, self._marked and state in ("not sent", "cancelled")
        )
        error = caught(partial(debt, log))
        if error is not None:
            owe(log, debt)
            self._run._add_note(words_of(error))

    def _mark(self, log: RunLog) -> None:
        # Where it is in doubt it counts as marked, so that it is taken back.
        self._marked = True
        try:
            log.mark_sent(self._run.id)
        except NotSentError:
            self._marked = False
            raise

    def _unmark(self, log: RunLog) -> None:
        log.mark_refused(self._run.id)
        self._marked = False

    # On the loop

    async def mark(self) -> None:
        """Write that it is about to leave. Raises `NotSentError` where it may not."""
        if self._run.log is not None:
            await self._write(self._mark, self._run.log)

    async def unmark(self) -> None:
        """Write that it was refused, and is about to leave once more."""
        if self._run.log is not None:
            await self._write(self._unmark, self._run.log)

    async def keep(self, response: ImagesResponse) -> bool:
        """Keep an answer, and tell the run what it cost; whether the log has it now."""
        run = self._run
        run.response = response
        run.cost = await self._cost_of(response)
        if run.log is not None:
            try:
                # What came is on the disk as it came, so that those who are about to leave can go first.
                keep = partial(store, run.id, response, run.cost)
                await self._write(lambda log: loop.calmly(partial(keep, log)), run.log)
            except Exception as error:  # noqa: BLE001 - what can't be kept there is here all the same
                run._add_note(f"{words_of(error)} The results are here, but not in the log: save them.")
                return False
        return True

    async def settled(self, state: State, problem: str) -> bool:
        """Have its end written, behind all that is being written there; False where that takes too long."""
        done = self._lane.submit(partial(self.settle, state, problem))
        await loop.wait([done], LOG_PATIENCE)
        return done.done()

    async def _write(self, work: Callable[[RunLog], None], log: RunLog) -> None:
        """Have `work` write into the log, and raise what that raises as an `Exception`."""
        future = self._lane.submit(partial(caught, partial(work, log)))
        try:
            error = await asyncio.wait_for(loop.follow(future), LOG_PATIENCE)
        except TimeoutError:
            error = ResultError(HANGS.format(seconds=LOG_PATIENCE))
        if isinstance(error, Exception):
            raise error
        if error is not None:
            raise ResultError(f"The run log could not be written ({words_of(error)}).")

    async def _cost_of(self, response: ImagesResponse) -> float | None:
        prices = self._run.budget.prices if self._run.budget is not None else None
        if prices is None or response.offline or response.replayed:
            return None
        request = self._run.request
        usage = asdict(response.usage) if response.usage is not None else None
        work = partial(prices.cost, request.model, sent_options(request), len(response.data), usage)
        try:
            # Somebody else's function: it may do anything, and a paid answer must not be lost to it.
            outcome = await asyncio.wait_for(loop.follow(loop.start(partial(either, work))), PRICE_PATIENCE)
        except TimeoutError:
            outcome = None, "it took too long"
        if outcome[1]:
            self._run._add_note(f"What it cost could not be told ({outcome[1]}), so it counts as estimated.")
        return outcome[0]

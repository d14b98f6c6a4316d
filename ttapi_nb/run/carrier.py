"""`Carrier`: what carries a run out, from its row in the log to its end there.

Three kinds of threads take part, and none waits for what another holds:

* the loop's, which sends and receives, and for the rest only awaits;
* the run's lane for its log: row, mark, answer and end are written there (see `Entry`), in that order, and a log that
  is locked makes only this run wait;
* the lanes of those who watch it (see `Run.on_change`), which nothing of the run waits for, but its end for a moment.

Whether it may leave is decided in memory, under a guard that is held for a few assignments and never while something is
written: `withdraw` and `left` both take it, so one of them comes first. A run that is stopped while its mark is being
written is stopped at once; the row follows on the lane, behind what is written there.

Whatever a step raises, the run ends: with its results, or with an error that says what it means for the bill.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeAlias

from .. import exiting, loop
from ..client.core import Core
from ..client.told import Told
from ..errors import NotSentError, RunCancelledError, TTAPIError
from ..freeing import give_back
from ..lineage import step_text
from ..log import State
from ..rawanswers import RawAnswer
from ..reply import ImagesResponse, PartialData
from .ending import ENDED, HANGS, INTERRUPTED, End, Ended, cancelled, end_of, unsent
from .entry import LOG_PATIENCE, Entry
from .partial import Partial
from .result import Result
from .run import Run
from .signing import all_signed

__all__ = ["Carrier"]

Made: TypeAlias = Callable[[Run, ImagesResponse], tuple[tuple[Result, ...], str]]

WATCHER_PATIENCE = 5.0
"""Seconds for which the end of a run is held back until those who watch it have seen it."""
NEXT_PATIENCE = 0.1
"""Seconds for which an answer is held back from the log until whoever takes its place has been told."""
HELD = 16
"""About how many bytes a pixel of the photo takes, at least, while its results are made."""
STOPPED_PATIENCE = 2.0
"""Seconds for which the end of a run that did not leave is held back until the log has it."""


class Carrier(exiting.Unfinished):
    """Carries one run out with `core`; `make(run, response)` makes its results, and says which are missing.

    Nothing here is for whoever holds the run: that is `Run`'s face.
    """

    def __init__(self, run: Run, core: Core, make: Made) -> None:
        super().__init__(core.timeout, core.offline)
        self.run = run
        self._core = core
        self._make = make
        self._lane = loop.lane()
        self._entry = Entry(run, self._lane)
        self._task: Future[None] | None = None
        # What came for it, until that is in the log.
        self._raw: RawAnswer | None = None
        if run.log is not None and not core.offline:
            self._raw = core.raw(run.log.folder, run.id)
        # What `withdraw` and `left` decide on, under the run's guard.
        self.withdrawn = False
        # What `_stop` has yet to have written: whoever stops it may be interrupted in that.
        self._owed: tuple[State, str] | None = None

    # Begin

    def begin(self) -> None:
        """Write the run's row, and set out. Raises what that raises, and nothing is sent then."""
        exiting.add(self)
        if not self.offline:
            loop.leaves(self)
        try:
            begun = self._lane.submit(self._begin)
        except Exception:
            # Who is interrupted may have begun it, and withdraws it.
            self._let_go()
            raise
        begun.result()

    def _begin(self) -> None:
        try:
            self._entry.begin(offline=self.offline, address=self._core.address)
            # What was withdrawn meanwhile finds that out before it leaves.
            self._task = loop.submit(self._carry_out())
        except BaseException as error:
            self._entry.undo(error)
            # Nobody holds it yet, but who watches it may.
            with self.run._guard:
                if not self.run.done:
                    self.run._end("failed", error if isinstance(error, Exception) else unsent(error))
            self.run._release()
            self._let_go()
            raise

    # On the loop, where everything is awaited

    async def _carry_out(self) -> None:
        end: End | None = None
        try:
            response = await self._core.send(self.run.request, self._told(), check=False, raw=self._raw)
            is_kept = await self.answered(response)
            results, note = await loop.heavy(partial(self._results, response, is_kept))
            end = End("done", None, "done", note, results)
        except BaseException as error:  # noqa: BLE001 - whatever happened, whoever waits for the run is told
            end = self._stopped(error)
        try:
            if end is None and self._owed is not None:
                await self._entry.settled(*self._owed)
                self._tell_the_end(last=True)
            await self._settled(end)
        finally:
            self._ended(end)

    def _told(self) -> Told:
        made_by = partial(step_text, self.run.prepared)
        return Told(
            self.left, self.busy, self.arrived, self.queued, made_by, self.waits, self.drafted, self.run.id
        )

    async def queued(self, words: str) -> None:
        """It waits for its turn, with nothing sent."""
        loop.left(self)
        with self.run._guard:
            self._may_leave()
            self.run.note = words
        self.run._tell()

    async def waits(self, words: str) -> None:
        """It has left, and waits at a class's gateway for this; empty for nothing."""
        with self.run._guard:
            if self.run.done or self.left_at is None or self.run.note == words:
                return
            self.run.note = words
        self.run._tell()

    def drafted(self, data: PartialData) -> None:
        """A draft came; in a thread."""
        run = self.run
        strict, count = run.strict, len(run.partials) + 1
        run._add_partial(Partial(count, data, run.source, run.plan, run.asked.request, strict))

    async def left(self) -> None:
        """Its first byte is leaving. Raises `NotSentError` where it may not."""
        self._may_leave()
        await self._entry.mark()
        with self.run._guard:
            self._may_leave()
            self.left_at = time.monotonic()
            self.run.status, self.run.note = "waiting", ""
        loop.left(self)
        self.run._tell()

    def _may_leave(self) -> None:
        if self.withdrawn:
            raise NotSentError(INTERRUPTED)

    async def busy(self, seconds: float) -> None:
        """The service was too busy for it, so that nothing is billed, and it is sent again in so many seconds."""
        with self.run._guard:
            self.left_at = None
        await self._entry.unmark()
        with self.run._guard:
            self._may_leave()
            self.run.status = "sending"
            self.run.note = (
                f"The service is busy, and nothing was billed. It is asked again in {seconds:.0f} s."
            )
        self.run._tell()

    async def arrived(self, response: ImagesResponse) -> None:
        """Keep an answer, whose results may yet have to be fetched: it is paid for, so that comes first."""
        await self._entry.keep(response)

    async def answered(self, response: ImagesResponse) -> bool:
        """All of its answer is here; whether the log has it."""
        self.run.response = response
        # First: who waits for its place need not wait for the disk, and gets there before this does.
        await loop.wait(self.run._tell_answered(), NEXT_PATIENCE)
        is_kept = await self._entry.keep(response)
        self.run._add_note(response.note)
        return is_kept

    # On threads

    def waits_here(self) -> bool:
        """Whether what it waits for is called on this thread."""
        return self._lane.is_here()

    def _results(self, response: ImagesResponse, is_kept: bool) -> tuple[tuple[Result, ...], str]:
        if is_kept and self._raw is not None and response.is_whole:
            self._raw.understood()
        results, note = self._make(self.run, response)
        results = all_signed(self.run, results, offline=response.offline)
        # After all that takes much: to hash a photo does too.
        source = self.run.source.size
        give_back(HELD * source[0] * source[1])
        return results, note

    # Its end

    def cancel(self) -> None:
        """Stop it, on any thread and at once: it does not leave any more, or its answer is nobody's wait."""
        unsent = RunCancelledError(cancelled(has_left=False, offline=self.offline))
        if self._stop("cancelled", unsent, "cancelled"):
            return
        with self.run._guard:
            if self.run.done:
                return
            self.run.note = cancelled(has_left=True, offline=self.offline)
            self.run._end("cancelled", RunCancelledError(self.run.note))
        self._tell_the_end()

    def withdraw(self, why: str = ENDED) -> bool:
        """Keep it from leaving, on any thread and at once; False where it has left, or has ended."""
        return self._stop("failed", NotSentError(why), "not sent")

    def _stop(self, status: Ended, error: TTAPIError, state: State) -> bool:
        with self.run._guard:
            if self.left_at is not None or self.run.done:
                return False
            self.withdrawn = True
            self.run.note = str(error)
            self.run._end(status, error)
            self._owed = state, str(error)
        if self._task is not None:
            self._task.cancel()
        try:
            settled = self._lane.submit(partial(self._entry.settle, state, str(error)))
            self._owed = None
        except BaseException:  # noqa: BLE001 - without a thread the log has to do without
            self._tell_the_end(last=True)
            return True
        settled.add_done_callback(lambda _: self._let_go())
        # For the log, but not long: cancelling is done at once, whoever locks it.
        self._tell_the_end(settled)
        return True

    def _stopped(self, error: BaseException) -> End | None:
        """How a run ends in which this was raised; None where it has ended before it left."""
        with self.run._guard:
            if self.withdrawn and self.run.done:
                return None
        return end_of(
            error,
            has_left=self.has_left,
            answered=self.run.response is not None,
            account="" if self.offline else self._core.account,
        )

    async def _settled(self, end: End | None) -> None:
        """Have the end written into the log, behind all that is being written there."""
        if end is None:
            return
        self.run.results = end.results
        if end.status == "done":
            self.run._add_note(end.problem)
        if self.run.log is not None and not await self._entry.settled(end.state, end.problem):
            self.run._add_note(HANGS.format(seconds=LOG_PATIENCE))

    def _ended(self, end: End | None) -> None:
        if end is None:
            return
        with self.run._guard:
            late = self.run.done
            if not late:
                self.run._end(end.status, end.error)
            elif end.results:
                self.run._add_note("The answer came after you had cancelled. It was kept: see run.results.")
        if late:
            self.run._tell()
            self._let_go()
        else:
            self._tell_the_end(last=True)

    def _tell_the_end(self, settled: Future[Any] | None = None, *, last: bool = False) -> None:
        """Let those who watch see the end, then those who wait for it: nobody's callback is waited for long."""
        try:
            told = self.run._tell()
            if told or settled is not None:
                loop.submit(self._tell_late(told, settled, last))
                return
        except BaseException:  # noqa: BLE001 - whoever waits is told in any case
            logging.getLogger(__name__).warning("The end of a run could not be told to those who watch it.")
        self._release(last)

    async def _tell_late(self, told: list[Future[None]], settled: Future[Any] | None, last: bool) -> None:
        try:
            if settled is not None:
                await loop.wait([settled], STOPPED_PATIENCE)
            await loop.wait(told, WATCHER_PATIENCE)
        finally:
            self._release(last)

    def _release(self, last: bool) -> None:
        self.run._release()
        if last:
            self._let_go()

    def _let_go(self) -> None:
        # The two hold each other, and all their pictures, until the collector comes by.
        self.run._carrier = None
        loop.left(self)
        self.set_over()

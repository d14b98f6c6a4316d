"""`RunLog`: the record of every run, written before a byte leaves and settled after; what was spent, and what came."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from .. import reply
from ..errors import NotSentError, ResultError, SettingsError
from ..folders import data_folder
from ..lineage import Step
from ..reply import ImagesResponse, PartialData
from ..request import EditRequest
from . import checks, fetching, memory, pruning, ratings, searching, spending
from .budget import Budget, Spent
from .checks import State
from .experiments import Experiments
from .file import Journal, LogFile
from .folder import ANSWERS, RESULTS, sizes
from .life import Life
from .place import journal_of
from .pruning import Pruned
from .rows import RunRow, find, restored, rows_like
from .spending import Totals
from .tally import Quotes
from .writing import put_back, take_back, write_end

__all__ = ["RunLog", "default_log"]


NOT_WAITING = "The run is not waiting to be sent in the log any more, so it was not sent. Run again."


class RunLog(Life):
    """A record of runs in a folder: one SQLite file, and the raw answers beside it by the hash of their bytes.

    * `folder`: left out, the user's data folder (or the environment's `TTAPI_DATA`).
    * `journal`: `"wal"`, or `"rollback"` for a folder on a network, which then stays so; left out, the environment's
      `TTAPI_JOURNAL`, or as the log already is.
    * `limit_bytes`: the most that results may take on the disk. The oldest go when a run is done; those of the newest
      run and of runs under way stay.

    The folder is taken as it is named now, also where the working directory changes later, and is made its owner's
    alone. Raises `SettingsError` for what can't be one.

    It holds prompts, options, hashes of sources and masks, small masks, and the results; never the key. Several kernels
    may use one log. Methods raise `ResultError` where it can't be read or written.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        journal: Journal | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        self._file = LogFile(data_folder(folder), journal_of(journal))
        self.limit_bytes = checks.whole_number("limit_bytes", limit_bytes, "for no limit")

    def __repr__(self) -> str:
        return f"RunLog({str(self.folder)!r})"

    @property
    def journal(self) -> Journal | None:
        """How its file is kept whole; None as it already is."""
        return self._file.journal

    @property
    def experiments(self) -> Experiments:
        """Its plans of many runs, and what is kept of them."""
        return Experiments(self._file, self.recover)

    # How a run leaves and ends

    def mark_sent(self, run_id: str) -> None:
        """Note that the first byte is about to leave. Each run gets this once, or once more after each refusal.

        Raises `NotSentError` where it may not leave: it has left already, was given up, or is not in the log.
        """
        known = self._known(run_id)
        if known is not None and known.withdrawn:
            raise NotSentError(NOT_WAITING)

        def mark(db: sqlite3.Connection) -> None:
            if known is not None:
                put_back(db, self.folder, known, run_id)
            done = db.execute(
                "UPDATE runs SET sent = 1 WHERE id = ? AND state = 'open' AND sent = 0", (run_id,)
            )
            if done.rowcount != 1:
                raise NotSentError(NOT_WAITING)

        self._file.write(mark)
        if known is not None:
            known.row["sent"] = 1

    def mark_refused(self, run_id: str) -> None:
        """Note that the service was too busy for it, so that nothing was billed and it may be sent once more."""
        known = self._known(run_id)
        if known is not None:
            known.row["sent"] = 0
        with self._file.open() as db:
            put_back(db, self.folder, known, run_id)
            db.execute("UPDATE runs SET sent = 0, refused = refused + 1 WHERE id = ?", (run_id,))
        if known is not None:
            known.row["refused"] += 1

    def mark_unsent(self, run_id: str) -> None:
        """Take `mark_sent` back, where the run was stopped before its first byte left."""
        known = self._known(run_id)
        if known is not None:
            known.row["sent"] = 0
        with self._file.open() as db:
            put_back(db, self.folder, known, run_id)
            db.execute("UPDATE runs SET sent = 0 WHERE id = ? AND state = 'open'", (run_id,))

    def withdraw(self, run_id: str) -> None:
        """Note that a run won't be sent, unless it has been already. From then on `mark_sent` refuses it.

        Where that can't be written now it is written with whatever is done next.
        """
        # First of all: whoever stops a cell may stop this as well.
        memory.withdraw(self.folder, run_id)
        run_id = checks.run_name(run_id)
        with self._file.open() as db:
            done = take_back(db, run_id)
        if done == 1:
            self._settled(run_id)

    def settle(self, run_id: str, state: State, problem: str = "") -> None:
        """Write how a run ended. Where that can't be written now, it is written with whatever is done next."""
        known = self._known(run_id)
        end = {
            "state": checks.states(state)[0],
            "problem": checks.cut(str(problem)),
            "finished": time.time(),
        }
        if known is not None:
            known.end = end
        self._file.write(lambda db: write_end(db, self.folder, known, run_id, end))
        self._settled(run_id)
        if self.limit_bytes is not None:
            self.prune(limit_bytes=self.limit_bytes)

    def found(self, run_id: str, *, billed: bool) -> None:
        """Note what you found out about a run of unknown outcome, in the TTAPI Dashboard say: whether it was billed.

        One that was not counts as nothing in totals and budgets. Raises `ResultError` where there is no such run.
        """
        run_id = checks.run_name(run_id)
        if not isinstance(billed, bool):
            raise SettingsError(f"billed={billed!r} is neither True nor False. Say which it was.")
        with self._file.open() as db:
            done = db.execute(
                "UPDATE runs SET billed = ? WHERE id = ? AND state = 'unknown'", (billed, run_id)
            )
            if done.rowcount != 1:
                raise ResultError(
                    f"There is no run {run_id!r} of unknown outcome in this log. See rows(state='unknown')."
                )

    def rate(
        self,
        run_id: str,
        number: int = 1,
        *,
        stars: int | None = None,
        note: str | None = None,
        verdict: ratings.Verdict | None = None,
    ) -> None:
        """Note what you think of a result, `number` from 1: `stars` 0 to 5, a `note`, and whether it was `"kept"` or
        `"discarded"` (`""` takes that back). What is left out stays as it is. `rows()` carry ratings and search notes.

        Raises `SettingsError` for what can't be meant, and `ResultError` where there is no such run or result.
        """
        run_id = checks.run_name(run_id)
        values = ratings.columns(number, stars, note, verdict)
        with self._file.open() as db:
            ratings.write_rating(db, find(db, run_id), values)

    # Reading

    def rows(
        self,
        limit: int | None = 100,
        *,
        search: str = "",
        state: State | Collection[State] | None = None,
        since: datetime | float | None = None,
        stars: int | None = None,
        before: str | None = None,
    ) -> list[RunRow]:
        """The latest runs, newest first; at most `limit`, or all for None.

        `search` keeps those in whose prompt, model, picture's name, problem or notes each of its words stands, whatever
        its case; `state` those in this state or these states; `since` those that began then or later: a `datetime`, or
        seconds since 1970; `stars` those with a result that was given at least so many; `before` those that come after
        the run of that id here, for one page after the other.
        """
        most = checks.whole_number("limit", limit, "for 100, or use None for all")
        if not isinstance(search, str):
            raise SettingsError(f"search={search!r} is not a text. Use words that stand in the prompt, say.")
        start, wanted = checks.start_of(since), checks.states(state)
        least = checks.whole_number("stars", stars, "for any")
        page = None if before is None else checks.run_name(before)
        self.recover()
        if search.strip():
            self._kept(searching.is_behind, searching.add_to_index)
        with self._file.open(write=False) as db:
            return [self._row(db, row) for row in rows_like(db, search, wanted, start, most, least, page)]

    def _kept(
        self, is_behind: Callable[[sqlite3.Connection], bool], keep: Callable[[sqlite3.Connection], object]
    ) -> None:
        """Bring what the file keeps beside its rows up to date, where much was written since."""
        # Where it can't be written it can still be read.
        with contextlib.suppress(ResultError):
            while True:
                with self._file.open(write=False) as db:
                    if not is_behind(db):
                        return
                with self._file.open() as db:
                    keep(db)

    def row(self, run_id: str) -> RunRow:
        """One run. Raises `ResultError` where there is none of this id."""
        run_id = checks.run_name(run_id)
        with self._file.open(write=False) as db:
            return self._row(db, find(db, run_id))

    def totals(self, since: datetime | float | None = None) -> Totals:
        """What was spent, since a `datetime` or seconds since 1970 where one is given. Pruned runs count too."""
        start = checks.start_of(since)
        self.recover()
        self._kept(spending.is_behind, spending.keep_sums)
        with self._file.open(write=False) as db:
            size = sum(sizes(self.folder / RESULTS).values())
            return spending.totals(db, start, size, self._unsent())

    def spent(self, budget: Budget) -> Spent:
        """What counts as spent for a budget."""
        if not isinstance(budget, Budget):
            raise SettingsError(f"{budget!r} is no budget. Use one like Budget(runs=5).")
        self.recover()
        self._kept(spending.is_behind, spending.keep_sums)
        quotes = None if budget.prices is None else Quotes(budget.prices)
        while True:
            with self._file.open(write=False) as db:
                spent = spending.spent(db, budget, quotes, self._unsent())
            if quotes is None or not quotes.wanted:
                return spent
            # When the log is let go: what somebody's functions do is theirs.
            quotes.ask()

    def problems(self, budget: Budget, request: EditRequest, requests: int = 1) -> tuple[str, ...]:
        """Which limits are in the way of a request now, or of so many like it, as sentences; empty where it may be
        sent. Reserves nothing.
        """
        spent = self.spent(budget)
        return budget.problems(budget.estimate(request, requests), spent)

    def restore(self, run_id: str) -> Step:
        """What fills an editor as it was before a run. Raises `ResultError` where there is none of this id.

        The picture itself is not kept: its name and digest are in `sources`.
        """
        run_id = checks.run_name(run_id)
        with self._file.open(write=False) as db:
            columns = find(db, run_id)
            return restored(self._row(db, columns), columns)

    def fetch_again(self, run_id: str, *, fetch_from: str | Collection[str] = ()) -> RunRow:
        """Fetch the results of a run that could not be fetched when they were made, without the key, and keep them.

        Only https at public addresses is asked, and what `fetch_from` names: origins that you trust, such as
        `"http://127.0.0.1:4000"` for a gateway of your own. What the log itself says about that is not relied on. The
        addresses die an hour after the run (TTAPI, POST /v1/images/edits). Raises `ResultError` where some are still
        missing; what did come is kept.
        """
        run_id, trusted = checks.run_name(run_id), checks.origins(fetch_from)
        fetching.fetch_again(self._file, self._known(run_id), run_id, trusted)
        return self.row(run_id)

    def reread(self, run_id: str) -> ImagesResponse:
        """Read an answer again that came and was not understood, and keep its results in the log.

        Such an answer is kept beside the log as it came, and the error of its run says so; a later version may read
        what this one could not, and so may this one when a package is there that undoes how it was packed. A bare
        client's answer has no run in the log: its results are in what this returns alone. Raises `ResultError` where
        none is kept, or where it still can't be read.
        """
        run_id = checks.run_name(run_id)
        with self._file.open(write=False) as db:
            known = db.execute("SELECT 1 FROM runs WHERE id = ? AND NOT pruned", (run_id,)).fetchone()
        response = reply.read_again(self.folder / ANSWERS, run_id)
        if known:
            self.store(run_id, response)
            self.settle(run_id, "done", response.note)
        if response.is_whole:
            (self.folder / ANSWERS / run_id).unlink(missing_ok=True)
        return response

    def partials(self, run_id: str) -> tuple[PartialData, ...]:
        """The drafts that came for a run whose answer ended before a result; `image` of each is the draft as it came.

        They are in the answer that is kept beside the log, and no results. Raises `ResultError` where none is kept.
        """
        return reply.drafts_again(self.folder / ANSWERS, checks.run_name(run_id))

    def keeps_answer(self, run_id: str) -> bool:
        """Whether an answer is kept beside the log as it came, which `partials` and `reread` look into."""
        return (self.folder / ANSWERS / checks.run_name(run_id)).is_file()

    # Making room

    def prune(
        self,
        *,
        older_than: float | None = None,
        keep: int | None = None,
        limit_bytes: int | None = None,
        spare: Collection[str] = (),
    ) -> Pruned:
        """Take runs and results away for good.

        * `older_than`: runs that began more than so many days ago go, with prompt, mask and results, and mask drafts.
        * `keep`: the newest so many runs stay whatever their age; alone, all others go.
        * `limit_bytes`: then the results of the oldest runs go until all take at most so many bytes; those runs stay in
          the history, and the newest run keeps its results.
        * `spare`: ids of runs that stay as they are.

        Runs under way are left alone, and what pruned runs have cost still counts. Raises `SettingsError` where nothing
        says what may go, or by a number below 0.
        """
        pruning.check(older_than, keep, limit_bytes, spare)
        self.recover()
        return pruning.prune(self._file, older_than, keep, limit_bytes, frozenset(spare))


def default_log() -> RunLog:
    """The log that runs use when none is named."""
    return RunLog()

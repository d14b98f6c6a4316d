"""`Life`: how runs begin in a log, leave, and end; each step on the disk when it returns."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..asked import Prepared
from ..errors import BudgetError, ResultError
from ..reply import ImagesResponse
from ..reply.addresses import shown
from . import checks, memory, spending
from .alive import hold, release
from .budget import Budget, Estimate
from .claims import Claim, check_claim
from .file import LogFile
from .folder import RESULTS
from .keeping import keep_answer
from .rows import RunRow, read_row
from .tally import Quotes
from .writing import (
    catch_up,
    give_up,
    insert,
    new_row,
    unfinished,
)

__all__ = ["Life"]


class _Limit:
    """What a budget says of one run, with the prices that it needs for that."""

    def __init__(self, budget: Budget | None, estimate: Estimate) -> None:
        self._budget, self._estimate = budget, estimate
        prices = budget.prices if budget is not None else None
        self._quotes = None if prices is None else Quotes(prices)

    @property
    def start(self) -> float:
        """From when on runs count."""
        return 0.0 if self._budget is None else self._budget.start

    def ask(self) -> None:
        """Find out the prices that are wanted; nothing may be held meanwhile."""
        if self._quotes is not None:
            self._quotes.ask()

    def allows(self, db: sqlite3.Connection) -> bool:
        """Whether it is known that the run may begin. Raises `BudgetError` where it may not."""
        if self._budget is None:
            return True
        spent = spending.spent(db, self._budget, self._quotes)
        if self._quotes is not None and self._quotes.wanted:
            return False
        problems = self._budget.problems(self._estimate, spent)
        if problems:
            raise BudgetError(problems)
        return True


class Life:
    """The part of a `RunLog` that its runs write."""

    _file: LogFile
    limit_bytes: int | None

    @property
    def folder(self) -> Path:
        """Where it is, whole."""
        return self._file.folder

    # The life of a run

    def begin(
        self,
        run_id: str,
        prepared: Prepared,
        *,
        offline: bool,
        address: str = "",
        budget: Budget | None = None,
        claim: Claim | None = None,
    ) -> None:
        """Write the row of a run that is about to be sent; it is on the disk when this returns.

        `address` is where it goes, `claim` the cell that it is of. With a `budget` the row is written only where that
        allows it: both are one transaction, so that kernels that share a log can't overspend together. Raises
        `BudgetError`, `ClaimedError`, and `InvalidRequestError` for what can't be written down.
        """
        run_id = checks.run_name(run_id)
        estimate = (budget or Budget()).estimate(prepared.sent, prepared.requests)
        row = new_row(run_id, prepared, offline=offline, address=address, estimate=estimate, claim=claim)
        limit = _Limit(None if offline else budget, estimate)
        begun: list[str] = []
        try:
            self._catch_up()
            while not self._reserved(row, limit, claim, begun):
                # Somebody's functions, which may take long: no other kernel waits for them.
                limit.ask()
        except BaseException:
            # A cell that is stopped here has no run. What may be written of it all the same is taken back later.
            if begun:
                memory.withdraw(self.folder, run_id)
            if begun or memory.known(self.folder, run_id) is None:
                release(self.folder, run_id)
            raise

    def _reserved(self, row: dict[str, Any], limit: _Limit, claim: Claim | None, begun: list[str]) -> bool:
        """Whether a run's row is written; not where its budget has to ask for prices first."""

        def reserve(db: sqlite3.Connection) -> bool:
            give_up(db, self.folder)
            # Now, not before: where others were waited for, it begins after theirs.
            row["started"] = time.time()
            if claim is not None:
                check_claim(db, claim, bool(row["offline"]))
            spending.keep_sums(db)
            if not limit.allows(db):
                return False
            if memory.known(self.folder, row["id"]) is None:
                row["mark"] = hold(self.folder, row["id"])
            insert(db, row, limit.start)
            begun.append(row["id"])
            memory.remember(self.folder, row)
            return True

        return self._file.write(reserve)

    def _known(self, run_id: str) -> memory.Known | None:
        return memory.known(self.folder, checks.run_name(run_id))

    def _settled(self, run_id: str) -> None:
        memory.drop(self.folder, run_id)
        release(self.folder, run_id)

    def _catch_up(self) -> None:
        """Write what could not be written when runs of this process ended."""
        left = memory.unwritten(self.folder)
        if not left:
            return
        with self._file.open() as db:
            catch_up(db, self.folder, left)
        for run_id, known in left.items():
            if known.end is not None or known.withdrawn:
                self._settled(run_id)

    def _unsent(self) -> list[str]:
        """The runs that are known here to have cost nothing, whatever the file says of them."""
        return [run_id for run_id, known in memory.unwritten(self.folder).items() if known.unsent]

    def store(self, run_id: str, response: ImagesResponse, *, cost: float | None = None) -> None:
        """Keep what arrived: each result's bytes as a file, and its row; and what it cost, where that is known."""
        known = self._known(run_id)
        usage = asdict(response.usage) if response.usage else None
        columns = {
            "usage": json.dumps(usage) if usage else None,
            "tokens": usage["total_tokens"] if usage else None,
            "came": len(response.data),
            "cost": checks.amount(cost),
        }
        if known is not None:
            # Before anything can go wrong: the end is written with it.
            known.row |= {name: value for name, value in columns.items() if value is not None}
        came = [
            (number, item.data, None if item.url is None else shown(item.url))
            for number, item in enumerate(response.data, 1)
        ]
        keep_answer(self._file, known, run_id, came, columns)

    def recover(self) -> tuple[RunRow, ...]:
        """Settle the runs that a process left unfinished when it was killed, and return them.

        Those that had left become `unknown`, as they may have been billed, and the others `not sent`. Runs of kernels
        that live are left alone. This is done by itself before a run begins, and when the log is read.
        """
        # Where it can't be written it can still be read.
        with contextlib.suppress(ResultError):
            self._catch_up()
        with self._file.open(write=False) as db:
            if not unfinished(db, self.folder):
                return ()
        with self._file.open() as db:
            ids = give_up(db, self.folder)
            rows = (db.execute("SELECT * FROM runs WHERE id IS ?", (name,)).fetchone() for name in ids)
            return tuple(self._row(db, row) for row in rows)

    def _row(self, db: sqlite3.Connection, row: sqlite3.Row) -> RunRow:
        return read_row(db, row, self.folder / RESULTS)

"""`Judged`: an experiment whose results are looked at, given stars, voted on, and ranked."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Self

from ..asked import prepare
from ..errors import ResultError
from ..log import Vote
from ..run import Result, made_again
from ..text import so_many
from .board import TrialCell
from .carrying import keep_shown
from .cells import Cell
from .ranking import Ranking, rank
from .underway import UnderWay
from .votes import Entry, Pair, choose, entries_of, read_votes

__all__ = ["Judged"]


class Judged(UnderWay):
    """See `Trial`."""

    def result(self, cell: Cell | TrialCell | str | int, number: int = 1) -> Result:
        """A result of a cell as `edit` would have given it, made again from the answer that the log keeps.

        Raises `ResultError` where there is none.
        """
        results = self.results(cell)
        if not 1 <= number <= len(results):
            raise ResultError(f"The cell has {so_many(len(results), 'result')}, and none of number {number}.")
        return results[number - 1]

    def results(self, cell: Cell | TrialCell | str | int) -> tuple[Result, ...]:
        """All results of a cell; see `result`."""
        one = self[cell]
        if one.state != "done":
            raise ResultError(f"The cell is {one.state}, and has no results yet. {one.problem}".strip())
        results = made_again(prepare(one.cell.asked), self.log.row(one.run_id))
        if len(one.shown) < len(results):
            keep_shown(self.log, one.cell, one.run_id, results)
            self.refresh()
        return results

    def rate(
        self,
        cell: Cell | TrialCell | str | int,
        stars: int | None = None,
        note: str | None = None,
        *,
        number: int = 1,
    ) -> Self:
        """Give a cell's result stars, 0 to 5, or a note; in the log, as for any other run."""
        one = self[cell]
        if not one.run_id:
            raise ResultError("The cell has no results to rate yet.")
        self.log.rate(one.run_id, number, stars=stars, note=note)
        self.board.put(*self._read([one.key]))
        return self

    # Votes

    @property
    def votes(self) -> tuple[Vote, ...]:
        """All votes on its results, in the order in which they came in."""
        return tuple(self.log.experiments.votes(self.name))

    @property
    def entries(self) -> dict[str, Entry]:
        """The results that can be judged, by what votes call them."""
        return entries_of(self.cells)

    def pair(self, by: str = "", *, chance: random.Random | None = None) -> Pair | None:
        """Two results to judge blindly, so that the values of the axis `by` can be ranked (left out: the first that has
        several): those compared least, sides by chance. None where there are no two.
        """
        return choose(self.entries.values(), self.votes, by or self.main_axis, chance)

    def vote(self, pair: Pair, choice: str, voter: str = "") -> Vote:
        """Write down which of a pair is better: `"left"`, `"right"`, `"tie"`, `"both bad"`. Raises `SettingsError`."""
        vote = Vote(pair.left.id, pair.right.id, choice, voter, time.time(), uuid.uuid4().hex)
        self.log.experiments.vote(self.name, [vote])
        return vote

    def add_votes(self, path: str | Path) -> int:
        """Read the votes in, which somebody gave in a report; each counts once. Returns how many were new.

        Raises `SettingsError` where the file is none, or of another experiment; nothing of it counts then.
        """
        return self.log.experiments.vote(self.name, read_votes(path, self.name, self.entries))

    def ranking(self, by: str = "", *, without: Collection[str] = ()) -> Ranking:
        """The values of an axis, `"prompt"` or `"model"` say, best first, by the votes, with intervals.

        `without`: voters whose votes are left out. Raises `SettingsError` where there is no such axis, or the extra
        `ttapi-nb[rank]` is not there.
        """
        return rank(self.entries, self.votes, by or self.main_axis, without)

    @property
    def main_axis(self) -> str:
        """The axis that is judged by unless another is named."""
        return next(iter(self.plan.axes), "prompt")

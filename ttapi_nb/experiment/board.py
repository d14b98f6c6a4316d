"""`Board`: what is known of each cell of an experiment, for whoever looks and for whoever sends."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from .. import loop
from ..log import Rating, RunRow, Shown
from .cells import Cell

__all__ = ["STATES", "Board", "State", "TrialCell", "of_row"]

State: TypeAlias = Literal[
    "waiting", "sending", "elsewhere", "done", "failed", "refused", "unknown", "not sent"
]
"""`waiting` was never sent; `elsewhere` is under way in another notebook; `unknown` may have been billed and waits for
your word; `failed` was answered, but the results can't be used; `not sent` could not be, and cost nothing.
"""
STATES: tuple[State, ...] = (
    "waiting",
    "sending",
    "elsewhere",
    "done",
    "failed",
    "refused",
    "unknown",
    "not sent",
)
# What another run of the cell was, as the log has it.
OF_ROW: dict[str, State] = {
    "open": "elsewhere",
    "done": "done",
    "failed": "failed",
    "unknown": "unknown",
    "refused": "refused",
    "not sent": "waiting",
    "cancelled": "waiting",
}


@dataclass(frozen=True)
class TrialCell:
    """A cell and what came of it; another one takes its place when something changes.

    * `cell`: the request; `state`: see `State`; `problem`: why it is not done, in a sentence.
    * `run_id`: its run in the log; `files`: the raw answers; `shown`: what is shown of each result, by number from 1.
    * `cost` in `currency`, `seconds`, `tokens`: what it took, None where that is not known.
    * `ratings`: what was thought of its results, by number; `offline`: whether the embedded service made them.
    """

    cell: Cell
    state: State = "waiting"
    problem: str = ""
    run_id: str = ""
    files: tuple[Path, ...] = ()
    shown: Mapping[int, Shown] = field(default_factory=dict)
    cost: float | None = None
    currency: str = ""
    seconds: float | None = None
    tokens: int | None = None
    ratings: Mapping[int, Rating] = field(default_factory=dict)
    offline: bool = False

    @property
    def key(self) -> str:
        """The cell's key."""
        return self.cell.key

    @property
    def thumb(self) -> bytes | None:
        """A small picture of the first result as a WEBP file, at most 256 pixels a side."""
        return self.shown[1].thumb if 1 in self.shown and self.shown[1].thumb else None

    @property
    def leak(self) -> tuple[float, float] | None:
        """How much the first result leaked, (share, mean) as in `Leak`; None where nothing was protected."""
        return self.shown[1].leak if 1 in self.shown else None

    @property
    def stars(self) -> int:
        """The stars of the first result, 0 where nobody gave any."""
        return self.ratings[1].stars if 1 in self.ratings else 0


def of_row(cell: Cell, row: RunRow, shown: Mapping[int, Shown]) -> TrialCell:
    """What a run in the log says of a cell."""
    state = OF_ROW[row.state]
    if (row.state == "failed" and not row.sent) or (row.state == "unknown" and row.billed is False):
        state = "waiting"
    return TrialCell(
        cell,
        state,
        "" if state in ("waiting", "done") else row.problem,
        row.id,
        row.results,
        shown,
        row.cost if row.cost is not None else row.estimate,
        row.currency,
        None if row.finished is None else row.finished - row.started,
        row.tokens,
        row.ratings,
        row.offline,
    )


class Board:
    """The cells by key, in order. Any thread may look and change; who watches is called on a thread of the package."""

    def __init__(self, cells: Iterable[TrialCell]) -> None:
        # Entered as it is: an interrupt as a condition's own `__enter__` returns would leave it locked for ever.
        self.guard = threading.RLock()
        self.changed = threading.Condition(self.guard)
        self._cells: dict[str, TrialCell] = {one.key: one for one in cells}
        self._watchers: tuple[Callable[[TrialCell], None], ...] = ()
        self._lane = loop.lane()

    @property
    def cells(self) -> tuple[TrialCell, ...]:
        """All of them as they are now."""
        with self.guard:
            return tuple(self._cells.values())

    @property
    def counts(self) -> Counter[State]:
        """How many are in which state."""
        return Counter(one.state for one in self.cells)

    def __getitem__(self, key: str) -> TrialCell:
        with self.guard:
            return self._cells[key]

    def __contains__(self, key: str) -> bool:
        with self.guard:
            return key in self._cells

    def put(self, *cells: TrialCell) -> None:
        """Put these in place of what was known of their cells, and tell who watches."""
        with self.guard:
            new = [one for one in cells if self._cells.get(one.key) != one]
            for one in new:
                self._cells[one.key] = one
        for one in new:
            self.tell(one)

    def arrange(self, cells: Iterable[Cell]) -> list[TrialCell]:
        """Take these cells, in this order, in place of those there were; returns those that are new."""
        with self.guard:
            old = self._cells
            self._cells = {
                cell.key: replace(old[cell.key], cell=cell) if cell.key in old else TrialCell(cell)
                for cell in cells
            }
            new = [one for key, one in self._cells.items() if key not in old]
        for one in new:
            self.tell(one)
        return new

    def watch(self, callback: Callable[[TrialCell], None], remove: bool = False) -> None:
        """Call `callback(cell)` when something of a cell changes, until it is removed."""
        with self.guard:
            others = tuple(one for one in self._watchers if one != callback)
            self._watchers = others if remove else (*others, callback)

    def tell(self, cell: TrialCell) -> None:
        """Have who watches told of a cell."""
        watchers = self._watchers
        if watchers:
            # A system without another thread must not cost a result.
            with contextlib.suppress(RuntimeError, MemoryError):
                self._lane.submit(lambda: self._call(watchers, cell))

    def _call(self, watchers: Iterable[Callable[[TrialCell], None]], cell: TrialCell) -> None:
        for callback in watchers:
            if callback not in self._watchers:
                continue
            try:
                callback(cell)
            except Exception:
                logging.getLogger(__name__).exception("Exception in callback %s", callback)

"""`Forecast`: what an experiment takes before anything is sent."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..fit import Fit
from ..log import Budget, PriceTable, RunLog
from ..log.budget import amount_in_words
from ..text import so_many
from .cells import Cell

__all__ = ["Forecast", "forecast", "in_words"]

LOOKED_AT = 500
ENOUGH = 3
"""How many runs of a model tell how long one takes."""


@dataclass(frozen=True)
class Forecast:
    """Runs, images, cost and time; None is unknown.

    `cost` is in `currency`, of those runs that have a price; `unpriced` is how many have none. `seconds` is for all of
    it, by how long earlier runs took.
    """

    runs: int
    images: int
    cost: float | None = None
    currency: str = ""
    unpriced: int = 0
    seconds: float | None = None

    @property
    def counts(self) -> str:
        """How many runs and images, for a person to read."""
        return f"{so_many(self.runs, 'run')}, {so_many(self.images, 'image')}"

    @property
    def words(self) -> str:
        """All of it for a person to read."""
        cost = "unknown" if self.cost is None else amount_in_words(self.cost, self.currency)
        more = (
            f" and {so_many(self.unpriced, 'run')} without a price"
            if self.cost is not None and self.unpriced
            else ""
        )
        time = "unknown" if self.seconds is None else in_words(self.seconds)
        return f"{self.counts}, cost {cost}{more}, time {time}"

    def words_for(self, *, offline: bool) -> str:
        """`words`, or where nothing is billed only how many it is, and that it is free."""
        return f"{self.counts}, free" if offline else self.words

    def __str__(self) -> str:
        return self.words


def in_words(seconds: float) -> str:
    """A time for a person to read: `"about 3 minutes"`."""
    for size, word in ((3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size:
            return f"about {round(seconds / size)} {word}s"
    return f"about {so_many(max(1, round(seconds)), 'second')}"


def forecast(
    cells: Sequence[Cell], fit: str, prices: PriceTable | None, parallel: int, log: RunLog
) -> Forecast:
    """As `Experiment.estimate`. Raises `ResultError` where the log can't be read."""
    sizes: dict[tuple[str, str, str, str], str] = {}
    budget = Budget(prices=prices)
    estimates = [
        budget.estimate(replace(cell.request, image=(), mask=None, size=_size(cell, fit, sizes)))
        for cell in cells
    ]
    costs = [one.cost for one in estimates if one.cost is not None]
    return Forecast(
        len(cells),
        sum(one.images for one in estimates),
        math.fsum(costs) if prices is not None and costs else None,
        prices.currency if prices is not None else "",
        len(estimates) - len(costs),
        _seconds(cells, parallel, log),
    )


def _size(cell: Cell, fit: str, known: dict[tuple[str, str, str, str], str]) -> str:
    """The size that will be asked for, which prices go by."""
    photo = cell.photo
    if photo.picture is None:
        return cell.size
    key = (photo.digest, photo.mask_digest, cell.model, cell.size)
    if key not in known:
        how = "auto" if fit == "crop" and photo.mask is None else fit
        bounds = photo.mask.bounds if photo.mask is not None else None
        known[key] = Fit.of_sizes(photo.picture.size, cell.model, cell.size, how, bounds).asked_size
    return known[key]


def _seconds(cells: Sequence[Cell], parallel: int, log: RunLog) -> float | None:
    took: dict[str, list[float]] = {}
    for row in log.rows(LOOKED_AT, state="done"):
        if not row.offline and row.finished is not None:
            took.setdefault(row.model, []).append(row.finished - row.started)
    known = {
        model: statistics.median(durations) for model, durations in took.items() if len(durations) >= ENOUGH
    }
    if not cells or any(cell.model not in known for cell in cells):
        return None
    alone = math.fsum(known[cell.model] for cell in cells)
    return max(alone / max(1, parallel), *(known[cell.model] for cell in cells))

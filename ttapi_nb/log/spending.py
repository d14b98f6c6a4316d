"""What was spent, asked of a run log's file: for a budget, and for the totals that are shown.

The file keeps sums over its rows in a tree: of 128 rows each, of 32 such, and of 32 of those (the table `sums`). A
trigger takes the sums away that a change of a row touches, whoever changes it; what is missing is added up from the
rows, and written again when a run begins. So a sum is never wrong, whenever a process ends, and costs as much for
100,000 rows as for 100.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .budget import Budget, Spent, asked_partials
from .checks import json_object, tokens, words
from .counting import DOUBTFUL, SPENT, UNDER_WAY, cost, images
from .tally import Group, Quotes, Tally, spent_of

__all__ = ["SIZES", "Totals", "is_behind", "keep_sums", "spent", "totals", "whole"]

SIZES = (128, 128 * 32, 128 * 32 * 32)
"""Over how many rows the sums of each level go."""
MISSING = 4
"""So many sums are added up from their rows before somebody who only reads has them written."""


def whole(column: str) -> str:
    """A column's number in SQL, or NULL where it holds anything else."""
    return (
        f"(CASE WHEN typeof({column}) = 'integer' AND {column} BETWEEN 0 AND 1000000000000 THEN {column} END)"
    )


def _money(column: str) -> str:
    return f"(CASE WHEN typeof({column}) IN ('integer', 'real') AND {column} BETWEEN 0 AND 1e12 THEN {column} END)"


CAME, ASKED, TOKENS = whole("came"), f"COALESCE({whole('images')}, 1)", whole("tokens")
IMAGES = images(CAME, ASKED)
COST = cost(_money("cost"), _money("estimate"))
NOT_THESE = "COALESCE(id, '') NOT IN (SELECT value FROM json_each(:besides))"
RANGE = "rowid BETWEEN :first AND :last AND counted >= :start"
# Of the rows of a kind: the columns of `Tally` and `Group`.
SUMS = f"""SELECT {COST} IS NULL AS free, currency, model, options, COUNT(*) AS runs, SUM({IMAGES}) AS images,
    TOTAL({COST}) AS cost, COUNT({COST}) FILTER (WHERE {DOUBTFUL}) AS doubtful,
    TOTAL({COST}) FILTER (WHERE {DOUBTFUL}) AS doubtful_cost, COALESCE(SUM({CAME}), 0) AS came,
    COALESCE(SUM({TOKENS}), 0) AS tokens, COALESCE(SUM({IMAGES}) FILTER (WHERE {TOKENS} IS NULL), 0) AS unmetered,
    SUM({DOUBTFUL}) AS unknown, SUM({UNDER_WAY}) AS under_way, COALESCE(SUM(started < :start), 0) AS set_back
    FROM runs WHERE {SPENT} AND {RANGE} AND {NOT_THESE} GROUP BY 1, 2, 3, 4"""  # noqa: S608 - our own words
LIMITS = """SELECT MIN(counted) AS least, MAX(counted) AS most, MIN(started) AS earliest,
    MIN(typeof(counted) IN ('real', 'integer')) AND MIN(typeof(started) IN ('real', 'integer')) AS plain
    FROM runs WHERE rowid BETWEEN :first AND :last"""


@dataclass(frozen=True)
class Totals:
    """What was spent, without what the embedded service made.

    * `runs`: all that count as spent: `billed` are those that surely were, `unknown` those of which nobody knows, and
      `under_way` those that have not ended.
    * `images`, `tokens`: what came of them.
    * `costs`: by currency, an estimate where the actual one is not known; `unknown_costs` is the part of it that is of
      runs of unknown outcome. `unpriced`: how many runs have neither.
    * `offline`: the embedded service's runs, which cost nothing; `bytes`: what the results take on the disk.
    """

    runs: int
    images: int
    tokens: int
    unknown: int
    costs: Mapping[str, float]
    unpriced: int
    offline: int
    bytes: int
    billed: int = 0
    under_way: int = 0
    unknown_costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Sum:
    """A sum that the file keeps, and between which times its rows are."""

    tally: Tally
    least: float
    most: float
    earliest: float


class _Tree:
    """The sums of a file, as they are now, since `start` and without some runs."""

    def __init__(self, db: sqlite3.Connection, start: float = 0.0, besides: Collection[str] = ()) -> None:
        self._db, self._start = db, start
        self._besides = json.dumps(list(besides))
        (self._top,) = db.execute("SELECT COALESCE(MAX(rowid), 0) FROM runs").fetchone()
        asked = "SELECT rowid FROM runs WHERE id IN (SELECT value FROM json_each(?))"
        self._holes = [row for (row,) in db.execute(asked, (self._besides,)).fetchall()] if besides else []

    def total(self) -> Tally:
        """All of it."""
        tally = Tally()
        for number in self._numbers(len(SIZES) - 1, 0, self._top):
            self._add(tally, len(SIZES) - 1, number)
        return tally

    def keep(self) -> None:
        """Write the sums that are missing, of those whose rows are all there."""
        for number in self._numbers(len(SIZES) - 1, 0, self._top):
            self._keep(len(SIZES) - 1, number)

    def _numbers(self, level: int, first: int, last: int) -> range:
        return range(first // SIZES[level], min(last, self._top) // SIZES[level] + 1)

    def _children(self, level: int, number: int) -> range:
        return self._numbers(level - 1, number * SIZES[level], (number + 1) * SIZES[level] - 1)

    def _add(self, tally: Tally, level: int, number: int) -> None:
        first, last = number * SIZES[level], (number + 1) * SIZES[level] - 1
        known = None if any(first <= row <= last for row in self._holes) else self._read(level, number)
        if known is not None and known.most < self._start:
            return
        if known is not None and known.least >= self._start and known.earliest >= self._start:
            tally.add(known.tally)
        elif level:
            for child in self._children(level, number):
                self._add(tally, level - 1, child)
        else:
            tally.add(self._rows(first, last))

    @property
    def is_behind(self) -> bool:
        """Whether so many sums are missing that they are better written than added up each time."""
        (kept,) = self._db.execute("SELECT COUNT(*) FROM sums WHERE level = 0").fetchone()
        return bool(self._top // SIZES[0] > kept + MISSING)

    def _keep(self, level: int, number: int) -> _Sum | None:
        """The sum, written where it was not; None where it can't be kept, which is noted by an empty one."""
        row = self._db.execute(
            "SELECT tally FROM sums WHERE level = ? AND number = ?", (level, number)
        ).fetchone()
        if row is not None:
            return self._read(level, number)
        first, last = number * SIZES[level], (number + 1) * SIZES[level] - 1
        made: _Sum | None = None
        if level:
            parts = [self._keep(level - 1, child) for child in self._children(level, number)]
            known = [part for part in parts if part is not None]
            made = _joined(known) if len(known) == len(parts) and last <= self._top else None
        elif last <= self._top:
            limits = self._db.execute(LIMITS, {"first": first, "last": last}).fetchone()
            if limits["plain"]:
                made = _Sum(self._rows(first, last), limits["least"], limits["most"], limits["earliest"])
        if last > self._top:
            return None
        text = made.tally.to_json() if made is not None else ""
        times = (0.0, 0.0, 0.0) if made is None else (made.least, made.most, made.earliest)
        self._db.execute(
            "INSERT OR REPLACE INTO sums (level, number, least, most, earliest, tally) VALUES (?, ?, ?, ?, ?, ?)",
            (level, number, *times, text),
        )
        return made if text else None

    def _read(self, level: int, number: int) -> _Sum | None:
        row = self._db.execute(
            "SELECT least, most, earliest, tally FROM sums WHERE level = ? AND number = ?", (level, number)
        ).fetchone()
        if row is None or not all(isinstance(one, int | float) for one in tuple(row)[:3]):
            return None
        tally = Tally.from_json(words(row["tally"]))
        return None if tally is None else _Sum(tally, row["least"], row["most"], row["earliest"])

    def _rows(self, first: int, last: int) -> Tally:
        parameters = {"first": first, "last": last, "start": self._start, "besides": self._besides}
        tally = Tally()
        for row in self._db.execute(SUMS, parameters):
            part = Tally(**{name: row[name] for name in ("runs", "images", "came", "tokens", "unmetered")})
            part.unknown, part.under_way, part.set_back = row["unknown"], row["under_way"], row["set_back"]
            kind = None if row["free"] else words(row["currency"]), words(row["model"]), words(row["options"])
            part.groups[kind] = Group(
                row["runs"], row["images"], row["cost"], row["doubtful"], row["doubtful_cost"]
            )
            options = words(row["options"])
            if row["unmetered"] and "partial_images" in options:
                part.drafts = row["unmetered"] * asked_partials(json_object(options))
            tally.add(part)
        (tally.offline,) = self._db.execute(
            f"SELECT COUNT(*) FROM runs WHERE offline IS 1 AND {RANGE}",  # noqa: S608 - our own words
            parameters,
        ).fetchone()
        return tally


def _joined(parts: list[_Sum]) -> _Sum:
    whole_ = Tally()
    for part in parts:
        whole_.add(part.tally)
    return _Sum(
        whole_,
        min(part.least for part in parts),
        max(part.most for part in parts),
        min(part.earliest for part in parts),
    )


def keep_sums(db: sqlite3.Connection) -> None:
    """Write the sums that are missing; within a transaction that writes."""
    _Tree(db).keep()


def is_behind(db: sqlite3.Connection) -> bool:
    """Whether `keep_sums` is worth its while for whoever only reads."""
    return _Tree(db).is_behind


def spent(
    db: sqlite3.Connection, budget: Budget, quotes: Quotes | None, besides: Collection[str] = ()
) -> Spent:
    """What counts as spent for a budget, but for the runs with these ids, which are known to have cost nothing.

    Where `quotes` want something it is to be asked again, once they have asked for that.
    """
    metered = budget.prices is not None and budget.prices.actual is not None
    total = spent_of(_Tree(db, budget.start, besides).total(), budget, None if metered else quotes)
    if budget.prices is None or not metered or quotes is None:
        return total
    # What a run cost by its tokens only its own row tells.
    costs, unpriced = [], 0
    for row in _metered(db, budget, besides):
        known = row["noted"] if row["currency"] == budget.prices.currency else None
        if known is None:
            known = quotes.cost(
                words(row["model"]), words(row["options"]), row["images"], tokens(row["usage"])
            )
        if known is None:
            unpriced += 1
        else:
            costs.append(known)
    return replace(total, cost=sum(costs), unpriced=unpriced)


def _metered(db: sqlite3.Connection, budget: Budget, besides: Collection[str]) -> Iterator[sqlite3.Row]:
    parameters = {"start": budget.start, "besides": json.dumps(list(besides))}
    with contextlib.closing(
        db.execute(
            f"SELECT model, options, usage, {COST} AS noted, currency, {IMAGES} AS images FROM runs"  # noqa: S608 - our own words
            f" WHERE {SPENT} AND counted >= :start AND {NOT_THESE}",
            parameters,
        )
    ) as rows:
        yield from rows


def totals(db: sqlite3.Connection, start: float, size: int, besides: Collection[str] = ()) -> Totals:
    """What was spent since `start`, in seconds since 1970; `size` is what the results take, in bytes."""
    tally = _Tree(db, start, besides).total()
    costs: dict[str, float] = {}
    doubtful: dict[str, float] = {}
    unpriced = 0
    for (currency, _, _), group in sorted(tally.groups.items(), key=lambda item: item[0][0] or ""):
        if currency is None:
            unpriced += group.runs
            continue
        name = currency[:20]
        costs[name] = costs.get(name, 0) + group.cost
        if group.doubtful:
            doubtful[name] = doubtful.get(name, 0) + group.doubtful_cost
    return Totals(
        tally.runs,
        tally.came,
        tally.tokens,
        tally.unknown,
        costs,
        unpriced,
        tally.offline,
        size,
        billed=tally.runs - tally.unknown - tally.under_way,
        under_way=tally.under_way,
        unknown_costs=doubtful,
    )

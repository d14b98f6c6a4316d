"""What was spent, asked of a run log's file: for a budget, and for the totals that are shown."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from .budget import Budget, Spent
from .checks import json_object, tokens, words
from .counting import DOUBTFUL, SPENT, UNDER_WAY, cost, images
from .counting import tokens as counted_tokens

__all__ = ["Totals", "spent", "totals", "whole"]


def whole(column: str) -> str:
    """A column's number in SQL, or NULL where it holds anything else."""
    return (
        f"(CASE WHEN typeof({column}) = 'integer' AND {column} BETWEEN 0 AND 1000000000000 THEN {column} END)"
    )


def _money(column: str) -> str:
    return f"(CASE WHEN typeof({column}) IN ('integer', 'real') AND {column} BETWEEN 0 AND 1e12 THEN {column} END)"


CAME, ASKED, TOKENS = whole("came"), f"COALESCE({whole('images')}, 1)", whole("tokens")
IMAGES = images(CAME, ASKED)
WHERE = (
    f"FROM runs WHERE {SPENT} AND counted >= :start"  # noqa: S608 - our own words
    " AND COALESCE(id, '') NOT IN (SELECT value FROM json_each(:besides))"
)
COST = cost(_money("cost"), _money("estimate"))


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


def spent(db: sqlite3.Connection, budget: Budget, besides: Collection[str] = ()) -> Spent:
    """What counts as spent for a budget, but for the runs with these ids, which are known to have cost nothing."""
    given = {"each": budget.tokens_each or 0, "start": budget.start, "besides": json.dumps(list(besides))}
    runs, images, used, unknown, set_back = db.execute(
        f"SELECT COUNT(*), COALESCE(SUM({IMAGES}), 0),"
        f" COALESCE(SUM({counted_tokens(TOKENS, CAME, ASKED)}), 0), COALESCE(SUM({DOUBTFUL}), 0),"
        f" COALESCE(SUM(started < :start), 0) {WHERE}",
        given,
    ).fetchone()
    found = Spent(runs, images, used, unknown=unknown, set_back=set_back)
    if budget.prices is None:
        return found
    currency = budget.prices.currency
    costs, unpriced = [], 0
    for row in db.execute(
        f"SELECT model, options, usage, {COST} AS noted, currency, {IMAGES} AS images {WHERE}",
        given,
    ):
        known = row["noted"] if row["currency"] == currency else None
        if known is None:
            known = budget.prices.cost(
                words(row["model"]), json_object(row["options"]), row["images"], tokens(row["usage"])
            )
        if known is None:
            unpriced += 1
        else:
            costs.append(known)
    return replace(found, cost=sum(costs), unpriced=unpriced)


def totals(db: sqlite3.Connection, start: float, size: int, besides: Collection[str] = ()) -> Totals:
    """What was spent since `start`, in seconds since 1970; `size` is what the results take, in bytes."""
    given = {"start": start, "besides": json.dumps(list(besides))}
    runs, images, used, unknown, under_way, unpriced = db.execute(
        f"SELECT COUNT(*), COALESCE(SUM({CAME}), 0), COALESCE(SUM({TOKENS}), 0), COALESCE(SUM({DOUBTFUL}), 0),"
        f" COALESCE(SUM({UNDER_WAY}), 0), COALESCE(SUM({COST} IS NULL), 0) {WHERE}",
        given,
    ).fetchone()
    costs: dict[str, float] = {}
    doubtful: dict[str, float] = {}
    for currency, known, maybe in db.execute(
        f"SELECT currency, SUM({COST}), SUM({COST}) FILTER (WHERE {DOUBTFUL}) {WHERE}"
        f" AND {COST} NOT NULL GROUP BY currency ORDER BY currency",
        given,
    ):
        name = words(currency, 20)
        costs[name] = costs.get(name, 0) + known
        if maybe is not None:
            doubtful[name] = doubtful.get(name, 0) + maybe
    (offline,) = db.execute(
        "SELECT COUNT(*) FROM runs WHERE offline IS 1 AND counted >= ?", (start,)
    ).fetchone()
    return Totals(
        runs,
        images,
        used,
        unknown,
        costs,
        unpriced,
        offline,
        size,
        billed=runs - unknown - under_way,
        under_way=under_way,
        unknown_costs=doubtful,
    )

"""What people thought of results: stars, notes, and what was kept or discarded, each beside its result in a run log."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ..errors import ResultError, SettingsError
from .checks import MOST_RESULTS, count, cut, words

__all__ = [
    "MOST_STARS",
    "NOTES",
    "STARRED",
    "UNRATED",
    "Rating",
    "Verdict",
    "columns",
    "ratings_of",
    "write_rating",
]

Verdict: TypeAlias = Literal["", "kept", "discarded"]
"""What became of a result; empty where nobody has decided."""

MOST_STARS = 5
LONGEST_NOTE = 4_000
NOTES = "COALESCE((SELECT group_concat(note, char(10)) FROM ratings WHERE run = runs.id), '')"
"""In SQL: the notes on all results of a run, for the search."""
STARRED = "id IN (SELECT run FROM ratings WHERE typeof(stars) = 'integer' AND stars >= ?)"
"""In SQL: whether one of a run's results has at least so many stars."""


@dataclass(frozen=True)
class Rating:
    """What was thought of one result: `stars` 0 to 5, a `note`, and the `verdict`, `""`, `"kept"` or `"discarded"`."""

    stars: int = 0
    note: str = ""
    verdict: Verdict = ""


UNRATED = Rating()


def columns(number: object, stars: object, note: object, verdict: object) -> dict[str, Any]:
    """What is to be written, by column, None for what stays. Raises `SettingsError` for what can't be meant."""
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_RESULTS:
        raise SettingsError(f"number={number!r} is no result's. The first result of a run is 1.")
    if stars is not None and (
        isinstance(stars, bool) or not isinstance(stars, int) or not 0 <= stars <= MOST_STARS
    ):
        raise SettingsError(f"stars={stars!r} is not a whole number from 0 to {MOST_STARS}.")
    if note is not None and (not isinstance(note, str) or len(note) > LONGEST_NOTE):
        raise SettingsError(f"note is no text of at most {LONGEST_NOTE:,} characters. Use a shorter one.")
    if verdict is not None and verdict not in get_args(Verdict):
        raise SettingsError(
            f"verdict={verdict!r} is not known. Use 'kept', 'discarded', or '' to take one back."
        )
    return {"number": number, "stars": stars, "note": None if note is None else cut(note), "verdict": verdict}


def write_rating(db: sqlite3.Connection, row: sqlite3.Row, values: Mapping[str, Any]) -> None:
    """Write what `given` let pass for a run's row; the rest of a rating stays as it is. Raises `ResultError`."""
    most = max(count(row["came"]) or 0, count(row["images"]) or 1)
    if values["number"] > most:
        raise ResultError(
            f"The run {row['id']!r} has {most} {'result' if most == 1 else 'results'}, and none of number "
            f"{values['number']} to rate."
        )
    db.execute(
        "INSERT INTO ratings (run, number, stars, note, verdict, time)"
        " VALUES (:run, :number, COALESCE(:stars, 0), COALESCE(:note, ''), COALESCE(:verdict, ''), :time)"
        " ON CONFLICT (run, number) DO UPDATE SET stars = COALESCE(:stars, stars), note = COALESCE(:note, note),"
        " verdict = COALESCE(:verdict, verdict), time = :time",
        {**values, "run": row["id"], "time": time.time()},
    )


def ratings_of(db: sqlite3.Connection, run_id: object) -> dict[int, Rating]:
    """The ratings of a run's results by their numbers, from 1; what can't be one is as if left out."""
    rows = db.execute(
        "SELECT number, stars, note, verdict FROM ratings WHERE run = ? AND typeof(number) = 'integer'"
        " AND number BETWEEN 1 AND ? ORDER BY number",
        (run_id, MOST_RESULTS),
    ).fetchall()
    read = {row["number"]: _read(row) for row in rows}
    return {number: rating for number, rating in read.items() if rating != UNRATED}


def _read(row: sqlite3.Row) -> Rating:
    stars = count(row["stars"]) or 0
    verdict: Verdict = next((known for known in get_args(Verdict) if known == row["verdict"]), "")
    return Rating(stars if stars <= MOST_STARS else 0, words(row["note"], LONGEST_NOTE), verdict)

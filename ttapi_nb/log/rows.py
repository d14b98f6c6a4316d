"""What a run log says of its runs, and the questions that it asks its file. `RunLog` is what to use."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import ResultError
from ..lineage import MASK_CAP, Origin, Step
from ..request import EditRequest
from .checks import (
    HASH,
    MOST_RESULTS,
    State,
    amount,
    count,
    json_object,
    moment,
    read_state,
    tokens,
    web_address,
    words,
)
from .ratings import NOTES, STARRED, Rating, ratings_of
from .searching import candidates

__all__ = ["RunRow", "find", "missing", "read_row", "restored", "rows_like"]


EARLIER = "(counted, rowid) < (SELECT counted, rowid FROM runs WHERE id = ?)"


@dataclass(frozen=True)
class RunRow:
    """What the log holds of one run. Times are seconds since 1970; `source` is `SourceImage.digest`; `results` are the
    files of the raw answers, in order, where they arrived, and `waiting` the addresses of those that did not.

    * `refused`: how often the service was too busy, so that it was asked again; nothing is billed for that.
    * `n`: how many results were asked for; `came`, `tokens`: how many came, and their tokens, None where nobody knows.
    * `estimate`, `cost`: in `currency`, before and after, None where there was no price.
    * `billed`: what you said about a run of unknown outcome with `RunLog.found`, or None.
    * `pruned`: how many of its results were taken away to make room.
    * `numbers`: which of the run's results `results` are, each from 1.
    * `ratings`: what was thought of its results, by their numbers from 1; only those that were rated are in it.
    * `experiment`, `cell`: the name of the experiment that it is of, and its cell's key; empty where it is of none.
    """

    id: str
    started: float
    finished: float | None
    state: State
    sent: bool
    offline: bool
    model: str
    prompt: str
    options: dict[str, Any]
    source: str
    mask: str
    problem: str
    usage: dict[str, int | None] | None
    results: tuple[Path, ...] = ()
    numbers: tuple[int, ...] = ()
    waiting: tuple[str, ...] = ()
    refused: int = 0
    n: int = 1
    came: int | None = None
    tokens: int | None = None
    estimate: float | None = None
    cost: float | None = None
    currency: str = ""
    billed: bool | None = None
    pruned: int = 0
    ratings: Mapping[int, Rating] = field(default_factory=dict)
    experiment: str = ""
    cell: str = ""

    @property
    def asked(self) -> int:
        """How many results were asked for: `n`, by its earlier name."""
        return self.n

    @property
    def images(self) -> int | None:
        """How many results came, None where nobody knows: `came`, by its earlier name."""
        return self.came


def rows_like(
    db: sqlite3.Connection,
    search: str,
    states: Collection[State],
    start: float,
    most: int | None,
    stars: int | None = None,
    before: str | None = None,
) -> list[sqlite3.Row]:
    """The latest runs in these states since `start`, newest first, in which each word of `search` stands, and with a
    result of at least so many `stars`; with `before`, only those that were begun before that one.
    """
    parameters = (
        start,
        start,
        *states,
        *([stars] if stars else []),
        *([before] if before is not None else []),
    )
    # A run counts from when it began or later: so the index of that is enough to leave the older ones out.
    asked = (
        "FROM runs WHERE NOT pruned AND typeof(id) = 'text' AND +started >= ? AND counted >= ?"
        # By the index of all runs, newest first, but where only those in one state are asked for.
        f" AND {'' if len(states) == 1 else '+'}state IN ({', '.join('?' * len(states))})"
        f"{f' AND {STARRED}' if stars else ''}{f' AND {EARLIER}' if before is not None else ''}"
    )
    order = "ORDER BY counted DESC, rowid DESC LIMIT ?"
    searched = search.casefold().split()
    if not searched:
        return db.execute(f"SELECT * {asked} {order}", (*parameters, -1 if most is None else most)).fetchall()
    return _searched(db, searched, asked, parameters, order, most)


NEWEST = 256
"""So many runs are gone through before the index is asked: most words stand in one of them."""
PAGE = 200


def _searched(
    db: sqlite3.Connection,
    searched: list[str],
    asked: str,
    parameters: tuple[Any, ...],
    order: str,
    most: int | None,
) -> list[sqlite3.Row]:
    """As `rows_like`, of those in which each of these words stands."""
    # SQLite's own LIKE knows the case of ASCII letters only.
    db.create_function(
        "holds", -1, lambda *texts: all(word in "\n".join(map(str, texts)).casefold() for word in searched)
    )
    asked = f"SELECT *, rowid AS place {asked} AND holds(prompt, model, name, problem, id, {NOTES})"
    limit = -1 if most is None else most
    (top,) = db.execute("SELECT COALESCE(MAX(rowid), 0) FROM runs").fetchone()
    below = max(0, top - NEWEST + 1)
    # By their rowids: through an index of something else SQLite would look at every row that there is.
    newest = asked.replace(" counted >=", " +counted >=").replace(" state IN", " +state IN")
    rows = db.execute(
        f"{newest} AND rowid >= ? {order.replace('counted', '+counted')}", (*parameters, below, limit)
    ).fetchall()
    if most is not None and len(rows) >= most:
        return rows
    places = candidates(db, searched, below)
    if places is None:
        return db.execute(f"{asked} {order}", (*parameters, limit)).fetchall()
    for at in range(0, len(places), PAGE):
        if most is not None and len(rows) >= most:
            break
        some = f"{asked} AND rowid IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own words
        rows += db.execute(some, (*parameters, json.dumps(places[at : at + PAGE]))).fetchall()
    return sorted(rows, key=lambda row: (row["counted"], row["place"]), reverse=True)[:most]


def find(db: sqlite3.Connection, run_id: str) -> sqlite3.Row:
    """The row of a run that is in the history. Raises `ResultError`."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise ResultError(f"There is no run {run_id!r} in this log. See rows().")
    if row["pruned"]:
        raise ResultError(
            f"There is no run {run_id!r} in this log any more: it was pruned, so its prompt, options, mask and results "
            "are gone, and only what it cost still counts. It can't be filled in again."
        )
    return row


def read_row(db: sqlite3.Connection, row: sqlite3.Row, results: Path) -> RunRow:
    """A row as others see it; `results` is the folder of the files. What can't be in it is as if left out."""
    kept = db.execute(
        "SELECT sha256, number FROM results WHERE run = ? AND sha256 NOT NULL AND NOT pruned ORDER BY number LIMIT ?",
        (row["id"], MOST_RESULTS),
    ).fetchall()
    sound = [(name, number) for name, number in kept if isinstance(name, str) and HASH.fullmatch(name)]
    (gone,) = db.execute("SELECT COUNT(*) FROM results WHERE run = ? AND pruned", (row["id"],)).fetchone()
    return RunRow(
        id=words(row["id"]),
        started=moment(row["started"]) or 0.0,
        finished=moment(row["finished"]),
        state=read_state(row["state"]),
        sent=row["sent"] != 0,
        offline=row["offline"] == 1,
        model=words(row["model"]),
        prompt=words(row["prompt"]),
        options=json_object(row["options"]),
        source=words(row["source"]),
        mask=words(row["mask"]),
        problem=words(row["problem"]),
        usage=tokens(row["usage"]),
        results=tuple(results / name for name, _ in sound),
        numbers=tuple(count(number) or at for at, (_, number) in enumerate(sound, 1)),
        waiting=tuple(missing(db, row["id"]).values()),
        refused=count(row["refused"]) or 0,
        n=count(row["images"]) or 1,
        came=count(row["came"], None),
        tokens=count(row["tokens"], None),
        estimate=amount(row["estimate"]),
        cost=amount(row["cost"]),
        currency=words(row["currency"], 20),
        billed=bool(row["billed"]) if row["billed"] in (0, 1) else None,
        pruned=gone,
        ratings=ratings_of(db, row["id"]),
        experiment=words(row["experiment"], 200),
        cell=words(row["cell"], 200),
    )


def restored(row: RunRow, columns: sqlite3.Row) -> Step:
    """What fills an editor again, of a row and what else the file says of it."""
    asked = json_object(columns["asked"])
    known = {item.name for item in fields(EditRequest)}
    extra = {name: asked.pop(name) for name in list(asked) if name not in known}
    # These stand elsewhere, and no field can be given twice.
    for name in ("image", "prompt", "mask", "model"):
        asked.pop(name, None)
    extra_body = asked.pop("extra_body", {})
    if extra or extra_body:
        asked["extra_body"] = {**extra, **(extra_body if isinstance(extra_body, dict) else {})}
    if "size" in asked:
        asked["size"] = str(asked["size"])
    return Step(
        prompt=row.prompt,
        model=row.model,
        options=asked,
        sources=(Origin(words(columns["name"]), None, row.source),),
        mask_digest=row.mask,
        drawing=words(columns["drawing"], MASK_CAP),
        fit=words(columns["fit"], 20),
        strict=columns["strict"] != 0,
        time=datetime.fromtimestamp(row.started, UTC),
        version="",
        offline=row.offline,
    )


def missing(db: sqlite3.Connection, run_id: object) -> dict[int, str]:
    """The addresses of results that have not been fetched, by their number."""
    rows = db.execute(
        "SELECT number, url FROM results WHERE run = ? AND sha256 IS NULL AND url NOT NULL"
        " AND typeof(number) = 'integer' ORDER BY number LIMIT ?",
        (run_id, MOST_RESULTS),
    ).fetchall()
    checked = ((number, web_address(url)) for number, url in rows)
    return {number: url for number, url in checked if url is not None}

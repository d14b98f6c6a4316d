"""What a run log says of its runs, and the questions that it asks its file. `RunLog` is what to use."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .budget import Budget, Spent
from .errors import MaskError, ResultError
from .lineage import MASK_CAP, is_drawable
from .logchecks import (
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
from .logfile import hold, is_alive, my_host
from .logmemory import Known
from .mask import Mask
from .picture import SourceImage
from .request import EditRequest

__all__ = [
    "Pruned",
    "Restored",
    "RunRow",
    "State",
    "Totals",
    "asked_fields",
    "drawing_of",
    "find",
    "forget",
    "give_up",
    "insert",
    "is_under_way",
    "missing",
    "put_back",
    "read_row",
    "restored",
    "shrink",
    "spent",
    "take_back",
    "totals",
    "unfinished",
    "write_end",
    "write_result",
]

DOUBT = 3600.0
"""Seconds after which an unfinished run is given up whose process can't be seen from here."""
# What is billed, may be, or is about to be: all but what is sure to have cost nothing, whatever else a file may say.
SPENT = """offline IS NOT 1 AND COALESCE(state, '') NOT IN ('not sent', 'refused', 'cancelled')
    AND NOT (state = 'failed' AND sent IS 0) AND NOT (state = 'unknown' AND billed IS 0)"""
# Of those, what nobody knows the outcome of; and what is under way.
DOUBTFUL = "(state NOT IN ('open', 'done', 'failed') AND billed IS NOT 1)"
UNDER_WAY = "(state = 'open')"


def _whole(column: str) -> str:
    """A column's number in SQL, or NULL where it holds anything else."""
    return (
        f"(CASE WHEN typeof({column}) = 'integer' AND {column} BETWEEN 0 AND 1000000000000 THEN {column} END)"
    )


def _money(column: str) -> str:
    return f"(CASE WHEN typeof({column}) IN ('integer', 'real') AND {column} BETWEEN 0 AND 1e12 THEN {column} END)"


CAME, IMAGES, TOKENS = _whole("came"), f"COALESCE({_whole('images')}, 1)", _whole("tokens")
WHERE = (
    f"FROM runs WHERE {SPENT} AND counted >= :start"  # noqa: S608 - our own words
    " AND COALESCE(id, '') NOT IN (SELECT value FROM json_each(:besides))"
)
COST = f"COALESCE({_money('cost')}, {_money('estimate')})"

ENDED_BEFORE = "The program ended before the request had left: nothing was sent or billed."
ENDED_WHILE = (
    "The program ended while the request was under way. It may have been carried out and billed: look at your usage in "
    "the TTAPI Dashboard before you run it again."
)
WITHDRAWN = "Interrupted as it began: nothing was sent or billed."
ENDED_AFTER = "The program ended as the answer came. What had arrived was kept."


@dataclass(frozen=True)
class RunRow:
    """What the log holds of one run. Times are seconds since 1970; `source` is `SourceImage.digest`; `results` are the
    files of the raw answers, in order, where they arrived, and `waiting` the addresses of those that did not.

    * `refused`: how often the service was too busy, so that it was asked again; nothing is billed for that.
    * `images`, `tokens`: what came, None where that is not known; `asked`: how many results were asked for.
    * `estimate`, `cost`: in `currency`, before and after, None where there was no price.
    * `billed`: what you said about a run of unknown outcome with `RunLog.found`, or None.
    * `pruned`: how many of its results were taken away to make room.
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
    waiting: tuple[str, ...] = ()
    refused: int = 0
    asked: int = 1
    images: int | None = None
    tokens: int | None = None
    estimate: float | None = None
    cost: float | None = None
    currency: str = ""
    billed: bool | None = None
    pruned: int = 0


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
class Pruned:
    """What `RunLog.prune` took away: `runs` from the history, and `files` of results with so many `bytes`."""

    runs: int
    files: int
    bytes: int


@dataclass(frozen=True)
class Restored:
    """What fills an editor as it was before a run.

    `options` are the fields of `EditRequest` besides picture, mask, prompt, model and size. `mask` is None where there
    was none, or where it was too large to be kept; `had_mask` tells which. `source` is the picture's
    `SourceImage.digest` and `name` its name: the log does not keep the picture itself. `results` are the raw answers.
    """

    id: str
    prompt: str
    model: str
    size: str
    options: dict[str, Any]
    mask: Mask | None
    had_mask: bool
    fit: str
    strict: bool
    source: str
    name: str
    results: tuple[Path, ...] = field(repr=False)


def find(db: sqlite3.Connection, run_id: str) -> sqlite3.Row:
    """The row of a run that is in the history. Raises `ResultError`."""
    found: sqlite3.Row | None = db.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if found is None:
        raise ResultError(f"There is no run {run_id!r} in this log. See rows().")
    if found["pruned"]:
        raise ResultError(
            f"There is no run {run_id!r} in this log any more: it was pruned, so its prompt, options, mask and results "
            "are gone, and only what it cost still counts. It can't be filled in again."
        )
    return found


def read_row(db: sqlite3.Connection, row: sqlite3.Row, results: Path) -> RunRow:
    """A row as others see it; `results` is the folder of the files. What can't be in it is as if left out."""
    kept = db.execute(
        "SELECT sha256 FROM results WHERE run = ? AND sha256 NOT NULL AND NOT pruned ORDER BY number LIMIT ?",
        (row["id"], MOST_RESULTS),
    ).fetchall()
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
        results=tuple(results / name for (name,) in kept if isinstance(name, str) and HASH.fullmatch(name)),
        waiting=tuple(missing(db, row["id"]).values()),
        refused=count(row["refused"]) or 0,
        asked=count(row["images"]) or 1,
        images=count(row["came"], None),
        tokens=count(row["tokens"], None),
        estimate=amount(row["estimate"]),
        cost=amount(row["cost"]),
        currency=words(row["currency"], 20),
        billed=bool(row["billed"]) if row["billed"] in (0, 1) else None,
        pruned=gone,
    )


def restored(row: RunRow, found: sqlite3.Row) -> Restored:
    """What fills an editor again, of a row and what else the file says of it."""
    asked = json_object(found["asked"])
    known = {item.name for item in fields(EditRequest)}
    extra = {name: asked.pop(name) for name in list(asked) if name not in known}
    # These stand elsewhere, and no field can be given twice.
    for name in ("image", "prompt", "mask", "model"):
        asked.pop(name, None)
    given = asked.pop("extra_body", {})
    if extra or given:
        asked["extra_body"] = {**extra, **(given if isinstance(given, dict) else {})}
    return Restored(
        row.id,
        row.prompt,
        row.model,
        str(asked.pop("size", "auto")),
        asked,
        _drawn(words(found["drawing"])),
        bool(row.mask),
        words(found["fit"], 20),
        found["strict"] != 0,
        row.source,
        words(found["name"]),
        row.results,
    )


def _drawn(drawing: str) -> Mask | None:
    if not 0 < len(drawing) <= MASK_CAP:
        return None
    try:
        mask = Mask.from_json(drawing)
        # A few bytes of somebody else's file may ask for hours of drawing.
        return mask if is_drawable(mask) else None
    except (MaskError, ValueError, OverflowError, TypeError, RecursionError):
        return None


def insert(db: sqlite3.Connection, row: Mapping[str, Any], since: float) -> None:
    """Write the row of a run that begins, which counts from now on.

    Never earlier than a run that was begun before it, nor than its budget does: a clock may be set back, and the run
    counts all the same.
    """
    (latest,) = db.execute(
        "SELECT MAX(counted) FROM runs WHERE typeof(counted) IN ('real', 'integer') AND counted < 1e11"
    ).fetchone()
    values = {**row, "counted": max(row["started"], since, latest or 0.0)}
    db.execute(
        f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})",  # noqa: S608 - our own names
        values,
    )


def put_back(db: sqlite3.Connection, folder: Path, known: Known | None, run_id: str) -> None:
    """Write a run's row again where it is gone. Raises `ResultError` where this process does not know it."""
    if db.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is not None:
        return
    if known is None:
        raise ResultError(f"There is no run {run_id!r} in this log. See rows().")
    insert(db, {**known.row, "mark": hold(folder, run_id)}, known.row["started"])
    for row in known.results.values():
        write_result(db, row)


def write_result(db: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Write the row of one result, in place of the one that may be there."""
    db.execute(
        "INSERT OR REPLACE INTO results (run, number, sha256, url, bytes, time)"
        " VALUES (:run, :number, :sha256, :url, :bytes, :time)",
        row,
    )


def write_end(
    db: sqlite3.Connection, folder: Path, known: Known | None, run_id: str, end: Mapping[str, Any]
) -> None:
    """Write how a run ended, with all that this process knows of it."""
    put_back(db, folder, known, run_id)
    values = dict(end)
    if known is not None:
        values |= {name: known.row[name] for name in ("sent", "refused")}
        values |= {
            name: known.row[name]
            for name in ("usage", "tokens", "came", "cost")
            if known.row.get(name) is not None
        }
    db.execute(
        f"UPDATE runs SET {', '.join(f'{name} = :{name}' for name in values)} WHERE id = :id",  # noqa: S608 - our own names
        {**values, "id": run_id},
    )


def take_back(db: sqlite3.Connection, run_id: str) -> int:
    """Note that a run won't be sent, unless it has been; returns how many rows that were."""
    return db.execute(
        "UPDATE runs SET state = 'not sent', problem = ?, finished = ? WHERE id = ? AND state = 'open' AND sent = 0",
        (WITHDRAWN, time.time(), run_id),
    ).rowcount


def is_under_way(db: sqlite3.Connection, run_id: str) -> bool:
    """Whether a run is in the file and has not ended."""
    return db.execute("SELECT 1 FROM runs WHERE id = ? AND state = 'open'", (run_id,)).fetchone() is not None


def unfinished(db: sqlite3.Connection, folder: Path) -> list[str]:
    """The runs that are open though nobody is there to end them."""
    found = db.execute("SELECT id, mark, host, started FROM runs WHERE state = 'open'").fetchall()
    alive = {mark: is_alive(folder, mark) for mark in {row["mark"] for row in found}}
    left = []
    for row in found:
        # Locks may not be seen from another machine that shares the folder.
        certain = alive[row["mark"]] is False and row["host"] == my_host()
        doubtful = alive[row["mark"]] is not True and (moment(row["started"]) or 0.0) < time.time() - DOUBT
        if certain or doubtful:
            left.append(row["id"])
    return left


def give_up(db: sqlite3.Connection, folder: Path) -> list[str]:
    """Settle the runs that a process left unfinished when it was killed; returns their ids."""
    found = unfinished(db, folder)
    for name in found:
        db.execute(
            "UPDATE runs SET finished = :now,"
            " state = CASE WHEN :answered THEN 'done' WHEN sent IS NOT 0 THEN 'unknown' ELSE 'not sent' END,"
            " problem = CASE WHEN :answered THEN :after WHEN sent IS NOT 0 THEN :while ELSE :before END"
            " WHERE id IS :id",
            {
                "id": name,
                "now": time.time(),
                "answered": db.execute("SELECT COUNT(*) FROM results WHERE run = ?", (name,)).fetchone()[0],
                "after": ENDED_AFTER,
                "while": ENDED_WHILE,
                "before": ENDED_BEFORE,
            },
        )
    return found


def spent(db: sqlite3.Connection, budget: Budget, besides: Collection[str] = ()) -> Spent:
    """What counts as spent for a budget, but for the runs with these ids, which are known to have cost nothing."""
    given = {"each": budget.tokens_each or 0, "start": budget.start, "besides": json.dumps(list(besides))}
    runs, images, used, unknown, set_back = db.execute(
        f"SELECT COUNT(*), COALESCE(SUM(COALESCE({CAME}, {IMAGES})), 0),"
        f" COALESCE(SUM(COALESCE({TOKENS}, {IMAGES} * :each)), 0), COALESCE(SUM({DOUBTFUL}), 0),"
        f" COALESCE(SUM(started < :start), 0) {WHERE}",
        given,
    ).fetchone()
    found = Spent(runs, images, used, unknown=unknown, set_back=set_back)
    if budget.prices is None:
        return found
    currency = budget.prices.currency
    costs, unpriced = [], 0
    for row in db.execute(
        f"SELECT model, options, usage, {COST} AS noted, currency, COALESCE({CAME}, {IMAGES}) AS images {WHERE}",
        given,
    ):
        cost = row["noted"] if row["currency"] == currency else None
        if cost is None:
            cost = budget.prices.cost(
                words(row["model"]), json_object(row["options"]), row["images"], tokens(row["usage"])
            )
        if cost is None:
            unpriced += 1
        else:
            costs.append(cost)
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
    for currency, cost, maybe in db.execute(
        f"SELECT currency, SUM({COST}), SUM({COST}) FILTER (WHERE {DOUBTFUL}) {WHERE}"
        f" AND {COST} NOT NULL GROUP BY currency ORDER BY currency",
        given,
    ):
        name = words(currency, 20)
        costs[name] = costs.get(name, 0) + cost
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


def asked_fields(request: EditRequest) -> dict[str, Any]:
    """The fields of a request besides picture, mask, prompt and model, where they are not as when left out."""
    own = replace(request, extra_body={}).body()
    del own["prompt"]
    return own | ({"extra_body": dict(request.extra_body)} if request.extra_body else {})


def drawing_of(request: EditRequest) -> str:
    """The request's mask as JSON, or "" where there is none or it is large."""
    mask = request.mask
    if isinstance(mask, SourceImage):
        # A mask that says nothing can be sent unchecked.
        mask = Mask.from_image(mask, edit="transparent") if mask.pixels.mode == "RGBA" else None
    if mask is None:
        return ""
    text = json.dumps(json.loads(mask.to_json()), separators=(",", ":"))
    return text if len(text) <= MASK_CAP else ""


def missing(db: sqlite3.Connection, run_id: object) -> dict[int, str]:
    """The addresses of results that have not been fetched, by their number."""
    found = db.execute(
        "SELECT number, url FROM results WHERE run = ? AND sha256 IS NULL AND url NOT NULL"
        " AND typeof(number) = 'integer' ORDER BY number LIMIT ?",
        (run_id, MOST_RESULTS),
    ).fetchall()
    checked = ((number, web_address(url)) for number, url in found)
    return {number: url for number, url in checked if url is not None}


def forget(db: sqlite3.Connection, run_id: object) -> None:
    """Take a run out of the history. What it cost stays, so that a budget does not grow by tidying up."""
    options = json_object(db.execute("SELECT options FROM runs WHERE id IS ?", (run_id,)).fetchone()[0])
    priced = {name: options[name] for name in ("n", "size", "quality", "model", "mode") if name in options}
    db.execute(
        "UPDATE runs SET pruned = 1, prompt = '', options = ?, asked = '{}', drawing = '', source = '', mask = '',"
        " name = '', address = '', problem = '' WHERE id IS ?",
        (json.dumps(priced), run_id),
    )
    db.execute("DELETE FROM results WHERE run = ?", (run_id,))


def shrink(db: sqlite3.Connection, limit: int, spare: Collection[str]) -> None:
    """Let go of the oldest runs' results until all take at most `limit` bytes."""
    runs = db.execute(
        "SELECT id, state FROM runs WHERE NOT pruned"
        " AND id IN (SELECT run FROM results WHERE NOT pruned AND sha256 NOT NULL) ORDER BY counted, rowid"
    ).fetchall()
    for run, state in runs[:-1]:
        (size,) = db.execute(
            f"SELECT COALESCE(SUM(bytes), 0) FROM (SELECT MAX({_whole('bytes')}) AS bytes FROM results"  # noqa: S608 - our own words
            " WHERE NOT pruned AND sha256 NOT NULL GROUP BY sha256)"
        ).fetchone()
        if size <= limit:
            return
        if state != "open" and run not in spare:
            db.execute("UPDATE results SET pruned = 1, url = NULL WHERE run = ?", (run,))

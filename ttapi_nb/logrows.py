"""What a run log says of its runs, and the questions that it asks its file. `RunLog` is what to use."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from .budget import Budget, Spent
from .errors import ResultError
from .lineage import MASK_CAP
from .logfile import is_alive, my_host
from .mask import Mask
from .picture import SourceImage
from .request import EditRequest

__all__ = [
    "SPENT",
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
    "missing",
    "read_row",
    "shrink",
    "spent",
    "totals",
    "unfinished",
]

State: TypeAlias = Literal["open", "done", "not sent", "refused", "unknown", "failed", "cancelled"]
"""`open` until it is settled; `unknown` may have been billed; `failed` was answered but the result can't be used."""

DOUBT = 3600.0
"""Seconds after which an unfinished run is given up whose process can't be seen from here."""
# What is billed, may be, or is about to be.
SPENT = """offline = 0 AND (state IN ('open', 'done') OR (state = 'failed' AND sent)
    OR (state = 'unknown' AND billed IS NOT 0))"""

ENDED_BEFORE = "The program ended before the request had left: nothing was sent or billed."
ENDED_WHILE = (
    "The program ended while the request was under way. It may have been carried out and billed: look at your usage in "
    "the TTAPI Dashboard before you run it again."
)
ENDED_AFTER = "The program ended as the answer came. What had arrived was kept."


@dataclass(frozen=True)
class RunRow:
    """What the log holds of one run. Times are seconds since 1970; `source` is `SourceImage.digest`; `results` are the
    files of the raw answers, in order, where they arrived, and `waiting` the addresses of those that did not.

    * `refused`: how often the service was too busy, so that it was asked again; nothing is billed for that.
    * `images`, `tokens`: what came, None where that is not known; `asked`: how many results were asked for.
    * `estimate`, `cost`: in `currency`, before and after, None where there was no price.
    * `billed`: what you said about a run of unknown outcome with `RunLog.found`, or None.
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


@dataclass(frozen=True)
class Totals:
    """What was spent, without what the embedded service made.

    `runs` are those that were billed, may have been, or are under way; `images` and `tokens` what came of them, and
    `unknown` how many of them have an outcome that nobody knows. `costs` are by currency, an estimate where the actual
    one is not known yet, and `unpriced` how many runs have neither. `offline` are the embedded service's runs, which
    cost nothing, and `bytes` what the results take on the disk.
    """

    runs: int
    images: int
    tokens: int
    unknown: int
    costs: Mapping[str, float]
    unpriced: int
    offline: int
    bytes: int


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
    found: sqlite3.Row | None = db.execute(
        "SELECT * FROM runs WHERE id = ? AND NOT pruned", (run_id,)
    ).fetchone()
    if found is None:
        raise ResultError(f"There is no run {run_id!r} in this log. See rows().")
    return found


def read_row(db: sqlite3.Connection, row: sqlite3.Row, results: Path) -> RunRow:
    """A row as others see it; `results` is the folder of the files."""
    kept = db.execute(
        "SELECT sha256 FROM results WHERE run = ? AND sha256 NOT NULL AND NOT pruned ORDER BY number",
        (row["id"],),
    )
    return RunRow(
        id=row["id"],
        started=row["started"],
        finished=row["finished"],
        state=row["state"],
        sent=bool(row["sent"]),
        offline=bool(row["offline"]),
        model=row["model"],
        prompt=row["prompt"],
        options=json.loads(row["options"]),
        source=row["source"],
        mask=row["mask"],
        problem=row["problem"],
        usage=json.loads(row["usage"]) if row["usage"] else None,
        results=tuple(results / name for (name,) in kept),
        waiting=tuple(missing(db, row["id"]).values()),
        refused=row["refused"],
        asked=row["images"],
        images=row["came"],
        tokens=row["tokens"],
        estimate=row["estimate"],
        cost=row["cost"],
        currency=row["currency"],
        billed=None if row["billed"] is None else bool(row["billed"]),
    )


def unfinished(db: sqlite3.Connection, folder: Path) -> list[str]:
    """The runs that are open though nobody is there to end them."""
    found = db.execute("SELECT id, mark, host, started FROM runs WHERE state = 'open'").fetchall()
    alive = {mark: is_alive(folder, mark) for mark in {row["mark"] for row in found}}
    left = []
    for row in found:
        # Locks may not be seen from another machine that shares the folder.
        certain = alive[row["mark"]] is False and row["host"] == my_host()
        doubtful = alive[row["mark"]] is not True and row["started"] < time.time() - DOUBT
        if certain or doubtful:
            left.append(row["id"])
    return left


def give_up(db: sqlite3.Connection, folder: Path) -> list[str]:
    """Settle the runs that a process left unfinished when it was killed; returns their ids."""
    found = unfinished(db, folder)
    for name in found:
        db.execute(
            "UPDATE runs SET finished = :now,"
            " state = CASE WHEN :answered THEN 'done' WHEN sent THEN 'unknown' ELSE 'not sent' END,"
            " problem = CASE WHEN :answered THEN :after WHEN sent THEN :while ELSE :before END WHERE id = :id",
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


def spent(db: sqlite3.Connection, budget: Budget) -> Spent:
    """What counts as spent for a budget."""
    runs, images, tokens, unknown = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(COALESCE(came, images)), 0),"  # noqa: S608 - our own words
        " COALESCE(SUM(COALESCE(tokens, images * :each)), 0), COALESCE(SUM(state = 'unknown'), 0)"
        f" FROM runs WHERE {SPENT} AND started >= :start",
        {"each": budget.tokens_each or 0, "start": budget.start},
    ).fetchone()
    if budget.prices is None:
        return Spent(runs, images, tokens, unknown=unknown)
    currency = budget.prices.currency
    costs, unpriced = [], 0
    for row in db.execute(
        "SELECT model, options, usage, COALESCE(cost, estimate) AS noted, currency, COALESCE(came, images) AS images"  # noqa: S608 - our own words
        f" FROM runs WHERE {SPENT} AND started >= ?",
        (budget.start,),
    ):
        cost = row["noted"] if row["currency"] == currency else None
        if cost is None:
            usage = json.loads(row["usage"]) if row["usage"] else None
            cost = budget.prices.cost(row["model"], json.loads(row["options"]), row["images"], usage)
        if cost is None:
            unpriced += 1
        else:
            costs.append(cost)
    return Spent(runs, images, tokens, sum(costs), unknown, unpriced)


def totals(db: sqlite3.Connection, start: float, size: int) -> Totals:
    """What was spent since `start`, in seconds since 1970; `size` is what the results take, in bytes."""
    where = f"FROM runs WHERE {SPENT} AND started >= ?"
    runs, images, tokens, unknown, unpriced = db.execute(
        "SELECT COUNT(*), COALESCE(SUM(came), 0), COALESCE(SUM(tokens), 0), COALESCE(SUM(state = 'unknown'), 0),"
        f" COALESCE(SUM(COALESCE(cost, estimate) IS NULL), 0) {where}",
        (start,),
    ).fetchone()
    costs = db.execute(
        f"SELECT currency, SUM(COALESCE(cost, estimate)) {where}"
        " AND COALESCE(cost, estimate) NOT NULL GROUP BY currency ORDER BY currency",
        (start,),
    ).fetchall()
    (offline,) = db.execute("SELECT COUNT(*) FROM runs WHERE offline AND started >= ?", (start,)).fetchone()
    return Totals(runs, images, tokens, unknown, dict(costs), unpriced, offline, size)


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


def missing(db: sqlite3.Connection, run_id: str) -> dict[int, str]:
    """The addresses of results that have not been fetched, by their number."""
    found = db.execute(
        "SELECT number, url FROM results WHERE run = ? AND sha256 IS NULL AND url NOT NULL ORDER BY number",
        (run_id,),
    )
    return dict(found.fetchall())


def forget(db: sqlite3.Connection, run_id: str) -> None:
    """Take a run out of the history. What it cost stays, so that a budget does not grow by tidying up."""
    options = json.loads(db.execute("SELECT options FROM runs WHERE id = ?", (run_id,)).fetchone()[0])
    priced = {name: options[name] for name in ("n", "size", "quality", "model", "mode") if name in options}
    db.execute(
        "UPDATE runs SET pruned = 1, prompt = '', options = ?, asked = '{}', drawing = '', source = '', mask = '',"
        " name = '', address = '', problem = '' WHERE id = ?",
        (json.dumps(priced), run_id),
    )
    db.execute("DELETE FROM results WHERE run = ?", (run_id,))


def shrink(db: sqlite3.Connection, limit: int, spare: Collection[str]) -> None:
    """Let go of the oldest runs' results until all take at most `limit` bytes."""
    runs = db.execute(
        "SELECT id, state FROM runs WHERE NOT pruned"
        " AND id IN (SELECT run FROM results WHERE NOT pruned AND sha256 NOT NULL) ORDER BY started, rowid"
    ).fetchall()
    for run, state in runs[:-1]:
        (size,) = db.execute(
            "SELECT COALESCE(SUM(bytes), 0) FROM"
            " (SELECT MAX(bytes) AS bytes FROM results WHERE NOT pruned AND sha256 NOT NULL GROUP BY sha256)"
        ).fetchone()
        if size <= limit:
            return
        if state != "open" and run not in spare:
            db.execute("UPDATE results SET pruned = 1, url = NULL WHERE run = ?", (run,))

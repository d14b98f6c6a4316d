"""What is written into a run log's file: how a run begins and ends, and how one is given up or let go."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..asked import Prepared
from ..errors import InvalidRequestError, ResultError
from ..lineage import drawing_of, mask_of
from ..request import EditRequest
from ..text import account_at, may_be_billed, one_line
from .alive import hold, is_alive, my_host
from .budget import Estimate, sent_options
from .checks import cut, json_object, moment, words
from .claims import Claim
from .memory import Known
from .spending import whole

__all__ = [
    "asked_fields",
    "catch_up",
    "forget",
    "give_up",
    "insert",
    "new_row",
    "put_back",
    "shrink",
    "take_back",
    "unfinished",
    "write_end",
    "write_result",
]

UNLOGGABLE = (
    "The prompt, model or another field can't be written into the run log: it holds half of a character, or something "
    "else than text, numbers, lists and dicts. Change it, or use log=False."
)
LONGEST_HOST = 100
DOUBT = 3600.0
"""Seconds after which an unfinished run is given up whose process can't be seen from here."""
ENDED_BEFORE = "The program ended before the request had left: nothing was sent or billed."
ENDED_WHILE = "The program ended while the request was under way. {next}"
WITHDRAWN = "Interrupted as it began: nothing was sent or billed."
ENDED_AFTER = "The program ended as the answer came. What had arrived was kept."


def new_row(
    run_id: str,
    prepared: Prepared,
    *,
    offline: bool,
    address: str,
    estimate: Estimate,
    claim: Claim | None = None,
) -> dict[str, Any]:
    """The row of a run that is about to begin, but for when; see `RunLog.begin`. Raises `InvalidRequestError`."""
    asked, request = prepared.asked, prepared.sent
    texts = _texts(request, sent_options(request), asked_fields(asked.request))
    if texts is None:
        raise InvalidRequestError([UNLOGGABLE])
    picture = asked.source
    return {
        "id": run_id,
        "started": 0.0,
        "finished": None,
        "sent": 0,
        "refused": 0,
        "state": "open",
        "offline": offline,
        "model": request.model,
        "prompt": request.prompt,
        "options": texts[0],
        "source": picture.digest if picture is not None else "",
        # A file's name may hold bytes that are no text.
        "name": cut(picture.name) if picture is not None else "",
        "mask": hashlib.sha256(request.mask_file.data).hexdigest() if request.mask_file else "",
        "host": my_host(),
        # Nothing is fetched from a network for what was made without one.
        "address": "" if offline else cut(address),
        "images": estimate.images,
        "estimate": None if offline else estimate.cost,
        "currency": "" if offline or estimate.cost is None else estimate.currency,
        "asked": texts[1],
        "drawing": drawing_of(mask_of(asked.request.mask)),
        "fit": asked.fit,
        "strict": asked.strict,
        "experiment": claim.experiment if claim is not None else "",
        "cell": claim.cell if claim is not None else "",
    }


def _texts(request: EditRequest, *mappings: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Mappings as JSON, or None where they, the prompt or the model can't be written."""
    try:
        (request.prompt + request.model).encode()
        return tuple(map(json.dumps, mappings))
    except (TypeError, ValueError, RecursionError):
        return None


def insert(db: sqlite3.Connection, row: Mapping[str, Any], since: float) -> None:
    """Write the row of a run that begins, which counts from now on.

    Never earlier than a run that was begun before it, nor than its budget does: a clock may be set back, and the run
    counts all the same.
    """
    latest = db.execute(
        "SELECT counted FROM runs WHERE counted BETWEEN 0 AND 1e11 ORDER BY counted DESC LIMIT 1"
    ).fetchone()
    values = {**row, "counted": max(row["started"], since, latest[0] if latest is not None else 0.0)}
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


def catch_up(db: sqlite3.Connection, folder: Path, left: Mapping[str, Known]) -> None:
    """Write how these runs of this process ended, or that they won't be sent."""
    for run_id, known in left.items():
        if known.end is not None:
            write_end(db, folder, known, run_id, known.end)
        elif not take_back(db, run_id) and is_under_way(db, run_id):
            # It had left just then, and goes on.
            known.withdrawn = False


def is_under_way(db: sqlite3.Connection, run_id: str) -> bool:
    """Whether a run is in the file and has not ended."""
    return db.execute("SELECT 1 FROM runs WHERE id = ? AND state = 'open'", (run_id,)).fetchone() is not None


def unfinished(db: sqlite3.Connection, folder: Path) -> list[str]:
    """The runs that are open though nobody is there to end them."""
    marks = db.execute("SELECT DISTINCT mark FROM runs WHERE state = 'open'").fetchall()
    alive = {mark: is_alive(folder, mark) for (mark,) in marks}
    if all(alive.values()):
        return []
    rows = db.execute("SELECT id, mark, host, started FROM runs WHERE state = 'open'").fetchall()
    left = []
    for row in rows:
        # Locks may not be seen from another machine that shares the folder.
        certain = alive[row["mark"]] is False and row["host"] == my_host()
        doubtful = alive[row["mark"]] is not True and (moment(row["started"]) or 0.0) < time.time() - DOUBT
        if certain or doubtful:
            left.append(row["id"])
    return left


def give_up(db: sqlite3.Connection, folder: Path) -> list[str]:
    """Settle the runs that a process left unfinished when it was killed; returns their ids."""
    ids = unfinished(db, folder)
    for name in ids:
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
                "while": ENDED_WHILE.format(next=_what_next(db, name)),
                "before": ENDED_BEFORE,
            },
        )
    return ids


def _what_next(db: sqlite3.Connection, run_id: str) -> str:
    row = db.execute("SELECT offline, address FROM runs WHERE id IS ?", (run_id,)).fetchone()
    if row["offline"] == 1:
        return "Run it again."
    host = ""
    # Only shown; a log from elsewhere may say anything.
    with contextlib.suppress(ValueError):
        host = one_line(urlsplit(words(row["address"])).hostname or "", LONGEST_HOST)
    return may_be_billed(account_at(host))


def asked_fields(request: EditRequest) -> dict[str, Any]:
    """The fields of a request besides picture, mask, prompt and model, where they are not as when left out."""
    own = replace(request, extra_body={}).body()
    del own["prompt"]
    return own | ({"extra_body": dict(request.extra_body)} if request.extra_body else {})


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
    db.execute("DELETE FROM ratings WHERE run = ?", (run_id,))
    db.execute("DELETE FROM shown WHERE run = ?", (run_id,))


def shrink(db: sqlite3.Connection, limit: int, spare: Collection[str]) -> None:
    """Let go of the oldest runs' results until all take at most `limit` bytes."""
    runs = db.execute(
        "SELECT id, state FROM runs WHERE NOT pruned"
        " AND id IN (SELECT run FROM results WHERE NOT pruned AND sha256 NOT NULL) ORDER BY counted, rowid"
    ).fetchall()
    for run, state in runs[:-1]:
        (size,) = db.execute(
            f"SELECT COALESCE(SUM(bytes), 0) FROM (SELECT MAX({whole('bytes')}) AS bytes FROM results"  # noqa: S608 - our own words
            " WHERE NOT pruned AND sha256 NOT NULL GROUP BY sha256)"
        ).fetchone()
        if size <= limit:
            return
        if state != "open" and run not in spare:
            db.execute("UPDATE results SET pruned = 1, url = NULL WHERE run = ?", (run,))

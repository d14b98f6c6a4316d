"""Runs and results taken away for good, to make room or to forget."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass

from ..errors import SettingsError
from .checks import moment
from .drafts import Drafts
from .file import LogFile
from .folder import RESULTS, sizes, sweep
from .searching import renew_index
from .writing import forget, shrink

__all__ = ["Pruned", "check", "prune"]

DAY = 86_400.0


@dataclass(frozen=True)
class Pruned:
    """What `RunLog.prune` took away: `runs` from the history, and `files` of results with so many `bytes`."""

    runs: int
    files: int
    bytes: int


def check(older_than: object, keep: object, limit_bytes: object, spare: object) -> None:
    """Raise `SettingsError` where nothing says what may go, or something that can't be meant."""
    limits = [number for number in (older_than, keep, limit_bytes) if number is not None]
    whole = all(number is None or isinstance(number, int) for number in (keep, limit_bytes))
    good = all(
        isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf
        for number in limits
    )
    if not limits or not whole or not good:
        raise SettingsError(
            "prune() needs older_than=days, keep=runs or limit_bytes=bytes, each 0 or more, to know what may go."
        )
    if (
        isinstance(spare, str)
        or not isinstance(spare, Collection)
        or not all(isinstance(one, str) for one in spare)
    ):
        raise SettingsError("spare is no list of ids. Use one like spare=[row.id].")


def prune(
    file: LogFile, older_than: float | None, keep: int | None, limit_bytes: int | None, spare: frozenset[str]
) -> Pruned:
    """As `RunLog.prune`, for what `check` let pass. Raises `ResultError`."""
    results = file.folder / RESULTS
    before = sizes(results)
    if older_than is not None or keep is not None:
        Drafts(file.folder).forget("", (older_than or 0.0) * DAY)
    with file.open() as db:
        # Not only out of sight: out of the file.
        db.execute("PRAGMA secure_delete = ON")
        old = [] if older_than is None and keep is None else _old(db, older_than, keep or 0)
        gone = [name for name in old if name not in spare]
        for name in gone:
            forget(db, name)
        if gone:
            renew_index(db)
        if limit_bytes is not None:
            shrink(db, limit_bytes, spare)
    # Apart, when the rows are surely gone: a file without a row does no harm, a row without its file would.
    with file.open() as db:
        sweep(db, results)
    after = sizes(results)
    swept = [name for name in before if name not in after]
    return Pruned(len(gone), len(swept), sum(before[name] for name in swept))


def _old(db: sqlite3.Connection, older_than: float | None, keep: int) -> list[str]:
    """The runs that are over, beyond the newest `keep`, and older than so many days."""
    before = math.inf if older_than is None else time.time() - older_than * DAY
    rows = db.execute(
        "SELECT id, state, started FROM runs WHERE NOT pruned ORDER BY counted DESC, rowid DESC"
    ).fetchall()
    return [
        row["id"]
        for row in rows[keep:]
        if row["state"] != "open" and (moment(row["started"]) or 0.0) < before
    ]

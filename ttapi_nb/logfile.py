"""The file under a run log: opened, brought to today's form, and told whose unfinished runs are nobody's any more.

Every process that has runs under way in a log holds a lock on a file of its own beside it. The system lets go of that
lock however the process ends, kill -9 included, and no other process can have it by mistake, as can happen with a
process number.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import platform
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from . import forking

__all__ = [
    "FILE",
    "Journal",
    "hold",
    "is_alive",
    "is_being_written",
    "my_host",
    "opened",
    "release",
    "sizes",
    "written",
]

Journal: TypeAlias = Literal["wal", "rollback"]
"""How SQLite keeps a log whole. `rollback` is for folders on a network, where `wal` is not safe between machines."""

FILE = "runs.sqlite3"
PATIENCE = 60.0
"""For how many seconds to wait until other kernels have written."""
MARKS = "alive"
ABANDONED = 86_400.0
"""Seconds after which a file that was never renamed is nobody's."""
MODES: dict[str, str] = {"wal": "wal", "rollback": "delete"}

# One per version of the file, in order; PRAGMA user_version says how many have been done. The first is the form before
# there were versions.
MIGRATIONS = (
    """
    CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY, started REAL NOT NULL, finished REAL, state TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
        offline INTEGER NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, options TEXT NOT NULL,
        source TEXT NOT NULL, mask TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '', usage TEXT
    );
    CREATE TABLE IF NOT EXISTS results (
        run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, sha256 TEXT, url TEXT, bytes INTEGER,
        PRIMARY KEY (run, number)
    )
    """,
    """
    ALTER TABLE runs ADD COLUMN mark TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN host TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN address TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN images INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE runs ADD COLUMN came INTEGER;
    ALTER TABLE runs ADD COLUMN tokens INTEGER;
    ALTER TABLE runs ADD COLUMN estimate REAL;
    ALTER TABLE runs ADD COLUMN cost REAL;
    ALTER TABLE runs ADD COLUMN currency TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN billed INTEGER;
    ALTER TABLE runs ADD COLUMN asked TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE runs ADD COLUMN name TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN drawing TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN fit TEXT NOT NULL DEFAULT 'auto';
    ALTER TABLE runs ADD COLUMN strict INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE runs ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE results ADD COLUMN time REAL;
    ALTER TABLE results ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
    UPDATE runs SET asked = options,
        came = (SELECT NULLIF(COUNT(*), 0) FROM results WHERE results.run = runs.id);
    CREATE INDEX runs_started ON runs (started);
    CREATE INDEX runs_state ON runs (state)
    """,
)
COUNTED = 2
"""The version since which a row says how many results were asked for."""


@contextlib.contextmanager
def opened(folder: Path, journal: Journal | None, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """The log in `folder`, made where there is none, within one transaction that is on the disk when this ends.

    `write` keeps other writers out from the start, so that what is read is still so when it is written. Raises
    `OSError` or `sqlite3.Error`.
    """
    with forking.quietly(), _opened(folder, journal, write) as db:
        yield db


@contextlib.contextmanager
def _opened(folder: Path, journal: Journal | None, write: bool) -> Iterator[sqlite3.Connection]:
    (folder / "results").mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(folder / FILE, timeout=PATIENCE, isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        _prepare(db, journal)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        yield db
        db.execute("COMMIT")
    finally:
        # Which undoes what was not committed.
        db.close()


def _prepare(db: sqlite3.Connection, journal: Journal | None) -> None:
    version = _version(db)
    wanted = MODES[journal] if journal else None if version else "wal"
    if wanted and db.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        _change_mode(db, wanted)
    if version == len(MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    # Again, as another kernel may have been at it.
    version = _version(db)
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError("a newer ttapi_nb has written it; install that one here too")
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        for statement in script.split(";"):
            db.execute(statement)
        if number == COUNTED:
            _count_old_runs(db)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _change_mode(db: sqlite3.Connection, wanted: str) -> None:
    """Change how the file is kept whole. SQLite does that only while nobody else has it open, and does not wait."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            db.execute(f"PRAGMA journal_mode = {wanted}")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _count_old_runs(db: sqlite3.Connection) -> None:
    for run, options, usage in db.execute("SELECT id, options, usage FROM runs").fetchall():
        asked = _read(options).get("n")
        tokens = _read(usage).get("total_tokens")
        db.execute(
            "UPDATE runs SET images = ?, tokens = ? WHERE id = ?",
            (asked if isinstance(asked, int) else 1, tokens if isinstance(tokens, int) else None, run),
        )


def _read(text: str | None) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}


def written(folder: Path, name: str, data: bytes) -> Path:
    """A file with this data that is on the disk, to be renamed to `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.{uuid.uuid4().hex}"
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return part


def sizes(folder: Path) -> dict[str, int]:
    """The files in a folder, by name, with their size in bytes."""
    found = {}
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found[entry.name] = entry.stat().st_size
    return found


def is_being_written(path: Path) -> bool:
    """Whether a file is one that `written` made and that may yet be renamed."""
    with contextlib.suppress(OSError):
        return "." in path.name and path.stat().st_mtime > time.time() - ABANDONED
    return False


# Who is alive


class _Mark:
    """The file by which others see that this process is alive, and the runs for which it is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / uuid.uuid4().hex
        # Kept open, and locked, until the last run has ended or this process has.
        self.file = self.path.open("wb")
        self.runs: set[str] = set()
        with contextlib.suppress(OSError):
            _take(self.file)

    def drop(self) -> None:
        self.file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


_marks: dict[Path, _Mark] = {}
_lock = threading.Lock()


def my_host() -> str:
    """The name of this machine, or container."""
    return platform.node()


def hold(folder: Path, run_id: str) -> str:
    """Show others that the process of a run is alive, until `release`; returns the mark that they ask `is_alive` about.

    Raises `OSError`.
    """
    marks = folder.resolve() / MARKS
    with _lock:
        mark = _marks.get(marks)
        if mark is not None and not mark.path.exists():
            # Somebody has tidied up.
            _marks.pop(marks).drop()
            mark = None
        if mark is None:
            mark = _marks[marks] = _Mark(marks)
        mark.runs.add(run_id)
        return mark.path.name


def release(folder: Path, run_id: str) -> None:
    """The run has ended in the log, and needs its process no more."""
    marks = folder.resolve() / MARKS
    with _lock:
        mark = _marks.get(marks)
        if mark is not None:
            mark.runs.discard(run_id)
            if not mark.runs:
                _marks.pop(marks).drop()


def is_alive(folder: Path, mark: str) -> bool | None:
    """Whether the process with this mark lives; None where that can't be told."""
    if not mark:
        return None
    path = folder.resolve() / MARKS / mark
    with _lock:
        if any(mine.path == path for mine in _marks.values()):
            return True
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return False
    except OSError:
        return None
    with file:
        try:
            _take(file)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:
            return None
    with contextlib.suppress(OSError):
        path.unlink()
    return False


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        # flock, not lockf: that would be let go by anybody here who opens and closes the file, to copy it, say.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _forget() -> None:
    # A forked child shares its parent's locks, and would keep them when the parent has gone.
    global _lock  # noqa: PLW0603 - it may be held by a thread that the child has not got
    _lock = threading.Lock()
    for mark in _marks.values():
        mark.file.close()
    _marks.clear()


@atexit.register
def _leave() -> None:
    for mark in _marks.values():
        mark.drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

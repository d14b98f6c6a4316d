"""The file under a run log: opened, brought to today's form, and told whose unfinished runs are nobody's any more.

Every process that has runs under way in a log holds a lock on a file of its own beside it. The system lets go of that
lock however the process ends, kill -9 included, and no other process can have it by mistake, as can happen with a
process number.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import sqlite3
import stat
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, TypeAlias

from .files import make_private_folder, new_private_file
from .logchecks import MARK
from .logfolder import ALIVE, DATABASE, adopt, claim, prepare
from .logfork import FORKED_INSIDE, in_use, on_fork
from .logmigrations import MIGRATIONS, check_form, migrate, version_of

__all__ = ["FILE", "Journal", "hold", "is_alive", "my_host", "opened", "release"]

Journal: TypeAlias = Literal["wal", "rollback"]
"""How SQLite keeps a log whole. `rollback` is for folders on a network, where `wal` is not safe between machines."""

FILE = DATABASE
PATIENCE = 60.0
"""For how many seconds to wait until other kernels have written."""
MODES: dict[str, str] = {"wal": "wal", "rollback": "delete"}
LARGEST = 64 * 2**20
"""In bytes: the most that one value or row may take."""
REPLACED = "its file was deleted or replaced while it was in use, so what was just written may be lost"


@contextlib.contextmanager
def opened(folder: Path, journal: Journal | None, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """The log in `folder`, made where there is none, within one transaction that is on the disk when this ends.

    `write` keeps other writers out from the start, so that what is read is still so when it is written. Raises
    `OSError` or `sqlite3.Error`.
    """
    with in_use() as is_still_here:
        path = prepare(folder)
        before = _identity(path)
        db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            _distrust(db)
            _prepare(db, folder, journal, write)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            # Once more, where nothing can change any more: what is not ours would run within our own questions.
            check_form(db, version_of(db))
            yield db
            if not is_still_here():
                raise OSError(FORKED_INSIDE)
            db.execute("COMMIT")
            if write and _identity(path) != before:
                raise OSError(REPLACED)
        finally:
            # Which undoes what was not committed. A forked child must not: it would let go of its parent's locks.
            if is_still_here():
                db.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _distrust(db: sqlite3.Connection) -> None:
    """Take what the file says as data: no function of ours in its schema, no value beyond bounds, text of any kind."""
    db.row_factory = sqlite3.Row
    db.text_factory = _text
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    db.execute("PRAGMA trusted_schema = OFF")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _prepare(db: sqlite3.Connection, folder: Path, journal: Journal | None, write: bool) -> None:
    with _transaction(db, "BEGIN"):
        # Both of the same moment, as another kernel may be making the log.
        version = version_of(db)
        check_form(db, version)
    wanted = MODES[journal] if journal else None if version else "wal"
    if wanted and db.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        _change_mode(db, wanted)
    if version != len(MIGRATIONS):
        # Again within it, as another kernel may have been at it.
        with _transaction(db, "BEGIN IMMEDIATE"):
            migrate(db)
    if not claim(db, folder):
        try:
            with _transaction(db, "BEGIN IMMEDIATE"):
                adopt(db, folder)
        except sqlite3.OperationalError:
            # What is there can be read, where it can't be written.
            if write:
                raise


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


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


# Who is alive


class _Mark:
    """The file by which others see that this process is alive, and the runs for which it is."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self.path = folder / uuid.uuid4().hex
        # Kept open, and locked, until the last run has ended or this process has.
        self.file = os.fdopen(new_private_file(self.path), "wb")
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
    marks = folder.resolve() / ALIVE
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
    marks = folder.resolve() / ALIVE
    with _lock:
        mark = _marks.get(marks)
        if mark is not None:
            mark.runs.discard(run_id)
            if not mark.runs:
                _marks.pop(marks).drop()


def is_alive(folder: Path, mark: object) -> bool | None:
    """Whether the process with this mark lives; None where that can't be told, as of a mark that is none of ours."""
    if not isinstance(mark, str) or not MARK.fullmatch(mark):
        return None
    marks = folder.resolve() / ALIVE
    path = marks / mark
    with _lock:
        if any(mine.path == path for mine in _marks.values()):
            return True
    if marks.is_symlink():
        return None
    try:
        # Not through a link, and not waiting for a pipe's other end.
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return False
    except OSError:
        return None
    with os.fdopen(handle, "r+b", buffering=0) as file:
        found = os.fstat(handle)
        # A mark is an empty file. Others may have been given such a name, and are neither locked nor deleted.
        if not stat.S_ISREG(found.st_mode) or found.st_size or found.st_nlink > 1:
            return None
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


on_fork(_forget)

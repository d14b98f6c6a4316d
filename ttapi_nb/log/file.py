"""The file under a run log: opened within one transaction, distrusted, and brought to today's form."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from ..errors import ResultError
from ..files import sync_folder
from ..threads import InTurn
from .folder import adopt, claim, prepare
from .fork import FORKED_INSIDE, in_use, on_fork
from .migrations import MIGRATIONS, check_form, form_of, migrate, version_of
from .together import Piece, Within, write_together

__all__ = ["Journal", "LogFile", "opened"]

T = TypeVar("T")
Journal: TypeAlias = Literal["wal", "rollback"]
"""How SQLite keeps a log whole. `rollback` is for folders on a network, where `wal` is not safe between machines."""

PATIENCE = 60.0
"""For how many seconds to wait until other kernels have written."""
PAUSE = 0.0005, 0.003
"""Between how many seconds to wait until it is tried again."""
LONGEST_TURN = 2.0
"""For how many seconds to wait for other threads, before SQLite is left to see to it."""
MODES: dict[str, str] = {"wal": "wal", "rollback": "delete"}
LARGEST = 64 * 2**20
"""In bytes: the most that one value or row may take."""
REPLACED = "its file was deleted or replaced while it was in use, so what was just written may be lost"


@dataclass
class LogFile:
    """The file of the log in `folder`; `journal` as `RunLog` takes it."""

    folder: Path
    journal: Journal | None

    @contextlib.contextmanager
    def open(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """As `opened`, but raises `ResultError`, which says what to do."""
        failure: Exception | None = None
        try:
            with opened(self.folder, self.journal, write=write) as db:
                yield db
        except (OSError, sqlite3.Error, MemoryError) as error:
            failure = self.unusable(error)
        if failure is not None:
            raise failure

    def write(self, work: Callable[[sqlite3.Connection], T], folder: Path | None = None) -> T:
        """What `work(db)` gives, done within a transaction that is on the disk when this returns, with what other
        threads have to write just now. It may not use the log otherwise. Where it puts files into a `folder`, their
        names are on the disk then too. Raises what it raises, or `ResultError`.
        """
        if threading.current_thread() is threading.main_thread():
            # Which may be interrupted at any moment: with nobody else's work.
            with self.open() as db:
                result = work(db)
                if folder is not None:
                    sync_folder(folder)
            return result
        piece = Piece(work, folder)
        write_together((self.folder, self.journal), partial(connected, self.folder, self.journal), piece)
        error = piece.own or piece.failure
        if isinstance(error, OSError | sqlite3.Error | MemoryError):
            raise self.unusable(error) from None
        if error is not None:
            raise error
        value: T = piece.result
        return value

    def unusable(self, error: Exception) -> ResultError:
        """What to raise where the log can't be read or written."""
        return ResultError(
            f"The run log in {self.folder} can't be used ({error}). "
            "Give another folder with log=RunLog(…), or log=False to run without one."
        )


@contextlib.contextmanager
def opened(folder: Path, journal: Journal | None, *, write: bool = True) -> Iterator[sqlite3.Connection]:
    """The log in `folder`, made where there is none, within one transaction that is on the disk when this ends.

    `write` keeps other writers out from the start, so that what is read is still so when it is written. Raises
    `OSError` or `sqlite3.Error`.
    """
    with connected(folder, journal, write=write) as within, within() as db:
        yield db


@contextlib.contextmanager
def connected(folder: Path, journal: Journal | None, *, write: bool = True) -> Iterator[Within]:
    """As `opened`, for several transactions one after the other: `with within() as db` is one of them."""
    turn = _turns.setdefault(folder, InTurn(LONGEST_TURN)).turn if write else contextlib.nullcontext
    with in_use() as is_still_here:
        with turn():
            path = prepare(folder)
            before = _identity(path)
            db = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            with turn():
                _distrust(db)
                checked = _in_turn(db, lambda: _prepare(db, folder, journal, write))
                db.execute("PRAGMA synchronous = FULL")

            @contextlib.contextmanager
            def within() -> Iterator[sqlite3.Connection]:
                try:
                    with turn():
                        if _identity(path) != before:
                            raise OSError(REPLACED)
                        _wait_for_readers(db, 0)
                        _in_turn(db, lambda: db.execute("BEGIN IMMEDIATE" if write else "BEGIN"))
                        _wait_for_readers(db)
                        # Once more where it was changed since, as nothing can change any more: what is not ours
                        # would run within our own questions. SQLite looks at this number too before it asks any.
                        if form_of(db) != checked:
                            check_form(db, version_of(db))
                        yield db
                        if not is_still_here():
                            raise OSError(FORKED_INSIDE)
                        db.execute("COMMIT")
                        if write and _identity(path) != before:
                            raise OSError(REPLACED)
                finally:
                    if is_still_here() and db.in_transaction:
                        db.execute("ROLLBACK")

            yield within
        finally:
            # Which undoes what was not committed. A forked child must not: it would let go of its parent's locks.
            if is_still_here():
                db.close()


def _in_turn(db: sqlite3.Connection, work: Callable[[], T]) -> T:
    """What `work` gives, done as soon as nobody else is in its way, for `PATIENCE` seconds.

    SQLite itself waits longer each time, up to 0.1 s, while those that open and close the file every few milliseconds
    find it free: with a few of these a run waited for seconds.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            )
            if not busy or time.monotonic() > end:
                raise
        if db.in_transaction:
            db.execute("ROLLBACK")
        _pause()


def _pause() -> None:
    # Never the same, so that two don't meet again.
    time.sleep(random.uniform(*PAUSE))  # noqa: S311 - no secret


# This process's threads write one after the other. SQLite would see to that too, but who waits for it only looks now
# and then, up to 0.1 s later: sixteen runs at once took three times as long.
_turns: dict[Path, InTurn] = {}
on_fork(_turns.clear)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _distrust(db: sqlite3.Connection) -> None:
    """Take what the file says as data: no function of ours in its schema, no value beyond bounds, text of any kind."""
    db.row_factory = sqlite3.Row
    db.text_factory = _text
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    db.execute("PRAGMA trusted_schema = OFF")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _prepare(db: sqlite3.Connection, folder: Path, journal: Journal | None, write: bool) -> tuple[int, int]:
    """Bring the file to today's form; the form that it was found to have before that, as `form_of` tells it."""
    with _transaction(db, "BEGIN"):
        # All of the same moment, as another kernel may be making the log.
        form = form_of(db)
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
    return form


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        _wait_for_readers(db)
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        _wait_for_readers(db, 0)


def _change_mode(db: sqlite3.Connection, wanted: str) -> None:
    """Change how the file is kept whole. SQLite does that only while nobody else has it open."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            _wait_for_readers(db)
            db.execute(f"PRAGMA journal_mode = {wanted}")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
        finally:
            _wait_for_readers(db, 0)
        _pause()


def _wait_for_readers(db: sqlite3.Connection, seconds: float | None = None) -> None:
    """Have SQLite itself wait for those that have the file open, with no new ones let in meanwhile.

    Whoever comes by again and again instead may never find it free: of two programs that look every few milliseconds
    one always has it open, and a first run waited for 23 s.
    """
    db.execute(f"PRAGMA busy_timeout = {(PATIENCE if seconds is None else seconds) * 1000:.0f}")

"""What several threads have to write into a log's file, in one transaction: each waits for one, and not for all.

A transaction takes as long as the disk does, which is ten milliseconds and more, and sixteen runs that get their
answers together have fifty of them to do. So one thread writes, as long as anybody waits for it: all that came while
the disk was busy goes into its next transaction. Each has a savepoint of its own: what one of them raises undoes its
part alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from .. import loop
from ..files import sync_folder
from ..threads import Together
from .fork import is_wanted, on_fork

__all__ = ["Piece", "Within", "write_together"]

Within: TypeAlias = Callable[[], AbstractContextManager[sqlite3.Connection]]
"""Begins a transaction, which is on the disk when its block ends."""
Connects: TypeAlias = Callable[[], AbstractContextManager[Within]]
"""Opens the file, for several of them."""
LINGER = 0.005
"""Seconds for which the file is kept open for the next who writes: to open it takes as long."""
INTERRUPTED = "its thread was interrupted while it wrote"


class Piece:
    """One thread's part: `work(db)`, which puts files into `folder`, where one is given."""

    def __init__(self, work: Callable[[sqlite3.Connection], Any], folder: Path | None = None) -> None:
        self.work, self.folder = work, folder
        self.result: Any = None
        self.own: BaseException | None = None
        """What its own work raised."""
        self.failure: Exception | None = None
        """Why nothing was written for any of those that were with it."""
        self.over = threading.Event()


_queues: dict[object, Together[Piece]] = {}
on_fork(_queues.clear)


def write_together(place: object, connects: Connects, piece: Piece) -> None:
    """Do the work of `piece` within a transaction that is on the disk when this returns, and see what came of it.

    `place` names the log.
    """
    queue = _queues.setdefault(place, Together())
    if queue.add(piece):
        try:
            loop.start(partial(_write_all, queue, connects))
        except (RuntimeError, MemoryError):
            # The system has no thread for it.
            _write_all(queue, connects)
    piece.over.wait()


def _write_all(queue: Together[Piece], connects: Connects) -> None:
    while pieces := queue.taken():
        try:
            with connects() as within:
                # A fork waits until the file is closed.
                while pieces and _write(within, pieces) and not is_wanted():
                    pieces = queue.taken(LINGER)
            if not pieces:
                return
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            _end(pieces, error)


def _write(within: Within, pieces: list[Piece]) -> bool:
    """Do what these have to write, and say so to them; whether the file is as it should be."""
    try:
        with within() as db:
            for piece in pieces:
                _do(db, piece)
            # Once for all of them, and before the rows that name what is in there.
            for folder in {
                piece.folder for piece in pieces if piece.folder is not None and piece.own is None
            }:
                sync_folder(folder)
    except BaseException as error:  # noqa: BLE001 - as above
        _end(pieces, error)
        return False
    _end(pieces)
    return True


def _end(pieces: list[Piece], error: BaseException | None = None) -> None:
    for piece in pieces:
        if not piece.over.is_set():
            piece.failure = error if isinstance(error, Exception) or error is None else OSError(INTERRUPTED)
            piece.over.set()


def _do(db: sqlite3.Connection, piece: Piece) -> None:
    db.execute("SAVEPOINT piece")
    try:
        piece.result = piece.work(db)
    except BaseException as error:
        piece.own = error
        if not db.in_transaction:
            # A full disk, say: SQLite has undone all of it, the others' parts too.
            raise
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK TO piece")
    db.execute("RELEASE piece")

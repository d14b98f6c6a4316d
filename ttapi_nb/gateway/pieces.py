"""Answers in the database, where several gateways share it: pieces of bytes beside the run's row."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select

from .database import Database
from .tables import answers

__all__ = ["Pieces"]


class Pieces:
    """The answers of a ledger. Raises `LedgerError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, number: int, pieces: Iterable[bytes]) -> None:
        """Keep a run's answer."""
        with self._database.begin() as db:
            db.execute(delete(answers).where(answers.c.run == number))
            for piece, data in enumerate(pieces):
                db.execute(answers.insert().values(run=number, piece=piece, data=data))

    def size(self, number: int) -> int | None:
        """How many bytes an answer has, or None where there is none."""
        with self._database.begin(write=False) as db:
            found = db.scalar(select(func.sum(func.length(answers.c.data))).where(answers.c.run == number))
        return None if found is None else int(found)

    def get(self, number: int, piece: int) -> bytes | None:
        """A piece of an answer, or None where there is none."""
        with self._database.begin(write=False) as db:
            return db.scalar(select(answers.c.data).where(answers.c.run == number, answers.c.piece == piece))

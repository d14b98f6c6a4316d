"""Answers in the database, where several gateways share it: pieces of bytes beside the run's row."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, or_, select

from .database import Database
from .tables import answers, runs

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
            length = db.scalar(select(func.sum(func.length(answers.c.data))).where(answers.c.run == number))
        return None if length is None else int(length)

    def get(self, number: int, piece: int) -> bytes | None:
        """A piece of an answer, or None where there is none."""
        with self._database.begin(write=False) as db:
            return db.scalar(select(answers.c.data).where(answers.c.run == number, answers.c.piece == piece))

    def prune(self, before: float, young: float, most: int) -> int:
        """Delete the answers to runs that ended before a time, and the oldest where all are over `most` bytes but for
        those that ended after `young`; returns how many.
        """
        sizes = (
            select(answers.c.run, func.sum(func.length(answers.c.data)).label("size")).group_by(answers.c.run)
        ).subquery()
        newer = func.sum(sizes.c.size).over(order_by=sizes.c.run.desc())
        ordered = (
            select(sizes.c.run, newer.label("newer"), runs.c.finished)
            .select_from(sizes.outerjoin(runs, runs.c.number == sizes.c.run))
            .subquery()
        )
        gone = select(ordered.c.run).where(
            func.coalesce(ordered.c.finished, 0) < young,
            or_(func.coalesce(ordered.c.finished, 0) < before, ordered.c.newer > most),
        )
        with self._database.begin() as db:
            numbers = list(db.scalars(gone))
            db.execute(delete(answers).where(answers.c.run.in_(numbers)))
        return len(numbers)

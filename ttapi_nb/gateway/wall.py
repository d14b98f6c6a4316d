"""The wall: results that a teacher shows to all. Hidden until they are released, and each can be taken down."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import delete, select

from .classes import Class
from .database import Database
from .tables import people, runs, wall

__all__ = ["Shown", "Verdict", "Wall"]

Verdict: TypeAlias = Literal["", "released", "removed"]
MOST = 60


@dataclass(frozen=True)
class Shown:
    """A result for the wall: result `at` of run `number`, from 1, whose it is, and what was asked for."""

    number: int
    at: int
    name: str
    prompt: str
    model: str
    verdict: Verdict
    time: float


class Wall:
    """The walls of a ledger's classes. Raises `LedgerError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, room: Class, verdict: Verdict | None = None, most: int = MOST) -> list[Shown]:
        """A class's latest results, newest first; only those of a verdict, where it is given."""
        with self._database.begin(write=False) as db:
            rows = db.execute(
                select(runs, people.c.name.label("name"))
                .join(people, people.c.id == runs.c.person)
                .where(runs.c["class"] == room.id, runs.c.state == "done", runs.c.came > 0)
                .order_by(runs.c.number.desc())
                .limit(most * (10 if verdict else 1))
            ).all()
            numbers = [row.number for row in rows]
            verdicts: dict[tuple[int, int], Verdict] = {
                (row.run, row.item): row.verdict
                for row in db.execute(select(wall).where(wall.c.run.in_(numbers)))
            }
        results = [
            Shown(
                row.number, at, row.name, row.prompt, row.model, verdicts.get((row.number, at), ""),
                row.finished or row.started,
            )
            for row in rows
            for at in range(1, min(row.came, 10) + 1)
        ]  # fmt: skip
        return [one for one in results if verdict is None or one.verdict == verdict][:most]

    def judge(self, room: Class, number: int, at: int, verdict: Verdict) -> bool:
        """Release a result, take it down, or hide it again; False where the class has no such result."""
        with self._database.begin() as db:
            mine = db.execute(
                select(runs.c.came).where(
                    runs.c.number == number, runs.c["class"] == room.id, runs.c.state == "done"
                )
            ).first()
            if mine is None or not 1 <= at <= (mine.came or 0):
                return False
            db.execute(delete(wall).where(wall.c.run == number, wall.c.item == at))
            if verdict:
                db.execute(wall.insert().values(run=number, item=at, verdict=verdict, time=time.time()))
        return True

    def has(self, room: Class, number: int) -> bool:
        """Whether a run is of this class."""
        with self._database.begin(write=False) as db:
            rows = db.execute(
                select(runs.c.number).where(runs.c.number == number, runs.c["class"] == room.id)
            )
            return rows.first() is not None

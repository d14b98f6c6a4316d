"""What a class may do and how much somebody may spend, changed while people work.

All of it raises `SettingsError` and `LedgerError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import Connection, select, update

from ..errors import SettingsError
from .classes import class_of, lock_class, person_of, person_where
from .database import Database
from .tables import classes, people, runs
from .terms import Limits, Terms

__all__ = ["change_limits", "change_terms"]


def change_terms(database: Database, room_id: str, change: Callable[[Terms], Terms]) -> Terms:
    """Change a class's terms, from what they are while nobody else changes them."""
    with database.begin() as db:
        row = lock_class(db, room_id)
        if row is None:
            raise SettingsError("This class was deleted. Make a new one.")
        room = class_of(row)
        terms = change(room.terms)
        for one in db.execute(select(people).where(people.c["class"] == room_id)).all():
            # What somebody has of their own must hold under the new terms too.
            terms.check(person_of(one, room).limits, f"{one.name}'s own limit")
        db.execute(update(classes).where(classes.c.id == room_id).values(terms=terms.to_json()))
        if terms.prices != room.terms.prices:
            _price(db, room_id, terms)
    return terms


def _price(db: Connection, room_id: str, terms: Terms) -> None:
    """Runs that had no price get one: with one unpriced, nobody could say that a cost is kept to."""
    table = terms.table
    if table is None:
        return
    unpriced = (runs.c["class"] == room_id, runs.c.cost.is_(None), runs.c.estimate.is_(None))
    for row in db.execute(
        select(runs.c.number, runs.c.model, runs.c.options, runs.c.images, runs.c.came).where(*unpriced)
    ).all():
        options = json.loads(row.options)
        values = {"estimate": terms.cost(row.model, options, row.images), "currency": table.currency}
        if row.came is not None:
            values["cost"] = terms.cost(row.model, options, row.came)
        db.execute(update(runs).where(runs.c.number == row.number).values(**values))


def change_limits(database: Database, person_id: str, change: Callable[[Limits], Limits]) -> Limits:
    """Change the limits of one person's own, which hold in place of everybody's."""
    with database.begin() as db:
        member = person_where(db, people.c.id == person_id)
        if member is None:
            raise SettingsError("Nobody in this class is that person any more. Load the page again.")
        lock_class(db, member.room.id)
        # Once more, as nobody else changes it.
        person = person_where(db, people.c.id == person_id) or member
        limits = change(person.limits)
        person.room.terms.check(limits)
        db.execute(update(people).where(people.c.id == person_id).values(limits=json.dumps(limits.stated)))
    return limits

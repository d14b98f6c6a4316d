"""The forms that a ledger has had, one named function for each step. The table `migrations` says which are done.

A new form is a new function at the end of `MIGRATIONS`; the old ones are never changed, so they name what they make
themselves, as `first_tables` does for the first form.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TypeAlias

from sqlalchemy import Connection, inspect, select, text

from ..errors import SettingsError
from ..log.budget import asked_partials
from .tables import METADATA, migrations, wall

__all__ = ["MIGRATIONS", "migrate"]

Migration: TypeAlias = Callable[[Connection], None]

# One at a time on Postgres, where several gateways may start at once.
LOCK = 7_240_017


def first_tables(db: Connection) -> None:
    """Classes, people, runs, answers, gateways and what is known of the service."""
    METADATA.create_all(db)
    db.execute(text("INSERT INTO upstream (id) VALUES (1)"))


def the_wall(db: Connection) -> None:
    """Which results a teacher shows to all, and which were taken down."""
    wall.create(db, checkfirst=True)


def drafts_of_runs(db: Connection) -> None:
    """How many drafts each result of a run was asked with, which count as tokens."""
    if all(column["name"] != "drafts" for column in inspect(db).get_columns("runs")):
        db.execute(text("ALTER TABLE runs ADD COLUMN drafts INTEGER NOT NULL DEFAULT 0"))
    asked = text("SELECT number, options FROM runs WHERE options LIKE '%partial_images%'")
    for number, options in db.execute(asked).all():
        db.execute(
            text("UPDATE runs SET drafts = :drafts WHERE number = :number"),
            {"drafts": asked_partials(json.loads(options)), "number": number},
        )


MIGRATIONS: tuple[Migration, ...] = (first_tables, the_wall, drafts_of_runs)


def migrate(db: Connection) -> None:
    """Bring the ledger to today's form, within a transaction. Raises `SettingsError` where it is too new."""
    if db.dialect.name == "postgresql":
        db.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    there = set(inspect(db).get_table_names())
    if there and "migrations" not in there and there & set(METADATA.tables):
        raise SettingsError(
            "This database holds tables of another program. Name an empty one with --database."
        )
    migrations.create(db, checkfirst=True)
    done = set(db.scalars(select(migrations.c.name)))
    known = {migration.__name__ for migration in MIGRATIONS}
    if done - known:
        raise SettingsError("A newer ttapi_nb has written this ledger. Install that one here too.")
    for migration in MIGRATIONS:
        if migration.__name__ not in done:
            migration(db)
            db.execute(migrations.insert().values(name=migration.__name__, time=time.time()))

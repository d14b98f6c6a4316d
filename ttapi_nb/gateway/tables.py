"""The tables of a class's ledger, as they are today. `docs/formats/ledger.md` says what each column means.

Runs have the columns of the run log, as far as money is concerned, so that `log.counting` holds for both.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = ["METADATA", "answers", "classes", "gateways", "migrations", "people", "runs", "upstream", "wall"]

METADATA = MetaData()
# SQLite counts rows in its own kind of integer only.
NUMBER = BigInteger().with_variant(Integer, "sqlite")
# Of Postgres, a plain float would have seven digits.
REAL = Float(53)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _flag(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


classes = Table(
    "classes",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", REAL, nullable=False),
    _flag("open", 1),
    _flag("paused"),
    Column("code", Text, nullable=False, unique=True),
    _flag("joinable", 1),
    Column("most_people", Integer, nullable=False),
    Column("teacher", Text, nullable=False, unique=True),
    _text("terms", "{}"),
    _text("salt"),
)

people = Table(
    "people",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("class", Text, ForeignKey("classes.id"), nullable=False),
    Column("name", Text, nullable=False),
    _text("team"),
    Column("created", REAL, nullable=False),
    Column("token", Text, unique=True),
    Column("expires", REAL),
    _flag("revoked"),
    _flag("paused"),
    _text("limits", "{}"),
    Column("turn", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("class", "name", name="people_names"),
)

runs = Table(
    "runs",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("person", Text, ForeignKey("people.id"), nullable=False),
    Column("class", Text, ForeignKey("classes.id"), nullable=False),
    _text("team"),
    Column("started", REAL, nullable=False),
    Column("counted", REAL, nullable=False),
    Column("sent_at", REAL),
    Column("finished", REAL),
    Column("state", Text, nullable=False),
    _flag("sent"),
    _flag("offline"),
    Column("billed", Integer),
    _text("gateway"),
    _text("path"),
    _text("kind"),
    _text("digest"),
    Column("size_in", BigInteger, nullable=False, server_default="0"),
    _text("model"),
    _text("prompt"),
    _text("options", "{}"),
    Column("images", Integer, nullable=False, server_default="1"),
    _flag("drafts"),
    Column("came", Integer),
    Column("tokens", BigInteger),
    Column("estimate", REAL),
    Column("cost", REAL),
    _text("currency"),
    Column("usage", Text),
    _text("problem"),
    Column("status", Integer),
    _text("headers", "[]"),
    UniqueConstraint("person", "id", name="runs_ids"),
    Index("runs_class", "class", "counted"),
    Index("runs_state", "state", "sent"),
    Index("runs_sent_at", "sent_at"),
)

answers = Table(
    "answers",
    METADATA,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("piece", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

gateways = Table(
    "gateways",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("started", REAL, nullable=False),
)

upstream = Table(
    "upstream",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("until", REAL, nullable=False, server_default="0"),
    Column("turns", BigInteger, nullable=False, server_default="0"),
)

wall = Table(
    "wall",
    METADATA,
    Column("run", NUMBER, ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("verdict", Text, nullable=False),
    Column("time", REAL, nullable=False),
)

migrations = Table(
    "migrations",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("time", REAL),
)

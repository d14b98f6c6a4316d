"""The forms that a run log's file has had, one named function for each step; and whether a file has one of them.

`docs/formats/run-log.md` says what each column means. A new form is a new function at the end of `MIGRATIONS`: the old
ones are never changed, as files of every form are out there.
"""

from __future__ import annotations

import functools
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from .checks import HASH, count, json_object
from .searching import PARTS, TABLE, make_index

__all__ = ["MIGRATIONS", "NEWER", "NOT_A_LOG", "check_form", "form_of", "migrate", "version_of"]

NEWER = "a newer ttapi_nb has written it; install that one here too"
NOT_A_LOG = "its tables are not those of a run log: it is another program's, or was changed"
IN_FILE = "SELECT type, name, tbl_name, sql FROM sqlite_master"
# Versions with what stood in such files, as far as that was found to be sound.
MOST_SOUND = 16
_sound: set[tuple[int, tuple[tuple[Any, ...], ...]]] = set()


def first_tables(db: sqlite3.Connection) -> None:
    """Runs and their results, as they were before the file had a version."""
    db.execute(
        """CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY, started REAL NOT NULL, finished REAL, state TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
        offline INTEGER NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, options TEXT NOT NULL,
        source TEXT NOT NULL, mask TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '', usage TEXT
    )"""
    )
    db.execute(
        """CREATE TABLE IF NOT EXISTS results (
        run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, sha256 TEXT, url TEXT, bytes INTEGER,
        PRIMARY KEY (run, number)
    )"""
    )


def money_and_history(db: sqlite3.Connection) -> None:
    """What runs cost, whose they are, what fills an editor again, and what was pruned."""
    for column in (
        "mark TEXT NOT NULL DEFAULT ''",
        "host TEXT NOT NULL DEFAULT ''",
        "address TEXT NOT NULL DEFAULT ''",
        "refused INTEGER NOT NULL DEFAULT 0",
        "images INTEGER NOT NULL DEFAULT 1",
        "came INTEGER",
        "tokens INTEGER",
        "estimate REAL",
        "cost REAL",
        "currency TEXT NOT NULL DEFAULT ''",
        "billed INTEGER",
        "asked TEXT NOT NULL DEFAULT '{}'",
        "name TEXT NOT NULL DEFAULT ''",
        "drawing TEXT NOT NULL DEFAULT ''",
        "fit TEXT NOT NULL DEFAULT 'auto'",
        "strict INTEGER NOT NULL DEFAULT 1",
        "pruned INTEGER NOT NULL DEFAULT 0",
    ):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column}")
    db.execute("ALTER TABLE results ADD COLUMN time REAL")
    db.execute("ALTER TABLE results ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "UPDATE runs SET asked = options,"
        " came = (SELECT NULLIF(COUNT(*), 0) FROM results WHERE results.run = runs.id)"
    )
    db.execute("CREATE INDEX runs_started ON runs (started)")
    db.execute("CREATE INDEX runs_state ON runs (state)")
    for number, options, usage in db.execute("SELECT rowid, options, usage FROM runs").fetchall():
        db.execute(
            "UPDATE runs SET images = ?, tokens = ? WHERE rowid = ?",
            (
                count(json_object(options).get("n"), 1),
                count(json_object(usage).get("total_tokens"), None),
                number,
            ),
        )


def order_and_files(db: sqlite3.Connection) -> None:
    """When a run counts from, by the order of rows too; and which files and folders are the log's."""
    db.execute("ALTER TABLE runs ADD COLUMN counted REAL NOT NULL DEFAULT 0")
    latest = 0.0
    for number, started in db.execute("SELECT rowid, started FROM runs ORDER BY rowid").fetchall():
        if isinstance(started, int | float):
            latest = max(latest, started)
        db.execute("UPDATE runs SET counted = ? WHERE rowid = ?", (latest, number))
    db.execute("CREATE INDEX runs_counted ON runs (counted)")
    db.execute("CREATE TABLE files (name TEXT PRIMARY KEY)")
    # Their names are hashes of what is in them, which nobody else gives a file.
    for (name,) in db.execute("SELECT DISTINCT sha256 FROM results WHERE NOT pruned").fetchall():
        if isinstance(name, str) and HASH.fullmatch(name):
            db.execute("INSERT INTO files (name) VALUES (?)", (name,))
    db.execute("CREATE TABLE folders (name TEXT PRIMARY KEY, identity TEXT NOT NULL)")
    db.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY, time REAL)")


def ratings(db: sqlite3.Connection) -> None:
    """What people thought of results. A table of its own: a result's row is written anew when it is fetched again."""
    db.execute(
        """CREATE TABLE ratings (
        run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, stars INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT '', time REAL, PRIMARY KEY (run, number)
    )"""
    )


def experiments(db: sqlite3.Connection) -> None:
    """Plans of many cells, which run is of which cell, what is shown of their results, and votes on them."""
    db.execute("ALTER TABLE runs ADD COLUMN experiment TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE runs ADD COLUMN cell TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE INDEX runs_cell ON runs (experiment, cell)")
    db.execute("CREATE TABLE experiments (name TEXT PRIMARY KEY, plan TEXT NOT NULL, time REAL)")
    db.execute(
        """CREATE TABLE shown (
        run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, thumb BLOB, width INTEGER, height INTEGER,
        leak REAL, mean REAL, kept INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '', PRIMARY KEY (run, number)
    )"""
    )
    db.execute(
        """CREATE TABLE votes (
        id TEXT PRIMARY KEY, experiment TEXT NOT NULL, one TEXT NOT NULL, other TEXT NOT NULL, choice TEXT NOT NULL,
        voter TEXT NOT NULL DEFAULT '', time REAL
    )"""
    )


def sums(db: sqlite3.Connection) -> None:
    """What runs come to, added up, and indexes for what is shown of them."""
    db.execute(
        """CREATE TABLE sums (
        level INTEGER NOT NULL, number INTEGER NOT NULL, least REAL, most REAL, earliest REAL, tally TEXT NOT NULL,
        PRIMARY KEY (level, number)
    )"""
    )
    # In the file, so that no sum outlives what it was made of, whoever changes that.
    for change, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")):
        stale = " OR ".join(
            f"(level = {level} AND number = {row}.rowid / {128 * 32**level})" for level in range(3)
        )
        name, gone = f"sums_{change.lower()}_{row.lower()}", f"DELETE FROM sums WHERE {stale}"  # noqa: S608 - our own words
        db.execute(f"CREATE TRIGGER {name} AFTER {change} ON runs BEGIN {gone}; END")
    db.execute("CREATE INDEX runs_history ON runs (counted) WHERE NOT pruned")
    db.execute("CREATE INDEX runs_history_by_state ON runs (state, counted) WHERE NOT pruned")


def search(db: sqlite3.Connection) -> None:
    """An index of the texts that are searched, and which runs are not in it yet."""
    db.execute("CREATE TABLE unsearched (run INTEGER PRIMARY KEY)")
    db.execute("INSERT INTO unsearched (run) SELECT rowid FROM runs")
    # Not "OR IGNORE": what a statement says of conflicts goes before what its triggers say.
    note = "INSERT INTO unsearched (run) SELECT rowid FROM runs WHERE {0} AND rowid NOT IN (SELECT run FROM unsearched)"
    texts = "prompt, model, name, problem, id, pruned"
    for change in ("INSERT", f"UPDATE OF {texts}"):
        name, noted = f"unsearched_{change.split()[0].lower()}", note.format("rowid = NEW.rowid")
        db.execute(f"CREATE TRIGGER {name} AFTER {change} ON runs BEGIN {noted}; END")
    for change, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
        name, noted = f"unsearched_rating_{change.lower()}", note.format(f"id = {row}.run")
        db.execute(f"CREATE TRIGGER {name} AFTER {change} ON ratings BEGIN {noted}; END")
    make_index(db)


Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: tuple[Migration, ...] = (
    first_tables,
    money_and_history,
    order_and_files,
    ratings,
    experiments,
    sums,
    search,
)
"""In order. `PRAGMA user_version` says how many have been done, and the table `migrations` which."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to today's form. Within a transaction; raises `sqlite3.Error` where it is no log of ours."""
    version = version_of(db)
    check_form(db, version)
    for migration in MIGRATIONS[version:]:
        migration(db)
    # Nobody knows when those were done that are older than this table.
    now = time.time()
    for number, migration in enumerate(MIGRATIONS):
        db.execute(
            "INSERT OR IGNORE INTO migrations (name, time) VALUES (?, ?)",
            (migration.__name__, None if number < version else now),
        )
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def version_of(db: sqlite3.Connection) -> int:
    """How many migrations a file says it has had. Raises `sqlite3.Error` where that can't be, or it is too new."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError(NEWER)
    if version < 0:
        raise sqlite3.DatabaseError(NOT_A_LOG)
    return version


def form_of(db: sqlite3.Connection) -> tuple[int, int]:
    """A file's version, and how often its tables, indexes, views and triggers have changed: both tell whether what this
    connection knows of them is what stands in the file.
    """
    version, changes = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "schema_version")
    )
    return version, changes


def check_form(db: sqlite3.Connection, version: int) -> None:
    """Refuse a file whose tables, indexes, views or triggers are not just those of that version.

    A trigger or a view of somebody else's would run in the midst of our own questions. Raises `sqlite3.Error`.
    """
    text, db.text_factory = db.text_factory, bytes
    try:
        rows = tuple(map(tuple, db.execute(IN_FILE).fetchall()))
    finally:
        db.text_factory = text
    if (version, rows) in _sound:
        # Word for word what was looked through before, by this process: that costs more than the whole transaction.
        return
    objects = _form(rows)
    # Only where SQLite can make it, and its parts are as that version of SQLite writes them.
    index = {row for row in objects if row[1] in PARTS}
    if any(row[0] != "table" or row[2] != row[1] for row in index) or any(
        row[3] != _plain(TABLE) for row in index if row[1] == "searched"
    ):
        raise sqlite3.DatabaseError(NOT_A_LOG)
    objects -= index
    if objects != _forms()[version] and not (version == 0 and objects == _forms()[1]):
        raise sqlite3.DatabaseError(NOT_A_LOG)
    if len(_sound) < MOST_SOUND:
        _sound.add((version, rows))


def _form(rows: Sequence[tuple[Any, ...]]) -> frozenset[tuple[str, ...]]:
    # Those that ANALYZE makes say nothing, and are used by nobody but SQLite.
    return frozenset(
        tuple(map(_plain, row))
        for row in rows
        if not (_text(row[0]) == "table" and _text(row[1]).startswith("sqlite_stat"))
    )


def _plain(part: object) -> str:
    return re.sub(r"\s+", "", _text(part)).lower()


def _text(part: object) -> str:
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)


@functools.cache
def _forms() -> tuple[frozenset[tuple[str, ...]], ...]:
    """What a file of each version has in it, from none on."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        forms = [frozenset[tuple[str, ...]]()]
        for migration in MIGRATIONS:
            migration(db)
            rows = db.execute(IN_FILE).fetchall()
            forms.append(frozenset(row for row in _form(rows) if row[1] not in PARTS))
    return tuple(forms)

"""Logs of every form that was ever written open, keep what they say, and get today's form under their names."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
from pathlib import Path

import pytest

from ttapi_nb import ResultError, RunLog
from ttapi_nb.log.file import connected
from ttapi_nb.log.migrations import MIGRATIONS
from ttapi_nb.log.searching import PARTS

FIRST = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, started REAL NOT NULL, finished REAL, state TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    offline INTEGER NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, options TEXT NOT NULL,
    source TEXT NOT NULL, mask TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '', usage TEXT
);
CREATE TABLE results (
    run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, sha256 TEXT, url TEXT, bytes INTEGER,
    PRIMARY KEY (run, number)
);
"""
SECOND = (
    FIRST
    + """
ALTER TABLE runs ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN images INTEGER NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN came INTEGER;
ALTER TABLE runs ADD COLUMN tokens INTEGER;
ALTER TABLE runs ADD COLUMN estimate REAL;
ALTER TABLE runs ADD COLUMN cost REAL;
ALTER TABLE runs ADD COLUMN currency TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN billed INTEGER;
ALTER TABLE runs ADD COLUMN asked TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN drawing TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN fit TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE runs ADD COLUMN strict INTEGER NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE results ADD COLUMN time REAL;
ALTER TABLE results ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_started ON runs (started);
CREATE INDEX runs_state ON runs (state);
"""
)
THIRD = (
    SECOND
    + """
ALTER TABLE runs ADD COLUMN counted REAL NOT NULL DEFAULT 0;
CREATE INDEX runs_counted ON runs (counted);
CREATE TABLE files (name TEXT PRIMARY KEY);
CREATE TABLE folders (name TEXT PRIMARY KEY, identity TEXT NOT NULL);
CREATE TABLE migrations (name TEXT PRIMARY KEY, time REAL);
"""
)
FOURTH = (
    THIRD
    + """
CREATE TABLE ratings (
    run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, stars INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT '', time REAL, PRIMARY KEY (run, number)
);
"""
)
# `user_version`, and what a log of it looked like; the first form had no version of its own.
OLD = ((0, FIRST), (1, FIRST), (2, SECOND), (3, THIRD), (4, FOURTH))
PICTURE = b"the answer"
NAME = hashlib.sha256(PICTURE).hexdigest()


def made(folder: Path, version: int, schema: str, *, usage: str = '{"total_tokens": 30}') -> RunLog:
    """A log as that version left it, with one run that is done and a stray file beside its result."""
    (folder / "results").mkdir(parents=True)
    (folder / "results" / NAME).write_bytes(PICTURE)
    (folder / "results" / "figure1.png").write_bytes(b"the user's")
    with contextlib.closing(sqlite3.connect(folder / "runs.sqlite3")) as db, db:
        db.executescript(schema)
        for number, started in enumerate((300.0, 200.0)):
            db.execute(
                "INSERT INTO runs (id, started, state, sent, offline, model, prompt, options, source, mask, usage)"
                " VALUES (?, ?, 'done', 1, 0, 'gpt-image-1', 'old', ?, 'd', '', ?)",
                (f"run {number}", started, json.dumps({"n": 2}), usage),
            )
        if version >= 2:
            db.execute("UPDATE runs SET images = 2, tokens = 30, came = 1, asked = options")
        if version >= 3:
            db.execute("UPDATE runs SET counted = 300")
            db.execute("INSERT INTO files (name) VALUES (?)", (NAME,))
        db.execute("INSERT INTO results (run, number, sha256, bytes) VALUES ('run 0', 1, ?, 10)", (NAME,))
        db.execute(f"PRAGMA user_version = {version}")
    return RunLog(folder)


@pytest.mark.parametrize(("version", "schema"), OLD)
def test_an_old_log_opens(tmp_path: Path, version: int, schema: str) -> None:
    """What an old log says is all there, counts by the order of its rows, and its file of a result is its own."""
    log = made(tmp_path / "log", version, schema)
    row = log.row("run 0")
    assert (row.prompt, row.asked, row.tokens, row.state) == ("old", 2, 30, "done")
    assert row.results[0].read_bytes() == PICTURE
    assert [row.id for row in log.rows()] == ["run 1", "run 0"]
    assert log.totals(250).runs == 2
    assert log.restore("run 0").options == {"n": 2}
    assert log.prune(keep=0).files == 1
    assert [path.name for path in (log.folder / "results").iterdir()] == ["figure1.png"]


@pytest.mark.parametrize(("version", "schema"), OLD)
def test_each_migration_is_named_in_the_file(tmp_path: Path, version: int, schema: str) -> None:
    """The file says which migrations it has had; when, only of those that were done since it says so."""
    log = made(tmp_path / "log", version, schema)
    log.rows()
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
        found = dict(db.execute("SELECT name, time FROM migrations").fetchall())
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert list(found) == [migration.__name__ for migration in MIGRATIONS]
    assert [found[one.__name__] is None for one in MIGRATIONS] == [
        n < version for n in range(len(MIGRATIONS))
    ]


@pytest.mark.parametrize("usage", ["{", "[]", '"x"', "7", '{"total_tokens": "many"}', "[" * 9999])
def test_an_old_log_with_nonsense_in_it_opens(tmp_path: Path, usage: str) -> None:
    """What can't be read in an old row is as if left out."""
    log = made(tmp_path / "log", 0, FIRST, usage=usage)
    assert [row.tokens for row in log.rows()] == [None, None]


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM runs; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE thesis (chapter TEXT)",
        "ALTER TABLE runs DROP COLUMN problem",
        "DROP TABLE results",
        "PRAGMA user_version = -3",
        "PRAGMA user_version = 2",
    ],
)
@pytest.mark.parametrize("today", [True, False])
def test_what_is_no_form_of_ours_is_left_alone(tmp_path: Path, change: str, today: bool) -> None:
    """A file with other tables, or with triggers and views, is refused in words and not changed."""
    log = made(tmp_path / "log", 0, FIRST)
    if today:
        log.rows()
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
        db.execute(change)
        before = list(db.iterdump())
    for ask in (log.rows, log.totals, lambda: log.settle("run 0", "done"), lambda: log.prune(keep=0)):
        with pytest.raises(ResultError, match="not those of a run log"):
            ask()
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
        assert list(db.iterdump()) == before


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM runs; END",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE votes",
        "PRAGMA user_version = 2",
        "PRAGMA user_version = 99",
    ],
)
def test_a_form_that_changes_while_the_file_is_open(tmp_path: Path, change: str) -> None:
    """What several transactions share is looked through again for the next one, and what is sound is used on."""
    log = made(tmp_path / "log", 0, FIRST)
    with connected(log.folder, None) as within:
        with within() as db:
            assert db.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
        with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as other:
            other.execute("ANALYZE")
        with within() as db:
            db.execute("UPDATE runs SET problem = 'seen'")
        with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as other, other:
            other.execute(change)
        with pytest.raises(sqlite3.DatabaseError, match=r"not those of a run log|newer"), within():
            pass


def test_a_trigger_that_was_smuggled_in_does_not_run(tmp_path: Path) -> None:
    """Written into the file without SQLite's own count of changes, it is unknown to who has the file open, and refused
    by who opens it.
    """
    log = made(tmp_path / "log", 0, FIRST)
    rows = len(log.rows())
    trigger = "CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM runs; END"
    with connected(log.folder, None) as within:
        with within():
            pass
        with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as other, other:
            other.execute("PRAGMA writable_schema = ON")
            other.execute("INSERT INTO sqlite_master VALUES ('trigger', 't', 'runs', 0, ?)", (trigger,))
        with within() as db:
            db.execute("UPDATE runs SET problem = 'seen'")
            assert db.execute("SELECT COUNT(*) FROM runs").fetchone()[0] == rows
    with pytest.raises(ResultError, match="not those of a run log"):
        log.rows()


def test_another_programs_database(tmp_path: Path) -> None:
    """A database that stands there and is no log gets no tables of ours."""
    (tmp_path / "log").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "log" / "runs.sqlite3")) as db, db:
        db.execute("CREATE TABLE runs (distance REAL)")
    with pytest.raises(ResultError, match="another program's"):
        RunLog(tmp_path / "log").rows()


def test_the_page_names_every_column(tmp_path: Path) -> None:
    """The page on the format names each table, column and migration that a log has."""
    page = (Path(__file__).parents[2] / "docs" / "formats" / "run-log.md").read_text(encoding="utf-8")
    log = RunLog(tmp_path / "log")
    log.rows()
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        names = {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in tables}
    other = {"experiments", "shown", "votes", "sums", "unsearched", *PARTS, "files", "folders", "migrations"}
    assert {"runs", "results", "ratings", *other} == set(names)
    for table, columns in names.items():
        if table in PARTS:
            # SQLite's own.
            continue
        (section,) = re.findall(rf"^## `{table}`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert [name for name in columns if f"`{name}`" not in section] == []
    assert all(f"`{migration.__name__}`" in page for migration in MIGRATIONS)

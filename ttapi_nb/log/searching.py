"""Which runs may hold the words of a search: an index of all texts by three letters each, kept in the log's file.

It only says where to look: each run that it names is looked at itself, so that nobody who wrote the file can make a run
say what it does not. What was written since is noted by triggers (`unsearched`) and looked at too, until a search adds
it to the index. Where this Python's SQLite has no such index (FTS5), the runs themselves are gone through.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence

from .ratings import NOTES

__all__ = ["PARTS", "TABLE", "add_to_index", "candidates", "is_behind", "make_index", "renew_index"]

TABLE = "CREATE VIRTUAL TABLE searched USING fts5(text, tokenize='trigram')"
PARTS = {f"searched{end}" for end in ("", "_data", "_idx", "_content", "_docsize", "_config")}
"""The tables that SQLite makes of it."""
BEHIND = 200
"""So many runs are looked at one by one before a search adds them to the index."""
# The most letters of a text that are indexed, and the most beginnings that a word of one or two letters may have.
LONGEST, MOST_TERMS = 200_000, 4_000
# Behind each text, so that its last letters begin something too.
PADDING = "\n\n"


def make_index(db: sqlite3.Connection) -> None:
    """Make the empty index, where this SQLite can."""
    with contextlib.suppress(sqlite3.OperationalError):
        db.execute(TABLE)


def _has_index(db: sqlite3.Connection) -> bool:
    try:
        db.execute("SELECT rowid FROM searched LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def is_behind(db: sqlite3.Connection) -> bool:
    """Whether so much was written since that the index is to be brought up to date first."""
    (count,) = db.execute(f"SELECT COUNT(*) FROM (SELECT 1 FROM unsearched LIMIT {BEHIND + 1})").fetchone()  # noqa: S608
    return bool(count > BEHIND and _has_index(db))


def add_to_index(db: sqlite3.Connection, most: int = 20_000) -> None:
    """Bring so many runs of the index up to date; within a transaction that writes."""
    if not _has_index(db):
        return
    numbers = [row for (row,) in db.execute("SELECT run FROM unsearched LIMIT ?", (most,)).fetchall()]
    for number in numbers:
        row = db.execute(
            f"SELECT prompt, model, name, problem, id, {NOTES} FROM runs WHERE rowid = ? AND NOT pruned",  # noqa: S608
            (number,),
        ).fetchone()
        db.execute("DELETE FROM searched WHERE rowid = ?", (number,))
        if row is not None:
            text = "\n".join(map(str, row)).casefold()[:LONGEST].replace("\0", "\n") + PADDING
            db.execute("INSERT INTO searched (rowid, text) VALUES (?, ?)", (number, text))
        db.execute("DELETE FROM unsearched WHERE run = ?", (number,))


def renew_index(db: sqlite3.Connection) -> None:
    """Leave nothing in the index of what was taken out of the history."""
    if _has_index(db):
        add_to_index(db, -1)
        db.execute("INSERT INTO searched (searched) VALUES ('rebuild')")


def candidates(db: sqlite3.Connection, words: Sequence[str], below: int) -> list[int] | None:
    """The rows below one that may hold all these words, the newest first; None where that can't be told."""
    if not _has_index(db):
        return None
    try:
        parts = [_phrase(db, word) for word in words]
        if None in parts:
            return None
        query = " AND ".join(f"({part})" for part in parts)
        asked = "SELECT rowid FROM searched WHERE searched MATCH ? AND rowid < ? ORDER BY rowid DESC"
        matches = [row for (row,) in db.execute(asked, (query, below)).fetchall()] if "" not in parts else []
        late = db.execute("SELECT run FROM unsearched WHERE run < ?", (below,)).fetchall()
    except sqlite3.DatabaseError:
        return None
    return sorted({*matches, *(row for (row,) in late)}, reverse=True)


def _phrase(db: sqlite3.Connection, word: str) -> str | None:
    """What the index is asked for a word; empty where nothing begins like it, None where too much does."""
    if "\0" in word:
        return None
    if len(word) >= 3:
        return _quoted(word)
    db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.terms USING fts5vocab('main', 'searched', 'row')")
    terms = db.execute(
        "SELECT term FROM temp.terms WHERE term >= ? AND term < ? LIMIT ?",
        (word, word + "\U0010ffff", MOST_TERMS + 1),
    ).fetchall()
    return " OR ".join(_quoted(term) for (term,) in terms) if len(terms) <= MOST_TERMS else None


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'

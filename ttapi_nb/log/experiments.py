"""What a run log holds of experiments: their plans and pictures, their runs, what is shown of these, and votes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..errors import ResultError, SettingsError
from .checks import HASH, amount, count, cut, words
from .file import LogFile
from .folder import PICTURES, RESULTS, placed, written
from .rows import RunRow, read_row

__all__ = ["Experiments", "Shown", "Vote"]

LONGEST_NAME = 200
LONGEST_VOTER = 100
LONGEST_KEY = 200
THUMB_CAP = 200_000
CHOICES = ("left", "right", "tie", "both bad")
OF_CELLS = "(? OR cell IN (SELECT value FROM json_each(?)))"


@dataclass(frozen=True)
class Shown:
    """What is shown of a result without making it again.

    `thumb` is a small picture as a WEBP file; `size` the result's in pixels; `leak` (share, mean) as in `Leak`, or
    None; `kept` whether what lies outside the mask stayed; `note` what a reader should know.
    """

    thumb: bytes
    size: tuple[int, int]
    leak: tuple[float, float] | None = None
    kept: bool = False
    note: str = ""


@dataclass(frozen=True)
class Vote:
    """One judgement: `choice` is `"left"`, `"right"`, `"tie"` or `"both bad"`, of two results named by their cells'
    keys and numbers (`"key.1"`); by whom, and when in seconds since 1970. `id` tells it apart, so that none counts
    twice.
    """

    left: str
    right: str
    choice: str
    voter: str = ""
    time: float = 0.0
    id: str = ""


class Experiments:
    """What one log holds of experiments. Methods raise `ResultError` where it can't be read or written."""

    def __init__(self, file: LogFile, recover: Callable[[], object]) -> None:
        self._file = file
        self._recover = recover

    # Plans

    def save(self, name: str, plan: str) -> None:
        """Keep a plan's JSON under this name, in place of the one before."""
        with self._file.open() as db:
            db.execute(
                "INSERT INTO experiments (name, plan, time) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET plan = excluded.plan",
                (_name(name), cut(plan), time.time()),
            )

    def plan(self, name: str) -> str:
        """The JSON of the plan of this name. Raises `ResultError` where there is none."""
        with self._file.open(write=False) as db:
            row = db.execute("SELECT plan FROM experiments WHERE name = ?", (_name(name),)).fetchone()
        if row is None:
            known = self.names()
            there = f"It has {', '.join(map(repr, known[:10]))}." if known else "It has none yet."
            raise ResultError(f"There is no experiment {name!r} in the log in {self._file.folder}. {there}")
        return words(row["plan"])

    def names(self) -> list[str]:
        """The names of all experiments, the newest first."""
        with self._file.open(write=False) as db:
            rows = db.execute("SELECT name FROM experiments ORDER BY time DESC, rowid DESC").fetchall()
        return [words(name) for (name,) in rows]

    def forget(self, name: str) -> None:
        """Let go of a plan, its votes, and those of its pictures that no other plan names. What its runs cost still
        counts, and their results stay in the log until they are pruned.
        """
        with self._file.open() as db:
            db.execute("DELETE FROM experiments WHERE name = ?", (_name(name),))
            db.execute("DELETE FROM votes WHERE experiment = ?", (name,))
            plans = "\n".join(
                words(plan) for (plan,) in db.execute("SELECT plan FROM experiments").fetchall()
            )
        pictures = self._file.folder / PICTURES
        if pictures.is_dir() and not pictures.is_symlink():
            for path in pictures.iterdir():
                if HASH.fullmatch(path.name) and path.name not in plans:
                    path.unlink(missing_ok=True)

    # Their pictures

    def keep_picture(self, digest: str, data: bytes) -> None:
        """Keep a file of the picture that has this digest (`SourceImage.digest`), where it is not kept yet."""
        place = self._file.folder / PICTURES
        with self._file.open(write=False):
            # So that nothing is written into a folder that is somebody else's.
            pass
        if (place / digest).exists():
            return
        try:
            placed(written(place, digest, data), place / digest)
        except OSError as error:
            raise self._file.unusable(error) from None

    def picture(self, digest: str) -> bytes | None:
        """A file of the picture with this digest, or None where none is kept. Whether it is that one is to be looked
        at.
        """
        path = self._file.folder / PICTURES / digest
        if not HASH.fullmatch(digest) or path.is_symlink():
            return None
        with contextlib.suppress(OSError):
            return path.read_bytes()
        return None

    # Their runs

    def rows(self, name: str, cells: Collection[str] | None = None) -> list[RunRow]:
        """The runs of an experiment, or of some of its cells as they are, oldest first; `cell` of a row is the key."""
        if cells is None:
            self._recover()
        with self._file.open(write=False) as db:
            return self._rows(db, _name(name), cells)

    def with_shown(
        self, name: str, cells: Collection[str] | None = None
    ) -> tuple[list[RunRow], dict[tuple[str, int], Shown]]:
        """As `rows`, and what is shown of their results, by run and number: both of one moment."""

        def read(db: sqlite3.Connection) -> tuple[list[RunRow], dict[tuple[str, int], Shown]]:
            return self._rows(db, _name(name), cells), _all_shown(db, _name(name), cells)

        if cells is not None:
            # Of cells that are being sent, so that others write just now: to open the file takes longer than this.
            return self._file.write(read)
        self._recover()
        with self._file.open(write=False) as db:
            return read(db)

    def _rows(self, db: sqlite3.Connection, name: str, cells: Collection[str] | None) -> list[RunRow]:
        rows = db.execute(
            f"SELECT * FROM runs WHERE experiment = ? AND typeof(id) = 'text' AND {OF_CELLS}"  # noqa: S608 - our own words
            " ORDER BY counted, rowid",
            (name, cells is None, json.dumps(list(cells or ()))),
        ).fetchall()
        return [read_row(db, row, self._file.folder / RESULTS) for row in rows]

    def show(self, run_id: str, number: int, shown: Shown) -> None:
        """Keep what is shown of a run's result."""
        leak = shown.leak or (None, None)
        values = (run_id, number, shown.thumb, *shown.size, *leak, shown.kept, cut(shown.note))

        def keep(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO shown (run, number, thumb, width, height, leak, mean, kept, note)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

        self._file.write(keep)

    # Votes

    def vote(self, name: str, votes: Collection[Vote]) -> int:
        """Write votes down; one that is there already, by its `id`, is left out. Returns how many were new."""
        new = 0
        with self._file.open() as db:
            for one in votes:
                _check_vote(one)
                done = db.execute(
                    "INSERT OR IGNORE INTO votes (id, experiment, one, other, choice, voter, time)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        one.id or uuid.uuid4().hex,
                        _name(name),
                        one.left,
                        one.right,
                        one.choice,
                        cut(one.voter)[:LONGEST_VOTER],
                        one.time or time.time(),
                    ),
                )
                new += done.rowcount
        return new

    def votes(self, name: str) -> list[Vote]:
        """The votes on an experiment, in the order in which they came in."""
        with self._file.open(write=False) as db:
            rows = db.execute(
                "SELECT * FROM votes WHERE experiment = ? ORDER BY rowid", (_name(name),)
            ).fetchall()
        read = (
            Vote(
                words(row["one"], LONGEST_KEY),
                words(row["other"], LONGEST_KEY),
                words(row["choice"]),
                words(row["voter"], LONGEST_VOTER),
                amount(row["time"]) or 0.0,
                words(row["id"], LONGEST_KEY),
            )
            for row in rows
        )
        return [one for one in read if one.choice in CHOICES and one.left and one.right]


def _all_shown(
    db: sqlite3.Connection, name: str, cells: Collection[str] | None
) -> dict[tuple[str, int], Shown]:
    rows = db.execute(
        f"SELECT shown.* FROM shown JOIN runs ON shown.run = runs.id WHERE runs.experiment = ? AND {OF_CELLS}",  # noqa: S608 - our own words
        (name, cells is None, json.dumps(list(cells or ()))),
    ).fetchall()
    return {(words(row["run"]), count(row["number"]) or 0): _shown(row) for row in rows}


def _name(name: object) -> str:
    if isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME and name == cut(name):
        return name
    raise SettingsError(
        f"{name!r:.60} is no name of an experiment. Use a text of up to {LONGEST_NAME} letters."
    )


def _check_vote(vote: Vote) -> None:
    keys = all(isinstance(key, str) and 0 < len(key) <= LONGEST_KEY for key in (vote.left, vote.right))
    if (
        vote.choice not in CHOICES
        or not keys
        or not isinstance(vote.voter, str)
        or len(vote.id) > LONGEST_KEY
    ):
        raise SettingsError(f"A vote is for {', '.join(CHOICES)} of two results, and this is {vote!r:.200}.")


def _shown(row: sqlite3.Row) -> Shown:
    thumb = row["thumb"] if isinstance(row["thumb"], bytes) and len(row["thumb"]) <= THUMB_CAP else b""
    share, mean = amount(row["leak"]), amount(row["mean"])
    leak = None if share is None or mean is None else (share, mean)
    size = (count(row["width"]) or 0, count(row["height"]) or 0)
    return Shown(thumb, size, leak, row["kept"] == 1, words(row["note"], 4_000))

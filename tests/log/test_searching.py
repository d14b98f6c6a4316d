"""What a search finds by its index is what it finds by going through the runs."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ttapi_nb import RunLog
from ttapi_nb.log import searching

WORDS = [
    "bowl",
    "STONE",
    "Straße",
    "strasse",
    "naïve",
    "a",
    "zq",
    "x",
    '"',
    "100%",
    "İstanbul",
    "bowls",
    "gpt",
]


def filled(folder: Path, count: int = 700) -> RunLog:
    """A log with so many runs of a few words each."""
    log = RunLog(folder)
    log.rows()
    dice = random.Random(3)
    with contextlib.closing(sqlite3.connect(folder / "runs.sqlite3")) as db, db:
        db.executemany(
            "INSERT INTO runs (id, started, counted, state, offline, model, prompt, options, source, mask)"
            " VALUES (?, ?, ?, ?, 0, 'gpt-image-1', ?, '{}', '', '')",
            [
                (
                    f"run-{number:05}",
                    number,
                    number,
                    dice.choice(["done", "unknown"]),
                    " ".join(dice.sample(WORDS, 2)) + (" needle" if number == 7 else ""),
                )
                for number in range(count)
            ],
        )
    return log


def found(log: RunLog, search: str, **more: Any) -> list[str]:
    """The runs that a search finds."""
    return [row.id for row in log.rows(search=search, **more)]


@pytest.mark.parametrize(
    "search", [*WORDS, "needle", "run-00007", "00007", "zz", "nothing of this", "bowl zq", "q", "\0"]
)
def test_the_index_finds_what_a_scan_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search: str
) -> None:
    """Short words and long, in any case, several together, at most so many, and in one state."""
    log = filled(tmp_path / "log")
    for more in ({"limit": None}, {"limit": 5}, {"limit": None, "state": "unknown"}):
        by_index = found(log, search, **more)
        with monkeypatch.context() as patch:
            patch.setattr("ttapi_nb.log.rows.candidates", lambda *given: None)
            assert found(log, search, **more) == by_index
    with log._file.open(write=False) as db:
        assert not searching.is_behind(db)


def test_what_was_written_since_is_found(tmp_path: Path) -> None:
    """New notes, changed problems and pruned runs are in a search at once."""
    log = filled(tmp_path / "log")
    assert found(log, "needle") == ["run-00007"]
    log.rate("run-00009", note="Quite a needle")
    assert found(log, "needle") == ["run-00009", "run-00007"]
    log.rate("run-00009", note="no more")
    assert found(log, "needle") == ["run-00007"]
    log.prune(keep=600)
    assert found(log, "needle") == []
    path = log.folder / "runs.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"needle" not in path.read_bytes()


def test_few_runs_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a word that stands in one run of thousands only the newest and that one are looked at."""
    log = filled(tmp_path / "log", 5000)
    found(log, "needle")
    looked: list[int] = []
    ask = searching.candidates

    def watched(*given: Any) -> Any:
        places = ask(*given)
        looked.append(len(places or ()))
        return places

    monkeypatch.setattr("ttapi_nb.log.rows.candidates", watched)
    assert found(log, "needle", limit=12) == ["run-00007"]
    assert looked == [1]


def test_without_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite can't make one, the runs are gone through; and one that comes later is not taken amiss."""
    with monkeypatch.context() as patch:
        patch.setattr("ttapi_nb.log.migrations.make_index", lambda db: None)
        log = filled(tmp_path / "log", 300)
        assert found(log, "needle") == ["run-00007"]
    assert found(log, "needle") == ["run-00007"]
    log.prune(keep=10)
    assert found(log, "needle") == []

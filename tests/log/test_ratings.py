"""Stars, notes and verdicts on results: kept beside the run, searched, and written by several kernels at once."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ttapi_nb import Client, ResultError, RunLog, SettingsError, edit
from ttapi_nb.log import Rating

SMALL: dict[str, Any] = {"model": "dall-e-2", "size": "256x256"}


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def a_run(log: RunLog, prompt: str = "a red sofa", n: int = 1) -> str:
    """The id of a run in the log that the embedded service has answered."""
    return edit(Image.new("RGB", (64, 64)), prompt, client=Client.offline(), log=log, n=n, **SMALL).id


def test_what_was_thought_is_there_again(log: RunLog) -> None:
    """Stars, note and verdict of each result come back, and what is left out stays as it was."""
    run = a_run(log, n=2)
    assert log.row(run).ratings == {}
    log.rate(run, stars=4)
    log.rate(run, note="the light is right")
    log.rate(run, 2, verdict="discarded")
    again = RunLog(log.folder)
    assert again.row(run).ratings == {
        1: Rating(4, "the light is right"),
        2: Rating(verdict="discarded"),
    }
    log.rate(run, 2, verdict="")
    log.rate(run, stars=0, verdict="kept")
    assert again.rows()[0].ratings == {1: Rating(0, "the light is right", "kept")}


def test_notes_and_stars_are_searched(log: RunLog) -> None:
    """Words of the notes are found beside those of the prompt, whatever the case, and stars from a number on."""
    sofa, bowl = a_run(log, n=2), a_run(log, "a blue bowl")
    log.rate(sofa, 1, note="Too DARK", stars=2)
    log.rate(sofa, 2, note="like Grüße from home", stars=5)
    log.rate(bowl, note="100% right")

    def found(**how: Any) -> list[str]:
        return [row.prompt for row in log.rows(**how)]

    assert found(search="dark") == found(search="GRÜSSE sofa") == ["a red sofa"]
    assert found(search="100%") == ["a blue bowl"]
    assert found(search="dark bowl") == []
    assert found(stars=5) == found(stars=3) == ["a red sofa"]
    assert found(stars=3, search="bowl") == []
    assert found(stars=0) == found() == ["a blue bowl", "a red sofa"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"stars": 6},
        {"stars": -1},
        {"stars": True},
        {"stars": 2.5},
        {"note": 3},
        {"note": "x" * 4001},
        {"verdict": "good"},
        {"number": 0},
        {"number": True},
        {"number": 101},
    ],
)
def test_what_is_no_rating(log: RunLog, wrong: dict[str, Any]) -> None:
    """What can't be meant is refused, and nothing of the rating is written."""
    run = a_run(log)
    with pytest.raises(SettingsError):
        log.rate(run, **{"stars": 1, **wrong})
    assert log.row(run).ratings == {}


def test_what_is_not_there_is_not_rated(log: RunLog) -> None:
    """A run or a result that the log does not know is an error in words."""
    run = a_run(log)
    with pytest.raises(ResultError, match="no run 'other'"):
        log.rate("other", stars=1)
    with pytest.raises(ResultError, match="has 1 result, and none of number 2"):
        log.rate(run, 2, stars=1)
    with pytest.raises(SettingsError, match="stars"):
        log.rows(stars=-1)


def test_half_a_character_is_no_text(log: RunLog) -> None:
    """A note that no file can hold is kept as far as it is text."""
    run = a_run(log)
    log.rate(run, note="a \ud83d half")
    assert log.row(run).ratings[1].note == "a ? half"


def test_pruning(log: RunLog) -> None:
    """A result that was taken away keeps its rating; with its run the rating goes too."""
    run, newest = a_run(log), a_run(log, "newer")
    log.rate(run, stars=3, note="secret")
    log.prune(limit_bytes=0)
    assert log.row(run).ratings[1].stars == 3
    assert log.row(run).pruned == 1
    log.prune(older_than=0, spare=[newest])
    with pytest.raises(ResultError, match="pruned"):
        log.rate(run, stars=1)
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
        assert db.execute("SELECT COUNT(*) FROM ratings").fetchone() == (0,)


@pytest.mark.slow
def test_two_kernels_rate_the_same_result(log: RunLog) -> None:
    """Stars from one and notes from another, at the same time, are both there afterwards."""
    run = a_run(log)
    script = (
        "import sys, ttapi_nb as tt\nlog = tt.RunLog(sys.argv[1])\n"
        "for at in range(25): log.rate(sys.argv[2], note=f'note {at}')\n"
    )
    command = [sys.executable, "-c", script, str(log.folder), run]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as other:
        end = time.monotonic() + 60
        turns = 0
        while other.poll() is None and time.monotonic() < end:
            log.rate(run, stars=turns % 5 + 1, verdict="kept")
            turns += 1
    assert other.returncode == 0
    assert log.row(run).ratings == {1: Rating((turns - 1) % 5 + 1, "note 24", "kept")}

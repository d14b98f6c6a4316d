"""Whoever only reads a log keeps nobody from writing into it, however often it looks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ttapi_nb as tt
from tests.server import PATIENCE
from tests.support.preparing import prepared

RUNS = 6
LONGEST = 5.0
"""In seconds: what a step of a run takes at most; alone it takes some milliseconds."""
READERS = {
    # As another program looks whether there is something new, without a pause, and stays a while.
    "opens and closes": """
while True:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as db:
            db.execute("BEGIN")
            db.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
            time.sleep(0.004)
            db.execute("SELECT COUNT(*) FROM runs").fetchall()
    except sqlite3.Error:
        pass
    ready()
""",
    "has it open": """
db = None
while True:
    try:
        db = db or sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=0, isolation_level=None)
        db.execute("SELECT * FROM runs").fetchall()
    except sqlite3.Error:
        pass
    ready()
""",
    "another kernel": """
import ttapi_nb
log = ttapi_nb.RunLog(pathlib.Path(path).parent)
while True:
    if pathlib.Path(path).exists():
        log.rows()
    ready()
""",
}
HEAD = """
import contextlib, pathlib, sqlite3, sys, time
path = sys.argv[1]
said = []
def ready():
    if not said:
        said.append(1)
        print("ready", flush=True)
"""


@contextlib.contextmanager
def reading(kind: str, folder: Path, count: int) -> Iterator[None]:
    """So many processes read the log in `folder` again and again, from before there is one."""
    command = [sys.executable, "-c", HEAD + READERS[kind], str(folder / "runs.sqlite3")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline()
        yield
    finally:
        for one in started:
            one.kill()
            one.communicate(timeout=PATIENCE)


def longest(steps: list[Callable[[], object]]) -> float:
    """Seconds that the slowest of these steps took."""
    most = 0.0
    for step in steps:
        start = time.monotonic()
        step()
        most = max(most, time.monotonic() - start)
    return most


@pytest.mark.dear
@pytest.mark.parametrize(
    ("kind", "journal"),
    [
        ("opens and closes", "wal"),
        ("opens and closes", "rollback"),
        ("another kernel", "wal"),
        ("has it open", "wal"),
    ],
)
def test_readers_starve_no_writer(tmp_path: Path, kind: str, journal: Any) -> None:
    """A log is made, and its runs begin, leave and end, each step in time, while others read it without a pause."""
    folder = tmp_path / "log"
    folder.mkdir(mode=0o700)
    request = prepared(tt.EditRequest(prompt="x"))
    with reading(kind, folder, 1 if kind == "another kernel" else 2):
        log = tt.RunLog(folder, journal=journal)
        steps: list[Callable[[], object]] = []
        for number in range(RUNS):
            name = f"run-{number}"
            steps += [
                lambda name=name: log.begin(name, request, offline=False),  # type: ignore[misc]
                lambda name=name: log.mark_sent(name),  # type: ignore[misc]
                lambda name=name: log.settle(name, "done"),  # type: ignore[misc]
            ]
        assert longest(steps) < LONGEST
    assert [row.state for row in log.rows()] == ["done"] * RUNS

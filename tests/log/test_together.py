"""What many threads write into a log at the same time goes to the disk together, and each is told of its own part."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.server import PATIENCE
from tests.support.preparing import prepared
from ttapi_nb import EditRequest, NotSentError, ResultError, RunLog
from ttapi_nb.log import together
from ttapi_nb.log.file import LogFile

COUNT = 12


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log with a few runs that have begun."""
    log = RunLog(tmp_path / "log")
    for number in range(COUNT):
        log.begin(f"run-{number}", prepared(EditRequest(prompt="x")), offline=False)
    return log


@contextlib.contextmanager
def held(log: RunLog) -> Iterator[None]:
    """The log is being written to, so that whoever comes has to wait."""
    inside, end = threading.Event(), threading.Event()

    def hold(db: sqlite3.Connection) -> None:
        inside.set()
        end.wait(PATIENCE)

    with ThreadPoolExecutor(1) as thread:
        holds = thread.submit(LogFile(log.folder, None).write, hold)
        assert inside.wait(PATIENCE)
        try:
            yield
        finally:
            end.set()
        holds.result(PATIENCE)


def all_at_once(log: RunLog, works: list[Callable[[], object]]) -> list[Future[Any]]:
    """What came of these, each done by a thread of its own while the log was held."""
    come = threading.Barrier(len(works) + 1)

    def do(work: Callable[[], object]) -> object:
        come.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as threads, held(log):
        found = [threads.submit(do, work) for work in works]
        come.wait(PATIENCE)
        # They all wait now, or will in a moment: it makes no difference to what is asserted but for the count.
        threading.Event().wait(0.2)
    return found


def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that grows with each transaction that writes."""
    begun: list[str] = []
    connect = sqlite3.connect

    def traced(*given: Any, **settings: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*given, **settings)
        db.set_trace_callback(lambda words: begun.append(words) if words == "BEGIN IMMEDIATE" else None)
        return db

    monkeypatch.setattr(sqlite3, "connect", traced)
    return begun


def test_many_marks_are_few_transactions(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that leave at the same time are marked in a few transactions, each of them."""
    begun = commits(monkeypatch)
    found = all_at_once(log, [partial(log.mark_sent, f"run-{number}") for number in range(COUNT)])
    assert [one.exception() for one in found] == [None] * COUNT
    # One that holds, one of all that waited, and a few of those that a busy machine let come late.
    assert len(begun) <= 5
    assert all(row.sent for row in log.rows())


def test_the_file_stays_open_for_the_next_where_several_write(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment after several wrote it has not to be opened for one more."""
    monkeypatch.setattr(together, "LINGER", 2.0)
    opened, connect = list[object](), sqlite3.connect

    def counted(*given: Any, **settings: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*given, **settings)
        opened.append(db)
        return db

    monkeypatch.setattr(sqlite3, "connect", counted)
    all_at_once(log, [partial(log.mark_sent, f"run-{number}") for number in (1, 2)])
    with ThreadPoolExecutor(1) as thread:
        thread.submit(log.mark_sent, "run-3").result(PATIENCE)
    assert len(opened) == 1
    assert [log.row(f"run-{number}").sent for number in (1, 2, 3)] == [True] * 3


def test_one_that_may_not_leave_keeps_no_other(log: RunLog) -> None:
    """What one of them is refused is its own affair."""
    log.settle("run-3", "not sent")
    found = all_at_once(log, [partial(log.mark_sent, f"run-{number}") for number in range(COUNT)])
    assert [number for number, one in enumerate(found) if one.exception() is not None] == [3]
    assert isinstance(found[3].exception(), NotSentError)
    assert sorted(row.id for row in log.rows() if row.sent) == sorted(
        f"run-{number}" for number in range(COUNT) if number != 3
    )


def test_half_of_a_part_is_undone_alone(log: RunLog) -> None:
    """Where one stops midway nothing of its part is kept, and all of the others'."""
    journal = LogFile(log.folder, None)

    def stops(db: sqlite3.Connection) -> None:
        db.execute("UPDATE runs SET problem = 'half'")
        raise ValueError("stopped")

    def writes(db: sqlite3.Connection) -> int:
        return db.execute("UPDATE runs SET problem = 'whole' WHERE id = 'run-1'").rowcount

    stopped, written = all_at_once(log, [lambda: journal.write(stops), lambda: journal.write(writes)])
    assert isinstance(stopped.exception(), ValueError)
    assert written.result() == 1
    assert {row.problem for row in log.rows()} == {"", "whole"}


def test_a_disk_that_fails_is_told_to_all(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what they wrote can't be put on the disk, none of them takes it for written, and the next one goes on."""
    journal = LogFile(log.folder, None)

    def full(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    works: list[Callable[[], object]] = [lambda: journal.write(full)]
    works += [lambda: log.mark_sent("run-1"), lambda: log.mark_sent("run-2")]
    found = all_at_once(log, works)
    assert isinstance(found[0].exception(), ResultError)
    sent = {row.id for row in log.rows() if row.sent}
    assert sent == {f"run-{number}" for number in (1, 2) if found[number].exception() is None}
    log.mark_sent("run-5")
    assert log.row("run-5").sent

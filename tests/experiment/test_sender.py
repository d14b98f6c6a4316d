"""A sender of cells: what it asks the log, once for all that ask meanwhile, and cells that begin anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ttapi_nb as tt
from tests.server import PATIENCE
from ttapi_nb import loop
from ttapi_nb.errors import ResultError
from ttapi_nb.experiment.board import Board, TrialCell
from ttapi_nb.experiment.carrying import Outcome
from ttapi_nb.experiment.sender import Sender, _Rows

PLAN = tt.Experiment([f"prompt {number}" for number in range(6)], None, "gpt-image-1", name="plan")
CELLS = {cell.key: TrialCell(cell) for cell in PLAN.cells}


def test_what_is_asked_while_the_log_is_read_is_read_in_one_go() -> None:
    """Each gets its own cell, and one that the log does not know gets nothing."""
    asked: list[list[str]] = []
    begun, go = threading.Event(), threading.Event()

    def read(keys: Collection[str]) -> list[TrialCell]:
        asked.append(list(keys))
        begun.set()
        assert go.wait(PATIENCE)
        return [CELLS[key] for key in keys if key in CELLS]

    rows = _Rows(read)
    wanted = [*CELLS, "nobody"]
    with ThreadPoolExecutor(len(wanted)) as pool:
        first = pool.submit(rows.of, wanted[0])
        assert begun.wait(PATIENCE)
        others = [pool.submit(rows.of, key) for key in wanted[1:]]
        while len(rows._asked._waiting) < len(others):
            assert not any(one.done() for one in others)
        go.set()
        found = [one.result(PATIENCE) for one in (first, *others)]
    assert found == [*CELLS.values(), None]
    assert [sorted(keys) for keys in asked] == [wanted[:1], sorted(wanted[1:])]


def test_a_log_that_can_not_be_read_is_told_to_each_and_asked_again() -> None:
    """What one reading raises is raised for those who asked for it, and not for who comes later."""
    problems = [ResultError("The run log can't be used.")]

    def read(keys: Collection[str]) -> list[TrialCell]:
        if problems:
            raise problems.pop()
        return [CELLS[key] for key in keys]

    rows = _Rows(read)
    (key, cell), *_ = CELLS.items()
    with pytest.raises(ResultError, match="run log"):
        rows.of(key)
    assert rows.of(key) == cell


def test_a_cell_that_begins_anew_at_once_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier turn of it still has to do does not end the later one, which is under way."""
    key, begun, go = next(iter(CELLS)), threading.Event(), threading.Event()
    turns: list[str] = []

    def do(cell: object, again: bool, begins: Callable[[], None], answered: Callable[[], None]) -> Outcome:
        turns.append("")
        if len(turns) == 1:
            return Outcome("busy", seconds=1e-9)
        begun.set()
        assert go.wait(PATIENCE)
        return Outcome("impossible", "It is enough.")

    sender = Sender(
        Board(CELLS.values()), tt.RunLog(tmp_path), do, lambda keys: [], parallel=1, per_minute=None
    )
    left = loop.left

    def and_another_thread_comes_by(who: object) -> None:
        left(who)
        if len(turns) == 1:
            sender._woken()

    monkeypatch.setattr(loop, "left", and_another_thread_comes_by)
    sender.begin([key], [])
    assert begun.wait(PATIENCE)
    assert not sender.wait(0.2)
    assert sender.left == 1
    go.set()
    assert sender.wait(PATIENCE)
    assert len(turns) == 2

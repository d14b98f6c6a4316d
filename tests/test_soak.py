"""A sample of `tests/trust/soak.py`: an editor does not grow with its runs, and closed it is gone."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref

import pytest

from tests.server import PATIENCE
from tests.trust import soak
from ttapi_nb.widgets.tray import session

WARM, RUNS = 20, 30
# What grows with runs grows by something for each; now and then a thread of a pool is new.
MOST = RUNS // 2


# In a process of its own: in this one earlier tests have left what goes on making and loading things.
@pytest.mark.slow
def test_an_editor_does_not_grow_with_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty more runs in an editor that is displayed leave no objects, and closing it leaves no widget."""
    # Who counts the lines keeps something of each thread that is watched, for good.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    command = [sys.executable, soak.__file__, "--sample", str(WARM), str(RUNS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    # A callback that fails is only logged.
    assert (ended.stderr, ended.returncode) == ("", 0)
    found = json.loads(ended.stdout)
    assert {kind: count for kind, count in found["objects"].items() if count > MOST} == {}
    assert found["widgets"] == 0
    assert found["logged"] == WARM + RUNS
    assert found["left"] == []
    assert found["gone"]


@pytest.mark.slow
def test_a_run_that_nobody_holds_is_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run and its pictures are freed when it leaves the tray, not when the garbage collector comes by."""
    monkeypatch.setattr(session, "MOST_RUNS", 1)
    editor = soak.editor()
    editor.prompt = "red"
    gc.collect()
    gc.disable()
    try:
        run = editor.run().wait(PATIENCE)
        parts = [weakref.ref(part) for part in (run, run.request, run.response, run.results[0].picture)]
        del run
        editor.run().wait(PATIENCE)
        soak.wait_behind()
        assert [part() for part in parts] == [None] * 4
    finally:
        gc.enable()

"""A sample of `tests/trust/soak.py`: an editor does not grow with its runs, and closed it is gone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter

import pytest
from ipywidgets.widgets.widget import _instances

import ttapi_nb as tt
from tests.server import PATIENCE
from tests.trust import soak
from ttapi_nb.widgets.tray import session

# So many runs the tray has here, instead of sixty: from then on it lets one go for each.
TRAY = 10
WARM, RUNS = 20, 30
# What grows with runs grows by something for each; now and then a thread of a pool is new.
MOST = RUNS // 2


# A watched thread leaves something with whoever counts the lines, for good.
@pytest.mark.no_cover
@pytest.mark.slow
def test_an_editor_does_not_grow_with_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty more runs in an editor that is displayed leave no objects, and closing it leaves no widget."""
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: None)
    monkeypatch.setattr(session, "MOST_RUNS", TRAY)
    soak.editor().close()
    gc.collect()
    before = set(_instances)
    editor = soak.editor()
    editor.viewer.show_in_cell(editor)
    soak.use(editor, WARM)
    # The first count makes some of its own.
    counted()
    widgets, kinds = len(_instances), counted()
    soak.use(editor, RUNS)
    more = {kind: count - kinds[kind] for kind, count in counted().items()}
    assert {kind: count for kind, count in more.items() if count > MOST} == {}
    assert len(_instances) == widgets
    assert tt.RunLog().totals().offline == WARM + RUNS
    gone = weakref.ref(editor)
    editor.close()
    del editor
    # A draft that is just being written holds its editor until it is.
    soak.wait_behind()
    gc.collect()
    assert set(_instances) == before
    assert gone() is None


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


def counted() -> Counter[str]:
    """How many objects of each kind there are, without those that only wait to be collected."""
    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(type(one).__qualname__ for one in objects)
    # asyncio keeps timers that were cancelled, and the context of each, until there are a hundred.
    cancelled = sum(isinstance(one, asyncio.TimerHandle) and one.cancelled() for one in objects)
    kinds.subtract({"TimerHandle": cancelled, "Context": cancelled})
    return kinds

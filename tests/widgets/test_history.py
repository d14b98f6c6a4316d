"""Earlier runs in the editor: found, filled in again, and settled."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

import ttapi_nb as tt
from tests.server import Server, fail
from tests.support.controls import labelled
from tests.support.preparing import prepared


@pytest.fixture
def editor(photo) -> tt.ImageEditor:
    """An editor on a small photo that has run twice."""
    client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image)
    editor = tt.ImageEditor(photo, prompt="something red", client=client)
    editor.mask = editor.mask.rectangle((8, 8, 30, 30))
    editor.options = {"n": 2}
    editor.run().wait(60)
    editor.options, editor.prompt = {}, "a blue <b>door</b>"
    editor.run().wait(60)
    return editor


def texts(editor: tt.ImageEditor) -> list[str]:
    """What the cards of the panel say."""
    return [" ".join(card.children[0].words) for card in editor.history._list.children]


def press(card, name: str) -> None:
    """Press a button of a card."""
    buttons = {one.description: one for one in card.children[1].children if hasattr(one, "description")}
    buttons[name]._handle_custom_msg({"event": "click"}, [])


def test_runs_are_listed_and_searched(editor):
    """Opened, the panel lists the latest runs, and finds those whose prompt has the words; markup is only text."""
    editor.history.selected_index = 0
    assert ["blue" in text for text in texts(editor)] == [True, False]
    assert "&lt;b&gt;door" in editor.history._list.children[0].children[0].value
    assert "2 that cost nothing" in editor.history._totals.words[0]
    editor.history._search.value = "red"
    assert len(texts(editor)) == 1
    editor.history._search.value = "nothing like it"
    assert editor.history._list.children[0].words == ("No run like that.",)


def test_a_run_is_filled_in_again(editor):
    """One click brings back prompt, options and mask; a new run is listed while the panel is open."""
    editor.history.selected_index = 0
    mask = editor.mask
    editor.mask = editor.mask.clear()
    press(editor.history._list.children[1], "Fill in again")
    assert (editor.prompt, editor.options, editor.mask) == ("something red", {"n": 2}, mask)
    assert "that run" in editor._restored.words[0]
    editor.run().wait(60)
    assert len(texts(editor)) == 3


def test_without_the_photo_the_rest_is_filled_in(editor):
    """Where another photo is open, prompt and options come back, and the panel says which photo is missing."""
    editor.image = Image.new("RGB", (30, 20))
    editor.history.selected_index = 0
    press(editor.history._list.children[1], "Fill in again")
    assert editor.prompt == "something red"
    assert editor.image.size == (30, 20)
    assert "not at hand" in editor._restored.words[0]


def test_unknown_runs_are_settled_by_the_user(photo):
    """A run whose answer was lost says that it may have been billed, until the user says what became of it."""
    with Server() as server:
        fail(server, "dropped")
        client = tt.Client(api_key="sk-test-0123456789", base_url=server.url)
        editor = tt.ImageEditor(photo, prompt="x", client=client)
        with pytest.raises(tt.TTAPIError):
            editor.run().wait(60)
    editor.history.selected_index = 0
    assert "may have been billed" in texts(editor)[0]
    press(editor.history._list.children[0], "It was not")
    assert "not billed, as you found" in texts(editor)[0]
    assert tt.RunLog().totals().unknown == 0


def test_a_budget_is_said_and_kept(photo, monkeypatch):
    """The estimate stands in the plan, and a spent budget disables Run with a sentence; offline it counts nothing."""
    budget = tt.Budget(runs=0, prices=tt.PriceTable({"gpt-image-1": 0.04}, "USD"))
    client = tt.Client(api_key="sk-test-0123456789", base_url="http://127.0.0.1:9")
    editor = tt.ImageEditor(photo, prompt="x", client=client, budget=budget)
    assert "0.04 USD" in editor._plan.words[0]
    assert labelled(editor, "Run").disabled
    assert "budget" in editor.problems[0].lower()
    offline = tt.ImageEditor(photo, prompt="x", client=tt.Client.offline(), budget=budget)
    assert offline.problems == ()


LEFT = """
import os
from PIL import Image
import ttapi_nb as tt
from tests.support.preparing import prepared
log = tt.RunLog()
request = tt.EditRequest.make(image=Image.new("RGB", (8, 8)), prompt="x")
log.begin("a" * 32, prepared(request), offline=False)
log.mark_sent("a" * 32)
os._exit(0)
"""


def test_what_a_dead_kernel_left_is_shown_at_once(photo, environment):
    """Displayed after a kernel died in a run, an editor opens the panel and says in its title what may be billed."""
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    editor._ipython_display_()
    assert editor.history.titles == ("Earlier runs",)
    assert not environment.exists()
    subprocess.run([sys.executable, "-c", LEFT], check=True)
    editor._ipython_display_()
    assert editor.history.titles == ("Earlier runs · 1 may have been billed",)
    assert editor.history.selected_index == 0
    press(editor.history._list.children[0], "It was billed")
    assert editor.history.titles == ("Earlier runs",)
    # Once it is known, the panel stays as it is.
    later = tt.ImageEditor(photo, client=tt.Client.offline())
    later._ipython_display_()
    assert later.history.selected_index is None


def test_a_log_that_cannot_be_read_hides_no_editor(photo, environment):
    """An editor is displayed whatever is in place of the log."""
    environment.mkdir()
    (environment / "results").write_text("no folder")
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    editor._ipython_display_()
    assert editor.history.titles == ("Earlier runs",)


def test_what_another_kernel_has_pruned_is_said(editor):
    """Filling in, settling and fetching again say in words that a run is gone, instead of nothing."""
    editor.history.selected_index = 0
    prompt, card = editor.prompt, editor.history._list.children[1]
    run_id = tt.RunLog().rows()[1].id
    tt.RunLog().prune(keep=1)
    press(card, "Fill in again")
    assert editor.prompt == prompt
    assert "was pruned" in editor.history._totals.words[0]
    for press_on in (
        lambda: editor.history._settle(run_id, billed=True),
        lambda: editor.history._fetch(run_id),
    ):
        editor.history._totals.say("")
        press_on()
        assert "no run" in editor.history._totals.words[0]


def test_results_that_were_pruned_are_said(editor):
    """A run whose results went to make room says so, and is filled in all the same."""
    tt.RunLog().prune(limit_bytes=0)
    editor.history.selected_index = 0
    assert "pruned to make room" in texts(editor)[1]
    press(editor.history._list.children[1], "Fill in again")
    assert editor.prompt == "something red"
    assert "pruned to make room" in editor.history._totals.words[0]


def test_what_is_sure_and_what_is_not_is_told_apart(photo):
    """Runs that were billed are not counted together with those of which nobody knows."""
    log = tt.RunLog()
    prices = tt.Budget(prices=tt.PriceTable({"gpt-image-1": 0.5}, "USD"))
    for name, state in (("a", "done"), ("b", "unknown")):
        log.begin(name, prepared(tt.EditRequest(prompt="x")), offline=False, budget=prices)
        log.mark_sent(name)
        log.settle(name, state)  # type: ignore[arg-type]
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    editor.history.selected_index = 0
    said = editor.history._totals.words[0]
    assert "1 billed runs" in said
    assert "1 of unknown outcome, which may have been billed" in said
    assert "0.5 USD of that for runs that may not have been billed" in said


def test_shown_by_several_threads_at_once(editor, monkeypatch):
    """What was read of the log last is shown, whichever thread comes to its end first, and no card is left behind."""
    editor.history.selected_index = 0
    before = len(_instances)
    entered, go = threading.Event(), threading.Event()
    really = tt.RunLog.totals

    def late(log):
        if threading.current_thread() is slow:
            entered.set()
            assert go.wait(60)
        return really(log)

    monkeypatch.setattr(tt.RunLog, "totals", late)
    slow = threading.Thread(target=editor.history.show)
    slow.start()
    assert entered.wait(60)
    editor.history._search.value = "red"
    go.set()
    slow.join(60)
    assert ["red" in text for text in texts(editor)] == [True]
    editor.history._search.value = ""
    shown = [threading.Thread(target=editor.history.show) for _ in range(4)]
    for thread in shown:
        thread.start()
    for thread in shown:
        thread.join(60)
    assert len(texts(editor)) == 2
    assert len(_instances) == before

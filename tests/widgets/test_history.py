"""Earlier runs in the editor: found, filled in again, and settled."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading

import ipywidgets
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Server, encoded, fail, json_reply
from tests.support.controls import controls, has, labelled, living, press, said, sentences
from tests.support.preparing import prepared
from ttapi_nb.widgets.text import Words


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


def cards(editor: tt.ImageEditor) -> list[ipywidgets.VBox]:
    """The runs that the panel shows: words and buttons each."""
    boxes = [one for one in controls(editor.history) if isinstance(one, ipywidgets.VBox)]
    return [box for box in boxes if isinstance(box.children[0], Words) and has(box, "Fill in again")]


def texts(editor: tt.ImageEditor) -> list[str]:
    """What the cards of the panel say."""
    return [said(card) for card in cards(editor)]


@pytest.fixture
def hosted(photo, server: Server) -> tt.ImageEditor:
    """An editor whose runs go to the test's server."""
    client = tt.Client(api_key="sk-test-0123456789", base_url=server.url, fetch_from=[server.origin])
    return tt.ImageEditor(photo, prompt="x", client=client)


def unfetched(editor: tt.ImageEditor, server: Server) -> None:
    """Run, and get the address of a result that can't be fetched."""
    server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
    server.routes["/a.png"] = Reply(500)
    with pytest.raises(tt.ResultError):
        editor.run().wait(60)


def dropped(editor: tt.ImageEditor, server: Server) -> None:
    """Run, and lose the answer."""
    fail(server, "dropped")
    with pytest.raises(tt.TTAPIError):
        editor.run().wait(60)


def test_runs_are_listed_and_searched(editor):
    """Opened, the panel lists the latest runs, and finds those whose prompt has the words; markup is only text."""
    editor.history.selected_index = 0
    assert ["blue" in text for text in texts(editor)] == [True, False]
    assert "&lt;b&gt;door" in cards(editor)[0].children[0].value
    assert "2 that cost nothing" in said(editor.history)
    search = labelled(editor.history, "Search")
    search.value = "red"
    assert ["blue" in text for text in texts(editor)] == [False]
    search.value = "nothing like it"
    assert texts(editor) == []
    assert sentences(editor.history)[0] == "No run like that."


def test_a_run_is_filled_in_again(editor):
    """One click brings back prompt, options and mask; a new run is listed while the panel is open."""
    editor.history.selected_index = 0
    mask = editor.mask
    editor.mask = editor.mask.clear()
    press(cards(editor)[1], "Fill in again")
    assert (editor.prompt, editor.options, editor.mask) == ("something red", {"n": 2}, mask)
    assert "those of that run" in said(editor, "notice")
    editor.run().wait(60)
    assert len(texts(editor)) == 3


def test_without_the_photo_the_rest_is_filled_in(editor):
    """Where another photo is open, prompt and options come back, and the panel says which photo is missing."""
    editor.image = Image.new("RGB", (30, 20))
    editor.history.selected_index = 0
    press(cards(editor)[1], "Fill in again")
    assert editor.prompt == "something red"
    assert editor.image.size == (30, 20)
    assert "not at hand" in said(editor, "notice")


def test_unknown_runs_are_settled_by_the_user(hosted, server):
    """A run whose answer was lost says that it may have been billed, until the user says what became of it."""
    dropped(hosted, server)
    hosted.history.selected_index = 0
    assert "may have been billed" in texts(hosted)[0]
    press(cards(hosted)[0], "It was not")
    assert "not billed, as you found" in texts(hosted)[0]
    assert tt.RunLog().totals().unknown == 0


def test_what_was_not_fetched_is_fetched_again(hosted, server, photo):
    """A result that could not be fetched has a button for that, which says why it fails and goes when it has come."""
    unfetched(hosted, server)
    hosted.history.selected_index = 0
    press(cards(hosted)[0], "Fetch again")
    assert "could not be fetched" in said(hosted.history, "alert")
    server.routes["/a.png"] = Reply(200, encoded(photo), mime="image/png")
    press(cards(hosted)[0], "Fetch again")
    assert not said(hosted.history, "alert")
    assert not has(hosted.history, "Fetch again")
    assert len(tt.RunLog().rows()[0].results) == 1


def test_a_budget_is_said_and_kept(photo, monkeypatch):
    """The estimate stands in the plan, and a spent budget disables Run with a sentence; offline it counts nothing."""
    budget = tt.Budget(runs=0, prices=tt.PriceTable({"gpt-image-1.5": 0.04}, "USD"))
    client = tt.Client(api_key="sk-test-0123456789", base_url="http://127.0.0.1:9")
    editor = tt.ImageEditor(photo, prompt="x", client=client, budget=budget)
    assert "Estimated cost: 0.04 USD" in said(editor)
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
    press(cards(editor)[0], "It was billed")
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


@pytest.mark.parametrize("name", ["Fill in again", "Fetch again"])
def test_what_another_kernel_has_pruned_is_said(hosted, server, name):
    """Filling in and fetching again say in words that a run is gone, instead of nothing."""
    unfetched(hosted, server)
    hosted.history.selected_index = 0
    tt.RunLog().prune(keep=0)
    hosted.prompt = "another"
    press(cards(hosted)[0], name)
    assert "was pruned" in said(hosted.history, "alert")
    assert hosted.prompt == "another"


def test_a_bill_is_settled_while_the_log_counts_it(hosted, server, environment):
    """A run that was pruned still counts, and is settled; where the log itself is gone, that is said."""
    dropped(hosted, server)
    hosted.history.selected_index = 0
    tt.RunLog().prune(keep=0)
    press(cards(hosted)[0], "It was not")
    assert tt.RunLog().totals().unknown == 0
    assert not said(hosted.history, "alert")
    dropped(hosted, server)
    (lost,) = cards(hosted)
    shutil.rmtree(environment)
    press(lost, "It was not")
    assert "no run" in said(hosted.history, "alert")


def test_results_that_were_pruned_are_said(editor):
    """A run whose results went to make room says so, and is filled in all the same."""
    tt.RunLog().prune(limit_bytes=0)
    editor.history.selected_index = 0
    assert "pruned to make room" in texts(editor)[1]
    press(cards(editor)[1], "Fill in again")
    assert editor.prompt == "something red"
    assert "pruned to make room" in said(editor.history, "notice")


def test_what_is_sure_and_what_is_not_is_told_apart(photo):
    """Runs that were billed are not counted together with those of which nobody knows."""
    log = tt.RunLog()
    prices = tt.Budget(prices=tt.PriceTable({"gpt-image-1.5": 0.5}, "USD"))
    for name, state in (("a", "done"), ("b", "unknown")):
        log.begin(name, prepared(tt.EditRequest(prompt="x")), offline=False, budget=prices)
        log.mark_sent(name)
        log.settle(name, state)  # type: ignore[arg-type]
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    editor.history.selected_index = 0
    totals = sentences(editor.history)[-1]
    assert "1 billed runs" in totals
    assert "1 of unknown outcome, which may have been billed" in totals
    assert "0.5 USD of that for runs that may not have been billed" in totals


def test_shown_by_several_threads_at_once(editor, monkeypatch):
    """What was read of the log last is shown, whichever thread comes to its end first, and no card is left behind."""
    editor.history.selected_index = 0
    before, search = len(living()), labelled(editor.history, "Search")
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
    search.value = "red"
    go.set()
    slow.join(60)
    assert ["red" in text for text in texts(editor)] == [True]
    search.value = ""
    shown = [threading.Thread(target=editor.history.show) for _ in range(4)]
    for thread in shown:
        thread.start()
    for thread in shown:
        thread.join(60)
    assert len(texts(editor)) == 2
    assert len(living()) == before

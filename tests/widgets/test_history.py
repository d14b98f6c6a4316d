"""Earlier runs in the editor: found, filled in again, and settled."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Server, encoded, fail, json_reply
from tests.support.controls import labelled, living, message, of_kind, said
from tests.support.preparing import prepared
from tests.support.trays import chosen, do, seen
from ttapi_nb import loop
from ttapi_nb.widgets.history.grid import RunGrid


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


def grid(editor: tt.ImageEditor) -> RunGrid:
    """The page of runs, opened."""
    editor.history.unfolded = True
    found = of_kind(editor.history, RunGrid)
    assert isinstance(found, RunGrid)
    return found


def cards(editor: tt.ImageEditor) -> list[dict[str, Any]]:
    """The runs that the panel shows."""
    return list(grid(editor).cards)


def prompts(editor: tt.ImageEditor) -> list[Any]:
    """The prompts of the runs that the panel shows."""
    return [card["prompt"] for card in cards(editor)]


def act(editor: tt.ImageEditor, kind: str, at: int = 0) -> None:
    """Press a button of the card at this place."""
    message(grid(editor), {"type": kind, "id": grid(editor).cards[at]["id"]})


def look(editor: tt.ImageEditor, search: str = "", stars: int = 0, page: int = 0) -> None:
    """Look for other runs."""
    message(grid(editor), {"type": "look", "search": search, "stars": stars, "page": page})


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
    """Opened, the panel lists the latest runs, and finds those whose prompt, or note, has the words."""
    assert prompts(editor) == ["a blue <b>door</b>", "something red"]
    assert "2 that cost nothing" in grid(editor).totals
    look(editor, "red")
    assert prompts(editor) == ["something red"]
    look(editor, "nothing like it")
    assert (prompts(editor), grid(editor).empty) == ([], "No run like that.")
    tt.RunLog().rate(tt.RunLog().rows()[0].id, stars=4, note="too dark")
    look(editor, "DARK")
    assert [(card["stars"], card["notes"]) for card in cards(editor)] == [(4, ["too dark"])]
    look(editor, stars=4)
    assert prompts(editor) == ["a blue <b>door</b>"]
    look(editor, stars=5)
    assert prompts(editor) == []


def test_all_runs_can_be_paged_through(photo):
    """Page after page shows every run once, newest first; a search begins at its first page."""
    log = tt.RunLog()
    for number in range(30):
        log.begin(f"run {number}", prepared(tt.EditRequest(prompt=f"prompt {number}")), offline=True)
        log.settle(f"run {number}", "not sent")
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    found = []
    for page in range(3):
        look(editor, page=page)
        found += prompts(editor)
        assert (grid(editor).page, grid(editor).first, grid(editor).more) == (page, 12 * page + 1, page < 2)
    assert found == [f"prompt {number}" for number in range(29, -1, -1)]
    look(editor, page=9)
    assert prompts(editor) == found[24:]
    look(editor, page=0)
    assert prompts(editor) == found[:12]
    look(editor, "prompt", page=1)
    assert (grid(editor).page, prompts(editor)) == (0, found[:12])


def test_thumbnails_come_when_they_are_wanted(editor, monkeypatch):
    """A card's results are sent as small pictures when a browser asks, and are in no state that a notebook saves."""
    sent: dict[str, list[bytes]] = {}
    monkeypatch.setattr(grid(editor), "send", lambda head, data: sent.update({head["id"]: data}))
    act(editor, "want", 1)
    message(grid(editor), {"type": "want", "id": "of another log"})
    assert loop.quiet(60)
    (found,) = sent.values()
    assert len(found) == 2
    assert {max(Image.open(io.BytesIO(data)).size) for data in found} == {256}
    assert not any(isinstance(value, bytes) for card in cards(editor) for value in card.values())


@pytest.mark.slow
def test_an_earlier_run_is_shown(editor, photo):
    """In a new editor with the photo, an earlier run's results are what they were, with their stars and notes."""
    was = editor.viewer.run
    do(editor, "rate", stars=3, note="this one")
    assert loop.quiet(60)
    new = tt.ImageEditor(photo, client=tt.Client.offline())
    act(new, "show", 0)
    assert new.viewer.result is not None
    assert (new.viewer.result.image.tobytes(), new.viewer.run.id) == (was.results[0].image.tobytes(), was.id)
    assert new.viewer.result.kept
    assert (seen(new, "stars"), seen(new, "note")) == ([3], ["this one"])
    assert new.drawer.stage.side == "result"
    assert "shown" in cards(new)[0]["done"]
    act(new, "show", 1)
    act(new, "show", 1)
    assert seen(new, "prompt") == ["a blue <b>door</b>", "something red", "something red"]
    assert chosen(new) == 1
    do(new, "rate", stars=5)
    assert loop.quiet(60)
    assert tt.RunLog().rows()[1].ratings[1].stars == 5


@pytest.mark.slow
def test_an_earlier_run_is_compared_with(editor, photo):
    """What is looked at is laid over an earlier run's result; where nothing is looked at, that is shown."""
    new = tt.ImageEditor(photo, client=tt.Client.offline())
    act(new, "compare", 1)
    assert (chosen(new), new.viewer.against) == (0, None)
    act(new, "compare", 0)
    assert (chosen(new), new.viewer.against) == (0, 2)
    do(new, "discard", 2)
    act(new, "compare", 0)
    assert new.viewer.against == 2


@pytest.mark.slow
def test_without_its_photo_the_answer_is_shown(editor):
    """Where its photo is not at hand, an earlier run shows what the model sent, and says so."""
    new = tt.ImageEditor(Image.new("RGB", (30, 20)), client=tt.Client.offline())
    act(new, "show", 0)
    raw = tt.open_image(tt.RunLog().rows()[0].results[0]).pixels
    assert new.viewer.result is not None
    assert new.viewer.result.image.tobytes() == raw.tobytes()
    assert "is not at hand" in said(new.viewer, "notice")


def test_what_is_gone_can_not_be_shown(editor):
    """Results that were pruned, or whose file is gone, are said to be."""
    tt.RunLog().prune(limit_bytes=0)
    (path,) = tt.RunLog().rows()[0].results
    path.unlink()
    new = tt.ImageEditor(client=tt.Client.offline())
    assert cards(new)[1]["count"] == 0
    act(new, "show", 1)
    assert "pruned to make room" in grid(new).alert
    act(new, "show", 0)
    assert "their files were deleted" in grid(new).alert
    # What is in the tray is shown from there.
    act(editor, "show", 0)
    assert grid(editor).alert == ""


@pytest.mark.slow
def test_a_run_is_filled_in_again(editor):
    """One click brings back prompt, options and mask, is told beside the run, and can be taken back there."""
    mask, cleared = editor.mask, editor.mask.clear()
    editor.mask = cleared
    when = time.strftime("%H:%M", time.localtime(tt.RunLog().rows()[1].started))
    act(editor, "fill", 1)
    assert (editor.prompt, editor.options, editor.mask) == ("something red", {"n": 2}, mask)
    assert "those of that run" in said(editor, "notice")
    assert [(card["done"], card["undo"]) for card in cards(editor)] == [
        ("", False),
        (f"Filled in from {when}.", True),
    ]
    act(editor, "undo", 1)
    assert (editor.prompt, editor.options, editor.mask) == ("a blue <b>door</b>", {}, cleared)
    assert [card["undo"] for card in cards(editor)] == [False, False]
    editor.run().wait(60)
    assert len(cards(editor)) == 3


def test_without_the_photo_the_rest_is_filled_in(editor):
    """Where another photo is open, prompt and options come back, and the panel says which photo is missing."""
    editor.image = Image.new("RGB", (30, 20))
    act(editor, "fill", 1)
    assert editor.prompt == "something red"
    assert editor.image.size == (30, 20)
    assert "not at hand" in said(editor, "notice")


def test_unknown_runs_are_settled_by_the_user(hosted, server):
    """A run whose answer was lost says that it may have been billed, until the user says what became of it."""
    dropped(hosted, server)
    assert "may have been billed" in cards(hosted)[0]["facts"]
    act(hosted, "unbilled")
    assert "not billed, as you found" in cards(hosted)[0]["facts"]
    assert not cards(hosted)[0]["unsettled"]
    assert tt.RunLog().totals().unknown == 0


def test_what_was_not_fetched_is_fetched_again(hosted, server, photo):
    """A result that could not be fetched has a button for that, which says why it fails and goes when it has come."""
    unfetched(hosted, server)
    assert cards(hosted)[0]["waiting"]
    act(hosted, "fetch")
    assert "could not be fetched" in grid(hosted).alert
    server.routes["/a.png"] = Reply(200, encoded(photo), mime="image/png")
    act(hosted, "fetch")
    assert grid(hosted).alert == ""
    assert not cards(hosted)[0]["waiting"]
    assert len(tt.RunLog().rows()[0].results) == 1


def test_a_message_that_means_nothing(editor):
    """Whatever a page sends, the panel stays as it was."""
    before = grid(editor).get_state()
    contents: list[Any] = [
        {"type": "look", "search": 3, "stars": 0, "page": 0},
        {"type": "look", "search": "", "stars": 6, "page": 0},
        {"type": "look", "search": "", "stars": 0, "page": -1},
        {"type": "fill", "id": "no such"},
        {"type": "undo", "id": cards(editor)[0]["id"]},
        {"type": "prune", "id": cards(editor)[0]["id"]},
        {"type": "show"},
        [],
    ]
    for content in contents:
        message(grid(editor), content)
    assert grid(editor).get_state() == before


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


@pytest.mark.slow
def test_what_a_dead_kernel_left_is_shown_at_once(photo, environment):
    """Displayed after a kernel died in a run, an editor opens the panel and says in its title what may be billed."""
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    editor._ipython_display_()
    assert editor.history.title == "Earlier runs"
    assert not environment.exists()
    subprocess.run([sys.executable, "-c", LEFT], check=True)
    editor._ipython_display_()
    assert editor.history.title == "Earlier runs · 1 may have been billed"
    assert editor.history.unfolded
    act(editor, "billed")
    assert editor.history.title == "Earlier runs"
    # Once it is known, the panel stays as it is.
    later = tt.ImageEditor(photo, client=tt.Client.offline())
    later._ipython_display_()
    assert not later.history.unfolded


def test_a_log_that_cannot_be_read_hides_no_editor(photo, environment):
    """An editor is displayed whatever is in place of the log."""
    environment.mkdir()
    (environment / "results").write_text("no folder")
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    editor._ipython_display_()
    assert editor.history.title == "Earlier runs"


@pytest.mark.parametrize("name", ["fill", "fetch", "show", "compare"])
def test_what_another_kernel_has_pruned_is_said(hosted, server, name):
    """Filling in, fetching again and showing say in words that a run is gone, instead of nothing."""
    unfetched(hosted, server)
    assert cards(hosted)
    tt.RunLog().prune(keep=0)
    hosted.prompt = "another"
    act(hosted, name)
    assert "was pruned" in grid(hosted).alert
    assert hosted.prompt == "another"


def test_a_bill_is_settled_while_the_log_counts_it(hosted, server, environment):
    """A run that was pruned still counts, and is settled; where the log itself is gone, that is said."""
    dropped(hosted, server)
    assert cards(hosted)
    tt.RunLog().prune(keep=0)
    act(hosted, "unbilled")
    assert tt.RunLog().totals().unknown == 0
    assert grid(hosted).alert == ""
    dropped(hosted, server)
    shutil.rmtree(environment)
    act(hosted, "unbilled")
    assert "no run" in grid(hosted).alert


def test_results_that_were_pruned_are_said(editor):
    """A run whose results went to make room says so, and is filled in all the same."""
    tt.RunLog().prune(limit_bytes=0)
    assert "pruned to make room" in cards(editor)[1]["gone"]
    act(editor, "fill", 1)
    assert editor.prompt == "something red"
    assert "pruned to make room" in cards(editor)[1]["done"]


def test_what_is_sure_and_what_is_not_is_told_apart(photo):
    """Runs that were billed are not counted together with those of which nobody knows."""
    log = tt.RunLog()
    prices = tt.Budget(prices=tt.PriceTable({"gpt-image-1.5": 0.5}, "USD"))
    for name, state in (("a", "done"), ("b", "unknown")):
        log.begin(name, prepared(tt.EditRequest(prompt="x")), offline=False, budget=prices)
        log.mark_sent(name)
        log.settle(name, state)  # type: ignore[arg-type]
    editor = tt.ImageEditor(photo, client=tt.Client.offline())
    totals = grid(editor).totals
    assert "1 billed run," in totals
    assert "1 of unknown outcome, which may have been billed" in totals
    assert "0.5 USD of that for runs that may not have been billed" in totals


@pytest.mark.slow
def test_shown_by_several_threads_at_once(editor, monkeypatch):
    """What was read of the log last is shown, whichever thread comes to its end first, and no card is left behind."""
    assert len(cards(editor)) == 2
    before = len(living())
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
    look(editor, "red")
    go.set()
    slow.join(60)
    assert prompts(editor) == ["something red"]
    look(editor)
    shown = [threading.Thread(target=editor.history.show) for _ in range(4)]
    for thread in shown:
        thread.start()
    for thread in shown:
        thread.join(60)
    assert len(cards(editor)) == 2
    assert len(living()) == before

"""Experiments carried out: everything once, whatever stops them, and told while they run."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Request, Server, json_reply, pictures
from ttapi_nb import exiting, loop
from ttapi_nb.experiment import Trial, TrialCell, sender
from ttapi_nb.experiment.sender import Sender
from ttapi_nb.experiment.underway import INTERRUPTED
from ttapi_nb.fit import leak
from ttapi_nb.fit.look import Look
from ttapi_nb.fit.seen import seen_of

MODEL = "gpt-image-1.5"
TEAL = pictures(Image.new("RGB", (64, 64), "teal"))
BUSY = json_reply({"status": "FAILED", "message": "too fast"}, 429, headers={"Retry-After": "0"})


@pytest.fixture
def log(tmp_path: Path) -> tt.RunLog:
    """A log of its own."""
    return tt.RunLog(tmp_path / "log")


@pytest.fixture
def client(server: Server) -> tt.Client:
    """A client of the counting server."""
    return tt.Client("key", base_url=server.url)


def plan(count: int, **more: Any) -> tt.Experiment:
    """So many prompts, to be made of words alone, which takes no time here."""
    return tt.Experiment([f"bowl {number}" for number in range(count)], models=MODEL, name="bowls", **more)


def prompts(server: Server) -> Counter[str]:
    """How often each prompt came in."""
    return Counter(json.loads(request.body)["prompt"] for request in server.posts)


def test_everything_is_sent_once(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """All cells come back, are in the log, and running the same plan again, here or by its name, sends nothing."""
    seen: list[tuple[str, str]] = []
    trial = plan(6).start(client, log=log, parallel=3)
    trial.on_change(lambda one: seen.append((one.key, one.state)))
    assert trial.wait(PATIENCE).counts == {"done": 6}
    assert not trial.running
    assert prompts(server) == {f"bowl {number}": 1 for number in range(6)}
    assert plan(6).run(client, log=log, progress=False).counts == {"done": 6}
    opened = tt.Experiment.open("bowls", log=log)
    assert opened.counts == {"done": 6}
    assert opened.plan == plan(6)
    assert len(server.posts) == 6
    assert opened.result(2).image.getpixel((5, 5)) == (0, 128, 128)
    assert all(one.thumb is not None and one.thumb[:4] == b"RIFF" for one in opened.cells)
    assert {state for _, state in seen} <= {"sending", "done"}
    # The embedded service's cells are others.
    offline = tt.Experiment.open("bowls", log=log, client=tt.Client.offline())
    assert offline.counts == {"waiting": 6}


def test_the_next_goes_while_an_answer_is_fitted(
    server: Server, client: tt.Client, log: tt.RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`parallel` is how many the service has at once: what is done with an answer here keeps no other from going; and
    no more answers than as many again lie about meanwhile.
    """
    kept = type(log.experiments)
    show, go = kept.show, threading.Event()

    def shown(*given: Any) -> None:
        assert go.wait(PATIENCE)
        show(*given)

    monkeypatch.setattr(kept, "show", shown)
    trial = plan(6).start(client, log=log, parallel=2)
    server.wait_for(4)
    with pytest.raises(TimeoutError):
        trial.wait(0.3)
    assert len(server.posts) == 4
    go.set()
    assert trial.wait(PATIENCE).counts == {"done": 6}
    assert prompts(server) == {f"bowl {number}": 1 for number in range(6)}


@pytest.mark.slow
def test_results_are_those_of_an_edit(log: tt.RunLog, photo: Image.Image) -> None:
    """A cell's result is pasted strictly, as `edit` gives it, also when it is made again from the log; and it is saved
    as a file with what made it.
    """
    mask = tt.Mask((64, 64)).rectangle((16, 16, 48, 48))
    client = tt.Client.offline()
    trial = tt.Experiment("a red bowl", (photo, mask), MODEL, name="x")
    folder = log.folder.parent / "out"
    made = trial.start(client, log=log).wait().result(1)
    edited = tt.edit(photo, "a red bowl", mask=mask, client=client, model=MODEL, log=False).results[0]
    assert made.image.tobytes() == edited.image.tobytes()
    assert made.leak is not None
    assert edited.leak is not None
    assert (made.leak, made.leak.seen, made.past) == (edited.leak, edited.leak.seen, edited.past)
    assert made.leak.seen is not None
    assert made.kept
    assert made.lineage is not None
    assert made.lineage.steps[0].prompt == "a red bowl"
    assert np.array_equal(np.asarray(made.image)[:16], np.asarray(photo)[:16])
    other = tt.Experiment("a red bowl", (photo, mask), MODEL, name="y")
    tt.Experiment.start(other, client, log=log).wait()
    again = tt.Experiment.open("y", log=log)
    again.add("a blue bowl").resume(client, save_to=folder).wait()
    (saved,) = folder.iterdir()
    assert tt.open_result(saved).prompt == "a blue bowl"


@pytest.mark.slow
def test_what_one_would_see_is_looked_for_when_one_looks(
    log: tt.RunLog, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes most of the time that a cell's answer takes, and is in nothing that the log keeps."""
    looked: list[Look] = []

    def look(seen: Look, counted: Any) -> Any:
        looked.append(seen)
        return seen_of(seen, counted)

    monkeypatch.setattr(leak, "seen_of", look)
    mask = tt.Mask((64, 64)).rectangle((16, 16, 48, 48))
    trial = tt.Experiment(["a red bowl", "a blue bowl"], (photo, mask), MODEL, name="x")
    done = trial.run(tt.Client.offline(), log=log, progress=False)
    assert done.counts == {"done": 2}
    assert all(one.leak is not None for one in done.cells)
    assert looked == []
    assert done.result(1).leak is not None
    assert len(looked) == 1


def test_a_budget_leaves_the_rest_waiting(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """What the budget does not allow is not sent, says why, and goes out once there is more."""
    trial = plan(5).run(client, log=log, budget=tt.Budget(runs=3), parallel=2, progress=False)
    assert trial.counts == {"done": 3, "waiting": 2}
    assert "budget is 3 runs" in trial.note
    assert trial.resume(budget=tt.Budget(runs=5)).wait().counts == {"done": 5}
    assert set(prompts(server).values()) == {1}


def test_unknown_cells_wait_for_their_owner(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """What may have been billed is not sent again before somebody has said that it was not."""
    server.answer = Reply(drop=True)
    plan(1).run(client, log=log, progress=False)
    server.answer = json_reply(TEAL)
    trial = plan(2).run(client, log=log, progress=False)
    assert trial.counts == {"unknown": 1, "done": 1}
    assert "may" in trial[1].problem
    trial.found(1, billed=False)
    assert trial.counts == {"waiting": 1, "done": 1}
    assert trial.resume().wait().counts == {"done": 2}
    assert prompts(server) == {"bowl 0": 2, "bowl 1": 1}


@pytest.mark.slow
def test_a_busy_service_is_asked_again(
    server: Server, client: tt.Client, log: tt.RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told to come back later does, all get through, and nothing is billed twice."""
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0.05)
    answered: Counter[str] = Counter()

    def answer(request: Request) -> Reply:
        prompt = json.loads(request.body)["prompt"]
        answered[prompt] += 1
        return json_reply(TEAL) if answered[prompt] > 1 else BUSY

    server.answer = answer
    trial = plan(3).run(client, log=log, parallel=3, progress=False)
    assert trial.counts == {"done": 3}
    assert set(answered.values()) == {2}
    assert tt.Experiment.open("bowls", log=log).counts == {"done": 3}


@pytest.mark.parametrize("status", [401, 402])
def test_what_stops_one_stops_all(server: Server, client: tt.Client, log: tt.RunLog, status: int) -> None:
    """A key that is not taken, or a quota that is used up, is asked once, and the others wait."""
    server.answer = json_reply({"status": "FAILED", "message": "no"}, status)
    trial = plan(5).run(client, log=log, parallel=1, progress=False)
    assert trial.counts == {"waiting": 5}
    assert f"HTTP {status}" in trial.note
    assert len(server.posts) == 1


def test_what_the_service_refuses_is_told(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """One prompt that is refused costs the others nothing, and is sent again only for who asks for that."""
    refused = json_reply({"error": {"message": "no", "code": "moderation_blocked"}}, 400)
    server.answer = lambda request: refused if b"bowl 1" in request.body else json_reply(TEAL)
    trial = plan(3).run(client, log=log, progress=False)
    assert trial.counts == {"done": 2, "refused": 1}
    assert "won't make this picture" in trial[2].problem
    assert plan(3).run(client, log=log, progress=False).counts == {"done": 2, "refused": 1}
    server.answer = json_reply(TEAL)
    assert trial.resume(refused=True).wait().counts == {"done": 3}
    assert prompts(server) == {"bowl 0": 1, "bowl 1": 2, "bowl 2": 1}


def test_a_service_out_of_reach_is_given_up(log: tt.RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is billed, all wait, and it is said why."""
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0.05)
    with Server() as gone:
        client = tt.Client("key", base_url=gone.url)
    trial = plan(4).run(client, log=log, parallel=2, progress=False)
    assert trial.counts == {"waiting": 4}
    assert "could not be reached 3 times" in trial.note


def test_it_is_stopped_and_grows_while_it_runs(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """What has left comes home, the rest waits; prompts and repeats are added under way and sent too."""
    server.answer = Reply(body=json.dumps(TEAL).encode(), hold=server.event())
    trial = plan(4).start(client, log=log, parallel=2)
    server.wait_for(2)
    trial.add(["bowl 9"], repeats=2)
    assert len(trial.cells) == 10
    trial.stop()
    assert trial.running
    with pytest.raises(TimeoutError, match="still going on"):
        trial.wait(0.05)
    server.let_go()
    assert trial.wait(PATIENCE).counts == {"done": 2, "waiting": 8}
    assert trial.note == "Stopped."
    server.answer = json_reply(TEAL)
    trial.resume(parallel=4)
    trial.add("bowl 10")
    assert trial.wait(PATIENCE).counts == {"done": 12}
    assert set(prompts(server).values()) == {2}
    trial.resume()
    with pytest.raises(tt.SettingsError, match="not under way"):
        trial.again(1)


@pytest.mark.parametrize("begin", ["run", "start", "resume"])
def test_an_interrupt_as_it_begins(
    server: Server, client: tt.Client, log: tt.RunLog, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    """However it is begun: nothing more is sent, what had left is kept, a note says so, and the rest can be sent."""
    server.answer = json_reply(TEAL, hold=server.event())
    really_begin, trial = Sender.begin, Trial(plan(3), log=log)

    def interrupted(sender: Sender, *cells: Any) -> None:
        really_begin(sender, *cells)
        server.wait_for(1)
        raise KeyboardInterrupt

    begun = (
        partial(trial.resume, client)
        if begin == "resume"
        else partial(getattr(plan(3), begin), client, log=log)
    )
    with monkeypatch.context() as stopped:
        stopped.setattr(Sender, "begin", interrupted)
        with pytest.raises(KeyboardInterrupt) as caught:
            begun(parallel=1)
    assert caught.value.__notes__ == [INTERRUPTED.format(name="bowls")]
    server.let_go()
    wait([one.over for one in list(exiting._under_way.values())], PATIENCE)
    assert loop.quiet(PATIENCE)
    assert trial.refresh().counts == {"done": 1, "waiting": 2}
    assert trial.resume(client).wait(PATIENCE).counts == {"done": 3}
    assert prompts(server) == {f"bowl {number}": 1 for number in range(3)}


@pytest.mark.slow
def test_two_notebooks_at_once_send_each_cell_once(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """Both end with everything, and the service was asked once for each."""
    server.answer = Reply(body=json.dumps(TEAL).encode(), hold=server.event())
    mine = plan(8).start(client, log=log, parallel=4)
    server.wait_for(4)
    other = plan(8).start(client, log=tt.RunLog(log.folder), parallel=4)
    server.wait_for(8)
    assert "elsewhere" in {one.state for one in other.cells}
    server.let_go()
    assert mine.wait(PATIENCE).counts == other.wait(PATIENCE).counts == {"done": 8}
    assert set(prompts(server).values()) == {1}


@pytest.mark.slow
def test_a_photo_is_found_again(
    log: tt.RunLog, server: Server, client: tt.Client, photo: Image.Image
) -> None:
    """A new notebook needs nothing but the name: photo and mask are kept beside the log, in their own depth."""
    deep = (np.asarray(photo).astype(np.uint16) << 8) + 77
    mask = tt.Mask((64, 64)).rectangle((8, 8, 30, 30))
    made = tt.Experiment("a", [(deep, mask), photo], MODEL, name="deep").run(client, log=log, progress=False)
    opened = tt.Experiment.open("deep", log=log)
    assert opened.plan == made.plan
    assert np.array_equal(opened.result(1).native[40:], made.result(1).native[40:])
    assert opened.result(1).native.dtype == np.uint16
    log.experiments.forget("deep")
    with pytest.raises(tt.ResultError, match="no experiment 'deep'"):
        tt.Experiment.open("deep", log=log)


def test_stars_are_the_logs(server: Server, client: tt.Client, log: tt.RunLog) -> None:
    """A rating is told to who watches, and is there for everybody who opens the log."""
    trial = plan(2).run(client, log=log, progress=False)
    told = threading.Event()
    seen: list[TrialCell] = []

    def watch(one: TrialCell) -> None:
        seen.append(one)
        told.set()

    trial.on_change(watch)
    trial.rate(1, 4, "fine")
    assert told.wait(PATIENCE)
    assert seen[0].stars == 4
    assert tt.Experiment.open("bowls", log=log)[1].ratings[1].note == "fine"
    assert log.rows(search="fine")[0].cell == trial[1].key
    with pytest.raises(tt.SettingsError, match="no cell 9"):
        trial.rate(9, 1)


@pytest.mark.slow
def test_a_minute_takes_so_many(
    server: Server, client: tt.Client, log: tt.RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `per_minute` no more begin within a minute, which is short here."""
    monkeypatch.setattr("ttapi_nb.experiment.sender.MINUTE", 0.4)
    times: list[float] = []

    def answer(request: Request) -> Reply:
        times.append(time.monotonic())
        return json_reply(TEAL)

    server.answer = answer
    begun = time.monotonic()
    plan(5).run(client, log=log, parallel=5, per_minute=2, progress=False)
    # However long each is on its way.
    assert sum(at < begun + 0.4 for at in times) <= 2
    assert sum(at < begun + 0.8 for at in times) <= 4
    assert len(times) == 5


def test_what_waits_for_its_turn_takes_no_thread(client: tt.Client, log: tt.RunLog) -> None:
    """However many may be under way, those that may not go yet have no thread each that every change wakes."""
    before = threading.active_count()
    done = threading.Event()
    trial = plan(60).start(client, log=log, parallel=32, per_minute=1)
    trial.on_change(lambda one: done.set() if one.state == "done" else None)
    assert trial.counts["done"] or done.wait(PATIENCE)
    assert threading.active_count() - before < 32
    trial.stop()
    assert trial.wait(PATIENCE).counts == {"done": 1, "waiting": 59}


def test_progress_is_shown(
    server: Server, client: tt.Client, log: tt.RunLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal a bar tells how many are done and what they cost."""
    prices = tt.PriceTable({MODEL: 0.25}, "USD")
    plan(2).run(client, log=log, budget=tt.Budget(cost=9.0, prices=prices))
    said = capsys.readouterr().err
    assert "bowls: 2/2" in said
    assert "0.5 USD" in said


@pytest.mark.parametrize("given", [{"parallel": 0}, {"per_minute": 0}, {"budget": 3}, {"parallel": True}])
def test_settings_that_can_not_be(log: tt.RunLog, client: tt.Client, server: Server, given: Any) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(tt.SettingsError):
        plan(1).run(client, log=log, **given)
    assert not server.requests

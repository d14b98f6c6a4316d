"""What carries a run out: whatever hangs, raises or is full, a run ends, alone, and says what it means for the bill."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, json_reply, pictures
from ttapi_nb import (
    Budget,
    Client,
    EditRequest,
    PriceTable,
    ResultError,
    Run,
    RunCancelledError,
    RunLog,
    TTAPIError,
    UnknownOutcomeError,
    exiting,
    loop,
    start_edit,
)
from ttapi_nb.asked import Asked
from ttapi_nb.log import State
from ttapi_nb.run import carrier, entry, making
from ttapi_nb.run import start as start_run

KEY = "test-key-0123456789"
TEAL = Image.new("RGB", (64, 64), "teal")
# Everything that a step may raise: our errors are tried elsewhere.
KINDS = [ValueError, MemoryError, RecursionError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]


@pytest.fixture
def log(tmp_path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """An event that is set when the test is over, for what is to hang until then."""
    event = threading.Event()
    yield event
    event.set()


def start(server: Server, photo: Image.Image, log: RunLog | bool, **more: Any) -> Run:
    """Begin a run on the test's server."""
    given: Any = log
    return start_edit(photo, "x", client=Client(KEY, base_url=server.url), log=given, **more)


def loop_is_alive() -> None:
    """The loop answers, on the thread it always had."""
    thread = loop._runner.thread
    assert thread is not None
    assert thread.is_alive()
    assert loop.submit(asyncio.sleep(0, "here")).result(PATIENCE) == "here"
    assert loop._runner.thread is thread


def all_over() -> None:
    """Wait until nothing is under way any more, also of runs that nobody has."""
    for one in list(exiting._under_way.values()):
        one.over.result(PATIENCE)
    assert loop.quiet(PATIENCE)


# Stopping


class Waiting(RunLog):
    """A log whose marks wait, as where SQLite is locked."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.entered, self.go = threading.Event(), threading.Event()

    def mark_sent(self, run_id: str) -> None:
        self.entered.set()
        assert self.go.wait(PATIENCE)
        super().mark_sent(run_id)


@pytest.mark.slow
def test_cancelled_while_the_log_is_waited_for(server: Server, photo: Image.Image, tmp_path) -> None:
    """Cancelled while its mark is being written, a run is cancelled at once, nothing leaves, and the row says so."""
    log = Waiting(tmp_path / "log")
    run = start(server, photo, log)
    assert log.entered.wait(PATIENCE)
    run.cancel()
    assert (run.done, run.status) == (True, "cancelled")
    with pytest.raises(RunCancelledError, match="nothing was billed"):
        run.wait(PATIENCE)
    log.go.set()
    all_over()
    (row,) = log.rows()
    assert (row.state, row.sent) == ("cancelled", False)
    assert server.posts == []
    assert log.spent(Budget()).runs == 0


def test_a_locked_database(server: Server, photo: Image.Image, log: RunLog) -> None:
    """While another program holds the log, a run that waits for it is cancelled, and another without it goes on."""
    gate = server.event()
    server.answer = Reply(200, json_reply(pictures(TEAL)).body, hold=gate)
    run = start(server, photo, log)
    server.wait_for(1)
    db = sqlite3.connect(log.folder / "runs.sqlite3", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        gate.set()
        other = start(server, photo, False)
        assert other.wait(PATIENCE).status == "done"
        # Its answer is here and waits for the log; what it is called meanwhile is no matter of the lock.
        run.cancel()
        assert run.status == "cancelled"
    finally:
        db.execute("ROLLBACK")
        db.close()
    all_over()
    assert log.row(run.id).state == "done"
    assert run.results


def test_a_log_that_hangs(server: Server, photo: Image.Image, tmp_path, never, monkeypatch) -> None:
    """A log that never answers costs a run its time, and nothing is sent; no other run waits."""
    monkeypatch.setattr(entry, "LOG_PATIENCE", 0.05)

    class Hanging(RunLog):
        def mark_sent(self, run_id: str) -> None:
            never.wait()

    run = start(server, photo, Hanging(tmp_path / "log"))
    with pytest.raises(ResultError, match=r"^Nothing was sent or billed\. The run log did not answer"):
        run.wait(PATIENCE)
    assert start(server, photo, False).wait(PATIENCE).results
    assert len(server.posts) == 1


# Whatever is raised


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["settle", "store"])
def test_a_log_that_raises(server: Server, photo: Image.Image, tmp_path, step: str, kind: Any) -> None:
    """Whatever the log raises once the answer is here, who waits has the results, and a note of it."""

    def fails(self: RunLog, *given: Any, **more: Any) -> None:
        raise kind("of the log's")

    broken = type("Broken", (RunLog,), {step: fails})
    run = start(server, photo, broken(tmp_path / "log")).wait(PATIENCE)
    assert run.results[0].image.tobytes() == TEAL.tobytes()
    assert "of the log's" in run.note
    loop_is_alive()


@pytest.mark.parametrize("kind", KINDS)
def test_a_mark_that_raises(server: Server, photo: Image.Image, tmp_path, kind: Any) -> None:
    """Whatever the log raises before the request leaves, nothing leaves, and the error says so."""

    class Broken(RunLog):
        def mark_sent(self, run_id: str) -> None:
            raise kind("of the log's")

    log = Broken(tmp_path / "log")
    run = start(server, photo, log)
    with pytest.raises(TTAPIError, match=r"Nothing was sent or billed\. .*of the log's"):
        run.wait(PATIENCE)
    assert server.posts == []
    assert [(row.state, row.sent) for row in log.rows()] == [("not sent", False)]
    loop_is_alive()


@pytest.mark.parametrize("kind", KINDS)
def test_results_that_can_not_be_made(
    server: Server, photo: Image.Image, log: RunLog, monkeypatch, kind: Any
) -> None:
    """Whatever is raised after the answer came, the error says that it is billed, and the answer is kept."""

    def fails(*given: Any) -> None:
        raise kind("while pasting")

    monkeypatch.setattr(making, "_result", fails)
    run = start(server, photo, log)
    with pytest.raises(ResultError, match=r"is billed.*while pasting"):
        run.wait(PATIENCE)
    assert run.response is not None
    assert run.response.data[0].data is not None
    (row,) = log.rows()
    assert (row.state, len(row.results)) == ("failed", 1)
    assert log.spent(Budget()).runs == 1
    loop_is_alive()


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_can_not_be_read(
    server: Server, photo: Image.Image, log: RunLog, monkeypatch, kind: Any
) -> None:
    """Whatever is raised between the request and its answer, the outcome is unknown, and the error says so."""
    from ttapi_nb.client import sending

    async def fails(*given: Any, **more: Any) -> None:
        raise kind("while reading")

    monkeypatch.setattr(sending, "read_response", fails)
    run = start(server, photo, log)
    with pytest.raises(UnknownOutcomeError, match=r"while reading.*may have been carried out and billed"):
        run.wait(PATIENCE)
    (row,) = log.rows()
    assert (row.state, row.sent) == ("unknown", True)
    loop_is_alive()


def test_a_full_disk_is_made_up_for(server: Server, photo: Image.Image, tmp_path) -> None:
    """What the log did not take is written before the next run is reckoned: it does not count as spent for ever."""

    class Full(RunLog):
        full = True

        def settle(self, run_id: str, state: State, problem: str = "") -> None:
            if self.full:
                raise ResultError("The disk is full.")
            super().settle(run_id, state, problem)

    log = Full(tmp_path / "log")
    refused = Reply(400, b'{"error": {"message": "no"}}')
    server.answer, good = refused, server.answer
    run = start(server, photo, log)
    with pytest.raises(TTAPIError):
        run.wait(PATIENCE)
    assert "The disk is full." in run.note
    assert [row.state for row in log.rows()] == ["open"]
    Full.full = False
    server.answer = good
    start(server, photo, log, budget=Budget(runs=1)).wait(PATIENCE)
    assert [row.state for row in log.rows()] == ["done", "refused"]


def test_a_price_function_that_hangs(
    server: Server, photo: Image.Image, log: RunLog, never, monkeypatch
) -> None:
    """A price function that does not come back, or ends Python, costs the run its price and nothing else."""
    monkeypatch.setattr(entry, "PRICE_PATIENCE", 0.05)

    def ends(*given: Any) -> float:
        raise SystemExit("by a price function")

    for actual, words in ((lambda *given: never.wait(), "took too long"), (ends, "by a price function")):
        table = PriceTable({"gpt-image-1.5": 1.0}, "USD", actual=actual)
        run = start(server, photo, log, budget=Budget(prices=table)).wait(PATIENCE)
        assert run.cost is None
        assert words in run.note
    loop_is_alive()


# Callbacks


def test_a_callback_that_blocks(server: Server, photo: Image.Image, never, monkeypatch) -> None:
    """A callback that hangs delays no other run, and its own only for so long; in the end wait() returns."""
    monkeypatch.setattr(carrier, "WATCHER_PATIENCE", 0.05)
    entered = threading.Event()

    def hangs(run: Run) -> None:
        entered.set()
        never.wait()

    gate = server.event()
    server.answer = Reply(200, json_reply(pictures(TEAL)).body, hold=gate)
    run = start(server, photo, False)
    server.wait_for(1)
    run.on_change(hangs)
    gate.set()
    assert entered.wait(PATIENCE)
    # A time-out that the hanging callback is far beyond.
    other = start_edit(photo, "x", client=Client(KEY, base_url=server.url, timeout=PATIENCE), log=False)
    assert other.wait(PATIENCE).results
    assert run.wait(PATIENCE).results


@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_that_raises_anything(server: Server, photo: Image.Image, kind: Any, monkeypatch) -> None:
    """Whatever a callback raises is logged: the next one is called, the wait ends, and the loop lives."""
    said: list[Any] = []
    monkeypatch.setattr("logging.Logger.exception", lambda self, *given: said.append(given[1]))
    gate = server.event()
    server.answer = Reply(200, json_reply(pictures(TEAL)).body, hold=gate)
    run = start(server, photo, False)
    server.wait_for(1)
    called: list[str] = []

    def raises(run: Run) -> None:
        raise kind("of a callback's")

    run.on_change(raises)
    run.on_change(lambda run: called.append(run.status))
    gate.set()
    assert run.wait(PATIENCE).results
    assert called == ["done"]
    assert len(said) == 1
    loop_is_alive()


def test_what_callbacks_may_do(server: Server, photo: Image.Image) -> None:
    """They may start and wait for another run, cancel their own, and take themselves away, twice too."""
    gate = server.event()
    server.answer = Reply(200, json_reply(pictures(TEAL)).body, hold=gate)
    run = start(server, photo, False)
    server.wait_for(1)
    others: Future[Run] = Future()

    def starts(run: Run) -> None:
        run.on_change(starts, remove=True)
        run.on_change(starts, remove=True)
        run.cancel()
        others.set_result(start(server, photo, False).wait(PATIENCE))

    run.on_change(starts)
    gate.set()
    assert run.wait(PATIENCE).status == "done"
    assert others.result(PATIENCE).status == "done"


def test_two_that_wait_for_each_other(server: Server, photo: Image.Image, monkeypatch) -> None:
    """Callbacks of two runs that each wait for the other's end do not hold both for ever."""
    monkeypatch.setattr(carrier, "WATCHER_PATIENCE", 0.2)
    gate = server.event()
    server.answer = Reply(200, json_reply(pictures(TEAL)).body, hold=gate)
    runs = [start(server, photo, False) for _ in range(2)]
    server.wait_for(2)
    waited: list[Future[Run]] = [Future(), Future()]
    for at, run in enumerate(runs):
        run.on_change(partial(_wait_for, runs[1 - at], waited[at]))
    gate.set()
    assert [run.wait(PATIENCE).status for run in runs] == ["done", "done"]
    assert [one.result(PATIENCE).status for one in waited] == ["done", "done"]


def _wait_for(other: Run, waited: Future[Run], run: Run) -> None:
    waited.set_result(other.wait(PATIENCE))


# Interrupts


@pytest.mark.parametrize("moment", ["before the row", "after the row", "at the end"])
def test_interrupted_twice(server: Server, photo: Image.Image, tmp_path, monkeypatch, moment: str) -> None:
    """A second interrupt, while the first is being seen to, leaves no run that goes out and no row that counts."""

    class Interrupted(RunLog):
        def begin(self, *given: Any, **more: Any) -> None:
            if moment == "before the row":
                raise KeyboardInterrupt
            super().begin(*given, **more)
            if moment == "after the row":
                raise KeyboardInterrupt

    def again(self: carrier.Carrier, why: str = "") -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(carrier.Carrier, "withdraw", again)
    held: Callable[..., Any] = carrier.Carrier.begin
    if moment == "at the end":

        def begin(self: carrier.Carrier) -> None:
            held(self)
            raise KeyboardInterrupt

        monkeypatch.setattr(carrier.Carrier, "begin", begin)
    gate = threading.Event()
    really_left = carrier.Carrier.left

    async def left(self: carrier.Carrier) -> None:
        await loop.in_thread(lambda: gate.wait(PATIENCE))
        await really_left(self)

    monkeypatch.setattr(carrier.Carrier, "left", left)
    log = Interrupted(tmp_path / "log")
    with pytest.raises(KeyboardInterrupt):
        start(server, photo, log)
    gate.set()
    all_over()
    assert server.posts == []
    assert {row.state for row in log.rows()} <= {"not sent"}
    assert log.spent(Budget()).runs == 0


def test_a_budget_that_was_refused_leaves_nothing(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run that the log refuses is over for whoever watched it begin, and nothing of it is left behind."""
    watched: list[Run] = []
    with pytest.raises(TTAPIError, match="Nothing was sent"):
        start_run(
            Asked(EditRequest.make(image=photo, prompt="x")),
            client=Client(KEY, base_url=server.url),
            log=log,
            budget=Budget(runs=0),
            watch=watched.append,
        )
    (run,) = watched
    assert run.done
    with pytest.raises(TTAPIError):
        run.wait(PATIENCE)
    assert log.rows() == []


def test_whoever_takes_its_place_is_told_before_the_answer_is_stored(
    server: Server, photo: Image.Image, log: RunLog
) -> None:
    """The next of many may go as soon as an answer is here; what came is in the log a moment later all the same."""
    held = server.event()
    server.answer = json_reply(pictures(TEAL), hold=held)
    run = start(server, photo, log)
    seen: list[int] = []
    run._when_answered(lambda: seen.append(len(log.row(run.id).results)))
    held.set()
    assert run.wait().status == "done"
    assert seen == [0]
    assert len(log.row(run.id).results) == 1


def test_an_answer_is_stored_behind_what_is_about_to_leave_but_for_a_moment_only(
    server: Server, photo: Image.Image, log: RunLog
) -> None:
    """A request that is about to leave comes first. Where it never does, the answer is stored and the run ends."""
    server.answer = json_reply(pictures(TEAL))
    token = object()
    loop.leaves(token)
    try:
        assert start(server, photo, log).wait(PATIENCE).status == "done"
        assert len(log.rows()[0].results) == 1
    finally:
        loop.left(token)

"""The gate before a client's requests: how many at once, in what order, and what it learns."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Request, Server, json_reply, pictures
from ttapi_nb import Budget, RunLog, loop, start_edit
from ttapi_nb.client import AsyncClient, Client, default_client, gate, sending
from ttapi_nb.errors import BudgetError, RateLimitError, RunCancelledError, SettingsError
from ttapi_nb.run import Run

KEY = "sk-gate-0123456789"
GOOD = json_reply(pictures(Image.new("RGB", (64, 64), "teal")))


class Counted:
    """Answers when `held` is let go, counts how many are under way, and refuses those beyond `most`."""

    def __init__(self, server: Server, most: int = 1000, wait: str | None = None) -> None:
        self.held = server.event()
        self.under_way = self.highest = self.refused = 0
        self.prompts: list[str] = []
        self._most, self._wait = most, wait
        self._changed = threading.Condition()
        server.answer = self.answer

    def answer(self, request: Request) -> Reply:
        with self._changed:
            if self.under_way >= self._most:
                self.refused += 1
                self._changed.notify_all()
                headers = {} if self._wait is None else {"Retry-After": self._wait}
                return json_reply({"error": {"message": "slow down"}}, 429, headers=headers)
            self.under_way += 1
            self.highest = max(self.highest, self.under_way)
            self.prompts.append(request.json["prompt"])
            self._changed.notify_all()
        assert self.held.wait(PATIENCE)
        with self._changed:
            self.under_way -= 1
        return GOOD

    def wait_for(self, under_way: int, refused: int = 0) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: self.under_way == under_way and self.refused >= refused, PATIENCE
            )


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def waits(run: Run, word: str = "its turn") -> None:
    """Wait until the run says that it waits."""
    said = threading.Event()
    run.on_change(lambda run: said.set() if word in run.note else None)
    assert word in run.note or said.wait(PATIENCE)


def test_so_many_at_once_whoever_asks(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Runs, calls on threads and awaited calls of one client go through one gate, and all come through."""
    counted = Counted(server)
    client = Client(KEY, base_url=server.url, at_once=3)
    runs = [start_edit(photo, f"run {number}", client=client, log=log) for number in range(3)]
    counted.wait_for(3)
    runs.append(start_edit(photo, "run 3", client=client, log=log))
    waits(runs[3])
    assert (runs[3].status, log.rows()[0].sent) == ("sending", False)
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(client.images.edit, image=photo, prompt="call") for _ in range(3)]
        counted.held.set()
        assert [run.wait(PATIENCE).status for run in runs] == 4 * ["done"]
        assert all(call.result(PATIENCE).data for call in calls)
    assert (counted.highest, counted.refused, len(server.posts)) == (3, 0, 7)


def test_gather(server: Server, photo: Image.Image) -> None:
    """Many awaited at once are sent so many at a time, without a refusal."""
    counted = Counted(server, most=4)
    client = AsyncClient(KEY, base_url=server.url, at_once=4)

    async def many() -> list[Any]:
        return await asyncio.gather(*(client.images.edit(image=photo, prompt="x") for _ in range(12)))

    counted.held.set()
    assert all(response.data for response in asyncio.run(many()))
    assert (counted.highest <= 4, counted.refused, len(server.posts)) == (True, 0, 12)


def test_first_come_first_served(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Those that wait go in the order in which they came."""
    counted = Counted(server)
    client = Client(KEY, base_url=server.url, at_once=1)
    runs = []
    for number in range(6):
        runs.append(start_edit(photo, str(number), client=client, log=log))
        if number:
            waits(runs[-1])
        else:
            counted.wait_for(1)
    counted.held.set()
    for run in runs:
        run.wait(PATIENCE)
    assert counted.prompts == ["0", "1", "2", "3", "4", "5"]


def test_cancelling_one_that_waits_costs_nothing(server: Server, photo: Image.Image, log: RunLog) -> None:
    """It is not sent, its reservation is free again at once, and the next one takes its turn."""
    counted = Counted(server)
    client = Client(KEY, base_url=server.url, at_once=1)
    budget = Budget(runs=3)
    first = start_edit(photo, "first", client=client, log=log, budget=budget)
    counted.wait_for(1)
    second = start_edit(photo, "second", client=client, log=log, budget=budget)
    third = start_edit(photo, "third", client=client, log=log, budget=budget)
    waits(second)
    waits(third)
    with pytest.raises(BudgetError):
        start_edit(photo, "over", client=client, log=log, budget=budget)
    second.cancel()
    with pytest.raises(RunCancelledError, match="nothing was billed"):
        second.wait(PATIENCE)
    fourth = start_edit(photo, "fourth", client=client, log=log, budget=budget)
    counted.held.set()
    for run in (first, third, fourth):
        run.wait(PATIENCE)
    assert counted.prompts == ["first", "third", "fourth"]
    row = next(row for row in log.rows() if row.id == second.id)
    assert (row.state, row.sent) == ("cancelled", False)


def test_stopping_an_awaited_call_that_waits(server: Server, photo: Image.Image) -> None:
    """A call whose caller's own deadline ends while it waits is not sent, and warns of nothing."""
    counted = Counted(server)
    client = AsyncClient(KEY, base_url=server.url, at_once=1)

    async def scene() -> None:
        first = asyncio.ensure_future(client.images.edit(image=photo, prompt="first"))
        await asyncio.to_thread(counted.wait_for, 1)
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(client.images.edit(image=photo, prompt="late"), 0.2)
        assert not getattr(caught.value.__cause__, "__notes__", [])
        counted.held.set()
        await first

    asyncio.run(scene())
    assert counted.prompts == ["first"]


@pytest.mark.slow
def test_waiting_is_not_the_requests_own_time(server: Server, photo: Image.Image) -> None:
    """What waits for longer than a request's own time is sent all the same, and has all of that time then."""
    counted = Counted(server)
    client = Client(KEY, base_url=server.url, at_once=1, timeout=1.5)

    def answer(request: Request) -> Reply:
        time.sleep(0.6)
        return GOOD

    counted.held.set()
    server.answer = answer
    runs = [start_edit(photo, "x", client=client, log=False) for _ in range(3)]
    assert [run.wait(PATIENCE).status for run in runs] == 3 * ["done"]


def test_it_learns_how_many_the_service_takes(
    server: Server, photo: Image.Image, log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals of the first round are the last: from then on no more go at once than were taken."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.05)
    counted = Counted(server, most=3)
    client = Client(KEY, base_url=server.url, at_once=8, wait_when_busy=60)
    runs = [start_edit(photo, str(number), client=client, log=log) for number in range(16)]
    counted.wait_for(3, refused=1)
    counted.held.set()
    assert [run.wait(PATIENCE).status for run in runs] == 16 * ["done"]
    assert counted.refused <= 5
    assert counted.highest == 3
    assert {row.state for row in log.rows()} == {"done"}


@pytest.mark.slow
def test_a_pause_is_everybodys(server: Server, photo: Image.Image) -> None:
    """Where the service asks for a pause, those that wait for their turn wait for that too, and then are taken."""
    counted = Counted(server)
    client = Client(KEY, base_url=server.url, at_once=1)
    times: list[float] = []

    def answer(request: Request) -> Reply:
        times.append(time.monotonic())
        if len(times) == 1:
            return json_reply({}, 429, headers={"Retry-After": "1"})
        return GOOD

    counted.held.set()
    server.answer = answer
    runs = [start_edit(photo, "x", client=client, log=False) for _ in range(3)]
    with pytest.raises(RateLimitError):
        runs[0].wait(PATIENCE)
    assert [run.wait(PATIENCE).status for run in runs[1:]] == 2 * ["done"]
    assert 0.95 <= times[1] - times[0] < 5
    assert times[2] - times[1] < 0.9


def test_a_pause_too_long_to_wait(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Whoever waits when the service asks for an hour is told so, and nothing of it is sent."""
    held = server.event()
    server.answer = json_reply({}, 429, headers={"Retry-After": "3600"}, hold=held)
    client = Client(KEY, base_url=server.url, at_once=1)
    first = start_edit(photo, "x", client=client, log=log)
    server.wait_for(1)
    second = start_edit(photo, "x", client=client, log=log)
    waits(second)
    held.set()
    for run in (first, second, start_edit(photo, "x", client=client, log=log)):
        with pytest.raises(RateLimitError) as caught:
            run.wait(PATIENCE)
        assert caught.value.retry_after is not None
        assert 3590 < caught.value.retry_after <= 4500
    assert len(server.posts) == 1
    assert [row.state for row in log.rows()] == 3 * ["refused"]
    assert log.totals().runs == 0


@pytest.mark.slow
def test_so_many_in_a_minute(server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more begin within a minute than may; one that was stopped before it left is none of them."""
    monkeypatch.setattr(gate, "MINUTE", 0.8)
    times: list[float] = []

    def answer(request: Request) -> Reply:
        times.append(time.monotonic())
        return GOOD

    server.answer = answer
    client = Client(KEY, base_url=server.url, per_minute=2)
    runs = [start_edit(photo, "x", client=client, log=False) for _ in range(6)]
    waits(runs[3], "within a minute")
    runs[3].cancel()
    for run in runs[:3] + runs[4:]:
        run.wait(PATIENCE)
    assert len(times) == 5
    # Between the requests' own clocks and the server's there is a little.
    assert all(later - earlier > 0.7 for earlier, later in zip(times, times[2:], strict=False))
    assert times[-1] - times[0] < 10


@pytest.mark.parametrize("value", [0, -1, 1001, 1.5, True, None, "16", float("nan")])
def test_at_once_that_can_not_be(value: Any) -> None:
    """A number of requests that makes no sense is refused when the client is made."""
    with pytest.raises(SettingsError, match=r"at_once.* is not a whole number from 1 to 1000\. Leave it out"):
        Client(KEY, at_once=value)


@pytest.mark.parametrize("value", [0, -1, 0.5, True, "10", float("inf")])
def test_per_minute_that_can_not_be(value: Any) -> None:
    """So is one for a minute."""
    with pytest.raises(SettingsError, match=r"per_minute.* is not a whole number of 1 or more"):
        Client(KEY, per_minute=value)


def test_all_that_name_no_client_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of the environment's key is one, as long as that key is the same."""
    monkeypatch.setenv("TT_API_KEY", KEY)
    first = default_client()
    assert default_client() is first
    monkeypatch.setenv("TT_API_KEY", f"{KEY}-other")
    second = default_client()
    assert second is not first
    monkeypatch.delenv("TT_API_KEY")
    assert default_client().is_offline


# What it learns, without a network


def learned(refusals: int, at_once: int = 16) -> tuple[gate.Gate, list[gate.Turn]]:
    """A gate full of requests, of which the last so many were refused, and those that were taken."""
    found = gate.Gate(at_once)

    async def scene() -> list[gate.Turn]:
        turns = [found.turn() for _ in range(at_once)]
        for turn in turns:
            await turn.come()
            turn.goes()
        for turn in turns[at_once - refusals :]:
            turn.refused(429, None, 0.01)
            turn.leave()
        return turns[: at_once - refusals]

    return found, loop.call(scene())


async def fill(found: gate.Gate, tries: int = 20) -> list[gate.Turn]:
    """Those of so many that come through at once; the others stop waiting."""
    turns = [found.turn() for _ in range(tries)]
    tasks = [asyncio.ensure_future(turn.come()) for turn in turns]
    await asyncio.wait(tasks, timeout=0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    through = [turn for turn, task in zip(turns, tasks, strict=True) if not task.cancelled()]
    for turn in through:
        turn.goes()
    return through


def leave(turns: list[gate.Turn], *, accepted: bool = True) -> None:
    """Their answers are here."""
    for turn in turns:
        if accepted:
            turn.accepted()
        turn.leave()


@pytest.mark.slow
def test_one_more_is_tried_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was too much is not tried again soon; after a while one more is, and less often where it is refused."""
    monkeypatch.setattr(gate, "FIRST_TRIAL", 0.3)
    found, taken = learned(refusals=12)

    async def scene() -> list[int]:
        leave(taken)
        counts = []
        turns = await fill(found)
        counts.append(len(turns))
        leave(turns)
        await asyncio.sleep(0.3)
        turns = await fill(found)
        counts.append(len(turns))
        assert [turn.is_trial for turn in turns] == [False] * 4 + [True]
        turns[4].refused(429, None, 0.01)
        turns[4].leave()
        leave(turns[:4])
        await asyncio.sleep(0.35)
        turns = await fill(found)
        counts.append(len(turns))
        leave(turns)
        await asyncio.sleep(0.35)
        turns = await fill(found)
        counts.append(len(turns))
        leave(turns)
        turns = await fill(found)
        counts.append(len(turns))
        leave(turns)
        return counts

    assert loop.call(scene()) == [4, 5, 4, 5, 5]


def test_a_service_that_took_none_is_asked_by_one_first() -> None:
    """Where all were refused, one goes after the pause, and each that is taken lets more follow."""
    found, taken = learned(refusals=16)
    assert taken == []

    async def scene() -> list[int]:
        counts: list[int] = []
        while not counts or counts[-1] < 16:
            turns = await fill(found)
            counts.append(len(turns))
            leave(turns)
        return counts

    counts = [count for count in loop.call(scene()) if count]
    assert counts[:4] == [1, 2, 4, 8]
    assert counts[-1] == 16


def test_pauses_are_never_quite_the_same() -> None:
    """Two clients that were refused together don't come again together."""
    pauses = {gate.apart(10.0) for _ in range(100)}
    assert len(pauses) == 100
    assert 10 <= min(pauses) < max(pauses) <= 12


def test_whoever_is_stopped_as_it_is_let_in_leaves_its_place() -> None:
    """Stopped at any moment of its waiting, a turn takes no place with it."""
    found = gate.Gate(1)

    async def scene() -> None:
        for steps in range(6):
            first = found.turn()
            await first.come()
            waiting = asyncio.ensure_future(found.turn().come())
            await asyncio.sleep(0)
            if steps % 2:
                first.leave()
                waiting.cancel()
            else:
                waiting.cancel()
                first.leave()
            for _ in range(steps):
                await asyncio.sleep(0)
            last = found.turn()
            await asyncio.wait_for(last.come(), 5)
            last.leave()

    loop.call(scene())


@pytest.mark.parametrize("way_out", ["goes", "leave"])
def test_work_on_pictures_waits_for_who_was_let_in(way_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From when it is let in until its first byte leaves, or it goes away, others hold back."""
    monkeypatch.setattr(loop, "BEHIND", PATIENCE)

    async def one() -> None:
        turn = gate.Gate(1).turn()
        await turn.come()
        work = asyncio.wrap_future(loop.start(lambda: loop.calmly(lambda: True)))
        done, _ = await asyncio.wait((work,), timeout=0.05)
        assert not done
        getattr(turn, way_out)()
        assert await asyncio.wait_for(work, PATIENCE / 2)
        turn.leave()

    asyncio.run(one())

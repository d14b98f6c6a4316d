"""Ctrl+C at any line of a call that sends: nothing leaves, or whoever stopped it is told; and all works after it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import linecache
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, json_reply, pictures
from tests.support.interrupts import interrupts
from ttapi_nb import (
    AsyncClient,
    Client,
    Experiment,
    Mask,
    RefusedError,
    Run,
    RunLog,
    TTAPIError,
    edit,
    exiting,
    loop,
    start_edit,
)
from ttapi_nb.experiment import Trial
from ttapi_nb.log import file, fork
from ttapi_nb.threads import InTurn, Threads

KEY = "test-key-0123456789"
PACKAGE = Path(loop.__file__).parent
# What is stopped as it is made was never begun, which Python remarks on.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]

# Where a call goes through once its pictures are open.
ON_THE_WAY = (
    "client/client.py",
    "client/images.py",
    "client/asking.py",
    "run/editing.py",
    "run/carrier.py",
    "run/entry.py",
    "run/tiled.py",
)
EXPERIMENTS = ("experiment/experiment.py", "experiment/underway.py")
BELOW = ("exiting.py", "loading.py", "loop.py", "threads.py")
# Seconds for which a line waits for a request that a lock, held by that very line, may keep from coming.
HELD_UP = 0.1


class Interrupt:
    """Interrupts the line of that number, from 1, of those of `files` that a call goes through on this thread, when
    all that goes on by then has come as far as it can (`come_so_far`).
    """

    def __init__(self, number: int, files: tuple[str, ...], come_so_far: Callable[[], object]) -> None:
        self._left, self._files, self._come = number, tuple(str(PACKAGE / one) for one in files), come_so_far
        self.at = ""
        self._entered: set[tuple[FrameType, int]] = set()

    def _follow(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.endswith(self._files):
            return None
        if event == "line" and not self._is_safe(frame):
            self._left -= 1
            if not self._left:
                self.at = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                sys.settrace(None)
                self._come()
                raise KeyboardInterrupt
        return self._follow

    def _is_safe(self, frame: FrameType) -> bool:
        # Where no real interrupt comes in: between a block's end and its letting go of a lock, and before a `try`.
        place, line = (frame, frame.f_lineno), linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if not line.lstrip().startswith("with "):
            return line.strip() == "try:"
        self._entered.symmetric_difference_update({place})
        return place not in self._entered

    def during(self, work: Callable[[], object]) -> BaseException | None:
        """What `work` raised, which it does but for its last line."""
        before = sys.gettrace()
        sys.settrace(self._follow)
        try:
            work()
        except (KeyboardInterrupt, TTAPIError) as error:
            return error
        finally:
            sys.settrace(before)
            self._entered.clear()
        return None


def each_line(
    files: tuple[str, ...], come_so_far: Callable[[], object]
) -> Iterator[Callable[[Callable[[], object]], BaseException | None]]:
    """For one line after the other, what calls some work and interrupts it there; until there is no such line."""
    for number in range(1, 500):
        interrupt = Interrupt(number, files, come_so_far)
        yield interrupt.during
        if not interrupt.at:
            assert number > 5, "it went through none of these files"
            return
    raise AssertionError("it goes on and on")


def come_so_far(server: Server) -> None:
    """Wait until a request has come, or nothing is under way that could send one."""
    runner, end = loop._runner, time.monotonic() + HELD_UP
    while not server.requests and time.monotonic() < end:
        assert runner._loop is not None
        # Behind whatever this very thread has given to the loop.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.001), runner._loop).result(PATIENCE)
        if not asyncio.all_tasks(runner._loop) and not runner.threads._busy and not runner.threads._work:
            return


def all_over() -> None:
    """Wait until nothing is under way any more, which nobody has to wait for in vain."""
    while under_way := list(exiting._under_way.values()):
        under_way[0].over.result(PATIENCE)
    assert loop.quiet(PATIENCE)


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def held(server: Server, answer: Reply) -> None:
    """Have it forget what came, and hold its answer back until it is let go."""
    server.requests.clear()
    server.answer = replace(answer, hold=server.event())


def by_client(server: Server, photo: Image.Image) -> Callable[[], object]:
    """A call of a bare client."""
    client = Client(KEY, base_url=server.url)
    return lambda: client.images.edit(image=photo, prompt="x")


def awaited(server: Server, photo: Image.Image) -> Callable[[], object]:
    """One that is awaited."""
    client = AsyncClient(KEY, base_url=server.url)
    return lambda: asyncio.run(client.images.edit(image=photo, prompt="x"))


@pytest.mark.parametrize("call", [by_client, awaited])
def test_a_client_tells_what_it_sent(
    server: Server,
    photo: Image.Image,
    call: Callable[..., Callable[[], object]],
) -> None:
    """Wherever it is interrupted: what has left is told in a note, and nothing else leaves."""
    work = call(server, photo)
    server.answer = Reply(400)
    with pytest.raises(RefusedError):
        work()
    sent = 0
    for interrupted in each_line((*ON_THE_WAY, *BELOW), lambda: come_so_far(server)):
        held(server, Reply(400))
        # The last line is the one that waits.
        letting_go = threading.Timer(2 * HELD_UP, server.let_go)
        letting_go.start()
        error = interrupted(work)
        refused = letting_go.finished.is_set()
        server.let_go()
        letting_go.cancel()
        all_over()
        notes = getattr(error, "__notes__", [])
        if isinstance(error, KeyboardInterrupt):
            assert len(notes) == len(server.posts) * (not refused)
            sent += len(notes)
    assert sent, "it never had left"


def whole(photo: Image.Image) -> tuple[dict[str, Any], Reply]:
    """An edit that is one request, and is refused."""
    return {"image": photo, "prompt": "x"}, Reply(400)


def in_tiles(_: Image.Image) -> tuple[dict[str, Any], Reply]:
    """An edit of two tiles or more, all of which the service makes."""
    wide = Image.new("RGB", (640, 256), "teal")
    mask = Mask(wide.size).paint([(20, 128), (620, 128)], radius=6)
    sent = {"model": "dall-e-2", "size": "256x256", "fit": "tiles"}
    made = json_reply(pictures(Image.new("RGB", (256, 256), "lime")))
    return {"image": wide, "prompt": "x", "mask": mask, **sent}, made


@pytest.mark.parametrize(("begin", "how"), [(start_edit, whole), (start_edit, in_tiles), (edit, whole)])
def test_a_run_is_kept_or_does_not_leave(
    server: Server,
    photo: Image.Image,
    log: RunLog,
    begin: Callable[..., Run],
    how: Callable[..., tuple[dict[str, Any], Reply]],
) -> None:
    """Wherever it is interrupted as it begins: the log has what came of what left, Python waits for it, its caller is
    told where it is, and nothing else leaves.
    """
    client = Client(KEY, base_url=server.url)
    fields, answer = how(photo)

    def work() -> Run:
        return begin(**fields, client=client, log=log)

    server.answer = answer
    with contextlib.suppress(RefusedError):
        work().wait(PATIENCE)
    whole_of_it, known, told = len(server.posts), len(log.rows()), 0
    for interrupted in each_line((*ON_THE_WAY, *BELOW), lambda: come_so_far(server)):
        held(server, answer)
        # The last line of an edit is the one that waits.
        letting_go = threading.Timer(2 * HELD_UP, server.let_go)
        if begin is edit:
            letting_go.start()
        error = interrupted(work)
        over = letting_go.finished.is_set()
        assert over or sum(one.has_left for one in exiting._under_way.values()) >= len(server.posts)
        server.let_go()
        letting_go.cancel()
        all_over()
        rows = log.rows()
        new = rows[: len(rows) - known]
        known = len(rows)
        if not isinstance(error, KeyboardInterrupt):
            assert len(server.posts) == len(new) == whole_of_it
        elif server.posts and not over:
            (row,), (note,) = new, error.__notes__
            assert (row.state, len(server.posts)) == ("refused" if answer.status == 400 else "done", 1)
            assert "may be billed" in note
            assert row.id in note
            told += 1
        else:
            assert over or {row.state for row in new} <= {"not sent"}
            assert not hasattr(error, "__notes__")
    assert told, "it never had left"


@pytest.mark.parametrize("begin", ["run", "start", "resume"])
def test_an_experiment_sends_nothing_more(
    server: Server, photo: Image.Image, log: RunLog, begin: str
) -> None:
    """Wherever it is interrupted as it begins, what has left is all that leaves, and is kept."""
    client = Client(KEY, base_url=server.url)
    names, answer, sent = itertools.count(), json_reply(pictures(photo)), 0
    waits = begin == "run"

    def work() -> None:
        plan = Experiment(["one", "two", "three"], photo, "gpt-image-1", name=f"plan {next(names)}")
        if waits:
            plan.run(client, parallel=1, log=log, progress=False)
        elif begin == "start":
            plan.start(client, parallel=1, log=log)
        else:
            Trial(plan, log=log).resume(client, parallel=1)

    server.answer = answer
    work()
    all_over()
    known = len(log.rows())
    for interrupted in each_line(
        (*EXPERIMENTS, *(["experiment/sender.py"] if waits else [])), lambda: come_so_far(server)
    ):
        held(server, answer)
        letting_go = threading.Timer(2 * HELD_UP, server.let_go)
        if waits:
            letting_go.start()
        error = interrupted(work)
        over = letting_go.finished.is_set()
        # What has left is on its way to the server.
        server.wait_for(sum(one.has_left for one in exiting._under_way.values()))
        left = len(server.posts)
        server.let_go()
        letting_go.cancel()
        all_over()
        rows = log.rows()
        states = [row.state for row in rows[: len(rows) - known]]
        known = len(rows)
        assert states.count("done") == len(server.posts)
        assert over or len(server.posts) == (left if isinstance(error, KeyboardInterrupt) else 3)
        if left and isinstance(error, KeyboardInterrupt):
            (note,) = error.__notes__
            assert "run it again to send the rest" in note
            sent += 1
    assert sent, "it never had left"


@interrupts
@pytest.mark.parametrize("logged", [True, False])
def test_whoever_stops_waiting_is_told_where_the_run_is(
    server: Server, photo: Image.Image, log: RunLog, logged: bool
) -> None:
    """With a log it is found there, and without one in the run."""
    held(server, Reply(400))
    client, here = Client(KEY, base_url=server.url), threading.get_ident()
    run = start_edit(photo, "x", client=client, log=log if logged else False)

    def interrupt() -> None:
        server.wait_for(1)
        signal.pthread_kill(here, signal.SIGINT)

    thread = threading.Thread(target=interrupt)

    def wait() -> None:
        thread.start()
        run.wait(PATIENCE)

    with pytest.raises(KeyboardInterrupt) as caught:
        wait()
    thread.join()
    (note,) = caught.value.__notes__
    assert "may be billed" in note
    assert (run.id if logged else "wait()") in note
    server.let_go()
    all_over()
    with pytest.raises(RefusedError):
        run.wait()


def test_whoever_stops_awaiting_a_run_is_told_too(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A task that is cancelled leaves the run going, and its error says where it is."""
    held(server, Reply(400))

    async def gives_up() -> list[str]:
        run = start_edit(photo, "x", client=Client(KEY, base_url=server.url), log=log)

        async def waits() -> list[str]:
            try:
                await run
            except asyncio.CancelledError as error:
                return error.__notes__
            return []

        task = asyncio.ensure_future(waits())
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        notes = await task
        assert run.id in notes[0]
        return notes

    assert len(asyncio.run(gives_up())) == 1
    server.let_go()
    all_over()


def test_a_log_works_after_it(log: RunLog, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted anywhere as it is read or written, it lets others write, and a fork does not wait for it."""
    # Whoever is interrupted as they let go of their turn keeps it for so long.
    monkeypatch.setattr(file, "LONGEST_TURN", 0.05)
    run = start_edit(photo, "x", client=Client.offline(fill=lambda image, *_: image), log=log).wait(PATIENCE)

    def used(stars: int) -> None:
        log.rate(run.id, stars=stars)
        assert log.row(run.id).ratings[1].stars == stars

    for number, interrupted in enumerate(each_line(("log/file.py",), lambda: None)):
        interrupted(lambda: used(5))
        loop.start(partial(used, 1 + number % 4)).result(PATIENCE)
        assert loop.quiet(PATIENCE)
        assert fork._gate._inside == {}


def test_threads_lose_no_place() -> None:
    """Interrupted anywhere as they take work in, they take in what comes after."""

    def take_in(pool: Threads) -> int:
        return pool.submit(lambda: 1).result(PATIENCE)

    for interrupted in each_line(("threads.py",), lambda: None):
        pool = Threads("test", 1)
        interrupted(partial(take_in, pool))
        assert take_in(pool) == 1


def test_a_turn_is_never_lost() -> None:
    """Interrupted anywhere as one has it, the next has it too, if perhaps later."""

    def taken(in_turn: InTurn) -> bool:
        with in_turn.turn():
            return True

    for interrupted in each_line(("threads.py",), lambda: None):
        in_turn = InTurn(0.01)
        interrupted(partial(taken, in_turn))
        assert taken(in_turn)
        in_turn.patience = PATIENCE
        assert taken(in_turn)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[loop._Runner], bool]]:
    """Whether the loop of a runner carries anything out; ended with the test."""
    made: dict[asyncio.AbstractEventLoop, threading.Thread | None] = {}

    def serve(one: asyncio.AbstractEventLoop) -> None:
        one.run_forever()
        one.close()

    def answers(runner: loop._Runner) -> bool:
        one = runner.loop()
        made[one] = runner.thread
        return asyncio.run_coroutine_threadsafe(asyncio.sleep(0, True), one).result(PATIENCE)

    monkeypatch.setattr(loop, "_serve", serve)
    yield answers
    for one, thread in made.items():
        one.call_soon_threadsafe(one.stop)
        assert thread is not None
        thread.join(PATIENCE)
    with warnings.catch_warnings():
        # Of those that were interrupted before they had a thread.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_loop_is_whole_or_made_again(answers: Callable[[loop._Runner], bool]) -> None:
    """Interrupted anywhere as it is made, the next call has one that answers."""
    for interrupted in each_line(("loop.py",), lambda: None):
        runner = loop._Runner()
        interrupted(runner.loop)
        assert answers(runner)


def test_a_loop_without_a_thread_is_none(
    answers: Callable[[loop._Runner], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system had no thread for it once, it may have one the next time."""
    runner = loop._Runner()
    with monkeypatch.context() as short:

        def none(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        short.setattr(threading.Thread, "start", none)
        with pytest.raises(RuntimeError):
            runner.loop()
    assert answers(runner)

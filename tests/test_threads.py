"""The package's own threads: they grow, end, and never keep Python from ending; lanes keep order."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial

import pytest

from tests.server import PATIENCE
from ttapi_nb import loop, threads
from ttapi_nb.threads import Calm, InTurn, Lane, Threads, Together


def test_nobody_waits_for_another() -> None:
    """However many pieces of work hang, one more is done; and when they end, their threads are used again."""
    pool, go = Threads("test"), threading.Event()
    hanging = [pool.submit(go.wait, PATIENCE) for _ in range(40)]
    assert pool.submit(lambda: "done").result(PATIENCE) == "done"
    go.set()
    assert all(future.result(PATIENCE) for future in hanging)
    assert pool.quiet(PATIENCE)
    before = threading.active_count()
    for number in range(200):
        assert pool.submit(int, number).result(PATIENCE) == number
    assert threading.active_count() <= before


def test_no_more_at_once_than_said() -> None:
    """A pool with a limit does no more at a time, and all of it in the end."""
    pool, most, now = Threads("test", 3), [0], [0]
    guard = threading.Lock()
    together = threading.Barrier(3)

    def work() -> None:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(PATIENCE)
        with guard:
            now[0] -= 1

    for future in [pool.submit(work) for _ in range(12)]:
        future.result(PATIENCE)
    assert most == [3]


def test_threads_with_nothing_to_do_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that nobody needs any more end by themselves."""
    monkeypatch.setattr(threads, "IDLE", 0.01)
    pool = Threads("test-that-ends")
    gone: list[threading.Thread] = []
    pool.submit(lambda: gone.append(threading.current_thread())).result(PATIENCE)
    gone[0].join(PATIENCE)
    assert not gone[0].is_alive()
    assert pool.submit(lambda: "again").result(PATIENCE) == "again"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit])
def test_what_work_raises(kind: type[BaseException]) -> None:
    """Whatever work raises goes to who waits for it, and its thread takes the next piece."""
    pool = Threads("test", 1)

    def fails() -> None:
        raise kind("of the work's")

    with pytest.raises(kind, match="of the work's"):
        pool.submit(fails).result(PATIENCE)
    assert pool.submit(lambda: 1).result(PATIENCE) == 1


def test_work_that_is_taken_back() -> None:
    """Work that is cancelled before its turn is not done."""
    pool, go = Threads("test", 1), threading.Event()
    done: list[int] = []
    pool.submit(go.wait, PATIENCE)
    future = pool.submit(done.append, 1)
    assert future.cancel()
    go.set()
    assert pool.quiet(PATIENCE)
    assert done == []
    with pytest.raises(CancelledError):
        future.result()


def test_who_sees_to_several_may_wait_for_the_next() -> None:
    """What comes within the time that is given is taken with the rest; after that somebody else has to begin."""
    together: Together[str] = Together()
    assert together.add("a")
    assert together.taken() == ["a"]
    waits = Threads("test").submit(together.taken, PATIENCE)
    assert not together.add("b")
    assert waits.result(PATIENCE) == ["b"]
    assert together.taken(0.001) == []
    assert together.add("c")


def test_one_is_through_before_the_next_begins() -> None:
    """Who wait for their turn have it one by one, but for who has waited for too long."""
    in_turn, threads_ = InTurn(PATIENCE), Threads("test")
    inside, most, guard = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with in_turn.turn():
            with guard:
                inside += 1
                most = max(most, inside)
            with guard:
                inside -= 1

    for future in [threads_.submit(work) for _ in range(50)]:
        future.result(PATIENCE)
    assert most == 1
    with in_turn.turn():
        in_turn.patience = 0.0
        with in_turn.turn():
            pass
        # Whoever has it so long may never let go: the next has no need to wait.
        in_turn.patience = PATIENCE
        with in_turn.turn():
            pass


def test_a_lane_keeps_order() -> None:
    """A lane does one thing after the other, whatever they raise, and knows which work is its own."""
    lane = loop.lane()
    order: list[int] = []
    here: list[bool] = []
    go = threading.Event()

    def first() -> None:
        go.wait(PATIENCE)
        order.append(0)
        here.append(lane.is_here())
        raise SystemExit

    futures: list[Future[None]] = [lane.submit(first)]
    futures += [lane.submit(partial(order.append, number)) for number in range(1, 50)]
    other = loop.lane().submit(lambda: "meanwhile").result(PATIENCE)
    assert (other, order) == ("meanwhile", [])
    go.set()
    futures[-1].result(PATIENCE)
    assert order == list(range(50))
    assert (here, lane.is_here()) == ([True], False)


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, a pool with none says so, one with some uses those, and a lane goes on later."""
    pool = Threads("test")
    used = Threads("test")
    used.submit(lambda: None).result(PATIENCE)
    lane = Lane(pool.submit)

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="new thread"):
            pool.submit(lambda: None)
        with pytest.raises(RuntimeError, match="new thread"):
            lane.submit(lambda: None)
        both = [used.submit(lambda: "one"), used.submit(lambda: "two")]
        assert [future.result(PATIENCE) for future in both] == ["one", "two"]
        # As Python ends, what waits for a thread is done by who waits for it.
        patch.setattr(threads, "leaving", threading.Event())
        threads.leaving.set()
        late = pool.submit(lambda: "late")
        assert pool.help_out()
        assert not pool.help_out()
        assert late.result(0) == "late"
    assert lane.submit(lambda: "later").result(PATIENCE) == "later"


def test_python_ends() -> None:
    """A thread that hangs for ever does not keep Python from ending."""
    script = "import threading; from ttapi_nb import loop; loop.start(threading.Event().wait)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_loop_outlives_what_is_thrown() -> None:
    """SystemExit and KeyboardInterrupt on the loop, in a task or a callback, end neither it nor other tasks."""

    async def throws(kind: type[BaseException]) -> None:
        raise kind

    thread = None
    for kind in (SystemExit, KeyboardInterrupt):
        with pytest.raises(kind):
            loop.submit(throws(kind)).result(PATIENCE)

        def thrown(kind: type[BaseException] = kind) -> None:
            raise kind

        loop._runner.loop().call_soon_threadsafe(thrown)
        thread = thread or loop._runner.thread
        assert loop.submit(loop.in_thread(threading.get_ident)).result(PATIENCE)
        assert loop._runner.thread is thread


@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_as_work_is_given_to_a_lane(when: str) -> None:
    """Ctrl+C as a lane begins loses no work, whether its thread was there by then or not, and keeps the order."""
    pool, interrupts, done = Threads("test"), [True], list[int]()

    def start(work: Callable[[], None]) -> None:
        if when == "after" or not interrupts:
            pool.submit(work)
        if interrupts:
            interrupts.clear()
            raise KeyboardInterrupt

    lane = Lane(start)
    with pytest.raises(KeyboardInterrupt):
        lane.submit(lambda: done.append(0))
    for number in range(1, 50):
        last = lane.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    last.result(20)
    assert done == list(range(50))


def test_work_waits_for_what_is_about_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on when the last has left, or when its patience is over; for one that never leaves it waits no more."""
    calm, gone = Calm(), threading.Event()

    def work() -> None:
        calm.wait(PATIENCE)
        gone.set()

    calm.begin("one")
    calm.begin("other")
    waiting = Threads("test").submit(work)
    calm.end("one")
    calm.wait(0.01)
    assert not gone.is_set()
    calm.end("other")
    calm.end("other")
    waiting.result(PATIENCE)
    monkeypatch.setattr(threads, "LONG", 0.0)
    calm.begin("never")
    calm.wait(0.01)
    calm.wait(PATIENCE)
    assert not calm._leaving

"""The package's own event loop: one, on one thread, for every caller, and a new one after a fork."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from tests.server import PATIENCE
from ttapi_nb import loop


async def _where() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    return asyncio.get_running_loop(), threading.current_thread()


def test_one_loop_for_all() -> None:
    """Calls from many threads, and from inside other loops, all run on one loop on one thread of its own."""

    async def from_inside() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        return loop.call(_where())

    with ThreadPoolExecutor(8) as pool:
        found = {*pool.map(lambda _: loop.call(_where()), range(16)), asyncio.run(from_inside())}
    ((_, thread),) = found
    assert thread is not threading.current_thread()
    assert thread.daemon, "it must not keep Python from ending"


def test_results_and_errors() -> None:
    """A call gives what its work gives, or raises what that raises."""

    async def fails() -> None:
        raise LookupError("gone")

    assert loop.call(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(LookupError, match="gone"):
        loop.call(fails())
    with pytest.raises(LookupError, match="gone"):
        loop.submit(fails()).result(PATIENCE)


def test_cancelling_the_future_cancels_the_task() -> None:
    """Work that was submitted ends when its future is cancelled."""
    started, ended = threading.Event(), threading.Event()

    async def waits() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    future = loop.submit(waits())
    assert started.wait(PATIENCE)
    future.cancel()
    assert ended.wait(PATIENCE)
    with pytest.raises(CancelledError):
        future.result(PATIENCE)


def test_waiting_for_itself() -> None:
    """Work on the loop that would wait for the loop is told so, instead of hanging for ever."""

    async def waits_for_itself() -> bool:
        assert loop.is_here()
        loop.call(asyncio.sleep(0))
        return True

    with pytest.raises(RuntimeError, match="another thread"):
        loop.submit(waits_for_itself()).result(PATIENCE)
    assert not loop.is_here()


def test_threads_that_wait_for_the_loop() -> None:
    """Many pieces of work that each wait for the loop's own threads do not use those up."""

    def needs_a_thread_of_the_loop() -> int:
        return loop.call(asyncio.to_thread(threading.get_ident))

    async def many() -> list[int]:
        return await asyncio.gather(*(loop.open_in_thread(needs_a_thread_of_the_loop) for _ in range(64)))

    assert len(loop.submit(many()).result(PATIENCE)) == 64


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork() -> None:
    """A forked child has a working loop of its own, whatever its parent was doing."""
    script = """
import asyncio, os, warnings
from ttapi_nb import loop
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is what this is about
async def opened(): return await loop.open_in_thread(lambda: 1)
assert loop.call(opened()) == 1
child = os.fork()
if child == 0:
    os._exit(7 if loop.submit(opened()).result(10) == 1 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert loop.call(opened()) == 1
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

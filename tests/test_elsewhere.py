"""Other processes: what is pickled into them, and what a forked child has of its parent's."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, json_reply, pictures
from ttapi_nb import (
    AsyncClient,
    Budget,
    Client,
    EditRequest,
    Mask,
    PriceTable,
    RefusedError,
    ResultError,
    Run,
    RunLog,
    edit,
    start_edit,
)

KEY = "test-key-0123456789"
MASK = Mask((64, 64)).rectangle((8, 8, 40, 40))


def unchanged(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """The least that an engine can do."""
    return image


@pytest.fixture
def client(server: Server) -> Client:
    """A client of the test's server."""
    return Client(KEY, base_url=server.url)


@pytest.mark.slow
def test_a_finished_run_travels(server: Server, photo: Image.Image, client: Client) -> None:
    """A finished run is all there when it was pickled, with its results, and holds no key."""
    run = edit(photo, "a red sofa", mask=MASK, client=client, extra_body={"seed": 7})
    data = pickle.dumps(run)
    assert KEY.encode() not in data
    again: Run = pickle.loads(data)
    assert again.wait() is again
    assert asyncio.run(_awaited(again)) is again
    assert (again.id, again.status, again.done, again.note, again.seconds) == (
        run.id,
        "done",
        True,
        run.note,
        run.seconds,
    )
    assert again.results[0].image.tobytes() == run.results[0].image.tobytes()
    assert again.results[0].raw.tobytes() == run.results[0].raw.tobytes()
    assert again.results[0].leak == run.results[0].leak
    assert again.results[0].lineage == run.results[0].lineage
    assert again.response is not None
    assert again.response == run.response
    assert again.plan == run.plan
    assert (again.request.prompt, dict(again.request.extra_body)) == ("a red sofa", {"seed": 7})
    assert again.request.body() == run.request.body()
    assert again.request.mask == run.request.mask
    assert again.log is not None
    assert again.log.row(again.id).state == "done"
    again.cancel()
    again.on_change(lambda run: None)
    assert pickle.loads(pickle.dumps(again)).results[0].number == 1


async def _awaited(run: Run) -> Run:
    return await run


def test_a_failed_run_travels(server: Server, photo: Image.Image, client: Client) -> None:
    """A run that failed raises the same in the other process."""
    server.answer = json_reply({"error": {"message": "too wild", "code": "moderation_blocked"}}, 400)
    run = start_edit(photo, "x", client=client)
    with pytest.raises(RefusedError) as here:
        run.wait(PATIENCE)
    with pytest.raises(RefusedError) as there:
        pickle.loads(pickle.dumps(run)).wait()
    assert (str(there.value), there.value.code) == (str(here.value), "moderation_blocked")


def test_a_run_under_way_travels_as_it_was(server: Server, photo: Image.Image, client: Client) -> None:
    """Of a run under way the copy has the status; who waits for it, or stops it, is told where it is."""
    server.answer = Reply(200, json_reply(pictures(photo)).body, hold=server.event())
    run = start_edit(photo, "x", client=client)
    server.wait_for(1)
    for again in (pickle.loads(pickle.dumps(run)), copy.deepcopy(run)):
        assert (again.status, again.done, repr(again)) == (run.status, False, repr(run))
        for use in (again.wait, again.cancel, lambda again=again: asyncio.run(_awaited(again))):
            with pytest.raises(ResultError, match="in the process that began it"):
                use()
    server.let_go()
    assert run.wait(PATIENCE).results


def test_what_can_not_travel_is_left_behind(
    server: Server, photo: Image.Image, client: Client, tmp_path
) -> None:
    """A price function or log class that can't be pickled does not keep a run here; the estimate goes along."""

    class Mine(RunLog):
        pass

    budget = Budget(prices=PriceTable(lambda model, options: 0.5, "USD"))
    run = edit(photo, "x", client=client, budget=budget, log=Mine(tmp_path / "log"))
    again = pickle.loads(pickle.dumps(run))
    assert (again.budget, again.log, again.estimate, again.cost) == (None, None, run.estimate, 0.5)


def test_requests_travel(photo: Image.Image) -> None:
    """A request is the same again, whatever had been made of it."""
    request = EditRequest.make(image=photo, prompt="x", mask=MASK, n=2, extra_body={"a": [1]})
    assert request.mask_file is not None
    again = pickle.loads(pickle.dumps(request))
    assert (again.body(), again.mask, again.mask_file) == (request.body(), MASK, request.mask_file)
    assert again.image_files == request.image_files


def test_clients_travel_without_keys(photo: Image.Image, tmp_path) -> None:
    """A client of the embedded service is the same again; one with a key, or a recorder, is refused in words."""
    client = Client.offline(fill=unchanged, seed=3)
    for again in (pickle.loads(pickle.dumps(client)), copy.deepcopy(client)):
        assert isinstance(again, Client)
        assert again.is_offline
        assert edit(photo, "x", client=again).results[0].offline
    assert isinstance(pickle.loads(pickle.dumps(AsyncClient.offline())), AsyncClient)
    for kind in (Client, AsyncClient):
        with pytest.raises(TypeError, match=r"a key, which does not leave this process.*TT_API_KEY"):
            pickle.dumps(kind(KEY))


@pytest.mark.parametrize(
    "method",
    [
        "fork",
        "spawn",
        "forkserver",
    ],
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.slow
def test_edits_in_other_processes(photo: Image.Image, method: str) -> None:
    """A pool of processes makes edits, however it starts them, also while this process has a loop and runs."""
    client = Client.offline(fill=unchanged)
    here = edit(photo, "x", mask=MASK, client=client)
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        # Named, as a fork server keeps the environment of whoever started it.
        log = RunLog(RunLog().folder)
        futures = [pool.submit(edit, photo, f"x{at}", mask=MASK, client=client, log=log) for at in range(2)]
        runs = [future.result(60) for future in futures]
    assert [run.request.prompt for run in runs] == ["x0", "x1"]
    assert all(run.results[0].image.tobytes() == here.results[0].image.tobytes() for run in runs)
    assert len(RunLog().rows(state="done")) == 3


FORKS = """
import os, sys, threading, traceback, warnings
from PIL import Image
import ttapi_nb as tt
from ttapi_nb.fit import plan as fit
from ttapi_nb.service import paint
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is what this is about
photo, go = Image.new("RGB", (64, 64)), threading.Event()
def fill(image, mask, prompt, seed):
    go.wait(20)
    return image
run = tt.start_edit(photo, "x", client=tt.Client.offline(fill=fill))
while run.status != "waiting":
    pass
log, stop = tt.RunLog(), threading.Event()
def write():
    while not stop.is_set():
        log.rows()
writers = [threading.Thread(target=write, daemon=True) for _ in range(2)]
for writer in writers:
    writer.start()
fit._lock.acquire(), paint._patchmatch_lock.acquire(), run._guard.acquire()
def child():
    try:
        run.wait()
        return 1
    except tt.ResultError as error:
        assert "in the process that began it" in str(error)
    assert run.status == "waiting" and not run.done
    run.on_change(print)
    client, mask = tt.Client.offline(fill=lambda image, *more: image), tt.Mask((64, 64)).rectangle((1, 1, 9, 9))
    tt.edit(photo, "y", client=client, mask=mask)
    with fit._lock, paint._patchmatch_lock:
        return 7
for _ in range(8):
    number = os.fork()
    if number == 0:
        code = 2
        try:
            code = child()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 7
stop.set()
for writer in writers:
    writer.join()
run._guard.release()
go.set()
assert run.wait(20).results
assert len(log.rows(state="done")) == 9
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.slow
def test_a_forked_child() -> None:
    """A child forked in mid-run, while the log is written to, edits on its own, and is told about its parent's runs."""
    subprocess.run([sys.executable, "-c", FORKS], check=True, timeout=120)


FORKS_AT_ONCE = """
import os, sys
from PIL import Image
import ttapi_nb as tt
photo, log = Image.new("RGB", (64, 64)), tt.RunLog()
client = tt.Client.offline(fill=lambda image, *more: image)
run = tt.start_edit(photo, "x", client=client)
for _ in range(3):
    number = os.fork()
    if number == 0:
        code = 2
        try:
            code = 7 if tt.edit(photo, "y", client=client).results else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 7
run.wait(20)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_at_once() -> None:
    """A child forked as the first run sets out edits too: no other thread is loading modules then."""
    script = f"import warnings; warnings.simplefilter('ignore')\n{FORKS_AT_ONCE}"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("made", ["offline", "network"])
def test_what_sends_is_loaded_by_who_asks(made: str) -> None:
    """After a run was started no thread loads any module that sending needs."""
    script = f"""
import builtins, os, sys, threading
from PIL import Image
import ttapi_nb as tt
photo, loaded = Image.new("RGB", (64, 64)), []
really = builtins.__import__
def watched(name, names=None, *rest):
    if threading.current_thread() is not threading.main_thread():
        before = set(sys.modules)
        found = really(name, names, *rest)
        loaded.extend(set(sys.modules) - before)
        return found
    return really(name, names, *rest)
builtins.__import__ = watched
client = (
    tt.Client.offline(fill=lambda image, *more: image)
    if {made!r} == "offline"
    else tt.Client("test-key-0123456789", base_url="http://127.0.0.1:9/v1")
)
try:
    tt.edit(photo, "x", client=client)
except tt.NotSentError:
    pass
print([name for name in loaded if name.partition(".")[0] in ("PIL", "ttapi_nb", "httpx", "httpcore", "anyio", "h11")])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"

"""Runs: how they are waited for, cancelled and watched, and what the log keeps of them."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import (
    PATIENCE,
    Reply,
    Request,
    Server,
    decoded,
    full_port,
    html_reply,
    json_reply,
    pictures,
)
from tests.support.interrupts import interrupts
from ttapi_nb import (
    Budget,
    Client,
    EditRequest,
    ImagesResponse,
    InvalidRequestError,
    Mask,
    NotSentError,
    PriceTable,
    RefusedError,
    ResultError,
    Run,
    RunCancelledError,
    RunLog,
    TTAPIError,
    UnknownOutcomeError,
    loop,
    start_edit,
)
from ttapi_nb.asked import Asked, prepare
from ttapi_nb.client import sending
from ttapi_nb.log import RunRow, default_log
from ttapi_nb.models import OFFLINE_NOTICE
from ttapi_nb.run import Result

KEY = "test-key-0123456789"
TEAL = Image.new("RGB", (64, 64), "teal")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


@pytest.fixture
def held(server: Server) -> Iterator[threading.Event]:
    """The server answers only when this is set."""
    event = server.event()
    server.answer = Reply(200, json_reply(pictures(TEAL)).body, hold=event)
    yield event
    event.set()


def _start(server: Server, photo: Image.Image, log: RunLog, **more: Any) -> Run:
    return start_edit(photo, "a red sofa", client=Client(KEY, base_url=server.url), log=log, **more)


def _row(log: RunLog) -> RunRow:
    (row,) = log.rows()
    return row


# What the log keeps


@pytest.mark.slow
def test_written_before_the_request_leaves(server: Server, photo: Image.Image, log: RunLog) -> None:
    """When the service sees a request, its row is on the disk and marked as sent."""
    seen: list[RunRow] = []

    def look(request: Request) -> Reply:
        seen.extend(log.rows())
        return json_reply(pictures(TEAL))

    server.answer = look
    mask = Mask((64, 64)).rectangle((0, 0, 9, 9))
    run = _start(server, photo, log, mask=mask, n=2, size="1024x1024", model="gpt-image-1.5").wait(PATIENCE)

    (row,) = seen
    assert (row.id, row.state, row.sent, row.offline, row.finished) == (run.id, "open", True, False, None)
    assert (row.model, row.prompt, row.options) == (
        "gpt-image-1.5",
        "a red sofa",
        {"n": 2, "size": "1024x1024"},
    )
    assert row.source == run.source.digest
    assert run.request.mask_file is not None
    assert row.mask == hashlib.sha256(run.request.mask_file.data).hexdigest()
    assert row.results == ()


def test_done(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A finished run's row has its time, its usage and the answers as they came, each stored by its hash."""
    server.answer = json_reply(pictures(TEAL, Image.new("RGB", (64, 64), "red")))
    run = _start(server, photo, log, n=2).wait(PATIENCE)

    row = _row(log)
    assert (row.state, row.problem, row.sent) == ("done", "", True)
    assert row.finished is not None
    assert row.finished >= row.started
    assert 0 < run.seconds == run.seconds < 2 * PATIENCE
    assert (repr(run), run.asked.fit) == ("Run(done, 2 results)", "auto")
    assert row.usage is not None
    assert row.usage["total_tokens"] == 30
    assert run.response is not None
    assert [path.read_bytes() for path in row.results] == [item.data for item in run.response.data]
    assert [path.name for path in row.results] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in row.results
    ]
    assert decoded(row.results[1].read_bytes()).getpixel((0, 0)) == (255, 0, 0)


def test_same_answer_twice(server: Server, photo: Image.Image, log: RunLog) -> None:
    """The same answer of two runs is one file, and the newest run is listed first."""
    runs = [_start(server, photo, log).wait(PATIENCE) for _ in range(2)]
    rows = log.rows()
    assert [row.id for row in rows] == [run.id for run in reversed(runs)]
    assert rows[0].results == rows[1].results
    assert len([path for path in (log.folder / "results").iterdir() if path.is_file()]) == 1
    assert len(log.rows(limit=1)) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "state"),
    [
        (json_reply({"error": {"message": "too wild"}}, 400), RefusedError, "refused"),
        (json_reply({"status": "FAILED", "message": "banned"}), RefusedError, "refused"),
        (html_reply(504), UnknownOutcomeError, "unknown"),
        (Reply(drop=True), UnknownOutcomeError, "unknown"),
        (json_reply({"data": [{"b64_json": "%%%"}]}), ResultError, "failed"),
        (json_reply({"data": [{"b64_json": "aGVsbG8="}]}), ResultError, "failed"),
    ],
)
def test_settled(
    server: Server, photo: Image.Image, log: RunLog, answer: Reply, kind: type[TTAPIError], state: str
) -> None:
    """However a run fails, its row says how, in the words that are raised."""
    server.answer = answer
    run = _start(server, photo, log)
    with pytest.raises(kind) as caught:
        run.wait(PATIENCE)
    assert (run.status, run.done, run.error, run.results) == ("failed", True, caught.value, ())
    row = _row(log)
    assert (row.state, row.problem, row.sent) == (state, str(caught.value), True)
    assert len(server.posts) == 1


def test_not_sent(photo: Image.Image, log: RunLog) -> None:
    """A run that never left says so in its row."""
    run = start_edit(photo, "x", client=Client(KEY, base_url="http://127.0.0.1:9/v1", timeout=5), log=log)
    with pytest.raises(NotSentError):
        run.wait(PATIENCE)
    assert (_row(log).state, _row(log).sent) == ("not sent", False)


def test_answer_that_can_not_be_used_is_kept(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Bytes that are no picture are stored all the same, and so is the address of a result not fetched."""
    server.answer = json_reply({"data": [{"b64_json": "aGVsbG8="}, {"url": f"{server.origin}/a.png"}]})
    server.routes["/a.png"] = Reply(500)
    run = _start(server, photo, log, n=2)
    with pytest.raises(ResultError):
        run.wait(PATIENCE)
    assert run.response is not None
    assert [item.url for item in run.response.data] == [None, f"{server.origin}/a.png"]
    (kept,) = _row(log).results
    assert kept.read_bytes() == b"hello"
    with sqlite3.connect(log.folder / "runs.sqlite3") as db:
        found = db.execute("SELECT url FROM results ORDER BY number").fetchall()
    db.close()
    assert found == [(None,), (f"{server.origin}/a.png",)]


def test_log_breaks_while_waiting(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Where the log can't take a paid answer any more, the answer is here, with a note that says so."""

    def break_log(request: Request) -> Reply:
        log.folder.rename(log.folder.with_name("moved"))
        log.folder.write_text("in the way")
        return json_reply(pictures(TEAL))

    server.answer = break_log
    run = _start(server, photo, log).wait(PATIENCE)
    assert run.results[0].image.tobytes() == TEAL.tobytes()
    assert "can't be used" in run.note
    assert "save them" in run.note


def test_default_log(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are logged in the folder that TTAPI_DATA names, in the one that is given, or in the user's data folder."""
    assert default_log().folder == environment
    assert RunLog(tmp_path).folder == RunLog(str(tmp_path)).folder == tmp_path
    assert repr(RunLog("x")) == f"RunLog({str(Path.cwd() / 'x')!r})"
    assert RunLog(tmp_path / "new").rows() == []
    monkeypatch.setenv("TTAPI_DATA", "~/edits")
    assert default_log().folder == Path.home() / "edits"
    monkeypatch.delenv("TTAPI_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_log().folder.name == "ttapi_nb"


def test_many_at_once(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Runs that go on at the same time each have their row."""
    runs = [_start(server, photo, log) for _ in range(8)]
    for run in runs:
        run.wait(PATIENCE)
    assert {row.id for row in log.rows()} == {run.id for run in runs}
    assert {row.state for row in log.rows()} == {"done"}


# Busy services


def test_busy(server: Server, photo: Image.Image, log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that the service is too busy for says that it waits; each refusal is noted as not billed."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.05)
    seen: list[tuple[str, str, bool, int]] = []
    told = threading.Semaphore(0)
    watched = server.event()
    replies = [json_reply({}, 429, hold=watched), json_reply({}, 499), json_reply(pictures(TEAL))]

    def answer(request: Request) -> Reply:
        # Each request's callback is called before its answer comes: one of a change may see a later one else.
        assert len(replies) == 3 or told.acquire(timeout=PATIENCE)
        return replies.pop(0)

    def look(run: Run) -> None:
        seen.append((run.status, run.note, _row(log).sent, _row(log).refused))
        if run.status == "waiting":
            told.release()

    server.answer = answer
    client = Client(KEY, base_url=server.url, wait_when_busy=10)
    run = start_edit(photo, "x", client=client, log=log)
    server.wait_for(1)
    run.on_change(look)
    watched.set()
    run.wait(PATIENCE)
    busy = "The service is busy, and nothing was billed. It is asked again in 0 s."
    # In order; a callback that is slow may find that the run is further on.
    expected = [
        ("sending", busy, False, 1),
        ("waiting", "", True, 1),
        ("sending", busy, False, 2),
        ("waiting", "", True, 2),
        ("done", "", True, 2),
    ]
    places = [expected.index(one) for one in seen if one in expected]
    assert places == sorted(places)
    assert {1, 3, 4} <= {*places}
    assert len(seen) == len(expected)
    assert (_row(log).state, _row(log).refused) == ("done", 2)


def test_cancel_while_it_is_busy(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run that waits for a busy service can be cancelled, and nothing is billed."""
    server.answer = json_reply({}, 429, headers={"Retry-After": "30"})
    waits = threading.Event()
    run = start_edit(photo, "x", client=Client(KEY, base_url=server.url, wait_when_busy=60), log=log)
    run.on_change(lambda run: waits.set() if "busy" in run.note else None)
    if "busy" not in run.note:
        assert waits.wait(PATIENCE)
    run.cancel()
    with pytest.raises(RunCancelledError, match="nothing was billed"):
        run.wait(PATIENCE)
    assert (_row(log).state, _row(log).sent, _row(log).refused) == ("cancelled", False, 1)
    assert len(server.posts) == 1


def test_busy_without_a_log(server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a log waits just so."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.01)
    replies = [json_reply({}, 429), json_reply(pictures(TEAL))]
    server.answer = lambda request: replies.pop(0)
    client = Client(KEY, base_url=server.url, wait_when_busy=10)
    assert start_edit(photo, "x", client=client, log=False).wait(PATIENCE).status == "done"


# Waiting


def test_wait(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """A wait that ends before the run does leaves it going, and a later one gets the result."""
    run = _start(server, photo, log)
    assert repr(run) in ("Run(sending)", "Run(waiting)")
    with pytest.raises(TimeoutError, match=r"still going on after 0\.05 seconds"):
        run.wait(0.05)
    assert not run.done
    held.set()
    assert run.wait(PATIENCE) is run
    assert run.wait() is run
    assert (repr(run), run.done, run.error) == ("Run(done, 1 result)", True, None)
    assert run.seconds == run.seconds > 0


def test_a_time_out_of_its_own(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run that failed with a time-out raises that, with what it means for the bill, and has ended."""

    class Slow(RunLog):
        def mark_sent(self, run_id: str) -> None:
            raise TimeoutError("The disk did not answer.")

    run = _start(server, photo, Slow(log.folder))
    with pytest.raises(
        NotSentError, match=r"Nothing was sent or billed\. TimeoutError: The disk did not answer\.$"
    ):
        run.wait(PATIENCE)
    assert (run.status, server.posts) == ("failed", [])


def test_await(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """A run can be awaited by many at once; one that is cancelled while awaiting leaves it going."""
    run = _start(server, photo, log)

    async def awaits() -> Run:
        return await run

    async def several() -> list[Run]:
        impatient = asyncio.ensure_future(awaits())
        others = [asyncio.ensure_future(awaits()) for _ in range(2)]
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert not run.done
        held.set()
        return await asyncio.gather(*others)

    assert asyncio.run(several()) == [run, run]
    assert run.status == "done"


def test_await_raises(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Awaiting a run that fails raises what went wrong."""
    server.answer = html_reply(504)
    run = _start(server, photo, log)

    async def awaits() -> None:
        await run

    with pytest.raises(UnknownOutcomeError):
        asyncio.run(awaits())


@interrupts
def test_interrupted_wait(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """Stopping the cell that waits for a run stops the waiting and not the run."""
    run = _start(server, photo, log)
    main = threading.main_thread().ident
    assert main is not None
    never = threading.Event()

    def interrupt() -> None:
        # Only once the main thread really waits: any earlier, and this would test nothing.
        while not _waits(sys._current_frames()[main]):
            never.wait(0.005)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait(PATIENCE)
    thread.join()
    assert not run.done
    held.set()
    assert run.wait(PATIENCE).status == "done"
    assert len(server.posts) == 1


def _waits(frame: Any) -> bool:
    """Whether a thread is in Run.wait, and there in the wait for the outcome."""
    names = []
    while frame is not None:
        names.append(frame.f_code)
        frame = frame.f_back
    return Run.wait.__code__ in names and any(code.co_filename == threading.__file__ for code in names)


# Cancelling


def test_cancel_before_it_leaves(photo: Image.Image, log: RunLog) -> None:
    """Cancelled before the line is made, nothing is billed, and the row says so."""
    with full_port() as port:
        run = start_edit(photo, "x", client=Client(KEY, base_url=f"http://127.0.0.1:{port}"), log=log)
        run.cancel()
        with pytest.raises(RunCancelledError, match="nothing was billed"):
            run.wait(PATIENCE)
    assert (run.status, run.note) == (
        "cancelled",
        "Cancelled before the request had left: nothing was billed.",
    )
    assert (_row(log).state, _row(log).sent) == ("cancelled", False)
    run.cancel()
    assert run.status == "cancelled"


def test_cancel_after_it_left(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """Cancelled after the request has left, the wait ends at once; the answer, which may be billed, is kept."""
    run = _start(server, photo, log)
    server.wait_for(1)
    run.cancel()
    with pytest.raises(RunCancelledError, match="may be billed"):
        run.wait(PATIENCE)
    assert (run.status, run.results, _row(log).state) == ("cancelled", (), "open")

    came = threading.Event()
    run.on_change(lambda run: came.set())
    held.set()
    assert came.wait(PATIENCE)

    assert run.status == "cancelled"
    assert "It was kept" in run.note
    assert run.results[0].image.tobytes() == TEAL.tobytes()
    assert _row(log).state == "done"
    assert len(_row(log).results) == 1
    assert len(server.posts) == 1


def test_cancel_after_it_left_and_failed(
    server: Server, photo: Image.Image, log: RunLog, held: threading.Event
) -> None:
    """Where the answer to a cancelled run is a failure, the row says so and the run stays cancelled."""
    server.answer = Reply(400, hold=held)
    run = _start(server, photo, log)
    server.wait_for(1)
    run.cancel()
    held.set()
    watcher = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if _row(log).state != "open":
            break
        watcher.wait(0.02)
    assert (_row(log).state, run.status) == ("refused", "cancelled")


def test_cancel_when_done(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Cancelling what is done changes nothing."""
    run = _start(server, photo, log).wait(PATIENCE)
    run.cancel()
    assert (run.status, run.note, len(run.results)) == ("done", "", 1)


# Watching


def test_on_change(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """Callbacks see each change, the end before anybody who waits for it, and no more once they are removed."""
    seen: list[str] = []
    removed: list[str] = []
    run = _start(server, photo, log)
    server.wait_for(1)
    forget = removed.append
    run.on_change(lambda run: seen.append(f"{run.status} {len(run.results)}"))

    def forgotten(run: Run) -> None:
        forget(run.status)

    run.on_change(forgotten)
    run.on_change(forgotten, remove=True)
    held.set()
    run.wait(PATIENCE)
    assert seen == ["done 1"]
    assert removed == []


@pytest.mark.slow
def test_callback_cancels(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """A callback may cancel its run, and is told that it can't wait for it, instead of hanging for ever."""
    told: list[str] = []

    def callback(run: Run) -> None:
        if not told:
            try:
                run.wait(PATIENCE)
            except RuntimeError as error:
                told.append(str(error))
        run.cancel()

    with full_port() as port:
        slow = Client(KEY, base_url=f"http://127.0.0.1:{port}", timeout=0.5)
        run = start_edit(photo, "x", client=slow, log=log)
        run.on_change(callback)
        with pytest.raises(NotSentError):
            run.wait(PATIENCE)
    assert told == ["A callback of the run can't wait for it. Look at run.done and run.results instead."]


@pytest.mark.slow
def test_callback_that_raises() -> None:
    """A callback's mistake is logged, and costs neither the answer nor the wait for it."""
    # In a process of its own: in this one, a callback that raises fails the test.
    script = """
import threading
from PIL import Image
import ttapi_nb as tt
go = threading.Event()
def fill(image, mask, prompt, seed):
    go.wait(20)
    return image
def bad(run):
    raise ValueError("a mistake in " + run.status)
run = tt.start_edit(Image.new("RGB", (64, 64)), "x", client=tt.Client.offline(fill=fill))
run.on_change(bad)
go.set()
print(run.wait(20))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "Run(done, 1 result)"
    assert "a mistake in done" in done.stderr


# Showing


def test_shows_itself(server: Server, photo: Image.Image, log: RunLog, held: threading.Event) -> None:
    """In a notebook a run shows its results, or in words what became of it, with nothing that acts as HTML."""
    run = _start(server, photo, log)
    assert run._repr_html_() in ("<p>sending</p>", "<p>waiting</p>")
    assert repr(run) in ("Run(sending)", "Run(waiting)")
    held.set()
    assert "data:image/webp" in run.wait(PATIENCE)._repr_html_()
    assert repr(run.results[0]).startswith("Result(number=1, kept=False, leak=None")
    assert "Image" not in repr(run.results[0])
    server.answer = json_reply({"error": {"message": "<script>alert(1)</script>"}}, 400)
    failed = _start(server, photo, log)
    with pytest.raises(RefusedError):
        failed.wait(PATIENCE)
    assert "<script>" not in failed._repr_html_()
    assert "alert(1)" in failed._repr_html_()


def test_a_result_without_more_to_say(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A result of the hosted service that needs no note shows none, and tells what made it."""
    run = _start(server, photo, log).wait(PATIENCE)
    (result,) = run.results
    assert result.lineage is not None
    assert [step.prompt for step in result.lineage.steps] == ["a red sofa"]
    bare = Result(1, result.picture, result.data, kept=False)
    for one in (result, bare):
        assert (one.note, one.notice, one.leak, one.shift) == ("", "", None, None)
        assert (one.offline, one.replayed) == (False, False)
        assert "<p>" not in one._repr_html_()
        assert "Result 1: 64x64" in one._repr_html_()
    noted = replace(bare, note="a <b>", offline=True)
    assert noted._repr_html_().endswith(f"<p>a &lt;b&gt;</p><p>{OFFLINE_NOTICE}</p>")


def test_response_is_here(server: Server, photo: Image.Image, log: RunLog) -> None:
    """The whole typed reply of a run is kept beside its results."""
    run = _start(server, photo, log).wait(PATIENCE)
    assert isinstance(run.response, ImagesResponse)
    assert run.response.usage is not None


# A run by itself


class UnportableError(Exception):
    """One that can't be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("not this one")


def _alone(**more: Any) -> Run:
    request = EditRequest.make(image=TEAL, prompt="x", model="gpt-image-1.5", n=2)
    return Run(prepare(Asked(request, "pad", strict=False)), **more)


def _copy(run: Run) -> Run:
    copied = pickle.loads(pickle.dumps(run))
    assert isinstance(copied, Run)
    return copied


def test_what_a_run_says_of_itself() -> None:
    """Before it is sent a run says what was asked, what goes, and what that is expected to take."""
    run = _alone()
    assert (run.status, run.done, run.note, run.results, run.partials) == ("sending", False, "", (), ())
    assert (run.asked, run.request) == (run.prepared.asked, run.prepared.sent)
    assert (run.fit, run.strict) == (run.plan, False)
    assert run.estimate.images == 2
    assert 0 <= run.seconds <= run.seconds < 60
    assert (repr(run), run._repr_html_()) == ("Run(sending)", "<p>sending</p>")
    assert _alone(budget=Budget(prices=PriceTable({"gpt-image-1.5": 0.5}, "USD"))).estimate.cost == 1.0
    assert run.id != _alone().id
    run.cancel()
    for note, all_of_it in (("One.", "One."), ("Two.", "One. Two."), ("One.", "One. Two.")):
        run._add_note(note)
        assert run.note == all_of_it
    assert run._repr_html_() == "<p>One. Two.</p>"
    run._end("failed", ValueError("<b>"))
    assert (run.status, run.done, run._repr_html_()) == ("failed", True, "<p>&lt;b&gt;</p>")
    assert run.seconds == run.seconds


def test_a_run_of_nothing() -> None:
    """Without a picture there is no run, and the error says what is missing."""
    with pytest.raises(InvalidRequestError, match="picture"):
        Run(prepare(Asked(EditRequest(prompt="x"))))


def test_who_is_told(log: RunLog) -> None:
    """Each callback is told as often as it was given, until it is taken away; a removal takes one of them."""
    run = _alone()
    told: list[str] = []

    def one(run: Run) -> None:
        told.append("one")

    def two(run: Run) -> None:
        told.append("two")

    def three(run: Run) -> None:
        told.append("three")

    for callback in (one, two, three, two):
        run.on_change(callback)
    for removed, left in (
        (None, ["one", "two", "three", "two"]),
        (two, ["one", "three", "two"]),
        (two, ["one", "three"]),
        (two, ["one", "three"]),
        (one, ["three"]),
    ):
        if removed is not None:
            run.on_change(removed, remove=True)
        told.clear()
        futures = run._tell()
        wait(futures, PATIENCE)
        assert (told, len(futures)) == (left, len(left))
    # One that is taken away before its turn has come is not told.
    held, go = threading.Event(), threading.Event()

    def slow(run: Run) -> None:
        held.set()
        assert go.wait(PATIENCE)
        run.on_change(three, remove=True)

    run.on_change(three, remove=True)
    run.on_change(slow)
    run.on_change(three)
    told.clear()
    futures = run._tell()
    assert held.wait(PATIENCE)
    go.set()
    wait(futures, PATIENCE)
    assert told == []


def test_copies_of_how_it_ended() -> None:
    """A copy raises what the run did, or the same in words where that can't travel; one without an error returns."""
    for error, kind, words in (
        (ValueError("torn"), ValueError, "^torn$"),
        (UnportableError("torn"), TTAPIError, "^UnportableError: torn$"),
    ):
        run = _alone()
        run._end("failed", error)
        for copied in (_copy(run), _copy(_copy(run))):
            with pytest.raises(kind, match=words):
                copied.wait()
            assert copied.done
    done = _alone()
    done._end("done", None)
    done._release()
    done._release()
    assert done.wait(PATIENCE) is done
    copied = _copy(done)
    assert copied.wait() is copied
    assert copied.error is None


def test_what_stays_at_home() -> None:
    """Callbacks, of whichever kind, are no part of a copy, nor are prices that can't travel; the estimate is."""

    def mistaken(model: str, options: Any) -> float:
        raise ZeroDivisionError

    run = _alone(
        budget=Budget(prices=PriceTable(lambda model, options: 0.5, "USD")), on_partial=lambda draft: None
    )
    run.on_change(lambda run: None)
    run._follow(lambda run: None, loop.lane())
    run._when_answered(lambda: None)
    copied = _copy(run)
    assert (copied.budget, copied.estimate, copied.id) == (None, run.estimate, run.id)
    copied.on_change(lambda run: None)
    for use in (copied.wait, copied.cancel):
        with pytest.raises(ResultError, match="in the process that began it"):
            use()
    kept = _copy(_alone(budget=Budget(runs=5), log=RunLog("x")))
    assert (kept.budget, isinstance(kept.log, RunLog)) == (Budget(runs=5), True)
    unknown = _copy(_alone(budget=Budget(prices=PriceTable(mistaken, "USD"))))
    assert (unknown.estimate.images, unknown.estimate.cost) == (2, None)

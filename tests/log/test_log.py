"""The run log: what a kill leaves, one POST for one run, the history, what was spent, and making room."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, encoded, html_reply, json_reply, pictures
from tests.support.folders import contents
from tests.support.preparing import prepared
from tests.trust import money
from ttapi_nb import (
    Budget,
    BudgetError,
    Client,
    EditRequest,
    ImageEditor,
    ImagesResponse,
    InvalidRequestError,
    Mask,
    MaskError,
    NotSentError,
    PriceTable,
    ResultError,
    RunLog,
    SettingsError,
    UnknownOutcomeError,
    edit,
    loop,
    open_image,
    start_edit,
)
from ttapi_nb.log import Pruned, RunRow, alive, file
from ttapi_nb.log.keeping import keep_fetched
from ttapi_nb.log.writing import DOUBT
from ttapi_nb.reply.responses import ImageData, Usage

KEY = "test-key-0123456789"
DAY = 86_400.0
OTHER = "0" * 32
SMALL: dict[str, Any] = {"model": "dall-e-2", "size": "256x256"}


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


@contextlib.contextmanager
def _another_kernel(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python of its own, which is killed at the end."""
    prelude = (
        "import sys\nfrom PIL import Image\nimport ttapi_nb as tt\n"
        f"client = tt.Client({KEY!r}, base_url=sys.argv[1])\nlog = tt.RunLog(sys.argv[2])\n"
        "photo = Image.new('RGB', (64, 64))\n"
    )
    command = [sys.executable, "-c", prelude + script, *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _edit(server: Server, photo: Image.Image, log: RunLog, prompt: str = "x", **more: Any) -> RunRow:
    run = edit(photo, prompt, client=Client(KEY, base_url=server.url), log=log, **more)
    return log.row(run.id)


def _change(log: RunLog, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
        db.execute(statement, values)


def _names(log: RunLog) -> set[str]:
    return {path.name for path in (log.folder / "results").iterdir()}


# What a kill leaves


@pytest.mark.slow
def test_killed_while_waiting(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run whose process is killed after it has left may have been billed, and the next start says so."""
    server.answer = Reply(hold=server.event())
    with _another_kernel("tt.edit(photo, 'killed', client=client, log=log)", server.url, log.folder):
        server.wait_for(1)
        # It lives, so its run is not touched.
        assert log.recover() == ()
        assert [(row.prompt, row.state, row.sent) for row in log.rows()] == [("killed", "open", True)]

    (row,) = log.rows()
    assert (row.state, row.sent) == ("unknown", True)
    assert "may have been carried out and billed" in row.problem
    assert row.finished is not None
    assert log.totals().unknown == log.spent(Budget()).unknown == 1
    assert log.recover() == ()


@pytest.mark.slow
def test_killed_before_it_left(server: Server, log: RunLog) -> None:
    """A run whose process is killed before it has left was not sent, and a budget has it back at once."""
    script = """
import time
class Stuck(tt.RunLog):
    def mark_sent(self, run_id):
        print("here", flush=True)
        time.sleep(60)
tt.edit(photo, "killed", client=client, log=Stuck(sys.argv[2]))
"""
    with _another_kernel(script, server.url, log.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert log.spent(Budget()).runs == 1
    client = Client(KEY, base_url=server.url)
    edit(Image.new("RGB", (64, 64)), "next", client=client, log=log, budget=Budget(runs=1))
    assert [(row.prompt, row.state, row.sent) for row in log.rows()] == [
        ("next", "done", True),
        ("killed", "not sent", False),
    ]
    assert "nothing was sent or billed" in log.rows()[1].problem
    assert len(server.posts) == 1


@pytest.mark.slow
def test_killed_after_the_answer_came(server: Server, log: RunLog) -> None:
    """A run whose process is killed when its answer is stored is done: nothing about it is unknown."""
    script = """
import time
class Stuck(tt.RunLog):
    def settle(self, *given):
        print("here", flush=True)
        time.sleep(60)
tt.edit(photo, "killed", client=client, log=Stuck(sys.argv[2]))
"""
    with _another_kernel(script, server.url, log.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    (row,) = log.recover()
    assert (row.state, len(row.results), row.images, row.tokens) == ("done", 1, 1, 30)
    assert "What had arrived was kept" in row.problem


@pytest.mark.slow
def test_ended_in_peace(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run that has ended leaves no sign of life behind, and nor does a process that is ended in the middle of one."""
    _edit(server, photo, log)
    with pytest.raises(BudgetError):
        _edit(server, photo, log, budget=Budget(runs=1))
    assert list((log.folder / "alive").iterdir()) == []
    server.answer = Reply(hold=server.event())
    script = "tt.start_edit(photo, 'x', client=client, log=log)\nsys.stdin.readline()"
    with _another_kernel(script, server.url, log.folder) as process:
        server.wait_for(2)
        assert len(list((log.folder / "alive").iterdir())) == 1
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("end\n")
        process.stdin.flush()
        # Python waits for the answer, and says how to end it all the same.
        assert "1 edit was sent and may be billed" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        assert "Stopped waiting" in process.stderr.read()
    assert list((log.folder / "alive").iterdir()) == []
    assert [row.state for row in log.rows()] == ["unknown", "done"]


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    """No request that the service accepted is missing from the log, whenever the process is killed."""
    found = money.kill_at_random(8, tmp_path / "kills", seed=int(time.time()))
    assert found.good, found
    assert found.accepted > 0


@pytest.mark.slow
def test_race_for_a_budget(tmp_path: Path) -> None:
    """Kernels that share a log never spend more than the budget together, and spend all of it."""
    found = money.race(2, 10, 7, tmp_path / "race")
    assert found.good, found


def test_another_machine(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Where the process can't be seen from here, its runs are given up only after an hour."""
    row = _edit(server, photo, log)
    for mark, host in (("0" * 32, "elsewhere"), ("", "")):
        _change(
            log,
            "UPDATE runs SET state = 'open', finished = NULL, mark = ?, host = ?, started = ?",
            mark,
            host,
            time.time(),
        )
        _change(log, "DELETE FROM results")
        assert log.recover() == ()
        _change(log, "UPDATE runs SET started = started - ?", DOUBT + 1)
        assert [(one.id, one.state) for one in log.recover()] == [(row.id, "unknown")]


def test_locks_that_can_not_be_had(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without locks nobody can be told to be dead, and runs work all the same."""

    def no_locks(file: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    log.folder.mkdir()
    mark = alive.hold(log.folder, "one")
    assert alive.is_alive(log.folder, mark) is True
    other = log.folder / "alive" / OTHER
    other.touch()
    with monkeypatch.context() as patch:
        patch.setattr(alive, "_take", no_locks)
        assert alive.is_alive(log.folder, OTHER) is None
    assert alive.is_alive(log.folder, OTHER) is False
    assert not other.exists()
    # Not one that can be opened.
    other.mkdir()
    assert alive.is_alive(log.folder, OTHER) is None
    # Somebody tidied up.
    (log.folder / "alive" / mark).unlink()
    again = alive.hold(log.folder, "two")
    assert again != mark
    assert again == alive.hold(log.folder, "three")
    alive.release(log.folder, "two")
    assert alive.is_alive(log.folder, again) is True
    alive.release(log.folder, "three")
    assert alive.is_alive(log.folder, again) is False
    alive.release(log.folder, "three")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_after_a_fork(server: Server, log: RunLog) -> None:
    """A forked child does not keep its dead parent's runs alive."""
    script = """
import os, time
server_waits = tt.start_edit(photo, "parent", client=client, log=log)
while server_waits.status != "waiting":
    time.sleep(0.01)
sys.stdin.readline()
if os.fork() == 0:
    print("child", flush=True)
    sys.stdin.readline()
    os._exit(0)
time.sleep(60)
"""
    server.answer = Reply(hold=server.event())
    with _another_kernel(script, server.url, log.folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server.wait_for(1)
        process.stdin.write("fork\n")
        process.stdin.flush()
        assert process.stdout.readline() == "child\n"
        process.kill()
        process.wait(PATIENCE)
        assert [row.state for row in log.recover()] == ["unknown"]


# One run, one POST


def test_marked_once(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run may leave once: not again, not when it was withdrawn, and not when it is not in the log."""
    request = EditRequest.make(image=photo, prompt="x")
    for name in ("sent", "refused", "withdrawn"):
        log.begin(name, prepared(request), offline=False)
    log.mark_sent("sent")
    log.mark_sent("refused")
    log.mark_refused("refused")
    log.mark_sent("refused")
    log.withdraw("withdrawn")
    log.withdraw("sent")
    for name in ("sent", "refused", "withdrawn", "unheard-of"):
        with pytest.raises(NotSentError, match="was not sent"):
            log.mark_sent(name)
    assert {row.id: (row.state, row.sent, row.refused) for row in log.rows()} == {
        "sent": ("open", True, 0),
        "refused": ("open", True, 1),
        "withdrawn": ("not sent", False, 0),
    }


def test_a_run_id_twice(photo: Image.Image, log: RunLog) -> None:
    """A run's id is used once."""
    request = EditRequest.make(image=photo, prompt="x")
    log.begin("one", prepared(request), offline=False)
    with pytest.raises(ResultError, match="UNIQUE"):
        log.begin("one", prepared(request), offline=False)


@pytest.mark.parametrize("logged", [True, False])
def test_interrupted_as_it_begins(
    server: Server, photo: Image.Image, log: RunLog, monkeypatch: pytest.MonkeyPatch, logged: bool
) -> None:
    """Where the cell is stopped before anybody holds the run, nothing leaves and nothing is spent."""
    begun = []
    really = loop.submit

    def submit(work: Any) -> None:
        begun.append(really(work))
        raise KeyboardInterrupt

    class Slow(RunLog):
        def mark_sent(self, run_id: str) -> None:
            raise AssertionError("the run was given up")

    # The interrupt comes at the last moment, when the run is already on its way through the loop.
    gate = really(_held())
    monkeypatch.setattr(loop, "submit", submit)
    client = Client(KEY, base_url=server.url)
    with pytest.raises(KeyboardInterrupt):
        start_edit(photo, "x", client=client, log=Slow(log.folder) if logged else False)
    gate.result(PATIENCE)
    begun[0].result(PATIENCE)
    assert server.posts == []
    if logged:
        assert [row.state for row in log.rows()] == ["not sent"]
        assert log.spent(Budget()).runs == 0


async def _held() -> None:
    # Keeps the package's loop, and so every run, waiting.
    time.sleep(0.2)  # noqa: ASYNC251 - holding the loop is the point


def test_double_click_and_two_editors(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Clicking twice is one run and one POST."""
    editor = ImageEditor(photo, prompt="x", client=Client(KEY, base_url=server.url), log=log)
    server.answer = Reply(200, json_reply(pictures(photo)).body, hold=(held := server.event()))
    assert editor.run() is editor.run()
    server.wait_for(1)
    held.set()
    assert editor.current is not None
    editor.current.wait(PATIENCE)
    assert len(server.posts) == len(log.rows()) == 1


@pytest.mark.parametrize(
    "wrong", [{"prompt": "half \ud800"}, {"prompt": 7}, {"model": None}, {"extra_body": {"a": {1, 2}}}]
)
def test_what_can_not_be_written_down(photo: Image.Image, log: RunLog, wrong: dict[str, Any]) -> None:
    """A request that the log can't hold is refused before anything is sent, also where it is not checked."""
    with pytest.raises(InvalidRequestError, match="Nothing was sent"):
        start_edit(
            **{"image": photo, "prompt": "x", "check": False, "client": Client.offline(), "log": log, **wrong}
        )
    assert log.rows() == []


def test_a_file_name_that_is_no_text(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A picture's name that holds bytes which are no text does not stop its run."""
    source = open_image(encoded(photo), name="caf\udce9.png")
    run = start_edit(source, "x", client=Client(KEY, base_url=server.url), log=log)
    assert run.wait(PATIENCE).status == "done"
    assert "caf" in log.restore(run.id).source.name


# The history


def test_search(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Runs are found by words in prompt, model and name, whatever the case, and by state and time."""
    _edit(server, photo, log, "Ein ÄPFEL-Baum im 50% Licht")
    middle = time.time()
    named = open_image(encoded(photo), name="kitchen.png")
    edit(named, "a red sofa", client=Client(KEY, base_url=server.url), log=log)
    server.answer = html_reply(504)
    with pytest.raises(UnknownOutcomeError):
        _edit(server, photo, log, "a RED bowl")

    def found(**how: Any) -> list[str]:
        return [row.prompt for row in log.rows(**how)]

    assert found(search="red") == ["a RED bowl", "a red sofa"]
    assert found(search="äpfel BAUM") == ["Ein ÄPFEL-Baum im 50% Licht"]
    assert found(search="lichtx") == found(search="x") == []
    assert found(search="50%") == ["Ein ÄPFEL-Baum im 50% Licht"]
    assert found(search="a_red") == found(search="red baum") == []
    assert found(search="KITCHEN red") == ["a red sofa"]
    assert found(state="unknown") == ["a RED bowl"]
    assert len(found(state=("unknown", "done"), limit=2)) == 2
    assert len(found(limit=None)) == 3
    assert found(state=()) == []
    assert found(since=middle) == ["a RED bowl", "a red sofa"]
    assert found(since=datetime.now(UTC) + timedelta(hours=1)) == []


def test_the_latest_hundred(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Unless more are asked for, the latest hundred runs are listed."""
    newest = _edit(server, photo, log)
    _change(
        log,
        "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 150)"
        " INSERT INTO runs (id, started, state, offline, model, prompt, options, source, mask)"
        " SELECT 'run ' || n, n, 'done', 0, 'm', 'p', '{}', '', '' FROM many",
    )
    assert [row.id for row in log.rows()] == [newest.id, *(f"run {n}" for n in range(150, 51, -1))]
    assert len(log.rows(None)) == 151


def test_read_while_another_writes(
    server: Server, photo: Image.Image, log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log can be read while another kernel is writing into it."""
    row = _edit(server, photo, log)
    monkeypatch.setattr(file, "PATIENCE", 0.1)
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert log.row(row.id) == log.rows()[0] == log.fetch_again(row.id, fetch_from=server.origin) == row
        assert log.restore(row.id).prompt == row.prompt
        assert (log.totals().runs, log.spent(Budget()).runs, log.recover()) == (1, 1, ())
        with pytest.raises(ResultError, match="locked"):
            log.mark_refused(row.id)


@pytest.mark.parametrize(
    "ask",
    [lambda log: log.spent(Budget()).runs, lambda log: log.totals().runs, lambda log: log.prune(keep=9).runs],
)
def test_whoever_asks_first(photo: Image.Image, log: RunLog, ask: Any) -> None:
    """A run that its process left behind is given up by whatever is asked of the log first."""
    log.begin("one", prepared(EditRequest.make(image=photo, prompt="x")), offline=False)
    alive.release(log.folder, "one")
    assert ask(log) == 0
    assert log.row("one").state == "not sent"


def test_totals(server: Server, photo: Image.Image, log: RunLog) -> None:
    """What was spent is added up: runs, images, tokens, costs by currency, and what nobody knows."""
    assert log.totals().runs == 0
    server.answer = json_reply(pictures(photo, Image.new("RGB", (64, 64))))
    _edit(server, photo, log, n=2, budget=Budget(prices=PriceTable({"gpt-image-1.5": 0.04}, "USD")))
    _edit(server, photo, log, budget=Budget(prices=PriceTable({"gpt-image-1.5": 4}, "quota")))
    _edit(server, photo, log)
    server.answer = json_reply({"error": {"message": "no"}}, 400)
    with pytest.raises(Exception, match="refused"):
        _edit(server, photo, log)
    server.answer = html_reply(504)
    with pytest.raises(UnknownOutcomeError):
        _edit(server, photo, log, budget=Budget(prices=PriceTable({"gpt-image-1.5": 4}, "quota")))
    found = log.totals()
    assert (found.runs, found.images, found.tokens) == (4, 6, 90)
    assert (found.unknown, found.offline, found.unpriced) == (1, 0, 1)
    assert found.costs == {"USD": 0.08, "quota": 12}
    assert found.bytes == sum(path.stat().st_size for path in (log.folder / "results").iterdir())
    assert log.totals(since=time.time() + 1).runs == 0


def test_since_just_then(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run that began at the very moment from which on is counted, counts."""
    row = _edit(server, photo, log)
    assert log.rows() == log.rows(1)
    offline = log.row(edit(photo, "x", client=Client.offline(), log=log, **SMALL).id)
    for since in (row.started, 0):
        assert log.totals(since).runs == log.spent(Budget(since=since)).runs == 1
        assert log.rows(since=since)[-1] == row
    assert log.totals(offline.started).offline == 1
    assert log.totals(offline.started + 0.001).offline == 0


def test_what_a_run_cost_goes_before_its_estimate(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Totals and budgets count what a run really cost, where that is known."""
    table = PriceTable({"gpt-image-1.5": 4}, "quota")
    server.answer = json_reply(pictures(photo, photo))
    row = _edit(server, photo, log, n=3, budget=Budget(prices=table))
    assert (row.estimate, row.cost) == (12, 8)
    assert log.totals().costs == {"quota": 8}
    assert log.spent(Budget(cost=99, prices=table)).cost == 8


def test_earlier_runs_by_their_tokens(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A price by tokens is also found for runs from before there was a table, where the service counted them."""
    _edit(server, photo, log)
    server.answer = json_reply({"data": pictures(photo)["data"]})
    _edit(server, photo, log)
    table = PriceTable(
        {"gpt-image-1.5": 4}, "USD", lambda model, options, usage: (usage["total_tokens"] or 0) / 10
    )
    assert log.spent(Budget(cost=99, prices=table)).cost == 3 + 4


def test_a_price_that_nobody_knows(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Where a run has no price, or is the embedded service's, none is kept, and no currency."""
    table = PriceTable({"dall-e-2": 4}, "quota")
    for client in (Client(KEY, base_url=server.url), Client.offline()):
        for options in ({}, SMALL):
            row = log.row(edit(photo, "x", client=client, log=log, budget=Budget(prices=table), **options).id)
            priced = bool(options) and not row.offline
            assert (row.estimate, row.cost, row.currency) == ((4, 4, "quota") if priced else (None, None, ""))
    assert log.totals().unpriced == 1
    _edit(server, photo, log)
    assert log.totals().unpriced == 2
    assert log.totals().costs == {"quota": 4}


def test_as_little_as_can_be_said(log: RunLog) -> None:
    """A run that is begun with the least that there is to say has empty fields, and the usual ways."""
    log.begin("one", prepared(EditRequest(prompt="x")), offline=False)
    log.settle("one", "not sent")
    (row,) = log.rows()
    assert (row.source, row.mask, row.problem, row.currency, row.usage, row.billed) == (
        "",
        "",
        "",
        "",
        None,
        None,
    )
    assert (row.sent, row.offline, row.refused, row.asked, row.images) == (False, False, 0, 1, None)
    found = log.restore("one")
    assert (found.fit, found.strict, found.source.name, found.mask, found.mask_digest) == (
        "auto",
        True,
        "",
        None,
        "",
    )


def test_withdrawn(photo: Image.Image, log: RunLog) -> None:
    """A run that is withdrawn says so, and leaves no sign of life behind."""
    log.begin("one", prepared(EditRequest.make(image=photo, prompt="x")), offline=False)
    log.withdraw("one")
    (row,) = log.rows()
    assert (row.state, row.finished is None) == ("not sent", False)
    assert "nothing was sent or billed" in row.problem
    assert list((log.folder / "alive").iterdir()) == []


def test_found(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Only a run of unknown outcome can be said to have been billed or not, and it is said of no other."""
    with pytest.raises(ResultError, match="no run 'x' of unknown outcome"):
        log.found("x", billed=True)
    done = _edit(server, photo, log)
    with pytest.raises(ResultError, match="of unknown outcome"):
        log.found(done.id, billed=False)
    server.answer = html_reply(504)
    for _ in range(3):
        with pytest.raises(UnknownOutcomeError):
            _edit(server, photo, log)
    assert (log.totals().unknown, log.spent(Budget()).unknown) == (3, 3)
    third, second, first = log.rows(state="unknown")
    log.found(first.id, billed=False)
    log.found(second.id, billed=True)
    assert [log.row(row.id).billed for row in (first, second, third, done)] == [False, True, None, None]
    assert (log.totals().unknown, log.spent(Budget()).runs) == (1, 3)


@pytest.mark.slow
def test_restore(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A run can be put back into an editor as it was asked for, not as it was fitted and sent."""
    mask = Mask((90, 60)).ellipse((10, 10, 40, 40)).feather(2)
    wide = open_image(encoded(photo.resize((90, 60))), name="wide.png")
    row = _edit(
        server,
        wide,  # type: ignore[arg-type]  # anything that opens
        log,
        "a red sofa",
        mask=mask,
        model="gpt-image-1.5",
        n=2,
        quality="low",
        fit="pad",
        strict=False,
        extra_body={"seed": 7},
    )
    assert row.options["size"] != "auto"
    found = log.restore(row.id)
    assert (found.prompt, found.model) == ("a red sofa", "gpt-image-1.5")
    assert found.options == {"n": 2, "quality": "low", "extra_body": {"seed": 7}}
    assert found.mask == mask
    assert (found.mask_digest, found.fit, found.strict) == (row.mask, "pad", False)
    assert (found.source.digest, found.source.name, found.source.size) == (wide.digest, wide.name, None)
    again = EditRequest.make(image=wide, prompt=found.prompt, model=found.model, **found.options)
    assert (again.n, again.size) == (2, "auto")


@pytest.mark.slow
def test_restore_of_other_masks(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A mask that was a picture is restored too; one that is too large, or was none, is not, and it says which."""
    assert log.restore(_edit(server, photo, log).id).mask_digest == ""
    seen = photo.convert("RGBA")
    seen.putalpha(Image.linear_gradient("L").resize((64, 64)))
    row = _edit(server, photo, log, mask=seen)
    found = log.restore(row.id)
    assert found.mask is not None
    assert found.mask.area == Mask.from_image(seen, edit="transparent").area

    opaque = log.restore(_edit(server, photo, log, mask=photo, check=False).id)
    assert (opaque.mask, bool(opaque.mask_digest)) == (None, True)
    noise = Mask.from_image(Image.effect_noise((900, 900), 100), edit="white")
    large = log.restore(_edit(server, photo.resize((900, 900)), log, mask=noise).id)
    assert (large.mask, bool(large.mask_digest)) == (None, True)

    # A field of a version that is yet to come.
    _change(log, "UPDATE runs SET asked = ?", '{"n": 2, "depth": 3, "extra_body": {"seed": 7}}')
    assert log.restore(row.id).options == {"n": 2, "extra_body": {"depth": 3, "seed": 7}}
    _change(log, "UPDATE runs SET drawing = 'torn'")
    with pytest.raises(MaskError):
        Mask.from_json("torn")
    assert log.restore(row.id).mask is None


def test_a_run_that_is_not_there(log: RunLog) -> None:
    """Whatever is asked about a run that the log has not got, it says so."""
    for ask in (log.restore, log.row, log.fetch_again):
        with pytest.raises(ResultError, match="no run 'x' in this log"):
            ask("x")


# Results behind addresses


def test_fetched_again(server: Server, photo: Image.Image, log: RunLog) -> None:
    """What could not be fetched is fetched again from the log, without the key, for as long as its address lives."""
    url = f"{server.origin}/a.png?signature=1"
    server.answer = json_reply({"data": [{"url": url}, {"url": f"{server.origin}/b.png"}]})
    server.routes["/a.png?signature=1"] = server.routes["/b.png"] = Reply(500)
    with pytest.raises(ResultError):
        _edit(server, photo, log, n=2)
    (row,) = log.rows()
    assert (row.state, row.results) == ("failed", ())
    assert row.waiting == (url, f"{server.origin}/b.png")

    server.routes["/a.png?signature=1"] = Reply(200, encoded(photo), mime="image/png")
    with pytest.raises(ResultError, match=r"b\.png could not be fetched.*within that"):
        log.fetch_again(row.id, fetch_from=server.origin)
    half = log.row(row.id)
    assert (half.state, len(half.results), half.waiting) == ("failed", 1, (f"{server.origin}/b.png",))

    server.routes["/b.png"] = Reply(200, encoded(photo, "WEBP"), mime="image/webp")
    whole = log.fetch_again(row.id, fetch_from=server.origin)
    assert (whole.state, whole.problem, whole.waiting) == ("done", "", ())
    assert [path.read_bytes() for path in whole.results] == [encoded(photo), encoded(photo, "WEBP")]
    assert log.fetch_again(row.id, fetch_from=server.origin) == whole
    assert len(server.posts) == 1
    assert all(KEY.encode() not in request.head for request in server.requests if request.method == "GET")


def test_the_other_one_fetched_again(server: Server, photo: Image.Image, log: RunLog) -> None:
    """What is missing of one run is fetched and settled, and other runs stay as they are."""
    server.answer = json_reply({"data": [pictures(photo)["data"][0], {"url": f"{server.origin}/b.png"}]})
    server.routes["/b.png"] = Reply(500)
    half = _edit(server, photo, log, n=2)
    assert half.state == "done"
    assert "answered 500" in half.problem
    server.answer = json_reply({"data": [{"url": f"{server.origin}/c.png"}]})
    server.routes["/c.png"] = Reply(500)
    with pytest.raises(ResultError):
        _edit(server, photo, log)

    server.routes["/b.png"] = Reply(200, encoded(Image.new("RGB", (8, 8))), mime="image/png")
    whole = log.fetch_again(half.id, fetch_from=[server.origin])
    assert (whole.state, whole.problem, whole.waiting) == ("done", "", ())
    assert [open_image(path).size for path in whole.results] == [(64, 64), (8, 8)]
    (other,) = log.rows(state="failed")
    assert (other.results, other.waiting) == ((), (f"{server.origin}/c.png",))


@pytest.mark.slow
def test_addresses_are_kept_first(server: Server, log: RunLog) -> None:
    """A process that is killed while it fetches a result has its address in the log already."""
    server.answer = json_reply({"data": [{"url": f"{server.origin}/slow.png"}]})
    server.routes["/slow.png"] = Reply(hold=server.event())
    with _another_kernel("tt.edit(photo, 'killed', client=client, log=log)", server.url, log.folder):
        server.wait_for(2)
    (row,) = log.recover()
    assert (row.state, row.waiting) == ("done", (f"{server.origin}/slow.png",))
    server.routes["/slow.png"] = Reply(200, b"the picture")
    assert log.fetch_again(row.id, fetch_from=server.origin).results[0].read_bytes() == b"the picture"


def test_private_addresses_stay_shut(server: Server, photo: Image.Image, log: RunLog) -> None:
    """The log fetches where the client would, and nowhere else."""
    with Server() as other:
        server.answer = json_reply({"data": [{"url": f"{other.origin}/a.png"}]})
        with pytest.raises(ResultError):
            _edit(server, photo, log)
        with pytest.raises(ResultError, match="https only"):
            log.fetch_again(log.rows()[0].id)
        assert other.connections == 0


# Making room


def _three(photo: Image.Image, log: RunLog) -> list[RunRow]:
    """Three runs, ten days apart, with a result each; the oldest first."""
    for number in range(3):
        name = f"run {number}"
        mask = Mask((64, 64)).rectangle((0, 0, 9, 9))
        request = EditRequest.make(image=photo, prompt=f"number {number}", mask=mask)
        log.begin(name, prepared(request), offline=False)
        log.mark_sent(name)
        data = encoded(Image.effect_noise((64, 64), 50 + number))
        log.store(name, ImagesResponse(None, (ImageData(data),), Usage(total_tokens=30)))
        log.settle(name, "done")
        _change(log, "UPDATE runs SET started = ? WHERE id = ?", time.time() - DAY * (20 - 10 * number), name)
    return log.rows()[::-1]


@pytest.mark.dear
@pytest.mark.parametrize(
    ("how", "left"),
    [
        ({"older_than": 15}, [1, 2]),
        ({"older_than": 5}, [2]),
        ({"older_than": 5, "keep": 2}, [1, 2]),
        ({"older_than": 30, "keep": 0}, [0, 1, 2]),
        ({"keep": 1}, [2]),
        ({"keep": 0}, []),
        ({"keep": 9}, [0, 1, 2]),
    ],
)
def test_prune(photo: Image.Image, log: RunLog, how: dict[str, Any], left: list[int]) -> None:
    """Old runs go with all that was theirs, their words out of the file too, and what they cost stays."""
    rows = _three(photo, log)
    before = log.totals()
    sizes = [row.results[0].stat().st_size for row in rows]
    gone = [number for number in range(3) if number not in left]
    assert log.prune(**how) == Pruned(len(gone), len(gone), sum(sizes[number] for number in gone))
    assert [row.prompt for row in reversed(log.rows())] == [f"number {number}" for number in left]
    assert _names(log) == {rows[number].results[0].name for number in left}
    after = log.totals()
    assert (after.runs, after.images, after.tokens) == (before.runs, before.images, before.tokens)
    stored = b"".join(contents(log.folder).values())
    assert all((f"number {number}".encode() in stored) == (number in left) for number in range(3))
    for number in gone:
        with pytest.raises(ResultError, match="no run"):
            log.restore(rows[number].id)


def test_prune_by_days(photo: Image.Image, log: RunLog) -> None:
    """Days are whole days, to the second."""
    rows = _three(photo, log)
    for row, days in zip(rows, (10 * DAY + 5, 10 * DAY - 60, 0), strict=True):
        _change(log, "UPDATE runs SET started = ? WHERE id = ?", time.time() - days, row.id)
    assert log.prune(older_than=10).runs == 1
    assert [row.id for row in log.rows()] == [rows[2].id, rows[1].id]


def test_pruned_runs_are_priced_too(server: Server, photo: Image.Image, log: RunLog) -> None:
    """What a price depends on stays of a pruned run, so that a table that is made later has a price for it."""
    _edit(server, photo, log, size="1024x1024", quality="low")
    _edit(server, photo, log, "y", size="1024x1024", extra_body={"mode": "mine", "team": "secret"})
    _edit(server, photo, log, "z", size="1024x1024", extra_body={"model": "mine"})
    table = PriceTable({("gpt-image-1.5", "1024x1024", "low"): 3, "gpt-image-1.5": 100}, "quota")
    budget = Budget(cost=999, prices=table)
    before = log.spent(budget)
    assert (before.cost, before.unpriced) == (3, 2)
    log.prune(keep=0)
    assert log.spent(budget) == before
    assert [path for path, data in contents(log.folder).items() if b"secret" in data] == []


def test_limit_leaves_runs_under_way(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A size limit takes nothing of a run under way, and nothing of the newest that has results."""
    oldest, middle, newest = _three(photo, log)
    mark = alive.hold(log.folder, oldest.id)
    _change(log, "UPDATE runs SET state = 'open', mark = ? WHERE id = ?", mark, oldest.id)
    # Two newer ones: of one, the result has yet to be fetched, and the other has none.
    server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
    server.routes["/a.png"] = Reply(500)
    with pytest.raises(ResultError):
        _edit(server, photo, log)
    server.answer = html_reply(504)
    with pytest.raises(UnknownOutcomeError):
        _edit(server, photo, log)
    assert log.prune(limit_bytes=0).files == 1
    assert _names(log) == {oldest.results[0].name, newest.results[0].name}
    assert log.row(middle.id).results == ()
    assert log.rows()[1].waiting == (f"{server.origin}/a.png",)
    alive.release(log.folder, oldest.id)


def test_prune_spares(photo: Image.Image, log: RunLog) -> None:
    """Runs under way, and those that are named, stay; so does a file that another run still needs."""
    oldest, middle, newest = _three(photo, log)
    mark = alive.hold(log.folder, middle.id)
    _change(log, "UPDATE runs SET state = 'open', mark = ? WHERE id = ?", mark, middle.id)
    _change(log, "UPDATE results SET sha256 = ? WHERE run = ?", newest.results[0].name, middle.id)
    assert log.prune(keep=0, spare=[oldest.id]).runs == 1
    assert {row.id for row in log.rows()} == {oldest.id, middle.id}
    assert _names(log) == {oldest.results[0].name, newest.results[0].name}
    log.settle(middle.id, "done")
    assert list((log.folder / "alive").iterdir()) == []


def test_prune_leaves_what_is_being_written(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A file that another kernel is about to rename stays; one that was left behind long ago goes."""
    import os

    row = _edit(server, photo, log)
    fresh, stale = (log.folder / "results" / f"{'0' * 64}.{name * 32}" for name in "ab")
    fresh.touch()
    stale.touch()
    os.utime(stale, (time.time() - 2 * DAY,) * 2)
    log.prune(keep=5)
    assert _names(log) == {fresh.name, row.results[0].name}


def test_nothing_to_prune_by(log: RunLog) -> None:
    """A prune that does not say what may go, or says it with a number that can't be, takes nothing away."""
    for how in ({}, {"keep": -1}, {"older_than": float("nan")}, {"limit_bytes": -5, "keep": 3}):
        with pytest.raises(SettingsError, match="older_than"):
            log.prune(**how)


def test_limit(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A size limit takes the oldest results, leaves their runs in the history, and never the newest one's."""
    rows = _three(photo, log)
    sizes = [row.results[0].stat().st_size for row in rows]
    assert log.prune(limit_bytes=sum(sizes)) == Pruned(0, 0, 0)
    assert log.prune(limit_bytes=sum(sizes) - 1) == Pruned(0, 1, sizes[0])
    assert [len(row.results) for row in log.rows()] == [1, 1, 0]
    assert log.restore(rows[0].id).prompt == "number 0"
    assert log.prune(limit_bytes=0, spare=[rows[1].id]) == Pruned(0, 0, 0)
    assert log.prune(limit_bytes=0) == Pruned(0, 1, sizes[1])
    assert _names(log) == {rows[2].results[0].name}

    limited = RunLog(log.folder, limit_bytes=1)
    server.answer = json_reply(pictures(Image.new("RGB", (64, 64))))
    newest = _edit(server, photo, limited)
    assert _names(log) == {newest.results[0].name}
    with pytest.raises(SettingsError, match="limit_bytes=-1"):
        RunLog(log.folder, limit_bytes=-1)


# The file

# As the first version wrote it.
OLD = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, started REAL NOT NULL, finished REAL, state TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0,
    offline INTEGER NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, options TEXT NOT NULL,
    source TEXT NOT NULL, mask TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '', usage TEXT
);
CREATE TABLE IF NOT EXISTS results (
    run TEXT NOT NULL REFERENCES runs (id), number INTEGER NOT NULL, sha256 TEXT, url TEXT, bytes INTEGER,
    PRIMARY KEY (run, number)
);
"""


def test_a_log_of_the_first_version(server: Server, photo: Image.Image, log: RunLog) -> None:
    """A log from before there were versions keeps its runs, which are counted, found, restored and given up."""
    data = encoded(photo)
    name = hashlib.sha256(data).hexdigest()
    (log.folder / "results").mkdir(parents=True)
    (log.folder / "results" / name).write_bytes(data)
    long_ago = time.time() - 2 * DOUBT
    options = json.dumps({"n": 2, "size": "1024x1024", "seed": 3})
    usage = json.dumps({"total_tokens": 30})
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(OLD)
        insert = "INSERT INTO runs VALUES (?, ?, NULL, ?, 1, 0, 'gpt-image-1', 'old', ?, 'd', '', '', ?)"
        db.execute(insert, ("done", long_ago, "done", options, usage))
        db.execute(insert, ("left", long_ago, "open", "{}", None))
        db.execute(insert, ("new", time.time(), "open", '{"n": "many"}', "[]"))
        db.execute("INSERT INTO results VALUES ('done', 1, ?, NULL, ?)", (name, len(data)))

    assert [(row.id, row.state) for row in log.rows(search="old")] == [
        ("new", "open"),
        ("left", "unknown"),
        ("done", "done"),
    ]
    done = log.row("done")
    assert (done.asked, done.images, done.tokens) == (2, 1, 30)
    assert done.results[0].read_bytes() == data
    found = log.restore("done")
    assert (found.options, found.mask) == ({"size": "1024x1024", "n": 2, "extra_body": {"seed": 3}}, None)
    assert _edit(server, photo, log).state == "done"
    assert (log.totals().runs, log.totals().images) == (4, 2)


def test_a_log_of_a_newer_version(log: RunLog) -> None:
    """A log that a newer version has written is left alone, and the error says what to do."""
    assert log.rows() == []
    _change(log, "PRAGMA user_version = 99")
    with pytest.raises(ResultError, match=r"newer ttapi_nb.*log=RunLog\(…\)"):
        log.rows()


@pytest.mark.slow
def test_made_by_many_at_once(tmp_path: Path, photo: Image.Image) -> None:
    """Threads and processes that open a new log at the same moment all get it."""
    folder = tmp_path / "new"
    pool = multiprocessing.get_context("forkserver").Pool(2)
    with pool:
        found = pool.map(_begin, [(folder, number) for number in range(12)], chunksize=1)
    assert found == list(range(12))
    assert len(RunLog(folder).rows()) == 12


def _begin(given: tuple[Path, int]) -> int:
    folder, number = given
    request = EditRequest.make(image=Image.new("RGB", (8, 8)), prompt="x")
    RunLog(folder).begin(f"run {number}", prepared(request), offline=False)
    return number


def test_journal(server: Server, photo: Image.Image, log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log for a network folder keeps to a rollback journal, also for those who don't say so."""

    def mode() -> str:
        with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
            return str(db.execute("PRAGMA journal_mode").fetchone()[0])

    _edit(server, photo, log)
    assert mode() == "wal"
    _edit(server, photo, RunLog(log.folder, journal="rollback"))
    assert mode() == "delete"
    assert not list(log.folder.glob("*-wal"))
    _edit(server, photo, log)
    assert mode() == "delete"
    monkeypatch.setenv("TTAPI_JOURNAL", "wal")
    assert len(RunLog(log.folder).rows()) == 3
    assert mode() == "wal"
    monkeypatch.setenv("TTAPI_JOURNAL", "paper")
    with pytest.raises(SettingsError, match="'paper' is not known"):
        RunLog(log.folder)


def test_journal_while_in_use(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another program has the log open for good, the journal can't be changed, and that is said."""
    log.rows()
    monkeypatch.setattr(file, "PATIENCE", 0.1)
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
        db.execute("BEGIN")
        db.execute("SELECT * FROM runs").fetchall()
        with pytest.raises(ResultError, match="locked"):
            RunLog(log.folder, journal="rollback").rows()
    assert RunLog(log.folder, journal="rollback").rows() == []


def test_results_that_can_not_be_written(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Where a result can't be stored or fetched again, that is an error of ours and nothing half is left."""
    row = _edit(server, photo, log)
    run = start_edit(photo, "x", client=Client(KEY, base_url=server.url), log=log).wait(PATIENCE)
    assert run.response is not None
    results = log.folder / "results"
    moved = results.rename(results.with_name("moved"))
    results.write_text("in the way")
    with pytest.raises(ResultError, match="can't be used"):
        log.store(row.id, run.response)
    with pytest.raises(ResultError, match="can't be used"):
        keep_fetched(file.LogFile(log.folder, None), None, row.id, 1, b"picture")
    results.unlink()
    moved.rename(results)
    assert len(log.rows()) == 2
    before = _names(log)
    (log.folder / "runs.sqlite3").rename(log.folder / "safe")
    (log.folder / "runs.sqlite3").mkdir()
    changed = ImagesResponse(None, (ImageData(b"another picture"),))
    with pytest.raises(ResultError, match="can't be used"):
        log.store(row.id, changed)
    assert _names(log) == before

"""Each step of a run's life writes what it should about that run, and nothing about any other."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.preparing import prepared
from ttapi_nb import (
    Budget,
    EditRequest,
    ImagesResponse,
    Mask,
    NotSentError,
    PriceTable,
    ResultError,
    RunLog,
    SettingsError,
    open_image,
)
from ttapi_nb.log import alive, file, keeping, memory
from ttapi_nb.log.file import LogFile
from ttapi_nb.log.folder import written
from ttapi_nb.log.keeping import keep_fetched
from ttapi_nb.log.writing import asked_fields, forget, new_row, shrink
from ttapi_nb.reply.responses import ImageData, Usage
from ttapi_nb.text import account_at, may_be_billed

OTHERS = ("open", "left", "done", "failed", "unknown", "not sent")
URL = "https://results.example/1.png"
ANSWER = ImagesResponse(None, (ImageData(b"first"), ImageData(None, URL)), Usage(total_tokens=30))
A, B, C, D, E = (letter * 64 for letter in "abcde")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


@contextmanager
def opened(log: RunLog) -> Iterator[sqlite3.Connection]:
    """The file itself."""
    with closing(sqlite3.connect(log.folder / "runs.sqlite3", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        yield db


def change(log: RunLog, statement: str, *values: object) -> None:
    """Change the file behind the log's back."""
    with opened(log) as db:
        db.execute(statement, values)


def table(log: RunLog, name: str = "runs") -> list[dict[str, Any]]:
    """All rows of a table, as they are written."""
    with opened(log) as db:
        return [dict(row) for row in db.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()]


def columns(log: RunLog, run_id: str = "one") -> dict[str, Any]:
    """What is written of one run."""
    (row,) = (row for row in table(log) if row["id"] == run_id)
    return row


def begin(log: RunLog, *names: str) -> None:
    """Begin these runs."""
    for name in names:
        log.begin(name, prepared(EditRequest(prompt="x")), offline=False)


@contextmanager
def locked(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another program writes meanwhile, for longer than anybody waits."""
    with monkeypatch.context() as patch, opened(log) as db:
        patch.setattr(file, "PATIENCE", 0.05)
        db.execute("BEGIN IMMEDIATE")
        yield


def with_others(log: RunLog) -> list[dict[str, Any]]:
    """Runs in each state that are none of a test's business, as they are written."""
    begin(log, *OTHERS)
    for name in OTHERS[1:-1]:
        log.mark_sent(name)
    for name in OTHERS[2:]:
        log.store(name, ImagesResponse(None, (ImageData(name.encode()),)))
        log.settle(name, name, f"as {name}")  # type: ignore[arg-type]  # they are states
    return table(log)


# From its beginning to its end


@pytest.mark.parametrize("elsewhere", [False, True])
def test_from_step_to_step(log: RunLog, elsewhere: bool) -> None:
    """Each step can be taken once and in its order, by the process that began the run or by another."""
    others = with_others(log)
    begin(log, "one", "two")
    if elsewhere:
        memory.drop(log.folder, "one")
        memory.drop(log.folder, "two")

    def said() -> tuple[Any, ...]:
        row = columns(log)
        return row["state"], row["sent"], row["refused"]

    assert said() == ("open", 0, 0)
    log.mark_sent("one")
    assert said() == ("open", 1, 0)
    with pytest.raises(NotSentError, match="not waiting to be sent"):
        log.mark_sent("one")
    for refused in (1, 2):
        log.mark_refused("one")
        assert said() == ("open", 0, refused)
        log.mark_sent("one")
        assert said() == ("open", 1, refused)
    log.mark_unsent("one")
    assert said() == ("open", 0, 2)
    log.mark_sent("one")
    log.withdraw("one")
    assert said() == ("open", 1, 2)
    log.settle("one", "failed", "torn")
    row = columns(log)
    assert (row["state"], row["problem"], row["sent"], row["refused"]) == ("failed", "torn", 1, 2)
    assert abs(row["finished"] - time.time()) < 60
    log.mark_unsent("one")
    assert said() == ("failed", 1, 2)
    with pytest.raises(NotSentError, match="not waiting to be sent"):
        log.mark_sent("one")
    log.withdraw("two")
    row = columns(log, "two")
    assert (row["state"], row["problem"]) == (
        "not sent",
        "Interrupted as it began: nothing was sent or billed.",
    )
    assert abs(row["finished"] - time.time()) < 60
    assert table(log)[: len(others)] == others


def test_a_run_that_is_over_is_let_go(log: RunLog) -> None:
    """Whoever looks whether a process still has runs finds none once the last is settled, withdrawn or not."""
    for end in (lambda: log.withdraw("one"), lambda: log.settle("one", "done")):
        begin(log, "one")
        assert list((log.folder / "alive").iterdir())
        end()
        assert memory.known(log.folder, "one") is None
        assert list((log.folder / "alive").iterdir()) == []
        change(log, "DELETE FROM runs")


def test_a_file_that_was_deleted_under_a_run(log: RunLog) -> None:
    """Whatever is done next writes the run again, with all that has become of it."""
    begin(log, "one")
    row = columns(log)
    steps: tuple[tuple[Callable[[], object], dict[str, Any]], ...] = (
        (lambda: log.mark_sent("one"), {"sent": 1}),
        (lambda: log.mark_refused("one"), {"sent": 0, "refused": 1}),
        (lambda: log.mark_sent("one"), {"sent": 1}),
        (lambda: log.mark_unsent("one"), {"sent": 0}),
        (lambda: log.mark_sent("one"), {"sent": 1}),
        (lambda: log.mark_refused("one"), {"sent": 0, "refused": 2}),
        (lambda: log.mark_sent("one"), {"sent": 1}),
        (
            lambda: log.store("one", ANSWER, cost=0.25),
            {"came": 2, "tokens": 30, "usage": json.dumps(vars(ANSWER.usage)), "cost": 0.25},
        ),
    )
    for step, changed in steps:
        change(log, "DELETE FROM runs")
        step()
        row |= changed
        assert columns(log) == row
    results = table(log, "results")
    change(log, "DELETE FROM runs")
    change(log, "DELETE FROM results")
    log.settle("one", "done", "fine")
    found = columns(log)
    assert found == row | {"state": "done", "problem": "fine", "finished": found["finished"]}
    assert table(log, "results") == results
    # Of somebody else's run nothing is known.
    for ask in (log.mark_refused, log.mark_unsent, lambda name: log.settle(name, "done")):
        with pytest.raises(ResultError, match="no run 'two' in this log"):
            ask("two")


def test_an_answer_that_could_not_be_stored(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of an answer is written with the run's end, where it could not be when the answer came."""
    begin(log, "one")
    log.mark_sent("one")
    with locked(log, monkeypatch), pytest.raises(ResultError, match="locked"):
        log.store("one", ANSWER, cost=0.25)
    assert columns(log)["came"] is None
    log.settle("one", "failed", "full")
    row = log.row("one")
    assert (row.came, row.tokens, row.cost, row.sent, row.state) == (2, 30, 0.25, True, "failed")
    assert row.usage is not None
    assert row.usage["total_tokens"] == 30


def test_withdrawn_when_nothing_can_be_written(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is withdrawn while the log is held is so at once, and in the file with whatever is done next."""
    begin(log, "other", "one", "left", "gone")
    log.mark_sent("other")
    # What another thread writes just now, before it can say so.
    change(log, "UPDATE runs SET sent = 1 WHERE id = 'left'")
    change(log, "DELETE FROM runs WHERE id = 'gone'")
    with locked(log, monkeypatch):
        for name in ("one", "left", "gone"):
            with pytest.raises(ResultError, match="locked"):
                log.withdraw(name)
        assert log.spent(Budget()).runs == 1
        assert log.totals().runs == 1
    with pytest.raises(NotSentError, match="not waiting to be sent"):
        log.mark_sent("one")
    assert [(row.id, row.state) for row in reversed(log.rows())] == [
        ("other", "open"),
        ("one", "not sent"),
        ("left", "open"),
    ]
    assert log.spent(Budget()).runs == 2
    assert [memory.known(log.folder, name) is None for name in ("other", "one", "left", "gone")] == [
        *(False, True, False, True)
    ]
    log.settle("left", "done")
    log.settle("other", "done")
    assert list((log.folder / "alive").iterdir()) == []


def test_found_for_one_alone(log: RunLog) -> None:
    """What somebody found out is noted of that run alone, and of none that is known anyway."""
    others = with_others(log)
    begin(log, "one")
    log.settle("one", "unknown")
    for billed in (True, False):
        log.found("one", billed=billed)
        assert columns(log)["billed"] == billed
        assert table(log)[: len(others)] == others
    for name in ("open", "done", "nobody"):
        with pytest.raises(ResultError, match="of unknown outcome"):
            log.found(name, billed=False)
    assert table(log)[: len(others)] == others
    with pytest.raises(SettingsError, match="neither True nor False"):
        log.found("one", billed=1)  # type: ignore[arg-type]  # a mistake


# What is written as it begins


def test_all_that_is_written_at_first(log: RunLog, photo: Image.Image) -> None:
    """The row of a run says what was asked, what it is expected to take, and where it goes."""
    mask = Mask((64, 64)).rectangle((8, 8, 40, 40))
    asked = EditRequest.make(image=open_image(photo), prompt="sofa", model="gpt-image-1.5", mask=mask, n=2)
    ready = prepared(asked, "pad")
    sent = ready.sent
    assert sent.mask_file is not None
    budget = Budget(prices=PriceTable({"gpt-image-1.5": 0.5}, "USD"))
    log.begin("one", ready, offline=False, address="https://x.example/v1", budget=budget)
    log.begin("two", ready, offline=True, address="https://x.example/v1", budget=budget)
    row, other = columns(log), columns(log, "two")
    assert abs(row["started"] - time.time()) < 60
    assert row["counted"] == row["started"]
    assert ready.asked.source is not None
    expected = {
        "id": "one",
        "finished": None,
        "state": "open",
        "sent": 0,
        "offline": 0,
        "model": "gpt-image-1.5",
        "prompt": "sofa",
        "source": ready.asked.source.digest,
        "name": ready.asked.source.name,
        "mask": hashlib.sha256(sent.mask_file.data).hexdigest(),
        "address": "https://x.example/v1",
        "refused": 0,
        "images": 2,
        "estimate": 1.0,
        "currency": "USD",
        "fit": "pad",
        "strict": 1,
        "problem": "",
        "usage": None,
        "came": None,
        "tokens": None,
        "cost": None,
        "billed": None,
        "experiment": "",
        "cell": "",
        "pruned": 0,
        "host": alive.my_host(),
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["options"])["n"] == 2
    assert json.loads(row["options"]) == {k: v for k, v in sent.body().items() if k != "prompt"}
    assert json.loads(row["asked"]) == {"n": 2}
    assert Mask.from_json(row["drawing"]) == mask
    changed = {"offline": 1, "address": "", "estimate": None, "currency": ""}
    assert {name: other[name] for name in changed} == changed
    bare = new_row(
        "three",
        prepared(EditRequest(prompt="x")),
        offline=False,
        address="",
        estimate=Budget().estimate(EditRequest(prompt="x")),
    )
    assert (bare["source"], bare["name"], bare["mask"], bare["currency"], bare["estimate"]) == (
        *("", "", "", ""),
        None,
    )
    assert asked_fields(EditRequest(prompt="x", n=2, extra_body={"seed": 7})) == {
        "n": 2,
        "extra_body": {"seed": 7},
    }
    assert asked_fields(EditRequest(prompt="x")) == {"n": 1}


def test_from_when_a_run_counts(log: RunLog) -> None:
    """A run counts from no earlier than the latest before it and than its budget, but for times that can't be."""
    log.rows()
    insert = (
        "INSERT INTO runs (id, started, counted, state, offline, model, prompt, options, source, mask)"
        " VALUES (?, 1.0, ?, 'done', 0, 'm', 'p', '{}', '', '')"
    )
    change(log, insert, "earliest", 50.0)
    change(log, insert, "wrong", 2e11)
    begin(log, "now")
    assert abs(columns(log, "now")["counted"] - time.time()) < 60
    change(log, insert, "ahead", 6e9)
    change(log, insert, "back", 70.0)
    begin(log, "late")
    row = columns(log, "late")
    assert (row["counted"], abs(row["started"] - time.time()) < 60) == (6e9, True)
    request = prepared(EditRequest(prompt="x"))
    log.begin("later", request, offline=False, budget=Budget(since=7e9))
    assert columns(log, "later")["counted"] == 7e9


# Results


def test_each_result_by_its_number(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result is written with its number, hash, size and address, and one that comes later beside the others."""
    others = with_others(log)
    before = table(log, "results")
    begin(log, "one")
    log.store("one", ANSWER)
    digest = hashlib.sha256(b"first").hexdigest()
    first, second = ({**row, "time": None} for row in table(log, "results")[len(before) :])
    assert first == {
        "run": "one",
        "number": 1,
        "sha256": digest,
        "url": None,
        "bytes": 5,
        "time": None,
        "pruned": 0,
    }
    assert second == {
        "run": "one",
        "number": 2,
        "sha256": None,
        "url": URL,
        "bytes": 0,
        "time": None,
        "pruned": 0,
    }
    assert (log.folder / "results" / digest).read_bytes() == b"first"
    row = columns(log)
    assert (row["came"], row["tokens"], row["cost"], row["state"]) == (2, 30, None, "open")
    # A run under way stays so, and one of unknown outcome too: it is the answer alone that came.
    keep_fetched(log._file, None, "one", 2, b"second")
    digest = hashlib.sha256(b"second").hexdigest()
    changed = table(log, "results")[-1]
    assert changed == second | {"sha256": digest, "bytes": 6, "time": changed["time"]}
    assert abs(changed["time"] - time.time()) < 60
    assert columns(log)["state"] == "open"
    for state, after in (("failed", "done"), ("done", "done"), ("unknown", "unknown")):
        change(log, "UPDATE runs SET state = ?, problem = 'half' WHERE id = 'one'", state)
        change(log, "UPDATE results SET sha256 = NULL WHERE run = 'one' AND number = 2")
        keep_fetched(log._file, None, "one", 2, b"second")
        assert (columns(log)["state"], columns(log)["problem"]) == (after, "" if after == "done" else "half")
    # One of which nobody knew.
    keep_fetched(log._file, None, "one", 3, b"third")
    assert (table(log, "results")[-1]["number"], table(log, "results")[-1]["bytes"]) == (3, 5)
    assert table(log, "results")[: len(before)] == before
    assert table(log)[: len(others)] == others


def test_pictures_are_on_the_disk_before_the_log_is_held(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who brings a picture into the log writes it while another program still has the log, and leaves nothing half."""
    begin(log, "one")
    put: list[bytes] = []
    write = written

    def watched(folder: Path, name: str, data: bytes) -> Path:
        put.append(data)
        return write(folder, name, data)

    monkeypatch.setattr(keeping, "written", watched)
    with locked(log, monkeypatch), pytest.raises(ResultError, match="locked"):
        log.store("one", ANSWER)
    assert put == [b"first"]
    assert list((log.folder / "results").iterdir()) == []


def test_an_answer_as_it_came(log: RunLog) -> None:
    """Whether an answer is kept beside the log is told of each run."""
    begin(log, "one", "two")
    (log.folder / "answers").mkdir(exist_ok=True)
    (log.folder / "answers" / "one").write_bytes(b"{}")
    assert (log.keeps_answer("one"), log.keeps_answer("two")) == (True, False)
    with pytest.raises(ResultError):
        log.keeps_answer("")


# What is given up, forgotten and let go


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("", ""),
        ("torn", ""),
        ("http://[", ""),
        ("https://gateway.example:8443/v1", "gateway.example"),
        (f"https://{'a' * 150}/v1", "a" * 99 + "…"),
    ],
)
def test_where_to_look_for_the_bill(log: RunLog, address: str, host: str) -> None:
    """A run that was left under way says in which account it may be billed."""
    log.begin("one", prepared(EditRequest(prompt="x")), offline=False, address=address)
    log.mark_sent("one")
    alive.release(log.folder, "one")
    (row,) = log.recover()
    what = may_be_billed(account_at(host))
    assert row.problem == f"The program ended while the request was under way. {what}"
    assert (row.state, columns(log)["state"]) == ("unknown", "unknown")
    assert abs((row.finished or 0) - time.time()) < 60


def test_given_up_by_what_is_known(log: RunLog) -> None:
    """A run that was left is done where its answer came, not sent where it had not left, and else unknown."""
    begin(log, "answered", "waiting")
    log.mark_sent("answered")
    log.store("answered", ANSWER)
    log.begin("embedded", prepared(EditRequest(prompt="x")), offline=True)
    log.mark_sent("embedded")
    names = ("answered", "waiting", "embedded")
    for name in names:
        alive.release(log.folder, name)
    begin(log, "mine")
    assert [(columns(log, name)["state"], columns(log, name)["problem"]) for name in names] == [
        ("done", "The program ended as the answer came. What had arrived was kept."),
        ("not sent", "The program ended before the request had left: nothing was sent or billed."),
        ("unknown", "The program ended while the request was under way. Run it again."),
    ]
    assert log.recover() == ()
    assert columns(log, "mine")["state"] == "open"


def test_what_is_left_of_a_run_that_is_forgotten(log: RunLog) -> None:
    """Of a run that is taken away only what a price depends on stays, and all of any other."""
    others = with_others(log)
    begin(log, "one")
    log.store("one", ANSWER)
    log.settle("one", "done")
    priced = {"n": 2, "size": "1024x1024", "quality": "low", "model": "m", "mode": "x"}
    change(log, "UPDATE runs SET options = ? WHERE id = 'one'", json.dumps(priced | {"team": "secret"}))
    for run in ("one", "done"):
        change(log, "INSERT INTO shown (run, number) VALUES (?, 1)", run)
        log.rate(run, stars=3)
    before = columns(log)
    with opened(log) as db:
        db.row_factory = None
        forget(db, "one")
    gone = dict.fromkeys(("prompt", "drawing", "source", "mask", "name", "address", "problem"), "")
    assert columns(log) == before | gone | {"pruned": 1, "options": json.dumps(priced), "asked": "{}"}
    for name in ("results", "ratings", "shown"):
        assert "one" not in [row["run"] for row in table(log, name)]
        assert "done" in [row["run"] for row in table(log, name)]
    assert table(log)[: len(others)] == others


def test_room_for_results(log: RunLog) -> None:
    """Results go from the oldest run on until the rest fits, each file counted once; the newest run's stay."""
    begin(log, *OTHERS[:1], "r1", "r2", "r3", "r4", "last")
    for name, counted in (("r1", 40), ("r2", 10), ("r3", 20), ("r4", 30), ("last", 60)):
        state = "open" if name == "r3" else "done"
        change(log, "UPDATE runs SET counted = ?, state = ? WHERE id = ?", counted, state, name)
    for run, number, digest, size, pruned in (
        *(("r2", 1, A, "x", 0), ("r2", 2, E, 500, 1), ("r3", 1, C, 10, 0), ("r4", 1, A, 100, 0)),
        *(("r4", 2, B, 50, 0), ("r4", 3, None, 1000, 0), ("r1", 1, D, 5, 0), ("r1", 2, A, 100, 0)),
    ):
        change(
            log,
            "INSERT INTO results (run, number, sha256, url, bytes, pruned) VALUES (?, ?, ?, 'https://x', ?, ?)",
            *(run, number, digest, size, pruned),
        )
    before = table(log, "results")
    for limit, spare, gone in (
        (165, [], []),
        (164, ["r2"], ["r4"]),
        (164, [], ["r2", "r4"]),
        (0, [], ["r2", "r4"]),
        (0, ["r2", "r4"], []),
    ):
        with opened(log) as db:
            db.execute("BEGIN")
            shrink(db, limit, spare)
            after = [dict(row) for row in db.execute("SELECT * FROM results ORDER BY rowid")]
            db.execute("ROLLBACK")
        assert after == [row | {"pruned": 1, "url": None} if row["run"] in gone else row for row in before], (
            limit,
            spare,
        )


def test_a_log_file_that_is_somebody_elses(tmp_path: Path) -> None:
    """A result is not brought into a folder whose file is another program's."""
    (tmp_path / "runs.sqlite3").write_bytes(b"x" * 5000)
    with pytest.raises(ResultError):
        keep_fetched(LogFile(tmp_path, None), None, "one", 1, b"picture")
    assert [path.name for path in tmp_path.iterdir()] == ["runs.sqlite3"]

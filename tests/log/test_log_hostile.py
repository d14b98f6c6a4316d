"""Logs that somebody else made, folders that are somebody else's, and what happens to a log under a run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import Server, json_reply
from tests.support.folders import modes
from tests.support.preparing import prepared
from ttapi_nb import (
    Budget,
    BudgetError,
    Client,
    EditRequest,
    ImageEditor,
    ImagesResponse,
    NotSentError,
    PriceTable,
    ResultError,
    RunLog,
    SettingsError,
    TTAPIError,
    edit,
)
from ttapi_nb.log import alive, memory
from ttapi_nb.log import log as log_module
from ttapi_nb.log.folder import SUPER_JOURNAL
from ttapi_nb.reply import ImageData, Usage

KEY = "test-key-0123456789"
REQUEST = EditRequest(prompt="x")
PICTURE = b"not looked at"
NAME = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def run(log: RunLog, name: str = "one", data: bytes = PICTURE, url: str | None = None) -> None:
    """A run from its beginning to its end."""
    log.begin(name, prepared(REQUEST), offline=False)
    log.mark_sent(name)
    items = (ImageData(data), ImageData(url=url)) if url else (ImageData(data),)
    log.store(name, ImagesResponse(None, items, Usage(total_tokens=30)))
    log.settle(name, "done")


def change(log: RunLog, statement: str, *values: object) -> None:
    """Change the file behind the log's back."""
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db, db:
        db.execute(statement, values)


def mode(path: Path) -> int:
    """A file's permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


# The user's own files


def test_a_results_folder_of_somebody_elses(tmp_path: Path) -> None:
    """A folder `results` with other files in it is refused in words, and nothing in it is touched."""
    mine = tmp_path / "thesis" / "results"
    mine.mkdir(parents=True, mode=0o755)
    for name in ("figure1.png", "thesis.csv", NAME):
        (mine / name).write_text("mine")
    log = RunLog(tmp_path / "thesis", limit_bytes=0)
    for ask in (lambda: run(log), lambda: log.prune(keep=0), log.rows):
        with pytest.raises(ResultError, match="did not make"):
            ask()
    assert sorted(path.name for path in mine.iterdir()) == sorted(("figure1.png", "thesis.csv", NAME))
    assert mode(mine) == 0o755
    assert [path.name for path in log.folder.iterdir()] == ["results"]


@pytest.mark.parametrize("name", ["results", "alive", "answers", "runs.sqlite3", "runs.sqlite3-wal"])
@pytest.mark.parametrize("before", [True, False])
def test_links_lead_nowhere(tmp_path: Path, log: RunLog, name: str, before: bool) -> None:
    """What leads out of the log's folder is refused, also where it was put there later."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (elsewhere / "file").write_text("mine")
    log.folder.mkdir()
    if not before:
        run(log)
    place = log.folder / name
    if place.exists():
        place.rename(tmp_path / "moved")
    place.symlink_to(elsewhere / "file" if "." in name else elsewhere)
    with pytest.raises(ResultError, match="is a link"):
        run(log, "two", b"another")
    with pytest.raises(ResultError, match="is a link"):
        log.prune(limit_bytes=0)
    assert [path.name for path in elsewhere.iterdir()] == ["file"]
    assert (elsewhere / "file").read_text() == "mine"
    assert mode(elsewhere) == 0o755


def test_a_folder_that_takes_the_place_of_the_logs_own(tmp_path: Path, log: RunLog) -> None:
    """Somebody else's files, put where results are kept while a run is under way, are not added to."""
    log.begin("one", prepared(REQUEST), offline=False)
    log.mark_sent("one")
    results = log.folder / "results"
    results.rename(tmp_path / "moved")
    # Made while the other is there: it has an identity of its own.
    results.mkdir()
    (results / "thesis.csv").write_text("mine")
    with pytest.raises(ResultError, match="did not make"):
        log.store("one", ImagesResponse(None, (ImageData(PICTURE),), Usage()))
    assert [path.name for path in results.iterdir()] == ["thesis.csv"]


def test_only_what_the_log_made_is_deleted(log: RunLog) -> None:
    """Other files in the log's own folder of results stay: by other names, and by names like the log's own."""
    run(log)
    results = log.folder / "results"
    (results / "figure1.png").write_text("mine")
    (results / ("0" * 64)).write_text("mine")
    (results / ("1" * 64)).mkdir()
    (results / ("2" * 64)).symlink_to(log.folder / "runs.sqlite3")
    change(log, "INSERT INTO results (run, number, sha256) VALUES ('gone', 1, ?)", "0" * 64)
    change(log, "DELETE FROM results WHERE run = 'gone'")
    assert log.prune(keep=0).files == 1
    assert {path.name for path in results.iterdir()} == {"figure1.png", "0" * 64, "1" * 64, "2" * 64}
    run(log, "two")
    assert log.row("two").results[0].read_bytes() == PICTURE


def test_a_file_that_is_there_already(log: RunLog) -> None:
    """A file of a result's name that the log did not make stays as it is, and is used only where it is the same."""
    log.rows()
    (log.folder / "results" / NAME).write_bytes(PICTURE)
    run(log)
    assert log.prune(keep=0).files == 0
    (log.folder / "results" / NAME).write_bytes(b"something else")
    log.begin("two", prepared(REQUEST), offline=False)
    with pytest.raises(ResultError, match="there already"):
        log.store("two", ImagesResponse(None, (ImageData(PICTURE),)))
    assert (log.folder / "results" / NAME).read_bytes() == b"something else"


def test_a_journal_that_names_other_files(tmp_path: Path, log: RunLog) -> None:
    """SQLite would delete the file that such a journal names, so it is never shown to it."""
    run(log)
    (log.folder / "runs.sqlite3-journal").write_bytes(b"/home/me/thesis.csv" + SUPER_JOURNAL)
    with pytest.raises(ResultError, match="names other files"):
        log.rows()


@pytest.mark.parametrize("start", [0o022, 0o000])
def test_only_its_owner_can_read_it(tmp_path: Path, start: int) -> None:
    """Whatever the umask is, others can't read a log; an old one is closed as it is opened, its parents are not."""
    before = os.umask(start)
    try:
        log = RunLog(tmp_path / "log")
        log.begin("open", prepared(REQUEST), offline=False)
        run(log)
        whole = modes(log.folder)
        assert {"results", "alive", "runs.sqlite3", NAME} <= {path.name for path in whole}
        assert [path.name for path in whole if whole[path] & 0o077] == []
        log.withdraw("open")
        for path in modes(log.folder):
            path.chmod(0o755 if path.is_dir() else 0o644)
        change(log, "DELETE FROM folders")
        tmp_path.chmod(0o755)
        log.rows()
        assert [path.name for path, found in modes(log.folder).items() if found & 0o077] == []
        assert mode(tmp_path) == 0o755
    finally:
        os.umask(before)


def test_a_folder_that_others_work_in_stays_open(tmp_path: Path) -> None:
    """In a folder with other files a log closes its own things alone: its neighbours can still be reached."""
    shared = tmp_path / "class"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "photo.png").write_bytes(b"theirs")
    (shared / "photo.png").chmod(0o644)
    log = RunLog(shared)
    run(log)
    assert (mode(shared), mode(shared / "photo.png")) == (0o755, 0o644)
    own = {path: found for path, found in modes(shared).items() if path not in (shared, shared / "photo.png")}
    assert len(own) > 2
    assert [path.name for path, found in own.items() if found & 0o077] == []


# What a file says

NASTY: tuple[object, ...] = (
    None, "", "\0", "../../thesis.csv", "/etc/passwd", "x" * 70_000, -1, 2**62, 1e300, float("inf"), -0.5, b"\xff\xfe",
    "{", "[]", "[" * 9999, '{"n": NaN, "size": [1], "mask": 1, "image": 2, "extra_body": 7}', "a" * 32, "f" * 64,
)  # fmt: skip
ASKED: dict[str, Callable[[RunLog], Any]] = {
    "rows": lambda log: log.rows(None, search="x"),
    "row": lambda log: log.row("one"),
    "totals": lambda log: log.totals(),
    "spent": lambda log: log.spent(
        Budget(
            cost=1, prices=PriceTable({"m": 1}, "USD", lambda model, options, usage: usage["output_tokens"])
        )
    ),
    "recover": lambda log: log.recover(),
    "restore": lambda log: log.restore("one"),
    "found": lambda log: log.found("one", billed=True),
    "rate": lambda log: log.rate("one", stars=3),
    "mark_sent": lambda log: log.mark_sent("one"),
    "mark_refused": lambda log: log.mark_refused("one"),
    "withdraw": lambda log: log.withdraw("one"),
    "begin": lambda log: log.begin("new", prepared(REQUEST), offline=False, budget=Budget(runs=99)),
    "settle": lambda log: log.settle("new", "done"),
    "limit": lambda log: log.prune(limit_bytes=0),
    "prune": lambda log: log.prune(older_than=0),
}


@pytest.mark.slow
def test_any_value_in_any_column(tmp_path: Path, log: RunLog) -> None:
    """Whatever stands in whichever column, there is an answer or an error of ours, and no other file is touched."""
    thesis = tmp_path / "thesis.csv"
    thesis.write_text("mine")
    (tmp_path / ("a" * 32)).touch()
    run(log)
    with contextlib.closing(sqlite3.connect(log.folder / "runs.sqlite3")) as db:
        columns = [
            (table, row[1])
            for table in ("runs", "results", "ratings", "files", "folders")
            for row in db.execute(f"PRAGMA table_info({table})")
        ]
    clean = (log.folder / "runs.sqlite3").read_bytes()
    for number, (table, column) in enumerate(columns):
        for turn, value in enumerate(NASTY):
            (log.folder / "runs.sqlite3").write_bytes(clean)
            for state in ("open", "unknown"):
                change(log, "UPDATE runs SET state = ?", state)
            try:
                change(log, f"UPDATE {table} SET {column} = ?", value)
            except sqlite3.IntegrityError:
                continue
            # Each method meets each column, and most of the values.
            for place, ask in enumerate(ASKED.values()):
                if (number + turn + place) % 13 == 0:
                    with contextlib.suppress(TTAPIError):
                        ask(log)
    assert thesis.read_text() == "mine"
    assert (tmp_path / ("a" * 32)).exists()


def test_a_mark_is_no_path(tmp_path: Path, log: RunLog) -> None:
    """A run's mark that leads to a file leaves that alone, and so does one that names a file with something in it."""
    run(log)
    outside, inside = tmp_path / "thesis.csv", log.folder / "alive" / ("b" * 32)
    for path in (outside, inside):
        path.write_text("mine")
    for mark in (str(outside), "../../thesis.csv", "b" * 32):
        change(log, "UPDATE runs SET state = 'open', started = 0, host = ?, mark = ?", alive.my_host(), mark)
        log.recover()
        assert (outside.read_text(), inside.read_text()) == ("mine", "mine")


def test_a_hash_is_no_path(log: RunLog) -> None:
    """A result's name that is no hash is not a result."""
    run(log)
    for name in ("../runs.sqlite3", "/etc/passwd", "F" * 64, NAME + "\n", b"x"):
        change(log, "UPDATE results SET sha256 = ?", name)
        assert log.row("one").results == ()


def test_an_address_is_not_asked_on_the_logs_word(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Where a result may be fetched from is the caller's to say, whatever a row has for it."""
    run(log, url=f"{server.origin}/private.png")
    change(log, "UPDATE runs SET state = 'failed', address = ?", server.origin)
    for trusted in ((), ["https://gateway.example"], "http://127.0.0.1:1"):
        with pytest.raises(ResultError, match="fetch_from"):
            log.fetch_again("one", fetch_from=trusted)
    assert server.connections == 0
    assert len(log.fetch_again("one", fetch_from=server.origin).results) == 2
    for wrong in ("gateway", 7, ["ftp://x"], ["https://x:99999"]):
        with pytest.raises(SettingsError, match="no web addresses"):
            log.fetch_again("one", fetch_from=wrong)  # type: ignore[arg-type]


# What happens to a log under a run


@pytest.mark.parametrize("how", ["database", "folder", "another"])
@pytest.mark.parametrize("when", ["begun", "sent", "stored"])
def test_a_log_that_goes_under_a_run(tmp_path: Path, log: RunLog, how: str, when: str) -> None:
    """Where the database goes, a run's row is written again with what is known, and counts."""
    import shutil

    other = RunLog(tmp_path / "other")
    run(other, "other")

    def go() -> None:
        if how == "folder":
            shutil.rmtree(log.folder)
        for path in log.folder.glob("runs.sqlite3*"):
            path.unlink()
        if how == "another":
            shutil.copy(other.folder / "runs.sqlite3", log.folder)

    response = ImagesResponse(None, (ImageData(PICTURE),), Usage(total_tokens=30))
    log.begin("one", prepared(REQUEST), offline=False)
    for step, do in (
        ("begun", lambda: log.mark_sent("one")),
        ("sent", lambda: log.store("one", response)),
        ("stored", lambda: log.settle("one", "done")),
    ):
        if step == when:
            go()
        do()
    row = log.row("one")
    assert (row.state, row.sent, row.prompt, row.tokens, len(row.results)) == ("done", True, "x", 30, 1)
    assert log.totals().runs == 1 + (how == "another")
    assert RunLog(log.folder).recover() == ()


def test_a_run_that_nobody_knows(log: RunLog) -> None:
    """To end a run that the log has not got is a fault."""
    for wrong in (lambda: log.settle("x", "done"), lambda: log.mark_refused("x")):
        with pytest.raises(ResultError, match="no run 'x'"):
            wrong()


def test_the_folder_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder, of one's own or the environment's, is where it was when the log was made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    log = RunLog("mine")
    monkeypatch.setenv("TTAPI_DATA", "theirs")
    logs = [log, RunLog(), RunLog("~/x")]
    log.begin("one", prepared(REQUEST), offline=False)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    log.settle("one", "not sent")
    assert log.row("one").state == "not sent"
    assert [one.folder for one in logs] == [tmp_path / "mine", tmp_path / "theirs", tmp_path / "home" / "x"]
    assert list((tmp_path / "sub").iterdir()) == []


def full(*_: object, **more: object) -> None:
    """A disk on which there is no more room."""
    raise sqlite3.OperationalError("database or disk is full")


def test_a_full_disk_at_the_end(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that are known to have cost nothing do not count, and their end is written when that can be done."""
    for name in ("refused", "withdrawn", "busy"):
        log.begin(name, prepared(REQUEST), offline=False)
    log.mark_sent("refused")
    log.mark_sent("busy")
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "write_end", full)
        patch.setattr(log_module, "take_back", full)
        patch.setattr(log_module, "put_back", full)
        for ask in (
            lambda: log.settle("refused", "refused"),
            lambda: log.withdraw("withdrawn"),
            lambda: log.mark_refused("busy"),
            lambda: log.settle("busy", "failed"),
        ):
            with pytest.raises(ResultError, match="full"):
                ask()
        assert log.spent(Budget()).runs == log.totals().runs == 0
        with pytest.raises(NotSentError):
            log.mark_sent("withdrawn")
    log.begin("next", prepared(REQUEST), offline=False, budget=Budget(runs=1))
    assert {row.id: row.state for row in log.rows()} == {
        "refused": "refused",
        "withdrawn": "not sent",
        "busy": "failed",
        "next": "open",
    }


def test_stopped_twice(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose withdrawal was stopped too does not count, and nor does one that was stopped as it was written."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    log.begin("one", prepared(REQUEST), offline=False)
    with monkeypatch.context() as patch:
        patch.setattr(log_module, "take_back", stopped)
        with pytest.raises(KeyboardInterrupt):
            log.withdraw("one")
    assert log.spent(Budget()).runs == 0
    remember = memory.remember

    def late(*given: Any) -> None:
        remember(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(memory, "remember", late)
        with pytest.raises(KeyboardInterrupt):
            log.begin("two", prepared(REQUEST), offline=False)
    assert [(row.id, row.state) for row in log.rows()] == [("one", "not sent")]
    assert list((log.folder / "alive").iterdir()) == []


# The clock


@pytest.mark.parametrize("back", [3600.0, 40 * 86_400.0])
@pytest.mark.parametrize("first", [0, 2])
def test_a_clock_that_is_set_back(
    log: RunLog, monkeypatch: pytest.MonkeyPatch, back: float, first: int
) -> None:
    """A budget since now holds however far the clock goes back, before its first run or between two."""
    budget, really, sent = Budget(runs=3, since=time.time()), time.time, 0
    said: list[str] = []
    for number in range(8):
        if number == first:
            monkeypatch.setattr(time, "time", lambda: really() - back)
        try:
            log.begin(f"run {number}", prepared(REQUEST), offline=False, budget=budget)
        except BudgetError as error:
            said.append(str(error))
        else:
            sent += 1
            log.mark_sent(f"run {number}")
            log.settle(f"run {number}", "done")
    assert (sent, len(said)) == (3, 5)
    assert all("The clock was set back" in words for words in said)
    assert [row.id for row in log.rows()] == ["run 2", "run 1", "run 0"]


def test_the_newest_keeps_its_results_whatever_the_clock_says(
    log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has just been paid for is not the oldest because the clock was set back."""
    run(log, "before", b"before")
    really = time.time
    monkeypatch.setattr(time, "time", lambda: really() - 86_400)
    limited = RunLog(log.folder, limit_bytes=1)
    run(limited, "after", b"after")
    assert (len(log.row("after").results), len(log.row("before").results), log.row("before").pruned) == (
        1,
        0,
        1,
    )


# What a caller says


@pytest.mark.parametrize(
    "call",
    [
        lambda log: RunLog(7),  # type: ignore[arg-type]
        lambda log: RunLog("a\0b"),
        lambda log: RunLog(log.folder, limit_bytes=True),
        lambda log: RunLog(log.folder, limit_bytes=float("nan")),  # type: ignore[arg-type]
        lambda log: RunLog(log.folder, limit_bytes="5"),  # type: ignore[arg-type]
        lambda log: log.rows(True),
        lambda log: log.rows(-1),
        lambda log: log.rows("5"),
        lambda log: log.rows(search=None),
        lambda log: log.rows(state="gone"),
        lambda log: log.rows(state=7),
        lambda log: log.rows(since="now"),
        lambda log: log.totals(float("inf")),
        lambda log: log.spent(None),
        lambda log: log.found("one", billed=1),
        lambda log: log.settle("one", "gone"),
        lambda log: log.prune(keep=1.5),
        lambda log: log.prune(keep=True),
        lambda log: log.prune(older_than=float("inf")),
        lambda log: log.prune(older_than="5"),
        lambda log: log.prune(limit_bytes=None, keep=None),
        lambda log: log.prune(keep=1, spare="one"),
    ],
)
def test_arguments_that_can_not_be(log: RunLog, call: Callable[[Any], Any]) -> None:
    """What can't be meant is a setting that can't work, and says so."""
    run(log)
    with pytest.raises(SettingsError):
        call(log)
    assert log.rows(10**30)[0].state == "done"


@pytest.mark.parametrize("name", ["", "\ud800", None, 7, b"one", "x" * 9999])
def test_ids_that_no_run_has(log: RunLog, name: Any) -> None:
    """Whatever is asked about an id that can't be one, there is no such run."""
    for ask in (log.row, log.restore, log.fetch_again, log.mark_refused):
        with pytest.raises(ResultError, match="no run"):
            ask(name)


def test_a_budget_without_a_log_in_an_editor() -> None:
    """An editor that keeps no log can't hold a budget, and says so."""
    with pytest.raises(SettingsError, match="counts in a log"):
        ImageEditor(client=Client.offline(), log=False, budget=Budget(runs=1))


def test_totals_tell_what_is_sure(server: Server, photo: Image.Image, log: RunLog) -> None:
    """Runs that were billed, those of which nobody knows, and those under way are told apart."""
    budget = Budget(prices=PriceTable({"gpt-image-1.5": 4}, "quota"))
    for name, state in (("a", "done"), ("b", "unknown"), ("c", "unknown"), ("d", "open")):
        log.begin(name, prepared(REQUEST), offline=False, budget=budget)
        log.mark_sent(name)
        if state != "open":
            log.settle(name, state)  # type: ignore[arg-type]
    log.found("c", billed=True)
    found = log.totals()
    assert (found.runs, found.billed, found.unknown, found.under_way) == (4, 2, 1, 1)
    assert (found.costs, found.unknown_costs) == ({"quota": 16}, {"quota": 4})


def test_a_pruned_run_says_that_it_was(log: RunLog) -> None:
    """A run that was pruned can't be filled in again, and the error says why."""
    run(log)
    log.prune(keep=0)
    with pytest.raises(ResultError, match=r"it was pruned.*can't be filled in again"):
        log.restore("one")


def test_a_run_through_an_edit_is_private_too(server: Server, photo: Image.Image, log: RunLog) -> None:
    """What an edit leaves behind is its owner's alone."""
    server.answer = json_reply({"error": {"message": "no"}}, 400)
    with pytest.raises(TTAPIError):
        edit(photo, "x", client=Client(KEY, base_url=server.url), log=log)
    assert [path for path, found in modes(log.folder).items() if found & 0o077] == []

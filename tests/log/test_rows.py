"""What the history lists is what a plain filter over all runs leaves, and each run is read as it was written."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ttapi_nb import ResultError, RunLog
from ttapi_nb.log import RunRow, rows, searching
from ttapi_nb.log.ratings import Rating
from ttapi_nb.log.searching import candidates

WORDS = ("red", "RED", "bowl", "Straße", "x", "sofas", "100%")
STATES = ("open", "done", "not sent", "refused", "unknown", "failed", "cancelled")
A, B, C, D = (letter * 64 for letter in "abcd")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    made = RunLog(tmp_path / "log")
    made.rows()
    return made


@pytest.fixture
def db(log: RunLog) -> Iterator[sqlite3.Connection]:
    """The log's file."""
    with closing(sqlite3.connect(log.folder / "runs.sqlite3", isolation_level=None)) as made:
        made.row_factory = sqlite3.Row
        yield made


def insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Write one row."""
    db.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", [*row.values()]
    )


def run(run_id: object, /, **more: Any) -> dict[str, Any]:
    """The columns of a run of which nothing is said but what has to be."""
    return {
        "id": run_id,
        "started": 0.0,
        "counted": 0.0,
        "state": "done",
        "offline": 0,
        "model": "",
        "prompt": "",
        "options": "{}",
        "source": "",
        "mask": "",
        **more,
    }


# Which runs, in which order


def many(db: sqlite3.Connection, count: int) -> list[dict[str, Any]]:
    """So many runs, two at each moment, with what a search looks at."""
    dice = random.Random(7)
    made = []
    db.execute("BEGIN")
    for number in range(count):
        counted = 100.0 + number // 2
        texts = {name: " ".join(dice.sample(WORDS, dice.choice([0, 1, 2]))) for name in ("prompt", "model")}
        texts["name"], texts["problem"] = dice.choice(["", "kitchen"]), dice.choice(["", "torn apart"])
        made.append(
            run(
                f"id{number:03}",
                started=counted if dice.random() < 0.95 else 7.0,
                counted=counted,
                state=dice.choice(STATES[1:]),
                pruned=int(dice.random() < 0.1),
                **texts,
            )
        )
        insert(db, "runs", made[-1])
        made[-1] |= {"rowid": number + 1, "stars": 0, "note": ""}
        if dice.random() < 0.3:
            made[-1] |= {"stars": dice.choice([1, 3, 5]), "note": dice.choice(["", "gloomy red"])}
            rating = {
                "run": made[-1]["id"],
                "number": 2,
                **{name: made[-1][name] for name in ("stars", "note")},
            }
            insert(db, "ratings", rating)
    # Two that nobody can ask for.
    insert(db, "runs", run(b"id999", prompt="red", counted=500.0, started=500.0))
    insert(db, "runs", run(None, prompt="red", counted=500.0, started=500.0))
    db.execute("COMMIT")
    return made


def plain(
    made: list[dict[str, Any]],
    limit: int | None,
    search: str = "",
    state: tuple[str, ...] = STATES,
    since: float = 0.0,
    stars: int = 0,
    before: str | None = None,
) -> list[str]:
    """The ids that are left, newest first."""

    def place(one: dict[str, Any]) -> tuple[float, int]:
        return (one["counted"], one["rowid"])

    last = next((place(one) for one in made if one["id"] == before), (1e12, 0))
    texts = ("prompt", "model", "name", "problem", "id", "note")
    left = [
        one
        for one in made
        if not one["pruned"]
        and one["state"] in state
        and min(one["started"], one["counted"]) >= since
        and one["stars"] >= stars
        and place(one) < last
        and all(any(word in one[name].casefold() for name in texts) for word in search.casefold().split())
    ]
    return [one["id"] for one in sorted(left, key=place, reverse=True)][:limit]


def test_every_filter(log: RunLog, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each filter, and several together, leave what they should, in the order in which runs began."""
    monkeypatch.setattr(rows, "NEWEST", 30)
    monkeypatch.setattr(rows, "PAGE", 7)
    monkeypatch.setattr(searching, "BEHIND", 20)
    made = many(db, 120)
    filters: list[dict[str, Any]] = [
        {},
        {"state": ("done",)},
        {"state": ("done", "unknown")},
        {"state": ()},
        {"since": 7.0},
        {"since": 100.0},
        {"since": 130.0},
        {"since": 130.5},
        {"stars": 3},
        {"stars": 6},
        {"before": "id060"},
        {"before": "id061"},
        {"before": "id061", "stars": 1, "since": 110.0, "state": ("done", "unknown", "failed")},
    ]
    found = 0
    for search in (
        "",
        " ",
        "red",
        "strasse",
        "x",
        "RED bowl",
        "gloomy",
        "apart kit",
        "id00",
        "nowhere",
        "apartid",
    ):
        for limit in (None, 0, 1, 5, 31):
            for more in (
                filters if limit is None and search in ("", "red") else filters[:: 9 + 2 * (limit or 1)]
            ):
                expected = plain(made, limit, search, **more)
                assert [row.id for row in log.rows(limit, search=search, **more)] == expected, (
                    search,
                    limit,
                    more,
                )
                found += len(expected)
    assert found > 1_000
    assert [row.id for row in log.rows()] == plain(made, 100)
    # Without an index all runs are gone through.
    db.execute("DROP TABLE searched")
    for search in ("red", "strasse bowl"):
        for limit in (None, 1, 31):
            assert [row.id for row in log.rows(limit, search=search)] == plain(made, limit, search)


def test_a_search_looks_at_few(log: RunLog, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search whose words stand in the newest runs looks at no others, nor at more than it was asked for."""
    monkeypatch.setattr(rows, "NEWEST", 30)
    monkeypatch.setattr(rows, "PAGE", 10)
    monkeypatch.setattr(searching, "BEHIND", 20)
    for number in range(120):
        insert(
            db, "runs", run(f"id{number:03}", prompt=f"red {number // 60}", counted=number, started=number)
        )
    asked: list[str] = []
    ask = candidates

    def watched(*given: Any) -> Any:
        places = ask(*given)
        asked.append(f"{len(places or ())}")
        return places

    monkeypatch.setattr(rows, "candidates", watched)
    for limit, expected in ((1, []), (30, []), (31, ["90"]), (None, ["90"])):
        asked.clear()
        assert len(log.rows(limit, search="red")) == (limit or 120)
        assert asked == expected, limit
    looked: list[str] = []
    with log._file.open(write=False) as opened:
        opened.set_trace_callback(lambda text: looked.append(text) if "json_each" in text else None)
        for limit, pages in ((30, 0), (31, 1), (40, 1), (41, 2), (None, 9)):
            looked.clear()
            rows.rows_like(opened, "red", STATES, 0.0, limit)  # type: ignore[arg-type]  # its states are literal
            assert len(looked) == pages, limit


# One run


def test_all_of_a_run(log: RunLog, db: sqlite3.Connection) -> None:
    """Each column is read as what it is, and each result by its number."""
    numbers = {"sent": 1, "offline": 1, "refused": 3, "images": 4, "came": 2, "tokens": 30, "billed": 0}
    texts = {
        name: f"its {name}" for name in ("model", "prompt", "source", "mask", "problem", "experiment", "cell")
    }
    insert(
        db,
        "runs",
        run("one", started=5.0, finished=9.5, estimate=0.5, cost=0.25, currency="USD", **numbers)
        | {
            **texts,
            "state": "failed",
            "options": '{"n": 4}',
            "usage": '{"total_tokens": 30, "input_tokens": 7}',
        },
    )
    insert(db, "runs", run("two"))
    for number, name, url, pruned in (
        (1, None, "https://example.com/1", 0),
        (2, B, None, 0),
        (3, C, None, 1),
        (4, A, "https://example.com/4", 0),
        (5, "no hash", None, 0),
        (6, b"a" * 64, None, 0),
        (7, None, "ftp://example.com/7", 0),
        ("x", D, None, 0),
        ("y", None, "https://example.com/y", 0),
    ):
        insert(db, "results", {"run": "one", "number": number, "sha256": name, "url": url, "pruned": pruned})
    for number, pruned in ((1, 0), (2, 1), (3, 1)):
        insert(db, "results", {"run": "two", "number": number, "sha256": D, "pruned": pruned})
    insert(db, "ratings", {"run": "one", "number": 2, "stars": 4, "note": "good", "verdict": "kept"})
    results = log.folder / "results"
    assert log.row("one") == RunRow(
        id="one",
        started=5.0,
        finished=9.5,
        state="failed",
        sent=True,
        offline=True,
        model="its model",
        prompt="its prompt",
        options={"n": 4},
        source="its source",
        mask="its mask",
        problem="its problem",
        usage={
            "total_tokens": 30,
            "input_tokens": 7,
            "output_tokens": None,
            "text_tokens": None,
            "image_tokens": None,
        },
        results=(results / B, results / A, results / D),
        # A number that is none is where it stands.
        numbers=(2, 4, 3),
        waiting=("https://example.com/1",),
        refused=3,
        n=4,
        came=2,
        tokens=30,
        estimate=0.5,
        cost=0.25,
        currency="USD",
        billed=False,
        pruned=1,
        ratings={2: Rating(4, "good", "kept")},
        experiment="its experiment",
        cell="its cell",
    )
    other = log.row("two")
    assert (other.results, other.numbers, other.pruned, other.waiting) == ((results / D,), (1,), 2, ())
    assert (log.row("one").asked, log.row("one").images) == (4, 2)


def test_nothing_of_a_run(log: RunLog, db: sqlite3.Connection) -> None:
    """What can't be meant is as if it were left out."""
    left_out = RunRow("one", 0.0, None, "unknown", True, False, "", "", {}, "", "", "", None)
    assert (left_out.n, left_out.refused, left_out.pruned, left_out.came, left_out.ratings) == (
        1,
        0,
        0,
        None,
        {},
    )
    assert (left_out.currency, left_out.experiment, left_out.cell, left_out.numbers) == ("", "", "", ())
    junk = dict.fromkeys(
        ("started", "finished", "refused", "images", "came", "tokens", "cost", "estimate"), "x"
    )
    insert(
        db,
        "runs",
        run("one", **junk)
        | {"sent": "x", "offline": "x", "billed": 2, "state": "odd", "options": "torn", "usage": "torn"}
        | dict.fromkeys(
            ("model", "prompt", "source", "mask", "problem", "currency", "experiment", "cell"), b"\xff"
        ),
    )
    insert(
        db,
        "runs",
        run("two", images=0, sent=0, billed=1, currency="c" * 25, experiment="e" * 250, cell="d" * 250),
    )
    assert log.row("one") == left_out
    two = log.row("two")
    assert (two.n, two.sent, two.billed, two.currency) == (1, False, True, "c" * 20)
    assert (two.experiment, two.cell) == ("e" * 200, "d" * 200)


def test_filled_in_again(log: RunLog, db: sqlite3.Connection) -> None:
    """What fills an editor again is what was asked for, with the fields that are not known as extra ones."""
    asked: dict[str, Any] = {"n": 2, "size": 512, "depth": 3, "extra_body": {"seed": 7}}
    asked |= {"image": "other", "prompt": "other", "mask": "other", "model": "other"}
    columns = {"prompt": "its prompt", "model": "its model", "source": "its source", "mask": "its mask"}
    insert(
        db,
        "runs",
        run("one", started=86_400.0, name="its name", drawing="its drawing", fit="f" * 25, strict=0)
        | columns
        | {"asked": json.dumps(asked), "offline": 1},
    )
    insert(db, "runs", run("two", asked='{"extra_body": "torn"}', strict=1))
    insert(db, "runs", run("three", asked='{"extra_body": {"seed": 7}}', strict=1))
    insert(db, "runs", run("four", asked='{"depth": 3, "extra_body": {}}', strict=1))
    found = log.restore("one")
    assert (found.prompt, found.model, found.mask_digest) == ("its prompt", "its model", "its mask")
    assert (found.source.name, found.source.digest, found.source.size) == ("its name", "its source", None)
    assert found.options == {"n": 2, "size": "512", "extra_body": {"depth": 3, "seed": 7}}
    assert (found.drawing, found.fit, found.strict, found.offline) == ("its drawing", "f" * 20, False, True)
    assert (found.time.year, found.time.month, found.time.day, found.time.hour) == (1970, 1, 2, 0)
    assert found.version == ""
    assert [log.restore(name).options for name in ("two", "three", "four")] == [
        {"extra_body": {}},
        {"extra_body": {"seed": 7}},
        {"extra_body": {"depth": 3}},
    ]
    assert log.restore("two").strict is True


def test_a_run_that_was_pruned(log: RunLog, db: sqlite3.Connection) -> None:
    """A run that was pruned is told apart from one that never was."""
    insert(db, "runs", run("one", pruned=1))
    for ask in (log.row, log.restore):
        with pytest.raises(ResultError, match=r"'one' in this log any more: it was pruned"):
            ask("one")
        with pytest.raises(ResultError, match=r"no run 'two' in this log\. See"):
            ask("two")

"""What was spent is what a plain sum over the rows in Python comes to, however the file keeps its sums."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ttapi_nb import Budget, PriceTable, RunLog
from ttapi_nb.log import spending
from ttapi_nb.log.budget import Spent
from ttapi_nb.log.migrations import migrate
from ttapi_nb.log.spending import Totals
from ttapi_nb.log.tally import Quotes

Row = dict[str, Any]
PRICES = PriceTable({"one": 0.25, ("two", "512x512"): 0.5}, "USD")
# Of a run without a note of its cost, what its tokens say; nobody knows it of some.
METERED = PriceTable(
    {"one": 0.25, ("two", "512x512"): 0.5},
    "USD",
    lambda model, options, usage: None if usage["total_tokens"] is None else usage["total_tokens"] / 16,
)
# Rows at the beginning and the end of blocks.
HOLES = ("run 2", "run 7", "run 128", "run 383")
OPTIONS = ("{}", '{"size": "512x512"}', '{"partial_images": 2, "n": 3}', '{"partial_images": "x"}', "torn")
PARTIALS = dict(zip(OPTIONS, (0, 0, 2, 3, 0), strict=True))


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A file of a log, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        migrate(made)
        made.row_factory = sqlite3.Row
        yield made


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def some_row(dice: random.Random, rowid: int) -> Row:
    """A run as any file may have it; two begin at the same moment."""
    # The third of a file is from before there were clocks.
    counted = 1000.0 + rowid // 2 if rowid != 3 else 0.5
    return {
        "rowid": rowid,
        "id": f"run {rowid}",
        "state": dice.choice(
            ["open", "done", "done", "not sent", "refused", "unknown", "failed", "cancelled", "odd"]
        ),
        "sent": dice.choice([0, 1, 1]),
        "billed": dice.choice([None, None, 0, 1]),
        "offline": int(dice.random() < 0.1),
        "cost": dice.choice([None, None, 0, 1.5, 2, -1, "x", 1e12, 2e12]),
        "estimate": dice.choice([None, 0.25, 0.25, 3, -1, "x"]),
        "currency": dice.choice(["USD", "USD", "quota", "", "a word that is far too long"]),
        "came": dice.choice([None, 0, 1, 3, -1, "x", 1.5]),
        "images": dice.choice([1, 2, 5, -1, "x", 10**12 + 1]),
        "tokens": dice.choice([None, 0, 30, 700, -1, "x"]),
        "usage": dice.choice([None, "{}", '{"total_tokens": 30}', '{"input_tokens": 3}', "torn"]),
        "model": dice.choice(["one", "two", "three"]),
        "options": dice.choice(OPTIONS),
        # A clock that was set back.
        "started": counted if dice.random() < (0.3 if 140 < rowid < 200 else 0.99) else 5.0,
        "counted": counted,
        "pruned": int(dice.random() < 0.1),
    }


def write(db: sqlite3.Connection, rows: list[Row]) -> None:
    """Write these runs."""
    names = [*rows[0], "prompt", "source", "mask"]
    db.execute("BEGIN")
    db.executemany(
        f"INSERT INTO runs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [(*row.values(), "", "", "") for row in rows],
    )
    db.execute("COMMIT")


# The same in Python


def whole(value: object, otherwise: int | None = None) -> int | None:
    """A number that can be meant."""
    return value if isinstance(value, int) and 0 <= value <= 10**12 else otherwise


def money(row: Row) -> float | None:
    """What is noted of a run's cost."""
    known = [row[name] for name in ("cost", "estimate") if isinstance(row[name], int | float)]
    return next((float(one) for one in known if 0 <= one <= 1e12), None)


def images(row: Row) -> int:
    """The results that it counts as."""
    came, asked = whole(row["came"]), whole(row["images"], 1)
    assert asked is not None
    return asked if came is None else came


def is_spent(row: Row) -> bool:
    """Whether it counts."""
    return not (
        row["offline"] == 1
        or row["state"] in ("not sent", "refused", "cancelled")
        or (row["state"] == "failed" and row["sent"] == 0)
        or (row["state"] == "unknown" and row["billed"] == 0)
    )


def is_doubtful(row: Row) -> bool:
    """Whether nobody knows what came of it."""
    return row["state"] not in ("open", "done", "failed") and row["billed"] != 1


def plain_totals(rows: list[Row], start: float, besides: tuple[str, ...]) -> Totals:
    """The totals of these rows."""
    late = [row for row in rows if row["counted"] >= start]
    spent = [row for row in late if is_spent(row) and row["id"] not in besides]
    costs: dict[str, float] = {}
    doubtful: dict[str, float] = {}
    for row in spent:
        known, name = money(row), row["currency"][:20]
        if known is not None:
            costs[name] = costs.get(name, 0) + known
            if is_doubtful(row):
                doubtful[name] = doubtful.get(name, 0) + known
    unknown, under_way = sum(map(is_doubtful, spent)), sum(row["state"] == "open" for row in spent)
    return Totals(
        runs=len(spent),
        images=sum(whole(row["came"]) or 0 for row in spent),
        tokens=sum(whole(row["tokens"]) or 0 for row in spent),
        unknown=unknown,
        costs=costs,
        unpriced=sum(money(row) is None for row in spent),
        offline=sum(row["offline"] for row in late),
        bytes=77,
        billed=len(spent) - unknown - under_way,
        under_way=under_way,
        unknown_costs=doubtful,
    )


def plain_spent(rows: list[Row], budget: Budget, besides: tuple[str, ...]) -> Spent:
    """What these rows come to for a budget."""
    start, each = budget.start, budget.tokens_each
    spent = [row for row in rows if row["counted"] >= start and is_spent(row) and row["id"] not in besides]
    tokens = 0
    for row in spent:
        counted = whole(row["tokens"])
        reckoned = 0 if each is None else images(row) * (each + 100 * PARTIALS[row["options"]])
        tokens += reckoned if counted is None else counted
    costs: list[float | None] = []
    for row in spent if budget.prices is not None else []:
        assert budget.prices is not None
        known = money(row) if row["currency"] == budget.prices.currency else None
        if known is None:
            usage = {"{}": None, "torn": None, None: None}.get(row["usage"], row["usage"])
            counted_tokens = (
                None if usage is None else {"total_tokens": json.loads(usage).get("total_tokens")}
            )
            options = {} if row["options"] == "torn" else json.loads(row["options"])
            known = budget.prices.cost(row["model"], options, images(row), counted_tokens)
        costs.append(known)
    return Spent(
        runs=len(spent),
        images=sum(map(images, spent)),
        tokens=tokens,
        cost=sum(cost for cost in costs if cost is not None),
        unknown=sum(map(is_doubtful, spent)),
        unpriced=costs.count(None),
        set_back=sum(row["started"] < start for row in spent),
    )


def check(db: sqlite3.Connection, rows: list[Row], starts: list[float]) -> None:
    """What the file says from each time on, with and without two of the runs, is what the rows say."""
    for number, start in enumerate(starts):
        for besides in ((), (f"run {len(rows)}", *HOLES))[: 1 + number % 2]:
            assert spending.totals(db, start, 77, besides) == plain_totals(rows, start, besides)
            # Each row is asked for by itself where tokens say what it cost, so that is tried once.
            for prices, each in ((None, None), (PRICES, 50), (METERED, 0))[: 3 if number == 1 else 2]:
                budget = Budget(prices=prices, tokens_each=each, since=start)
                quotes = None if prices is None else Quotes(prices)
                found = spending.spent(db, budget, quotes, besides)
                if quotes is not None and quotes.wanted:
                    quotes.ask()
                    found = spending.spent(db, budget, quotes, besides)
                assert found == plain_spent(rows, budget, besides)


def kept(db: sqlite3.Connection) -> set[tuple[int, int]]:
    """Which sums the file keeps, by level and number."""
    return {tuple(row) for row in db.execute("SELECT level, number FROM sums WHERE tally != ''").fetchall()}


@pytest.mark.parametrize("count", [0, 1, 127, 390])
def test_whatever_is_asked(db: sqlite3.Connection, count: int) -> None:
    """Totals and budgets count each row as Python does: without sums, with them, and after rows have changed."""
    dice = random.Random(count)
    rows = [some_row(dice, rowid) for rowid in range(1, count + 1)]
    if rows:
        write(db, rows)
    # The moment of the first, last and a middle block's borders, just after them, and after everything.
    starts = [0.0, 1000.0, 1063.5, 1064.0, 1127.0, 1000.0 + count // 2, 1000.5 + count // 2]
    check(db, rows, starts[:4])
    spending.keep_sums(db)
    assert kept(db) == {(0, number) for number in range((count + 1) // 128)}
    check(db, rows, starts)
    for rowid in sorted({1, 127, 128, 200, count}):
        if 0 < rowid <= count:
            rows[rowid - 1] |= {"state": "done", "offline": 0, "cost": 64.0, "came": 9, "currency": "USD"}
            db.execute(
                "UPDATE runs SET state = 'done', offline = 0, cost = 64.0, came = 9, currency = 'USD'"
                " WHERE rowid = ?",
                (rowid,),
            )
    check(db, rows, starts[:4])
    if count > 260:
        # All of a block, and one more.
        db.execute("DELETE FROM runs WHERE rowid BETWEEN 128 AND 256")
        rows = [row for row in rows if not 128 <= row["rowid"] <= 256]
    spending.keep_sums(db)
    check(db, rows, starts[:4])


@pytest.mark.parametrize("count", [1, 7, 31, 32, 70])
def test_sums_of_sums(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """The same holds for sums of sums, and those are kept whose rows are all there."""
    monkeypatch.setattr(spending, "SIZES", (2, 8, 32))
    dice = random.Random(count)
    rows = [some_row(dice, rowid) for rowid in range(1, count + 1)]
    write(db, rows)
    starts = [0.0, 1000.5, 1004.0, 1007.5, 1016.0, 1000.0 + count // 2, 1000.5 + count // 2]
    check(db, rows, starts)
    spending.keep_sums(db)
    complete = {
        (level, number) for level, size in enumerate((2, 8, 32)) for number in range((count + 1) // size)
    }
    assert kept(db) == complete
    check(db, rows, starts)
    # Few are read where there are many.
    looked: list[str] = []
    db.set_trace_callback(looked.append)
    spending.spent(db, Budget(prices=PRICES), Quotes(PRICES))
    db.set_trace_callback(None)
    assert not any("usage" in text for text in looked)
    for start in (0.0, 2000.0) if count == 70 else ():
        read: list[str] = []
        db.set_trace_callback(read.append)
        spending.totals(db, start, 77)
        db.set_trace_callback(None)
        assert sum("FROM sums" in text for text in read) == 8
        assert sum("GROUP BY" in text for text in read) == 1
    # Once they are there they are not made again, and one that is missing is.
    db.execute("UPDATE sums SET tally = '[[999], []]' WHERE level = 2")
    spending.keep_sums(db)
    if count > 31:
        assert spending.totals(db, 0.0, 77).runs > count
    db.execute("DELETE FROM sums WHERE level > 0 OR number = 1")
    spending.keep_sums(db)
    assert kept(db) == complete
    check(db, rows, starts[:3])


def test_totals_of_an_earlier_form() -> None:
    """Totals that are made of what there was at first say nothing of the rest."""
    assert Totals(1, 2, 3, 4, {}, 5, 6, 7) == Totals(1, 2, 3, 4, {}, 5, 6, 7, 0, 0, {})


def test_a_change_takes_its_sums_away(db: sqlite3.Connection) -> None:
    """Where a row changes, the sums that it is in go from the file, on each level, and no others."""
    for rowid in (1, 127, 128, 4095, 4096, 131_071, 131_072):
        write(db, [some_row(random.Random(1), rowid)])
        own = {(level, rowid // size) for level, size in enumerate(spending.SIZES)}
        others = {(level, number + 1) for level, number in own}
        db.executemany("INSERT INTO sums (level, number, tally) VALUES (?, ?, 'x')", [*own, *others])
        db.execute("UPDATE runs SET came = 7 WHERE rowid = ?", (rowid,))
        assert kept(db) == others
        db.execute("DELETE FROM sums")


def test_times_that_are_none(db: sqlite3.Connection) -> None:
    """A sum is not kept of rows whose times are no numbers, and such rows count from whichever time on."""
    rows = [some_row(random.Random(rowid), rowid) for rowid in range(1, 256)]
    write(db, rows)
    db.execute("UPDATE runs SET counted = 'x' WHERE rowid = 5")
    db.execute("UPDATE runs SET started = 'x' WHERE rowid = 130")
    spending.keep_sums(db)
    assert kept(db) == set()
    late = rows[4] | {"counted": 1e12}
    assert spending.totals(db, 1064.0, 77) == plain_totals([*rows[:4], late, *rows[5:]], 1064.0, ())


def test_sums_of_times_that_are_none(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a sum kept of sums of which one could not be."""
    monkeypatch.setattr(spending, "SIZES", (2, 8, 32))
    rows = [some_row(random.Random(rowid), rowid) for rowid in range(1, 80)]
    write(db, rows)
    db.execute("UPDATE runs SET counted = 'x' WHERE rowid = 21")
    spending.keep_sums(db)
    assert kept(db) == {
        (level, number)
        for level, size in enumerate((2, 8, 32))
        for number in range(80 // size)
        if number != 21 // size
    }
    rows[20] |= {"counted": 1e12}
    for start in (0.0, 1016.0):
        assert spending.totals(db, start, 77) == plain_totals(rows, start, ())


def test_sums_that_are_none(db: sqlite3.Connection) -> None:
    """What stands in the place of a sum and is none is not relied on."""
    rows = [some_row(random.Random(rowid), rowid) for rowid in range(1, 256)]
    write(db, rows)
    for column, value in (
        ("tally", "torn"),
        ("tally", b"1"),
        ("least", "x"),
        ("most", "x"),
        ("earliest", "x"),
    ):
        db.execute("DELETE FROM sums")
        spending.keep_sums(db)
        db.execute(f"UPDATE sums SET {column} = ? WHERE number = 1", (value,))
        for start in (0.0, 1064.0):
            assert spending.totals(db, start, 77) == plain_totals(rows, start, ())


def test_written_when_enough_are_missing(log: RunLog) -> None:
    """Who only reads has sums written where more than four are missing, and reads them from then on."""
    log.rows()
    with closing(sqlite3.connect(log.folder / "runs.sqlite3", isolation_level=None)) as db:
        rows = [some_row(random.Random(rowid), rowid) for rowid in range(1, 640)]
        write(db, rows)
        for ask in (log.totals, lambda: log.spent(Budget())):
            ask()
            assert kept(db) == set()
        rows.append(some_row(random.Random(640), 640))
        for ask in (log.totals, lambda: log.spent(Budget())):
            write(db, rows[-1:])
            ask()
            assert kept(db) == {(0, number) for number in range(5)}
            db.execute("DELETE FROM sums")
            db.execute("DELETE FROM runs WHERE rowid = 640")

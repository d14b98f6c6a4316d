"""The sums that a run log keeps say what its rows say, whatever is done to them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.server import PATIENCE
from tests.support.preparing import prepared
from tests.support.properties import examples
from ttapi_nb import Budget, EditRequest, PriceTable, RunLog
from ttapi_nb.errors import BudgetError
from ttapi_nb.log import spending
from ttapi_nb.log.counting import DOUBTFUL, SPENT

PRICES = PriceTable({"gpt-image-1": 0.25, ("dall-e-2", "512x512"): 0.5}, "USD")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    """A log of the test's own."""
    return RunLog(tmp_path / "log")


def ready(log: RunLog) -> Path:
    """The file of the log, made."""
    log.rows()
    return log.folder / "runs.sqlite3"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file itself."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as db, db:
        yield db


def add(db: sqlite3.Connection, count: int, start: float = 0.0, **more: Any) -> None:
    """So many runs, one a second."""
    columns = {"state": "done", "model": "gpt-image-1", "options": "{}", "images": 1, "offline": 0} | more
    names = ["id", "started", "counted", "sent", "prompt", "source", "mask", *columns]
    rows = [
        (f"{start}-{number}", start + number, start + number, 1, "x", "", "", *columns.values())
        for number in range(count)
    ]
    db.executemany(
        f"INSERT INTO runs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        rows,
    )


def scanned(path: Path, start: float) -> tuple[Any, ...]:
    """What the rows themselves come to."""
    with opened(path) as db:
        asked = f"FROM runs WHERE {SPENT} AND counted >= {start}"
        runs, images, doubtful, late = db.execute(
            f"SELECT COUNT(*), SUM(COALESCE(came, images)), SUM({DOUBTFUL}), SUM(started < {start}) {asked}"
        ).fetchone()
        costs = db.execute(
            f"SELECT currency, SUM(COALESCE(cost, estimate)) {asked} AND COALESCE(cost, estimate) NOT NULL"
            " GROUP BY currency"
        ).fetchall()
        priced = [
            one if one is not None and currency == "USD" else PRICES.cost(model, json.loads(options), images)
            for one, currency, model, options, images in db.execute(
                f"SELECT COALESCE(cost, estimate), currency, model, options, COALESCE(came, images) {asked}"
            )
        ]
    known = [one for one in priced if one is not None]
    return (
        *(runs, images or 0, doubtful or 0, late or 0, {name: pytest.approx(sum_) for name, sum_ in costs}),
        *(pytest.approx(sum(known)), len(priced) - len(known)),
    )


def kept(log: RunLog, start: float) -> tuple[Any, ...]:
    """The same as the log tells it."""
    totals = log.totals(start)
    spent = log.spent(Budget(runs=1, since=start, prices=PRICES))
    assert (totals.runs, totals.unknown) == (spent.runs, spent.unknown)
    return (
        *(spent.runs, spent.images, spent.unknown, spent.set_back, totals.costs, spent.cost, spent.unpriced),
    )


STATES = st.sampled_from(["open", "done", "not sent", "refused", "unknown", "failed", "cancelled", "odd"])
AMOUNT = st.one_of(st.none(), st.integers(0, 40).map(lambda number: number / 8))
COUNT = st.one_of(st.none(), st.integers(0, 9))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "state": STATES,
    "cost": AMOUNT,
    "estimate": AMOUNT,
    "currency": st.sampled_from(["USD", "quota", ""]),
    "came": COUNT,
    "images": st.integers(0, 9),
    "sent": st.sampled_from([0, 1]),
    "billed": st.sampled_from([0, 1, None]),
    "offline": st.sampled_from([0, 1]),
    "started": st.integers(0, 2000),
    "counted": st.integers(0, 2000),
    "model": st.sampled_from(["gpt-image-1", "dall-e-2", "unknown"]),
    "options": st.sampled_from(["{}", '{"size": "512x512"}']),
}
CHANGES = st.lists(
    st.sampled_from([*VALUES]).flatmap(
        lambda column: st.tuples(st.integers(1, 340), st.just(column), VALUES[column])
    ),
    max_size=12,
)


@pytest.mark.slow
@examples(15)
@given(
    st.lists(st.tuples(STATES, AMOUNT, st.sampled_from(["USD", "quota", ""])), max_size=40),
    CHANGES,
    st.integers(0, 50),
)
def test_sums_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], changes: list[Any], start: int
) -> None:
    """However rows are added and changed, and from whichever time on, the log tells what a scan does."""
    log = RunLog(tmp_path_factory.mktemp("log"))
    path = ready(log)
    with opened(path) as db:
        for number, (state, cost, currency) in enumerate(rows):
            add(db, 1, float(number), state=state, cost=cost, currency=currency)
        # So many that sums are kept of them.
        add(db, 300, 1000.0, cost=0.5, currency="USD")
        spending.keep_sums(_rows(db))
        assert db.execute("SELECT COUNT(*) FROM sums").fetchone()[0] >= 2
    assert kept(log, float(start)) == scanned(path, float(start))
    with opened(path) as db:
        for number, column, value in changes:
            db.execute(f"UPDATE runs SET {column} = ? WHERE rowid = ?", (value, number))
    for since in (0.0, float(start), 1150.0):
        assert kept(log, since) == scanned(path, since)
    with opened(path) as db:
        spending.keep_sums(_rows(db))
    for since in (0.0, float(start), 1150.0):
        assert kept(log, since) == scanned(path, since)


def _rows(db: sqlite3.Connection) -> sqlite3.Connection:
    db.row_factory = sqlite3.Row
    return db


def counted(log: RunLog, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """How many rows of `runs` are added up for something."""
    seen: list[int] = []
    ask = spending._Tree._rows

    def watched(self: Any, first: int, last: int) -> Any:
        seen.append(min(last, self._top) - first + 1)
        return ask(self, first, last)

    with monkeypatch.context() as patch:
        patch.setattr(spending._Tree, "_rows", watched)
        work()
    return sum(seen)


@pytest.mark.slow
def test_few_rows_are_read_for_a_budget(
    log: RunLog, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many thousand rows a budget and the totals read no more than of some hundred."""
    path = ready(log)
    with opened(path) as db:
        add(db, 20_000)
    budget = Budget(runs=10**6, cost=10**6, prices=PRICES)
    request = prepared(EditRequest.make(image=photo, prompt="x", model="gpt-image-1"))
    log.begin("first", request, offline=False, budget=budget)
    log.settle("first", "done")
    for work in (
        lambda: log.begin("second", request, offline=False, budget=budget),
        log.totals,
        lambda: log.totals(10_000.5),
        lambda: log.spent(budget),
    ):
        assert counted(log, monkeypatch, work) <= 3 * 128
    assert log.totals().runs == 20_002
    assert log.totals(10_000.5).runs == 10_001


def test_a_budget_holds_with_many_at_once(log: RunLog, photo: Image.Image) -> None:
    """Runs that begin at the same time, on sums that change meanwhile, don't go over it together."""
    path = ready(log)
    with opened(path) as db:
        add(db, 400)
    request = prepared(EditRequest.make(image=photo, prompt="x", model="gpt-image-1"))
    budget = Budget(runs=405)
    over = []

    def begin(number: int) -> None:
        try:
            log.begin(f"run {number}", request, offline=False, budget=budget)
        except BudgetError as error:
            over.append(error)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (len(over), log.spent(budget).runs) == (7, 405)


def test_a_price_function_holds_nobody_up(log: RunLog, photo: Image.Image) -> None:
    """While one kernel asks its price function, another writes; the function is asked once for each kind of run."""
    path = ready(log)
    with opened(path) as db:
        add(db, 300)
    asked: list[str] = []
    other = RunLog(log.folder)
    request = prepared(EditRequest.make(image=photo, prompt="x", model="gpt-image-1"))

    def price(model: str, options: Any) -> float:
        asked.append(model)
        if len(asked) < 3:
            start = time.monotonic()
            other.begin(f"other {len(asked)}", request, offline=True)
            assert time.monotonic() - start < 10
        return 0.5

    budget = Budget(cost=151, prices=PriceTable(price, "USD"))
    log.begin("mine", request, offline=False, budget=budget)
    with pytest.raises(BudgetError):
        log.begin(
            "more",
            prepared(EditRequest.make(image=photo, prompt="x", n=3, model="gpt-image-1")),
            offline=False,
            budget=budget,
        )
    assert len(asked) <= 6
    assert log.spent(Budget(prices=PriceTable({"gpt-image-1": 0.5}, "USD"))).cost == 150.5

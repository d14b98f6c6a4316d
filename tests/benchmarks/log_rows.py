"""What the run log takes with 10,000 and 100,000 runs in it, beside one with 100: to begin, read, add up and search.

`python tests/benchmarks/log_rows.py [runs]`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.pop("TTAPI_OFFLINE", None)

from PIL import Image

import ttapi_nb as tt
from tests.benchmarks._bench import Table, alternating, peak_of
from tests.support.preparing import prepared

SMALL = 100
SIZES = (10_000, int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
ROUNDS = 9
GOAL = 1.5
PRICES = tt.PriceTable({"gpt-image-1.5": 0.04, "gpt-image-1": 0.04}, "USD")
BUDGET = tt.Budget(runs=10**9, cost=10**9, prices=PRICES)
_numbers = itertools.count()


def filled(folder: Path, count: int) -> tt.RunLog:
    """A log with so many runs, one a second."""
    log = tt.RunLog(folder)
    log.rows()
    start = time.time() - count
    with contextlib.closing(sqlite3.connect(folder / "runs.sqlite3")) as db, db:
        db.executemany(
            "INSERT INTO runs (id, started, counted, finished, sent, state, offline, model, prompt, options, source,"
            " mask, images, came, tokens, cost, currency)"
            " VALUES (?, ?, ?, ?, 1, 'done', ?, 'gpt-image-1.5', ?, '{}', '', '', 1, 1, 30, 0.04, 'USD')",
            (
                (
                    f"run-{number:08}",
                    *(start + number, start + number, start + number + 1),
                    number % 5 == 0,
                    f"a bowl of kind {number % 97} on stone{', with a heron' if number == 3 else ''}",
                )
                for number in range(count)
            ),
        )
    return log


def works(log: tt.RunLog) -> dict[str, Callable[[], object]]:
    """What is timed."""
    request = prepared(tt.EditRequest.make(image=Image.new("RGB", (64, 64)), prompt="x"))

    def begin() -> None:
        name = f"new-{next(_numbers)}"
        log.begin(name, request, offline=False, budget=BUDGET)
        log.withdraw(name)

    def history() -> None:
        log.rows(12)
        log.totals()
        log.rows(None, state="unknown")

    return {
        "begin with a budget": begin,
        "rows()": log.rows,
        "totals()": log.totals,
        "spent(budget)": lambda: log.spent(BUDGET),
        "history opened": history,
        "a letter in its search": lambda: log.rows(12, search="b"),
        "a word in its search": lambda: log.rows(12, search="bowl"),
        "a word of one old run": lambda: log.rows(12, search="heron"),
    }


def main() -> int:
    """Print the table; whether every goal is met."""
    table = Table(f"The run log, against one with {SMALL} runs")
    with tempfile.TemporaryDirectory() as folder:
        logs = {count: filled(Path(folder) / str(count), count) for count in (SMALL, *SIZES)}
        timed = {count: works(log) for count, log in logs.items()}
        for name in timed[SMALL]:
            found = alternating({str(count): timed[count][name] for count in timed}, ROUNDS)
            for count in SIZES:
                table.compare(
                    f"{count:,} runs: {name}",
                    found[str(count)],
                    found[str(SMALL)],
                    GOAL,
                    peak=peak_of(timed[count][name]),
                )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

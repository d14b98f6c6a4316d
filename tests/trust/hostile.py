"""Runs whose callbacks do their worst, on a log that is locked and full at times, all at once: every answer is kept.

    python tests/trust/hostile.py [runs]

Exits with 1 where an answer was lost, a `wait()` did not return, or the loop's thread ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.server import Server, json_reply, pictures
from ttapi_nb import loop
from ttapi_nb.run import carrier

RUNS = 200
PATIENCE = 240.0
TEAL = Image.new("RGB", (64, 64), "teal")
never = threading.Event()


def _raises(kind: type[BaseException]) -> Callable[[tt.Run], None]:
    def callback(run: tt.Run) -> None:
        raise kind("of a callback's")

    return callback


def _recurses(run: tt.Run) -> None:
    _recurses(run)


def _removes_itself(run: tt.Run) -> None:
    run.on_change(_removes_itself, remove=True)


def _edits(run: tt.Run) -> None:
    tt.edit(TEAL, "inner", client=tt.Client.offline(fill=lambda image, *more: image), log=False)


CALLBACKS: tuple[Callable[[tt.Run], Any], ...] = (
    lambda run: never.wait(),
    *map(_raises, (SystemExit, KeyboardInterrupt, asyncio.CancelledError, MemoryError, GeneratorExit)),
    _recurses,
    _removes_itself,
    lambda run: run.cancel(),
    lambda run: run.wait(),
    _edits,
)


class Trouble(tt.RunLog):
    """A log on a disk that is full for every third answer, which then has no row of it but its own mark."""

    def store(self, run_id: str, response: tt.ImagesResponse, *, cost: float | None = None) -> None:
        """Keep the answer, or not."""
        if int(run_id, 16) % 3 == 0:
            raise tt.ResultError("The disk is full.")
        super().store(run_id, response, cost=cost)


def hold(folder: Path, ends: threading.Event) -> None:
    """Lock the log for others, again and again, as a program does that copies it."""
    while not ends.wait(0.2):
        with contextlib.closing(
            sqlite3.connect(folder / "runs.sqlite3", timeout=60, isolation_level=None)
        ) as db:
            db.execute("BEGIN IMMEDIATE")
            ends.wait(0.3)
            db.execute("ROLLBACK")


def attack(count: int, folder: Path) -> tuple[int, int, int]:
    """How many answers were lost, waits did not return, and rows of the log don't say how their run ended."""
    logging.getLogger("ttapi_nb").setLevel(logging.CRITICAL)
    log, ends = Trouble(folder), threading.Event()
    log.rows()
    locker = threading.Thread(target=hold, args=(folder, ends), daemon=True)
    lost = hanging = 0
    with Server() as server:
        server.answer = json_reply(pictures(TEAL))
        client = tt.Client("test-key-0123456789", base_url=server.url)
        locker.start()
        runs = []
        for number in range(count):
            run = tt.start_edit(TEAL, f"run {number}", client=client, log=log)
            run.on_change(CALLBACKS[number % len(CALLBACKS)])
            runs.append(run)
        overs = [carrier.over for run in runs if (carrier := run._carrier) is not None]
        for run in runs:
            try:
                run.wait(PATIENCE)
            except TimeoutError:
                hanging += 1
            except tt.RunCancelledError:
                pass
        for over in overs:
            over.result(PATIENCE)
        ends.set()
        locker.join(PATIENCE)
        # A cancelled run may not have left, and then there was no answer to keep.
        rows = {row.id: row for row in log.rows(None)}
        for run in runs:
            row = rows[run.id]
            kept = bool(run.results) and (bool(row.results) or int(run.id, 16) % 3 == 0)
            lost += not (kept or row.state == "cancelled")
    unsaid = sum(row.state not in ("done", "cancelled") for row in rows.values())
    return lost, hanging, unsaid


def main() -> int:
    """Print what was found; returns 1 where a claim fails."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    os.environ.pop("TTAPI_OFFLINE", None)
    carrier.WATCHER_PATIENCE = 1.0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        lost, hanging, unsaid = attack(count, Path(folder))
    alive = loop.submit(asyncio.sleep(0, True)).result(PATIENCE)
    never.set()
    print(
        f"{count} runs with hostile callbacks on a log that was locked and full: {lost} answers lost, {hanging} waits "
        f"that did not return, {unsaid} rows without their end, the loop {'alive' if alive else 'gone'}, "
        f"{time.monotonic() - begun:.0f} s."
    )
    good = (lost, hanging, unsaid, alive) == (0, 0, 0, True)
    if not good:
        print("FAILED")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())

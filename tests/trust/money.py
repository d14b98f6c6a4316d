"""Whether the run log can be trusted with money: kills at random moments, and a race for the last of a budget.

    python tests/trust/money.py [kills] [processes] [runs of each]

A process that runs one edit after another is killed (SIGKILL) at a random moment, again and again, all on one log. Then
it is shown that every request that the service accepted is in the log, as one that was or may have been billed; that
none was sent twice; that the file is whole; and that every result it names can be read. In the race, processes start
many runs at once under one budget, and the service counts what it got. Exits with 1 where a claim fails.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import random
import sqlite3
import sys
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.server import PATIENCE, Reply, Request, Server, json_reply, pictures

KEY = "test-key-0123456789"
KILLS, PROCESSES, EACH = 100, 8, 50
# Seconds: a run takes about 0.05, so that a kill finds it at any stage of its life.
LONGEST_LIFE = 0.4
SLOWEST_ANSWER = 0.03
# Without a copy of this process's threads and locks, and without importing everything anew each time.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["ttapi_nb.run", "ttapi_nb.client.sending", "tests.server"])


@dataclass(frozen=True)
class Kills:
    """What came of the kills: `accepted` requests, of which so many were `missing`, `denied` or `doubled`; runs by
    `states`; and results that are `unreadable`.
    """

    accepted: int
    missing: int
    denied: int
    doubled: int
    states: dict[str, int]
    results: int
    unreadable: int
    intact: bool

    @property
    def good(self) -> bool:
        """Whether every claim holds, of requests that were made."""
        wrong = self.missing, self.denied, self.doubled, self.unreadable, self.states.get("open", 0)
        return self.accepted > 0 and self.intact and not any(wrong)


@dataclass(frozen=True)
class Race:
    """What came of the race: `asked` runs under a budget of `limit`, of which the service got `posts`."""

    asked: int
    limit: int
    posts: int
    refused: int
    counted: int

    @property
    def good(self) -> bool:
        """Whether all of the budget was spent and nothing more."""
        return self.posts == self.limit == self.counted and self.refused == self.asked - self.limit


def edits(url: str, folder: Path, pipe: Connection, before: int) -> None:
    """Run one edit after another until killed; the kill may come when so many have been made `before`."""
    photo, client, log = Image.new("RGB", (64, 64), "teal"), tt.Client(KEY, base_url=url), tt.RunLog(folder)
    for number in itertools.count():
        if number == before:
            pipe.send("ready")
        tt.edit(photo, uuid.uuid4().hex, client=client, log=log)


def kill_at_random(count: int, folder: Path, seed: int = 0) -> Kills:
    """Kill a process that runs edits so many times, at random moments, and look at what is left."""
    chance = random.Random(seed)

    def answer(request: Request) -> Reply:
        time.sleep(chance.uniform(0, SLOWEST_ANSWER))
        # Another picture each time, so that each is a file of its own.
        return json_reply(pictures(Image.effect_noise((64, 64), 90).convert("RGB")))

    with Server() as server:
        server.answer = answer
        for number in range(count):
            ours, theirs = FORKS.Pipe()
            # Every other one in its first edit too, which a busy machine may take seconds to begin.
            given = server.url, folder, theirs, number % 2
            process = FORKS.Process(target=edits, args=given, daemon=True)
            process.start()
            assert ours.poll(PATIENCE), "the process does not start"
            ours.recv()
            time.sleep(chance.uniform(0, LONGEST_LIFE))
            process.kill()
            process.join(PATIENCE)
    # A request of which only a part came was never accepted.
    whole = [one for one in server.posts if int(one.get("content-length") or 0) == len(one.body)]
    return _looked_at(folder, [one.json["prompt"] for one in whole])


def _looked_at(folder: Path, accepted: list[str]) -> Kills:
    rows = tt.RunLog(folder).rows(None)
    by_prompt = {row.prompt: row for row in rows}
    files = {path for row in rows for path in row.results}
    unreadable = 0
    for path in files:
        data = path.read_bytes()
        unreadable += hashlib.sha256(data).hexdigest() != path.name or tt.open_image(data).size != (64, 64)
    with closing(sqlite3.connect(folder / "runs.sqlite3")) as db:
        intact = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return Kills(
        accepted=len(accepted),
        missing=sum(prompt not in by_prompt for prompt in accepted),
        denied=sum(
            prompt in by_prompt and by_prompt[prompt].state not in ("done", "unknown") for prompt in accepted
        ),
        doubled=sum(number > 1 for number in Counter(accepted).values()),
        states=dict(Counter(row.state for row in rows)),
        results=len(files),
        unreadable=unreadable,
        intact=intact,
    )


def starts(url: str, folder: Path, each: int, limit: int, pipe: Connection) -> None:
    """Start so many runs at once under a budget, when told to."""
    photo, client, log = Image.new("RGB", (64, 64), "teal"), tt.Client(KEY, base_url=url), tt.RunLog(folder)
    budget = tt.Budget(runs=limit)

    def one(number: int) -> bool:
        try:
            tt.edit(photo, f"run {number}", client=client, log=log, budget=budget)
        except tt.BudgetError:
            return False
        return True

    with ThreadPoolExecutor(each) as pool:
        pipe.send("ready")
        pipe.recv()
        pipe.send(list(pool.map(one, range(each))).count(False))


def race(processes: int, each: int, limit: int, folder: Path) -> Race:
    """Let processes start many runs at once on one log, under one budget."""
    with Server() as server:
        pipes = []
        for _ in range(processes):
            ours, theirs = FORKS.Pipe()
            FORKS.Process(target=starts, args=(server.url, folder, each, limit, theirs), daemon=True).start()
            pipes.append(ours)
        for pipe in pipes:
            assert pipe.poll(PATIENCE), "a process does not start"
            pipe.recv()
        for pipe in pipes:
            pipe.send("go")
        refused = 0
        for pipe in pipes:
            assert pipe.poll(10 * PATIENCE), "a process does not end"
            refused += pipe.recv()
        counted = tt.RunLog(folder).totals().runs
        return Race(processes * each, limit, len(server.posts), refused, counted)


def main() -> int:
    """Print what was found; returns 1 where a claim fails."""
    # The embedded service would answer in the place of ours.
    os.environ.pop("TTAPI_OFFLINE", None)
    count, processes, each = (
        int(given) if given else usual
        for given, usual in itertools.zip_longest(sys.argv[1:4], (KILLS, PROCESSES, EACH))
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        kills = kill_at_random(count, Path(folder) / "kills")
        states = ", ".join(f"{number} {state}" for state, number in sorted(kills.states.items()))
        print(
            f"{count} kills in {time.perf_counter() - begun:.0f} s: {kills.accepted} accepted requests, of which "
            f"{kills.missing} missing from the log, {kills.denied} in it as not billed, {kills.doubled} sent twice.\n"
            f"Runs: {states}. Database {'intact' if kills.intact else 'DAMAGED'}; "
            f"{kills.results} stored results, {kills.unreadable} unreadable.",
            flush=True,
        )
        begun = time.perf_counter()
        limit = processes * each // 4
        found = race(processes, each, limit, Path(folder) / "race")
        print(
            f"{processes} processes x {each} runs in {time.perf_counter() - begun:.0f} s under a budget of {limit}: "
            f"{found.posts} sent, {found.refused} refused before sending, overspent by {max(0, found.posts - limit)}."
        )
    if not (kills.good and found.good):
        print("FAILED")
    return int(not (kills.good and found.good))


if __name__ == "__main__":
    sys.exit(main())

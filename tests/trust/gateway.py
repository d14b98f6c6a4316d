"""Whether a class's gateway can be trusted with one key: many people, bad lines, kills, and a fair queue.

    python tests/trust/gateway.py [people] [kills] [sqlite|postgres|fair|all]

Simulated people, each with a client of this package, run edits until their random limit refuses them, over lines that
break at random, while the gateway is killed (SIGKILL) again and again and started anew: on SQLite one gateway, on
Postgres two with one killed at a time. Where all are done before that was done often enough, another class begins. The
service behind takes a second for each run and counts what it gets. Then it is shown that nobody and no room spent more
than its limit, that the service got each run at most once, and that every answer which the service gave was fetched by
its owner. Without kills, it is shown how long people wait, some of whom ask for twenty runs at once. Exits with 1 where
a claim fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.server import pictures
from tests.support.gateways import command, environment
from tests.support.postgres import postgres
from tests.support.slow_service import SlowService
from tests.support.wifi import Cut, Wifi

PEOPLE, KILLS = 300, 50
SERVICE_SECONDS, AT_ONCE = 1.0, 16
MOST_EACH, BROKEN_LINES = 3, 0.15
LONGEST_WAIT = 1.5
# How many runs at once those ask for who ask for more than one.
GREEDY = 20
PATIENCE = 900.0


class Service(SlowService):
    """The counting service: `by_prompt` has its POSTs, `answered` and `times` what it answered whole, and when."""

    def __init__(self) -> None:
        self.by_prompt = Counter[str]()
        self.answered = set[str]()
        self.times: list[float] = []
        super().__init__(pictures(Image.new("RGB", (64, 64), "teal")), SERVICE_SECONDS)

    def began(self, body: bytes) -> None:
        """Count it."""
        self.by_prompt[prompt_of(body)] += 1

    def ended(self, body: bytes) -> None:
        """Whoever asked may have it."""
        self.answered.add(prompt_of(body))
        self.times.append(time.monotonic())


def prompt_of(body: bytes) -> str:
    """The prompt in a request's body."""
    return str(json.loads(body)["prompt"])


@dataclass
class Found:
    """What came of it all. A prompt is `room/person/number`; `limits` are by room and person, `rooms` by room."""

    limits: dict[str, int] = field(default_factory=dict)
    rooms: dict[str, int] = field(default_factory=dict)
    posts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    fetched: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    most_at_once: int = 0
    broken_lines: int = 0
    kills: int = 0
    unknown: int = 0
    seconds: float = 0.0

    def over(self, limits: dict[str, int], depth: int) -> int:
        """How many POSTs were above these limits, whose names are so many words of a prompt's."""
        found = Counter[str]()
        for prompt, count in self.posts.items():
            found["/".join(prompt.split("/")[:depth])] += count
        return sum(max(0, count - limits[name]) for name, count in found.items())

    def claims(self) -> dict[str, tuple[object, bool]]:
        """Each claim in words, what was found, and whether it holds."""
        most = max(self.posts.values(), default=0)
        missed, lost = self.settled - self.fetched, self.answered - self.fetched
        return {
            "runs that reached the service": (self.posts.total(), self.posts.total() > 0),
            "spent over somebody's limit": (over := self.over(self.limits, 2), not over),
            "spent over a room's limit": (over := self.over(self.rooms, 1), not over),
            "most POSTs of one run": (most, most <= 1),
            "answers in the ledger that their owner did not get": (len(missed), not missed),
            "answers that the service gave and their owner did not get": (len(lost), not lost),
            "ended otherwise than with a result, a refusal or in doubt": (
                others := sum(count for name, count in self.outcomes.items() if name.startswith("other")), not others),
        }  # fmt: skip


class Gateways:
    """Gateways as processes of their own, each on a port that stays."""

    def __init__(self, folders: list[Path], service: Service, more: list[str]) -> None:
        self.folders, self._service, self._more = folders, service, more
        self.ports: list[int] = [0] * len(folders)
        self.processes: list[subprocess.Popen[str] | None] = [None] * len(folders)

    def start(self, number: int) -> None:
        """Start one, and wait until it answers."""
        given = [sys.executable, "-m", "ttapi_nb.cli", "gateway", "--port", str(self.ports[number])]
        given += [
            "--upstream",
            self._service.url,
            "--at-once",
            str(AT_ONCE),
            *self._more,
        ]
        process = subprocess.Popen(
            given, env=environment(self.folders[number]), cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " answers at " in line, line
        self.ports[number] = int(line.split("127.0.0.1:")[1].split("/")[0])
        self.processes[number] = process

    def kill(self, number: int) -> None:
        """Kill one."""
        process = self.processes[number]
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def end(self) -> None:
        """Kill all."""
        for number in range(len(self.folders)):
            self.kill(number)


async def person(found: Found, room: str, name: str, client: tt.AsyncClient, photo: Image.Image) -> None:
    """Run edits until the limit says no; what is known not to have left is tried anew."""
    for number in itertools.count():
        prompt = f"{room}/{name}/{number}"
        begun = time.monotonic()
        try:
            await client.images.edit(image=photo, prompt=prompt, model="gpt-image-1")
        except tt.QuotaError:
            found.outcomes["refused by a limit"] += 1
            return
        except tt.NotSentError:
            found.outcomes["not sent, tried anew"] += 1
            await asyncio.sleep(0.3)
        except tt.RefusedError as error:
            found.outcomes[
                "not sent, said the gateway" if error.status >= 500 else f"other: {error}"[:90]
            ] += 1
            await asyncio.sleep(0.3)
        except tt.UnknownOutcomeError as error:
            found.outcomes[f"in doubt: {error}"[:90]] += 1
        else:
            found.outcomes["done"] += 1
            found.fetched.add(prompt)
            found.waits.append(time.monotonic() - begun)


def new_room(found: Found, folder: Path, database: list[str], people: int, chance: random.Random) -> Any:
    """A class with a random limit for each person, and one for the room that is a little too small for all."""
    room = f"trust {len(found.rooms) + 1}"
    each = [chance.randint(1, MOST_EACH) for _ in range(people)]
    found.rooms[room] = int(sum(each) * 0.95)
    made = command(
        folder, "class", "new", room, "--people", str(people), "--runs-each", str(MOST_EACH),
        "--runs-room", str(found.rooms[room]), *database,
    )["people"]  # fmt: skip
    from ttapi_nb.gateway.changing import change_limits
    from ttapi_nb.gateway.ledger import Ledger
    from ttapi_nb.gateway.terms import Limits

    ledger = Ledger(database[1] if database else None, folder / "gateway")
    for one, limit in zip(ledger.classes.people_of(ledger.classes.named(room)), each, strict=True):
        change_limits(ledger.database, one.id, Limits(runs=limit).over)
    ledger.close()
    found.limits |= {f"{room}/{one['name']}": limit for one, limit in zip(made, each, strict=True)}
    return room, made


def under_kills(people: int, kills: int, folders: list[Path], database: list[str]) -> Found:
    """Everybody runs edits while gateways are killed; where all are done sooner, another class of them begins."""
    chance = random.Random(1)
    service, found = Service(), Found()
    gateways = Gateways(folders, service, database)
    first = new_room(found, folders[0], database, people, chance)
    for number in range(len(folders)):
        gateways.start(number)

    def cut(_: int) -> Cut:
        if chance.random() > BROKEN_LINES:
            return None
        return chance.choice(["up", "down"]), chance.choice([0, 1, 50, 200, 500, 2000])

    with contextlib.ExitStack() as lines:
        wifis = [lines.enter_context(Wifi(port, cut)) for port in gateways.ports]
        photo = Image.new("RGB", (64, 64), "navy")

        async def everybody(room: str, made: Any) -> None:
            clients = [
                tt.AsyncClient(one["token"], base_url=wifis[number % len(wifis)].url, timeout=PATIENCE)
                for number, one in enumerate(made)
            ]
            await asyncio.gather(
                *(
                    person(found, room, one["name"], client, photo)
                    for one, client in zip(made, clients, strict=True)
                )
            )

        stopped = threading.Event()

        def killer() -> None:
            for number in range(kills):
                # While something is with the service.
                while not service.inside and not stopped.wait(0.02):
                    pass
                if stopped.wait(chance.uniform(0, 1.2)):
                    return
                which = number % len(folders)
                gateways.kill(which)
                found.kills += 1
                gateways.start(which)

        thread = threading.Thread(target=killer)
        thread.start()
        begun = time.monotonic()
        try:
            asyncio.run(everybody(*first))
            while thread.is_alive():
                asyncio.run(everybody(*new_room(found, folders[0], database, people, chance)))
        finally:
            found.seconds = time.monotonic() - begun
            stopped.set()
            thread.join()
        found.broken_lines = sum(wifi.broken for wifi in wifis)
    for room in found.rooms:
        rows = command(folders[0], "class", "export", room, *database)
        found.settled |= {row["prompt"] for row in rows if row["state"] == "settled"}
        found.unknown += sum(row["state"] == "unknown" for row in rows)
    found.posts, found.answered, found.most_at_once = (
        service.by_prompt,
        service.answered,
        service.most_at_once,
    )
    gateways.end()
    return found


def fair(people: int, folder: Path) -> tuple[float, float]:
    """The longest wait as a part of a fair share, and the one in the middle, of those who ask for one run at a time."""
    service = Service()
    made = command(folder, "class", "new", "fair", "--people", str(people))["people"]
    gateways = Gateways([folder], service, [])
    gateways.start(0)
    greedy = max(1, people // 15)
    waits: list[float] = []
    times: list[float] = []
    url = f"http://127.0.0.1:{gateways.ports[0]}/v1/images/edits"

    async def ask(client: httpx.AsyncClient, token: str, prompt: str) -> float:
        begun = time.monotonic()
        body = {"prompt": prompt, "image": ["aGk="], "mode": "gpt-image-1"}
        reply = await client.post(url, json=body, headers={"TT-API-KEY": token})
        assert reply.status_code == 200, reply.text
        return time.monotonic() - begun

    async def everybody() -> None:
        # A client that costs little: what is measured is the queue.
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(trust_env=False, timeout=None, limits=limits) as client:
            tokens = [one["token"] for one in made]
            early = [
                asyncio.ensure_future(ask(client, token, f"g{number}/{one}"))
                for number, token in enumerate(tokens[:greedy])
                for one in range(GREEDY)
            ]
            await asyncio.sleep(0.5)
            own = [ask(client, token, f"p{number}") for number, token in enumerate(tokens[greedy:])]
            times.append(time.monotonic())
            waits.extend(await asyncio.gather(*own))
            times.append(time.monotonic())
            for one in early:
                one.cancel()
            await asyncio.gather(*early, return_exceptions=True)

    asyncio.run(everybody())
    gateways.end()
    # Everybody once, at the rate at which this machine had runs answered meanwhile.
    answers = sum(times[0] <= one <= times[1] for one in service.times)
    share = people / (answers / (times[1] - times[0]))
    print(f"\n{answers} answers in {times[1] - times[0]:.0f} s; {greedy} people asked for {GREEDY} at once")
    return max(waits) / share, sorted(waits)[len(waits) // 2] / share


def report(name: str, found: Found) -> bool:
    """Print what was found; whether all of it holds."""
    waits = sorted(found.waits) or [0.0]
    print(
        f"\n{name}: {len(found.limits)} people in {len(found.rooms)} classes, {found.kills} kills, "
        f"{found.broken_lines} lines broken"
    )
    print(
        f"  it took {found.seconds:.0f} s; half of the results came within {waits[len(waits) // 2]:.1f} s;"
        f" {found.most_at_once} at once at the service"
    )
    print(
        f"  outcomes: {dict(found.outcomes)}; {found.unknown} runs in doubt in the ledger, all of them counted"
    )
    for words, (value, good) in found.claims().items():
        print(f"  {'ok  ' if good else 'FAIL'} {words}: {value}")
    return all(good for _, good in found.claims().values())


def main() -> int:
    """Run what was asked for."""
    os.environ.pop("TTAPI_OFFLINE", None)
    given = sys.argv[1:]
    people, kills = (int(one) for one in [*given[:2], *map(str, (PEOPLE, KILLS)[len(given[:2]) :])])
    what = given[2] if len(given) > 2 else "all"
    good = True
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        os.environ["TTAPI_DATA"] = f"{place}/data"
        if what in ("sqlite", "all"):
            good &= report("SQLite, one gateway", under_kills(people, kills, [Path(place) / "one"], []))
        if what in ("postgres", "all"):
            folders = [Path(place) / "first", Path(place) / "second"]
            with postgres(Path(tempfile.mkdtemp())) as url:
                found = under_kills(people, kills, folders, ["--database", url])
            good &= report("Postgres, two gateways", found)
        if what in ("fair", "all"):
            longest, middle = fair(people, Path(place) / "fair")
            fits = longest <= LONGEST_WAIT
            good &= fits
            print(
                f"\nFair: the longest wait was {longest:.2f} of a share (at most {LONGEST_WAIT}), half {middle:.2f}"
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

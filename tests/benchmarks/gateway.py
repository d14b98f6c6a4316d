"""What a class's gateway adds to a request, and whether memory stays flat while many wait.

    python tests/benchmarks/gateway.py [runs of each] [people]

The same bodies, of 1 MiB and 20 MiB in every form, go to a service that takes a second for each, and to the same one
through a gateway; medians and 95th percentiles are held against each other. Then so many people, each with a body of
1 MiB, wait at a service that takes one at a time, and the memory of the gateway's processes is read. Exits with 1 where
the gateway takes more than 1.3 times as long, or memory grows by more than a fifth of what waits.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table
from tests.support.gateways import command, process
from tests.support.slow_service import SlowService

RUNS, PEOPLE = 6, 300
NEVER = 10_000.0
MIB = 2**20
MOST, MOST_GROWTH = 1.3, 0.2
CONTENT = {"created": 1, "data": [{"b64_json": base64.b64encode(os.urandom(MIB)).decode()}]}


def bodies(size: int) -> dict[str, tuple[str, bytes]]:
    """A body of that size in every form, with its type."""
    picture = os.urandom(size)
    url = "data:image/png;base64," + base64.b64encode(picture[: size * 3 // 4]).decode()
    rest = {"prompt": "a bowl", "model": "gpt-image-1", "n": 1}
    form = httpx.Request("POST", "http://x", data=rest, files={"image": ("a.png", picture, "image/png")})
    return {
        "json": ("application/json", json.dumps(rest | {"image": [url]}).encode()),
        "multipart": (form.headers["content-type"], form.read()),
        "references": ("application/json", json.dumps(rest | {"images": [{"image_url": url}]}).encode()),
    }


def took(client: httpx.Client, url: str, kind: str, body: bytes, token: str, answer: bytes) -> float:
    """Seconds from the request to the last byte of its answer."""
    begun = time.perf_counter()
    reply = client.post(url, content=body, headers={"Content-Type": kind, "TT-API-KEY": token})
    assert reply.status_code == 200, reply.text[:300]
    assert reply.content == answer
    return time.perf_counter() - begun


def speed(table: Table, service: SlowService, port: int, token: str, runs: int) -> None:
    """The rows of what each form and size takes."""
    with httpx.Client(trust_env=False, timeout=120) as client:
        for size in (MIB, 20 * MIB):
            for form, (kind, body) in bodies(size).items():
                times: dict[str, list[float]] = {"bare": [], "through": []}
                for _ in range(runs):
                    for name, at in (("bare", service.port), ("through", port)):
                        url = f"http://127.0.0.1:{at}/v1/images/edits"
                        times[name].append(took(client, url, kind, body, token, service.answer))
                slow = [share(times[name], 0.95) for name in ("through", "bare")]
                work = f"{form}, {size // MIB} MiB, through the gateway"
                table.compare(work, times["through"], times["bare"], MOST)
                table.compare(f"{work}, p95", slow[:1], slow[1:], MOST)


def share(times: list[float], part: float) -> float:
    """A percentile."""
    return statistics.quantiles(times, n=100, method="inclusive")[round(part * 100) - 1]


def memory(started: subprocess.Popen[str]) -> float:
    """What a gateway and the process beside it hold, in MiB."""
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    total = 0
    for pid in (started.pid, *children):
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(status.split("VmRSS:")[1].split()[0])
    return total / 1024


async def wait_together(port: int, tokens: list[str], body: bytes, kind: str) -> list[asyncio.Task[Any]]:
    """Have everybody send a body, and wait."""
    client = httpx.AsyncClient(trust_env=False, timeout=None, limits=httpx.Limits(max_connections=None))
    places = asyncio.Semaphore(16)

    async def ask(number: int) -> None:
        async def pieces() -> Any:
            async with places:
                for at in range(0, len(body), 2**18):
                    yield body[at : at + 2**18]

        await client.post(
            f"http://127.0.0.1:{port}/v1/images/edits",
            content=pieces(),
            headers={"Content-Type": kind, "TT-API-KEY": tokens[number], "Content-Length": str(len(body))},
        )

    tasks = [asyncio.ensure_future(ask(number)) for number in range(len(tokens))]
    end = time.monotonic() + 120
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        waiting = int(text.split("\nttapi_gateway_waiting ")[1].split("\n")[0])
        if waiting >= len(tokens) - 1:
            return tasks
    raise AssertionError("they don't all wait")


def flat(table: Table, place: Path, service: SlowService, people: int) -> None:
    """The row of memory, which does not follow what waits."""
    made = command(place, "class", "new", "many", "--people", str(people))["people"]
    service.seconds = NEVER
    started, port = process(place, "--port", "0", "--upstream", service.url, "--at-once", "1")
    kind, body = bodies(MIB)["json"]

    async def measure() -> tuple[float, float]:
        tokens = [one["token"] for one in made]
        first = await wait_together(port, tokens[:8], body, kind)
        before = memory(started)
        rest = await wait_together(port, tokens, body, kind)
        # What they wait with, and not what their bodies took as they came.
        await asyncio.sleep(5)
        after = memory(started)
        for task in (*first, *rest):
            task.cancel()
        await asyncio.gather(*first, *rest, return_exceptions=True)
        return before, after

    try:
        before, after = asyncio.run(measure())
    finally:
        started.kill()
        started.communicate()
    waits = people * len(body) / MIB
    note = f"{before:.0f} MiB with 8 of them, {after:.0f} MiB with all, who wait with {waits:.0f} MiB."
    table.count(f"memory while {people} people wait", after - before, MOST_GROWTH * waits, "MiB", note=note)


def main() -> int:
    """Measure, and say whether the bounds are kept."""
    os.environ.pop("TTAPI_OFFLINE", None)
    runs, people = (int(one) for one in [*sys.argv[1:3], *map(str, (RUNS, PEOPLE)[len(sys.argv[1:3]) :])])
    table = Table("A class's gateway")
    service = SlowService(CONTENT)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        token = command(place, "class", "new", "speed", "--people", "1")["people"][0]["token"]
        started, port = process(place, "--port", "0", "--upstream", service.url)
        try:
            speed(table, service, port, token, runs)
        finally:
            started.terminate()
            started.communicate()
        flat(table, place, service, people)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

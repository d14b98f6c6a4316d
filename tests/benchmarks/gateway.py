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
import threading
import time
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.gateways import command, process

RUNS, PEOPLE = 12, 300
SERVICE_SECONDS = 1.0
MIB = 2**20
MOST, MOST_GROWTH = 1.3, 0.2
ANSWER = json.dumps(
    {"created": 1, "data": [{"b64_json": base64.b64encode(os.urandom(MIB)).decode()}]}
).encode()


class Service:
    """Takes a body and answers after a while; `hold` makes it never answer."""

    def __init__(self) -> None:
        self.hold = False
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True).start()
        assert self._ready.wait(10)

    async def _main(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MIB)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            left = int(head.split("content-length:")[1].split("\r\n")[0])
            while left:
                left -= len(await reader.read(min(left, MIB)))
            await asyncio.sleep(10_000 if self.hold else SERVICE_SECONDS)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(ANSWER))
            writer.write(ANSWER)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()


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


def took(client: httpx.Client, url: str, kind: str, body: bytes, token: str) -> float:
    """Seconds from the request to the last byte of its answer."""
    begun = time.perf_counter()
    reply = client.post(url, content=body, headers={"Content-Type": kind, "TT-API-KEY": token})
    assert reply.status_code == 200, reply.text[:300]
    assert reply.content == ANSWER
    return time.perf_counter() - begun


def speed(service: Service, port: int, token: str, runs: int) -> bool:
    """Print what each form and size takes; whether all are within the bound."""
    good = True
    print(f"{'':24}{'bare':>16}{'through':>16}{'p50':>8}{'p95':>8}{'adds':>10}")
    with httpx.Client(trust_env=False, timeout=120) as client:
        for size in (MIB, 20 * MIB):
            for form, (kind, body) in bodies(size).items():
                times: dict[str, list[float]] = {"bare": [], "through": []}
                for _ in range(runs):
                    for name, at in (("bare", service.port), ("through", port)):
                        url = f"http://127.0.0.1:{at}/v1/images/edits"
                        times[name].append(took(client, url, kind, body, token))
                p50, p95 = (
                    {name: share(found, part) for name, found in times.items()} for part in (0.5, 0.95)
                )
                ratios = p50["through"] / p50["bare"], p95["through"] / p95["bare"]
                good = good and max(ratios) <= MOST
                shown = [
                    f"{p50[name] * 1000:6.0f}, {p95[name] * 1000:4.0f} ms" for name in ("bare", "through")
                ]
                added = (p50["through"] - p50["bare"]) * 1000
                print(
                    f"{form:12}{size // MIB:3} MiB     {shown[0]:>16}{shown[1]:>16}{ratios[0]:8.2f}{ratios[1]:8.2f}"
                    f"{added:7.0f} ms"
                )
    return good


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


def flat(place: Path, service: Service, people: int) -> bool:
    """Whether memory does not follow what waits."""
    made = command(place, "class", "new", "many", "--people", str(people))["people"]
    service.hold = True
    started, port = process(
        place, "--port", "0", "--upstream", f"http://127.0.0.1:{service.port}/v1", "--at-once", "1"
    )
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
    good = after - before <= MOST_GROWTH * waits
    print(
        f"\n{people} people wait with {waits:.0f} MiB: {before:.0f} MiB with 8 of them, {after:.0f} MiB with all"
    )
    return good


def main() -> int:
    """Measure, and say whether the bounds are kept."""
    os.environ.pop("TTAPI_OFFLINE", None)
    runs, people = (int(one) for one in [*sys.argv[1:3], *map(str, (RUNS, PEOPLE)[len(sys.argv[1:3]) :])])
    service = Service()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        token = command(place, "class", "new", "speed", "--people", "1")["people"][0]["token"]
        started, port = process(place, "--port", "0", "--upstream", f"http://127.0.0.1:{service.port}/v1")
        try:
            good = speed(service, port, token, runs)
        finally:
            started.terminate()
            started.communicate()
        good &= flat(place, service, people)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

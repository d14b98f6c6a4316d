"""64 edits of a service that takes a second for each, and 16 at once: awaited together, and started as runs.

The limit is what such a service needs for them, 4 s; a client of httpx whose calls go through a semaphore alternates
with ours. A refusal costs nothing, and is allowed only where the client was told of another number than the service
takes. `python tests/benchmarks/many_edits.py [edits]`.

Each start waits until its run's row is on the disk, so the sixteenth run leaves 0.1 s after the first, and the waves
keep that distance. Sixteen answers that come together take up to 0.1 s until the next sixteen have left.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.pop("TTAPI_OFFLINE", None)
os.environ["TTAPI_DATA"] = tempfile.mkdtemp()

import httpx
from PIL import Image

import ttapi_nb as tt
from tests.benchmarks._bench import Table, alternating, peak_of
from tests.benchmarks._service import Service, service

EDITS = int(sys.argv[1]) if len(sys.argv) > 1 else 64
AT_ONCE, SECONDS, ROUNDS = 16, 1.0, 3
GOAL = 1.1 * SECONDS * EDITS / AT_ONCE
KEY = "sk-benchmark-0123456789"


def told(at_once: int) -> dict[str, Any]:
    """What says so to a client: one of an earlier package knows no such number."""
    known = inspect.signature(tt.Client).parameters
    return {"wait_when_busy": 60} | ({"at_once": at_once} if "at_once" in known else {})


def photo() -> Image.Image:
    """One of a megapixel."""
    return Image.linear_gradient("L").resize((1024, 1024)).convert("RGB")


def gather(url: str, at_once: int) -> Callable[[], object]:
    """All awaited together, of one client."""

    async def many() -> None:
        client = tt.AsyncClient(KEY, base_url=url, **told(at_once))
        picture = photo()
        await asyncio.gather(*(client.images.edit(image=picture, prompt="x") for _ in range(EDITS)))

    return lambda: asyncio.run(many())


def start(url: str, at_once: int) -> Callable[[], object]:
    """All started as runs, each with its row in a log."""

    def many() -> None:
        client = tt.Client(KEY, base_url=url, **told(at_once))
        with tempfile.TemporaryDirectory() as folder:
            log = tt.RunLog(folder)
            picture = photo()
            runs = [
                tt.start_edit(picture, "x", client=client, log=log, model="gpt-image-1") for _ in range(EDITS)
            ]
            for run in runs:
                run.wait()

    return many


def plain(url: str) -> Callable[[], object]:
    """The same by httpx, with a semaphore."""
    out = io.BytesIO()
    photo().save(out, "PNG")
    body = {"prompt": "x", "image": [f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"]}

    async def many() -> None:
        places = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(timeout=60) as client:

            async def one() -> None:
                async with places:
                    (await client.post(f"{url}/images/edits", json=body)).raise_for_status()

            await asyncio.gather(*(one() for _ in range(EDITS)))

    return lambda: asyncio.run(many())


def refusals(there: Service, work: Callable[[], object]) -> dict[str, int]:
    """What the service counted meanwhile."""
    there.counts()
    work()
    return there.counts()


def main() -> int:
    """Print the table; whether every goal is met."""
    table = Table(f"{EDITS} edits of {SECONDS:g} s each, {AT_ONCE} at once")
    with service(SECONDS, AT_ONCE) as there:
        contenders = {
            "gather": gather(there.url, AT_ONCE),
            "start_edit": start(there.url, AT_ONCE),
            "gather, told 64": gather(there.url, EDITS),
            "start_edit, told 64": start(there.url, EDITS),
            "httpx": plain(there.url),
        }
        times = alternating(contenders, ROUNDS)
        table.say(f"httpx with a semaphore: {sorted(times['httpx'])[ROUNDS // 2]:.2f} s")
        for name in ("gather", "start_edit", "gather, told 64", "start_edit, told 64"):
            before = time.process_time()
            peak = peak_of(contenders[name])
            note = f"{time.process_time() - before:.2f} s of processor time."
            table.under(f"{EDITS} edits by {name}", times[name], GOAL, peak=peak, note=note)
        for name, most in (("gather", 0), ("start_edit", 0), ("gather, told 64", EDITS - AT_ONCE)):
            found = refusals(there, contenders[name])
            table.count(f"refusals by {name}", found["refused"], most)
            table.count(f"lines by {name}", found["lines"], max(AT_ONCE, most + AT_ONCE))
    return table.finish()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())

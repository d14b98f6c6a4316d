"""What an edit costs the client, in processor time and in all, beside kept clients of httpx and openai.

Small and large photos, in JSON and as a form, given as opened before or as bytes; the service answers at once, with a
small picture. `python tests/benchmarks/client_cost.py [edits in a round]`.

A small form can't be as cheap as httpx's own, which keeps nothing and asks nobody. httpx awaited on a loop of another
thread, as ours is so that a request outlives the cell that began it, takes 1.4 ms where its blocking client takes 1.1.
What is left is what the promises cost: the answer is kept on the disk before it is read and let go of after (0.8 ms),
proxy and certificates are looked at for each request (0.25 ms), four steps that may block are done on threads (0.3 ms),
each line is listened to while it is written to, and its answer's head read by our own rules.

The set-up is looked at where the body is written, and what an answer says is read where its end is taken in: with six
steps on threads a small form took 5.2 ms of processor time where it now takes 4.6, beside 1.1 of httpx in the same run.
"""

from __future__ import annotations

import base64
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
import numpy as np
from PIL import Image

import ttapi_nb as tt
from tests.benchmarks._bench import Table, alternating, peak_of
from tests.benchmarks._service import service
from tests.server import encoded

EDITS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
ROUNDS = 7
GOAL = 1.1
KEY = "sk-benchmark-0123456789"
SIZES = {"1 MiB": 2**20, "20 MiB": 20 * 2**20}


def photo(size: int) -> bytes:
    """A PNG of about so many bytes."""
    side = round((size / 3) ** 0.5)
    noise = np.random.default_rng(5).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), compress_level=1)


def ours(url: str, wire: str, picture: Any) -> Callable[[], object]:
    """Ours, kept."""
    client = tt.Client(KEY, base_url=url, wire=wire)  # type: ignore[arg-type]  # of the two
    return lambda: client.images.edit(image=picture, prompt="x", model="gpt-image-1.5")


def by_httpx(url: str, wire: str, data: bytes) -> Callable[[], object]:
    """One of httpx, kept."""
    client = httpx.Client(timeout=60, headers={"TT-API-KEY": KEY})

    def edit() -> object:
        if wire == "multipart":
            fields = {"model": "gpt-image-1.5", "prompt": "x"}
            reply = client.post(
                f"{url}/images/edits", files={"image": ("a.png", data, "image/png")}, data=fields
            )
        else:
            image = f"data:image/png;base64,{base64.b64encode(data).decode()}"
            reply = client.post(
                f"{url}/images/edits", json={"mode": "gpt-image-1.5", "prompt": "x", "image": [image]}
            )
        return [base64.b64decode(one["b64_json"]) for one in reply.raise_for_status().json()["data"]]

    return edit


def by_openai(url: str, data: bytes) -> Callable[[], object]:
    """One of openai, kept."""
    import openai

    client = openai.OpenAI(api_key=KEY, base_url=url, max_retries=0)

    def edit() -> object:
        reply = client.images.edit(image=("a.png", data, "image/png"), prompt="x", model="gpt-image-1.5")
        return [base64.b64decode(one.b64_json or "") for one in reply.data or []]

    return edit


def several(work: Callable[[], object], count: int) -> Callable[[], object]:
    """So many, one after the other."""

    def all_of_them() -> None:
        for _ in range(count):
            work()

    return all_of_them


def main() -> int:
    """Print the table; whether every goal is met."""
    table = Table("Client's cost for each edit")
    with service() as there:
        for label, size in SIZES.items():
            data = photo(size)
            opened = tt.open_image(data)
            count = EDITS if size < 2**22 else max(2, EDITS // 5)
            for wire in ("json", "multipart"):
                contenders = {
                    "as opened": ours(there.url, wire, opened),
                    "as bytes": ours(there.url, wire, data),
                    "httpx": by_httpx(there.url, wire, data),
                }
                if wire == "multipart":
                    contenders["openai"] = by_openai(there.url, data)
                works = {name: several(work, count) for name, work in contenders.items()}
                for clock in (time.process_time, time.perf_counter):
                    found = alternating(works, ROUNDS, clock=clock)
                    each = {name: [one / count for one in times] for name, times in found.items()}
                    what = "CPU" if clock is time.process_time else "in all"
                    for name in ("as opened", "as bytes"):
                        for limit in list(each)[2:]:
                            peaks = (
                                (peak_of(contenders[name]), peak_of(contenders[limit]))
                                if what == "CPU"
                                else None
                            )
                            table.compare(
                                f"{label}, {wire}, {name}, {what}, to {limit}",
                                each[name],
                                each[limit],
                                GOAL,
                                peak=peaks,
                            )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

"""An experiment's overhead: many requests at once against the time of the service alone, and memory over many."""

from __future__ import annotations

import base64
import io
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table
from tests.server import Reply, Request, Server, json_reply

CELLS, AT_ONCE, SERVICE = 64, 16, 1.0
MOST = 1.1
MANY = 1_000
GROWTH = 40.0
"""Megabytes that a thousand cells may leave in use, thumbnails included."""
MODEL = "gpt-image-1.5"


def answer_of(size: int) -> dict[str, object]:
    """A plain reply with one picture of this side."""
    out = io.BytesIO()
    pixels = np.linspace(0, 255, size * size * 3).reshape(size, size, 3).astype(np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return {"created": 1, "data": [{"b64_json": base64.b64encode(out.getvalue()).decode()}]}


def timed(size: int, masked: bool, rounds: int = 3, model: str = MODEL) -> list[float]:
    """Seconds for `CELLS` prompts, on a masked photo of this side or of words alone."""
    good = json_reply(answer_of(size))

    def answer(request: Request) -> Reply:
        time.sleep(SERVICE)
        return good

    # Grain: a photo that packs to nothing would be too easy.
    grain = np.random.default_rng(1).integers(0, 255, (size // 8, size // 8, 3)).astype(np.uint8)
    photo = tt.open_image(Image.fromarray(grain).resize((size, size)))
    mask = tt.Mask((size, size)).ellipse((size // 4, size // 4, size * 3 // 4, size * 3 // 4))
    found = []
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        server.answer = answer
        client = tt.Client("key", base_url=server.url, at_once=AT_ONCE)
        for number in range(rounds + 1):
            prompts = [f"{number} {at}" for at in range(CELLS)]
            plan = tt.Experiment(prompts, (photo, mask) if masked else None, model, name=f"bench {number}")
            log = tt.RunLog(Path(folder) / str(number))
            start = time.perf_counter()
            trial = plan.run(client, log=log, parallel=AT_ONCE, progress=False)
            found.append(time.perf_counter() - start)
            assert trial.counts == {"done": CELLS}, trial
    # The first round only warms up.
    return found[1:]


def in_use() -> float:
    """Megabytes of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def many() -> tuple[float, float, float]:
    """Seconds for a cell of the embedded service, and megabytes in use after a tenth of the cells and after all."""
    with tempfile.TemporaryDirectory() as folder:
        log = tt.RunLog(folder)
        # Painting is not what is measured.
        client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image)
        prompts = [str(number) for number in range(MANY)]
        plan = tt.Experiment(prompts, tt.sample(), MODEL, name="many")
        tenth = tt.Experiment(prompts[: MANY // 10], tt.sample(), MODEL, name="many")
        tenth.run(client, log=log, parallel=4, progress=False)
        before = in_use()
        start = time.perf_counter()
        plan.run(client, log=log, parallel=4, progress=False)
        seconds = (time.perf_counter() - start) / (MANY - MANY // 10)
        return seconds, before, in_use()


def main() -> int:
    """Print the table."""
    table = Table("Experiments")
    ideal = [CELLS * SERVICE / AT_ONCE]
    # The one model whose pictures may be small, so that it is not the pictures that are timed.
    for words, size, masked in (("of words alone", 64, False), ("on a masked photo of 256x256", 256, True)):
        times = timed(size, masked, model="dall-e-2")
        table.compare(f"{CELLS} cells {words}, {AT_ONCE} at once", times, ideal, MOST)
    large = timed(1024, masked=True, rounds=1)
    table.say(f"With photos and answers of 1024x1024 it takes {large[0]:.2f} s: fitting and pasting is work.")
    seconds, before, after = many()
    note = f"{seconds:.3f} s a cell; {before:.0f} MB after a tenth of them, {after:.0f} MB after all."
    table.count(
        f"{MANY:,} offline cells of 1024x1024, memory left in use", after - before, GROWTH, "MB", note=note
    )
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table.say(f"The most that was in use: {most:.0f} MB.")
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

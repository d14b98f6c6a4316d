"""An experiment's overhead: many requests at once against the time of the service alone, and memory over many.

A cell of words alone takes about 16 ms of processor time where one goes alone, most of it in the log and in httpx. What
counts is how long it is from one's answer until the next has left. Sixteen answers come together, and as long as their
threads did all of it side by side, each was as late as the last, wave after wave: they take turns now as an answer ends
and as a cell begins, which took a third off the overhead, and opening the log less often another.

A masked one of 256x256 takes about 60 more: laid back, compared and pasted, most of it for light that is evened out.
That is done while others are asked, but for the last sixteen, which nothing can hide, and Python does most of it one at
a time. Other numbers of BLAS threads make no difference, nor how often Python changes threads, nor writing cells down
before their turn.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.pop("TTAPI_OFFLINE", None)
os.environ["TTAPI_DATA"] = tempfile.mkdtemp()

import ttapi_nb as tt
from tests.benchmarks._bench import Table, peak_of
from tests.benchmarks._service import service

CELLS, AT_ONCE, SERVICE = 64, 16, 1.0
MOST = 1.1
MANY = 1_000
GROWTH = 40.0
"""Megabytes that a thousand cells may leave in use, thumbnails included."""
SMALL, SIDE = "dall-e-2", 256
"""The one model whose pictures may be small, so that it is not the pictures that are timed, and theirs."""


def photo_of(size: int) -> tt.SourceImage:
    """A photo of this side. Grain: one that packs to nothing would be too easy."""
    grain = np.random.default_rng(1).integers(0, 255, (size // 8, size // 8, 3)).astype(np.uint8)
    return tt.open_image(Image.fromarray(grain).resize((size, size)))


def timed(size: int, masked: bool, rounds: int = 2, model: str = SMALL) -> tuple[list[float], float, float]:
    """Seconds for `CELLS` prompts, on a masked photo of this side or of words alone; what one more of them needs at
    most, in megabytes; and how many seconds of processor time that takes.
    """
    photo = photo_of(size)
    mask = tt.Mask((size, size)).ellipse((size // 4, size // 4, size * 3 // 4, size * 3 // 4))
    found: list[float] = []
    with service(SERVICE, AT_ONCE, size) as there, tempfile.TemporaryDirectory() as folder:
        client = tt.Client("key", base_url=there.url, at_once=AT_ONCE)

        def run() -> None:
            number = len(found)
            prompts = [f"{number} {at}" for at in range(CELLS)]
            plan = tt.Experiment(prompts, (photo, mask) if masked else None, model, name=f"bench {number}")
            log = tt.RunLog(Path(folder) / str(number))
            start = time.perf_counter()
            trial = plan.run(client, log=log, parallel=AT_ONCE, progress=False)
            found.append(time.perf_counter() - start)
            assert trial.counts == {"done": CELLS}, trial

        for _ in range(rounds + 1):
            run()
        before = time.process_time()
        peak = peak_of(run)
        spent = time.process_time() - before
    # The first round only warms up, and the last one was watched.
    return found[1:-1], peak, spent


def in_use() -> float:
    """Megabytes of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def many() -> tuple[float, float, float]:
    """Seconds for a cell of the embedded service, and megabytes in use after a tenth of the cells and after all."""
    photo = photo_of(SIDE)
    mask = tt.Mask((SIDE, SIDE)).ellipse((SIDE // 4, SIDE // 4, SIDE * 3 // 4, SIDE * 3 // 4))
    with tempfile.TemporaryDirectory() as folder:
        log = tt.RunLog(folder)
        # Painting is not what is measured.
        client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image)
        prompts = [str(number) for number in range(MANY)]
        plan = tt.Experiment(prompts, (photo, mask), SMALL, name="many")
        tenth = tt.Experiment(prompts[: MANY // 10], (photo, mask), SMALL, name="many")
        tenth.run(client, log=log, parallel=4, progress=False)
        before = in_use()
        start = time.perf_counter()
        trial = plan.run(client, log=log, parallel=4, progress=False)
        assert trial.counts == {"done": MANY}, trial
        seconds = (time.perf_counter() - start) / (MANY - MANY // 10)
        return seconds, before, in_use()


def main() -> int:
    """Print the table; whether every goal is met."""
    table = Table("Experiments")
    ideal = [CELLS * SERVICE / AT_ONCE]
    for words, size, masked in (
        ("of words alone", 64, False),
        (f"on a masked photo of {SIDE}x{SIDE}", SIDE, True),
    ):
        times, peak, spent = timed(size, masked)
        note = f"{spent:.2f} s of processor time."
        table.compare(f"{CELLS} cells {words}, {AT_ONCE} at once", times, ideal, MOST, peak=peak, note=note)
    seconds, before, after = many()
    note = f"{seconds:.3f} s a cell; {before:.0f} MB after a tenth of them, {after:.0f} MB after all."
    table.count(
        f"{MANY:,} offline cells of {SIDE}x{SIDE}, memory left in use",
        after - before,
        GROWTH,
        "MB",
        note=note,
    )
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table.say(f"The most that was in use: {most:.0f} MB.")
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

"""What light and place add to the strict paste of a 24-megapixel photo that was sent whole, by kind of answer.

Each answer is pasted as it is, and with neither looked for: the difference is the row. So is what the processor takes
for that, which says as much where other work runs beside it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table, median
from ttapi_nb.fit import paste

SIZE, BOX = (6000, 4000), (1500, 1000, 4500, 3000)
ROUNDS, MOST = 5, 0.3
# The package's `paste` is the function; what it looks for is looked up in its module.
MODULE: Any = sys.modules[paste.__module__]


def answers(photo: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """The photo as it may come back."""
    pixels = np.asarray(photo)
    across = np.linspace(0.6, 1.5, SIZE[0], dtype=np.float32)[:, None]

    def lit(by: Any, more: Any = 0.0) -> Image.Image:
        rows = [np.rint(np.clip(row * by + more, 0, 255)).astype(np.uint8) for row in pixels]
        return Image.fromarray(np.stack(rows))

    yield "the same", photo
    yield "a cast", lit(1.0, np.array((14, 4, -12), np.float32))
    yield "times 1.45", lit(np.float32(1.45))
    yield "times 0.6", lit(np.float32(0.6))
    yield "relit", lit(across)
    yield "shifted 4 px", laid(photo, right=4)
    yield "shifted and relit", laid(lit(across), right=4)
    yield "scaled 1.5%", laid(photo, scale=1.015)
    yield "turned 1.2 degrees", laid(photo, turn=1.2)
    yield "turned and relit", laid(lit(across), turn=1.2)


def laid(picture: Image.Image, *, right: float = 0.0, scale: float = 1.0, turn: float = 0.0) -> Image.Image:
    """Moved, scaled or turned about its middle."""
    angle = math.radians(turn)
    cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
    x, y = picture.width / 2, picture.height / 2
    rows = (cosine, sine, x - cosine * x - sine * y - right, -sine, cosine, y + sine * x - cosine * y)
    return picture.transform(picture.size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)


def with_neither(work: Callable[[], object]) -> Callable[[], None]:
    """The same without looking for light or place."""

    def alone() -> None:
        kept = MODULE.moved_of, MODULE.evening_of
        MODULE.moved_of, MODULE.evening_of = (lambda look: None), (lambda look: (None, None))
        try:
            work()
        finally:
            MODULE.moved_of, MODULE.evening_of = kept

    return alone


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that it takes, and those of the processor."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def main() -> int:
    """Print the table."""
    table = Table("What light and place add to a paste of 24 megapixels")
    photo = tt.sample().pixels.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
    mask = tt.Mask(SIZE).ellipse(BOX)
    for name, answer in answers(photo):

        def work(answer: Image.Image = answer) -> object:
            return paste(photo, answer, mask)

        work()
        alone, full = [], []
        for _ in range(ROUNDS):
            alone.append(spent(with_neither(work)))
            full.append(spent(work))
        added = [max(0.0, more - less) for (more, _), (less, _) in zip(full, alone, strict=True)]
        busy = [more - less for (_, more), (_, less) in zip(full, alone, strict=True)]
        whole = f"in all {median([one for one, _ in full]):.2f} s, of processors {median(busy):.2f} s more"
        table.under(f"added where it came {name}", added, MOST, note=whole)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

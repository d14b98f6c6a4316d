"""The embedded service's fill of a quarter of 1024x1024, beside pypatchmatch alone at 512; and four results at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from patchmatch import inpaint, set_random_seed
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

import ttapi_nb as tt
from tests.benchmarks._bench import Table, alternating, peak_of
from ttapi_nb.service import paint as painting
from ttapi_nb.service.paint import PATCH, WORK_SIZE

ROUNDS = 2
BOX = (256, 256, 768, 768)


def main() -> int:
    """Print the table."""
    table = Table("Filling a quarter of 1024x1024")
    photo = tt.sample().pixels
    mask = tt.Mask(photo.size).rectangle(BOX)
    hole = mask.to_array()
    small = np.asarray(photo.resize((WORK_SIZE, WORK_SIZE), Image.Resampling.BOX))
    small_hole = hole[::2, ::2].copy()
    client = tt.Client.offline()

    def alone() -> object:
        set_random_seed(1)
        return inpaint(small, small_hole, patch_size=PATCH)

    def filled(count: int) -> list[Image.Image]:
        paint: Any = painting.paint
        if not hasattr(painting, "fills_of"):
            # An earlier package works each out as it is asked for.
            return [paint(photo, hole, "", 1, number) for number in range(count)]
        fills = painting.fills_of(photo, hole, 1, count)
        return [paint(photo, hole, "", 1, number, fill) for number, fill in enumerate(fills)]

    def edit(n: int = 1) -> object:
        return tt.edit(photo, "an empty bowl", mask=mask, client=client, fit="none", log=False, n=n)

    ways: dict[str, Callable[[], object]] = {
        "fill": lambda: filled(1),
        "edit": edit,
        "alone": alone,
        "four": lambda: filled(4),
    }
    times = alternating(ways, ROUNDS)
    peaks = {name: peak_of(work) for name, work in ways.items()}
    pairs = peaks["fill"], peaks["alone"]
    table.compare(
        "one fill, against pypatchmatch at 512",
        times["fill"],
        times["alone"],
        1.05,
        peak=pairs,
        note="what is more brings the fill to the photo's own size and sharpness",
    )
    pairs = peaks["edit"], peaks["alone"]
    table.compare(
        "the whole edit, against the same",
        times["edit"],
        times["alone"],
        1.1,
        peak=pairs,
        note="what is more is the photo's PNG, the answer's, the paste, and most of all what one would see of a leak",
    )
    cores = min(4, os.cpu_count() or 1)
    pairs = peaks["four"], peaks["fill"]
    table.compare(
        f"four fills side by side on {cores} cores, against one",
        times["four"],
        times["fill"],
        1.15 * 4 / cores,
        peak=pairs,
    )
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())

"""The leak: how much a model repainted of what the mask protects."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from ..mask import Mask, protected
from ..picture import on_white

__all__ = ["LEAK_THRESHOLD", "Leak", "measure_leak"]

LEAK_THRESHOLD = 8
"""A pixel counts as repainted where any channel moved by more than this, of 255."""


@dataclass(frozen=True)
class Leak:
    """How much a raw answer changed where the mask protects the picture.

    `share` is the part of the protected pixels (0 to 1) in which a channel moved by more than `LEAK_THRESHOLD`, and
    `mean` the mean difference of all channels there, in levels of 255. `map` is a picture of mode `L` and the sent
    size: the greatest difference of any channel, and 0 inside the mask.
    """

    share: float
    mean: float
    map: Image.Image | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.share:.1%} of the protected pixels repainted (mean difference {self.mean:.1f} of 255)"

    def heat_map(self, over: Image.Image | None = None, longest: int = 1024) -> Image.Image:
        """The map to look at, `RGB` and at most `longest` pixels a side: what changed glows from dark red to yellow,
        over `over` in grey, which is stretched to the map's shape (black where left out, or where there is no map).
        """
        heat = self.map if self.map is not None else Image.new("L", over.size if over is not None else (1, 1))
        size = heat.size
        if max(size) > longest:
            size = (
                max(1, round(heat.width * longest / max(size))),
                max(1, round(heat.height * longest / max(size))),
            )
            heat = heat.resize(size, Image.Resampling.BOX)
        ground = Image.new("RGB", size)
        if over is not None:
            grey = over.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")
            # Dimmed, so that the glow stands out from white walls.
            ground = grey.point([round(value * 0.6) for value in range(256)]).convert("RGB")
        # A difference of a quarter of the range already glows fully: a colour shift is seldom more.
        glow = heat.point([min(255, value * 4) for value in range(256)])
        red = glow.point([min(255, 96 + value) for value in range(256)])
        green = glow.point([max(0, value * 2 - 255) for value in range(256)])
        colours = Image.merge("RGB", (red, green, Image.new("L", size)))
        there = heat.point([0 if value == 0 else min(255, 64 + value * 6) for value in range(256)])
        return Image.composite(colours, ground, there)


def measure_leak(
    sent: Image.Image, raw: Image.Image, mask: Mask, counted: NDArray[np.bool_] | None = None
) -> Leak | None:
    """The leak of a raw answer against what was sent; all three of one size. None where nothing is protected.

    `counted` (height, width) tells which pixels may count at all: padding does not. Pictures with transparency are
    compared as they look on white.
    """
    kept = protected(mask.coverage())
    if counted is not None:
        kept &= counted
    count = int(np.count_nonzero(kept))
    if not count:
        return None
    stencil = Image.fromarray(kept.astype(np.uint8) * 255)
    moved = ImageChops.difference(on_white(sent), on_white(raw))
    red, green, blue = moved.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    shown = Image.composite(most, Image.new("L", most.size), stencil)
    over = sum(most.histogram(stencil)[LEAK_THRESHOLD + 1 :])
    levels = np.array(moved.histogram(stencil), np.int64).reshape(3, 256)
    return Leak(over / count, float((levels * np.arange(256)).sum() / (3 * count)), shown)

"""The seam: how deep in a mask each of its pixels lies, and smooth values read at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .geometry import Box

__all__ = ["Coarse", "Floats", "borders", "ramp", "seam"]

Floats: TypeAlias = NDArray[np.float32]
# The seam is this much of the picture's longer side, and in pixels between these two.
SEAM, LEAST_SEAM, MOST_SEAM = 1 / 300, 4, 24


@dataclass(frozen=True, eq=False)
class Coarse:
    """Smooth values on a grid of cells of `step` pixels, read at full resolution where they are needed."""

    values: Floats
    step: int

    def over(self, box: Box) -> Floats:
        """The values in `box`, (height, width) or (height, width, channels)."""
        if self.step == 1:
            return self.values[box[1] : box[3], box[0] : box[2]]
        size = (box[2] - box[0], box[3] - box[1])
        rect = tuple(edge / self.step for edge in box)
        planes = [self.values] if self.values.ndim == 2 else np.moveaxis(self.values, 2, 0)
        read = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(plane)).resize(
                    size, Image.Resampling.BILINEAR, (rect[0], rect[1], rect[2], rect[3])
                )
            )
            for plane in planes
        ]
        return read[0] if self.values.ndim == 2 else np.stack(read, axis=2)


def seam(size: tuple[int, int]) -> int:
    """How wide the seam is on a picture of this size, in pixels."""
    return min(MOST_SEAM, max(LEAST_SEAM, round(max(size) * SEAM)))


def borders(region: Box, size: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
    """On which sides, left, top, right, bottom, the region ends where the picture ends."""
    return region[0] == 0, region[1] == 0, region[2] == size[0], region[3] == size[1]


def ramp(covered: NDArray[np.uint8], seam: int, borders: tuple[bool, bool, bool, bool]) -> Coarse:
    """How far in from the mask's edge a pixel lies: 0 there, 1 `seam` pixels further in and more beyond.

    In a stroke that is too thin for that, the depth is told by its own. At the picture's own border nothing ends, and
    what is thin there is as deep as it were anywhere else.
    """
    step = max(1, seam // 4)
    rounds = round(2 * seam / step)
    shares: Floats = np.asarray(Image.fromarray(covered).reduce(step), np.float32) / np.float32(255)
    share = _depth(shares, rounds, (False, False, False, False))
    if any(borders):
        # Where the mask goes on beyond the border, a thin strip along it lies at the edge of something wide: neither
        # its border nor its inner side would show.
        np.maximum(share, _depth(shares, rounds, borders), out=share)
    return Coarse(np.ascontiguousarray(share, np.float32), step)


def _depth(shares: Floats, rounds: int, goes_on: tuple[bool, bool, bool, bool]) -> Floats:
    """The depth of each cell as a share of the seam; the mask ends at all sides but those where it `goes_on`."""
    left, top, right, bottom = (rounds if on else 0 for on in goes_on)
    shares = np.pad(shares, ((top, bottom), (left, right)), "edge")
    shares = np.pad(shares, 1)
    depth: Floats = shares.copy()
    inner: Floats = shares
    for number in range(1, rounds):
        inner = _around(inner, np.minimum, diagonal=number % 2 == 0)
        depth += inner
    deepest: Floats = depth
    for _ in range(rounds):
        deepest = _around(deepest, np.maximum, diagonal=True)
    share = (2 * depth / np.maximum(deepest, np.float32(1e-6))).astype(np.float32)
    height, width = share.shape
    return share[1 + top : height - 1 - bottom, 1 + left : width - 1 - right]


def _around(values: Floats, most: Any, *, diagonal: bool) -> Floats:
    """Each value's greatest or least neighbour, itself among them; along the sides, or across the corners too."""
    across, down = values.copy(), values.copy()
    most(across[:, 1:], values[:, :-1], out=across[:, 1:])
    most(across[:, :-1], values[:, 1:], out=across[:, :-1])
    down = across.copy() if diagonal else down
    base = across if diagonal else values
    most(down[1:], base[:-1], out=down[1:])
    most(down[:-1], base[1:], out=down[:-1])
    result: Floats = down if diagonal else most(across, down)
    return result

"""The seam: how deep in a mask each of its pixels lies, and smooth values read at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .geometry import Box

__all__ = ["Coarse", "Floats", "borders", "ramp", "seam"]

Floats: TypeAlias = NDArray[np.float32]
Whole = TypeVar("Whole", NDArray[np.uint8], NDArray[np.uint16])
# The seam is this much of the picture's longer side, and in pixels between these two.
SEAM, LEAST_SEAM, MOST_SEAM = 1 / 300, 4, 24


@dataclass(frozen=True, eq=False)
class Coarse:
    """Smooth values (rows, columns) on a grid of cells of `step` pixels, read at full resolution where needed."""

    values: Floats
    step: int

    def over(self, box: Box) -> Floats:
        """The values in `box`, (height, width)."""
        if self.step == 1:
            return self.values[box[1] : box[3], box[0] : box[2]]
        # In steps of whole arrays: Pillow's resize of floats takes seven times as long.
        rows, down = _between(box[1], box[3], self.step, self.values.shape[0])
        columns, across = _between(box[0], box[2], self.step, self.values.shape[1])
        values = self.values[rows[0] : rows[-1] + 2]
        more = np.diff(values, axis=1, append=values[:, -1:])
        values = values.take(columns, axis=1) + more.take(columns, axis=1) * across
        more = np.diff(values, axis=0, append=values[-1:])
        rows -= rows[0]
        read: Floats = more.take(rows, axis=0)
        read *= down[:, None]
        read += values.take(rows, axis=0)
        return read


def _between(start: int, end: int, step: int, count: int) -> tuple[NDArray[np.intp], Floats]:
    """The cell before each pixel's middle, and the share of the next one."""
    places = np.clip((np.arange(start, end) + 0.5) / step - 0.5, 0, count - 1)
    cells = places.astype(np.intp)
    return cells, (places - cells).astype(np.float32)


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
    shares = np.asarray(Image.fromarray(covered).reduce(step))
    share = _depth(shares, rounds, (False, False, False, False))
    edges = shares[:, 0], shares[0], shares[:, -1], shares[-1]
    left, top, right, bottom = (on and bool(edge.any()) for on, edge in zip(borders, edges, strict=True))
    if left or top or right or bottom:
        # Where the mask goes on beyond the border, a thin strip along it lies at the edge of something wide: neither
        # its border nor its inner side would show.
        np.maximum(share, _depth(shares, rounds, (left, top, right, bottom)), out=share)
    return Coarse(np.ascontiguousarray(share), step)


def _depth(shares: NDArray[np.uint8], rounds: int, goes_on: tuple[bool, bool, bool, bool]) -> Floats:
    """The depth of each cell as a share of the seam; the mask ends at all sides but those where it `goes_on`."""
    left, top, right, bottom = (rounds if on else 0 for on in goes_on)
    shares = np.pad(shares, ((top, bottom), (left, right)), "edge")
    shares = np.pad(shares, 1)
    # Whole numbers: a float takes four times the room.
    depth = shares.astype(np.uint16)
    inner = shares
    for number in range(1, rounds):
        inner = _around(inner, np.minimum, diagonal=number % 2 == 0)
        depth += inner
    deepest = depth
    for _ in range(rounds):
        deepest = _around(deepest, np.maximum, diagonal=True)
    share: Floats = np.divide(2 * depth, np.maximum(deepest, 1), dtype=np.float32)
    height, width = share.shape
    return share[1 + top : height - 1 - bottom, 1 + left : width - 1 - right]


def _around(values: Whole, most: Any, *, diagonal: bool) -> Whole:
    """Each value's greatest or least neighbour, itself among them; along the sides, or across the corners too."""
    across, down = values.copy(), values.copy()
    most(across[:, 1:], values[:, :-1], out=across[:, 1:])
    most(across[:, :-1], values[:, 1:], out=across[:, :-1])
    down = across.copy() if diagonal else down
    base = across if diagonal else values
    most(down[1:], base[:-1], out=down[1:])
    most(down[:-1], base[1:], out=down[:-1])
    return down if diagonal else most(across, down, out=across)

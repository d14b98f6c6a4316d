"""By how much an answer's colours are off, measured around the mask and carried smoothly into it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .geometry import Box
from .seam import Coarse, Floats

__all__ = ["Shift", "shift_of"]

# Colours are compared on a grid with at most so many cells a side.
GRID = 192
# Colours that differ from the ring's usual difference by more than this are another thing, not a shift.
CONTENT = 24
# A difference larger than this is no shift either, however much of the ring shows it.
MOST_SHIFT = 64
# Where less of the ring than this agrees on a shift, there is none.
AGREEMENT = 0.3


@dataclass(frozen=True)
class Shift:
    """How much redder, greener and bluer the answer was than the source just outside the mask, in levels of 255: the
    mean of what was evened out inside.
    """

    red: float
    green: float
    blue: float

    def __str__(self) -> str:
        return (
            f"colours had shifted by {self.red:+.1f} red, {self.green:+.1f} green and {self.blue:+.1f} blue of 255, "
            "which was evened out"
        )


def shift_of(
    source: Image.Image, region: Box, answer: Image.Image, covered: NDArray[np.uint8]
) -> tuple[Coarse | None, Shift | None]:
    """What to take off the answer's colours, measured on a ring outside the mask and carried smoothly into it."""
    step = max(1, math.ceil(max(answer.size) / GRID))
    outside = np.asarray(Image.fromarray((covered > 0).astype(np.uint8) * 255).reduce(step)) == 0
    planes = source.reduce(step, region).split(), answer.reduce(step).split()
    for plane in planes:
        if len(plane) == 4:
            outside = outside & (np.asarray(plane[3]) == 255)
    ring = outside
    if not ring.any():
        return None, None
    before, after = (
        np.stack([np.asarray(channel, np.float32) for channel in plane[:3]], axis=2) for plane in planes
    )
    difference = after - before
    usual = np.median(difference[ring], axis=0)
    like = ring & (np.abs(difference - usual).max(axis=2) <= CONTENT)
    if np.abs(usual).max() > MOST_SHIFT or np.count_nonzero(like) < AGREEMENT * np.count_nonzero(ring):
        return None, None
    mean = difference[like].mean(axis=0)
    weight = like.astype(np.float32)[..., None]
    # Grain is no shift: only what neighbours have in common is carried on.
    radius = 3
    near = _boxed(weight, radius)
    smooth = _boxed(difference * weight, radius)
    smooth /= np.maximum(near, 1e-6)
    known = (near > 0.02).astype(np.float32)
    spread = _spread(smooth, known)
    return Coarse(spread, step), Shift(*(float(level) for level in mean))


def _boxed(values: Floats, radius: int) -> Floats:
    """The mean over a square of `2 * radius + 1` cells a side, twice, with nothing beyond the edge."""
    for axis in (0, 1, 0, 1):
        around = [(0, 0), (0, 0), (0, 0)]
        around[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(values, around), axis=axis, dtype=np.float64)
        length, width = values.shape[axis], 2 * radius + 1
        ends = np.take(sums, range(width, width + length), axis=axis)
        values = ((ends - np.take(sums, range(length), axis=axis)) / width).astype(np.float32)
    return values


def _spread(values: Floats, weight: Floats) -> Floats:
    """Values where there are any, carried smoothly to where there are none: pulled up a pyramid and pushed down."""
    height, width = weight.shape[:2]
    if weight.all() or max(height, width) == 1:
        return values
    even = ((0, height % 2), (0, width % 2), (0, 0))
    weights = np.pad(weight, even)
    total = np.pad(values * weight, even)
    shape = (weights.shape[0] // 2, 2, weights.shape[1] // 2, 2)
    weights = weights.reshape(*shape, 1).sum(axis=(1, 3))
    total = total.reshape(*shape, values.shape[2]).sum(axis=(1, 3))
    coarse = _spread(total / np.maximum(weights, 1e-6), np.minimum(weights, 1))
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(coarse[..., channel])).resize(
                (coarse.shape[1] * 2, coarse.shape[0] * 2), Image.Resampling.BILINEAR
            )
        )[:height, :width]
        for channel in range(values.shape[2])
    ]
    pushed = np.stack(planes, axis=2)
    pushed += (values - pushed) * weight
    return pushed

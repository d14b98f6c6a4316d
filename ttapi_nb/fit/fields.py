"""Smooth fields on a coarse grid: means over squares, and values carried to where there are none."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .seam import Floats

__all__ = ["boxed", "spread"]


def boxed(values: Floats, radius: int) -> Floats:
    """The mean over a square of `2 * radius + 1` cells a side, twice, with nothing beyond the edge."""
    width = 2 * radius + 1
    for axis in (0, 1, 0, 1):
        length, shape = values.shape[axis], list(values.shape)
        shape[axis] += width
        # By hand: `np.pad` takes as long as all the rest for a small field.
        around = np.zeros(shape, values.dtype)
        ahead: list[slice] = [slice(None)] * axis
        around[*ahead, radius + 1 : radius + 1 + length] = values
        sums = np.cumsum(around, axis=axis, dtype=np.float64)
        values = ((sums[*ahead, width:] - sums[*ahead, :length]) / width).astype(np.float32)
    return values


def spread(values: Floats, weight: Floats) -> Floats:
    """Values where there are any, carried smoothly to where there are none: pulled up a pyramid and pushed down.

    Both are (height, width, channels), `weight` with one channel or as many.
    """
    height, width, channels = values.shape
    if weight.all() or max(height, width) == 1:
        return values
    even = ((0, height % 2), (0, width % 2), (0, 0))
    weights = np.pad(weight, even)
    total = np.pad(values * weight, even)
    shape = (weights.shape[0] // 2, 2, weights.shape[1] // 2, 2)
    weights = weights.reshape(*shape, weight.shape[2]).sum(axis=(1, 3))
    total = total.reshape(*shape, channels).sum(axis=(1, 3))
    coarse = spread(total / np.maximum(weights, 1e-6), np.minimum(weights, 1))
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(coarse[..., channel])).resize(
                (coarse.shape[1] * 2, coarse.shape[0] * 2), Image.Resampling.BILINEAR
            )
        )[:height, :width]
        for channel in range(channels)
    ]
    pushed = np.stack(planes, axis=2)
    pushed += (values - pushed) * weight
    return pushed

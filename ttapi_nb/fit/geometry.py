"""Boxes and sizes in pixels, x to the right and y down; pixel (0, 0) covers the square from 0 to 1 both ways."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Box",
    "Rect",
    "Size",
    "by_size",
    "central",
    "centred",
    "common",
    "fits_into",
    "held_in",
    "holding",
    "is_empty",
    "moved",
    "same_shape",
    "side_of",
    "whole_of",
    "whole_pixels",
    "within",
]

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]
Rect: TypeAlias = tuple[float, float, float, float]


def holding(least: Size, shape: Size) -> Size:
    """The smallest size of `shape` that holds `least`, as nearly as whole pixels allow."""
    (width, height), (wide, high) = least, shape
    if width * high >= height * wide:
        return width, max(height, rounded(width * high, wide))
    return max(width, rounded(height * wide, high)), height


def held_in(most: Size, shape: Size) -> Size:
    """The largest size of `shape` within `most`."""
    (width, height), (wide, high) = most, shape
    if width * high <= height * wide:
        return width, max(1, min(height, rounded(width * high, wide)))
    return max(1, min(width, rounded(height * wide, high))), height


def rounded(number: int, by: int) -> int:
    return (2 * number + by) // (2 * by)


def centred(size: Size, around: Size) -> Box:
    left, top = -((size[0] - around[0]) // 2), -((size[1] - around[1]) // 2)
    return left, top, left + size[0], top + size[1]


def fits_into(size: Size, into: Size) -> bool:
    return size[0] <= into[0] and size[1] <= into[1]


def side_of(box: Box) -> Size:
    return box[2] - box[0], box[3] - box[1]


def by_size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def whole_of(size: Size) -> Rect:
    return 0.0, 0.0, float(size[0]), float(size[1])


def same_shape(one: Size, other: Size) -> bool:
    # Alike to within the pixel that rounding may cost.
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)


def central(size: Size, shape: Size) -> Rect:
    """The largest part of `size` that has `shape`, in its middle."""
    width, height = float(size[0]), float(size[1])
    wide, high = min(width, height * shape[0] / shape[1]), min(height, width * shape[1] / shape[0])
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, left + wide, top + high


def whole_pixels(rect: Rect) -> Box:
    return math.ceil(rect[0] - 1e-6), math.ceil(rect[1] - 1e-6), int(rect[2] + 1e-6), int(rect[3] + 1e-6)


def is_empty(box: Box) -> bool:
    return box[0] >= box[2] or box[1] >= box[3]


def moved(point: tuple[float, float], start: Rect, to: Rect) -> tuple[float, float]:
    """`point` of the rectangle `start` as it lies in the rectangle `to`."""
    return (
        to[0] + (point[0] - start[0]) * (to[2] - to[0]) / (start[2] - start[0]),
        to[1] + (point[1] - start[1]) * (to[3] - to[1]) / (start[3] - start[1]),
    )


def within(rect: tuple[Any, Any, Any, Any], size: Size) -> NDArray[np.bool_]:
    """Which whole pixels of a picture of `size` lie in `rect`."""
    inside = np.zeros(size[::-1], np.bool_)
    left, top, right, bottom = rect
    inside[math.ceil(top) : math.floor(bottom), math.ceil(left) : math.floor(right)] = True
    return inside


def common(one: Box, other: Box) -> Box | None:
    """What two boxes share, or None where that is nothing."""
    box = max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    return None if is_empty(box) else box

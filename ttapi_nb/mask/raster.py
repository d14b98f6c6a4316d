"""Painting coverage in place: strokes, discs, and what hangs together. Arrays are (height, width) of uint8."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

__all__ = ["Coverage", "alike", "clipped", "connected", "dilated", "draw_segment", "merge", "overlap"]

Coverage: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
Dot: TypeAlias = tuple[float, float, float]


def alike(pixels: Image.Image, column: int, row: int, tolerance: float) -> NDArray[np.bool_]:
    """Where no channel differs from the pixel at (column, row) by more than `tolerance`."""
    seeds = [int(channel[row, column]) for channel in map(np.asarray, pixels.split())]
    near = [
        channel.point([255 * (abs(value - seed) <= tolerance) for value in range(256)])
        for channel, seed in zip(pixels.split(), seeds, strict=True)
    ]
    alike = near[0]
    for channel in near[1:]:
        alike = ImageChops.darker(alike, channel)
    return np.asarray(alike) > 0


def connected(alike: NDArray[np.bool_], column: int, row: int) -> Coverage:
    """The part of `alike` that hangs together with (column, row), as coverage."""
    height, width = alike.shape
    # All rows in one line, a gap behind each, cut into runs of alike pixels.
    stride = width + 1
    line = np.zeros(height * stride + 1, np.int8)
    line[1:].reshape(height, stride)[:, :width] = alike
    turns = np.flatnonzero(line[1:] != line[:-1])
    starts, ends = turns[::2], turns[1::2]
    # Runs of the row below that touch a run: a range of them, in order.
    first = np.searchsorted(ends, starts + stride, "right")
    count = np.maximum(np.searchsorted(starts, ends + stride, "left") - first, 0)
    upper = np.repeat(np.arange(len(starts)), count)
    lower = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    # Each run points to an earlier one it touches, and on to the first of all it hangs together with.
    root = np.arange(len(starts))
    while len(upper):
        one, other = root[upper], root[lower]
        apart = one != other
        upper, lower, one, other = upper[apart], lower[apart], one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while True:
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
    seed = np.searchsorted(starts, row * stride + column, "right") - 1
    joined = root == root[seed]
    line[:] = 0
    line[starts[joined]] = 1
    line[ends[joined]] = -1
    inside = np.cumsum(line[:-1], dtype=np.int8).reshape(height, stride)[:, :width]
    return inside.astype(np.uint8) * np.uint8(255)


def clipped(
    left: float, top: float, right: float, bottom: float, coverage: Coverage
) -> tuple[int, int, int, int]:
    height, width = coverage.shape
    return (
        max(0, math.floor(left)),
        max(0, math.floor(top)),
        min(width, math.ceil(right)),
        min(height, math.ceil(bottom)),
    )


def merge(coverage: Coverage, drawn: Coverage, erase: bool) -> None:
    if erase:
        np.minimum(coverage, 255 - drawn, out=coverage)
    else:
        np.maximum(coverage, drawn, out=coverage)


def overlap(start: float, end: float, count: int) -> NDArray[np.float64]:
    """How much of each of `count` unit cells lies between `start` and `end`."""
    cells = np.arange(count)
    covered: NDArray[np.float64] = np.clip(np.minimum(cells + 1, end) - np.maximum(cells, start), 0, 1)
    return covered


def draw_segment(stroke: Coverage, start: Dot, end: Dot) -> None:
    """One straight piece of a stroke, from a dot (x, y, radius) to another, painted in place: each pixel by how far its
    middle lies outside. `sweep` does the same for many pieces at once.
    """
    (x0, y0, r0), (x1, y1, r1) = start, end
    if math.hypot(x1 - x0, y1 - y0) <= abs(r1 - r0):
        # One dot holds the other, and all between them.
        start = end = max(start, end, key=lambda dot: dot[2])
        (x0, y0, r0), (x1, y1, r1) = start, end
    reach = max(r0, r1) + 1
    left, top, right, bottom = clipped(
        min(x0, x1) - reach, min(y0, y1) - reach, max(x0, x1) + reach, max(y0, y1) + reach, stroke
    )
    if left >= right or top >= bottom:
        return
    across = np.arange(left, right, dtype=np.float32) + np.float32(0.5)
    down = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5))[:, None]
    part = stroke[top:bottom, left:right]
    np.maximum(part, _painted(_distance(across, down, start, end)), out=part)


def _distance(across: Floats, down: Floats, start: Dot, end: Dot) -> Floats:
    """How far each place lies outside a piece of a stroke; below 0 inside."""
    (x0, y0, r0), (x1, y1, r1) = start, end
    px, py = across - np.float32(x0), down - np.float32(y0)
    dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
    length2 = dx * dx + dy * dy
    along = np.clip((px * dx + py * dy) / length2, 0, 1) if length2 else np.float32(0)
    distance: Floats = np.hypot(px - along * dx, py - along * dy) - (
        np.float32(r0) + along * np.float32(r1 - r0)
    )
    if r0 != r1:
        # A wide end may reach beyond the straight part on every side.
        distance = np.minimum(distance, np.hypot(px, py) - np.float32(r0))
        distance = np.minimum(distance, np.hypot(px - dx, py - dy) - np.float32(r1))
    return distance


def _painted(distance: Floats) -> Coverage:
    painted: Coverage = np.rint(np.clip(np.float32(0.5) - distance, 0, 1) * 255).astype(np.uint8)
    return painted


def dilated(coverage: Coverage, radius: float) -> Coverage:
    """`coverage` with each pixel raised to the greatest within a disc of `radius` around it."""
    height, width = coverage.shape
    # No pixel has another farther away than the whole picture.
    across, reach = min(math.floor(radius), width - 1), min(math.floor(radius), height - 1)
    # Row maxima over windows of 1, 2, 4 … pixels: two of them make a window of any length.
    padded = np.pad(coverage, ((0, 0), (across, across)))
    windows = [padded]
    while 2 ** len(windows) <= 2 * across + 1:
        last, step = windows[-1], 2 ** (len(windows) - 1)
        windows.append(np.maximum(last[:, :-step], last[:, step:]))
    grown = coverage.copy()
    for dy in range(-reach, reach + 1):
        half = min(across, math.floor(math.sqrt(radius * radius - dy * dy)))
        length = 2 * half + 1
        power = length.bit_length() - 1
        rows = slice(max(0, -dy), min(height, height - dy))
        source = windows[power][max(0, dy) : min(height, height + dy)]
        start = across - half
        for shift in (start, start + length - 2**power):
            np.maximum(grown[rows], source[:, shift : shift + width], out=grown[rows])
    return grown

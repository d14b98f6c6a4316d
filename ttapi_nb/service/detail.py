"""The fine detail of a fill that was made small: taken from places of the photo that look like it, at their own size.

What a small fill lacks is what the small picture of the photo lacks too. Each place of the fill is laid over with what
its likeliest place lost on the way down; pieces overlap and fade into each other, so that no blur and no grid shows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .rules import Hole

__all__ = ["detail_of"]

# The side of a piece, in pixels of the small picture; each overlaps its neighbours by half.
PIECE = 16
# A piece is told by so many means a side, and by how rough it is there, which counts so much.
CELLS, ROUGH = 4, 2.5
# At most so many places are looked at; of three times as many none was seen to be better.
PLACES = 8_000
# A smaller loss than this is not worth the time.
LEAST = 1.2

Floats = npt.NDArray[np.float32]


def detail_of(
    part: npt.NDArray[np.uint8],
    small: npt.NDArray[np.uint8],
    fill: npt.NDArray[np.uint8],
    hole: Hole,
    most: int = PLACES,
) -> tuple[tuple[int, int, int, int], Floats] | None:
    """The box (left, top, right, bottom) of `part` that the hole lies in, and what is added there, (height, width, 3).

    `part` is the photo, `small` the same at the fill's size, with `hole` marking there what `fill` has anew; at most so
    many places are looked at. None where nothing was lost, or where no place can be told.
    """
    times = part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if min(times) < LEAST or min(small.shape[:2]) < 3 * PIECE or not len(rows):
        return None
    wanted = _corners(rows[0], rows[-1], small.shape[0]), _corners(columns[0], columns[-1], small.shape[1])
    nodes = np.stack(np.meshgrid(*wanted, indexing="ij"), axis=-1).reshape(-1, 2)
    sums = _sums(hole.astype(np.float32)[..., None])
    nodes = nodes[_means(sums, nodes, PIECE)[:, 0] > 0]
    every = np.stack(
        np.meshgrid(*(np.arange(0, side - PIECE + 1, 2) for side in small.shape[:2]), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    places = every[_means(sums, every, PIECE)[:, 0] == 0]
    if len(places) < 8:
        return None
    places = places[:: max(1, math.ceil(len(places) / most))]
    matches = places[_likest(_told(fill, nodes), _told(small, places))]
    return _laid(part, small, nodes, matches, times)


def _corners(first: int, last: int, side: int) -> npt.NDArray[np.int64]:
    """Where pieces begin that cover what lies from the first to the last, twice over."""
    step = PIECE // 2
    begin = (first // step - 1) * step
    return np.unique(np.clip(np.arange(begin, last + 1, step), 0, side - PIECE))


def _sums(values: Floats) -> npt.NDArray[np.float64]:
    return np.pad(values.cumsum(axis=0, dtype=np.float64).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))


def _means(sums: npt.NDArray[np.float64], corners: npt.NDArray[np.int64], side: int) -> Floats:
    top, left = corners[:, 0], corners[:, 1]
    whole = sums[top + side, left + side] - sums[top, left + side] - sums[top + side, left] + sums[top, left]
    return np.asarray(whole / side**2, np.float32)


def _told(pixels: npt.NDArray[np.uint8], corners: npt.NDArray[np.int64]) -> Floats:
    """What each piece looks like: its colours and how rough it is, cell by cell."""
    levels = pixels.astype(np.float32)
    grey = levels.mean(axis=2)
    rough = np.zeros_like(grey)
    rough[1:-1, 1:-1] = np.abs(
        4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    )
    sums = _sums(np.dstack((levels, ROUGH * rough[..., None])))
    side = PIECE // CELLS
    cells = [
        _means(sums, corners + np.array((down, across)) * side, side)
        for down in range(CELLS)
        for across in range(CELLS)
    ]
    return np.concatenate(cells, axis=1)


def _likest(wanted: Floats, places: Floats) -> npt.NDArray[np.int64]:
    """For each piece the place that looks most like it."""
    nearest = []
    half = (places**2).sum(axis=1) / 2
    for start in range(0, len(wanted), 256):
        alike = wanted[start : start + 256] @ places.T
        alike -= half
        nearest.append(alike.argmax(axis=1))
    return np.concatenate(nearest)


def _laid(
    part: npt.NDArray[np.uint8],
    small: npt.NDArray[np.uint8],
    nodes: npt.NDArray[np.int64],
    field: npt.NDArray[np.int64],
    times: tuple[float, float],
) -> tuple[tuple[int, int, int, int], Floats]:
    """What the places found lost on the way down, laid over one another where the pieces are."""
    size = part.shape[1], part.shape[0]
    soft = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.LANCZOS))
    high, wide = math.ceil(PIECE * times[1]), math.ceil(PIECE * times[0])

    def at(corners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        full = np.rint(corners * np.array((times[1], times[0]))).astype(np.int64)
        return np.asarray(np.minimum(full, np.array((size[1] - high, size[0] - wide))), np.int64)

    to, of = at(nodes), at(field)
    top, left = to.min(axis=0)
    bottom, right = to.max(axis=0) + np.array((high, wide))
    window: Any = np.hanning(high + 2)[1:-1, None] * np.hanning(wide + 2)[None, 1:-1]
    window = window.astype(np.float32)[..., None]
    total = np.zeros((bottom - top, right - left, 3), np.float32)
    weight = np.zeros((bottom - top, right - left, 1), np.float32)
    for (y, x), (row, column) in zip(to - np.array((top, left)), of, strict=True):
        lost = part[row : row + high, column : column + wide].astype(np.float32)
        lost -= soft[row : row + high, column : column + wide]
        lost *= window
        total[y : y + high, x : x + wide] += lost
        weight[y : y + high, x : x + wide] += window * window
    # By the root of the squares: as strong as each piece was, where a mean of several would be fainter.
    total /= np.sqrt(np.maximum(weight, 1e-4))
    return (int(left), int(top), int(right), int(bottom)), total

"""COCO's masks: run lengths, and polygons drawn by the rules of its own tools, so that every pixel is as they count it.

Both run down the columns, from left to right. See `rleFrString` and `rleFrPoly` in COCO's `maskApi.c` for the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..picture import PIXEL_CAP

__all__ = ["is_rle", "polygons", "run_lengths"]

Size: TypeAlias = tuple[int, int]

# Polygons are walked on a grid that is finer by this.
SCALE = 5
# Points of an outline on that grid that are worked on at a time, and at most.
CHUNK, LONGEST = 1 << 20, 100_000_000
# Coordinates stay under this, in pixels.
LARGEST = 1e6
# A number in a text of run lengths has no more letters than this: seven of five bits hold any run.
LETTERS = 7

DAMAGED = "These run lengths (COCO's RLE) are damaged: {}. Export the mask again, or give its pixels."


def is_rle(value: Any) -> bool:
    """Whether this is a dict of run lengths: `{"size": [height, width], "counts": …}`."""
    return isinstance(value, Mapping) and "counts" in value and "size" in value


def run_lengths(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The mask of such a dict, its counts a list of numbers or COCO's compressed text. Raises `MaskError`."""
    size = rle["size"]
    try:
        height, width = (int(side) for side in size)
        whole = all(int(side) == side for side in size)
    except (TypeError, ValueError, OverflowError):
        height = width = 0
        whole = False
    if not whole or height <= 0 or width <= 0 or height * width > PIXEL_CAP:
        raise MaskError(DAMAGED.format(f"their size is {str(size)[:60]!r}, not [height, width]"))
    counts = rle["counts"]
    runs = _of_text(counts) if isinstance(counts, str | bytes | bytearray) else _of_numbers(counts)
    if runs.size and (runs.min() < 0 or runs.max() > height * width):
        raise MaskError(DAMAGED.format("a run is shorter than 0 or longer than the mask"))
    if runs.size > height * width + 2 or int(runs.sum()) != height * width:
        raise MaskError(
            DAMAGED.format(f"they add up to {int(runs.sum()):,} pixels where {height * width:,} are due")
        )
    values = np.arange(runs.size) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _of_numbers(counts: Any) -> NDArray[np.int64]:
    try:
        array = np.asarray(counts if isinstance(counts, np.ndarray) else list(counts))
        if array.ndim == 1 and array.dtype.kind in "iuf" and array.size <= 2 * PIXEL_CAP:
            wide = array.astype(np.float64)
            if (np.floor(wide) == wide).all() and np.abs(wide).max(initial=0) < 2**40:
                return wide.astype(np.int64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise MaskError(DAMAGED.format("their counts are not whole numbers"))


def _of_text(text: str | bytes | bytearray) -> NDArray[np.int64]:
    try:
        raw = text.encode("ascii") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError:
        raw = b"\xff"
    letters = np.frombuffer(raw, np.uint8).astype(np.int64) - 48
    if letters.size == 0:
        return np.zeros(0, np.int64)
    if letters.min() < 0 or letters.max() > 63 or letters[-1] & 0x20:
        raise MaskError(DAMAGED.format("their text holds other letters, or is cut"))
    ends = np.flatnonzero((letters & 0x20) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    if (ends - starts).max() >= LETTERS:
        raise MaskError(DAMAGED.format("their text holds a number that is too long"))
    # Five bits a letter, the lowest first; the last letter's fifth bit is the sign.
    place = np.arange(letters.size) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((letters & 0x1F) << (5 * place), starts)
    numbers -= np.where(letters[ends] & 0x10, 1 << (5 * (ends - starts + 1)), 0)
    # From the fourth on, a number is what a run differs from the one before the last.
    runs = numbers.copy()
    runs[1::2] = np.cumsum(numbers[1::2])
    if runs.size > 2:
        runs[2::2] = np.cumsum(numbers[2::2])
    return runs


def polygons(outlines: Iterable[Sequence[float]], size: Size) -> NDArray[np.bool_]:
    """The union of polygons, each `[x, y, x, y, …]`, in a picture of `size` (width, height). Raises `MaskError`."""
    whole = np.zeros(size[::-1], np.bool_)
    for outline in outlines:
        whole |= _polygon(_corners(outline), size)
    return whole


def _corners(outline: Any) -> NDArray[np.float64]:
    problem = (
        "A COCO polygon is [x, y, x, y, …] of at least three corners, in pixels. Check for missing numbers."
    )
    try:
        flat = np.asarray(outline, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise MaskError(problem) from None
    if flat.ndim != 1 or flat.size < 6 or flat.size % 2:
        raise MaskError(problem)
    if not np.isfinite(flat).all() or np.abs(flat).max() >= LARGEST:
        raise MaskError(
            "A mask's coordinates must be ordinary numbers of pixels. Check for nan and infinity."
        )
    return flat.reshape(-1, 2)


def _polygon(corners: NDArray[np.float64], size: Size) -> NDArray[np.bool_]:
    """One polygon: it is walked on the finer grid, and each column turns where the outline crosses its middle."""
    width, height = size
    ends = np.trunc(SCALE * corners + 0.5).astype(np.int64)
    ends = np.concatenate((ends, ends[:1]))
    lengths = np.abs(np.diff(ends, axis=0)).max(axis=1) + 1
    if int(lengths.sum()) > LONGEST:
        raise MaskError(
            "This polygon's outline is too long to be drawn. Check its coordinates: they are pixels of the picture."
        )
    turns = []
    last: NDArray[np.int64] = np.zeros((0, 2), np.int64)
    bounds = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        # As many edges as make a chunk, and at least one.
        begun = bounds[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(bounds, begun + CHUNK, "right")))
        walked = _walk(ends[start:stop], ends[start + 1 : stop + 1], lengths[start:stop])
        turns.append(_turns(np.concatenate((last, walked)), size))
        last = walked[-1:]
        start = stop
    places, counts = np.unique(np.concatenate(turns), return_counts=True)
    flips = np.zeros(width * height + 1, np.bool_)
    flips[places[counts % 2 == 1]] = True
    return np.logical_xor.accumulate(flips[:-1]).reshape(width, height).T


def _walk(start: NDArray[np.int64], end: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every point of the grid along each edge from `start` to `end`, both among them."""
    across = np.abs(end - start)
    flat = across[:, 0] >= across[:, 1]
    main = np.where(flat, 0, 1)
    row = np.arange(len(start))
    # Walked always in one direction, so that an edge is the same from both of its ends.
    turned = start[row, main] > end[row, main]
    low, high = (np.where(turned[:, None], one, other) for one, other in ((end, start), (start, end)))
    most = across[row, main]
    slope = (high - low)[row, 1 - main] / np.maximum(most, 1)
    edge = np.repeat(row, lengths)
    step = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    step = np.where(turned[edge], most[edge] - step, step)
    along = low[edge, main[edge]] + step
    aside = np.trunc(low[edge, 1 - main[edge]] + slope[edge] * step + 0.5).astype(np.int64)
    u = np.where(flat[edge], along, aside)
    v = np.where(flat[edge], aside, along)
    return np.stack((u, v), axis=1)


def _turns(points: NDArray[np.int64], size: Size) -> NDArray[np.int64]:
    """Where, counted down the columns, the outline crosses the middle of a column."""
    width, height = size
    u, v = points[:, 0], points[:, 1]
    moved = np.flatnonzero(u[1:] != u[:-1])
    x = (np.where(u[moved + 1] < u[moved], u[moved + 1], u[moved + 1] - 1) + 0.5) / SCALE - 0.5
    kept = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    moved, x = moved[kept], x[kept]
    y = (np.minimum(v[moved + 1], v[moved]) + 0.5) / SCALE - 0.5
    down = np.ceil(np.clip(y, 0, height)).astype(np.int64)
    places: NDArray[np.int64] = x.astype(np.int64) * height + down
    return places

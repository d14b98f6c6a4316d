"""Tiles: a mask that crosses a large photo, cut into parts that are each sent nearer to the photo's own size."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..mask import Mask
from .geometry import Box, Size, common, side_of
from .seam import seam

__all__ = ["part_of", "tiles_of"]

# A photo is cut where each tile is sent at least so many times as large as all of it would be, into at most so many.
GAIN, MOST = 1.5, 8
# How many of the photo's pixels one sent pixel may span, tried from fine to coarse.
SPANS = (1.25, 1.6, 2.0, 2.6, 3.4)
# A stroke is thin up to this share of a tile's side: a model sees all there is to see of it in any of the tiles.
THIN = 1 / 8
# The mask is cut on a grid with at most so many cells a side.
GRID = 512
# Tiles overlap by so many seams: where one fades out, the next has not begun to.
OVERLAP = 2


def tiles_of(
    mask: Mask, span: float, sent: Callable[[Box], float], longest: int, *, any_width: bool
) -> tuple[Box, ...]:
    """The boxes of the photo whose masked parts are sent one by one; none where that gains too little.

    `span` is how many of the photo's pixels one sent pixel spans where all goes at once, `sent(box)` the same where the
    mask is cut out in `box`, and `longest` a sent picture's longer side. A mask with thick strokes is cut only
    where `any_width`: a tile would show a model a piece of a thing.
    """
    bounds = mask.bounds
    if bounds is None or span < GAIN * SPANS[0]:
        return ()
    step = max(1, math.ceil(max(mask.size) / GRID))
    covered = Image.fromarray((mask.coverage() > 0).astype(np.uint8) * 255)
    grid: NDArray[np.bool_] = np.asarray(covered.reduce(step)) > 0
    for most in SPANS:
        if most * GAIN > span:
            break
        if not any_width and not _thin(grid, most * longest * THIN / step):
            continue

        def fits(box: Box, most: float = most) -> bool:
            return sent(_in_pixels(box, step, bounds, mask.size)) <= most

        boxes = _split(grid, (0, 0, grid.shape[1], grid.shape[0]), fits, MOST)
        if boxes is not None and len(boxes) > 1:
            return tuple(_in_pixels(box, step, bounds, mask.size) for box in boxes)
    return ()


def part_of(mask: Mask, box: Box) -> Mask:
    """What of the mask lies in `box`."""
    width, height = mask.size
    left, top, right, bottom = box
    beyond = (
        (0, 0, width, top),
        (0, bottom, width, height),
        (0, top, left, bottom),
        (right, top, width, bottom),
    )
    for left, top, right, bottom in beyond:
        if left < right and top < bottom:
            mask = mask.rectangle((left, top, right, bottom), erase=True)
    return mask


def _in_pixels(box: Box, step: int, bounds: Box, size: Size) -> Box:
    """A box of the grid in the photo's pixels, with the overlap, and no larger than what is masked."""
    room = OVERLAP * seam(size)
    left, top, right, bottom = (edge * step for edge in box)
    grown = left - room, top - room, right + room, bottom + room
    return common(grown, bounds) or bounds


def _thin(grid: NDArray[np.bool_], width: float) -> bool:
    """Whether nothing of the grid is wider than so many cells."""
    left: NDArray[np.uint8] = grid.astype(np.uint8)
    for _ in range(max(1, round(width / 2))):
        left = np.pad(left, 1)
        for axis in (0, 1):
            lines = np.moveaxis(left, axis, 0)
            inner = np.minimum(np.minimum(lines[:-2], lines[1:-1]), lines[2:])
            left = np.moveaxis(inner, 0, axis)
        if not left.any():
            return True
    return False


def _split(grid: NDArray[np.bool_], box: Box, fits: Callable[[Box], bool], most: int) -> list[Box] | None:
    """`box`, tight around what is masked in it, cut in two and again until each piece fits; None where that takes more
    than `most`.
    """
    part = grid[box[1] : box[3], box[0] : box[2]]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(rows):
        return []
    tight = (
        box[0] + int(columns[0]),
        box[1] + int(rows[0]),
        box[0] + int(columns[-1]) + 1,
        box[1] + int(rows[-1]) + 1,
    )
    if fits(tight):
        return [tight]
    wide, high = side_of(tight)
    if most < 2 or max(wide, high) < 2:
        return None
    across = wide >= high
    counts = grid[tight[1] : tight[3], tight[0] : tight[2]].sum(axis=0 if across else 1)
    at = _thinnest(counts) + (tight[0] if across else tight[1])
    one = (*tight[:2], at, tight[3]) if across else (*tight[:3], at)
    other = (at, *tight[1:]) if across else (tight[0], at, *tight[2:])
    first = _split(grid, one, fits, most - 1)
    second = None if first is None else _split(grid, other, fits, most - len(first))
    return None if first is None or second is None else first + second


def _thinnest(counts: NDArray[np.int64]) -> int:
    """Where to cut: in the middle third where least is masked, and there nearest to the middle."""
    length = len(counts)
    places = np.arange(max(1, length // 3), max(2, length - length // 3))
    cost = (counts[places] + counts[places - 1]).astype(np.float64) + np.abs(places - length / 2) / length
    return int(places[int(cost.argmin())])

"""`Tiles`: a mask's pixels in small squares, which the masks of an undo history share wherever they are alike."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from itertools import compress
from operator import is_not
from typing import TypeAlias

import numpy as np

from .raster import Coverage

__all__ = ["Box", "Tiles"]

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom, in whole pixels."""

# Pixels a side. Smaller ones share more, and are more to look through.
SIDE = 128


class Tiles:
    """Pixels that never change, row after row of tiles; one that is alike all over is only its level.

    A picture that differs from another in a few places is made of the other's tiles but for those, so that keeping both
    costs what differs, and so does telling where they do.
    """

    __slots__ = ("__weakref__", "_before", "_near", "_shape", "_tiles")

    def __init__(self, shape: tuple[int, ...], tiles: list[Coverage | int]) -> None:
        self._shape, self._tiles = shape, tiles
        # What these were made of, and the box beyond which both are the same: neighbours in an undo history need no
        # looking through.
        self._before: weakref.ref[Tiles] | None = None
        self._near: Box | None = None

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Tiles:
        """Nothing anywhere; `shape` is (height, width)."""
        return cls(shape, [0] * (-(-shape[0] // SIDE) * -(-shape[1] // SIDE)))

    @classmethod
    def of(cls, coverage: Coverage) -> Tiles:
        """The tiles of all of it."""
        height, width = coverage.shape
        return cls.empty(coverage.shape).changed(coverage, [(0, 0, width, height)])

    def changed(self, coverage: Coverage, boxes: Iterable[Box]) -> Tiles:
        """The tiles of `coverage`, which differs from these in no place beyond `boxes`."""
        tiles, wide, boxes = self._tiles.copy(), -(-self._shape[1] // SIDE), list(boxes)
        for number in {number for box in boxes for number in self._within(box)}:
            row, column = divmod(number, wide)
            new = coverage[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            level, old = int(new[0, 0]), tiles[number]
            if (new == level).all():
                tiles[number] = level
            elif isinstance(old, int) or not np.array_equal(old, new):
                tiles[number] = new.copy()
        made = Tiles(self._shape, tiles)
        made._before = weakref.ref(self)
        height, width = self._shape
        sides = list(zip(*boxes, strict=True)) or [(0,)] * 4
        left, top, right, bottom = max(0, min(sides[0])), max(0, min(sides[1])), max(sides[2]), max(sides[3])
        if left < right and top < bottom:
            made._near = (left, top, min(width, right), min(height, bottom))
        return made

    def _within(self, box: Box) -> Iterator[int]:
        wide = -(-self._shape[1] // SIDE)
        for row in range(box[1] // SIDE, -(-box[3] // SIDE)):
            yield from range(row * wide + box[0] // SIDE, row * wide - (-box[2] // SIDE))

    def whole(self) -> Coverage:
        """All pixels, as (height, width)."""
        return self.part((0, 0, self._shape[1], self._shape[0]))

    def part(self, box: Box) -> Coverage:
        """The pixels in `box`, which lies within."""
        left, top, right, bottom = box
        wide = -(-self._shape[1] // SIDE)
        pixels = np.zeros((bottom - top, right - left), np.uint8)
        for number in self._within(box):
            tile = self._tiles[number]
            if isinstance(tile, int) and not tile:
                continue
            y, x = number // wide * SIDE - top, number % wide * SIDE - left
            here = pixels[max(0, y) : y + SIDE, max(0, x) : x + SIDE]
            if isinstance(tile, int):
                here[:] = tile
            else:
                down, across = max(0, -y), max(0, -x)
                here[:] = tile[down : down + here.shape[0], across : across + here.shape[1]]
        return pixels

    def differing(self, other: Tiles) -> Box | None:
        """A box beyond which both, of one shape, have the same pixels; None where they are the same everywhere."""
        for one, two in ((self, other), (other, self)):
            if one._before is not None and one._before() is two:
                return one._near
        unlike = map(is_not, self._tiles, other._tiles)
        pairs = list(compress(range(len(self._tiles)), unlike))
        if not pairs:
            return None
        wide, (height, width) = -(-self._shape[1] // SIDE), self._shape
        rows, columns = [at // wide for at in (pairs[0], pairs[-1])], [at % wide for at in pairs]
        return (
            min(columns) * SIDE,
            rows[0] * SIDE,
            min(width, (max(columns) + 1) * SIDE),
            min(height, (rows[1] + 1) * SIDE),
        )

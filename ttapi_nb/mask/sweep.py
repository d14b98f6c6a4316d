"""Strokes painted row by row: where each disc and each straight piece begins and ends in a row is worked out at once.

What lies well within is filled by counting what begins and what ends; only pixels on an edge that nothing else covers
are looked at one by one. Their coverage is how far the pixel's middle lies outside of the nearest piece, as in
`raster.draw_segment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from .raster import Coverage

__all__ = ["AREA", "grouped", "sparse", "sweep", "sweep_all", "trace"]

Points: TypeAlias = tuple[tuple[float, float, float], ...]
Box: TypeAlias = tuple[int, int, int, int]
Floats: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]
Places: TypeAlias = NDArray[np.floating[Any]]

# Pixels, and rows of pieces, that are worked out at a time.
AREA, ROWS = 1 << 18, 1 << 17
# A straight piece is cut into such lengths, so that what is around it is small.
LONGEST = 256
# Pieces whose common box is so many times what they cover, or smaller than this, are painted together.
LOOSE, SMALL = 3, 1 << 16
# Of many strokes these are painted first, and then each time so many times more: what is covered by then is left out,
# as far as whole tiles of so many pixels a side tell.
FIRST, MORE, TILE = 512, 2, 16
# A stroke whose common box has so many pixels for each row of its pieces is painted row by row.
SPARSE = 64
FAR = 1e9


@dataclass(frozen=True, eq=False)
class Pieces:
    """Discs and straight pieces of strokes, in one array each, a column for each number.

    `discs`: x, y, radius. `straight`: x, y of the start, the unit vector along, the length, the radius at the start,
    and how much that grows a pixel. `boxes`: what each covers at most, discs first: left, top, right, bottom.
    """

    discs: Floats
    straight: Floats
    boxes: Floats

    @classmethod
    def of(cls, strokes: Sequence[Points]) -> Pieces:
        """The pieces of strokes through these points, x, y and radius each."""
        dots = np.array(list(chain.from_iterable(strokes)), np.float64).reshape(-1, 3)
        start, along = dots[:-1], np.diff(dots, axis=0)
        length = np.hypot(along[:, 0], along[:, 1])
        # Where one dot holds the other it holds all between them; and no piece leads from a stroke to the next.
        real = length > np.abs(along[:, 2])
        real[np.cumsum([len(points) for points in strokes])[:-1] - 1] = False
        start, along, length = start[real], along[real], length[real]
        cuts = np.maximum(1, np.ceil(length / LONGEST)).astype(np.int64)
        which = np.repeat(np.arange(len(cuts)), cuts)
        share = (np.arange(len(which)) - np.repeat(np.cumsum(cuts) - cuts, cuts)) / cuts[which]
        start = start[which] + along[which] * share[:, None]
        along, length = along[which], length[which]
        unit = along / length[:, None]
        length = length / cuts[which]
        straight = np.column_stack((start[:, :2], unit[:, :2], length, start[:, 2], unit[:, 2]))
        return cls(dots, straight, np.concatenate((_boxes_of_discs(dots), _boxes_of_straight(straight))))

    def only(self, chosen: Whole) -> Pieces:
        """Those of these numbers, discs first."""
        count = len(self.discs)
        discs, straight = chosen[chosen < count], chosen[chosen >= count] - count
        return Pieces(self.discs[discs], self.straight[straight], self.boxes[chosen])

    def groups(self, width: int, height: int) -> Iterator[tuple[Pieces, Box]]:
        """These pieces, as far as they lie on a mask of this size, by such as lie close together, and the box of whole
        pixels around each.
        """
        boxes = self.boxes
        seen = (boxes[:, 2] > 0) & (boxes[:, 3] > 0) & (boxes[:, 0] < width) & (boxes[:, 1] < height)
        boxes = np.clip(boxes, 0, (width, height, width, height))
        sides = boxes[:, 2:] - boxes[:, :2]
        areas = sides[:, 0] * sides[:, 1]
        waiting = [np.flatnonzero(seen)]
        while waiting:
            chosen = waiting.pop()
            if not len(chosen):
                continue
            here = boxes[chosen]
            left, top = np.floor(here[:, :2].min(axis=0)).astype(int).tolist()
            right, bottom = np.ceil(here[:, 2:].max(axis=0)).astype(int).tolist()
            area = (right - left) * (bottom - top)
            if len(chosen) > 1 and area > max(SMALL, LOOSE * areas[chosen].sum()):
                axis = int(bottom - top > right - left)
                middle = here[:, axis] + here[:, axis + 2]
                first = middle <= (middle.min() + middle.max()) / 2
                if first.all():
                    first = np.arange(len(chosen)) < len(chosen) // 2
                waiting += [chosen[~first], chosen[first]]
            else:
                yield self.only(chosen), (left, top, right, bottom)

    def left_by(self, coverage: Coverage) -> Pieces:
        """Those that lie anywhere where `coverage` is not full."""
        high, wide = (side // TILE for side in coverage.shape)
        tiles = coverage[: high * TILE, : wide * TILE].reshape(high, TILE, -1).min(axis=1)
        full = tiles.reshape(high, wide, TILE).min(axis=2) == 255
        counted = np.zeros((high + 1, wide + 1), np.int64)
        counted[1:, 1:] = full.cumsum(axis=0).cumsum(axis=1)
        boxes = np.clip(self.boxes, 0, (coverage.shape[1], coverage.shape[0]) * 2)
        left, top = np.floor(boxes[:, :2] / TILE).astype(np.int64).T
        right, bottom = np.ceil(boxes[:, 2:] / TILE).astype(np.int64).T
        # At its end may be tiles that are no whole ones.
        inside = (right <= wide) & (bottom <= high)
        left, right = np.minimum(left, wide), np.minimum(right, wide)
        top, bottom = np.minimum(top, high), np.minimum(bottom, high)
        covered = counted[bottom, right] - counted[top, right] - counted[bottom, left] + counted[top, left]
        return self.only(np.flatnonzero(~inside | (covered < (right - left) * (bottom - top))))


@lru_cache(maxsize=8)
def grouped(points: Points, width: int, height: int) -> tuple[tuple[Pieces, Box], ...]:
    """The pieces of the stroke through these points, x, y and radius each, as `Pieces.groups` has them."""
    return tuple(Pieces.of([points]).groups(width, height))


@lru_cache(maxsize=8)
def sparse(points: Points, width: int, height: int) -> tuple[Pieces, tuple[Box, ...]] | None:
    """The pieces of a stroke that leaves nearly all of its common box empty, and the boxes of whole pixels around each;
    None for any other.
    """
    pieces = Pieces.of([points])
    boxes = np.clip(pieces.boxes, 0, (width, height, width, height))
    seen = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    if not seen.any():
        return None
    boxes = np.concatenate((np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])), axis=1)[seen].astype(np.int64)
    across, down = boxes[:, 2:].max(axis=0) - boxes[:, :2].min(axis=0)
    if across * down < max(SMALL, SPARSE * (boxes[:, 3] - boxes[:, 1]).sum()):
        return None
    return pieces.only(np.flatnonzero(seen)), tuple(map(tuple, boxes.tolist()))


def sweep_all(coverage: Coverage, strokes: Sequence[Points]) -> None:
    """Paint strokes through these points, x, y and radius each, into `coverage`, in place."""
    height, width = coverage.shape
    begun, count = 0, FIRST
    while begun < len(strokes):
        pieces = Pieces.of(strokes[begun : begun + count])
        if begun:
            pieces = pieces.left_by(coverage)
        for some, (left, top, right, bottom) in pieces.groups(width, height):
            sweep(coverage[top:bottom, left:right], some, left, top)
        begun, count = begun + count, count * MORE


def trace(coverage: Coverage, pieces: Pieces, *, erase: bool) -> None:
    """Paint these pieces into `coverage`, one piece of memory, or take them away, looking only at what they touch."""
    rows = np.cumsum(np.ceil(pieces.boxes[:, 3]) - np.floor(pieces.boxes[:, 1]))
    height, width = coverage.shape
    for discs, straight in _some_at_a_time(pieces, rows):
        _Spans.of(discs, straight, 0, 0, height, width).trace(coverage, erase=erase)


def _some_at_a_time(pieces: Pieces, ends: Floats | Whole) -> Iterator[tuple[Floats, Floats]]:
    """Discs and straight pieces of about `ROWS` rows each time; `ends` are the sums of their rows."""
    count, begun = len(pieces.discs), 0
    while begun < len(ends):
        stop = max(begun + 1, int(np.searchsorted(ends, (ends[begun - 1] if begun else 0) + ROWS, "right")))
        yield (
            pieces.discs[begun : min(stop, count)],
            pieces.straight[max(0, begun - count) : max(0, stop - count)],
        )
        begun = stop


def _boxes_of_discs(dots: Floats) -> Floats:
    middle, reach = dots[:, :2], dots[:, 2:] + 1
    return np.concatenate((middle - reach, middle + reach), axis=1)


def _boxes_of_straight(straight: Floats) -> Floats:
    start = straight[:, :2]
    end = start + straight[:, 2:4] * straight[:, 4:5]
    normal = np.abs(straight[:, [3, 2]])
    reach = (
        normal * straight[:, 5:6] + 1,
        normal * (straight[:, 5:6] + straight[:, 6:7] * straight[:, 4:5]) + 1,
    )
    least = np.minimum(start - reach[0], end - reach[1])
    most = np.maximum(start + reach[0], end + reach[1])
    return np.concatenate((least, most), axis=1)


def sweep(part: Coverage, pieces: Pieces, left: int, top: int) -> None:
    """Paint these pieces into `part`, in place, whose first pixel is (left, top)."""
    height, width = part.shape
    step = max(1, AREA // width)
    for start in range(0, height, step):
        band = part[start : start + step]
        if band.min() < 255:
            _sweep_band(band, pieces, left, top + start)


def _sweep_band(band: Coverage, pieces: Pieces, left: int, top: int) -> None:
    height, width = band.shape
    low, high = pieces.boxes[:, 1] - top, pieces.boxes[:, 3] - top
    rows = np.clip(np.ceil(high), 0, height) - np.clip(np.floor(low), 0, height)
    touched = np.flatnonzero(rows > 0)
    full = band == 255
    # A very long stroke in one place: some of it at a time.
    for discs, straight in _some_at_a_time(pieces.only(touched), np.cumsum(rows[touched])):
        spans = _Spans.of(discs, straight, left, top, height, width)
        spans.fill(full)
        spans.soften(band, full)
    band[full] = 255


@dataclass(frozen=True, eq=False)
class _Spans:
    """For each row of each piece: the row, from where to where it is touched, and within that covered wholly."""

    discs: Floats
    straight: Floats
    which: Whole
    row: Whole
    first: Whole
    inner: Whole
    outer: Whole
    last: Whole

    @classmethod
    def of(cls, discs: Floats, straight: Floats, left: int, top: int, height: int, width: int) -> _Spans:
        """Those of these pieces in a box of this size, from (left, top)."""
        discs, straight = discs.copy(), straight.copy()
        discs[:, :2] -= left, top
        straight[:, :2] -= left, top
        spans = [_of_discs(discs, height), _of_straight(straight, height, len(discs))]
        which, row = (np.concatenate([one[at] for one in spans]) for at in (0, 1))
        edges = [np.concatenate([one[at] for one in spans]) for at in range(2, 6)]
        # From the middle of a pixel to its number.
        first, inner = (np.ceil(edges[at] - 0.5).clip(0, width).astype(np.int64) for at in (0, 1))
        outer, last = (np.floor(edges[at] + 0.5).clip(0, width).astype(np.int64) for at in (2, 3))
        # Where no pixel is covered wholly, all that are touched lie behind it.
        none = ~(inner < outer)
        inner[none] = outer[none] = first[none]
        return cls(discs, straight, which, row, first, inner, outer, np.maximum(last, outer))

    def fill(self, full: NDArray[np.bool_]) -> None:
        """Mark what is covered wholly."""
        height, width = full.shape
        real = self.inner < self.outer
        line, count = self.row[real] * (width + 1), height * (width + 1)
        if len(line) < min(count // 64, 30_000):
            turns = np.zeros(count, np.int16)
            np.add.at(turns, line + self.inner[real], 1)
            np.add.at(turns, line + self.outer[real], -1)
        else:
            turns = np.bincount(line + self.inner[real], minlength=count)
            turns -= np.bincount(line + self.outer[real], minlength=count)
        turns = np.cumsum(turns, dtype=turns.dtype, out=turns).reshape(height, width + 1)
        full |= turns[:, :width] > 0

    def soften(self, band: Coverage, full: NDArray[np.bool_]) -> None:
        """Paint the pixels that are touched and in no piece covered wholly."""
        height, width = full.shape
        counted = np.zeros((height, width + 1), np.int32)
        np.cumsum(full, axis=1, dtype=np.int32, out=counted[:, 1:])
        parts = []
        for start, end in self._sides():
            wide = end - start
            open_ = np.flatnonzero(counted[self.row, end] - counted[self.row, start] < wide)
            parts.append(self._pixels(open_, start[open_], wide[open_]))
        down, across, piece = map(np.concatenate, zip(*parts, strict=True))
        soft = ~full[down, across]
        self._shade(band, down[soft], across[soft], piece[soft], erase=False)

    def trace(self, coverage: Coverage, *, erase: bool) -> None:
        """Paint all of it, or take it away, span by span."""
        level = 0 if erase else 255
        pixels, full = coverage.reshape(-1).data, bytes([level]) * coverage.shape[1]
        for start, end in self._joined(coverage.shape[1]):
            pixels[start:end] = full[: end - start]
        touched = np.arange(len(self.row))
        parts = [self._pixels(touched, start, end - start) for start, end in self._sides()]
        down, across, piece = map(np.concatenate, zip(*parts, strict=True))
        soft = coverage.reshape(-1).take(down * coverage.shape[1] + across) != level
        self._shade(coverage, down[soft], across[soft], piece[soft], erase=erase)

    def _joined(self, width: int) -> Iterator[tuple[int, int]]:
        """Where pixels that are covered wholly begin and end, counted row after row; those that overlap as one."""
        real = self.inner < self.outer
        line = self.row[real] * width
        order = np.argsort(line + self.inner[real], kind="stable")
        start, end = (line + self.inner[real])[order], (line + self.outer[real])[order]
        most = np.maximum.accumulate(end)
        first = np.ones(len(start), np.bool_)
        first[1:] = start[1:] >= most[:-1]
        last = np.append(first[1:], True)[: len(start)]
        return zip(start[first].tolist(), most[last].tolist(), strict=True)

    def _sides(self) -> tuple[tuple[Whole, Whole], tuple[Whole, Whole]]:
        return (self.first, self.inner), (self.outer, self.last)

    def _pixels(self, spans: Whole, start: Whole, wide: Whole) -> tuple[Whole, Whole, Whole]:
        """The pixels from `start`, so many in each of these spans: rows, columns, and which piece they are of."""
        which = np.repeat(np.arange(len(spans)), wide)
        within = np.arange(len(which)) - np.repeat(np.cumsum(wide) - wide, wide)
        return self.row[spans[which]], start[which] + within, self.which[spans[which]]

    def _shade(self, part: Coverage, down: Whole, across: Whole, piece: Whole, *, erase: bool) -> None:
        """Paint pixels of an edge, or take them away, by how far each lies outside of its piece."""
        distance = self._distance(across + 0.5, down + 0.5, piece)
        painted = np.rint(np.clip(0.5 - distance, 0, 1) * 255).astype(np.uint8)
        # Counted row by row in the memory that it is a part of: numpy finds pixels by two numbers in twice the time.
        row = part.strides[0]
        flat, at = as_strided(part, (row * (len(part) - 1) + part.shape[1],), (1,)), down * row + across
        before = flat.take(at)
        painted = np.minimum(255 - painted, before) if erase else np.maximum(painted, before)
        # Of several values for a pixel the last one stays, which is to be the greatest, or of what is left the least.
        order = np.argsort(255 - painted if erase else painted, kind="stable")
        flat[at[order]] = painted[order]

    def _distance(self, across: Places, down: Places, piece: Whole) -> Floats:
        """How far each of these places lies outside of its piece."""
        distance = np.empty(len(piece))
        is_disc = piece < len(self.discs)
        x, y, radius = self.discs.T.take(piece[is_disc], axis=1)
        distance[is_disc] = np.hypot(across[is_disc] - x, down[is_disc] - y) - radius
        rest = ~is_disc
        # By their numbers, not by their places: each of these is then one piece of memory.
        x, y, ux, uy, _, radius, growth = self.straight.T.take(piece[rest] - len(self.discs), axis=1)
        px, py = across[rest] - x, down[rest] - y
        distance[rest] = np.abs(px * uy - py * ux) - radius - growth * (px * ux + py * uy)
        return distance


def _rows(low: Floats, high: Floats, height: int) -> tuple[Whole, Whole]:
    """For each piece each row whose middle lies between the two: which piece, and the row."""
    first = np.ceil(low - 0.5).clip(0, height).astype(np.int64)
    count = np.maximum(np.floor(high + 0.5).clip(0, height).astype(np.int64) - first, 0)
    which = np.repeat(np.arange(len(count)), count)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + first[which]


def _of_discs(discs: Floats, height: int) -> tuple[NDArray[np.generic], ...]:
    x, y, radius = discs.T
    which, row = _rows(y - radius - 0.5, y + radius + 0.5, height)
    x, away = x[which], (row + 0.5 - y[which]) ** 2
    wide = np.sqrt(np.maximum((radius[which] + 0.5) ** 2 - away, 0))
    within = np.maximum(radius[which] - 0.5, 0) ** 2 - away
    narrow = np.where(within > 0, np.sqrt(np.maximum(within, 0)), -1)
    return which, row, x - wide, x - narrow, x + narrow, x + wide


def _of_straight(straight: Floats, height: int, before: int) -> tuple[NDArray[np.generic], ...]:
    x, y, ux, uy, length, radius, growth = straight.T
    boxes = _boxes_of_straight(straight)
    which, row = _rows(boxes[:, 1], boxes[:, 3], height)
    down = row.astype(np.float64) + 0.5
    start = x * ux + y * uy
    low, high = np.full(len(which), -FAR), np.full(len(which), FAR)
    for a, b, most in ((-ux, -uy, -start), (ux, uy, start + length)):
        _bound(a, b, most, which, down, low, high)
    inner, outer = low.copy(), high.copy()
    for side in (1, -1):
        # Beside it as far as its radius, which grows along it.
        a, b = side * uy - growth * ux, -side * ux - growth * uy
        most = a * x + b * y + radius
        _bound(a, b, most + 0.5, which, down, low, high)
        _bound(a, b, most - 0.5, which, down, inner, outer)
    empty = ~(inner < outer)
    inner[empty], outer[empty] = low[empty] + 1, low[empty]
    return which + before, row, low, inner, outer, high


def _bound(a: Floats, b: Floats, most: Floats, which: Whole, down: Floats, low: Floats, high: Floats) -> None:
    """Let `low` and `high`, for each row, leave only where a x + b y is at most `most`, in place."""
    level = np.abs(a) < 1e-12
    across = np.where(level, 1, a)
    offset, slope = most / across, -b / across
    is_low, is_high = (a < 0) & ~level, (a > 0) & ~level
    line = np.where(level, 0, offset)[which] + np.where(level, 0, slope)[which] * down
    np.maximum(low, line, out=low, where=is_low[which])
    np.minimum(high, line, out=high, where=is_high[which])
    if level.any():
        beyond = level[which] & (b[which] * down > most[which])
        low[beyond], high[beyond] = FAR, FAR

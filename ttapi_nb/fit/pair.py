"""Source and answer beside each other: by how much the edges of one lie beside those of the other.

Phase correlation finds the shift of the whole, and that of many small tiles how it differs from place to place.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .alignment import Alignment, Numbers, bent_by, displaced, fitted
from .geometry import Box
from .look import Look
from .seam import Floats

__all__ = ["Pair"]

# No answer is taken to have moved by more than this share of the longer side.
MOST = 0.06
# Tiles of so many pixels, half of each new, and at most so many of them, those nearest to the mask.
TILES, MOST_TILES = (64, 32), 140
# How much of a tile has to lie outside the mask, and how plainly its peak has to stand out.
OUTSIDE, PLAIN = 0.55, 5.0
# How far around the mask is looked at closely, in pixels.
REACH = 48
# So many pixels of the ring tell a move to a few hundredths of a pixel.
TELLING = 40_000
# What is taken has to lower the ring's error by this much.
BETTER = 0.96


def _edges(picture: Image.Image) -> Floats:
    """The Laplacian of the picture's light, which knows nothing of how light it is."""
    # In whole numbers of sixteenths and of sixty-fourths, which these hold.
    grey = np.pad(np.asarray(picture.convert("L"), np.int16), 1, "edge")
    # Smoothed by a pixel: grain is no edge.
    soft = grey[:-2] + 2 * grey[1:-1] + grey[2:]
    soft = soft[:, :-2] + 2 * soft[:, 1:-1] + soft[:, 2:]
    ringed = np.pad(soft, 1, "edge")
    around = ringed[:-2, 1:-1] + ringed[2:, 1:-1] + ringed[1:-1, :-2] + ringed[1:-1, 2:]
    edges: Floats = np.multiply(4 * soft - around, np.float32(1 / 64), dtype=np.float32)
    return edges


def _near(cells: NDArray[np.bool_], reach: int) -> Floats:
    """How much of a square of `reach` pixels each way is of these cells."""
    blurred = Image.fromarray(cells.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(reach))
    return np.asarray(blurred, np.float32) / np.float32(255)


class Pair:
    """The edges of both pictures, and where both show the same thing."""

    def __init__(self, look: Look) -> None:
        outside = look.outside
        self.source, self.answer, self.outside = _edges(look.source), _edges(look.answer), outside
        # Softened, so that the mask's own edge is no edge that lies where it lay.
        self.weight: Floats = np.clip(2 * _near(outside, 6) - 1, 0, 1) * outside

    @property
    def telling(self) -> bool:
        """Whether there is anything to go by."""
        return bool(
            np.abs(self.source[self.outside]).mean() > 0.05
            and np.abs(self.answer[self.outside]).mean() > 0.05
        )

    def shift(self) -> tuple[float, float]:
        """By how much the answer as a whole lies further to the right and down."""
        # To the pixel is enough here, and half the size a quarter of the work.
        times = 2 if max(self.source.shape) > 512 else 1
        one, other, weight = (
            np.asarray(Image.fromarray(plane).reduce(times))
            for plane in (self.source, self.answer, self.weight)
        )
        rows, columns = one.shape
        taper = weight * np.hanning(rows + 2)[1:-1, None] ** 0.5 * np.hanning(columns + 2)[None, 1:-1] ** 0.5
        size = _quick(rows), _quick(columns)
        first, second = (np.fft.rfft2((edges * taper).astype(np.float32), size) for edges in (one, other))
        peaks = np.fft.irfft2(_whitened(first, second), size)
        most = max(3, round(MOST * max(rows, columns)))
        down, right, _ = _peak(peaks[None], min(most, rows // 3), min(most, columns // 3))
        return float(right[0]) * times, float(down[0]) * times

    def similar(self, model: Numbers) -> Alignment | None:
        """What the tiles agree on, starting from a model."""
        for side in TILES:
            agreed = self._tiles(model, side)
            if agreed is not None:
                return agreed
        return None

    def _tiles(self, model: Numbers, side: int) -> Alignment | None:
        corners, near = self._corners(side)
        if len(corners) < 6:
            return None
        taper = np.hanning(side + 2)[1:-1]
        window = (taper[:, None] * taper[None]).astype(np.float32)
        one = _cut(self.source, corners, side) * window * _cut(self.weight, corners, side)
        first = np.fft.rfft2(one)
        middles = corners[:, ::-1] + side / 2
        by: Numbers = np.zeros_like(middles)
        plain: Numbers = np.zeros(len(middles))
        for number in range(3):
            # Each tile is read where the model says it lies, to the pixel, and compared there.
            places = np.rint(displaced(model, middles)).astype(np.int64)
            there = corners + places[:, ::-1]
            inside = (there >= 0).all(axis=1) & (there + side <= self.source.shape).all(axis=1)
            other = np.zeros_like(one)
            other[inside] = (
                _cut(self.answer, there[inside], side) * window * _cut(self.weight, corners[inside], side)
            )
            peaks = np.fft.irfft2(_whitened(first, np.fft.rfft2(other)), (side, side))
            down, right, plain = _peak(peaks, side // 3, side // 3)
            by = places + np.stack((right, down), axis=1)
            good = inside & (plain > PLAIN)
            if np.count_nonzero(good) < 5:
                return None
            before = model
            model, sure = fitted(
                middles[good], by[good], near[good] * np.minimum(plain[good], 4 * PLAIN), number > 0
            )
            # Where each tile is read again from the pixel it was read from, nothing more is told.
            if number and (np.rint(displaced(model, middles)) == np.rint(displaced(before, middles))).all():
                break
        beside = good & (near > 0.25)
        return Alignment(
            model, sure, bent_by(middles[beside], (by - displaced(model, middles))[beside], side)
        )

    def _corners(self, side: int) -> tuple[NDArray[np.int64], Floats]:
        """The top left corners, (tiles, 2) as row and column, of the tiles that tell something, and how near the mask
        they are.
        """
        rows, columns = self.source.shape
        if min(rows, columns) < side:
            return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
        down, right = (
            np.unique(np.linspace(0, length - side, max(1, 2 * length // side)).astype(np.int64))
            for length in (rows, columns)
        )
        grid = np.stack(np.meshgrid(down, right, indexing="ij"), axis=-1).reshape(-1, 2)
        above, beside = _means(down, side, rows), _means(right, side, columns).T
        shares = (above @ self.weight @ beside).reshape(-1)
        energy = (above @ (np.abs(self.source) * self.weight) @ beside).reshape(-1)
        told = (shares > OUTSIDE) & (energy > 0.1)
        grid = grid[told]
        masked = np.flatnonzero(~self.outside)
        if not len(grid) or not len(masked):
            return grid, np.ones(len(grid), np.float32)
        some = np.divmod(masked[:: max(1, len(masked) // 400)], columns)
        y, x = ((grid[:, axis, None] + side / 2 - some[axis]) ** 2 for axis in (0, 1))
        away = np.sqrt((y + x).min(axis=1))
        nearest = np.argsort(away)[:MOST_TILES]
        near = 1 / (1 + (np.maximum(away[nearest] - side / 2, 0) / side) ** 2)
        return grid[nearest], near.astype(np.float32)

    @property
    def same(self) -> bool:
        """Whether there is next to no difference."""
        return float((np.abs(self.source - self.answer) * self.weight).sum()) < 0.02 * float(
            self.weight.sum()
        )

    @functools.cached_property
    def _ring(self) -> tuple[Box, Floats]:
        """The part of the picture around the mask that is looked at closely, and what of it counts."""
        rows, columns = self.source.shape
        there = np.flatnonzero((~self.outside).any(axis=1)), np.flatnonzero((~self.outside).any(axis=0))
        box = (0, 0, columns, rows)
        if len(there[0]):
            box = (
                max(0, int(there[1][0]) - REACH),
                max(0, int(there[0][0]) - REACH),
                min(columns, int(there[1][-1]) + 1 + REACH),
                min(rows, int(there[0][-1]) + 1 + REACH),
            )
        weight = self.weight[box[1] : box[3], box[0] : box[2]]
        masked = ~self.outside[box[1] : box[3], box[0] : box[2]]
        return box, weight * (_near(masked, REACH) > 0)

    def _read(self, model: Numbers) -> Floats:
        """The answer's edges around the mask as they lie once moved back."""
        tx, ty, a, b = (float(value) for value in model)
        left, top, right, bottom = self._ring[0]
        rows = (1 + a, -b, tx + left + a * left - b * top, b, 1 + a, ty + top + b * left + a * top)
        size = right - left, bottom - top
        picture = Image.fromarray(self.answer)
        return np.asarray(picture.transform(size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC))

    def refined(self, model: Numbers) -> Numbers:
        """The model to a few hundredths of a pixel, by the slopes of the edges around the mask."""
        (left, top, right, bottom), ring = self._ring
        source = self.source[top:bottom, left:right]
        places = np.flatnonzero(ring > 0.5)
        told: Any = np.divmod(places[:: max(1, len(places) // TELLING)], right - left)
        y, x = told[0] + top, told[1] + left
        source, ring = source[told], ring[told]
        if len(x) < 200:
            return model
        for _ in range(2):
            back = self._read(model)
            down, across = _slopes(back, told)
            back = back[told]
            strength = float((source * back * ring).sum() / max(float((back * back * ring).sum()), 1e-6))
            error = source - strength * back
            scale = 2 * float(np.median(np.abs(error))) + 0.1
            weight = ring / (1 + (error / scale) ** 2) ** 2
            terms = [across, down]
            if model[2] or model[3]:
                terms += [across * x + down * y, down * x - across * y]
            design = strength * np.stack(terms, axis=1)
            square = (design * weight[:, None]).T @ design
            more = np.linalg.lstsq(square, (design * weight[:, None]).T @ error, rcond=None)[0]
            if not np.isfinite(more).all() or np.abs(more[:2]).max() > 1 + 0.01 * max(
                self.source.shape
            ) * len(more[2:]):
                break
            model = model + np.concatenate((more, np.zeros(4 - len(more))))
        return model

    def better(self, model: Numbers) -> bool:
        """Whether the ring's edges agree better once moved back."""
        (left, top, right, bottom), ring = self._ring
        source, as_it_is = (edges[top:bottom, left:right] for edges in (self.source, self.answer))
        # As soft as the one that was moved, so that what is softer does not win by that.
        as_it_is = _softened(as_it_is, float(model[0]), float(model[1]))
        return _apart(source, self._read(model), ring) < BETTER * _apart(source, as_it_is, ring)


def _slopes(plane: Floats, places: Any) -> tuple[Floats, Floats]:
    """How steeply a plane rises down and across at some places."""
    (rows, columns), (height, width) = places, plane.shape
    above, below = np.maximum(rows - 1, 0), np.minimum(rows + 1, height - 1)
    before, after = np.maximum(columns - 1, 0), np.minimum(columns + 1, width - 1)
    down = (plane[below, columns] - plane[above, columns]) / np.maximum(below - above, 1)
    across = (plane[rows, after] - plane[rows, before]) / np.maximum(after - before, 1)
    return down, across


def _softened(edges: Floats, right: float, down: float) -> Floats:
    """Read between pixels, as what is moved by so much is, and back where it was."""
    height, width = edges.shape
    for sign in (0.5, -0.5):
        x, y = 1 + sign * (right % 1), 1 + sign * (down % 1)
        picture = Image.fromarray(np.pad(edges, 1, "edge"))
        box = (x, y, x + width, y + height)
        edges = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box))
    return edges


def _apart(one: Floats, other: Floats, weight: Floats) -> float:
    """How far edges differ once they are as strong as the others."""
    strength = float((one * other * weight).sum() / max(float((other * other * weight).sum()), 1e-6))
    strength = min(max(strength, 0.3), 3.0)
    return float((np.minimum(np.abs(one - strength * other), 24) * weight).sum())


def _quick(length: int) -> int:
    """A length that is transformed quickly, and has room for what moves over the end."""
    length = length + 16
    return min(
        two * three * five
        for three in (1, 3, 9)
        for five in (1, 5)
        for two in (1 << math.ceil(math.log2(max(1, length / (three * five)))),)
        if two * three * five >= length
    )


def _whitened(one: Numbers, other: Numbers) -> Numbers:
    cross = other * np.conj(one)
    strength = np.abs(cross)
    return np.asarray(cross / (strength + 1e-3 * strength.mean(axis=(-2, -1), keepdims=True) + 1e-9))


def _peak(peaks: Numbers, most_down: int, most_right: int) -> tuple[Numbers, Numbers, Numbers]:
    """Where each plane is highest, down and right of its origin, between pixels; and how plainly that stands out."""
    count = len(peaks)
    around = np.roll(peaks, (most_down, most_right), axis=(1, 2))[
        :, : 2 * most_down + 1, : 2 * most_right + 1
    ]
    flat = around.reshape(count, -1)
    at = flat.argmax(axis=1)
    row, column = np.divmod(at, around.shape[2])
    each = np.arange(count)
    height = flat[each, at]
    plain = height / (flat.std(axis=1) + 1e-9)

    def between(low: Numbers, high: Numbers) -> Numbers:
        # A peak of a whitened correlation between pixels falls to its neighbours by their distance.
        low, high = np.maximum(low, 0), np.maximum(high, 0)
        side = np.where(high > low, high, -low)
        return np.asarray(np.where(np.abs(side) > 0, side / (height + np.abs(side) + 1e-9), 0.0), np.float64)

    last_row, last_column = around.shape[1] - 1, around.shape[2] - 1
    down = between(
        around[each, np.maximum(row - 1, 0), column], around[each, np.minimum(row + 1, last_row), column]
    )
    right = between(
        around[each, row, np.maximum(column - 1, 0)], around[each, row, np.minimum(column + 1, last_column)]
    )
    return row - most_down + down, column - most_right + right, plain


def _cut(picture: Numbers, corners: NDArray[np.int64], side: int) -> Floats:
    views = np.lib.stride_tricks.sliding_window_view(picture, (side, side))
    return np.asarray(views[corners[:, 0], corners[:, 1]], np.float32)


def _means(starts: NDArray[np.int64], side: int, length: int) -> Floats:
    """What takes the mean of `side` rows from each start, (starts, length)."""
    places = np.arange(length)
    inside = (places >= starts[:, None]) & (places < starts[:, None] + side)
    return inside.astype(np.float32) / np.float32(side)

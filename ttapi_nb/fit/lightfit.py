"""Which change of light explains best how an answer differs from the source, where both show the same thing.

Each channel of the answer is the source's plus something, times something, or lit by so much more or less; the same all
over, or leaning or bending across the picture. What is chosen is what tells best of cells that it was not made from.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .seam import Floats

__all__ = ["Kind", "Model", "best_model", "from_light", "to_light"]

Kind: TypeAlias = Literal["none", "added", "times", "light", "both"]

# So many cells tell as much as all of them.
SAMPLE = 1500
FOLDS = 3
# Cells that lie together are left out together, or each would be told by its neighbour.
BLOCK = 8
ROUNDS = 4
# A model with more to it has to be better by this share, and by so many levels.
BETTER, LEVELS = 0.94, 0.06
# An error beyond this is another thing in the picture, however large it is.
CAPPED = 24.0
LEAST_SCALE = 1.5
LEAST_CELLS = 12
MOST_FACTOR = 4.0


def to_light(levels: Floats) -> Floats:
    """SRGB levels, 0 to 255, as linear light, 0 to 1."""
    share = np.clip(levels, 0, 255) / np.float32(255)
    return np.where(
        share <= 0.04045, share / 12.92, np.power((share + 0.055) / 1.055, 2.4, dtype=np.float32)
    ).astype(np.float32)


def from_light(light: Floats) -> Floats:
    """Linear light as sRGB levels."""
    light = np.maximum(light, 0)
    share = np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4, dtype=np.float32) - 0.055
    )
    return (share * np.float32(255)).astype(np.float32)


def basis(x: Floats, y: Floats) -> Floats:
    """The terms of places whose x and y run from -1 to 1: 1, x, y, their squares and cubes, along a last axis."""
    xx, yy = x * x, y * y
    return np.stack((np.ones_like(x), x, y, xx, x * y, yy, xx * x, xx * y, x * yy, yy * y), axis=-1)


@dataclass(frozen=True, eq=False)
class Model:
    """A change of light: its kind, and what it weighs each term by, (channels, terms).

    Places are given by their terms: see `basis`.
    """

    kind: Kind
    weights: Floats

    @property
    def terms(self) -> int:
        """How many terms of the place it has."""
        return int(self.weights.shape[1]) - (self.kind == "both")

    def factor_and_sum(self, terms: Floats) -> tuple[Floats | None, Floats | None]:
        """What the source is multiplied by, and what is added to that, for each place and channel; None for nothing."""
        if self.kind == "none":
            return None, None
        places = terms[..., : self.terms] @ self.weights[:, : self.terms].T
        if self.kind == "added":
            return None, places
        factor = np.clip(places, 1 / MOST_FACTOR, MOST_FACTOR)
        if self.kind == "both":
            return factor, np.broadcast_to(self.weights[:, -1], places.shape)
        return factor, None

    def undone(self, answer: Floats, terms: Floats) -> Floats:
        """The answer's levels as the source would have them."""
        factor, added = self.factor_and_sum(terms)
        if self.kind == "light" and factor is not None:
            return from_light(to_light(answer) / factor)
        levels = answer if added is None else answer - added
        return levels if factor is None else np.asarray(levels / factor, np.float32)


NOTHING = Model("none", np.zeros((3, 1), np.float32))
KINDS: tuple[Kind, ...] = ("added", "times", "light", "both")
# Simplest first: of two that explain the same, the simpler is taken.
TERMS = (1, 3, 6, 10)
# Where so little is left to explain, in levels, nothing is looked for any more.
ENOUGH = 0.35


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells that both pictures show: levels (cells, 3), the terms of their places (cells, terms), which channels are
    not clipped (cells, 3), and how near they are to the mask, by which they count.
    """

    source: Floats
    answer: Floats
    terms: Floats
    whole: NDArray[np.bool_]
    near: Floats


class _Planes:
    """Cells by channels, (channels, cells), as numpy takes a tenth of the time along a long axis; and what of them does
    not depend on the model.
    """

    def __init__(
        self, source: Floats, answer: Floats, terms: Floats, whole: Floats, near: Floats, light: _Light | None
    ) -> None:
        self.source, self.answer, self.terms, self.whole, self.near = source, answer, terms, whole, near
        self._light = light
        self.told = whole * near
        self._starts: dict[Kind, Floats] = {}

    @classmethod
    def of(cls, cells: Cells, some: NDArray[np.int64] | None) -> _Planes:
        """These, or some of them."""
        planes = cells.source, cells.answer, cells.terms, cells.whole
        source, answer, terms, whole = (
            np.ascontiguousarray((plane if some is None else plane[some]).T, np.float32) for plane in planes
        )
        near = cells.near if some is None else cells.near[some]
        return cls(source, answer, terms, whole, np.asarray(near, np.float32), None)

    def some(self, which: NDArray[np.int64]) -> _Planes:
        planes = (plane.take(which, axis=1) for plane in (self.source, self.answer, self.terms, self.whole))
        source, answer, terms, whole = planes
        light = None if self._light is None else _Light(*(one.take(which, axis=1) for one in self._light))
        return _Planes(source, answer, terms, whole, self.near.take(which), light)

    @property
    def light(self) -> _Light:
        """Both in linear light, in which an error of one level is smaller the darker it is."""
        if self._light is None:
            source = to_light(self.source)
            self._light = _Light(
                source, to_light(self.answer), np.power(source + np.float32(0.02), np.float32(-0.6))
            )
        return self._light

    @functools.cached_property
    def tells(self) -> NDArray[np.bool_] | None:
        """Which channels are not clipped nearly everywhere; None where all are alike in that."""
        told = np.count_nonzero(self.whole, axis=1) >= LEAST_CELLS
        return told if told.any() and not told.all() else None

    def start(self, kind: Kind) -> Floats:
        """Where to start from, for each channel: the medians."""
        if kind not in self._starts:
            self._starts[kind] = self._start(kind)
        return self._starts[kind]

    def _start(self, kind: Kind) -> Floats:
        first = np.zeros(3, np.float32)
        sources, answers = self.light[:2] if kind == "light" else (self.source, self.answer)
        for channel in range(3):
            good = self.whole[channel] > 0
            source, answer = sources[channel][good], answers[channel][good]
            if kind == "added":
                first[channel] = _median(answer - source) if len(source) else 0
                continue
            told = source > (0.01 if kind == "light" else 16)
            first[channel] = _median(answer[told] / source[told]) if told.any() else 1
        return first

    def error(self, model: Model) -> Floats:
        """By how many levels each is off that the model leaves."""
        kind, weights = model.kind, model.weights
        if kind == "none":
            return np.abs(np.subtract(self.answer, self.source))
        places = weights[:, : model.terms] @ self.terms[: model.terms]
        if kind == "added":
            made = self.answer - places
        else:
            np.clip(places, 1 / MOST_FACTOR, MOST_FACTOR, out=places)
            if kind == "light":
                made = from_light(self.light.answer / places)
            else:
                made = (self.answer - weights[:, -1:] if kind == "both" else self.answer) / places
        made -= self.source
        return np.abs(made, out=made)

    def mean_error(self, model: Model) -> float:
        """As `error_of`."""
        error = np.minimum(self.error(model), CAPPED)
        return float((error * self.told).sum() / max(float(self.told.sum()), 1e-6))


class _Light(NamedTuple):
    source: Floats
    answer: Floats
    even: Floats


def best_model(cells: Cells, blocks: NDArray[np.int64]) -> Model:
    """The model that explains the cells best; `blocks` tells which of them lie together."""
    some = None
    if len(blocks) > SAMPLE:
        some = np.linspace(0, len(blocks) - 1, SAMPLE).astype(np.int64)
        blocks = blocks[some]
    planes = _Planes.of(cells, some)
    lowest, best = planes.mean_error(NOTHING), NOTHING
    folds = blocks % FOLDS
    split = [(np.flatnonzero(folds != number), np.flatnonzero(folds == number)) for number in range(FOLDS)]
    split = [(known, asked) for known, asked in split if len(known) >= LEAST_CELLS and len(asked)]
    if not split:
        return best
    _ = planes.light
    parts = [(planes.some(known), planes.some(asked)) for known, asked in split]
    count = sum(len(asked) for _, asked in split)
    for terms in TERMS:
        before = lowest
        for kind in KINDS:
            model = Model(kind, np.zeros((3, terms + (kind == "both")), np.float32))
            error = sum(
                asked.mean_error(_fitted(known, kind, terms)) * len(asked.near) for known, asked in parts
            )
            if error / count < min(BETTER * lowest, lowest - LEVELS):
                lowest, best = error / count, model
        if lowest < ENOUGH or (lowest == before and terms > 1):
            break
    return best if best is NOTHING else _fitted(planes, best.kind, best.terms)


def error_of(model: Model, cells: Cells) -> float:
    """The mean error that the model leaves, in levels; what differs altogether counts as `CAPPED`."""
    error = np.abs(model.undone(cells.answer, cells.terms) - cells.source)
    told = cells.whole * cells.near[:, None]
    return float((np.minimum(error, CAPPED) * told).sum() / max(float(told.sum()), 1e-6))


def _fitted(planes: _Planes, kind: Kind, terms: int) -> Model:
    """The model of that kind that fits most cells best; those that fit it ill count for little."""
    places = planes.terms[:terms]
    source, answer = planes.light[:2] if kind == "light" else (planes.source, planes.answer)
    if kind == "added":
        target = answer - source
        design = np.broadcast_to(places, (3, *places.shape))
    else:
        target = answer
        design = source[:, None] * places
    if kind == "both":
        design = np.concatenate((design, np.ones_like(source)[:, None]), axis=1)
    told = planes.told * planes.light.even if kind == "light" else planes.told
    weights = np.zeros((3, design.shape[1]), np.float32)
    weights[:, 0] = planes.start(kind)
    model = Model(kind, weights)
    for _ in range(ROUNDS):
        error = planes.error(model)
        error *= planes.whole
        worst = np.maximum(np.maximum(error[0], error[1]), error[2])
        worst /= np.float32(max(LEAST_SCALE, 1.5 * _median(worst)))
        worst *= worst
        worst += 1
        worst *= worst
        model = Model(kind, _as_the_others(_solved(design, target, told / worst), planes))
    return model


def _median(values: Floats) -> float:
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    parted = np.partition(values, (middle - 1, middle))
    return float(parted[middle - 1] + parted[middle]) / 2


def _as_the_others(weights: Floats, planes: _Planes) -> Floats:
    """A channel that is clipped nearly everywhere tells nothing of its own light, which is the others' then."""
    told = planes.tells
    if told is not None:
        weights[~told] = weights[told].mean(axis=0)
    return weights


def _solved(design: Floats, target: Floats, weight: Floats) -> Floats:
    """Weighted least squares for each channel: (channels, terms, cells), (channels, cells), the same."""
    weighed = design * weight[:, None]
    square = (weighed @ design.transpose(0, 2, 1)).astype(np.float64)
    side = (weighed @ target[..., None]).astype(np.float64)
    # So little that it only matters where a term is not told by anything.
    size = square.shape[1]
    diagonal = np.einsum("cii->ci", square)
    diagonal += 1e-6 * diagonal.mean(axis=1, keepdims=True) + 1e-9
    solved = side / square if size == 1 else np.linalg.solve(square, side)
    return solved[..., 0].astype(np.float32)

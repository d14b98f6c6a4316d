"""Which change of light explains best how an answer differs from the source, where both show the same thing.

Each channel of the answer is the source's plus something, times something, or lit by so much more or less; the same all
over, or leaning or bending across the picture. What is chosen is what tells best of cells that it was not made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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

    def of(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Cells:
        source, answer, terms = self.source[which], self.answer[which], self.terms[which]
        return Cells(source, answer, terms, self.whole[which], self.near[which])


def best_model(cells: Cells, blocks: NDArray[np.int64]) -> Model:
    """The model that explains the cells best; `blocks` tells which of them lie together."""
    if len(blocks) > SAMPLE:
        some = np.linspace(0, len(blocks) - 1, SAMPLE).astype(np.int64)
        cells, blocks = cells.of(some), blocks[some]
    folds = blocks % FOLDS
    parts = [(cells.of(folds != number), cells.of(folds == number)) for number in range(FOLDS)]
    parts = [(known, asked) for known, asked in parts if len(known.near) >= 12 and len(asked.near)]
    lowest, best = error_of(NOTHING, cells), NOTHING
    if not parts:
        return best
    count = sum(len(asked.near) for _, asked in parts)
    for terms in TERMS:
        before = lowest
        for kind in KINDS:
            model = Model(kind, np.zeros((3, terms + (kind == "both")), np.float32))
            errors = [error_of(fitted(known, kind, terms), asked) * len(asked.near) for known, asked in parts]
            if sum(errors) / count < min(BETTER * lowest, lowest - LEVELS):
                lowest, best = sum(errors) / count, model
        if lowest < ENOUGH or (lowest == before and terms > 1):
            break
    return best if best is NOTHING else fitted(cells, best.kind, best.terms)


def error_of(model: Model, cells: Cells) -> float:
    """The mean error that the model leaves, in levels; what differs altogether counts as `CAPPED`."""
    error = np.abs(model.undone(cells.answer, cells.terms) - cells.source)
    told = cells.whole * cells.near[:, None]
    return float((np.minimum(error, CAPPED) * told).sum() / max(float(told.sum()), 1e-6))


def fitted(cells: Cells, kind: Kind, terms: int) -> Model:
    """The model of that kind that fits most cells best; those that fit it ill count for little."""
    places = cells.terms[:, :terms]
    source, answer = cells.source, cells.answer
    if kind == "light":
        source, answer = to_light(source), to_light(answer)
    target = answer - source if kind == "added" else answer
    by = np.ones_like(source) if kind == "added" else source
    design = places[:, None, :] * by[..., None]
    if kind == "both":
        design = np.concatenate((design, np.ones_like(source)[..., None]), axis=2)
    # In linear light an error of one level is smaller the darker it is.
    even = 1 / (source + 0.02) ** 0.6 if kind == "light" else np.ones_like(source)
    even = even * cells.whole * cells.near[:, None]
    model = Model(kind, _first(kind, terms, cells))
    for _ in range(ROUNDS):
        error = np.abs(model.undone(cells.answer, cells.terms) - cells.source)
        worst = np.where(cells.whole, error, 0).max(axis=1)
        scale = max(LEAST_SCALE, 1.5 * float(np.median(worst)))
        weight = even * (1 / (1 + (worst / scale) ** 2) ** 2)[:, None]
        model = Model(kind, _as_the_others(_solved(design, target, weight), cells))
    return model


def _as_the_others(weights: Floats, cells: Cells) -> Floats:
    """A channel that is clipped nearly everywhere tells nothing of its own light, which is the others' then."""
    told = np.count_nonzero(cells.whole, axis=0) >= LEAST_CELLS
    if told.any() and not told.all():
        weights[~told] = weights[told].mean(axis=0)
    return weights


def _first(kind: Kind, terms: int, cells: Cells) -> Floats:
    """Where to start from: the medians."""
    weights = np.zeros((3, terms + (kind == "both")), np.float32)
    for channel in range(3):
        good = cells.whole[:, channel]
        source, answer = cells.source[good, channel], cells.answer[good, channel]
        if kind == "added":
            weights[channel, 0] = np.median(answer - source) if len(source) else 0
            continue
        if kind == "light":
            source, answer = to_light(source), to_light(answer)
        told = source > (0.01 if kind == "light" else 16)
        weights[channel, 0] = np.median(answer[told] / source[told]) if told.any() else 1
    return weights


def _solved(design: Floats, target: Floats, weight: Floats) -> Floats:
    """Weighted least squares for each channel: (cells, channels, terms), (cells, channels), the same."""
    design, target, weight = design.transpose(1, 0, 2), target.T, weight.T
    weighed = design * weight[..., None]
    square = (weighed.transpose(0, 2, 1) @ design).astype(np.float64)
    side = (weighed.transpose(0, 2, 1) @ target[..., None]).astype(np.float64)
    # So little that it only matters where a term is not told by anything.
    size = square.shape[1]
    square += np.eye(size) * (1e-6 * np.trace(square, axis1=1, axis2=2) / size + 1e-9)[:, None, None]
    return np.linalg.solve(square, side)[..., 0].astype(np.float32)

"""How an answer's light and colours are off, told by the ring outside the mask and evened out inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .clipped import BLACK, FEWEST, NEAR, WHITE, Clipped, clipped_of
from .evening import Evening, Field, planes_of
from .fields import boxed, spread
from .lightfit import NOTHING, Cells, Kind, Model, basis, best_model, error_of, from_light, to_light
from .look import Look, by_squares
from .seam import Coarse, Floats

__all__ = ["Evening", "Light", "evening_of"]

# Light is compared on a grid with at most so many cells a side, and clipped pixels looked for among so many.
GRID, SAMPLES = 192, 768
# A cell that is off by more than this after all is another thing; where so few are not, nothing is evened out.
ALIKE, AGREEMENT = 12.0, 0.3
# A change as large as this has to be seen in the shapes too: what is left may be so much of what the ring shows.
LARGE, LEFT = 20.0, 0.5
# On what is as flat as this nothing shows, and a change beyond this many levels is not taken for one of colours.
FLAT, MOST = 4.0, 64.0
# What is taken has to lower the ring's error by this share and by so many levels.
BETTER, LEVELS = 0.98, 0.05
# How far from white what is lost is mixed in: by as much as white itself is moved, but for a few levels, and by at
# most so much. A cast of 14 leaves a bright sky alone that is not clipped.
MOST_NEAR, FEW = 64, 8
# What the ring tells far from the mask counts for so much of what it tells right beside it.
FAR = 0.1
# Cells between which a field is smoothed.
RADIUS = 3
# How far a field may differ from what explains the ring as a whole.
MOST_FIELD = 1.3


@dataclass(frozen=True)
class Light:
    """How much redder, greener and bluer the answer was than the source, in levels of 255: the mean of what was
    evened out inside the mask.

    * `kind`: what explained it: `"added"` levels, a factor (`"times"`), more or less light (`"light"`, a factor in
      linear light), `"both"` a factor and levels, or `"none"`: the answer's light was right.
    * `factors`: the factor of red, green and blue in the mask's middle, where there is one.
    * `varies`: whether it differs from place to place by more than a little.
    """

    red: float
    green: float
    blue: float
    kind: Kind = "added"
    factors: tuple[float, float, float] | None = None
    varies: bool = False

    @property
    def visible(self) -> bool:
        """Whether it was a level or more."""
        return max(map(abs, (self.red, self.green, self.blue))) >= 1

    def __str__(self) -> str:
        mean = f"{self.red:+.1f} red, {self.green:+.1f} green and {self.blue:+.1f} blue of 255"
        if self.kind == "none":
            return f"colours agreed ({mean}), and were left as they came"
        place = ", more in one place than in another" if self.varies else ""
        if self.factors is None:
            return f"colours had shifted by {mean}{place}, which was evened out"
        low, high = min(self.factors), max(self.factors)
        if high < 1.04 * low:
            share = sum(self.factors) / 3 - 1
            amount = f"{abs(share):.0%} {'lighter' if share > 0 else 'darker'}"
        else:
            amount = "red, green and blue times " + ", ".join(f"{factor:.2f}" for factor in self.factors)
        light = " in linear light" if self.kind == "light" else ""
        return f"the answer was {amount}{light}{place} ({mean}), which was evened out"


@dataclass(frozen=True, eq=False)
class _Grid:
    """Source and answer on the grid, (rows, columns, 3), in cells of `step` pixels, `times` of those that are looked
    at; which cells are outside the mask, and which channels are not clipped there.
    """

    step: int
    times: int
    source: Floats
    answer: Floats
    ring: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    terms: Floats
    near: Floats

    def cells(self, which: NDArray[np.bool_]) -> Cells:
        source, answer, terms = self.source[which], self.answer[which], self.terms[which]
        return Cells(source, answer, terms, self.whole[which], self.near[which])


def evening_of(look: Look, *, whole: bool = False) -> tuple[Evening | None, Light | None]:
    """What evens the answer's light out, and that in words; both None where the two have too little in common.

    With `whole` it is that of the answer as a whole, and not above all that beside the mask: what is darker here and
    there, as a shadow makes it, is left.
    """
    grid = _grid_of(look)
    if whole:
        grid = replace(grid, near=np.ones_like(grid.near))
    if np.count_nonzero(grid.ring & grid.whole.any(axis=2)) < 8:
        return None, None
    cells = grid.cells(grid.ring)
    rows, columns = np.nonzero(grid.ring)
    model = best_model(cells, rows // 8 * 7 + columns // 8 * 3)
    if not _agrees(model, cells):
        return None, None
    if model is NOTHING and error_of(NOTHING, cells) < 0.02:
        return None, Light(0.0, 0.0, 0.0, "none")
    factor, added = model.factor_and_sum(grid.terms)
    made = model.undone(grid.answer, grid.terms)
    bent = False
    if not whole:
        made, factor, added, bent = _with_field(grid, model, made, factor, added)
    before, after = (_ring_error(grid, levels) for levels in (grid.answer, made))
    if not after < BETTER * before - LEVELS:
        return None, Light(0.0, 0.0, 0.0, "none")
    evening = Evening(model.kind == "light", _field(factor, grid.step), _field(added, grid.step))
    lost, near = _lost(grid, evening, look)
    even = model.kind != "none" and model.terms == 1 and not bent
    evening = replace(evening, lost=lost, near=near, even=even)
    if not whole:
        evening = replace(evening, clipped=_clipped(evening, look))
    return evening, _told(grid, model, made, factor)


def _grid_of(look: Look) -> _Grid:
    times = max(1, math.ceil(max(look.answer.size) / GRID))
    ring = np.asarray(Image.fromarray((~look.outside).astype(np.uint8) * 255).reduce(times)) == 0
    planes = []
    for picture in (look.source, look.answer):
        small = picture.reduce(times)
        if small.mode == "RGBA":
            ring = ring & (np.asarray(small.getchannel("A")) == 255)
        planes.append(np.asarray(small, np.float32)[..., :3])
    ends = [255 if level > WHITE or level < BLACK else 0 for level in range(256)] * 3
    whole = np.asarray(look.answer.convert("RGB").point(ends).reduce(times)) < 8
    rows, columns = ring.shape
    y, x = np.meshgrid(
        np.linspace(-1, 1, rows, dtype=np.float32),
        np.linspace(-1, 1, columns, dtype=np.float32),
        indexing="ij",
    )
    masked = (~ring).astype(np.float32)[..., None]
    reach = max(4, round(math.sqrt(np.count_nonzero(~ring)) / 4))
    near = boxed(masked, reach)[..., 0]
    near = FAR + near / max(float(near[ring].max(initial=0.0)), 1e-6)
    return _Grid(look.step * times, times, planes[0], planes[1], ring, whole, basis(x, y), near)


def _agrees(model: Model, cells: Cells) -> bool:
    """Whether enough of the ring shows the same thing in both once the light is evened out."""
    error = np.abs(model.undone(cells.answer, cells.terms) - cells.source)
    alike = np.where(cells.whole, error, 0).max(axis=1) <= ALIKE
    alike &= cells.whole.any(axis=1)
    if np.count_nonzero(alike) < AGREEMENT * len(alike):
        return False
    # A clipped channel tells nothing of either.
    seen = [(channel, alike & cells.whole[:, channel]) for channel in range(3)]
    told = [
        (cells.source[some, channel], cells.answer[some, channel], error[some, channel])
        for channel, some in seen
        if some.any()
    ]
    moved = max(abs(float(np.median(answer - source))) for source, answer, _ in told)
    if moved < LARGE:
        return True
    # A wall and another wall are alike in being walls.
    shapes, left = (
        float(np.concatenate(parts).mean())
        for parts in zip(*((np.abs(source - np.median(source)), off) for source, _, off in told), strict=True)
    )
    if left < LEFT * shapes:
        return True
    if moved < MOST:
        return shapes < FLAT
    # Light that goes up or down does so in all three, near enough; by the very same factor it is one grey for another.
    factors = [(np.median(answer) + 1) / (np.median(source) + 1) for source, answer, _ in told]
    return bool(
        shapes < FLAT and max(factors) < 1.4 * min(factors) and 0.33 < min(factors) < max(factors) < 3
    )


def _with_field(
    grid: _Grid, model: Model, made: Floats, factor: Floats | None, added: Floats | None
) -> tuple[Floats, Floats | None, Floats | None, bool]:
    """With what neighbours in the ring have in common beyond the model, where that lowers the ring's error."""
    error = np.abs(made - grid.source)
    # What is clipped tells nothing of light, and what differs altogether is another thing.
    usual = float(np.median(error[grid.ring].max(axis=1)))
    like = grid.ring & (error.max(axis=2) <= max(ALIKE, 3 * usual))
    weight = (like[..., None] & grid.whole).astype(np.float32)
    near = boxed(weight, RADIUS)
    known = (near > 0.02).astype(np.float32)
    if model.kind in ("times", "light"):
        one, other = (to_light(made), to_light(grid.source)) if model.kind == "light" else (made, grid.source)
        # Dark cells tell little of a factor.
        least = np.float32(0.02 if model.kind == "light" else 24.0) ** 2
        more: Any = (boxed(one * other * weight, RADIUS) + least * near) / (
            boxed(other * other * weight, RADIUS) + least * np.maximum(near, 1e-6)
        )
        more = np.clip(spread(more, known), 1 / MOST_FIELD, MOST_FIELD)
        new: Floats = np.asarray(one / more, np.float32)
        new = from_light(new) if model.kind == "light" else new
        fields: tuple[Floats | None, Floats | None] = (more if factor is None else factor * more, added)
    else:
        more = np.asarray(boxed((made - grid.source) * weight, RADIUS) / np.maximum(near, 1e-6), np.float32)
        more = spread(more, known)
        new = made - more
        if model.kind == "both" and factor is not None:
            more = more * factor
        fields = (factor, more if added is None else added + more)
    if not _ring_error(grid, new) < BETTER * _ring_error(grid, made) - LEVELS:
        return made, factor, added, False
    return new, *fields, True


def _ring_error(grid: _Grid, levels: Floats) -> float:
    error = np.minimum(np.abs(np.clip(levels, 0, 255) - grid.source), 2 * ALIKE)
    told = (grid.ring[..., None] & grid.whole) * grid.near[..., None]
    return float((error * told).sum() / max(float(told.sum()), 1e-6))


def _field(values: Floats | None, step: int) -> Field | None:
    """Values (rows, columns, 3), each channel by itself."""
    if values is None:
        return None
    return tuple(Coarse(np.ascontiguousarray(values[..., channel], np.float32), step) for channel in range(3))


def _lost(
    grid: _Grid, evening: Evening, look: Look
) -> tuple[tuple[tuple[int, Coarse | None, Coarse | None], ...], float]:
    """What stands for levels that the answer clipped: what the source has in the ring where the answer is clipped; and
    how many levels from white that is mixed in.
    """
    before, after = planes_of(look.source), planes_of(look.answer)
    middle = grid.ring.shape[1] * grid.step // 2, grid.ring.shape[0] * grid.step // 2
    there = *middle, middle[0] + 1, middle[1] + 1
    sides: list[dict[int, Coarse | None]] = []
    moved = 0.0
    for level in (255, 0):
        ends = [plane >= WHITE if level else plane <= BLACK for plane in after]
        flat = [np.full((1, 1), level, np.uint8)] * 3
        became = [float(plane[0, 0]) for plane in evening.applied(flat, there)]
        moved = max(255 - min(became), moved) if level else moved
        # As they are gone together, or where that is nowhere in the ring one by one.
        together = look.outside & ends[0] & ends[1] & ends[2]
        known = [together] * 3
        if np.count_nonzero(together) < FEWEST:
            known = [look.outside & end for end in ends]
        # Only what was moved off the end can have been lost there.
        lost = [channel for channel in range(3) if (became[channel] < 253 if level else became[channel] > 2)]
        sides.append({channel: _mean_where(before[channel], known[channel], grid) for channel in lost})
    whites, blacks = sides
    by_channel = [(channel, whites.get(channel), blacks.get(channel)) for channel in range(3)]
    told = tuple(one for one in by_channel if one[1] is not None or one[2] is not None)
    return told, min(MOST_NEAR, max(NEAR, moved - FEW))


def _clipped(evening: Evening, look: Look) -> Clipped | None:
    box = (0, 0, *look.answer.size)
    shrunk = evening.shrunk(look.step)
    return clipped_of(
        planes_of(look.source),
        planes_of(look.answer),
        lambda colours, at: shrunk.applied(colours, box, at),
        look.outside,
    )


def _mean_where(levels: NDArray[np.uint8], known: NDArray[np.bool_], grid: _Grid) -> Coarse | None:
    if np.count_nonzero(known) < FEWEST:
        return None
    weight, total = (
        by_squares(plane, grid.times, np.add, np.float32)[..., None]
        for plane in (known, np.where(known, levels, np.uint8(0)))
    )
    near = boxed(weight, RADIUS)
    mean = np.asarray(boxed(total, RADIUS) / np.maximum(near, 1e-6), np.float32)
    return Coarse(np.ascontiguousarray(spread(mean, (near > 1e-3).astype(np.float32))[..., 0]), grid.step)


def _told(grid: _Grid, model: Model, made: Floats, factor: Floats | None) -> Light:
    inside = ~grid.ring
    change = (grid.answer - made)[inside]
    red, green, blue = (float(level) for level in change.mean(axis=0))
    varies = bool((np.percentile(change, 95, axis=0) - np.percentile(change, 5, axis=0)).max() > 6)
    if factor is None or model.kind == "added":
        return Light(red, green, blue, "added", None, varies)
    spots = factor[inside]
    middle = np.median(spots, axis=0)
    spread_ = (np.percentile(spots, 95, axis=0) / np.percentile(spots, 5, axis=0)).max()
    return Light(
        red,
        green,
        blue,
        model.kind,
        (float(middle[0]), float(middle[1]), float(middle[2])),
        bool(spread_ > 1.05),
    )

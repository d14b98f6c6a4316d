"""How an answer's light and colours are off, told by the ring outside the mask and evened out inside it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .clipped import BLACK, FEWEST, WHITE, Clipped, clipped_of
from .fields import boxed, spread
from .geometry import Box
from .lightfit import NOTHING, Cells, Kind, Model, basis, best_model, error_of, from_light, to_light
from .look import Look
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
# How far from white what is lost is mixed in: by as much as white itself is moved, but for a few levels, and within
# these. A cast of 14 leaves a bright sky alone that is not clipped.
LEAST_NEAR, MOST_NEAR, FEW = 6, 64, 8
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
class Evening:
    """What evens an answer's light out: a factor and a sum for each place, and what stands for what was clipped.

    `even`: they are the same everywhere.
    """

    linear: bool
    factor: Coarse | None
    added: Coarse | None
    lost: tuple[tuple[int, Coarse | None, Coarse | None], ...] = ()
    even: bool = False
    near: float = LEAST_NEAR
    clipped: Clipped | None = None

    def applied(self, colours: NDArray[np.uint8], box: Box) -> Floats:
        """Colours (height, width, 3) of the answer's part `box` as the source would have them, not rounded."""
        if self.even:
            made = np.empty(colours.shape, np.float32)
            for channel in range(3):
                np.take(self._levels[:, channel], colours[..., channel], out=made[..., channel])
        else:
            made = self._moved(colours, box)
        if self.clipped is not None:
            self.clipped.mend(made, colours)
        # What was clipped in all three: there no channel tells what it was.
        if not self.lost:
            return made
        whiter = np.clip((_LEVELS - (WHITE - self.near)) / self.near, 0, 1).astype(np.float32)
        planes = [colours[..., channel] for channel in range(3)]
        flat = made.reshape(-1, 3)
        for end, shares, least, most in (
            (0, whiter, np.minimum, np.maximum),
            (1, _BLACKER, np.maximum, np.minimum),
        ):
            if all(lost[end + 1] is None for lost in self.lost):
                continue
            low = least(least(planes[0], planes[1]), planes[2]).reshape(-1)
            at = np.flatnonzero(low < BLACK + LEAST_NEAR if end else low > WHITE - self.near)
            if not len(at):
                continue
            share = shares.take(low.take(at))
            for channel, *lost in self.lost:
                field = lost[end]
                if field is not None:
                    there, plane = field.over(box).reshape(-1).take(at), flat[at, channel]
                    flat[at, channel] = plane + (most(there, plane) - plane) * share
        return made

    def shrunk(self, step: int) -> Evening:
        """The same for pictures that are smaller by `step`."""
        factor, added = (_shrunk(field, step) for field in (self.factor, self.added))
        lost = tuple(
            (channel, _shrunk(white, step), _shrunk(black, step)) for channel, white, black in self.lost
        )
        return replace(self, factor=factor, added=added, lost=lost)

    @functools.cached_property
    def _levels(self) -> Floats:
        """What each level becomes, (256, 3), where that is the same everywhere."""
        levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        factor, added = (
            None if field is None else Coarse(np.repeat(field.values[:1, :1], 256, axis=1), 1)
            for field in (self.factor, self.added)
        )
        made: Floats = Evening(self.linear, factor, added)._moved(levels, (0, 0, 256, 1))[0]
        return made

    def _moved(self, colours: NDArray[np.uint8], box: Box) -> Floats:
        if self.linear and self.factor is not None:
            light = _LIGHT[colours]
            light /= self.factor.over(box)
            made = _from_light_quickly(light)
            if self.added is not None:
                made -= self.added.over(box)
        else:
            made = colours.astype(np.float32)
            if self.added is not None:
                made -= self.added.over(box)
            if self.factor is not None:
                made /= self.factor.over(box)
        return np.clip(made, 0, 255, out=made)


def _shrunk(field: Coarse | None, step: int) -> Coarse | None:
    return None if field is None else Coarse(field.values, field.step // step)


_LIGHT = to_light(np.arange(256, dtype=np.float32))
_LEVELS = np.arange(256, dtype=np.float32)
_BLACKER = np.clip((BLACK + LEAST_NEAR - _LEVELS) / LEAST_NEAR, 0, 1)
_BACK = from_light(np.linspace(0, 1, 1 << 14, dtype=np.float32) ** 2)


def _from_light_quickly(light: Floats) -> Floats:
    # A table over the root, since the dark end is steep.
    at = np.sqrt(np.clip(light, 0, 1)) * np.float32(len(_BACK) - 1)
    return _BACK[np.rint(at).astype(np.int32)]


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
    evening = Evening(model.kind == "light", _coarse(factor, grid.step), _coarse(added, grid.step))
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
        found: tuple[Floats | None, Floats | None] = (more if factor is None else factor * more, added)
    else:
        more = np.asarray(boxed((made - grid.source) * weight, RADIUS) / np.maximum(near, 1e-6), np.float32)
        more = spread(more, known)
        new = made - more
        if model.kind == "both" and factor is not None:
            more = more * factor
        found = (factor, more if added is None else added + more)
    if not _ring_error(grid, new) < BETTER * _ring_error(grid, made) - LEVELS:
        return made, factor, added, False
    return new, *found, True


def _ring_error(grid: _Grid, levels: Floats) -> float:
    error = np.minimum(np.abs(np.clip(levels, 0, 255) - grid.source), 2 * ALIKE)
    told = (grid.ring[..., None] & grid.whole) * grid.near[..., None]
    return float((error * told).sum() / max(float(told.sum()), 1e-6))


def _coarse(field: Floats | None, step: int) -> Coarse | None:
    return None if field is None else Coarse(np.ascontiguousarray(field, np.float32), step)


def _lost(
    grid: _Grid, evening: Evening, look: Look
) -> tuple[tuple[tuple[int, Coarse | None, Coarse | None], ...], float]:
    """What stands for levels that the answer clipped: what the source has in the ring where the answer is clipped; and
    how many levels from white that is mixed in.
    """
    before, after = (np.asarray(picture)[..., :3] for picture in (look.source, look.answer))
    outside = look.outside
    gone = [(255, after >= WHITE), (0, after <= BLACK)]
    # As they are gone together, or where that is nowhere in the ring one by one.
    whites, blacks = (outside & ends[..., 0] & ends[..., 1] & ends[..., 2] for _, ends in gone)
    found = []
    moved = 0.0
    for channel in range(3):
        ends: list[Coarse | None] = []
        for (level, clipped), together in zip(gone, (whites, blacks), strict=True):
            flat = np.full((1, 1, 3), level, np.uint8)
            middle = grid.ring.shape[1] * grid.step // 2, grid.ring.shape[0] * grid.step // 2
            there = float(evening.applied(flat, (*middle, middle[0] + 1, middle[1] + 1))[0, 0, channel])
            known = together if np.count_nonzero(together) >= FEWEST else outside & clipped[..., channel]
            # Only what was moved off the end can have been lost there.
            lost = (there < 253) if level else (there > 2)
            moved = max(moved, 255 - there) if level else moved
            ends.append(_mean_where(before[..., channel], known, grid) if lost else None)
        if any(end is not None for end in ends):
            found.append((channel, ends[0], ends[1]))
    return tuple(found), min(MOST_NEAR, max(LEAST_NEAR, moved - FEW))


def _clipped(evening: Evening, look: Look) -> Clipped | None:
    before, after = (np.asarray(picture.convert("RGB")) for picture in (look.source, look.answer))
    if after.max() < WHITE and after.min() > BLACK:
        return None
    made = evening.shrunk(look.step).applied(after, (0, 0, *look.answer.size))
    return clipped_of(before, after, made, look.outside)


def _mean_where(levels: NDArray[np.uint8], known: NDArray[np.bool_], grid: _Grid) -> Coarse | None:
    if np.count_nonzero(known) < FEWEST:
        return None
    times = grid.times
    rows, columns = (-(-length // times) for length in known.shape)
    room = ((0, rows * times - known.shape[0]), (0, columns * times - known.shape[1]))
    weight, total = (
        np.pad(plane.astype(np.float32), room)
        .reshape(rows, times, columns, times)
        .sum(axis=(1, 3))[..., None]
        for plane in (known, known * levels.astype(np.float32))
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

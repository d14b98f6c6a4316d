"""How an answer lies on the picture that was sent, and what of it comes back to the source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..forking import cached
from ..picture import on_white
from .geometry import (
    Box,
    Rect,
    Size,
    by_size,
    central,
    common,
    is_empty,
    moved,
    side_of,
    whole_of,
    whole_pixels,
    within,
)
from .pixels import plain, resized

__all__ = ["Landed", "Landing", "Plan", "landing_of"]

# The longest side at which two ways of laying an answer back are compared.
LOOK = 96


class Plan(Protocol):
    """What landing asks of a plan; see `Fit`."""

    @property
    def sent_size(self) -> Size:
        """The size that was sent."""

    @property
    def inside(self) -> Box:
        """The part of what was sent that lies in the source."""

    def there_point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the source lies in the sent picture."""

    def back_point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the sent picture lies in the source."""

    def not_padding(self) -> NDArray[np.bool_]:
        """Which pixels of the sent picture show the source alone."""


@dataclass(frozen=True)
class Landing:
    """How an answer lies on the picture that was sent: its part `answer` (left, top, right, bottom in the answer's
    pixels) shows the part `sent` (in the sent picture's pixels). `note` says what was done where the shapes differ.
    """

    answer: Rect
    sent: Rect
    note: str = ""


@dataclass(frozen=True, eq=False)
class Landed:
    """An answer that was brought back.

    * `raw`: all of it, at the sent picture's size and as it lies on that; `counted`: which of those pixels, (height,
      width) of bool, show both source and answer, padding and what it lacks left out.
    * `region`: the box of the source that it reaches, as far as that is wanted; None where it reaches nothing of it.
    * `part`: the answer there, at the source's resolution; `RGBA` where it is see-through anywhere, else `RGB`.
    * `note`: what was done where its shape was another, as a sentence.
    """

    plan: Plan
    answer: Image.Image
    landing: Landing
    wanted: Box | None = None

    @property
    def note(self) -> str:
        """What was done where the shapes differ."""
        return self.landing.note

    @property
    def region(self) -> Box | None:
        """The box in the source that it reaches wholly, and that is wanted."""
        reached = reach(self.plan, self.landing)
        return common(reached, self.wanted or reached)

    @cached
    def part(self) -> Image.Image | None:
        """The answer in `region`."""
        return None if self.region is None else self._part(self.region, side_of(self.region))

    def seen(self, most: int) -> Image.Image | None:
        """As `part`, with at most so many pixels a side."""
        if self.region is None:
            return None
        size = side_of(self.region)
        times = min(1.0, most / max(size))
        return self._part(self.region, (max(1, round(size[0] * times)), max(1, round(size[1] * times))))

    def _part(self, region: Box, size: Size) -> Image.Image:
        corners = (
            self.plan.there_point(float(region[0]), float(region[1])),
            self.plan.there_point(float(region[2]), float(region[3])),
        )
        (x0, y0), (x1, y1) = (moved(corner, self.landing.sent, self.landing.answer) for corner in corners)
        return resized(plain(self.answer), (x0, y0, x1, y1), size)

    @cached
    def raw(self) -> Image.Image:
        """The answer as it lies on the sent picture."""
        size, landing = self.plan.sent_size, self.landing
        if landing.sent == whole_of(size):
            return resized(plain(self.answer), landing.answer, size)
        box = whole_pixels(landing.sent)
        (x0, y0), (x1, y1) = (
            moved((float(x), float(y)), landing.sent, landing.answer) for x, y in (box[:2], box[2:])
        )
        laid = Image.new(plain(self.answer).mode, size)
        laid.paste(resized(plain(self.answer), (x0, y0, x1, y1), side_of(box)), box[:2])
        return laid

    @cached
    def counted(self) -> NDArray[np.bool_]:
        """Which pixels of `raw` show source and answer."""
        shown = self.plan.not_padding()
        if self.landing.sent == whole_of(self.plan.sent_size):
            return shown
        return shown & within(whole_pixels(self.landing.sent), self.plan.sent_size)


def landing_of(
    plan: Plan, answer: Image.Image, sent: Image.Image, shown: NDArray[np.bool_] | None
) -> Landing:
    """How an answer of another shape lies on `sent`, the picture that was sent, on white: stretched, cut or ringed with
    more, whichever agrees best with it where `shown` (None: anywhere).
    """
    whole_answer, whole_sent = whole_of(answer.size), whole_of(plan.sent_size)
    came = f"The answer came as {by_size(answer.size)} where {by_size(plan.sent_size)} was sent"
    ways = (
        Landing(whole_answer, whole_sent, f"{came}: it was stretched to that shape."),
        Landing(
            whole_answer,
            central(plan.sent_size, answer.size),
            f"{came}: it shows only the middle of it, and was laid there. The rest is the source.",
        ),
        Landing(
            central(answer.size, plan.sent_size),
            whole_sent,
            f"{came}: what it shows beyond that was cut off.",
        ),
    )
    seen = on_white(answer)
    # A sliver that holds no whole pixel brings nothing back.
    possible = [
        way for way in ways if not is_empty(reach(plan, way)) and not is_empty(whole_pixels(way.sent))
    ]
    return min(possible, key=lambda way: disagreement(sent, seen, way, shown))


def reach(plan: Plan, landing: Landing) -> Box:
    """The box in the source that the answer reaches wholly."""
    (x0, y0), (x1, y1) = plan.back_point(*landing.sent[:2]), plan.back_point(*landing.sent[2:])
    left, top, right, bottom = plan.inside
    # A hair's breadth is what floats lose, not what the answer lacks.
    return (
        max(left, math.ceil(x0 - 1e-6)),
        max(top, math.ceil(y0 - 1e-6)),
        min(right, math.floor(x1 + 1e-6)),
        min(bottom, math.floor(y1 + 1e-6)),
    )


def disagreement(
    sent: Image.Image, answer: Image.Image, way: Landing, shown: NDArray[np.bool_] | None
) -> float:
    """How far the slopes of sent picture and answer differ where both show the same thing, in levels of 255 a cell.

    Slopes, since a colour shift, of the whole or of a part, says nothing about where things are.
    """
    width, height = way.sent[2] - way.sent[0], way.sent[3] - way.sent[1]
    times = LOOK / max(width, height)
    grid = (max(1, round(width * times)), max(1, round(height * times)))
    one, other = (
        np.asarray(image.resize(grid, Image.Resampling.BOX, rect), np.float32)
        for image, rect in ((sent, way.sent), (answer, way.answer))
    )
    difference = other - one
    kept = np.ones(grid[::-1], np.bool_)
    if shown is not None:
        grey = Image.fromarray(shown.astype(np.uint8) * 255).resize(grid, Image.Resampling.BOX, way.sent)
        there = np.asarray(grey) == 255
        kept = there if there.any() else kept
    across = np.abs(np.diff(difference, axis=1))[kept[:, 1:] & kept[:, :-1]]
    down = np.abs(np.diff(difference, axis=0))[kept[1:] & kept[:-1]]
    slopes = np.concatenate((across, down))
    return float(slopes.mean()) if len(slopes) else 0.0

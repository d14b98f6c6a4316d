"""Where an answer goes on past the mask: a thing that the mask's edge cuts, or a shadow that falls out of it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Past", "past_of"]

# It is followed on a grid with so many cells a side, from the mask on.
GRID = 320
# It has to reach this much further than the mask's edge, in cells, be so many cells in all, and lie along so many of
# the cells beside the mask.
LEAST_FAR, LEAST_CELLS, LEAST_BESIDE = 3, 16, 4
# How far a mask may be grown for it, as a share of the picture's longer side, and how much is added for the seam.
MOST_GROWN, ROOM = 0.3, 1 / 150
# A side is named where so much of it lies there.
NAMED = 0.15
SIDES = {"left": "on the left", "right": "on the right", "top": "above", "bottom": "below"}


@dataclass(frozen=True)
class Past:
    """What of an answer goes on past the mask.

    * `sides`: where, of `"left"`, `"right"`, `"top"` and `"bottom"`, most first.
    * `grow`: by how many pixels the mask has to grow to take it in, for `Mask.grow`; 0 where that would be too much.
    * `map`: a picture of mode `L` and the sent size, 255 where it is.
    """

    sides: tuple[str, ...]
    grow: int
    map: Image.Image | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        where = " and ".join(SIDES[side] for side in self.sides)
        sentence = f"What was painted goes on past the mask {where}, and is cut off there."
        return f"{sentence} Grow the mask by {self.grow} px to take it in." if self.grow else sentence

    def scaled(self, scale: tuple[float, float]) -> Past:
        """The same where a pixel spans so many across and down."""
        return replace(self, grow=math.ceil(self.grow * max(scale)))


def past_of(seen: NDArray[np.bool_], outside: NDArray[np.bool_], step: int) -> Past | None:
    """What of that which looks changed goes on from the mask; None where nothing does.

    `seen` and `outside`, what the mask leaves, are (height, width), in pixels of `step`.
    """
    if not seen.any() or outside.all():
        return None
    times = max(1, math.ceil(max(seen.shape) / GRID))
    changed = np.asarray(Image.fromarray(seen.astype(np.uint8) * 255).reduce(times)) > 100
    masked = np.asarray(Image.fromarray((~outside).astype(np.uint8) * 255).reduce(times)) > 0
    changed &= ~masked
    beside = _wider(masked, 2)
    begun = changed & beside
    if np.count_nonzero(begun) < LEAST_BESIDE:
        return None
    beyond = _followed(begun, changed)
    far = _farthest(masked, beyond)
    if np.count_nonzero(beyond) < LEAST_CELLS or far < LEAST_FAR:
        return None
    longer = max(seen.shape) * step
    # Across corners it is counted a little short, and a cell that is changed in part counts as not at all.
    grow = math.ceil((1.06 * far + 1) * times * step + longer * ROOM)
    shown = Image.fromarray(beyond.astype(np.uint8) * 255).resize(
        (beyond.shape[1] * times, beyond.shape[0] * times), Image.Resampling.NEAREST
    )
    shown = shown.crop((0, 0, seen.shape[1], seen.shape[0]))
    shown = Image.fromarray(np.asarray(shown) * seen.astype(np.uint8))
    return Past(_sides(beyond, masked), grow if grow <= MOST_GROWN * longer else 0, shown)


def _wider(cells: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """With all cells that are at most so many from one of these, across corners too. Pillow's filter, which sorts,
    takes thirty times as long, and what is followed takes hundreds of steps.
    """
    for _ in range(by):
        column = cells.copy()
        column[1:] |= cells[:-1]
        column[:-1] |= cells[1:]
        cells = column.copy()
        cells[:, 1:] |= column[:, :-1]
        cells[:, :-1] |= column[:, 1:]
    return cells


def _followed(begun: NDArray[np.bool_], changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All of `changed` that hangs together with where it begun."""
    reached, count = begun, -1
    while int(np.count_nonzero(reached)) != count:
        count = int(np.count_nonzero(reached))
        reached = _wider(reached, 1) & changed
    return reached


def _farthest(masked: NDArray[np.bool_], changed: NDArray[np.bool_]) -> int:
    """How many cells from the mask the farthest of these lies."""
    reached, number = masked, 0
    while (changed & ~reached).any():
        number += 1
        # A square and a diamond by turns: nearly round.
        if number % 2:
            cross = reached.copy()
            cross[1:] |= reached[:-1]
            cross[:-1] |= reached[1:]
            cross[:, 1:] |= reached[:, :-1]
            cross[:, :-1] |= reached[:, 1:]
            reached = cross
        else:
            reached = _wider(reached, 1)
    return number


def _sides(changed: NDArray[np.bool_], masked: NDArray[np.bool_]) -> tuple[str, ...]:
    rows, columns = np.nonzero(masked)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    y, x = np.nonzero(changed)
    beyond = {"left": left - x, "right": x - right, "top": top - y, "bottom": y - bottom}
    # Within the mask's box it is the side that is nearest by the mask's own measure.
    high, wide = max(1, bottom - top), max(1, right - left)
    names = list(beyond)
    each = [beyond[name] / np.float32(wide if name in ("left", "right") else high) for name in names]
    most = functools.reduce(np.maximum, each)
    shares, left = {}, np.ones(len(x), np.bool_)
    for name, far in zip(names, each, strict=True):
        shares[name] = float((left & (far == most)).mean())
        # Of two that are as far it is the first one's.
        left &= far != most
    return tuple(sorted((name for name in names if shares[name] >= NAMED), key=lambda name: -shares[name]))

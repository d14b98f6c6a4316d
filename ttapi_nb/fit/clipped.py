"""What a channel was where an answer lost it: clipped at white or black, while the others still tell what stood there.

A red that came at 255 may have been anything beyond, and a factor makes it too dark by as much: skin turns green. The
ring outside the mask shows what such colours are in the source, so inside the mask colours like those are mended. A
colour unlike any that the ring has is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .fields import boxed
from .seam import Floats

__all__ = ["BLACK", "FEWEST", "LEVELS", "NEAR", "WHITE", "Clipped", "clipped_of", "ends", "shares"]

Levels: TypeAlias = NDArray[np.uint8]
# Levels from which a channel may have been clipped.
WHITE, BLACK = 252, 3
# How many levels from there what is missing is mixed in.
NEAR = 6
# Colours are told apart by so many levels of the two other channels, and those around count too: few of them where
# there are enough, and where there are none as many as are still much the same colour.
BITS, RADIUS, WIDE = 2, 2, 8
BINS = 256 >> BITS
# What differs by more in a channel that is whole is another thing.
ALIKE = 12.0
# Fewer pixels tell nothing, and a colour that so many have is half believed.
FEWEST, HALF = 30, 4.0
# So many tell as much as all of them.
MANY = 40_000


@dataclass(frozen=True, eq=False)
class Clipped:
    """What is missing at each end, for every table: whether that is white, which channel is clipped, and for each part
    that may be, by its level and the levels of the two others, (NEAR + 3, bins * bins), what to add.
    """

    tables: tuple[tuple[bool, int, dict[int, Floats]], ...]

    def mend(self, made: Sequence[Floats], colours: Sequence[Levels]) -> None:
        """Add to `made`, the answer's `colours` evened out, what those have lost: three planes each."""
        planes: list[Levels] = [plane.reshape(-1) for plane in colours]
        flats: list[Floats] = [plane.reshape(-1) for plane in made]
        gone = {is_white: [ends(plane, is_white) for plane in planes] for is_white, _, _ in self.tables}
        for is_white, channel, more in self.tables:
            clipped = gone[is_white][channel]
            # What is clipped in two channels is in the first one's table.
            for earlier in range(channel):
                clipped = clipped & ~gone[is_white][earlier]
            at = np.flatnonzero(clipped)
            if not len(at):
                continue
            near = [plane.take(at) for plane in planes]
            bins = _bins(near, channel)
            for part, table in more.items():
                where, there, levels = at, bins, near[part]
                if part != channel:
                    some = np.flatnonzero(ends(levels, is_white))
                    where, there, levels = at[some], bins[some], levels[some]
                index = (levels - np.uint8(_FIRST[is_white])).astype(np.uint16) * np.uint16(BINS * BINS)
                index += there
                mended = flats[part].take(where) + table.take(index)
                flats[part][where] = np.clip(mended, 0, 255, out=mended)


LEVELS = np.arange(256, dtype=np.float32)


def ends(levels: Levels, is_white: bool, near: float = NEAR) -> NDArray[np.bool_]:
    """Which levels have lost something."""
    # Whole: by a share of a level numpy compares as floats.
    return levels > math.floor(WHITE - near) if is_white else levels < math.ceil(BLACK + near)


def shares(is_white: bool, near: float = NEAR) -> Floats:
    """How much of what is missing each level has lost, (256)."""
    share = (LEVELS - (WHITE - near)) / near if is_white else (BLACK + near - LEVELS) / near
    clipped: Floats = np.clip(share, 0, 1).astype(np.float32)
    return clipped


# The first level that has lost something, and how many have.
_FIRST, _ENDS = {True: WHITE - NEAR + 1, False: 0}, NEAR + 3


def clipped_of(
    source: Sequence[Levels],
    answer: Sequence[Levels],
    made: Callable[[Sequence[Levels], NDArray[np.intp]], Sequence[Floats]],
    outside: NDArray[np.bool_],
) -> Clipped | None:
    """What the answer clipped, told by where it shows the source: three planes each. `made` evens out the answer's
    colours at some places. None where nothing is clipped, or the mask has nothing of it.
    """
    tables = []
    for is_white in (True, False):
        red, green, blue = (plane >= WHITE if is_white else plane <= BLACK for plane in answer)
        some = (red | green | blue) & ~(red & green & blue)
        known = np.flatnonzero(some & outside)
        if len(known) < FEWEST or not (some & ~outside).any():
            continue
        known = known[:: max(1, len(known) // MANY)]
        end = [plane.take(known) for plane in (red, green, blue)]
        came: list[Levels] = [plane.take(known) for plane in answer]
        before = [plane.take(known) for plane in source]
        missing: list[Floats] = [one - other for one, other in zip(before, made(came, known), strict=True)]
        same = np.logical_and.reduce(
            [(np.abs(more) <= ALIKE) | gone for more, gone in zip(missing, end, strict=True)]
        )
        # What was clipped can only have been further out.
        out = np.maximum if is_white else np.minimum
        missing = [
            np.where(gone, out(more, 0), np.float32(0)) for more, gone in zip(missing, end, strict=True)
        ]
        for channel in range(3):
            told = np.flatnonzero(end[channel] & same)
            if len(told) >= FEWEST:
                colours: list[Levels] = [plane.take(told) for plane in came]
                lacking = [plane.take(told) for plane in missing]
                tables.append((is_white, channel, _table(colours, lacking, channel, is_white)))
    return Clipped(tuple(tables)) if tables else None


def _bins(colours: Sequence[Levels], channel: int) -> NDArray[np.uint16]:
    one, other = (plane >> BITS for part, plane in enumerate(colours) if part != channel)
    return one.astype(np.uint16) * np.uint16(BINS) + other


def _table(
    colours: Sequence[Levels], missing: Sequence[Floats], channel: int, is_white: bool
) -> dict[int, Floats]:
    at = _bins(colours, channel)
    planes = [np.bincount(at, minlength=BINS * BINS)]
    planes += [np.bincount(at, weights=more, minlength=BINS * BINS) for more in missing]
    sums = np.stack(planes, axis=1).reshape(BINS, BINS, 4).astype(np.float32)
    mean = np.zeros((BINS, BINS, 3), np.float32)
    for radius in (WIDE, RADIUS):
        near = boxed(sums, radius)
        few = np.float32(HALF / (2 * radius + 1) ** 2)
        mean = np.asarray((near[..., 1:] + few * mean) / (near[..., :1] + few), np.float32)
    share = shares(is_white)[_FIRST[is_white] :][:_ENDS, None]
    return {part: share * mean[..., part].reshape(1, -1) for part in range(channel, 3)}

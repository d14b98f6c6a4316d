"""What a channel was where an answer lost it: clipped at white or black, while the others still tell what stood there.

A red that came at 255 may have been anything beyond, and a factor makes it too dark by as much: skin turns green. The
ring outside the mask shows what such colours are in the source, so inside the mask colours like those are mended. A
colour unlike any that the ring has is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fields import boxed
from .seam import Floats

__all__ = ["BLACK", "FEWEST", "WHITE", "Clipped", "clipped_of"]

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
    """What is missing at each end, by the clipped channel and the levels of the two others: (3, bins * bins) each."""

    tables: tuple[tuple[bool, int, Floats], ...]

    def mend(self, made: Floats, colours: NDArray[np.uint8]) -> None:
        """Add to `made`, the answer's `colours` evened out, (height, width, 3), what those have lost."""
        flat = made.reshape(-1, 3)
        planes = [np.ascontiguousarray(colours[..., channel]).reshape(-1) for channel in range(3)]
        for is_white, channel, table in self.tables:
            shares = _SHARES[is_white]
            at = np.flatnonzero(_ends(planes[channel], is_white))
            # What is clipped in two channels is in the first one's table.
            for earlier in range(channel):
                at = at[~_ends(planes[earlier].take(at), is_white)]
            if not len(at):
                continue
            near = [plane.take(at) for plane in planes]
            bins = _bins(near, channel)
            for part in range(channel, 3):
                where, there, levels = at, bins, near[part]
                if part != channel:
                    some = np.flatnonzero(_ends(levels, is_white))
                    where, there, levels = at[some], bins[some], levels[some]
                mended = flat[where, part] + table[part].take(there) * shares.take(levels)
                flat[where, part] = np.clip(mended, 0, 255)


_LEVELS = np.arange(256, dtype=np.float32)
_SHARES = {
    True: np.clip((_LEVELS - (WHITE - NEAR)) / NEAR, 0, 1),
    False: np.clip((BLACK + NEAR - _LEVELS) / NEAR, 0, 1),
}


def clipped_of(
    source: NDArray[np.uint8], answer: NDArray[np.uint8], made: Floats, outside: NDArray[np.bool_]
) -> Clipped | None:
    """What the answer clipped, told by where it shows the source: both (height, width, 3), `made` the answer evened
    out. None where nothing is clipped, or the mask has nothing of it.
    """
    tables = []
    for is_white, ends in ((True, answer >= WHITE), (False, answer <= BLACK)):
        # By planes: over so short an axis numpy takes ten times as long.
        red, green, blue = (ends[..., channel] for channel in range(3))
        some = (red | green | blue) & ~(red & green & blue)
        known = np.flatnonzero(some & outside)
        if len(known) < FEWEST or not (some & ~outside).any():
            continue
        known = known[:: max(1, len(known) // MANY)]
        end = ends.reshape(-1, 3).take(known, axis=0)
        before, came = (plane.reshape(-1, 3).take(known, axis=0) for plane in (source, answer))
        after = made.reshape(-1, 3).take(known, axis=0)
        missing = np.asarray(before - after, np.float32)
        same = (np.abs(missing) <= ALIKE) | end
        # What was clipped can only have been further out.
        missing = np.maximum(missing, 0) if is_white else np.minimum(missing, 0)
        missing = np.where(end, missing, 0)
        for channel in range(3):
            told = end[:, channel] & same.all(axis=1)
            if np.count_nonzero(told) >= FEWEST:
                tables.append((is_white, channel, _table(came[told], missing[told], channel)))
    return Clipped(tuple(tables)) if tables else None


def _ends(levels: NDArray[np.uint8], is_white: bool) -> NDArray[np.bool_]:
    return levels > WHITE - NEAR if is_white else levels < BLACK + NEAR


def _bins(colours: Sequence[NDArray[np.uint8]], channel: int) -> NDArray[np.uint16]:
    one, other = (plane >> BITS for part, plane in enumerate(colours) if part != channel)
    return one.astype(np.uint16) * np.uint16(BINS) + other


def _table(colours: NDArray[np.uint8], missing: Floats, channel: int) -> Floats:
    at = _bins([colours[:, part] for part in range(3)], channel)
    planes = [np.bincount(at, minlength=BINS * BINS)]
    planes += [np.bincount(at, weights=missing[:, part], minlength=BINS * BINS) for part in range(3)]
    sums = np.stack(planes, axis=1).reshape(BINS, BINS, 4).astype(np.float32)
    mean = np.zeros((BINS, BINS, 3), np.float32)
    for radius in (WIDE, RADIUS):
        near = boxed(sums, radius)
        few = np.float32(HALF / (2 * radius + 1) ** 2)
        mean = np.asarray((near[..., 1:] + few * mean) / (near[..., :1] + few), np.float32)
    return np.ascontiguousarray(mean.reshape(-1, 3).T)

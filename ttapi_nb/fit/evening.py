"""How an answer's light is evened out: a factor and a sum for each place, and what stands for what was clipped."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .clipped import LEVELS, NEAR, Clipped, ends, shares
from .geometry import Box
from .lightfit import from_light, to_light
from .seam import Coarse, Floats

__all__ = ["Evening", "Field", "Planes", "planes_of"]

# What each of the three channels is multiplied by, or has added, from place to place.
Field: TypeAlias = tuple[Coarse, ...]
# A picture's red, green and blue by themselves: over an axis of three numpy takes several times as long.
Planes: TypeAlias = Sequence[NDArray[np.uint8]]

_LIGHT = to_light(LEVELS)
_BACK = from_light(np.linspace(0, 1, 1 << 14, dtype=np.float32) ** 2)


@dataclass(frozen=True, eq=False)
class Evening:
    """What evens an answer's light out: a factor and a sum for each place, and what stands for what was clipped.

    * `linear`: the factor is one of light, and not of levels.
    * `lost`: by channel, what stands at each place for white and for black that was clipped in all three; `near`: how
      many levels from white that is mixed in.
    * `even`: factor and sum are the same everywhere.
    """

    linear: bool
    factor: Field | None
    added: Field | None
    lost: tuple[tuple[int, Coarse | None, Coarse | None], ...] = ()
    even: bool = False
    near: float = NEAR
    clipped: Clipped | None = None

    def applied(self, colours: Planes, box: Box, at: NDArray[np.intp] | None = None) -> list[Floats]:
        """The answer's part `box` as the source would have it, not rounded: for each plane of `colours`, (height,
        width), one like it. With `at`, `colours` are but those pixels, counted row by row.
        """
        made = [self._moved(colours[channel], channel, box, at) for channel in range(3)]
        if self.clipped is not None:
            self.clipped.mend(made, colours)
        self._found_again(made, colours, box, at)
        return made

    def shrunk(self, step: int) -> Evening:
        """The same for pictures that are smaller by `step`."""
        factor, added = (
            None if field is None else tuple(Coarse(plane.values, plane.step // step) for plane in field)
            for field in (self.factor, self.added)
        )
        lost = tuple(
            (channel, _shrunk(white, step), _shrunk(black, step)) for channel, white, black in self.lost
        )
        return replace(self, factor=factor, added=added, lost=lost)

    def _found_again(
        self, made: list[Floats], colours: Planes, box: Box, at: NDArray[np.intp] | None
    ) -> None:
        """Mix in what was clipped in all three: there no channel tells what it was."""
        for is_white in (True, False):
            fields = [
                (channel, field) for channel, *both in self.lost if (field := both[not is_white]) is not None
            ]
            if not fields:
                continue
            inner, outer = (np.minimum, np.maximum) if is_white else (np.maximum, np.minimum)
            low = inner(inner(colours[0], colours[1]), colours[2]).reshape(-1)
            near = self.near if is_white else NEAR
            places = np.flatnonzero(ends(low, is_white, near))
            if not len(places):
                continue
            share = shares(is_white, near).take(low.take(places))
            for channel, field in fields:
                there, flat = _read(field, box, at).reshape(-1).take(places), made[channel].reshape(-1)
                level = flat.take(places)
                flat[places] = level + (outer(there, level) - level) * share

    @functools.cached_property
    def _levels(self) -> list[Floats]:
        """What each level becomes, (256) for each channel, where that is the same everywhere."""
        every = np.arange(256, dtype=np.uint8)
        first = np.zeros(256, np.intp)
        uneven = replace(self, even=False)
        return [uneven._moved(every, channel, (0, 0, 1, 1), first) for channel in range(3)]

    def _moved(
        self, levels: NDArray[np.uint8], channel: int, box: Box, at: NDArray[np.intp] | None
    ) -> Floats:
        if self.even:
            return self._levels[channel].take(levels)
        factor, added = (
            None if field is None else _read(field[channel], box, at) for field in (self.factor, self.added)
        )
        made: Floats
        if self.linear and factor is not None:
            made = _LIGHT.take(levels)
            made /= factor
            made = _from_light_quickly(made)
            if added is not None:
                made -= added
        else:
            made = levels.astype(np.float32)
            if added is not None:
                made -= added
            if factor is not None:
                made /= factor
        return np.clip(made, 0, 255, out=made)


def planes_of(picture: Image.Image, mode: str = "RGB") -> list[NDArray[np.uint8]]:
    """Its channels in that mode, (height, width) each."""
    return [np.asarray(plane) for plane in picture.convert(mode).split()]


def _read(field: Coarse, box: Box, at: NDArray[np.intp] | None) -> Floats:
    read = field.over(box)
    return read if at is None else read.reshape(-1).take(at)


def _shrunk(field: Coarse | None, step: int) -> Coarse | None:
    return None if field is None else Coarse(field.values, field.step // step)


def _from_light_quickly(light: Floats) -> Floats:
    # A table over the root, since the dark end is steep.
    np.clip(light, 0, 1, out=light)
    np.sqrt(light, out=light)
    light *= np.float32(len(_BACK) - 1)
    np.rint(light, out=light)
    return _BACK.take(light.astype(np.int32))

"""`Rendered`: what was worked out of a mask's marks, each thing once; only the last few masks are kept whole."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

from .. import forking
from .marks import Mark, draw_all
from .meaning import Meaning
from .raster import Coverage
from .tiles import Box, Tiles

__all__ = ["Rendered"]

T = TypeVar("T")

# Masks whose pixels are kept whole: the current one, its neighbour in an undo history, and what is sent of it.
KEPT = 3
# So many marks at most are told apart in the tiles of a mask: more of them are everywhere.
FEW = 16
# What others work out of a mask is kept for so many keys.
DERIVED = 2

_whole: list[weakref.ref[Rendered]] = []
_guard = threading.Lock()
forking.anew(globals(), "_guard")


class Rendered:
    """A mask's pixels, `whole` or in `tiles`, and what they say. Masks with the same marks may share one."""

    __slots__ = ("__weakref__", "_derived", "_pending", "_tiles", "bounds", "meaning", "png", "whole")

    def __init__(self) -> None:
        self.whole: Coverage | None = None
        self._tiles: Tiles | None = None
        # Of what they are to be made when they are first asked for, and where that is changed.
        self._pending: tuple[Tiles, list[Box]] | None = None
        self.meaning: Meaning | None = None
        self.bounds: tuple[Box | None] | None = None
        self.png: bytes | None = None
        self._derived: dict[Hashable, Any] = {}

    @property
    def tiles(self) -> Tiles | None:
        """The same in tiles, where they are made or cost only what was painted last."""
        # Read once: another thread may drop them in between.
        pending, whole = self._pending, self.whole
        if self._tiles is None and pending is not None and whole is not None:
            self._tiles = pending[0].changed(whole, pending[1])
            self._pending = None
        return self._tiles

    def pixels(self) -> Coverage | None:
        """The whole, to be read, where any pixels are here."""
        # As above.
        whole, tiles = self.whole, self._tiles
        return whole if whole is not None or tiles is None else tiles.whole()

    def part(self, box: Box) -> Coverage | None:
        """The pixels in a box that lies within, to be read, where they are here."""
        whole, tiles = self.whole, self._tiles
        if whole is not None:
            return whole[box[1] : box[3], box[0] : box[2]]
        return None if tiles is None else tiles.part(box)

    def as_tiles(self) -> Tiles | None:
        """The same in tiles, where any pixels are here."""
        tiles, whole = self.tiles, self.whole
        if tiles is None and whole is not None:
            tiles = self._tiles = Tiles.of(whole)
        return tiles

    def draw(
        self, marks: Sequence[Mark], size: tuple[int, int], start: Rendered | None, pixels: Coverage | None
    ) -> Coverage:
        """These marks, on a mask of `size` that is `start`, whose whole is `pixels`, or on an empty one."""
        if start is not None and start.whole is not None:
            start.seen()
        whole = np.zeros(size[::-1], np.uint8) if pixels is None else pixels.copy()
        draw_all(marks, whole)
        boxes = [mark.reach(size) for mark in marks[:FEW]]
        if len(marks) <= FEW and all(box is not None for box in boxes):
            tiles = Tiles.empty(whole.shape) if start is None else start.as_tiles()
            if tiles is not None:
                self._pending = tiles, [one for box in boxes for one in box or ()]
        return whole

    def keep(self, whole: Coverage) -> Coverage:
        """Keep it whole, and of the one that was not looked at for longest only what it shares with others."""
        whole.flags.writeable = False
        self.whole = whole
        self.seen()
        return whole

    def seen(self) -> None:
        """Let it be the last that is no longer kept whole."""
        with _guard:
            others = [one for one in _whole if one() not in (None, self)]
            _whole[:] = [*others, weakref.ref(self)]
            past, _whole[:] = _whole[:-KEPT], _whole[-KEPT:]
        for one in past:
            oldest = one()
            if oldest is not None:
                oldest.as_tiles()
                oldest.whole = None

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, made once for each of the last few keys."""
        value: T
        if key in self._derived:
            value = self._derived[key]
            return value
        value = make()
        derived = {**self._derived, key: value}
        self._derived = dict(list(derived.items())[-DERIVED:])
        return value

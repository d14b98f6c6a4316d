"""`PastedFile`: a photo's own numbers, with others in a part of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .colour import whole_palette
from .own import OwnFile

__all__ = ["PastedFile", "of_mode"]

Box: TypeAlias = tuple[int, int, int, int]
Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class PastedFile(OwnFile):
    """A photo's numbers with others in a part of them. `origin` is the file that all began with."""

    origin: OwnFile | None = field(default=None, repr=False)
    _base: OwnFile | None = field(default=None, repr=False)
    _box: Box = (0, 0, 0, 0)
    _patch: Numbers | None = field(default=None, repr=False)

    def numbers(self) -> Numbers:
        """The picture's own numbers, upright: see `OwnFile.numbers`."""
        if self._base is None or self._patch is None:
            return super().numbers()
        numbers = of_mode(self._base, self.mode, self._base.numbers())
        numbers = np.array(numbers)
        left, top, right, bottom = self._box
        numbers[top:bottom, left:right] = self._patch
        return numbers


def of_mode(own: OwnFile, mode: str, numbers: Numbers) -> Numbers:
    """A photo's numbers with the channels that `mode` has: colours for a palette's indices, and full transparency."""
    if own.mode == "P" and mode != "P" and own.palette is not None:
        numbers = whole_palette(own.palette)[numbers]
    if mode in ("LA", "RGBA") and (1 if numbers.ndim == 2 else numbers.shape[2]) == len(mode) - 1:
        full = np.full(numbers.shape[:2], np.iinfo(numbers.dtype).max, numbers.dtype)
        numbers = np.dstack([numbers, full])
    return numbers

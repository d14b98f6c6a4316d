"""What coverage means, decided here for all: the editor, the request, the sent file, the paste, the leak and the words.

*Edit* is where at least one half of a pixel is covered, *protected* is where nothing of it is, and what lies between
is the seam. A mask on which nothing is painted is no mask. One that is painted and nowhere half covered is a problem:
sent, it would let the whole picture change, which is what nobody who painted wants. So is one that was given as pixels,
an array or a picture, of which none is marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .raster import Coverage

if TYPE_CHECKING:
    from .mask import Mask

__all__ = [
    "EDITED",
    "HALF",
    "MARKS_NOTHING",
    "Meaning",
    "asked_for",
    "edited",
    "meaning_of",
    "protected",
    "share",
]

HALF = 128
"""Coverage from which a pixel is edited, of 255: one half."""

# What coverage becomes where a mask can only say yes or no.
EDITED = [0] * HALF + [255] * (256 - HALF)

MARKS_NOTHING = (
    "The mask marks nothing. Paint over what should change, or leave the mask out to change everything."
)
TOO_FAINT = (
    "The mask marks nothing: what is painted is nowhere half covered. Undo the feathering or shrinking, paint more, "
    "or clear the mask to let the whole picture change."
)


def edited(coverage: Coverage) -> NDArray[np.bool_]:
    """Where coverage asks for an edit."""
    pixels: NDArray[np.bool_] = coverage >= HALF
    return pixels


def protected(coverage: Coverage) -> NDArray[np.bool_]:
    """Where coverage protects the picture."""
    pixels: NDArray[np.bool_] = coverage == 0
    return pixels


@dataclass(frozen=True)
class Meaning:
    """What a mask asks for, in pixels: how many to edit, how many are protected, and how many there are.

    `painted` tells whether anything was painted, also where feathering or shrinking left none of it, and `blank`
    whether it was given as pixels of which none was marked.
    """

    edited: int
    protected: int
    pixels: int
    painted: bool
    blank: bool = False

    @property
    def asks(self) -> bool:
        """Whether there is a mask at all: something was painted, or given."""
        return self.painted or self.blank

    @property
    def seam(self) -> int:
        """Pixels between the two, where the picture fades into the edit."""
        return self.pixels - self.edited - self.protected

    @property
    def problem(self) -> str:
        """Why the mask can't be sent, in a sentence or two; empty where it can, or where nothing is painted."""
        if self.edited or not self.asks:
            return ""
        return TOO_FAINT if self.painted else MARKS_NOTHING

    @property
    def words(self) -> str:
        """What it asks for, in a sentence; empty where there is a problem instead."""
        if self.problem:
            return ""
        if not self.painted:
            return "Nothing is masked: the whole picture may change."
        much = f"The mask edits {share(self.edited, self.pixels)} of the picture"
        if not self.protected:
            return f"{much} and protects nothing: the rest of it may change too."
        return f"{much} and protects {share(self.protected, self.pixels)}."


def meaning_of(coverage: Coverage, *, painted: bool = False, blank: bool = False) -> Meaning:
    """What this coverage asks for; `painted` and `blank` as in `Meaning`, for coverage of nothing."""
    covered = int(np.count_nonzero(coverage))
    return Meaning(
        int(np.count_nonzero(edited(coverage))),
        coverage.size - covered,
        coverage.size,
        painted or covered > 0,
        blank,
    )


def asked_for(mask: Mask | None) -> Mask | None:
    """The mask that a request with `mask` asks for: None where nothing is painted, and none was given as pixels."""
    return mask if mask is not None and mask.meaning.asks else None


def share(part: int, whole: int) -> str:
    """A part of a whole in percent, never rounded to nothing or to all."""
    if part in (0, whole):
        return "all" if part else "none"
    percent = 100 * part / whole
    if percent < 0.1:
        return "less than 0.1%"
    return "more than 99.9%" if percent > 99.9 else f"{percent:.1f}%" if percent < 10 else f"{percent:.0f}%"

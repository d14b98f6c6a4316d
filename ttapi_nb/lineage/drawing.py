"""A mask as it is written down mark by mark, where that is small, and drawn again, where that is bearable."""

from __future__ import annotations

import json
import math

from ..errors import MaskError
from ..mask import Mask
from ..picture import SourceImage

__all__ = ["MASK_CAP", "drawing_of", "drawn", "is_drawable", "mask_of"]

MASK_CAP = 256_000
"""A drawing whose JSON is longer than this, in characters, stays out: only its hash is written."""
# What drawing a mask may cost, in pixels that are looked at, about a quarter of a minute; and in bytes at once.
WORK_CAP = 1e10
MEMORY_CAP = 800e6


def mask_of(mask: Mask | SourceImage | None) -> Mask | None:
    """What a request has for a mask, as a mask; None where a picture says nothing, as an unchecked one may."""
    if isinstance(mask, SourceImage):
        return Mask.from_image(mask, edit="transparent") if mask.pixels.mode == "RGBA" else None
    return mask


def drawing_of(mask: Mask | None) -> str:
    """The mask as JSON in ASCII, or "" where there is none or it takes more than `MASK_CAP` characters."""
    text = "" if mask is None else json.dumps(json.loads(mask.to_json()), separators=(",", ":"))
    return text if len(text) <= MASK_CAP else ""


def drawn(drawing: str) -> Mask | None:
    """The mask that `drawing_of` wrote, or None where there is none that can be used.

    It may be somebody else's: a few bytes can ask for hours of drawing.
    """
    if not 0 < len(drawing) <= MASK_CAP:
        return None
    try:
        mask = Mask.from_json(drawing)
        return mask if is_drawable(mask) else None
    except (MaskError, ValueError, OverflowError, TypeError, RecursionError):
        return None


def is_drawable(mask: Mask) -> bool:
    """Whether a mask that came from elsewhere can be drawn in bearable time and memory."""
    costs = [mark.cost(mask.size) for mark in mask.marks]
    work, held = math.fsum(work for work, _ in costs), max((held for _, held in costs), default=0.0)
    return work <= WORK_CAP and held <= MEMORY_CAP

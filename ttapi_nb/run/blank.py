"""The blank sheet: what stands where an edit has its picture, when a picture is made of words alone."""

from __future__ import annotations

import functools

from PIL import Image

from ..fit import Fit
from ..models import parse_size
from ..picture import SourceImage

__all__ = ["blank", "plan_of"]

UNSAID = (1024, 1024)
"""How large the sheet is in pixels where the model chooses; once the answer is here it is as large as that."""


@functools.lru_cache(maxsize=2)
def blank(size: tuple[int, int] | str) -> SourceImage:
    """A white sheet of this size in pixels, or of the one that a request names."""
    sides = parse_size(size) or UNSAID if isinstance(size, str) else size
    return SourceImage(Image.new("RGB", sides, "white"), "PNG", "blank")


def plan_of(sheet: SourceImage, model: str, asked: str) -> Fit:
    """How it travels: it stays here, and the answer is as large as it is."""
    return Fit(sheet.size, (0, 0, *sheet.size), sheet.size, asked, "none", "PNG", model)

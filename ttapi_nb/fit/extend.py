"""`extend`: more room around a picture, for a model to fill."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from ..errors import FitError
from ..mask import Mask
from ..picture import PIXEL_CAP, ImageSource, SourceImage, extended_picture, open_image
from .geometry import by_size, holding

__all__ = ["extend"]


def extend(
    picture: ImageSource,
    *,
    left: int = 0,
    top: int = 0,
    right: int = 0,
    bottom: int = 0,
    aspect: str | tuple[float, float] | None = None,
) -> tuple[SourceImage, Mask]:
    """The picture with more room around it, transparent, and the mask that covers exactly this room.

    Give margins in pixels, or instead the `aspect` that the whole is to have, as `"16:9"` or `(16, 9)`, with the
    picture in its middle. Raises `FitError` where that adds nothing or makes the picture too large, and what
    `open_image` raises.
    """
    source = open_image(picture)
    width, height = source.size
    margins: tuple[Any, ...] = (left, top, right, bottom)
    if aspect is not None:
        if any(margins):
            raise FitError("A picture is extended by margins or to an aspect. Give one of the two.")
        wide, high = holding(source.size, _ratio(aspect))
        spare = (wide - width, high - height)
        margins = (spare[0] // 2, spare[1] // 2, spare[0] - spare[0] // 2, spare[1] - spare[1] // 2)
    if not all(isinstance(margin, int | np.integer) and margin >= 0 for margin in margins):
        raise FitError(
            f"Margins are whole numbers of pixels, 0 or more, and not {margins!r}. To cut, crop the picture."
        )
    if not any(margins):
        asked = "The picture has that aspect already." if aspect is not None else "All margins are 0."
        raise FitError(f"{asked} Give at least one margin over 0, or another aspect.")
    before, above, after, below = (int(margin) for margin in margins)
    size = (before + width + after, above + height + below)
    if size[0] * size[1] > PIXEL_CAP:
        raise FitError(
            f"That makes {by_size(size)}, which is more than {PIXEL_CAP // 10**6} million pixels. "
            "Choose smaller margins, or make the picture smaller first."
        )
    pixels = Image.new("RGBA", size, (0, 0, 0, 0))
    pixels.paste(source.pixels.convert("RGBA"), (before, above))
    mask = Mask(size).rectangle((0, 0, *size))
    mask = mask.rectangle((before, above, before + width, above + height), erase=True)
    # What made the picture made most of this one too.
    return extended_picture(source, pixels, (before, above)).with_lineage(source._lineage), mask


def _ratio(aspect: Any) -> tuple[int, int]:
    parts = aspect.split(":") if isinstance(aspect, str) else aspect
    try:
        width, height = (Fraction(part).limit_denominator(10_000) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        width = height = Fraction(0)
    if width <= 0 or height <= 0 or not Fraction(1, 100) <= width / height <= 100:
        raise FitError(f'An aspect is written as "16:9" or (16, 9), and not {aspect!r}. Give one of these.')
    ratio = width / height
    return ratio.numerator, ratio.denominator

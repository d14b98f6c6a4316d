"""Which size a result has, and how a picture of another shape gets there.

Like a hosted model, the service answers in the size that was asked for: a picture of another shape is scaled
until it covers that size, and what sticks out is cut off evenly on both sides. At equal size no pixel is
touched.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

from ..models import Model, parse_size
from .rules import HALF, Hole

__all__ = ["result_size", "shaped"]

AUTO_AREA = 2_000_000
"""`auto` chooses among sizes of at most so many pixels; the larger ones must be asked for."""


def result_size(model: Model, size: str, picture: tuple[int, int]) -> tuple[int, int]:
    """The size of the result, in pixels.

    `auto` means for a model of square pictures the smallest size that holds the picture, else the largest;
    for the others the size nearest to the picture in shape.
    """
    asked = parse_size(size)
    if asked is not None:
        return asked
    listed = [sides for sides in map(parse_size, model.sizes) if sides]
    offered = sorted(sides for sides in listed if math.prod(sides) <= AUTO_AREA)
    if model.square:
        return next((sides for sides in offered if sides >= picture), offered[-1])
    shape = math.log(picture[0] / picture[1])
    return min(offered, key=lambda sides: abs(math.log(sides[0] / sides[1]) - shape))


def shaped(picture: Image.Image, hole: Hole | None, size: tuple[int, int]) -> tuple[Image.Image, Hole | None]:
    """Picture and hole, scaled and cut together to `size`."""
    if picture.size == size:
        return picture, hole
    cut = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    if hole is None:
        return cut, None
    stencil = Image.fromarray(hole.astype(np.uint8) * 255)
    return cut, np.asarray(ImageOps.fit(stencil, size, Image.Resampling.BILINEAR)) >= HALF

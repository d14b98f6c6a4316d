"""The region that a bucket fills: what is coloured alike and hangs together."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from ..errors import MaskError
from .marks import numbers
from .raster import Coverage, alike, connected

__all__ = ["alike_region"]


def alike_region(
    pixels: Image.Image, size: tuple[int, int], seed: Sequence[float], tolerance: int
) -> Coverage:
    """As `Mask.fill_similar` on a mask of `size`. Raises `MaskError`."""
    if pixels.size != size:
        raise MaskError(f"The picture is {pixels.size} and the mask {size}. Both must be the same size.")
    if not 0 <= tolerance <= 255:
        raise MaskError(f"The tolerance is a number from 0 to 255, and not {tolerance!r}. Give another.")
    (place,) = numbers([seed])
    if len(place) != 2 or not all(0 <= at < side for at, side in zip(place, size, strict=True)):
        raise MaskError(
            f"The seed {tuple(seed)!r} is not in the picture of {size}. Give the (x, y) of one of its pixels."
        )
    column, row = map(int, place)
    return connected(alike(pixels, column, row, tolerance), column, row)

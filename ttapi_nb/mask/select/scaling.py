"""A photo at the size that an engine works at, and what it found back at the photo's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...picture import SourceImage, on_white
from .engine import Floats

__all__ = ["at_size", "sharp"]

# So many pixels of coverage are worked out at a time: numbers of 24 megapixels would take 100 MB more.
BAND = 1 << 20


def at_size(
    picture: SourceImage, size: tuple[int, int], box: tuple[int, int, int, int] | None = None
) -> NDArray[np.uint8]:
    """The photo, or a box of it, at another size: (height, width, 3), and white behind what is transparent."""
    scaled = picture.pixels.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)
    return np.asarray(on_white(scaled))


def sharp(
    scores: Floats, size: tuple[int, int], slope: float, part: tuple[float, float] | None = None
) -> Floats:
    """Coverage, 0 to 1, where `scores` are over 0, brought to another size with edges about a pixel wide.

    `slope` is how much the scores change over one of their own pixels at an edge; `part` is how much of them, (width,
    height) from the upper left, is the photo.
    """
    width, height = size
    columns, rows = part or (float(scores.shape[1]), float(scores.shape[0]))
    steep = max(1.0, width / columns) / slope
    coverage = np.empty((height, width), np.float32)
    image = Image.fromarray(np.ascontiguousarray(scores))
    for top in range(0, height, step := max(1, BAND // width)):
        bottom = min(height, top + step)
        box = (0.0, top * rows / height, columns, bottom * rows / height)
        piece = np.asarray(image.resize((width, bottom - top), Image.Resampling.BILINEAR, box=box))
        np.clip(piece * np.float32(steep) + np.float32(0.5), 0, 1, out=coverage[top:bottom])
    return coverage

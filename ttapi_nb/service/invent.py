"""A picture of nothing: what is painted where there is no photo to start from."""

from __future__ import annotations

import numpy as np
from PIL import Image

__all__ = ["invent"]

COARSEST, FINEST = 2, 32
"""How many clouds stand side by side, in the largest and the smallest of the layers."""


def invent(size: tuple[int, int], seed: int) -> Image.Image:
    """Clouds of colour, `RGB`, the same for the same size in pixels and seed; the prompt's colours come in painting."""
    random = np.random.default_rng(seed)
    width, height = size
    layers = np.zeros((height, width, 3), np.float32)
    count, strength = COARSEST, np.float32(1)
    while count <= FINEST:
        cells = random.uniform(-1, 1, (max(2, count * height // width), count, 3)).astype(np.float32)
        # The finer ones are lighter and darker rather than of other colours.
        cells *= strength
        if count > COARSEST:
            cells = (cells[..., :1] + cells / 4).astype(np.float32)
        for channel in range(3):
            layer = Image.fromarray(np.ascontiguousarray(cells[..., channel]))
            layers[..., channel] += np.asarray(layer.resize(size, Image.Resampling.BICUBIC))
        count, strength = count * 2, strength * np.float32(0.6)
    return Image.fromarray(np.clip(128 + 80 * layers, 0, 255).astype(np.uint8))

"""What lies outside the mask stays: the strict paste, and the leak that says how much the model repainted there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .mask import Mask

__all__ = ["LEAK_THRESHOLD", "Leak", "measure_leak", "paste"]

LEAK_THRESHOLD = 8
"""A pixel counts as repainted where any channel moved by more than this, of 255."""


@dataclass(frozen=True)
class Leak:
    """How much a raw answer changed where the mask protects the picture.

    `share` is the part of the protected pixels (0 to 1) in which a channel moved by more than `LEAK_THRESHOLD`, and
    `mean` the mean difference of all channels there, in levels of 255.
    """

    share: float
    mean: float

    def __str__(self) -> str:
        return f"{self.share:.1%} of the protected pixels repainted (mean difference {self.mean:.1f} of 255)"


def paste(source: Image.Image, answer: Image.Image, mask: Mask) -> Image.Image:
    """The answer inside the mask and the source outside it; all three of one size.

    Where the coverage is 0 every byte is the source's; in the seam the two are blended by the coverage.
    """
    whole = source.copy()
    whole.paste(answer.convert(source.mode), (0, 0), mask.to_image())
    return whole


def measure_leak(sent: Image.Image, raw: Image.Image, mask: Mask) -> Leak:
    """The leak of a raw answer against the picture that was sent; all three of one size."""
    protected = mask.coverage() == 0
    if not protected.any():
        return Leak(0.0, 0.0)
    before = np.asarray(sent.convert("RGB"))[protected].astype(np.int16)
    after = np.asarray(raw.convert("RGB"))[protected].astype(np.int16)
    moved = np.abs(after - before)
    return Leak(float((moved.max(axis=1) > LEAK_THRESHOLD).mean()), float(moved.mean()))

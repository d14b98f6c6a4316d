"""Source, answer and mask small enough to be compared quickly, however large the photo is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .geometry import Box

__all__ = ["Look"]

# Pictures are compared with at most so many pixels a side.
LOOK = 1024


@dataclass(frozen=True, eq=False)
class Look:
    """Source and answer of one size, as large as they are seen: every pixel is the mean of `step` by `step`.

    `outside` (height, width) is where nothing at all is masked.
    """

    source: Image.Image
    answer: Image.Image
    outside: NDArray[np.bool_]
    step: int

    @classmethod
    def of(
        cls, source: Image.Image, box: Box, answer: Image.Image, covered: NDArray[np.uint8], most: int = LOOK
    ) -> Look:
        """What is to be seen of the source in `box`, where the answer and the mask's coverage lie, with at most `most`
        pixels a side.
        """
        step = max(1, math.ceil(max(answer.size) / most))
        masked = Image.fromarray((covered > 0).astype(np.uint8) * 255).reduce(step)
        before = source.crop(box) if step == 1 else source.reduce(step, box)
        after = answer if step == 1 else answer.reduce(step)
        return cls(before, after, np.asarray(masked) == 0, step)

    def with_answer(self, answer: Image.Image) -> Look:
        """The same with another answer."""
        return replace(self, answer=answer)

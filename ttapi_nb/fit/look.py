"""Source, answer and mask small enough to be compared quickly, however large the photo is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .geometry import Box

__all__ = ["Look", "by_squares"]

Number = TypeVar("Number", np.uint8, np.float32)

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
        cls,
        source: Image.Image,
        box: Box,
        answer: Image.Image,
        covered: NDArray[np.uint8],
        most: int = LOOK,
        begun: Callable[[Callable[[], Image.Image]], Callable[[], Image.Image]] = lambda work: work,
    ) -> Look:
        """What is to be seen of the source in `box`, where the answer and the mask's coverage lie, with at most `most`
        pixels a side. `begun` may have the answer made smaller by another thread, and gives what waits for it.
        """
        step = max(1, math.ceil(max(answer.size) / most))
        after = begun(lambda: answer if step == 1 else answer.reduce(step))
        before = source.crop(box) if step == 1 else source.reduce(step, box)
        masked = by_squares(covered, step, np.maximum, np.uint8)
        return cls(before, after(), masked == 0, step)

    def with_answer(self, answer: Image.Image) -> Look:
        """The same with another answer."""
        return replace(self, answer=answer)


def by_squares(plane: NDArray[Any], step: int, together: np.ufunc, dtype: type[Number]) -> NDArray[Number]:
    """What each square of `step` pixels a side has `together`: `np.maximum`, or `np.add`."""
    # Row by row of the squares: numpy's own way over a short axis takes ten times as long.
    down = np.zeros((-(-plane.shape[0] // step), plane.shape[1]), dtype)
    for start in range(step):
        part = plane[start::step]
        together(down[: len(part)], part, out=down[: len(part)])
    reduced = np.zeros((down.shape[0], -(-plane.shape[1] // step)), dtype)
    for start in range(step):
        part = down[:, start::step]
        together(reduced[:, : part.shape[1]], part, out=reduced[:, : part.shape[1]])
    return reduced

"""How much of a mask a mark reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["box_of", "sides"]


def box_of(
    xs: Sequence[float], ys: Sequence[float], reach: float, size: tuple[int, int]
) -> list[tuple[int, int, int, int]]:
    """The box of whole pixels, on a mask of `size`, around these coordinates and so much more on each side; none where
    that lies beyond it.
    """
    left, top = max(0, math.floor(min(xs) - reach)), max(0, math.floor(min(ys) - reach))
    right, bottom = min(size[0], math.ceil(max(xs) + reach)), min(size[1], math.ceil(max(ys) + reach))
    return [(left, top, right, bottom)] if left < right and top < bottom else []


def sides(
    xs: Sequence[float], ys: Sequence[float], reach: float, size: tuple[int, int]
) -> tuple[float, float]:
    """Width and height, on a mask of `size`, of the box around these coordinates and so much more on each side."""
    across = min(size[0], max(xs) + reach) - max(0, min(xs) - reach)
    down = min(size[1], max(ys) + reach) - max(0, min(ys) - reach)
    return max(0.0, across), max(0.0, down)

"""How much of a mask a mark reaches, for its cost."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["sides"]


def sides(
    xs: Sequence[float], ys: Sequence[float], reach: float, size: tuple[int, int]
) -> tuple[float, float]:
    """Width and height, on a mask of `size`, of the box around these coordinates and so much more on each side."""
    across = min(size[0], max(xs) + reach) - max(0, min(xs) - reach)
    down = min(size[1], max(ys) + reach) - max(0, min(ys) - reach)
    return max(0.0, across), max(0.0, down)

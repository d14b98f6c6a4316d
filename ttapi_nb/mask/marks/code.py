"""Numbers and points as Python source."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["number", "points"]


def number(value: float) -> str:
    """The shortest way to write a number."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def points(coordinates: Sequence[Sequence[float]]) -> str:
    """A list of points."""
    return f"[{', '.join('(' + ', '.join(map(number, point)) + ')' for point in coordinates)}]"

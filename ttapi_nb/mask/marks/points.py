"""Points, boxes and amounts as they are given, checked. Coordinates and radii are in image pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import TypeAlias, TypeVar

import numpy as np

from ...errors import MaskError

__all__ = [
    "FARTHEST",
    "LARGEST",
    "Box",
    "Point",
    "amount",
    "corners",
    "is_length",
    "numbers",
    "polygon_points",
    "stroke_points",
    "truth",
]

Point: TypeAlias = tuple[float, float]
Points = TypeVar("Points", bound=tuple[tuple[float, ...], ...])
Box: TypeAlias = tuple[float, float, float, float]
# The most that a mask's edge may be moved, in pixels.
FARTHEST = 10_000
# Coordinates stay under this, in pixels.
LARGEST = 1e6
# No mark that anybody drew has more points than this.
MOST_POINTS = 1_000_000


def is_length(side: object) -> bool:
    return isinstance(side, int | np.integer) and not isinstance(side, bool) and bool(side > 0)


def _plain(points: Iterable[Sequence[float]], least: int, wide: int) -> list[float] | None:
    """The numbers of points in one list, where they are at least so many rows of so many ordinary numbers: what nearly
    all are, and looked at one by one they take ten times as long.
    """
    if not isinstance(points, list | tuple) or not least <= len(points) <= MOST_POINTS:
        return None
    try:
        if set(map(len, points)) != {wide}:
            return None
        flat = list(chain.from_iterable(points))
        if {*map(type, flat)} != {float}:
            flat = np.fromiter(flat, np.float64, len(flat)).tolist()
    except (TypeError, ValueError, OverflowError):
        return None
    # What is no number may be neither the least nor the greatest, but the sum is none either.
    fits = min(flat) > -LARGEST and max(flat) < LARGEST and not math.isnan(sum(flat))
    return flat if fits else None


def polygon_points(points: Iterable[Sequence[float]]) -> tuple[Point, ...]:
    plain = _plain(points, 3, 2)
    if plain is not None:
        number = iter(plain)
        return tuple(zip(number, number, strict=True))
    vertices = numbers(points)
    if len(vertices) < 3 or not all(len(point) == 2 for point in vertices):
        raise MaskError("A polygon needs at least three corners, each (x, y). For a line use paint().")
    return _finite(tuple((x, y) for x, y in vertices))


def stroke_points(points: Iterable[Sequence[float]], radius: float) -> tuple[tuple[float, float, float], ...]:
    plain = _plain(points, 1, 3)
    if plain is not None and min(plain[2::3]) > 0:
        number = iter(plain)
        return tuple(zip(number, number, number, strict=True))
    rows = numbers(points)
    if not rows or not all(len(point) in (2, 3) for point in rows):
        raise MaskError("A stroke needs at least one point, each (x, y) or (x, y, radius).")
    ((usual,),) = numbers([[radius]])
    whole = tuple((point[0], point[1], point[2] if len(point) == 3 else usual) for point in rows)
    if not all(r > 0 for _, _, r in whole):
        raise MaskError("A stroke's radius must be over 0 pixels. Choose a larger brush.")
    return _finite(whole)


def numbers(points: Iterable[Sequence[float]]) -> list[tuple[float, ...]]:
    try:
        rows = [tuple(float(number) for number in point) for point in islice(points, MOST_POINTS + 1)]
        if len(rows) > MOST_POINTS:
            raise MaskError(
                f"A mark has at most {MOST_POINTS:,} points. Leave out those that lie close together."
            )
        return rows
    except MaskError:
        raise
    except (TypeError, ValueError, OverflowError):
        pass
    raise MaskError("A mask's points must be pairs of numbers: [(x, y), (x, y)]. Give image pixels.")


def _finite(points: Points) -> Points:
    if not all(math.isfinite(number) and abs(number) < LARGEST for point in points for number in point):
        raise MaskError(
            "A mask's coordinates must be ordinary numbers of pixels. Check for nan and infinity."
        )
    return points


def corners(box: Box) -> tuple[Point, Point]:
    (edges,) = numbers([box])
    if len(edges) != 4:
        raise MaskError("A box is (x0, y0, x1, y1) in image pixels. Give all four numbers.")
    x0, y0, x1, y1 = edges
    return _finite(((x0, y0), (x1, y1)))


def amount(pixels: float) -> float:
    try:
        fits = math.isfinite(pixels) and 0 <= pixels <= FARTHEST
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise MaskError(
            f"How far the mask's edge moves is a number of pixels from 0 to {FARTHEST:,}, and not {repr(pixels)[:40]}. "
            "Give another."
        )
    return float(pixels)


def truth(value: object) -> bool:
    """True or False, as it is. Raises `TypeError` for what is neither."""
    if not isinstance(value, bool):
        raise TypeError
    return value

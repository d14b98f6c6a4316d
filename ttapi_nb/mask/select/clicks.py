"""`Clicks`: what somebody points at in a photo, checked. Coordinates are in image pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import MaskError
from ..marks import Box, corners, numbers

__all__ = ["ADD", "TAKE_AWAY", "Clicks"]

ADD, TAKE_AWAY = 1, 0
# Nobody clicks more often at one thing, and every model's memory has an end.
MOST = 256
NOTHING = "Say what to select: points=[(x, y)] on the thing, or box=(x0, y0, x1, y1) around it."


@dataclass(frozen=True)
class Clicks:
    """Where a thing is: `points` (x, y), each with a label, 1 on the thing and 0 on what does not belong to it, and a
    `box` (left, top, right, bottom) around it, or None.
    """

    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: Box | None = None

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        points: Iterable[Sequence[float]] = (),
        labels: Iterable[int] | None = None,
        box: Box | None = None,
    ) -> Clicks:
        """What was given, for a picture of this `size`. Raises `MaskError`."""
        places = tuple(_point(one, size) for one in numbers(points if points is not None else ()))
        marked = _labels(labels, len(places))
        around = None if box is None else _box(box, size)
        if not places and around is None:
            raise MaskError(NOTHING)
        if around is None and ADD not in marked:
            raise MaskError(
                "Every point takes away. Give one on the thing to select too, or a box around it."
            )
        if len(places) > MOST:
            raise MaskError(f"A selection has at most {MOST} points. Begin another for the next thing.")
        return cls(places, marked, around)

    def is_all_of(self, size: tuple[int, int]) -> bool:
        """Whether the box holds all of the picture, which asks for its subject."""
        return self.box == (0.0, 0.0, float(size[0]), float(size[1]))

    def scaled(self, sx: float, sy: float) -> Clicks:
        """The same for the picture at another size."""
        box = None
        if self.box is not None:
            left, top, right, bottom = self.box
            box = (left * sx, top * sy, right * sx, bottom * sy)
        return Clicks(tuple((x * sx, y * sy) for x, y in self.points), self.labels, box)


def _point(point: tuple[float, ...], size: tuple[int, int]) -> tuple[float, float]:
    if len(point) != 2:
        raise MaskError("A point is (x, y) in image pixels. Give two numbers for each.")
    x, y = point
    # What is not a number is in no picture.
    if not (0 <= x < size[0] and 0 <= y < size[1]):
        raise MaskError(
            f"The point ({x:g}, {y:g}) is not in the picture of {size[0]}x{size[1]}. Give one that is on it."
        )
    return x, y


def _labels(labels: Iterable[Any] | None, count: int) -> tuple[int, ...]:
    problem = "Labels are 1 for a point on the thing and 0 for one that does not belong to it. Give one for each point."
    try:
        values = [ADD] * count if labels is None else list(labels)
        if len(values) != count or not all(one in (ADD, TAKE_AWAY) for one in values):
            raise MaskError(problem)
        return tuple(int(one) for one in values)
    except (TypeError, ValueError):
        pass
    raise MaskError(problem)


def _box(box: Box, size: tuple[int, int]) -> Box:
    (x0, y0), (x1, y1) = corners(box)
    left, right = (min(max(at, 0.0), float(size[0])) for at in (min(x0, x1), max(x0, x1)))
    top, bottom = (min(max(at, 0.0), float(size[1])) for at in (min(y0, y1), max(y0, y1)))
    if right - left < 1 or bottom - top < 1:
        raise MaskError(
            f"The box holds not one pixel of the picture of {size[0]}x{size[1]}. Drag one around the thing."
        )
    return left, top, right, bottom

"""`Selection`: a thing that was selected by clicks or a box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from ..raster import Coverage
from .bitmap import Bitmap
from .mark import Tool
from .points import Box, corners, is_length, numbers

__all__ = ["Selection"]

WORD_CAP = 80


@dataclass(frozen=True)
class Selection(Bitmap):
    """What an engine found, as pixels, and what it was asked: `points` with a label each (1 on the thing, 0 beside it),
    a `box` or None, and the engine's name. Drawing it needs no engine; the next click adds to what was asked.
    """

    kind: ClassVar[str] = "selection"
    tools: ClassVar[tuple[Tool, ...]] = ()
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: Box | None = None
    engine: str = ""

    @classmethod
    def found(
        cls,
        coverage: Coverage,
        erase: bool,
        points: tuple[tuple[float, float], ...],
        labels: tuple[int, ...],
        box: Box | None,
        engine: str,
    ) -> Self:
        """The mark that paints what was found, or takes it away."""
        return replace(
            cls.of(coverage, erase), points=points, labels=labels, box=box, engine=engine[:WORD_CAP]
        )

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        made = super().read(data)
        points = tuple((x, y) for x, y in numbers(data["points"]))
        labels = tuple(data["labels"])
        if len(labels) != len(points) or not all(is_length(one) or one == 0 for one in labels):
            raise ValueError
        box = data["box"]
        if box is not None:
            (left, top), (right, bottom) = corners(box)
            box = (left, top, right, bottom)
        if not isinstance(data["engine"], str):
            raise TypeError
        return replace(made, points=points, labels=labels, box=box, engine=data["engine"][:WORD_CAP])

    def scaled(self, sx: float, sy: float) -> Self:
        box = None
        if self.box is not None:
            left, top, right, bottom = self.box
            box = (left * sx, top * sy, right * sx, bottom * sy)
        points = tuple((x * sx, y * sy) for x, y in self.points)
        return replace(super().scaled(sx, sy), points=points, box=box)


# What it finds an engine says, which has the photo.
Selection.tools = (Tool("select", boxes=True),)

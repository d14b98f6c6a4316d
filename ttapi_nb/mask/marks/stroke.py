"""`Stroke`: what a brush paints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...errors import MaskError
from ..raster import Coverage, merge
from ..sweep import AREA, grouped, sparse, sweep, sweep_all, trace
from .code import number, points
from .mark import Mark, Pointed, Tool
from .points import stroke_points, truth
from .reach import sides

__all__ = ["Stroke"]


@dataclass(frozen=True)
class Stroke(Mark):
    """A brush or eraser stroke: `(x, y, radius)` per point, joined by straight segments with round ends."""

    kind: ClassVar[str] = "stroke"
    points: tuple[tuple[float, float, float], ...]
    erase: bool = False

    @classmethod
    def read(cls, data: dict[str, Any]) -> Stroke:
        return cls(stroke_points(data["points"], 0), truth(data["erase"]))

    @classmethod
    def made(cls, points: Pointed, erase: bool) -> Stroke:
        """The stroke of a brush that was drawn along `points`. Raises `MaskError`."""
        if not all(radius > 0 for _, _, radius in points):
            raise MaskError("This stroke has a brush without size and was left out. Choose a larger brush.")
        return cls(tuple(points), erase)

    def scaled(self, sx: float, sy: float) -> Stroke:
        return replace(
            self, points=tuple((x * sx, y * sy, r * math.sqrt(sx * sy)) for x, y, r in self.points)
        )

    def draw(self, coverage: Coverage) -> None:
        """Paint the stroke into `coverage`, in place."""
        height, width = coverage.shape
        if coverage.flags.c_contiguous and (few := sparse(self.points, width, height)) is not None:
            trace(coverage, few[0], erase=self.erase)
            return
        for pieces, (left, top, right, bottom) in grouped(self.points, width, height):
            part = coverage[top:bottom, left:right]
            drawn = np.zeros_like(part) if self.erase else part
            sweep(drawn, pieces, left, top)
            if self.erase:
                merge(part, drawn, erase=True)

    @classmethod
    def draw_together(cls, strokes: Sequence[Stroke], coverage: Coverage) -> None:
        """Paint strokes of which none erases into `coverage`, in place."""
        if len(strokes) == 1:
            strokes[0].draw(coverage)
        else:
            sweep_all(coverage, [stroke.points for stroke in strokes])

    def reach(self, size: tuple[int, int]) -> Sequence[tuple[int, int, int, int]]:
        if (few := sparse(self.points, *size)) is not None:
            return few[1]
        return [box for _, box in grouped(self.points, *size)]

    def cost(self, size: tuple[int, int]) -> tuple[float, float]:
        def looked_at(one: tuple[float, float, float], two: tuple[float, float, float]) -> float:
            across, down = sides((one[0], two[0]), (one[1], two[1]), max(one[2], two[2]) + 1, size)
            # More than it is: a small drawing that says the same thousands of times is nobody's.
            return min(across * down, across * down / 1024 + 64 * (across + down))

        pieces = zip(self.points, self.points[1:] or self.points, strict=False)
        reach = max(radius for _, _, radius in self.points) + 1
        across, down = sides([x for x, _, _ in self.points], [y for _, y, _ in self.points], reach, size)
        return 10 * math.fsum(looked_at(one, two) for one, two in pieces), 2 * across * down + 100 * AREA

    def code(self) -> str:
        method = "erase" if self.erase else "paint"
        radii = {radius for _, _, radius in self.points}
        if len(radii) > 1:
            return f".{method}({points(self.points)})"
        return f".{method}({points([point[:2] for point in self.points])}, radius={number(radii.pop())})"


Stroke.tools = (
    Tool("brush", Stroke.made, sized=True, pressed=True),
    Tool("eraser", sized=True, pressed=True, erases=True),
    Tool("line", Stroke.made, sized=True),
)

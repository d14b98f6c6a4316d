"""`Shape`: a filled outline, and every outline that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw

from ...errors import MaskError
from ..raster import Coverage, clipped, merge, overlap
from .code import number
from .code import points as written
from .mark import Mark, Pointed, Tool
from .points import Point, corners, polygon_points, truth
from .reach import area

__all__ = ["OUTLINES", "Outline", "Shape"]

# How finely polygons and ellipses are drawn before they are averaged down to clean edges.
SUPERSAMPLE = 4


@dataclass(frozen=True)
class Outline:
    """One kind of outline; a new one is an entry of `OUTLINES`.

    * `points(given)`: its points, checked: of what was read, or `made` of what a pointer did.
    * `fill(points, size)`: its coverage, (height, width) of uint8, on a box of `size` (width, height) that it lies on.
    * `code(points)`: what stands between the brackets of the `Mask` method of its name.
    * `least`: how many points a pointer has to make; `ends`: whether only the first and the last of them count.
    """

    points: Callable[[Any], tuple[Point, ...]]
    fill: Callable[[Sequence[Point], tuple[int, int]], Coverage]
    code: Callable[[Sequence[Point]], str]
    tools: tuple[Tool, ...] = ()
    least: int = 2
    ends: bool = True


@dataclass(frozen=True)
class Shape(Mark):
    """A filled shape: `rectangle` and `ellipse` by two opposite corners, `polygon` by its corners in order."""

    kind: ClassVar[str] = "shape"
    outline: str
    points: tuple[Point, ...]
    erase: bool = False

    @classmethod
    def read(cls, given: dict[str, Any]) -> Shape:
        outline = OUTLINES.get(given["outline"]) if isinstance(given["outline"], str) else None
        if outline is None:
            raise MaskError("This mask has a shape that is not known here. Open it with a newer ttapi_nb.")
        return cls(given["outline"], outline.points(given["points"]), truth(given["erase"]))

    @classmethod
    def maker(cls, name: str) -> Callable[[Pointed, bool], Shape | None]:
        """What makes a shape with this outline of what a pointer did."""

        def make(points: Pointed, erase: bool) -> Shape | None:
            outline = OUTLINES[name]
            found = tuple((x, y) for x, y, _ in points)
            if len(found) < outline.least:
                return None
            return cls(name, (found[0], found[-1]) if outline.ends else found, erase)

        return make

    def scaled(self, sx: float, sy: float) -> Shape:
        return replace(self, points=tuple((x * sx, y * sy) for x, y in self.points))

    def draw(self, coverage: Coverage) -> None:
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        left, top, right, bottom = clipped(min(xs), min(ys), max(xs), max(ys), coverage)
        if left >= right or top >= bottom:
            return
        here = [(x - left, y - top) for x, y in self.points]
        drawn = OUTLINES[self.outline].fill(here, (right - left, bottom - top))
        merge(coverage[top:bottom, left:right], drawn, self.erase)

    def cost(self, size: tuple[int, int]) -> tuple[float, float]:
        covered = area([x for x, _ in self.points], [y for _, y in self.points], 0, size)
        # A rectangle is worked out in floats, the others are drawn four times as large.
        return 16 * covered, 17 * covered

    def code(self) -> str:
        erase = ", erase=True" if self.erase else ""
        return f".{self.outline}({OUTLINES[self.outline].code(self.points)}{erase})"


def _box(given: Any) -> tuple[Point, ...]:
    (x0, y0), (x1, y1) = given
    return corners((x0, y0, x1, y1))


def _box_code(points: Sequence[Point]) -> str:
    return f"({', '.join(number(value) for point in points for value in point)})"


def _rectangle(points: Sequence[Point], size: tuple[int, int]) -> Coverage:
    (x0, y0), (x1, y1) = points
    across, down = overlap(min(x0, x1), max(x0, x1), size[0]), overlap(min(y0, y1), max(y0, y1), size[1])
    return np.rint(np.outer(down, across) * 255).astype(np.uint8)


def _ellipse(points: Sequence[Point], size: tuple[int, int]) -> Coverage:
    def draw(pen: ImageDraw.ImageDraw, fine: Sequence[Point]) -> None:
        (x0, y0), (x1, y1) = fine
        pen.ellipse((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=255)

    return _supersampled(points, size, draw)


def _polygon(points: Sequence[Point], size: tuple[int, int]) -> Coverage:
    return _supersampled(points, size, lambda pen, fine: pen.polygon(list(fine), fill=255))


def _supersampled(
    points: Sequence[Point],
    size: tuple[int, int],
    draw: Callable[[ImageDraw.ImageDraw, Sequence[Point]], None],
) -> Coverage:
    fine = Image.new("L", (size[0] * SUPERSAMPLE, size[1] * SUPERSAMPLE))
    # Pillow's coordinates name pixel centres; ours name their corners.
    draw(ImageDraw.Draw(fine), [(x * SUPERSAMPLE - 0.5, y * SUPERSAMPLE - 0.5) for x, y in points])
    return np.asarray(fine.reduce(SUPERSAMPLE))


OUTLINES = {
    "rectangle": Outline(
        _box,
        _rectangle,
        _box_code,
        (Tool("rectangle", "square", "Fill a rectangle (R)", Shape.maker("rectangle")),),
    ),
    "ellipse": Outline(
        _box, _ellipse, _box_code, (Tool("ellipse", "circle", "Fill an ellipse (O)", Shape.maker("ellipse")),)
    ),
    "polygon": Outline(
        polygon_points,
        _polygon,
        written,
        (
            Tool(
                "polygon",
                "draw-polygon",
                "Click the corners; close with Enter, a double click or the first corner (P)",
                Shape.maker("polygon"),
            ),
            Tool("lasso", "pencil", "Fill what you draw around (F)", Shape.maker("polygon")),
        ),
        least=3,
        ends=False,
    ),
}
Shape.tools = tuple(tool for outline in OUTLINES.values() for tool in outline.tools)

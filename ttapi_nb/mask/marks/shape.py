"""`Shape`: a filled outline, and every outline that there is."""

from __future__ import annotations

import itertools
import math
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
from .reach import box_of, sides

__all__ = ["OUTLINES", "Outline", "Shape"]

# How finely polygons and ellipses are drawn before they are averaged down to clean edges.
SUPERSAMPLE = 4
# So many pixels of a shape are worked out at a time: it may be as large as the picture.
BAND = 1 << 20
# In pixels: what Pillow draws an ellipse of, whose numbers have an end.
LONGEST_ELLIPSE = 20_000


@dataclass(frozen=True, eq=False)
class Outline:
    """One kind of outline; a new one is an entry of `OUTLINES`.

    * `points(given)`: its points, checked: of what was read, or `made` of what a pointer did.
    * `fill(points, width, rows)`: its coverage, (height, width) of uint8, in these rows of a box that is so wide.
    * `code(points)`: what stands between the brackets of the `Mask` method of its name.
    * `least`: how many points a pointer has to make; `ends`: whether only the first and the last of them count.
    """

    points: Callable[[Any], tuple[Point, ...]]
    fill: Callable[[Sequence[Point], int, range], Coverage]
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
    def read(cls, data: dict[str, Any]) -> Shape:
        outline = OUTLINES.get(data["outline"]) if isinstance(data["outline"], str) else None
        if outline is None:
            raise MaskError("This mask has a shape that is not known here. Open it with a newer ttapi_nb.")
        return cls(data["outline"], outline.points(data["points"]), truth(data["erase"]))

    @classmethod
    def maker(cls, name: str) -> Callable[[Pointed, bool], Shape | None]:
        """What makes a shape with this outline of what a pointer did."""

        def make(points: Pointed, erase: bool) -> Shape | None:
            outline = OUTLINES[name]
            vertices = tuple((x, y) for x, y, _ in points)
            if len(vertices) < outline.least:
                return None
            return cls(name, (vertices[0], vertices[-1]) if outline.ends else vertices, erase)

        return make

    def scaled(self, sx: float, sy: float) -> Shape:
        return replace(self, points=tuple((x * sx, y * sy) for x, y in self.points))

    def draw(self, coverage: Coverage) -> None:
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        left, top, right, bottom = clipped(min(xs), min(ys), max(xs), max(ys), coverage)
        if left >= right or top >= bottom:
            return
        here = [(x - left, y - top) for x, y in self.points]
        width = right - left
        step = max(1, BAND // width)
        for start in range(0, bottom - top, step):
            rows = range(start, min(start + step, bottom - top))
            drawn = OUTLINES[self.outline].fill(here, width, rows)
            merge(coverage[top + rows.start : top + rows.stop, left:right], drawn, self.erase)

    def reach(self, size: tuple[int, int]) -> Sequence[tuple[int, int, int, int]]:
        return box_of([x for x, _ in self.points], [y for _, y in self.points], 0, size)

    def cost(self, size: tuple[int, int]) -> tuple[float, float]:
        across, down = sides([x for x, _ in self.points], [y for _, y in self.points], 0, size)
        # Each line that an edge crosses is looked for again; few of them, but for a polygon of many points.
        ys = [min(max(y, 0), size[1]) for _, y in self.points]
        crossed = math.fsum(abs(one - two) for one, two in itertools.pairwise(ys))
        # A rectangle is worked out in floats, the others are drawn four times as large; of a huge ellipse in both.
        return 16 * across * down + 800 * crossed, 80 * min(across * down, 2.0 * BAND)

    def code(self) -> str:
        erase = ", erase=True" if self.erase else ""
        return f".{self.outline}({OUTLINES[self.outline].code(self.points)}{erase})"


def _box(diagonal: Any) -> tuple[Point, ...]:
    (x0, y0), (x1, y1) = diagonal
    return corners((x0, y0, x1, y1))


def _box_code(points: Sequence[Point]) -> str:
    return f"({', '.join(number(value) for point in points for value in point)})"


def _rectangle(points: Sequence[Point], width: int, rows: range) -> Coverage:
    (x0, y0), (x1, y1) = points
    across = overlap(min(x0, x1), max(x0, x1), width)
    down = overlap(min(y0, y1) - rows.start, max(y0, y1) - rows.start, len(rows))
    return np.rint(np.outer(down, across) * 255).astype(np.uint8)


def _ellipse(points: Sequence[Point], width: int, rows: range) -> Coverage:
    (x0, y0), (x1, y1) = points
    if max(abs(x1 - x0), abs(y1 - y0)) > LONGEST_ELLIPSE:
        return _huge_ellipse(points, width, rows)

    def draw(pen: ImageDraw.ImageDraw, fine: Sequence[tuple[int, int]]) -> None:
        (left, top), (right, bottom) = fine
        pen.ellipse((min(left, right), min(top, bottom), max(left, right), max(top, bottom)), fill=255)

    return _supersampled(points, width, rows, draw)


def _huge_ellipse(points: Sequence[Point], width: int, rows: range) -> Coverage:
    """Line after line, finer than pixels: how much of each pixel lies between the two ends."""
    (x0, y0), (x1, y1) = points
    lines = rows.start + (np.arange(len(rows) * SUPERSAMPLE) + 0.5) / SUPERSAMPLE
    inner = 1 - ((lines - (y0 + y1) / 2) / max(abs(y1 - y0) / 2, 1e-9)) ** 2
    reach = np.where(inner > 0, abs(x1 - x0) / 2 * np.sqrt(np.clip(inner, 0, None)), 0)[:, None]
    cells, middle = np.arange(width), (x0 + x1) / 2
    share = np.clip(np.minimum(cells + 1, middle + reach) - np.maximum(cells, middle - reach), 0, 1)
    drawn: Coverage = np.rint(share.reshape(len(rows), SUPERSAMPLE, -1).mean(axis=1) * 255).astype(np.uint8)
    return drawn


def _polygon(points: Sequence[Point], width: int, rows: range) -> Coverage:
    return _supersampled(points, width, rows, lambda pen, fine: pen.polygon(list(fine), fill=255))


def _supersampled(
    points: Sequence[Point],
    width: int,
    rows: range,
    draw: Callable[[ImageDraw.ImageDraw, Sequence[tuple[int, int]]], None],
) -> Coverage:
    fine = Image.new("L", (width * SUPERSAMPLE, len(rows) * SUPERSAMPLE))
    # Pillow's coordinates name pixel centres, ours their corners; and it cuts off fractions, which must not depend on
    # the band.
    above = rows.start * SUPERSAMPLE
    draw(
        ImageDraw.Draw(fine),
        [(int(x * SUPERSAMPLE - 0.5), int(y * SUPERSAMPLE - 0.5) - above) for x, y in points],
    )
    return np.asarray(fine.reduce(SUPERSAMPLE))


OUTLINES = {
    "rectangle": Outline(_box, _rectangle, _box_code, (Tool("rectangle", Shape.maker("rectangle")),)),
    "ellipse": Outline(_box, _ellipse, _box_code, (Tool("ellipse", Shape.maker("ellipse")),)),
    "polygon": Outline(
        polygon_points,
        _polygon,
        written,
        (Tool("polygon", Shape.maker("polygon")), Tool("lasso", Shape.maker("polygon"))),
        least=3,
        ends=False,
    ),
}
Shape.tools = tuple(tool for outline in OUTLINES.values() for tool in outline.tools)

"""What a mask is made of: its marks. Each draws itself into coverage, scales itself, and is read from JSON here."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import numpy as np
from PIL import Image

from ..errors import MaskError
from ..picture import PIXEL_CAP
from .raster import TILE, Coverage, clipped, dilated, draw_segment, merge, overlap

__all__ = [
    "Bitmap",
    "Change",
    "Mark",
    "Shape",
    "Stroke",
    "amount",
    "corners",
    "is_length",
    "mark_from",
    "numbers",
    "polygon_points",
    "stroke_points",
]

Point: TypeAlias = tuple[float, float]
Points = TypeVar("Points", bound=tuple[tuple[float, ...], ...])
Box: TypeAlias = tuple[float, float, float, float]
_Outline: TypeAlias = Literal["rectangle", "ellipse", "polygon"]
_What: TypeAlias = Literal["invert", "clear", "grow", "shrink", "feather"]

# How finely polygons and ellipses are drawn before they are averaged down to clean edges.
SUPERSAMPLE = 4
# So many pixels of a shape are worked out at a time.
BAND = 1 << 20
# The most that a mask's edge may be moved, in pixels.
FARTHEST = 10_000
# Coordinates stay under this, in pixels.
LARGEST = 1e6
# No mark that anybody drew has more points than this.
MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class Stroke:
    """A brush or eraser stroke: `(x, y, radius)` per point, joined by straight segments with round ends."""

    kind: ClassVar[str] = "stroke"
    points: tuple[tuple[float, float, float], ...]
    erase: bool = False

    def scaled(self, sx: float, sy: float) -> Stroke:
        return replace(
            self, points=tuple((x * sx, y * sy, r * math.sqrt(sx * sy)) for x, y, r in self.points)
        )

    def draw(self, coverage: Coverage) -> None:
        """Paint the stroke into `coverage`, in place."""
        reach = max(r for _, _, r in self.points) + 1
        left, top, right, bottom = clipped(
            min(x for x, _, _ in self.points) - reach,
            min(y for _, y, _ in self.points) - reach,
            max(x for x, _, _ in self.points) + reach,
            max(y for _, y, _ in self.points) + reach,
            coverage,
        )
        if left >= right or top >= bottom:
            return
        stroke = np.zeros((bottom - top, right - left), np.uint8)
        full = np.zeros((-(-stroke.shape[0] // TILE), -(-stroke.shape[1] // TILE)), np.bool_)
        shifted = [(x - left, y - top, r) for x, y, r in self.points]
        for start, end in zip(shifted, shifted[1:] or shifted, strict=False):
            draw_segment(stroke, start, end, full)
        merge(coverage[top:bottom, left:right], stroke, self.erase)


@dataclass(frozen=True)
class Shape:
    """A filled shape: `rectangle` and `ellipse` by two opposite corners, `polygon` by its corners in order."""

    kind: ClassVar[str] = "shape"
    outline: _Outline
    points: tuple[Point, ...]
    erase: bool = False

    def scaled(self, sx: float, sy: float) -> Shape:
        return replace(self, points=tuple((x * sx, y * sy) for x, y in self.points))

    def draw(self, coverage: Coverage) -> None:
        """Paint the shape into `coverage`, in place."""
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        left, top, right, bottom = clipped(min(xs), min(ys), max(xs), max(ys), coverage)
        if left >= right or top >= bottom:
            return
        # A band after another: a shape may be as large as the picture, and is worked out in finer numbers.
        rows = max(1, BAND // (right - left))
        for start in range(top, bottom, rows):
            stop = min(bottom, start + rows)
            if self.outline == "rectangle":
                across = overlap(min(xs) - left, max(xs) - left, right - left)
                down = overlap(min(ys) - start, max(ys) - start, stop - start)
                drawn = np.rint(np.outer(down, across) * 255).astype(np.uint8)
            elif self.outline == "ellipse":
                drawn = self._ellipse(left, start, right, stop)
            else:
                drawn = self._polygon(left, start, right, stop)
            merge(coverage[start:stop, left:right], drawn, self.erase)

    def _ellipse(self, left: int, top: int, right: int, bottom: int) -> Coverage:
        """Line after line, finer than pixels: how much of each pixel lies between the two ends."""
        (x0, y0), (x1, y1) = self.points
        middle, half = (y0 + y1) / 2, abs(y1 - y0) / 2
        lines = top + (np.arange((bottom - top) * SUPERSAMPLE) + 0.5) / SUPERSAMPLE
        inner = 1 - ((lines - middle) / max(half, 1e-9)) ** 2
        reach = np.where(inner > 0, abs(x1 - x0) / 2 * np.sqrt(np.clip(inner, 0, None)), 0)[:, None]
        cells = np.arange(left, right, dtype=np.float32)
        ends = (
            np.float32((x0 + x1) / 2) + reach.astype(np.float32),
            np.float32((x0 + x1) / 2) - reach.astype(np.float32),
        )
        share = np.clip(np.minimum(cells + 1, ends[0]) - np.maximum(cells, ends[1]), 0, 1)
        drawn: Coverage = np.rint(share.reshape(bottom - top, SUPERSAMPLE, -1).mean(axis=1) * 255).astype(
            np.uint8
        )
        return drawn

    def _polygon(self, left: int, top: int, right: int, bottom: int) -> Coverage:
        """Drawn larger, and averaged down."""
        fine = Image.new("L", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
        # Pillow's coordinates name pixel centres; ours name their corners. Whole ones fall alike in every band.
        corners = [
            (math.floor((x - left) * SUPERSAMPLE - 0.5), math.floor((y - top) * SUPERSAMPLE - 0.5))
            for x, y in self.points
        ]
        # Here, not above: brushes need neither this nor what it loads.
        from PIL import ImageDraw

        ImageDraw.Draw(fine).polygon(corners, fill=255)
        return np.asarray(fine.reduce(SUPERSAMPLE))


@dataclass(frozen=True)
class Bitmap:
    """Coverage given as pixels, `size` of them with the first at `(x, y)`: a mask that was read, or a filled region."""

    kind: ClassVar[str] = "bitmap"
    x: int
    y: int
    size: tuple[int, int]
    packed: bytes = field(repr=False)
    erase: bool = False

    @classmethod
    def of(cls, coverage: Coverage, erase: bool = False) -> Bitmap:
        """The mark that paints `coverage`, a (height, width) array, keeping only the box that has any."""
        box = Image.fromarray(coverage).getbbox() or (0, 0, 1, 1)
        kept = np.ascontiguousarray(coverage[box[1] : box[3], box[0] : box[2]])
        return cls(
            box[0], box[1], (box[2] - box[0], box[3] - box[1]), zlib.compress(kept.tobytes(), 6), erase
        )

    def _pixels(self) -> Coverage:
        width, height = self.size
        unpacker = zlib.decompressobj()
        try:
            # One byte more than is wanted, so that too many show, and never all that a bomb would unpack to.
            raw = unpacker.decompress(self.packed, width * height + 1)
        except zlib.error:
            raw = b""
        if len(raw) != width * height or not unpacker.eof:
            raise MaskError("This mask's pixels are damaged. Save it again from where it was made.")
        return np.frombuffer(raw, np.uint8).reshape(height, width)

    def scaled(self, sx: float, sy: float) -> Bitmap:
        box = (round(self.x * sx), round(self.y * sy))
        size = (max(1, round(self.size[0] * sx)), max(1, round(self.size[1] * sy)))
        pixels = np.asarray(
            Image.fromarray(self._pixels()).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        )
        return Bitmap(*box, size, zlib.compress(np.ascontiguousarray(pixels).tobytes(), 6), self.erase)

    def draw(self, coverage: Coverage) -> None:
        """Paint the pixels into `coverage`, in place."""
        width, height = self.size
        left, top, right, bottom = clipped(self.x, self.y, self.x + width, self.y + height, coverage)
        if left < right and top < bottom:
            part = self._pixels()[top - self.y : bottom - self.y, left - self.x : right - self.x]
            merge(coverage[top:bottom, left:right], part, self.erase)


@dataclass(frozen=True)
class Change:
    """A change to everything painted so far: `invert`, `clear`, or `grow`, `shrink` and `feather` by `pixels`."""

    kind: ClassVar[str] = "change"
    what: _What
    pixels: float = 0.0

    def scaled(self, sx: float, sy: float) -> Change:
        return replace(self, pixels=min(FARTHEST, self.pixels * math.sqrt(sx * sy)))

    def draw(self, coverage: Coverage) -> None:
        """Change `coverage`, in place."""
        if self.what == "invert":
            np.subtract(255, coverage, out=coverage)
        elif self.what == "clear":
            coverage[:] = 0
        elif self.what == "grow":
            coverage[:] = dilated(coverage, self.pixels)
        elif self.what == "shrink":
            coverage[:] = 255 - dilated(255 - coverage, self.pixels)
        else:
            from PIL import ImageFilter

            coverage[:] = np.asarray(
                Image.fromarray(coverage).filter(ImageFilter.GaussianBlur(self.pixels / 2))
            )


Mark: TypeAlias = Stroke | Shape | Bitmap | Change
_MARKS: dict[str, type[Any]] = {mark.kind: mark for mark in (Stroke, Shape, Bitmap, Change)}


def mark_from(read: dict[str, Any]) -> Mark:
    given = dict(read)
    kind = _MARKS[given.pop("kind")]
    if kind is Change:
        if given["what"] not in get_args(_What):
            raise MaskError(
                "This mask was changed in a way that is not known here. Open it with a newer ttapi_nb."
            )
        return Change(given["what"], amount(given["pixels"]))
    if not isinstance(given["erase"], bool):
        raise TypeError
    if kind is Stroke:
        return Stroke(stroke_points(given["points"], 0), given["erase"])
    if kind is Shape:
        return _shape_from(given["outline"], given["points"], given["erase"])
    return _bitmap_from(given)


def _shape_from(outline: Any, points: Any, erase: bool) -> Shape:
    if outline not in get_args(_Outline):
        raise MaskError("This mask has a shape that is not known here. Open it with a newer ttapi_nb.")
    if outline == "polygon":
        return Shape(outline, polygon_points(points), erase)
    (x0, y0), (x1, y1) = points
    return Shape(outline, corners((x0, y0, x1, y1)), erase)


def _bitmap_from(given: dict[str, Any]) -> Bitmap:
    x, y, (width, height) = given["x"], given["y"], given["size"]
    whole = all(isinstance(number, int) and abs(number) < LARGEST for number in (x, y))
    if not whole or not is_length(width) or not is_length(height) or width * height > PIXEL_CAP:
        raise ValueError
    mark = Bitmap(x, y, (width, height), base64.b64decode(given["packed"], validate=True), given["erase"])
    # Now rather than when it is first drawn: what is damaged should fail where it is read.
    mark._pixels()
    return mark


def is_length(side: object) -> bool:
    return isinstance(side, int | np.integer) and not isinstance(side, bool) and bool(side > 0)


def polygon_points(points: Iterable[Sequence[float]]) -> tuple[Point, ...]:
    given = numbers(points)
    if len(given) < 3 or not all(len(point) == 2 for point in given):
        raise MaskError("A polygon needs at least three corners, each (x, y). For a line use paint().")
    return _finite(tuple((x, y) for x, y in given))


def stroke_points(points: Iterable[Sequence[float]], radius: float) -> tuple[tuple[float, float, float], ...]:
    given = numbers(points)
    if not given or not all(len(point) in (2, 3) for point in given):
        raise MaskError("A stroke needs at least one point, each (x, y) or (x, y, radius).")
    ((usual,),) = numbers([[radius]])
    whole = tuple((point[0], point[1], point[2] if len(point) == 3 else usual) for point in given)
    if not all(r > 0 for _, _, r in whole):
        raise MaskError("A stroke's radius must be over 0 pixels. Choose a larger brush.")
    return _finite(whole)


def numbers(points: Iterable[Sequence[float]]) -> list[tuple[float, ...]]:
    try:
        found = [tuple(float(number) for number in point) for point in islice(points, MOST_POINTS + 1)]
        if len(found) > MOST_POINTS:
            raise MaskError(
                f"A mark has at most {MOST_POINTS:,} points. Leave out those that lie close together."
            )
        return found
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
    (given,) = numbers([box])
    if len(given) != 4:
        raise MaskError("A box is (x0, y0, x1, y1) in image pixels. Give all four numbers.")
    x0, y0, x1, y1 = given
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

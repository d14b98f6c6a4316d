"""`Mask`: what should change in a picture, as a size and an immutable tuple of marks; pixels are derived from these.

Coordinates are in image pixels, x to the right and y down; pixel (0, 0) covers the square from 0 to 1 both ways.
*Coverage* is how much of a pixel is masked, 0 to 255. Where it is at least half, the mask asks for an edit; where it is
0 the picture is protected; what lies between is the seam.
"""

from __future__ import annotations

import base64
import io
import json
import math
import os
import weakref
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from . import files
from .errors import MaskError
from .picture import PIXEL_CAP, ImageSource, SourceImage, encode, open_image, preview

__all__ = ["HALF", "Bitmap", "Change", "Mark", "Mask", "Shape", "Stroke"]

Coverage: TypeAlias = NDArray[np.uint8]
Point: TypeAlias = tuple[float, float]
Points = TypeVar("Points", bound=tuple[tuple[float, ...], ...])
Box: TypeAlias = tuple[float, float, float, float]
_Outline: TypeAlias = Literal["rectangle", "ellipse", "polygon"]
_What: TypeAlias = Literal["invert", "clear", "grow", "shrink", "feather"]

HALF = 128
JSON_VERSION = 1
# How finely polygons and ellipses are drawn before they are averaged down to clean edges.
SUPERSAMPLE = 4
# Rendered masks kept in memory: the current one, and its neighbours in an undo history.
KEPT = 4
# The most that a mask's edge may be moved, in pixels.
FARTHEST = 10_000
# What coverage becomes where a mask can only say yes or no.
EDITED = [0] * HALF + [255] * (256 - HALF)
# Over how many pixels a mask is smoothed to make its file smaller.
SMOOTHINGS = (1, 2, 4, 8, 16, 32)
# Coordinates stay under this, in pixels.
LARGEST = 1e6


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
        left, top, right, bottom = _clipped(
            min(x for x, _, _ in self.points) - reach,
            min(y for _, y, _ in self.points) - reach,
            max(x for x, _, _ in self.points) + reach,
            max(y for _, y, _ in self.points) + reach,
            coverage,
        )
        if left >= right or top >= bottom:
            return
        stroke = np.zeros((bottom - top, right - left), np.uint8)
        shifted = [(x - left, y - top, r) for x, y, r in self.points]
        for start, end in zip(shifted, shifted[1:] or shifted, strict=False):
            _draw_segment(stroke, start, end)
        _merge(coverage[top:bottom, left:right], stroke, self.erase)


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
        left, top, right, bottom = _clipped(min(xs), min(ys), max(xs), max(ys), coverage)
        if left >= right or top >= bottom:
            return
        if self.outline == "rectangle":
            across = _overlap(min(xs) - left, max(xs) - left, right - left)
            down = _overlap(min(ys) - top, max(ys) - top, bottom - top)
            drawn = np.rint(np.outer(down, across) * 255).astype(np.uint8)
        else:
            drawn = self._supersampled(left, top, right, bottom)
        _merge(coverage[top:bottom, left:right], drawn, self.erase)

    def _supersampled(self, left: int, top: int, right: int, bottom: int) -> Coverage:
        fine = Image.new("L", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
        # Pillow's coordinates name pixel centres; ours name their corners.
        corners = [((x - left) * SUPERSAMPLE - 0.5, (y - top) * SUPERSAMPLE - 0.5) for x, y in self.points]
        # Here, not above: brushes need neither this nor what it loads.
        from PIL import ImageDraw

        draw = ImageDraw.Draw(fine)
        if self.outline == "ellipse":
            (x0, y0), (x1, y1) = corners
            draw.ellipse((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=255)
        else:
            draw.polygon(corners, fill=255)
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
        left, top, right, bottom = _clipped(self.x, self.y, self.x + width, self.y + height, coverage)
        if left < right and top < bottom:
            part = self._pixels()[top - self.y : bottom - self.y, left - self.x : right - self.x]
            _merge(coverage[top:bottom, left:right], part, self.erase)


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
            coverage[:] = _dilated(coverage, self.pixels)
        elif self.what == "shrink":
            coverage[:] = 255 - _dilated(255 - coverage, self.pixels)
        else:
            from PIL import ImageFilter

            coverage[:] = np.asarray(
                Image.fromarray(coverage).filter(ImageFilter.GaussianBlur(self.pixels / 2))
            )


Mark: TypeAlias = Stroke | Shape | Bitmap | Change
_MARKS: dict[str, type[Any]] = {mark.kind: mark for mark in (Stroke, Shape, Bitmap, Change)}

_rendered: deque[weakref.ref[Mask]] = deque()


@dataclass(frozen=True)
class Mask:
    """What should change in a picture of `size` (width, height in pixels). Immutable: every method returns a new one.

    Raises `MaskError` where a size, a coordinate, a radius or an amount makes no sense.
    """

    size: tuple[int, int]
    marks: tuple[Mark, ...] = ()
    _before: weakref.ref[Mask] | None = field(default=None, init=False, repr=False, compare=False)
    _kept: Coverage | None = field(default=None, init=False, repr=False, compare=False)
    _picture: SourceImage | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = tuple(self.size) if isinstance(self.size, Iterable) else ()
        if len(size) != 2 or not all(map(_is_length, size)):
            raise MaskError(
                f"A mask's size is (width, height) in pixels, not {self.size!r}. Use the picture's own size."
            )
        if size[0] * size[1] > PIXEL_CAP:
            raise MaskError(
                f"A mask of {size[0]}x{size[1]} is larger than any picture we open. Use the picture's own size."
            )
        object.__setattr__(self, "size", (int(size[0]), int(size[1])))
        object.__setattr__(self, "marks", tuple(self.marks))

    def __repr__(self) -> str:
        count = len(self.marks)
        return f"Mask({self.size[0]}x{self.size[1]}, {count} mark{'' if count == 1 else 's'})"

    def __reduce__(self) -> tuple[type[Mask], tuple[Any, ...]]:
        # A copy or a pickle holds the marks; its pixels are derived again.
        return type(self), (self.size, self.marks)

    def _repr_png_(self) -> bytes:
        shown = preview(self.to_image(), 512) if self._picture is None else self.over(self._picture)
        return encode(shown, "PNG")

    # Making masks

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> Mask:
        """The mask that edits where a (height, width) array is true; uint8 counts as coverage, 0 to 255."""
        if array.ndim != 2 or not array.size or array.dtype not in (np.dtype(bool), np.dtype(np.uint8)):
            raise MaskError(
                "A mask array is (height, width) of bool or uint8. Compare your array with a threshold first."
            )
        coverage = np.where(array, 255, 0).astype(np.uint8) if array.dtype == np.bool_ else array
        height, width = array.shape
        return cls((width, height), (Bitmap.of(coverage),) if coverage.any() else ())

    @classmethod
    def from_image(cls, source: ImageSource, *, edit: Literal["transparent", "white", "black"]) -> Mask:
        """The mask in a picture, which edits where the picture is transparent, white or black: always say which.

        Raises `MaskError` where `edit="transparent"` and the picture has no transparency to tell, and `ImageError`
        where it can't be opened.
        """
        pixels = open_image(source).pixels
        if edit == "transparent":
            if pixels.mode != "RGBA":
                raise MaskError(
                    'This picture has no transparency, so it says nothing as edit="transparent". '
                    'For a black and white mask use edit="white" or edit="black".'
                )
            grey = ImageChops.invert(pixels.getchannel("A"))
        elif edit in ("white", "black"):
            grey = pixels.convert("RGB").convert("L")
            grey = ImageChops.invert(grey) if edit == "black" else grey
        else:
            raise MaskError(f'edit={edit!r} is not known. Use edit="transparent", "white" or "black".')
        return cls.from_array(np.array(grey))

    @classmethod
    def from_json(cls, text: str) -> Mask:
        """The mask that `to_json` wrote, mark by mark."""
        try:
            read = json.loads(text)
            if read["version"] != JSON_VERSION:
                raise MaskError(
                    f"This mask was saved as version {read['version']!r}. Open it with a newer ttapi_nb."
                )
            return cls(tuple(read["size"]), tuple(_mark_from(mark) for mark in read["marks"]))
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            problem = (
                str(error) if isinstance(error, MaskError) else "This is not a mask saved by Mask.to_json()."
            )
        raise MaskError(problem)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Mask:
        """The mask that `save` wrote."""
        try:
            return cls.from_json(Path(path).expanduser().read_text(encoding="utf-8"))
        except MaskError as error:
            problem = f"{Path(path).name!r} can't be used. {error}"
        except UnicodeDecodeError:
            problem = f"{Path(path).name!r} is not a mask saved by Mask.save(). For a picture use Mask.from_image()."
        except OSError as error:
            reason = error.strerror or type(error).__name__
            problem = f"{str(path)[:200]!r} could not be read ({reason}). Check the name."
        raise MaskError(problem)

    def paint(self, points: Iterable[Sequence[float]], *, radius: float = 16.0) -> Mask:
        """Brush along `points`, `(x, y)` or, with a radius of its own, `(x, y, radius)`; `radius` in image pixels."""
        return self.add(Stroke(_stroke_points(points, radius)))

    def erase(self, points: Iterable[Sequence[float]], *, radius: float = 16.0) -> Mask:
        """Take away along `points`, as `paint` adds."""
        return self.add(Stroke(_stroke_points(points, radius), erase=True))

    def rectangle(self, box: Box, *, erase: bool = False) -> Mask:
        """Add (or take away) the rectangle from `(x0, y0)` to `(x1, y1)`; corners between pixels cover them in part."""
        return self.add(Shape("rectangle", _corners(box), erase))

    def ellipse(self, box: Box, *, erase: bool = False) -> Mask:
        """Add (or take away) the ellipse that fills the box `(x0, y0, x1, y1)`."""
        return self.add(Shape("ellipse", _corners(box), erase))

    def polygon(self, points: Iterable[Sequence[float]], *, erase: bool = False) -> Mask:
        """Add (or take away) the polygon with these corners, at least three."""
        return self.add(Shape("polygon", _polygon_points(points), erase))

    def fill(self, region: NDArray[np.bool_], *, erase: bool = False) -> Mask:
        """Add (or take away) a region, a bool array of this mask's (height, width)."""
        if region.shape != (self.size[1], self.size[0]):
            raise MaskError(
                f"The region is {region.shape[::-1]} and the mask {self.size}. Both must be the same size."
            )
        return self.add(Bitmap.of(np.where(region, 255, 0).astype(np.uint8), erase))

    def fill_similar(
        self, picture: ImageSource, seed: Sequence[float], *, tolerance: int = 32, erase: bool = False
    ) -> Mask:
        """Add (or take away) what is coloured like the pixel at `seed`, `(x, y)`, and connected to it by its sides.

        A colour is alike where none of its channels differs by more than `tolerance`, 0 to 255. The mask keeps the
        region that was found, and needs the picture no more. Raises what `open_image` raises.
        """
        pixels = open_image(picture).pixels
        if pixels.size != self.size:
            raise MaskError(
                f"The picture is {pixels.size} and the mask {self.size}. Both must be the same size."
            )
        if not 0 <= tolerance <= 255:
            raise MaskError(f"The tolerance is a number from 0 to 255, and not {tolerance!r}. Give another.")
        (place,) = _numbers([seed])
        if len(place) != 2 or not all(0 <= at < side for at, side in zip(place, self.size, strict=True)):
            raise MaskError(
                f"The seed {tuple(seed)!r} is not in the picture of {self.size}. Give the (x, y) of one of its pixels."
            )
        column, row = map(int, place)
        return self.add(Bitmap.of(_connected(_alike(pixels, column, row, tolerance), column, row), erase))

    def invert(self) -> Mask:
        """Edit what was protected, and protect what was to be edited."""
        return self.add(Change("invert"))

    def clear(self) -> Mask:
        """An empty mask of the same size."""
        return Mask(self.size)._shown_on(self._picture)

    def grow(self, pixels: float) -> Mask:
        """Reach `pixels` further out on every side."""
        return self.add(Change("grow", _amount(pixels)))

    def shrink(self, pixels: float) -> Mask:
        """Draw back by `pixels` on every side but the picture's own edge."""
        return self.add(Change("shrink", _amount(pixels)))

    def feather(self, pixels: float) -> Mask:
        """Soften the edge so that it fades over about `pixels` to each side."""
        return self.add(Change("feather", _amount(pixels)))

    def add(self, mark: Mark) -> Mask:
        """This mask with one more mark on top."""
        more = Mask(self.size, (*self.marks, mark))._shown_on(self._picture)
        object.__setattr__(more, "_before", weakref.ref(self))
        return more

    def on(self, picture: ImageSource) -> Mask:
        """The same mask, which shows itself over this picture in a notebook. Raises what `open_image` raises."""
        picture = open_image(picture)
        if self._picture is picture:
            return self
        same = Mask(self.size, self.marks)._shown_on(picture)
        object.__setattr__(same, "_before", self._before)
        if self._kept is not None:
            object.__setattr__(same, "_kept", self._kept)
            _remember(same)
        return same

    def _shown_on(self, picture: SourceImage | None) -> Mask:
        object.__setattr__(self, "_picture", picture)
        return self

    def resize(self, size: tuple[int, int]) -> Mask:
        """The same mask for the same picture at another size."""
        size = Mask(size).size
        if size == self.size:
            return self
        sx, sy = size[0] / self.size[0], size[1] / self.size[1]
        return Mask(size, tuple(mark.scaled(sx, sy) for mark in self.marks))._shown_on(self._picture)

    # Reading masks

    def coverage(self) -> Coverage:
        """How much of each pixel is masked: a read-only (height, width) array of uint8."""
        # Read once: another thread may drop it in between.
        kept = self._kept
        if kept is not None:
            return kept
        # Start from the nearest earlier mask that is still rendered: a new stroke costs only itself.
        before, pending = self, list[Mark]()
        while before.marks:
            pending.append(before.marks[-1])
            earlier = before._before() if before._before is not None else None
            if earlier is None:
                pending = list(reversed(self.marks))
                break
            before, kept = earlier, earlier._kept
            if kept is not None:
                break
        coverage = np.zeros(self.size[::-1], np.uint8) if kept is None else kept.copy()
        for mark in reversed(pending):
            mark.draw(coverage)
        coverage.flags.writeable = False
        object.__setattr__(self, "_kept", coverage)
        _remember(self)
        return coverage

    def to_array(self) -> NDArray[np.bool_]:
        """Where the mask asks for an edit: a (height, width) array of bool."""
        return self.coverage() >= HALF

    def to_image(self) -> Image.Image:
        """The coverage as a grey picture, white where the edit is."""
        return Image.fromarray(self.coverage())

    def over(
        self,
        picture: ImageSource,
        *,
        longest: int | None = 512,
        colour: str | tuple[int, int, int] = (0, 190, 255),
        opacity: float = 0.6,
    ) -> Image.Image:
        """The picture with the mask laid over it as a tint, at most `longest` pixels a side (None: at full size).

        The mask may have another size than the picture: it is stretched over it. Raises what `open_image` raises.
        """
        if not 0 <= opacity <= 1:
            raise MaskError(f"The opacity is a number from 0 to 1, and not {opacity!r}. Give another.")
        source = open_image(picture)
        shown = source.preview(longest or max(source.size))
        tint = self.to_image().resize(shown.size, Image.Resampling.BOX, reducing_gap=2.0)
        plain = shown.convert("RGB")
        plain.paste(colour, (0, 0, *plain.size), tint.point([round(value * opacity) for value in range(256)]))
        if shown.mode == "RGBA":
            # Tint shows on transparent parts too.
            plain.putalpha(ImageChops.lighter(shown.getchannel("A"), tint))
        return plain

    def to_png(self, *, max_bytes: int | None = None) -> bytes:
        """The file the service takes: a PNG, fully transparent where the edit is and opaque elsewhere.

        Where that would be over `max_bytes`, specks and notches are left out, the finest first, until it is not.
        Raises `MaskError` where nothing of the mask would be left.
        """
        data = _alpha_png(self.to_image())
        if max_bytes is None or len(data) <= max_bytes:
            return data
        from PIL import ImageFilter

        for radius in SMOOTHINGS:
            smooth = self.to_image().point(EDITED).filter(ImageFilter.BoxBlur(radius))
            data = _alpha_png(smooth)
            if len(data) <= max_bytes and smooth.point(EDITED).getbbox():
                return data
        raise MaskError(
            f"This mask is too finely broken up for a PNG of {max_bytes:,} bytes. Paint plainer shapes, or use it on a "
            "smaller picture."
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write every mark to `path`, a .json file, for `load`. Returns where it is."""
        where = Path(path).expanduser()
        where = where if where.suffix else where.with_suffix(".json")
        if where.suffix.lower() != ".json":
            raise MaskError(
                f"A mask is saved as .json, and {where.name!r} is not. For a picture write to_png() to a file."
            )
        try:
            files.write(where, self.to_json().encode())
        except OSError as error:
            problem = f"{where} could not be written ({error.strerror or type(error).__name__}). Choose another place."
        else:
            return where
        raise MaskError(problem)

    def to_json(self) -> str:
        """Every mark as JSON text, for `from_json`; nothing is lost."""
        marks = [{"kind": mark.kind} | vars(mark) for mark in self.marks]
        return json.dumps(
            {"version": JSON_VERSION, "size": self.size, "marks": marks},
            default=lambda packed: base64.b64encode(packed).decode(),
        )

    @property
    def area(self) -> int:
        """How many pixels the mask asks to edit."""
        return int(np.count_nonzero(self.to_array()))

    @property
    def bounds(self) -> tuple[int, int, int, int] | None:
        """The smallest box `(left, top, right, bottom)` around everything not protected, or None."""
        return self.to_image().getbbox()


def _alpha_png(coverage: Image.Image) -> bytes:
    alpha = coverage.point([255 - value for value in EDITED])
    black = Image.new("L", coverage.size)
    out = io.BytesIO()
    Image.merge("RGBA", (black, black, black, alpha)).save(out, "PNG")
    return out.getvalue()


def _remember(mask: Mask) -> None:
    _rendered.append(weakref.ref(mask))
    if len(_rendered) > KEPT:
        oldest = _rendered.popleft()()
        if oldest is not None:
            object.__setattr__(oldest, "_kept", None)


def _mark_from(read: dict[str, Any]) -> Mark:
    given = dict(read)
    kind = _MARKS[given.pop("kind")]
    if kind is Change:
        if given["what"] not in get_args(_What):
            raise MaskError(
                "This mask was changed in a way that is not known here. Open it with a newer ttapi_nb."
            )
        return Change(given["what"], _amount(given["pixels"]))
    if not isinstance(given["erase"], bool):
        raise TypeError
    if kind is Stroke:
        return Stroke(_stroke_points(given["points"], 0), given["erase"])
    if kind is Shape:
        return _shape_from(given["outline"], given["points"], given["erase"])
    return _bitmap_from(given)


def _shape_from(outline: Any, points: Any, erase: bool) -> Shape:
    if outline not in get_args(_Outline):
        raise MaskError("This mask has a shape that is not known here. Open it with a newer ttapi_nb.")
    if outline == "polygon":
        return Shape(outline, _polygon_points(points), erase)
    (x0, y0), (x1, y1) = points
    return Shape(outline, _corners((x0, y0, x1, y1)), erase)


def _bitmap_from(given: dict[str, Any]) -> Bitmap:
    x, y, (width, height) = given["x"], given["y"], given["size"]
    whole = all(isinstance(number, int) and abs(number) < LARGEST for number in (x, y))
    if not whole or not _is_length(width) or not _is_length(height) or width * height > PIXEL_CAP:
        raise ValueError
    mark = Bitmap(x, y, (width, height), base64.b64decode(given["packed"], validate=True), given["erase"])
    # Now rather than when it is first drawn: what is damaged should fail where it is read.
    mark._pixels()
    return mark


def _is_length(side: object) -> bool:
    return isinstance(side, int | np.integer) and not isinstance(side, bool) and bool(side > 0)


def _polygon_points(points: Iterable[Sequence[float]]) -> tuple[Point, ...]:
    given = _numbers(points)
    if len(given) < 3 or not all(len(point) == 2 for point in given):
        raise MaskError("A polygon needs at least three corners, each (x, y). For a line use paint().")
    return _finite(tuple((x, y) for x, y in given))


def _stroke_points(
    points: Iterable[Sequence[float]], radius: float
) -> tuple[tuple[float, float, float], ...]:
    given = _numbers(points)
    if not given or not all(len(point) in (2, 3) for point in given):
        raise MaskError("A stroke needs at least one point, each (x, y) or (x, y, radius).")
    whole = tuple((point[0], point[1], point[2] if len(point) == 3 else float(radius)) for point in given)
    if not all(r > 0 for _, _, r in whole):
        raise MaskError("A stroke's radius must be over 0 pixels. Choose a larger brush.")
    return _finite(whole)


def _numbers(points: Iterable[Sequence[float]]) -> list[tuple[float, ...]]:
    try:
        return [tuple(float(number) for number in point) for point in points]
    except (TypeError, ValueError, OverflowError):
        pass
    raise MaskError("A mask's points must be pairs of numbers: [(x, y), (x, y)]. Give image pixels.")


def _finite(points: Points) -> Points:
    if not all(math.isfinite(number) and abs(number) < LARGEST for point in points for number in point):
        raise MaskError(
            "A mask's coordinates must be ordinary numbers of pixels. Check for nan and infinity."
        )
    return points


def _corners(box: Box) -> tuple[Point, Point]:
    if len(box) != 4:
        raise MaskError("A box is (x0, y0, x1, y1) in image pixels. Give all four numbers.")
    ((x0, y0, x1, y1),) = _numbers([box])
    corners = ((x0, y0), (x1, y1))
    return _finite(corners)


def _amount(pixels: float) -> float:
    if not (math.isfinite(pixels) and 0 <= pixels <= FARTHEST):
        raise MaskError(
            f"How far the mask's edge moves is a number of pixels from 0 to {FARTHEST:,}, and not {pixels!r}. "
            "Give another."
        )
    return float(pixels)


def _alike(pixels: Image.Image, column: int, row: int, tolerance: float) -> NDArray[np.bool_]:
    """Where no channel differs from the pixel at (column, row) by more than `tolerance`."""
    seeds = [int(channel[row, column]) for channel in map(np.asarray, pixels.split())]
    near = [
        channel.point([255 * (abs(value - seed) <= tolerance) for value in range(256)])
        for channel, seed in zip(pixels.split(), seeds, strict=True)
    ]
    alike = near[0]
    for channel in near[1:]:
        alike = ImageChops.darker(alike, channel)
    return np.asarray(alike) > 0


def _connected(alike: NDArray[np.bool_], column: int, row: int) -> Coverage:
    """The part of `alike` that hangs together with (column, row), as coverage."""
    height, width = alike.shape
    # All rows in one line, a gap behind each, cut into runs of alike pixels.
    stride = width + 1
    line = np.zeros(height * stride + 1, np.int8)
    line[1:].reshape(height, stride)[:, :width] = alike
    turns = np.flatnonzero(line[1:] != line[:-1])
    starts, ends = turns[::2], turns[1::2]
    # Runs of the row below that touch a run: a range of them, in order.
    first = np.searchsorted(ends, starts + stride, "right")
    count = np.maximum(np.searchsorted(starts, ends + stride, "left") - first, 0)
    upper = np.repeat(np.arange(len(starts)), count)
    lower = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    # Each run points to an earlier one it touches, and on to the first of all it hangs together with.
    root = np.arange(len(starts))
    while len(upper):
        one, other = root[upper], root[lower]
        apart = one != other
        upper, lower, one, other = upper[apart], lower[apart], one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while True:
            further = root[root]
            if np.array_equal(further, root):
                break
            root = further
    seed = np.searchsorted(starts, row * stride + column, "right") - 1
    found = root == root[seed]
    line[:] = 0
    line[starts[found]] = 1
    line[ends[found]] = -1
    inside = np.cumsum(line[:-1], dtype=np.int8).reshape(height, stride)[:, :width]
    return inside.astype(np.uint8) * np.uint8(255)


def _clipped(
    left: float, top: float, right: float, bottom: float, coverage: Coverage
) -> tuple[int, int, int, int]:
    height, width = coverage.shape
    return (
        max(0, math.floor(left)),
        max(0, math.floor(top)),
        min(width, math.ceil(right)),
        min(height, math.ceil(bottom)),
    )


def _merge(coverage: Coverage, drawn: Coverage, erase: bool) -> None:
    if erase:
        np.minimum(coverage, 255 - drawn, out=coverage)
    else:
        np.maximum(coverage, drawn, out=coverage)


def _overlap(start: float, end: float, count: int) -> NDArray[np.float64]:
    """How much of each of `count` unit cells lies between `start` and `end`."""
    cells = np.arange(count)
    covered: NDArray[np.float64] = np.clip(np.minimum(cells + 1, end) - np.maximum(cells, start), 0, 1)
    return covered


def _draw_segment(
    stroke: Coverage, start: tuple[float, float, float], end: tuple[float, float, float]
) -> None:
    (x0, y0, r0), (x1, y1, r1) = start, end
    reach = max(r0, r1) + 1
    left, top, right, bottom = _clipped(
        min(x0, x1) - reach, min(y0, y1) - reach, max(x0, x1) + reach, max(y0, y1) + reach, stroke
    )
    if left >= right or top >= bottom:
        return
    px = np.arange(left, right, dtype=np.float32) + np.float32(0.5 - x0)
    py = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - y0))[:, None]
    dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
    length2 = dx * dx + dy * dy
    along = np.clip((px * dx + py * dy) / length2, 0, 1) if length2 else np.float32(0)
    distance = np.hypot(px - along * dx, py - along * dy) - (np.float32(r0) + along * np.float32(r1 - r0))
    if r0 != r1:
        # A wide end may reach beyond the straight part on every side.
        distance = np.minimum(distance, np.hypot(px, py) - np.float32(r0))
        distance = np.minimum(distance, np.hypot(px - dx, py - dy) - np.float32(r1))
    drawn = np.rint(np.clip(np.float32(0.5) - distance, 0, 1) * 255).astype(np.uint8)
    part = stroke[top:bottom, left:right]
    np.maximum(part, drawn, out=part)


def _dilated(coverage: Coverage, radius: float) -> Coverage:
    """`coverage` with each pixel raised to the greatest within a disc of `radius` around it."""
    height, width = coverage.shape
    # No pixel has another farther away than the whole picture.
    across, reach = min(math.floor(radius), width - 1), min(math.floor(radius), height - 1)
    # Row maxima over windows of 1, 2, 4 … pixels: two of them make a window of any length.
    padded = np.pad(coverage, ((0, 0), (across, across)))
    windows = [padded]
    while 2 ** len(windows) <= 2 * across + 1:
        last, step = windows[-1], 2 ** (len(windows) - 1)
        windows.append(np.maximum(last[:, :-step], last[:, step:]))
    grown = coverage.copy()
    for dy in range(-reach, reach + 1):
        half = min(across, math.floor(math.sqrt(radius * radius - dy * dy)))
        length = 2 * half + 1
        power = length.bit_length() - 1
        rows = slice(max(0, -dy), min(height, height - dy))
        source = windows[power][max(0, dy) : min(height, height + dy)]
        start = across - half
        for shift in (start, start + length - 2**power):
            np.maximum(grown[rows], source[:, shift : shift + width], out=grown[rows])
    return grown

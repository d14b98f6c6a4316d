"""`Mask`: what should change in a picture, as a size and an immutable tuple of marks; pixels are derived from these.

Coordinates are in image pixels, x to the right and y down; pixel (0, 0) covers the square from 0 to 1 both ways.
*Coverage* is how much of a pixel is masked, 0 to 255; what it asks for is decided in `meaning`.
"""

# Long, because a mask has one face: what each method does is in the files beside this one.

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import MaskError
from ..picture import PIXEL_CAP, ImageSource, SourceImage, encode, open_image, preview
from . import select
from .arrays import as_array, coverage_of
from .bucket import alike_region
from .files import png_of, read_from, write_to
from .marks import (
    Bitmap,
    Box,
    Change,
    Mark,
    Selection,
    Shape,
    Stroke,
    amount,
    corners,
    is_length,
    mark_from,
    polygon_points,
    stroke_points,
)
from .meaning import Meaning, edited, meaning_of
from .pictures import coverage_of_picture
from .raster import Coverage
from .reading import Hints, Reading, placed, reading_of
from .rendered import Rendered
from .select import SECONDS, Engine, EngineName, Select
from .tint import OPACITY, TINT, laid_over

__all__ = ["TOLERANCE", "Mask"]

T = TypeVar("T")

JSON_VERSION = 1
TOLERANCE = 32
"""How far colours may differ, 0 to 255, where nobody chose."""


@dataclass(frozen=True)
class Mask:
    """What should change in a picture of `size` (width, height in pixels). Immutable: every method returns a new one.

    Raises `MaskError` where a size, a coordinate, a radius or an amount makes no sense.
    """

    size: tuple[int, int]
    marks: tuple[Mark, ...] = ()
    _before: weakref.ref[Mask] | None = field(default=None, init=False, repr=False, compare=False)
    _rendered: Rendered = field(default_factory=Rendered, init=False, repr=False, compare=False)
    _picture: SourceImage | None = field(default=None, init=False, repr=False, compare=False)
    _read_as: str = field(default="", init=False, repr=False, compare=False)
    # Whether it was given as pixels of which none is marked: a mistake, where a sheet nobody touched is none.
    _blank: bool = field(default=False, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        size = tuple(self.size) if isinstance(self.size, Iterable) else ()
        if len(size) != 2 or not all(map(is_length, size)):
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
        read = f", {self._read_as}" if self._read_as else ""
        return f"Mask({self.size[0]}x{self.size[1]}, {count} mark{'' if count == 1 else 's'}{read})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy or a pickle holds the marks; its pixels are derived again.
        made = type(self), (self.size, self.marks)
        return (*made, {"_blank": True}) if self._blank else made

    def _repr_png_(self) -> bytes:
        shown = preview(self.to_image(), 512) if self._picture is None else self.over(self._picture)
        return encode(shown, "PNG")

    # Making masks

    @classmethod
    def from_array(cls, array: Any) -> Mask:
        """The mask that edits where an array is true, 1, or the more the nearer it is to its greatest possible value.

        `array` is (height, width), with sides of 1 before or behind where it must be: bool, whole numbers of 0 and 1 or
        of 0 to 255 (uint16: 0 to 65,535), or floats from 0 to 1, of numpy, torch or as lists of lists. Raises
        `MaskError`; for a model's logits use `read`. Of an array that marks nothing the mask can't be sent.
        """
        return cls._of_numbers(coverage_of(as_array(array))[0])

    @classmethod
    def of_coverage(cls, coverage: Coverage) -> Mask:
        """The mask of exactly this coverage, a (height, width) array of uint8."""
        return cls(coverage.shape[::-1], (Bitmap.of(coverage),) if coverage.any() else ())

    @classmethod
    def _of_numbers(cls, coverage: Coverage) -> Mask:
        return cls.of_coverage(coverage)._marked_blank(blank=not coverage.any())

    def _marked_blank(self, *, blank: bool) -> Mask:
        object.__setattr__(self, "_blank", blank)
        return self

    @classmethod
    def from_image(
        cls, source: ImageSource, *, edit: Literal["transparent", "white", "black", "painted"]
    ) -> Mask:
        """The mask in a picture, which edits where that is transparent, white, black or painted: always say which.

        `"painted"` is wherever the picture is opaque, whatever the colour: a layer of a drawing program. What is
        transparent is neither white nor black paint. Raises `MaskError` where `"transparent"` or `"painted"` is said of
        a picture without transparency, and `ImageError` where it can't be opened. Of a picture in which nothing is
        marked the mask can't be sent.
        """
        return cls._of_numbers(coverage_of_picture(source, edit))

    @classmethod
    def hole_of(cls, photo: ImageSource) -> Mask:
        """The mask of a photo's hole: where it is transparent. Raises `MaskError` where it is nowhere."""
        hole = cls.from_image(photo, edit="transparent")
        if hole._blank:
            raise MaskError(
                "This picture is nowhere transparent, so it has no hole. Make a mask of what is to change."
            )
        return hole

    @classmethod
    def read(
        cls,
        given: Any,
        *,
        photo: ImageSource | None = None,
        edit: Literal["transparent", "white", "black", "painted"] | None = None,
        turn: Literal["exif", 90, -90, 180] | None = None,
        resize: bool = False,
        which: int | Literal["all"] | None = None,
        image_id: Any = None,
    ) -> Mask:
        """The mask in whatever another tool made, and `read_as` says how it was understood.

        `given` is a picture or its path, an array of numpy or torch (of shape (height, width) or (number, height,
        width), logits too), what gradio's editor returns, Segment Anything's masks, COCO's annotations, run lengths and
        polygons, labelme's JSON, OpenCV's contours, what `save` wrote, or a `Mask`.

        * `photo`: the picture it belongs to; it must be of its size. Polygons and contours need it.
        * `edit`: for a picture, where the edit is, as in `from_image`; left out where only one reading makes sense.
        * `turn`: `"exif"` turns the mask as the photo's own EXIF had the photo turned; 90 or -90 turns it by degrees,
          to the right or the left, and 180 upside down.
        * `resize`: bring it to the photo's size where that differs.
        * `which`: of several masks this one, counted from 0, or `"all"` for their union.
        * `image_id`: of COCO's annotations those of this image.

        Raises `MaskError` where it can't be read, or in more than one way: that says which, and how much each would
        edit. Raises `ImageError` where a picture can't be opened.
        """
        picture = None if photo is None else open_image(photo)
        made = given if isinstance(given, cls) else None
        reading: Any = None
        if made is None:
            reading = reading_of(given, Hints(picture, edit, turn, which, image_id))
            # Our own marks are better than the pixels they make.
            made = cls.from_json(reading) if isinstance(reading, str) else None
        if made is not None:
            reading = Reading(
                made.coverage(), made.read_as or "read with its own marks", made.meaning.painted
            )
        coverage = placed(reading, picture, turn, resize=resize)
        if made is not None and coverage is reading.coverage:
            mask = cls(made.size, made.marks)._shown_on(made._picture)._marked_blank(blank=made._blank)
        else:
            mask = cls.of_coverage(coverage)
        object.__setattr__(mask, "_read_as", reading.words)
        return mask

    @classmethod
    def select(
        cls,
        photo: ImageSource,
        *,
        points: Iterable[Sequence[float]] = (),
        labels: Iterable[int] | None = None,
        box: Box | None = None,
        engine: EngineName | Select | Engine = "auto",
        timeout: float = SECONDS,
    ) -> Mask:
        """The mask of a thing in a photo, found by pointing at it. It is worked out on this machine; nothing is sent.

        * `points`: `(x, y)` of one or more places on the thing, in image pixels.
        * `labels`: for each point 1 where it is on the thing, or 0 where it is on what does not belong to it; left out,
          all are on the thing.
        * `box`: `(x0, y0, x1, y1)` around the thing, instead of points or with them.
        * `engine`: `"grabcut"`, `"mobilesam"`, the better of those that are installed (`"auto"`), or any function
          `select(picture, points, labels, box)` that returns an array of the photo's (height, width), floats from 0 to
          1; see `docs/select.md`.
        * `timeout`: how many seconds an answer is waited for.

        `read_as` says which engine found it. Raises `MaskError` for points outside of the photo, an empty box, an
        engine that is not installed, fails, finds nothing or is not in time, and what `open_image` raises.
        """
        picture, chosen = open_image(photo), select.engine_of(engine)
        clicks = select.Clicks.of(picture.size, points, labels, box)
        coverage = select.Call(chosen.engine, picture, clicks).coverage(timeout)
        name = chosen.engine.name
        mark = Selection.found(coverage, False, clicks.points, clicks.labels, clicks.box, name)
        mask = cls(picture.size, (mark,))._shown_on(picture)
        object.__setattr__(mask, "_read_as", " ".join((f"selected with {name}", chosen.note)).strip())
        return mask

    @classmethod
    def from_json(cls, text: str) -> Mask:
        """The mask that `to_json` wrote, mark by mark."""
        problem = "This is not a mask saved by Mask.to_json()."
        try:
            read = json.loads(text)
            if read["version"] != JSON_VERSION:
                raise MaskError(
                    f"This mask was saved as version {repr(read['version'])[:40]}. Open it with a newer ttapi_nb."
                )
            return cls(tuple(read["size"]), tuple(mark_from(mark) for mark in read["marks"]))
        except MaskError as error:
            problem = str(error)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            pass
        raise MaskError(problem)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Mask:
        """The mask that `save` wrote. Raises `MaskError`."""
        return read_from(path, cls.from_json)

    def paint(self, points: Iterable[Sequence[float]], *, radius: float = 16.0) -> Mask:
        """Brush along `points`, `(x, y)` or, with a radius of its own, `(x, y, radius)`; `radius` in image pixels."""
        return self.add(Stroke(stroke_points(points, radius)))

    def erase(self, points: Iterable[Sequence[float]], *, radius: float = 16.0) -> Mask:
        """Take away along `points`, as `paint` adds."""
        return self.add(Stroke(stroke_points(points, radius), erase=True))

    def rectangle(self, box: Box, *, erase: bool = False) -> Mask:
        """Add (or take away) the rectangle from `(x0, y0)` to `(x1, y1)`; corners between pixels cover them in part."""
        return self.add(Shape("rectangle", corners(box), erase))

    def ellipse(self, box: Box, *, erase: bool = False) -> Mask:
        """Add (or take away) the ellipse that fills the box `(x0, y0, x1, y1)`."""
        return self.add(Shape("ellipse", corners(box), erase))

    def polygon(self, points: Iterable[Sequence[float]], *, erase: bool = False) -> Mask:
        """Add (or take away) the polygon with these corners, at least three."""
        return self.add(Shape("polygon", polygon_points(points), erase))

    def fill(self, region: NDArray[np.bool_], *, erase: bool = False) -> Mask:
        """Add (or take away) a region, a bool array of this mask's (height, width)."""
        region = as_array(region)
        if region.shape != (self.size[1], self.size[0]):
            raise MaskError(
                f"The region is {region.shape[::-1]} and the mask {self.size}. Both must be the same size."
            )
        more = self.add(Bitmap.of(np.where(region, 255, 0).astype(np.uint8), erase))
        return more._marked_blank(blank=self._blank or not (erase or region.any()))

    def fill_similar(
        self, picture: ImageSource, seed: Sequence[float], *, tolerance: int = TOLERANCE, erase: bool = False
    ) -> Mask:
        """Add (or take away) what is coloured like the pixel at `seed`, `(x, y)`, and connected to it by its sides.

        A colour is alike where none of its channels differs by more than `tolerance`, 0 to 255. The mask keeps the
        region that was found, and needs the picture no more. Raises what `open_image` raises.
        """
        region = alike_region(open_image(picture).pixels, self.size, seed, tolerance)
        return self.add(Bitmap.of(region, erase))

    def invert(self) -> Mask:
        """Edit what was protected, and protect what was to be edited."""
        return self.add(Change("invert"))

    def clear(self) -> Mask:
        """An empty mask of the same size."""
        return Mask(self.size)._shown_on(self._picture)

    def grow(self, pixels: float) -> Mask:
        """Reach `pixels` further out on every side."""
        return self.add(Change("grow", amount(pixels)))

    def shrink(self, pixels: float) -> Mask:
        """Draw back by `pixels` on every side but the picture's own edge."""
        return self.add(Change("shrink", amount(pixels)))

    def feather(self, pixels: float) -> Mask:
        """Soften the edge so that it fades over about `pixels` to each side."""
        return self.add(Change("feather", amount(pixels)))

    def add(self, mark: Mark) -> Mask:
        """This mask with one more mark on top."""
        more = Mask(self.size, (*self.marks, mark))._shown_on(self._picture)._marked_blank(blank=self._blank)
        object.__setattr__(more, "_before", weakref.ref(self))
        return more

    def on(self, picture: ImageSource) -> Mask:
        """The same mask, which shows itself over this picture in a notebook. Raises what `open_image` raises."""
        picture = open_image(picture)
        if self._picture is picture:
            return self
        same = Mask(self.size, self.marks)._shown_on(picture)._marked_blank(blank=self._blank)
        object.__setattr__(same, "_before", self._before)
        object.__setattr__(same, "_rendered", self._rendered)
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
        scaled = Mask(size, tuple(mark.scaled(sx, sy) for mark in self.marks))._shown_on(self._picture)
        return scaled._marked_blank(blank=self._blank)

    # Reading masks

    def coverage(self) -> Coverage:
        """How much of each pixel is masked: a read-only (height, width) array of uint8."""
        # Read once: another thread may drop it in between.
        whole = self._rendered.whole
        return whole if whole is not None else self._rendered.keep(self._drawn())

    def _drawn(self) -> Coverage:
        pixels = self._rendered.pixels()
        if pixels is not None:
            return pixels
        # Start from the nearest earlier mask of which pixels are left: a new stroke costs only itself.
        before, pending = self, list[Mark]()
        while pixels is None and before.marks:
            pending.append(before.marks[-1])
            earlier = before._before() if before._before is not None else None
            if earlier is None:
                pending = list(reversed(self.marks))
                break
            before, pixels = earlier, earlier._rendered.pixels()
        pending.reverse()
        return self._rendered.draw(pending, self.size, None if pixels is None else before._rendered, pixels)

    def part(self, box: tuple[int, int, int, int]) -> Coverage:
        """The coverage in `(left, top, right, bottom)`, whole pixels within the mask; read-only where it is shared."""
        piece = self._rendered.part(box)
        return piece if piece is not None else self.coverage()[box[1] : box[3], box[0] : box[2]]

    def differing(self, other: Mask) -> tuple[int, int, int, int] | None:
        """A box beyond which the two masks, of one size, have the same coverage, or None where they have it everywhere.

        It is looked for where that costs little, as between neighbours of an undo history; otherwise it is all.
        """
        one, two = self._rendered.tiles, other._rendered.tiles
        if one is None or two is None:
            return None if self._rendered is other._rendered else (0, 0, *self.size)
        return one.differing(two)

    def derived(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of this mask, which is made once: that of the last few keys is kept with the mask."""
        return self._rendered.derived(key, make)

    def to_array(self) -> NDArray[np.bool_]:
        """Where the mask asks for an edit: a (height, width) array of bool."""
        return edited(self.coverage())

    @property
    def meaning(self) -> Meaning:
        """What the mask asks for: how many pixels are edited and protected, and what is wrong with it, if anything."""
        meaning = self._rendered.meaning
        if meaning is None or meaning.blank != self._blank:
            meaning = meaning_of(self.coverage(), painted=self._faded, blank=self._blank)
            self._rendered.meaning = meaning
        return meaning

    @property
    def _faded(self) -> bool:
        """Whether something was painted of which feathering or shrinking left nothing at all."""
        fading = [mark.fades for mark in self.marks]
        if not any(fading) or self.coverage().any():
            return False
        kept = (mark for mark, fades in zip(self.marks, fading, strict=True) if not fades)
        return bool(Mask(self.size, tuple(kept)).coverage().any())

    @property
    def blank(self) -> bool:
        """Whether it was given as an array or a picture in which nothing is marked, which is a mistake and no sheet
        that nobody painted on.
        """
        return self._blank

    @property
    def read_as(self) -> str:
        """How `read` understood what it was given, in words; empty for any other mask."""
        return self._read_as

    def to_image(self) -> Image.Image:
        """The coverage as a grey picture, white where the edit is."""
        return Image.fromarray(self.coverage())

    def over(
        self,
        picture: ImageSource,
        *,
        longest: int | None = 512,
        colour: str | tuple[int, int, int] = TINT,
        opacity: float = OPACITY,
    ) -> Image.Image:
        """The picture with the mask laid over it as a tint, at most `longest` pixels a side (None: at full size).

        The mask may have another size than the picture: it is stretched over it. Raises what `open_image` raises.
        """
        return laid_over(open_image(picture), self.to_image(), longest, colour, opacity)

    def to_png(self, *, max_bytes: int | None = None) -> bytes:
        """The file the service takes: a PNG, fully transparent where the edit is and opaque elsewhere.

        Where that would be over `max_bytes`, specks and notches are left out, the finest first, until it is not.
        Raises `MaskError` where nothing of the mask would be left.
        """
        if self._rendered.png is None:
            self._rendered.png = png_of(self.to_image(), None)
        png = self._rendered.png
        return png if max_bytes is None or len(png) <= max_bytes else png_of(self.to_image(), max_bytes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write every mark to `path`, a .json file, for `load`. Returns where it is."""
        return write_to(path, self.to_json())

    def to_json(self) -> str:
        """Every mark as JSON text, for `from_json`; nothing is lost."""
        marks = [mark.written() for mark in self.marks]
        return json.dumps({"version": JSON_VERSION, "size": self.size, "marks": marks})

    @property
    def area(self) -> int:
        """How many pixels the mask asks to edit."""
        return self.meaning.edited

    @property
    def bounds(self) -> tuple[int, int, int, int] | None:
        """The smallest box `(left, top, right, bottom)` around everything not protected, or None."""
        if self._rendered.bounds is None:
            self._rendered.bounds = (self.to_image().getbbox(),)
        return self._rendered.bounds[0]

"""`Fit`: there and back between the source's geometry and the model's.

A plan is a box in the source and the size it is sent at. The box may reach beyond the source, and what lies there is
padding: edge pixels repeated, masked where the edge is, and thrown away on the way back. Coordinates are pixels, x to
the right and y down; pixel (0, 0) covers the square from 0 to 1 both ways.
"""

from __future__ import annotations

import functools
import math
import threading
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import forking
from .errors import FitError, MaskError
from .mask import HALF, Mask, asked_for, edited, protected, share
from .models import Model, SizeRule, megabytes, model_for, parse_size
from .picture import (
    PIXEL_CAP,
    ImageSource,
    SourceImage,
    changes_in_words,
    extended_picture,
    on_white,
    open_image,
    under_limit,
)

__all__ = ["HOWS", "Fit", "Landing", "extend", "mask_for", "masked_words"]

if TYPE_CHECKING:
    from fractions import Fraction

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]
Rect: TypeAlias = tuple[float, float, float, float]
Number = TypeVar("Number", float, "Fraction")

HOWS = ("auto", "crop", "pad", "scale", "none")
"""The ways to fit a picture: what `fit=` takes."""

AUTO_AREA = 2_000_000
"""Where any size may be asked for, `auto` asks for no more pixels than this: larger ones cost more."""

# How much of the picture around the mask goes with it, as a share of the mask's longer side, and at least in pixels.
CONTEXT, LEAST_CONTEXT = 0.5, 32
# A mask with its context that takes less of the picture than this is cut out.
SMALL = 0.5
# A cut that saves less than this much of a picture that has the right shape anyway is not worth making.
NEARLY_ALL = 0.8
# How far Pillow's Lanczos filter reaches, in pixels of the coarser grid.
SUPPORT = 3
# The longest side at which two ways of laying an answer back are compared.
LOOK = 96


@dataclass(frozen=True)
class Landing:
    """How an answer lies on the picture that was sent: its part `answer` (left, top, right, bottom in the answer's
    pixels) shows the part `sent` (in the sent picture's pixels). `note` says what was done where the shapes differ.
    """

    answer: Rect
    sent: Rect
    note: str = ""


@dataclass(frozen=True)
class Fit:
    """How one picture travels to a model and back. Sizes are (width, height) in pixels.

    * `source_size`: the picture's own size.
    * `box`: what is sent of it, (left, top, right, bottom); it may reach beyond the picture, where it is padded.
    * `sent_size`: the size the box is sent at.
    * `asked_size`: the size asked of the model, `"auto"` or `"WIDTHxHEIGHT"`.
    * `how`: what is done: `"crop"`, `"pad"`, `"scale"` or `"none"`.
    * `format`: the file format it is sent in: its own where the model takes that, else PNG.
    * `model`: the model it is made for.
    * `note`: what else happens to the picture, as a sentence.
    * `masked`: what is asked of it and what is protected, as a sentence.
    * `changes`: what opening the picture changed before it is sent, as a sentence.
    """

    source_size: Size
    box: Box
    sent_size: Size
    asked_size: str = "auto"
    how: Literal["crop", "pad", "scale", "none"] = "none"
    format: str = "PNG"
    model: str = ""
    note: str = ""
    masked: str = ""
    changes: str = ""

    # Planning

    @classmethod
    def plan(
        cls, source: SourceImage, model: str, size: str = "auto", how: str = "auto", mask: Mask | None = None
    ) -> Fit:
        """The way for `source` to `model` when a result of `size` is asked for.

        `how` is one of `HOWS`. `"crop"` cuts out the mask with its surroundings, `"pad"` keeps the whole picture and
        fills up what its shape lacks, `"scale"` brings the whole picture to the size, stretched where its shape is
        another, and `"none"` sends it as it is. `"auto"` crops where the mask is small on the picture, and else scales
        or pads. A `size` of `"auto"` becomes the size of the model's that suits best. Raises `FitError` where `how` is
        unknown, or where there is no mask to crop to.
        """
        mask = mask_for(source, mask)
        bounds = None if mask is None else mask.bounds
        plan = cls.of_sizes(source.size, model, size, how, bounds, _format(source, model_for(model)))
        return replace(plan, masked=masked_words(source, mask), changes=changes_in_words(source))

    @classmethod
    def of_sizes(
        cls,
        source_size: Size,
        model: str,
        size: str = "auto",
        how: str = "auto",
        bounds: Box | None = None,
        format: str = "PNG",
    ) -> Fit:
        """As `plan`, on numbers alone; `bounds` is the box around the mask in the source's pixels."""
        if how not in HOWS:
            raise FitError(f"fit={how!r} is not known. Use one of {', '.join(HOWS)}.")
        if how == "crop" and bounds is None:
            raise FitError(
                'fit="crop" cuts out what is masked, and nothing is. Paint a mask first, or use fit="auto".'
            )
        row = model_for(model)
        asked = _asked(row, size)
        whole = (0, 0, *source_size)
        as_it_is = cls(source_size, whole, source_size, size, "none", format, model)
        if how == "none" or (asked is None and not _chooses(row, size)):
            if how != "crop" or bounds is None:
                return as_it_is
            box = _grown(bounds, _context(bounds), source_size)
            return replace(as_it_is, box=box, sent_size=_side(box), how="crop")

        def to(box: Box, sent: Size, how: Literal["crop", "pad", "scale"]) -> Fit:
            return cls(source_size, box, sent, f"{sent[0]}x{sent[1]}", how, format, model)

        if bounds is not None and how in ("auto", "crop"):
            needed = _side(_grown(bounds, _context(bounds), source_size))
            sent = asked or _best_size(row, needed)
            box = _crop_box(source_size, bounds, sent)
            if how == "crop" or _worth_cutting(source_size, needed, box, sent):
                return to(box, sent, "crop")
        sent = asked or _best_size(row, source_size)
        padded = _holding(source_size, sent)
        if how == "scale" or (how == "auto" and padded == source_size):
            return to(whole, sent, "scale")
        return to(_centred(padded, source_size), sent, "pad")

    # Numbers

    @property
    def scale(self) -> tuple[float, float]:
        """How many of the source's pixels one sent pixel spans, across and down."""
        width, height = _side(self.box)
        return width / self.sent_size[0], height / self.sent_size[1]

    @property
    def inside(self) -> Box:
        """The part of the box that lies in the source: where answers come back to."""
        left, top, right, bottom = self.box
        return max(left, 0), max(top, 0), min(right, self.source_size[0]), min(bottom, self.source_size[1])

    @property
    def is_whole(self) -> bool:
        """Whether the picture goes out pixel for pixel as it is."""
        return self.box == (0, 0, *self.source_size) and self.sent_size == self.source_size

    def there_point(self, x: Number, y: Number) -> tuple[Number, Number]:
        """Where a point of the source lies in the sent picture; exact for fractions."""
        (left, top, _, _), (width, height) = self.box, _side(self.box)
        return (x - left) * self.sent_size[0] / width, (y - top) * self.sent_size[1] / height

    def back_point(self, x: Number, y: Number) -> tuple[Number, Number]:
        """Where a point of the sent picture lies in the source; exact for fractions."""
        (left, top, _, _), (width, height) = self.box, _side(self.box)
        return x * width / self.sent_size[0] + left, y * height / self.sent_size[1] + top

    # There

    def there(self, source: SourceImage) -> SourceImage:
        """The picture as it is sent: in a format the model takes, and where that can be done under its byte limit."""
        return self.there_and_note(source)[0]

    def there_and_note(self, source: SourceImage) -> tuple[SourceImage, str]:
        """As `there`, and a sentence about what had to be re-encoded, or nothing."""
        # A plan is looked at with every stroke and key: what stays the same is made once.
        key = (self.box, self.sent_size, self.format, self.model)
        with _lock:
            found = _sent.setdefault(source, {}).get(key)
        if found is None:
            found = self._made(source)
            if found[0] is source:
                return found
            with _lock:
                kept = _sent.setdefault(source, {})
                while len(kept) >= 2:
                    kept.pop(next(iter(kept)))
                kept[key] = found
        return found

    def _made(self, source: SourceImage) -> tuple[SourceImage, str]:
        row = model_for(self.model)
        picture = source
        if not self.is_whole:
            picture = SourceImage(_carried(source.pixels, self.box, self.sent_size), self.format, source.name)
        if row.needs_alpha and picture.pixels.mode == "RGB":
            picture = SourceImage(picture.pixels.convert("RGBA"), self.format, source.name)
        return _light_enough(picture.as_format(self.format), row)

    def there_mask(self, mask: Mask) -> Mask:
        """The mask as it is sent, with its picture; padding is masked where the edge that it repeats is.

        What is painted anywhere in a sent pixel is painted there, so that no mask is too small to arrive.
        """
        bounds = mask.bounds
        if self.is_whole or bounds is None:
            return mask if self.is_whole else Mask(self.sent_size)
        left, top, right, bottom = bounds
        part = mask.coverage()[top:bottom, left:right]
        (width, height), (wide, high) = self.source_size, self.sent_size
        part = _cells(part, left, width, (self.box[0], self.box[2]), wide, axis=1)
        part = _cells(part, top, height, (self.box[1], self.box[3]), high, axis=0)
        (x0, y0), (x1, y1) = self.there_point(0.0, 0.0), self.there_point(float(width), float(height))
        _repeat_edges(part.T, x0, x1)
        _repeat_edges(part, y0, y1)
        return Mask.of_coverage(part)

    def not_padding(self) -> NDArray[np.bool_]:
        """Which pixels of the sent picture show the source alone: a (height, width) array of bool."""
        # Here, not above: an editor is shown sooner without it.
        from fractions import Fraction

        left, top, right, bottom = self.inside
        (x0, y0), (x1, y1) = (
            self.there_point(Fraction(left), Fraction(top)),
            self.there_point(Fraction(right), Fraction(bottom)),
        )
        return _within((x0, y0, x1, y1), self.sent_size)

    # Back

    def landing(self, answer: Image.Image, source: SourceImage, mask: Mask | None = None) -> Landing:
        """How `answer` lies on the sent picture. One of another shape is stretched, cut or ringed with more, whichever
        agrees best with the sent picture outside `mask` (of the source's size).
        """
        whole_answer, whole_sent = _whole(answer.size), _whole(self.sent_size)
        if _same_shape(answer.size, self.sent_size):
            return Landing(whole_answer, whole_sent)
        came = f"The answer came as {_by(answer.size)} where {_by(self.sent_size)} was sent"
        ways = (
            Landing(whole_answer, whole_sent, f"{came}: it was stretched to that shape."),
            Landing(
                whole_answer,
                _central(self.sent_size, answer.size),
                f"{came}: it shows only the middle of it, and was laid there. The rest is the source.",
            ),
            Landing(
                _central(answer.size, self.sent_size),
                whole_sent,
                f"{came}: what it shows beyond that was cut off.",
            ),
        )
        sent = on_white(self.there(source).pixels)
        shown = None
        if mask is not None and mask.size == self.source_size:
            shown = protected(self.there_mask(mask).coverage()) & self.not_padding()
        plain = on_white(answer)
        # A sliver that holds no whole pixel brings nothing back.
        possible = [
            way for way in ways if not _is_empty(self.reach(way)) and not _is_empty(_whole_pixels(way.sent))
        ]
        return min(possible, key=lambda way: _disagreement(sent, plain, way, shown))

    def back(self, answer: Image.Image, source: SourceImage, mask: Mask | None = None) -> Image.Image:
        """The source with the answer laid over it wherever that reaches; always of the source's size.

        `mask` tells where the two may differ, for answers of another shape.
        """
        landing = self.landing(answer, source, mask)
        reach = self.reach(landing)
        part = self.part(answer, reach, landing)
        if reach == (0, 0, *self.source_size):
            return part
        whole = source.pixels.copy()
        if whole.mode != part.mode:
            whole, part = whole.convert("RGBA"), part.convert("RGBA")
        whole.paste(part, reach[:2])
        return whole

    def reach(self, landing: Landing) -> Box:
        """The box in the source that the answer reaches wholly."""
        (x0, y0), (x1, y1) = self.back_point(*landing.sent[:2]), self.back_point(*landing.sent[2:])
        left, top, right, bottom = self.inside
        # A hair's breadth is what floats lose, not what the answer lacks.
        return (
            max(left, math.ceil(x0 - 1e-6)),
            max(top, math.ceil(y0 - 1e-6)),
            min(right, math.floor(x1 + 1e-6)),
            min(bottom, math.floor(y1 + 1e-6)),
        )

    def part(self, answer: Image.Image, region: Box, landing: Landing) -> Image.Image:
        """The answer in `region`, a box in the source that it reaches, at the source's resolution.

        `RGBA` where the answer is see-through anywhere, else `RGB`.
        """
        corners = (
            self.there_point(float(region[0]), float(region[1])),
            self.there_point(float(region[2]), float(region[3])),
        )
        (x0, y0), (x1, y1) = (_moved(corner, landing.sent, landing.answer) for corner in corners)
        plain = _plain(answer)
        return _resized(plain, (x0, y0, x1, y1), _side(region))

    def on_sent(self, answer: Image.Image, landing: Landing) -> tuple[Image.Image, NDArray[np.bool_]]:
        """The answer at the sent picture's size, as it lies on it, and which pixels of that show source and answer."""
        shown = self.not_padding()
        if landing.sent == _whole(self.sent_size):
            return _resized(_plain(answer), landing.answer, self.sent_size), shown
        box = _whole_pixels(landing.sent)
        (x0, y0), (x1, y1) = (
            _moved((float(x), float(y)), landing.sent, landing.answer) for x, y in (box[:2], box[2:])
        )
        laid = Image.new(_plain(answer).mode, self.sent_size)
        laid.paste(_resized(_plain(answer), (x0, y0, x1, y1), _side(box)), box[:2])
        return laid, shown & _within(box, self.sent_size)

    @property
    def words(self) -> str:
        """The plan in a sentence or two."""
        if self.how == "none":
            first = f"Sends the picture as it is, {_by(self.sent_size)} as {self.format}."
            asked = parse_size(self.asked_size) if isinstance(self.asked_size, str) else None
            second = f"The answer of {_by(asked)} is brought back to that." if asked else ""
        else:
            where = " around the mask" if self.how == "crop" else ""
            first = (
                f"Sends {_by(self.sent_size)}{where} as {self.format}, returns into {_by(self.source_size)}."
            )
            what = f"The {_by(_side(self.box))} cut out" if self.how == "crop" else "The picture"
            done = self._changes()
            second = f"{what} is {' and '.join(done).rstrip(',')}." if done else ""
        return " ".join(words for words in (first, second, self.masked, self.changes, self.note) if words)

    def _changes(self) -> list[str]:
        left, top, right, bottom = self.box
        sides = (
            ("left", left < 0),
            ("top", top < 0),
            ("right", right > self.source_size[0]),
            ("bottom", bottom > self.source_size[1]),
        )
        padded = " and ".join(name for name, there in sides if there)
        across, down = self.scale
        # Rounding to whole pixels is no stretching.
        stretched = abs(across / down - 1) * max(_side(self.box)) > 1.5
        changes = []
        if padded:
            changes.append(f"padded at {padded} with its edge pixels, which are cut off again afterwards,")
        if stretched:
            changes.append(f"stretched to {_by(self.sent_size)}")
        elif _side(self.box) != self.sent_size:
            changes.append(f"scaled {'down' if across > 1 else 'up'} to {100 / across:.0f}%")
        return changes


def mask_for(source: SourceImage, mask: Mask | SourceImage | None) -> Mask | None:
    """The mask that travels with `source`; None where nothing is painted, where it can be read in more than one way,
    and where it belongs to a picture of another size.
    """
    if mask is None or mask.size != source.size:
        return None
    if isinstance(mask, Mask):
        return asked_for(mask)
    try:
        return asked_for(Mask.read(mask, photo=source))
    except MaskError:
        return None


def masked_words(source: SourceImage, mask: Mask | None) -> str:
    """What `mask` asks of `source`, or what becomes of the picture without one, in a sentence or two."""
    if mask is not None:
        return mask.meaning.words
    said = "Nothing is masked: the whole picture may change."
    if source.pixels.mode == "RGBA":
        clear = 255 - np.asarray(source.pixels.getchannel("A"))
        hole = int(np.count_nonzero(edited(clear)))
        if 0 < hole < clear.size:
            return (
                f"{said} Its hole ({share(hole, clear.size)} is transparent) may be filled: to change only that, use "
                "mask=Mask.hole_of(photo)."
            )
    return said


def extend(
    picture: ImageSource,
    *,
    left: int = 0,
    top: int = 0,
    right: int = 0,
    bottom: int = 0,
    aspect: str | tuple[float, float] | None = None,
) -> tuple[SourceImage, Mask]:
    """The picture with more room around it, transparent, and the mask that covers exactly this room.

    Give margins in pixels, or instead the `aspect` that the whole is to have, as `"16:9"` or `(16, 9)`, with the
    picture in its middle. Raises `FitError` where that adds nothing or makes the picture too large, and what
    `open_image` raises.
    """
    source = open_image(picture)
    width, height = source.size
    margins: tuple[Any, ...] = (left, top, right, bottom)
    if aspect is not None:
        if any(margins):
            raise FitError("A picture is extended by margins or to an aspect. Give one of the two.")
        wide, high = _holding(source.size, _ratio(aspect))
        spare = (wide - width, high - height)
        margins = (spare[0] // 2, spare[1] // 2, spare[0] - spare[0] // 2, spare[1] - spare[1] // 2)
    if not all(isinstance(margin, int | np.integer) and margin >= 0 for margin in margins):
        raise FitError(
            f"Margins are whole numbers of pixels, 0 or more, and not {margins!r}. To cut, crop the picture."
        )
    if not any(margins):
        asked = "The picture has that aspect already." if aspect is not None else "All margins are 0."
        raise FitError(f"{asked} Give at least one margin over 0, or another aspect.")
    before, above, after, below = (int(margin) for margin in margins)
    size = (before + width + after, above + height + below)
    if size[0] * size[1] > PIXEL_CAP:
        raise FitError(
            f"That makes {_by(size)}, which is more than {PIXEL_CAP // 10**6} million pixels. "
            "Choose smaller margins, or make the picture smaller first."
        )
    pixels = Image.new("RGBA", size, (0, 0, 0, 0))
    pixels.paste(source.pixels.convert("RGBA"), (before, above))
    mask = Mask(size).rectangle((0, 0, *size))
    mask = mask.rectangle((before, above, before + width, above + height), erase=True)
    # What made the picture made most of this one too.
    return extended_picture(source, pixels, (before, above)).with_lineage(source._lineage), mask


def _ratio(aspect: Any) -> tuple[int, int]:
    # Here, not above: as before.
    from fractions import Fraction

    parts = aspect.split(":") if isinstance(aspect, str) else aspect
    try:
        width, height = (Fraction(part).limit_denominator(10_000) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        width = height = Fraction(0)
    if width <= 0 or height <= 0 or not Fraction(1, 100) <= width / height <= 100:
        raise FitError(f'An aspect is written as "16:9" or (16, 9), and not {aspect!r}. Give one of these.')
    ratio = width / height
    return ratio.numerator, ratio.denominator


# Which size and which box


def _asked(row: Model, size: Any) -> Size | None:
    """The size that is asked for by name, where the model takes it and it can be made."""
    sides = parse_size(size) if isinstance(size, str) else None
    # What the model does not take is left to problems(), which says so.
    if sides is None or not row.takes_size(size) or sides[0] * sides[1] > PIXEL_CAP:
        return None
    return sides


def _chooses(row: Model, size: Any) -> bool:
    return bool(row.known and size == "auto" and (row.size_rule or any(map(parse_size, row.sizes))))


def _best_size(row: Model, needed: Size) -> Size:
    """The size that suits a box of `needed` best: the nearest shape, and no more pixels than it has use for."""
    if row.size_rule is not None:
        shapes, areas, sizes = _allowed(row.size_rule)
        wanted = min(max(needed[0] * needed[1], row.size_rule.least_area), AUTO_AREA)
        # A shape that is off by 1% pads as much as an area that is off by 20% scales.
        cost = 20 * abs(shapes - math.log(needed[0] / needed[1])) + abs(areas - math.log(wanted))
        return sizes[int(np.argmin(cost))]

    def cost_of(size: Size) -> tuple[float, bool, int]:
        area = size[0] * size[1]
        short = size[0] < needed[0] or size[1] < needed[1]
        return (
            round(abs(math.log(size[0] / size[1] * needed[1] / needed[0])), 6),
            short,
            -area if short else area,
        )

    return min((sides for sides in map(parse_size, row.sizes) if sides), key=cost_of)


@functools.cache
def _allowed(rule: SizeRule) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Size]]:
    """Every size that meets the rule and is no larger than `auto` asks for: its shape, its area (as logs), itself."""
    sides = range(rule.multiple, rule.longest + 1, rule.multiple)
    most = max(AUTO_AREA, rule.least_area)
    sizes = [
        (width, height)
        for width in sides
        for height in sides
        if width * height <= most and rule.takes(width, height)
    ]
    logs = np.log(np.array(sizes, np.float64))
    return logs[:, 0] - logs[:, 1], logs.sum(axis=1), sizes


def _context(bounds: Box) -> int:
    return max(LEAST_CONTEXT, math.ceil(CONTEXT * max(_side(bounds))))


def _grown(bounds: Box, by: int, size: Size) -> Box:
    left, top, right, bottom = bounds
    return max(0, left - by), max(0, top - by), min(size[0], right + by), min(size[1], bottom + by)


def _crop_box(source: Size, bounds: Box, sent: Size) -> Box:
    """The box to cut: the mask with its context and no smaller than what is sent, as far as the source has it."""
    context = _context(bounds)
    wanted = _holding(_side(_grown(bounds, context, source)), sent)
    if wanted[0] < sent[0] or wanted[1] < sent[1]:
        wanted = sent
    if not _fits(wanted, source):
        # Less context is better than padding, and padding is better than a mask that is cut.
        least = _side(_grown(bounds, context // 4, source))
        inner = _held(source, sent)
        wanted = inner if _fits(least, inner) else _holding(least, sent)
    (left, right), (top, bottom) = (
        _placed(bounds[axis] + bounds[axis + 2], wanted[axis], source[axis]) for axis in (0, 1)
    )
    return left, top, right, bottom


def _placed(middle_twice: int, length: int, side: int) -> tuple[int, int]:
    start = (middle_twice - length) // 2
    start = min(max(start, 0), side - length) if length <= side else -((length - side) // 2)
    return start, start + length


def _worth_cutting(source: Size, needed: Size, box: Box, sent: Size) -> bool:
    area = source[0] * source[1]
    width, height = _side(box)
    if not _fits((width, height), source) or (width, height) == source:
        return False
    if needed[0] * needed[1] > SMALL * area:
        return False
    return width * height <= NEARLY_ALL * area or _holding(source, sent) != source


def _holding(least: Size, shape: Size) -> Size:
    """The smallest size of `shape` that holds `least`, as nearly as whole pixels allow."""
    (width, height), (wide, high) = least, shape
    if width * high >= height * wide:
        return width, max(height, _rounded(width * high, wide))
    return max(width, _rounded(height * wide, high)), height


def _held(most: Size, shape: Size) -> Size:
    """The largest size of `shape` within `most`."""
    (width, height), (wide, high) = most, shape
    if width * high <= height * wide:
        return width, max(1, min(height, _rounded(width * high, wide)))
    return max(1, min(width, _rounded(height * wide, high))), height


def _rounded(number: int, by: int) -> int:
    return (2 * number + by) // (2 * by)


def _centred(size: Size, around: Size) -> Box:
    left, top = -((size[0] - around[0]) // 2), -((size[1] - around[1]) // 2)
    return left, top, left + size[0], top + size[1]


def _fits(size: Size, into: Size) -> bool:
    return size[0] <= into[0] and size[1] <= into[1]


def _side(box: Box) -> Size:
    return box[2] - box[0], box[3] - box[1]


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _whole(size: Size) -> Rect:
    return 0.0, 0.0, float(size[0]), float(size[1])


def _same_shape(one: Size, other: Size) -> bool:
    # Alike to within the pixel that rounding may cost.
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)


def _central(size: Size, shape: Size) -> Rect:
    """The largest part of `size` that has `shape`, in its middle."""
    width, height = float(size[0]), float(size[1])
    wide, high = min(width, height * shape[0] / shape[1]), min(height, width * shape[1] / shape[0])
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, left + wide, top + high


def _whole_pixels(rect: Rect) -> Box:
    return math.ceil(rect[0] - 1e-6), math.ceil(rect[1] - 1e-6), int(rect[2] + 1e-6), int(rect[3] + 1e-6)


def _is_empty(box: Box) -> bool:
    return box[0] >= box[2] or box[1] >= box[3]


def _moved(point: tuple[float, float], start: Rect, to: Rect) -> tuple[float, float]:
    """`point` of the rectangle `start` as it lies in the rectangle `to`."""
    return (
        to[0] + (point[0] - start[0]) * (to[2] - to[0]) / (start[2] - start[0]),
        to[1] + (point[1] - start[1]) * (to[3] - to[1]) / (start[3] - start[1]),
    )


def _within(rect: tuple[Any, Any, Any, Any], size: Size) -> NDArray[np.bool_]:
    """Which whole pixels of a picture of `size` lie in `rect`."""
    inside = np.zeros(size[::-1], np.bool_)
    left, top, right, bottom = rect
    inside[math.ceil(top) : math.floor(bottom), math.ceil(left) : math.floor(right)] = True
    return inside


# Pixels


_sent: weakref.WeakKeyDictionary[SourceImage, dict[Any, tuple[SourceImage, str]]] = (
    weakref.WeakKeyDictionary()
)
_lock = threading.Lock()
forking.anew(globals(), "_lock")


def _format(source: SourceImage, row: Model) -> str:
    # JPEG has no transparency to send.
    format = "PNG" if source.format == "JPEG" and source.pixels.mode == "RGBA" else source.format
    return format if format in row.image_formats else "PNG"


def _plain(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    see_through = image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] != 255
    return image.convert("RGBA" if see_through else "RGB")


def _resized(image: Image.Image, rect: Rect, size: Size) -> Image.Image:
    """The part `rect` of the image at `size`; untouched where its pixels are that already."""
    left, top = max(0.0, rect[0]), max(0.0, rect[1])
    right, bottom = min(float(image.width), rect[2]), min(float(image.height), rect[3])
    whole = tuple(map(round, (left, top, right, bottom)))
    nearly = max(abs(one - other) for one, other in zip(whole, (left, top, right, bottom), strict=True))
    if nearly < 1e-6 and (whole[2] - whole[0], whole[3] - whole[1]) == size:
        return image if whole == (0, 0, *image.size) else image.crop((whole[0], whole[1], whole[2], whole[3]))
    return image.resize(size, Image.Resampling.LANCZOS, (left, top, right, bottom), reducing_gap=3.0)


@dataclass(frozen=True)
class _Axis:
    """One side of a picture on its way: how much of it is read and padded, and where it lands."""

    start: int
    end: int
    before: int
    after: int
    window: tuple[float, float]
    first: int
    last: int

    @classmethod
    def of(cls, low: int, high: int, side: int, sent: int) -> _Axis:
        step = (high - low) / sent
        # Padding beyond the filter's reach is all one colour, so it is repeated after scaling.
        reach = math.ceil((SUPPORT + 2) * max(step, 1)) + 1
        before, after = min(max(0, -low), reach), min(max(0, high - side), reach)
        first = math.ceil((-before - low) / step) if -low > before else 0
        last = math.floor((side + after - low) / step) if high - side > after else sent
        window = (low + first * step, low + last * step)
        start = max(0, math.floor(window[0]) - reach)
        end = min(side, math.ceil(window[1]) + reach)
        origin = start - before
        return cls(start, end, before, after, (window[0] - origin, window[1] - origin), first, last)


def _carried(image: Image.Image, box: Box, size: Size) -> Image.Image:
    """The pixels in `box` at `size`, edge pixels repeated where the box reaches beyond the image.

    What is either clear or solid stays so: a half of it would be neither kept nor filled.
    """
    carried = _scaled(image, box, size)
    if carried.mode == "RGBA":
        levels = image.getchannel("A").getcolors(2)
        if levels and {level for _, level in levels} <= {0, 255}:
            carried.putalpha(carried.getchannel("A").point([0] * 128 + [255] * 128))
    return carried


def _scaled(image: Image.Image, box: Box, size: Size) -> Image.Image:
    across = _Axis.of(box[0], box[2], image.width, size[0])
    down = _Axis.of(box[1], box[3], image.height, size[1])
    part = image.crop((across.start, down.start, across.end, down.end))
    part = _edged(part, across.before, down.before, across.after, down.after)
    rect = (across.window[0], down.window[0], across.window[1], down.window[1])
    part = _resized(part, rect, (across.last - across.first, down.last - down.first))
    return _edged(part, across.first, down.first, size[0] - across.last, size[1] - down.last)


def _edged(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    if not (left or top or right or bottom):
        return image
    return Image.fromarray(np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), "edge"))


def _cells(
    part: NDArray[np.uint8], offset: int, side: int, span: tuple[int, int], sent: int, axis: int
) -> NDArray[np.uint8]:
    """Coverage along one axis in the sent picture's pixels; `part` begins at `offset` of the source's `side`."""
    part = np.moveaxis(part, axis, 0)
    count, step = part.shape[0], (span[1] - span[0]) / sent
    if step >= 1:
        cells = np.floor((np.arange(offset, offset + count) + 0.5 - span[0]) / step).astype(np.int64)
        cells = np.clip(cells, 0, sent - 1)
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        result = np.zeros((sent, part.shape[1]), np.uint8)
        result[cells[starts]] = np.maximum.reduceat(part, starts, axis=0)
    else:
        middles = span[0] + (np.arange(sent) + 0.5) * step
        places = middles - 0.5 - offset
        # Beyond the mask's bounds there is none of it; beyond the picture's border it just goes on.
        before = part[:1] * np.uint8(offset == 0)
        after = part[-1:] * np.uint8(offset + count == side)
        ringed = np.concatenate((before, part, after))
        low = np.clip(np.floor(places).astype(np.int64), -1, count - 1)
        share = np.clip(places - low, 0, 1).astype(np.float32)[:, None]
        soft = ringed[low + 1] * (1 - share) + ringed[low + 2] * share
        near = ringed[np.clip(np.floor(places + 0.5).astype(np.int64), -1, count) + 1]
        # Smooth between pixels, and never less than a painted pixel needs to count as painted.
        floor = np.where(edited(near), np.uint8(HALF), np.minimum(near, 1))
        result = np.maximum(np.rint(soft).astype(np.uint8), floor)
        # Nor more where it is not: what is sent edits what the mask edits.
        np.minimum(result, np.uint8(HALF - 1), out=result, where=~edited(near))
        result[(middles < 0) | (middles > side)] = 0
    return np.moveaxis(result, 0, axis)


def _repeat_edges(rows: NDArray[np.uint8], start: float, end: float) -> None:
    """Let rows before `start` and after `end` be what the edge is, at least, in place."""
    first, last = max(0, math.ceil(start - 0.5)), min(len(rows), math.floor(end + 0.5))
    np.maximum(rows[:first], rows[first], out=rows[:first])
    np.maximum(rows[last:], rows[last - 1], out=rows[last:])


def _disagreement(
    sent: Image.Image, answer: Image.Image, way: Landing, shown: NDArray[np.bool_] | None
) -> float:
    """How far the slopes of sent picture and answer differ where both show the same thing, in levels of 255 a cell.

    Slopes, since a colour shift, of the whole or of a part, says nothing about where things are.
    """
    width, height = way.sent[2] - way.sent[0], way.sent[3] - way.sent[1]
    times = LOOK / max(width, height)
    grid = (max(1, round(width * times)), max(1, round(height * times)))
    one, other = (
        np.asarray(image.resize(grid, Image.Resampling.BOX, rect), np.float32)
        for image, rect in ((sent, way.sent), (answer, way.answer))
    )
    difference = other - one
    kept = np.ones(grid[::-1], np.bool_)
    if shown is not None:
        grey = Image.fromarray(shown.astype(np.uint8) * 255).resize(grid, Image.Resampling.BOX, way.sent)
        there = np.asarray(grey) == 255
        kept = there if there.any() else kept
    across = np.abs(np.diff(difference, axis=1))[kept[:, 1:] & kept[:, :-1]]
    down = np.abs(np.diff(difference, axis=0))[kept[1:] & kept[:-1]]
    slopes = np.concatenate((across, down))
    return float(slopes.mean()) if len(slopes) else 0.0


# Files


def _light_enough(picture: SourceImage, row: Model) -> tuple[SourceImage, str]:
    """The picture as a file under the model's limit where that can be had, and what it took."""
    if under_limit(picture, row.image_bytes):
        return picture, ""
    limit = megabytes(row.image_bytes)
    if picture.pixels.mode == "RGB":
        other = picture.as_format("JPEG")
        if "JPEG" in row.image_formats and picture.format != "JPEG" and under_limit(other, row.image_bytes):
            return other, f"It is sent as JPEG, since as {picture.format} it is not under {limit}."
    for bits in (7, 6, 5, 4):
        coarse = SourceImage(_coarser(picture.pixels, bits), picture.format, picture.name)
        if under_limit(coarse, row.image_bytes):
            return coarse, f"It is sent with {bits} bits a colour, since with 8 it is not under {limit}."
    return picture, ""


def _coarser(pixels: Image.Image, bits: int) -> Image.Image:
    step = 1 << (8 - bits)
    levels = [min(255, round(value / step) * step) for value in range(256)]
    kept = list(range(256)) if pixels.mode == "RGBA" else []
    return pixels.point(levels * 3 + kept)

"""`Fit`: there and back between the source's geometry and the model's.

A plan is a box in the source and the size it is sent at. The box may reach beyond the source, and what lies there is
padding: edge pixels repeated, masked where the edge is, and thrown away on the way back. Coordinates are pixels, x to
the right and y down; pixel (0, 0) covers the square from 0 to 1 both ways.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import forking
from ..errors import FitError
from ..mask import Mask, protected
from ..models import model_for, parse_size
from ..picture import SourceImage, changes_in_words, on_white
from .files import format_for, light_enough
from .geometry import Box, Size, by_size, centred, holding, same_shape, side_of, whole_of, within
from .landing import Landed, Landing, landing_of
from .pixels import carried, cells, repeat_edges
from .sizes import asked_size, best_size, chooses, context_of, crop_box, grown, worth_cutting
from .tiles import tiles_of
from .words import mask_for, masked_words

__all__ = ["HOWS", "Fit"]

Number = TypeVar("Number", float, Fraction)

HOWS = ("auto", "crop", "tiles", "pad", "scale", "none")
"""The ways to fit a picture: what `fit=` takes."""


_sent: weakref.WeakKeyDictionary[SourceImage, dict[Any, tuple[SourceImage, str]]] = (
    weakref.WeakKeyDictionary()
)
_lock = threading.Lock()
forking.anew(globals(), "_lock")


@dataclass(frozen=True)
class Fit:
    """How one picture travels to a model and back. Sizes are (width, height) in pixels.

    * `source_size`: the picture's own size.
    * `box`: what is sent of it, (left, top, right, bottom); it may reach beyond the picture, where it is padded.
    * `sent_size`: the size the box is sent at.
    * `asked_size`: the size asked of the model, `"auto"` or `"WIDTHxHEIGHT"`.
    * `how`: what is done: `"crop"`, `"tiles"`, `"pad"`, `"scale"` or `"none"`.
    * `format`: the file format it is sent in: its own where the model takes that, else PNG.
    * `model`: the model it is made for.
    * `note`: what else happens to the picture, as a sentence.
    * `masked`: what is asked of it and what is protected, as a sentence.
    * `changes`: what opening the picture changed before it is sent, as a sentence.
    * `tiles`: the boxes of the picture that what is masked can be cut into where it is thin and the picture large. With
      `"tiles"` the part in each is sent by itself, cropped, one after the other, and all else here tells of the whole.
    """

    source_size: Size
    box: Box
    sent_size: Size
    asked_size: str = "auto"
    how: Literal["crop", "tiles", "pad", "scale", "none"] = "none"
    format: str = "PNG"
    model: str = ""
    note: str = ""
    masked: str = ""
    changes: str = ""
    tiles: tuple[Box, ...] = ()

    # Planning

    @classmethod
    def plan(
        cls, source: SourceImage, model: str, size: str = "auto", how: str = "auto", mask: Mask | None = None
    ) -> Fit:
        """The way for `source` to `model` when a result of `size` is asked for.

        `how` is one of `HOWS`. `"crop"` cuts out the mask with its surroundings, `"pad"` keeps the whole picture and
        fills up what its shape lacks, `"scale"` brings the whole picture to the size, stretched where its shape is
        another, and `"none"` sends it as it is. `"tiles"` cuts the mask into parts that are sent one by one, where that
        sends them larger, and is else as `"auto"`, which crops where the mask is small on the picture, and else scales
        or pads. A `size` of `"auto"` becomes the size of the model's that suits best. Raises `FitError` where `how` is
        unknown, or where there is no mask to crop or to cut.
        """
        mask = mask_for(source, mask)
        bounds = None if mask is None else mask.bounds
        plan = cls.of_sizes(source.size, model, size, how, bounds, format_for(source, model_for(model)))
        plan = replace(plan, masked=masked_words(source, mask), changes=changes_in_words(source))
        if mask is None or how not in ("auto", "tiles"):
            return plan
        tiles = plan._tiles(mask, size, any_width=how == "tiles")
        return replace(plan, tiles=tiles, how="tiles" if tiles and how == "tiles" else plan.how)

    def _tiles(self, mask: Mask, size: str, *, any_width: bool) -> tuple[Box, ...]:
        """The tiles that this plan, of the whole, can be cut into."""

        def sent(box: Box) -> float:
            return max(Fit.of_sizes(self.source_size, self.model, size, "crop", box).scale)

        def made() -> tuple[Box, ...]:
            span, longest = max(self.scale), max(self.sent_size)
            return tiles_of(mask, span, sent, longest, any_width=any_width)

        # A plan is looked at with every key, and the mask is another only after a stroke.
        return mask.derived((self.source_size, self.box, self.sent_size, self.model, size, any_width), made)

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
        if how in ("crop", "tiles") and bounds is None:
            raise FitError(
                f'fit="{how}" cuts out what is masked, and nothing is. Paint a mask first, or use fit="auto".'
            )
        # As a whole, what goes in tiles goes as it would without.
        how = "auto" if how == "tiles" else how
        row = model_for(model)
        asked = asked_size(row, size)
        whole = (0, 0, *source_size)
        as_it_is = cls(source_size, whole, source_size, size, "none", format, model)
        if how == "none" or (asked is None and not chooses(row, size)):
            if how != "crop" or bounds is None:
                return as_it_is
            box = grown(bounds, context_of(bounds), source_size)
            return replace(as_it_is, box=box, sent_size=side_of(box), how="crop")

        def to(box: Box, sent: Size, how: Literal["crop", "pad", "scale"]) -> Fit:
            return cls(source_size, box, sent, f"{sent[0]}x{sent[1]}", how, format, model)

        if bounds is not None and how in ("auto", "crop"):
            needed = side_of(grown(bounds, context_of(bounds), source_size))
            sent = asked or best_size(row, needed)
            box = crop_box(source_size, bounds, sent)
            if how == "crop" or worth_cutting(source_size, needed, box, sent):
                return to(box, sent, "crop")
        sent = asked or best_size(row, source_size)
        padded = holding(source_size, sent)
        if how == "scale" or (how == "auto" and padded == source_size):
            return to(whole, sent, "scale")
        return to(centred(padded, source_size), sent, "pad")

    # Numbers

    @property
    def scale(self) -> tuple[float, float]:
        """How many of the source's pixels one sent pixel spans, across and down."""
        width, height = side_of(self.box)
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
        (left, top, _, _), (width, height) = self.box, side_of(self.box)
        return (x - left) * self.sent_size[0] / width, (y - top) * self.sent_size[1] / height

    def back_point(self, x: Number, y: Number) -> tuple[Number, Number]:
        """Where a point of the sent picture lies in the source; exact for fractions."""
        (left, top, _, _), (width, height) = self.box, side_of(self.box)
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
            made = _sent.setdefault(source, {}).get(key)
        if made is None:
            made = self._made(source)
            if made[0] is source:
                return made
            with _lock:
                kept = _sent.setdefault(source, {})
                while len(kept) >= 2:
                    kept.pop(next(iter(kept)))
                kept[key] = made
        return made

    def _made(self, source: SourceImage) -> tuple[SourceImage, str]:
        row = model_for(self.model)
        picture = source
        if not self.is_whole:
            picture = SourceImage(carried(source.pixels, self.box, self.sent_size), self.format, source.name)
        if row.needs_alpha and picture.pixels.mode == "RGB":
            picture = SourceImage(picture.pixels.convert("RGBA"), self.format, source.name)
        return light_enough(picture.as_format(self.format), row)

    def there_mask(self, mask: Mask) -> Mask:
        """The mask as it is sent, with its picture; padding is masked where the edge that it repeats is.

        What is painted anywhere in a sent pixel is painted there, so that no mask is too small to arrive.
        """
        if self.is_whole:
            return mask
        # As with the picture: it is looked at with every key, and is another only after a stroke.
        return mask.derived((self.source_size, self.box, self.sent_size), lambda: self._mask_made(mask))

    def _mask_made(self, mask: Mask) -> Mask:
        bounds = mask.bounds
        if bounds is None:
            return Mask(self.sent_size)
        left, top, right, bottom = bounds
        part = mask.coverage()[top:bottom, left:right]
        (width, height), (wide, high) = self.source_size, self.sent_size
        part = cells(part, left, width, (self.box[0], self.box[2]), wide, axis=1)
        part = cells(part, top, height, (self.box[1], self.box[3]), high, axis=0)
        (x0, y0), (x1, y1) = self.there_point(0.0, 0.0), self.there_point(float(width), float(height))
        repeat_edges(part.T, x0, x1)
        repeat_edges(part, y0, y1)
        return Mask.of_coverage(part)

    def not_padding(self) -> NDArray[np.bool_]:
        """Which pixels of the sent picture show the source alone: a (height, width) array of bool."""
        left, top, right, bottom = self.inside
        (x0, y0), (x1, y1) = (
            self.there_point(Fraction(left), Fraction(top)),
            self.there_point(Fraction(right), Fraction(bottom)),
        )
        return within((x0, y0, x1, y1), self.sent_size)

    # Back

    def land(
        self, answer: Image.Image, source: SourceImage, mask: Mask | None = None, wanted: Box | None = None
    ) -> Landed:
        """Lay `answer` on the picture that was sent, and bring it back to where that was in `source`.

        One of another shape is stretched, cut or ringed with more, whichever agrees best with the sent picture outside
        `mask` (of the source's size), where the two must agree. `wanted` is the box of the source that is wanted of it;
        left out, all of it.
        """
        if same_shape(answer.size, self.sent_size):
            return Landed(self, answer, Landing(whole_of(answer.size), whole_of(self.sent_size)), wanted)
        sent = on_white(self.there(source).pixels)
        shown = None
        if mask is not None and mask.size == self.source_size:
            shown = protected(self.there_mask(mask).coverage()) & self.not_padding()
        return Landed(self, answer, landing_of(self, answer, sent, shown), wanted)

    def back(self, answer: Image.Image, source: SourceImage, mask: Mask | None = None) -> Image.Image:
        """The source with the answer laid over it wherever that reaches; always of the source's size.

        `mask` tells where the two may differ, for answers of another shape.
        """
        return self.laid(self.land(answer, source, mask), source)

    def laid(self, landed: Landed, source: SourceImage) -> Image.Image:
        """The source with what has landed laid over it wherever that reaches."""
        region, part = landed.region, landed.part
        if region is None or part is None:
            return source.pixels.copy()
        if region == (0, 0, *self.source_size):
            return part
        whole = source.pixels.copy()
        if whole.mode != part.mode:
            whole, part = whole.convert("RGBA"), part.convert("RGBA")
        whole.paste(part, region[:2])
        return whole

    @property
    def words(self) -> str:
        """The plan in a sentence or two."""
        if self.how == "tiles":
            first = (
                f"Sends {len(self.tiles)} tiles along the mask one after the other as {self.format}, each nearer to "
                f"its own size: {len(self.tiles)} requests instead of 1."
            )
            second = f"All return into {by_size(self.source_size)}."
        elif self.how == "none":
            first = f"Sends the picture as it is, {by_size(self.sent_size)} as {self.format}."
            asked = parse_size(self.asked_size) if isinstance(self.asked_size, str) else None
            second = f"The answer of {by_size(asked)} is brought back to that." if asked else ""
        else:
            where = " around the mask" if self.how == "crop" else ""
            there, home = by_size(self.sent_size), by_size(self.source_size)
            first = f"Sends {there}{where} as {self.format}, returns into {home}."
            what = f"The {by_size(side_of(self.box))} cut out" if self.how == "crop" else "The picture"
            done = self._changes()
            second = f"{what} is {' and '.join(done).rstrip(',')}." if done else ""
        return " ".join(words for words in (first, second, self.masked, self.changes, self.note) if words)

    @property
    def offer(self) -> str:
        """What tiles would bring where they are not used, as a sentence; empty where nothing."""
        if not self.tiles or self.how == "tiles":
            return ""
        count = len(self.tiles)
        return f"In {count} tiles along the mask it would come back sharper: {count} requests instead of 1."

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
        stretched = abs(across / down - 1) * max(side_of(self.box)) > 1.5
        changes = []
        if padded:
            changes.append(f"padded at {padded} with its edge pixels, which are cut off again afterwards,")
        if stretched:
            changes.append(f"stretched to {by_size(self.sent_size)}")
        elif side_of(self.box) != self.sent_size:
            changes.append(f"scaled {'down' if across > 1 else 'up'} to {100 / across:.0f}%")
        return changes

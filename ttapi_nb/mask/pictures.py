"""Pictures as masks: where they are transparent, painted, white or black, and whether they tell which is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageChops

from ..errors import MaskError
from ..picture import ImageSource, SourceImage, open_image
from .arrays import coverage_of
from .meaning import HALF, MARKS_NOTHING, edited, share
from .raster import Coverage

__all__ = [
    "EDITS",
    "coverage_of_picture",
    "holds_numbers",
    "picture_problems",
    "picture_reading",
    "says_yes_or_no",
]

EDITS = ("transparent", "white", "black", "painted")
WORDS = {
    "transparent": "read as a picture that is transparent where the edit is",
    "painted": "read as a layer that is painted where the edit is",
    "white": "read as a picture that is white where the edit is",
    "black": "read as a picture that is black where the edit is",
}
# So many colours, each of four levels a channel, make a drawing; a photo has more.
FEW_COLOURS = 6
# Black, for a mask: no channel over this.
BLACK = 24


def holds_numbers(image: Any) -> bool:
    """Whether this PIL image holds numbers rather than colours: modes 1, I, F and I;16."""
    return isinstance(image, Image.Image) and (image.mode in ("1", "I", "F") or image.mode.startswith("I;16"))


def coverage_of_picture(source: ImageSource, edit: str) -> Coverage:
    """Coverage where a picture is what `edit` says, one of `EDITS`. Raises `MaskError` and `ImageError`."""
    if edit not in EDITS:
        known = ", ".join(f'"{name}"' for name in EDITS[:-1])
        raise MaskError(f'edit={str(edit)[:40]!r} is not known. Use edit={known} or "{EDITS[-1]}".')
    numbers = isinstance(source, np.ndarray) and source.ndim == 2
    if (numbers or holds_numbers(source)) and edit in ("white", "black"):
        covered = coverage_of(np.asarray(source))[0]
        return covered if edit == "white" else 255 - covered
    pixels = open_image(source).pixels
    if edit in ("transparent", "painted"):
        if pixels.mode != "RGBA":
            raise MaskError(
                f'This picture has no transparency, so it says nothing as edit="{edit}". '
                'For a black and white mask use edit="white" or edit="black".'
            )
        alpha = pixels.getchannel("A")
        return np.array(alpha if edit == "painted" else ImageChops.invert(alpha))
    grey = _on_paper(pixels, "black" if edit == "white" else "white").convert("L")
    levels = np.array(grey)
    if levels.max() == 1:
        # Numbers rather than greys: nobody paints with the darkest but one.
        levels *= 255
    return levels if edit == "white" else 255 - levels


def _on_paper(pixels: Image.Image, colour: str) -> Image.Image:
    """The picture on paper of the colour that is not paint, so that what is transparent is none."""
    if pixels.mode != "RGBA":
        return pixels
    paper = Image.new("RGB", pixels.size, colour)
    paper.paste(pixels, (0, 0), pixels.getchannel("A"))
    return paper


def picture_reading(picture: SourceImage, photo: SourceImage | None = None) -> tuple[Coverage, str]:
    """The one way in which a picture can be read as a mask, and that in words.

    Transparency marks the edit, as the endpoint has it (TTAPI, POST /v1/images/edits), where what is opaque is black
    or a photo. Raises `MaskError` where another way is as likely: it names both, and how much each would edit.
    """
    pixels = picture.pixels
    # An alpha channel that is opaque all over marks nothing, which is for others to say.
    if pixels.mode != "RGBA":
        if pixels.convert("L").getextrema()[1] == 1:
            return coverage_of_picture(picture, "white"), "read as a picture of numbers: 1 edits"
        raise MaskError(_no_transparency(picture))
    clear = coverage_of_picture(picture, "transparent")
    solid = np.asarray(pixels)[255 - clear >= HALF][:, :3]
    brushed = len(solid) < clear.size / 2 and bool(((clear > 0) & (clear < 255)).any())
    if (not len(solid) and not clear.all()) or not _tells(solid, clear, photo, brushed=brushed):
        raise MaskError(_two_ways(picture, "painted", "transparent"))
    return clear, WORDS["transparent"]


def picture_problems(picture: SourceImage, photo: SourceImage | None = None) -> Iterator[str]:
    """What is wrong with a picture as a mask: it can be read in more than one way, or marks nothing."""
    try:
        coverage, _ = picture_reading(picture, photo)
    except MaskError as error:
        yield str(error)
    else:
        if not edited(coverage).any():
            yield MARKS_NOTHING


def says_yes_or_no(picture: SourceImage) -> bool:
    """Whether a picture with transparency is nowhere half transparent."""
    levels = picture.pixels.getchannel("A").getcolors(2)
    return levels is not None and {level for _, level in levels} <= {0, 255}


def _tells(solid: Coverage, clear: Coverage, photo: SourceImage | None, *, brushed: bool) -> bool:
    """Whether the opaque part of a picture is one that can only be what is kept: black, or a photo.

    Black that has soft edges and is the lesser part may be paint, too.
    """
    if not len(solid) or solid.max() <= BLACK:
        return not brushed or not len(solid)
    levels = (solid >> 6).astype(np.int32)
    if len(np.unique(levels[:, 0] * 16 + levels[:, 1] * 4 + levels[:, 2])) > FEW_COLOURS:
        return True
    if photo is None or photo.size != clear.shape[::-1]:
        return False
    there = np.asarray(photo.pixels.convert("RGB"))[255 - clear >= HALF]
    return bool(np.abs(there.astype(np.int16) - solid).max(axis=1).mean() < BLACK)


def _two_ways(picture: SourceImage, one: str, other: str) -> str:
    first, second = (_much(picture, edit) for edit in (one, other))
    return (
        f'The mask is paint on transparency and can be read in two ways: edit="{one}" would edit {first} of it, and '
        f'edit="{other}" {second}. Say which: Mask.from_image(…, edit="{one}").'
    )


def _no_transparency(picture: SourceImage) -> str:
    white, black = (_much(picture, edit) for edit in ("white", "black"))
    return (
        "The mask has no transparency, so it doesn't say where to edit. For a black and white mask use "
        f'Mask.from_image(…, edit="white"), which would edit {white} of it, or edit="black", {black}.'
    )


def _much(picture: SourceImage, edit: str) -> str:
    covered = coverage_of_picture(picture, edit)
    return share(int(np.count_nonzero(edited(covered))), covered.size)

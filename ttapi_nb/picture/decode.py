"""From a file's bytes to its parts, and from these to pixels: for showing, and as the file's own numbers."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from ..errors import ImageError
from .further import deep_colours, read_further, readers
from .jpeg import END, NO_END, read_jpeg
from .jpeg import START as JPEG_START
from .parts import Numbers, Parts
from .png import DAMAGED, SIGNATURE, read_png, salvaged
from .webp import read_webp

__all__ = ["TURNS", "filed", "mended", "numbers_of", "read_parts", "shown", "turned", "upright"]

# Straight to the reader of the kind that it is: our own cap was looked at, and not Pillow's, which can't be raised.
READERS: dict[str, Callable[[io.BytesIO], Image.Image]] = readers | {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
# A newline or two, or a byte order mark, that a script let out before the picture.
MOST_JUNK = 64
# Of a JPEG's rows, as many may be missing at its end: two rows of its largest blocks.
MISSING_ROWS, MISSING_SHARE = 16, 0.02
# Rows that are compared at a time.
STRIP = 256
# As far as two pixels side by side may be apart and still be made up: their chroma comes from around them too.
EVEN = 8
FLIP = Image.Transpose
TURNS = {
    2: FLIP.FLIP_LEFT_RIGHT,
    3: FLIP.ROTATE_180,
    4: FLIP.FLIP_TOP_BOTTOM,
    5: FLIP.TRANSPOSE,
    6: FLIP.ROTATE_270,
    7: FLIP.TRANSVERSE,
    8: FLIP.ROTATE_90,
}


def read_parts(data: bytes) -> Parts | None:
    """The parts of a picture file, or None where it is of no kind that is opened. Raises `ImageError`."""
    for junk, start in _starts(data):
        rest = data[junk:] if junk else data
        parts = (
            read_png(rest)
            if start == SIGNATURE
            else read_jpeg(rest)
            if start == JPEG_START
            else read_webp(rest)
        )
        if junk:
            words = "Bytes in front of the picture were skipped."
            return replace(parts, changes=(words, *parts.changes))
        return parts
    return read_further(data)


def _starts(data: bytes) -> list[tuple[int, bytes]]:
    head = data[: MOST_JUNK + 16]
    if head[4:8] == b"ftyp" or head[:4] in (b"II*\0", b"MM\0*"):
        return []
    if head.startswith(JPEG_START + b"\xff"):
        return [(0, JPEG_START)]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return [(0, b"RIFF")]
    candidates = [(head.find(SIGNATURE), SIGNATURE), (head.find(JPEG_START + b"\xff"), JPEG_START)]
    webp = head.find(b"WEBP")
    if webp >= 8 and head[webp - 8 : webp - 4] == b"RIFF":
        candidates.append((webp - 8, b"RIFF"))
    return sorted(one for one in candidates if 0 <= one[0] <= MOST_JUNK)[:1]


def mended(parts: Parts, *, told: bool = True) -> tuple[Parts, Image.Image]:
    """The parts with a file that can be decoded, and the picture in it, decoded, as stored. `told` is whether to look
    for what is missing. Raises `ImageError`.
    """
    try:
        image = _decoded(parts)
    except Exception:
        if parts.format != "PNG":
            raise
    else:
        return _told_of_missing(parts, image) if told and parts.format == "JPEG" else parts, image
    clean, words = salvaged(parts.clean)
    parts = replace(parts, clean=clean, changes=(*parts.changes, *[words] * bool(words)))
    return parts, _decoded(parts)


def _decoded(parts: Parts, mode: str = "", rawmode: str = "") -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = READERS[parts.format](io.BytesIO(parts.clean))
        if image.size != parts.size:
            raise ImageError(DAMAGED)
        if mode and isinstance(image, ImageFile.ImageFile):
            # Another way to take the same bytes apart, with as many of them for a pixel.
            image._mode = mode
            image.tile = [image.tile[0]._replace(args=rawmode)]
        image.load()
        return image


def _told_of_missing(parts: Parts, image: Image.Image) -> Parts:
    """Whether a JPEG's pixels all came. One that lacks its end marker too may lack no more than a few rows."""
    no_end = NO_END in parts.changes
    if not no_end and not (_may_be_cut(image) or image.info.get("progressive")):
        return parts
    # What the decoder makes up for missing data depends on what follows, and what it has read does not.
    noise = np.random.default_rng(1).integers(0, 255, 8192, np.uint8).tobytes()
    other = _decoded(replace(parts, clean=parts.clean.removesuffix(END) + noise + END))
    missing = image.height - _first_difference(image, other)
    much = missing > max(MISSING_ROWS, MISSING_SHARE * image.height) or missing >= image.height
    if much and no_end:
        raise ImageError(DAMAGED)
    words = f"Its last {missing} rows are damaged or missing."
    return replace(parts, changes=(*parts.changes, *[words] * bool(missing)))


def _first_difference(image: Image.Image, other: Image.Image) -> int:
    """The first row in which two pictures differ, or their height. Strip by strip: a large one has no room for more."""
    for top in range(0, image.height, STRIP):
        box = (0, top, image.width, min(top + STRIP, image.height))
        differing = ImageChops.difference(image.crop(box), other.crop(box)).getbbox()
        if differing:
            return top + differing[1]
    return image.height


def _may_be_cut(image: Image.Image) -> bool:
    """Whether the picture's last pixels are as even as those that a decoder makes up."""
    corner = image.crop((max(0, image.width - 2), max(0, image.height - 2), image.width, image.height))
    numbers = np.asarray(corner).reshape(-1, len(image.getbands())).astype(int)
    return int(np.ptp(numbers, axis=0).max()) <= EVEN


def numbers_of(parts: Parts) -> Numbers:
    """The file's own numbers as stored: (height, width) or (height, width, channels), uint8 or uint16."""
    parts, image = mended(parts, told=False)
    if parts.depth != 16:
        return _with_key(np.asarray(_plain(image)), parts)
    channels = len(parts.mode) - bool(parts.key)
    if parts.format == "TIFF":
        return np.asarray(image).astype(np.uint16) if channels == 1 else deep_colours(parts)
    if channels == 1:
        return _with_key(np.asarray(image), parts)
    if channels == 2:
        pairs = np.asarray(_decoded(parts, "RGBA", "RGBA")).view(">u2")
        return pairs.astype(np.uint16)
    # Once the upper halves, once, as if they were written the other way round, the lower ones.
    mode = "RGB" if channels == 3 else "RGBA"
    numbers = np.asarray(_decoded(parts, mode, f"{mode};16B")).astype(np.uint16)
    numbers <<= 8
    numbers |= np.asarray(_decoded(parts, mode, f"{mode};16L"))
    return _with_key(numbers, parts)


def shown(parts: Parts) -> tuple[Parts, Image.Image]:
    """The parts, mended, and the picture as stored with 8 bits a number, in the file's own colours."""
    parts, image = mended(parts)
    if parts.key:
        numbers = numbers_of(parts)
        return parts, Image.fromarray((numbers >> 8).astype(np.uint8) if parts.depth == 16 else numbers)
    if image.mode.startswith("I;16"):
        return parts, Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if parts.mode == "LA" and image.mode == "RGBA":
        return parts, Image.merge("LA", (image.getchannel("R"), image.getchannel("A")))
    return parts, _plain(image)


def _plain(image: Image.Image) -> Image.Image:
    mode = {"1": "L", "RGBX": "RGB"}.get(image.mode, image.mode)
    # A large picture has no room for a copy.
    return image if mode == image.mode else image.convert(mode)


def _with_key(numbers: Numbers, parts: Parts) -> Numbers:
    if not parts.key:
        return numbers
    colours = numbers if numbers.ndim == 3 else numbers[..., np.newaxis]
    solid = (colours != np.array(parts.key, numbers.dtype)).any(axis=2)
    alpha = np.where(solid, np.iinfo(numbers.dtype).max, 0).astype(numbers.dtype)
    return np.dstack([colours, alpha])


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as EXIF says it is meant to be seen."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def upright(numbers: Numbers, orientation: int) -> Numbers:
    """The same for numbers; a view, not a copy."""
    if orientation in (5, 6, 7, 8):
        numbers = numbers.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        numbers = numbers[:, ::-1]
    if orientation in (3, 4, 7, 8):
        numbers = numbers[::-1]
    return numbers


def filed(numbers: Numbers, orientation: int) -> Numbers:
    """What `upright` did, undone."""
    return upright(numbers, {6: 8, 8: 6}.get(orientation, orientation))

"""Open any picture safely, from wherever it is."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from ..errors import ImageError
from ..metadata import text_in
from .arrays import judged
from .colour import icc_of, is_srgb, known_codes, read_profile, to_srgb
from .decode import TURNS, read_parts, shown, turned
from .forms import File, Memory, taken
from .own import OwnFile
from .parts import Numbers, Parts, sound_density, sound_profile
from .png import DAMAGED
from .reading import FILE_CAP
from .recent import opened_before, remember
from .source import FORMATS, SourceImage

__all__ = [
    "FILE_CAP",
    "PIXEL_CAP",
    "SAMPLE",
    "ImageSource",
    "changes_in_words",
    "check_size",
    "open_image",
    "sample",
    "tidy",
]

PIXEL_CAP = 100_000_000
"""The most pixels a picture may have before it is decoded: `open_image(..., pixel_cap=…)` sets another."""

LONGEST_NAME = 100
NO_MEMORY = "There was not enough memory to open it: free some, and open it again."
# The EXIF tag that says how a camera was held.
ORIENTATION = 0x0112
SAMPLE = Path(__file__).parent.parent / "samples" / "sample.jpg"

ImageSource: TypeAlias = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | Image.Image
    | np.ndarray[Any, Any]
    | Mapping[str, Any]
    | SourceImage
)
"""What `open_image` takes, as far as types can tell; it says the rest itself."""


def sample() -> SourceImage:
    """The photo that comes with the package, 1024x1024 pixels; its source and licence are in `samples/README.md`."""
    return open_image(SAMPLE)


def open_image(
    source: ImageSource,
    *,
    pixel_cap: int = PIXEL_CAP,
    name: str | None = None,
    allow_private: bool = False,
    bgr: bool = False,
) -> SourceImage:
    """Open a picture from wherever it is.

    `source` is one of:

    * a path (`~` is your home), an http(s) or `file://` address, a data URL, or base64;
    * the bytes of a file, anything with `read()` that gives them (from its start where it can be rewound), an answer of
      httpx or requests, what a FileUpload of ipywidgets 7 or 8 holds;
    * a PIL image of any mode, a numpy array, a torch tensor, or what else becomes an array;
    * a matplotlib figure, an Image of IPython or ipywidgets, a result of ours, or a `SourceImage` (returned as it is).

    Files are PNG, JPEG (a phone's MPO too), WEBP or TIFF, and HEIC with the extra `ttapi-nb[heic]`; of several pictures
    in a file the first counts. Only regular files are opened, up to `FILE_CAP` bytes.

    Arrays are `(height, width)`, or with 1, 3 or 4 channels behind these; where only the first number can be the
    channels (and in tensors wherever it can), they are before these. A batch of one is its picture. Channels are
    red, green, blue and alpha; `bgr=True` is for OpenCV's order. Numbers are judged alike in arrays and PIL images:
    bool; whole numbers as 0 to 255, or where one is larger as 0 to 65535; floats as 0 to 1, or where one is larger
    than 2 as 0 to 255.

    Orientation is applied, colours are brought to sRGB as browsers do, 16 bits become 8: `own` of what is returned
    is the picture as it was, and `changes` says what was changed. `pixel_cap` is how many pixels it may have, looked
    at before any is decoded. `allow_private` lets an address lead to this machine or its network. Raises `ImageError`.
    """
    _check_arguments(pixel_cap, name, allow_private, bgr)
    loaded = taken(source, allow_private=allow_private, bgr=bgr)
    if isinstance(loaded, SourceImage):
        return loaded
    if isinstance(loaded, File):
        return _decode(loaded.data, tidy(name or loaded.name), pixel_cap)
    called = tidy(name or "image")
    if isinstance(loaded, Memory):
        height, width = loaded.numbers.shape[:2]
        _check_size((width, height), pixel_cap)
        return _from_memory(loaded.numbers, called, loaded.words)
    return _from_pil(loaded, called, pixel_cap)


def _check_arguments(pixel_cap: object, name: object, allow_private: object, bgr: object) -> None:
    if (
        isinstance(pixel_cap, bool)
        or not isinstance(pixel_cap, int | float | np.integer)
        or not pixel_cap >= 1
    ):
        raise ImageError(f"pixel_cap is {pixel_cap!r:.50}. Give a number of pixels, 100_000_000 for example.")
    if name is not None and not isinstance(name, str):
        raise ImageError(f"name is {name!r:.50}. Give a text, or leave it out.")
    for word, value in (("allow_private", allow_private), ("bgr", bgr)):
        if not isinstance(value, bool | np.bool_):
            raise ImageError(f"{word} is {value!r:.50}. Give True or False.")


def changes_in_words(picture: SourceImage) -> str:
    """What opening a picture changed, in one line with its name, or "" where nothing was."""
    return f"{picture.name}: {' '.join(picture.changes)}" if picture.changes else ""


def tidy(name: str) -> str:
    """The last part of a name, without what could not be seen, stored or sent, and no longer than a hundred letters."""
    # Not only what this system takes for a folder's end: names travel.
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    if len(plain) > LONGEST_NAME and len(suffix) < 8 and stem:
        plain = stem[: LONGEST_NAME - len(suffix) - 1] + dot + suffix
    return plain[:LONGEST_NAME] or "image"


def _decode(data: bytes, name: str, pixel_cap: int) -> SourceImage:
    problem = DAMAGED
    try:
        parts = read_parts(data)
        if parts is not None:
            _check_size(parts.size, pixel_cap)
            return _picture(*shown(parts), data, name)
        problem = _not_ours(data)
    except ImageError as error:
        problem = str(error)
    except MemoryError:
        problem = NO_MEMORY
    except Exception:  # noqa: BLE001, S110 - decoders fail on hostile bytes with any error at all; it is told below
        pass
    raise ImageError(f"{name!r} can't be used. {problem}")


def _picture(parts: Parts, stored: Image.Image, data: bytes, name: str) -> SourceImage:
    """The picture that is shown and sent, with what it was in its file."""
    own = OwnFile(
        parts.format,
        parts.mode,
        parts.depth,
        parts.profile,
        parts.cicp,
        parts.gamma,
        parts.chromaticities,
        parts.palette,
        parts.orientation,
        parts.density,
        parts.metadata,
        data,
        light=parts.light,
    )
    pixels, words = _shown(turned(stored, parts.orientation), own)
    format = parts.format if parts.format in FORMATS else "JPEG" if parts.format == "HEIC" else "PNG"
    changes = [*parts.changes]
    if parts.orientation != 1:
        changes.append("It was turned upright, as its EXIF says.")
    # Pillow's own object again, with the texts that its reader didn't get to see.
    stored.info = dict(parts.info.items())
    stored.applist = list(parts.segments)  # type: ignore[attr-defined]
    return SourceImage(pixels, format, name, own, (*changes, *words), _lineage=text_in(stored))


def _shown(image: Image.Image, own: OwnFile) -> tuple[Image.Image, list[str]]:
    """The picture in sRGB, and what was changed for that."""
    tagged = own.cicp or own.profile or own.gamma or own.chromaticities
    hdr = own.hdr
    profile = icc_of(own.profile, own.cicp, own.gamma, own.chromaticities)
    if hdr is None:
        pixels, used = to_srgb(image, profile, own.palette)
    else:
        numbers = own.numbers() if own.depth == 16 else np.asarray(image)
        pixels, used = hdr.picture(numbers, own.mode, own.palette), True
    # Only pixels go on. It is a copy already, of Pillow's plain class, and a large picture has no room for another.
    pixels.info = {}
    changes = []
    if hdr is not None:
        changes.append(
            f"It is an HDR picture ({hdr.name}): to be shown and sent, its light was brought down."
        )
    elif own.mode == "CMYK":
        changes.append("Its CMYK colours became sRGB.")
    elif used and profile is not None and not is_srgb(profile):
        changes.append(f"Its colours became sRGB, from {_called(own)}.")
    elif (tagged and not used and profile is not None) or _is_useless(own):
        changes.append("Its colour profile can't be used, and was left out.")
    if own.depth == 16:
        changes.append("It has 16 bits a channel, of which 8 are shown and sent.")
    return pixels, changes


def _is_useless(own: OwnFile) -> bool:
    """Whether it has a profile that browsers don't go by, and nothing that would come before it."""
    cicp = own.cicp is not None and known_codes(own.cicp)
    return own.profile is not None and not cicp and read_profile(own.profile) is None


def _called(own: OwnFile) -> str:
    if own.cicp:
        return "those that its cICP names"
    return "those of its profile" if own.profile else "those of its gamma"


def _from_memory(numbers: Numbers, name: str, words: str) -> SourceImage:
    deep = numbers.dtype == np.uint16
    image = Image.fromarray((numbers >> 8).astype(np.uint8) if deep else numbers)
    own = OwnFile("", image.mode, 16 if deep else 8, _numbers=numbers if deep or image.mode == "L" else None)
    pixels, changes = _shown(image, own)
    if own._numbers is None:
        # The very picture that is shown: there is no need for another copy.
        own = replace(own, _numbers=pixels)
    return SourceImage(pixels, "PNG", name, own, tuple([words] * bool(words) + changes))


def check_size(size: tuple[int, int], pixel_cap: int, name: str) -> None:
    """Raise `ImageError` for a picture of this name that has too many pixels, or none."""
    try:
        _check_size(size, pixel_cap)
        return
    except ImageError as error:
        problem = str(error)
    raise ImageError(f"{name!r} can't be used. {problem}")


def _check_size(size: tuple[int, int], pixel_cap: int) -> None:
    width, height = size
    if width * height > pixel_cap:
        raise ImageError(_too_many_pixels(f"It is {width}x{height}, which is", pixel_cap))
    if not width or not height:
        raise ImageError("It has no pixels. Choose another picture.")


def _too_many_pixels(how_many: str, pixel_cap: int) -> str:
    return f"{how_many} more than {pixel_cap / 10**6:g} million pixels. Make it smaller, or set pixel_cap higher."


def _not_ours(data: bytes) -> str:
    head = data[:64].lstrip()
    if not head:
        return "The file is empty. Choose another, or save it again."
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "It is an AVIF picture, which no model takes. Save it as PNG or JPEG."
    for mark, kind in (
        (b"GIF8", "a GIF"),
        (b"BM", "a BMP"),
        (b"%PDF", "a PDF"),
        (b"8BPS", "a Photoshop file"),
        (b"\xff\x0a", "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
        (b"\0\0\1\0", "an icon"),
    ):
        if head.startswith(mark):
            return f"It is {kind}, which no model takes. Save it as PNG or JPEG."
    if head.startswith(b"<"):
        return "It is text (SVG or a web page), not a photo. Save the picture itself as PNG or JPEG."
    return "It is not a PNG, JPEG or WEBP picture. Save it as one of these."


def _from_pil(image: Image.Image, name: str, pixel_cap: int) -> SourceImage:
    try:
        _check_size(image.size, pixel_cap)
        # First, and once: a picture that failed to load passes for a whole one the second time.
        image.load()
        if (known := opened_before(image, name)) is not None:
            return known
        upright = _turned(image)
        if upright.mode == "F" or upright.mode.startswith("I"):
            array = np.asarray(upright)
            numbers, words = judged(array.astype(array.dtype.newbyteorder("=")))
            return _from_memory(numbers, name, words)
        opened = _of_pil(upright, name, was_turned=upright is not image)
        remember(image, opened)
        return opened
    except ImageError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow decodes only now, and decoders fail with any error at all
        problem = f"This picture of mode {image.mode} can't be used ({error}). Convert it to RGB first."
    raise ImageError(problem)


def _turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF says it is meant to be seen; where that is broken, as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation = image.getexif().get(ORIENTATION, 1)
            return turned(image, orientation) if orientation in TURNS else image
    except Exception:  # noqa: BLE001 - what a camera wrote may be broken in any way
        return image


# What each of Pillow's modes is kept as; those that are not here, as RGB or RGBA.
KEPT = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "CMYK"}


def _of_pil(image: Image.Image, name: str, *, was_turned: bool) -> SourceImage:
    """A picture of colours, with what Pillow still knows of its file."""
    info = dict(image.info)
    kept = KEPT.get(image.mode, "RGBA" if image.has_transparency_data else "RGB")
    if "transparency" in info and kept in ("L", "RGB"):
        kept += "A"
    palette = _palette(image) if image.mode == "P" else None
    kept = "P" if palette is not None else kept
    # A copy, even where the mode stays.
    stored = image.copy() if palette is not None else image.convert(kept)
    profile = info.get("icc_profile")
    sound = isinstance(profile, bytes) and sound_profile(profile)
    words = ["It was turned upright, as its EXIF says."] * was_turned
    words += ["Its colour profile is damaged, and was not used."] * bool(profile and not sound)
    plain = sound or "srgb" in info
    own = OwnFile(
        "",
        kept,
        profile=profile if sound else None,
        gamma=None if plain else _number(info.get("gamma")),
        chromaticities=None if plain else _numbers(info.get("chromaticity")),
        palette=palette,
        density=_density(info.get("dpi")),
        _numbers=stored,
    )
    pixels, changes = _shown(stored, own)
    if kept == pixels.mode and not changes:
        # The very picture that is shown: there is no need for another copy.
        own = replace(own, _numbers=pixels)
    return SourceImage(pixels, "PNG", name, own, (*words, *changes))


def _palette(image: Image.Image) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
    """The colours of a picture of mode P, with alpha where any of them has some; None where they can't be told."""
    alpha = image.info.get("transparency")
    kind = "RGBA" if image.palette is not None and image.palette.mode == "RGBA" else "RGB"
    table = np.array(image.getpalette(kind) or [], np.uint8).reshape(-1, len(kind))
    if not len(table) or kind == "RGBA" or alpha is None:
        return table if len(table) else None
    solid = np.full(len(table), 255, np.uint8)
    if isinstance(alpha, bytes):
        levels = np.frombuffer(alpha, np.uint8)[: len(table)]
        solid[: len(levels)] = levels
    elif isinstance(alpha, int) and 0 <= alpha < len(table):
        solid[alpha] = 0
    return np.column_stack([table, solid])


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < 100 else None


def _numbers(values: object) -> tuple[float, ...] | None:
    if not isinstance(values, tuple | list) or len(values) != 8:
        return None
    return tuple(float(value) for value in values)


def _density(dpi: object) -> tuple[float, float] | None:
    try:
        pair = [float(value) for value in dpi]  # type: ignore[attr-defined]
        return sound_density(pair[0], pair[1])
    except (IndexError, TypeError, ValueError):
        return None

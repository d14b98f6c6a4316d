"""Open any picture safely, from wherever it is."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from ..errors import DownloadError, ImageError
from ..metadata import text_in
from .decode import read_parts, shown, turned
from .own import OwnFile
from .parts import Parts
from .png import DAMAGED
from .source import FORMATS, SourceImage

__all__ = ["FILE_CAP", "PIXEL_CAP", "SAMPLE", "ImageSource", "open_image", "sample", "tidy"]

PIXEL_CAP = 100_000_000
"""The most pixels a picture may have before it is decoded: `open_image(..., pixel_cap=…)` sets another."""

FILE_CAP = 200 * 10**6
"""The most bytes of a file that is fetched or uploaded."""

LONGEST_NAME = 100
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
"""What `open_image` takes."""


def sample() -> SourceImage:
    """The photo that comes with the package, 1024x1024 pixels; its source and licence are in `samples/README.md`."""
    return open_image(SAMPLE)


def open_image(source: ImageSource, *, pixel_cap: int = PIXEL_CAP, name: str | None = None) -> SourceImage:
    """Open a picture from wherever it is.

    `source` is a path, an http(s) URL, the bytes of a file, an open binary file (read from its start), a PIL image,
    a numpy array, an entry of a FileUpload's value, or a `SourceImage` (returned as it is). Files are PNG, JPEG
    (a phone's MPO too) or WEBP; of an animation the first frame counts. Arrays are `(height, width)`,
    `(height, width, 3)` or `(height, width, 4)`, of uint8, uint16, bool, or floats from 0 to 1.

    Orientation is applied, colours are brought to sRGB, 16 bits become 8. Raises `ImageError`.
    """
    if isinstance(source, SourceImage):
        return source
    if isinstance(source, Image.Image):
        return SourceImage(_from_pil(source, pixel_cap), name=tidy(name or "image"))
    if isinstance(source, np.ndarray):
        return SourceImage(_from_array(source, pixel_cap), name=tidy(name or "image"))
    data, found = _read(source)
    return _decode(data, tidy(name or found), pixel_cap)


def tidy(name: str) -> str:
    """The last part of a name, without what could not be seen, stored or sent, and no longer than a hundred letters."""
    # Not only what this system takes for a folder's end: names travel.
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    if len(plain) > LONGEST_NAME and len(suffix) < 8 and stem:
        plain = stem[: LONGEST_NAME - len(suffix) - 1] + dot + suffix
    return plain[:LONGEST_NAME] or "image"


def _read(source: Any) -> tuple[bytes, str]:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "image"
    if isinstance(source, Mapping) and "content" in source:
        return bytes(source["content"]), str(source.get("name") or "image")
    if hasattr(source, "read"):
        return _read_file(source)
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        return _read_url(source)
    if isinstance(source, str | os.PathLike):
        return _read_path(source)
    kind = type(source).__name__
    raise ImageError(
        f"A picture can't be made from {kind}. Give a path, a URL, bytes, a PIL image or a numpy array."
    )


def _read_file(file: Any) -> tuple[bytes, str]:
    problem = 'This file gives text, not bytes. Open it with open(path, "rb").'
    try:
        if file.seekable():
            file.seek(0)
        data = file.read()
        if isinstance(data, bytes):
            return data, Path(str(getattr(file, "name", "image"))).name
    except UnicodeDecodeError:
        pass
    except (OSError, ValueError) as error:
        problem = f'This file can\'t be read ({error}). Open it again with open(path, "rb").'
    raise ImageError(problem)


def _read_url(url: str) -> tuple[bytes, str]:
    # Here, not above: most pictures need no network.
    from .. import loop
    from ..download import download

    try:
        data = loop.call(download(url, size_cap=FILE_CAP))
    except DownloadError as error:
        problem = str(error)
    else:
        return data, url.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1] or "image"
    raise ImageError(f"{problem} Check the address, or save the picture and give its path.")


def _read_path(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    try:
        return Path(path).read_bytes(), Path(path).name
    except FileNotFoundError:
        here = Path.cwd()
        problem = (
            f"There is no file {str(path)!r} (looking from {here}). Check the name, or give the whole path."
        )
    except IsADirectoryError:
        problem = f"{str(path)!r} is a folder. Give the path of a picture in it."
    except (OSError, ValueError) as error:
        problem = f"{str(path)[:200]!r} could not be read ({type(error).__name__}). Check the path and its permissions."
    raise ImageError(problem)


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
    )
    pixels = _plain(turned(_coloured(stored, parts), parts.orientation), parts.profile)
    format = parts.format if parts.format in FORMATS else "PNG"
    # Pillow's own object again, with the texts that its reader didn't get to see.
    stored.info = dict(parts.info)
    stored.applist = list(parts.segments)  # type: ignore[attr-defined]
    return SourceImage(pixels, format, name, own, parts.changes, _lineage=text_in(stored))


def _coloured(image: Image.Image, parts: Parts) -> Image.Image:
    """A picture of palette indices as the colours they stand for."""
    if parts.palette is None or image.mode != "P":
        return image
    table = np.zeros((256, parts.palette.shape[1]), np.uint8)
    table[: len(parts.palette)] = parts.palette
    return Image.fromarray(table[np.asarray(image)])


def _plain(image: Image.Image, profile: bytes | None) -> Image.Image:
    plain = _to_rgb(_in_srgb(image, profile) if profile else image)
    # Only pixels go on. It is a copy already, of Pillow's plain class, and a large picture has no room for another.
    plain.info = {}
    return plain


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
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"):
        return (
            "It is a HEIC photo, which no model takes. Save or share it as JPEG: on an iPhone, Settings > Camera > "
            "Formats > Most Compatible; on a Mac, Preview > File > Export."
        )
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "It is an AVIF picture, which no model takes. Save it as PNG or JPEG."
    for mark, kind in (
        (b"GIF8", "a GIF"),
        (b"BM", "a BMP"),
        (b"II*\0", "a TIFF"),
        (b"MM\0*", "a TIFF"),
        (b"%PDF", "a PDF"),
    ):
        if head.startswith(mark):
            return f"It is {kind}, which no model takes. Save it as PNG or JPEG."
    if head.startswith(b"<"):
        return "It is text (SVG or a web page), not a photo. Save the picture itself as PNG or JPEG."
    return "It is not a PNG, JPEG or WEBP picture. Save it as one of these."


def _from_pil(image: Image.Image, pixel_cap: int) -> Image.Image:
    try:
        return _upright(image, pixel_cap)
    except ImageError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow decodes only now, and decoders fail with any error at all
        problem = f"This picture of mode {image.mode} can't be used ({error}). Convert it to RGB first."
    raise ImageError(problem)


def _upright(image: Image.Image, pixel_cap: int) -> Image.Image:
    _check_size(image.size, pixel_cap)
    # First, and once: a picture that failed to load passes for a whole one the second time.
    image.load()
    turned = _turned(image)
    profile = turned.info.get("icc_profile")
    plain = _to_rgb(_in_srgb(turned, profile) if profile else turned)
    # Only pixels go on. It is a copy already, of Pillow's plain class, and a large picture has no room for another.
    plain.info = {}
    return plain


def _turned(image: Image.Image) -> Image.Image:
    """The picture as its EXIF says it is meant to be seen; where that is broken, as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if image.getexif().get(ORIENTATION, 1) == 1:
                return image
            from PIL import ImageOps

            return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - what a camera wrote may be broken in any way
        return image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    # Here, not above: few pictures bring a profile.
    from PIL import ImageCms

    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        return _from_array(np.asarray(image), PIXEL_CAP)
    see_through = image.has_transparency_data
    return image.convert("RGBA" if see_through else "RGB")


def _from_array(array: np.ndarray[Any, Any], pixel_cap: int) -> Image.Image:
    shape = "x".join(map(str, array.shape))
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise ImageError(
            f"An array of shape {shape} is no picture. Give (height, width), or 3 or 4 channels behind these."
        )
    if array.shape[0] * array.shape[1] > pixel_cap:
        raise ImageError(_too_many_pixels("The array has", pixel_cap))
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ImageError(
                "An array of floats must lie between 0 and 1. Divide it by its greatest value first."
            )
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ImageError(
            f"An array of {array.dtype} is no picture. Give uint8, uint16, bool, or floats from 0 to 1."
        )
    image = Image.fromarray(np.ascontiguousarray(array))
    return image if image.mode in ("RGB", "RGBA") else image.convert("RGB")

"""TIFF and HEIC, which no model takes: opened by their own readers, and sent as another kind of file."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from ..errors import ImageError
from .parts import Parts, density_in, sound_density, sound_profile
from .tiff import Directory, Order, deep_grey, strips

__all__ = ["HEIC_BRANDS", "deep_colours", "read_further", "readers"]

TIFF_STARTS = (b"II*\0", b"MM\0*")
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
BITS, COMPRESSION, PLANES, XMP, PROFILE = 258, 259, 284, 700, 34_675
# None, LZW, deflate in its two numbers, PackBits.
PLAIN = (1, 5, 8, 32_946, 32_773)
MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "P": "P",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGBA",
    "CMYK": "CMYK",
}
NO_HEIC = (
    "It is a HEIC photo, which no model takes. With pip install 'ttapi-nb[heic]' it can be opened; or save it as JPEG: "
    "on an iPhone, Settings > Camera > Formats > Most Compatible; on a Mac, Preview > File > Export."
)


def read_further(data: bytes) -> Parts | None:
    """The parts of a TIFF or HEIC file, or None where it is neither. Raises `ImageError`."""
    if data[:4] in TIFF_STARTS:
        return _read_tiff(data)
    if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS:
        return _read_heic(data)
    return None


def _read_tiff(data: bytes) -> Parts:
    grey = deep_grey(data)
    if grey is not None:
        return _parts_of_deep_grey(data, *grey)
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    tags: Any = image.tag_v2
    bits = tags.get(BITS, (1,))
    deep = 16 in (bits if isinstance(bits, tuple) else (bits,))
    mode = "L" if image.mode.startswith("I;16") else MODES.get(image.mode, "")
    split = tags.get(PLANES, 1) != 1
    if (
        not mode
        or tags.get(COMPRESSION, 1) not in PLAIN
        or (deep and (split or mode not in ("L", "RGB", "RGBA")))
    ):
        raise ImageError("It is a TIFF of a kind that can't be opened here. Save it as PNG, of 8 or 16 bits.")
    profile, packet = image.info.get("icc_profile"), image.info.get("xmp")
    palette = None
    if mode == "P" and image.palette is not None:
        palette = np.frombuffer(bytes(image.getpalette("RGB") or []), np.uint8).reshape(-1, 3)
    sound = isinstance(profile, bytes) and sound_profile(profile)
    changes = ["It is a TIFF, which no model takes: it is sent as PNG."]
    changes += ["Its colour profile is damaged, and was not used."] * bool(profile and not sound)
    changes += ["The file holds further pictures, which were left out."] * bool(getattr(tags, "next", 0))
    dpi = image.info.get("dpi")
    return Parts(
        "TIFF",
        data,
        image.size,
        mode,
        16 if deep else 8,
        profile if sound else None,
        palette=palette,
        density=sound_density(float(dpi[0]), float(dpi[1])) if dpi else None,
        metadata={"xmp": packet} if isinstance(packet, bytes) else {},
        changes=tuple(changes),
    )


def _parts_of_deep_grey(data: bytes, directory: Directory, order: Order) -> Parts:
    def value(tag: int) -> bytes:
        return bytes(directory.get(tag, (0, b""))[1])

    profile = value(PROFILE)
    sound = sound_profile(profile)
    changes = ["It is a TIFF, which no model takes: it is sent as PNG."]
    changes += ["Its colour profile is damaged, and was not used."] * bool(profile and not sound)
    return Parts(
        "TIFF",
        data,
        (int.from_bytes(value(256), order), int.from_bytes(value(257), order)),
        "LA",
        16,
        profile if sound else None,
        density=density_in(data),
        metadata={"xmp": value(XMP)} if XMP in directory else {},
        changes=tuple(changes),
    )


def _open_tiff(file: io.BytesIO) -> Image.Image:
    data = file.getvalue()
    deep = deep_grey(data)
    if deep is None:
        return TiffImagePlugin.TiffImageFile(file)
    small = (strips(data, *deep, 2) >> 8).astype(np.uint8)
    return Image.frombytes("LA", small.shape[1::-1], small.tobytes())


def _read_heic(data: bytes) -> Parts:
    try:
        # Here, not above: an extra.
        import pillow_heif
    except ImportError:
        raise ImageError(NO_HEIC) from None

    file = pillow_heif.open_heif(io.BytesIO(data))
    info: dict[str, Any] = dict(file.info)
    profile, codes = info.get("icc_profile"), info.get("nclx_profile")
    sound = isinstance(profile, bytes) and sound_profile(profile)
    cicp = None
    if not sound and isinstance(codes, dict):
        cicp = (int(codes["color_primaries"]), int(codes["transfer_characteristics"]), 0, 1)
    changes = ["It is a HEIC photo, which no model takes: it is sent as JPEG."]
    changes += ["Its gain map and its other pictures were left out."] * bool(info.get("aux") or len(file) > 1)
    changes += ["It has more than 8 bits a channel, of which 8 are used."] * (info.get("bit_depth", 8) > 8)
    named = {"exif": info.get("exif"), "xmp": info.get("xmp")}
    return Parts(
        "HEIC",
        data,
        file.size,
        "RGBA" if file.mode == "RGBA" else "RGB",
        profile=profile if sound else None,
        cicp=cicp,
        metadata={name: value for name, value in named.items() if isinstance(value, bytes)},
        changes=tuple(changes),
    )


def _open_heic(file: io.BytesIO) -> Image.Image:
    import pillow_heif

    # Turned already, as the file says it. A copy is of Pillow's plain class.
    image: Image.Image = pillow_heif.open_heif(file).to_pillow()
    return image


readers: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "TIFF": _open_tiff,
    "HEIC": _open_heic,
}


def deep_colours(parts: Parts) -> np.ndarray[Any, Any]:
    """The numbers of a TIFF with 16 bits a colour: its upper halves and, as if swapped, its lower ones."""
    deep = deep_grey(parts.clean)
    if deep is not None:
        return strips(parts.clean, *deep, 2)
    halves = []
    for lower in (False, True):
        image: ImageFile.ImageFile = TiffImagePlugin.TiffImageFile(io.BytesIO(parts.clean))
        if lower:
            image.tile = [tile._replace(args=_swapped(tile.args)) for tile in image.tile]
        image.load()
        halves.append(np.asarray(image).astype(np.uint16))
    return halves[0] << 8 | halves[1]


def _swapped(args: Any) -> Any:
    rawmode = args if isinstance(args, str) else args[0]
    native = {"little": "L", "big": "B"}[sys.byteorder]
    order = native if rawmode[-1] == "N" else rawmode[-1]
    other = rawmode[:-1] + {"L": "B", "B": "L"}[order]
    return other if isinstance(args, str) else (other, *args[1:])

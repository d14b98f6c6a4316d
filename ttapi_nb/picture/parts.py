"""`Parts`: what a picture file says apart from its pixels, and the file that is left when all of that is taken away."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "Numbers",
    "Parts",
    "density_in",
    "inflated",
    "is_for_pictures",
    "orientation_in",
    "sound_density",
    "sound_profile",
]

Numbers = NDArray[Any]

PROFILE_CAP = 16 * 10**6
# EXIF tags: how a camera was held; pixels an inch (unit 2) or a centimetre (unit 3).
ORIENTATION, ACROSS, DOWN, UNIT = 0x0112, 0x011A, 0x011B, 0x0128
MOST_DENSITY = 100_000


@dataclass(frozen=True)
class Parts:
    """A picture file, taken apart.

    * `clean`: a file with the same pixels that Pillow opens, without what it could stumble over.
    * `size`: width and height as stored; nothing is decoded before these were looked at.
    * `mode` and `depth`: how its own numbers are meant: `L`, `LA`, `RGB`, `RGBA`, `CMYK` or `P`, of 8 or 16 bits.
    * `key`: the one colour of a PNG that stands for "see-through", in its own numbers.
    * `metadata`: `exif`, `xmp`, `iptc` as they stand in the file.
    * `info` and `segments`: what `metadata.text_in` looks at.
    * `changes`: what was skipped or left out, a sentence each.
    * `light`: the brightest that an HDR picture says it holds, in candela a square metre.
    """

    format: str
    clean: bytes = field(repr=False)
    size: tuple[int, int]
    mode: str = "RGB"
    depth: int = 8
    profile: bytes | None = field(default=None, repr=False)
    cicp: tuple[int, int, int, int] | None = None
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    palette: NDArray[np.uint8] | None = field(default=None, repr=False)
    key: tuple[int, ...] = ()
    orientation: int = 1
    density: tuple[float, float] | None = None
    metadata: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    info: Mapping[str, Any] = field(default_factory=dict, repr=False)
    segments: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    changes: tuple[str, ...] = ()
    light: float | None = None


def inflated(data: bytes, most: int) -> bytes | None:
    """`data` unpacked by zlib, or None where it is damaged or unpacks to more than `most` bytes."""
    try:
        unpack = zlib.decompressobj()
        unpacked = unpack.decompress(data, most)
    except zlib.error:
        return None
    return None if unpack.unconsumed_tail else unpacked


def sound_profile(profile: bytes) -> bool:
    """Whether these bytes are an ICC profile as far as its header tells."""
    return 132 <= len(profile) <= PROFILE_CAP and profile[36:40] == b"acsp"


def is_for_pictures(profile: bytes) -> bool:
    """Whether a profile is for colours that a JPEG or a WEBP can have: browsers look no further there."""
    return profile[16:20] in (b"RGB ", b"GRAY", b"CMYK")


def _tags(exif: bytes) -> Mapping[int, Any]:
    tags = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags.load(exif)
        return {tag: tags.get(tag) for tag in (ORIENTATION, ACROSS, DOWN, UNIT)}
    except Exception:  # noqa: BLE001 - what a camera wrote may be broken in any way
        return {}


def orientation_in(exif: bytes) -> int:
    """How EXIF says that the picture is turned, 1 to 8; 1 where it can't be read."""
    orientation = _tags(exif).get(ORIENTATION)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def density_in(exif: bytes) -> tuple[float, float] | None:
    """Pixels an inch across and down that EXIF names, or None."""
    tags = _tags(exif)
    try:
        scale = {2: 1.0, 3: 2.54}[tags.get(UNIT) or 2]
        return sound_density(float(tags[ACROSS]) * scale, float(tags[DOWN]) * scale)
    except (ArithmeticError, KeyError, TypeError, ValueError, struct.error):
        return None


def sound_density(across: float, down: float) -> tuple[float, float] | None:
    """The two as a pair where both can be, else None."""
    return (across, down) if 0 < across < MOST_DENSITY and 0 < down < MOST_DENSITY else None

"""Colours: from a file's own to sRGB, as browsers do it."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from .icc import D50, IccProfile
from .icc_table import by_curves, by_table

__all__ = [
    "PRIMARIES",
    "SRGB",
    "icc_of",
    "is_srgb",
    "known_codes",
    "read_profile",
    "to_d50",
    "to_srgb",
    "whole_palette",
]

# x and y of white, red, green and blue, by the code for primaries of ITU-T H.273 that cICP names.
PRIMARIES = {
    1: (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    5: (0.3127, 0.3290, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
}
# Parameters g, a, b, c, d of ICC's third curve: (a x + b)^g, and c x below d.
SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# Browsers show video's curves as its screens do (BT.1886), and not as its cameras record.
SCREEN = (2.4, 1, 0, 0, 0)
CURVES: dict[int, tuple[float, ...]] = {
    1: SCREEN,
    6: SCREEN,
    11: SCREEN,
    14: SCREEN,
    15: SCREEN,
    4: (2.2, 1, 0, 0, 0),
    5: (2.8, 1, 0, 0, 0),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913),
    8: (1, 1, 0, 0, 0),
    12: SRGB,
    13: SRGB,
}
# As a share: a gamma that is as close to sRGB's is taken for it where no chromaticities are named.
USUAL_GAMMA, NEAR = 0.45455, 0.05
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


# Read at each turn of a paste, and some are half a megabyte.
read_profile = lru_cache(maxsize=8)(IccProfile.read)


def icc_of(
    profile: bytes | None,
    cicp: tuple[int, int, int, int] | None = None,
    gamma: float | None = None,
    chromaticities: Sequence[float] | None = None,
) -> bytes | None:
    """An ICC profile of what a file says of its colours, as browsers take it; None where that is sRGB or nothing.

    cICP comes before the profile, and that before gamma and chromaticities.
    """
    if cicp is not None and known_codes(cicp):
        if cicp[0] == 1 and CURVES[cicp[1]] == SRGB:
            return None
        return made_profile(PRIMARIES[cicp[0]], CURVES[cicp[1]])
    if profile is not None:
        return as_browsers_read(profile)
    # Chromaticities alone are not gone by.
    if gamma is None or (chromaticities is None and abs(gamma / USUAL_GAMMA - 1) <= NEAR):
        return None
    return made_profile(tuple(chromaticities or PRIMARIES[1]), (1 / gamma, 1, 0, 0, 0))


def made_profile(
    primaries: Sequence[float], curve: Sequence[float], encoded: bytes | None = None
) -> bytes | None:
    """A display profile of these chromaticities and this curve, or None where they describe no colours.

    `encoded` is a curve as ICC writes it, instead.
    """
    try:
        matrix = to_d50(primaries)
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return None
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 100 or not 0.01 < curve[0] < 100:
        return None
    return _display(matrix, curve, encoded)


def _display(matrix: NDArray[Any], curve: Sequence[float], encoded: bytes | None = None) -> bytes:
    tags = {b"wtpt": _xyz(D50)}
    tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)}
    parametric = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(_fixed(value) for value in curve))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), encoded or parametric)
    return _profile(tags)


def _profile(tags: dict[bytes, bytes]) -> bytes:
    table, body = [], b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table.append(struct.pack(">4sII", name, start + len(body), len(data)))
        body += data
    head = bytearray(128)
    head[:4] = struct.pack(">I", start + len(body))
    head[8:12], head[12:24], head[36:40] = b"\4\x30\0\0", b"mntrRGB XYZ ", b"acsp"
    head[68:80] = struct.pack(">3i", *(_fixed(value) for value in D50))
    return bytes(head) + struct.pack(">I", len(tags)) + b"".join(table) + body


def _fixed(value: float) -> int:
    return round(float(value) * 65_536)


def _xyz(values: Sequence[float] | NDArray[Any]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(_fixed(value) for value in values))


def to_d50(primaries: Sequence[float]) -> NDArray[np.float64]:
    """The matrix from linear colours to XYZ, adapted to the white of ICC by Bradford's method."""
    (white, *colours) = [
        np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    ]
    columns = np.column_stack(colours)
    matrix = columns * np.linalg.solve(columns, white)
    gains = np.diag((BRADFORD @ np.array(D50)) / (BRADFORD @ white))
    adapted: NDArray[np.float64] = np.linalg.inv(BRADFORD) @ gains @ BRADFORD @ matrix
    return adapted


def as_browsers_read(profile: bytes) -> bytes | None:
    """The profile as LittleCMS goes by the same of its tables, both ways; None where browsers don't go by it.

    Browsers take the first table to colours that is there, whatever the intent, and floating-point tables never.
    """
    parsed = read_profile(profile)
    if parsed is None:
        return None
    if parsed.cicp is not None and known_codes(parsed.cicp):
        return made_profile(PRIMARIES[parsed.cicp[0]], CURVES[parsed.cicp[1]])
    count = int.from_bytes(profile[128:132])
    if parsed.space == b"GRAY" and parsed.table is None:
        return _of_grey(profile, count)
    changed = bytearray(profile)
    places = {profile[place : place + 4]: place for place in range(132, 132 + 12 * count, 12)}
    hidden = [b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1", b"B2D2", b"B2D3", b"A2B2"]
    hidden += [b"A2B1"] * (b"A2B0" in places) + [b"B2A1"] * (b"B2A0" in places)
    for number, name in enumerate(hidden):
        if name in places:
            # LittleCMS takes no profile that has a name twice.
            changed[places[name] : places[name] + 4] = b"no%02d" % number
    return bytes(changed)


def known_codes(cicp: tuple[int, int, int, int]) -> bool:
    """Whether colours are told by these codes: of RGB, from 0 to all of it."""
    return cicp[2:] == (0, 1) and cicp[0] in PRIMARIES and cicp[1] in CURVES


def is_grey(profile: bytes) -> bool:
    """Whether a profile of `icc_of` was made of a grey one: then it is for greys alone."""
    return profile[60:64] == b"grey"


def _of_grey(profile: bytes, count: int) -> bytes | None:
    """A profile of three colours with the curve of a grey one: LittleCMS is coarse with greys."""
    for place in range(132, 132 + 12 * count, 12):
        name, start, length = struct.unpack(">4sII", profile[place : place + 12])
        curve = profile[start : start + length]
        if name == b"kTRC" and len(curve) == length >= 12:
            made = made_profile(PRIMARIES[1], SRGB, curve + bytes(-length % 4))
            return made and made[:60] + b"grey" + made[64:]
    return None


def is_srgb(profile: bytes) -> bool:
    """Whether the profile's colours are sRGB's, within a level: then nothing is converted."""
    ramp = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1).reshape(1, -1, 3)
    converted = _converted(Image.fromarray(ramp), profile)
    return converted is not None and int(np.abs(np.asarray(converted).astype(int) - ramp).max()) <= 1


def to_srgb(
    image: Image.Image, profile: bytes | None, palette: NDArray[np.uint8] | None
) -> tuple[Image.Image, bool]:
    """`image` as `RGB` or `RGBA` in sRGB, and whether `profile` (of `icc_of`) was used for that.

    A palette is brought there, and not each pixel. A profile that is damaged, or for other colours, is not used.
    """
    if image.mode == "P" and palette is not None:
        return _by_palette(image, profile, palette)
    if image.mode in ("L", "LA"):
        return _by_grey(image, profile)
    if profile is not None and not is_grey(profile):
        if image.mode in ("RGB", "CMYK"):
            converted = _converted(image, profile)
            if converted is not None:
                return converted, True
        elif image.mode == "RGBA":
            converted = _converted(image.convert("RGB"), profile)
            if converted is not None:
                converted.putalpha(image.getchannel("A"))
                return converted, True
    see_through = image.has_transparency_data
    return image.convert("RGBA" if see_through else "RGB"), False


def whole_palette(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The palette with 256 colours: an index behind its end means the last one, as in browsers."""
    return np.concatenate([palette, np.repeat(palette[-1:], 256 - len(palette), axis=0)])


def _by_palette(
    image: Image.Image, profile: bytes | None, palette: NDArray[np.uint8]
) -> tuple[Image.Image, bool]:
    converted, used = to_srgb(Image.fromarray(whole_palette(palette)[np.newaxis]), profile, None)
    return Image.fromarray(np.asarray(converted)[0][np.asarray(image)]), used


def _by_grey(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bool]:
    greys = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    converted = None
    if profile is not None:
        read = read_profile(profile)
        if read is not None and read.table is not None and read.table.channels == 1:
            converted = Image.fromarray(by_table(np.asarray(greys)[..., np.newaxis], read))
        else:
            converted = _converted(greys.convert("RGB"), profile)
    table = np.asarray(converted or greys.convert("RGB"))[0]
    grey = image.getchannel("L")
    colours = Image.merge("RGB", [grey.point(table[:, channel].tolist()) for channel in range(3)])
    if image.mode == "LA":
        colours.putalpha(image.getchannel("A"))
    return colours, converted is not None


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    parsed = read_profile(profile)
    channels = len(image.getbands())
    if parsed is None or (parsed.space == b"CMYK") != (image.mode == "CMYK"):
        return None
    if parsed.table is not None:
        if parsed.table.channels != channels:
            return None
        return Image.fromarray(by_table(np.asarray(image), parsed))
    if parsed.space != b"RGB " or parsed.curves is None or parsed.matrix is None:
        return None
    if parsed.one_curve is None:
        return Image.fromarray(by_curves(np.asarray(image), parsed.curves, parsed.matrix))
    return _by_littlecms(image, profile)


def _by_littlecms(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            # Exact rather than quick where there is a choice.
            flags=ImageCms.Flags.HIGHRESPRECALC,
        )
    except (ImageCms.PyCMSError, MemoryError, OSError, TypeError, ValueError):
        return None

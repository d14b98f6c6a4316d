"""From sRGB back to a photo's own colours: what `colour` does, the other way round."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from .colour import icc_of, is_srgb, read_profile
from .icc_back import searched
from .own import OwnFile

__all__ = ["is_plain", "to_own"]

SPACES = {b"RGB ": "RGB", b"CMYK": "CMYK", b"GRAY": "L"}


def is_plain(own: OwnFile) -> bool:
    """Whether its own numbers are those of the sRGB picture that is shown."""
    # A profile of sRGB's colours may still be a level off.
    return own.mode in ("RGB", "RGBA") and own.depth == 8 and _profile(own) is None and own.hdr is None


def to_own(colours: Image.Image, own: OwnFile) -> NDArray[Any]:
    """The colours of `colours`, `RGB` in sRGB, as numbers of the photo's kind: (height, width), or with 3 or 4 channels
    behind, of its depth and without transparency. A palette's are `RGB`.
    """
    mode = own.mode.rstrip("A") if own.mode not in ("P", "CMYK") else {"P": "RGB"}.get(own.mode, own.mode)
    if own.hdr is not None:
        grey = mode == "L"
        numbers = own.hdr.numbers(
            np.asarray(colours.convert("L").convert("RGB") if grey else colours), own.depth
        )
        return numbers[..., 0] if grey else numbers
    profile = _profile(own)
    image = colours if profile is None or is_srgb(profile) else _converted(colours, profile, mode)
    if image.mode != mode:
        image = image.convert(mode)
    numbers = np.asarray(image)
    return numbers.astype(np.uint16) * 257 if own.depth == 16 else numbers


def _profile(own: OwnFile) -> bytes | None:
    return icc_of(own.profile, own.cicp, own.gamma, own.chromaticities)


def _converted(colours: Image.Image, profile: bytes, mode: str) -> Image.Image:
    read = read_profile(profile)
    if read is not None and read.table is not None and not read.has_way_back:
        if (read.table.channels == 4) == (mode == "CMYK") and read.table.channels >= 3:
            numbers = searched(np.asarray(colours), read)
            return Image.frombytes("CMYK" if mode == "CMYK" else "RGB", colours.size, numbers.tobytes())
        return colours
    space = SPACES.get(profile[16:20], "")
    if space != mode and (space, mode) != ("RGB", "L"):
        # A profile for other colours was not used on the way here either.
        return colours
    try:
        converted = ImageCms.profileToProfile(
            colours,
            ImageCms.createProfile("sRGB"),
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=space,
            flags=ImageCms.Flags.HIGHRESPRECALC,
        )
    except (ImageCms.PyCMSError, MemoryError, OSError, TypeError, ValueError):
        # Some profiles only know the way to sRGB.
        return colours
    return converted or colours

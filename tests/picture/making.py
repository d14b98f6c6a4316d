"""Picture files of every kind, made byte by byte for the tests."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from ttapi_nb.picture.colour import PRIMARIES, SRGB, _profile, _xyz, made_profile
from ttapi_nb.picture.icc import D50

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DISPLAY_P3 = made_profile(PRIMARIES[12], SRGB) or b""
ADOBE_RGB = made_profile((0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), (563 / 256, 1, 0, 0, 0)) or b""


def grey_profile(gamma: float) -> bytes:
    """A profile for greys with this gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    made = bytearray(_profile({b"wtpt": _xyz(D50), b"kTRC": curve}))
    made[8:12], made[16:20] = b"\2\x10\0\0", b"GRAY"
    return bytes(made)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def iccp(profile: bytes) -> bytes:
    """The chunk for a profile."""
    return chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))


def gama(value: float) -> bytes:
    """The chunk for a gamma."""
    return chunk(b"gAMA", struct.pack(">I", round(value * 1e5)))


def chrm(values: tuple[float, ...]) -> bytes:
    """The chunk for chromaticities."""
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 1e5) for value in values)))


def filtered(rows: np.ndarray[Any, Any], step: int) -> bytes:
    """Rows of bytes, each behind another of PNG's five filters; `step` is how many bytes a pixel has."""
    out = []
    for number, row in enumerate(rows):
        now = row.astype(int)
        above = rows[number - 1].astype(int) if number else np.zeros_like(now)
        left, corner = (np.concatenate([np.zeros(step, int), one[:-step]]) for one in (now, above))
        guess = left + above - corner
        far = [abs(guess - one) for one in (left, above, corner)]
        paeth = np.where(
            (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner)
        )
        kind = number % 5
        taken = [np.zeros_like(now), left, above, (left + above) // 2, paeth][kind]
        out.append(bytes([kind]) + ((now - taken) % 256).astype(np.uint8).tobytes())
    return b"".join(out)


def png(
    array: np.ndarray[Any, Any], *chunks: bytes, colour: int | None = None, interlaced: bool = False
) -> bytes:
    """A PNG of an array of uint8 or uint16, with these chunks in front of its pixels."""
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    depth = array.dtype.itemsize * 8
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if colour is None else colour
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
    raw = b""
    for left, top, across, down in passes:
        part = np.ascontiguousarray(array[top::down, left::across])
        if part.size:
            big = part.astype(part.dtype.newbyteorder(">")).reshape(len(part), -1)
            raw += filtered(big.view(np.uint8), channels * depth // 8)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        SIGNATURE
        + chunk(b"IHDR", head)
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def jpeg(array: np.ndarray[Any, Any], mode: str = "RGB", **more: Any) -> bytes:
    """A JPEG of an array."""
    out = io.BytesIO()
    Image.frombytes(mode, array.shape[1::-1], array.tobytes()).save(out, "JPEG", quality=95, **more)
    return out.getvalue()

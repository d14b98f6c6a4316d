"""Files without their metadata, cut and not encoded anew: only the parts that pixels are made of go on.

What is cut out here is all but a short list of parts, so that nothing is kept for being unknown. A file in which any
part says that its pixels are to be seen otherwise (turned, in other colours, deeper, several of them), or that is not
written just as its format's rules say, is none for this: it is opened, and written from its pixels.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from .colour import is_srgb
from .parts import orientation_in

__all__ = ["Bare", "bare"]

PNG = b"\x89PNG\r\n\x1a\n"
# What a PNG may have besides, and is left out: none of these changes how pixels are seen.
PNG_IDLE = {b"sRGB", b"pHYs", b"tIME", b"bKGD", b"sBIT", b"hIST", b"oFFs", b"tEXt", b"zTXt", b"iTXt", b"caBX"}
# Texts that hold what a camera wrote, as some programs keep it there.
PNG_CAMERA = (b"raw profile", b"xml:com.adobe.xmp", b"exif")
JPEG_KEPT = {0xC4, 0xDB, 0xDD}
JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
# The next marker in a scan: no stuffed byte, no restart.
JPEG_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
EXIF, ICC = b"Exif\0\0", b"ICC_PROFILE\0"
WEBP_ALPHA = 0x10


@dataclass(frozen=True)
class Bare:
    """A file of which nothing but its pixels is left: its `format`, its size in pixels, and its bytes."""

    format: str
    size: tuple[int, int]
    data: bytes


class _OtherwiseError(Exception):
    """It has to be opened."""


def bare(data: bytes) -> Bare | None:
    """`data` without metadata, its pixels as they were; None where it has to be opened for that."""
    view = memoryview(data)
    try:
        if data.startswith(PNG):
            return _png(data, view)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data, view)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(view)
    except (_OtherwiseError, struct.error, IndexError, ValueError):
        pass
    return None


def _must(holds: object) -> None:
    if not holds:
        raise _OtherwiseError


def _png(data: bytes, view: memoryview) -> Bare:
    at, kept = len(PNG), [memoryview(PNG)]
    names: list[bytes] = []
    while not names or names[-1] != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        _must(end <= len(data) and (names or name == b"IHDR"))
        _must(zlib.crc32(view[at + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0])
        if name in (b"IHDR", b"IDAT", b"IEND"):
            # All of the data stands together (PNG, 5.6).
            _must(name != b"IDAT" or b"IDAT" not in names or names[-1] == b"IDAT")
            kept.append(view[at:end])
        else:
            _must(name in PNG_IDLE and not data[at + 8 : end].lower().startswith(PNG_CAMERA))
        names.append(name)
        at = end
    _must(names.count(b"IHDR") == 1 and b"IDAT" in names)
    width, height, depth, colours, packing, filters, interlace = struct.unpack_from(
        ">IIBBBBB", data, len(PNG) + 8
    )
    _must(depth == 8 and colours in (2, 6) and not packing and not filters and interlace in (0, 1))
    return Bare("PNG", (width, height), b"".join(kept))


def _jpeg(data: bytes, view: memoryview) -> Bare:
    at, kept = 2, [view[:2]]
    size: tuple[int, int] | None = None
    while True:
        _must(data[at] == 0xFF)
        marker = data[at + 1]
        if marker == 0xD9:
            _must(size is not None and len(kept) > 2)
            return Bare("JPEG", size or (0, 0), b"".join([*kept, b"\xff\xd9"]))
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        _must(length >= 2 and end <= len(data))
        body = data[at + 4 : end]
        if marker in JPEG_FRAMES:
            depth, height, width, count = struct.unpack_from(">BHHB", body)
            # Three colours by their usual numbers: others are not as surely what they seem.
            _must(size is None and depth == 8 and height and count == 3 and body[6::3] == b"\1\2\3")
            size = width, height
            kept.append(view[at:end])
        elif marker == 0xDA:
            found = JPEG_MARKER.search(data, end)
            _must(found is not None and size is not None)
            end = found.end() - 2 if found is not None else end
            kept.append(view[at:end])
        elif marker in JPEG_KEPT:
            kept.append(view[at:end])
        elif marker == 0xEE and body.startswith(b"Adobe"):
            # YCbCr, as it is taken for without this.
            _must(len(body) >= 12 and body[11] == 1)
        else:
            _must(0xE0 <= marker <= 0xEF or marker == 0xFE)
            _must(_is_idle(marker, body))
        at = end


def _is_idle(marker: int, body: bytes) -> bool:
    """Whether a part of a JPEG says nothing of how its pixels are seen."""
    if marker == 0xE1 and body.startswith(EXIF):
        return orientation_in(body[len(EXIF) :]) == 1
    if marker == 0xE2 and body.startswith(ICC):
        # In one piece, of the colours that it is taken for without it.
        return body.startswith(ICC + b"\1\1") and is_srgb(body[len(ICC) + 2 :])
    return True


def _webp(view: memoryview) -> Bare:
    (total,) = struct.unpack_from("<I", view, 4)
    _must(8 + total + total % 2 <= len(view))
    at, parts = 12, {}
    while at < 8 + total:
        name, length = bytes(view[at : at + 4]), struct.unpack_from("<I", view, at + 4)[0]
        _must(name not in parts and at + 8 + length <= 8 + total)
        parts[name] = view[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    if b"VP8L" in parts:
        _must(parts.keys() == {b"VP8L"} and parts[b"VP8L"][0] == 0x2F)
        (bits,) = struct.unpack_from("<I", parts[b"VP8L"], 1)
        return _riff((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), parts)
    lossy = bytes(parts.get(b"VP8 ", b"")[:16])
    # A whole picture, and not one that changes another.
    _must(len(lossy) > 10 and not lossy[0] & 1 and lossy[3:6] == b"\x9d\x01\x2a")
    width, height = (one & 0x3FFF for one in struct.unpack_from("<HH", lossy, 6))
    if b"VP8X" not in parts:
        _must(parts.keys() == {b"VP8 "})
        return _riff((width, height), parts)
    head = parts[b"VP8X"]
    canvas = tuple(1 + int.from_bytes(head[start : start + 3], "little") for start in (4, 7))
    _must(len(head) == 10 and head[0] in (0, WEBP_ALPHA) and canvas == (width, height))
    _must(parts.keys() - {b"ALPH"} == {b"VP8X", b"VP8 "} and (b"ALPH" in parts) == (head[0] == WEBP_ALPHA))
    parts[b"VP8X"] = memoryview(bytes([head[0]]) + b"\0\0\0" + bytes(head[4:10]))
    return _riff(
        (width, height), {name: parts[name] for name in (b"VP8X", b"ALPH", b"VP8 ") if name in parts}
    )


def _riff(size: tuple[int, int], parts: dict[bytes, memoryview]) -> Bare:
    written = [
        name + struct.pack("<I", len(body)) + bytes(body) + b"\0" * (len(body) % 2)
        for name, body in parts.items()
    ]
    body = b"WEBP" + b"".join(written)
    return Bare("WEBP", size, b"RIFF" + struct.pack("<I", len(body)) + body)

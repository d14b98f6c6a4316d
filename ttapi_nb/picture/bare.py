"""Files without their metadata, cut and not encoded anew: only the parts that pixels are made of go on.

What is cut out here is all but a short list of parts, so that nothing is kept for being unknown. A file in which any
part says that its pixels are to be seen otherwise (turned, in other colours, deeper, several of them), or that is not
written just as its format's rules say, is none for this: it is opened, and written from its pixels.

A PNG's data are unpacked, though no pixel is made of them: they are whole, and nothing is behind them. Of a JPEG and a
WEBP the parts are held to the lengths that they must have; what stands within their coded pixels only a decoder sees.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from dataclasses import dataclass

from .colour import is_srgb
from .parts import orientation_in

__all__ = ["Bare", "bare"]

PNG = b"\x89PNG\r\n\x1a\n"
# In bytes: what is unpacked of a PNG's data at once.
PIECE = 2**15
CHANNELS, LAST_FILTER = {2: 3, 6: 4}, 4
# What a PNG may have besides, and is left out: none of these changes how pixels are seen.
PNG_IDLE = {b"sRGB", b"pHYs", b"tIME", b"bKGD", b"sBIT", b"hIST", b"oFFs", b"tEXt", b"zTXt", b"iTXt", b"caBX"}
# Texts that hold what a camera wrote, as some programs keep it there.
PNG_CAMERA = (b"raw profile", b"xml:com.adobe.xmp", b"exif")
JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
# The next marker in a scan: no stuffed byte, no restart.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
JPEG_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
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


def bare(data: bytes, pixel_cap: float = math.inf) -> Bare | None:
    """`data` without metadata, its pixels as they were; None where it has to be opened for that.

    One of more than `pixel_cap` pixels is not unpacked, and may be damaged.
    """
    view = memoryview(data)
    try:
        if data.startswith(PNG):
            return _png(data, view, pixel_cap)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data, view)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(view)
    except (_OtherwiseError, struct.error, zlib.error, IndexError, ValueError):
        pass
    return None


def _must(holds: object) -> None:
    if not holds:
        raise _OtherwiseError


def _joined(data: bytes, kept: list[memoryview]) -> bytes:
    """These parts of `data` as one; where that is all of it, the very same."""
    return data if sum(map(len, kept)) == len(data) else b"".join(kept)


def _png(data: bytes, view: memoryview, pixel_cap: float) -> Bare:
    at, kept, packed = len(PNG), [view[: len(PNG)]], list[memoryview]()
    names: list[bytes] = []
    while not names or names[-1] != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        _must(end <= len(data) and (names or name == b"IHDR"))
        _must(zlib.crc32(view[at + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0])
        if name in (b"IHDR", b"IDAT", b"IEND"):
            # All of the data stands together (PNG, 5.6).
            _must(name != b"IDAT" or not packed or names[-1] == b"IDAT")
            kept.append(view[at:end])
            if name == b"IDAT":
                packed.append(view[at + 8 : end - 4])
        else:
            _must(name in PNG_IDLE and not data[at + 8 : end].lower().startswith(PNG_CAMERA))
        names.append(name)
        at = end
    _must(names.count(b"IHDR") == 1 and packed and kept[1].nbytes == 25 and kept[-1].nbytes == 12)
    width, height, depth, colours, packing, filters, interlace = struct.unpack_from(
        ">IIBBBBB", data, len(PNG) + 8
    )
    _must(depth == 8 and colours in CHANNELS and not packing and not filters and not interlace)
    if width * height <= pixel_cap:
        _must_be_rows(packed, width * CHANNELS[colours] + 1, height)
    return Bare("PNG", (width, height), _joined(data, kept))


def _must_be_rows(packed: list[memoryview], row: int, height: int) -> None:
    """The data must unpack to just so many rows of so many bytes, each with its filter, and nothing be behind them."""
    unpack, place = zlib.decompressobj(), 0
    for chunk in packed:
        for start in range(0, len(chunk), PIECE):
            _must(not unpack.eof)
            rows = unpack.decompress(chunk[start : start + PIECE])
            _must(max(rows[-place % row :: row], default=0) <= LAST_FILTER)
            place += len(rows)
            _must(place <= row * height)
    _must(unpack.eof and not unpack.unused_data and place == row * height)


def _jpeg(data: bytes, view: memoryview) -> Bare:
    at, kept, rules = 2, [view[:2]], _Rules()
    while True:
        _must(data[at] == 0xFF)
        marker = data[at + 1]
        if marker == 0xD9:
            rules.end()
            return Bare("JPEG", rules.size, _joined(data, [*kept, view[at : at + 2]]))
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        _must(length >= 2 and end <= len(data))
        body = data[at + 4 : end]
        if marker in rules.kept:
            rules.kept[marker](marker, body)
            if marker == 0xDA:
                match = JPEG_MARKER.search(data, end)
                _must(match is not None)
                coded = end
                end = match.end() - 2 if match is not None else end
                rules.restarts(data, coded, end)
            kept.append(view[at:end])
        elif marker == 0xEE and body.startswith(b"Adobe"):
            # YCbCr, as it is taken for without this.
            _must(len(body) >= 12 and body[11] == 1)
        else:
            _must(0xE0 <= marker <= 0xEF or marker == 0xFE)
            _must(_is_idle(marker, body))
        at = end


class _Rules:
    """What the parts of a JPEG that are kept must be, one after the other: as long as they say, and needed."""

    def __init__(self) -> None:
        self.size = 0, 0
        self._frame = b""
        self._interval = 0
        # Of the tables, those that no scan stands behind; and what of each component was coded.
        self._tables: set[tuple[int, int]] = set()
        self._coded: set[bytes] = set()
        self._components = 0
        self.kept = dict.fromkeys(JPEG_FRAMES, self._head) | {
            0xC4: self._codes,
            0xDB: self._divisors,
            0xDD: self._restart,
            0xDA: self._scan,
        }
        self._is_progressive = False

    def _head(self, marker: int, body: bytes) -> None:
        depth, height, width, count = struct.unpack_from(">BHHB", body)
        # Three colours by their usual numbers: others are not as surely what they seem.
        _must(not self._frame and depth == 8 and height and count == 3 and body[6::3] == b"\1\2\3")
        _must(
            len(body) == 15 and all(one >> 4 in range(1, 5) and one & 15 in range(1, 5) for one in body[7::3])
        )
        self.size, self._frame, self._is_progressive = (width, height), body, marker == 0xC2

    def _codes(self, marker: int, body: bytes) -> None:
        while body:
            length = 17 + sum(body[1:17])
            self._table(marker, body, length)
            body = body[length:]

    def _divisors(self, marker: int, body: bytes) -> None:
        while body:
            length = 1 + 64 * (1 + (body[0] >> 4))
            self._table(marker, body, length)
            body = body[length:]

    def _table(self, marker: int, body: bytes, length: int) -> None:
        # Whichever is written over before it was used is no part of the picture.
        _must(body[0] >> 4 <= 1 and body[0] & 15 <= 3 and len(body) >= length)
        name = marker, body[0] & 15 if marker == 0xDB else body[0]
        _must(name not in self._tables)
        self._tables.add(name)

    def _restart(self, marker: int, body: bytes) -> None:
        _must(len(body) == 2 and not self._coded and not self._interval)
        self._interval = int.from_bytes(body)
        _must(self._interval)

    def _scan(self, marker: int, body: bytes) -> None:
        count = body[0]
        _must(self._frame and 1 <= count <= 3 and len(body) == 4 + 2 * count)
        which, what = body[1 : 1 + 2 * count : 2], body[-3:]
        _must(self._is_progressive or what == b"\0\x3f\0")
        for one in which:
            # Coded twice, the first would be seen by nobody.
            _must(one in b"\1\2\3" and bytes([one]) + what not in self._coded)
            self._coded.add(bytes([one]) + what)
        self._components = which[0] if count == 1 else 0
        self._tables = {name for name in self._tables if name[0] == 0xDB}

    def restarts(self, data: bytes, start: int, end: int) -> None:
        """Of a scan's data, the restarts must be as many as its blocks need, and in order."""
        markers = JPEG_RESTART.findall(data, start, end)
        expected = (self._blocks - 1) // self._interval if self._interval else 0
        _must(len(markers) == expected)
        _must(all(one[-1] & 7 == number & 7 for number, one in enumerate(markers)))

    @property
    def _blocks(self) -> int:
        """How many units the last scan has: of all its components, or the blocks of one."""
        across, down = (
            max(one >> 4 for one in self._frame[7::3]),
            max(one & 15 for one in self._frame[7::3]),
        )
        width, height = self.size
        if not self._components:
            return -(-width // (8 * across)) * -(-height // (8 * down))
        own = self._frame[7::3][self._components - 1]
        wide, high = -(-width * (own >> 4) // across), -(-height * (own & 15) // down)
        return -(-wide // 8) * -(-high // 8)

    def end(self) -> None:
        """Every component must have been coded, and every code used."""
        _must({one[0] for one in self._coded} == {1, 2, 3})
        _must(all(marker == 0xDB for marker, _ in self._tables))


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
    # A whole picture, and not one that changes another, of which the first part at least is all there.
    _must(len(lossy) > 10 and not lossy[0] & 1 and lossy[3:6] == b"\x9d\x01\x2a")
    _must(10 + (int.from_bytes(lossy[:3], "little") >> 5) <= len(parts[b"VP8 "]))
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

"""PNG: its chunks read forgivingly, and all of its numbers, 16-bit colours too, which Pillow cuts to 8."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import ImageError
from ..metadata import KEY, TEXT_CAP
from .parts import PROFILE_CAP, Parts, inflated, orientation_in, sound_density, sound_profile

__all__ = ["SIGNATURE", "read_png", "salvaged"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Colour type, and the depths it may have.
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: where each pass begins and how far its pixels are apart, across and down.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
LARGEST_CHUNK = 2**31 - 1
# What one text may hold before it counts as too long, and what is unpacked of all of them.
LONG_TEXT, TEXTS_CAP = 2**20, 32 * 2**20
# Unpacked at a time.
PIECE = 1 << 20
# What tells of colours counts only before the pixels.
BEFORE_PIXELS = (b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"cLLI", b"mDCV", b"tRNS", b"PLTE")
XMP = b"XML:com.adobe.xmp"
# Of a profile's name, letters; of sRGB's ways to render, the last.
LONGEST_NAME, LAST_INTENT = 79, 3
METRE = 39.3700787
# As much of a picture's rows may be missing at its end.
MISSING_SHARE, MISSING_ROWS = 0.02, 8

DAMAGED = "It may be damaged: open it in another program and save it again as PNG or JPEG."


@dataclass
class _Contents:
    """What the chunks hold, by their kinds, and what was wrong with them."""

    chunks: dict[bytes, bytes] = field(default_factory=dict)
    texts: list[tuple[bytes, bytes]] = field(default_factory=list)
    pixels: list[bytes] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    ended: bool = False
    doubtful: bool = False


def read_png(data: bytes) -> Parts:
    """A PNG file's parts. Raises `ImageError` where its pixels can't be found."""
    contents = _walk(data)
    head = contents.chunks.get(b"IHDR", b"")
    if len(head) != 13 or not contents.pixels:
        raise ImageError(DAMAGED)
    depth, colour, method, filters, interlaced = head[8:13]
    if depth not in DEPTHS.get(colour, ()) or method or filters or interlaced > 1:
        raise ImageError(DAMAGED)
    changes = [f"Damaged parts of the file were skipped ({', '.join(sorted(contents.skipped))})."] * bool(
        contents.skipped
    )
    if not contents.ended:
        changes.append("The end of the file is missing.")
    if contents.doubtful:
        if not _sums_up(contents.pixels):
            raise ImageError(DAMAGED)
        changes.append("A checksum in the file is wrong, and another tells that its pixels are sound.")
    if b"acTL" in contents.chunks:
        changes.append("It is an animation, of which the first picture is used.")
    clean = [SIGNATURE, _chunk(b"IHDR", head)]
    if colour == 3:
        clean.append(_chunk(b"PLTE", contents.chunks.get(b"PLTE", b"")))
    clean += [_chunk(b"IDAT", b"".join(contents.pixels)), _chunk(b"IEND", b"")]
    key = _key(contents.chunks.get(b"tRNS", b""), depth, colour)
    texts = _texts(contents.texts, changes)
    exif = contents.chunks.get(b"eXIf", b"")
    profile, cicp, gamma, chromaticities = _colours(contents.chunks, changes)
    named = {"exif": exif, "xmp": texts.get(XMP, b"")}
    return Parts(
        "PNG",
        b"".join(clean),
        struct.unpack(">II", head[:8]),
        MODES[colour] + "A" * bool(key),
        16 if depth == 16 else 8,
        profile,
        cicp,
        gamma,
        chromaticities,
        _palette(contents.chunks) if colour == 3 else None,
        key,
        orientation_in(exif) if exif else 1,
        _density(contents.chunks.get(b"pHYs", b"")),
        {name: value for name, value in named.items() if value},
        {KEY: texts[KEY.encode()].decode("utf-8", "replace")} if KEY.encode() in texts else {},
        changes=tuple(changes),
        light=_light(contents.chunks),
    )


def _light(chunks: dict[bytes, bytes]) -> float | None:
    """The brightest of the content, or else of the screen that it was made on."""
    content, screen = chunks.get(b"cLLI", b""), chunks.get(b"mDCV", b"")
    numbers = [int.from_bytes(content[:4])] * (len(content) == 8)
    numbers += [int.from_bytes(screen[16:20])] * (len(screen) == 24)
    return next((number / 10_000 for number in numbers if number), None)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join(
        (struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))
    )


def _each(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Each chunk's kind and data, and whether its checksum fits; the last may be cut off."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        kind = data[place + 4 : place + 8]
        if not kind.isalpha() or length > LARGEST_CHUNK:
            return
        body = data[place + 8 : place + 8 + length]
        check = data[place + 8 + length : place + 12 + length]
        whole = len(check) == 4
        # A file that was cut off within its pixels, and not one whose checksum is another.
        yield kind, body, not whole or zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(check)
        place += 12 + length


def _walk(data: bytes) -> _Contents:
    contents = _Contents()
    for kind, body, fits in _each(data):
        if kind == b"IEND":
            contents.ended = True
            break
        if kind == b"CgBI":
            raise ImageError(
                "It is a PNG of an iPhone app's own kind. Open it in Preview and save it again as PNG."
            )
        if not fits:
            # What the pixels can't do without begins with a capital. They have a checksum of their own besides.
            if kind in (b"IHDR", b"PLTE"):
                raise ImageError(DAMAGED)
            if kind == b"IDAT":
                contents.pixels.append(body)
                contents.doubtful = True
            else:
                contents.skipped.add(kind.decode("ascii"))
        elif kind == b"IDAT":
            contents.pixels.append(body)
        elif kind in BEFORE_PIXELS and contents.pixels:
            # Browsers have gone by then.
            continue
        elif kind == b"tRNS" and contents.chunks[b"IHDR"][9:10] == b"\3" and b"PLTE" not in contents.chunks:
            continue
        elif kind in (b"iTXt", b"tEXt", b"zTXt"):
            contents.texts.append((kind, body))
        else:
            contents.chunks.setdefault(kind, body)
    return contents


def _sums_up(pixels: list[bytes]) -> bool:
    """Whether the packed pixels come to their end, and are what was packed."""
    unpack = zlib.decompressobj()
    try:
        left = b"".join(pixels)
        while left and not unpack.eof:
            unpack.decompress(left, PIECE)
            left = unpack.unconsumed_tail
    except zlib.error:
        return False
    return unpack.eof


def _texts(chunks: list[tuple[bytes, bytes]], changes: list[str]) -> dict[bytes, bytes]:
    """XMP and our own text, and a word about those that are too long to be read."""
    texts: dict[bytes, bytes] = {}
    left, skipped = TEXTS_CAP, 0
    for kind, body in chunks:
        key, _, rest = body.partition(b"\0")
        packed = kind == b"zTXt"
        if kind == b"iTXt":
            packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        elif packed:
            rest = rest[1:]
        most = min(4 * TEXT_CAP + 1 if key in (KEY.encode(), XMP) else LONG_TEXT, left)
        text = inflated(rest, most) if packed else rest
        if text is None or len(text) > most:
            skipped += 1
            left -= most if packed else 0
            continue
        left -= len(text) if packed else 0
        if kind in (b"iTXt", b"tEXt") and key in (KEY.encode(), XMP):
            texts.setdefault(key, text)
    if skipped:
        changes.append("Text in the file that is damaged or very long was skipped.")
    return texts


def _colours(
    chunks: dict[bytes, bytes], changes: list[str]
) -> tuple[bytes | None, tuple[int, int, int, int] | None, float | None, tuple[float, ...] | None]:
    """Profile, cICP, gamma and chromaticities; the last two only where nothing before them holds."""
    profile = None
    if b"iCCP" in chunks:
        name, _, rest = chunks[b"iCCP"].partition(b"\0")
        sound = 1 <= len(name) <= LONGEST_NAME and rest[:1] == b"\0"
        profile = inflated(rest[1:], PROFILE_CAP) if sound else None
        if profile is None or not sound_profile(profile):
            profile = None
            changes.append("Its colour profile is damaged, and was not used.")
    code = chunks.get(b"cICP", b"")
    cicp = (code[0], code[1], code[2], code[3]) if len(code) == 4 else None
    gamma = chromaticities = None
    if profile is None and not (len(chunks.get(b"sRGB", b"")) == 1 and chunks[b"sRGB"][0] <= LAST_INTENT):
        if len(chunks.get(b"gAMA", b"")) == 4:
            gamma = int.from_bytes(chunks[b"gAMA"]) / 100_000 or None
        if len(chunks.get(b"cHRM", b"")) == 32:
            chromaticities = tuple(value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
    return profile, cicp, gamma, chromaticities


def _palette(chunks: dict[bytes, bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    colours = chunks.get(b"PLTE", b"")
    if not colours or len(colours) % 3 or len(colours) > 768:
        raise ImageError(DAMAGED)
    table = np.frombuffer(colours, np.uint8).reshape(-1, 3)
    if b"tRNS" in chunks:
        alpha = np.full(len(table), 255, np.uint8)
        levels = np.frombuffer(chunks[b"tRNS"], np.uint8)[: len(table)]
        alpha[: len(levels)] = levels
        table = np.column_stack([table, alpha])
    return table


def _key(data: bytes, depth: int, colour: int) -> tuple[int, ...]:
    """The colour that stands for "see-through", in the numbers that the picture is decoded to."""
    if colour not in (0, 2) or len(data) != 2 * CHANNELS[colour]:
        return ()
    values = struct.unpack(f">{CHANNELS[colour]}H", data)
    most = 2**depth - 1
    scale = 1 if depth == 16 else 255 // most
    return tuple((value & most) * scale for value in values)


def _density(data: bytes) -> tuple[float, float] | None:
    if len(data) != 9 or data[8] != 1:
        return None
    across, down = struct.unpack(">II", data[:8])
    return sound_density(across / METRE, down / METRE)


def salvaged(clean: bytes) -> tuple[bytes, str]:
    """A clean PNG whose pixels don't come to their end, made whole, and the sentence about it.

    Raises `ImageError` where more than a few rows are missing.
    """
    contents = _walk(clean)
    head = contents.chunks[b"IHDR"]
    rows = list(_rows(head))
    expected = sum(rows)
    # Without the two bytes before and the checksum behind: what is in between may be sound all the same.
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        raw = unpack.decompress(b"".join(contents.pixels)[2:], expected)
    except zlib.error:
        raise ImageError(DAMAGED) from None
    missing, place = 0, expected
    while place > len(raw):
        place -= rows[-1 - missing]
        missing += 1
    height = int.from_bytes(head[4:8])
    if missing > max(MISSING_ROWS, MISSING_SHARE * height) or missing >= len(rows):
        raise ImageError(DAMAGED)
    # Filter 2 and nothing: the row above once more.
    raw = raw[:place] + b"".join(b"\2" + bytes(length - 1) for length in rows[len(rows) - missing :])
    pixels = zlib.compress(raw, 1)
    parts = [SIGNATURE, _chunk(b"IHDR", head)]
    parts += [_chunk(b"PLTE", contents.chunks[b"PLTE"])] if b"PLTE" in contents.chunks else []
    whole = b"".join([*parts, _chunk(b"IDAT", pixels), _chunk(b"IEND", b"")])
    return whole, f"Its last {missing} rows are missing, and repeat the one above." if missing else ""


def _rows(head: bytes) -> Iterator[int]:
    """How many bytes each row has, with its filter's, pass by pass."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        pixels = -(-(width - left) // across)
        if pixels > 0:
            length = 1 + (pixels * CHANNELS[colour] * depth + 7) // 8
            yield from [length] * max(-(-(height - top) // down), 0)

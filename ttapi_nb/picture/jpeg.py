"""JPEG: its segments read forgivingly."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import ImageError
from .parts import (
    PROFILE_CAP,
    Parts,
    density_in,
    is_for_pictures,
    orientation_in,
    sound_density,
    sound_profile,
)
from .png import DAMAGED

__all__ = ["END", "NO_END", "START", "read_jpeg"]

START, END = b"\xff\xd8", b"\xff\xd9"
ICC, EXIF, XMP = b"ICC_PROFILE\0", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
PHOTOSHOP, MULTIPLE = b"Photoshop 3.0\0", b"MPF\0"
# Tables, frame headers, restart interval: what the pixels can't do without. JFIF and Adobe name the colours.
NEEDED = {0xDB, 0xC4, 0xCC, 0xDD, 0xDC, *range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xD0)}
FRAMES = {*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
# Of these those that browsers decode: not without loss, nor of several sizes.
DECODED = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
MODES = {1: "L", 3: "RGB", 4: "CMYK"}
# Within the compressed data: any marker but those that belong there.
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
RESTART = re.compile(rb"\xff[\xd0-\xd7]")
NO_END = "The end of the file is missing."
GAIN_MAPS = (b"hdrgm", b"HDRGainMap", b"urn:iso:std:iso:ts:21496:-1")


@dataclass
class _Segments:
    """What the segments before the first scan hold."""

    kept: list[bytes] = field(default_factory=lambda: [START])
    profile: dict[int, bytes] = field(default_factory=dict)
    promised: int = 0
    info: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    segments: list[tuple[str, bytes]] = field(default_factory=list)
    needed: list[tuple[int, bytes]] = field(default_factory=list)
    components: int = 0
    size: tuple[int, int] = (0, 0)
    density: tuple[float, float] | None = None
    several: bool = False
    gain_map: bool = False
    junk: bool = False


def read_jpeg(data: bytes) -> Parts:
    """A JPEG file's parts. Raises `ImageError` where its pixels can't be found."""
    segments = _Segments()
    scan = _walk(data, segments)
    if scan is None or segments.components not in MODES:
        raise ImageError(DAMAGED)
    changes = []
    if segments.junk:
        changes.append("Bytes in the file that belong to nothing were skipped.")
    end, complete = _ended(data, scan, segments.components)
    if end is None and not complete:
        raise ImageError(DAMAGED)
    if end is None:
        changes.append(NO_END)
    elif not complete:
        changes.append("Some of its scans are missing, so it is coarser than it was.")
    elif _restarts_missing(data[scan:end], segments):
        changes.append("Parts of its pixels are damaged or missing.")
    profile = _profile(segments)
    if profile is None and segments.promised:
        changes.append("Its colour profile is damaged or for other colours, and was not used.")
    if segments.gain_map:
        changes.append("Its HDR gain map was left out.")
    elif segments.several:
        changes.append("The file holds further pictures, which were left out.")
    exif = segments.metadata.get("exif", b"")
    return Parts(
        "JPEG",
        # An 0xFF that was cut off from its marker would take ours with it.
        b"".join(segments.kept) + (data[scan:].rstrip(b"\xff") if end is None else data[scan:end]) + END,
        segments.size,
        MODES[segments.components],
        profile=profile,
        orientation=orientation_in(exif) if exif else 1,
        density=segments.density or (density_in(exif) if exif else None),
        metadata=segments.metadata,
        info=segments.info,
        segments=tuple(segments.segments),
        changes=tuple(changes),
    )


def _walk(data: bytes, segments: _Segments) -> int | None:
    """Read the segments, and return where the first scan begins."""
    place = len(START)
    while place < len(data):
        start = data.find(b"\xff", place)
        if start < 0:
            return None
        segments.junk = segments.junk or start > place
        place = start
        while data[place : place + 1] == b"\xff":
            place += 1
        marker = data[place] if place < len(data) else 0xD9
        place += 1
        if marker == 0xDA:
            return place - 2
        if marker == 0xD9:
            return None
        if marker in (0x00, 0x01, 0xD8, *range(0xD0, 0xD8)):
            segments.junk = segments.junk or marker != 0x01
            continue
        length = int.from_bytes(data[place : place + 2])
        body = data[place + 2 : place + length]
        if length < 2:
            segments.junk = True
            continue
        if marker in NEEDED or marker in (0xE0, 0xEE):
            segments.kept += [b"\xff", bytes([marker]), data[place : place + length]]
            segments.needed.append((marker, body))
        if marker in FRAMES and (marker not in DECODED or body[:1] != b"\x08"):
            kind = f"of {body[0]} bits" if marker in DECODED and body else "without loss"
            raise ImageError(
                f"It is a JPEG {kind}, which can't be opened here. Save it as PNG, or as a JPEG of 8 bits."
            )
        if marker in FRAMES and len(body) >= 6 and not segments.components:
            segments.components = body[5]
            segments.size = int.from_bytes(body[3:5]), int.from_bytes(body[1:3])
        if 0xE0 <= marker <= 0xEF:
            _application(marker, body, segments)
        place += length
    return None


def _application(marker: int, body: bytes, segments: _Segments) -> None:
    if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 12:
        scale = {1: 1.0, 2: 2.54}.get(body[7])
        if scale:
            segments.density = sound_density(
                int.from_bytes(body[8:10]) * scale, int.from_bytes(body[10:12]) * scale
            )
    elif marker == 0xE1 and body.startswith(EXIF):
        segments.metadata.setdefault("exif", body)
    elif marker == 0xE1 and body.startswith(XMP):
        packet = body[len(XMP) :]
        segments.info.setdefault("xmp", packet)
        segments.metadata.setdefault("xmp", packet)
    elif marker == 0xE2 and body.startswith(ICC) and len(body) > 14:
        number, segments.promised = body[12], max(body[13], 1)
        segments.profile.setdefault(number, body[14:])
    elif marker == 0xE2 and body.startswith(MULTIPLE):
        segments.several = True
    elif marker == 0xED and body.startswith(PHOTOSHOP):
        segments.metadata["iptc"] = segments.metadata.get("iptc", b"") + body[len(PHOTOSHOP) :]
    if marker in (0xE1, 0xE2) and any(name in body for name in GAIN_MAPS):
        segments.gain_map = True
    segments.segments.append((f"APP{marker & 15}", body))


def _profile(segments: _Segments) -> bytes | None:
    parts = [segments.profile.get(number) for number in range(1, segments.promised + 1)]
    whole = b"".join(part for part in parts if part is not None)
    sound = (
        None not in parts and len(whole) <= PROFILE_CAP and sound_profile(whole) and is_for_pictures(whole)
    )
    return whole if sound else None


def _restarts_missing(scans: bytes, segments: _Segments) -> bool:
    """Whether a picture of one scan has fewer restart markers than its interval promises."""
    frame = next((body for marker, body in segments.needed if marker in FRAMES), b"")
    interval = next((int.from_bytes(body[:2]) for marker, body in segments.needed[::-1] if marker == 0xDD), 0)
    if not interval or len(frame) < 6 + 3 * segments.components or scans.count(b"\xff\xda") != 1:
        return False
    factors = [(frame[at] >> 4, frame[at] & 15) for at in range(7, 6 + 3 * segments.components, 3)]
    wide, high = (8 * max(1, *(pair[axis] for pair in factors), 1) for axis in (0, 1))
    if segments.components == 1:
        wide = high = 8
    units = -(-segments.size[0] // wide) * -(-segments.size[1] // high)
    return len(RESTART.findall(scans)) < -(-units // interval) - 1


def _ended(data: bytes, scan: int, components: int) -> tuple[int | None, bool]:
    """Where the file's end marker is, somewhere behind where the first scan begins, and whether it has scans for
    every bit of every component.
    """
    place, exact = scan, set[tuple[int, int]]()
    while True:
        marker = MARKER.search(data, place)
        if marker is None or marker.group() == END:
            return marker and marker.start(), len(exact) == 64 * components
        place = marker.end()
        # A table or the head of a scan, which may hold such bytes by chance.
        if 0xC0 <= marker.group()[1] <= 0xFE:
            length = max(int.from_bytes(data[place : place + 2]), 2)
            if marker.group() == b"\xff\xda":
                exact |= set(_exact(data[place + 2 : place + length]))
            place += length


def _exact(head: bytes) -> list[tuple[int, int]]:
    """The components and the numbers of their coefficients that a scan brings to the last bit."""
    count = head[0] if head else 0
    if len(head) < 4 + 2 * count or head[3 + 2 * count] & 15:
        return []
    first, last = head[1 + 2 * count], head[2 + 2 * count]
    return [(head[1 + 2 * each], at) for each in range(count) for at in range(first, min(last, 63) + 1)]

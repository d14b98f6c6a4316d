"""A JPEG file taken apart into its segments, without decoding a pixel of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..forking import cached
from .jpeg_coding import ZIGZAG

__all__ = ["APP0", "APP1", "APP2", "APP13", "APP14", "DQT", "SOF", "Frame", "JpegFile", "is_note", "segment"]

APP0, APP1, APP2, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE
# Frame headers; between them stand DHT, JPG and DAC.
SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SOI, EOI, SOS, DQT, DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xDC
# What ends coded data: a marker that is no restart, and no byte that was stuffed.
ENDS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# Files have a few; whoever writes thousands wants to keep a reader busy.
MOST_SEGMENTS = 5000


@dataclass(frozen=True)
class FrameComponent:
    """What the frame's header says of a component."""

    identifier: int
    across: int
    down: int
    quantised_by: int


@dataclass(frozen=True)
class Frame:
    """A frame's header: the picture's size in pixels, as filed, and its components."""

    marker: int
    precision: int
    width: int
    height: int
    components: tuple[FrameComponent, ...]


@dataclass(frozen=True)
class JpegFile:
    """The segments before the first scan, marker and content each, and all that follows up to the picture's end."""

    segments: tuple[tuple[int, bytes], ...] = field(repr=False)
    scans: bytes = field(repr=False)

    @classmethod
    def read(cls, data: bytes) -> JpegFile:
        """The first picture in `data`. Raises `ValueError` where it can't be followed."""
        if data[:2] != b"\xff\xd8":
            raise ValueError("It does not start as a JPEG.")
        head: list[tuple[int, bytes]] = []
        scans = bytearray()
        at = 2
        for _ in range(MOST_SEGMENTS):
            match = ENDS.search(data, at)
            if match is None or data[match.start() + 1] == EOI:
                break
            marker, start = data[match.start() + 1], match.end()
            length = int.from_bytes(data[start : start + 2])
            content = data[start + 2 : start + length]
            if length < 2 or len(content) != length - 2:
                raise ValueError("A segment is cut off.")
            at = start + length
            if marker == SOS:
                end = ENDS.search(data, at)
                stop = end.start() if end is not None else len(data)
                scans += segment(SOS, content) + data[at:stop]
                at = stop
            elif not scans:
                head.append((marker, content))
            elif marker in (DQT, DNL):
                raise ValueError("What its numbers mean changes midway.")
            elif not is_note(marker):
                scans += segment(marker, content)
        else:
            raise ValueError("It has too many segments.")
        if not scans:
            raise ValueError("It has no picture.")
        return cls(tuple(head), bytes(scans))

    @cached
    def frame(self) -> Frame:
        """Its frame's header. Raises `ValueError` where there is none, or it says what can't be."""
        content, marker = next(
            ((content, marker) for marker, content in self.segments if marker in SOF), (b"", 0)
        )
        count = content[5] if len(content) > 5 else 0
        if not count or len(content) != 6 + 3 * count:
            raise ValueError("It has no frame.")
        parts = [content[at : at + 3] for at in range(6, len(content), 3)]
        components = tuple(FrameComponent(part[0], part[1] >> 4, part[1] & 15, part[2]) for part in parts)
        height, width = int.from_bytes(content[1:3]), int.from_bytes(content[3:5])
        if not height or not width or any(one.across not in range(1, 5) for one in components):
            raise ValueError("Its frame is of no size.")
        if any(one.down not in range(1, 5) for one in components):
            raise ValueError("Its frame is of no size.")
        return Frame(marker, content[0], width, height, components)

    @cached
    def quantisation(self) -> dict[int, NDArray[np.uint16]]:
        """The tables by which coefficients were divided, 64 numbers each, row by row. Raises `ValueError`."""
        tables: dict[int, NDArray[np.uint16]] = {}
        for marker, content in self.segments:
            while marker == DQT and content:
                size = 64 * (1 + (content[0] >> 4))
                kind = np.dtype(">u2") if content[0] >> 4 else np.dtype(np.uint8)
                if len(content) < 1 + size:
                    raise ValueError("A quantisation table is cut off.")
                table = np.empty(64, np.uint16)
                table[ZIGZAG] = np.frombuffer(content[1 : 1 + size], kind)
                if not table.all():
                    raise ValueError("A quantisation table has a zero.")
                tables[content[0] & 15] = table
                content = content[1 + size :]  # noqa: PLW2901 - eaten from the front
        return tables

    @property
    def adobe_transform(self) -> int | None:
        """How Adobe's segment says that colours were turned before coding: 0 not, 1 to YCbCr, 2 to YCCK."""
        for marker, content in self.segments:
            if marker == APP14 and content[:5] == b"Adobe" and len(content) >= 12:
                return content[11]
        return None

    @property
    def has_jfif(self) -> bool:
        """Whether it says that it follows JFIF, where colours are YCbCr."""
        return any(marker == APP0 and content[:5] == b"JFIF\0" for marker, content in self.segments)

    def bare(self) -> bytes:
        """The file without notes: what is needed to decode it, and what says how its colours are coded."""
        kept = [
            segment(marker, content)
            for marker, content in self.segments
            if not is_note(marker) or is_colour_note(marker, content)
        ]
        return b"\xff\xd8" + b"".join(kept) + self.scans + b"\xff\xd9"


def is_note(marker: int) -> bool:
    """Whether a decoder may pass over the segment."""
    return marker in range(0xE0, 0xF0) or marker == COMMENT


def is_colour_note(marker: int, content: bytes) -> bool:
    """Whether decoders tell from the note how colours are coded."""
    return (marker == APP0 and content[:5] == b"JFIF\0") or (marker == APP14 and content[:5] == b"Adobe")


def segment(marker: int, content: bytes) -> bytes:
    """A segment as it stands in a file."""
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content

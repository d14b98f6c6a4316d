"""A JPEG that stays the JPEG it was: blocks in which nothing changed are copied, coefficient by coefficient, and only
the others are coded, by the file's own tables and subsampling.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jpeg_coding import Component, coded
from .jpeg_file import APP0, APP14, DQT, SOF, JpegFile, is_note, segment

__all__ = ["can_edit", "edited", "without_notes"]

Blocks = NDArray[np.int16]
Floats = NDArray[np.float32]
Numbers = NDArray[np.uint8]

# Frames of Huffman and of arithmetic codes.
PROGRESSIVE = (0xC2, 0xCA)
# Rows of pixels that are looked at together: a multiple of what any unit is high.
STRIP = 192
# Which of jpeglib's libjpegs: the one that Pillow and browsers are built on, where it is there.
LIBRARY = "turbo210"
# How JPEG's own standard for colours, JFIF, makes Y, Cb and Cr of red, green and blue.
TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float32
)
# jpeglib keeps what it reads in variables of the whole process.
_reading = threading.Lock()


def can_edit() -> bool:
    """Whether jpeglib, which the extra `[jpeg]` brings, is installed: `edited` needs it."""
    return find_spec("jpeglib") is not None


def without_notes(data: bytes, notes: bytes, density: tuple[float, float] | None = None) -> bytes:
    """The file with other notes (metadata segments), and otherwise byte for byte: not even its codes are made anew.

    What tells how colours are coded, and its density, stays. Raises `ValueError` where the file can't be followed.
    """
    file = JpegFile.read(data)
    _colours(file)
    rest = [segment(marker, content) for marker, content in file.segments if not is_note(marker)]
    return _head(file, notes, density) + b"".join(rest) + file.scans + b"\xff\xd9"


def edited(
    data: bytes, before: Numbers, after: Numbers, notes: bytes, density: tuple[float, float] | None = None
) -> bytes:
    """The file with the pixels of `after` where they differ from those of `before`, and otherwise as it was.

    Both are decoded pixels as filed, not turned: (height, width) or with 3 or 4 channels behind, CMYK with 255 for full
    ink. A block of which no pixel differs keeps its coefficients. `notes` take the place of the file's own, the
    profile among them; JFIF's and Adobe's segments stay, and `density` counts only where there is none. A progressive
    file stays one.

    Raises `ImportError` without jpeglib, and `ValueError` where the file is coded in a way that can't be kept.
    """
    file = JpegFile.read(data)
    frame, colours = file.frame, _colours(file)
    if before.shape != after.shape or before.shape[:2] != (frame.height, frame.width):
        raise ValueError("The pixels are not of the file's size.")
    if frame.precision != 8 or (1 if before.ndim == 2 else before.shape[2]) != len(frame.components):
        raise ValueError("The pixels are not of the file's kind.")
    planes = _planes(file)
    wide, high = (max(plane.factors[axis] for plane in planes) for axis in (0, 1))
    if any(wide % plane.factors[0] or high % plane.factors[1] for plane in planes):
        raise ValueError("Its components do not divide evenly.")
    for top, left, old, new in _changed(before, after, (wide * 8, high * 8)):
        moved = (old != new).any(axis=2) if old.ndim == 3 else old != new
        for plane, values in zip(planes, _samples(new, colours), strict=True):
            cell = wide // plane.factors[0], high // plane.factors[1]
            plane.put(values, moved, (left, top), cell)
    components = [
        Component(
            part.identifier, part.across, part.down, plane.blocks, int(colours in YCC and number in (1, 2))
        )
        for number, (part, plane) in enumerate(zip(frame.components, planes, strict=True))
    ]
    # The baseline has no tables of 16 bits.
    marker = 0xC0 if all(plane.table.max() <= 255 for plane in planes) else 0xC1
    progressive = frame.marker in PROGRESSIVE
    marker = 0xC2 if progressive else marker
    rest = [segment(DQT, content) for kind, content in file.segments if kind == DQT]
    rest += [segment(marker, content) for kind, content in file.segments if kind in SOF]
    return (
        _head(file, notes, density)
        + b"".join(rest)
        + coded(components, progressive=progressive)
        + b"\xff\xd9"
    )


def _head(file: JpegFile, notes: bytes, density: tuple[float, float] | None) -> bytes:
    """What stands before a file's tables: where it belongs, and in the order in which readers look for it."""
    first, colour = b"", b""
    for marker, content in file.segments:
        if marker == APP0 and content[:5] == b"JFIF\0" and len(content) >= 14 and not first:
            # Without its thumbnail, which would show what was.
            first = segment(APP0, content[:12] + b"\0\0")
        elif marker == APP14 and content.startswith(b"Adobe"):
            colour += segment(marker, content)
    if not first and density is not None and _colours(file) in ("L", "YCC") and file.adobe_transform is None:
        across, down = (min(65535, max(1, round(number))) for number in density)
        first = segment(APP0, b"JFIF\0\1\1\1" + across.to_bytes(2) + down.to_bytes(2) + b"\0\0")
    return b"\xff\xd8" + first + notes + colour


# Colours

YCC = ("YCC", "YCCK")


def _colours(file: JpegFile) -> str:
    """How its colours are coded: `L`, `YCC`, `RGB`, `CMYK` or `YCCK`, told as libjpeg tells it."""
    components, adobe = file.frame.components, file.adobe_transform
    if len(components) == 1:
        return "L"
    if len(components) == 4:
        return "CMYK" if adobe in (None, 0) else "YCCK"
    if len(components) != 3:
        raise ValueError("Its colours are of no kind that is known.")
    if file.has_jfif:
        return "YCC"
    if adobe is not None:
        return "RGB" if adobe == 0 else "YCC"
    return "RGB" if bytes(one.identifier for one in components) == b"RGB" else "YCC"


def _samples(pixels: Numbers, colours: str) -> list[Floats]:
    """What the file has for each component, at the pixels' resolution."""
    if colours == "L":
        return [pixels.astype(np.float32)]
    channels = [np.ascontiguousarray(pixels[..., channel], np.float32) for channel in range(pixels.shape[2])]
    if colours == "CMYK":
        # Adobe's way, which all follow: 0 is full ink.
        return [255 - channel for channel in channels]
    if colours in YCC:
        red, green, blue = channels[:3]
        channels[:3] = [
            row[0] * red + row[1] * green + row[2] * blue + (128 if number else 0)
            for number, row in enumerate(TO_YCC)
        ]
    return [*channels[:3], 255 - channels[3]] if colours == "YCCK" else channels


# Blocks


def _cosines() -> Floats:
    place, frequency = np.arange(8), np.arange(8)[:, None]
    rows = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


COSINES = _cosines()


@dataclass(eq=False)
class _Plane:
    """A component: its quantised blocks (rows, columns, 64), its table and its sampling factors, across and down."""

    blocks: Blocks
    table: Floats
    factors: tuple[int, int]

    def put(
        self, values: Floats, moved: NDArray[np.bool_], at: tuple[int, int], cell: tuple[int, int]
    ) -> None:
        """Code `values`, pixels from `at` on, where they `moved`. A sample is the mean of a cell of pixels; one of
        which no pixel moved stays what the coefficients say, which may lie beyond what a pixel can be.
        """
        wide, high = 8 * cell[0], 8 * cell[1]
        around = ((0, -values.shape[0] % high), (0, -values.shape[1] % wide))
        if any(after for _, after in around):
            # A block goes on beyond the picture's end, best as it ended.
            values, moved = np.pad(values, around, "edge"), np.pad(moved, around, "edge")
        rows, columns = values.shape[0] // high, values.shape[1] // wide
        touched = moved.reshape(rows, high, columns, wide).any(axis=(1, 3))
        row, column = np.nonzero(touched)
        if not len(row):
            return
        split = (rows, 8, cell[1], columns, 8, cell[0])
        mean = values.reshape(split).mean(axis=(2, 5)).transpose(0, 2, 1, 3)[row, column]
        new = np.asarray(moved.reshape(split).any(axis=(2, 5))).transpose(0, 2, 1, 3)[row, column]
        place = row + at[1] // high, column + at[0] // wide
        kept = COSINES.T @ (self.blocks[place] * self.table).reshape(-1, 8, 8) @ COSINES
        samples = np.where(new, mean - 128, kept)
        levels = np.rint((COSINES @ samples @ COSINES.T).reshape(-1, 64) / self.table)
        self.blocks[place] = np.clip(levels, -1024, 1023)


def _planes(file: JpegFile) -> list[_Plane]:
    frame, tables = file.frame, file.quantisation
    wide = max(one.across for one in frame.components)
    high = max(one.down for one in frame.components)
    planes = []
    for one, blocks in zip(frame.components, _coefficients(file), strict=True):
        size = -(-frame.height * one.down // (8 * high)), -(-frame.width * one.across // (8 * wide))
        if blocks.shape != (*size, 64) or one.quantised_by not in tables:
            raise ValueError("Its blocks are not what its frame says.")
        table = tables[one.quantised_by].astype(np.float32)
        planes.append(_Plane(blocks, table, (one.across, one.down)))
    return planes


def _coefficients(file: JpegFile) -> list[Blocks]:
    """Each component's quantised blocks, (rows, columns, 64), row by row inside."""
    # Here, not above: it is an extra.
    import jpeglib

    with _reading, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        path.write_bytes(file.bare())
        usual = jpeglib.version.get()
        try:
            if LIBRARY in jpeglib.version.versions():
                jpeglib.version.set(LIBRARY)
            dct = jpeglib.read_dct(str(path))
            parts: list[Any] = [dct.Y, dct.Cb, dct.Cr, dct.K][: dct.num_components]
        except (OSError, KeyError, IndexError, ValueError) as error:
            raise ValueError(f"It can't be read ({type(error).__name__}).") from None
        finally:
            # Somebody else may use it too.
            if usual is not None:
                jpeglib.version.set(usual)
    return [np.array(part, np.int16).reshape(*part.shape[:2], 64) for part in parts]


def _changed(
    before: Numbers, after: Numbers, unit: tuple[int, int]
) -> Iterator[tuple[int, int, Numbers, Numbers]]:
    """Where they differ, strip by strip: top, left, and both there. What is cut starts at whole units."""
    for top in range(0, len(before), STRIP):
        old, new = before[top : top + STRIP], after[top : top + STRIP]
        moved = (old != new).reshape(len(old), old.shape[1], -1).any(axis=(0, 2))
        columns = np.flatnonzero(moved)
        if len(columns):
            left = int(columns[0]) // unit[0] * unit[0]
            right = (int(columns[-1]) // unit[0] + 1) * unit[0]
            yield top, left, old[:, left:right], new[:, left:right]

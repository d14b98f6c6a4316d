"""TIFF's directories, which EXIF is made of too: read with each value as it stands, written, and a picture of them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LONG",
    "SHORT",
    "Directory",
    "Order",
    "byte_order",
    "deep_grey",
    "fraction",
    "header",
    "number",
    "read_directory",
    "strips",
    "tiff",
    "written",
]

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SHORT, LONG, RATIONAL, BYTES = 3, 4, 5, 7
MOST_ENTRIES = 1000
# Bytes of a strip before it is packed.
STRIP = 1 << 20

Order: TypeAlias = Literal["big", "little"]
Directory: TypeAlias = dict[int, Any]
"""Values by their tags: type and bytes as they stand in the file, or another directory."""


def byte_order(data: bytes) -> Order:
    """How numbers are written in a TIFF or EXIF that begins with `data`: `big` or `little`. Raises `ValueError`."""
    if data[:4] not in (b"MM\0*", b"II*\0"):
        raise ValueError("It is no TIFF.")
    return "big" if data[:1] == b"M" else "little"


def read_directory(data: bytes, at: int, order: Order) -> Directory:
    """The directory at `at`; what points out of the data, or is of no known type, is left out. Raises `ValueError`."""
    count = int.from_bytes(data[at : at + 2], order)
    if not 0 < count <= MOST_ENTRIES or at + 2 + 12 * count > len(data):
        raise ValueError("Its directory is damaged.")
    directory: Directory = {}
    for start in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, many, value = (
            int.from_bytes(data[start + low : start + high], order)
            for low, high in ((0, 2), (2, 4), (4, 8), (8, 12))
        )
        size = SIZES.get(kind, 0) * many
        place = start + 8 if size <= 4 else value
        if size and place + size <= len(data):
            directory.setdefault(tag, (kind, data[place : place + size]))
    return directory


def number(kind: int, value: int, order: Order) -> tuple[int, bytes]:
    """One whole number of type `SHORT` or `LONG` as a directory's value."""
    return kind, value.to_bytes(SIZES[kind], order)


def fraction(value: float, order: Order) -> tuple[int, bytes]:
    """A number as a directory's value, to a ten-thousandth."""
    parts = (10_000 * round(value), 10_000) if value == round(value) else (round(value * 10_000), 10_000)
    return RATIONAL, b"".join(part.to_bytes(4, order) for part in parts)


def written(directory: Directory, at: int, order: Order) -> bytes:
    """The directory as it stands at `at`, an even place, followed by its values and the directories in it."""
    entries = sorted(directory.items())
    head = len(entries).to_bytes(2, order)
    beyond = b""
    place = at + 2 + 12 * len(entries) + 4
    for tag, value in entries:
        if isinstance(value, dict):
            kind, data = LONG, (place + len(beyond)).to_bytes(4, order)
            beyond += written(value, place + len(beyond), order)
        else:
            kind, data = value
        head += (
            tag.to_bytes(2, order) + kind.to_bytes(2, order) + (len(data) // SIZES[kind]).to_bytes(4, order)
        )
        if len(data) <= 4:
            head += data + bytes(4 - len(data))
        else:
            head += (place + len(beyond)).to_bytes(4, order)
            beyond += data
        beyond += bytes(len(beyond) % 2)
    return head + bytes(4) + beyond


def header(order: Order) -> bytes:
    """What stands before a first directory at place 8."""
    return b"MM\0*\0\0\0\x08" if order == "big" else b"II*\0\x08\0\0\0"


def deep_grey(data: bytes) -> tuple[Directory, Order] | None:
    """The directory of a TIFF of grey and transparency with 16 bits each, as `tiff` writes them; else None.

    Pillow opens none.
    """
    try:
        order = byte_order(data)
        directory = read_directory(data, int.from_bytes(data[4:8], order), order)
    except ValueError:
        return None
    if not {256, 257, 258, 262, 273, 277, 279} <= set(directory):
        return None
    bits = _whole(directory, 258, order)
    one = {tag: _whole(directory, tag, order)[0] for tag in (259, 262, 277, 284, 317) if tag in directory}
    fits = (
        bits == [16, 16]
        and one.get(277) == 2
        and one.get(262) == 1
        and one.get(284, 1) == 1
        and one.get(259, 1) in (1, 8, 32_946)
        and one.get(317, 1) in (1, 2)
    )
    return (directory, order) if fits else None


def _whole(directory: Directory, tag: int, order: Order) -> list[int]:
    kind, data = directory[tag]
    size = SIZES[kind]
    return [int.from_bytes(data[at : at + size], order) for at in range(0, len(data), size)]


def strips(data: bytes, directory: Directory, order: Order, channels: int) -> NDArray[np.uint16]:
    """The pixels of a TIFF with 16 bits a channel, (height, width, channels). Raises `ValueError`."""
    (width,), (height,) = (_whole(directory, tag, order) for tag in (256, 257))
    (rows,) = _whole(directory, 278, order) if 278 in directory else [height]
    packed = 259 in directory and _whole(directory, 259, order) != [1]
    kind = np.dtype(">u2" if order == "big" else "<u2")
    parts, left = [], height
    for start, length in zip(_whole(directory, 273, order), _whole(directory, 279, order), strict=True):
        count = min(rows, left) * width * channels * 2
        piece = data[start : start + length]
        raw = zlib.decompressobj().decompress(piece, count) if packed else piece[:count]
        if len(raw) != count:
            raise ValueError("A strip is cut off.")
        part = np.frombuffer(raw, kind).astype(np.uint16).reshape(-1, width, channels)
        if 317 in directory and _whole(directory, 317, order) == [2]:
            part = np.cumsum(part, axis=1, dtype=np.uint16)
        parts.append(part)
        left -= len(part)
    if left:
        raise ValueError("Rows are missing.")
    return np.concatenate(parts)


# How a picture's numbers are meant: photometric interpretation, and how many of its channels are transparency.
KINDS = {"L": (1, 0), "LA": (1, 1), "RGB": (2, 0), "RGBA": (2, 1), "CMYK": (5, 0)}


def tiff(numbers: NDArray[Any], mode: str, more: Mapping[int, Any], order: Order = "little") -> bytes:
    """A TIFF file of `numbers`, (height, width) or with channels behind, uint8 or uint16, packed without loss.

    `more` are further values of its directory, in `order`. Raises `ValueError` where it would be over 4 GB.
    """
    height, width = numbers.shape[:2]
    channels = 1 if numbers.ndim == 2 else numbers.shape[2]
    photometric, extra = KINDS[mode]
    row = width * channels * numbers.itemsize
    rows = max(1, STRIP // row)
    kind = numbers.dtype.newbyteorder(">" if order == "big" else "<")
    strips = []
    for top in range(0, height, rows):
        # Each number less its left neighbour's, which packs better.
        part = numbers[top : top + rows].reshape(-1, width, channels).copy()
        part[:, 1:] -= numbers[top : top + rows].reshape(-1, width, channels)[:, :-1]
        strips.append(zlib.compress(part.astype(kind).tobytes(), 6))

    def longs(values: list[int]) -> tuple[int, bytes]:
        return LONG, b"".join(value.to_bytes(4, order) for value in values)

    directory: Directory = {
        **more,
        256: number(LONG, width, order),
        257: number(LONG, height, order),
        258: (SHORT, (numbers.itemsize * 8).to_bytes(2, order) * channels),
        259: number(SHORT, 8, order),
        262: number(SHORT, photometric, order),
        277: number(SHORT, channels, order),
        278: number(LONG, rows, order),
        279: longs([len(strip) for strip in strips]),
        284: number(SHORT, 1, order),
        317: number(SHORT, 2, order),
        273: longs([0] * len(strips)),
    }
    if extra:
        directory[338] = number(SHORT, 2, order)
    # Once to learn where the pixels begin, and once with that.
    start = 8 + len(written(directory, 8, order))
    places = [start]
    for strip in strips[:-1]:
        places.append(places[-1] + len(strip))
    if places[-1] + len(strips[-1]) >= 1 << 32:
        raise ValueError("It would be over 4 GB.")
    directory[273] = longs(places)
    return b"".join([header(order), written(directory, 8, order), *strips])

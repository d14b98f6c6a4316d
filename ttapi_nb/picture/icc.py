"""ICC profiles read by the rules of browsers: which of them are taken at all, and which of their tags count."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .parts import sound_profile

__all__ = ["D50", "Curve", "Floats", "Grid", "IccProfile", "Table", "parametric", "quick_power"]

Floats: TypeAlias = NDArray[np.float32]

D50 = (0.9642, 1.0, 0.8249)
NEAR_D50 = 0.01
NEWEST = 4
CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4, b"Lab ": 3, b"XYZ ": 3, b"YCbr": 3, b"HSV ": 3, b"CMY ": 3}
MOST_TAGS = 500
MOST_ENTRIES = 4096
# What is handed over between a table and XYZ counts to this in a profile, and to 1 here.
XYZ_SCALE = 65_535 / 32_768
# Numbers of each kind of parametric curve, and their names: (a x + b)^g + e, and c x + f below d.
PARAMETERS = ("g", "gab", "gabe", "gabcd", "gabcdef")


@dataclass(frozen=True, eq=False)
class Curve:
    """One channel's curve, from 0 to 1: seven parameters g, a, b, c, d, e, f, or a table of at least two numbers."""

    parameters: tuple[float, ...] = (1, 1, 0, 0, 0, 0, 0)
    table: Floats | None = field(default=None, repr=False)

    def __call__(self, values: Floats) -> Floats:
        """The curve's values; a table is followed in straight lines."""
        if self.parameters == (1, 1, 0, 0, 0, 0, 0) and self.table is None:
            return values
        if self.table is not None:
            place = np.clip(values, 0, 1) * np.float32(len(self.table) - 1)
            low = place.astype(np.int32)
            high = np.minimum(low + 1, len(self.table) - 1)
            first = self.table[low]
            return first + (self.table[high] - first) * (place - low)
        g, a, b, c, d, e, f = (np.float32(number) for number in self.parameters)
        plain = np.abs(values)
        bent = quick_power(np.maximum(a * plain + b, np.float32(0)), float(g)) + e
        return np.asarray(np.copysign(np.where(plain < d, c * plain + f, bent), values), np.float32)


@dataclass(frozen=True, eq=False)
class Grid:
    """A table of colours: `points` along each channel, and (points of all, 3) numbers from 0 to 1."""

    points: tuple[int, ...]
    colours: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)
class Table:
    """The way from a device's numbers to colours: curves, a grid between them, curves and a matrix, curves.

    `matrix` is 3 by 4; what is not there is None or empty.
    """

    channels: int
    first: tuple[Curve, ...] = ()
    grid: Grid | None = None
    middle: tuple[Curve, ...] = ()
    matrix: Floats | None = None
    last: tuple[Curve, ...] = ()


@dataclass(frozen=True, eq=False)
class IccProfile:
    """A profile as browsers take it: by its `table` where it has one, else by `curves` and `matrix`.

    `space` and `pcs` are the signatures of its device's numbers and of its colours. `matrix` goes from light in red,
    green and blue to XYZ. `cicp` are the codes of a tag that comes before all the others. `has_way_back` is whether
    there is a table from colours to the device's numbers.
    """

    space: bytes
    pcs: bytes
    curves: tuple[Curve, Curve, Curve] | None = None
    matrix: Floats | None = None
    table: Table | None = None
    cicp: tuple[int, int, int, int] | None = None
    has_way_back: bool = False

    @property
    def one_curve(self) -> Curve | None:
        """The curve of all its channels, where it is the same one and none of a table."""
        if self.curves is None or any(curve.table is not None for curve in self.curves):
            return None
        return self.curves[0] if len({curve.parameters for curve in self.curves}) == 1 else None

    @classmethod
    def read(cls, data: bytes) -> IccProfile | None:
        """The profile, or None where a browser would not go by it."""
        try:
            return _profile(data)
        except (ValueError, IndexError, struct.error):
            return None


def quick_power(base: Floats, exponent: float) -> Floats:
    """Powers of what is not negative as browsers compute them: Mineiro's quick ones, right to four digits.

    Which way a number is rounded that lies between two levels depends on it, and matrices make that several levels.
    """
    bits = base.astype(np.float32).view(np.int32)
    part = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)
    logarithm = bits.astype(np.float32) * np.float32(2**-23) - np.float32(124.22551499)
    logarithm = (
        logarithm
        - np.float32(1.498030302) * part
        - np.float32(1.72587999) / (np.float32(0.3520887068) + part)
    )
    x = logarithm * np.float32(exponent)
    rest = x - np.floor(x)
    whole = x + np.float32(121.2740575) - np.float32(1.49012907) * rest
    whole = whole + np.float32(27.7280233) / (np.float32(4.84252568) - rest)
    power = (np.maximum(whole, 0) * np.float32(2**23)).astype(np.int32).view(np.float32)
    return np.asarray(np.where((base == 0) | (base == 1), base, power), np.float32)


def parametric(values: Sequence[float]) -> Curve:
    """A curve of 1, 3, 4, 5 or 7 numbers, as ICC orders them. Raises `ValueError` where it is none that is taken."""
    kind = {1: 0, 3: 1, 4: 2, 5: 3, 7: 4}[len(values)]
    named = dict(zip(PARAMETERS[kind], values, strict=True))
    g, a, b = named["g"], named.get("a", 1.0), named.get("b", 0.0)
    c, d, e, f = (named.get(name, 0.0) for name in "cdef")
    if kind in (1, 2):
        if not a:
            raise ValueError("A curve is flat.")
        d, f = -b / a, e
    if min(a, c, d, g, a * d + b) < 0 or not all(abs(number) < 1e6 for number in (g, a, b, c, d, e, f)):
        raise ValueError("A curve is of no use.")
    return Curve((g, a, b, c, d, e, f))


def _fixed(data: bytes, at: int, count: int = 1) -> list[float]:
    return [number / 65_536 for number in struct.unpack_from(f">{count}i", data, at)]


def _profile(data: bytes) -> IccProfile | None:
    if not sound_profile(data):
        return None
    size, count = int.from_bytes(data[:4]), int.from_bytes(data[128:132])
    white = _fixed(data, 68, 3)
    if not 132 + 12 * count <= size <= len(data) or count > MOST_TAGS or data[8] > NEWEST:
        return None
    if any(abs(one - other) > NEAR_D50 for one, other in zip(white, D50, strict=True)):
        return None
    tags: dict[bytes, bytes] = {}
    for place in range(132, 132 + 12 * count, 12):
        name, start, length = struct.unpack_from(">4sII", data, place)
        if length < 4 or start + length > size:
            return None
        tags.setdefault(name, data[start : start + length])
    space, pcs = data[16:20], data[20:24]
    if pcs not in (b"XYZ ", b"Lab "):
        return None
    curves, matrix = _light(tags, space, pcs, white)
    for name in (b"B2A0", b"B2A1"):
        if name in tags:
            # One that is broken makes browsers drop the profile, though they need no way back.
            _check_way_back(tags[name])
            break
    table = next((_table(tags[name], pcs) for name in (b"A2B0", b"A2B1") if name in tags), None)
    codes = tags.get(b"cicp", b"")
    if codes and (codes[:4] != b"cicp" or len(codes) < 12):
        return None
    if table is None and (curves is None or matrix is None):
        return None
    cicp = (codes[8], codes[9], codes[10], codes[11]) if codes else None
    has_way_back = b"B2A0" in tags or b"B2A1" in tags
    return IccProfile(space, pcs, curves, matrix, table, cicp, has_way_back)


def _light(
    tags: dict[bytes, bytes], space: bytes, pcs: bytes, white: list[float]
) -> tuple[tuple[Curve, Curve, Curve] | None, Floats | None]:
    """The curves of a display or a grey, and the matrix behind them."""
    if space == b"GRAY" and b"kTRC" in tags:
        grey = _curve(tags[b"kTRC"], 0)[0]
        return (grey, grey, grey), np.diag(np.array(white, np.float32)) if pcs == b"XYZ " else None
    curves = matrix = None
    names = (b"rTRC", b"gTRC", b"bTRC")
    if all(name in tags for name in names):
        red, green, blue = (_curve(tags[name], 0)[0] for name in names)
        curves = red, green, blue
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    if all(name in tags for name in names):
        if any(tags[name][:4] != b"XYZ " for name in names):
            raise ValueError("A colour is of no kind that is known.")
        matrix = np.array([_fixed(tags[name], 8, 3) for name in names], np.float32).T
    return curves, matrix


def _curve(data: bytes, at: int) -> tuple[Curve, int]:
    """The curve at `at`, and where it ends."""
    kind = data[at : at + 4]
    if kind == b"para":
        (which,) = struct.unpack_from(">H", data, at + 8)
        count = len(PARAMETERS[which])
        return parametric(_fixed(data, at + 12, count)), at + 12 + 4 * count
    if kind != b"curv":
        raise ValueError("A curve is of no kind that is known.")
    (count,) = struct.unpack_from(">I", data, at + 8)
    end = at + 12 + 2 * count
    if end > len(data):
        raise ValueError("A curve is cut off.")
    if count == 0:
        return Curve(), end
    if count == 1:
        return Curve((struct.unpack_from(">H", data, at + 12)[0] / 256, 1, 0, 0, 0, 0, 0)), end
    return Curve(table=_numbers(data[at + 12 : end], 2)), end


def _curves(data: bytes, at: int, count: int) -> tuple[Curve, ...]:
    curves = []
    for _ in range(count):
        curve, end = _curve(data, at)
        curves.append(curve)
        at = -(-end // 4) * 4
    return tuple(curves)


def _numbers(data: bytes, width: int) -> Floats:
    kind, most = (np.dtype(np.uint8), 255) if width == 1 else (np.dtype(">u2"), 65_535)
    return np.frombuffer(data, kind).astype(np.float32) / np.float32(most)


def _table(data: bytes, pcs: bytes) -> Table:
    readers: dict[bytes, Callable[[bytes, bytes], Table]] = {b"mft1": _mft, b"mft2": _mft, b"mAB ": _mab}
    if data[:4] not in readers:
        raise ValueError("A table is of no kind that is known.")
    channels, out = data[8], data[9]
    if out != 3 or not 1 <= channels <= 4:
        raise ValueError("A table is for other colours.")
    return readers[data[:4]](data, pcs)


def _check_way_back(data: bytes) -> None:
    """Raises `ValueError` where a table from colours to a device's numbers can't be followed."""
    if data[:4] in (b"mft1", b"mft2"):
        _mft_parts(data)
    elif data[:4] != b"mBA ":
        raise ValueError("A table is of no kind that is known.")
    if data[8] != 3 or data[9] not in (3, 4):
        raise ValueError("A table is for other colours.")


def _mft(data: bytes, _: bytes) -> Table:
    """The tables of version 2. Their Lab is taken for that of version 4, as browsers do: white is a level off."""
    channels, points = data[8], data[10]
    first, colours, last = _mft_parts(data)
    return Table(
        channels,
        tuple(Curve(table=one) for one in first.reshape(channels, -1)),
        Grid((points,) * channels, colours.reshape(-1, 3)),
        last=tuple(Curve(table=one) for one in last.reshape(3, -1)),
    )


def _mft_parts(data: bytes) -> list[Floats]:
    """Its first curves, its colours and its last curves, one number behind the other."""
    channels, out, points = data[8:11]
    width, at, entries = 1, 48, (256, 256)
    if data[:4] == b"mft2":
        width, at = 2, 52
        entries = struct.unpack_from(">HH", data, 48)
    if points < 2 or channels > 4 or not all(2 <= count <= MOST_ENTRIES for count in entries):
        raise ValueError("A table is too small or too large.")
    parts = []
    for count in (channels * entries[0], points**channels * out, out * entries[1]):
        part = data[at : at + count * width]
        if len(part) != count * width:
            raise ValueError("A table is cut off.")
        parts.append(_numbers(part, width))
        at += count * width
    return parts


def _mab(data: bytes, pcs: bytes) -> Table:
    """The tables of version 4."""
    channels = data[8]
    last, matrix, middle, grid, first = struct.unpack_from(">5I", data, 12)
    if not last or bool(middle) != bool(matrix) or bool(first) != bool(grid) or (not grid and channels != 3):
        raise ValueError("A table lacks a part.")
    numbers = None
    if matrix:
        values = np.array(_fixed(data, matrix, 12), np.float32)
        numbers = np.column_stack([values[:9].reshape(3, 3), values[9:]])
        numbers *= np.float32(XYZ_SCALE if pcs == b"XYZ " else 1)
    return Table(
        channels,
        _curves(data, first, channels) if first else (),
        _grid(data, grid, channels) if grid else None,
        _curves(data, middle, 3) if middle else (),
        numbers,
        _curves(data, last, 3),
    )


def _grid(data: bytes, at: int, channels: int) -> Grid:
    points, width = tuple(data[at : at + channels]), data[at + 16]
    count = 3
    for one in points:
        count *= one
    if min(points) < 2 or width not in (1, 2) or at + 20 + count * width > len(data):
        raise ValueError("A table is too small, or cut off.")
    return Grid(points, _numbers(data[at + 20 : at + 20 + count * width], width).reshape(-1, 3))

"""ICC profiles of every kind, made tag by tag for the tests."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from ttapi_nb.picture.colour import PRIMARIES, _xyz, to_d50
from ttapi_nb.picture.icc import D50

LAB, XYZ = b"Lab ", b"XYZ "


def profile(
    tags: Mapping[bytes, bytes], space: bytes = b"RGB ", pcs: bytes = XYZ, version: int = 4, **head: bytes
) -> bytes:
    """A profile of these tags; `head` are other bytes for its header: `white`, `signature`."""
    table, body = [], b""
    start = 132 + 12 * len(tags)
    for name, data in tags.items():
        whole = data + bytes(-len(data) % 4)
        table.append(struct.pack(">4sII", name, start + len(body), len(data)))
        body += whole
    first = bytearray(128)
    first[:4] = struct.pack(">I", start + len(body))
    first[8], first[12:16], first[16:20], first[20:24] = version, b"mntr", space, pcs
    first[36:40] = head.get("signature", b"acsp")
    first[68:80] = head.get("white", _xyz(D50)[8:])
    return bytes(first) + struct.pack(">I", len(tags)) + b"".join(table) + body


def para(kind: int, *values: float) -> bytes:
    """A parametric curve."""
    numbers = [round(value * 65_536) for value in values]
    return b"para" + bytes(4) + struct.pack(f">HH{len(numbers)}i", kind, 0, *numbers)


def curv(values: Sequence[float]) -> bytes:
    """A curve as a table of numbers from 0 to 1."""
    numbers = [round(value * 65_535) for value in values]
    return b"curv" + bytes(4) + struct.pack(f">I{len(numbers)}H", len(numbers), *numbers)


def bent(gamma: float, count: int = 33) -> list[float]:
    """A table that is a power."""
    return [float(x) ** gamma for x in np.linspace(0, 1, count)]


def srgb(level: float) -> float:
    """Light of a level by sRGB's curve, both from 0 to 1."""
    return ((level + 0.055) / 1.055) ** 2.4 if level > 0.04045 else level / 12.92


def light(red: bytes, green: bytes = b"", blue: bytes = b"", primaries: int = 12) -> dict[bytes, bytes]:
    """The tags of a display: its curves and its colours."""
    columns = to_d50(PRIMARIES[primaries]).T
    found = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    return found | {b"rTRC": red, b"gTRC": green or red, b"bTRC": blue or red}


def _grid(
    channels: int, points: Sequence[int], pcs: bytes
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Colours that a device could have, with a bend in them: (points of all, 3), from 0 to 1."""
    axes = np.meshgrid(*[np.linspace(0, 1, count) for count in points], indexing="ij")
    device = np.stack(axes, -1).reshape(-1, channels)
    if channels == 4:
        device = (1 - device[:, :3] ** 0.8) * (1 - 0.9 * device[:, 3:])
    linear = np.broadcast_to(device, (len(device), 3)) ** 2.2
    colours = linear @ to_d50(PRIMARIES[12]).T
    if pcs == XYZ:
        return np.asarray(colours.clip(0, 1))
    x, y, z = (np.cbrt(colours / np.array(D50))).T
    lab = np.stack([(116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255], -1)
    return np.asarray(lab.clip(0, 1))


def mft(width: int, channels: int = 3, points: int = 5, pcs: bytes = LAB) -> bytes:
    """A table as version 2 has it, of 1 or 2 bytes a number."""
    kind, most = ("u1", 255) if width == 1 else (">u2", 65_535)
    entries = 256 if width == 1 else 17
    parts = [bent(0.9, entries)] * channels
    parts += [_grid(channels, [points] * channels, pcs).reshape(-1).tolist()]
    parts += [bent(1.0, entries), bent(1.02, entries), bent(1.0, entries)]
    head = b"mft%d" % width + bytes(4) + bytes([channels, 3, points, 0])
    head += struct.pack(">9i", *(round(value * 65_536) for value in np.eye(3).reshape(-1)))
    head += struct.pack(">HH", entries, entries) if width == 2 else b""
    return head + b"".join(np.rint(np.array(part) * most).astype(kind).tobytes() for part in parts)


def mab(
    channels: int = 3, points: Sequence[int] = (4, 5, 6), width: int = 2, pcs: bytes = LAB, parts: str = "agm"
) -> bytes:
    """A table as version 4 has it: with curves and a grid in front (`ag`), with curves and a matrix (`m`)."""
    at, body = 32, b""
    places = dict.fromkeys("bnmga", 0)

    def put(name: str, data: bytes) -> None:
        nonlocal body
        places[name] = at + len(body)
        body += data + bytes(-len(data) % 4)

    put("b", para(0, 1.0) + curv(bent(1.03, 9)) + bytes(2) + para(0, 1.0))
    if "m" in parts:
        matrix = [0.98, 0.01, 0, 0.01, 0.97, 0, 0, 0.02, 0.96, 0.001, 0, 0.002]
        if "g" not in parts:
            matrix[:9] = (to_d50(PRIMARIES[12]) / 2).reshape(-1).tolist()
        put("n", struct.pack(">12i", *(round(value * 65_536) for value in matrix)))
        put("m", para(0, 1.0 if "g" in parts else 2.2) * 3)
    if "g" in parts:
        kind, most = ("u1", 255) if width == 1 else (">u2", 65_535)
        colours = np.rint(_grid(channels, points, pcs) * most).astype(kind).tobytes()
        put("g", bytes(points).ljust(16, b"\0") + bytes([width, 0, 0, 0]) + colours)
        put("a", para(0, 0.9) * channels)
    head = b"mAB " + bytes(4) + bytes([channels, 3, 0, 0])
    return head + struct.pack(">5I", *(places[name] for name in "bnmga")) + body

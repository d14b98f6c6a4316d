"""WEBP: its chunks read forgivingly."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ImageError
from .parts import Parts, density_in, orientation_in, sound_profile
from .png import DAMAGED

__all__ = ["read_webp"]

HEAD = 12


def read_webp(data: bytes) -> Parts:
    """A WEBP file's parts. Raises `ImageError` where it has none."""
    chunks: dict[bytes, bytes] = {}
    for kind, body in _each(data):
        chunks.setdefault(kind, body)
    changes = []
    length = int.from_bytes(data[4:8], "little") + 8
    clean = data
    if not {b"VP8 ", b"VP8L", b"ANMF"} & set(chunks):
        raise ImageError(DAMAGED)
    if length != len(data) + len(data) % 2 and length > len(data):
        # What is behind the pixels may be cut off; the decoder says where the pixels are.
        clean = data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]
        changes.append("The end of the file is missing.")
    # Browsers look for it only where the head promises it.
    profile = chunks.get(b"ICCP") if chunks.get(b"VP8X", b"\0")[0] & 0x20 else None
    if profile is not None and not sound_profile(profile):
        profile = None
        changes.append("Its colour profile is damaged, and was not used.")
    if b"ANMF" in chunks:
        changes.append("It is an animation, of which the first picture is used.")
    exif, packet = chunks.get(b"EXIF", b""), chunks.get(b"XMP ", b"")
    return Parts(
        "WEBP",
        clean,
        _size(chunks),
        "RGBA" if _alpha(chunks) else "RGB",
        profile=profile,
        orientation=orientation_in(exif) if exif else 1,
        density=density_in(exif) if exif else None,
        metadata={name: value for name, value in (("exif", exif), ("xmp", packet)) if value},
        info={"xmp": packet} if packet else {},
        changes=tuple(changes),
    )


def _size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    """Width and height: of the canvas where there is one, else of the picture, lossless or not."""
    canvas, lossless, lossy = (chunks.get(kind, b"") for kind in (b"VP8X", b"VP8L", b"VP8 "))
    if len(canvas) >= 10:
        return int.from_bytes(canvas[4:7], "little") + 1, int.from_bytes(canvas[7:10], "little") + 1
    if len(lossless) >= 5:
        bits = int.from_bytes(lossless[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(lossy) >= 10:
        return int.from_bytes(lossy[6:8], "little") & 0x3FFF, int.from_bytes(lossy[8:10], "little") & 0x3FFF
    raise ImageError(DAMAGED)


def _alpha(chunks: dict[bytes, bytes]) -> bool:
    canvas, lossless = chunks.get(b"VP8X", b""), chunks.get(b"VP8L", b"")
    return bool(canvas[0] & 0x10) if canvas else len(lossless) >= 5 and bool(lossless[4] & 0x10)


def _each(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = HEAD
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        yield data[place : place + 4], data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2

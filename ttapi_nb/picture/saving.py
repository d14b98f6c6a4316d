"""Picture files: for sending, of nothing but pixels, and for keeping, in the photo's own colours, depth and density."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..metadata import KEY, jpeg_segments, options_for, packet_with
from .back import is_plain
from .colour import icc_of, whole_palette
from .decode import read_parts
from .hdr import Hdr
from .jpeg_blocks import can_edit, edited, without_notes
from .jpeg_file import APP1, APP2, APP13, segment
from .notes import Notes, exif_of, kept_notes, photoshop, turned, with_density
from .own import OwnFile
from .own_paste import PastedFile
from .tiff import tiff

__all__ = ["encode", "kept_file"]

Numbers = NDArray[Any]
ICC_PORTION = 65_000
INCH = 0.0254
NO_BLOCKS = (
    "The JPEG was made anew, all of it. To keep the photo's own blocks where nothing changed: "
    "pip install 'ttapi-nb[jpeg]'"
)
# Of PNG. Photos become a tenth to a fifth larger than by Pillow's own 6, in a fifth of its time.
QUICK, SMALL = 1, 6
OTHER_KIND = "The picture is of another size or kind than the photo's JPEG, so all of it was made anew."
OTHER_JPEG = "This JPEG is coded in a way that can't be kept, so all of it was made anew."


def encode(pixels: Image.Image, format: str, lineage: str = "", *, small: bool = False) -> bytes:
    """`pixels` as a file with no metadata but `lineage`. JPEG drops transparency; PNG and WEBP keep every pixel as it
    is. A `small` PNG takes its time.
    """
    out = io.BytesIO()
    more = options_for(format, lineage) if lineage else {}
    if format == "JPEG":
        pixels.convert("RGB").save(out, "JPEG", quality=95, subsampling=0, **more)
    elif format == "WEBP":
        pixels.save(out, "WEBP", lossless=True, exact=True, quality=50, **more)
    elif format == "TIFF":
        out.write(tiff(np.asarray(pixels), pixels.mode, {}))
    else:
        pixels.save(out, "PNG", compress_level=SMALL if small else QUICK, **more)
    return out.getvalue()


@dataclass(eq=False)
class _Kept:
    """What goes into a file: numbers and what they mean, and a sentence for each thing that the kind can't hold."""

    numbers: Numbers
    mode: str
    depth: int = 8
    profile: bytes | None = None
    cicp: tuple[int, int, int, int] | None = None
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    palette: NDArray[np.uint8] | None = None
    density: tuple[float, float] | None = None
    light: float | None = None
    changes: list[str] = field(default_factory=list)


def kept_file(
    pixels: Image.Image, own: OwnFile | None, format: str, lineage: str = "", keep_metadata: bool = False
) -> tuple[bytes, tuple[str, ...]]:
    """A file of `format` (`PNG`, `JPEG`, `WEBP` or `TIFF`) with the numbers of `own`, which `pixels` shows, its
    colours, depth and density; and a sentence for each thing that such a file can't hold.

    A JPEG of a JPEG keeps its blocks. Of metadata it carries `lineage`, and with `keep_metadata` the photo's EXIF, XMP
    and IPTC without place and maker's notes.
    """
    origin = own.origin if isinstance(own, PastedFile) else own
    changes: list[str] = []
    if (
        format == "JPEG"
        and own is not None
        and origin is not None
        and origin.format == "JPEG"
        and origin.data
    ):
        data, words = _same_jpeg(own, origin, lineage, keep_metadata)
        if data is not None:
            return data, words
        changes += words
    kept = _fitting(pixels, own, format)
    notes = Notes()
    if keep_metadata and own is not None:
        notes = kept_notes(own.metadata, pixels.size)
        changes += notes.changes
    if notes.iptc and format in ("PNG", "WEBP"):
        changes.append(f"{format} has no place for IPTC, which was left out.")
    if kept.density is not None and format == "WEBP" and not notes.exif:
        changes.append("WEBP has no place for the photo's density, which was left out.")
    data = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "TIFF": _tiff}[format](kept, notes, lineage)
    return data, (*changes, *kept.changes)


def _same_jpeg(
    own: OwnFile, origin: OwnFile, lineage: str, keep_metadata: bool
) -> tuple[bytes | None, tuple[str, ...]]:
    """The JPEG that all began with, with its blocks wherever nothing changed; or None, and why."""
    if own.mode != origin.mode or own.depth != 8:
        return None, (OTHER_KIND,)
    if own is not origin and not can_edit():
        return None, (NO_BLOCKS,)
    parts = read_parts(origin.data)
    before = origin.as_filed(origin.numbers())
    notes = turned(origin.orientation)
    if keep_metadata:
        notes = kept_notes(origin.metadata, (before.shape[1], before.shape[0]), origin.orientation)
    blocks = _segments(notes, lineage) + _profile_segments(origin.profile)
    try:
        if parts is None:
            raise ValueError("It is no JPEG any more.")
        after = before if own is origin else origin.as_filed(own.numbers())
        if np.array_equal(before, after):
            return without_notes(parts.clean, blocks, origin.density), notes.changes
        return edited(parts.clean, before, after, blocks, origin.density), notes.changes
    except (ImportError, ValueError):
        return None, (OTHER_JPEG,)


def _segments(notes: Notes, lineage: str) -> bytes:
    """A JPEG's segments for metadata; what is too long for one is left out."""
    exif, packet = exif_of(notes), packet_with(lineage, notes.xmp)
    segments = segment(APP1, b"Exif\0\0" + exif) if 0 < len(exif) < 65_000 else b""
    segments += jpeg_segments(packet) if packet else b""
    if notes.iptc and len(notes.iptc) < 65_000:
        segments += segment(APP13, photoshop(notes.iptc))
    return segments


def _profile_segments(profile: bytes | None) -> bytes:
    parts = [profile[at : at + ICC_PORTION] for at in range(0, len(profile), ICC_PORTION)] if profile else []
    if len(parts) > 255:
        return b""
    return b"".join(
        segment(APP2, b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part)
        for number, part in enumerate(parts, 1)
    )


# What a kind of file can hold


def _fitting(pixels: Image.Image, own: OwnFile | None, format: str) -> _Kept:
    """The picture as a file of `format` holds it, nearest to what it is."""
    if own is None:
        kept = _Kept(np.asarray(pixels), pixels.mode)
    elif is_plain(own):
        kept = _Kept(np.asarray(pixels), pixels.mode, profile=own.profile, density=own.density)
        kept.gamma, kept.chromaticities, kept.cicp = own.gamma, own.chromaticities, own.cicp
    else:
        kept = _Kept(
            own.numbers(),
            own.mode,
            own.depth,
            own.profile,
            own.cicp,
            own.gamma,
            own.chromaticities,
            own.palette,
            own.density,
            own.light,
        )
    if format == "PNG" and kept.mode != "CMYK":
        return kept
    if format in ("PNG", "WEBP") and kept.mode == "CMYK":
        return _in_srgb(kept, pixels, f"{format} has no CMYK, so it is saved as RGB in sRGB.")
    if kept.mode == "P" and kept.palette is not None:
        see_through = kept.palette.shape[1] == 4
        kept.numbers, kept.mode = whole_palette(kept.palette)[kept.numbers], "RGBA" if see_through else "RGB"
        kept.changes.append(f"{format} has no palette, so it is saved as {kept.mode}.")
    if kept.depth == 16 and format != "TIFF":
        kept.numbers, kept.depth = ((kept.numbers.astype(np.uint32) + 128) // 257).astype(np.uint8), 8
        kept.changes.append(f"{format} holds 8 bits a channel, so the photo's 16 were rounded.")
    if kept.cicp and Hdr.of(kept.cicp, None, None) is not None:
        return _in_srgb(
            kept, pixels, f"{format} can't tell HDR's light as a PNG does, so it is saved in sRGB."
        )
    if (kept.cicp or kept.gamma or kept.chromaticities) and format != "PNG":
        profile = icc_of(kept.profile, kept.cicp, kept.gamma, kept.chromaticities)
        # What a PNG says in its own way is said by a profile; one of colours fits no grey.
        if profile is not None and kept.mode in ("L", "LA"):
            return _in_srgb(kept, pixels, f"{format} can't tell this grey's gamma, so it is saved in sRGB.")
        kept.profile, kept.cicp, kept.gamma, kept.chromaticities = profile, None, None, None
    if kept.mode in ("L", "LA") and format == "WEBP":
        if kept.profile is not None:
            return _in_srgb(kept, pixels, "WEBP has no grey, so it is saved as RGB in sRGB.")
        grey = kept.numbers if kept.mode == "L" else kept.numbers[..., 0]
        rest = [] if kept.mode == "L" else [kept.numbers[..., 1]]
        kept.numbers, kept.mode = np.dstack([grey, grey, grey, *rest]), "RGB" + kept.mode[1:]
        kept.changes.append("WEBP has no grey, so it is saved as RGB of the same levels.")
    if format == "JPEG" and kept.mode in ("LA", "RGBA"):
        clear = int(kept.numbers[..., -1].min()) < 255
        kept.mode = kept.mode[:-1]
        kept.numbers = kept.numbers[..., 0] if kept.mode == "L" else kept.numbers[..., :3]
        kept.changes += ["JPEG has no transparency, which was left out."] * clear
    return kept


def _in_srgb(kept: _Kept, pixels: Image.Image, words: str) -> _Kept:
    return _Kept(np.asarray(pixels), pixels.mode, density=kept.density, changes=[*kept.changes, words])


# The kinds of files


def _image(kept: _Kept) -> Image.Image:
    numbers = np.ascontiguousarray(kept.numbers)
    if kept.mode in ("CMYK", "LA", "P"):
        # Told by its shape alone it could be something else.
        high, wide = numbers.shape[:2]
        image = Image.frombytes(kept.mode, (wide, high), numbers.tobytes())
        if kept.palette is not None:
            kinds = "RGBA" if kept.palette.shape[1] == 4 else "RGB"
            image.putpalette(kept.palette.tobytes(), kinds)
        return image
    return Image.fromarray(numbers)


def _jpeg(kept: _Kept, notes: Notes, lineage: str) -> bytes:
    out = io.BytesIO()
    extra = _segments(notes, lineage) + _profile_segments(kept.profile)
    more: dict[str, Any] = {"dpi": _dpi(kept)} if kept.density else {}
    subsampling = {} if kept.mode == "L" else {"subsampling": 0}
    _image(kept).save(out, "JPEG", quality=95, extra=extra, **subsampling, **more)
    return out.getvalue()


def _dpi(kept: _Kept) -> tuple[int, int]:
    across, down = kept.density or (72, 72)
    return min(65_535, max(1, round(across))), min(65_535, max(1, round(down)))


def _webp(kept: _Kept, notes: Notes, lineage: str) -> bytes:
    out = io.BytesIO()
    more: dict[str, Any] = {"icc_profile": kept.profile} if kept.profile else {}
    packet, exif = packet_with(lineage, notes.xmp), exif_of(notes)
    more |= {"xmp": packet} if packet else {}
    more |= {"exif": b"Exif\0\0" + exif} if exif else {}
    _image(kept).save(out, "WEBP", lossless=True, exact=True, quality=50, **more)
    return out.getvalue()


def _tiff(kept: _Kept, notes: Notes, lineage: str) -> bytes:
    more: dict[int, Any] = with_density(notes, kept.density) if kept.density else dict(notes.exif)
    packet = packet_with(lineage, notes.xmp)
    for tag, kind, value in ((34675, 7, kept.profile), (700, 1, packet), (33723, 7, notes.iptc)):
        if value:
            more[tag] = kind, value
    return tiff(kept.numbers, kept.mode, more, notes.order)


def _png(kept: _Kept, notes: Notes, lineage: str) -> bytes:
    before, after = [], []
    # One of these at most is what a reader goes by; cICP may stand beside a profile for those that don't know it.
    if kept.cicp is not None:
        before.append((b"cICP", bytes(kept.cicp)))
        if kept.light is not None:
            before.append((b"cLLI", struct.pack(">II", round(kept.light * 10_000), 0)))
    if kept.profile is not None:
        before.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(kept.profile)))
    if kept.chromaticities is not None:
        numbers = [round(value * 100_000) for value in kept.chromaticities]
        before.append((b"cHRM", struct.pack(">8I", *numbers)))
    if kept.gamma is not None:
        before.append((b"gAMA", struct.pack(">I", round(kept.gamma * 100_000))))
    if kept.density is not None:
        across, down = (round(number / INCH) for number in kept.density)
        after.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if lineage:
        after.append((b"iTXt", KEY.encode() + b"\0\0\0\0\0" + lineage.encode()))
    packet = packet_with("", notes.xmp)
    if packet:
        after.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    exif = exif_of(notes)
    if exif:
        after.append((b"eXIf", exif))
    if kept.depth == 16 and kept.mode != "L":
        plain = _deep_png(kept.numbers, kept.mode)
    else:
        out = io.BytesIO()
        _image(kept).save(out, "PNG", compress_level=QUICK)
        plain = out.getvalue()
    # Right behind IHDR for what must come before a palette, and before the pixels for the rest.
    head = 8 + 12 + 13
    pixels = plain.index(b"IDAT", head) - 4
    parts = [plain[:head], *map(_chunk, before), plain[head:pixels], *map(_chunk, after), plain[pixels:]]
    return b"".join(parts)


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, data = chunk
    return len(data).to_bytes(4) + kind + data + zlib.crc32(data, zlib.crc32(kind)).to_bytes(4)


# Rows that are filtered at a time.
ROWS = 256


def _deep_png(numbers: Numbers, mode: str) -> bytes:
    """A PNG of 16-bit colours, which Pillow does not write."""
    high, wide = numbers.shape[:2]
    size = numbers.shape[2] * 2
    packer, packed = zlib.compressobj(QUICK), []
    above = np.zeros((1, wide * size), np.uint8)
    for top in range(0, high, ROWS):
        rows = np.ascontiguousarray(numbers[top : top + ROWS]).astype(">u2").view(np.uint8)
        rows = rows.reshape(len(rows), wide * size)
        # Less the row above: filter 2 in every row.
        less = rows - np.concatenate([above, rows[:-1]])
        above = rows[-1:]
        packed.append(packer.compress(np.pad(less, ((0, 0), (1, 0)), constant_values=2).tobytes()))
    packed.append(packer.flush())
    colour = {"LA": 4, "RGB": 2, "RGBA": 6}[mode]
    head = struct.pack(">IIBBBBB", wide, high, 16, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", b"".join(packed)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))

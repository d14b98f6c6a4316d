"""A mask's files: the PNG that the service takes, and the JSON that keeps every mark."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageFilter

from ..errors import ImageError, MaskError
from ..files import write
from ..picture.reading import regular
from .meaning import EDITED

__all__ = ["png_of", "read_from", "write_to"]

T = TypeVar("T")
# Rows that are written at a time.
BAND = 256
# Over how many pixels a mask is smoothed to make its file smaller.
SMOOTHINGS = (1, 2, 4, 8, 16, 32)


def png_of(coverage: Image.Image, max_bytes: int | None) -> bytes:
    """As `Mask.to_png`, of a picture of the coverage. Raises `MaskError`."""
    data = _alpha_png(coverage)
    if max_bytes is None or len(data) <= max_bytes:
        return data
    for radius in SMOOTHINGS:
        smooth = coverage.point(EDITED).filter(ImageFilter.BoxBlur(radius))
        data = _alpha_png(smooth)
        if len(data) <= max_bytes and smooth.point(EDITED).getbbox():
            return data
    raise MaskError(
        f"This mask is too finely broken up for a PNG of {max_bytes:,} bytes. Paint plainer shapes, or use it on a "
        "smaller picture."
    )


def _alpha_png(coverage: Image.Image) -> bytes:
    """Black, and clear where the edit is.

    Less the row above, which is filter 2, a mask is nothing but at its edges, and of runs of nothing zlib's way for
    runs makes a smaller file than its others, in a tenth of the time that Pillow takes to try all filters.
    """
    edit = np.asarray(coverage.point(EDITED))
    height, width = edit.shape
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    packed = []
    rows = np.zeros((min(BAND, height), 1 + 4 * width), np.uint8)
    rows[:, 0] = 2
    for top in range(0, height, BAND):
        opaque = ~edit[max(0, top - 1) : top + BAND]
        if top == 0:
            opaque = np.concatenate((np.zeros_like(opaque[:1]), opaque))
        count = len(opaque) - 1
        np.subtract(opaque[1:], opaque[:-1], out=rows[:count, 4::4])
        packed.append(packer.compress(rows[:count].data))
    packed.append(packer.flush())
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", b"".join(packed)), (b"IEND", b""))
    written = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def read_from(path: str | os.PathLike[str], read: Callable[[str], T]) -> T:
    """What `read` makes of a file's text. Raises `MaskError`."""
    try:
        data = regular(Path(path).expanduser())
        if data is not None:
            return read(data.decode())
        problem = f"{str(path)[:200]!r} is a pipe, a device or a socket. Give the path of a mask's file."
    except (ImageError, MaskError) as error:
        problem = f"{Path(path).name!r} can't be used. {error}"
    except UnicodeDecodeError:
        problem = (
            f"{Path(path).name!r} is not a mask saved by Mask.save(). For a picture use Mask.from_image()."
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problem = f"{str(path)[:200]!r} could not be read ({reason}). Check the name."
    raise MaskError(problem)


def write_to(path: str | os.PathLike[str], text: str) -> Path:
    """Write a mask's JSON to `path`, a .json file, and return where it is. Raises `MaskError`."""
    where = Path(path).expanduser()
    where = where if where.suffix else where.with_suffix(".json")
    if where.suffix.lower() != ".json":
        raise MaskError(
            f"A mask is saved as .json, and {where.name!r} is not. For a picture write to_png() to a file."
        )
    try:
        write(where, text.encode())
    except OSError as error:
        problem = (
            f"{where} could not be written ({error.strerror or type(error).__name__}). Choose another place."
        )
    else:
        return where
    raise MaskError(problem)

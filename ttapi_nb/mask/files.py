"""A mask's files: the PNG that the service takes, and the JSON that keeps every mark."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PIL import Image, ImageFilter

from ..errors import ImageError, MaskError
from ..files import write
from ..picture.reading import regular
from .meaning import EDITED

__all__ = ["png_of", "read_from", "write_to"]

T = TypeVar("T")
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
    alpha = coverage.point([255 - value for value in EDITED])
    black = Image.new("L", coverage.size)
    out = io.BytesIO()
    Image.merge("RGBA", (black, black, black, alpha)).save(out, "PNG")
    return out.getvalue()


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

"""`Bitmap`: coverage given as pixels."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from PIL import Image

from ...errors import MaskError
from ...picture import PIXEL_CAP
from ..raster import Coverage, clipped, merge
from .mark import Mark, Tool
from .points import LARGEST, is_length, truth
from .reach import box_of

__all__ = ["Bitmap"]


@dataclass(frozen=True)
class Bitmap(Mark):
    """Coverage given as pixels, `size` of them with the first at `(x, y)`: a mask that was read, or a filled region."""

    kind: ClassVar[str] = "bitmap"
    x: int
    y: int
    size: tuple[int, int]
    packed: bytes = field(repr=False)
    erase: bool = False

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        x, y, (width, height) = data["x"], data["y"], data["size"]
        whole = all(isinstance(number, int) and abs(number) < LARGEST for number in (x, y))
        if not whole or not is_length(width) or not is_length(height) or width * height > PIXEL_CAP:
            raise ValueError
        packed = base64.b64decode(data["packed"], validate=True)
        mark = cls(x, y, (width, height), packed, truth(data["erase"]))
        # Now rather than when it is first drawn: what is damaged should fail where it is read.
        mark._pixels()
        return mark

    def written(self) -> dict[str, Any]:
        return super().written() | {"packed": base64.b64encode(self.packed).decode()}

    @classmethod
    def of(cls, coverage: Coverage, erase: bool = False) -> Self:
        """The mark that paints `coverage`, a (height, width) array, keeping only the box that has any."""
        box = Image.fromarray(coverage).getbbox() or (0, 0, 1, 1)
        kept = np.ascontiguousarray(coverage[box[1] : box[3], box[0] : box[2]])
        return cls(
            box[0], box[1], (box[2] - box[0], box[3] - box[1]), zlib.compress(kept.tobytes(), 6), erase
        )

    def _pixels(self) -> Coverage:
        width, height = self.size
        unpacker = zlib.decompressobj()
        try:
            # One byte more than is wanted, so that too many show, and never all that a bomb would unpack to.
            raw = unpacker.decompress(self.packed, width * height + 1)
        except zlib.error:
            raw = b""
        if len(raw) != width * height or not unpacker.eof:
            raise MaskError("This mask's pixels are damaged. Save it again from where it was made.")
        return np.frombuffer(raw, np.uint8).reshape(height, width)

    def scaled(self, sx: float, sy: float) -> Self:
        box = (round(self.x * sx), round(self.y * sy))
        size = (max(1, round(self.size[0] * sx)), max(1, round(self.size[1] * sy)))
        pixels = np.asarray(
            Image.fromarray(self._pixels()).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        )
        packed = zlib.compress(np.ascontiguousarray(pixels).tobytes(), 6)
        return replace(self, x=box[0], y=box[1], size=size, packed=packed)

    def draw(self, coverage: Coverage) -> None:
        """Paint the pixels into `coverage`, in place."""
        width, height = self.size
        left, top, right, bottom = clipped(self.x, self.y, self.x + width, self.y + height, coverage)
        if left < right and top < bottom:
            part = self._pixels()[top - self.y : bottom - self.y, left - self.x : right - self.x]
            merge(coverage[top:bottom, left:right], part, self.erase)

    def reach(self, size: tuple[int, int]) -> Sequence[tuple[int, int, int, int]]:
        return box_of((self.x, self.x + self.size[0]), (self.y, self.y + self.size[1]), 0, size)

    def cost(self, size: tuple[int, int]) -> tuple[float, float]:
        pixels = self.size[0] * self.size[1]
        return pixels, 2 * pixels

    def code(self) -> None:
        return None


# What it fills only the kernel knows, which has the photo.
Bitmap.tools = (Tool("bucket"),)

"""`Change`: a change to everything painted so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
from PIL import Image, ImageFilter

from ...errors import MaskError
from ..raster import Coverage, dilated
from .code import number
from .mark import Mark
from .points import FARTHEST, amount

__all__ = ["Change"]

What: TypeAlias = Literal["invert", "clear", "grow", "shrink", "feather"]


@dataclass(frozen=True)
class Change(Mark):
    """A change to everything painted so far: `invert`, `clear`, or `grow`, `shrink` and `feather` by `pixels`."""

    kind: ClassVar[str] = "change"
    what: What
    pixels: float = 0.0

    @classmethod
    def read(cls, data: dict[str, Any]) -> Change:
        if data["what"] not in get_args(What):
            raise MaskError(
                "This mask was changed in a way that is not known here. Open it with a newer ttapi_nb."
            )
        return cls(data["what"], amount(data["pixels"]))

    @property
    def fades(self) -> bool:
        """Whether it is a change that can leave nothing."""
        return self.what in ("feather", "shrink")

    @property
    def clears(self) -> bool:
        """Whether it is `clear`."""
        return self.what == "clear"

    def scaled(self, sx: float, sy: float) -> Change:
        return replace(self, pixels=min(FARTHEST, self.pixels * math.sqrt(sx * sy)))

    def draw(self, coverage: Coverage) -> None:
        """Change `coverage`, in place."""
        if self.what == "invert":
            np.subtract(255, coverage, out=coverage)
        elif self.what == "clear":
            coverage[:] = 0
        elif self.what == "grow":
            coverage[:] = dilated(coverage, self.pixels)
        elif self.what == "shrink":
            coverage[:] = 255 - dilated(255 - coverage, self.pixels)
        else:
            coverage[:] = np.asarray(
                Image.fromarray(coverage).filter(ImageFilter.GaussianBlur(self.pixels / 2))
            )

    def cost(self, size: tuple[int, int]) -> tuple[float, float]:
        width, height = size
        grows = self.what in ("grow", "shrink")
        reach = min(self.pixels, max(width, height))
        rows = 2 * min(self.pixels, height) + 1 if grows else 4
        padded = (width + 2 * min(reach, width)) * height
        return width * height * rows, padded * (2 + math.log2(2 * reach + 2)) if grows else 4 * width * height

    def code(self) -> str:
        return f".{self.what}({'' if self.what in ('invert', 'clear') else number(self.pixels)})"

"""`OwnFile`: a picture's own numbers and what they mean, beside the sRGB picture that is shown and sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["OwnFile"]

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class OwnFile:
    """What a picture was before it was brought to upright 8-bit sRGB.

    * `format`: `PNG`, `JPEG`, `WEBP`, `TIFF`, …; `""` for pixels that came from memory.
    * `mode`: how its numbers are meant: `L`, `LA`, `RGB`, `RGBA`, `CMYK` or `P`; `depth`: bits of each, 8 or 16.
    * `profile`: its ICC profile, or None; `cicp`, `gamma`, `chromaticities`: PNG's own ways to say it, or None.
    * `palette`: for mode `P`, a (colours, 3 or 4) array of uint8.
    * `orientation`: how EXIF says that it is turned, 1 to 8. `density`: pixels an inch across and down, or None.
    * `data`: the file's bytes, from which its numbers are decoded when they are needed; empty for pixels from memory.
    """

    format: str = ""
    mode: str = "RGB"
    depth: int = 8
    profile: bytes | None = field(default=None, repr=False)
    cicp: tuple[int, int, int, int] | None = None
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    palette: NDArray[np.uint8] | None = field(default=None, repr=False)
    orientation: int = 1
    density: tuple[float, float] | None = None
    data: bytes = field(default=b"", repr=False)
    _numbers: Numbers | None = field(default=None, repr=False)

    def numbers(self) -> Numbers:
        """The picture's own numbers, upright: (height, width) or (height, width, channels), uint8 or uint16."""
        raise NotImplementedError

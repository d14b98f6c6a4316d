"""`OwnFile`: a picture's own numbers and what they mean, beside the sRGB picture that is shown and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError
from .decode import filed, numbers_of, read_parts, upright
from .hdr import Hdr

__all__ = ["OwnFile"]

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class OwnFile:
    """What a picture was before it was brought to upright 8-bit sRGB.

    * `format`: `PNG`, `JPEG`, `WEBP`, `TIFF`, …; `""` for pixels that came from memory.
    * `mode`: how its numbers are meant: `L`, `LA`, `RGB`, `RGBA`, `CMYK` (0 is no ink) or `P`; `depth`: bits of each,
      8 or 16. Fewer bits are spread over 8; a PNG's one see-through colour is told by an alpha channel.
    * `profile`: its ICC profile, or None; `cicp`, `gamma`, `chromaticities`: PNG's own ways to say it, or None.
      Where several are there, browsers go by `cicp`, then `profile`; the others are None then. `gamma` is as the file
      says it, 0.45455 for example; `chromaticities` are x and y of white, red, green and blue.
    * `palette`: for mode `P`, a (colours, 3 or 4) array of uint8.
    * `orientation`: how EXIF says that it is turned, 1 to 8. `density`: pixels an inch across and down, or None.
    * `metadata`: `exif`, `xmp` and `iptc` (of JPEG, Photoshop's resource blocks) as they stand in the file.
    * `light`: the brightest that an HDR picture says it holds, in candela a square metre, or None.
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
    metadata: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    data: bytes = field(default=b"", repr=False)
    light: float | None = None
    # Pixels from memory: an array, or a picture that may be the very one that is shown.
    _numbers: Numbers | Image.Image | None = field(default=None, repr=False)

    @property
    def hdr(self) -> Hdr | None:
        """How its numbers mean light, where it is an HDR picture of colours or greys."""
        return Hdr.of(self.cicp, self.profile, self.light) if self.mode != "CMYK" else None

    def numbers(self) -> Numbers:
        """The picture's own numbers, upright: (height, width) or (height, width, channels), uint8 or uint16.

        Decoded anew at each call where they come from a file; treat them as read-only.
        """
        if self._numbers is not None:
            return upright(np.asarray(self._numbers), self.orientation)
        parts = read_parts(self.data)
        if parts is None:
            raise ImageError("The picture's own numbers are not there. Open it again from its file.")
        return upright(numbers_of(parts), self.orientation)

    def as_filed(self, numbers: Numbers) -> Numbers:
        """Upright numbers turned back to how the file stores them."""
        return filed(numbers, self.orientation)

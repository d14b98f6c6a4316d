"""A mask to look at: laid over its picture as a tint."""

from __future__ import annotations

from PIL import Image, ImageChops

from ..errors import MaskError
from ..picture import SourceImage

__all__ = ["OPACITY", "TINT", "laid_over"]

TINT = (0, 190, 255)
"""How a mask is tinted where nobody chose, in red, green and blue."""
OPACITY = 0.6
"""How much of the tint shows where nobody chose, 0 to 1."""


def laid_over(
    source: SourceImage,
    coverage: Image.Image,
    longest: int | None,
    colour: str | tuple[int, int, int],
    opacity: float,
) -> Image.Image:
    """As `Mask.over`, of a picture of the coverage. Raises `MaskError`."""
    if not 0 <= opacity <= 1:
        raise MaskError(f"The opacity is a number from 0 to 1, and not {opacity!r}. Give another.")
    shown = source.preview(longest or max(source.size))
    tint = coverage.resize(shown.size, Image.Resampling.BOX, reducing_gap=2.0)
    plain = shown.convert("RGB")
    plain.paste(colour, (0, 0, *plain.size), tint.point([round(value * opacity) for value in range(256)]))
    if shown.mode == "RGBA":
        # Tint shows on transparent parts too.
        plain.putalpha(ImageChops.lighter(shown.getchannel("A"), tint))
    return plain

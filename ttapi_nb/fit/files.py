"""The file that a picture travels in: of a format the model takes, and under its limit of bytes."""

from __future__ import annotations

from PIL import Image

from ..models import Model, megabytes
from ..picture import SourceImage, under_limit

__all__ = ["format_for", "light_enough"]


def format_for(source: SourceImage, row: Model) -> str:
    # JPEG has no transparency to send.
    format = "PNG" if source.format == "JPEG" and source.pixels.mode == "RGBA" else source.format
    return format if format in row.image_formats else "PNG"


def light_enough(picture: SourceImage, row: Model) -> tuple[SourceImage, str]:
    """The picture as a file under the model's limit where that can be had, and what it took."""
    if under_limit(picture, row.image_bytes):
        return picture, ""
    limit = megabytes(row.image_bytes)
    if picture.pixels.mode == "RGB":
        other = picture.as_format("JPEG")
        if "JPEG" in row.image_formats and picture.format != "JPEG" and under_limit(other, row.image_bytes):
            return other, f"It is sent as JPEG, since as {picture.format} it is not under {limit}."
    for bits in (7, 6, 5, 4):
        coarse = SourceImage(_coarser(picture.pixels, bits), picture.format, picture.name)
        if under_limit(coarse, row.image_bytes):
            return coarse, f"It is sent with {bits} bits a colour, since with 8 it is not under {limit}."
    return picture, ""


def _coarser(pixels: Image.Image, bits: int) -> Image.Image:
    step = 1 << (8 - bits)
    levels = [min(255, round(value / step) * step) for value in range(256)]
    kept = list(range(256)) if pixels.mode == "RGBA" else []
    return pixels.point(levels * 3 + kept)

"""How many bytes a picture takes as a file, as far as somebody needs to know."""

from __future__ import annotations

from .source import SourceImage

__all__ = ["under_limit"]


def under_limit(picture: SourceImage, limit: int) -> bool:
    """Whether the picture's file has fewer bytes than `limit`; it is encoded only where its size leaves that open."""
    if picture.is_written:
        return len(picture.file().data) < limit
    width, height = picture.size
    raw = width * height * len(picture.pixels.mode)
    # PNG adds a byte a row and a little a block to what it can't compress; the others may add more.
    most = raw + raw // 500 + height + 10_000
    if (most if picture.format == "PNG" else 2 * most) < limit or len(picture.file().data) < limit:
        return True
    # Written quickly it is larger than it need be.
    return picture.format == "PNG" and len(picture.smaller().data) < limit

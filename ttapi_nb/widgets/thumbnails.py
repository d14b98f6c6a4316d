"""Small pictures for trays and pages, that a notebook may save by the dozen."""

from __future__ import annotations

import io

from PIL import Image

from ..picture import preview

__all__ = ["THUMBNAIL_EDGE", "thumbnail"]

THUMBNAIL_EDGE = 256
THUMBNAIL_BYTES = 12_000
"""What a thumbnail may weigh. Ten of them and the photo's, saved twice as base64, stay under 0.5 MB of a notebook."""


def thumbnail(image: Image.Image) -> bytes:
    """A WEBP of `image`, no side over `THUMBNAIL_EDGE` pixels, in about `THUMBNAIL_BYTES` at most."""
    small = preview(image, THUMBNAIL_EDGE)
    data = b""
    # Few pictures need a second try: grain, mostly.
    for quality in (80, 60, 40, 20, 5):
        out = io.BytesIO()
        small.save(out, "WEBP", quality=quality)
        data = out.getvalue()
        if len(data) <= THUMBNAIL_BYTES:
            break
    return data

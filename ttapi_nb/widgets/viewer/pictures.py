"""The pictures of a run as the browser gets them, and as a notebook keeps them."""

from __future__ import annotations

import base64
import html
import io
import re

from PIL import Image

from ...fit import mask_for
from ...picture import ImageFile, preview
from ...run import Run

__all__ = ["as_file", "figure", "picture_of", "thumbnail"]

SHOWN_EDGE = 1600
"""The longest side of a picture that goes to the browser, in pixels; the full one stays here."""
THUMBNAIL_EDGE = 256
THUMBNAIL_BYTES = 14_000
"""What a thumbnail may weigh. Ten of them and the photo's, saved twice as base64, stay under 0.5 MB of a notebook."""


def picture_of(run: Run, name: str) -> Image.Image | None:
    """The picture of that name: `before`, or `result`, `raw` or `heat` and an index; None where there is none."""
    kind, _, index = name.partition(" ")
    source = run.source.pixels
    if kind == "before":
        return preview(source, SHOWN_EDGE)
    # Letters of other alphabets are digits too, and a long row of them is no index.
    if not re.fullmatch(r"[0-9]{1,4}", index) or int(index) >= len(run.results):
        return None
    result = run.results[int(index)]
    if kind == "result":
        return preview(result.image, SHOWN_EDGE)
    if kind == "raw":
        # Laid over the photo, so that both panes show the same place at the same point.
        mask = mask_for(run.source, run.asked.request.mask)
        return preview(run.plan.back(result.raw, run.source, mask), SHOWN_EDGE)
    if kind == "heat" and result.leak is not None:
        return result.leak.heat_map(over=run.request.image[0].pixels, longest=SHOWN_EDGE)
    return None


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


def as_file(image: Image.Image, name: str) -> ImageFile:
    out = io.BytesIO()
    if image.has_transparency_data:
        image.save(out, "WEBP", quality=88)
        return ImageFile(name, "image/webp", out.getvalue())
    # JPEG works in blocks that know nothing of each other: where two pictures are alike, their previews are too.
    image.convert("RGB").save(out, "JPEG", quality=88, subsampling=0)
    return ImageFile(name, "image/jpeg", out.getvalue())


def figure(thumbnail: bytes, alt: str, caption: str) -> str:
    source = base64.b64encode(thumbnail).decode()
    return (
        f'<figure style="margin:0;max-width:{THUMBNAIL_EDGE}px"><img alt="{html.escape(alt)}" '
        f'src="data:image/webp;base64,{source}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )

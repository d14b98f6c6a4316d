"""The pictures of results as the browser gets them: which there are by what name, and how they travel."""

from __future__ import annotations

import io

from PIL import Image

from ...fit import mask_for
from ...picture import ImageFile, SourceImage, preview
from ..thumbnails import thumbnail
from ..tray import Entry

__all__ = ["Before", "as_file", "picture_of"]

SHOWN_EDGE = 1600
"""The longest side of a picture that goes to the browser, in pixels; the full one stays here."""


class Before:
    """Thumbnails of the photos that results were made from, kept for those that were last used."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[str, bytes] = {}

    def thumbnail(self, source: SourceImage) -> bytes:
        """A small WEBP of a photo."""
        found = self._kept.pop(source.digest, None) or thumbnail(source.pixels)
        self._kept[source.digest] = found
        while len(self._kept) > self._most:
            self._kept.pop(next(iter(self._kept)))
        return found


def picture_of(name: str, entries: tuple[Entry, ...]) -> Image.Image | None:
    """The picture of that name: `photo` and its digest, or `result`, `raw` or `heat` and a result's key; None where
    there is none.
    """
    kind, _, key = name.partition(" ")
    if kind == "photo":
        source = next((one.run.source for one in entries if one.run.source.digest == key), None)
        return None if source is None else preview(source.pixels, SHOWN_EDGE)
    entry = next((one for one in entries if one.key == key), None)
    if entry is None:
        return None
    run, result = entry.run, entry.result
    if kind == "result":
        return preview(result.image, SHOWN_EDGE)
    if kind == "raw":
        # Laid over the photo, so that both panes show the same place at the same point.
        mask = mask_for(run.source, run.asked.request.mask)
        return preview(run.plan.back(result.raw, run.source, mask), SHOWN_EDGE)
    if kind == "heat" and result.leak is not None:
        return result.leak.heat_map(over=run.request.image[0].pixels, longest=SHOWN_EDGE)
    return None


def as_file(image: Image.Image, name: str) -> ImageFile:
    """A picture as it goes to the browser."""
    out = io.BytesIO()
    if image.has_transparency_data:
        image.save(out, "WEBP", quality=88)
        return ImageFile(name, "image/webp", out.getvalue())
    # JPEG works in blocks that know nothing of each other: where two pictures are alike, their previews are too.
    image.convert("RGB").save(out, "JPEG", quality=88, subsampling=0)
    return ImageFile(name, "image/jpeg", out.getvalue())

"""The pictures of results as the browser gets them: which there are by what name, and how they travel."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from ...fit import mask_for
from ...picture import ImageFile, SourceImage, preview
from ..thumbnails import thumbnail
from ..tray import Entry, Session
from .kept import alt_of
from .words import no_heat

__all__ = ["Before", "as_file", "pair_of", "picture_of"]

SHOWN_EDGE = 1600
"""The longest side of a picture that goes to the browser, in pixels; the full one stays here."""


class Before:
    """Thumbnails of the photos that results were made from, kept for those that were last used."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[str, bytes] = {}

    def thumbnail(self, source: SourceImage) -> bytes:
        """A small WEBP of a photo."""
        data = self._kept.pop(source.digest, None) or thumbnail(source.pixels)
        self._kept[source.digest] = data
        while len(self._kept) > self._most:
            self._kept.pop(next(iter(self._kept)))
        return data


def pair_of(session: Session, entry: Entry, index: int, photos: Before) -> dict[str, Any]:
    """What the browser is told of a result, the one at `index` of all, and of what it is laid over."""
    against, source = session.against, entry.run.source
    before = {"name": f"photo {source.digest}", "label": "Before", "alt": "Before the edit"}
    thumb = None if against is not None else photos.thumbnail(source)
    if against is not None:
        place = session.entries.index(against) if against in session.entries else 0
        before = {
            "name": f"result {against.key}",
            "label": f"Result {place + 1}",
            "alt": alt_of(place, against),
        }
        thumb = against.thumbnail
    item = {
        "key": entry.key,
        "alt": alt_of(index, entry),
        "label": "After" if against is None else f"Result {index + 1}",
        "has_raw": entry.result.kept,
        "no_heat": no_heat(entry.result),
    }
    return {"size": source.size, "before": before, "item": item, "thumbs": [thumb, entry.thumbnail]}


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

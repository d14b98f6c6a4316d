"""`Partial`: a draft of a result, as it comes while the result is made."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ..errors import ResultError
from ..fit import Box, Fit, Landed, mask_for
from ..mask import Mask
from ..picture import SourceImage, thumbnail_html
from ..reply import ImageData, PartialData
from ..request import EditRequest

__all__ = ["Partial"]


@dataclass(frozen=True)
class Partial:
    """A draft of a result that was not finished when it came: `number` is its place among those of the run, from 1.

    `image` is the photo with the draft where the result will be, and `raw` the draft as it came; both are made anew at
    each look, and raise `ResultError` where it is no picture. Nothing says which of several results it belongs to.
    """

    number: int
    data: PartialData = field(repr=False)
    source: SourceImage = field(repr=False)
    plan: Fit = field(repr=False)
    request: EditRequest = field(repr=False)
    strict: bool = True

    @property
    def index(self) -> int | None:
        """Its number as the service counts them, from 0; None where it did not say."""
        return self.data.index

    @property
    def raw(self) -> Image.Image:
        """The draft as it came, as a PIL image."""
        # Not kept: there may be many, and each takes memory once it is open.
        return ImageData(self.data.data).image

    @property
    def image(self) -> Image.Image:
        """The photo with the draft in it, as a PIL image; where one is made of words alone, the draft."""
        if self.request.generates:
            return self.raw
        mask = self.mask
        landed = self._landed(mask)
        if mask is None:
            return self.plan.laid(landed, self.source)
        whole = self.source.pixels.copy()
        if landed.region is None or landed.part is None:
            return whole
        shown = Image.fromarray(_part(mask, landed.region))
        whole.paste(landed.part.convert(whole.mode), landed.region[:2], shown)
        return whole

    def _repr_html_(self) -> str:
        try:
            return thumbnail_html(self.image, f"Draft {self.number}, not finished", 512)
        except ResultError as error:
            return f"<p>{html.escape(str(error))}</p>"

    @property
    def mask(self) -> Mask | None:
        """Where it may show, of the photo's size; None for everywhere."""
        return None if self.request.generates or not self.strict else mask_for(self.source, self.request.mask)

    def patch(self, most: int) -> tuple[Image.Image, Box] | None:
        """What of the photo it changes, with at most so many pixels a side, see-through where it changes nothing, and
        the box (left, top, right, bottom in the photo's pixels) that it covers. None where that is nothing.
        """
        if self.request.generates:
            picture = self.raw
            return _small(picture, most), (0, 0, *picture.size)
        mask = self.mask
        landed = self._landed(mask)
        region, seen = landed.region, landed.seen(most)
        if region is None or seen is None:
            return None
        if mask is not None:
            seen = seen.convert("RGB")
            seen.putalpha(Image.fromarray(_part(mask, region)).resize(seen.size, Image.Resampling.BOX))
        return seen, region

    def _landed(self, mask: Mask | None) -> Landed:
        return self.plan.land(self.raw, self.source, mask, None if mask is None else mask.bounds)


def _part(mask: Mask, box: Box) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    left, top, right, bottom = box
    return np.ascontiguousarray(mask.coverage()[top:bottom, left:right])


def _small(picture: Image.Image, most: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((most, most))
    return small

"""What the embedded service filled, given the photo's own detail where it is brought back larger than it was made."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from ..fit import Box, Fit
from ..mask import Mask
from ..picture import on_white

__all__ = ["finer", "is_filled"]

# Less than this is not worth the time.
LEAST = 1.2
# At most so many places are looked at: what is found a second time takes half as long.
PLACES = 10_000
# How much of the photo around the mask detail is taken from, as a share of the mask's longer side, at least in pixels.
AROUND, LEAST_AROUND = 0.5, 96


def is_filled(data: bytes | None) -> bool:
    """Whether the bytes of a result say that the embedded service's own fill is in it."""
    from ..service import FILLED

    if data is None:
        return False
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            info = picture.info
    except (OSError, ValueError, SyntaxError):
        return False
    notes = (info.get("Software"), info.get("comment"), info.get("xmp"))
    return FILLED in notes or FILLED.encode() in notes


def finer(part: Image.Image, region: Box, source: Image.Image, mask: Mask, plan: Fit) -> Image.Image:
    """What of an answer has landed in `region`, with detail of the photo around the mask where it was sent smaller."""
    from ..service import detail_of

    bounds, scale = mask.bounds, max(plan.scale)
    if bounds is None or part.mode != "RGB" or scale < LEAST:
        return part
    reach = max(LEAST_AROUND, round(AROUND * max(bounds[2] - bounds[0], bounds[3] - bounds[1])))
    box = (
        max(plan.inside[0], min(region[0], bounds[0] - reach)),
        max(plan.inside[1], min(region[1], bounds[1] - reach)),
        min(plan.inside[2], max(region[2], bounds[2] + reach)),
        min(plan.inside[3], max(region[3], bounds[3] + reach)),
    )
    photo = on_white(source.crop(box))
    covered = mask.coverage()[box[1] : box[3], box[0] : box[2]] > 0
    if source.mode == "RGBA":
        # Where nothing is to be seen there is no detail to take.
        covered = covered | (np.asarray(source.crop(box).getchannel("A")) == 0)
    size = max(1, round(photo.width / scale)), max(1, round(photo.height / scale))
    small = photo.resize(size, Image.Resampling.BOX)
    answer = photo.copy()
    answer.paste(part, (region[0] - box[0], region[1] - box[1]))
    hole = np.asarray(Image.fromarray(covered.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 0
    fill = answer.resize(size, Image.Resampling.BOX)
    added = detail_of(np.asarray(photo), np.asarray(small), np.asarray(fill), hole, PLACES)
    if added is None:
        return part
    (left, top, right, bottom), detail = added
    made = np.asarray(answer, np.float32)
    made[top:bottom, left:right] += detail * covered[top:bottom, left:right, None]
    fine = Image.fromarray(np.rint(np.clip(made, 0, 255)).astype(np.uint8))
    return fine.crop((region[0] - box[0], region[1] - box[1], region[2] - box[0], region[3] - box[1]))

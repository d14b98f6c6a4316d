"""The mask that travels with a picture, and what it asks for, in words."""

from __future__ import annotations

import numpy as np

from ..errors import MaskError
from ..mask import Mask, asked_for, edited, share
from ..picture import SourceImage

__all__ = ["mask_for", "masked_words"]


def mask_for(source: SourceImage, mask: Mask | SourceImage | None) -> Mask | None:
    """The mask that travels with `source`; None where nothing is painted, where it can be read in more than one way,
    and where it belongs to a picture of another size.
    """
    if mask is None or mask.size != source.size:
        return None
    if isinstance(mask, Mask):
        return asked_for(mask)
    try:
        return asked_for(Mask.read(mask, photo=source))
    except MaskError:
        return None


def masked_words(source: SourceImage, mask: Mask | None) -> str:
    """What `mask` asks of `source`, or what becomes of the picture without one, in a sentence or two."""
    if mask is not None:
        return mask.meaning.words
    sentence = "Nothing is masked: the whole picture may change."
    if source.pixels.mode == "RGBA":
        clear = 255 - np.asarray(source.pixels.getchannel("A"))
        hole = int(np.count_nonzero(edited(clear)))
        if 0 < hole < clear.size:
            return (
                f"{sentence} Its hole ({share(hole, clear.size)} is transparent) may be filled: to change only that, "
                "use mask=Mask.hole_of(photo)."
            )
    return sentence

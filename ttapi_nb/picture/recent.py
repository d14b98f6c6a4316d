"""Pictures in memory that were opened just now: the same one, sent with many prompts, is copied and encoded once."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping
from typing import Any, TypeAlias

from PIL import Image, ImageChops

from .source import SourceImage

__all__ = ["opened_before", "remember"]

MOST = 8
"""So many are remembered."""
MODES = ("RGB", "RGBA")
Known: TypeAlias = tuple[weakref.ref[Image.Image], Mapping[Any, Any], weakref.ref[SourceImage]]
# None is kept alive by this. Whoever adds to it puts another list in its place, so that no lock is needed.
_known: list[Known] = []


def opened_before(image: Image.Image, name: str) -> SourceImage | None:
    """What the same picture was opened as, if that is still in use; it may have been painted on since."""
    if image.mode not in MODES:
        return None
    for whose, info, opened in reversed(_known):
        earlier = opened() if whose() is image else None
        if earlier is None or earlier.name != name or earlier.pixels.size != image.size:
            continue
        if dict(image.info) == info and not image.getexif() and _same(earlier.pixels, image):
            return earlier
    return None


def _same(one: Image.Image, other: Image.Image) -> bool:
    """Whether they have the same pixels: a quarter of the time of comparing their bytes, which are made first."""
    return one.mode == other.mode and ImageChops.difference(one, other).getbbox(alpha_only=False) is None


def remember(image: Image.Image, opened: SourceImage) -> None:
    """It was opened as this, where nothing had to be changed for that."""
    global _known  # noqa: PLW0603 - as said
    if opened.changes or image.mode != opened.pixels.mode or image.getexif():
        return
    # What can't be weakly held, or whose notes can't be compared, is opened again.
    with contextlib.suppress(TypeError):
        info: Mapping[Any, Any] = dict(image.info)
        entry: Known = (weakref.ref(image), info, weakref.ref(opened))
        _known = [*(one for one in _known if one[0]() is not None and one[2]() is not None), entry][-MOST:]

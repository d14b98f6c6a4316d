"""Masks that come as several: Segment Anything's, COCO's annotated, and stacks of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..picture import PIXEL_CAP, SourceImage
from .arrays import as_array, coverage_of, is_array
from .coco import is_rle, polygons, run_lengths
from .meaning import edited, share
from .raster import Coverage

__all__ = ["Hints", "Reading", "annotated", "canvas", "several"]

# Masks that together cover more than this are not meant together: they cut the whole picture into its parts.
NEARLY_ALL = 0.95
# So many are named in a sentence.
NAMED = 4
# No picture has more annotations than this.
MOST = 10_000


@dataclass(frozen=True)
class Hints:
    """What was said beside the thing to read: see `Mask.read`."""

    photo: SourceImage | None = None
    edit: str | None = None
    turn: Any = None
    which: Any = None
    image_id: Any = None


@dataclass(frozen=True, eq=False)
class Reading:
    """Coverage that was read, how it was understood, and whether it may be empty (as what was drawn here may)."""

    coverage: Coverage
    words: str
    may_be_empty: bool = False


def canvas(hints: Hints, what: str) -> tuple[int, int]:
    """The size (width, height) to draw outlines at: the photo's, before it was turned where the mask is to turn too."""
    if hints.photo is None:
        raise MaskError(f"{what} alone don't tell the picture's size. Use Mask.read(…, photo=photo).")
    width, height = hints.photo.size
    own = hints.photo.own
    sideways = hints.turn in (90, -90) or (hints.turn == "exif" and own is not None and own.orientation >= 5)
    return (height, width) if sideways else (width, height)


def several(array: NDArray[Any], hints: Hints, scores: NDArray[Any] | None = None) -> Reading:
    """One of the masks of a (number, height, width) array, or their union, as far as it is clear which is meant."""
    while array.ndim > 3 and 1 in array.shape[:-2]:
        array = array.squeeze(array.shape[:-2].index(1))
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not array.size or array.size > 16 * PIXEL_CAP:
        shape = "x".join(map(str, array.shape))
        raise MaskError(
            f"An array of shape {shape} is no mask. Give one mask, (height, width), or several, (n, height, width)."
        )
    number, height, width = array.shape
    covered, words = coverage_of(array.reshape(number * height, width), logits=True)
    masks = list(covered.reshape(number, height, width))
    if scores is not None and hints.which is None:
        ranked = np.asarray(scores, np.float64).reshape(-1)
        if ranked.size == number and np.isfinite(ranked).all():
            best = int(ranked.argmax())
            return Reading(
                masks[best], f"read as the best of {number} masks, number {best} (score {ranked[best]:.2f})"
            )
    return _chosen(masks, hints, f"masks ({words})")


def _chosen(masks: list[Coverage], hints: Hints, what: str, *, meant_together: bool = False) -> Reading:
    """One of several masks of one size, or their union where they are meant together."""
    if len(masks) == 1 and hints.which in (None, 0, -1, "all"):
        return Reading(masks[0], f"read as a single one of {what}")
    if len({mask.shape for mask in masks}) > 1:
        raise MaskError(
            f"These {len(masks)} masks are of different sizes. Choose one: Mask.read(…, which=0)."
        )
    if hints.which is not None and hints.which != "all":
        if (
            not isinstance(hints.which, int)
            or isinstance(hints.which, bool)
            or not -len(masks) <= hints.which < len(masks)
        ):
            raise MaskError(
                f'which={str(hints.which)[:40]!r} is none of {len(masks)} masks. Count from 0, or use which="all".'
            )
        return Reading(masks[hints.which], f"read as number {hints.which} of {len(masks)} {what}")
    whole, sums = masks[0].copy(), 0
    for mask in masks:
        sums += int(np.count_nonzero(edited(mask)))
    for mask in masks[1:]:
        np.maximum(whole, mask, out=whole)
    union = int(np.count_nonzero(edited(whole)))
    apart = sums == union
    if hints.which is None and not apart and not (meant_together and union <= NEARLY_ALL * whole.size):
        raise MaskError(_which(masks, union))
    if hints.which is None and meant_together and union > NEARLY_ALL * whole.size and len(masks) > 1:
        raise MaskError(_which(masks, union))
    return Reading(whole, f"read as the union of {len(masks)} {what}")


def _which(masks: list[Coverage], union: int) -> str:
    areas = [share(int(np.count_nonzero(edited(mask))), mask.size) for mask in masks[:NAMED]]
    more = f" and {len(masks) - NAMED} more" if len(masks) > NAMED else ""
    return (
        f"These are {len(masks)} masks, which edit {', '.join(areas)}{more} of the picture, or together "
        f'{share(union, masks[0].size)}. Say which: Mask.read(…, which=0) for the first, or which="all".'
    )


def annotated(entries: Any, hints: Hints, images: Any = None) -> Reading:
    """The union of COCO's annotated, or of Segment Anything's dicts, of one image."""
    if not isinstance(entries, list | tuple) or not all(isinstance(one, Mapping) for one in entries):
        raise MaskError("These annotations are no list of dicts. Give COCO's JSON, or its annotations.")
    chosen = [one for one in entries if is_rle(one) or one.get("segmentation") is not None]
    if len(chosen) > MOST:
        raise MaskError(f"These are {len(chosen):,} annotations. Give those of one image, {MOST:,} at most.")
    chosen, size = _of_one_image(chosen, hints, images)
    if not chosen:
        raise MaskError(
            "No annotation here holds a segmentation, so nothing is marked. Check the image's id."
        )
    masks = [np.where(_segmentation(one, hints, size), 255, 0).astype(np.uint8) for one in chosen]
    return _chosen(masks, hints, "annotations", meant_together=True)


def _of_one_image(
    entries: list[Mapping[str, Any]], hints: Hints, images: Any
) -> tuple[list[Mapping[str, Any]], tuple[int, int] | None]:
    """The annotations of the one image that is meant, and its size where the file tells it."""
    rows = [one for one in images if isinstance(one, Mapping)] if isinstance(images, list | tuple) else []
    wanted = hints.image_id
    if wanted is None and rows and hints.photo is not None:
        named = [
            one
            for one in rows
            if str(one.get("file_name", "")).replace("\\", "/").rsplit("/", 1)[-1] == hints.photo.name
        ]
        wanted = named[0].get("id") if len(named) == 1 else None
    if wanted is not None:
        entries = [one for one in entries if one.get("image_id") == wanted]
        if not entries:
            raise MaskError(f"No annotation here is of the image {str(wanted)[:40]!r}. Check image_id.")
    ids = list(dict.fromkeys(str(one.get("image_id")) for one in entries if "image_id" in one))
    if len(ids) > 1:
        more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
        raise MaskError(
            f"These annotations are of {len(ids)} images, {', '.join(ids[:NAMED])}{more}. "
            "Say which: Mask.read(…, image_id=…)."
        )
    row = next((one for one in rows if str(one.get("id")) in ids), None)
    size = None
    if row is not None:
        width: Any = row.get("width")
        height: Any = row.get("height")
        if _is_side(width) and _is_side(height) and width * height <= PIXEL_CAP:
            size = (int(width), int(height))
    return entries, size


def _is_side(side: Any) -> bool:
    return isinstance(side, int) and not isinstance(side, bool) and side > 0


def _segmentation(one: Mapping[str, Any], hints: Hints, size: tuple[int, int] | None) -> NDArray[np.bool_]:
    segmentation = one if is_rle(one) else one["segmentation"]
    if is_rle(segmentation):
        return run_lengths(segmentation)
    if is_array(segmentation):
        return edited(coverage_of(as_array(segmentation), logits=True)[0])
    if isinstance(segmentation, list | tuple) and segmentation:
        outlines = (
            [segmentation]
            if not isinstance(segmentation[0], list | tuple) and not is_array(segmentation[0])
            else list(segmentation)
        )
        if any(np.ndim(outline) == 2 and np.shape(outline)[1] != 2 for outline in outlines):
            return edited(coverage_of(as_array(segmentation), logits=True)[0])
        size = size or canvas(hints, "Polygons")
        _check_reach(outlines, size)
        return polygons([np.ravel(outline).tolist() for outline in outlines], size)
    raise MaskError(
        "A segmentation is a list of polygons, run lengths or an array, and this one is none. Export it again."
    )


def _check_reach(outlines: list[Any], size: tuple[int, int]) -> None:
    try:
        reach = [np.asarray(outline, np.float64).reshape(-1, 2).max(axis=0) for outline in outlines]
    except (TypeError, ValueError, OverflowError):
        # What is wrong with it is said where it is drawn.
        return
    right, bottom = np.max(reach, axis=0)
    if right > size[0] + 1 or bottom > size[1] + 1:
        raise MaskError(
            f"The outline reaches to ({right:g}, {bottom:g}), beyond the picture of {size[0]}x{size[1]}. Give the "
            'picture it was drawn on, or turn="exif" where that was turned.'
        )

"""What other tools make, as coverage: which kind it is, told by its form, and how it was understood, in words."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ImageError, MaskError
from ..picture import FILE_CAP, SourceImage, open_image
from .arrays import as_array, coverage_of, flat, is_array
from .meaning import edited
from .outlines import contours, labelme
from .pictures import WORDS, coverage_of_picture, holds_numbers, picture_reading
from .raster import Coverage
from .several import Hints, Reading, annotated, several

__all__ = ["Hints", "Reading", "placed", "reading_of"]

KINDS = (
    "Give a picture, an array of (height, width), what gradio's editor returns, Segment Anything's masks, COCO's "
    "annotations, labelme's JSON, OpenCV's contours, or a Mask."
)
# Files that begin like this hold JSON.
JSON_STARTS = (b"{", b"[")
# Windows' editors begin a text with this.
BOM = "\ufeff"


def reading_of(source: Any, hints: Hints) -> Reading | str:
    """What `source` means as a mask; where it is one of our own that was saved, its JSON. Raises `MaskError`."""
    if isinstance(source, Mapping):
        return _of_dict(source, hints)
    if isinstance(source, SourceImage) or (isinstance(source, Image.Image) and not holds_numbers(source)):
        return _of_picture(source, hints)
    if isinstance(source, Image.Image):
        return _of_array(np.asarray(source), hints)
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
        return _of_text(source, hints)
    if is_array(source):
        return _of_array(as_array(source), hints)
    if isinstance(source, list | tuple):
        return _of_list(source, hints)
    try:
        # An answer, an upload, a figure, a result: the opener knows these.
        picture = open_image(source, name="mask")
    except ImageError as error:
        problem = str(error)
    else:
        return _of_picture(picture, hints)
    if hasattr(source, "read") or hasattr(source, "status_code"):
        raise ImageError(problem)
    raise MaskError(f"A mask can't be read from {type(source).__name__}. {KINDS}")


def _of_picture(source: Any, hints: Hints) -> Reading:
    picture = open_image(source, name=None if isinstance(source, SourceImage) else "mask")
    if hints.edit is not None:
        return Reading(coverage_of_picture(picture, hints.edit), WORDS[hints.edit])
    return Reading(*picture_reading(picture, hints.photo))


def _of_text(source: Any, hints: Hints) -> Reading | str:
    """A path, an address, the bytes of a file, or JSON itself."""
    if isinstance(source, str):
        if source.lstrip(f"{BOM} \t\r\n")[:1] in ("{", "["):
            return _of_json(source.lstrip(BOM), hints)
        if source.lower().startswith(("http://", "https://", "data:", "file:")):
            return _of_picture(source, hints)
    if not isinstance(source, str | os.PathLike):
        data = bytes(source)
        return _of_json(data, hints) if _is_json(data[:64]) else _of_picture(data, hints)
    path = Path(source)
    try:
        path, start = path.expanduser(), b""
        # A pipe would be waited for.
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(64)
                if _is_json(start) and path.stat().st_size <= FILE_CAP:
                    return _of_json(start + file.read(), hints)
        if start.startswith(b"\x93NUMPY"):
            return _of_array(np.load(path, mmap_mode="r", allow_pickle=False), hints)
    except MaskError as error:
        problem = f"{path.name!r} can't be used. {error}"
        raise MaskError(problem) from None
    except (OSError, ValueError, RuntimeError):
        # What is wrong with the path is said where pictures are opened.
        pass
    return _of_picture(path, hints)


def _is_json(start: bytes) -> bool:
    return start.removeprefix(BOM.encode()).lstrip()[:1] in JSON_STARTS


def _of_json(text: str | bytes, hints: Hints) -> Reading | str:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise MaskError(f"This is no JSON of a mask: it can't be parsed. {KINDS}") from None
    if isinstance(parsed, dict) and "marks" in parsed:
        return text if isinstance(text, str) else text.decode("utf-8-sig")
    return reading_of(parsed, hints)


def _of_dict(value: Mapping[str, Any], hints: Hints) -> Reading | str:
    if "marks" in value and "version" in value:
        try:
            return json.dumps(dict(value), default=lambda one: one if isinstance(one, str) else list(one))
        except (TypeError, ValueError, RecursionError):
            raise MaskError("This is not a mask saved by Mask.to_json().") from None
    if "layers" in value or {"background", "composite"} <= set(value):
        return _of_layers(value, hints)
    if {"image", "mask"} <= set(value):
        # gradio before 4: white paint on black.
        return _named(_of_paint(value["mask"], hints), "read as gradio's sketch: what is white edits")
    if {"counts", "size"} <= set(value) or "segmentation" in value:
        return annotated([value], hints)
    if "annotations" in value:
        return annotated(value["annotations"], hints, value.get("images"))
    if "shapes" in value:
        return labelme(value, hints)
    if "masks" in value:
        scores = value.get("scores", value.get("iou_scores"))
        return several(as_array(value["masks"]), hints, None if scores is None else as_array(scores))
    if "mask" in value and ("label" in value or "score" in value):
        # What transformers' segmentation finds.
        return _of_detections([value], hints)
    for name in ("content", "path", "url"):
        if value.get(name):
            return _of_picture(value if name == "content" else value[name], hints)
    if value and all(isinstance(one, Mapping) and "content" in one for one in value.values()):
        return _of_picture(value, hints)
    raise MaskError(
        f"A dict with {', '.join(map(repr, list(value)[:6])) or 'nothing in it'} is no mask that is known here. {KINDS}"
    )


def _of_detections(detections: Any, hints: Hints) -> Reading:
    """Things found in a picture, each with its mask and what it is."""
    masks = [one["mask"] for one in detections]
    arrays = [flat(np.asarray(one) if isinstance(one, Image.Image) else as_array(one)) for one in masks]
    if len({one.shape for one in arrays}) > 1:
        raise MaskError(f"These {len(arrays)} masks are of different sizes. Give one of them.")
    return several(np.stack(arrays), hints)


def _of_layers(value: Mapping[str, Any], hints: Hints) -> Reading:
    """The editor of gradio: its layers hold what was painted, whatever the colour, on transparency."""
    layers = value.get("layers")
    if not isinstance(layers, list | tuple) or not layers:
        raise MaskError("This value of gradio's editor has no layer, so nothing was painted. Paint first.")
    painted: list[Coverage] = []
    for layer in layers:
        picture = open_image(_file_of(layer), name="mask")
        if picture.pixels.mode != "RGBA":
            raise MaskError(
                "A layer of this gradio value has no transparency, so what was painted can't be told. Use "
                'ImageEditor(image_mode="RGBA"), or Mask.from_image(value["layers"][0], edit="white").'
            )
        painted.append(coverage_of_picture(picture, "painted"))
    if len({covered.shape for covered in painted}) > 1:
        raise MaskError("The layers of this gradio value are of different sizes. Export it again.")
    many = f"{len(layers)} layers" if len(layers) > 1 else "layer"
    return Reading(
        np.maximum.reduce(painted), f"read as gradio's editor: what is painted on its {many} edits"
    )


def _file_of(picture: Any) -> Any:
    """A picture of gradio's: itself, or the path or address of its file."""
    if isinstance(picture, Mapping):
        return picture.get("path") or picture.get("url") or picture
    return picture


def _of_paint(sketch: Any, hints: Hints) -> Reading:
    sketch = _file_of(sketch)
    if is_array(sketch) and as_array(sketch).ndim == 2:
        return _of_array(as_array(sketch), hints)
    return Reading(coverage_of_picture(open_image(sketch, name="mask"), hints.edit or "white"), "")


def _named(reading: Reading, words: str) -> Reading:
    return Reading(reading.coverage, words)


def _of_array(array: NDArray[Any], hints: Hints) -> Reading:
    shape = array.shape
    size = None if hints.photo is None else hints.photo.size[::-1]
    if array.ndim == 3 and 1 not in (shape[0], shape[2]) and shape[1:] != size:
        if shape[2] == 3 and (array[..., :1] == array).all():
            array = array[..., 0]
        elif shape[2] in (3, 4) and array.dtype == np.uint8:
            return _of_picture(array, hints)
        elif shape[2] == 2 and array.dtype == np.uint8 and size in (None, shape[:2]):
            return _of_picture(Image.fromarray(array, "LA"), hints)
    outline = array.ndim == 3 and shape[1:] == (1, 2) and size != shape[:2]
    if outline or (array.ndim == 2 and shape[1] == 2 and size not in (None, shape)):
        return contours([array], hints)
    if array.ndim > 2 and sum(side > 1 for side in shape) > 2:
        return several(array, hints)
    covered, words = coverage_of(flat(array), logits=True)
    if hints.edit == "black":
        return Reading(255 - covered, "read as an array in which black (0) edits")
    return Reading(covered, f"read as an array of {array.dtype}: {words}")


def _of_list(items: Any, hints: Hints) -> Reading | str:
    if not items:
        raise MaskError(f"This list is empty, so it marks nothing. {KINDS}")
    if all(isinstance(one, Mapping) for one in items):
        if all("points" in one for one in items):
            return labelme({"shapes": items}, hints)
        if all("content" in one for one in items):
            return _of_picture(items, hints)
        if all("mask" in one for one in items):
            return _of_detections(items, hints)
        return annotated(items, hints)
    arrays = [as_array(one) for one in items if is_array(one)]
    if len(items) == len(arrays) == 3 and _is_triple(*arrays):
        return several(arrays[0], hints, arrays[1])
    if len(items) == 2 and isinstance(items[0], list | tuple) and (items[1] is None or is_array(items[1])):
        return contours(items[0], hints, items[1])
    if len(arrays) == len(items) and all(one.ndim == 3 and one.shape[1:] == (1, 2) for one in arrays):
        return contours(items, hints)
    if len(arrays) == len(items) and all(one.ndim >= 2 and min(one.shape[-2:]) > 2 for one in arrays):
        return _of_stack(arrays, hints)
    if _is_flat(items):
        return annotated([{"segmentation": [items]}], hints)
    if all(isinstance(one, list | tuple) and one and all(_is_flat(flat) for flat in one) for one in items):
        # Of several things, each with its polygons.
        return annotated([{"segmentation": one} for one in items], hints)
    if hints.photo is not None and _is_outlines(items, hints.photo.size):
        if all(np.ndim(one) == 1 and len(one) == 2 for one in items):
            return contours([items], hints)
        if all(np.ndim(one) == 1 for one in items):
            return annotated([{"segmentation": items}], hints)
        return contours(items, hints)
    if len(arrays) == len(items) and arrays[0].ndim >= 2:
        return _of_stack(arrays, hints)
    return _of_array(as_array(items), hints)


def _of_stack(arrays: list[NDArray[Any]], hints: Hints) -> Reading:
    """Masks as a list of arrays."""
    masks = [flat(one) for one in arrays]
    if len({one.shape for one in masks}) > 1:
        raise MaskError(f"These {len(masks)} masks are of different sizes. Give one of them.")
    return several(np.stack(masks), hints)


def _is_flat(numbers: Any) -> bool:
    """Whether these are plain numbers in a row, as COCO writes a polygon: x, y, and so on."""
    return (
        isinstance(numbers, list | tuple)
        and len(numbers) >= 6
        and not len(numbers) % 2
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
    )


def _is_triple(masks: NDArray[Any], scores: NDArray[Any], logits: NDArray[Any]) -> bool:
    """Whether this is what Segment Anything's predictor returns: masks, scores, logits."""
    return masks.ndim >= 3 and logits.ndim >= 3 and scores.size == math.prod(masks.shape[:-2])


def _is_outlines(items: Any, size: tuple[int, int]) -> bool:
    """Whether a list holds corners rather than the rows of a mask of the photo's size."""
    try:
        lengths = {len(one) for one in items}
    except TypeError:
        return False
    return not (len(items) == size[1] and lengths == {size[0]})


# Bringing it to the photo


TURNS = {90: -1, -90: 1, 180: 2}


def placed(reading: Reading, photo: SourceImage | None, turn: Any, *, resize: bool) -> Coverage:
    """The coverage, turned and brought to the photo's size as hints. Raises `MaskError` where it doesn't fit."""
    covered = _turned(reading.coverage, turn, photo)
    if photo is not None and covered.shape != photo.size[::-1]:
        if not resize:
            raise MaskError(size_problem(covered.shape[::-1], photo))
        scaled = Image.fromarray(covered).resize(photo.size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        covered = np.asarray(scaled)
    if not reading.may_be_empty and not edited(covered).any():
        faint = (
            "what is painted is nowhere half covered" if covered.any() else "no pixel of it is to be edited"
        )
        raise MaskError(
            f"The mask marks nothing: {faint} ({reading.words}). Check where it comes from, or leave the mask out to "
            "change everything."
        )
    return covered


def size_problem(size: tuple[int, int], photo: SourceImage) -> str:
    """Why a mask of `size` is not the photo's, and what to do, in a sentence or two."""
    mask, picture = (f"{one[0]}x{one[1]}" for one in (size, photo.size))
    sizes = f"The mask is {mask} and the picture {picture}."
    orientation = photo.own.orientation if photo.own is not None else 1
    if size == photo.size[::-1]:
        if orientation >= 5:
            return (
                f"{sizes} The picture was turned upright, as its EXIF says, and the mask was not: "
                'Mask.read(mask, photo=photo, turn="exif") turns it too.'
            )
        return f"{sizes} It seems to lie on its side: Mask.read(mask, photo=photo, turn=90) turns it, or turn=-90."
    if abs(size[0] * photo.size[1] - size[1] * photo.size[0]) <= max(*size, *photo.size):
        return (
            f"{sizes} Make the mask at the picture's own size, or use "
            "Mask.read(mask, photo=photo, resize=True)."
        )
    return f"{sizes} Make the mask at the picture's own size."


def _turned(covered: Coverage, turn: Any, photo: SourceImage | None) -> Coverage:
    if turn is None:
        return covered
    if turn == "exif":
        if photo is None or photo.own is None or photo.own.orientation == 1:
            raise MaskError(
                'turn="exif" turns the mask as the photo\'s EXIF says, and no photo with such a note was given. '
                "Give photo=…, or turn=90 or -90."
            )
        return _as_exif_says(covered, photo.own.orientation)
    if isinstance(turn, bool) or turn not in TURNS:
        raise MaskError(f'turn={str(turn)[:40]!r} is not known. Use turn="exif", 90, -90 or 180.')
    return np.ascontiguousarray(np.rot90(covered, TURNS[turn]))


def _as_exif_says(covered: Coverage, orientation: int) -> Coverage:
    turned = covered.T if orientation in (5, 6, 7, 8) else covered
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)

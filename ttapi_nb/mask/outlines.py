"""Outlines as masks: OpenCV's contours and labelme's shapes, drawn by the rules of the tools they come from."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..errors import ImageError, MaskError
from ..picture import PIXEL_CAP, open_image
from .arrays import as_array
from .raster import Coverage
from .several import Hints, Reading, canvas

__all__ = ["contours", "labelme"]

# Coordinates stay under this, in pixels, and there are no more of them in one mask.
LARGEST, MOST_POINTS, MOST_SHAPES = 1e6, 2_000_000, 20_000
# labelme's own: how wide a line is drawn, and how large a point.
LINE_WIDTH, POINT_RADIUS = 10, 5

NO_POINTS = (
    "An outline's points must be pairs of ordinary numbers, [[x, y], [x, y], …], in pixels. Check for nan."
)


def contours(arrays: Sequence[Any], hints: Hints, hierarchy: Any = None) -> Reading:
    """What OpenCV's contours enclose, the contours themselves among it; holes as `hierarchy` has them."""
    size = canvas(hints, "Contours")
    outlines = [_points(outline) for outline in arrays]
    if not outlines:
        raise MaskError("There is no contour, so nothing is marked. Check what was found.")
    if len(outlines) > MOST_SHAPES or sum(map(len, outlines)) > MOST_POINTS:
        raise MaskError(f"These {len(outlines):,} contours are too many. Leave out the smallest.")
    depths = _depths(hierarchy, len(outlines))
    _check_reach(outlines, size)
    whole = Image.new("L", size)
    draw = ImageDraw.Draw(whole)
    # What lies within is drawn over what it lies in.
    for at in sorted(range(len(outlines)), key=lambda at: depths[at]):
        corners = [(float(round(x)), float(round(y))) for x, y in outlines[at].tolist()]
        if depths[at] % 2:
            _take_out(whole, corners)
            draw = ImageDraw.Draw(whole)
        else:
            _fill(draw, corners)
    many = f"{len(outlines)} contours" if len(outlines) > 1 else "contour"
    return Reading(np.array(whole), f"read as what the {many} enclose{'' if len(outlines) > 1 else 's'}")


def _points(outline: Any) -> NDArray[np.float64]:
    array = as_array(outline)
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 2 or array.shape[1] != 2 or not len(array) or array.dtype.kind not in "uif":
        raise MaskError(NO_POINTS)
    points = array.astype(np.float64)
    if not np.isfinite(points).all() or np.abs(points).max() >= LARGEST:
        raise MaskError(NO_POINTS)
    return points


def _check_reach(outlines: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> None:
    right, bottom = np.max([outline.max(axis=0) for outline in outlines], axis=0)
    if right > size[0] + 1 or bottom > size[1] + 1:
        raise MaskError(
            f"The outline reaches to ({right:g}, {bottom:g}), beyond the picture of {size[0]}x{size[1]}. Give the "
            'picture it was drawn on, or turn="exif" where that was turned.'
        )


def _depths(hierarchy: Any, count: int) -> list[int]:
    """How deep each contour lies in others: even ones are outer borders, odd ones those of holes."""
    if hierarchy is None:
        return [0] * count
    rows = as_array(hierarchy)
    rows = rows[0] if rows.ndim == 3 and len(rows) == 1 else rows
    if rows.shape != (count, 4) or rows.dtype.kind not in "ui":
        raise MaskError(
            "The hierarchy is not that of these contours. Give both as cv2.findContours returned them."
        )
    parents = rows[:, 3].tolist()
    depths: list[int] = []
    for at in range(count):
        depth, parent = 0, parents[at]
        while 0 <= parent < count and depth <= count:
            depth, parent = depth + 1, parents[parent]
        if depth > count or (parent != -1 and not 0 <= parent < count):
            raise MaskError("The hierarchy of these contours is damaged. Find them again.")
        depths.append(depth)
    return depths


def _fill(draw: ImageDraw.ImageDraw, corners: list[tuple[float, float]]) -> None:
    if len(corners) == 1:
        draw.point(corners, fill=255)
    elif len(corners) == 2:
        draw.line(corners, fill=255)
    else:
        draw.polygon(corners, fill=255, outline=255)


def _take_out(whole: Image.Image, corners: list[tuple[float, float]]) -> None:
    """A hole's contour runs along the pixels around it, which stay."""
    if len(corners) < 3:
        return
    hole = Image.new("L", whole.size)
    draw = ImageDraw.Draw(hole)
    draw.polygon(corners, fill=255)
    draw.line([*corners, corners[0]], fill=0)
    whole.paste(0, (0, 0), hole)


def labelme(document: Mapping[str, Any], hints: Hints) -> Reading:
    """The union of labelme's shapes, each drawn as labelme draws it."""
    shapes = document["shapes"]
    if not isinstance(shapes, list | tuple) or not all(isinstance(one, Mapping) for one in shapes):
        raise MaskError("This labelme file holds no list of shapes. Save it again in labelme.")
    if not shapes:
        raise MaskError(
            "This labelme file holds no shape, so nothing is marked. Draw one, and save it again."
        )
    if len(shapes) > MOST_SHAPES:
        raise MaskError(
            f"This labelme file holds {len(shapes):,} shapes, which are too many. Leave some out."
        )
    size = _size(document, hints)
    whole = Image.new("L", size)
    for shape in shapes:
        _draw_shape(whole, shape)
    labels = list(dict.fromkeys(str(shape.get("label", "?"))[:40] for shape in shapes))
    named = ", ".join(labels[:4]) + (" and more" if len(labels) > 4 else "")
    many = f"{len(shapes)} shapes" if len(shapes) > 1 else "shape"
    return Reading(np.array(whole), f"read as labelme's {many}: {named}")


def _size(document: Mapping[str, Any], hints: Hints) -> tuple[int, int]:
    width: Any = document.get("imageWidth")
    height: Any = document.get("imageHeight")
    if width is None and height is None:
        return canvas(hints, "Shapes")
    whole = all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in (width, height))
    if not whole or width * height > PIXEL_CAP:
        raise MaskError(
            "This labelme file's imageWidth and imageHeight are no picture's. Save it again in labelme."
        )
    return width, height


def _draw_shape(whole: Image.Image, shape: Mapping[str, Any]) -> None:
    kind = shape.get("shape_type") or "polygon"
    outline = shape.get("points")
    if not isinstance(outline, list | tuple) or not outline or len(outline) > MOST_POINTS:
        raise MaskError(NO_POINTS)
    points = [(float(x), float(y)) for x, y in _points(outline).tolist()]
    if kind == "mask":
        _paste_mask(whole, shape, points)
        return
    if kind in ("rectangle", "rotation") and len(points) == 4:
        # As X-AnyLabeling writes them.
        kind = "polygon"
    least = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "point": 1, "points": 1}
    if kind not in least:
        raise MaskError(f"labelme's shape {str(kind)[:40]!r} is not known here. Draw it as a polygon.")
    if len(points) < least[kind] or (kind in ("rectangle", "circle") and len(points) != 2):
        raise MaskError(f"A {kind} of labelme's can't have {len(points)} points. Draw it again.")
    draw = ImageDraw.Draw(whole)
    if kind == "polygon":
        draw.polygon(points, fill=255, outline=255)
    elif kind == "rectangle":
        (x0, y0), (x1, y1) = points
        draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=255, outline=255)
    elif kind == "circle":
        (x, y), rim = points
        _disc(draw, x, y, math.dist((x, y), rim))
    elif kind in ("line", "linestrip"):
        draw.line(points, fill=255, width=LINE_WIDTH)
    else:
        for x, y in points:
            _disc(draw, x, y, POINT_RADIUS)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255, outline=255)


def _paste_mask(whole: Image.Image, shape: Mapping[str, Any], points: list[tuple[float, float]]) -> None:
    """Masks of labelme's own: a small picture, in which all that is not 0 is marked, and the box it fills."""
    text = shape.get("mask")
    problem = "A mask in this labelme file is damaged. Save it again in labelme."
    if not isinstance(text, str) or len(points) != 2:
        raise MaskError(problem)
    try:
        picture = open_image(base64.b64decode(text, validate=True), name="mask")
    except (binascii.Error, ValueError, ImageError):
        raise MaskError(problem) from None
    marked: Coverage = np.asarray(picture.pixels.convert("L"))
    stencil = Image.fromarray(np.where(marked > 0, 255, 0).astype(np.uint8))
    whole.paste(255, (round(points[0][0]), round(points[0][1])), stencil)

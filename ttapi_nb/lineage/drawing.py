"""A mask as it is written down mark by mark, where that is small, and drawn again, where that is bearable."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable

from ..errors import MaskError
from ..mask import TILE, Bitmap, Mark, Mask, Shape, Stroke
from ..picture import SourceImage

__all__ = ["MASK_CAP", "drawing_of", "drawn", "is_drawable", "mask_of"]

MASK_CAP = 256_000
"""A drawing whose JSON is longer than this, in characters, stays out: only its hash is written."""
# What drawing a mask may cost, in pixels that are looked at, about a quarter of a minute; and in bytes at once.
WORK_CAP = 1e10
MEMORY_CAP = 800e6
# What strokes and shapes hold while a part of them is worked out, in bytes, however large they are.
AT_ONCE = 60e6


def mask_of(given: Mask | SourceImage | None) -> Mask | None:
    """What a request has for a mask, as a mask; None where a picture says nothing, as an unchecked one may."""
    if isinstance(given, SourceImage):
        return Mask.from_image(given, edit="transparent") if given.pixels.mode == "RGBA" else None
    return given


def drawing_of(mask: Mask | None) -> str:
    """The mask as JSON in ASCII, or "" where there is none or it takes more than `MASK_CAP` characters."""
    text = "" if mask is None else json.dumps(json.loads(mask.to_json()), separators=(",", ":"))
    return text if len(text) <= MASK_CAP else ""


def drawn(drawing: str) -> Mask | None:
    """The mask that `drawing_of` wrote, or None where there is none that can be used.

    It may be somebody else's: a few bytes can ask for hours of drawing.
    """
    if not 0 < len(drawing) <= MASK_CAP:
        return None
    try:
        mask = Mask.from_json(drawing)
        return mask if is_drawable(mask) else None
    except (MaskError, ValueError, OverflowError, TypeError, RecursionError):
        return None


def is_drawable(mask: Mask) -> bool:
    """Whether a mask that came from elsewhere can be drawn in bearable time and memory."""
    costs = _costs(mask)
    return (
        math.fsum(work for work, _ in costs) <= WORK_CAP
        and max((held for _, held in costs), default=0) <= MEMORY_CAP
    )


def _costs(mask: Mask) -> list[tuple[float, float]]:
    """For each mark about how many pixels are looked at to draw it, and how many bytes are held at once for it.

    A stroke's pixels cost ten times as much as others. See `Stroke.draw` and `Shape.draw`.
    """
    width, height = mask.size

    def sides(xs: Iterable[float], ys: Iterable[float], reach: float) -> tuple[float, float]:
        xs, ys = list(xs), list(ys)
        across = min(width, max(xs) + reach) - max(0, min(xs) - reach)
        down = min(height, max(ys) + reach) - max(0, min(ys) - reach)
        return max(0.0, across), max(0.0, down)

    def piece(one: tuple[float, float, float], two: tuple[float, float, float]) -> float:
        across, down = sides((one[0], two[0]), (one[1], two[1]), max(one[2], two[2]) + 1)
        # Of a large piece its tiles are looked at, and the pixels along its edge.
        return min(across * down, across * down / TILE**2 + 2 * TILE * (across + down))

    def cost(mark: Mark) -> tuple[float, float]:
        if isinstance(mark, Stroke):
            pieces = zip(mark.points, mark.points[1:] or mark.points, strict=False)
            return 10 * math.fsum(piece(one, two) for one, two in pieces), 2 * width * height + AT_ONCE
        if isinstance(mark, Shape):
            across, down = sides((x for x, _ in mark.points), (y for _, y in mark.points), 0)
            # Each line that an edge crosses is looked for again; ellipses and rectangles have few.
            ys = [min(max(y, 0), height) for _, y in mark.points]
            crossed = math.fsum(abs(one - two) for one, two in itertools.pairwise(ys))
            return 16 * across * down + 800 * crossed, AT_ONCE
        if isinstance(mark, Bitmap):
            return mark.size[0] * mark.size[1], 2 * mark.size[0] * mark.size[1]
        grows = mark.what in ("grow", "shrink")
        reach = min(mark.pixels, max(width, height))
        rows = 2 * min(mark.pixels, height) + 1 if grows else 4
        padded = (width + 2 * min(reach, width)) * height
        return width * height * rows, padded * (2 + math.log2(2 * reach + 2)) if grows else 4 * width * height

    return [cost(mark) for mark in mask.marks]

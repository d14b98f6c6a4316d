"""Which size is asked of a model, and which box is cut out around a mask."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models import Model, SizeRule, parse_size
from ..picture import PIXEL_CAP
from .geometry import Box, Size, fits_into, held_in, holding, side_of

__all__ = [
    "AUTO_AREA",
    "asked_size",
    "best_size",
    "chooses",
    "context_of",
    "crop_box",
    "grown",
    "worth_cutting",
]

AUTO_AREA = 2_000_000
"""Where any size may be asked for, `auto` asks for no more pixels than this: larger ones cost more."""
# How much of the picture around the mask goes with it, as a share of the mask's longer side, and at least in pixels.
CONTEXT, LEAST_CONTEXT = 0.5, 32
# A mask with its context that takes less of the picture than this is cut out.
SMALL = 0.5
# A cut that saves less than this much of a picture that has the right shape anyway is not worth making.
NEARLY_ALL = 0.8


def asked_size(row: Model, size: Any) -> Size | None:
    """The size that is asked for by name, where the model takes it and it can be made."""
    sides = parse_size(size) if isinstance(size, str) else None
    # What the model does not take is left to problems(), which says so.
    if sides is None or not row.takes_size(size) or sides[0] * sides[1] > PIXEL_CAP:
        return None
    return sides


def chooses(row: Model, size: Any) -> bool:
    return bool(row.known and size == "auto" and (row.size_rule or any(map(parse_size, row.sizes))))


def best_size(row: Model, needed: Size) -> Size:
    """The size that suits a box of `needed` best: the nearest shape, and no more pixels than it has use for."""
    if row.size_rule is not None:
        shapes, areas, sizes = _allowed(row.size_rule)
        wanted = min(max(needed[0] * needed[1], row.size_rule.least_area), AUTO_AREA)
        # A shape that is off by 1% pads as much as an area that is off by 20% scales.
        cost = 20 * abs(shapes - math.log(needed[0] / needed[1])) + abs(areas - math.log(wanted))
        return sizes[int(np.argmin(cost))]

    def cost_of(size: Size) -> tuple[float, bool, int]:
        area = size[0] * size[1]
        short = size[0] < needed[0] or size[1] < needed[1]
        return (
            round(abs(math.log(size[0] / size[1] * needed[1] / needed[0])), 6),
            short,
            -area if short else area,
        )

    return min((sides for sides in map(parse_size, row.sizes) if sides), key=cost_of)


@functools.cache
def _allowed(rule: SizeRule) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Size]]:
    """Every size that meets the rule and is no larger than `auto` asks for: its shape, its area (as logs), itself."""
    sides = range(rule.multiple, rule.longest + 1, rule.multiple)
    most = max(AUTO_AREA, rule.least_area)
    sizes = [
        (width, height)
        for width in sides
        for height in sides
        if width * height <= most and rule.takes(width, height)
    ]
    logs = np.log(np.array(sizes, np.float64))
    return logs[:, 0] - logs[:, 1], logs.sum(axis=1), sizes


def context_of(bounds: Box) -> int:
    return max(LEAST_CONTEXT, math.ceil(CONTEXT * max(side_of(bounds))))


def grown(bounds: Box, by: int, size: Size) -> Box:
    left, top, right, bottom = bounds
    return max(0, left - by), max(0, top - by), min(size[0], right + by), min(size[1], bottom + by)


def crop_box(source: Size, bounds: Box, sent: Size) -> Box:
    """The box to cut: the mask with its context and no smaller than what is sent, as far as the source has it."""
    context = context_of(bounds)
    wanted = holding(side_of(grown(bounds, context, source)), sent)
    if wanted[0] < sent[0] or wanted[1] < sent[1]:
        wanted = sent
    if not fits_into(wanted, source):
        # Less context is better than padding, and padding is better than a mask that is cut.
        least = side_of(grown(bounds, context // 4, source))
        inner = held_in(source, sent)
        wanted = inner if fits_into(least, inner) else holding(least, sent)
    (left, right), (top, bottom) = (
        _placed(bounds[axis] + bounds[axis + 2], wanted[axis], source[axis]) for axis in (0, 1)
    )
    return left, top, right, bottom


def _placed(middle_twice: int, length: int, side: int) -> tuple[int, int]:
    start = (middle_twice - length) // 2
    start = min(max(start, 0), side - length) if length <= side else -((length - side) // 2)
    return start, start + length


def worth_cutting(source: Size, needed: Size, box: Box, sent: Size) -> bool:
    area = source[0] * source[1]
    width, height = side_of(box)
    if not fits_into((width, height), source) or (width, height) == source:
        return False
    if needed[0] * needed[1] > SMALL * area:
        return False
    return width * height <= NEARLY_ALL * area or holding(source, sent) != source

"""Pixels and coverage on their way to a model, and an answer's on its way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..mask import HALF, edited
from .geometry import Box, Rect, Size

__all__ = ["carried", "cells", "plain", "repeat_edges", "resized"]

# How far Pillow's Lanczos filter reaches, in pixels of the coarser grid.
SUPPORT = 3


def plain(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    see_through = image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] != 255
    return image.convert("RGBA" if see_through else "RGB")


def resized(image: Image.Image, rect: Rect, size: Size) -> Image.Image:
    """The part `rect` of the image at `size`; untouched where its pixels are that already."""
    left, top = max(0.0, rect[0]), max(0.0, rect[1])
    right, bottom = min(float(image.width), rect[2]), min(float(image.height), rect[3])
    whole = tuple(map(round, (left, top, right, bottom)))
    nearly = max(abs(one - other) for one, other in zip(whole, (left, top, right, bottom), strict=True))
    if nearly < 1e-6 and (whole[2] - whole[0], whole[3] - whole[1]) == size:
        return image if whole == (0, 0, *image.size) else image.crop((whole[0], whole[1], whole[2], whole[3]))
    return image.resize(size, Image.Resampling.LANCZOS, (left, top, right, bottom), reducing_gap=3.0)


@dataclass(frozen=True)
class _Axis:
    """One side of a picture on its way: how much of it is read and padded, and where it lands."""

    start: int
    end: int
    before: int
    after: int
    window: tuple[float, float]
    first: int
    last: int

    @classmethod
    def of(cls, low: int, high: int, side: int, sent: int) -> _Axis:
        step = (high - low) / sent
        # Padding beyond the filter's reach is all one colour, so it is repeated after scaling.
        reach = math.ceil((SUPPORT + 2) * max(step, 1)) + 1
        before, after = min(max(0, -low), reach), min(max(0, high - side), reach)
        first = math.ceil((-before - low) / step) if -low > before else 0
        last = math.floor((side + after - low) / step) if high - side > after else sent
        window = (low + first * step, low + last * step)
        start = max(0, math.floor(window[0]) - reach)
        end = min(side, math.ceil(window[1]) + reach)
        origin = start - before
        return cls(start, end, before, after, (window[0] - origin, window[1] - origin), first, last)


def carried(image: Image.Image, box: Box, size: Size) -> Image.Image:
    """The pixels in `box` at `size`, edge pixels repeated where the box reaches beyond the image.

    What is either clear or solid stays so: a half of it would be neither kept nor filled.
    """
    carried = _scaled(image, box, size)
    if carried.mode == "RGBA":
        levels = image.getchannel("A").getcolors(2)
        if levels and {level for _, level in levels} <= {0, 255}:
            carried.putalpha(carried.getchannel("A").point([0] * 128 + [255] * 128))
    return carried


def _scaled(image: Image.Image, box: Box, size: Size) -> Image.Image:
    across = _Axis.of(box[0], box[2], image.width, size[0])
    down = _Axis.of(box[1], box[3], image.height, size[1])
    part = image.crop((across.start, down.start, across.end, down.end))
    part = _edged(part, across.before, down.before, across.after, down.after)
    rect = (across.window[0], down.window[0], across.window[1], down.window[1])
    part = resized(part, rect, (across.last - across.first, down.last - down.first))
    return _edged(part, across.first, down.first, size[0] - across.last, size[1] - down.last)


def _edged(image: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    if not (left or top or right or bottom):
        return image
    return Image.fromarray(np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), "edge"))


def cells(
    part: NDArray[np.uint8], offset: int, side: int, span: tuple[int, int], sent: int, axis: int
) -> NDArray[np.uint8]:
    """Coverage along one axis in the sent picture's pixels; `part` begins at `offset` of the source's `side`."""
    part = np.moveaxis(part, axis, 0)
    count, step = part.shape[0], (span[1] - span[0]) / sent
    if step >= 1:
        cells = np.floor((np.arange(offset, offset + count) + 0.5 - span[0]) / step).astype(np.int64)
        cells = np.clip(cells, 0, sent - 1)
        starts = np.flatnonzero(np.diff(cells, prepend=-1))
        result = np.zeros((sent, part.shape[1]), np.uint8)
        result[cells[starts]] = np.maximum.reduceat(part, starts, axis=0)
    else:
        middles = span[0] + (np.arange(sent) + 0.5) * step
        places = middles - 0.5 - offset
        # Beyond the mask's bounds there is none of it; beyond the picture's border it just goes on.
        before = part[:1] * np.uint8(offset == 0)
        after = part[-1:] * np.uint8(offset + count == side)
        ringed = np.concatenate((before, part, after))
        low = np.clip(np.floor(places).astype(np.int64), -1, count - 1)
        share = np.clip(places - low, 0, 1).astype(np.float32)[:, None]
        soft = ringed[low + 1] * (1 - share) + ringed[low + 2] * share
        near = ringed[np.clip(np.floor(places + 0.5).astype(np.int64), -1, count) + 1]
        # Smooth between pixels, and never less than a painted pixel needs to count as painted.
        floor = np.where(edited(near), np.uint8(HALF), np.minimum(near, 1))
        result = np.maximum(np.rint(soft).astype(np.uint8), floor)
        # Nor more where it is not: what is sent edits what the mask edits.
        np.minimum(result, np.uint8(HALF - 1), out=result, where=~edited(near))
        result[(middles < 0) | (middles > side)] = 0
    return np.moveaxis(result, 0, axis)


def repeat_edges(rows: NDArray[np.uint8], start: float, end: float) -> None:
    """Let rows before `start` and after `end` be what the edge is, at least, in place."""
    first, last = max(0, math.ceil(start - 0.5)), min(len(rows), math.floor(end + 0.5))
    np.maximum(rows[:first], rows[first], out=rows[:first])
    np.maximum(rows[last:], rows[last - 1], out=rows[last:])

"""What one would see of a leak: what is left of a difference once light, place and noise are taken off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .clipped import BLACK, WHITE
from .light import evening_of
from .look import Look
from .register import Moved, moved_of, read_moved
from .seam import Floats

__all__ = ["LOOK", "seen_of"]

Made = TypeVar("Made", bound=NDArray[Any])

# What is seen is looked for with at most so many pixels a side.
LOOK = 1600
# A change of more levels than this is seen where it is wide, and where it is narrow.
WIDE, NARROW = 7.0, 12.0
# Noise is what most pixels of like texture differ by; it is seen beyond so many times that.
NOISY = 4.5
# What is that much more than the least is no noise, however much of it there is.
MOST = 2.5
# Textures told apart, by how much a picture changes from pixel to pixel there.
TEXTURES = (2.0, 4.0, 8.0, 16.0, 32.0)
# So many pixels at a time: their sums stay near the processor, which takes half the time.
BAND = 1 << 16
# How much of its surroundings has to be seen too, and by how much it has to differ itself, as levels and as a share.
TOGETHER, ITSELF, SHARE = 0.45, 5.0, 0.3


def seen_of(look: Look, counted: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], bool]:
    """Which pixels look changed, and which could be compared: two (height, width) arrays of bool; and whether the
    answer is bent, so that much of that is but out of place.

    `counted` tells which may. The answer is first laid where it belongs and its light evened out as a whole.
    """
    moved = moved_of(look)
    if moved is not None and not moved.still:
        back = moved.in_steps(look.step)
        counted = counted & _reached(look, back)
        look = look.with_answer(read_moved(look.answer, (0, 0, *look.answer.size), back))
    evening, _ = evening_of(look, whole=True)
    before = np.asarray(look.source.convert("RGB"))
    came = np.asarray(look.answer.convert("RGB"))
    after: Floats = came.astype(np.float32)
    if evening is not None:
        planes = [np.ascontiguousarray(came[..., channel]) for channel in range(3)]
        alone = replace(evening.shrunk(look.step), lost=())
        after = np.stack(alone.applied(planes, (0, 0, *look.answer.size)), axis=2)
        # What was clipped may have been what the source is.
        white = (came >= WHITE - 1) & (before > after)
        black = (came <= BLACK + 1) & (before < after)
        after = np.where(white | black, before, after)
    changed: NDArray[np.bool_] = np.zeros(counted.shape, np.bool_)
    texture = _in_bands(_texture, 5, before)
    for radius, least in ((1, NARROW), (3, WIDE)):
        beyond = _in_bands(partial(_beyond, radius=radius), 2 * radius + 1, before, after)
        noise = _noise(beyond, texture, counted)
        changed |= beyond > np.clip(NOISY * noise, least, MOST * least)[texture]
    near = np.asarray(
        Image.fromarray((changed & counted).astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(2)), np.float32
    )
    seen = (near > 255 * TOGETHER) & counted & _in_bands(_itself, 3, before, after)
    return seen, counted, moved is not None and moved.bent > 0


def _reached(look: Look, moved: Moved) -> NDArray[np.bool_]:
    """Where the answer, once moved back, has something to show."""
    full = Image.new("L", look.answer.size, 255)
    framed = Image.new("L", (full.width + 2, full.height + 2))
    framed.paste(full, (1, 1))
    rows, columns = look.outside.shape
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    across, down = moved.there(x, y)
    reached: NDArray[np.bool_] = (across >= 1) & (down >= 1) & (across <= columns - 1) & (down <= rows - 1)
    return reached


def _edged(plane: Floats, radius: int) -> Floats:
    """With its first and last row repeated; `np.pad` takes ten times as long for a small one."""
    rows = len(plane)
    edged = np.empty((rows + 2 * radius, plane.shape[1]), plane.dtype)
    edged[radius : radius + rows] = plane
    edged[:radius], edged[radius + rows :] = plane[:1], plane[-1:]
    return edged


def _boxed(plane: Floats, radius: int) -> Floats:
    """The mean over a square of `2 * radius + 1` pixels, the edge repeated beyond the border."""
    length = 2 * radius + 1
    down = _edged(plane, radius)
    rows, columns = plane.shape
    # Never turned round: with its rows in one piece each of these takes a fraction of the time.
    total = down[:rows] + down[1 : 1 + rows]
    for start in range(2, length):
        total += down[start : start + rows]
    across = np.empty((rows, columns + 2 * radius), total.dtype)
    across[:, radius : radius + columns] = total
    across[:, :radius], across[:, radius + columns :] = total[:, :1], total[:, -1:]
    total = across[:, :columns] + across[:, 1 : 1 + columns]
    for start in range(2, length):
        total += across[:, start : start + columns]
    total *= np.float32(1 / length**2)
    return total


def _in_bands(work: Callable[..., Made], reach: int, *planes: NDArray[Any]) -> Made:
    """What `work` makes of planes, (height, width, ...), some rows at a time; it looks at `reach` rows beyond each."""
    height, width = planes[0].shape[:2]
    rows = max(1, BAND // width)
    if rows + reach >= height:
        return work(*planes)
    made = []
    for top in range(0, height, rows):
        first = max(0, top - reach)
        part = work(*(plane[first : top + rows + reach] for plane in planes))
        made.append(part[top - first : top - first + rows])
    return cast(Made, np.concatenate(made))


def _beyond(before: NDArray[np.uint8], after: Floats, radius: int) -> Floats:
    """By how much what is now there lies beyond all that was there or right beside it: what is only softer, sharper or
    off by less than a pixel does not.
    """
    most: Floats = np.zeros(before.shape[:2], np.float32)
    for channel in range(3):
        one, other = (
            _boxed(_boxed(pixels[..., channel].astype(np.float32), radius), radius)
            for pixels in (before, after)
        )
        low, high = (_around(_around(one, extreme, 0), extreme, 1) for extreme in (np.minimum, np.maximum))
        np.maximum(most, other - high, out=most)
        np.maximum(most, low - other, out=most)
    return most


def _itself(before: NDArray[np.uint8], after: Floats) -> NDArray[np.bool_]:
    """Where a pixel itself differs, by enough beside the most that those right beside it do: softening, which finds
    what is wide, spreads it too.
    """
    differs = np.max([np.abs(_boxed(after[..., at] - before[..., at], 1)) for at in range(3)], axis=0)
    most = differs
    for _ in range(2):
        most = _around(_around(most, np.maximum, 0), np.maximum, 1)
    return np.asarray(differs > np.maximum(ITSELF, SHARE * most))


def _around(values: Floats, extreme: Any, axis: int) -> Floats:
    """Each value's least or greatest neighbour along an axis, itself among them."""
    extremes = values.copy()
    ahead, behind = np.moveaxis(extremes, axis, 0), np.moveaxis(values, axis, 0)
    extreme(ahead[1:], behind[:-1], out=ahead[1:])
    extreme(ahead[:-1], behind[1:], out=ahead[:-1])
    return extremes


def _texture(before: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How rough the source is around each pixel, as the number of its class."""
    grey = np.asarray(Image.fromarray(before).convert("L"), np.float32)
    rough = _boxed(np.abs(grey - _boxed(grey, 1)), 4)
    return np.digitize(rough, TEXTURES)


def _noise(beyond: Floats, texture: NDArray[np.int64], counted: NDArray[np.bool_]) -> Floats:
    """What most pixels of each class of texture differ by."""
    usual = np.zeros(len(TEXTURES) + 1, np.float32)
    for number in range(len(usual)):
        here = beyond[counted & (texture == number)]
        # The upper quartile, as half or more may be within what is beside them, in a normal distribution's terms.
        usual[number] = float(np.percentile(here, 75)) / 1.15 if len(here) > 200 else 0.0
    return usual

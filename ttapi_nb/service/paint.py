"""The edit itself, by plain image processing, with no model in it.

* With a hole, the hole is filled from the rest of the picture by PatchMatch, at 512 pixels or below, and
  pasted back into the hole only: outside it every pixel stays what it was.
* Without one, or where the hole is all there is, the whole picture is painted over: smoothed along its edges
  as by a broad brush, with richer colours.
* Where the hole is empty there is nothing to edit, and the picture comes back as it is.

Of the prompt only colour words are read: they tint what was painted. The results of one request differ in the
fill and in a slight cast of colour and brightness, and are the same every time for the same picture, prompt,
seed and number in the row.
"""

from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .. import forking
from .colour import Floats, colours_in, luminance, tint
from .detail import detail_of
from .rules import Hole

__all__ = ["fills_of", "leak", "over_white", "paint"]

Fill: TypeAlias = npt.NDArray[np.uint8]

WORK_SIZE = 512
"""The longest side that PatchMatch works at, in pixels: larger takes long and looks no better."""

BRUSH_SIZE = 1024
"""The longest side that a whole picture is painted at, in pixels."""

PATCH = 5
LEAST_MARGIN = 96
TINT = 0.9
WHOLE_TINT = 0.75
CAST = 11.0
LEAK_CAST = 9.0
GRAIN = 4.0
GOLDEN_ANGLE = 2.399963

# PatchMatch keeps one random state for the whole process.
_patchmatch_lock = threading.Lock()
forking.anew(globals(), "_patchmatch_lock")


def fills_of(
    picture: Image.Image, hole: Hole | None, seed: int, count: int, longest: int | None = None
) -> list[Fill]:
    """What `hole` is filled with in each of `count` results, worked out side by side; nothing where none is to fill.

    `seed` steers the first, and so the others. `longest` is the longest side that it is worked out at, in pixels.
    """
    if hole is None or not hole.any() or hole.all():
        return []
    left, top, right, bottom = _surroundings(hole)
    part = over_white(picture).crop((left, top, right, bottom))
    part_hole = Image.fromarray(hole[top:bottom, left:right].astype(np.uint8) * 255)
    scale = min(1.0, (longest or WORK_SIZE) / max(part.size))
    small = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
    # The box filter mixes no pixel of the hole into its neighbours, as smoother ones would.
    small_hole = np.asarray(part_hole.resize(small, Image.Resampling.BOX)) > 0
    small_part = np.asarray(part.resize(small, Image.Resampling.BOX))
    if small_hole.all():
        return [np.clip(_brushed(small_part, 0), 0, 255).astype(np.uint8)] * count
    return _patchmatch(small_part, small_hole, seed, count)


def paint(
    picture: Image.Image,
    hole: Hole | None,
    prompt: str,
    seed: int,
    number: int,
    fill: Fill | None,
    *,
    detailed: bool = True,
) -> Image.Image:
    """One result: `picture` (`RGB` or `RGBA`) with what `hole` marks painted anew.

    `number` is the result's place among those of one request, from 0, and `fill` its own of `fills_of`; `seed` steers
    the rest. Without `detailed` it gets no detail finer than the fill.
    """
    if hole is not None and not hole.any():
        return picture
    pixels = np.asarray(over_white(picture))
    everywhere = np.ones(pixels.shape[:2], np.bool_) if hole is None else hole
    if fill is None:
        painted = _brushed(pixels, number)
        strength: Floats | float = WHOLE_TINT
    else:
        painted = _filled(pixels, everywhere, _clear(picture), fill, detailed=detailed)
        strength = _fading_in(everywhere) * np.float32(TINT)
    colours = colours_in(prompt)
    if colours:
        painted += (tint(painted, colours, everywhere) - painted) * _per_pixel(strength)
    painted += _cast(seed, number) * _per_pixel(strength)
    result = pixels.copy()
    result[everywhere] = np.rint(np.clip(painted[everywhere], 0, 255)).astype(np.uint8)
    return _with_alpha(Image.fromarray(result), picture, hole)


def over_white(picture: Image.Image) -> Image.Image:
    """The picture as it looks on white paper, `RGB`."""
    if picture.mode == "RGB":
        return picture
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def leak(picture: Image.Image, hole: Hole | None, seed: int) -> Image.Image:
    """The picture repainted as hosted models do: its colours shifted as a whole, and what `hole` does not mark (all of
    it, where that is None) softer by a pixel and with another grain. `seed` steers all of it.
    """
    width, height = picture.size
    random = np.random.default_rng(seed)
    pixels = np.array(picture, np.float32)
    softer = picture.resize((max(1, width * 3 // 4), max(1, height * 3 // 4)), Image.Resampling.BICUBIC)
    soft = np.array(softer.resize(picture.size, Image.Resampling.BICUBIC), np.float32)[..., :3]
    soft += _grain(random, picture.size, 2, GRAIN)
    outside = np.ones((height, width), np.bool_) if hole is None else ~hole
    pixels[outside, :3] = soft[outside]
    angle = random.random() * 2 * math.pi
    hue = [math.cos(angle + third * 2 * math.pi / 3) for third in range(3)]
    # All over, the hole too: a model paints one picture.
    pixels[..., :3] += np.array(hue, np.float32) * LEAK_CAST
    pixels[..., :3] += _grain(random, picture.size, max(width, height) // 3, LEAK_CAST / 2)
    return Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))


def _grain(random: np.random.Generator, size: tuple[int, int], length: int, strength: float) -> Floats:
    """Lighter and darker spots about `length` pixels wide, as (height, width, 1)."""
    cells = (size[1] // max(1, length) + 2, size[0] // max(1, length) + 2)
    spots = Image.fromarray(random.normal(0, strength, cells).astype(np.float32))
    return np.asarray(spots.resize(size, Image.Resampling.BICUBIC))[..., None]


def _with_alpha(result: Image.Image, picture: Image.Image, hole: Hole | None) -> Image.Image:
    if picture.mode != "RGBA":
        return result
    alpha = np.array(picture.getchannel("A"))
    if hole is None:
        result.putalpha(Image.fromarray(alpha))
        return result
    alpha[hole] = 255
    pixels = np.array(picture)
    pixels[hole, :3] = np.asarray(result)[hole]
    pixels[..., 3] = alpha
    return Image.fromarray(pixels)


def _per_pixel(strength: Floats | float) -> Floats | float:
    return strength if isinstance(strength, float) else strength[..., None]


def _cast(seed: int, number: int) -> Floats:
    # The first result keeps its colours; each further one leans toward another hue, and is lighter or darker.
    if number == 0:
        return np.zeros(3, np.float32)
    angle = seed + number * GOLDEN_ANGLE
    hue = [math.cos(angle + third * 2 * math.pi / 3) for third in range(3)]
    return np.array(hue, np.float32) * CAST + (CAST if number % 2 else -CAST)


# Filling a hole


def _clear(picture: Image.Image) -> Hole:
    """Where a picture shows nothing."""
    if not picture.has_transparency_data:
        return np.zeros(picture.size[::-1], np.bool_)
    alpha: npt.NDArray[np.uint8] = np.asarray(picture.convert("RGBA").getchannel("A"))
    clear: Hole = alpha == 0
    return clear


def _filled(pixels: npt.NDArray[np.uint8], hole: Hole, clear: Hole, fill: Fill, *, detailed: bool) -> Floats:
    left, top, right, bottom = _surroundings(hole)
    part_hole = Image.fromarray(hole[top:bottom, left:right].astype(np.uint8) * 255)
    filled = np.array(Image.fromarray(fill).resize(part_hole.size, Image.Resampling.LANCZOS), np.float32)
    part = pixels[top:bottom, left:right]
    added = _detail(part, part_hole, fill) if detailed else None
    if added is not None:
        (x0, y0, x1, y1), detail = added
        filled[y0:y1, x0:x1] += detail
    result = pixels.astype(np.float32)
    # At the rim a little of what was there shows through, which hides the step in sharpness: where there was anything.
    soft = np.asarray(part_hole.filter(ImageFilter.BoxBlur(1)), np.float32)[..., None] / 255
    inside = result[top:bottom, left:right]
    inside += (filled - inside) * np.where(clear[top:bottom, left:right, None], 1, np.maximum(soft, 0.5))
    return result


def _detail(
    part: npt.NDArray[np.uint8], hole: Image.Image, fill: Fill
) -> tuple[tuple[int, int, int, int], Floats] | None:
    small = fill.shape[1], fill.shape[0]
    there = np.asarray(hole.resize(small, Image.Resampling.BOX)) > 0
    return detail_of(part, np.asarray(Image.fromarray(part).resize(small, Image.Resampling.BOX)), fill, there)


def _patchmatch(pixels: npt.NDArray[np.uint8], hole: Hole, seed: int, count: int) -> list[Fill]:
    # Here, not above: a notebook that never edits should not wait for it.
    from patchmatch import inpaint, set_random_seed

    def variant(number: int) -> Fill:
        # Of one seed, as that is the process's: mirrored, it finds another fill. The first is as it is.
        turned = tuple(slice(None, None, -1 if number >> axis & 1 else 1) for axis in (1, 0))
        across = (1, 0, 2) if number & 4 else (0, 1, 2)
        # The ninth and the tenth are moved a little.
        shift = (number >> 3) * 8
        seen = np.roll(pixels, shift, 1)[turned].transpose(across)
        there = np.roll(hole, shift, 1)[turned].transpose(across[:2])
        filled = inpaint(np.ascontiguousarray(seen), np.ascontiguousarray(there), patch_size=PATCH)
        back = np.asarray(filled, np.uint8).transpose(across)[turned]
        return np.ascontiguousarray(np.roll(back, -shift, 1))

    with _patchmatch_lock:
        set_random_seed(seed)
        if count == 1:
            return [variant(0)]
        # It lets go of the interpreter while it searches.
        with ThreadPoolExecutor(min(count, os.cpu_count() or 1)) as threads:
            return list(threads.map(variant, range(count)))


def _surroundings(hole: Hole) -> tuple[int, int, int, int]:
    # A small hole is filled from nearby, and so at a finer scale.
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    margin = max(LEAST_MARGIN, bottom - top, right - left)
    height, width = hole.shape
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(width, right + margin),
        min(height, bottom + margin),
    )


def _fading_in(hole: Hole) -> Floats:
    """How strongly to tint: 1 inside the hole, less at its rim, never 0, so that thin strokes show."""
    stencil = Image.fromarray(hole.astype(np.uint8) * 255)
    shrunk = stencil.copy()
    shrunk.thumbnail((BRUSH_SIZE, BRUSH_SIZE), Image.Resampling.BOX)
    steps = max(2, max(shrunk.size) // 64)
    inside = np.asarray(shrunk)
    total = np.zeros(inside.shape, np.uint32)
    for _ in range(steps):
        total += inside
        inside = _least_around(inside)
    inner = Image.fromarray((total / steps).astype(np.uint8)).resize(stencil.size)
    return 0.3 + np.asarray(inner, np.float32) * np.float32(0.7 / 255)


def _least_around(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Each pixel's least neighbour, across corners too, itself among them: Pillow's MinFilter(3), ten times as fast."""
    across = levels.copy()
    np.minimum(across[:, 1:], levels[:, :-1], out=across[:, 1:])
    np.minimum(across[:, :-1], levels[:, 1:], out=across[:, :-1])
    least = across.copy()
    np.minimum(least[1:], across[:-1], out=least[1:])
    np.minimum(least[:-1], across[1:], out=least[:-1])
    return least


# Painting a whole picture


def _brushed(pixels: npt.NDArray[np.uint8], number: int) -> Floats:
    """An oil painting of the picture: each pixel takes the mean of the calmest of eight places around it."""
    height, width = pixels.shape[:2]
    scale = min(1.0, BRUSH_SIZE / max(width, height))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    # Further results are painted with another brush.
    radius = max(1, round(max(small) * (0.006, 0.009, 0.0045, 0.0075)[number % 4]))
    strokes = _calmest(np.asarray(image, np.float32), radius)
    light = luminance(strokes)[..., None]
    richer = light + (strokes - light) * 1.2
    painting = Image.fromarray(np.clip(richer, 0, 255).astype(np.uint8))
    painting = painting.filter(ImageFilter.UnsharpMask(radius, 60, 2))
    return np.array(painting.resize((width, height), Image.Resampling.BICUBIC), np.float32)


def _calmest(pixels: Floats, radius: int) -> Floats:
    mean = _blurred(pixels, radius)
    light = luminance(pixels)[..., None]
    spread = np.maximum(_blurred(light * light, radius) - _blurred(light, radius) ** 2, 0)
    calm = 1 / (1 + spread) ** 4
    total, weight = np.zeros_like(mean), np.zeros_like(calm)
    for eighth in range(8):
        angle = eighth * math.pi / 4
        shift = (round(radius * math.sin(angle)), round(radius * math.cos(angle)))
        here = _shifted(calm, shift)
        total += _shifted(mean, shift) * here
        weight += here
    return np.asarray(total / weight)


def _blurred(pixels: Floats, radius: int) -> Floats:
    width = 2 * radius + 1
    for axis in (0, 1):
        around = [(0, 0)] * 3
        around[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(pixels, around, "edge"), axis=axis, dtype=np.float64)
        ends = np.take(sums, range(width, sums.shape[axis]), axis=axis)
        starts = np.take(sums, range(sums.shape[axis] - width), axis=axis)
        pixels = ((ends - starts) / width).astype(np.float32)
    return pixels


def _shifted(pixels: Floats, shift: tuple[int, int]) -> Floats:
    (down, across), (height, width) = shift, pixels.shape[:2]
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + across, 0, width - 1)
    return pixels[rows][:, columns]

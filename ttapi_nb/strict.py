"""What lies outside the mask stays: the strict paste, and the leak that says how much the model repainted there.

Outside means coverage 0 at the source's resolution; there every byte of the result is the source's. The seam is made
inside the mask alone: the answer fades in over a few pixels, after its colours were brought to the source's as far as
the two can be compared just outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from .mask import Mask, protected
from .picture import on_white

__all__ = ["LEAK_THRESHOLD", "Leak", "Pasted", "Shift", "measure_leak", "paste", "surroundings"]

Box: TypeAlias = tuple[int, int, int, int]
Floats: TypeAlias = NDArray[np.float32]

LEAK_THRESHOLD = 8
"""A pixel counts as repainted where any channel moved by more than this, of 255."""

# The seam is this much of the picture's longer side, and in pixels between these two.
SEAM, LEAST_SEAM, MOST_SEAM = 1 / 300, 4, 24
# Colours are compared on a grid with at most so many cells a side.
GRID = 192
# Colours that differ from the ring's usual difference by more than this are another thing, not a shift.
CONTENT = 24
# A difference larger than this is no shift either, however much of the ring shows it.
MOST_SHIFT = 64
# Where less of the ring than this agrees on a shift, there is none.
AGREEMENT = 0.3
# Pixels that are blended at a time.
STRIP = 1 << 20


@dataclass(frozen=True)
class Leak:
    """How much a raw answer changed where the mask protects the picture.

    `share` is the part of the protected pixels (0 to 1) in which a channel moved by more than `LEAK_THRESHOLD`, and
    `mean` the mean difference of all channels there, in levels of 255. `map` is a picture of mode `L` and the sent
    size: the greatest difference of any channel, and 0 inside the mask.
    """

    share: float
    mean: float
    map: Image.Image | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.share:.1%} of the protected pixels repainted (mean difference {self.mean:.1f} of 255)"

    def heat_map(self, over: Image.Image | None = None, longest: int = 1024) -> Image.Image:
        """The map to look at, `RGB` and at most `longest` pixels a side: what changed glows from dark red to yellow,
        over `over` in grey, which is stretched to the map's shape (black where left out, or where there is no map).
        """
        heat = self.map if self.map is not None else Image.new("L", over.size if over is not None else (1, 1))
        size = heat.size
        if max(size) > longest:
            size = (
                max(1, round(heat.width * longest / max(size))),
                max(1, round(heat.height * longest / max(size))),
            )
            heat = heat.resize(size, Image.Resampling.BOX)
        ground = Image.new("RGB", size)
        if over is not None:
            grey = over.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")
            # Dimmed, so that the glow stands out from white walls.
            ground = grey.point([round(value * 0.6) for value in range(256)]).convert("RGB")
        # A difference of a quarter of the range already glows fully: a colour shift is seldom more.
        glow = heat.point([min(255, value * 4) for value in range(256)])
        red = glow.point([min(255, 96 + value) for value in range(256)])
        green = glow.point([max(0, value * 2 - 255) for value in range(256)])
        colours = Image.merge("RGB", (red, green, Image.new("L", size)))
        there = heat.point([0 if value == 0 else min(255, 64 + value * 6) for value in range(256)])
        return Image.composite(colours, ground, there)


@dataclass(frozen=True)
class Shift:
    """How much redder, greener and bluer the answer was than the source just outside the mask, in levels of 255: the
    mean of what was evened out inside.
    """

    red: float
    green: float
    blue: float

    def __str__(self) -> str:
        return (
            f"colours had shifted by {self.red:+.1f} red, {self.green:+.1f} green and {self.blue:+.1f} blue of 255, "
            "which was evened out"
        )


@dataclass(frozen=True)
class Pasted:
    """What `paste` made: the picture, and the colour shift it measured, None where there was nothing to compare.

    `weight` tells in `box` how much of each pixel is the answer's, 0 to 255; outside that it is nothing.
    """

    image: Image.Image
    shift: Shift | None
    box: Box = (0, 0, 0, 0)
    weight: NDArray[np.uint8] | None = field(default=None, repr=False)


def surroundings(bounds: Box, size: tuple[int, int]) -> Box:
    """The part of a picture of `size` that `paste` looks at for a mask within `bounds`: it and a ring around it."""
    ring = max(16, max(size) // 64, max(bounds[2] - bounds[0], bounds[3] - bounds[1]) // 8)
    return (
        max(0, bounds[0] - ring),
        max(0, bounds[1] - ring),
        min(size[0], bounds[2] + ring),
        min(size[1], bounds[3] + ring),
    )


def paste(source: Image.Image, answer: Image.Image, mask: Mask, at: tuple[int, int] = (0, 0)) -> Pasted:
    """The answer inside the mask and the source outside it, where the mask's coverage is 0, byte for byte.

    `source` (`RGB` or `RGBA`) and `mask` have one size; `answer` is at their resolution with its first pixel at `at`,
    and what it does not reach stays the source. Raises `ValueError` where the sizes do not go together.
    """
    region = (*at, at[0] + answer.width, at[1] + answer.height)
    if (
        mask.size != source.size
        or min(at) < 0
        or region[2] > source.width
        or region[3] > source.height
        or source.mode not in ("RGB", "RGBA")
    ):
        raise ValueError(
            f"Source {source.size}, mask {mask.size} and answer at {region} do not match. Bring them to one size first."
        )
    covered = mask.coverage()[region[1] : region[3], region[0] : region[2]]
    bounds = Image.fromarray(covered).getbbox()
    if bounds is None:
        return Pasted(source.copy(), None)
    if answer.mode == "RGBA" and answer.getchannel("A").getextrema()[0] == 255:
        answer = answer.convert("RGB")
    whole = source.copy() if answer.mode == "RGB" else source.convert("RGBA")
    field_, shift = _shift(source, region, answer, covered)
    ramp = _ramp(covered, _seam(source.size), _borders(region, source.size))
    left, top, right, bottom = bounds
    rows = max(1, STRIP // (right - left))
    weights = np.zeros((bottom - top, right - left), np.uint8)
    for start in range(top, bottom, rows):
        strip = (left, start, right, min(bottom, start + rows))
        here = (slice(strip[1], strip[3]), slice(left, right))
        share = np.clip(ramp.over(strip), 0, 1)
        weight = np.minimum(covered[here].astype(np.float32) / 255, share * share * (3 - 2 * share))
        change = None if field_ is None else field_.over(strip)
        place = (at[0] + left, at[1] + start, at[0] + right, at[1] + strip[3])
        blended = _blended(source.crop(place), answer.crop(strip), covered[here], weight, change, whole.mode)
        whole.paste(blended, place[:2])
        # Only what is covered, but all of that: a share too small for a level is one still.
        weights[start - top : strip[3] - top] = np.where(covered[here] > 0, np.rint(weight * 255).clip(1), 0)
    where = at[0] + left, at[1] + top, at[0] + right, at[1] + bottom
    return Pasted(whole, shift, where, weights)


def measure_leak(
    sent: Image.Image, raw: Image.Image, mask: Mask, counted: NDArray[np.bool_] | None = None
) -> Leak | None:
    """The leak of a raw answer against what was sent; all three of one size. None where nothing is protected.

    `counted` (height, width) tells which pixels may count at all: padding does not. Pictures with transparency are
    compared as they look on white.
    """
    kept = protected(mask.coverage())
    if counted is not None:
        kept &= counted
    count = int(np.count_nonzero(kept))
    if not count:
        return None
    stencil = Image.fromarray(kept.astype(np.uint8) * 255)
    moved = ImageChops.difference(on_white(sent), on_white(raw))
    red, green, blue = moved.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    shown = Image.composite(most, Image.new("L", most.size), stencil)
    over = sum(most.histogram(stencil)[LEAK_THRESHOLD + 1 :])
    levels = np.array(moved.histogram(stencil), np.int64).reshape(3, 256)
    return Leak(over / count, float((levels * np.arange(256)).sum() / (3 * count)), shown)


# The seam


@dataclass(frozen=True, eq=False)
class _Coarse:
    """Smooth values on a grid of cells of `step` pixels, read at full resolution where they are needed."""

    values: Floats
    step: int

    def over(self, box: Box) -> Floats:
        """The values in `box`, (height, width) or (height, width, channels)."""
        if self.step == 1:
            return self.values[box[1] : box[3], box[0] : box[2]]
        size = (box[2] - box[0], box[3] - box[1])
        rect = tuple(edge / self.step for edge in box)
        planes = [self.values] if self.values.ndim == 2 else np.moveaxis(self.values, 2, 0)
        read = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(plane)).resize(
                    size, Image.Resampling.BILINEAR, (rect[0], rect[1], rect[2], rect[3])
                )
            )
            for plane in planes
        ]
        return read[0] if self.values.ndim == 2 else np.stack(read, axis=2)


def _seam(size: tuple[int, int]) -> int:
    return min(MOST_SEAM, max(LEAST_SEAM, round(max(size) * SEAM)))


def _borders(region: Box, size: tuple[int, int]) -> tuple[bool, bool, bool, bool]:
    """On which sides, left, top, right, bottom, the region ends where the picture ends."""
    return region[0] == 0, region[1] == 0, region[2] == size[0], region[3] == size[1]


def _ramp(covered: NDArray[np.uint8], seam: int, borders: tuple[bool, bool, bool, bool]) -> _Coarse:
    """How far in from the mask's edge a pixel lies: 0 there, 1 `seam` pixels further in and more beyond.

    In a stroke that is too thin for that, the depth is told by its own. At the picture's own border nothing ends, and
    what is thin there is as deep as it were anywhere else.
    """
    step = max(1, seam // 4)
    rounds = round(2 * seam / step)
    shares: Floats = np.asarray(Image.fromarray(covered).reduce(step), np.float32) / np.float32(255)
    share = _depth(shares, rounds, (False, False, False, False))
    if any(borders):
        # Where the mask goes on beyond the border, a thin strip along it lies at the edge of something wide: neither
        # its border nor its inner side would show.
        np.maximum(share, _depth(shares, rounds, borders), out=share)
    return _Coarse(np.ascontiguousarray(share, np.float32), step)


def _depth(shares: Floats, rounds: int, goes_on: tuple[bool, bool, bool, bool]) -> Floats:
    """The depth of each cell as a share of the seam; the mask ends at all sides but those where it `goes_on`."""
    left, top, right, bottom = (rounds if on else 0 for on in goes_on)
    shares = np.pad(shares, ((top, bottom), (left, right)), "edge")
    shares = np.pad(shares, 1)
    depth: Floats = shares.copy()
    inner: Floats = shares
    for number in range(1, rounds):
        inner = _around(inner, np.minimum, diagonal=number % 2 == 0)
        depth += inner
    deepest: Floats = depth
    for _ in range(rounds):
        deepest = _around(deepest, np.maximum, diagonal=True)
    share = (2 * depth / np.maximum(deepest, np.float32(1e-6))).astype(np.float32)
    height, width = share.shape
    return share[1 + top : height - 1 - bottom, 1 + left : width - 1 - right]


def _around(values: Floats, most: Any, *, diagonal: bool) -> Floats:
    """Each value's greatest or least neighbour, itself among them; along the sides, or across the corners too."""
    across, down = values.copy(), values.copy()
    most(across[:, 1:], values[:, :-1], out=across[:, 1:])
    most(across[:, :-1], values[:, 1:], out=across[:, :-1])
    down = across.copy() if diagonal else down
    base = across if diagonal else values
    most(down[1:], base[:-1], out=down[1:])
    most(down[:-1], base[1:], out=down[:-1])
    result: Floats = down if diagonal else most(across, down)
    return result


def _blended(
    source: Image.Image,
    answer: Image.Image,
    covered: NDArray[np.uint8],
    weight: Floats,
    change: Floats | None,
    mode: str,
) -> Image.Image:
    """The answer over the source by `weight`, its colours less `change`; the source where nothing is covered."""
    old = np.asarray(source.convert(mode))
    new = np.asarray(answer.convert(mode), np.float32)
    colour = new[..., :3] if change is None else np.clip(new[..., :3] - change, 0, 255)
    was = old[..., :3].astype(np.float32)
    result = np.empty_like(old)
    if mode == "RGB":
        mixed = colour - was
        mixed *= weight[..., None]
        mixed += was
    else:
        old_alpha, new_alpha = old[..., 3].astype(np.float32) / 255, new[..., 3] / 255
        # Where there is no source to see, there is nothing to fade from.
        full = covered.astype(np.float32) / 255
        weight += (full - weight) * (1 - old_alpha)
        kept, added = (1 - weight) * old_alpha, weight * new_alpha
        alpha = kept + added
        # Colours count by how visible they are, or what hides under transparent pixels would shine through.
        share = np.divide(added, alpha, out=weight.copy(), where=alpha > 0)
        mixed = was + (colour - was) * share[..., None]
        result[..., 3] = np.rint(alpha * 255)
    # Between two colours, so within their range.
    np.rint(mixed, out=result[..., :3], casting="unsafe")
    untouched = protected(covered)
    result[untouched] = old[untouched]
    return Image.fromarray(result)


# Colours


def _shift(
    source: Image.Image, region: Box, answer: Image.Image, covered: NDArray[np.uint8]
) -> tuple[_Coarse | None, Shift | None]:
    """What to take off the answer's colours, measured on a ring outside the mask and carried smoothly into it."""
    step = max(1, math.ceil(max(answer.size) / GRID))
    outside = np.asarray(Image.fromarray((covered > 0).astype(np.uint8) * 255).reduce(step)) == 0
    planes = source.reduce(step, region).split(), answer.reduce(step).split()
    for plane in planes:
        if len(plane) == 4:
            outside = outside & (np.asarray(plane[3]) == 255)
    ring = outside
    if not ring.any():
        return None, None
    before, after = (
        np.stack([np.asarray(channel, np.float32) for channel in plane[:3]], axis=2) for plane in planes
    )
    difference = after - before
    usual = np.median(difference[ring], axis=0)
    like = ring & (np.abs(difference - usual).max(axis=2) <= CONTENT)
    if np.abs(usual).max() > MOST_SHIFT or np.count_nonzero(like) < AGREEMENT * np.count_nonzero(ring):
        return None, None
    mean = difference[like].mean(axis=0)
    weight = like.astype(np.float32)[..., None]
    # Grain is no shift: only what neighbours have in common is carried on.
    radius = 3
    near = _boxed(weight, radius)
    smooth = _boxed(difference * weight, radius)
    smooth /= np.maximum(near, 1e-6)
    known = (near > 0.02).astype(np.float32)
    spread = _spread(smooth, known)
    return _Coarse(spread, step), Shift(*(float(level) for level in mean))


def _boxed(values: Floats, radius: int) -> Floats:
    """The mean over a square of `2 * radius + 1` cells a side, twice, with nothing beyond the edge."""
    for axis in (0, 1, 0, 1):
        around = [(0, 0), (0, 0), (0, 0)]
        around[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(values, around), axis=axis, dtype=np.float64)
        length, width = values.shape[axis], 2 * radius + 1
        ends = np.take(sums, range(width, width + length), axis=axis)
        values = ((ends - np.take(sums, range(length), axis=axis)) / width).astype(np.float32)
    return values


def _spread(values: Floats, weight: Floats) -> Floats:
    """Values where there are any, carried smoothly to where there are none: pulled up a pyramid and pushed down."""
    height, width = weight.shape[:2]
    if weight.all() or max(height, width) == 1:
        return values
    even = ((0, height % 2), (0, width % 2), (0, 0))
    weights = np.pad(weight, even)
    total = np.pad(values * weight, even)
    shape = (weights.shape[0] // 2, 2, weights.shape[1] // 2, 2)
    weights = weights.reshape(*shape, 1).sum(axis=(1, 3))
    total = total.reshape(*shape, values.shape[2]).sum(axis=(1, 3))
    coarse = _spread(total / np.maximum(weights, 1e-6), np.minimum(weights, 1))
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(coarse[..., channel])).resize(
                (coarse.shape[1] * 2, coarse.shape[0] * 2), Image.Resampling.BILINEAR
            )
        )[:height, :width]
        for channel in range(values.shape[2])
    ]
    pushed = np.stack(planes, axis=2)
    pushed += (values - pushed) * weight
    return pushed

"""The strict paste: what lies outside the mask stays.

Outside means coverage 0 at the source's resolution; there every byte of the result is the source's. The seam is made
inside the mask alone: the answer fades in over a few pixels, after its colours were brought to the source's as far as
the two can be compared just outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..mask import Mask, protected
from .geometry import Box
from .light import Light, evening_of
from .look import Look
from .register import Moved, moved_of, read_moved
from .seam import Floats, borders, ramp, seam

__all__ = ["Pasted", "paste", "surroundings"]

# Pixels that are blended at a time.
STRIP = 1 << 20


@dataclass(frozen=True)
class Pasted:
    """What `paste` made: the picture, how its light was evened out, and how it was moved back; None for each where
    there was too little to tell.

    `weight` tells in `box` how much of each pixel is the answer's, 0 to 255; outside that it is nothing.
    """

    image: Image.Image
    light: Light | None
    moved: Moved | None = None
    box: Box = (0, 0, 0, 0)
    weight: NDArray[np.uint8] | None = field(default=None, repr=False)

    @property
    def shift(self) -> Light | None:
        """`light`, by its earlier name."""
        return self.light


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
    look = Look.of(source, region, answer, covered)
    moved = moved_of(look)
    back = moved if moved is not None and not moved.still else None
    if back is not None:
        there = back.in_steps(look.step)
        laid = read_moved(look.answer, (0, 0, *look.answer.size), there, quickly=look.step > 1)
        look = look.with_answer(laid)
    evening, light = evening_of(look)
    depth = ramp(covered, seam(source.size), borders(region, source.size))
    left, top, right, bottom = bounds
    weights = np.zeros((bottom - top, right - left), np.uint8)
    for strip, part in _read(answer, _strips(covered, bounds), back):
        here = (slice(strip[1], strip[3]), slice(strip[0], strip[2]))
        share = np.clip(depth.over(strip), 0, 1)
        weight = np.minimum(covered[here].astype(np.float32) / 255, share * share * (3 - 2 * share))
        place = (at[0] + strip[0], at[1] + strip[1], at[0] + strip[2], at[1] + strip[3])
        even = None if evening is None else evening.applied(np.asarray(part)[..., :3], strip)
        blended = _blended(source.crop(place), part, covered[here], weight, even, whole.mode)
        whole.paste(blended, place[:2])
        # Only what is covered, but all of that: a share too small for a level is one still.
        rounded = np.where(covered[here] > 0, np.rint(weight * 255).clip(1), 0)
        weights[strip[1] - top : strip[3] - top, strip[0] - left : strip[2] - left] = rounded
    where = at[0] + left, at[1] + top, at[0] + right, at[1] + bottom
    return Pasted(whole, light, moved, where, weights)


def _strips(covered: NDArray[np.uint8], bounds: Box) -> list[Box]:
    """The boxes that are blended one by one: all that is covered."""
    left, top, right, bottom = bounds
    rows = max(1, STRIP // (right - left))
    found = []
    for start in range(top, bottom, rows):
        end = min(bottom, start + rows)
        # What crosses a photo aslant is a small part of its box.
        columns = np.flatnonzero(covered[start:end, left:right].any(axis=0))
        if len(columns):
            found.append((left + int(columns[0]), start, left + int(columns[-1]) + 1, end))
    return found


def _read(answer: Image.Image, strips: list[Box], back: Moved | None) -> Iterator[tuple[Box, Image.Image]]:
    """What of the answer belongs into each strip; of one that was turned, the next is read while one is blended."""
    if back is None:
        yield from ((strip, answer.crop(strip)) for strip in strips)
        return
    read = partial(read_moved, answer, moved=back)
    if len(strips) < 2 or not back.turn:
        yield from ((strip, read(strip)) for strip in strips)
        return
    with ThreadPoolExecutor(1) as other:
        ahead = [_begun(other, read, strips[0])]
        for number, strip in enumerate(strips):
            ahead += [_begun(other, read, further) for further in strips[number + 1 : number + 2]]
            yield strip, ahead.pop(0)()


def _begun(
    other: ThreadPoolExecutor, read: Callable[[Box], Image.Image], strip: Box
) -> Callable[[], Image.Image]:
    """Have a strip read on another thread; what gives it."""
    try:
        return other.submit(read, strip).result
    except RuntimeError:
        # As Python ends no thread can be started.
        return partial(read, strip)


def _blended(
    source: Image.Image,
    answer: Image.Image,
    covered: NDArray[np.uint8],
    weight: Floats,
    even: Floats | None,
    mode: str,
) -> Image.Image:
    """The answer over the source by `weight`, in the colours `even` if given; the source where nothing is covered."""
    old = np.asarray(source.convert(mode))
    new = np.asarray(answer.convert(mode), np.float32)
    colour = new[..., :3] if even is None else even
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

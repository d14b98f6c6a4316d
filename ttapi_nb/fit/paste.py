"""The strict paste: what lies outside the mask stays.

Outside means coverage 0 at the source's resolution; there every byte of the result is the source's. The seam is made
inside the mask alone: the answer fades in over a few pixels, after its colours were brought to the source's as far as
the two can be compared just outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..mask import Mask, protected
from .evening import Evening, planes_of
from .geometry import Box
from .light import Light, evening_of
from .look import Look
from .register import Moved, moved_of, read_moved
from .seam import Coarse, Floats, borders, ramp, seam

__all__ = ["Pasted", "paste", "surroundings"]

# Pixels that are blended at a time: as many as a core has room for beside it; and so many strips are held.
STRIP, AHEAD = 1 << 18, 24

Array: TypeAlias = NDArray[np.uint8]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
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
    strips = _strips(covered, bounds)
    # Read from their files by now, and not by several threads at once.
    source.load()
    answer.load()
    # A second core has what is small done before it could begin.
    with ThreadPoolExecutor(2) if len(strips) > 1 else nullcontext() as others:
        look = Look.of(source, region, answer, covered, begun=partial(_begun, others))
        copied = _begun(others, source.copy if answer.mode == "RGB" else partial(source.convert, "RGBA"))
        deep = _begun(others, partial(ramp, covered, seam(source.size), borders(region, source.size)))
        moved = moved_of(look)
        back = moved if moved is not None and not moved.still else None
        if back is not None:
            there = back.in_steps(look.step)
            laid = read_moved(look.answer, (0, 0, *look.answer.size), there, quickly=look.step > 1)
            look = look.with_answer(laid)
        # To read what was turned takes as long as to tell its light.
        read = partial(_read, answer, back)
        parts = [_begun(others, partial(read, strip)) for strip in strips[:AHEAD]]
        parts += [partial(read, strip) for strip in strips[AHEAD:]]
        evening, light = evening_of(look)
        ground = _Ground(source, at, covered, deep(), evening)
        blends = [partial(ground.blended, strip, part) for strip, part in zip(strips, parts, strict=True)]
        whole = copied()
        left, top, right, bottom = bounds
        weights = np.zeros((bottom - top, right - left), np.uint8)
        for strip, (blended, weight) in zip(strips, _each(others, blends), strict=True):
            whole.paste(blended, (at[0] + strip[0], at[1] + strip[1]))
            weights[strip[1] - top : strip[3] - top, strip[0] - left : strip[2] - left] = weight
    where = at[0] + left, at[1] + top, at[0] + right, at[1] + bottom
    return Pasted(whole, light, moved, where, weights)


def _strips(covered: NDArray[np.uint8], bounds: Box) -> list[Box]:
    """The boxes that are blended one by one: all that is covered."""
    left, top, right, bottom = bounds
    rows = max(1, STRIP // (right - left))
    strips = []
    for start in range(top, bottom, rows):
        end = min(bottom, start + rows)
        # What crosses a photo aslant is a small part of its box.
        columns = np.flatnonzero(covered[start:end, left:right].any(axis=0))
        if len(columns):
            strips.append((left + int(columns[0]), start, left + int(columns[-1]) + 1, end))
    return strips


def _read(answer: Image.Image, moved: Moved | None, strip: Box) -> Image.Image:
    return answer.crop(strip) if moved is None else read_moved(answer, strip, moved)


def _each(others: ThreadPoolExecutor | None, works: Sequence[Callable[[], Made]]) -> Iterator[Made]:
    """What comes of each, in order; some are begun ahead."""
    begun = deque(_begun(others, work) for work in works[:AHEAD])
    for further in works[AHEAD:]:
        yield begun.popleft()()
        begun.append(_begun(others, further))
    while begun:
        yield begun.popleft()()


def _begun(others: ThreadPoolExecutor | None, work: Callable[[], Made]) -> Callable[[], Made]:
    """Have the others work on it, if there are any; what gives what comes of it."""
    if others is not None:
        # As Python ends no thread can be started.
        with suppress(RuntimeError):
            return others.submit(work).result
    return work


@dataclass(frozen=True, eq=False)
class _Ground:
    """What lies under an answer that begins `at` a pixel of the source: the mask's coverage there and how deep in it
    each pixel lies; and how the answer's light is evened out.
    """

    source: Image.Image
    at: tuple[int, int]
    covered: Array
    depth: Coarse
    evening: Evening | None

    def blended(self, strip: Box, read: Callable[[], Image.Image]) -> tuple[Image.Image, Array]:
        """The answer, as it is read, over the source in a strip, the source where nothing is covered; and how much of
        each pixel is the answer's, 0 to 255.
        """
        (x, y), (left, top, right, bottom) = self.at, strip
        source = self.source.crop((x + left, y + top, x + right, y + bottom))
        part = read()
        mode = "RGBA" if "RGBA" in (source.mode, part.mode) else "RGB"
        old, new = planes_of(source, mode), planes_of(part, mode)
        covered = self.covered[top:bottom, left:right]
        share = np.clip(self.depth.over(strip), 0, 1)
        weight = share = np.minimum(
            np.divide(covered, 255, dtype=np.float32), share * share * (3 - 2 * share)
        )
        alphas: list[Array] = []
        if mode == "RGBA":
            weight, share, alpha = _see_through(old[3], new[3], covered, weight)
            alphas = [np.rint(alpha * 255).astype(np.uint8)]
        even: Sequence[Array | Floats] = (
            new[:3] if self.evening is None else self.evening.applied(new[:3], strip)
        )
        made = [*(_mixed(*both, share) for both in zip(old[:3], even, strict=True)), *alphas]
        touched = ~protected(covered)
        within = np.where(touched, np.uint8(255), np.uint8(0))
        # What is not covered stays whatever the figures say.
        made = [before ^ ((before ^ plane) & within) for before, plane in zip(old, made, strict=True)]
        # Only what is covered, but all of that: a share too small for a level is one still.
        told = np.maximum(np.rint(weight * 255).astype(np.uint8), touched)
        return Image.merge(mode, [Image.fromarray(plane) for plane in made]), told


def _mixed(before: Array, after: Array | Floats, share: Floats) -> Array:
    mixed: Floats = np.subtract(after, before, dtype=np.float32)
    mixed *= share
    mixed += before
    # Between two colours, so within their range.
    return np.rint(mixed, out=mixed).astype(np.uint8)


def _see_through(
    before: Array, after: Array, covered: Array, weight: Floats
) -> tuple[Floats, Floats, Floats]:
    """Of what may be see-through, by the alpha of both: how much of it is the answer's, how much of its colours, and
    the alpha it has then.
    """
    old, new, full = (np.divide(plane, 255, dtype=np.float32) for plane in (before, after, covered))
    # Where there is no source to see, there is nothing to fade from.
    weight = weight + (full - weight) * (1 - old)
    kept, added = (1 - weight) * old, weight * new
    alpha = kept + added
    # Colours count by how visible they are, or what hides under transparent pixels would shine through.
    return weight, np.divide(added, alpha, out=weight.copy(), where=alpha > 0), alpha

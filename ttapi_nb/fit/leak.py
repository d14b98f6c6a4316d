"""The leak: how much a model repainted of what the mask protects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from ..mask import Mask, protected
from ..picture import on_white
from .look import Look
from .past import Past, past_of
from .seen import LOOK, seen_of

__all__ = ["LEAK_THRESHOLD", "Leak", "measure_leak"]

LEAK_THRESHOLD = 8
"""A pixel counts as repainted where any channel moved by more than this, of 255."""

# A difference of no more levels than this anywhere is not looked at further.
LEAST_SEEN = 5
# A picture with a shorter side than this is not looked at for what one would see.
SMALLEST = 48
PAST_COLOUR = (70, 170, 255)
_MOSTLY = [round(level * 0.8) for level in range(256)]


@dataclass(frozen=True)
class Leak:
    """How much a raw answer changed where the mask protects the picture.

    `share` is the part of the protected pixels (0 to 1) in which a channel moved by more than `LEAK_THRESHOLD`, and
    `mean` the mean difference of all channels there, in levels of 255. `map` is a picture of mode `L` and the sent
    size: the greatest difference of any channel, and 0 inside the mask.

    `seen` is the part that one would see: what is left once the answer's light and place are evened out as a whole, and
    noise as of grain, JPEG and resampling is taken off; None where it was not looked for. `seen_map`, of mode `L` and
    the sent size, is 255 there. `past` is what of that goes on from the mask, in the sent picture's pixels.
    """

    share: float
    mean: float
    map: Image.Image | None = field(default=None, repr=False, compare=False)
    seen: float | None = field(default=None, compare=False)
    seen_map: Image.Image | None = field(default=None, repr=False, compare=False)
    past: Past | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        moved = f"{self.share:.1%} of the protected pixels repainted (mean difference {self.mean:.1f} of 255)"
        if self.seen is None:
            return moved
        return (
            f"{self.seen:.1%} of the protected pixels look changed; {self.share:.1%} moved at all "
            f"(mean difference {self.mean:.1f} of 255)"
        )

    def heat_map(self, over: Image.Image | None = None, longest: int = 1024) -> Image.Image:
        """The map to look at, `RGB` and at most `longest` pixels a side: what changed glows from dark red to yellow,
        over `over` in grey, which is stretched to the map's shape (black where left out, or where there is no map).
        What goes on past the mask is blue.
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
        made = Image.composite(colours, ground, there)
        if self.past is not None and self.past.map is not None:
            made.paste(PAST_COLOUR, (0, 0), self.past.map.resize(size, Image.Resampling.BOX).point(_MOSTLY))
        return made


def measure_leak(
    sent: Image.Image,
    raw: Image.Image,
    mask: Mask,
    counted: NDArray[np.bool_] | None = None,
    *,
    look: bool = True,
) -> Leak | None:
    """The leak of a raw answer against what was sent; all three of one size. None where nothing is protected.

    `counted` (height, width) tells which pixels may count at all: padding does not. Pictures with transparency are
    compared as they look on white. Without `look` nothing says what one would see, which takes most of the time.
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
    mean = float((levels * np.arange(256)).sum() / (3 * count))
    seen = _seen(sent, raw, mask, kept, most) if look else ()
    return Leak(over / count, mean, shown, *seen)


def _seen(
    sent: Image.Image, raw: Image.Image, mask: Mask, kept: NDArray[np.bool_], most: Image.Image
) -> tuple[float | None, Image.Image | None, Past | None]:
    """The share of what is protected that looks changed, where that is, and what of it goes on from the mask; nothing
    of a picture that is too small to tell.
    """
    if min(sent.size) < SMALLEST:
        return None, None, None
    if not any(most.histogram()[LEAST_SEEN + 1 :]):
        return 0.0, Image.new("L", sent.size), None
    look = Look.of(on_white(sent), (0, 0, *sent.size), on_white(raw), mask.coverage(), LOOK)
    counted = np.asarray(Image.fromarray(kept.astype(np.uint8) * 255).reduce(look.step)) == 255
    seen, counted, bent = seen_of(look, counted)
    share = int(np.count_nonzero(seen)) / max(1, int(np.count_nonzero(counted)))
    past = None if bent else past_of(seen, look.outside, look.step)
    shown = Image.fromarray(seen.astype(np.uint8) * 255)
    if shown.size != sent.size:
        shown = shown.resize(sent.size, Image.Resampling.NEAREST)
        if past is not None and past.map is not None:
            past = replace(past, map=past.map.resize(sent.size, Image.Resampling.NEAREST))
    return share, shown, past

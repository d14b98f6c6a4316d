"""The one thing the service reads in a prompt: its colour words.

A colour word is one that CSS names ("red", "teal", "tomato"), in any case and standing alone; names of
several words may be written apart ("dark green", "light-sea-green"). A prompt with several gives a blend from
the first, at the top, to the last, at the bottom.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

__all__ = ["colours_in", "luminance", "tint"]

LONGEST_NAME = 4
Floats = npt.NDArray[np.float32]


def colours_in(prompt: str) -> list[tuple[int, ...]]:
    """The colours that `prompt` names, in its order."""
    words = re.findall(r"[a-z]+", prompt.lower())
    colours: list[tuple[int, ...]] = []
    at = 0
    while at < len(words):
        # "light sea green" is one colour, not the green at its end.
        for length in range(LONGEST_NAME, 0, -1):
            name = "".join(words[at : at + length])
            if name in ImageColor.colormap:
                colours.append(ImageColor.getrgb(name)[:3])
                break
        at += length
    return colours


def luminance(pixels: Floats) -> Floats:
    """How light each pixel is, from 0 to 255."""
    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def tint(pixels: Floats, colours: list[tuple[int, ...]], where: npt.NDArray[np.bool_]) -> Floats:
    """`pixels` in shades of `colours`: a pixel as light as most of `where` takes the colour itself.

    Lighter pixels go toward white and darker ones toward black, so that the texture stays.
    """
    rows = np.flatnonzero(where.any(axis=1))
    stops = np.linspace(rows[0], rows[-1], len(colours))
    down = np.arange(pixels.shape[0])
    colour = np.stack([np.interp(down, stops, channel) for channel in zip(*colours, strict=True)], axis=-1)
    # A pure colour leaves no room for texture: paint is never so pure.
    middle_tone = (colour * 0.85 + 20).astype(np.float32)[:, None, :]
    light = luminance(pixels)[..., None]
    usual = float(np.clip(np.median(light[where]), 1, 254))
    # What was made sharper may be darker than black.
    shade = np.clip(light / usual, 0, 1) ** 1.5
    shine = np.maximum(light - usual, 0) / (255 - usual)
    return np.asarray(middle_tone * shade + (255 - middle_tone * shade) * shine * 0.7, np.float32)

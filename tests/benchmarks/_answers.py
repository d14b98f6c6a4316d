"""What a model may answer: the photo with an edit in it, spoilt in a known way, and the same edit unspoilt."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import ttapi_nb as tt

Floats = NDArray[Any]
Spoil = Callable[[Floats, np.random.Generator], Floats]
Edit = Callable[[Image.Image, tt.Mask], Image.Image]


@dataclass(frozen=True)
class Answer:
    """An answer by name: what is edited, and how all of it is spoilt after that, step by step."""

    name: str
    spoils: tuple[Spoil, ...]
    edit: Edit

    def made(self, photo: Image.Image, mask: tt.Mask, seed: int = 7) -> tuple[Image.Image, Image.Image]:
        """The edit as it should come back, and the answer."""
        meant = self.edit(photo, mask)
        random = np.random.default_rng(seed)
        pixels = np.asarray(meant, np.float32)
        for spoil in self.spoils:
            pixels = spoil(pixels, random)
        return meant, Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))


def cast(red: float, green: float, blue: float) -> Spoil:
    """Levels added to each channel."""
    return lambda pixels, random: pixels + np.array((red, green, blue), np.float32)


def times(*factors: float) -> Spoil:
    """Each channel by a factor."""
    return lambda pixels, random: pixels * np.array(factors, np.float32)


def exposed(stops: float) -> Spoil:
    """More or less light, as a camera's exposure does it."""

    def spoil(pixels: Floats, random: np.random.Generator) -> Floats:
        share = np.clip(pixels, 0, 255) / 255
        light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) * 2**stops
        back = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
        return (back * 255).astype(np.float32)

    return spoil


def _across(pixels: Floats) -> tuple[Floats, Floats]:
    height, width = pixels.shape[:2]
    down, right = np.mgrid[0:height, 0:width]
    return (right / max(1, width - 1)).astype(np.float32), (down / max(1, height - 1)).astype(np.float32)


def relit(low: float, high: float) -> Spoil:
    """A factor that rises from left to right."""
    return lambda pixels, random: pixels * (low + (high - low) * _across(pixels)[0])[..., None]


def lamp(strength: float) -> Spoil:
    """A pool of light, warm, toward the upper left."""

    def spoil(pixels: Floats, random: np.random.Generator) -> Floats:
        x, y = _across(pixels)
        pool = np.exp(-((x - 0.3) ** 2 + (y - 0.3) ** 2) / (2 * 0.35**2))[..., None]
        return np.asarray(
            pixels * (1 + strength * (pool - 0.4) * np.array((1.1, 1.0, 0.8), np.float32)), np.float32
        )

    return spoil


def warped(where: Callable[[Floats, Floats], tuple[Any, Any]]) -> Spoil:
    """Read elsewhere: `where` gives from x and y, in pixels, those that are read."""

    def spoil(pixels: Floats, random: np.random.Generator) -> Floats:
        import cv2

        height, width = pixels.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        across, down = where(x - width / 2, y - height / 2)
        return np.asarray(
            cv2.remap(
                pixels,
                np.asarray(across + width / 2, np.float32),
                np.asarray(down + height / 2, np.float32),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )

    return spoil


def shifted(right: float, down: float) -> Spoil:
    """Moved by pixels."""
    return warped(lambda x, y: (x - right, y - down))


def scaled(by: float) -> Spoil:
    """Larger about the middle."""
    return warped(lambda x, y: (x / by, y / by))


def turned(degrees: float) -> Spoil:
    """Turned about the middle."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return warped(lambda x, y: (x * cosine + y * sine, y * cosine - x * sine))


def wavy(by: float, length: float) -> Spoil:
    """Bent here and there."""
    return warped(lambda x, y: (x + by * np.sin(y / length), y + by * np.sin(x / length + 1)))


def grain(strength: float) -> Spoil:
    """Noise in every pixel."""
    return lambda pixels, random: pixels + random.normal(0, strength, pixels.shape).astype(np.float32)


def jpeg(quality: int) -> Spoil:
    """Through a JPEG."""

    def spoil(pixels: Floats, random: np.random.Generator) -> Floats:
        out = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=quality)
        return np.asarray(Image.open(out), np.float32)

    return spoil


def blurred(radius: float) -> Spoil:
    """Softer."""

    def spoil(pixels: Floats, random: np.random.Generator) -> Floats:
        picture = Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))
        return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), np.float32)

    return spoil


def in_the_mask(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A ball that lies well inside the mask, where that is deepest."""
    inner = Image.fromarray(mask.to_array().astype(np.uint8) * 255)
    inner = inner.resize((inner.width // 2, inner.height // 2), Image.Resampling.NEAREST)
    radius, deepest = 0, inner
    while inner.getbbox():
        radius, deepest = radius + 2, inner
        inner = inner.filter(ImageFilter.MinFilter(3))
    rows, columns = np.nonzero(np.asarray(deepest))
    return _ball_at(photo, 0.6 * radius, (2 * float(columns.mean()), 2 * float(rows.mean())))


def past_the_mask(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A ball that the mask's right edge cuts."""
    return _ball(photo, mask, 0.32, (0.92, 0.5))


def with_a_shadow(photo: Image.Image, mask: tt.Mask) -> Image.Image:
    """A ball in the mask whose soft shadow falls out of it, down and to the right."""
    left, top, right, bottom = mask.bounds or (0, 0, *photo.size)
    width, height = right - left, bottom - top
    shade = Image.new("L", photo.size, 255)
    box = (left + 0.45 * width, top + 0.75 * height, left + 1.25 * width, top + 1.15 * height)
    ImageDraw.Draw(shade).ellipse(box, 130)
    shade = shade.filter(ImageFilter.GaussianBlur(min(width, height) / 14))
    darker = np.asarray(photo, np.float32) * (np.asarray(shade, np.float32)[..., None] / 255)
    return _ball(Image.fromarray(darker.astype(np.uint8)), mask, 0.25, (0.5, 0.5))


def _ball(photo: Image.Image, mask: tt.Mask, share: float, at: tuple[float, float]) -> Image.Image:
    left, top, right, bottom = mask.bounds or (0, 0, *photo.size)
    radius = share * min(right - left, bottom - top)
    return _ball_at(photo, radius, (left + at[0] * (right - left), top + at[1] * (bottom - top)))


def _ball_at(photo: Image.Image, radius: float, middle: tuple[float, float]) -> Image.Image:
    y, x = np.mgrid[0 : photo.height, 0 : photo.width].astype(np.float32)
    away = np.hypot(x - middle[0], y - middle[1])
    light = np.clip(
        1.15 - np.hypot(x - middle[0] + radius / 3, y - middle[1] + radius / 3) / radius / 1.6, 0.2, 1
    )
    ball = light[..., None] * np.array((70, 150, 205), np.float32)
    solid = np.clip(radius - away + 0.5, 0, 1)[..., None]
    pixels = np.asarray(photo, np.float32)
    return Image.fromarray(np.rint(pixels + (ball - pixels) * solid).astype(np.uint8))


# In each there is something new: else whoever puts the photo back would be the best.
ANSWERS = (
    Answer("warm cast", (cast(14, 4, -12),), in_the_mask),
    Answer("cold cast, strong", (cast(-20, 2, 24),), in_the_mask),
    Answer("white balance", (times(1.18, 1.0, 0.82),), in_the_mask),
    Answer("times 1.45", (times(1.45),), in_the_mask),
    Answer("times 0.6", (times(0.6),), in_the_mask),
    Answer("a stop less light", (exposed(-1),), in_the_mask),
    Answer("relit 0.6 to 1.5", (relit(0.6, 1.5),), in_the_mask),
    Answer("lit by a lamp", (lamp(0.6),), in_the_mask),
    Answer("shifted 4 px", (shifted(4, 0),), in_the_mask),
    Answer("shifted 2.4, -1.7", (shifted(2.4, -1.7),), in_the_mask),
    Answer("scaled 1.5%", (scaled(1.015),), in_the_mask),
    Answer("turned 1.2 degrees", (turned(1.2),), in_the_mask),
    Answer("bent by 2 px", (wavy(2, 40),), in_the_mask),
    Answer("grain", (grain(6),), in_the_mask),
    Answer("JPEG at 50", (jpeg(50),), in_the_mask),
    Answer("blurred", (blurred(1.2),), in_the_mask),
    Answer("new object", (), in_the_mask),
    Answer("new object, darker", (times(0.75),), in_the_mask),
    Answer("object past the mask", (cast(8, 0, -8),), past_the_mask),
    Answer("shadow past the mask", (cast(8, 0, -8),), with_a_shadow),
    Answer("0.7 and shifted 3 px", (times(0.7), shifted(3, 1)), in_the_mask),
    Answer("hosted", (blurred(0.8), grain(3), cast(12, 2, -9), relit(0.95, 1.08)), in_the_mask),
)

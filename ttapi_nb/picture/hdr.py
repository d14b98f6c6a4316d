"""HDR pictures, in PQ or HLG: brought down to sRGB as browsers do it for a screen without headroom, and back.

The way down is the standard's for metadata that say nothing (SMPTE ST 2094-50): white becomes half as bright, and what
is brighter fills the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .colour import PRIMARIES, SRGB, known_codes, read_profile, to_d50, whole_palette

__all__ = ["HDR_CODES", "Hdr"]

Floats = NDArray[np.float32]

PQ, HLG = 16, 18
HDR_CODES = {PQ: "PQ", HLG: "HLG"}
# Candela a square metre: of white, of the brightest that a picture is taken to hold, and of PQ's end.
WHITE, BRIGHTEST, PQ_END = 203.0, 1000.0, 10_000.0
# How much darker white becomes, where as bright a picture is brought down, and how sharply the curve bends above it.
DARKER, BEND = 0.5, 0.65
# PQ's and HLG's constants, by ITU-R BT.2100.
M1, M2, C1, C2, C3 = 2610 / 16_384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
A = 0.17883277
B, C = 1 - 4 * A, 0.5 - A * float(np.log(4 * A))
SYSTEM_GAMMA = 1.2
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
DARKEST = 1e-9
# Pixels that are converted at a time, and steps of a table of light.
STRIP, STEPS = 1 << 16, 1 << 14


@dataclass(frozen=True)
class Hdr:
    """How an HDR picture's numbers are meant: primaries and curve as ITU-T H.273 numbers them, and the brightest
    that it says it holds, in candela a square metre.
    """

    primaries: int
    curve: int
    brightest: float = BRIGHTEST

    @classmethod
    def of(
        cls, cicp: tuple[int, int, int, int] | None, profile: bytes | None, brightest: float | None
    ) -> Hdr | None:
        """What a file's cICP says, or its profile's, or None where it is no HDR picture."""
        for codes in (cicp, _codes_in(profile)):
            if codes is None:
                continue
            if known_codes(codes):
                return None
            if codes[0] in PRIMARIES and codes[1] in HDR_CODES and codes[2:] == (0, 1):
                return cls(codes[0], codes[1], brightest or BRIGHTEST)
        return None

    @property
    def name(self) -> str:
        """What its curve is called."""
        return HDR_CODES[self.curve]

    def picture(
        self, numbers: NDArray[Any], mode: str, palette: NDArray[np.uint8] | None = None
    ) -> Image.Image:
        """A picture's own numbers, of `mode` as `OwnFile` names it, as `RGB` or `RGBA` in sRGB."""
        if mode == "P" and palette is not None:
            return Image.fromarray(self._with_alpha(whole_palette(palette))[numbers])
        if mode in ("L", "LA"):
            channels = numbers if numbers.ndim == 3 else numbers[..., np.newaxis]
            numbers = channels[..., [0, 0, 0, *range(1, channels.shape[2])]]
        return Image.fromarray(self._with_alpha(numbers))

    def _with_alpha(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        colours = self.shown(np.ascontiguousarray(numbers[..., :3]))
        alpha = numbers[..., 3:]
        small = (alpha >> 8).astype(np.uint8) if alpha.dtype == np.uint16 else alpha
        return np.concatenate([colours, small], axis=-1)

    def shown(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        """The colours of `numbers`, (…, 3) of uint8 or uint16, in sRGB."""
        most = np.iinfo(numbers.dtype).max
        light = _decoded(np.arange(most + 1) / most, self.curve)
        flat = numbers.reshape(-1, 3)
        pixels = np.empty(flat.shape, np.uint8)
        here, there = _matrix(self.primaries, 9), _matrix(9, 1)
        for start in range(0, len(flat), STRIP):
            colours = light[flat[start : start + STRIP]] @ here.T
            if self.curve == HLG:
                colours *= np.maximum(colours @ LUMA, DARKEST)[:, np.newaxis] ** (SYSTEM_GAMMA - 1)
            colours *= BRIGHTEST / WHITE if self.curve == HLG else PQ_END / WHITE
            brightest = colours.max(axis=1)
            gain = self._down(brightest) / np.maximum(brightest, DARKEST)
            pixels[start : start + STRIP] = _srgb((colours * gain[:, np.newaxis]) @ there.T)
        return pixels.reshape(numbers.shape)

    def numbers(self, colours: NDArray[np.uint8], depth: int) -> NDArray[Any]:
        """The numbers of `colours`, (…, 3) in sRGB, that are shown as these; of `depth` bits, 8 or 16."""
        most, kind = (255, np.uint8) if depth == 8 else (65_535, np.uint16)
        flat = colours.reshape(-1, 3)
        encoded = np.empty(flat.shape, kind)
        levels = np.arange(256) / 255
        g, a, b, c, d = SRGB
        light = np.where(levels < d, c * levels, (a * levels + b) ** g).astype(np.float32)
        here, there = _matrix(1, 9), _matrix(9, self.primaries)
        for start in range(0, len(flat), STRIP):
            part = light[flat[start : start + STRIP]] @ here.T
            brightest = part.max(axis=1)
            part *= (self._up(brightest) / np.maximum(brightest, DARKEST))[:, np.newaxis]
            if self.curve == HLG:
                part *= WHITE / BRIGHTEST
                part *= np.maximum(part @ LUMA, DARKEST)[:, np.newaxis] ** (1 / SYSTEM_GAMMA - 1)
            else:
                part *= WHITE / PQ_END
            light_there = (part @ there.T).astype(np.float32)
            encoded[start : start + STRIP] = np.rint(_encoded(light_there, self.curve) * most)
        return encoded.reshape(colours.shape)

    @property
    def _white(self) -> float:
        room = np.log2(self.brightest / WHITE) / np.log2(BRIGHTEST / WHITE)
        return 1 - DARKER * float(np.clip(room, 0, 1))

    def _down(self, light: Floats) -> Floats:
        if self.brightest <= WHITE:
            return light
        before, after = _bend(self.brightest, self._white)
        return np.where(light <= 1, light * self._white, np.interp(light, before, after)).astype(np.float32)

    def _up(self, light: Floats) -> Floats:
        if self.brightest <= WHITE:
            return light
        before, after = _bend(self.brightest, self._white)
        bright = np.interp(light, after, before)
        return np.where(light <= self._white, light / self._white, bright).astype(np.float32)


def _codes_in(profile: bytes | None) -> tuple[int, int, int, int] | None:
    parsed = read_profile(profile) if profile is not None else None
    return parsed.cicp if parsed is not None else None


def _decoded(levels: NDArray[np.float64], code: int) -> Floats:
    """Light from 0 to 1 of levels from 0 to 1."""
    if code == PQ:
        power = levels ** (1 / M2)
        return ((np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1)).astype(np.float32)
    return np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - C) / A) + B) / 12).astype(np.float32)


def _encoded(light: Floats, code: int) -> Floats:
    light = light.clip(0, 1)
    if code == PQ:
        power = light**M1
        return np.asarray(((C1 + C2 * power) / (1 + C3 * power)) ** M2, np.float32)
    logarithm = A * np.log(np.maximum(12 * light - B, DARKEST)) + C
    return np.asarray(np.where(light <= 1 / 12, np.sqrt(3 * light), logarithm), np.float32)


@lru_cache(maxsize=8)
def _bend(brightest: float, white: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Light from white to the brightest, and what becomes of it: a parabola that goes on from the line below."""
    between = 1 + BEND * (1 / white - 1), white + BEND * (1 - white)
    t = np.linspace(0, 1, STEPS)
    before, after = (
        (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last
        for first, middle, last in ((1.0, between[0], brightest / WHITE), (white, between[1], 1.0))
    )
    return before, after


def _matrix(first: int, second: int) -> Floats:
    """From linear light in one set of primaries to that in another."""
    if first == second:
        return np.eye(3, dtype=np.float32)
    matrix = np.linalg.inv(to_d50(PRIMARIES[second])) @ to_d50(PRIMARIES[first])
    return matrix.astype(np.float32)


def _srgb(light: Floats) -> NDArray[np.uint8]:
    light = light.clip(0, 1)
    levels = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - 0.055)
    rounded: NDArray[np.uint8] = np.rint(levels * 255).astype(np.uint8)
    return rounded

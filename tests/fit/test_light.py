"""An answer's light, told by the ring outside the mask and evened out inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ttapi_nb as tt
from ttapi_nb.fit import Light, paste
from ttapi_nb.fit.lightfit import from_light, to_light
from ttapi_nb.mask import Mask

SIZE = (300, 300)
MASK = Mask(SIZE).ellipse((80, 90, 220, 230))
INSIDE = MASK.shrink(8).to_array()
OUTSIDE = MASK.coverage() == 0
Pixels = NDArray[Any]


def photo() -> Image.Image:
    """The sample, without its darkest and lightest levels, so that little is clipped."""
    small = tt.sample().pixels.convert("RGB").resize(SIZE)
    return small.point([30 + level * 6 // 10 for level in range(256)] * 3)


def answered(change: Callable[[Pixels], Pixels]) -> Image.Image:
    """The photo as an answer whose light is changed."""
    pixels = change(np.asarray(photo(), np.float32))
    return Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))


def across() -> Pixels:
    """0 at the left to 1 at the right."""
    return np.linspace(0, 1, SIZE[0], dtype=np.float32)[None, :, None]


CHANGES: dict[str, tuple[Callable[[Pixels], Pixels], str]] = {
    "cast": (lambda pixels: pixels + np.array((14, 3, -11), np.float32), "added"),
    "darker": (lambda pixels: pixels * np.float32(0.6), "times"),
    "white balance": (lambda pixels: pixels * np.array((1.15, 1, 0.85), np.float32), "times"),
    "a stop less": (lambda pixels: from_light(np.asarray(to_light(pixels) / 2, np.float32)), "light"),
    "less contrast": (lambda pixels: pixels * np.float32(0.7) + 40, "both"),
    "relit": (lambda pixels: pixels * (0.6 + 0.7 * across()), "times"),
}


@pytest.mark.dear
@pytest.mark.parametrize("name", CHANGES)
def test_light_is_evened_out_by_what_explains_it(name: str) -> None:
    """Levels, a factor, light and contrast, all over or across the picture: inside the photo is back."""
    change, kind = CHANGES[name]
    pasted = paste(photo(), answered(change), MASK)
    assert pasted.light is not None
    assert pasted.light.kind == kind
    assert pasted.light.varies == (name == "relit")
    error = np.abs(np.asarray(pasted.image, int) - np.asarray(photo()))
    assert error[INSIDE].mean() < (2 if name == "less contrast" else 1)
    assert not error[OUTSIDE].any()


def test_what_changed_outside_is_no_light() -> None:
    """Things that the answer really changed outside the mask do not colour the inside."""
    change, _ = CHANGES["darker"]
    answer = answered(change)
    for box in ((0, 0, 90, 300), (225, 0, 300, 120)):
        answer.paste((20, 200, 40), box)
    pasted = paste(photo(), answer, MASK)
    assert np.abs(np.asarray(pasted.image, int) - np.asarray(photo()))[INSIDE].mean() < 1.5


def test_clipped_white_comes_back_as_the_ring_has_it() -> None:
    """What an answer burnt out takes the ring's own level there, and not a grey."""
    source = Image.new("RGB", SIZE, (120, 110, 100))
    source.paste((226, 228, 230), (0, 120, 300, 200))
    answer = source.point([min(255, round(level * 1.4)) for level in range(256)] * 3)
    pasted = paste(source, answer, MASK)
    assert np.abs(np.asarray(pasted.image, int) - np.asarray(source))[INSIDE].mean() < 3


def skin() -> Image.Image:
    """A picture with much red in it, little blue and something of each shade of both."""
    down, right = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(np.float32) / SIZE[0]
    shade = 0.5 + 0.5 * np.sin(9 * right + 3 * down) * np.cos(7 * down)
    planes = 190 + 40 * shade, 80 + 90 * shade, 50 + 60 * shade
    return Image.fromarray(np.rint(np.stack(planes, axis=2)).astype(np.uint8))


LOST: dict[str, Callable[[Pixels], Pixels]] = {
    "red": lambda pixels: pixels * np.float32(1.35),
    "red and green": lambda pixels: pixels * np.array((1.35, 1.9, 1.0), np.float32),
    "blue, at black": lambda pixels: pixels - np.array((20, 20, 80), np.float32),
}


@pytest.mark.parametrize("name", LOST)
def test_a_clipped_channel_comes_back_by_the_colours_of_the_ring(name: str) -> None:
    """Where a channel was clipped and another was not, the colour inside is the one that the ring has for such."""
    source = skin()
    pixels = LOST[name](np.asarray(source, np.float32))
    lost = np.any((pixels > 260) | (pixels < -5), axis=2)
    assert lost[INSIDE > 0].mean() > 0.2
    answer = Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))
    pasted = paste(source, answer, MASK)
    error = np.abs(np.asarray(pasted.image, int) - np.asarray(source))
    assert error[INSIDE > 0].mean() < 2
    assert not error[OUTSIDE].any()


def test_a_clipped_colour_that_the_ring_does_not_have() -> None:
    """What was put into the mask, clipped in a channel that nothing around is clipped in, gets no colour from there."""
    pixels = np.asarray(skin(), np.float32)
    pixels[120:200, 120:180] = 20, 60, 240
    answer = Image.fromarray(np.rint(np.clip(pixels * np.float32(1.35), 0, 255)).astype(np.uint8))
    made = np.asarray(paste(skin(), answer, MASK).image)[160, 150]
    assert np.abs(made.astype(int) - (20, 60, 255 / 1.35)).max() < 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_evening_out_is_never_worse_than_leaving_it(seed: int) -> None:
    """Whatever comes, noise, another picture or nothing at all, what is evened out brings the ring no further off."""
    random = np.random.default_rng(seed)
    source = np.asarray(photo())
    answers = (
        np.clip(source + random.normal(0, 9, source.shape), 0, 255),
        random.integers(0, 256, source.shape),
        np.roll(source, 90 + seed, axis=0),
        np.full(source.shape, 60 * seed),
    )
    for pixels in answers:
        answer = Image.fromarray(pixels.astype(np.uint8))
        pasted = paste(photo(), answer, MASK)
        if pasted.light is None or pasted.light.kind == "none":
            deep = np.asarray(pasted.image)[INSIDE]
            assert np.array_equal(deep, np.asarray(answer)[INSIDE])
        assert not (np.asarray(pasted.image) != source)[OUTSIDE].any()


@pytest.mark.slow
def test_the_light_is_told_in_words() -> None:
    """What was done is a sentence with its figures, and what was not done is told as that."""
    words = {name: str(paste(photo(), answered(change), MASK).light) for name, (change, _) in CHANGES.items()}
    assert words["cast"].startswith("colours had shifted by +14.0 red, +3.0 green and -11.0 blue of 255")
    assert "the answer was 40% darker" in words["darker"]
    assert "times 1.15, 1.00, 0.85" in words["white balance"]
    assert "in linear light" in words["a stop less"]
    assert "more in one place than in another" in words["relit"]
    assert all(said.endswith("which was evened out") for said in words.values())
    assert str(Light(0, 0, 0, "none")).endswith("were left as they came")

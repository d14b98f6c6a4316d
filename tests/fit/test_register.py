"""An answer that lies beside its photo is found, told and moved back inside the mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from ttapi_nb.fit import Moved, paste
from ttapi_nb.mask import Mask

SIZE = (420, 420)
MASK = Mask(SIZE).ellipse((150, 150, 290, 280))
INSIDE = MASK.shrink(8).to_array()
OUTSIDE = MASK.coverage() == 0


def photo() -> Image.Image:
    """The sample."""
    return tt.sample().pixels.convert("RGB").resize(SIZE)


def laid(right: float, down: float, scale: float = 1.0, turn: float = 0.0) -> Image.Image:
    """The photo as an answer: scaled and turned clockwise about the middle, then moved."""
    angle, middle = math.radians(turn), SIZE[0] / 2
    a, b = math.cos(angle) / scale, math.sin(angle) / scale
    x, y = middle + right, middle + down
    rows = (a, b, middle - a * x - b * y, -b, a, middle + b * x - a * y)
    wide = photo().transform(SIZE, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC)
    edges = photo()
    seen = Image.new("L", SIZE, 255).transform(SIZE, Image.Transform.AFFINE, rows)
    edges.paste(wide, (0, 0), seen)
    return edges


def off(pasted: Image.Image) -> float:
    """How far the inside is from the photo."""
    return float(np.abs(np.asarray(pasted, int) - np.asarray(photo()))[INSIDE].mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "down", "scale", "turn"),
    [
        (4, 0, 1, 0),
        (-2.4, 1.7, 1, 0),
        (0.5, 0, 1, 0),
        (9, -6, 1, 0),
        (1, 2, 1.02, 0),
        (0, 0, 1, 1.3),
        (3, -1, 0.985, -1),
    ],
)
@pytest.mark.parametrize("light", [1.0, 0.7])
def test_what_moved_is_found_and_moved_back(
    right: float, down: float, scale: float, turn: float, light: float
) -> None:
    """To a tenth of a pixel, whatever the light, and with no pixel outside touched."""
    answer = laid(right, down, scale, turn).point([round(level * light) for level in range(256)] * 3)
    pasted = paste(photo(), answer, MASK)
    moved = pasted.moved
    assert moved is not None
    assert moved.confidence > 0.6
    assert (moved.scale, moved.turn) == pytest.approx((scale, turn), abs=0.06)
    assert moved.scale == pytest.approx(scale, abs=0.001)
    if scale == 1 and not turn:
        assert (moved.right, moved.down) == pytest.approx((right, down), abs=0.1)
    assert off(pasted.image) < 3.5
    assert not (np.asarray(pasted.image) != np.asarray(photo()))[OUTSIDE].any()


def test_whole_pixels_come_back_untouched() -> None:
    """A shift by whole pixels costs no sharpness: inside the photo is back bit for bit."""
    assert off(paste(photo(), laid(5, -3), MASK).image) == 0


@pytest.mark.dear
@pytest.mark.parametrize("kind", ["grain", "new things", "another picture", "nothing"])
def test_what_did_not_move_is_left_where_it_is(kind: str) -> None:
    """Neither grain nor new things nor another picture altogether are taken for a move."""
    random = np.random.default_rng(3)
    pixels = np.array(photo())
    if kind == "grain":
        pixels = np.clip(pixels + random.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)
    elif kind == "new things":
        pixels[:140] = pixels[200:340]
    elif kind == "another picture":
        pixels = np.ascontiguousarray(pixels[::-1, ::-1].transpose(1, 0, 2))
    else:
        pixels[:] = 90
    moved = paste(photo(), Image.fromarray(pixels), MASK).moved
    assert moved is None or moved.still


def test_what_is_bent_is_told() -> None:
    """Where places are off each in their own way, no move undoes it, and that is said with how far."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    rows = np.clip(np.rint(y + 3 * np.sin(x / 40)).astype(int), 0, SIZE[1] - 1)
    columns = np.clip(np.rint(x + 3 * np.sin(y / 40)).astype(int), 0, SIZE[0] - 1)
    moved = paste(photo(), Image.fromarray(np.asarray(photo())[rows, columns]), MASK).moved
    assert moved is not None
    assert 1.2 < moved.bent < 6
    assert "bent by about" in str(moved)


def test_at_the_photos_border_the_edge_goes_on() -> None:
    """What a move leaves without an answer is not black."""
    mask = Mask(SIZE).rectangle((0, 100, 160, 300))
    pasted = paste(photo(), laid(6, 0), mask)
    assert pasted.moved is not None
    assert pasted.moved.right == pytest.approx(6, abs=0.1)
    assert (
        np.asarray(pasted.image)[110:290, :8].min(axis=2).mean()
        > 0.5 * np.asarray(photo())[110:290, :8].min(axis=2).mean()
    )


def test_the_move_is_told_in_words() -> None:
    """What was moved is said by its ways, and what was not is left out."""
    assert str(Moved(4.0, -1.7)) == "the answer lay 4.0 px to the right, 1.7 px up, and was moved back"
    assert "too large, turned by 1.2° clockwise" in str(Moved(0.0, 0.2, 1.015, 1.2))
    assert str(Moved()) == "the answer lay where it should"

"""Evening out by planes: pixels by themselves, and pictures in strips."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from ttapi_nb.fit import paste
from ttapi_nb.fit.evening import Evening, planes_of
from ttapi_nb.fit.seam import Coarse
from ttapi_nb.mask import Mask

SIZE = (320, 240)
MASK = Mask(SIZE).ellipse((80, 60, 240, 190))


def photo(mode: str = "RGB") -> Image.Image:
    """The sample, small."""
    return tt.sample().pixels.convert(mode).resize(SIZE)


def lit(by: Any) -> Image.Image:
    """The photo by a factor, clipped where that goes too far."""
    return Image.fromarray(np.clip(np.asarray(photo(), np.float32) * by, 0, 255).astype(np.uint8))


RELIT = np.linspace(0.6, 1.6, SIZE[0], dtype=np.float32)[None, :, None]
ANSWERS: dict[str, Callable[[], Image.Image]] = {
    "clipped": lambda: lit(1.5),
    "relit": lambda: lit(RELIT),
    "turned": lambda: lit(RELIT).rotate(-1.5, Image.Resampling.BICUBIC),
    "see-through": lambda: Image.merge("RGBA", (*lit(0.7).split(), Image.linear_gradient("L").resize(SIZE))),
}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_strips_leave_no_trace(kind: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is blended in many strips, two at once, is what is blended in one piece, but for a rounding."""
    source, answer = photo(mode), ANSWERS[kind]()
    whole = paste(source, answer, MASK)
    monkeypatch.setattr(sys.modules[paste.__module__], "STRIP", 700)
    parts = paste(source, answer, MASK)
    assert parts.light == whole.light
    assert parts.weight is not None
    assert whole.weight is not None
    assert np.array_equal(parts.weight, whole.weight)
    off = np.abs(np.asarray(parts.image, int) - np.asarray(whole.image, int))
    assert off.max() <= 1
    assert np.count_nonzero(off) <= 0.002 * off.size
    outside = MASK.coverage() == 0
    kept = np.asarray(source.convert(parts.image.mode))
    assert np.array_equal(np.asarray(parts.image)[outside], kept[outside])


@pytest.mark.parametrize("linear", [False, True])
def test_some_pixels_become_what_they_would_in_the_whole(linear: bool) -> None:
    """Pixels that are evened out by themselves are as they are with all the others."""
    random = np.random.default_rng(3)
    factor, added, lost = (
        tuple(Coarse(random.random((6, 8), np.float32) * wide + low, 40) for _ in range(3))
        for wide, low in ((0.5, 0.8), (20, -10), (55, 200))
    )
    evening = Evening(linear, factor, added, tuple((channel, lost[channel], None) for channel in range(3)))
    planes, box = planes_of(lit(1.3)), (0, 0, *SIZE)
    some = np.arange(0, SIZE[0] * SIZE[1], 7)
    whole = evening.applied(planes, box)
    alone = evening.applied([plane.take(some) for plane in planes], box, some)
    for plane, one in zip(whole, alone, strict=True):
        assert np.array_equal(plane.take(some), one)

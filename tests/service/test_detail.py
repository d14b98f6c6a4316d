"""The offline fill at a photo's own sharpness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttapi_nb.service.detail import detail_of
from ttapi_nb.service.paint import fills_of, paint

pytestmark = pytest.mark.fine


def rough(size: tuple[int, int], strength: float) -> Image.Image:
    """A slope of grey with grain."""
    random = np.random.default_rng(2)
    pixels = np.linspace(80, 170, size[0])[None, :, None] + random.normal(0, strength, (size[1], size[0], 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def sharpness(picture: Image.Image) -> Any:
    """How much each pixel differs from its neighbours."""
    grey = np.asarray(picture.convert("L"), np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.abs(4 * grey[1:-1, 1:-1] - around)


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.0, 2.0, 9.0])
def test_a_fill_is_as_sharp_as_the_photo_around_it(strength: float) -> None:
    """Inside the hole there is as much fine detail as beside it: no blur, and no grain where the photo has none."""
    photo = rough((1500, 1300), strength)
    hole = np.zeros((1300, 1500), np.bool_)
    hole[500:800, 600:950] = True
    (fill,) = fills_of(photo, hole, 1, 1)
    filled = paint(photo, hole, "nothing", 1, 0, fill)
    sharp, inside = sharpness(filled), hole[1:-1, 1:-1]
    beside = np.zeros_like(inside)
    beside[400:900, 500:1050] = True
    assert sharp[520:780, 620:930].mean() == pytest.approx(sharp[beside & ~inside].mean(), rel=0.25, abs=0.8)
    assert (np.asarray(filled)[~hole] == np.asarray(photo)[~hole]).all()


def test_nothing_is_added_to_what_lost_nothing() -> None:
    """A fill at the photo's own size, or with nowhere to take from, is left as it is."""
    pixels = np.asarray(rough((200, 200), 5))
    hole = np.zeros((200, 200), np.bool_)
    hole[80:120, 80:120] = True
    assert detail_of(pixels, pixels, pixels, hole) is None
    small = np.asarray(Image.fromarray(pixels).resize((100, 100)))
    assert detail_of(pixels, small, small, np.ones((100, 100), np.bool_)) is None

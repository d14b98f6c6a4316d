"""Colours that a prompt names, laid over what the service painted."""

from __future__ import annotations

import numpy as np

from ttapi_nb.service.colour import tint


def test_pixels_beyond_black_and_white_are_tinted_too() -> None:
    """What was made sharper, and so lies below 0 or above 255, gets numbers like any other."""
    pixels = np.full((8, 8, 3), 90, np.float32)
    pixels[2, 2], pixels[5, 5] = -40, 300
    tinted = tint(pixels, [(0, 128, 128)], np.ones((8, 8), np.bool_))
    assert np.isfinite(tinted).all()
    assert tinted[2, 2].max() == 0

"""Smooth values on a coarse grid, and how deep in a mask a pixel lies."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ttapi_nb.fit.geometry import Box
from ttapi_nb.fit.look import by_squares
from ttapi_nb.fit.seam import Coarse, ramp

NOWHERE = (False, False, False, False)


@pytest.mark.parametrize("step", [1, 2, 5, 32])
@pytest.mark.parametrize("box", [(0, 0, 64, 64), (3, 7, 41, 60), (63, 63, 64, 64)])
def test_coarse_values_are_read_as_pillow_would(step: int, box: Box) -> None:
    """Between the cells' middles they lie on a line, and beyond the outermost they stay."""
    values = np.random.default_rng(1).random((64 // step, 64 // step), np.float32)
    whole = Image.fromarray(values).resize([64 // step * step] * 2, Image.Resampling.BILINEAR)
    left, top, right, bottom = box
    expected = np.pad(np.asarray(whole), (0, 64 - 64 // step * step), "edge")[top:bottom, left:right]
    assert Coarse(values, step).over(box) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("step", [1, 3, 7])
def test_squares_at_the_edge_hold_what_is_left(step: int) -> None:
    """Each square's most and sum, also where a picture is no whole number of squares."""
    plane = np.random.default_rng(2).integers(0, 256, (20, 17), np.uint8)
    most, total = by_squares(plane, step, np.maximum, np.uint8), by_squares(plane, step, np.add, np.float32)
    for row, column in np.ndindex(most.shape):
        part = plane[row * step : (row + 1) * step, column * step : (column + 1) * step]
        assert (most[row, column], total[row, column]) == (part.max(), part.sum())


def test_a_mask_that_ends_at_the_border_is_as_deep_there_as_one_that_goes_on() -> None:
    """Half a mask that the picture's border cuts is as deep as that half of the whole."""
    covered = np.zeros((60, 80), np.uint8)
    covered[20:40, 20:60] = 255
    whole = ramp(covered, 4, NOWHERE).values
    half = ramp(np.ascontiguousarray(covered[:, 40:]), 4, (True, False, False, False)).values
    assert half == pytest.approx(whole[:, 40:])
    assert whole[30, 40] >= 1
    assert whole[0, 0] == 0

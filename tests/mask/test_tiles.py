"""Tiles: pixels that neighbours of an undo history share."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.properties import examples
from ttapi_nb.mask import Mask
from ttapi_nb.mask.tiles import Tiles

boxes = st.tuples(st.integers(0, 300), st.integers(0, 200), st.integers(1, 200), st.integers(1, 150))


@given(st.lists(st.tuples(boxes, st.sampled_from([0, 7, 128, 255])), max_size=6), boxes)
@examples(60)
def test_tiles_hold_every_pixel(
    painted: list[tuple[tuple[int, ...], int]], looked_at: tuple[int, ...]
) -> None:
    """Whole and in any part, and where two differ lies in the box they name, however they came to be."""
    coverage = np.zeros((211, 317), np.uint8)
    tiles = [Tiles.empty(coverage.shape)]
    pictures = [coverage.copy()]
    for (x, y, wide, high), level in painted:
        coverage[y : y + high, x : x + wide] = level
        box = (min(x, 317), min(y, 211), min(317, x + wide), min(211, y + high))
        tiles.append(tiles[-1].changed(coverage, [box]))
        pictures.append(coverage.copy())
    left, top = min(looked_at[0], 316), min(looked_at[1], 210)
    box = (left, top, min(317, left + looked_at[2]), min(211, top + looked_at[3]))
    for one, picture in zip(tiles, pictures, strict=True):
        assert np.array_equal(one.whole(), picture)
        assert np.array_equal(one.part(box), picture[box[1] : box[3], box[0] : box[2]])
        assert np.array_equal(Tiles.of(picture).whole(), picture)
        differing = one.differing(tiles[-1])
        apart = np.argwhere(picture != pictures[-1])
        if differing is None:
            assert not len(apart)
        elif len(apart):
            (y0, x0), (y1, x1) = apart.min(axis=0), apart.max(axis=0)
            assert differing[0] <= x0 <= x1 < differing[2]
            assert differing[1] <= y0 <= y1 < differing[3]


@pytest.mark.slow
def test_a_long_history_costs_what_was_painted() -> None:
    """A hundred strokes on 24 megapixels, all of which can be gone back to, hold far less than two such masks."""
    mask = Mask((6000, 4000))
    gc.collect()
    tracemalloc.start()
    try:
        history = [mask]
        for number in range(100):
            x, y = 300 + 54 * number, 300 + 34 * number
            history.append(history[-1].paint([(x, y), (x + 200, y + 100)], radius=30))
            history[-1].coverage()
        gc.collect()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Three are kept whole.
    assert held < 3 * 24e6 + 30e6
    assert most < 5 * 24e6 + 30e6
    assert history[20].area > history[10].area > 0

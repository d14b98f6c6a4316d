"""Painting by tiles, by bands and all at once is the same, and takes bounded time and memory."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.properties import examples
from ttapi_nb.mask import Mask
from ttapi_nb.mask.marks import Shape, Stroke
from ttapi_nb.mask.raster import draw_segment, merge
from ttapi_nb.mask.sweep import sparse

places = st.floats(-900, 1400, width=32)
dots = st.tuples(places, places, st.floats(0.5, 700, width=32))


@given(st.lists(dots, min_size=1, max_size=5))
@example([(300, 200, 250), (300, 200, 250), (310, 220, 40)])
@example([(-800, -800, 3), (1300, 1250, 3)])
@examples(60)
def test_a_stroke_by_tiles_is_the_stroke_pixel_by_pixel(points: list[tuple[float, float, float]]) -> None:
    """However large its pieces are, each pixel is what it is where all are worked out."""
    by_tiles, whole = np.zeros((420, 590), np.uint8), np.zeros((420, 590), np.uint8)
    Stroke(tuple(points)).draw(by_tiles)
    for start, end in zip(points, points[1:] or points, strict=False):
        piece = np.zeros_like(whole)
        draw_segment(piece, start, end)
        merge(whole, piece, erase=False)
    # Counted from another corner, the last bit of a float may be another.
    assert np.abs(by_tiles.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("outline", ["rectangle", "ellipse", "polygon"])
def test_a_shape_in_bands_is_the_shape(outline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn a few rows at a time, it has the same pixels."""
    points = ((-30.3, 20.7), (250.2, 131.4), (40.0, 180.9))[: 3 if outline == "polygon" else 2]
    shape = Shape(outline, points)
    whole, banded = np.zeros((150, 200), np.uint8), np.zeros((150, 200), np.uint8)
    shape.draw(whole)
    monkeypatch.setattr("ttapi_nb.mask.marks.shape.BAND", 200 * 7)
    shape.draw(banded)
    assert np.array_equal(whole, banded)
    assert whole.any()


def test_a_huge_ellipse_covers_each_pixel_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its edge is as soft as the area that lies within says, to within an eighth."""
    monkeypatch.setattr("ttapi_nb.mask.marks.shape.LONGEST_ELLIPSE", 0)
    coverage = Mask((60, 40)).ellipse((3.3, 4.2, 55.8, 36.1)).coverage()
    fine = (np.arange(60 * 16) + 0.5) / 16, (np.arange(40 * 16) + 0.5) / 16
    inside = ((fine[0] - 29.55) / 26.25) ** 2 + ((fine[1][:, None] - 20.15) / 15.95) ** 2 <= 1
    expected = inside.reshape(40, 16, 60, 16).mean(axis=(1, 3)) * 255
    assert np.abs(coverage - expected).max() <= 255 / 8 + 1


LARGE: dict[str, Callable[[Mask], Mask]] = {
    "all in an ellipse": lambda mask: mask.ellipse((0, 0, 6000, 6000)),
    "all in a rectangle": lambda mask: mask.rectangle((0, 0, 6000, 6000)),
    "a polygon": lambda mask: mask.polygon([(0, 0), (6000, 0), (0, 6000), (5999, 5999)]),
    "an ellipse far beyond": lambda mask: mask.ellipse((-250_000, -250_000, 250_000, 250_000)),
    "a brush over all": lambda mask: mask.paint([(3000, 3000)], radius=9000),
    "a stroke that begins outside": lambda mask: mask.paint([(-400_000, -400_000), (6000, 6000)], radius=40),
    "a slow scribble of a huge brush": lambda mask: mask.paint(
        [(3000 + 300 * np.sin(at / 9), 3000 + at) for at in range(150)], radius=1500
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LARGE)
def test_large_marks_take_little_more_than_the_mask(kind: str) -> None:
    """On 36 megapixels, no mark holds more than a few times the mask's own bytes, or takes long."""
    mask = LARGE[kind](Mask((6000, 6000)))
    tracemalloc.start()
    begun = time.process_time()
    try:
        assert mask.area > 0
        assert tracemalloc.get_traced_memory()[1] < 4 * 36e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < 15


@pytest.mark.slow
def test_many_strokes_at_once_are_each_by_itself() -> None:
    """Seven hundred scribbles, some of them erasing, drawn together are the same as one after another, to a level."""
    random = np.random.default_rng(5)
    marks = []
    for number in range(700):
        line = random.random(2) * (900, 600) + np.cumsum(random.normal(0, 20, (6, 2)), axis=0)
        radii = random.uniform(0.3, 25, 6) if number % 3 else np.full(6, 12.0)
        points = tuple((float(x), float(y), float(r)) for (x, y), r in zip(line, radii, strict=True))
        marks.append(Stroke(points, erase=number % 211 == 210))
    one_by_one = np.zeros((600, 900), np.uint8)
    for mark in marks:
        mark.draw(one_by_one)
    together = Mask((900, 600), tuple(marks)).coverage()
    assert np.abs(together.astype(int) - one_by_one).max() <= 1
    assert 0.3 < (together > 0).mean() < 1


def test_a_stroke_changes_nothing_beyond_its_reach() -> None:
    """The boxes that a long stroke names hold all that it paints, and far less than the box around it."""
    stroke = Stroke(((20.0, 30.0, 8.0), (2900.0, 1950.0, 14.0)))
    coverage = np.zeros((2000, 3000), np.uint8)
    stroke.draw(coverage)
    within = np.zeros(coverage.shape, np.bool_)
    for left, top, right, bottom in stroke.reach((3000, 2000)):
        within[top:bottom, left:right] = True
    assert coverage.any()
    assert not coverage[~within].any()
    assert within.mean() < 0.3


@pytest.mark.parametrize("erase", [False, True])
def test_a_long_thin_stroke_is_the_stroke_pixel_by_pixel(erase: bool) -> None:
    """Painted or taken away row by row, over the borders too, each pixel is what it is where all are worked out."""
    points = (
        (-50.0, 20.0, 7.0),
        (800.0, 610.5, 11.0),
        (1500.0, 900.0, 3.0),
        (1500.0, 905.0, 0.4),
        (30.0, 1190.0, 6.0),
    )
    rows, pieces = np.full((1200, 1400), 200 if erase else 30, np.uint8), np.zeros((1200, 1400), np.uint8)
    before = rows.copy()
    assert sparse(points, 1400, 1200) is not None
    Stroke(points, erase).draw(rows)
    for start, end in itertools.pairwise(points):
        draw_segment(pieces, start, end)
    merge(before, pieces, erase=erase)
    assert np.abs(rows.astype(int) - before).max() <= 1
    assert (rows == (0 if erase else 255)).sum() > 10_000

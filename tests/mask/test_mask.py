"""Masks: what their marks paint, how they are read and written, and what they refuse."""

from __future__ import annotations

import base64
import copy
import dataclasses
import gc
import io
import json
import math
import os
import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.support.properties import examples
from ttapi_nb.errors import ImageError, MaskError, TTAPIError
from ttapi_nb.mask import HALF, Bitmap, Mask
from ttapi_nb.picture import SourceImage

WIDTH, HEIGHT = 40, 28
SIZE = (WIDTH, HEIGHT)
EMPTY = Mask(SIZE)

Step = Callable[[Mask], Mask]

numbers = st.floats(-20, 60, allow_nan=False) | st.integers(-5, 45).map(float)
radii = st.floats(0.3, 15)
points = st.tuples(numbers, numbers)
weighted = st.tuples(numbers, numbers, radii)
boxes = st.tuples(numbers, numbers, numbers, numbers)
regions = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.2
)
amounts = st.floats(0, 60) | st.integers(0, 4).map(float)


def steps() -> st.SearchStrategy[Step]:
    """One change to a mask, of every kind there is."""
    flag = st.booleans()
    return st.one_of(
        st.builds(
            lambda p, r: lambda m: m.paint(p, radius=r), st.lists(points, min_size=1, max_size=5), radii
        ),
        st.builds(lambda p: lambda m: m.paint(p), st.lists(weighted, min_size=1, max_size=4)),
        st.builds(
            lambda p, r: lambda m: m.erase(p, radius=r), st.lists(points, min_size=1, max_size=5), radii
        ),
        st.builds(lambda b, e: lambda m: m.rectangle(b, erase=e), boxes, flag),
        st.builds(lambda b, e: lambda m: m.ellipse(b, erase=e), boxes, flag),
        st.builds(
            lambda p, e: lambda m: m.polygon(p, erase=e), st.lists(points, min_size=3, max_size=6), flag
        ),
        st.builds(lambda r, e: lambda m: m.fill(r, erase=e), regions, flag),
        st.just(lambda m: m.invert()),
        st.just(lambda m: m.clear()),
        st.builds(lambda a: lambda m: m.grow(a), amounts),
        st.builds(lambda a: lambda m: m.shrink(a), amounts),
        st.builds(lambda a: lambda m: m.feather(a), amounts),
    )


def built(parts: list[Step]) -> Mask:
    """An empty mask after all these changes."""
    mask = EMPTY
    for step in parts:
        mask = step(mask)
    return mask


masks = st.lists(steps(), max_size=6).map(built)


def same_pixels(one: Mask, other: Mask) -> bool:
    """Whether two masks cover the same."""
    return np.array_equal(one.coverage(), other.coverage())


# Reading and writing


@given(masks)
def test_json_keeps_every_mark(mask: Mask) -> None:
    """What `to_json` wrote, `from_json` reads as an equal mask with the same pixels."""
    again = Mask.from_json(mask.to_json())
    assert again == mask
    assert hash(again) == hash(mask)
    assert same_pixels(again, mask)


@given(masks)
def test_the_png_is_transparent_exactly_where_the_edit_is(mask: Mask) -> None:
    """Alpha is 0 where `to_array` is true and 255 elsewhere, and the mask can be read back from it."""
    png = mask.to_png()
    opened = Image.open(io.BytesIO(png))
    assert (opened.format, opened.mode, opened.size) == ("PNG", "RGBA", mask.size)
    alpha = np.asarray(opened.getchannel("A"))
    assert np.array_equal(alpha, np.where(mask.to_array(), 0, 255))
    assert np.array_equal(Mask.from_image(png, edit="transparent").to_array(), mask.to_array())


@given(masks)
def test_the_grey_picture_can_be_read_as_white_or_black(mask: Mask) -> None:
    """`to_image` read with white as the edit is the mask, and with black its inverse."""
    grey = mask.to_image()
    assert grey.mode == "L"
    # A picture of nothing but 0 and 1 holds numbers.
    assume(mask.coverage().max() != 1)
    assert same_pixels(Mask.from_image(grey, edit="white"), mask)
    assume((255 - mask.coverage()).max() != 1)
    assert same_pixels(Mask.from_image(grey, edit="black"), mask.invert())


@given(masks)
def test_a_pickle_and_a_copy_are_the_same_mask(mask: Mask) -> None:
    """A mask can go to another process and back."""
    for again in (pickle.loads(pickle.dumps(mask)), copy.deepcopy(mask), copy.copy(mask)):
        assert again == mask
        assert same_pixels(again, mask)


def test_from_array_takes_bool_and_coverage() -> None:
    """A bool array means all or nothing, a uint8 array is the coverage itself."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(Mask.from_array(ramp).coverage(), ramp)
    assert np.array_equal(Mask.from_array(ramp >= 100).coverage(), np.where(ramp >= 100, 255, 0))
    assert Mask.from_array(np.zeros((4, 6), bool)) == Mask((6, 4))


def test_from_array_keeps_no_hold_of_the_array() -> None:
    """Changing the array afterwards does not change the mask."""
    array = np.zeros((4, 6), np.uint8)
    array[1, 2] = 200
    mask = Mask.from_array(array)
    array[:] = 255
    assert mask.area == 1


def test_the_half_decides() -> None:
    """A pixel that is covered by half is edited, one that is covered by less is seam, and 0 is protected."""
    mask = Mask.from_array(np.array([[0, 1, HALF - 1, HALF, 255]], np.uint8))
    assert mask.to_array().tolist() == [[False, False, False, True, True]]
    assert mask.area == 2
    assert mask.bounds == (1, 0, 5, 1)


# What marks paint


@given(masks)
def test_inverting_twice_changes_nothing(mask: Mask) -> None:
    """The inverse of the inverse has the same coverage."""
    assert same_pixels(mask.invert().invert(), mask)
    assert np.array_equal(mask.invert().coverage(), 255 - mask.coverage())


@given(masks, amounts)
def test_growing_then_shrinking_loses_nothing(mask: Mask, amount: float) -> None:
    """A mask that grew and shrank by as much covers all that it covered before."""
    assert (mask.grow(amount).coverage() >= mask.coverage()).all()
    assert (mask.shrink(amount).coverage() <= mask.coverage()).all()
    assert (mask.grow(amount).shrink(amount).coverage() >= mask.coverage()).all()


@given(masks, amounts)
def test_growing_reaches_a_disc_around_each_pixel(mask: Mask, amount: float) -> None:
    """Where the mask grew, some pixel within the radius had that coverage, and nowhere else."""
    before = mask.coverage()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    expected = np.zeros_like(before)
    for row, column in zip(*np.nonzero(before), strict=True):
        near = (x - column) ** 2 + (y - row) ** 2 <= amount**2
        expected[near] = np.maximum(expected[near], before[row, column])
    assert np.array_equal(mask.grow(amount).coverage(), expected)


@given(masks, st.lists(points, min_size=1, max_size=5), radii)
def test_painting_twice_is_painting_once(mask: Mask, line: list[tuple[float, float]], radius: float) -> None:
    """Paint is opaque: the same stroke again changes nothing, and it never takes away."""
    once = mask.paint(line, radius=radius)
    assert same_pixels(once.paint(line, radius=radius), once)
    assert (once.coverage() >= mask.coverage()).all()


@given(st.lists(st.tuples(points, points, radii), min_size=2, max_size=4))
def test_the_order_of_strokes_does_not_matter(strokes: list[tuple[Any, Any, float]]) -> None:
    """Strokes of paint give the same mask in whatever order they come."""
    forth, back = EMPTY, EMPTY
    for start, end, radius in strokes:
        forth = forth.paint([start, end], radius=radius)
    for start, end, radius in reversed(strokes):
        back = back.paint([start, end], radius=radius)
    assert same_pixels(forth, back)


@given(st.lists(weighted, min_size=1, max_size=4))
def test_each_point_of_a_stroke_is_a_whole_disc(line: list[tuple[float, float, float]]) -> None:
    """A point's own radius holds all around it, whatever its neighbours' are."""
    coverage = EMPTY.paint(line).coverage()
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for px, py, radius in line:
        assert (coverage[np.hypot(x - px, y - py) < radius - 0.6] == 255).all()


def test_a_stroke_covers_its_line_and_no_more() -> None:
    """A straight stroke is full within its radius of the line and empty beyond, ends included."""
    coverage = Mask((60, 30)).paint([(15, 15), (45, 15)], radius=6).coverage()
    y, x = np.meshgrid(np.arange(30) + 0.5, np.arange(60) + 0.5, indexing="ij")
    distance = np.hypot(x - np.clip(x, 15, 45), y - 15)
    assert (coverage[distance < 5.4] == 255).all()
    assert (coverage[distance > 6.6] == 0).all()
    assert coverage.sum() / 255 == pytest.approx(30 * 12 + math.pi * 36, rel=0.01)


@given(masks, st.lists(points, min_size=1, max_size=5), radii)
def test_erasing_takes_away_what_paint_would_add(
    mask: Mask, line: list[tuple[float, float]], radius: float
) -> None:
    """After erasing along a line nothing is left where painting it is opaque, and elsewhere all is as before."""
    stroke = EMPTY.paint(line, radius=radius).coverage()
    erased = mask.erase(line, radius=radius).coverage()
    assert (erased[stroke == 255] == 0).all()
    assert np.array_equal(erased[stroke == 0], mask.coverage()[stroke == 0])


@given(boxes)
def test_a_rectangle_covers_each_pixel_by_its_share(box: tuple[float, float, float, float]) -> None:
    """The coverage of a pixel is the share of its area inside the box, exactly."""
    x0, x1 = sorted((box[0], box[2]))
    y0, y1 = sorted((box[1], box[3]))
    columns, rows = np.arange(WIDTH), np.arange(HEIGHT)
    across = np.clip(np.minimum(columns + 1, x1) - np.maximum(columns, x0), 0, 1)
    down = np.clip(np.minimum(rows + 1, y1) - np.maximum(rows, y0), 0, 1)
    difference = EMPTY.rectangle(box).coverage() - np.outer(down, across) * 255
    assert np.abs(difference).max() <= 0.5 + 1e-6


def test_a_rectangle_between_pixels() -> None:
    """A box from (1.5, 1) to (3, 2.25) covers half and quarter pixels."""
    coverage = Mask((4, 4)).rectangle((1.5, 1, 3, 2.25)).coverage()
    assert coverage.tolist() == [[0, 0, 0, 0], [0, 128, 255, 0], [0, 32, 64, 0], [0, 0, 0, 0]]


def test_an_ellipse_has_the_area_of_an_ellipse() -> None:
    """The ellipse fills its box, round as it should be."""
    mask = Mask((120, 90)).ellipse((10, 20, 110, 80))
    assert mask.bounds == (10, 20, 110, 80)
    assert mask.coverage().sum() / 255 == pytest.approx(math.pi * 50 * 30, rel=0.01)
    inside = mask.coverage()[20:80, 10:110]
    assert np.array_equal(inside, inside[::-1, ::-1])


def test_a_polygon_has_the_area_of_a_polygon() -> None:
    """A triangle covers half of its box."""
    mask = Mask((120, 90)).polygon([(10, 10), (110, 10), (10, 80)])
    assert mask.coverage().sum() / 255 == pytest.approx(100 * 70 / 2, rel=0.01)
    assert mask.coverage()[20, 20] == 255
    assert mask.coverage()[75, 105] == 0


@given(regions)
def test_a_filled_region_is_that_region(region: Any) -> None:
    """`fill` adds exactly the region, and with `erase` leaves exactly the rest."""
    assert np.array_equal(EMPTY.fill(region).to_array(), region)
    assert np.array_equal(EMPTY.invert().fill(region, erase=True).to_array(), ~region)


@pytest.mark.parametrize("shape", ["rectangle", "ellipse", "polygon"])
def test_a_shape_that_erases_undoes_the_shape(shape: str) -> None:
    """Erasing the shape that was just added leaves nothing behind but the seam of its edge."""
    box: Any = [(5.3, 5), (30, 6), (20, 25.2)] if shape == "polygon" else (5.3, 5, 30, 25.2)
    added = getattr(EMPTY, shape)(box)
    assert added.area > 100
    assert getattr(added, shape)(box, erase=True).area == 0


def test_clear_forgets_everything() -> None:
    """A cleared mask equals a new one of its size."""
    assert EMPTY.paint([(5, 5)]).invert().clear() == EMPTY


def test_an_empty_mask_marks_nothing() -> None:
    """No area and no bounds, and a PNG that is opaque all over."""
    assert EMPTY.area == 0
    assert EMPTY.bounds is None
    assert Image.open(io.BytesIO(EMPTY.to_png())).getchannel("A").getextrema() == (255, 255)


def test_feather_softens_the_edge_and_keeps_the_middle() -> None:
    """The edge fades to both sides, and far from it nothing changes."""
    hard = Mask((80, 80)).rectangle((20, 20, 60, 60))
    soft = hard.feather(6)
    row = soft.coverage()[40].astype(int)
    assert (np.diff(row[:40]) >= 0).all()
    assert 0 < row[17] < 128 < row[22] < 255
    assert row[40] == 255
    assert row[2] == 0
    assert soft.area == pytest.approx(hard.area, rel=0.05)


def test_marks_outside_the_picture_paint_nothing() -> None:
    """Strokes and shapes may lie anywhere, also where the picture is not."""
    mask = EMPTY.paint([(-500, -500), (-400, -500)]).rectangle((1000, 1000, 2000, 2000))
    mask = mask.ellipse((-300, 0, -200, 90)).polygon([(900, 0), (950, 0), (900, 50)])
    assert mask.bounds is None
    assert EMPTY.rectangle((-1e5, -1e5, 1e5, 1e5)).area == WIDTH * HEIGHT
    assert EMPTY.ellipse((-1e5, -1e5, 1e5, 1e5)).area == WIDTH * HEIGHT


# Another size


@given(boxes, st.tuples(st.integers(30, 200), st.integers(30, 200)))
def test_resizing_keeps_the_share_that_is_masked(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    """A mask at another size covers the same share of the picture, give or take its edge."""
    for mask in (EMPTY.rectangle(box), EMPTY.ellipse(box), EMPTY.rectangle(box).invert()):
        resized = mask.resize(size)
        assert resized.size == size
        assert resized.coverage().mean() / 255 == pytest.approx(mask.coverage().mean() / 255, abs=0.03)


@given(regions, st.integers(2, 5))
def test_a_filled_region_resizes_with_the_picture(region: Any, times: int) -> None:
    """Pixels that were filled keep their share when the picture is scaled up, and come back on the way down."""
    mask = EMPTY.fill(region)
    large = mask.resize((WIDTH * times, HEIGHT * times))
    assert large.coverage().mean() == pytest.approx(mask.coverage().mean(), abs=255 * 0.03)
    small = large.resize(SIZE)
    assert small.coverage().mean() == pytest.approx(mask.coverage().mean(), abs=255 * 0.03)


@given(masks)
def test_resizing_to_the_same_size_changes_nothing(mask: Mask) -> None:
    """The mask is its own resized copy at its own size."""
    assert mask.resize(SIZE) == mask


def test_a_brush_scales_with_the_picture() -> None:
    """At twice the size a stroke has twice the radius and four times the area."""
    mask = EMPTY.paint([(20, 14)], radius=8)
    assert mask.resize((80, 56)).area == pytest.approx(4 * mask.area, rel=0.03)


# Rendering


@examples(150)
@given(st.lists(st.tuples(steps(), st.booleans()), max_size=10))
def test_rendering_step_by_step_is_rendering_at_once(parts: list[tuple[Step, bool]]) -> None:
    """Whichever earlier masks are kept and rendered, the pixels are those of all the marks from scratch."""
    history = [EMPTY]
    for step, looked_at in parts:
        history.append(step(history[-1]))
        if looked_at:
            history[-1].coverage()
    for mask in reversed(history):
        assert same_pixels(mask, Mask(mask.size, mask.marks))


@given(st.lists(steps(), min_size=2, max_size=6))
def test_two_masks_may_grow_from_one(parts: list[Step]) -> None:
    """Undo, then something else: branches of one mask do not disturb it or each other."""
    stem = built(parts)
    before = stem.coverage().copy()
    one, other = stem.paint([(5, 5)], radius=4), stem.invert()
    assert same_pixels(one, Mask(SIZE, one.marks))
    assert same_pixels(other, Mask(SIZE, other.marks))
    assert np.array_equal(stem.coverage(), before)


@pytest.mark.slow
def test_an_undo_history_keeps_few_rendered_masks() -> None:
    """Fifty masks of a megapixel, each looked at, hold no more than a handful of megabytes."""
    mask = Mask((1000, 1000)).rectangle((0, 0, 10, 10))
    gc.collect()
    tracemalloc.start()
    try:
        history = [mask]
        for number in range(50):
            history.append(history[-1].paint([(20 * number, 500)], radius=15))
            assert history[-1].area > 0
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(history) == 51
    assert held < 6_000_000
    assert history[10].area > history[5].area


# Immutable values


def test_coverage_is_read_only() -> None:
    """Nobody can paint into a mask behind its back."""
    mask = EMPTY.paint([(5, 5)])
    with pytest.raises(ValueError, match="read-only"):
        mask.coverage()[0, 0] = 1
    picture = mask.to_image()
    picture.paste(0, (0, 0, *SIZE))
    assert mask.area > 0


def test_a_mask_is_frozen() -> None:
    """Neither size nor marks can be set, and a list of marks becomes a tuple of its own."""
    mask = EMPTY.paint([(5, 5)])
    with pytest.raises(dataclasses.FrozenInstanceError):
        mask.size = (1, 1)  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        mask.marks = ()  # type: ignore[misc]
    marks = list(mask.marks)
    other = Mask(SIZE, marks)  # type: ignore[arg-type]
    marks.clear()
    assert other == mask


def test_replacing_the_marks_replaces_the_pixels() -> None:
    """`dataclasses.replace` gives a mask with pixels of its own."""
    mask = EMPTY.paint([(5, 5)])
    assert mask.area > 0
    assert dataclasses.replace(mask, marks=()).area == 0


def test_methods_leave_the_mask_as_it_was() -> None:
    """Every method returns a new mask."""
    mask = EMPTY.rectangle((5, 5, 20, 20))
    before = mask.to_json()
    for other in (mask.paint([(1, 1)]), mask.erase([(9, 9)]), mask.invert(), mask.clear(), mask.grow(3)):
        assert other != mask
    assert mask.to_json() == before


def test_equal_masks_are_equal() -> None:
    """Size and marks make a mask, so equal ones can stand for each other in a dict."""
    one, other = EMPTY.paint([(1, 2)], radius=3), Mask([WIDTH, HEIGHT]).paint([[1.0, 2.0, 3.0]])  # type: ignore[arg-type]
    assert one == other
    assert {one: "found"}[other] == "found"
    assert one != one.paint([(1, 2)])
    assert Mask((HEIGHT, WIDTH)) != EMPTY


def test_repr_is_short() -> None:
    """A mask with many points shows its size and how many marks it has."""
    assert repr(EMPTY) == "Mask(40x28, 0 marks)"
    assert repr(EMPTY.paint([(x, 5) for x in range(1000)])) == "Mask(40x28, 1 mark)"
    assert repr(EMPTY.invert().invert()) == "Mask(40x28, 2 marks)"
    assert len(repr(Bitmap.of(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8)))) < 100


def test_a_notebook_shows_a_small_picture() -> None:
    """The rich display is a PNG of at most 512 pixels a side, white where the edit is."""
    mask = Mask((2000, 1000)).rectangle((0, 0, 1000, 1000))
    shown = Image.open(io.BytesIO(mask._repr_png_()))
    assert (shown.format, shown.size) == ("PNG", (512, 256))
    assert [shown.getpixel((x, 100)) for x in (50, 450)] == [255, 0]


# Refusals


@pytest.mark.parametrize(
    "size",
    [(0, 5), (5, -1), (5,), (5, 5, 5), (2.5, 5), ("5", "5"), (True, True), (10**6, 10**6), 5, None, "ab"],
    ids=repr,
)
def test_sizes_that_make_no_sense(size: Any) -> None:
    """A mask needs two whole numbers of pixels, and not more than a picture may have."""
    with pytest.raises(MaskError, match="Use the picture's own size"):
        Mask(size)
    with pytest.raises(MaskError, match="Use the picture's own size"):
        EMPTY.paint([(5, 5)]).resize(size)


BAD = (math.nan, math.inf, -math.inf, 1e9)


@pytest.mark.parametrize("bad", [*BAD, "x", None, 10**400], ids=lambda bad: str(bad)[:9])
@pytest.mark.parametrize("place", range(3))
def test_numbers_that_make_no_sense(bad: Any, place: int) -> None:
    """Neither nan nor infinity, nor what is no number at all, gets into a mask."""
    point = [5.0, 5.0, 5.0]
    point[place] = bad
    box = (point[0], point[1], point[2], 9.0)
    corners = [(1, 1), (9, 9), point[:2]]
    with pytest.raises(MaskError):
        EMPTY.paint([(1, 1), point])
    with pytest.raises(MaskError):
        EMPTY.erase([point])
    with pytest.raises(MaskError):
        EMPTY.rectangle(box)
    with pytest.raises(MaskError):
        EMPTY.ellipse(box)
    if place < 2:
        with pytest.raises(MaskError):
            EMPTY.polygon(corners)


@pytest.mark.parametrize("points", [[], [(1,)], [(1, 2, 3, 4)], [1, 2], [()], ["ab"]], ids=repr)
def test_points_that_are_no_points(points: Any) -> None:
    """A stroke is made of pairs, or of pairs with a radius."""
    with pytest.raises(MaskError):
        EMPTY.paint(points)
    with pytest.raises(MaskError):
        EMPTY.erase(points)


@pytest.mark.parametrize("radius", [0, -1, math.nan, math.inf, 1e9])
def test_radii_that_make_no_sense(radius: float) -> None:
    """A brush has a radius over 0, and an ordinary one."""
    with pytest.raises(MaskError):
        EMPTY.paint([(5, 5)], radius=radius)


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 2, 3, 4, 5), ()], ids=repr)
def test_boxes_need_four_numbers(box: Any) -> None:
    """A box says all four of its numbers."""
    for shape in (EMPTY.rectangle, EMPTY.ellipse):
        with pytest.raises(MaskError, match="all four"):
            shape(box)


@pytest.mark.parametrize("corners", [[], [(1, 1), (5, 5)], [(1, 1, 1)] * 3], ids=repr)
def test_polygons_need_three_corners(corners: Any) -> None:
    """Less than three corners enclose nothing."""
    with pytest.raises(MaskError, match="at least three corners"):
        EMPTY.polygon(corners)


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, 10_001])
def test_amounts_that_make_no_sense(amount: float) -> None:
    """An edge moves by 0 to 10,000 pixels."""
    for change in (EMPTY.grow, EMPTY.shrink, EMPTY.feather):
        with pytest.raises(MaskError, match="a number of pixels from 0 to 10,000"):
            change(amount)


def test_a_region_of_another_size() -> None:
    """A region belongs to the same picture as the mask."""
    with pytest.raises(MaskError, match="must be the same size"):
        EMPTY.fill(np.ones((WIDTH, HEIGHT), bool))


@pytest.mark.parametrize(
    "array",
    [np.full((4, 4), 3), np.full((4, 4), 999.0), np.zeros((4, 4, 3), bool), np.zeros((0, 4), bool)],
)
def test_arrays_that_are_no_masks(array: Any) -> None:
    """Labels, numbers of no known range, colours and nothing at all are refused rather than guessed at."""
    with pytest.raises(MaskError, match="Compare"):
        Mask.from_array(array)


def test_polarity_is_always_said() -> None:
    """A picture without transparency is no transparent mask, and a word that is not known is no polarity."""
    grey = Image.new("L", (4, 4))
    with pytest.raises(MaskError, match='edit="white"'):
        Mask.from_image(grey, edit="transparent")
    with pytest.raises(MaskError, match="is not known"):
        Mask.from_image(grey, edit="red")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Mask.from_image(grey)  # type: ignore[call-arg]


# Damaged JSON


def packed(data: bytes) -> str:
    """Bytes as JSON holds them."""
    return base64.b64encode(data).decode()


def bitmap(**changed: Any) -> dict[str, Any]:
    """The mark for filled pixels as it is saved, but for what is changed."""
    mark = {"kind": "bitmap", "x": 0, "y": 0, "size": [4, 3], "packed": packed(zlib.compress(b"\xff" * 12))}
    return mark | {"erase": False} | changed


def stroke(**changed: Any) -> dict[str, Any]:
    """The mark for a stroke as it is saved, but for what is changed."""
    return {"kind": "stroke", "points": [[1, 2, 3]], "erase": False} | changed


def shape(**changed: Any) -> dict[str, Any]:
    """The mark for a rectangle as it is saved, but for what is changed."""
    return {"kind": "shape", "outline": "rectangle", "points": [[1, 2], [3, 4]], "erase": False} | changed


def change(**changed: Any) -> dict[str, Any]:
    """The mark for growing as it is saved, but for what is changed."""
    return {"kind": "change", "what": "grow", "pixels": 2} | changed


def saved(*marks: Any, **changed: Any) -> str:
    """The text of a mask with these marks, but for what is changed."""
    return json.dumps({"version": 1, "size": [8, 8], "marks": marks} | changed)


def test_the_damage_below_is_the_only_damage() -> None:
    """Before anything is damaged, each of these marks can be read and painted."""
    for mark in (bitmap(), stroke(), shape(), change()):
        assert Mask.from_json(saved(bitmap(), mark)).area >= 12


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "[]",
        "5",
        '"mask"',
        "{}",
        "[" * 100_000,
        saved(version=2),
        saved(version=None),
        saved(size=None),
        saved(size=[8]),
        saved(size=[8, 8, 8]),
        saved(size=[-8, 8]),
        saved(size=[0, 8]),
        saved(size=[10**9, 10**9]),
        saved(size=[10**400, 8]),
        saved(size=["8", "8"]),
        saved(size=[8.0, 8.5]),
        saved(marks=None),
        saved(marks=5),
        saved(marks="marks"),
        saved(marks={"kind": "stroke"}),
        saved(5),
        saved(None),
        saved([]),
        saved({}),
        saved({"kind": "spray"}),
        saved({"kind": ["stroke"]}),
        saved({"kind": None}),
        saved(stroke(points=[])),
        saved(stroke(points=None)),
        saved(stroke(points=5)),
        saved(stroke(points=[5])),
        saved(stroke(points=[[1, 2]])),
        saved(stroke(points=[[1, 2, 3, 4]])),
        saved(stroke(points=[[1, 2, 0]])),
        saved(stroke(points=[[1, 2, -3]])),
        saved(stroke(points=[["a", "b", "c"]])),
        saved(stroke(points=[[math.nan, 2, 3]])),
        saved(stroke(points=[[1, math.inf, 3]])),
        saved(stroke(points=[[10**400, 2, 3]])),
        saved(stroke(erase="yes")),
        saved({"kind": "stroke"}),
        saved(shape(outline="star")),
        saved(shape(outline=["polygon"])),
        saved(shape(outline=None)),
        saved(shape(points=[[1, 2]])),
        saved(shape(points=[[1, 2], [3, 4], [5, 6]])),
        saved(shape(outline="ellipse", points=[[1, 2], [3, 4], [5, 6]])),
        saved(shape(outline="polygon")),
        saved(shape(outline="polygon", points=[[1, 2], [3, 4], [5]])),
        saved(shape(points=[[1, math.nan], [3, 4]])),
        saved(shape(erase=None)),
        saved(change(what="explode")),
        saved(change(what=None)),
        saved(change(pixels=-1)),
        saved(change(pixels=math.nan)),
        saved(change(pixels=10**400)),
        saved(change(pixels="2")),
        saved(change(pixels=None)),
        saved(bitmap(packed=packed(zlib.compress(b"\xff" * 11)))),
        saved(bitmap(packed=packed(zlib.compress(b"\xff" * 13)))),
        saved(bitmap(packed=packed(zlib.compress(b"\xff" * 12)[:-5]))),
        saved(bitmap(packed=packed(zlib.compress(b"\xff" * 12)[:-2]))),
        saved(bitmap(packed=packed(b"this is not zlib"))),
        saved(bitmap(packed="this is not base64!")),
        saved(bitmap(packed="")),
        saved(bitmap(packed=None)),
        saved(bitmap(packed=5)),
        saved(bitmap(size=[4, 4])),
        saved(bitmap(size=[-4, -3])),
        saved(bitmap(size=[0, 0])),
        saved(bitmap(size=[12])),
        saved(bitmap(size=None)),
        saved(bitmap(size=[4.0, 3.0])),
        saved(bitmap(size=[10**9, 10**9])),
        saved(bitmap(x="0")),
        saved(bitmap(y=None)),
        saved(bitmap(x=0.5)),
        saved(bitmap(x=10**400)),
        saved(bitmap(erase=0)),
        saved({"kind": "bitmap"}),
    ],
    ids=lambda text: text[:90],
)
def test_damaged_json_is_a_mask_error(text: str) -> None:
    """Whatever is wrong with a saved mask is said where it is read, as a sentence or two of ours."""
    with pytest.raises(MaskError) as caught:
        Mask.from_json(text)
    assert str(caught.value)[0].isupper()
    assert str(caught.value).endswith(".")
    assert caught.value.__cause__ is None


@given(masks, st.data())
def test_cut_or_changed_json_never_fails_in_another_way(mask: Mask, data: st.DataObject) -> None:
    """Text with a piece replaced is a mask that can be painted, or a mask error."""
    text = mask.to_json()
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(st.text(max_size=3) | st.sampled_from(["null", "-1", "1e99", "[]", "{}", "true", '"']))
    cut = data.draw(st.integers(0, 4))
    try:
        read = Mask.from_json(text[:at] + piece + text[at + cut :])
        # A changed size may be large, and painting it slow.
        assert read.size[0] * read.size[1] > 10**6 or read.coverage().shape == read.size[::-1]
    except MaskError:
        pass


@pytest.fixture(scope="module")
def bomb() -> str:
    """Two hundred million zeros, packed."""
    packer = zlib.compressobj(9)
    return packed(b"".join(packer.compress(bytes(10**7)) for _ in range(20)) + packer.flush())


@pytest.mark.dear
@pytest.mark.parametrize("size", [[4, 3], [0, 0], [1, 1], [10**5, 10**5], [-1, 1], [1000, 1000]], ids=repr)
def test_a_zip_bomb_costs_no_memory(bomb: str, size: list[int]) -> None:
    """Pixels that unpack to far more than they should are not unpacked to their end."""
    text = saved(bitmap(size=size, packed=bomb))
    tracemalloc.start()
    try:
        with pytest.raises(MaskError):
            Mask.from_json(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_a_newer_version_says_so() -> None:
    """A mask saved by a later version asks for that version."""
    with pytest.raises(MaskError, match=r"version 9. Open it with a newer ttapi_nb"):
        Mask.from_json(saved(version=9))


def test_mask_errors_are_of_both_families() -> None:
    """Whoever catches this package's errors, or ValueError, catches them."""
    assert issubclass(MaskError, TTAPIError)
    assert issubclass(MaskError, ValueError)


# Filling what is alike

few_colours = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).choice(
        np.array([0, 30, 200], np.uint8), (HEIGHT, WIDTH, 3), p=[0.7, 0.2, 0.1]
    )
)
places = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))


def alike_and_connected(picture: Any, seed: tuple[int, int], tolerance: int) -> Any:
    """The region that a bucket fills, pixel by pixel."""
    near = (np.abs(picture.astype(int) - picture[seed[1], seed[0]].astype(int)) <= tolerance).all(axis=-1)
    found = np.zeros_like(near)
    waiting = [seed]
    while waiting:
        x, y = waiting.pop()
        if 0 <= x < WIDTH and 0 <= y < HEIGHT and near[y, x] and not found[y, x]:
            found[y, x] = True
            waiting += [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]
    return found


@given(few_colours, places, st.sampled_from([0, 29, 30, 32, 170, 200, 255]))
def test_a_bucket_fills_what_is_alike_and_connected(
    picture: Any, seed: tuple[int, int], tolerance: int
) -> None:
    """The region is that of the plainest way to find it, and with `erase` it is what is taken away."""
    region = alike_and_connected(picture, seed, tolerance)
    assert np.array_equal(EMPTY.fill_similar(picture, seed, tolerance=tolerance).to_array(), region)
    erased = EMPTY.invert().fill_similar(picture, seed, tolerance=tolerance, erase=True)
    assert np.array_equal(erased.to_array(), ~region)


@given(few_colours, places)
def test_a_bucket_fills_as_pillow_does(picture: Any, seed: tuple[int, int]) -> None:
    """With no tolerance the region is the one that Pillow's own flood fill paints."""
    painted = Image.fromarray(picture)
    ImageDraw.floodfill(painted, seed, (1, 2, 3))
    expected = (np.asarray(painted) == (1, 2, 3)).all(axis=-1)
    assert np.array_equal(EMPTY.fill_similar(picture, seed, tolerance=0).to_array(), expected)


@given(few_colours, places)
def test_a_fill_needs_its_picture_no_more(picture: Any, seed: tuple[int, int]) -> None:
    """The mark keeps the region: the mask can be saved and read, and the picture changed."""
    mask = EMPTY.fill_similar(picture, seed)
    text, before = mask.to_json(), mask.to_array()
    picture[:] = 99
    again = Mask.from_json(text)
    assert again == mask
    assert np.array_equal(again.to_array(), before)


def test_a_fill_follows_a_long_path() -> None:
    """A corridor that winds through the whole picture is filled from one end to the other."""
    maze = np.zeros((201, 300), bool)
    maze[::2] = True
    maze[1::4, -1] = True
    maze[3::4, 0] = True
    mask = Mask((300, 201)).fill_similar(maze, (0, 0))
    assert np.array_equal(mask.to_array(), maze)


def test_a_fill_does_not_go_round_corners() -> None:
    """Pixels that only touch at a corner, or across the picture's edge, do not hang together."""
    board = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 == 0
    assert EMPTY.fill_similar(board, (0, 0)).bounds == (0, 0, 1, 1)
    last_and_first = np.zeros((HEIGHT, WIDTH), bool)
    last_and_first[3, -1] = last_and_first[4, 0] = True
    assert EMPTY.fill_similar(last_and_first, (WIDTH - 1, 3)).area == 1


def test_a_fill_looks_at_transparency_too() -> None:
    """Where a picture is transparent, it is unlike the same colour where it is opaque."""
    picture = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    picture[:, :10, 3] = 0
    assert EMPTY.fill_similar(picture, (3, 3)).bounds == (0, 0, 10, HEIGHT)


PLAIN = Image.new("RGB", SIZE, "gray")


@pytest.mark.parametrize(
    "seed", [(-1, 0), (0, -0.5), (WIDTH, 0), (0, HEIGHT), (math.nan, 0), (1,), (1, 2, 3)], ids=repr
)
def test_seeds_outside_the_picture(seed: Any) -> None:
    """A fill starts at one of the picture's pixels."""
    with pytest.raises(MaskError, match="is not in the picture"):
        EMPTY.fill_similar(PLAIN, seed)


@pytest.mark.parametrize("tolerance", [-1, 256, math.nan])
def test_tolerances_that_make_no_sense(tolerance: Any) -> None:
    """A tolerance is a difference that two channels can have."""
    with pytest.raises(MaskError, match="from 0 to 255"):
        EMPTY.fill_similar(PLAIN, (1, 1), tolerance=tolerance)


def test_a_fill_from_a_picture_of_another_size() -> None:
    """The picture to look at is the one that the mask is for."""
    with pytest.raises(MaskError, match="must be the same size"):
        EMPTY.fill_similar(PLAIN.resize((HEIGHT, WIDTH)), (1, 1))


# Over its picture


def test_a_mask_over_its_picture_is_a_tint() -> None:
    """Where nothing is masked the picture is as it was, and where it is masked it is between it and the tint."""
    mask = EMPTY.rectangle((10, 5, 20, 15))
    shown = mask.over(PLAIN, colour=(255, 0, 0), opacity=0.5)
    assert (shown.mode, shown.size) == ("RGB", SIZE)
    assert shown.getpixel((5, 5)) == (128, 128, 128)
    red, green, blue = np.asarray(shown)[10, 15].tolist()
    assert red == pytest.approx(192, abs=1)
    assert (green, blue) == pytest.approx((64, 64), abs=1)
    assert np.array_equal(np.asarray(mask.over(PLAIN, opacity=0)), np.asarray(PLAIN))


def test_a_mask_over_a_large_picture_is_small_to_look_at() -> None:
    """It is shown at 512 pixels a side unless asked for more, and the picture stays as it was."""
    picture = Image.new("RGB", (2000, 1000), "gray")
    mask = Mask(picture.size).rectangle((0, 0, 1000, 1000))
    small, whole = mask.over(picture), mask.over(picture, longest=None)
    assert (small.size, whole.size) == ((512, 256), (2000, 1000))
    assert small.getpixel((100, 100)) == whole.getpixel((400, 400)) != (128, 128, 128)
    assert small.getpixel((400, 100)) == (128, 128, 128) == picture.getpixel((100, 100))


def test_a_tint_shows_on_transparent_parts() -> None:
    """What is masked can be seen where the picture can't, and the rest stays transparent."""
    shown = EMPTY.rectangle((0, 0, 10, 10)).over(Image.new("RGBA", SIZE))
    assert shown.mode == "RGBA"
    assert shown.getchannel("A").getbbox() == (0, 0, 10, 10)


@pytest.mark.parametrize("opacity", [-0.1, 1.1, math.nan])
def test_opacities_that_make_no_sense(opacity: float) -> None:
    """Paint lies between not there and opaque."""
    with pytest.raises(MaskError, match="from 0 to 1"):
        EMPTY.over(PLAIN, opacity=opacity)


# Files


@given(mask=masks)
def test_a_saved_mask_is_the_mask(tmp_path_factory: pytest.TempPathFactory, mask: Mask) -> None:
    """What `save` wrote, `load` reads as an equal mask."""
    path = mask.save(tmp_path_factory.getbasetemp() / "mask.json")
    assert Mask.load(path) == mask
    assert Mask.load(str(path)) == mask


def test_a_mask_is_saved_as_json(tmp_path: Path) -> None:
    """A name without a suffix gets one, and one for pictures is refused."""
    assert EMPTY.save(tmp_path / "mask") == tmp_path / "mask.json"
    assert (tmp_path / "mask.json").read_text(encoding="utf-8") == EMPTY.to_json()
    with pytest.raises(MaskError, match="to_png"):
        EMPTY.save(tmp_path / "mask.png")
    with pytest.raises(MaskError, match="Choose another place"):
        EMPTY.save(tmp_path / "nowhere" / "mask.json")


def test_files_that_are_no_masks(tmp_path: Path) -> None:
    """A file that is missing, a picture or other text says its name and what to do."""
    (tmp_path / "photo.json").write_bytes(EMPTY.to_png())
    (tmp_path / "text.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MaskError, match=r"could not be read \(No such file"):
        Mask.load(tmp_path / "missing.json")
    with pytest.raises(MaskError, match=r"photo.json.*Mask.from_image"):
        Mask.load(tmp_path / "photo.json")
    with pytest.raises(MaskError, match=r"text.json.*not a mask"):
        Mask.load(tmp_path / "text.json")


def test_a_tall_mask_is_written_band_after_band() -> None:
    """Where one band of rows ends and the next begins, nothing is lost: every pixel is read back, and all black."""
    mask = Mask.from_array(np.random.default_rng(0).random((1000, 5)) < 0.5)
    opened = Image.open(io.BytesIO(mask.to_png()))
    assert (opened.mode, opened.size) == ("RGBA", (5, 1000))
    assert opened.convert("RGB").getbbox() is None
    assert np.array_equal(np.asarray(opened.getchannel("A")) == 0, mask.to_array())


def test_a_mask_knows_its_picture_through_every_change():
    """Over a picture it shows itself as a tint, and is still the same mask to whoever compares it."""
    photo = SourceImage(Image.new("RGB", (60, 40), "white"))
    plain = Mask((60, 40))
    mask = plain.on(photo)
    assert mask == plain
    for changed in (mask.rectangle((0, 0, 30, 40)), mask.invert().clear().rectangle((0, 0, 30, 40))):
        with Image.open(io.BytesIO(changed._repr_png_())) as shown:
            assert shown.getpixel((50, 20)) == (255, 255, 255)
            assert shown.getpixel((10, 20)) == pytest.approx((102, 216, 255), abs=1)
    with Image.open(io.BytesIO(plain.rectangle((0, 0, 30, 40))._repr_png_())) as shown:
        assert shown.getpixel((50, 20)) == 0


def test_png_can_be_written_smaller():
    """Past a limit the finest specks are left out, what is large stays, and a mask of specks alone says so."""
    noise = np.random.default_rng(5).random((300, 400)) < 0.2
    region = noise.copy()
    region[100:200, 100:300] = True
    mask = Mask.from_array(region)
    whole = mask.to_png()
    small = mask.to_png(max_bytes=len(whole) // 4)
    assert len(small) <= len(whole) // 4
    kept = Mask.from_image(small, edit="transparent").to_array()
    assert kept[110:190, 110:290].all()
    assert kept[:80].mean() < 0.05
    assert mask.to_png(max_bytes=len(whole)) == whole
    with pytest.raises(MaskError, match="plainer"):
        Mask.from_array(noise).to_png(max_bytes=500)


def test_saving_over_a_mask_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a mask can't be written, the one that was there before is whole."""
    import errno
    import os

    path = Mask((8, 8)).rectangle((0, 0, 4, 4)).save(tmp_path / "mask.json")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MaskError, match="No space"):
        Mask((9, 9)).save(path)
    assert path.read_bytes() == before


def test_no_file_is_waited_for(tmp_path: Path) -> None:
    """A pipe in the place of a mask, and what has no end, are refused at once by each way to read one."""
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(MaskError):
            Mask.load(path)
        with pytest.raises((ImageError, MaskError), match=r"is no file but|is a folder"):
            Mask.read(path)

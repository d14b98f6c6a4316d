"""Thin masks that cross a large photo, cut into tiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.properties import examples
from ttapi_nb import FitError, Mask, SourceImage
from ttapi_nb.fit import Fit, part_of

SIZE = (1400, 900)
MODEL, SENT = "dall-e-2", "256x256"


def plan_of(mask: Mask, how: str = "auto") -> Fit:
    """The plan for a large photo that is sent small."""
    return Fit.plan(SourceImage(Image.new("RGB", mask.size, "teal")), MODEL, SENT, how, mask)


def wire(size: tuple[int, int] = SIZE, radius: float = 5) -> Mask:
    """A thin stroke from corner to corner."""
    return Mask(size).paint(
        [(20, 30), (size[0] / 2, size[1] / 3), (size[0] - 20, size[1] - 30)], radius=radius
    )


def test_a_wire_across_a_large_photo_can_go_in_tiles() -> None:
    """The plan offers tiles with their count, and each is sent much larger than the whole would be."""
    plan = plan_of(wire())
    assert plan.how != "tiles"
    assert 2 <= len(plan.tiles) <= 8
    assert f"{len(plan.tiles)} requests instead of 1" in plan.offer
    for box in plan.tiles:
        cut = Fit.of_sizes(SIZE, MODEL, SENT, "crop", box)
        assert max(cut.scale) * 1.5 <= max(plan.scale)
    asked = plan_of(wire(), "tiles")
    assert asked.how == "tiles"
    assert asked.offer == ""
    assert f"{len(plan.tiles)} requests instead of 1" in asked.words


@pytest.mark.parametrize(
    "mask",
    [
        wire((300, 200), 2),
        Mask(SIZE).ellipse((200, 100, 1200, 800)),
        Mask(SIZE).paint([(600, 400), (700, 450)], radius=5),
    ],
    ids=["a small photo", "a large thing", "a short stroke"],
)
def test_nothing_else_is_cut(mask: Mask) -> None:
    """Where tiles would gain nothing, or show a model pieces of a thing, none are offered."""
    assert plan_of(mask).tiles == ()


def test_a_large_thing_is_cut_when_it_is_asked_for() -> None:
    """`fit="tiles"` cuts what is thick too; what fits anyway goes as it would without."""
    assert len(plan_of(Mask(SIZE).ellipse((500, 100, 900, 800)), "tiles").tiles) > 1
    assert plan_of(Mask(SIZE).paint([(600, 400), (700, 450)], radius=5), "tiles").how == "crop"
    with pytest.raises(FitError, match="Paint a mask first"):
        Fit.plan(SourceImage(Image.new("RGB", SIZE)), MODEL, SENT, "tiles")


strokes = st.lists(st.tuples(st.integers(-50, 1450), st.integers(-50, 950)), min_size=2, max_size=5)


@given(strokes, st.floats(0.5, 30), st.sampled_from([0, 4]))
@examples(25)
def test_tiles_hold_all_that_is_masked(points: list[tuple[int, int]], radius: float, soft: int) -> None:
    """Together the parts are the mask, each pixel as much as it was, and none has anything else."""
    mask = Mask(SIZE).paint([(float(x), float(y)) for x, y in points], radius=radius).feather(soft)
    parts = [part_of(mask, box).coverage() for box in plan_of(mask).tiles]
    if parts:
        assert (np.maximum.reduce(parts) == mask.coverage()).all()
        assert all(((part == 0) | (part == mask.coverage())).all() for part in parts)

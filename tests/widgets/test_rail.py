"""What the rail and its pop-overs do: shapes by numbers, the mask's edge, its appearance."""

from __future__ import annotations

import pytest
import traitlets

from tests.support.painting import add_shape, can, move_edge, stage_of
from ttapi_nb import Mask, MaskDrawer

ACTS = ("Undo", "Redo", "Invert", "Clear", "Numbers", "Edge", "Extend")


def test_what_is_chosen_in_the_browser_is_the_drawers(drawer):
    """Tool, size, pressure and tolerance are one with the drawer's traits, both ways."""
    stage = stage_of(drawer)
    stage.set_state({"tool": "ellipse", "brush_size": 44, "tolerance": 9, "pressure": True})
    assert (drawer.tool, drawer.brush_size, drawer.pressure, drawer.tolerance) == ("ellipse", 44, True, 9)
    drawer.tool, drawer.brush_size, drawer.tolerance = "brush", 12, 200
    assert (stage.tool, stage.brush_size, stage.tolerance) == ("brush", 12, 200)


def test_a_shape_is_added_by_its_numbers(drawer):
    """A rectangle or an ellipse is added and taken away in pixels of the photo, and can be undone."""
    add_shape(drawer, "rectangle", (10, 20, 50, 60))
    assert drawer.mask == Mask((400, 300)).rectangle((10, 20, 60, 80))
    add_shape(drawer, "ellipse", (10, 20, 50, 60), erase=True)
    assert drawer.mask == Mask((400, 300)).rectangle((10, 20, 60, 80)).ellipse((10, 20, 60, 80), erase=True)
    drawer.undo()
    drawer.undo()
    assert drawer.mask.area == 0


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 0, 5), (10**9, 0, 5, 5)])
def test_a_shape_that_is_none_is_left_alone(drawer, box):
    """Numbers that no field can hold change nothing."""
    add_shape(drawer, "rectangle", box)
    assert drawer.mask.marks == ()


def test_the_edge_moves_by_pixels(drawer):
    """Grow, shrink and feather do what the mask's methods do, and can be undone."""
    before = drawer.mask = Mask((400, 300)).rectangle((100, 100, 200, 200))
    for what, changed in (
        ("grow", before.grow(5)),
        ("shrink", before.shrink(5)),
        ("feather", before.feather(5)),
    ):
        move_edge(drawer, what, 5)
        assert drawer.mask == changed
        drawer.undo()
    move_edge(drawer, "coverage", 5)
    assert drawer.mask == before


def test_only_what_changes_something_is_enabled(drawer):
    """Without a photo nothing can be done, without paint only what makes some, and with it all but to redo."""
    assert {name for name in ACTS if can(MaskDrawer(), name)} == set()
    assert {name for name in ACTS if can(drawer, name)} == {"Invert", "Numbers", "Extend"}
    drawer.mask = drawer.mask.rectangle((0, 0, 10, 10))
    assert {name for name in ACTS if can(drawer, name)} == set(ACTS) - {"Redo"}


def test_how_much_is_masked_is_told(drawer):
    """The stage says how much of the photo is masked."""
    drawer.mask = drawer.mask.rectangle((0, 0, 400, 75))
    assert stage_of(drawer).share == 0.25
    drawer.clear()
    assert stage_of(drawer).share == 0


def test_appearance_reaches_the_screen(drawer):
    """Colour, opacity and outline are the stage's; what is no colour is refused."""
    drawer.show, drawer.tint, drawer.opacity = "edges", "#ff0000", 0.25
    stage = stage_of(drawer)
    assert (stage.show, stage.tint, stage.opacity) == ("edges", "#ff0000", 0.25)
    with pytest.raises(traitlets.TraitError):
        drawer.tint = "no colour at all"
    assert drawer.tint == "#ff0000"

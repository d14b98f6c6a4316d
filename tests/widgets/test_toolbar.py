"""The drawer's rows: settings of the tools, shapes by numbers, the mask's edge, its appearance."""

from __future__ import annotations

import ipywidgets
import pytest
import traitlets

from tests.support.controls import has, labelled, of_kind, press, sees
from tests.support.painting import stage_of
from ttapi_nb import Mask, MaskDrawer
from ttapi_nb.mask import TOOLS
from ttapi_nb.widgets.toolbar import ToolRow


def tools_of(root: ipywidgets.Widget) -> ipywidgets.ToggleButtons:
    """The buttons that choose a tool."""
    found = of_kind(root, ipywidgets.ToggleButtons)
    assert isinstance(found, ipywidgets.ToggleButtons)
    return found


def open_row(drawer: MaskDrawer, name: str) -> None:
    """Press the button that shows a row."""
    labelled(drawer, name).value = True


def test_every_tool_has_a_button_with_words():
    """Each tool has a label to read and a hint that names its key."""
    buttons = tools_of(ToolRow())
    assert [(label.lower(), tool) for label, tool in buttons.options] == [(tool, tool) for tool in TOOLS]
    assert len(set(buttons.tooltips)) == len(TOOLS)
    assert all(hint.endswith(")") for hint in buttons.tooltips)


@pytest.mark.parametrize(
    ("tool", "enabled"),
    [
        ("brush", (True, True, False)),
        ("line", (True, False, False)),
        ("lasso", (False, False, False)),
        ("bucket", (False, False, True)),
    ],
)
def test_only_what_the_tool_uses_can_be_set(drawer, tool, enabled):
    """Size, pressure and tolerance are disabled where the chosen tool doesn't use them."""
    drawer.tool = tool
    names = ("Brush size", "Pen pressure", "Tolerance")
    assert tuple(not labelled(drawer, name).disabled for name in names) == enabled


def test_buttons_and_traits_are_one(drawer):
    """What is chosen in the row is the drawer's, and the other way round."""
    tools, size, tolerance = tools_of(drawer), labelled(drawer, "Brush size"), labelled(drawer, "Tolerance")
    tools.label = "Ellipse"
    size.value, tolerance.value = 44, 9
    labelled(drawer, "Pen pressure").value = True
    assert (drawer.tool, drawer.brush_size, drawer.pressure, drawer.tolerance) == ("ellipse", 44, True, 9)
    drawer.tool, drawer.brush_size, drawer.tolerance = "brush", 12, 200
    assert (tools.label, size.value, tolerance.value) == ("Brush", 12, 200)


def test_a_shape_is_added_by_its_numbers(drawer):
    """The fields begin with the middle of the photo, and add and take away a rectangle or an ellipse in pixels."""
    open_row(drawer, "Numbers")
    fields = [labelled(drawer, name) for name in ("Left", "Top", "Width", "Height")]
    assert [field.value for field in fields] == [100, 75, 200, 150]
    for field, value in zip(fields, (10, 20, 50, 60), strict=True):
        field.value = value
    press(drawer, "Add")
    assert drawer.mask == Mask((400, 300)).rectangle((10, 20, 60, 80))
    labelled(drawer, "Shape").label = "Ellipse"
    press(drawer, "Take away")
    assert drawer.mask == Mask((400, 300)).rectangle((10, 20, 60, 80)).ellipse((10, 20, 60, 80), erase=True)
    drawer.undo()
    drawer.undo()
    assert drawer.mask.area == 0


def test_the_edge_moves_by_pixels(drawer):
    """Grow, shrink and feather do what the mask's methods do, and can be undone."""
    before = drawer.mask = Mask((400, 300)).rectangle((100, 100, 200, 200))
    open_row(drawer, "Edge")
    labelled(drawer, "Pixels").value = 5
    for name, changed in (
        ("Grow", before.grow(5)),
        ("Shrink", before.shrink(5)),
        ("Feather", before.feather(5)),
    ):
        press(drawer, name)
        assert drawer.mask == changed
        drawer.undo()


def test_rows_open_and_are_disabled_without_anything_to_change(drawer):
    """An extra row is hidden until its button is pressed, and has nothing to press where it would change nothing."""
    numbers = ("Shape", "Left", "Top", "Width", "Height", "Add", "Take away")
    edge = ("Pixels", "Grow", "Shrink", "Feather")

    def disabled(drawer: MaskDrawer, names: tuple[str, ...]) -> set[bool]:
        return {labelled(drawer, name).disabled for name in names}

    assert not any(has(drawer, name) for name in numbers + edge)
    open_row(drawer, "Numbers")
    open_row(drawer, "Edge")
    assert all(sees(drawer, name) for name in numbers + edge)
    assert disabled(drawer, numbers) == {False}
    assert disabled(drawer, edge) == {True}
    drawer.mask = drawer.mask.rectangle((0, 0, 10, 10))
    assert disabled(drawer, edge) == {False}
    labelled(drawer, "Numbers").value = False
    assert not any(sees(drawer, name) for name in numbers)
    empty = MaskDrawer()
    open_row(empty, "Numbers")
    assert disabled(empty, numbers) == {True}


def test_appearance_reaches_the_screen(drawer):
    """Colour, opacity and outline are the stage's; what is no colour is refused."""
    open_row(drawer, "View")
    labelled(drawer, "Show as").label = "Marching edges"
    drawer.tint, drawer.opacity = "#ff0000", 0.25
    stage = stage_of(drawer)
    assert (stage.show, stage.tint, stage.opacity) == ("edges", "#ff0000", 0.25)
    assert labelled(drawer, "Opacity").value == 0.25
    with pytest.raises(traitlets.TraitError):
        drawer.tint = "no colour at all"
    assert drawer.tint == "#ff0000"

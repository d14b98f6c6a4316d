"""The drawer's rows: settings of the tools, shapes by numbers, the mask's edge, its appearance."""

from __future__ import annotations

import pytest
import traitlets
from PIL import Image

from ttapi_nb import Mask, MaskDrawer
from ttapi_nb.mask import TOOLS
from ttapi_nb.widgets.toolbar import ToolRow


@pytest.fixture
def drawer() -> MaskDrawer:
    """A drawer with a grey photo of 400 x 300 pixels."""
    return MaskDrawer(Image.new("RGB", (400, 300), "grey"))


def click(button) -> None:
    """Press a button as the browser does."""
    button._handle_custom_msg({"event": "click"}, [])


def test_every_tool_has_a_button_with_words():
    """Each tool has a label to read and a hint that names its key."""
    tools = ToolRow()
    assert [tool for _, tool in tools._buttons.options] == list(TOOLS)
    assert len(set(tools._buttons.tooltips)) == len(TOOLS)
    assert all(hint.endswith(")") for hint in tools._buttons.tooltips)


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
    row = drawer._tools
    assert tuple(not one.disabled for one in (row._size, row._pressure, row._tolerance)) == enabled


def test_buttons_and_traits_are_one(drawer):
    """What is chosen in the row is the drawer's, and the other way round."""
    drawer._tools._buttons.value = "ellipse"
    drawer._tools._size.value = 44
    drawer._tools._pressure.value = True
    drawer._tools._tolerance.value = 9
    assert (drawer.tool, drawer.brush_size, drawer.pressure, drawer.tolerance) == ("ellipse", 44, True, 9)
    drawer.tool, drawer.brush_size, drawer.tolerance = "brush", 12, 200
    assert (drawer._tools._buttons.value, drawer._tools._size.value) == ("brush", 12)
    assert drawer._tools._tolerance.value == 200


def test_a_shape_is_added_by_its_numbers(drawer):
    """The fields begin with the middle of the photo, and add and take away a rectangle or an ellipse in pixels."""
    numbers = drawer._numbers
    numbers.opener.value = True
    add, remove = numbers.children[-2:]
    assert (numbers._left.value, numbers._top.value) == (100, 75)
    numbers._left.value, numbers._top.value, numbers._width.value, numbers._height.value = 10, 20, 50, 60
    click(add)
    assert drawer.mask == Mask((400, 300)).rectangle((10, 20, 60, 80))
    numbers._outline.value = "ellipse"
    click(remove)
    assert drawer.mask == Mask((400, 300)).rectangle((10, 20, 60, 80)).ellipse((10, 20, 60, 80), erase=True)
    drawer.undo()
    drawer.undo()
    assert drawer.mask.area == 0


def test_the_edge_moves_by_pixels(drawer):
    """Grow, shrink and feather do what the mask's methods do, and can be undone."""
    before = drawer.mask = Mask((400, 300)).rectangle((100, 100, 200, 200))
    drawer._edge.opener.value = True
    drawer._edge._pixels.value = 5
    for name, changed in (
        ("Grow", before.grow(5)),
        ("Shrink", before.shrink(5)),
        ("Feather", before.feather(5)),
    ):
        click(next(one for one in drawer._edge.children if one.description == name))
        assert drawer.mask == changed
        drawer.undo()


def test_rows_open_and_are_disabled_without_anything_to_change(drawer):
    """An extra row is hidden until its button is pressed, and has nothing to press where it would change nothing."""
    assert drawer._numbers.children == ()
    drawer._numbers.opener.value = True
    drawer._edge.opener.value = True
    assert drawer._numbers.box.layout.display is None
    assert len(drawer._edge.children) == 4
    assert all(child.disabled for child in drawer._edge.children)
    drawer.mask = drawer.mask.rectangle((0, 0, 10, 10))
    assert not any(child.disabled for child in drawer._edge.children)
    empty = MaskDrawer()._numbers
    empty.opener.value = True
    assert all(child.disabled for child in empty.children)


def test_appearance_reaches_the_screen(drawer):
    """Colour, opacity and outline are the stage's; what is no colour is refused."""
    drawer._appearance.opener.value = True
    drawer._appearance._show.value = "edges"
    drawer.tint, drawer.opacity = "#ff0000", 0.25
    stage = drawer._surface.stage
    assert (stage.show, stage.tint, stage.opacity) == ("edges", "#ff0000", 0.25)
    assert drawer._appearance._opacity.value == 0.25
    with pytest.raises(traitlets.TraitError):
        drawer.tint = "no colour at all"
    assert drawer.tint == "#ff0000"

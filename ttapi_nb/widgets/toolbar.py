"""The rows of a drawer: tools, shapes by numbers, the mask's edge, and how the mask is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import ipywidgets
import traitlets

from ..mask import OPACITY, TOLERANCE, TOOLS, Shape
from .surface import BRUSH_SIZE, LARGEST_BRUSH, TINT_COLOUR

__all__ = ["AppearanceRow", "EdgeRow", "ExtendRow", "NumbersRow", "ToolRow", "button", "row"]

ASPECTS = ("1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16")


def row(children: Sequence[ipywidgets.Widget], **looks: Any) -> ipywidgets.Box:
    """Widgets side by side, which wrap where there is no room; `looks` may be a layout that it shares with others."""
    made = ipywidgets.Box(list(children), **looks)
    made.add_class("ttapi-tools")
    return made


def button(description: str, icon: str, act: Callable[[], None], **looks: Any) -> ipywidgets.Button:
    """A button that calls `act()`; `looks` are a layout and a style that it shares with others."""
    made = ipywidgets.Button(description=description, icon=icon, tooltip=description, **looks)
    made.on_click(lambda _: act())
    return made


def _narrow(label: str, width: int, **rest: Any) -> dict[str, Any]:
    style = {"description_width": "initial"}
    return {"description": label, "layout": {"width": f"{width}px"}, "style": style} | rest


class ToolRow(ipywidgets.Box):
    """The tools, and what there is to set for the chosen one: `tool`, `brush_size`, `pressure`, `tolerance`.

    `tools` are those that can be chosen, and `largest` is the largest brush that the slider offers.
    """

    tool = traitlets.Enum(tuple(TOOLS), "brush")
    brush_size = traitlets.Int(BRUSH_SIZE, min=1, max=LARGEST_BRUSH)
    pressure = traitlets.Bool(False)
    tolerance = traitlets.Int(TOLERANCE, min=0, max=255)
    tools = traitlets.Tuple(tuple(TOOLS))
    largest = traitlets.Int(300)

    def __init__(self) -> None:
        # A layout is a widget too: these share one.
        layout = ipywidgets.Layout()
        self._buttons = ipywidgets.ToggleButtons(**_offered(tuple(TOOLS)), layout=layout)
        self._size = ipywidgets.IntSlider(BRUSH_SIZE, 1, 300, **_narrow("Brush size", 210))
        self._tolerance = ipywidgets.IntSlider(TOLERANCE, 0, 255, **_narrow("Tolerance", 200))
        self._pressure = ipywidgets.Checkbox(**_narrow("Pen pressure", 120, indent=False))
        settings = row([self._size, self._pressure, self._tolerance], layout=layout)
        super().__init__([self._buttons, settings], layout=layout)
        self.add_class("ttapi-tools")
        traitlets.link((self, "tool"), (self._buttons, "value"))
        traitlets.dlink((self, "largest"), (self._size, "max"))
        traitlets.link((self, "brush_size"), (self._size, "value"))
        traitlets.link((self, "pressure"), (self._pressure, "value"))
        traitlets.link((self, "tolerance"), (self._tolerance, "value"))
        self._enable_settings()

    @traitlets.observe("tools")
    def _offer(self, _: Any) -> None:
        chosen = self.tool if self.tool in self.tools else self.tools[0]
        for name, offered in _offered(self.tools).items():
            setattr(self._buttons, name, offered)
        self.tool = self._buttons.value = chosen

    @traitlets.observe("tool")
    def _enable_settings(self, _: Any = None) -> None:
        # Not hidden: the photo would jump up and down as tools change.
        tool = TOOLS[self.tool]
        self._size.disabled, self._pressure.disabled = not tool.sized, not tool.pressed
        self._tolerance.disabled = tool.make is not None or tool.erases


def _offered(tools: Sequence[str]) -> dict[str, Any]:
    return {
        "options": [(tool.capitalize(), tool) for tool in tools],
        "icons": [TOOLS[tool].icon for tool in tools],
        "tooltips": [TOOLS[tool].hint for tool in tools],
    }


class ExtraRow(traitlets.HasTraits):
    """A row that is made when its `opener` is pressed, and then is its `box`: most drawings need none of them."""

    disabled = traitlets.Bool(False)
    box = traitlets.Instance(ipywidgets.Box, allow_none=True)

    def __init__(self, name: str, icon: str, hint: str, layout: ipywidgets.Layout) -> None:
        self.opener = ipywidgets.ToggleButton(description=name, icon=icon, tooltip=hint, layout=layout)
        super().__init__()
        self.opener.observe(self._open, "value")

    @property
    def children(self) -> tuple[Any, ...]:
        """What is in the row; nothing before it was opened."""
        return () if self.box is None else self.box.children

    def _controls(self) -> Sequence[ipywidgets.Widget]:
        """What is in the row, made when it is first opened."""
        raise NotImplementedError

    def _open(self, _: Any = None) -> None:
        if self.opener.value and self.box is None:
            self.box = row(self._controls())
            self._enable()
        elif self.box is not None:
            self.box.layout.display = None if self.opener.value else "none"

    @traitlets.observe("disabled")
    def _enable(self, _: Any = None) -> None:
        for child in self.children:
            child.disabled = self.disabled


class NumbersRow(ExtraRow):
    """Adds a rectangle or an ellipse by its place and size in image pixels; calls `on_mark(mark)`."""

    picture_size = traitlets.Tuple((0, 0))

    def __init__(self, on_mark: Callable[[Shape], None], layout: ipywidgets.Layout) -> None:
        self._on_mark = on_mark
        super().__init__("Numbers", "keyboard", "Add a shape by its place and size in pixels", layout)

    def _controls(self) -> Sequence[ipywidgets.Widget]:
        self._outline = ipywidgets.Dropdown(
            options=[("Rectangle", "rectangle"), ("Ellipse", "ellipse")], **_narrow("Shape", 160)
        )
        self._left, self._top, self._width, self._height = (
            ipywidgets.BoundedIntText(min=0, max=100_000, **_narrow(label, 120))
            for label in ("Left", "Top", "Width", "Height")
        )
        self._suggest()
        add = button("Add", "plus", self.add)
        remove = button("Take away", "minus", lambda: self.add(erase=True))
        return [self._outline, self._left, self._top, self._width, self._height, add, remove]

    @traitlets.observe("picture_size")
    def _suggest(self, change: Any = None) -> None:
        if change is not None and self.box is None:
            return
        width, height = self.picture_size
        self._left.max, self._top.max, self._width.max, self._height.max = width, height, width, height
        self._left.value, self._top.value = width // 4, height // 4
        self._width.value, self._height.value = max(1, width // 2), max(1, height // 2)

    def add(self, *, erase: bool = False) -> None:
        """Add the shape, or take it away."""
        outline: Literal["rectangle", "ellipse"] = self._outline.value
        left, top = float(self._left.value), float(self._top.value)
        right, bottom = left + self._width.value, top + self._height.value
        self._on_mark(Shape(outline, ((left, top), (right, bottom)), erase))


class EdgeRow(ExtraRow):
    """Grows, shrinks or feathers the mask by a number of image pixels; calls `on_change(what, pixels)`."""

    def __init__(self, on_change: Callable[[str, float], None], layout: ipywidgets.Layout) -> None:
        self._on_change = on_change
        super().__init__("Edge", "bullseye", "Grow, shrink or feather the mask", layout)

    def _controls(self) -> Sequence[ipywidgets.Widget]:
        self._pixels = ipywidgets.BoundedIntText(8, min=1, max=100, **_narrow("Pixels", 120))

        def changing(what: str) -> Callable[[], None]:
            return lambda: self._on_change(what, self._pixels.value)

        buttons = [
            button(what.capitalize(), icon, changing(what))
            for what, icon in (("grow", "expand"), ("shrink", "compress"), ("feather", "feather"))
        ]
        return [self._pixels, *buttons]


class ExtendRow(ExtraRow):
    """Puts room around the photo by `margins` (left, top, right, bottom in image pixels) or to an aspect; calls
    `on_extend(margins, aspect)`.
    """

    margins = traitlets.Tuple(*(traitlets.Int(0, min=0) for _ in range(4)), default_value=(0, 0, 0, 0))

    def __init__(
        self,
        on_extend: Callable[[tuple[int, int, int, int], str | None], None],
        layout: ipywidgets.Layout,
    ) -> None:
        self._on_extend, self._showing = on_extend, False
        super().__init__(
            "Extend", "expand-arrows-alt", "Put room around the photo for the model to fill", layout
        )

    def _controls(self) -> Sequence[ipywidgets.Widget]:
        self._fields = [
            ipywidgets.BoundedIntText(min=0, max=20_000, **_narrow(f"{label} margin", 170))
            for label in ("Left", "Top", "Right", "Bottom")
        ]
        self._aspect = ipywidgets.Dropdown(
            options=[("by margins", ""), *((aspect, aspect) for aspect in ASPECTS)], **_narrow("Aspect", 170)
        )
        self._show()
        for field in self._fields:
            field.observe(self._typed, "value")
        return [*self._fields, self._aspect, button("Extend photo", "expand-arrows-alt", self.extend)]

    @traitlets.observe("margins")
    def _show(self, change: Any = None) -> None:
        if change is not None and self.box is None:
            return
        # Half of the fields in their new state would be other margins.
        margins, self._showing = self.margins, True
        for field, margin in zip(self._fields, margins, strict=True):
            field.value = margin
        self._showing = False
        if any(margins):
            self._aspect.value = ""

    def _typed(self, _: Any) -> None:
        if self._showing:
            return
        left, top, right, bottom = (field.value for field in self._fields)
        self.margins = (left, top, right, bottom)

    def extend(self) -> None:
        """Put the room around the photo."""
        self._on_extend(self.margins, self._aspect.value or None)


class AppearanceRow(ExtraRow):
    """How the mask is shown: `show`, and for a tint `tint` and `opacity`."""

    tint = ipywidgets.Color(TINT_COLOUR)
    opacity = traitlets.Float(OPACITY, min=0.0, max=1.0)
    show = traitlets.Enum(("tint", "edges"), "tint")

    def __init__(self, layout: ipywidgets.Layout) -> None:
        super().__init__("View", "eye", "How the mask is shown", layout)

    def _controls(self) -> Sequence[ipywidgets.Widget]:
        self._show = ipywidgets.Dropdown(
            options=[("Tint", "tint"), ("Marching edges", "edges")], **_narrow("Show as", 200)
        )
        self._tint = ipywidgets.ColorPicker(value=self.tint, **_narrow("Colour", 180))
        self._opacity = ipywidgets.FloatSlider(
            self.opacity, min=0, max=1, step=0.05, readout_format=".0%", **_narrow("Opacity", 240)
        )
        for name, control in (("show", self._show), ("tint", self._tint), ("opacity", self._opacity)):
            traitlets.link((self, name), (control, "value"))
        return [self._show, self._tint, self._opacity]

"""Rows of buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

__all__ = ["button", "row"]


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

"""Widgets found as a person finds them: by what is written on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets


def controls(root: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """All widgets that are shown within `root`, itself too."""
    yield root
    for child in getattr(root, "children", ()):
        if isinstance(child, ipywidgets.Widget):
            yield from controls(child)


def labels_of(widget: Any) -> set[str]:
    """What is written on a widget."""
    return {str(getattr(widget, name)) for name in ("description", "label") if getattr(widget, name, "")}


def has(root: ipywidgets.Widget, label: str) -> bool:
    """Whether there is a control with this written on it."""
    return any(label in labels_of(one) for one in controls(root))


def labelled(root: ipywidgets.Widget, label: str) -> Any:
    """The one control with this written on it."""
    found = [one for one in controls(root) if label in labels_of(one)]
    assert len(found) == 1, f"{len(found)} controls are labelled {label!r}"
    return found[0]


def click(button: Any) -> None:
    """Press a button as the browser does."""
    button._handle_custom_msg({"event": "click"}, [])


def of_kind(root: ipywidgets.Widget, kind: type) -> Any:
    """The one widget of this class within `root`."""
    found = [one for one in controls(root) if isinstance(one, kind)]
    assert len(found) == 1, f"{len(found)} widgets are a {kind.__name__}"
    return found[0]

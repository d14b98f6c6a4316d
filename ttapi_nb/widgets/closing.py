"""Closing a widget with all that it is made of: ipywidgets' own `close` leaves children, layouts and styles behind."""

from __future__ import annotations

import ipywidgets

__all__ = ["Closing", "close_tree"]


def close_tree(widget: ipywidgets.Widget) -> None:
    """Close a widget, what is in it, and every widget that one of its traits holds."""
    waiting, seen = [widget], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        for value in [*vars(one).values(), *one._trait_values.values()]:
            held = value if isinstance(value, list | tuple) else [value]
            waiting += [
                other for other in held if isinstance(other, ipywidgets.Widget) and not _is_shared(other)
            ]
        if isinstance(one, Closing):
            one.let_go()
        ipywidgets.Widget.close(one)


def _is_shared(widget: ipywidgets.Widget) -> bool:
    # ipycanvas has one manager for all canvases of a kernel.
    return type(widget).__name__ == "_CanvasManager"


class Closing:
    """For widgets that close as a whole."""

    def close(self) -> None:
        """Close the widget and everything in it; a run that is under way goes on, and the log keeps its answer."""
        close_tree(self)

    def let_go(self) -> None:
        """Let go of what is not a widget's own."""

"""Layouts that many widgets share. Each layout is a widget of its own: one more message for every page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cached_property

import ipywidgets

__all__ = ["Looks", "looks", "sharing"]


class Looks:
    """How parts look, each made when it is first asked for; `made` holds them for who closes them."""

    def __init__(self) -> None:
        self.made: list[ipywidgets.Widget] = []

    def _keep(self, widget: ipywidgets.Widget) -> ipywidgets.Widget:
        self.made.append(widget)
        return widget

    @cached_property
    def shown(self) -> ipywidgets.Layout:
        """Nothing special."""
        return self._keep(ipywidgets.Layout())

    @cached_property
    def hidden(self) -> ipywidgets.Layout:
        """Not there."""
        return self._keep(ipywidgets.Layout(display="none"))

    @cached_property
    def wide(self) -> ipywidgets.Layout:
        """As wide as what it is in."""
        return self._keep(ipywidgets.Layout(width="auto"))

    @cached_property
    def labels(self) -> ipywidgets.Widget:
        """Labels of one width before their lists."""
        return self._keep(ipywidgets.Dropdown.style.klass(description_width="64px"))


_shared: ContextVar[Looks | None] = ContextVar("shared looks", default=None)


@contextlib.contextmanager
def sharing() -> Iterator[Looks]:
    """All that is made within looks alike: for the parts of one widget, which closes what was `made`."""
    shared = _shared.get() or Looks()
    token = _shared.set(shared)
    try:
        yield shared
    finally:
        _shared.reset(token)


def looks() -> Looks:
    """What is shared here, or else something new."""
    return _shared.get() or Looks()

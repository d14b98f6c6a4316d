"""`Fold`: a button, and what it shows and hides; by pointer and by keyboard."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets

from .looks import sharing

__all__ = ["Fold"]


class Fold(ipywidgets.VBox):
    """A title that can be pressed, and under it `inside` while `unfolded` is true; `title` is what is written on it.

    `inside` may be made later, when it is first unfolded.
    """

    unfolded = traitlets.Bool(False)
    title = traitlets.Unicode()

    def __init__(self, title: str, inside: ipywidgets.Widget | None, *classes: str) -> None:
        self.inside: Any = inside
        with sharing() as shared:
            self._opener = ipywidgets.ToggleButton(
                description=title, layout=shared.shown, _dom_classes=("ttapi-opener",)
            )
            super().__init__([self._opener], layout=shared.shown, _dom_classes=("ttapi-fold", *classes))
        self.title = title
        traitlets.link((self, "unfolded"), (self._opener, "value"))
        traitlets.dlink((self, "title"), (self._opener, "description"))
        self.observe(self._fold, "unfolded")

    def _fold(self, _: Any) -> None:
        # What is folded is not there: no page waits for it.
        there = self.unfolded and self.inside is not None
        self.children = (self._opener, self.inside) if there else (self._opener,)

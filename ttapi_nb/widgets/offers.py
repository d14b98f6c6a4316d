"""`LateOffers`: a sentence with buttons behind it, made when there is first something to offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from .closing import close_tree
from .text import LateWords, Tone, Words

__all__ = ["LateOffers"]


class LateOffers(LateWords):
    """Where something stands that can be done now, by one click; `put(widget)` is called when there first is."""

    def __init__(self, put: Callable[[ipywidgets.Widget], None]) -> None:
        super().__init__(put)
        # It stays, also where nothing is offered: what stands behind it in the page is not made anew.
        self._row: ipywidgets.Box | None = None

    @property
    def shown(self) -> ipywidgets.Widget | None:
        """What stands in its place."""
        return self._row

    def offer(
        self, words: str, acts: Sequence[tuple[str, Callable[[], None]]], tone: Tone = "notice"
    ) -> None:
        """Offer to do one of `acts`, each with what is written on its button, in place of what was offered before."""
        heading = [Words(words, tone)] if words else []
        offered = (*heading, *(_button(name, act) for name, act in acts))
        if self._row is None:
            self._row = ipywidgets.Box(offered, _dom_classes=("ttapi-offers",))
            self._put(self._row)
        else:
            self._fill(offered)

    def clear(self) -> None:
        """Offer nothing any more."""
        self._fill(())

    def _fill(self, offered: Sequence[ipywidgets.Widget]) -> None:
        if self._row is None:
            return
        gone, self._row.children = self._row.children, tuple(offered)
        for widget in gone:
            close_tree(widget)


def _button(name: str, act: Callable[[], None]) -> ipywidgets.Button:
    made = ipywidgets.Button(description=name, tooltip=name)
    made.on_click(lambda _: act())
    return made

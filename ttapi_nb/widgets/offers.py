"""`LateOffers`: a sentence with buttons behind it, made when there is first something to offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from .closing import close_tree
from .text import LateWords, Tone, Words

__all__ = ["LateOffers"]


class LateOffers(LateWords):
    """Where something stands that can be done now, by one click; `arrange()` is called when it is there or gone."""

    def __init__(self, arrange: Callable[[], None]) -> None:
        super().__init__(arrange)
        self._row: ipywidgets.Box | None = None

    @property
    def shown(self) -> ipywidgets.Widget | None:
        """What is to stand in its place now."""
        return self._row

    def offer(
        self, words: str, acts: Sequence[tuple[str, Callable[[], None]]], tone: Tone = "notice"
    ) -> None:
        """Offer to do one of `acts`, each with what is written on its button, in place of what was offered before."""
        gone = self._row
        heading = [Words(words, tone)] if words else []
        self._row = ipywidgets.Box(
            [*heading, *(_button(name, act) for name, act in acts)], _dom_classes=("ttapi-offers",)
        )
        self._arrange()
        if gone is not None:
            close_tree(gone)

    def clear(self) -> None:
        """Offer nothing any more."""
        gone, self._row = self._row, None
        if gone is not None:
            self._arrange()
            close_tree(gone)


def _button(name: str, act: Callable[[], None]) -> ipywidgets.Button:
    made = ipywidgets.Button(description=name, tooltip=name)
    made.on_click(lambda _: act())
    return made

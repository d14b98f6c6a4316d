"""`RunGrid`: a page of runs in the browser, with their thumbnails and what can be done with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from ...text import so_many
from ..browser import Part, field_of, module, static

__all__ = ["ACTS", "RunGrid"]

ACTS = ("show", "compare", "fill", "undo", "billed", "unbilled", "fetch")
LONGEST_SEARCH = 1_000


class RunGrid(Part):
    """Cards of a page of runs, a search, and the ways to other pages.

    `cards` are dicts as `words.card_of` makes them. Thumbnails are in no trait, so that no notebook saves them:
    `on_want(callback)` is called with a run's id when one is needed, and `give` answers. `on_look(callback)` is called
    with search, stars and page (from 0) when others are to be shown, and `on_act(callback)` with one of `ACTS` and a
    run's id.
    """

    _esm = module("history.js")
    _css = traitlets.Unicode(static("history.css")).tag(sync=True)

    cards: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    page = traitlets.Int(0).tag(sync=True)
    first = traitlets.Int(0).tag(sync=True)
    more = traitlets.Bool(False).tag(sync=True)
    search = traitlets.Unicode().tag(sync=True)
    stars = traitlets.Int(0).tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)
    totals = traitlets.Unicode().tag(sync=True)
    alert = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        self._look = ipywidgets.CallbackDispatcher()
        self._act = ipywidgets.CallbackDispatcher()
        self._want = ipywidgets.CallbackDispatcher()
        super().__init__()
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"RunGrid({so_many(len(self.cards), 'run')})"

    def on_look(self, callback: Callable[[str, int, int], None]) -> None:
        """Call `callback(search, stars, page)` when somebody looks for other runs."""
        self._look.register_callback(callback)

    def on_act(self, callback: Callable[[str, str], None]) -> None:
        """Call `callback(act, run_id)` when something is to be done with a run that is shown."""
        self._act.register_callback(callback)

    def on_want(self, callback: Callable[[str], None]) -> None:
        """Call `callback(run_id)` when the browser needs the thumbnails of a run that is shown."""
        self._want.register_callback(callback)

    def give(self, run_id: str, thumbnails: list[bytes]) -> None:
        """Send a run's thumbnails to every browser that shows this; none says that its files are gone."""
        self.send({"type": "thumbs", "id": run_id}, thumbnails)

    def _receive(self, _: object, message: object, __: object) -> None:
        kind, run_id = (field_of(message, name, str) for name in ("type", "id"))
        here = any(card["id"] == run_id for card in self.cards)
        if kind == "look":
            search, stars, page = (
                field_of(message, "search", str),
                *(field_of(message, name, int) for name in ("stars", "page")),
            )
            if search is not None and stars is not None and page is not None and stars <= 5:
                self._look(search[:LONGEST_SEARCH], stars, page)
        elif kind == "want" and here:
            self._want(run_id)
        elif kind in ACTS and here:
            self._act(kind, run_id)

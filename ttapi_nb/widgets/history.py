"""`HistoryPanel`: earlier runs from the log, to look at, to fill in again, and to settle what nobody knows."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from ..errors import ImageError, ResultError, TTAPIError
from ..picture import open_image, thumbnail_html
from .closing import close_tree
from .text import Words
from .toolbar import button, row
from .turns import Turns

if TYPE_CHECKING:
    from ..log import RunLog, RunRow, Totals

__all__ = ["HistoryPanel"]

SHOWN = 12
THUMBNAIL = 96


class HistoryPanel(ipywidgets.Accordion):
    """Earlier runs, folded until it is opened; `on_restore(run_id)` is called where one is to be filled in again.

    `show()` reads the log again. A run of unknown outcome can be settled here, and a result that was not fetched can
    be fetched while its address lives, from public addresses and the origins that `fetch_from()` gives. `look()` is for
    when the panel is displayed: the title says how many runs may have been billed, and where a kernel that is gone has
    just left one, the panel opens.
    """

    def __init__(
        self,
        log: Callable[[], RunLog],
        on_restore: Callable[[str], None],
        fetch_from: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._log, self._on_restore, self._fetch_from = log, on_restore, fetch_from
        self._box = ipywidgets.VBox()
        # Whoever opens it, searches, or runs may be on a thread of its own: each reading of the log has a number, and
        # none replaces a later one. The lock is not held while the log is read.
        self._turns = Turns()
        self._readings = itertools.count(1)
        self._shown = 0
        super().__init__(children=[self._box], titles=("Earlier runs",), selected_index=None)
        self.add_class("ttapi-history")
        self.observe(self._open, "selected_index")

    def __repr__(self) -> str:
        return "HistoryPanel()"

    def look(self) -> None:
        """Look for runs that may have been billed; a log that is not there is not made for that."""
        log = self._log()
        if not log.folder.exists():
            return
        # A log that can't be read is said when the panel is opened, or when a run can't be written.
        with contextlib.suppress(ResultError):
            left = log.recover()
            self._entitle(log)
            if any(found.state == "unknown" for found in left):
                self.selected_index = 0

    def _entitle(self, log: RunLog) -> None:
        count = sum(found.billed is None for found in log.rows(None, state="unknown"))
        self.titles = (f"Earlier runs · {count} may have been billed" if count else "Earlier runs",)

    def _open(self, _: Any) -> None:
        if self.selected_index is None:
            return
        with self._turns:
            if not self._box.children:
                self._search = ipywidgets.Text(
                    description="Search",
                    placeholder="words of the prompt, a model, a file",
                    layout={"width": "auto"},
                )
                self._search.observe(lambda _: self.show(), "value")
                self._list = ipywidgets.VBox()
                self._totals = Words()
                self._box.children = (self._search, self._list, self._totals)
        self.show()

    def show(self) -> None:
        """Read the log again and show its latest runs; nothing happens while the panel is folded."""
        if self.selected_index is None or not self._box.children:
            return
        with self._turns:
            reading, searched = next(self._readings), self._search.value
        try:
            log = self._log()
            rows = log.rows(SHOWN, search=searched)
            totals = log.totals()
            self._entitle(log)
        except ResultError as error:
            self._totals.say(str(error), "alert")
            return
        cards = tuple(self._card(found) for found in rows) or (
            Words("No run like that." if searched else "No runs yet."),
        )
        with self._turns:
            gone: tuple[ipywidgets.Widget, ...] = cards
            if reading > self._shown:
                gone, self._shown = self._list.children, reading
                self._list.children = cards
                self._totals.say(_in_all(totals))
        for card in gone:
            close_tree(card)

    def _card(self, found: RunRow) -> ipywidgets.Box:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.started))
        prompt = found.prompt if len(found.prompt) <= 120 else found.prompt[:119] + "…"
        state: str = "unknown: may have been billed" if found.state == "unknown" else found.state
        if found.billed is not None:
            state = "billed, as you found" if found.billed else "not billed, as you found"
        facts = f"{when} · {found.model} · {state}{' · offline' if found.offline else ''}"
        actions = [button("Fill in again", "history", lambda: self._restore(found))]
        if found.state == "unknown" and found.billed is None:
            actions.append(button("It was billed", "check", lambda: self._settle(found.id, billed=True)))
            actions.append(button("It was not", "times", lambda: self._settle(found.id, billed=False)))
        if found.waiting:
            actions.append(button("Fetch again", "download", lambda: self._fetch(found.id)))
        said = Words(
            [words for words in (prompt or "(no prompt)", facts, found.problem, _gone(found)) if words]
        )
        card = ipywidgets.VBox([said, row([*map(_thumbnail, found.results[:4]), *actions])])
        card.add_class("ttapi-run")
        return card

    def _settle(self, run_id: str, *, billed: bool) -> None:
        if self._tried(lambda: self._log().found(run_id, billed=billed)):
            self.show()

    def _restore(self, found: RunRow) -> None:
        def fill_in() -> None:
            log = self._log()
            # First, as a run that another kernel has pruned since has nothing left to fill in.
            log.row(found.id)
            self._on_restore(found.id)

        if self._tried(fill_in) and found.pruned:
            self._totals.say(f"What was asked for is filled in. {_gone(found)}", "notice")

    def _fetch(self, run_id: str) -> None:
        if self._tried(lambda: self._log().fetch_again(run_id, fetch_from=tuple(self._fetch_from()))):
            self.show()

    def _tried(self, work: Callable[[], object]) -> bool:
        """Whether it could be done; where not, the panel says why, as what a callback raises is seen by nobody."""
        try:
            work()
        except TTAPIError as error:
            self._totals.say(str(error), "alert")
            return False
        return True


def _in_all(totals: Totals) -> str:
    costs, doubtful = (
        ", ".join(f"{cost:g} {currency}".strip() for currency, cost in found.items())
        for found in (totals.costs, totals.unknown_costs)
    )
    said = [f"In this log: {totals.billed} billed runs, {totals.images} results, {totals.tokens:,} tokens"]
    said += [f"{totals.under_way} under way"] if totals.under_way else []
    said += [f"{costs} by your own prices"] if costs else []
    said += [f"{doubtful} of that for runs that may not have been billed"] if doubtful else []
    said += [f"{totals.unpriced} of unknown cost"] if totals.unpriced and costs else []
    said += [f"{totals.unknown} of unknown outcome, which may have been billed"] if totals.unknown else []
    return ", ".join(said) + f"; and {totals.offline} that cost nothing."


def _gone(found: RunRow) -> str:
    if not found.pruned:
        return ""
    return f"{'Its result was' if found.pruned == 1 else 'Its results were'} pruned to make room."


def _thumbnail(path: Any) -> ipywidgets.Widget:
    try:
        return ipywidgets.HTML(thumbnail_html(open_image(path).pixels, "", THUMBNAIL))
    except ImageError:
        return Words("Its file is gone.")

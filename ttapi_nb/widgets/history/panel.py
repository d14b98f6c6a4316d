"""`HistoryPanel`: earlier runs from the log: to look at, to compare, to fill in again, to settle what nobody knows."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ... import loop
from ...errors import ImageError, ResultError, TTAPIError
from ...log import RunLog, RunRow, Totals
from ...picture import open_image
from ..drawer.turns import Turns
from ..fold import Fold
from ..thumbnails import thumbnail
from .grid import RunGrid
from .words import card_of, gone, in_all

__all__ = ["HistoryPanel"]

SHOWN = 12
"""Runs on a page."""
MOST_PICTURES = 4
"""Thumbnails of one run."""
MOST_KEPT = 120
"""Thumbnails that are kept, to be shown again without reading their files."""
EARLIER = "Earlier runs"

Undo = Callable[[], None]


class HistoryPanel(Fold):
    """Earlier runs, folded until it is opened, a page at a time.

    `on_fill(run_id)` is called where one is to be filled in again, and returns what takes that back; `on_show(run_id)`
    where its results are to be looked at, and `on_compare(run_id)` where they are to be compared with what is looked
    at.

    `show()` reads the log again. A run of unknown outcome can be settled here, and a result that was not fetched can
    be fetched while its address lives, from public addresses and the origins that `fetch_from()` gives. `look()` is for
    when the panel is displayed: the title says how many runs may have been billed, and where a kernel that is gone has
    just left one, the panel opens.
    """

    def __init__(
        self,
        log: Callable[[], RunLog],
        on_fill: Callable[[str], Undo],
        fetch_from: Callable[[], Sequence[str]] = tuple,
        on_show: Callable[[str], None] | None = None,
        on_compare: Callable[[str], None] | None = None,
    ) -> None:
        self._log, self._fetch_from = log, fetch_from
        self._on_fill, self._on_show, self._on_compare = on_fill, on_show, on_compare
        self._grid: RunGrid | None = None
        # Whoever opens it, searches, or runs may be on a thread of its own: each reading of the log has a number, and
        # none replaces a later one. The lock is not held while the log is read.
        self._turns = Turns()
        self._readings = itertools.count(1)
        self._shown = 0
        self._asked: tuple[str, int, int] = ("", 0, 0)
        # The last run of each page before: behind it the next one begins.
        self._ends: list[str] = []
        self._rows: dict[str, RunRow] = {}
        self._thumbnails: dict[Path, bytes] = {}
        self._lane = loop.lane()
        # What was done with a run, told beside it, and what takes that back.
        self._done: tuple[str, str, Undo | None] = ("", "", None)
        super().__init__(EARLIER, None, "ttapi-history")
        self.observe(self._open, "unfolded")

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
            self._entitle(log.totals())
            if any(row.state == "unknown" for row in left):
                self.unfolded = True

    def _entitle(self, totals: Totals) -> None:
        count = totals.unknown
        self.title = f"{EARLIER} · {count} may have been billed" if count else EARLIER

    def _fold(self, change: Any) -> None:
        if self.unfolded and self.inside is None:
            # With the first opening.
            self.inside = self._grid = RunGrid()
            self._grid.on_look(self._look_for)
            self._grid.on_act(self._act_on)
            self._grid.on_want(self._wanted)
        super()._fold(change)

    def _open(self, _: Any) -> None:
        if self.unfolded:
            self.show()

    def _look_for(self, search: str, stars: int, page: int) -> None:
        with self._turns:
            if (search, stars) != self._asked[:2]:
                # Found anew, from the first page on.
                self._ends, page = [], 0
            self._asked = (search, stars, min(page, len(self._ends)))
        self.show()

    def show(self) -> None:
        """Read the log again and show a page of its runs, the latest first; nothing happens while it is folded."""
        grid = self._grid
        if not self.unfolded or grid is None:
            return
        with self._turns:
            reading, (searched, stars, page) = next(self._readings), self._asked
            before = self._ends[page - 1] if page else None
        try:
            log = self._log()
            rows = log.rows(SHOWN + 1, search=searched, stars=stars or None, before=before)
            totals = log.totals()
        except ResultError as error:
            grid.alert = str(error)
            return
        drafted = {row.id for row in rows if _has_drafts_alone(log, row)}
        with self._turns:
            if reading <= self._shown:
                return
            self._shown = reading
            more, rows = len(rows) > SHOWN, rows[:SHOWN]
            self._rows = {row.id: row for row in rows}
            self._ends = [*self._ends[:page], rows[-1].id] if more else self._ends[:page]
            cards = [self._told(card_of(row, drafts=row.id in drafted)) for row in rows]
            with grid.hold_sync():
                grid.search, grid.stars, grid.page, grid.more = searched, stars, page, more
                grid.first, grid.cards, grid.alert = page * SHOWN + 1, cards, ""
                grid.empty = "" if rows else "No run like that." if searched or stars else "No runs yet."
                grid.totals = in_all(totals)
            self._entitle(totals)

    def _told(self, card: dict[str, object]) -> dict[str, object]:
        run_id, words, undo = self._done
        return {**card, "done": words, "undo": undo is not None} if card["id"] == run_id else card

    def _wanted(self, run_id: str) -> None:
        # Opening pictures takes a while, and other messages wait for this thread.
        self._lane.submit(partial(self._give, run_id))

    def _give(self, run_id: str) -> None:
        row, grid = self._rows.get(run_id), self._grid
        if row is not None and grid is not None:
            pictures = [self._thumbnail(path) for path in row.results[:MOST_PICTURES]]
            grid.give(run_id, [data for data in pictures if data] or self._drafts(row))

    def _drafts(self, row: RunRow) -> list[bytes]:
        """Thumbnails of the newest drafts of a run that has no result; none where its answer is gone."""
        pictures: list[bytes] = []
        log = self._log()
        if _has_drafts_alone(log, row):
            with contextlib.suppress(ResultError):
                for draft in log.partials(row.id)[-MOST_PICTURES:]:
                    with contextlib.suppress(ResultError):
                        pictures.append(thumbnail(draft.image))
        return pictures

    def _thumbnail(self, path: Path) -> bytes:
        data = self._thumbnails.pop(path, b"")
        if not data:
            with contextlib.suppress(ImageError):
                data = thumbnail(open_image(path).pixels)
        if data:
            self._thumbnails[path] = data
        while len(self._thumbnails) > MOST_KEPT:
            self._thumbnails.pop(next(iter(self._thumbnails)))
        return data

    # What is done with a run

    def _act_on(self, act: str, run_id: str) -> None:
        row = self._rows.get(run_id)
        if row is None:
            return
        if act in ("billed", "unbilled"):
            if self._tried(lambda: self._log().found(run_id, billed=act == "billed")):
                self.show()
        elif act == "fetch":
            if self._tried(lambda: self._log().fetch_again(run_id, fetch_from=tuple(self._fetch_from()))):
                self.show()
        elif act == "fill":
            self._fill(row)
        elif act == "undo":
            self._undo(run_id)
        elif act == "show" and self._on_show is not None:
            shows = self._on_show
            if self._tried(lambda: shows(run_id)):
                self._say(run_id, "It is in the tray, and shown.")
        elif act == "compare" and self._on_compare is not None:
            compares = self._on_compare
            if self._tried(lambda: compares(run_id)):
                self._say(run_id, "It is in the tray, and what is shown is laid over it.")

    def _fill(self, row: RunRow) -> None:
        undo: list[Undo] = []

        def fill() -> None:
            # First, as a run that another kernel has pruned since has nothing left to fill in.
            self._log().row(row.id)
            undo.append(self._on_fill(row.id))

        if self._tried(fill):
            when = time.strftime("%H:%M", time.localtime(row.started))
            self._say(row.id, " ".join(filter(None, (f"Filled in from {when}.", gone(row)))), undo[0])

    def _undo(self, run_id: str) -> None:
        done, _, undo = self._done
        if done == run_id and undo is not None and self._tried(undo):
            self._say(run_id, "It is as it was before.")

    def _say(self, run_id: str, words: str, undo: Undo | None = None) -> None:
        """Tell beside a run what was done with it, until something else is."""
        self._done = (run_id, words, undo)
        if self._grid is not None:
            bare = [{**card, "done": "", "undo": False} for card in self._grid.cards]
            with self._grid.hold_sync():
                self._grid.cards, self._grid.alert = [self._told(card) for card in bare], ""

    def _tried(self, work: Callable[[], object]) -> bool:
        """Whether it could be done; where not, the panel says why, as what a callback raises is seen by nobody."""
        try:
            work()
        except TTAPIError as error:
            if self._grid is not None:
                self._grid.alert = str(error)
            return False
        return True


def _has_drafts_alone(log: RunLog, row: RunRow) -> bool:
    """Whether drafts may be all that came for a run: they are in the answer that is kept as it came."""
    nothing = row.state != "open" and not row.results and not row.pruned
    return nothing and bool(row.options.get("partial_images")) and log.keeps_answer(row.id)

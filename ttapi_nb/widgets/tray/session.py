"""`Session`: the answers of a session in their order, which is chosen, what was thought of each; without a widget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ... import loop
from ...errors import ResultError
from ...log import Rating, RunLog
from ...log.ratings import UNRATED
from ...run import Result, Run
from ..thumbnails import thumbnail

__all__ = ["Entry", "Session"]

LOST = "It could not be kept in the run log, and is forgotten with this kernel. {error}"
LONGEST_NOTE = 4_000
MOST_RUNS, MOST_PIXELS = 60, 200_000_000
"""What a tray holds at most of runs that are in a log too: each is held with all its pictures."""
MOST_DISCARDED = 20


@dataclass(frozen=True)
class Entry:
    """One result of the session: the one at `at`, from 0, of its run. `thumbnail` is a small WEBP of it."""

    run: Run
    at: int
    thumbnail: bytes
    rating: Rating = UNRATED
    late: bool = False

    @property
    def key(self) -> str:
        """What it is known by, here and in a browser."""
        return key_of(self.run, self.number)

    @property
    def result(self) -> Result:
        """The result itself."""
        return self.run.results[self.at]

    @property
    def number(self) -> int:
        """Which of the answer's results it is, from 1, as in the run log."""
        return self.run.results[self.at].number


def key_of(run: Run, number: int) -> str:
    return f"{run.id} {number}"


class Session:
    """The answers of a session, oldest first. Who watches is called after each change, and no lock is held then.

    What is thought of a result is written into its run's log, on a thread; `trouble(sentence)` is called where that
    can't be done.
    """

    def __init__(self, trouble: Callable[[str], None]) -> None:
        self._trouble = trouble
        self._watchers: list[Callable[[], None]] = []
        # Held for a few assignments: front ends call on threads of their own.
        self._guard = threading.RLock()
        self._lane = loop.lane()
        self.entries: tuple[Entry, ...] = ()
        self.chosen: Entry | None = None
        self.against: Entry | None = None
        # What was discarded, and where it stood; the latest last.
        self._gone: list[tuple[int, Entry]] = []
        # Of all that was ever here: a run that is shown again has its stars.
        self._rated: dict[str, Rating] = {}
        self.version = 0
        """One more with each change."""

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher()` after each change."""
        self._watchers.append(watcher)

    def _changed(self) -> None:
        with self._guard:
            self.version += 1
        for watcher in self._watchers:
            watcher()

    def entry(self, key: str) -> Entry | None:
        """The one of this key that is in the tray."""
        return next((one for one in self.entries if one.key == key), None)

    @property
    def discarded(self) -> int:
        """How many can be brought back."""
        return len(self._gone)

    # What joins

    def join(
        self,
        run: Run,
        *,
        choose: bool = True,
        late: bool = False,
        again: bool = False,
        ratings: Mapping[int, Rating] | None = None,
    ) -> None:
        """Put a run's results behind the others; chosen is its first where that is wished, or where nothing was.

        Results that are there already are not put there again, nor those that were discarded, but for `again`.
        `ratings` are what the run log has of them, by their numbers.
        """
        if again:
            with self._guard:
                self._gone = [(at, one) for at, one in self._gone if one.run.id != run.id]
        known = {one.key for one in (*self.entries, *(one for _, one in self._gone))}
        for number, rating in (ratings or {}).items():
            self._rated.setdefault(key_of(run, number), rating)
        new = self._made(run, known, late)
        with self._guard:
            there = {one.key for one in self.entries}
            self.entries = (*self.entries, *(one for one in new if one.key not in there))
            first = next((one for one in self.entries if one.run.id == run.id), None)
            if first is not None and (choose or self.chosen is None):
                self._choose(first)
            self._let_go_of_old(run)
        self._changed()

    def _let_go_of_old(self, latest: Run) -> None:
        """Let the oldest leave that are in a log, where *Earlier runs* has them, and that nobody looks at."""
        looked_at = {one.run.id for one in (self.chosen, self.against) if one is not None} | {latest.id}
        weights: dict[str, int] = {}
        for one in self.entries:
            width, height = one.result.picture.size
            weights[one.run.id] = weights.get(one.run.id, 0) + width * height
        can_leave = {one.run.id: None for one in self.entries if one.run.log is not None}
        leaving = set[str]()
        for old in can_leave:
            if len(weights) <= MOST_RUNS and sum(weights.values()) <= MOST_PIXELS:
                break
            if old not in looked_at:
                leaving.add(old)
                del weights[old]
        self.entries = tuple(one for one in self.entries if one.run.id not in leaving)
        self._gone = self._gone[-MOST_DISCARDED:]

    def show(self, runs: Iterable[Run]) -> None:
        """Put these runs' results in the place of all that was there; the first is chosen."""
        new = [entry for run in runs for entry in self._made(run, (), late=False)]
        with self._guard:
            self.entries, self._gone = tuple(new), []
            self.chosen = self.against = None
            if new:
                self._choose(new[0])
        self._changed()

    def _made(self, run: Run, known: Collection[str], late: bool) -> list[Entry]:
        numbers = {at: key_of(run, result.number) for at, result in enumerate(run.results)}
        return [
            Entry(run, at, thumbnail(run.results[at].image), self._rated.get(key, UNRATED), late)
            for at, key in numbers.items()
            if key not in known
        ]

    # Which is looked at

    def choose(self, key: str) -> None:
        """Look at another one."""
        with self._guard:
            entry = self.entry(key)
            if entry is None:
                return
            self._choose(entry)
        self._changed()

    def _choose(self, entry: Entry) -> None:
        self.chosen = entry
        # Nothing is compared with itself.
        if self.against is not None and self.against.key == entry.key:
            self.against = None

    def flip(self, by: int) -> None:
        """Look at the one so many places on, round and round."""
        with self._guard:
            if self.chosen is None:
                return
            at = self.entries.index(self.chosen)
            self._choose(self.entries[(at + by) % len(self.entries)])
        self._changed()

    def compare_with(self, key: str) -> None:
        """Compare what is chosen with another result; with its photo for an empty key."""
        with self._guard:
            entry = self.entry(key)
            same = entry is not None and self.chosen is not None and entry.key == self.chosen.key
            self.against = None if same else entry
        self._changed()

    # What is thought of them

    def rate(self, key: str, **changes: Any) -> None:
        """Note `stars` (0 to 5), a `note` or a `verdict` for a result, here and in its run's log."""
        with self._guard:
            entry = self.entry(key)
            if entry is None or replace(entry.rating, **changes) == entry.rating:
                return
            self._put(replace(entry, rating=replace(entry.rating, **changes)))
        self._changed()
        self._write(entry, changes)

    def discard(self, key: str) -> None:
        """Take a result out of the tray; the next one is chosen. `undo` brings it back."""
        with self._guard:
            entry = self.entry(key)
            if entry is None:
                return
            at = self.entries.index(entry)
            self._gone.append((at, entry))
            self.entries = self.entries[:at] + self.entries[at + 1 :]
            if self.against is not None and self.against.key == key:
                self.against = None
            if self.chosen is not None and self.chosen.key == key:
                self.chosen = None
                if self.entries:
                    self._choose(self.entries[min(at, len(self.entries) - 1)])
        self._changed()
        self._write(entry, {"verdict": "discarded"})

    def undo(self) -> None:
        """Bring back what was discarded last, to where it stood, and choose it."""
        with self._guard:
            if not self._gone:
                return
            at, entry = self._gone.pop()
            self.entries = (*self.entries[:at], entry, *self.entries[at:])
            self._choose(entry)
        self._changed()
        self._write(entry, {"verdict": entry.rating.verdict})

    def _put(self, entry: Entry) -> None:
        self._rated[entry.key] = entry.rating
        self.entries = tuple(entry if one.key == entry.key else one for one in self.entries)
        if self.chosen is not None and self.chosen.key == entry.key:
            self.chosen = entry
        if self.against is not None and self.against.key == entry.key:
            self.against = entry

    def _write(self, entry: Entry, changes: dict[str, Any]) -> None:
        log = entry.run.log
        if log is not None:
            # Not here: a log that another kernel writes into would hold up the hand.
            self._lane.submit(partial(self._write_now, log, entry.run.id, entry.number, changes))

    def _write_now(self, log: RunLog, run_id: str, number: int, changes: dict[str, Any]) -> None:
        try:
            log.rate(run_id, number, **changes)
        except ResultError as error:
            self._trouble(LOST.format(error=error))

"""How far an experiment is, in a notebook or a terminal."""

from __future__ import annotations

import time
from typing import Any, Protocol, Self

from tqdm.auto import tqdm

from ..log.budget import amount_in_words
from .forecast import in_words
from .sender import Sender

__all__ = ["Progress"]

STEP = 0.2
"""Seconds between two looks."""


class Shows(Protocol):
    """What is followed, as far as a bar knows."""

    @property
    def name(self) -> str: ...
    @property
    def cells(self) -> tuple[Any, ...]: ...
    @property
    def counts(self) -> Any: ...
    @property
    def costs(self) -> dict[str, float]: ...
    @property
    def seconds_left(self) -> float | None: ...


class Progress:
    """A bar with counts, cost so far and time left, while its `with` block lasts; none where it is not to `show`."""

    def __init__(self, trial: Shows, *, show: bool) -> None:
        self._trial, self._show = trial, show
        self._bar: Any = None
        self._seen: tuple[int, int, str] | None = None

    def __enter__(self) -> Self:
        if self._show:
            form = "{desc}: {n_fmt}/{total_fmt} |{bar}| {postfix}"
            self._bar = tqdm(total=len(self._trial.cells), desc=self._trial.name[:40], bar_format=form)
            self._look()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._look()
            self._bar.close()

    def follow(self, sender: Sender, timeout: float | None) -> None:
        """Show how far it is until that is over, or so many seconds are."""
        if self._bar is None:
            sender.wait(timeout)
            return
        end = None if timeout is None else time.monotonic() + timeout
        while not sender.wait(STEP if end is None else max(0.0, min(STEP, end - time.monotonic()))):
            self._look()
            if end is not None and time.monotonic() >= end:
                return

    def _look(self) -> None:
        counts = self._trial.counts
        self._bar.total = len(self._trial.cells)
        self._bar.n = self._bar.total - counts["waiting"] - counts["sending"] - counts["elsewhere"]
        parts = [
            f"{counts[state]} {state}"
            for state in ("failed", "refused", "unknown", "not sent")
            if counts[state]
        ]
        parts += [amount_in_words(cost, currency) for currency, cost in self._trial.costs.items()]
        left = self._trial.seconds_left
        parts += [f"{in_words(left)} left"] if left is not None else []
        looks = (self._bar.total, self._bar.n, ", ".join(parts))
        if looks != self._seen:
            self._seen = looks
            self._bar.set_postfix_str(looks[2], refresh=True)

"""Run and Cancel, and the line under them: how far a run is, and why none can start."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import ipywidgets

from ... import loop
from ...run import Run
from ..act import Act
from ..text import StatusLine

__all__ = ["Controls"]


class Controls:
    """The two buttons in `buttons`, and `status`; `current` tells which run they are about.

    What is shown of a run is shown from `lane`, and from threads that begin or stop one. `show_progress(doing,
    seconds)` is called with what it does and for how long it has, and with nothing at its end.
    """

    def __init__(
        self,
        layout: ipywidgets.Layout,
        current: Callable[[], Run | None],
        show_progress: Callable[[str, float], None],
    ) -> None:
        self.run = Act("Run", primary=True, layout=layout)
        self.cancel = Act("Cancel", disabled=True, layout=layout)
        self.buttons = ipywidgets.HBox(
            [self.run, self.cancel], layout=layout, _dom_classes=("ttapi-run-row",)
        )
        self.status = StatusLine()
        # What a run changes here, in order, on threads that are neither the loop's nor a front end's.
        self.lane = loop.lane()
        self._current = current
        self._show_progress = show_progress
        # What the photo shows of a run: it counts the seconds itself.
        self._doing = ""

    def show_problems(self, problems: tuple[str, ...], name: str) -> None:
        """Say why no run can start, or that one can; `name` is what is written on Run."""
        with self.run.hold_sync():
            self.run.disabled = bool(problems)
            self.run.description = name
            self.run.tooltip = " ".join(problems) or "Run the edit (Ctrl+Enter)"
        self.status.say(problems or ("Ready.",), "notice" if problems else "quiet")

    def show(self, run: Run) -> None:
        """Say how far a run is, also on the thread that began or stopped it."""
        while True:
            shown = (run.status, run.done, run.note)
            if run is self._current():
                self._say(run)
            # Another thread may have shown what came after that, a moment before.
            if shown == (run.status, run.done, run.note):
                return

    def count_seconds(self, run: Run) -> None:
        """Say how long it takes, until it has ended."""
        loop.submit(self._count(run))

    def _say(self, run: Run) -> None:
        self.run.disabled = not run.done
        self.cancel.disabled = run.done
        self._show_on_photo(run)
        if not run.done:
            self._say_time(run)
        elif run.status == "done":
            self.status.say(f"Done in {run.seconds:.1f} seconds.{' ' + run.note if run.note else ''}", "good")
        elif run.status == "cancelled":
            self.status.say(run.note, "notice")
        elif run.error is not None:
            self.status.error(run.error)

    def _show_on_photo(self, run: Run) -> None:
        doing = "" if run.done else _doing(run)
        if doing != self._doing:
            self._doing = doing
            self._show_progress(doing, run.seconds)

    def _say_time(self, run: Run) -> None:
        if run.status == "sending" and run.note and run.prepared.requests == 1:
            # The service is busy, and waited for.
            self.status.say(run.note, "busy")
            return
        self.status.say(f"{_doing(run)} … {run.seconds:.0f} s", "busy")

    async def _count(self, run: Run) -> None:
        # On the loop, which only counts the seconds; said on the lane, and not again while that takes.
        pending: Future[None] | None = None
        while not run.done:
            if pending is None or pending.done():
                pending = self.lane.submit(partial(self.show, run))
            await loop.wait([run._outcome], 1)


def _doing(run: Run) -> str:
    doing = "Sending" if run.status == "sending" else "Waiting for the result"
    if run.partials:
        doing = f"Draft {len(run.partials)}, not finished. {doing}"
    return doing if run.prepared.requests == 1 else f"{run.note} {doing}".strip()

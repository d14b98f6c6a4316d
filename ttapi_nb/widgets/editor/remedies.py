"""What may help after a run that did not go well: another model or key by one click, and what is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets

from ... import run as running
from ...errors import AuthenticationError, RefusedError, UnknownOutcomeError
from ...mask import Mask
from ...picture import SourceImage
from ...run import Run
from ..offers import LateOffers

__all__ = ["Remedies"]


class Remedies(LateOffers):
    """Offers what follows from an error, until something else is asked for.

    `use_model(name)`, `ask_key()`, `go_on(picture, mask)` and `show(run_id)` are what is offered. `in_doubt` tells
    whether the same was sent before, and nobody knows what became of it.
    """

    def __init__(
        self,
        put: Callable[[ipywidgets.Widget], None],
        use_model: Callable[[str], None],
        ask_key: Callable[[], None],
        go_on: Callable[[SourceImage, Mask], None],
        show: Callable[[str], None],
    ) -> None:
        super().__init__(put)
        self._use_model, self._ask_key, self._go_on, self._show = use_model, ask_key, go_on, show
        self.in_doubt = False

    def forget(self) -> None:
        """Something else is asked for now."""
        self.in_doubt = False
        self.clear()

    def after(self, run: Run, *, offline: bool) -> None:
        """Offer what may help after this run, which has ended."""
        error = run.error
        self.in_doubt = isinstance(error, UnknownOutcomeError) and not offline
        if (
            isinstance(run, running.TiledRun)
            and run.status != "done"
            and run.results
            and run.left is not None
        ):
            # Those that are done are not asked for once more.
            go_on = partial(self._go_on, run.results[0].picture, run.left)
            self.offer("", [("Go on with the tiles left", go_on)])
        elif isinstance(error, RefusedError) and error.models:
            self.offer("", [(f"Use {name}", partial(self._use_model, name)) for name in error.models])
        elif isinstance(error, AuthenticationError) and not offline:
            self.offer("", [("Use another key", self._ask_key)])
        elif run.partials and not run.results and not isinstance(run, running.TiledRun):
            name = "Show the draft that came" if len(run.partials) == 1 else "Show the drafts that came"
            self.offer("", [(name, partial(self._show, run.id))])

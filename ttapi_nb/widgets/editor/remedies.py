"""What may help after a run that did not go well: another model or key by one click, and what is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...errors import AuthenticationError, RefusedError, UnknownOutcomeError
from ...run import Run
from ..offers import LateOffers

__all__ = ["Remedies"]


class Remedies(LateOffers):
    """Offers what follows from an error, until something else is asked for.

    `use_model(name)` and `ask_key()` are what is offered. `in_doubt` tells whether the same was sent before, and nobody
    knows what became of it.
    """

    def __init__(
        self, arrange: Callable[[], None], use_model: Callable[[str], None], ask_key: Callable[[], None]
    ) -> None:
        super().__init__(arrange)
        self._use_model, self._ask_key = use_model, ask_key
        self.in_doubt = False

    def forget(self) -> None:
        """Something else is asked for now."""
        self.in_doubt = False
        self.clear()

    def after(self, run: Run, *, offline: bool) -> None:
        """Offer what may help after this run, which has ended."""
        error = run.error
        self.in_doubt = isinstance(error, UnknownOutcomeError) and not offline
        if isinstance(error, RefusedError) and error.models:
            self.offer("", [(f"Use {name}", partial(self._use_model, name)) for name in error.models])
        elif isinstance(error, AuthenticationError) and not offline:
            self.offer("", [("Use another key", self._ask_key)])

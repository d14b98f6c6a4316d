"""The plan in words, and tiles where they would come back sharper, by one click."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets

from ...asked import Prepared
from ...log import Budget
from ..offers import LateOffers
from ..text import LateWords

__all__ = ["PlanLine"]


class PlanLine(LateWords):
    """What is sent of the photo and what that costs; `offers` stands below it where there is something to choose.

    `use_fit(how)` is what a click chooses.
    """

    def __init__(self, put: Callable[[ipywidgets.Widget], None], use_fit: Callable[[str], None]) -> None:
        super().__init__(put)
        self.offers = LateOffers(put)
        self._use_fit = use_fit
        self._offered = ""

    def show(self, prepared: Prepared, budget: Budget | None) -> None:
        """Say how it would be sent; `budget` is what its cost is estimated by, None where nothing is billed."""
        plan = prepared.plan
        sentences = [] if plan is None else [plan.words]
        if budget is not None:
            estimate = budget.estimate(prepared.sent, prepared.requests)
            tokens = "" if estimate.tokens is None else f", about {estimate.tokens:,} tokens"
            sentences.append(f"Estimated cost: {estimate.words}{tokens}.")
        self.say(" ".join(sentences))
        words = "" if plan is None else plan.offer
        if words == self._offered:
            return
        self._offered = words
        if plan is None or not words:
            self.offers.clear()
        else:
            self.offers.offer(
                words, [(f"Send {len(plan.tiles)} tiles", partial(self._use_fit, "tiles"))], "quiet"
            )

"""What is written on Run: what it will do, and what that costs as far as anybody knows."""

from __future__ import annotations

from ...asked import Prepared
from ...log import Budget

__all__ = ["run_words"]


def run_words(prepared: Prepared, budget: Budget | None, *, offline: bool, in_doubt: bool) -> str:
    """The name of the button for what would be sent: `"Run · about 0.04 USD"`.

    `in_doubt` says that the same was sent before, and that nobody knows what became of it.
    """
    what = "Run again anyway" if in_doubt else "Run on the whole photo" if _is_whole(prepared) else "Run"
    if offline:
        return f"{what} · free"
    cost = None if budget is None else budget.estimate(prepared.sent, prepared.requests)
    return f"{what} · cost unknown" if cost is None or cost.cost is None else f"{what} · about {cost.words}"


def _is_whole(prepared: Prepared) -> bool:
    """Whether all of a photo may change: nothing of it is masked, or all."""
    request = prepared.asked.request
    if not request.image:
        return False
    mask = request.mask
    meaning = getattr(mask, "meaning", None)
    return mask is None or (meaning is not None and not meaning.problem and meaning.protected == 0)

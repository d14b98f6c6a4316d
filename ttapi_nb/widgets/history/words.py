"""What the panel says of a run, and of all of them."""

from __future__ import annotations

import time

from ...log import RunRow
from ...log.spending import Totals
from ...text import cut, so_many

__all__ = ["card_of", "gone", "in_all"]


def card_of(row: RunRow, *, drafts: bool = False) -> dict[str, object]:
    """A run as the browser is told of it: texts, numbers, and what can be done with it.

    `drafts` says that no result of it came, and that there may be drafts to show instead.
    """
    state: str = "unknown: may have been billed" if row.state == "unknown" else row.state
    if row.billed is not None:
        state = "billed, as you found" if row.billed else "not billed, as you found"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started))
    rated = row.ratings.values()
    return {
        "id": row.id,
        "prompt": cut(row.prompt, 120) or "(no prompt)",
        "facts": f"{when} · {cut(row.model, 60)} · {state}{' · offline' if row.offline else ''}",
        "problem": cut(row.problem, 400),
        "gone": gone(row),
        "count": len(row.results),
        "drafts": drafts,
        "stars": max((one.stars for one in rated), default=0),
        "notes": [cut(one.note, 200) for one in rated if one.note],
        "kept": any(one.verdict == "kept" for one in rated),
        "unsettled": row.state == "unknown" and row.billed is None,
        "waiting": bool(row.waiting),
        "done": "",
        "undo": False,
    }


def gone(row: RunRow) -> str:
    """What is said where results were taken away."""
    if not row.pruned:
        return ""
    return f"{'Its result was' if row.pruned == 1 else 'Its results were'} pruned to make room."


def in_all(totals: Totals) -> str:
    """What the log's runs were in all; those of which nobody knows are not counted among the billed ones."""
    costs, doubtful = (
        ", ".join(f"{cost:g} {currency}".strip() for currency, cost in amounts.items())
        for amounts in (totals.costs, totals.unknown_costs)
    )
    parts = [
        f"In this log: {so_many(totals.billed, 'billed run')}, {so_many(totals.images, 'result')}, "
        f"{so_many(totals.tokens, 'token')}"
    ]
    parts += [f"{totals.under_way} under way"] if totals.under_way else []
    parts += [f"{costs} by your own prices"] if costs else []
    parts += [f"{doubtful} of that for runs that may not have been billed"] if doubtful else []
    parts += [f"{totals.unpriced} of unknown cost"] if totals.unpriced and costs else []
    parts += [f"{totals.unknown} of unknown outcome, which may have been billed"] if totals.unknown else []
    return ", ".join(parts) + f"; and {totals.offline} that cost nothing."

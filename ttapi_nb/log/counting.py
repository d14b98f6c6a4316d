"""What counts as spent: the rules for a row of runs, in SQL, for the run log and for a class's ledger alike.

They are written so that SQLite and Postgres read them in the same way. Where they say nothing of a column it may hold
anything, as a file may be anybody's.
"""

from __future__ import annotations

__all__ = ["BILLABLE", "DOUBTFUL", "SPENT", "UNDER_WAY", "cost", "images", "tokens"]

# What is billed, may be, or is about to be: all but what is sure to have cost nothing, whatever else a row may say.
BILLABLE = """COALESCE(state, '') NOT IN ('not sent', 'refused', 'cancelled')
    AND NOT (COALESCE(state, '') = 'failed' AND COALESCE(sent, 1) = 0)
    AND NOT (COALESCE(state, '') = 'unknown' AND COALESCE(billed, 1) = 0)"""
SPENT = f"COALESCE(offline, 0) <> 1 AND {BILLABLE}"
# Of those, what nobody knows the outcome of; and what is under way.
DOUBTFUL = "(COALESCE(state, '') NOT IN ('open', 'done', 'failed') AND COALESCE(billed, 0) <> 1)"
UNDER_WAY = "(COALESCE(state, '') = 'open')"


def images(came: str, asked: str) -> str:
    """How many results a run counts as: those that came, or as long as nobody knows those that were asked for."""
    return f"COALESCE({came}, {asked})"


def tokens(counted: str, came: str, asked: str, drafts: str) -> str:
    """How many tokens a run counts as: what the service counted, or `:each` for each result and `:draft` for each of
    its drafts.
    """
    return f"COALESCE({counted}, {images(came, asked)} * (:each + {drafts} * :draft))"


def cost(known: str, estimate: str) -> str:
    """What a run counts as in money: what it cost, or what it was reckoned to."""
    return f"COALESCE({known}, {estimate})"

"""Which cell of an experiment a run is of. A cell is sent once, whoever asks: it is claimed in the transaction that
writes the row of its run, so that of two kernels that come to it at the same time one is told that it is taken.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ..errors import ClaimedError
from .checks import words

__all__ = ["Claim", "check_claim"]

# What has left and may be billed, or is about to.
TAKEN = """state NOT IN ('not sent', 'refused', 'cancelled') AND NOT (state = 'failed' AND sent IS 0)
    AND NOT (state = 'unknown' AND billed IS 0)"""
WORDS = {
    "open": "is under way, here or in another notebook",
    "done": "was made already, and its results are in the run log",
    "unknown": "was sent, and nobody knows whether it was billed: look in the TTAPI Dashboard, and say so with found()",
    "failed": "was sent and answered, but its results can't be used",
}


@dataclass(frozen=True)
class Claim:
    """The cell that a run is of: the experiment's name, and the cell's key. `again` sends it though it was sent."""

    experiment: str
    cell: str
    again: bool = False


def check_claim(db: sqlite3.Connection, claim: Claim, offline: bool) -> None:
    """Raise `ClaimedError` where the cell is another run's; within the transaction that writes the run's row."""
    row = db.execute(
        f"SELECT id, state FROM runs WHERE experiment = ? AND cell = ? AND offline IS ? AND {TAKEN}"  # noqa: S608 - our own words
        " AND (state = 'open' OR NOT ?) LIMIT 1",
        (claim.experiment, claim.cell, int(offline), claim.again),
    ).fetchone()
    if row is not None:
        why = WORDS.get(row["state"], WORDS["unknown"])
        raise ClaimedError(
            f"This cell of {claim.experiment!r} {why}. It was not sent.", run_id=words(row["id"])
        )

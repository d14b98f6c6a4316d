"""The run log: every run written down before a byte leaves and settled after, what it cost, and what came of it."""

from __future__ import annotations

from .budget import Budget, Estimate, PriceTable, Spent
from .checks import State
from .claims import Claim
from .experiments import Experiments, Shown, Vote
from .log import RunLog, default_log
from .pruning import Pruned
from .ratings import Rating
from .rows import RunRow
from .spending import Totals

__all__ = [
    "Budget",
    "Claim",
    "Estimate",
    "Experiments",
    "PriceTable",
    "Pruned",
    "Rating",
    "RunLog",
    "RunRow",
    "Shown",
    "Spent",
    "State",
    "Totals",
    "Vote",
    "default_log",
]

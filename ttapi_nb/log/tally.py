"""`Tally`: what many runs come to, in parts that can be added up; and what a budget makes of it.

Nothing in here knows a database: the numbers come from `spending`, which asks for them by the rules of `counting`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

from ..models import PARTIAL_TOKENS
from .budget import Budget, PriceTable, Spent
from .checks import json_object

__all__ = ["Group", "Quotes", "Tally", "spent_of"]

Kind: TypeAlias = tuple[str | None, str, str]
"""Runs of one kind: the currency in which their cost is noted (None where it is not), model, and options (JSON)."""
MOST_KINDS = 64
"""More kinds are not kept apart in a sum that is stored."""


@dataclass
class Group:
    """Runs of one kind: how many, the results that they count as, what is noted of their cost; of those of unknown
    outcome how many have a cost, and what that comes to.
    """

    runs: int = 0
    images: int = 0
    cost: float = 0.0
    doubtful: int = 0
    doubtful_cost: float = 0.0

    def add(self, other: Group) -> None:
        """Count these too."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


@dataclass
class Tally:
    """Of all that counts as spent: `runs`, `images` as they count, `came`, `tokens` that were counted, `unmetered` the
    images of runs without such, and `drafts` how many drafts those were asked with; how many are of unknown outcome,
    under way, or began before the budget's time; and of all: how many were `offline`.
    """

    runs: int = 0
    images: int = 0
    came: int = 0
    tokens: int = 0
    unmetered: int = 0
    unknown: int = 0
    under_way: int = 0
    set_back: int = 0
    offline: int = 0
    drafts: int = 0
    groups: dict[Kind, Group] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count these too."""
        for item in fields(self):
            if item.name != "groups":
                setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))
        for kind, group in other.groups.items():
            self.groups.setdefault(kind, Group()).add(group)

    @property
    def numbers(self) -> list[int]:
        """All but the groups, in their order."""
        return [getattr(self, item.name) for item in fields(self) if item.name != "groups"]

    def to_json(self) -> str:
        """As a text that `from_json` reads; empty where there are too many kinds to be kept."""
        if len(self.groups) > MOST_KINDS:
            return ""
        groups = [
            [*kind, *(getattr(group, item.name) for item in fields(group))]
            for kind, group in self.groups.items()
        ]
        return json.dumps([self.numbers, groups])

    @classmethod
    def from_json(cls, text: str) -> Tally | None:
        """What `to_json` wrote; None where it is none of that."""
        try:
            numbers, groups = json.loads(text)
            tally = cls()
            for item, number in zip(fields(cls), numbers, strict=False):
                setattr(tally, item.name, int(number))
            for currency, model, options, *rest in groups:
                if not isinstance(model, str) or not isinstance(options, str):
                    return None
                tally.groups[currency, model, options] = Group(*rest)
        except (ValueError, TypeError, RecursionError):
            return None
        return tally


class Quotes:
    """What one result of each kind of run costs by a price table.

    A table of numbers is looked at when it is asked. A function is somebody's, and may do anything: what it is to be
    asked is `wanted`, and `ask` is for a moment in which nothing is held.
    """

    def __init__(self, prices: PriceTable) -> None:
        self._prices = prices
        self._known: dict[tuple[Any, ...], float | None] = {}
        self._wanted: dict[tuple[Any, ...], Callable[[], float | None]] = {}

    @property
    def wanted(self) -> bool:
        """Whether something was asked for that `ask` has to find out first."""
        return bool(self._wanted)

    def ask(self) -> None:
        """Ask the price functions all that is wanted. Raises what they raise."""
        wanted, self._wanted = self._wanted, {}
        for key, work in wanted.items():
            self._known[key] = work()

    def cost(
        self, model: str, options: str, images: int, usage: Mapping[str, int | None] | None = None
    ) -> float | None:
        """What a run of that kind costs; None where that has no price, or is not known yet."""
        by_usage = self._prices.actual is not None and usage is not None
        key = (model, options, images, json.dumps(usage)) if by_usage else (model, options)

        def work() -> float | None:
            parsed = json_object(options)
            return (
                self._prices.cost(model, parsed, images, usage)
                if by_usage
                else self._prices.one(model, parsed)
            )

        if key not in self._known:
            if by_usage or callable(self._prices.prices):
                self._wanted[key] = work
                return None
            self._known[key] = work()
        price = self._known[key]
        return price if by_usage or price is None else price * images


def spent_of(tally: Tally, budget: Budget, quotes: Quotes | None) -> Spent:
    """What counts as spent for a budget; `quotes` are of its prices. Where they want something, this says nothing."""
    each = budget.tokens_each or 0
    drafts = PARTIAL_TOKENS * tally.drafts if budget.tokens_each is not None else 0
    total = Spent(
        tally.runs,
        tally.images,
        tally.tokens + tally.unmetered * each + drafts,
        unknown=tally.unknown,
        set_back=tally.set_back,
    )
    if budget.prices is None or quotes is None:
        return total
    costs, unpriced = 0.0, 0
    for (currency, model, options), group in tally.groups.items():
        known = (
            group.cost if currency == budget.prices.currency else quotes.cost(model, options, group.images)
        )
        if known is None:
            unpriced += group.runs
        else:
            costs += known
    return replace(total, cost=costs, unpriced=unpriced)

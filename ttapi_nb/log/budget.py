"""`Budget`: how much may be spent, and `PriceTable`: what you say it costs. Nothing here knows a price by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from ..errors import SettingsError
from ..models import PARTIAL_TOKENS, PARTIALS_MAX
from ..request import EditRequest

__all__ = ["NO_LOG", "Budget", "Estimate", "PriceTable", "Spent"]

NO_LOG = "A budget counts in a log, and there is none with log=False. Leave log out, or budget."

Key: TypeAlias = str | tuple[str, ...]
Price: TypeAlias = Callable[[str, Mapping[str, Any]], float | None]
Usage: TypeAlias = Mapping[str, int | None]
Actual: TypeAlias = Callable[[str, Mapping[str, Any], Usage], float | None]

MOST_IMAGES = 10
"""The most results of one run (TTAPI, POST /v1/images/edits: n)."""
# Prices are added up as floats: what is over by less than this is not over.
SLACK = 1e-9
LONGEST_WORD = 20


@dataclass(frozen=True)
class PriceTable:
    """Your own prices, as none are public.

    * `prices`: what one result costs, by `"model"`, `("model", "size")` or `("model", "size", "quality")`; the longest
      that fits counts, and what is left to the service is called `"auto"`. Or a function of the model and the other
      fields of the request (a dict with `n`, `size`, …) that returns what one result costs, or None for unknown.
    * `currency`: the word that is written behind the amounts, `"USD"` or `"quota"` say; at most 20 characters.
    * `actual`: a function of the model, the fields and the tokens that the service counted (a dict with `total_tokens`,
      `output_tokens`, …), which returns what the run cost. Left out, or where it returns None, it is the price of a
      result times the results that came.

    Raises `SettingsError` for a price that is no number of 0 or more.
    """

    prices: Mapping[Key, float] | Price
    currency: str
    actual: Actual | None = None

    def __post_init__(self) -> None:
        word = self.currency
        is_word = isinstance(word, str) and word.isprintable() and not word.isspace()
        if not is_word or not 0 < len(word) <= LONGEST_WORD:
            raise SettingsError(f"currency={word!r} is not a short word. Use one like 'USD' or 'quota'.")
        if callable(self.prices):
            return
        if not isinstance(self.prices, Mapping):
            raise SettingsError(
                "prices is neither a dict nor a function. Use one like {'gpt-image-1.5': 0.04}."
            )
        for key, price in self.prices.items():
            parts = (key,) if isinstance(key, str) else key
            if not isinstance(parts, tuple) or not all(isinstance(part, str) for part in parts):
                raise SettingsError(
                    f"prices has an entry for {key!r}, which names no model. Use a model's name, or a tuple of model, "
                    "size and quality."
                )
            _amount(price, f"The price for {key!r}")
        # A copy: a budget must not change because a dict did.
        object.__setattr__(self, "prices", dict(self.prices))

    def __hash__(self) -> int:
        return hash(self.currency)

    def one(self, model: str, options: Mapping[str, Any]) -> float | None:
        """What one result costs, or None where there is no price. `options` are the fields as they are sent."""
        # Such a field takes the model's place in the body, and which of them counts is the service's to say.
        if {"model", "mode"} & options.keys():
            return None
        if callable(self.prices):
            return _amount(self.prices(model, dict(options)), "What your price function returned")
        whole = (model, str(options.get("size", "auto")), str(options.get("quality", "auto")))
        for length in (3, 2, 1):
            price = self.prices.get(whole[:length], self.prices.get(model) if length == 1 else None)
            if price is not None:
                return float(price)
        return None

    def cost(
        self, model: str, options: Mapping[str, Any], images: int, usage: Usage | None = None
    ) -> float | None:
        """What a run with so many results costs, or None where there is no price; `usage` is known after."""
        if self.actual is not None and usage is not None:
            actual = _amount(self.actual(model, dict(options), dict(usage)), "What your function returned")
            if actual is not None:
                return actual
        price = self.one(model, options)
        return None if price is None else price * images


@dataclass(frozen=True)
class Estimate:
    """What a run, or so many `runs`, is expected to take before it is sent; None is unknown."""

    images: int
    tokens: int | None
    cost: float | None
    currency: str = ""
    runs: int = 1

    @property
    def words(self) -> str:
        """The cost for a person to read: `"0.04 USD"`, or `"unknown"`."""
        return "unknown" if self.cost is None else amount_in_words(self.cost, self.currency)


@dataclass(frozen=True)
class Spent:
    """What counts as spent in a log: runs that were billed, may have been, or are under way.

    `unknown` are those of the runs whose outcome nobody knows, `unpriced` those that the price table has no price for,
    and `set_back` those that count by their place in the log, as the clock had been set back when they began.
    """

    runs: int = 0
    images: int = 0
    tokens: int = 0
    cost: float = 0.0
    unknown: int = 0
    unpriced: int = 0
    set_back: int = 0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much may be spent in a log, by all kernels that use it together. What is left out has no limit.

    * `runs`, `images`, `tokens`: whole numbers.
    * `cost`: in the currency of `prices`, the `PriceTable` that it needs.
    * `tokens_each`: how many tokens you reckon one result takes, which `tokens` needs: a run counts as that many until
      the service has said how many they were. For each partial image that is asked for, 100 come on top of an estimate.
    * `since`: only runs that began then or later count: a `datetime`, or seconds since 1970. Left out, all of the log.
      What was begun under this budget, or after a run that counts, counts too, whatever the clock said then.

    A run that is under way, or whose outcome is not known, counts as its estimate; what was refused or not sent, and
    what the embedded service made, counts as nothing. Raises `SettingsError` for limits that can't be kept.
    """

    runs: int | None = None
    images: int | None = None
    tokens: int | None = None
    cost: float | None = None
    prices: PriceTable | None = None
    tokens_each: int | None = None
    since: datetime | float | None = None

    def __post_init__(self) -> None:
        for name in ("runs", "images", "tokens", "tokens_each"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise SettingsError(
                    f"{name}={value!r} is not a whole number of 0 or more. Leave it out for no limit."
                )
        _amount(self.cost, "cost")
        if not isinstance(self.since, datetime):
            _amount(self.since, "since, in seconds since 1970,")
        try:
            _ = self.start
        except (OverflowError, OSError, ValueError):
            raise SettingsError(
                f"since={self.since!r} is no time that this system knows. Use a later datetime."
            ) from None
        if self.cost is not None and self.prices is None:
            raise SettingsError(
                "A budget with a cost needs prices=PriceTable({…}, currency): TTAPI publishes none."
            )
        if self.tokens is not None and self.tokens_each is None:
            raise SettingsError(
                "A budget with tokens needs tokens_each, the tokens you reckon one result takes: nobody knows before."
            )

    @property
    def start(self) -> float:
        """`since` in seconds since 1970."""
        if isinstance(self.since, datetime):
            return self.since.timestamp()
        return float(self.since or 0)

    def estimate(self, request: EditRequest, requests: int = 1) -> Estimate:
        """What a request takes, as it is sent, or so many like it; costs nothing to ask."""
        options = sent_options(request)
        images = asked_images(options)
        tokens = asked_tokens(self.tokens_each, options)
        tokens = None if tokens is None else tokens * requests
        if self.prices is None:
            return Estimate(images * requests, tokens, None, runs=requests)
        cost = self.prices.cost(request.model, options, images)
        return Estimate(
            images * requests,
            tokens,
            None if cost is None else cost * requests,
            self.prices.currency,
            requests,
        )

    def over(self, estimate: Estimate, spent: Spent, whose: str = "The budget") -> list[str]:
        """The limits that a run would break, a sentence for each, without what to do about it."""
        problems = []
        for name, one, wanted, used, limit in (
            ("runs", "run", estimate.runs, spent.runs, self.runs),
            ("images", "image", estimate.images, spent.images, self.images),
            ("tokens", "token", estimate.tokens or 0, spent.tokens, self.tokens),
        ):
            if limit is not None and used + wanted > limit:
                what = one if limit == 1 else name
                problems.append(
                    f"{whose} is {limit:,} {what}, {used:,} spent, and this run counts as {wanted:,}."
                )
        if self.cost is not None and self.prices is not None:
            problems += self._cost_problems(self.cost, self.prices, estimate, spent, whose)
        return problems

    def problems(self, estimate: Estimate, spent: Spent) -> tuple[str, ...]:
        """Which limits are in the way of a run, as sentences; empty where it may be sent."""
        problems = self.over(estimate, spent)
        if problems and spent.unknown:
            one = spent.unknown == 1
            runs, billed = ("1 run", "it was") if one else (f"{spent.unknown:,} runs", "they were")
            problems.append(
                f"That includes {runs} of unknown outcome: look in your account whether {billed} billed."
            )
        if problems and spent.set_back:
            runs = "1 run" if spent.set_back == 1 else f"{spent.set_back:,} runs"
            problems.append(f"The clock was set back: {runs} of an earlier time came later, and count.")
        if problems:
            problems.append("Raise the budget, or count from a later time with since=….")
        return tuple(problems)

    def _cost_problems(
        self, limit: float, prices: PriceTable, estimate: Estimate, spent: Spent, whose: str
    ) -> list[str]:
        problems = []
        if estimate.cost is None:
            problems.append(
                "Your price table has no price for this run, so its cost can't be held against the budget."
            )
        elif spent.cost + estimate.cost > limit * (1 + SLACK) + SLACK:
            all_of_it, used, wanted = (
                amount_in_words(amount, prices.currency) for amount in (limit, spent.cost, estimate.cost)
            )
            problems.append(f"{whose} is {all_of_it}, {used} spent, and this run counts as {wanted}.")
        if spent.unpriced:
            runs = "1 earlier run" if spent.unpriced == 1 else f"{spent.unpriced:,} earlier runs"
            problems.append(f"Your price table has no price for {runs} in the log.")
        return problems


def sent_options(request: EditRequest) -> dict[str, Any]:
    """The fields of a request as they are sent, without its pictures, mask, model and prompt."""
    return {name: value for name, value in request.body().items() if name != "prompt"}


def asked_images(options: Mapping[str, Any]) -> int:
    """How many results a request asks for; as many as there can be where its `n` can't be read."""
    try:
        return max(1, int(options.get("n", 1)))
    except (TypeError, ValueError, OverflowError):
        return MOST_IMAGES


def asked_partials(options: Mapping[str, Any]) -> int:
    """How many drafts of each result a request asks for; as many as there can be where that can't be read."""
    try:
        return min(max(0, int(options.get("partial_images", 0))), PARTIALS_MAX)
    except (TypeError, ValueError, OverflowError):
        return PARTIALS_MAX


def asked_tokens(each: int | None, options: Mapping[str, Any]) -> int | None:
    """About how many tokens a request takes of which each result takes so many; None where nobody has said that."""
    drafts = PARTIAL_TOKENS * asked_partials(options)
    return None if each is None else (each + drafts) * asked_images(options)


def amount_in_words(amount: float, currency: str) -> str:
    """An amount for a person to read, with as many digits as it needs, up to six significant ones."""
    return f"{amount:.6g} {currency}"


def _amount(value: object, what: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise SettingsError(f"{what} is {value!r}, and not a number of 0 or more. Change it.")
    return float(value)

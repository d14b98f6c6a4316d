"""`Terms`: what a class may do, and `Limits`: how much. What a limit says is the run log's `Budget`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ..errors import SettingsError
from ..log.budget import Budget, Estimate, PriceTable, asked_images, asked_tokens

__all__ = ["Limits", "Terms", "moment_of"]

WEEK = 7 * 86400.0
Prices: TypeAlias = Mapping[str, float]
"""What one result costs, by `"model"`, `"model,size"` or `"model,size,quality"`."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much may be spent: whole numbers of runs, images and tokens, and an amount in the teacher's currency.

    What is left out has no limit.
    """

    runs: int | None = None
    images: int | None = None
    tokens: int | None = None
    cost: float | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in self.stated.values())

    @property
    def stated(self) -> dict[str, Any]:
        """The limits that there are, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def over(self, other: Limits) -> Limits:
        """These limits, and where there are none those of `other`."""
        return replace(other, **self.stated)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a class may do.

    * `each`, `team`, `room`: limits for each person, for each team of people, and for all together.
    * `models`, `sizes`: which may be asked for; empty for any. A list of sizes makes people name one.
    * `opens`, `closes`: seconds since 1970, or None.
    * `tokens_until`: when everybody's tokens end, in seconds since 1970, or None.
    * `weekly`: what is spent counts for a week, counted from `opens`, or from the making of the class.
    * `prices`, `currency`, `tokens_each`: as in `PriceTable` and `Budget`; the keys of `prices` are joined by commas.
    * `safety_identifier`: whether the service is told, by a word that names nobody, whose request each is.

    Raises `SettingsError` for what can't be kept.
    """

    each: Limits = field(default_factory=Limits)
    team: Limits = field(default_factory=Limits)
    room: Limits = field(default_factory=Limits)
    models: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    opens: float | None = None
    closes: float | None = None
    weekly: bool = False
    prices: Prices = field(default_factory=dict)
    currency: str = ""
    tokens_each: int | None = None
    safety_identifier: bool = False
    tokens_until: float | None = None

    def __post_init__(self) -> None:
        if self.opens is not None and self.closes is not None and self.closes <= self.opens:
            raise SettingsError("--until is not after --from, so the class would never be open. Change one.")
        for limits in (self.each, self.team, self.room):
            self.check(limits)

    def check(self, limits: Limits, whose: str = "A limit") -> None:
        """Raise `SettingsError` where a limit can't be kept under these terms."""
        if limits.cost is not None and not self.prices:
            raise SettingsError(
                f"{whose} on cost needs your own prices of a result, as none are public. Give them too (--prices)."
            )
        if limits.tokens is not None and self.tokens_each is None:
            raise SettingsError(
                f"{whose} on tokens needs the tokens that you reckon one result takes, as nobody knows before. Give "
                "them too (--tokens-per-image)."
            )
        self.budget(limits, 0.0)

    @property
    def table(self) -> PriceTable | None:
        """The prices, where there are any."""
        if not self.prices:
            return None
        keys: dict[str | tuple[str, ...], float] = {}
        for key, price in self.prices.items():
            model, *rest = key.split(",")
            keys[model.strip(), *(_plain(part) for part in rest)] = price
        return PriceTable(keys, self.currency or "USD")

    def budget(self, limits: Limits, since: float) -> Budget:
        """A limit as the run log has it."""
        return Budget(**limits.stated, prices=self.table, tokens_each=self.tokens_each, since=since)

    def since(self, created: float, now: float) -> float:
        """From when on runs count, in seconds since 1970."""
        if not self.weekly:
            return 0.0
        start = created if self.opens is None else self.opens
        return start + max(0.0, (now - start) // WEEK) * WEEK

    def estimate(self, model: str, options: Mapping[str, Any]) -> Estimate:
        """What a request takes."""
        images = asked_images(options)
        tokens = asked_tokens(self.tokens_each, options)
        table = self.table
        if table is None:
            return Estimate(images, tokens, None)
        return Estimate(images, tokens, self.cost(model, options, images), table.currency)

    def cost(self, model: str, options: Mapping[str, Any], images: int) -> float | None:
        """What so many results cost, or None where there is no price. However a client writes its size and quality, a
        service may read them, so capitals and spaces make nothing cheaper.
        """
        table = self.table
        if table is None:
            return None
        named = {name: _plain(str(options[name])) for name in ("size", "quality") if name in options}
        return table.cost(model, {**options, **named}, images)

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Terms:
        """What `to_json` wrote, in this version or an earlier one."""
        parsed = json.loads(text or "{}")
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in parsed.items() if name in known}
        for name in ("each", "team", "room"):
            values[name] = Limits(**values.get(name, {}))
        for name in ("models", "sizes"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


def _plain(word: str) -> str:
    return word.strip().casefold()


def moment_of(text: str) -> float:
    """A time as people write it (ISO 8601; without a zone it is this machine's), in seconds since 1970.

    Raises `SettingsError`.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.astimezone()).astimezone(UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise SettingsError(
        "A time there can't be read. Write it like 2026-03-02T09:00, or with a zone behind it."
    )

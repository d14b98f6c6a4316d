"""Limits, prices and times as a teacher types them into a form."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from ..errors import SettingsError
from .arguments import KINDS, SCOPES
from .terms import Limits, Terms, moment_of

__all__ = ["check_seen", "count_in", "fields_of_limits", "fields_of_terms", "limits_in", "seen", "terms_in"]

Fields: TypeAlias = Mapping[str, str]
MOST = 10**9
MOST_PRICES = 200
MOMENTS = ("opens", "closes", "tokens_until")
NO_PRICE = "This line of the prices can't be read: {}. Write it like: gpt-image-1, 1024x1024, high = 0.04"
TWO_PRICES = "The prices have this twice: {}. Leave one of them out."
LONGEST_SAID = 60
CHANGED = (
    "Somebody else changed this meanwhile, so nothing was saved. Save again to have it as it stands here."
)


def seen(what: Terms | Limits) -> str:
    """What a form carries of the terms or limits that it shows."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def check_seen(fields: Fields, what: Terms | Limits) -> None:
    """Raise `SettingsError` where a form showed others than there are now."""
    if fields.get("seen", seen(what)) != seen(what):
        raise SettingsError(CHANGED)


def count_in(text: str) -> int | None:
    """A whole number, or None where nothing is typed. Raises `SettingsError`."""
    plain = text.strip().replace(",", "")
    if not plain:
        return None
    if not plain.isascii() or not plain.isdecimal() or int(plain[:12]) > MOST:
        raise SettingsError(f"A limit is a whole number up to {MOST:,}. Leave it empty for none.")
    return int(plain)


def _amount_in(text: str) -> float | None:
    if not text.strip():
        return None
    amount = _amount_or_none(text)
    if amount is None:
        raise SettingsError("A cost is a number of 0 or more, like 12.50. Leave it empty for none.")
    return amount


def _amount_or_none(text: str) -> float | None:
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if 0 <= amount <= MOST else None


def limits_in(fields: Fields, scope: str) -> Limits:
    """The limits of a form for each person, each team or the room. Raises `SettingsError`."""
    values: dict[str, Any] = {
        kind: (_amount_in if kind == "cost" else count_in)(fields.get(f"{kind}-{scope}", ""))
        for kind in KINDS
    }
    return Limits(**values)


def terms_in(terms: Terms, fields: Fields) -> Terms:
    """Terms with the limits, prices and times of a form. Raises `SettingsError`."""
    check_seen(fields, terms)
    moments: dict[str, Any] = {name: _moment_in(fields[name]) for name in MOMENTS if name in fields}
    return replace(
        terms,
        each=limits_in(fields, "each"),
        team=limits_in(fields, "team"),
        room=limits_in(fields, "room"),
        prices=_prices_in(fields.get("prices", "")),
        currency=" ".join(fields.get("currency", "").split()),
        tokens_each=count_in(fields.get("tokens", "")),
        **moments,
    )


def _moment_in(text: str) -> float | None:
    return moment_of(text) if text.strip() else None


def _prices_in(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_PRICES:
        raise SettingsError(f"There are more than {MOST_PRICES} prices. Leave some out.")
    prices: dict[str, float] = {}
    for line in lines:
        what, _, price = line.rpartition("=")
        parts = [part.strip() for part in what.split(",")]
        amount = _amount_or_none(price)
        if amount is None or not all(parts) or not 1 <= len(parts) <= 3:
            raise SettingsError(NO_PRICE.format(line.strip()[:LONGEST_SAID]))
        if ",".join(parts) in prices:
            raise SettingsError(TWO_PRICES.format(", ".join(parts)[:LONGEST_SAID]))
        prices[",".join(parts)] = amount
    return prices


def fields_of_limits(limits: Limits, scope: str) -> dict[str, str]:
    """Limits as `limits_in` reads them."""
    return {f"{kind}-{scope}": _typed(limits.stated.get(kind)) for kind in KINDS}


def fields_of_terms(terms: Terms) -> dict[str, str]:
    """Terms as `terms_in` reads them."""
    values: dict[str, str] = {}
    for scope in SCOPES:
        values |= fields_of_limits(getattr(terms, scope), scope)
    prices = "\n".join(
        f"{', '.join(part.strip() for part in what.split(','))} = {_typed(price)}"
        for what, price in terms.prices.items()
    )
    for name in MOMENTS:
        moment = getattr(terms, name)
        values[name] = "" if moment is None else time.strftime("%Y-%m-%dT%H:%M", time.localtime(moment))
    return values | {"prices": prices, "currency": terms.currency, "tokens": _typed(terms.tokens_each)}


def _typed(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.12g}"

"""What a run log is told, and what its file says: both may come from anywhere, so both are looked at first.

Somebody else's log is a file like any other. Nothing in it is taken for a path, an address that may be asked, a number
or JSON because it stands where one should be.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from ..errors import ResultError, SettingsError
from .budget import Budget

__all__ = [
    "HASH",
    "MARK",
    "MOST_RESULTS",
    "PART",
    "USAGE",
    "State",
    "amount",
    "count",
    "cut",
    "json_object",
    "moment",
    "origins",
    "read_state",
    "run_name",
    "states",
    "tokens",
    "web_address",
    "whole_number",
    "words",
]

State: TypeAlias = Literal["open", "done", "not sent", "refused", "unknown", "failed", "cancelled"]
"""`open` until it is settled; `unknown` may have been billed; `failed` was answered but the result can't be used."""

HASH = re.compile(r"[0-9a-f]{64}")
"""The name of a result's file."""
PART = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{32}")
"""The name of a result's file while it is being written."""
MARK = re.compile(r"[0-9a-f]{32}")
"""The name of the file by which others see that a process is alive."""
MOST_RESULTS = 100
"""More than any run has: what is beyond is not looked at."""
USAGE = ("total_tokens", "input_tokens", "output_tokens", "text_tokens", "image_tokens")
DEEPEST = 32
LONGEST_ADDRESS = 8192
LONGEST_NAME = 200
MOST = 10**12
# The last second of the year 9999: later ones can't be shown.
LAST_MOMENT = 253_402_300_799.0
LARGEST_INTEGER = 2**63 - 1


# What the file says


def words(value: object, most: int | None = None) -> str:
    """A text of the file, or "" where it is none."""
    return value[:most] if isinstance(value, str) else ""


def cut(value: str) -> str:
    """A text as it can be written into the file: half a character is no text."""
    return value.encode("utf-8", "replace").decode()


def count(value: object, otherwise: int | None = 0) -> int | None:
    """A whole number of 0 or more."""
    return value if isinstance(value, int) and 0 <= value <= MOST else otherwise


def amount(value: object) -> float | None:
    """A number of 0 or more, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        return None
    return float(value)


def moment(value: object) -> float | None:
    """Seconds since 1970, within the years that can be shown, or None."""
    if isinstance(value, int | float) and 0 <= value <= LAST_MOMENT:
        return float(value)
    return None


def read_state(value: object) -> State:
    """A run's state. One that we don't know may have been billed."""
    return next((known for known in get_args(State) if known == value), "unknown")


def json_object(value: object) -> dict[str, Any]:
    """The JSON object in a text; empty where there is none, or it is deeper than any of ours."""
    if not isinstance(value, str):
        return {}
    try:
        parsed = json.loads(value, parse_constant=lambda _: None)
        return parsed if isinstance(parsed, dict) and _is_shallow(parsed, DEEPEST) else {}
    except (ValueError, RecursionError):
        return {}


def _is_shallow(value: object, left: int) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left > 0 and all(_is_shallow(part, left - 1) for part in parts)


def tokens(value: object) -> dict[str, int | None] | None:
    """What the service counted, or None."""
    usage = json_object(value)
    return {name: count(usage.get(name), None) for name in USAGE} if usage else None


def web_address(value: object) -> str | None:
    """An address that a result may wait at, or None where it is none. Whether it may be asked is for `download`."""
    if not isinstance(value, str) or len(value) > LONGEST_ADDRESS or not value.isprintable():
        return None
    return value if value.lower().startswith(("https://", "http://")) else None


# What a caller says


def run_name(value: object) -> str:
    """A run's id, as it was given. Raises `ResultError` where no run can have it."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value == cut(value):
        return value
    shown = repr(value)
    raise ResultError(
        f"There is no run {shown if len(shown) < LONGEST_NAME else shown[:LONGEST_NAME] + '…'} in this log. See rows()."
    )


def whole_number(name: str, value: object, otherwise: str) -> int | None:
    """A whole number of 0 or more, or None where it was left out. Raises `SettingsError`."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        what = (
            "is below 0"
            if isinstance(value, int | float) and value < 0
            else "is not a whole number of 0 or more"
        )
        raise SettingsError(f"{name}={value!r} {what}. Leave it out {otherwise}.")
    return min(value, LARGEST_INTEGER)


def states(state: State | Collection[State] | None) -> list[State]:
    """The states that are asked for. Raises `SettingsError` for one that there is not."""
    every: list[State] = list(get_args(State))
    if state is None:
        return every
    try:
        wanted: list[Any] = [state] if isinstance(state, str) else list(state)
        chosen = [known for known in every if known in wanted]
        wrong = [one for one in wanted if one not in every]
    except TypeError:
        chosen, wrong = [], [state]
    if wrong:
        raise SettingsError(
            f"state={wrong[0]!r} is none of a run's. Use one of {', '.join(map(repr, every))}."
        )
    return chosen


def origins(addresses: str | Collection[str]) -> tuple[str, ...]:
    """Where results may be fetched from, as `https://host:port`. Raises `SettingsError`."""
    allowed: list[str] = []
    try:
        for one in [addresses] if isinstance(addresses, str) else list(addresses):
            place = urlsplit(one)
            if not isinstance(one, str) or place.scheme not in ("http", "https") or not place.hostname:
                raise ValueError
            # Looked up, as it is only then that a port which can't be is found.
            port = f":{place.port}" if place.port is not None else ""
            host = f"[{place.hostname}]" if ":" in place.hostname else place.hostname
            allowed.append(f"{place.scheme}://{host}{port}")
    except (TypeError, ValueError, AttributeError):
        raise SettingsError(
            f"fetch_from={addresses!r} names no web addresses. Give a list of such as 'https://gateway.example:8443'."
        ) from None
    return tuple(allowed)


def start_of(since: Any) -> float:
    """Seconds since 1970 from what `since` may be. Raises `SettingsError`."""
    return Budget(since=since).start

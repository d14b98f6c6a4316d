"""What a client's settings may be, told as sentences before anything is sent.

An address may hold a password, so no sentence repeats what does not pass, and nothing in here raises: a traceback shows
the variables of every frame it goes through.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from ..download import LAST_PORT, origin
from .key import Secret

__all__ = [
    "LONGEST_WAIT",
    "Check",
    "address",
    "api_key",
    "origins",
    "path",
    "plain",
    "switch",
    "switch_or_none",
]

Check: TypeAlias = Callable[[str, object], str]
"""Tells, of a setting's name and value, why that can't be; empty where it can."""

LONGEST_WAIT = 3600.0
MOST_AT_ONCE = 1000
EXAMPLE = "https://api.ttapi.io/v1"
# Headers that frame the request, lead it, or that httpx and this package set themselves: a key in their place would
# break the request, or go to somebody else than the service.
TAKEN = frozenset(
    {
        "accept",
        "connection",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "max-forwards",
        "origin",
        "range",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    }
)
TAKEN_STARTS = ("accept-", "content-", "proxy-", "if-", "sec-", ":")
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
UNSAFE = frozenset('\\<>"^`{}|')


def address(url: object, name: str = "base_url") -> tuple[str, str]:
    """`url` as requests are really sent to it, in ASCII, and what is wrong with it, or an empty text."""
    if not isinstance(url, str):
        return "", f"{name} is a {type(url).__name__}, not text. It looks like {EXAMPLE}."
    if "@" in url:
        return "", (
            f"{name} holds an @, as a user name and password do, which would be printed and logged. Leave them out, "
            'and give base64 of "user:password" as api_key with auth_header="Authorization", auth_scheme="Basic" '
            "(an @ in the path is written %40)."
        )
    if any(letter in UNSAFE or unicodedata.category(letter)[0] in "CZ" for letter in url):
        return "", (
            f"{name} holds a space, a backslash or another letter that no address has, and could lead elsewhere. "
            f"Copy it again; it looks like {EXAMPLE}."
        )
    if "?" in url or "#" in url:
        return "", (
            f"{name} holds a ? or #, and the endpoint's path can't be put behind that. Give it up to the path only, as "
            f"in {EXAMPLE}."
        )
    # Here, not above: only a client of the network needs httpx before it sends.
    import httpx

    problem = f"{name} is not a web address. It looks like {EXAMPLE}."
    try:
        parsed = httpx.URL(url)
        host, port = parsed.host, parsed.port
    except (httpx.InvalidURL, ValueError, UnicodeError):
        return "", problem
    where = url.partition("//")[2].partition("/")[0]
    if parsed.scheme not in ("http", "https") or not host or "%" in where:
        return "", problem
    if port == 0 or origin(parsed)[2] > LAST_PORT:
        return "", problem
    return url if url.isascii() else str(parsed), ""


def origins(value: object) -> tuple[tuple[str, ...], str]:
    """Further places that results may be fetched from, as scheme://host[:port], and what is wrong, or nothing."""
    shape = 'Write it as fetch_from=["https://files.example.com"].'
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence | set | frozenset):
        return (), f"fetch_from is not a list of addresses. {shape}"
    places: list[str] = []
    for one in value:
        url, problem = address(one, "An address in fetch_from")
        if problem:
            return (), problem
        scheme, _, rest = url.partition("://")
        host, _, beyond = rest.partition("/")
        if beyond:
            return (), f"An address in fetch_from has a path, and whole places are named there. {shape}"
        places.append(f"{scheme.lower()}://{host.lower()}")
    return tuple(dict.fromkeys(places)), ""


def api_key(value: object) -> str:
    """What is wrong with the type of a key; it is never shown."""
    # By its type alone: a frame must not hold what it looks like.
    fits = isinstance(value, str | Secret) or value is None
    return "" if fits else "api_key is not text. Copy it from the TTAPI Dashboard, in quotes."


def path(value: object) -> str:
    """What is wrong with a recording's path."""
    try:
        text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    except TypeError:
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        return 'What is given for the recording is no path. Give one in quotes, as in "lesson.zip".'
    # What else is wrong with the place is said where it is opened.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        mode = Path(text).expanduser().stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return f"{text[:200]!r} is a pipe, a device or a socket, and a recording is a file. Name another one."
    return ""


def plain(settings: Mapping[str, Any], also: Mapping[str, Check]) -> str:
    """What is wrong with the settings that are no address and no key, by the checks here and those `also` given."""
    checks = {**CHECKS, **also}
    for name, value in settings.items():
        problem = checks[name](name, value)
        if problem:
            return problem
    return ""


def _number(value: object) -> float:
    """`value` as a float; not a number where it is none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _timeout(name: str, value: object) -> str:
    if 0 < _number(value) < math.inf:
        return ""
    return f"{name}={_shown(value)} is not a number of seconds over 0. Leave it out for 300."


def _wait(name: str, value: object) -> str:
    if 0 <= _number(value) <= LONGEST_WAIT:
        return ""
    return (
        f"{name}={_shown(value)} is not a number of seconds from 0 to {LONGEST_WAIT:g}. Leave it out for 0."
    )


def _at_once(name: str, value: object) -> str:
    if _is_whole(value) and 1 <= value <= MOST_AT_ONCE:
        return ""
    return f"{name}={_shown(value)} is not a whole number from 1 to {MOST_AT_ONCE}. Leave it out for 16."


def _per_minute(name: str, value: object) -> str:
    if value is None or (_is_whole(value) and value >= 1):
        return ""
    return f"{name}={_shown(value)} is not a whole number of 1 or more. Leave it out for no such limit."


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def switch(name: str, value: object) -> str:
    """Why a setting can't be this, which is either on or off."""
    return "" if isinstance(value, bool) else f"{name}={_shown(value)} is neither True nor False."


def switch_or_none(name: str, value: object) -> str:
    """As `switch`, for one that base_url may decide."""
    if value is None or isinstance(value, bool):
        return ""
    return f"{name}={_shown(value)} is neither True nor False. Leave it out to follow base_url."


def _header(name: str, value: object) -> str:
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        return f"{name}={_shown(value)} can't be a header's name. Leave it out for TT-API-KEY."
    if value.lower() in TAKEN or value.lower().startswith(TAKEN_STARTS):
        return (
            f"{name}={value!r} is a header that the request needs for itself. Leave it out for TT-API-KEY, or use "
            "Authorization."
        )
    return ""


def _scheme(name: str, value: object) -> str:
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return ""
    return f"{name}={_shown(value)} can't stand in a header. Leave it out, or use Bearer."


def _seed(name: str, value: object) -> str:
    return "" if _is_whole(value) else f"{name}={_shown(value)} is not a whole number. Leave it out for 0."


def _fill(name: str, value: object) -> str:
    if value is None or callable(value):
        return ""
    return f"{name} is a {type(value).__name__}, not a function. Give one of (image, mask, prompt, seed)."


def _service(name: str, value: object) -> str:
    if value is None:
        return ""
    # Here, not above: whoever has a service has loaded it.
    from ..service import Service

    if isinstance(value, Service):
        return ""
    return f"{name} is a {type(value).__name__}, not a Service. Leave it out for a new one."


def _match(name: str, value: object) -> str:
    if isinstance(value, str) and value in ("exact", "prompt"):
        return ""
    return f'{name}={_shown(value)} is not known. Use "exact" or "prompt".'


def _shown(value: object) -> str:
    """A wrong value for a sentence, short: bytes and text of odd places may be a key."""
    if isinstance(value, bool | int | float) or value is None:
        return repr(value)[:40]
    return repr(value)[:40] if isinstance(value, str) and len(value) < 20 else f"<{type(value).__name__}>"


CHECKS = {
    "timeout": _timeout,
    "wait_when_busy": _wait,
    "at_once": _at_once,
    "per_minute": _per_minute,
    "allow_http": switch,
    "leaky": switch,
    "masks": switch,
    "match": _match,
    "auth_header": _header,
    "auth_scheme": _scheme,
    "seed": _seed,
    "fill": _fill,
    "service": _service,
}

"""What a client's settings may be, found when it is made: not while sending, when nobody could tell what had left."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ..errors import SettingsError
from .secret import Secret
from .wire import WIRES

__all__ = [
    "DEFAULT_BASE_URL",
    "Address",
    "check_address",
    "check_flag",
    "check_header",
    "check_origins",
    "check_seconds",
    "check_wait",
    "check_wire",
    "shown_host",
]

DEFAULT_BASE_URL = "https://api.ttapi.io/v1"
LONGEST_WAIT = 3600.0
# A day: what waits longer waits for ever.
LONGEST_TIMEOUT = 86_400.0
# What a header's name is made of (RFC 9110, 5.1).
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Headers that say where a request goes, how long it is or what is in it: with a key in them it would be another one.
TAKEN = frozenset(
    (
        *("accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type"),
        *("expect", "host", "idempotency-key", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)


@dataclass(frozen=True)
class Address:
    """A checked `base_url` without the login that stood in it; `private` where nobody on the way can read along."""

    url: str
    login: Secret | None
    private: bool


def check_address(base_url: object) -> Address:
    """The address in a `base_url`. Raises `SettingsError`, which never repeats what may be a password."""
    # Here, not above: only a client of the network needs httpx before it sends.
    import httpx

    from ..download import LAST_PORT, origin
    from .transport import is_loopback

    problem = f"base_url is not a web address. It looks like {DEFAULT_BASE_URL}."
    if not isinstance(base_url, str):
        raise SettingsError(
            f"base_url is of type {type(base_url).__name__}. It is text, as {DEFAULT_BASE_URL}."
        )
    if re.search(r"[\s\\\x00-\x1f\x7f]", base_url.strip()) or not base_url.isprintable():
        raise SettingsError(
            f"base_url has a space, a backslash or an unseen letter in it. It looks like {DEFAULT_BASE_URL}."
        )
    plain = base_url.strip()
    if "?" in plain or "#" in plain:
        raise SettingsError(
            "base_url has a ? or # in it, behind which nothing would be found. Give the address up to /v1 alone."
        )
    try:
        url = httpx.URL(plain)
        # A password with / or @ in it ends the host too early, or goes on behind it.
        if (
            "@" in url.path
            or url.scheme not in ("http", "https")
            or not url.host
            or origin(url)[2] > LAST_PORT
        ):
            raise SettingsError(problem)
        login = None
        if url.userinfo:
            login = Secret(base64.b64encode(unquote_to_bytes(url.userinfo)).decode())
        bare = (
            plain if login is None and plain.isascii() else str(url.copy_with(username=None, password=None))
        )
    except (httpx.InvalidURL, ValueError, TypeError):
        # Not with that error's words, which repeat the address.
        pass
    else:
        return Address(bare, login, url.scheme == "https" or is_loopback(url))
    raise SettingsError(problem)


def shown_host(host: str) -> str:
    """A host's name as it is looked up, with the letters that it stands for behind it where it has others."""
    try:
        written = host.encode("ascii").decode("idna")
    except UnicodeError:
        return host
    return host if written == host else f"{host} (written {written})"


def check_origins(given: object) -> tuple[str, ...]:
    """Further origins, as `scheme://host[:port]`. Raises `SettingsError` for anything else."""
    import httpx

    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SettingsError('fetch_from is a list of origins. Write it like ["https://cdn.example.com"].')
    found = []
    for item in given:
        try:
            url = httpx.URL(item) if isinstance(item, str) else None
        except (httpx.InvalidURL, ValueError):
            url = None
        if (
            url is None
            or url.scheme not in ("http", "https")
            or not url.host
            or url.userinfo
            or url.path not in ("", "/")
            or url.query
            or url.fragment
        ):
            raise SettingsError(
                "fetch_from holds something else than an origin. Each is scheme, host and perhaps a port: "
                "https://cdn.example.com."
            )
        found.append(f"{url.scheme}://{url.netloc.decode()}")
    return tuple(found)


def check_header(name: object, scheme: object) -> None:
    """Whether the key can be sent in this header."""
    if not isinstance(name, str) or not HEADER.fullmatch(name):
        raise SettingsError("auth_header can't be a header's name. Leave it out for TT-API-KEY.")
    if name.lower() in TAKEN:
        raise SettingsError(
            f"auth_header={name!r} is a header that the request itself needs. Leave it out for TT-API-KEY."
        )
    if not isinstance(scheme, str) or not (scheme.isascii() and scheme.isprintable()):
        raise SettingsError("auth_scheme can't stand in a header. Leave it out, or use Bearer.")


def check_wire(wire: object) -> None:
    """Whether it is a form that a body can have."""
    if not isinstance(wire, str) or wire not in WIRES:
        raise SettingsError(f"wire={wire!r:.80} is not known. Use one of {', '.join(WIRES)}.")


def check_seconds(timeout: object) -> None:
    """Whether it is a time that a request may take."""
    if not _is_number(timeout) or not 0 < timeout <= LONGEST_TIMEOUT:  # type: ignore[operator]  # it is a number
        raise SettingsError(
            f"timeout={timeout!r:.80} is not a number of seconds over 0, up to {LONGEST_TIMEOUT:,.0f}. "
            "Leave it out for 300."
        )


def check_wait(seconds: object) -> None:
    """Whether it is a time to wait for a busy service."""
    if not _is_number(seconds) or not 0 <= seconds <= LONGEST_WAIT:  # type: ignore[operator]  # it is a number
        raise SettingsError(
            f"wait_when_busy={seconds!r:.80} is not a number of seconds from 0 to {LONGEST_WAIT:g}. Leave it out for 0."
        )


def check_flag(name: str, value: object, *also: object) -> None:
    """Whether it is True or False, or one of what else it may be."""
    if not isinstance(value, bool) and not any(value is other for other in also):
        raise SettingsError(
            f"{name}={value!r:.80} is neither True nor False. Use one of them, or leave it out."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

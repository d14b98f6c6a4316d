"""The proxy that the environment, or the system, names for an address.

A proxy's address may hold a password, and a traceback shows every name of every frame. So nothing in here raises from
a function that has the address, or the environment, at hand.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import SettingsError
from .address import literal

__all__ = ["Proxy", "proxy_for", "variable_for"]

SCHEMES = ("http", "https", "socks5", "socks5h")
PORTS = {"http": 80, "https": 443}
SYSTEM = "the system's settings"


@dataclass(frozen=True)
class Proxy:
    """A proxy: what named it, where it is (without its password), and the user's name and password for it."""

    variable: str
    url: str = field(repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)


def proxy_for(scheme: str, host: str, port: int | None) -> Proxy | None:
    """The proxy for an address, or None; `NO_PROXY` leaves addresses out.

    It knows names (those under them too), names with a port, addresses of IPv4 and IPv6, networks like 10.0.0.0/8,
    and `*`. Raises `SettingsError` where what is named is no proxy, or one that needs a package more.
    """
    proxy, problem = _look(scheme, host, port)
    if problem:
        raise SettingsError(problem)
    return proxy


def variable_for(scheme: str, host: str, port: int | None) -> str:
    """What names the proxy for an address, or nothing where none is used."""
    proxy, _ = _look(scheme, host, port)
    return proxy.variable if proxy is not None else ""


def _look(scheme: str, host: str, port: int | None) -> tuple[Proxy | None, str]:
    named = _named(scheme, host, port or PORTS.get(scheme, 0))
    return _parsed(*named) if named is not None else (None, "")


def _named(scheme: str, host: str, port: int) -> tuple[str, str] | None:
    """Which variable names a proxy for this, and its value."""
    environment = _environment()
    if not environment and sys.platform in ("win32", "darwin"):
        proxies = urllib.request.getproxies()
        value = proxies.get(scheme) or proxies.get("all")
        return (SYSTEM, value) if value and not urllib.request.proxy_bypass(host) else None
    if "no" in environment and _left_out(host, port, environment["no"][1]):
        return None
    return environment.get(scheme) or environment.get("all")


def _environment() -> Mapping[str, tuple[str, str]]:
    """The variables that name proxies, by what they are for; one in small letters goes before one in capitals."""
    variables: dict[str, tuple[str, str]] = {}
    for name, value in sorted(os.environ.items(), key=lambda item: item[0].islower()):
        what, _, end = name.lower().rpartition("_")
        # In a CGI script a stranger's header called Proxy becomes HTTP_PROXY.
        if end != "proxy" or (name == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ):
            continue
        variables[what] = (name, value.strip())
    return {what: named for what, named in variables.items() if named[1]}


def _left_out(host: str, port: int, rules: str) -> bool:
    name = host.lower().strip("[]").rstrip(".")
    written = literal(name)
    address = ipaddress.ip_address(written) if written is not None else None
    for rule in rules.lower().replace(",", " ").split():
        if rule == "*":
            return True
        bare, only = _without_port(rule.rpartition("://")[2])
        if only is not None and only != port:
            continue
        if address is not None:
            try:
                if address in ipaddress.ip_network(bare, strict=False):
                    return True
            except (ValueError, TypeError):
                pass
        bare = bare.removeprefix("*").lstrip(".").rstrip(".")
        if bare and (name == bare or name.endswith("." + bare)):
            return True
    return False


def _without_port(rule: str) -> tuple[str, int | None]:
    if rule.startswith("["):
        bare, _, port = rule[1:].partition("]")
        port = port.removeprefix(":")
    elif rule.count(":") == 1:
        bare, _, port = rule.partition(":")
    else:
        return rule, None
    return bare, int(port) if port.isascii() and port.isdecimal() else None


def _parsed(variable: str, value: str) -> tuple[Proxy | None, str]:
    how = "as in http://host:port" if variable == SYSTEM else f"as in {variable}=http://host:port"
    kind, separator, _ = value.partition("://")
    if separator and kind.lower() not in SCHEMES:
        return None, (
            f"{variable} names a proxy of a kind that is not known. Use http, https, socks5 or socks5h, {how}."
        )
    broken = (
        f"What {variable} names is not a proxy's address. Correct it, {how}, with any of @ : / in a user name or "
        "password written as %40, %3A or %2F; or unset it."
    )
    try:
        parts = urlsplit(value if separator else f"http://{value}")
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        plain = host.encode("idna").decode() if ":" not in host else str(ipaddress.IPv6Address(host))
    except ValueError:
        return None, broken
    letters = set(plain) - set("abcdefghijklmnopqrstuvwxyz0123456789.-_:")
    if not plain or letters or port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        return None, broken
    if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        return None, (
            f"{variable} names a SOCKS proxy, which needs a package more. Install it with: "
            'pip install "httpx[socks]"; or unset the variable.'
        )
    place = f"[{plain}]" if ":" in plain else plain
    auth = None
    if parts.username is not None or parts.password is not None:
        auth = (unquote(parts.username or ""), unquote(parts.password or ""))
    return Proxy(variable, f"{scheme}://{place}" + (f":{port}" if port else ""), auth), ""

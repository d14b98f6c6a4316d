"""Whom the service on a port answers: its own names only, so that no web page can use it through another name.

A page whose name was made to lead to this machine, after the browser had loaded it, would send that name as `Host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from .refusal import Refusal, shown

__all__ = ["own_names", "target_of"]

HERE = ("127.0.0.1", "localhost", "[::1]")


def own_names(host: str, port: int) -> frozenset[str]:
    """What a `Host` header may say where the service listens on `host` (as an address, or a name) and `port`."""
    names = {*HERE, f"[{ipaddress.ip_address(host)}]" if ":" in host else host}
    # Browsers leave out the port that a scheme has by itself.
    return frozenset({f"{name}:{port}" for name in names} | (names if port == 80 else set()))


def target_of(
    path: str, hosts: Sequence[str], origins: Sequence[str], names: frozenset[str]
) -> tuple[str, str]:
    """The own name that a request was sent to, and the path with its query; raises `Refusal` where it is another's.

    `hosts` and `origins` are all the headers of these names.
    """
    if len(hosts) > 1:
        raise Refusal("The request has several Host headers. Send one.")
    host = hosts[0].strip().lower() if hosts else ""
    if not path.startswith("/") and path != "*":
        # As proxies are asked; what stands there counts, and not the header.
        host, path = _absolute(path)
    if host not in names:
        requested = f"{shown(host)}" if host else "no name at all"
        listed = ", ".join(sorted(names))
        raise Refusal(
            f"This service answers only for its own names, and the request was for {requested}. Use one of {listed}.",
            status=403,
        )
    if any(origin.strip().lower().removeprefix("http://") not in names for origin in origins):
        raise Refusal(
            "A web page of another origin asks, and this service is not for web pages. Call it from a program.",
            status=403,
        )
    return host, path


def _absolute(url: str) -> tuple[str, str]:
    try:
        where = urlsplit(url)
    except ValueError:
        return "", "/"
    query = f"?{where.query}" if where.query else ""
    return (where.netloc.lower() if where.scheme == "http" else ""), f"{where.path or '/'}{query}"

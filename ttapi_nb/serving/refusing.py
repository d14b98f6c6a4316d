"""What is refused before the application is asked, in the words of whoever sent it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Scope

__all__ = ["CLOSE", "FULL", "OLD_CHUNKS", "TWO_LENGTHS", "UNREADABLE", "Refuse", "headers_of"]

CLOSE = (b"connection", b"close")
UNREADABLE = "The request can't be read. Let the HTTP library write it."
FULL = "There are as many connections as this server takes. Send the request again in a moment."
TWO_LENGTHS = "The body has both Content-Length and Transfer-Encoding. Send one of them."
OLD_CHUNKS = "Only HTTP/1.1 has chunked bodies. Send the body with its Content-Length."

Refuse: TypeAlias = Callable[[int, str, Mapping[str, str]], Response]
"""Called as `refuse(status, message, headers)`: the answer, in the words of whoever sent these headers."""


def headers_of(scope: Scope) -> dict[str, str]:
    """What a request was sent with, for `refuse`."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

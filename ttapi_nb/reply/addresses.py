"""`Address`: a result's address that a service wrote the key into. It is used as it is, and shown without the key."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Address", "hidden", "shown"]


class Address(str):
    """An address, whose repr and copies that are written have no key in them."""

    __slots__ = ("_scrub",)
    _scrub: Callable[[str], str]

    def __new__(cls, text: str, scrub: Callable[[str], str]) -> Address:
        """An address from which `scrub` takes the key where it is shown."""
        made = super().__new__(cls, text)
        made._scrub = scrub
        return made

    def __repr__(self) -> str:
        return repr(self.shown())

    def __copy__(self) -> Address:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Address:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self.shown(),)

    def shown(self, text: str | None = None) -> str:
        """The address, or a text about it, without the key."""
        return self._scrub(str.__str__(self) if text is None else text)


def shown(address: str) -> str:
    """`address` as it may be shown and written."""
    return address.shown() if isinstance(address, Address) else address


@contextlib.contextmanager
def hidden(address: str) -> Iterator[None]:
    """While `address` is fetched: the line that httpx logs of it has no key in it."""
    if not isinstance(address, Address):
        yield
        return

    def scrub(record: logging.LogRecord) -> bool:
        record.msg, record.args = address.shown(record.getMessage()), ()
        return True

    logger = logging.getLogger("httpx")
    logger.addFilter(scrub)
    try:
        yield
    finally:
        logger.removeFilter(scrub)

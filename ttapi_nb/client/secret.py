"""The key: held so that it is never shown, and found where people keep it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NoReturn

from ..errors import MissingKeyError, SettingsError

__all__ = ["KEY_VARIABLE", "Secret", "find_key"]

KEY_VARIABLE = "TT_API_KEY"


class Secret:
    """A key that can't be printed, compared or pickled; only the transport reveals it, as a request leaves."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # In a closure, so that no debugger's or traceback's view of attributes has it.
        self._reveal: Callable[[], str] = lambda: value

    def __repr__(self) -> str:
        return "<key, not shown>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key can't be pickled or copied. Make the client anew where it is needed.")

    def reveal(self) -> str:
        """The key itself."""
        return self._reveal()

    def scrub(self, text: str) -> str:
        """`text` without the key, for words that came from outside."""
        return text.replace(self._reveal(), "[key]")


def find_key(given: Secret | None) -> Secret:
    """The key from the argument or from the environment's `TT_API_KEY`.

    Raises `MissingKeyError` where there is none, `SettingsError` where it can't be one.
    """
    value = (given.reveal() if given is not None else os.environ.get(KEY_VARIABLE, "")).strip()
    missing, sound = not value, value.isascii() and value.isprintable() and " " not in value
    # The frames below are shown in a traceback: they must not hold the key.
    secret, value = Secret(value), ""
    if missing:
        raise MissingKeyError(
            "There is no API key. Copy one from the TTAPI Dashboard and set it as the environment variable "
            f"{KEY_VARIABLE} before you start Jupyter; or work without a key and network with Client.offline()."
        )
    if not sound:
        raise SettingsError(
            "The API key holds a space, a line break or a letter that no key has. Copy it again, alone."
        )
    return secret

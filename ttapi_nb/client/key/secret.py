"""The key: held so that it is never shown, and found, asked for and stored where people keep it.

It is looked for in this order: the argument, the environment's `TT_API_KEY`, the keyring (where the `keyring` package
is installed), and a file that only its owner can read: the one that the environment's `TT_API_KEY_FILE` names, or
`key` in the user's own configuration folder.

A traceback may show every name of every frame, and what expressions like `os.environ` stand for. So nothing in here
raises from a statement, or in a function, that has the key at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

__all__ = ["Secret", "held", "is_same", "stripped"]

# A toy key, as local services take it, stands in many a word by chance, and is no secret.
SHORTEST_SCRUBBED = 8
COPY_AGAIN = "The API key holds a space, a line break or a letter that no key has. Copy it again, alone."


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
        key = self._reveal()
        return text if len(key) < SHORTEST_SCRUBBED else text.replace(key, "[key]")

    def scrub_piece(self, held: bytes, data: bytes) -> tuple[bytes, bytes]:
        """As `scrub`, for bytes that come piece by piece: what may go on, and what is held back for the next piece."""
        key = self._reveal().encode()
        if len(key) < SHORTEST_SCRUBBED:
            return held + data, b""
        whole = (held + data).replace(key, b"[key]")
        # As much as could be the beginning of one.
        keep = next(
            (size for size in range(min(len(key) - 1, len(whole)), 0, -1) if key.startswith(whole[-size:])), 0
        )
        return whole[: len(whole) - keep], whole[len(whole) - keep :]


def held(key: Secret | str | None) -> Secret | None:
    """`key` as a `Secret`. What is neither that nor text becomes one that `find_key` refuses, unseen."""
    if key is None or isinstance(key, Secret):
        return key
    return Secret(key if isinstance(key, str) else "\0")


def is_same(one: Secret, other: Secret) -> bool:
    """Whether two keys are the same, but for space around them."""
    return one.reveal().strip() == other.reveal().strip()


def stripped(secret: Secret) -> Secret:
    return Secret(secret.reveal().strip())

"""Texts cut to a length that can be shown."""

from __future__ import annotations

__all__ = ["cut", "one_line"]


def cut(text: str, most: int) -> str:
    """`text` with at most `most` characters, the last of which says that there was more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, most: int) -> str:
    """As `cut`, in one line: what can't be seen, and each run of spaces, is one space."""
    # Cut first: it may be megabytes.
    seen = "".join(letter if letter.isprintable() else " " for letter in text[: 10 * most])
    return cut(" ".join(seen.split()), most)

"""Texts cut to a length that can be shown, and the words for whose service is asked."""

from __future__ import annotations

__all__ = ["DASHBOARD", "account_at", "cut", "is_own", "may_be_billed", "one_line", "so_many"]

DASHBOARD = "the TTAPI Dashboard"
# The service's own names. What stands at other addresses is a gateway.
OWN_HOSTS = ("ttapi.io", "ttapi.org")


def so_many(number: int, thing: str) -> str:
    """A number of things in words: `"1 run"`, `"1,000 runs"`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def cut(text: str, most: int) -> str:
    """`text` with at most `most` characters, the last of which says that there was more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, most: int) -> str:
    """As `cut`, in one line: what can't be seen, and each run of spaces, is one space."""
    # Cut first: it may be megabytes.
    seen = "".join(letter if letter.isprintable() else " " for letter in text[: 10 * most])
    return cut(" ".join(seen.split()), most)


def is_own(host: str) -> bool:
    """Whether a host is TTAPI's own."""
    bare = host.rstrip(".").lower()
    return any(bare == own or bare.endswith(f".{own}") for own in OWN_HOSTS)


def account_at(host: str) -> str:
    """Where somebody finds what the service at `host` has billed: "look at your usage in …"."""
    return DASHBOARD if not host or is_own(host) else f"the account at {host}"


def may_be_billed(account: str = DASHBOARD) -> str:
    """What is said where nobody knows what became of a request."""
    return (
        f"It may have been carried out and billed: look at your usage in {account} before you run it again."
    )

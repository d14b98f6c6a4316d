"""`Told`: who is told of the stages of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..reply.responses import ImagesResponse, PartialData

__all__ = ["Told"]


def _no_lineage() -> str:
    """What is asked by a bare client, which fits nothing."""
    return ""


def _no_draft(draft: PartialData) -> None:
    """What nobody wants to see."""


async def _nothing(*arguments: object) -> None:
    """What nobody wants to be told."""


@dataclass(frozen=True, eq=False)
class Told:
    """What is awaited at the stages of a request; and `asked()`, what was asked for before it was fitted, as the JSON
    of a lineage, or "" where nothing was. It hashes pictures, and is called in a thread.

    * `queued(words)`: it waits for its turn, and why, in a sentence; nothing has been sent.
    * `sent()`: before its first byte leaves; `busy(seconds)`: the service was too busy for it, which bills nothing, and
      is asked again in so many seconds; `answer(response)`: there is an answer whose results are yet to be fetched.
    * `draft(picture)`: a draft of a result came, as a stream sends them; it is called in a thread, and must be quick.
    * `waits(words)`: what it waits for at a class's gateway, once it has left; empty for nothing.

    `key` is the request's name, by which a gateway knows it when it is asked again; left out, it gets one.
    """

    sent: Callable[[], Awaitable[None]] = _nothing
    busy: Callable[[float], Awaitable[None]] = _nothing
    answer: Callable[[ImagesResponse], Awaitable[None]] = _nothing
    queued: Callable[[str], Awaitable[None]] = _nothing
    asked: Callable[[], str] = _no_lineage
    waits: Callable[[str], Awaitable[None]] = _nothing
    draft: Callable[[PartialData], None] = _no_draft
    key: str = ""

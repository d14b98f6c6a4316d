"""`Gate`: what the routes of a gateway share, and who may pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypedDict

from starlette.requests import Request

from .answering import token_of
from .carrier import Carrier
from .classes import Person
from .database import LedgerError
from .pages import Tries
from .reading import Wire
from .results import Results
from .runs import Refused
from .storing import Store

__all__ = ["BodyLimits", "Gate", "Uploads", "gate_of", "person_of"]

MOST_BODY = 300_000_000
"""In bytes: what a request's body may have, as at the embedded service."""
BODY_SECONDS = 300.0
MOST_UPLOADS, MOST_EACH = 128, 8
NOBODY = Refused("This token is not known. Copy it again from your teacher's sheet.", 401, "class_token")
NO_LEDGER = Refused(
    "The gateway can't read its ledger, so nothing was sent. Tell your teacher.", 503, "class_ledger"
)


class Uploads:
    """Bodies that are coming in: so many from each person, and so many in all. Others wait, and cost a line each."""

    def __init__(self, most: int = MOST_UPLOADS, most_each: int = MOST_EACH) -> None:
        self._all, self._most_each = asyncio.Semaphore(most), most_each
        self._each: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def place(self, person_id: str) -> AsyncIterator[None]:
        """Wait for a place, and keep it while the block lasts."""
        own = self._each.setdefault(person_id, asyncio.Semaphore(self._most_each))
        self._users[person_id] += 1
        try:
            # First one's own: who waits there must not hold a place of all.
            async with own, self._all:
                yield
        finally:
            self._users[person_id] -= 1
            if not self._users[person_id]:
                del self._users[person_id], self._each[person_id]


Identify = Callable[[Request], Awaitable[Person | Refused | None]]
"""Who asks, told by something else than a token of the ledger; None where that says nothing."""


class BodyLimits(TypedDict, total=False):
    """How large a body may be, in bytes, and for how many seconds it may come."""

    most_body: int
    body_seconds: float


@dataclass
class Gate:
    """A gateway's parts and settings. `wire`: the only form of body that is let through, or None for all; `public`: the
    address, up to the path, that people are told, where it is not the one they came by.
    """

    carrier: Carrier
    store: Store
    wire: Wire | None = None
    most_body: int = MOST_BODY
    body_seconds: float = BODY_SECONDS
    uploads: Uploads = field(default_factory=Uploads)
    identify: list[Identify] = field(default_factory=list)
    public: str = ""
    tries: Tries = field(default_factory=Tries)

    @cached_property
    def results(self) -> Results:
        """The pictures in answers that are kept."""
        return Results(self.carrier.ledger, self.store)


def gate_of(request: Request) -> Gate:
    """The gateway that was asked."""
    found: Gate = request.app.state.gate
    return found


async def person_of(request: Request) -> Person | Refused:
    """Who asks; a revoked token is let through here, and refused where it matters."""
    gate = gate_of(request)
    try:
        for identify in gate.identify:
            found = await identify(request)
            if found is not None:
                return found
        token = token_of(request)
        person = await gate.carrier.call(gate.carrier.ledger.classes.holder, token) if token else None
    except LedgerError:
        return NO_LEDGER
    return NOBODY if person is None else person

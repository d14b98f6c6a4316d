"""`Gate`: what the routes of a gateway share, and who may pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypedDict

from starlette.requests import Request

from .answering import token_of
from .carrier import Carrier
from .classes import Person
from .crowds import Crowd, Uploads
from .database import LedgerError
from .pages import Tries
from .reading import Wire
from .results import Results
from .runs import Refused
from .storing import Store

__all__ = ["BodyLimits", "Gate", "gate_of", "person_of"]

MOST_BODY = 300_000_000
"""In bytes: what a request's body may have, as at the embedded service."""
BODY_SECONDS = 300.0
NOBODY = Refused("This token is not known. Copy it again from your teacher's sheet.", 401, "class_token")
CROWDED = Refused(
    "So many of your requests are not answered yet that no more are taken. Wait for them, and send this one again.",
    429,
    "class_crowded",
)
NO_LEDGER = Refused(
    "The gateway can't read its ledger, so nothing was sent. Tell your teacher.", 503, "class_ledger"
)


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
    crowd: Crowd = field(default_factory=Crowd)
    identify: list[Identify] = field(default_factory=list)
    public: str = ""
    tries: Tries = field(default_factory=Tries)

    @cached_property
    def results(self) -> Results:
        """The pictures in answers that are kept."""
        return Results(self.carrier.ledger, self.store)


def gate_of(request: Request) -> Gate:
    """The gateway that was asked."""
    gate: Gate = request.app.state.gate
    return gate


async def person_of(request: Request) -> Person | Refused:
    """Who asks; a revoked token is let through here, and refused where it matters."""
    gate = gate_of(request)
    person = await _known(request, gate)
    if isinstance(person, Person) and not gate.crowd.enter(request.scope, person.id):
        return CROWDED
    return person


async def _known(request: Request, gate: Gate) -> Person | Refused:
    try:
        for identify in gate.identify:
            identified = await identify(request)
            if identified is not None:
                return identified
        token = token_of(request)
        person = await gate.carrier.call(gate.carrier.ledger.classes.holder, token) if token else None
    except LedgerError:
        return NO_LEDGER
    return NOBODY if person is None else person

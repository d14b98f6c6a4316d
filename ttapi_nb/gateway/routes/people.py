"""What people ask of their own: `GET /v1/me`, and `GET /v1/runs/{id}`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..answering import RUN_HEADER, refusal
from ..database import LedgerError
from ..gate import NO_LEDGER, gate_of, person_of
from ..runs import Refused, word_of
from .images import KEY, kept_answer

__all__ = ["ROUTES"]


async def me(request: Request) -> Response:
    """Who this is, what is spent and left, and the place in the queue."""
    gate = gate_of(request)
    person = await person_of(request)
    if isinstance(person, Refused):
        return refusal(person)
    ledger = gate.carrier.ledger
    try:
        standing = await gate.carrier.call(ledger.standing, person)
        standing["ahead"] = await gate.carrier.ahead(person.id)
    except LedgerError:
        return refusal(NO_LEDGER)
    standing["idempotency"] = True
    standing["wire"] = gate.wire
    return JSONResponse(standing, headers={"Cache-Control": "no-store"})


async def run(request: Request) -> Response:
    """The answer to a run of one's own, once more; or what is known of it until then."""
    gate = gate_of(request)
    person = await person_of(request)
    if isinstance(person, Refused):
        return refusal(person)
    run_id = request.path_params["id"]
    missing = Refused("You have no run of that id.", 404, "class_no_run")
    if not KEY.fullmatch(run_id):
        return refusal(missing)
    ledger = gate.carrier.ledger.runs
    try:
        row = await gate.carrier.call(ledger.find, person.id, run_id)
        if row is None:
            return refusal(missing)
        if row.ended:
            return await kept_answer(gate, row)
        ahead = None if row.sent else await gate.carrier.ahead(person.id)
    except LedgerError:
        return refusal(NO_LEDGER)
    told = {"id": row.id, "state": word_of(row.state, row.sent), "ahead": ahead}
    return JSONResponse(told, 202, {RUN_HEADER: row.id, "Cache-Control": "no-store"})


ROUTES = [Route("/v1/me", me), Route("/v1/runs/{id}", run)]

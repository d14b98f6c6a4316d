"""The teacher's pages for limits: of the class, with prices, and of one person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ...errors import SettingsError
from ..changing import change_limits, change_terms
from ..classes import Class, Person
from ..gate import Gate, gate_of
from ..limiting import check_seen, fields_of_limits, fields_of_terms, limits_in, seen, terms_in
from ..pages import fields_of, page, root_of, secured
from ..terms import Limits
from .teaching import STALE, own_csrf, teacher

__all__ = ["ROUTES"]

GONE = "Nobody in this class is that person any more. Look at the class's page."


async def _typed(request: Request) -> tuple[Mapping[str, str], str]:
    """The fields of a form, and why it is not to be used."""
    fields = await fields_of(request) or {}
    return fields, "" if fields.get("csrf") == own_csrf(request) else STALE


def _done(request: Request) -> Response:
    gate_of(request).carrier.kick()
    return secured(RedirectResponse(f"{root_of(request)}/teacher", 303))


@teacher
async def limits(request: Request, gate: Gate, room: Class) -> Response:
    """Limits for each person, each team and all together, and the teacher's own prices."""
    values, problem = fields_of_terms(room.terms), ""
    ledger = gate.carrier.ledger
    if request.method == "POST":
        fields, problem = await _typed(request)
        if not problem:
            try:
                await gate.carrier.call(
                    change_terms, ledger.database, room.id, lambda before: terms_in(before, fields)
                )
                return _done(request)
            except SettingsError as error:
                problem, values = str(error), values | dict(fields)
    report = await gate.carrier.call(ledger.report, room)
    return page(
        request, "limits.html", 400 if problem else 200, room=report, values=values, problem=problem,
        csrf=own_csrf(request), seen=seen(room.terms),
    )  # fmt: skip


@teacher
async def person(request: Request, gate: Gate, room: Class) -> Response:
    """The limits of one person's own."""
    member = next(
        (one for one in await gate.carrier.call(gate.carrier.ledger.classes.people_of, room)
         if one.id == request.path_params["id"]),
        None,
    )  # fmt: skip
    if member is None:
        return page(request, "enter.html", 404, problem=GONE)
    values, problem = fields_of_limits(member.limits, "each"), ""
    if request.method == "POST":
        fields, problem = await _typed(request)
        if not problem:
            try:
                own = limits_in(fields, "each")

                def change(before: Limits) -> Limits:
                    check_seen(fields, before)
                    return own

                await gate.carrier.call(change_limits, gate.carrier.ledger.database, member.id, change)
                return _done(request)
            except SettingsError as error:
                problem, values = str(error), values | dict(fields)
    return page(
        request, "person.html", 400 if problem else 200, values=values, problem=problem,
        csrf=own_csrf(request), seen=seen(member.limits), **await _of(gate, member),
    )  # fmt: skip


async def _of(gate: Gate, person: Person) -> dict[str, Any]:
    standing = await gate.carrier.call(gate.carrier.ledger.standing, person)
    for_all = fields_of_limits(person.room.terms.each, "each")
    return {
        "person": person,
        "standing": standing,
        "for_all": for_all,
        "currency": person.room.terms.currency,
    }


ROUTES = [
    Route("/teacher/limits", limits, methods=["GET", "POST"]),
    Route("/teacher/person/{id}", person, methods=["GET", "POST"]),
]

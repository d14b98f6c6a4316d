"""The teacher's page: who spent what, the queue, the wall, and what to do about them. Behind a token of its own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from ...errors import SettingsError, TTAPIError
from ..acts import Act, act_of
from ..classes import Class
from ..database import LedgerError
from ..desk import desk_of
from ..exporting import as_csv, as_zip
from ..gate import NO_LEDGER, Gate, gate_of
from ..limiting import seen
from ..pages import COOKIE, csrf_of, fields_of, page, qr, root_of, secured
from ..wall import Wall
from .joining import from_where, line_of

__all__ = ["ROUTES", "STALE", "OfTeacher", "own_csrf", "teacher"]

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
OfTeacher: TypeAlias = Callable[[Request, Gate, Class], Awaitable[Response]]
UNKNOWN = "No class has this token. Copy it again from what ttapi-nb class new printed."
TOO_OFTEN = "Too many wrong tokens came from here. Try again in {seconds} seconds."
NO_ZIP = "The zip file could not be written: the gateway's disk may be full. Make room, and try again."
STALE = "That was not done: the page was too old. Try it once more."


def teacher(handler: OfTeacher) -> Handler:
    """What only the teacher of a class sees; others are asked for the token."""

    @functools.wraps(handler)
    async def asked(request: Request) -> Response:
        gate = gate_of(request)
        try:
            token = request.cookies.get(COOKIE, "")
            room = await gate.carrier.call(gate.carrier.ledger.classes.taught_by, token) if token else None
            if room is None:
                return page(request, "enter.html", 401, problem="")
            return await handler(request, gate, room)
        except LedgerError:
            return page(request, "enter.html", 503, problem=NO_LEDGER.message)

    return asked


async def enter(request: Request) -> Response:
    """Look at a teacher's token, and keep it in a cookie that no script can read."""
    gate = gate_of(request)
    fields = await fields_of(request)
    token = "" if fields is None else fields.get("token", "").strip()
    wait = gate.tries.wait(from_where(request))
    if wait:
        answer = page(request, "enter.html", 429, problem=TOO_OFTEN.format(seconds=wait))
        answer.headers["Retry-After"] = str(wait)
        return answer
    try:
        room = await gate.carrier.call(gate.carrier.ledger.classes.taught_by, token)
    except LedgerError:
        return page(request, "enter.html", 503, problem=NO_LEDGER.message)
    if room is None:
        gate.tries.wrong(from_where(request))
        return page(request, "enter.html", 403, problem=UNKNOWN)
    where = f"{root_of(request)}/teacher"
    answer = secured(RedirectResponse(where, 303))
    secure = request.url.scheme == "https" or gate.public.startswith("https:")
    answer.set_cookie(COOKIE, token, path=where, httponly=True, samesite="strict", secure=secure)
    return answer


async def _desk(gate: Gate, room: Class) -> dict[str, Any]:
    return await gate.carrier.call(desk_of, gate.carrier.ledger, room)


def own_csrf(request: Request) -> str:
    """What the forms of this teacher's pages carry."""
    return csrf_of(request.cookies.get(COOKIE, ""))


async def _show(request: Request, gate: Gate, room: Class, notice: str = "", problem: str = "") -> Response:
    ledger = gate.carrier.ledger
    results = await gate.carrier.call(Wall(ledger.database).latest, room)
    return page(
        request, "desk.html", 400 if problem else 200, desk=await _desk(gate, room), csrf=own_csrf(request),
        waiting_results=results, notice=notice, problem=problem, seen=seen(room.terms),
    )  # fmt: skip


@teacher
async def show(request: Request, gate: Gate, room: Class) -> Response:
    """The desk."""
    return await _show(request, gate, room)


@teacher
async def live(request: Request, gate: Gate, room: Class) -> Response:
    """The part of the desk that changes by itself."""
    return page(request, "live.html", desk=await _desk(gate, room), csrf=own_csrf(request))


@teacher
async def board(request: Request, gate: Gate, room: Class) -> Response:
    """The code for the projector."""
    base = gate.public or str(request.base_url).rstrip("/")
    code = qr(f"{base}/join?code={room.code}")
    return page(request, "board.html", desk=await _desk(gate, room), where=f"{base}/join", code=code)


@teacher
async def board_live(request: Request, gate: Gate, room: Class) -> Response:
    """How many have joined."""
    return page(request, "board_live.html", desk=await _desk(gate, room))


@teacher
async def wall(request: Request, gate: Gate, room: Class) -> Response:
    """The released results, for the projector."""
    return page(request, "wall.html", name=room.name, shown=await _released(gate, room))


@teacher
async def wall_live(request: Request, gate: Gate, room: Class) -> Response:
    """As `wall`, without the page around it."""
    return page(request, "wall_live.html", shown=await _released(gate, room))


async def _released(gate: Gate, room: Class) -> Any:
    return await gate.carrier.call(Wall(gate.carrier.ledger.database).latest, room, "released")


@teacher
async def small(request: Request, gate: Gate, room: Class) -> Response:
    """A result of this class as a small picture."""
    number, at = request.path_params["number"], request.path_params["at"]
    if not await gate.carrier.call(Wall(gate.carrier.ledger.database).has, room, number):
        return Response(status_code=404)
    data = await asyncio.to_thread(gate.results.small, number, at)
    if data is None:
        return Response(status_code=404)
    answer = secured(Response(data, media_type="image/webp"))
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


@teacher
async def runs_csv(request: Request, gate: Gate, room: Class) -> Response:
    """Every run of the class."""
    rows = await gate.carrier.call(gate.carrier.ledger.listed, room)
    return _file(as_csv(rows).encode("utf-8-sig"), "text/csv; charset=utf-8", "runs.csv")


@teacher
async def results_zip(request: Request, gate: Gate, room: Class) -> Response:
    """Every result that is here, with what made it."""
    rows = await gate.carrier.call(gate.carrier.ledger.listed, room)
    try:
        path = await asyncio.to_thread(as_zip, rows, gate.results, gate.store.bodies)
    except OSError:
        return await _show(request, gate, room, problem=NO_ZIP)
    done = BackgroundTask(path.unlink, missing_ok=True)
    return secured(FileResponse(path, media_type="application/zip", filename="results.zip", background=done))


def _file(data: bytes, kind: str, name: str) -> Response:
    answer = secured(Response(data, media_type=kind))
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@teacher
async def do(request: Request, gate: Gate, room: Class) -> Response:
    """What a button of the page does."""
    fields = await fields_of(request)
    if fields is None or fields.get("csrf") != own_csrf(request):
        return await _show(request, gate, room, problem=STALE)
    if fields.get("do") == "leave":
        answer = secured(RedirectResponse(f"{root_of(request)}/teacher", 303))
        answer.delete_cookie(COOKIE, path=f"{root_of(request)}/teacher")
        return answer
    try:
        done: Act = await gate.carrier.call(act_of, gate.carrier.ledger, room, dict(fields))
    except LedgerError:
        raise
    except (SettingsError, TTAPIError) as error:
        return await _show(request, gate, room, problem=str(error))
    gate.carrier.kick()
    if len(done.tokens) == 1 and not done.sheet:
        name, token = done.tokens[0]
        return page(request, "token.html", name=name, token=token)
    if done.sheet:
        return page(request, "sheet.html", name=room.name, people=done.tokens, line=line_of(request))
    return secured(RedirectResponse(f"{root_of(request)}/teacher", 303))


ROUTES = [
    Route("/teacher", show),
    Route("/teacher/in", enter, methods=["POST"]),
    Route("/teacher/do", do, methods=["POST"]),
    Route("/teacher/live", live),
    Route("/teacher/board", board),
    Route("/teacher/board/live", board_live),
    Route("/teacher/wall", wall),
    Route("/teacher/wall/live", wall_live),
    Route("/teacher/small/{number:int}/{at:int}", small),
    Route("/teacher/runs.csv", runs_csv),
    Route("/teacher/results.zip", results_zip),
]

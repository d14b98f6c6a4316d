"""The page to join a class on: the code from the board and a nickname in, a token out."""

from __future__ import annotations

import json

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ...errors import SettingsError
from ...network.address import is_loopback
from ..classes import Class
from ..database import LedgerError
from ..gate import NO_LEDGER, Gate, gate_of
from ..pages import asset, fields_of, page, root_of, secured

__all__ = ["ROUTES", "base_url_of", "line_of"]

NOT_A_FORM = "That could not be read. Load this page again, and fill it in once more."
WRONG_CODE = "No class has this code. Look at the board once more."
NOT_NOW = "Nobody can join this class now. Ask your teacher to let people in."
TOO_OFTEN = "Too many wrong codes came from here. Try again in {seconds} seconds."


def base_url_of(request: Request) -> str:
    """The address that clients are given."""
    public = gate_of(request).public
    return f"{public or str(request.base_url).rstrip('/')}/v1"


def line_of(request: Request) -> str:
    """What to paste into a notebook."""
    where = base_url_of(request)
    url = URL(where)
    # On the room's own network; a client refuses that unless it is told.
    plain = ", allow_http=True" if url.scheme == "http" and not is_loopback(url.hostname or "") else ""
    return f'import ttapi_nb as tt; client = tt.Client(api_key=tt.ask_key(), base_url="{where}"{plain})'


def from_where(request: Request) -> str:
    """Which address somebody guesses from."""
    return request.client.host if request.client else ""


async def show(request: Request) -> Response:
    """The form, with the code that the board's QR code brings."""
    code = request.query_params.get("code", "")[:20]
    return page(request, "join.html", code=code, name="", problem="")


async def join(request: Request) -> Response:
    """Take a person in."""
    gate = gate_of(request)
    fields = await fields_of(request)
    if fields is None:
        return page(request, "join.html", 400, code="", name="", problem=NOT_A_FORM)
    code, name = fields.get("code", "")[:40], fields.get("name", "")[:200]

    def again(status: int, problem: str) -> Response:
        return page(request, "join.html", status, code=code[:20], name=name[:60], problem=problem)

    wait = gate.tries.wait(from_where(request))
    if wait:
        answer = again(429, TOO_OFTEN.format(seconds=wait))
        answer.headers["Retry-After"] = str(wait)
        return answer
    try:
        room = await gate.carrier.call(gate.carrier.ledger.classes.with_code, code)
        if room is None:
            gate.tries.wrong(from_where(request))
            return again(403, WRONG_CODE)
        return await _in(request, gate, room, name)
    except LedgerError:
        return again(503, NO_LEDGER.message)
    except SettingsError as error:
        return again(400, str(error))


async def _in(request: Request, gate: Gate, room: Class, name: str) -> Response:
    if not room.joinable or not room.open:
        return page(request, "join.html", 403, code=room.code, name=name[:60], problem=NOT_NOW)
    token = await gate.carrier.call(gate.carrier.ledger.classes.join, room, name)
    plain = " ".join(name.split())
    return page(request, "joined.html", name=plain, room=room.name, token=token, line=line_of(request))


async def notebook(request: Request) -> Response:
    """A notebook that is ready to run; no token is in it."""
    cells = [
        (
            "markdown",
            "Run the next cell, and paste your token where it asks. Then paint, write, and press Run.",
        ),
        ("code", f"{line_of(request)}\neditor = tt.ImageEditor(tt.sample(), client=client)\neditor"),
    ]
    book = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"cell_type": kind, "id": kind, "metadata": {}, "source": text}
            | ({"outputs": [], "execution_count": None} if kind == "code" else {})
            for kind, text in cells
        ],
    }
    answer = Response(json.dumps(book, indent=1), media_type="application/x-ipynb+json")
    answer.headers["Content-Disposition"] = 'attachment; filename="class.ipynb"'
    return secured(answer)


async def home(request: Request) -> Response:
    """Whoever opens the bare address wants to join."""
    return RedirectResponse(f"{root_of(request)}/join", 303)


async def static(request: Request) -> Response:
    """The pages' style and script."""
    return asset(request)


ROUTES = [
    Route("/", home),
    Route("/join", show),
    Route("/join", join, methods=["POST"]),
    Route("/join/notebook.ipynb", notebook),
    Route("/pages/{name}", static),
]

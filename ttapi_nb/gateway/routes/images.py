"""`POST /v1/images/edits` and `/v1/images/generations`: a body in, a run of the ledger, the service's answer out."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import time
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import IO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ...serving import spool
from ..answering import RUN_HEADER, path_of, refusal
from ..carrier import is_full
from ..classes import Person
from ..crowds import Upload
from ..database import LedgerError
from ..flights import Flight
from ..gate import Gate, gate_of, person_of
from ..identifying import identify
from ..reading import EDITS, GENERATIONS, BodyReader, UnreadableError
from ..runs import Asked, End, Refused, Run, may_not

__all__ = ["ROUTES"]

# In bytes: what a body is taken to have that does not say.
UNSAID = 2**19
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
# In seconds: how often a run that another gateway has is looked at.
LOOK = 0.2
FULL = Refused(
    "The gateway's disk is full, so nothing was sent and nothing is lost. Tell your teacher.",
    507,
    "class_disk_full",
)
BROKEN = Refused(
    "The gateway can't write to its ledger, so nothing was sent. Tell your teacher.", 503, "class_ledger"
)
LOST = Refused("The answer to this run is not kept any more. What it cost counts.", 410, "class_gone")


async def post(request: Request) -> Response:
    """Take a run in, and give its answer."""
    gate = gate_of(request)
    person = await person_of(request)
    if isinstance(person, Refused):
        return refusal(person)
    refused = may_not(person, time.time()) or _head_problem(request, gate)
    if refused is not None:
        return refusal(refused)
    key = request.headers.get("idempotency-key", "")
    run_id = key or uuid.uuid4().hex
    async with gate.uploads.place(person.id) as upload:
        accepted = await _body_of(request, gate, person, upload)
    if not isinstance(accepted, tuple):
        return accepted
    asked, body = accepted
    new = Flight(body, request.headers.get("accept", ""), may_return=bool(key))
    try:
        run, flight = await gate.carrier.admit(person, run_id, asked, new)
    except LedgerError as error:
        await _unlink(body)
        return refusal(FULL if is_full(error) else BROKEN)
    if (
        isinstance(run, Refused)
        or flight is not new
        or run.ended
        or run.gateway != gate.carrier.ledger.runs.me
    ):
        await _unlink(body)
    if isinstance(run, Refused):
        gate.carrier.counts["not admitted"] += 1
        return refusal(run)
    return await answer_to(request, gate, person, run, flight)


def _head_problem(request: Request, gate: Gate) -> Refused | None:
    keys = request.headers.getlist("idempotency-key")
    if len(keys) > 1 or (keys and not KEY.fullmatch(keys[0])):
        return Refused("The Idempotency-Key is not one plain word. Use a UUID.", 400, "class_key")
    if request.url.query:
        return Refused("Fields belong into the body. Leave out what is behind the ?.", 400, "class_query")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return Refused("The body is packed. Send it as it is.", 415, "class_packed")
    if len(request.headers.getlist("content-type")) != 1:
        return Refused(
            "The request has not one Content-Type. Let the HTTP library write it.", 400, "class_body"
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > gate.most_body:
        return _too_large(gate)
    return None


def _too_large(gate: Gate) -> Refused:
    return Refused(
        f"The body is over {gate.most_body // 10**6} MB. Send smaller pictures.", 413, "class_too_large"
    )


async def _body_of(
    request: Request, gate: Gate, person: Person, upload: Upload
) -> tuple[Asked, Path] | Response:
    """What a request asks for, with its body on the disk; or the answer where that can't be."""
    announced = request.headers.get("content-length", "")
    size = int(announced) if announced.isdecimal() else UNSAID
    try:
        if not await asyncio.to_thread(gate.store.has_room, size):
            return refusal(FULL)
        path, file = await asyncio.to_thread(gate.store.new_body)
    except OSError as error:
        return refusal(FULL if is_full(error) else BROKEN)
    kept = False
    try:
        reader = BodyReader(path_of(request), request.headers["content-type"])
        async with asyncio.timeout(gate.body_seconds) as upload.clock:
            await _spool(request, gate, reader, file, upload)
        asked, wire = await asyncio.to_thread(reader.asked)
        if gate.wire is not None and wire != gate.wire:
            return refusal(
                Refused(
                    f"The service behind takes the {gate.wire} form only: wire={gate.wire!r}.",
                    415,
                    "class_wire",
                )
            )
        if person.room.terms.safety_identifier:
            await asyncio.to_thread(identify, reader, gate.store, path, person.identifier)
        kept = True
        return asked, path
    except UnreadableError as error:
        return refusal(Refused(str(error), 400, "class_body"))
    except _TooLarge:
        return refusal(_too_large(gate))
    except TimeoutError:
        return refusal(Refused("The request came too slowly. Send it again.", 408, "class_slow"))
    except ClientDisconnect:
        return Response(status_code=400)
    except OSError as error:
        return refusal(FULL if is_full(error) else BROKEN)
    finally:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(file.close)
        if not kept:
            await _unlink(path)


class _TooLarge(Exception):  # noqa: N818 - it ends the reading, and is no fault
    pass


async def _spool(request: Request, gate: Gate, reader: BodyReader, file: IO[bytes], upload: Upload) -> None:
    """Read a body into its file, and what it asks for."""

    def admit(more: int) -> None:
        upload.came += more
        if upload.came > gate.most_body:
            raise _TooLarge

    def take(data: bytearray) -> None:
        # Others come in beside it, and a chunked one says nothing of its length.
        if not gate.store.has_room(len(data)):
            raise OSError(errno.ENOSPC, "no room is left for bodies")
        reader.feed(bytes(data))
        file.write(data)

    await spool(request.stream(), admit, take)
    await asyncio.to_thread(file.close)


async def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        await asyncio.to_thread(path.unlink, missing_ok=True)


# Out


async def answer_to(
    request: Request, gate: Gate, person: Person, run: Run, flight: Flight | None
) -> Response:
    """The answer to a run, once it is there: from this gateway, from another one, or from what is kept."""
    told = {RUN_HEADER: run.id}
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        if flight is not None:
            answer = await _follow(flight, gone, told)
            if answer is not None:
                return answer
        while not run.ended and not gone.done():
            known = await gate.carrier.call(gate.carrier.ledger.runs.find, person.id, run.id)
            run = known or run
            if not run.ended:
                await asyncio.wait([gone], timeout=LOOK)
        return await kept_answer(gate, run) if run.ended else Response(status_code=400)
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _follow(flight: Flight, gone: asyncio.Future[None], told: dict[str, str]) -> Response | None:
    """The answer as it comes; None where the ledger alone will know what becomes of the run."""
    follows = True
    try:
        begun = asyncio.ensure_future(flight.until_begun())
        await asyncio.wait([begun, gone], return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if flight.status is None and flight.lost:
            return None
        if flight.status is None:
            return Response(status_code=400) if flight.end is None else _without_answer(flight.end, told)
        follows = False
        headers = {**dict(flight.headers), **told, "x-should-retry": "false"}
        return StreamingResponse(_followed(flight), flight.status, headers)
    finally:
        if follows:
            flight.leave()


async def _followed(flight: Flight) -> AsyncIterator[bytes]:
    try:
        async for data in flight.pieces():
            yield data
        if flight.cut or flight.end is None or flight.end.status is None:
            # Whoever reads must not take it for whole.
            raise ConnectionAbortedError
    finally:
        flight.leave()


def _without_answer(end: End, told: dict[str, str]) -> JSONResponse:
    """What is said of a run that has no answer from the service."""
    if end.state == "not sent":
        return refusal(Refused(end.problem, 503, "class_not_sent"), told)
    if end.state == "refused":
        return refusal(Refused(end.problem, 400, "class_refused"), told)
    return refusal(
        Refused(
            f"{end.problem or 'What became of this run is not known.'} Ask your teacher.",
            502,
            "class_unknown",
        ),
        told,
    )


async def kept_answer(gate: Gate, run: Run) -> Response:
    """The answer to a run that has ended, once more."""
    told = {RUN_HEADER: run.id}
    if run.status is None:
        return _without_answer(End(run.state, run.problem), told)
    headers = {**dict(run.headers), **told, "x-should-retry": "false"}
    store, ledger = gate.store, gate.carrier.ledger.pieces
    size = await asyncio.to_thread(store.size, run.number)
    if size is not None:
        # Whoever gets less of it knows that it is not whole.
        headers["Content-Length"] = str(size)
        return StreamingResponse(_from_file(gate, run.number), run.status, headers)
    if not gate.carrier.ledger.database.is_file:
        size = await gate.carrier.call(ledger.size, run.number)
    if size is None:
        return refusal(LOST, told)
    headers["Content-Length"] = str(size)

    async def pieces() -> AsyncIterator[bytes]:
        number = 0
        while (data := await gate.carrier.call(ledger.get, run.number, number)) is not None:
            yield data
            number += 1

    return StreamingResponse(pieces(), run.status, headers)


async def _from_file(gate: Gate, number: int) -> AsyncIterator[bytes]:
    pieces = gate.store.pieces(number)
    while (data := await asyncio.to_thread(partial(next, pieces, None))) is not None:
        yield data


ROUTES = [Route(EDITS, post, methods=["POST"]), Route(GENERATIONS, post, methods=["POST"])]

"""The embedded service as an ASGI application: bodies wait on the disk, and so many edits are made at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import IO, TypeAlias, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..serving import BODILESS, spool
from .app import Answer, Service
from .names import target_of
from .refusal import Refusal

__all__ = ["AT_ONCE", "BODY_CAP", "Application", "Limits"]

AT_ONCE = 16
"""How many edits are made at once, a thread for each."""

BODY_CAP = 300_000_000
"""The most bytes a request's body may have."""

# In bytes: a body of less stays in memory.
SMALL = 2**19
# In bytes: how much of an answer is written at a time.
PIECE = 2**18
SLOW = "The request came too slowly. Send it again."
MANY = "Too many large requests came at once. Send this one again in a moment."
NO_ROOM = "The disk has no room for the request while it waits. Make room, and send it again."
NO_LENGTH = "The body must come with its Content-Length, or chunked."
NO_THREAD = "This machine has no thread left. Send the request again in a moment."

T = TypeVar("T")
Made: TypeAlias = Callable[[Callable[[], bytes | None]], Awaitable[bytes | None]]


@dataclass
class Limits:
    """How large a body may be, in bytes, and how many seconds it may take; how large all may be that are here, and
    those that are worked on; and how many edits are made at once.
    """

    body_cap: int = BODY_CAP
    body_seconds: float = 120.0
    bodies_cap: int = 2_000_000_000
    work_cap: int = 400_000_000
    at_once: int = AT_ONCE


class Application:
    """Answers with a service for the requests to its own names, which are `names`."""

    def __init__(self, service: Service, names: frozenset[str], limits: Limits) -> None:
        self._service, self._names, self._limits = service, names, limits
        self._places = _Places(limits)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        headers = dict(request.headers)
        try:
            with contextlib.suppress(ClientDisconnect):
                await self._answer(request, headers, send)
        except Refusal as refusal:
            answer = self._service.refused(refusal, headers)
            await _send(answer, answer.body, send)

    def refuse(self, status: int, message: str, headers: Mapping[str, str]) -> Response:
        """What the server itself refuses, in the service's words."""
        answer = self._service.refused(Refusal(message, status=status), headers)
        return Response(answer.body, answer.status, dict(answer.headers))

    async def _answer(self, request: Request, headers: dict[str, str], send: Send) -> None:
        query = request.scope["query_string"]
        target = (request.scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        host, path = target_of(
            target, request.headers.getlist("host"), request.headers.getlist("origin"), self._names
        )
        method, url = request.method, f"http://{host}{path}"
        self._check_length(method, headers)
        async with self._body_of(request) as file, _gone(request) as gone:
            size = file.tell()

            async def made(work: Callable[[], T]) -> T | None:
                # What is no edit costs next to nothing, and waits for none.
                async with self._places.of(size) if method == "POST" else contextlib.nullcontext():
                    return None if gone.done() else await _on_a_thread(work)

            answer = await made(lambda: self._edit(method, url, headers, file))
            if answer is not None and answer.pieces is not None:
                await _stream(answer, answer.pieces, made, send)
            elif answer is not None:
                await _send(answer, answer.body, send)

    def _edit(self, method: str, url: str, headers: dict[str, str], file: IO[bytes]) -> Answer:
        file.seek(0)
        return self._service.handle(method, url, headers, file.read())

    def _check_length(self, method: str, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length")
        if length is None and "transfer-encoding" not in headers and method not in BODILESS:
            raise Refusal(NO_LENGTH, status=411)
        if int(length or 0) > self._limits.body_cap:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        return Refusal(
            f"The body is over {self._limits.body_cap // 10**6} MB. Send smaller pictures.", status=413
        )

    @contextlib.asynccontextmanager
    async def _body_of(self, request: Request) -> AsyncIterator[IO[bytes]]:
        """A request's body in a file, at its end, which is there while the block lasts."""
        size = 0

        def admit(more: int) -> None:
            nonlocal size
            if size + more > self._limits.body_cap:
                raise self._too_large()
            # Nobody waits for it: two bodies that are half there would wait for each other.
            if self._held + more > self._limits.bodies_cap:
                raise Refusal(MANY, status=503)
            size += more
            self._held += more

        with tempfile.SpooledTemporaryFile(SMALL) as file:
            try:
                await self._spooled(request, admit, file.write)
                yield file
            finally:
                self._held -= size

    async def _spooled(
        self, request: Request, admit: Callable[[int], None], take: Callable[[bytearray], object]
    ) -> None:
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                await spool(request.stream(), admit, take)
        except TimeoutError:
            raise Refusal(SLOW, status=408) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Refusal(NO_ROOM, status=507) from None
            raise Refusal(
                f"The request can't be kept while it waits: {error.strerror}.", status=500
            ) from None


class _Places:
    """Edits that are made: so many, with bodies of so many bytes in all. Others wait, in the order they came in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = self._size = 0
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()

    @contextlib.asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Wait for a place, and keep it while the block lasts."""
        async with self._turn:
            while self._count >= self._limits.at_once or (
                self._count and self._size + size > self._limits.work_cap
            ):
                self._left.clear()
                await self._left.wait()
            self._count += 1
            self._size += size
        try:
            yield
        finally:
            self._count -= 1
            self._size -= size
            self._left.set()


@contextlib.asynccontextmanager
async def _gone(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    """Done once the client has hung up."""

    async def until_gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task = asyncio.ensure_future(until_gone())
    try:
        yield task
    finally:
        task.cancel()


async def _on_a_thread(work: Callable[[], T]) -> T:
    """What `work` returns. Its thread is no reason for the process to wait as it ends."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # it is there where no error is

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            problem = error
        # The server may have ended meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, result, problem)

    try:
        threading.Thread(target=run, name="ttapi_nb.serve", daemon=True).start()
    except RuntimeError:
        raise Refusal(NO_THREAD, status=503) from None
    return await future


def _head_of(answer: Answer) -> Message:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.pieces is None:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _send(answer: Answer, body: bytes, send: Send) -> None:
    await send(_head_of(answer))
    for at in range(0, len(body), PIECE):
        await send({"type": "http.response.body", "body": body[at : at + PIECE], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _stream(answer: Answer, body: Generator[bytes], made: Made, send: Send) -> None:
    """Send each piece as it is made; where making one fails, the answer has no end.

    Whoever takes a piece slowly has no place meanwhile: each is `made` in one of its own.
    """
    try:
        await send(_head_of(answer))
        while (piece := await made(lambda: next(body, None))) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        # Where the server ends, a thread may be in it.
        with contextlib.suppress(ValueError):
            body.close()

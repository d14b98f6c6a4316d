"""The server under the gateway and under the embedded service on a port: uvicorn, on a socket of ours.

What it leaves open is closed here: how long a head may take, and an answer to be read; how many lines there are; and
requests that a proxy before it could take in another way (RFC 9112, section 6).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

import h11
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["BACKLOG", "BODILESS", "Lines", "Refuse", "Server", "listen", "server_for", "spool"]

BACKLOG = 1024
"""How many may have connected that are not looked at yet."""
# In bytes: of a head that is not whole yet.
HEAD_CAP = 64 * 1024
# In bytes: how much of a body is taken at a time.
PIECE = 2**19
# In seconds: how often it is looked whether to end.
TICK = 0.1
# Of a client that has ended its side, in seconds: the shortest and the longest time between two looks for it.
FIRST_LOOK, LAST_LOOK = 0.1, 10.0
# Of a refused request: how long no byte of the rest may come, and how long what could not be read is passed over.
SILENCE, LINGER = 1.0, 2.0
# As many more lines are told that there are too many; whoever comes beyond these is hung up on.
TURNED_AWAY = 8
CLOSE = (b"connection", b"close")
# Ends of lines in a head that not every reader takes for one, or takes for none (RFC 9112, sections 2.2 and 5.2).
ODD_END = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]")
HEAD_END = re.compile(rb"\n\r?\n")
BODILESS = ("GET", "HEAD", "OPTIONS")
"""Methods whose requests need not say that they have no body."""

UNREADABLE = "The request can't be read. Let the HTTP library write it."
FULL = "There are as many connections as this server takes. Send the request again in a moment."
TWO_LENGTHS = "The body has both Content-Length and Transfer-Encoding. Send one of them."
OLD_CHUNKS = "Only HTTP/1.1 has chunked bodies. Send the body with its Content-Length."

Refuse: TypeAlias = Callable[[int, str, Mapping[str, str]], Response]
"""Called as `refuse(status, message, headers)`: the answer, in the words of whoever sent these headers."""


@dataclass
class Lines:
    """How long a line may take, in seconds, and how many there may be.

    `head_seconds` is for a head to come, from the line's beginning or from the answer before; `write_seconds` how long
    nothing of an answer may be taken, and `answer_seconds` how long all of it may wait for whoever takes it slowly;
    `drain_seconds` how long the rest of a refused request is read, since many clients look at an answer only after they
    have sent all; `leaving_seconds` what answers are given as the server ends. Where there are `most` lines, one that
    has waited for a request for `patience` seconds gives way to a new one.
    """

    head_seconds: float = 75.0
    write_seconds: float = 120.0
    answer_seconds: float = 900.0
    drain_seconds: float = 60.0
    leaving_seconds: int = 25
    most: int | None = None
    patience: float = 1.0


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens: whoever connects from now on waits to be answered. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class _Protocol(H11Protocol):
    """uvicorn's, with times for what it would wait for without end, and words for what it can't read."""

    def __init__(self, *arguments: Any, lines: Lines, refuse: Refuse, full: ASGIApp, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._lines, self._refuse, self._full = lines, refuse, full
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._gone_timer: asyncio.TimerHandle | None = None
        # Since when it waits for a request, and an answer for its reader; and how long the answer did before.
        self._since = self._paused = self._waited = 0.0
        self._is_refused = False
        # How the part of a head ends that is here.
        self._tail = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        most = self._lines.most
        if most is not None and len(self.connections) > most and not self._make_room():
            if len(self.connections) > most + TURNED_AWAY:
                transport.abort()
                return
            self.app = self._full
        self._watch()

    def _make_room(self) -> bool:
        """Close the line that has waited longest, where one has waited for long."""
        until = self.loop.time() - self._lines.patience
        resting = [
            one
            for one in self.connections
            if isinstance(one, _Protocol)
            and one is not self
            and one._head_timer is not None
            and one._since <= until
        ]
        if not resting:
            return False
        oldest = min(resting, key=lambda one: one._since)
        self.connections.discard(oldest)
        oldest._close()
        return True

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._waits and self._is_odd(data):
            self.send_400_response("")
        else:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        # A next request may have come already.
        self._tail = b""
        done = self.conn.our_state is self.conn.their_state is h11.DONE
        if done and self._is_odd(self.conn.trailing_data[0]):
            self.conn.start_next_cycle()
            self.send_400_response("")
        else:
            super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head_timer, self._write_timer, self._gone_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._write_timer = self._gone_timer = None

    def shutdown(self) -> None:
        if self._is_refused:
            self.transport.close()
        else:
            super().shutdown()

    @property
    def _waits(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_odd(self, data: bytes) -> bool:
        """Whether a head has such a line, now that more of it is here."""
        text = self._tail + data[:HEAD_CAP]
        end = HEAD_END.search(text)
        # A line's end may be halved.
        head = text[: end.start() + 1] if end else text.removesuffix(b"\r")
        before, self._tail = max(0, len(self._tail) - 1), text[-3:]
        return ODD_END.search(head, before) is not None

    # How long

    def _watch(self) -> None:
        if self._is_refused:
            return
        waits = self._waits
        if not waits and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
            self._waited = 0.0
        elif waits and self._head_timer is None and not self.transport.is_closing():
            self._since = self.loop.time()
            self._head_timer = self.loop.call_later(self._lines.head_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._close()

    def _close(self) -> None:
        """End the line once what is left has been taken, for which there is a time too."""
        self.transport.close()
        left = self.transport.get_write_buffer_size()
        if left and self._write_timer is None:
            self._paused = self.loop.time()
            self._look_at_reader(left + 1)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._paused = self.loop.time()
            self._look_at_reader(self.transport.get_write_buffer_size() + 1)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
            self._waited += self.loop.time() - self._paused
        if self.transport.is_closing():
            self._close()

    def _look_at_reader(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        rest = self._lines.answer_seconds - self._waited - (self.loop.time() - self._paused)
        if left >= before or rest <= 0:
            # Closed, it would wait for the reader all the same.
            self.transport.abort()
            return
        wait = min(self._lines.write_seconds, rest)
        self._write_timer = self.loop.call_later(wait, self._look_at_reader, left)

    # Whether somebody is there

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's keeps no line
        """Keep the line of a client that has sent all it will and may read yet. One that is gone ends in the same way,
        but hangs up on what it is sent: so it is asked, by a status line that every client of HTTP/1.1 passes over.
        """
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self._is_refused:
            return False
        if cycle.scope["http_version"] != "1.1":
            return False
        cycle.keep_alive = False
        return self._is_there(FIRST_LOOK)

    def _is_there(self, wait: float) -> bool:
        self._gone_timer = None
        if not self.cycle.response_started:
            asks = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
            self.transport.write(self.conn.send(asks) or b"")
        if self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()
            return False
        self._gone_timer = self.loop.call_later(wait, self._is_there, min(2 * wait, LAST_LOOK))
        return True

    # What can't be read

    def send_400_response(self, msg: str) -> None:
        """Say in words that no request, or no end of its body, can be read; uvicorn's place for it."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        cycle, told = self.cycle, dict[str, str]()
        if cycle is not None and not cycle.response_complete:
            told = _headers_of(cycle.scope)  # type: ignore[arg-type]  # starlette's type of the same
            cycle.disconnected = True
            cycle.message_event.set()
        self._is_refused = True
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # In the middle of an answer, which is cut off.
            self.transport.close()
            return
        answer = self._refuse(status, UNREADABLE, told)
        head = h11.Response(
            status_code=status,
            headers=[*answer.raw_headers, CLOSE],
            reason=HTTPStatus(status).phrase.encode(),
        )
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        # Closed at once, what is still on its way here would cut off the answer.
        self.transport.write_eof()
        self._head_timer = self.loop.call_later(LINGER, self.transport.close)


class _Framing:
    """Refuses a body whose length is said in two ways, and ends a line on which a body was not read to its end."""

    def __init__(self, app: ASGIApp, lines: Lines, refuse: Refuse) -> None:
        self._app, self._lines, self._refuse = app, lines, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers_of(scope)
        is_chunked, length = "transfer-encoding" in headers, headers.get("content-length")
        # Without a length there is no body; where one belongs, what comes next may be meant as it.
        says_none = scope["method"] in BODILESS if length is None else int(length) == 0
        whole, early = not is_chunked and says_none, False

        async def received() -> Message:
            nonlocal whole
            message = await receive()
            whole = whole or message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def sent(message: Message) -> None:
            nonlocal early
            if message["type"] == "http.response.start":
                early = not whole
                if early:
                    message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
            elif early and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await self._drain(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        problem = ""
        if is_chunked and "content-length" in headers:
            problem = TWO_LENGTHS
        elif is_chunked and scope["http_version"] != "1.1":
            problem = OLD_CHUNKS
        app = self._refuse(400, problem, headers) if problem else self._app
        await app(scope, received, sent)

    async def _drain(self, receive: Receive) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._lines.drain_seconds):
                more = True
                while more:
                    async with asyncio.timeout(SILENCE):
                        more = (await receive()).get("more_body", False)


def _headers_of(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


class Server(uvicorn.Server):
    """Calls `ready` once it answers; `run(sockets=[listen(…)])` returns when another thread has called `stop`."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        self._own_loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    async def main_loop(self) -> None:
        """Wait for the end; uvicorn's looks less often."""
        tick = 0
        while not await self.on_tick(tick):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), TICK)
            tick += 1

    def stop(self) -> None:
        """Have it end. May be called from any thread."""
        self.should_exit = True
        if self._own_loop is not None:
            with contextlib.suppress(RuntimeError):
                self._own_loop.call_soon_threadsafe(self._woken.set)


def server_for(
    app: ASGIApp,
    refuse: Refuse,
    ready: Callable[[], None] = lambda: None,
    *,
    lines: Lines | None = None,
    lifespan: Literal["on", "off"] = "on",
) -> Server:
    """A server for an application; `refuse` writes what is refused before that is asked."""
    # It repeats what was sent in what it logs.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    lines = lines or Lines()

    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        answer = refuse(503, FULL, _headers_of(scope))
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)

    config = uvicorn.Config(
        _Framing(app, lines, refuse),
        http=partial(_Protocol, lines=lines, refuse=refuse, full=_Framing(full, lines, refuse)),  # type: ignore[arg-type]  # it calls it, whatever it is
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=HEAD_CAP,
        # A head has its own time here.
        timeout_keep_alive=int(2 * lines.head_seconds) + 1,
        timeout_graceful_shutdown=lines.leaving_seconds,
    )
    return Server(config, ready)


async def spool(
    parts: AsyncIterator[bytes], admit: Callable[[int], None], take: Callable[[bytearray], object]
) -> None:
    """Read a body: `take` gets its pieces on threads, one after the other, while the next one comes in.

    `admit` is told of each part's size when it is here, and raises where that is too much.
    """
    held = bytearray()
    writing: asyncio.Future[object] | None = None
    try:
        async for part in parts:
            admit(len(part))
            held += part
            if len(held) >= PIECE:
                if writing is not None:
                    await asyncio.shield(writing)
                writing = asyncio.ensure_future(asyncio.to_thread(take, held))
                held = bytearray()
    finally:
        # Also where it ends otherwise: nobody else may close a file that is written to.
        if writing is not None:
            await asyncio.shield(writing)
    await asyncio.to_thread(take, held)

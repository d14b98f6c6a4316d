"""`Protocol`: one line, and how long it waits for what."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from http import HTTPStatus
from typing import Any

import h11
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .lines import HEAD_CAP, Lines
from .refusing import CLOSE, UNREADABLE, Refuse, headers_of

__all__ = ["TURNED_AWAY", "Protocol"]

# Of a client that has ended its side, in seconds: the shortest and the longest time between two looks for it.
FIRST_LOOK, LAST_LOOK = 0.1, 10.0
# In seconds: how long, of a refused request, what could not be read is passed over.
LINGER = 2.0
TURNED_AWAY = 8
"""As many more lines are told that there are too many; whoever comes beyond these is hung up on."""
# Ends of lines in a head that not every reader takes for one, or takes for none (RFC 9112, sections 2.2 and 5.2).
ODD_END = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]")
HEAD_END = re.compile(rb"\n\r?\n")


class Protocol(H11Protocol):
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
            if isinstance(one, Protocol)
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
            told = headers_of(cycle.scope)  # type: ignore[arg-type]  # starlette's type of the same
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

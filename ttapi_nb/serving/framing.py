"""`Framing`: a body whose end nobody can mistake."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .lines import Lines
from .refusing import CLOSE, OLD_CHUNKS, TWO_LENGTHS, Refuse, headers_of

__all__ = ["BODILESS", "Framing"]

BODILESS = ("GET", "HEAD", "OPTIONS")
"""Methods whose requests need not say that they have no body."""
# In seconds: how long, of a refused request, no byte of the rest may come.
SILENCE = 1.0


class Framing:
    """Refuses a body whose length is said in two ways, and ends a line on which a body was not read to its end."""

    def __init__(self, app: ASGIApp, lines: Lines, refuse: Refuse) -> None:
        self._app, self._lines, self._refuse = app, lines, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
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

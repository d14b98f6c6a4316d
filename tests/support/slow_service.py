"""A service for proofs and benchmarks: it takes a while for each request, however many there are, and counts them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from typing import Any

PIECE = 2**20


class SlowService:
    """Answers each POST with `content` after so many `seconds`, on `port` of this machine, until the program ends.

    `posts` is how many came, `inside` how many are waiting for their answer, and `most_at_once` how many did at most.
    `began` and `ended` are told each body, when it is here and when its answer has left.
    """

    def __init__(self, content: dict[str, Any], seconds: float = 1.0) -> None:
        self.answer, self.seconds = json.dumps(content).encode(), seconds
        self.posts = self.inside = self.most_at_once = 0
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True).start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        """As `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def began(self, body: bytes) -> None:
        """Whoever sent this body may be billed from here on."""

    def ended(self, body: bytes) -> None:
        """Its answer has left whole."""

    async def _main(self) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=PIECE, backlog=1024)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            body = b""
            if head.startswith("post"):
                body = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
                self.began(body)
                await self._wait()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n" % len(self.answer)
            )
            writer.write(self.answer)
            await writer.drain()
            if body:
                self.ended(body)
        writer.close()

    async def _wait(self) -> None:
        self.posts += 1
        self.inside += 1
        self.most_at_once = max(self.most_at_once, self.inside)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.inside -= 1

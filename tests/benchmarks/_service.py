"""A service for benchmarks, in a process of its own: it keeps lines open, takes so long, and refuses beyond so many."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

__all__ = ["Service", "service"]


NAMES = ("posts", "refused", "lines", "at once")


@dataclass
class Service:
    """Where one listens, and what it counts."""

    origin: str

    @property
    def url(self) -> str:
        """What a client takes as `base_url`."""
        return f"{self.origin}/v1"

    def counts(self) -> dict[str, int]:
        """What happened since this was asked last: posts, refusals, lines, and the most at once."""
        with urllib.request.urlopen(f"{self.origin}/counts") as reply:
            found: dict[str, int] = json.load(reply)
        return found


@contextlib.contextmanager
def service(seconds: float = 0.0, most: int = 10**6, side: int = 64) -> Iterator[Service]:
    """A service that takes `seconds` for each edit and `most` at once, and answers with a picture of that side."""
    command = [sys.executable, __file__, str(seconds), str(most), str(side)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise AssertionError
            yield Service(process.stdout.readline().strip())
        finally:
            process.kill()


@dataclass
class _Counter:
    seconds: float
    most: int
    reply: bytes
    inside: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                named = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
                }
                if "100-continue" in named.get("expect", ""):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                left = int(named.get("content-length", "0"))
                while left:
                    left -= len(await reader.read(min(left, 2**18)))
                    if reader.at_eof():
                        return
                if head.startswith("POST"):
                    self.found["lines"] += lines
                    lines = 0
                writer.write(await self.answer(head))
                await writer.drain()
        writer.close()

    async def answer(self, head: str) -> bytes:
        if head.startswith("GET"):
            found, self.found = self.found, dict.fromkeys(NAMES, 0)
            return _reply("200 OK", json.dumps(found).encode())
        self.found["posts"] += 1
        if self.inside >= self.most:
            self.found["refused"] += 1
            return _reply(
                "429 Too Many Requests", b'{"error": {"message": "slow down"}}', "Retry-After: 1\r\n"
            )
        self.inside += 1
        self.found["at once"] = max(self.found["at once"], self.inside)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.inside -= 1
        return _reply("200 OK", self.reply)


def _reply(status: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


async def _serve(seconds: float, most: int, side: int) -> None:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(out, "PNG")
    content: dict[str, Any] = {
        "created": 1_774_500_000,
        "data": [{"b64_json": base64.b64encode(out.getvalue()).decode()}],
    }
    counter = _Counter(seconds, most, json.dumps(content).encode())
    server = await asyncio.start_server(counter.talk, "127.0.0.1", 0, limit=2**20, backlog=256)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("seconds", type=float)
    given.add_argument("most", type=int)
    given.add_argument("side", type=int)
    asked = given.parse_args()
    asyncio.run(_serve(asked.seconds, asked.most, asked.side))

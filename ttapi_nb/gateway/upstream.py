"""The service behind a gateway: over the network with the one key, or embedded in this process.

What it answers comes without the key, should it quote that, and unpacked, as nobody can look for a key in packed bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, Self

import httpx

from ..client.key import Secret
from ..client.transport import SENT_EVENT, KeyTransport, network_transport
from ..coding import unpacking
from ..service import Service
from .storing import PIECE

__all__ = ["Answering", "EmbeddedUpstream", "NetworkUpstream", "NotSent", "Upstream"]

NO_LIMIT = httpx.Timeout(None)
MOST_ANSWER = 500_000_000
# What of an answer's head goes on to whoever asked, besides what frames it.
PASSED = ("content-type", "retry-after", "ttapi-nb-service", "x-request-id", "cache-control")
BODY_SECONDS = 300.0


class NotSent(Exception):  # noqa: N818 - it is an outcome
    """No byte of the request has left."""


@dataclass
class Answering:
    """An answer as it comes: its head, and its bytes without the key."""

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: AsyncGenerator[bytes]


class Upstream(Protocol):
    """What answers a gateway's requests."""

    words: str

    def post(self, path: str, kind: str, accept: str, body: Path, size: int) -> Any:
        """An async context manager of `Answering`: one POST, `path` behind the base URL. Raises `NotSent` where no
        byte has left; any other error may have been billed.
        """

    async def close(self) -> None:
        """Let go of lines."""


class NetworkUpstream:
    """The service at `base_url`, asked with `secret`; `timeout` in seconds for the whole of a request."""

    def __init__(
        self,
        base_url: str,
        secret: Secret,
        *,
        auth_header: str = "TT-API-KEY",
        auth_scheme: str = "",
        timeout: float = BODY_SECONDS,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._secret, self._timeout = secret, timeout
        url = httpx.URL(self._base)
        self.words = f"sends to {url.host}"
        # Told here, where somebody sees it, if the network can't be set up.
        network_transport(url)
        self._client: httpx.AsyncClient | None = None
        self._header, self._scheme = auth_header, auth_scheme

    def _connected(self) -> httpx.AsyncClient:
        """What carries all requests. It keeps no line: one that the service has closed may swallow a request."""
        url = httpx.URL(self._base)
        way = KeyTransport(network_transport(url), url, self._secret, self._header, self._scheme)
        self._client = httpx.AsyncClient(transport=way, timeout=NO_LIMIT, follow_redirects=False)
        return self._client

    def settings(self) -> dict[str, Any]:
        """What makes it once more in another process. The key is in it."""
        return {
            "base_url": self._base,
            "secret": self._secret.reveal(),
            "auth_header": self._header,
            "auth_scheme": self._scheme,
            "timeout": self._timeout,
        }

    @asynccontextmanager
    async def post(
        self, path: str, kind: str, accept: str, body: Path, size: int
    ) -> AsyncIterator[Answering]:
        sent = False

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal sent
            tunnel = getattr(info.get("request"), "method", b"") == b"CONNECT"
            if event.endswith(SENT_EVENT) and not tunnel:
                sent = True

        client = await asyncio.to_thread(self._connected) if self._client is None else self._client
        headers = {
            "Content-Type": kind,
            "Content-Length": str(size),
            "Accept": accept or "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "ttapi_nb-gateway",
        }
        failure: Exception | None = None
        file = await asyncio.to_thread(body.open, "rb")
        try:
            async with (
                asyncio.timeout(self._timeout),
                client.stream(
                    "POST",
                    self._base + path,
                    content=_Body(file),
                    headers=headers,
                    extensions={"trace": trace},
                ) as stream,
            ):
                received = {name.lower(): value for name, value in stream.headers.items()}
                passed = tuple(
                    (name, self._secret.scrub(received[name])) for name in PASSED if name in received
                )
                yield Answering(stream.status_code, passed, self._plain(stream.aiter_raw(), received))
        except Exception as error:  # noqa: BLE001 - told below, past httpx's frames that hold the key
            failure = error if sent else NotSent(type(error).__name__)
            if sent:
                failure = ConnectionError(type(error).__name__)
        finally:
            await asyncio.to_thread(file.close)
        if failure is not None:
            raise failure

    async def _plain(self, raw: AsyncIterator[bytes], headers: Mapping[str, str]) -> AsyncGenerator[bytes]:
        unpack = unpacking(headers, MOST_ANSWER)
        held = b""
        async for data in raw:
            for piece in unpack.feed(data):
                ready, held = self._secret.scrub_piece(held, piece)
                if ready:
                    yield ready
        for piece in unpack.end():
            ready, held = self._secret.scrub_piece(held, piece)
            if ready:
                yield ready
        if held:
            yield held

    async def close(self) -> None:
        """No line is open any more."""
        if self._client is not None:
            await self._client.aclose()


class EmbeddedUpstream:
    """An embedded service in this process: nothing leaves it, and nothing is billed."""

    def __init__(self, service: Service | None = None) -> None:
        self.service = service or Service(envelope="openai")
        self.here = "127.0.0.1"
        """Host and port of the gateway, where results by URL are found."""
        self.words = "answers with the embedded service, which bills nothing"

    @asynccontextmanager
    async def post(
        self, path: str, kind: str, accept: str, body: Path, size: int
    ) -> AsyncIterator[Answering]:
        data = await asyncio.to_thread(body.read_bytes)
        headers = {"Content-Type": kind, "Authorization": "Bearer embedded"}
        answer = await asyncio.to_thread(
            self.service.handle, "POST", f"http://{self.here}/v1{path}", headers, data
        )

        async def pieces() -> AsyncGenerator[bytes]:
            if answer.pieces is None:
                yield answer.body
                return
            while piece := await asyncio.to_thread(next, answer.pieces, b""):
                yield piece

        passed = tuple(
            (name.lower(), value) for name, value in answer.headers.items() if name.lower() in PASSED
        )
        yield Answering(answer.status, passed, pieces())

    async def close(self) -> None:
        """Nothing is held."""


class _Body:
    """A body's file, piece by piece. No generator: httpx leaves those unfinished where an answer comes early."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await asyncio.to_thread(self._file.read, 4 * PIECE)
        if not data:
            raise StopAsyncIteration
        return data

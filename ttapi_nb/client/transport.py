"""The ways out: the network with the key, or the embedded service in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx

from .. import loop
from ..download import origin
from ..errors import NotSentError, SettingsError
from ..network import address, ways
from .secret import Secret

if TYPE_CHECKING:
    from ..service import Service

__all__ = ["SENT_EVENT", "EmbeddedTransport", "KeyTransport", "is_loopback", "network_transport"]

SENT_EVENT = "send_request_headers.started"
"""How the trace event ends with which a request's first byte leaves (httpcore's name)."""

# Any address that a result's URL may have.
ANY_RESULT = httpx.URL("https://results.invalid")


def _without_answer(record: logging.LogRecord) -> bool:
    """Take what a service wrote into its answer's head out of a log's line: it may quote the key there."""
    if not loop.is_here():
        return True
    if record.name == "httpx":
        # Method, URL, version, status, and the service's own words for the status.
        if isinstance(record.args, tuple) and len(record.args) == 5:
            record.args = (*record.args[:4], "")
    elif str(record.msg).startswith(("receive_response", "setup_socks5_connection")):
        # The second has a proxy's password.
        record.msg = str(record.msg).split(" ", 1)[0]
    return True


# Of our own requests only, which all run on the package's thread.
for _name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_without_answer)


class KeyTransport(httpx.AsyncBaseTransport):
    """Adds the key to a copy of each request, and only to requests for the API's own origin.

    The request that httpx knows, logs and hangs on its exceptions never has it.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, base_url: httpx.URL, secret: Secret, header: str, scheme: str
    ) -> None:
        self._inner = inner
        self._origin = origin(base_url)
        self._secret = secret
        self._header = header
        self._scheme = scheme

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if origin(request.url) != self._origin:
            raise httpx.UnsupportedProtocol("The key goes to the API's own address only.")
        return await self._inner.handle_async_request(
            httpx.Request(
                request.method,
                request.url,
                headers=[
                    *request.headers.raw,
                    (self._header.encode(), f"{self._scheme} {self._secret.reveal()}".strip().encode()),
                ],
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class EmbeddedTransport(httpx.AsyncBaseTransport):
    """Hands each request to an embedded service in this process, on a thread: no socket, no key."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("embedded." + SENT_EVENT, {})
        answer = await asyncio.to_thread(
            self._service.handle, request.method, str(request.url), dict(request.headers), body
        )
        # As a stream: whoever downloads a result reads it piece by piece, as from a network.
        return httpx.Response(
            answer.status, headers=dict(answer.headers), stream=httpx.ByteStream(answer.body)
        )


def network_transport(base_url: httpx.URL, fetch_from: Sequence[str] = ()) -> httpx.AsyncBaseTransport:
    """A transport that opens connections to `base_url`, through the environment's proxy where one is set.

    It reads files, so it is not called on the loop's thread. Raises `NotSentError`, which names the variable, where
    the network can't be set up, for the results' URLs too (`fetch_from` are origins of such): those are fetched when
    the request is paid for, which is too late to find out. A service on this very machine needs none of that, and is
    not kept from answering: a result that it names elsewhere waits there until the variable is corrected.
    """
    problem = ""
    try:
        way = ways.way_to(base_url)
        for place in ([] if is_loopback(base_url) else [ANY_RESULT]) + [*map(httpx.URL, fetch_from)]:
            ways.way_to(place)
        return way
    except SettingsError as error:
        problem = str(error)
    except httpx.InvalidURL:
        problem = "One of the addresses that fetch_from names is none: write it as in http://10.0.0.5:9000."
    raise NotSentError(f"{problem} So nothing was sent or billed.")


def is_loopback(url: httpx.URL) -> bool:
    """Whether the URL leads to this very machine, by its literal host."""
    return address.is_loopback(url.host)

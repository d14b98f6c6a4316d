"""Sending one request: written, posted once within its deadline, and its reply read.

What needs httpx is here and in the transports, so that a client can be made, and an editor shown, without loading it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from ..download import download
from ..errors import NotSentError, TTAPIError, UnknownOutcomeError
from ..request import EditRequest
from .replies import MAY_BE_BILLED, interpret, parse
from .responses import ImagesResponse, read_response
from .transport import SENT_EVENT, EmbeddedTransport, KeyTransport, network_transport
from .wire import encode

if TYPE_CHECKING:
    from .core import Core

__all__ = ["fetch", "send"]

EMBEDDED_HEADER = "TTAPI-NB-Service"
REPLY_CAP = 500 * 10**6
# httpx limits each read alone; one deadline over all of them is what people mean.
NO_LIMIT = httpx.Timeout(None)


async def send(core: Core, request: EditRequest, on_sent: Callable[[], None]) -> ImagesResponse:
    """Send `request` once and read the reply; see `Core.send`."""
    body = await asyncio.to_thread(encode, request, core.wire, plain_base64=core.plain_base64)
    reply = await _post(core, body.content_type, body.data, on_sent)
    embedded = reply.headers.get(EMBEDDED_HEADER) == "embedded"
    # A service may quote the key in what it answers. No name here holds that text: a traceback shows them.
    scrub = core.secret.scrub if core.secret else str
    parsed = await asyncio.to_thread(parse, reply.content, scrub)
    return await read_response(interpret(reply.status_code, parsed), offline=embedded, fetch=core.fetch)


async def fetch(core: Core, url: str) -> bytes:
    """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
    transport = _transport(core) if core.offline else None
    return await download(url, public_only=True, own=httpx.URL(core.base_url), transport=transport)


def _transport(core: Core) -> httpx.AsyncBaseTransport:
    if core.service is not None:
        return EmbeddedTransport(core.service())
    url = httpx.URL(core.base_url)
    if core.secret is None:
        raise AssertionError("a client of the network has a key")
    return KeyTransport(network_transport(url), url, core.secret, core.auth_header, core.auth_scheme)


async def _post(core: Core, content_type: str, data: bytes, on_sent: Callable[[], None]) -> httpx.Response:
    transport = _transport(core)
    failure: Exception
    sent = False
    stopped: Exception | None = None

    async def trace(event: str, info: object) -> None:
        nonlocal sent, stopped
        if event.endswith(SENT_EVENT) and not sent:
            try:
                on_sent()
            except Exception as error:  # noqa: BLE001 - raised again below, past httpx's frames that hold the key
                stopped = error
                raise _StoppedError from None
            sent = True

    headers = {"Content-Type": content_type, "Accept": "application/json", "Accept-Encoding": "identity"}
    url = f"{core.base_url.rstrip('/')}/images/edits"
    try:
        async with (
            asyncio.timeout(core.timeout),
            httpx.AsyncClient(transport=transport, timeout=NO_LIMIT, follow_redirects=False) as client,
            client.stream("POST", url, content=data, headers=headers, extensions={"trace": trace}) as reply,
        ):
            content = await _read(reply)
            # It is decoded by now, though a gateway may have compressed it against our wish.
            kept = {name: reply.headers[name] for name in reply.headers if name != "content-encoding"}
            return httpx.Response(reply.status_code, headers=kept, content=content)
    except _StoppedError:
        failure = stopped or RuntimeError("The request was stopped.")
    except httpx.ConnectError:
        failure = NotSentError(
            f"{core.host} can't be reached, so nothing was sent or billed. "
            "Check the network (and base_url), then run again; without a network use Client.offline()."
        )
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
        failure = _broken(core, error, sent)
    # Raised here, not above: httpx's exceptions hang on to the request, and a traceback shows them.
    raise failure


def _broken(core: Core, error: Exception, sent: bool) -> TTAPIError:
    late = isinstance(error, TimeoutError | httpx.TimeoutException)
    if not sent:
        what = (
            f"did not take the connection within {core.timeout:g} seconds"
            if late
            else "could not be spoken to"
        )
        return NotSentError(
            f"{core.host} {what}, so nothing was sent or billed. Check the network, then run again."
        )
    what = (
        f"No answer came within {core.timeout:g} seconds"
        if late
        else "The line broke before the whole answer was here"
    )
    return UnknownOutcomeError(f"{what}. {MAY_BE_BILLED}")


class _StoppedError(Exception):
    """Ends a request before its first byte leaves."""


async def _read(reply: httpx.Response) -> bytes:
    parts = bytearray()
    async for part in reply.aiter_bytes():
        parts += part
        if len(parts) > REPLY_CAP:
            raise httpx.StreamError(f"a reply of over {REPLY_CAP} bytes")
    return bytes(parts)

"""Fetching pictures from the web: without a key, up to a size, within a time, and from where it is allowed."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING

from .errors import DownloadError

if TYPE_CHECKING:
    import httpx

__all__ = ["download", "origin"]

SIZE_CAP = 100 * 10**6
DEADLINE = 60.0
MOST_HOPS = 5
LAST_PORT = 65_535
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port, for telling whether two URLs lead to the same place."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


async def download(
    url: str,
    *,
    public_only: bool = False,
    own: httpx.URL | str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    deadline: float = DEADLINE,
    size_cap: int = SIZE_CAP,
) -> bytes:
    """The bytes behind `url`, fetched without any key.

    `public_only` allows only https to public addresses, and the origin of `own`, at every redirect: the rule
    for URLs that a service named rather than the user. `transport` replaces the network for `own`'s origin only.
    `deadline` is in seconds for the whole of it, `size_cap` in bytes. Raises `DownloadError`.
    """
    # Here, not above: importing this package must not load httpx.
    import httpx

    own = None if own is None else httpx.URL(own)
    # This machine's own services are spoken to directly, whatever proxy the environment names.
    mounts: dict[str, httpx.AsyncBaseTransport | None] = {f"all://{host}": None for host in LOOPBACK}
    if own is not None and transport is not None:
        mounts[f"{own.scheme}://{own.netloc.decode()}"] = transport
    failure = "it answered too often with another address"
    try:
        async with (
            asyncio.timeout(deadline),
            httpx.AsyncClient(mounts=mounts, timeout=httpx.Timeout(None)) as client,
        ):
            hop = httpx.URL(url)
            for _ in range(MOST_HOPS):
                await _check(hop, public_only, own)
                async with client.stream("GET", hop, headers={"Accept-Encoding": "identity"}) as reply:
                    if reply.next_request is not None:
                        hop = reply.next_request.url
                        continue
                    if reply.status_code != httpx.codes.OK:
                        failure = f"the server answered {reply.status_code}"
                        break
                    return await _read(reply, size_cap)
    except DownloadError:
        raise
    except TimeoutError:
        failure = f"it took longer than {deadline:g} seconds"
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeError) as error:
        failure = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    raise DownloadError(f"{_short(url)} could not be fetched: {failure}.")


async def _read(reply: httpx.Response, size_cap: int) -> bytes:
    parts = bytearray()
    async for part in reply.aiter_raw():
        parts += part
        if len(parts) > size_cap:
            raise DownloadError(
                f"{_short(str(reply.url))} is over {size_cap // 10**6} MB, and was not read to its end."
            )
    return bytes(parts)


async def _check(url: httpx.URL, public_only: bool, own: httpx.URL | None) -> None:
    if url.scheme not in ("http", "https") or not url.host:
        raise DownloadError(f"{_short(str(url))} is not an http or https address.")
    if origin(url)[2] > LAST_PORT:
        raise DownloadError(f"{_short(str(url))} names a port that can't be.")
    if not public_only or (own is not None and origin(url) == origin(own)):
        return
    if url.scheme != "https":
        raise DownloadError(
            f"{_short(str(url))} is not an https address, and results are fetched over https only."
        )
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            url.host, url.port or 443, type=socket.SOCK_STREAM
        )
    except OSError:
        raise DownloadError(f"The address of {url.host} could not be found.") from None
    if not all(ipaddress.ip_address(address[4][0]).is_global for address in found):
        raise DownloadError(
            f"{url.host} is a private address, and results are fetched from public ones only."
        )


def _short(url: str) -> str:
    # A signed URL's query is a secret of its own, and long.
    bare = url.partition("?")[0]
    return bare if len(bare) <= 120 else bare[:117] + "..."

"""Fetching pictures from the web: without a key, up to a size, within a time, and from where it is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .coding import CodingError, TooLargeError, codings, unpacking
from .errors import DownloadError

if TYPE_CHECKING:
    import httpx

    from .network.ways import LookUp

__all__ = ["allowed_origin", "download", "origin"]

SIZE_CAP = 100 * 10**6
DEADLINE = 60.0
MOST_HOPS = 5
LAST_PORT = 65_535
OF_A_RESULT = "is a private address, and results are fetched from public ones only. " + (
    'If it is your own, name its origin when the client is made, as in fetch_from=("http://10.0.0.5:9000",).'
)
OF_A_PICTURE = (
    "is a private address, and pictures are fetched from public ones only. If it is your own, open it with "
    "open_image(url, allow_private=True)."
)


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port, for telling whether two URLs lead to the same place."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def allowed_origin(url: httpx.URL | str, origins: Iterable[httpx.URL | str | None]) -> bool:
    """Whether `url` leads to one of these origins (scheme, host and port); what is no web address leads nowhere."""
    # Here, not above: importing this package must not load httpx.
    import httpx

    try:
        place = origin(httpx.URL(url))
        return any(place == origin(httpx.URL(one)) for one in origins if one)
    except (httpx.InvalidURL, TypeError, UnicodeError):
        return False


async def download(
    url: str,
    *,
    public_only: bool = False,
    own: httpx.URL | str | None = None,
    fetch_from: Sequence[str] = (),
    allow_private: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
    deadline: float = DEADLINE,
    size_cap: int = SIZE_CAP,
    look_up: LookUp | None = None,
) -> bytes:
    """The bytes behind `url`, fetched without any key; a few redirects are followed, each held to the same rule.

    The rule: public addresses only, unless `allow_private`. With `public_only`, for URLs that a service named rather
    than the user, https only too, but for the origins of `own` and `fetch_from`, where anything will do. A host is
    looked up once (with `look_up`), and what is connected to is what was checked. A proxy of the environment looks
    hosts up itself: behind one only addresses that are written out are refused.

    `transport` replaces the network for `own`'s origin only. `deadline` is in seconds for the whole of it, `size_cap`
    in bytes. Raises `DownloadError`.
    """
    # Long, because what is asked, followed and refused of one address is one story.
    import httpx

    from .network import ways

    def is_open(hop: httpx.URL) -> bool:
        _check(hop)
        if allow_private or allowed_origin(hop, (own, *fetch_from)):
            return True
        if public_only and hop.scheme != "https":
            raise DownloadError(
                f"{_short(hop)} is not an https address, and results are fetched over https only. If it is your own, "
                f'name its origin when the client is made, as in fetch_from=("{hop.scheme}://{hop.netloc.decode()}",).'
            )
        return False

    web = ways.CheckedTransport(
        is_open, OF_A_RESULT if public_only else OF_A_PICTURE, look_up or ways.look_up
    )
    mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
    if own is not None and transport is not None:
        own = httpx.URL(own)
        mounts[f"{own.scheme}://{own.netloc.decode()}"] = transport
    try:
        hop = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, UnicodeError):
        raise DownloadError(f"{_short(url)} is not a web address.") from None
    failure, place, name = "it answered too often with another address", hop, _name(hop)
    try:
        async with (
            asyncio.timeout(deadline),
            httpx.AsyncClient(
                transport=web, mounts=mounts, timeout=httpx.Timeout(None), trust_env=False
            ) as client,
        ):
            headers = {"Accept-Encoding": "identity"}
            for _ in range(MOST_HOPS):
                _check(hop)
                place = _bare(hop)
                async with client.stream("GET", place, headers=headers, auth=name) as reply:
                    if reply.next_request is not None:
                        hop = reply.next_request.url
                        # The user's password is for the place it was given for.
                        name = name if origin(hop) == origin(place) else None
                        continue
                    if reply.status_code != httpx.codes.OK:
                        failure = _status(reply, place)
                        break
                    return await _read(reply, size_cap)
    except DownloadError:
        raise
    except TimeoutError:
        failure = f"it took longer than {deadline:g} seconds"
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        failure = (ways.reason(error, place) or reason[:300]).removesuffix(".")
    raise DownloadError(f"{_short(url)} could not be fetched: {failure}.")


def _check(url: httpx.URL) -> None:
    if url.scheme not in ("http", "https") or not url.host:
        raise DownloadError(f"{_short(url)} is not an http or https address.")
    if origin(url)[2] > LAST_PORT:
        raise DownloadError(f"{_short(url)} names a port that can't be.")


def _bare(url: httpx.URL) -> httpx.URL:
    """The URL without a user's name and password: what is requested is logged."""
    return url.copy_with(username=None, password=None)


def _name(url: httpx.URL) -> tuple[str, str] | None:
    return (url.username, url.password) if url.userinfo else None


def _status(reply: httpx.Response, place: httpx.URL) -> str:
    if reply.status_code == 407:
        # Here, not above: importing this package must not load httpx.
        import httpx

        from .network import ways

        reason = ways.reason(httpx.ProxyError("407"), place)
        if reason:
            return reason.removesuffix(".")
    return f"the server answered {reply.status_code}"


async def _read(reply: httpx.Response, size_cap: int) -> bytes:
    parts = bytearray()
    async for part in reply.aiter_raw():
        parts += part
        if len(parts) > size_cap:
            raise _too_large(reply.url, size_cap)
    if not codings(reply.headers):
        return bytes(parts)
    # A server may have packed it against our wish.
    try:
        return await asyncio.to_thread(_unpacked, dict(reply.headers), bytes(parts), size_cap)
    except TooLargeError:
        raise _too_large(reply.url, size_cap) from None
    except CodingError as error:
        raise DownloadError(f"{_short(reply.url)} could not be read: {error}.") from None


def _unpacked(headers: dict[str, str], data: bytes, size_cap: int) -> bytes:
    unpack = unpacking(headers, size_cap)
    return b"".join((*unpack.feed(data), *unpack.end()))


def _too_large(url: httpx.URL, size_cap: int) -> DownloadError:
    return DownloadError(f"{_short(url)} is over {size_cap // 10**6} MB, and was not read to its end.")


def _short(url: httpx.URL | str) -> str:
    # A signed URL's query is a secret of its own, and long; so is what stands before a host.
    bare = str(url).partition("?")[0].partition("#")[0]
    scheme, separator, rest = bare.partition("://")
    place, slash, path = rest.partition("/")
    bare = f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"
    return bare if len(bare) <= 120 else bare[:117] + "..."

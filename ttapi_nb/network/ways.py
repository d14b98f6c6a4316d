"""The ways to an address: through the environment's proxy, or straight; and why one failed, in words."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

import httpx

from ..errors import DownloadError, NotSentError, SettingsError
from .address import is_local_name, is_loopback, is_public, literal
from .early import KEPT, listening
from .proxy import SYSTEM, Proxy, proxy_for, variable_for
from .tls import FILE_VARIABLE, believes_nobody, named_certificates, secure_context

__all__ = ["CheckedTransport", "LookUp", "SetUp", "host_of", "look_up", "reason", "set_up", "told", "way_to"]

T = TypeVar("T")

LookUp: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the numeric addresses of a host; raises `OSError` where there are none."""

# In seconds, for each of a name's addresses but the last: one of them may lead nowhere.
CONNECT = 8.0
MOST_ADDRESSES = 16
TOO_MANY_FILES = (
    "Too many files are open in this process, so no line could be made. Close some, or restart the kernel."
)


def host_of(url: httpx.URL) -> str:
    """The host of a URL as it is looked up and connected to."""
    return url.raw_host.decode("ascii")


def proxy_of(url: httpx.URL) -> Proxy | None:
    """The proxy on the way to `url`; this machine's own services are spoken to directly. Raises `SettingsError`."""
    host = host_of(url)
    return None if is_loopback(host) else proxy_for(url.scheme, host, url.port)


SetUp: TypeAlias = tuple[Proxy | None, ssl.SSLContext | None]
"""What leads to an address: a proxy, or none, and what secures the line, or nothing."""


def set_up(url: httpx.URL) -> SetUp:
    """What the environment says now of the way to `url`: where it is the same, so is the way.

    It reads files, so it is not called on the loop's thread. Raises `SettingsError` where proxy or certificates are
    not what they should be.
    """
    return _tried(url, lambda proxy: (proxy, _context(url, proxy)))


def way_to(url: httpx.URL, keep: int = 0) -> httpx.AsyncHTTPTransport:
    """A transport that opens connections to `url`, through the environment's proxy where one is set, as `set_up` does.

    It keeps as many lines as `keep` says for the next request, for `early.KEPT` seconds.
    """
    return _tried(url, lambda proxy: _transport(proxy, _context(url, proxy), keep))


def _tried(url: httpx.URL, work: Callable[[Proxy | None], T]) -> T:
    proxy = proxy_of(url)
    failure = ""
    try:
        return work(proxy)
    except SettingsError:
        raise
    except Exception as error:  # noqa: BLE001 - what is wrong with a machine's set-up comes as any error at all
        failure = TOO_MANY_FILES if _out_of_files(error) else _not_set_up(error, proxy)
    raise SettingsError(failure)


def _context(url: httpx.URL, proxy: Proxy | None) -> ssl.SSLContext | None:
    secure = url.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
    return secure_context() if secure else None


def _transport(proxy: Proxy | None, context: ssl.SSLContext | None, keep: int) -> httpx.AsyncHTTPTransport:
    # Where nothing is secured no certificate is read; this one believes nobody.
    context = context or believes_nobody()
    over = None
    if proxy is not None:
        tls = context if proxy.url.startswith("https:") else None
        over = httpx.Proxy(proxy.url, auth=proxy.auth, ssl_context=tls)
    # A failed connect left nothing behind, so trying it once more is safe; nothing else is tried again.
    # Unless said otherwise no line is used twice: to the same address another name's certificate would not be looked
    # at again.
    limits = httpx.Limits(max_keepalive_connections=keep, keepalive_expiry=KEPT)
    return listening(
        httpx.AsyncHTTPTransport(verify=context, trust_env=False, retries=1, proxy=over, limits=limits)
    )


def _not_set_up(error: Exception, proxy: Proxy | None) -> str:
    where = f" Look at {proxy.variable} first." if proxy is not None else ""
    return f"The network could not be set up ({type(error).__name__}).{where} Restart the kernel, then try again."


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system knows them."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in entries]


class CheckedTransport(httpx.AsyncBaseTransport):
    """Opens connections only to where it is allowed: one look-up, whose very addresses are checked and connected to.

    `is_open(url)` says whether any address will do for a URL, and raises `DownloadError` where none does. `refused`
    is what is said of a private address, with the host before it. Behind a proxy, which looks names up itself, only
    addresses that are written out and names of this machine can be refused.
    """

    def __init__(self, is_open: Callable[[httpx.URL], bool], refused: str, look_up: LookUp = look_up) -> None:
        self._is_open = is_open
        self._refused = refused
        self._look_up = look_up
        self._ways: list[httpx.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        is_open = self._is_open(url)
        problem = ""
        try:
            way, proxied = await asyncio.to_thread(self._way, url)
        except SettingsError as error:
            problem = str(error)
        if problem:
            raise DownloadError(problem)
        if is_open:
            return await way.handle_async_request(request)
        host = host_of(url)
        if proxied:
            written = literal(host)
            if is_local_name(host) or (written is not None and not is_public(written)):
                raise DownloadError(f"{host} {self._refused}")
            return await way.handle_async_request(request)
        return await _first_of(way, request, await self._public_addresses(url, host))

    def _way(self, url: httpx.URL) -> tuple[httpx.AsyncBaseTransport, bool]:
        way = way_to(url)
        self._ways.append(way)
        return way, proxy_of(url) is not None

    async def _public_addresses(self, url: httpx.URL, host: str) -> Sequence[str]:
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        addresses: Sequence[str] = ()
        short = False
        try:
            addresses = tuple(dict.fromkeys(await self._look_up(host, port)))
        except (OSError, UnicodeError) as error:
            short = _out_of_files(error)
        if not addresses:
            raise DownloadError(TOO_MANY_FILES if short else f"The address of {host} could not be found.")
        if not all(map(is_public, addresses)):
            raise DownloadError(f"{host} {self._refused}")
        return addresses[:MOST_ADDRESSES]

    async def aclose(self) -> None:
        for way in self._ways:
            await way.aclose()


async def _first_of(
    way: httpx.AsyncBaseTransport, request: httpx.Request, addresses: Sequence[str]
) -> httpx.Response:
    """The answer of the first address that takes the connection; certificate and Host are the name's."""
    name = host_of(request.url).rstrip(".")
    failure: httpx.TransportError | None = None
    for address in addresses:
        times = dict(request.extensions.get("timeout", {}))
        if address != addresses[-1]:
            times["connect"] = CONNECT
        try:
            return await way.handle_async_request(
                httpx.Request(
                    request.method,
                    request.url.copy_with(host=address),
                    headers=request.headers.raw,
                    stream=request.stream,
                    extensions={**request.extensions, "sni_hostname": name, "timeout": times},
                )
            )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    raise failure or httpx.ConnectError("There is no address.")


def told(error: BaseException, url: httpx.URL) -> NotSentError | None:
    """The error to raise where no line to `url` was made, or None where the cause is none that is known here.

    Only for what went wrong before a request's first byte left.
    """
    why = reason(error, url)
    return NotSentError(f"{why} So nothing was sent or billed.") if why else None


def reason(error: BaseException, url: httpx.URL) -> str:
    """Why no line to `url` was made, as a sentence with what to do, or nothing where the error has no special cause.

    It names the variable of the environment that has to do with it, and repeats nothing of what that says.
    """
    host = host_of(url)
    variable = "" if is_loopback(host) else variable_for(url.scheme, host, url.port)
    chain = tuple(_chain(error))
    refused = next((link for link in chain if isinstance(link, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return _untrusted(refused, host)
    if any(map(_out_of_files, chain)):
        return TOO_MANY_FILES
    if variable and isinstance(error, httpx.ProxyError):
        return _proxy_problem(str(error), variable, host)
    if variable and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return (
            f"No line was made to {host} through the proxy that {variable} names. Check the proxy and the variable, or "
            f"leave {host} out of it with NO_PROXY."
        )
    if any(isinstance(link, socket.gaierror) for link in chain):
        return f"The address of {host} could not be found. Check how it is spelled, and the network."
    insecure = next((link for link in chain if isinstance(link, ssl.SSLError)), None)
    if insecure is not None:
        why = (
            re.sub(r"[^\w ]", "", str(getattr(insecure, "reason", None) or "")).lower().replace("_", " ")[:80]
        )
        return (
            f"No secure line could be made to {host} ({why or 'TLS failed'}). Check that https is right for it, the "
            "port, and what stands between here and there."
        )
    if isinstance(error, ImportError):
        return (
            f"A package that the network needs can't be loaded ({error.name or 'unknown'}). Install it first."
        )
    if isinstance(error, httpx.InvalidURL):
        return (
            "An address that the network needs is none. Check base_url and the variables that name proxies."
        )
    return ""


def _proxy_problem(words: str, variable: str, host: str) -> str:
    status = re.match(r"[0-9]{3}\b", words)
    if status is not None and status[0] == "407":
        return _wants_password(variable)
    what = f"HTTP {status[0]}" if status is not None else words[:100]
    return (
        f"The proxy that {variable} names makes no line to {host} ({what}). Ask whoever runs it, or leave the host out "
        "with NO_PROXY."
    )


def _wants_password(variable: str) -> str:
    """What to do where a proxy answers 407."""
    how = "" if variable == SYSTEM else f", as in {variable}=http://user:password@host:port"
    return (
        f"The proxy that {variable} names wants a user name and a password (HTTP 407). Write the right ones into its "
        f"address{how}."
    )


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> str:
    why = re.sub(r"[^\w' ,.:-]", "", str(getattr(error, "verify_message", "")))[:120] or "it is not trusted"
    variable = named_certificates()
    if variable:
        return (
            f"The certificate of {host} was not accepted ({why}): {variable} says whose certificates are. Add the "
            "right one to what it names, or unset it for the system's."
        )
    return (
        f"The certificate of {host} was not accepted ({why}). Where a company's network opens what passes, add its "
        f"certificate to the system's, or name its file with the environment variable {FILE_VARIABLE}."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it came from."""
    for _ in range(20):
        if error is None:
            return
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def _out_of_files(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno == errno.EINVAL):
        # A look-up that can open no file says only that it failed, or that it was asked for something odd.
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as failure:
            return _out_of_files(failure)
        return False
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)

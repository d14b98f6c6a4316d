"""`Client` and `AsyncClient`: the endpoint as it is, checked, sent once, with a typed reply."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx

from .. import loop
from ..download import LAST_PORT, download, origin
from ..errors import InvalidRequestError, NotSentError, SettingsError, TTAPIError, UnknownOutcomeError
from ..request import EditFields, EditRequest
from .replies import MAY_BE_BILLED, interpret, parse
from .responses import ImageData, ImagesResponse, fetched, read_response
from .secret import KEY_VARIABLE, Secret, find_key
from .transport import SENT_EVENT, EmbeddedTransport, KeyTransport, is_loopback, network_transport
from .wire import WIRES, Wire, encode, problems

if TYPE_CHECKING:
    from ..service import Fill, Service

__all__ = ["DEFAULT_BASE_URL", "OFFLINE_VARIABLE", "AsyncClient", "Client", "Core", "default_client"]

DEFAULT_BASE_URL = "https://api.ttapi.io/v1"
# A name that can't exist, so that nothing meant for the embedded service can ever reach a network.
EMBEDDED_BASE_URL = "http://embedded.invalid/v1"
OFFLINE_VARIABLE = "TTAPI_OFFLINE"
EMBEDDED_HEADER = "TTAPI-NB-Service"
REPLY_CAP = 500 * 10**6
# httpx limits each read alone; one deadline over all of them is what people mean.
NO_LIMIT = httpx.Timeout(None)


@dataclass(frozen=True)
class Core:
    """What both clients share: where requests go, how they are written, and the one way to send one."""

    base_url: httpx.URL
    wire: Wire
    plain_base64: bool
    timeout: float
    make_transport: Callable[[], httpx.AsyncBaseTransport]
    secret: Secret | None
    offline: bool

    def problems(self, request: EditRequest) -> tuple[str, ...]:
        """What the service would refuse, or this client's body form can't carry."""
        return (*request.problems(), *problems(request, self.wire))

    async def edit(self, check: bool, given: dict[str, Any]) -> ImagesResponse:
        """Open the pictures of an edit and send it."""
        request = await loop.open_in_thread(lambda: EditRequest.make(**given))
        return await self.send(request, check=check)

    async def send(
        self, request: EditRequest, *, check: bool = True, on_sent: Callable[[], None] = lambda: None
    ) -> ImagesResponse:
        """Send `request` once and read the reply; `on_sent` is called as the first byte leaves.

        Raises `InvalidRequestError`, `NotSentError`, `RefusedError` or `UnknownOutcomeError`.
        """
        found = await asyncio.to_thread(self.problems, request) if check else ()
        if found:
            raise InvalidRequestError(found)
        body = await asyncio.to_thread(encode, request, self.wire, plain_base64=self.plain_base64)
        reply = await self._post(body.content_type, body.data, on_sent)
        embedded = reply.headers.get(EMBEDDED_HEADER) == "embedded"
        # A service may quote the key in what it answers. No name here holds that text: a traceback shows them.
        scrub = self.secret.scrub if self.secret else str
        parsed = await asyncio.to_thread(parse, reply.content, scrub)
        return await read_response(interpret(reply.status_code, parsed), offline=embedded, fetch=self.fetch)

    async def fetch(self, url: str) -> bytes:
        """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
        transport = self.make_transport() if self.offline else None
        return await download(url, public_only=True, own=self.base_url, transport=transport)

    async def fetch_again(self, item: ImageData) -> ImageData:
        """`item` with its picture, where its URL still lives."""
        return await fetched(item, self.fetch)

    async def _post(self, content_type: str, data: bytes, on_sent: Callable[[], None]) -> httpx.Response:
        transport = self.make_transport()
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
        url = f"{str(self.base_url).rstrip('/')}/images/edits"
        try:
            async with (
                asyncio.timeout(self.timeout),
                httpx.AsyncClient(transport=transport, timeout=NO_LIMIT, follow_redirects=False) as client,
                client.stream(
                    "POST", url, content=data, headers=headers, extensions={"trace": trace}
                ) as reply,
            ):
                content = await _read(reply)
                # It is decoded by now, though a gateway may have compressed it against our wish.
                kept = {name: reply.headers[name] for name in reply.headers if name != "content-encoding"}
                return httpx.Response(reply.status_code, headers=kept, content=content)
        except _StoppedError:
            failure = stopped or RuntimeError("The request was stopped.")
        except httpx.ConnectError:
            failure = NotSentError(
                f"{self.base_url.host} can't be reached, so nothing was sent or billed. "
                "Check the network (and base_url), then run again; without a network use Client.offline()."
            )
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError) as error:
            failure = self._broken(error, sent)
        # Raised here, not above: httpx's exceptions hang on to the request, and a traceback shows them.
        raise failure

    def _broken(self, error: Exception, sent: bool) -> TTAPIError:
        late = isinstance(error, TimeoutError | httpx.TimeoutException)
        if not sent:
            what = (
                f"did not take the connection within {self.timeout:g} seconds"
                if late
                else "could not be spoken to"
            )
            return NotSentError(
                f"{self.base_url.host} {what}, so nothing was sent or billed. Check the network, then run again."
            )
        what = (
            f"No answer came within {self.timeout:g} seconds"
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


class _Base:
    """What the two clients are made of; see `Client`."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str = DEFAULT_BASE_URL,
        wire: Wire = "json",
        auth_header: str = "TT-API-KEY",
        auth_scheme: str = "",
        timeout: float = 300.0,
        plain_base64: bool = False,
        allow_http: bool = False,
    ) -> None:
        if os.environ.get(OFFLINE_VARIABLE) == "1":
            api_key = None
            self._embed(_new_service(), wire=wire, timeout=timeout, plain_base64=plain_base64)
            return
        given = Secret(api_key) if api_key is not None else None
        # A traceback shows this frame: it must not hold the key when something below raises.
        api_key = None
        secret = find_key(given)
        url = _web_address(base_url)
        if url.scheme == "http" and not is_loopback(url) and not allow_http:
            raise SettingsError(
                f"base_url={base_url!r} is plain http, where anyone on the way can read the key. "
                "Use https, or allow_http=True where you trust the network."
            )
        _check_settings(wire, timeout)
        _check_header(auth_header, auth_scheme)

        def make_transport() -> httpx.AsyncBaseTransport:
            return KeyTransport(network_transport(url), url, secret, auth_header, auth_scheme)

        self._core = Core(url, wire, plain_base64, timeout, make_transport, secret, offline=False)

    @classmethod
    def offline(
        cls,
        *,
        seed: int = 0,
        leaky: bool = False,
        fill: Fill | None = None,
        service: Service | None = None,
        wire: Wire = "json",
        timeout: float = 300.0,
        plain_base64: bool = False,
    ) -> Self:
        """A client of the embedded service in this process: no key, no socket, the same calls and errors.

        The service does not read the prompt, but for colour words, which tint what it fills in. `seed` makes its
        results repeatable; `leaky` lets it repaint a little everywhere, as hosted models do; `fill(image, mask,
        prompt, seed)` replaces its fill with your own function, for a diffusion model on your own machine, say.
        `service` is a `Service` made elsewhere, instead of these three.
        """
        made = cls.__new__(cls)
        made._embed(
            service or _new_service(seed=seed, leaky=leaky, fill=fill),
            wire=wire,
            timeout=timeout,
            plain_base64=plain_base64,
        )
        return made

    def _embed(self, service: Service, *, wire: Wire, timeout: float, plain_base64: bool) -> None:
        _check_settings(wire, timeout)
        url = httpx.URL(EMBEDDED_BASE_URL)
        self._core = Core(
            url, wire, plain_base64, timeout, lambda: EmbeddedTransport(service), None, offline=True
        )

    _core: Core

    @property
    def is_offline(self) -> bool:
        """Whether the embedded service in this process answers."""
        return self._core.offline

    @property
    def core(self) -> Core:
        """The part that both clients share, for the rest of this package."""
        return self._core

    def __repr__(self) -> str:
        name = type(self).__name__
        if not hasattr(self, "_core"):
            # A traceback shows a client that could not be made.
            return f"<{name}, not made>"
        return (
            f"{name}.offline()"
            if self.is_offline
            else f"{name}({str(self._core.base_url)!r}, wire={self._core.wire!r})"
        )


def _web_address(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme in ("http", "https") and url.host and origin(url)[2] <= LAST_PORT:
        return url
    raise SettingsError(f"base_url={base_url!r} is not a web address. It looks like {DEFAULT_BASE_URL}.")


def _check_header(name: str, scheme: str) -> None:
    # Found here, not while sending, when nobody could tell whether the request had left.
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise SettingsError(f"auth_header={name!r} can't be a header's name. Leave it out for TT-API-KEY.")
    if not (scheme.isascii() and scheme.isprintable()):
        raise SettingsError(f"auth_scheme={scheme!r} can't stand in a header. Leave it out, or use Bearer.")


def _check_settings(wire: str, timeout: float) -> None:
    if wire not in WIRES:
        raise SettingsError(f"wire={wire!r} is not known. Use one of {', '.join(WIRES)}.")
    if not timeout > 0:
        raise SettingsError(f"timeout={timeout!r} is not a number of seconds over 0. Leave it out for 300.")


def _new_service(**settings: Any) -> Service:
    # Here, not above: a client of the network needs nothing of the embedded service.
    from ..service import Service

    return Service(**settings)


class _Images:
    def __init__(self, core: Core) -> None:
        self._core = core

    def edit(self, *, check: bool = True, **fields: Unpack[EditFields]) -> ImagesResponse:
        """Edit a picture: send one request, wait for the answer. The fields are those of `EditRequest`.

        Pictures are paths, URLs, bytes, open files, PIL images or numpy arrays; they go out in the format they came
        in, without metadata. With `check` (the default) the request's problems are raised as `InvalidRequestError`
        before anything is sent.

        Raises `ImageError`, `MaskError`, `NotSentError`, `RefusedError` or `UnknownOutcomeError`.
        """
        return loop.call(self._core.edit(check, dict(fields)))


class _AsyncImages:
    def __init__(self, core: Core) -> None:
        self._core = core

    async def edit(self, *, check: bool = True, **fields: Unpack[EditFields]) -> ImagesResponse:
        """As `Client.images.edit`, awaited; it can be awaited on any event loop."""
        return await asyncio.wrap_future(loop.submit(self._core.edit(check, dict(fields))))


def _show_fields(*methods: Any) -> None:
    """Let editors and Jupyter's help list the fields by name."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    listed = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for item in fields(EditRequest):
        default = (
            item.default if item.name not in ("image", "prompt", "extra_body") else inspect.Parameter.empty
        )
        default = {} if item.name == "extra_body" else default
        listed.append(inspect.Parameter(item.name, keyword, default=default))
    listed.append(inspect.Parameter("check", keyword, default=True))
    for method in methods:
        method.__signature__ = inspect.Signature(listed, return_annotation="ImagesResponse")


_show_fields(_Images.edit, _AsyncImages.edit)


class Client(_Base):
    """A client of TTAPI's image-editing endpoint: `client.images.edit(image=…, prompt=…)`.

    * `api_key`: left out, the environment's `TT_API_KEY`. It is never shown, logged, pickled or sent elsewhere.
    * `base_url`: the API's address, or a gateway's.
    * `wire`: how the body is written: `"json"`, `"multipart"` or `"references"`.
    * `auth_header`, `auth_scheme`: how the key is sent; `("Authorization", "Bearer")` for OpenAI's way.
    * `timeout`: seconds for the whole of a request, from connecting to the answer's last byte.
    * `plain_base64`: in the json form, send pictures without the `data:…;base64,` before them.
    * `allow_http`: send the key over plain http to another machine.

    The environment's `TTAPI_OFFLINE=1` makes every client one of the embedded service, so that nothing is spent.
    Raises `MissingKeyError` or `SettingsError`. A request is never sent a second time once a byte of it has left.
    """

    @property
    def images(self) -> _Images:
        """The images endpoints."""
        return _Images(self._core)


class AsyncClient(_Base):
    """`Client` for `await`: the same settings, and `await client.images.edit(…)` on any event loop."""

    @property
    def images(self) -> _AsyncImages:
        """The images endpoints."""
        return _AsyncImages(self._core)


def default_client() -> Client:
    """A client with the environment's key, or where there is none one of the embedded service."""
    return Client() if os.environ.get(KEY_VARIABLE, "").strip() else Client.offline()

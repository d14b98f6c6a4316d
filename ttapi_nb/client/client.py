"""`Client` and `AsyncClient`: the endpoint as it is, checked, sent once, with a typed reply."""

from __future__ import annotations

import functools
import inspect
import os
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self, Unpack

from ..errors import SettingsError
from ..request import EditFields, EditRequest
from .core import Core
from .secret import KEY_VARIABLE, Secret, find_key
from .wire import WIRES, Wire

if TYPE_CHECKING:
    from ..service import Fill, Service
    from .responses import ImagesResponse

__all__ = ["DEFAULT_BASE_URL", "OFFLINE_VARIABLE", "AsyncClient", "Client", "default_client"]

DEFAULT_BASE_URL = "https://api.ttapi.io/v1"
# A name that can't exist, so that nothing meant for the embedded service can ever reach a network.
EMBEDDED_BASE_URL = "http://embedded.invalid/v1"
OFFLINE_VARIABLE = "TTAPI_OFFLINE"


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
            self._embed(None, {}, wire=wire, timeout=timeout, plain_base64=plain_base64)
            return
        given = Secret(api_key) if api_key is not None else None
        # A traceback shows this frame: it must not hold the key when something below raises.
        api_key = None
        secret = find_key(given)
        if not _is_private_way(base_url) and not allow_http:
            raise SettingsError(
                f"base_url={base_url!r} is plain http, where anyone on the way can read the key. "
                "Use https, or allow_http=True where you trust the network."
            )
        _check_settings(wire, timeout)
        _check_header(auth_header, auth_scheme)
        self._core = Core(base_url, wire, plain_base64, timeout, secret, auth_header, auth_scheme)

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
        settings = {"seed": seed, "leaky": leaky, "fill": fill}
        made._embed(service, settings, wire=wire, timeout=timeout, plain_base64=plain_base64)
        return made

    def _embed(
        self,
        service: Service | None,
        settings: dict[str, Any],
        *,
        wire: Wire,
        timeout: float,
        plain_base64: bool,
    ) -> None:
        _check_settings(wire, timeout)

        @functools.cache
        def made() -> Service:
            # With the first request, not before: the service loads what it paints with.
            from ..service import Service

            return service or Service(**settings)

        self._core = Core(EMBEDDED_BASE_URL, wire, plain_base64, timeout, service=made)

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
            else f"{name}({self._core.base_url!r}, wire={self._core.wire!r})"
        )


def _is_private_way(base_url: str) -> bool:
    """Whether nobody on the way to `base_url` can read along; raises `SettingsError` where it is no web address."""
    # Here, not above: only a client of the network needs httpx before it sends.
    import httpx

    from ..download import LAST_PORT, origin
    from .transport import is_loopback

    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or origin(url)[2] > LAST_PORT:
        raise SettingsError(f"base_url={base_url!r} is not a web address. It looks like {DEFAULT_BASE_URL}.")
    return url.scheme == "https" or is_loopback(url)


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
        from .. import loop

        return loop.call(self._core.edit(check, dict(fields)))


class _AsyncImages:
    def __init__(self, core: Core) -> None:
        self._core = core

    async def edit(self, *, check: bool = True, **fields: Unpack[EditFields]) -> ImagesResponse:
        """As `Client.images.edit`, awaited; it can be awaited on any event loop."""
        import asyncio

        from .. import loop

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

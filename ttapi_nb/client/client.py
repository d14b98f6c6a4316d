"""`Client` and `AsyncClient`: the endpoint as it is, checked, sent once, with a typed reply."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, TypedDict, Unpack

from ..errors import SettingsError
from . import cassette, checks, ways
from .core import Core
from .forms import CHECKS as FORM_CHECKS
from .forms import FORMS
from .gate import AT_ONCE, Gate
from .images import AsyncImages, Images
from .key import Secret, find_key, held, is_same, look_for_key
from .place import address_here, hub_token_for
from .ways import DEFAULT_BASE_URL, Network

if TYPE_CHECKING:
    from ..service import Fill, Service
    from .cassette import Match, Recorded

__all__ = [
    "DEFAULT_BASE_URL",
    "OFFLINE_VARIABLE",
    "AsyncClient",
    "Client",
    "default_client",
    "is_offline_forced",
]

Wire: TypeAlias = Literal["json", "multipart", "references"]
"""The names of the body forms that come with the package; see `forms`."""
OFFLINE_VARIABLE = "TTAPI_OFFLINE"


class ClientOptions(TypedDict, total=False):
    """What `Client` takes, for the signatures that pass it on."""

    api_key: str | Secret | None
    base_url: str | None
    wire: Wire
    auth_header: str
    auth_scheme: str
    timeout: float
    plain_base64: bool
    allow_http: bool
    wait_when_busy: float
    at_once: int
    per_minute: int | None
    fetch_from: Sequence[str]
    send_mode: bool | None


class _Base:
    """What the two clients are made of; see `Client`."""

    def __init__(
        self,
        api_key: str | Secret | None = None,
        *,
        base_url: str | None = None,
        wire: Wire = "json",
        auth_header: str = "TT-API-KEY",
        auth_scheme: str = "",
        timeout: float = 300.0,
        plain_base64: bool = False,
        allow_http: bool = False,
        wait_when_busy: float = 0.0,
        at_once: int = AT_ONCE,
        per_minute: int | None = None,
        fetch_from: Sequence[str] = (),
        send_mode: bool | None = None,
    ) -> None:
        # A traceback shows this frame: it must not hold the key, or an address's password, when something raises.
        problem = checks.api_key(api_key)
        own_key, api_key = held(api_key), None
        where, base_url = address_here() if base_url is None else base_url, ""
        _refuse(
            problem
            or checks.plain(
                {
                    "wire": wire,
                    "auth_header": auth_header,
                    "auth_scheme": auth_scheme,
                    "timeout": timeout,
                    "plain_base64": plain_base64,
                    "allow_http": allow_http,
                    "wait_when_busy": wait_when_busy,
                    "at_once": at_once,
                    "per_minute": per_minute,
                    "send_mode": send_mode,
                },
                FORM_CHECKS,
            )
        )
        form = FORMS[wire].made({"plain_base64": plain_base64, "send_mode": send_mode})
        if is_offline_forced():
            self._core = Core(ways.Embedded(timeout=timeout), form)
            return
        (where, problem), (further, wrong) = checks.address(where), checks.origins(fetch_from)
        fetch_from = ()
        _refuse(problem or wrong)
        secret = find_key(own_key if own_key is not None else hub_token_for(where))
        if not allow_http and not _is_private_way(where):
            raise SettingsError(
                f"base_url={where!r} is plain http, where anyone on the way can read the key. "
                "Use https, or allow_http=True where you trust the network."
            )
        gate = Gate(int(at_once), None if per_minute is None else int(per_minute))
        way = Network(where, timeout, secret, wait_when_busy, further, gate, auth_header, auth_scheme)
        self._core = Core(way, form.at(way.own_host))

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
        results repeatable; `leaky` lets it repaint outside the mask too, as hosted models do; `fill(image, mask,
        prompt, seed)` replaces its fill with your own function, for a diffusion model on your own machine, say.
        `service` is a `Service` made elsewhere, instead of these three.
        """
        settings = {"seed": seed, "leaky": leaky, "fill": fill}
        plain = {"plain_base64": plain_base64}
        arguments = {**settings, **plain, "service": service, "wire": wire, "timeout": timeout}
        _refuse(checks.plain(arguments, FORM_CHECKS))
        made = cls.__new__(cls)
        way = ways.Embedded(timeout=timeout, settings=settings, ready=service)
        made._core = Core(way, FORMS[wire].made(plain))
        return made

    @classmethod
    def record(
        cls, path: str | os.PathLike[str], *, masks: bool = False, **options: Unpack[ClientOptions]
    ) -> Self:
        """A client that keeps each exchange in the zip file at `path`, for `replay`; `options` are those of the client.

        The file is made where there is none, and added to where there is. It holds models, prompts, options, digests
        of the pictures and the results: no key, no address, no picture that was sent. It can be shared.

        `masks=True` keeps each mask too, and the name and digest of the photo: then an editor that replays the file
        fills in what was asked, and `replay(match="prompt")` knows which recording's mask is nearest to another.

        Raises `SettingsError` where the file can't be written, besides what making a client raises.
        """
        # A traceback shows this frame: it must not hold the key.
        problem = (
            checks.path(path) or checks.plain({"masks": masks}, {}) or checks.api_key(options.get("api_key"))
        )
        options["api_key"] = held(options.get("api_key"))
        try:
            _refuse(problem)
            made = cls(**options)
        finally:
            options = ClientOptions()
        way = made._core.way
        made._core = replace(
            made._core, way=ways.Recording(way, cassette.Recorder(path, way.secret, masks=masks))
        )
        return made

    @classmethod
    def replay(cls, path: str | os.PathLike[str], *, match: Match = "exact", wire: Wire = "json") -> Self:
        """A client that answers from the zip file at `path`, which `record` made: no key, no network, nothing billed.

        The same request (model, prompt, options, pixels of pictures and mask) gets the same answer, a refusal too;
        asked again, the next one that was recorded for it. Anything else is a `NotRecordedError` that names what there
        is; `recorded` lists it.

        `match="prompt"` answers a request that is not there by the nearest recording of the same prompt on the same
        photo: with the same settings before others, then with the mask most like the request's, where masks were kept.
        The answer's note says what was different; what lies outside the request's own mask is kept as ever.

        Raises `SettingsError` where the file is none that `record` made.
        """
        _refuse(checks.path(path) or checks.plain({"wire": wire, "match": match}, FORM_CHECKS))
        made = cls.__new__(cls)
        made._core = Core(ways.Replay(cassette.Player(path, match)), FORMS[wire].made({}))
        return made

    def _with_key(self, key: Secret) -> Self:
        """A client like this one, of a network, with another key. Raises `MissingKeyError`."""
        made, way = object.__new__(type(self)), self._core.way
        secret = find_key(key)
        made._core = (
            replace(self._core, way=replace(way, secret=secret)) if isinstance(way, Network) else self._core
        )
        return made

    _core: Core

    def __reduce__(self) -> tuple[Callable[[], _Base], tuple[()]]:
        # What makes it once more in another process, where no key has to go there.
        again = self._core.way.again(type(self), self._core.form)
        if again is None:
            raise TypeError(
                f"A client that {self._core.way.stays_here} can't be pickled or copied. Make it where it is needed, or "
                "leave client out there and set TT_API_KEY."
            )
        return again, ()

    @property
    def is_offline(self) -> bool:
        """Whether the embedded service in this process answers, or a recording: no key, no network, no bill."""
        return self._core.offline

    @property
    def is_replay(self) -> bool:
        """Whether a recording answers."""
        return self._core.way.repeated

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        """What a client of `replay` can be asked, in the order of recording; empty for all others."""
        return self._core.way.recorded

    @property
    def words(self) -> str:
        """What answers, in a sentence or two, for whoever is about to run an edit."""
        return self._core.way.words

    @property
    def core(self) -> Core:
        """The part that both clients share, for the rest of this package."""
        return self._core

    def __repr__(self) -> str:
        name = type(self).__name__
        if not hasattr(self, "_core"):
            # A traceback shows a client that could not be made.
            return f"<{name}, not made>"
        return self._core.way.shown(name, self._core.form)


def _refuse(problem: str) -> None:
    if problem:
        raise SettingsError(problem)


def is_offline_forced() -> bool:
    """Whether the environment makes every client one of the embedded service."""
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(OFFLINE_VARIABLE) == "1"


def _is_private_way(base_url: str) -> bool:
    """Whether nobody on the way to `base_url` can read along."""
    # Here, not above: only a client of the network needs httpx before it sends.
    import httpx

    from .transport import is_loopback

    url = httpx.URL(base_url)
    return url.scheme == "https" or is_loopback(url)


class Client(_Base):
    """A client of TTAPI's image-editing endpoint: `client.images.edit(image=…, prompt=…)`.

    * `api_key`: left out, the first of: the environment's `TT_API_KEY`, the keyring, the user's key file. `ask_key()`
      asks for one. It is never shown, logged, pickled or sent elsewhere.
    * `base_url`: the API's address, or a gateway's; left out, the environment's `TTAPI_BASE_URL`, or TTAPI's own. Where
      that is a service of the JupyterHub you are on, you have no key to give: the hub tells who you are.
    * `wire`: how the body is written: `"json"`, `"multipart"` or `"references"`.
    * `auth_header`, `auth_scheme`: how the key is sent; `("Authorization", "Bearer")` for OpenAI's way.
    * `timeout`: seconds for the whole of a request, from connecting to the answer's last byte.
    * `plain_base64`: in the json form, send pictures without the `data:…;base64,` before them.
    * `allow_http`: send the key over plain http to another machine.
    * `wait_when_busy`: for how many seconds in all, up to 3600, to wait and send a request again that the service was
      too busy for (HTTP 429 or 499), which bills nothing. It is left alone for as long as it asks to be.
    * `at_once`, `per_minute`: how many requests may be under way at once (1 to 1000), and how many may begin within any
      minute; None for no such limit. It holds for all that use this client together. Others wait for their turn, in
      order, with nothing sent and no time of theirs running; where the service takes fewer, the client learns that.
    * `fetch_from`: further places, as `"http://files.example.com:9000"`, that results by URL may be fetched from, plain
      http and private ones too; without it they come from public https addresses and from base_url's own.
    * `send_mode`: whether the multipart form sends the model as `mode` too; left out, it does to TTAPI's own
      addresses, and not to a gateway, which may know the model by another name.

    The environment's `TTAPI_OFFLINE=1` makes every client one of the embedded service, so that nothing is spent.
    Raises `MissingKeyError` or `SettingsError`. A request is never sent a second time once a byte of it has left.
    """

    @property
    def images(self) -> Images:
        """The images endpoints."""
        return Images(self._core)


class AsyncClient(_Base):
    """`Client` for `await`: the same settings, and `await client.images.edit(…)` on any event loop."""

    @property
    def images(self) -> AsyncImages:
        """The images endpoints."""
        return AsyncImages(self._core)


def default_client() -> Client:
    """A client with the key that `look_for_key` finds, or where there is none one of the embedded service.

    It is the same one as long as the key is, so that all that name no client wait for their turn together. Raises
    `SettingsError` where the key that is found can't be used.
    """
    if is_offline_forced():
        return Client.offline()
    where = address_here()
    secret = hub_token_for(where) or look_for_key()
    if secret is None:
        return Client.offline()
    known = _default.get(where)
    if known is None or known.core.secret is None or not is_same(known.core.secret, secret):
        _default.clear()
        known = _default[where] = Client(secret, base_url=where)
    return known


# By the address that it sends to.
_default: dict[str, Client] = {}

"""`Network`: the hosted service, or a gateway, with a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...text import account_at, is_own
from ..forms import Form
from ..gate import AT_ONCE, Gate
from .line import Line
from .way import Call

if TYPE_CHECKING:
    import httpx

__all__ = ["DEFAULT_BASE_URL", "Network"]

DEFAULT_BASE_URL = "https://api.ttapi.io/v1"


@dataclass(frozen=True, eq=False)
class Network(Line):
    """Sends the key as the header `auth_header`, behind the word `auth_scheme`."""

    auth_header: str = "TT-API-KEY"
    auth_scheme: str = ""
    gate: Gate = field(default_factory=Gate)

    @property
    def offline(self) -> bool:
        return False

    @property
    def shown_host(self) -> str:
        """`host` for people: as it is connected to, and what a name of other letters than ASCII's reads like."""
        read = ".".join(map(_read, self.host.split(".")))
        return self.host if read == self.host else f"{self.host}, which reads {read!r}"

    @property
    def words(self) -> str:
        return f"Sends to {self.shown_host}. Each run may cost quota."

    @property
    def own_host(self) -> bool:
        return is_own(self.host)

    @property
    def account(self) -> str:
        return account_at(self.shown_host)

    def shown(self, client: str, form: Form) -> str:
        reads = "" if self.shown_host == self.host else f" ({self.shown_host})"
        return f"{client}({self.base_url!r}{reads}, wire={form.name!r})"

    def call(self, form: Form) -> Call:
        notes = ["The key comes from the environment's TT_API_KEY. Each run may cost quota."]
        address = urlsplit(self.base_url)
        host = address.netloc.rsplit("@", 1)[-1]
        # A gateway's password stands before the host, or behind the path.
        bare = address._replace(netloc=host, query="", fragment="").geturl()
        if bare != self.base_url:
            notes.append("What stood in the address besides host and path is left out: it may be secret.")
        settings: dict[str, tuple[Any, Any]] = {
            "auth_header": (self.auth_header, "TT-API-KEY"),
            "auth_scheme": (self.auth_scheme, ""),
            "timeout": (self.timeout, 300.0),
            "wait_when_busy": (self.wait_when_busy, 0.0),
            "at_once": (self.gate.at_once, AT_ONCE),
            "per_minute": (self.gate.per_minute, None),
            "fetch_from": (list(self.fetch_from), []),
            "allow_http": (address.scheme == "http", False),
        }
        named = {name: value for name, (value, usual) in settings.items() if value != usual}
        first = {"base_url": bare} if bare != DEFAULT_BASE_URL else {}
        return Call(tuple(notes), "", (), first | form.arguments | named)

    def load(self) -> None:
        from ...network import early
        from .. import sending  # noqa: F401

        early.load()

    def set_up(self) -> object:
        import httpx

        from ..transport import network_set_up

        return network_set_up(httpx.URL(self.base_url), self.fetch_from)

    def transport(self) -> httpx.AsyncBaseTransport:
        import httpx

        from ..transport import KeyTransport, network_transport

        if self.secret is None:
            raise AssertionError("a client of the network has a key")
        url = httpx.URL(self.base_url)
        way = network_transport(url, self.fetch_from, self.gate.at_once)
        return KeyTransport(way, url, self.secret, self.auth_header, self.auth_scheme)


def _read(label: str) -> str:
    """One part of a host's name as people read it."""
    if not label.lower().startswith("xn--"):
        return label
    try:
        read = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label
    return read if read.isprintable() else label

"""`Settings`: where a client's requests go, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .secret import Secret
from .wire import Wire

if TYPE_CHECKING:
    from ..service import Service
    from .cassette import Player, Recorder

__all__ = ["Settings"]

# The service's own names. What stands at other addresses is a gateway.
OWN_HOSTS = ("ttapi.io", "ttapi.org")


@dataclass(frozen=True, eq=False)
class Settings:
    """Where requests go and how they are written. Where `service` or `player` is set, that answers, in this process;
    `recorder` keeps what is asked and answered.
    """

    # A gateway's address may hold a password.
    base_url: str = field(repr=False)
    wire: Wire
    plain_base64: bool
    timeout: float
    secret: Secret | None = None
    auth_header: str = ""
    auth_scheme: str = ""
    service: Callable[[], Service] | None = None
    recorder: Recorder | None = None
    player: Player | None = None
    wait_when_busy: float = 0.0
    fetch_from: tuple[str, ...] = ()
    send_mode: bool | None = None

    @property
    def offline(self) -> bool:
        """Whether the answer comes from this process: from the embedded service, or from a recording."""
        return self.service is not None or self.player is not None

    @property
    def host(self) -> str:
        """The name of the machine that requests go to."""
        return urlsplit(self.base_url).hostname or self.base_url

    @property
    def shown_host(self) -> str:
        """`host` for people: as it is connected to, and what a name of other letters than ASCII's reads like."""
        read = ".".join(map(_read, self.host.split(".")))
        return self.host if read == self.host else f"{self.host}, which reads {read!r}"

    @property
    def sends_mode(self) -> bool:
        """Whether the multipart form sends the model as `mode` too."""
        if self.send_mode is not None:
            return self.send_mode
        host = self.host.rstrip(".").lower()
        return self.offline or any(host == own or host.endswith(f".{own}") for own in OWN_HOSTS)

    @property
    def address(self) -> str:
        """Where requests go, without path and without a password that may stand before the host."""
        scheme, place = urlsplit(self.base_url)[:2]
        return f"{scheme}://{place.rpartition('@')[2]}"


def _read(label: str) -> str:
    """One part of a host's name as people read it."""
    if not label.lower().startswith("xn--"):
        return label
    try:
        read = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label
    return read if read.isprintable() else label

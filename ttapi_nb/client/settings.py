"""`Settings`: where a client's requests go, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .secret import Secret
from .wire import Wire

if TYPE_CHECKING:
    from ..service import Service
    from .cassette import Player, Recorder

__all__ = ["Settings"]

# Of TTAPI itself.
OWN_DOMAINS = ("ttapi.io", "ttapi.org")


@dataclass(frozen=True, eq=False)
class Settings:
    """Where requests go and how they are written. Where `service` or `player` is set, that answers, in this process;
    `recorder` keeps what is asked and answered.
    """

    base_url: str
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
    # What stood before the host in base_url, as a Basic login.
    login: Secret | None = None
    fetch_from: tuple[str, ...] = ()
    send_mode: bool | None = None

    @property
    def offline(self) -> bool:
        """Whether the answer comes from this process: from the embedded service, or from a recording."""
        return self.service is not None or self.player is not None

    @property
    def sends_mode(self) -> bool:
        """Whether a multipart body names the model in `mode` too."""
        if self.send_mode is not None:
            return self.send_mode
        return self.offline or any(f".{self.host}".endswith(f".{own}") for own in OWN_DOMAINS)

    @property
    def host(self) -> str:
        """The name of the machine that requests go to."""
        return urlsplit(self.base_url).hostname or self.base_url

    @property
    def address(self) -> str:
        """Where requests go, without path."""
        scheme, place = urlsplit(self.base_url)[:2]
        return f"{scheme}://{place}"

"""`Embedded`: the service inside the package, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ...forking import cached
from ..forms import Form
from .line import Line
from .way import Call

if TYPE_CHECKING:
    import httpx

    from ...service import Service

__all__ = ["EMBEDDED_BASE_URL", "Embedded"]

# A name that can't exist, so that nothing meant for the embedded service can ever reach a network.
EMBEDDED_BASE_URL = "http://embedded.invalid/v1"


@dataclass(frozen=True, eq=False)
class Embedded(Line):
    """Answers by `ready`, a service made elsewhere, or by one that is made with `settings` when it is first asked."""

    base_url: str = EMBEDDED_BASE_URL
    settings: Mapping[str, Any] = field(default_factory=dict)
    ready: Service | None = None

    @cached
    def service(self) -> Service:
        """The service; it loads what it paints with."""
        from ...service import Service

        return self.ready or Service(**self.settings)

    @property
    def offline(self) -> bool:
        return True

    @property
    def cuts(self) -> bool:
        return True

    @property
    def words(self) -> str:
        return "Embedded service: no key, nothing is billed. It reads nothing of the prompt but colour words."

    def shown(self, client: str, form: Form) -> str:
        return f"{client}.offline()"

    def call(self, form: Form) -> Call:
        comments = ["The service inside the package: nothing is billed."]
        service = self.service
        settings = {"seed": getattr(service, "_seed", 0), "leaky": getattr(service, "_leaky", False)}
        if getattr(service, "_fill", None) is not None:
            comments.append("It filled with a function of your own: give that again, as fill=….")
        return Call(
            tuple(comments), "offline", (), {name: value for name, value in settings.items() if value}
        )

    def again(self, client: Any, form: Form) -> Callable[[], Any]:
        settings = self.settings if self.ready is None else {"service": self.ready}
        return partial(client.offline, **settings, timeout=self.timeout, **form.arguments)

    def load(self) -> None:
        from .. import sending  # noqa: F401

        _ = self.service

    def transport(self) -> httpx.AsyncBaseTransport:
        from ..transport import EmbeddedTransport

        return EmbeddedTransport(self.service)

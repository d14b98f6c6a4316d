"""`Core`: what the clients share, and the one way to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import InvalidRequestError
from ..request import EditRequest
from .secret import Secret
from .wire import Wire, problems

if TYPE_CHECKING:
    from ..service import Service
    from .responses import ImageData, ImagesResponse

__all__ = ["Core"]


@dataclass(frozen=True, eq=False)
class Core:
    """Where requests go and how they are written. Where `service` is set, that answers, in this process."""

    base_url: str
    wire: Wire
    plain_base64: bool
    timeout: float
    secret: Secret | None = None
    auth_header: str = ""
    auth_scheme: str = ""
    service: Callable[[], Service] | None = None

    @property
    def offline(self) -> bool:
        """Whether the embedded service in this process answers."""
        return self.service is not None

    @property
    def host(self) -> str:
        """The name of the machine that requests go to."""
        return urlsplit(self.base_url).hostname or self.base_url

    def problems(self, request: EditRequest) -> tuple[str, ...]:
        """What the service would refuse, or this client's body form can't carry."""
        return (*request.problems(), *problems(request, self.wire))

    async def edit(self, check: bool, given: dict[str, Any]) -> ImagesResponse:
        """Open the pictures of an edit and send it."""
        from .. import loop

        request = await loop.open_in_thread(lambda: EditRequest.make(**given))
        return await self.send(request, check=check)

    async def send(
        self, request: EditRequest, *, check: bool = True, on_sent: Callable[[], None] = lambda: None
    ) -> ImagesResponse:
        """Send `request` once and read the reply; `on_sent` is called as the first byte leaves.

        Raises `InvalidRequestError`, `NotSentError`, `RefusedError` or `UnknownOutcomeError`.
        """
        # Here, not above, as in the other methods: what sends is loaded when something is sent.
        import asyncio

        from . import sending

        found = await asyncio.to_thread(self.problems, request) if check else ()
        if found:
            raise InvalidRequestError(found)
        return await sending.send(self, request, on_sent)

    async def fetch(self, url: str) -> bytes:
        """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
        from . import sending

        return await sending.fetch(self, url)

    async def fetch_again(self, item: ImageData) -> ImageData:
        """`item` with its picture, where its URL still lives."""
        from .responses import fetched

        return await fetched(item, self.fetch)

"""`Line`: a way that speaks HTTP, to a machine somewhere or to a service in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...forking import cached
from ...rawanswers import RawAnswer
from ...reply.responses import ImagesResponse
from ...request import EditRequest
from ..forms import Form
from ..gate import UNLIMITED, Gate
from ..key import Secret
from ..told import Told
from .way import Way

if TYPE_CHECKING:
    import httpx

    from ..lines import Lines

__all__ = ["Line"]


@dataclass(frozen=True, eq=False)
class Line(Way):
    """Where requests go and for how long: `base_url` up to the path, `timeout` and `wait_when_busy` in seconds; and
    how many at once.
    """

    # A gateway's address may hold a password.
    base_url: str = field(repr=False)
    timeout: float = 300.0
    secret: Secret | None = None
    wait_when_busy: float = 0.0
    fetch_from: tuple[str, ...] = ()
    gate: Gate = field(default_factory=partial(Gate, UNLIMITED))

    @property
    def host(self) -> str:
        """The name of the machine that requests go to."""
        return urlsplit(self.base_url).hostname or self.base_url

    @property
    def address(self) -> str:
        scheme, place = urlsplit(self.base_url)[:2]
        return f"{scheme}://{place.rpartition('@')[2]}"

    @cached
    def lines(self) -> Lines:
        """What carries its bytes, kept from one request to the next."""
        from ..lines import Lines

        return Lines()

    def set_up(self) -> object:
        """What `transport` depends on; not for the loop's thread. Raises `NotSentError`."""
        return None

    def transport(self) -> httpx.AsyncBaseTransport:
        """What carries its bytes; not for the loop's thread. Raises `NotSentError`."""
        raise NotImplementedError

    async def answer(
        self, request: EditRequest, form: Form, told: Told, raw: RawAnswer | None
    ) -> ImagesResponse:
        # In here, as in all that needs httpx: a client is made, and an editor shown, without loading it.
        from .. import sending

        return await sending.send(self, request, form, told, raw)

    async def fetch(self, url: str) -> bytes:
        from .. import sending

        return await sending.fetch(self, url)

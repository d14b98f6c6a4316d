"""`Recording`: another way, each of whose exchanges is kept in a recording."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ...errors import RefusedError
from ...rawanswers import RawAnswer
from ...reply.responses import ImagesResponse
from ...request import EditRequest
from ..cassette import Recorder
from ..forms import Form
from ..key import Secret
from ..told import Told
from .way import Call, Way

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording(Way):
    """`inner` answers, and `recorder` keeps what was asked and answered."""

    inner: Way
    recorder: Recorder

    @property
    def timeout(self) -> float:  # type: ignore[override]  # the inner one's
        """Seconds for the whole of a request."""
        return self.inner.timeout

    @property
    def secret(self) -> Secret | None:  # type: ignore[override]  # as above
        """The key that goes along."""
        return self.inner.secret

    @property
    def fetch_from(self) -> tuple[str, ...]:  # type: ignore[override]  # as above
        """Further places that results may be fetched from."""
        return self.inner.fetch_from

    @property
    def offline(self) -> bool:
        return self.inner.offline

    @property
    def address(self) -> str:
        return self.inner.address

    @property
    def own_host(self) -> bool:
        return self.inner.own_host

    @property
    def words(self) -> str:
        masks = ", with its mask" if self.recorder.masks else ""
        return f"{self.inner.words} Each exchange is recorded in {self.recorder.path.name}{masks}."

    @property
    def stays_here(self) -> str:
        return "records" if self.secret is None else self.inner.stays_here

    def shown(self, client: str, form: Form) -> str:
        inner = "offline=True" if self.offline else self.inner.shown("", form)[1:-1]
        masks = ", masks=True" if self.recorder.masks else ""
        return f"{client}.record({self.recorder.path.name!r}{masks}, {inner})"

    def call(self, form: Form) -> Call:
        return self.inner.call(form)

    def load(self) -> None:
        self.inner.load()

    async def answer(
        self, request: EditRequest, form: Form, told: Told, raw: RawAnswer | None
    ) -> ImagesResponse:
        refused: RefusedError
        try:
            response = await self.inner.answer(request, form, told, raw)
        except RefusedError as error:
            refused = error
        else:
            # An answer that was paid for comes back even where it could not be kept.
            note = await asyncio.to_thread(self.recorder.keep, request, response, told.asked)
            return replace(response, note=f"{response.note} {note}".strip())
        await asyncio.to_thread(self.recorder.keep, request, refused, told.asked)
        raise refused

    async def fetch(self, url: str) -> bytes:
        return await self.inner.fetch(url)

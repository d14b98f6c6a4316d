"""`Replay`: answers from a recording."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...errors import DownloadError
from ...rawanswers import RawAnswer
from ...reply.responses import ImagesResponse
from ...request import EditRequest
from ..cassette import Player, Recorded
from ..forms import Form
from ..told import Told
from .embedded import EMBEDDED_BASE_URL
from .way import Call, Way

__all__ = ["Replay"]


@dataclass(frozen=True, eq=False)
class Replay(Way):
    """What `player` holds; nothing is sent or billed."""

    player: Player

    @property
    def offline(self) -> bool:
        return True

    @property
    def repeated(self) -> bool:
        return True

    @property
    def recorded(self) -> tuple[Recorded, ...]:
        return self.player.recorded

    @property
    def address(self) -> str:
        return EMBEDDED_BASE_URL.removesuffix("/v1")

    @property
    def words(self) -> str:
        name = self.player.path.name
        held = "It answers only what it holds."
        if self.player.match == "prompt":
            held = "It answers the prompts that it holds, also where your mask is another."
        return f"Replays {name}: no key, nothing is sent or billed. {held}"

    def shown(self, client: str, form: Form) -> str:
        match = ', match="prompt"' if self.player.match == "prompt" else ""
        return f"{client}.replay({self.player.path.name!r}{match})"

    def call(self, form: Form) -> Call:
        note = "A recording: nothing is sent or billed."
        return Call((note,), "replay", (str(self.player.path),), self._named)

    def again(self, client: Any, form: Form) -> Callable[[], Any]:
        return partial(client.replay, self.player.path, **self._named, **form.arguments)

    @property
    def _named(self) -> dict[str, Any]:
        """What its settings are called where a client is made."""
        return {"match": self.player.match} if self.player.match != "exact" else {}

    def load(self) -> None:
        """Nothing more than is here."""

    async def answer(
        self, request: EditRequest, form: Form, told: Told, raw: RawAnswer | None
    ) -> ImagesResponse:
        played = await asyncio.to_thread(self.player.answer, request, told.asked)
        await told.sent()
        return await asyncio.to_thread(played)

    async def fetch(self, url: str) -> bytes:
        raise DownloadError("Results of a recording are in its file, and nothing is fetched.")

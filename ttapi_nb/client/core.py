"""`Core`: what the clients share, and the one way to send."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DownloadError, InvalidRequestError, RefusedError
from ..request import EditRequest
from .settings import Settings
from .wire import problems

if TYPE_CHECKING:
    from ..rawanswers import RawAnswer
    from ..reply.responses import ImageData, ImagesResponse
    from .cassette import Recorder

__all__ = ["Core"]


async def _nothing(*given: object) -> None:
    """What nobody wants to be told."""


class Core(Settings):
    """The settings of a client, and the one way to send with them."""

    def problems(self, request: EditRequest) -> tuple[str, ...]:
        """What the service would refuse, or this client's body form can't carry."""
        return (*request.problems(), *problems(request, self.wire))

    def load(self) -> None:
        """Load what sends, for whoever is about to have it done by other threads.

        A process that is forked while another thread loads a module has half of it, and waits for the rest for ever.
        """
        from ..reply import responses  # noqa: F401 - so that no other thread loads it
        from . import sending  # noqa: F401

        if self.service is not None:
            self.service()
        elif self.player is None:
            from ..network import early

            early.load()

    async def edit(
        self, check: bool, given: dict[str, Any], on_sent: Callable[[], Awaitable[None]] = _nothing
    ) -> ImagesResponse:
        """Open the pictures of an edit and send it."""
        from .. import loop

        request = await loop.open_in_thread(lambda: EditRequest.make(**given))
        return await self.send(request, check=check, on_sent=on_sent)

    async def send(
        self,
        request: EditRequest,
        *,
        check: bool = True,
        on_sent: Callable[[], Awaitable[None]] = _nothing,
        on_busy: Callable[[float], Awaitable[None]] = _nothing,
        on_answer: Callable[[ImagesResponse], Awaitable[None]] = _nothing,
        raw: RawAnswer | None = None,
    ) -> ImagesResponse:
        """Send `request` once and read the reply; `on_sent` is awaited before the first byte leaves.

        Where the service is too busy for it, and `wait_when_busy` allows, `on_busy` is awaited with the seconds until
        it is sent again. `on_answer` is awaited with an answer whose results are yet to be fetched. The answer is kept
        in `raw` as it comes, and whoever gives that says when it was understood; left out, it is kept in the user's
        data folder until it is returned here.

        Raises `InvalidRequestError`, `NotSentError`, `RefusedError` or `UnknownOutcomeError`.
        """
        # Here, not above, as in the other methods: what sends is loaded when something is sent.
        import asyncio

        from .. import loop
        from ..reply.responses import counted
        from . import sending

        found = await asyncio.to_thread(self.problems, request) if check else ()
        if found:
            raise InvalidRequestError(found)
        if self.player is not None:
            played = await asyncio.to_thread(self.player.answer, request)
            await on_sent()
            return counted(await asyncio.to_thread(played), request.n)
        kept = raw
        if raw is None and not self.offline:
            from ..runlog import RunLog

            kept = self.raw(RunLog().folder, uuid.uuid4().hex, leaves_no_folder=True)
        send = partial(sending.send, self, request, on_sent, on_busy, on_answer, kept)
        sent = send() if self.recorder is None else self._recorded(self.recorder, request, send)
        response = counted(await sent, request.n)
        if raw is None and kept is not None and response.is_whole:
            await loop.in_thread(kept.understood)
        return response

    def raw(self, folder: Path, run_id: str, *, leaves_no_folder: bool = False) -> RawAnswer:
        """Where the answer to a run is kept as it comes, beside the log in `folder`."""
        from ..rawanswers import FOLDER, RawAnswer

        hide = self.secret.scrub_piece if self.secret is not None else None
        return RawAnswer(folder / FOLDER, run_id, hide, leaves_no_folder=leaves_no_folder)

    async def _recorded(
        self, recorder: Recorder, request: EditRequest, send: Callable[[], Awaitable[ImagesResponse]]
    ) -> ImagesResponse:
        import asyncio

        refused: RefusedError
        try:
            response = await send()
        except RefusedError as error:
            refused = error
        else:
            # An answer that was paid for comes back even where it could not be kept.
            note = await asyncio.to_thread(recorder.keep, request, response)
            return replace(response, note=f"{response.note} {note}".strip())
        await asyncio.to_thread(recorder.keep, request, refused)
        raise refused

    async def fetch(self, url: str) -> bytes:
        """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
        from . import sending

        if self.player is not None:
            raise DownloadError("Results of a recording are in its file, and nothing is fetched.")
        return await sending.fetch(self, url)

    async def fetch_again(self, item: ImageData) -> ImageData:
        """`item` with its picture, where its URL still lives."""
        from ..reply.responses import fetched

        return await fetched(item, self.fetch)

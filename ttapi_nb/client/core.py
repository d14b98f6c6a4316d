"""`Core`: what the clients share: a way to an answer, and a form of body."""

from __future__ import annotations

import asyncio
import importlib
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from .. import loop
from ..errors import InvalidRequestError
from ..loading import loading
from ..log import RunLog
from ..rawanswers import FOLDER, RawAnswer
from ..reply.responses import ImageData, ImagesResponse, PartialData, counted, fetched
from ..request import EditRequest
from .forms import Form
from .key import Secret
from .told import Told
from .ways import Way

__all__ = ["Core"]


@dataclass(frozen=True, eq=False)
class Core:
    """What answers, and how requests to it are written."""

    way: Way
    form: Form

    @property
    def offline(self) -> bool:
        """Whether the answer comes from this process."""
        return self.way.offline

    @property
    def cuts(self) -> bool:
        """Whether an edit may take more requests than one without being asked."""
        return self.way.cuts

    @property
    def timeout(self) -> float:
        """Seconds for the whole of a request."""
        return self.way.timeout

    @property
    def address(self) -> str:
        """Where requests go, without path or password."""
        return self.way.address

    @property
    def account(self) -> str:
        """Where somebody finds what it has billed, for a sentence."""
        return self.way.account

    @property
    def fetch_from(self) -> tuple[str, ...]:
        """Further places that results may be fetched from."""
        return self.way.fetch_from

    @property
    def secret(self) -> Secret | None:
        """The key that goes along, if one does."""
        return self.way.secret

    def problems(self, request: EditRequest) -> tuple[str, ...]:
        """What the service would refuse, or the body form can't carry."""
        return (*request.problems(), *self.form.problems(request))

    def load(self) -> None:
        """Load what sends, for whoever is about to have it done by other threads.

        A process that is forked while another thread loads a module has half of it, and waits for the rest for ever.
        Raises `NotSentError` where no file can be opened for it.
        """
        with loading():
            # Pillow loads its formats when the first picture is opened or written.
            Image.preinit()
            importlib.import_module("PIL.WebPImagePlugin")
            self.way.load()

    async def make(
        self, kind: type[EditRequest], check: bool, fields: dict[str, Any], told: Told
    ) -> ImagesResponse:
        """Open the pictures of an edit, where it is one, and send it."""

        def made() -> tuple[EditRequest, tuple[str, ...], Path]:
            request = kind.passed_on(**fields)
            return request, self.problems(request) if check else (), RunLog().folder

        with loading():
            request, problems, folder = await loop.open_in_thread(made)
        if problems:
            raise InvalidRequestError(problems)
        return await self._sent(request, told, None, folder)

    async def send(
        self,
        request: EditRequest,
        told: Told | None = None,
        *,
        check: bool = True,
        raw: RawAnswer | None = None,
    ) -> ImagesResponse:
        """Send `request` once and read the reply.

        The answer is kept in `raw` as it comes, and whoever gives that says when it was understood; left out, it is
        kept in the user's data folder until it is returned here. Raises `InvalidRequestError`, `NotSentError`,
        `RefusedError` or `UnknownOutcomeError`.
        """
        with loading():
            problems = await asyncio.to_thread(self.problems, request) if check else ()
        if problems:
            raise InvalidRequestError(problems)
        folder = RunLog().folder if raw is None else raw.path.parent.parent
        return await self._sent(request, told, raw, folder)

    async def _sent(
        self, request: EditRequest, told: Told | None, raw: RawAnswer | None, folder: Path
    ) -> ImagesResponse:
        kept = raw
        if raw is None and not self.offline:
            kept = self.raw(folder, uuid.uuid4().hex, leaves_no_folder=True)
        drafts: list[PartialData] = []
        told = told or Told()

        def came(draft: PartialData) -> None:
            # Where a class's gateway is asked again, the same ones come once more.
            if all(draft.data != one.data for one in drafts):
                drafts.append(draft)
                tell(draft)

        tell = told.draft
        answered = await self.way.answer(request, self.form, replace(told, draft=came), kept)
        response = replace(counted(answered, request.n), partials=tuple(drafts))
        if raw is None and kept is not None and response.is_whole:
            await loop.in_thread(kept.understood)
        return response

    def raw(self, folder: Path, run_id: str, *, leaves_no_folder: bool = False) -> RawAnswer:
        """Where the answer to a run is kept as it comes, beside the log in `folder`."""
        hide = self.secret.scrub_piece if self.secret is not None else None
        return RawAnswer(folder / FOLDER, run_id, hide, leaves_no_folder=leaves_no_folder)

    async def fetch(self, url: str) -> bytes:
        """The bytes of a result behind a URL, fetched without the key. Raises `DownloadError`."""
        return await self.way.fetch(url)

    async def fetch_again(self, item: ImageData) -> ImageData:
        """`item` with its picture, where its URL still lives."""
        return await fetched(item, self.fetch)

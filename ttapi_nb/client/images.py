"""`Images` and `AsyncImages`: the two calls of a client, each one request."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Unpack

from .. import loop
from ..request import EditFields, EditRequest, GenerateFields, GenerateRequest
from .asking import Asking
from .core import Core

if TYPE_CHECKING:
    from ..reply.responses import ImagesResponse

__all__ = ["AsyncImages", "Images"]


class Images:
    """What `Client.images` is."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def edit(self, *, check: bool = True, **fields: Unpack[EditFields]) -> ImagesResponse:
        """Edit a picture: send one request, wait for the answer. The fields are those of `EditRequest`.

        Pictures are paths, URLs, bytes, open files, PIL images or numpy arrays; they go out in the format they came
        in, without metadata. With `check` (the default) the request's problems are raised as `InvalidRequestError`
        before anything is sent.

        An interrupt stops the call. Where the request has left by then it may be billed, which a warning says: it goes
        on in the background, and Python waits for it before it ends.

        Raises `ImageError`, `MaskError`, `NotSentError`, `RefusedError` or `UnknownOutcomeError`.
        """
        return self._answered(EditRequest, check, dict(fields))

    def generate(self, *, check: bool = True, **fields: Unpack[GenerateFields]) -> ImagesResponse:
        """Make a picture of words alone, as `edit` edits one. The fields are those of an edit, but for `image`, `mask`
        and `input_fidelity`.
        """
        return self._answered(GenerateRequest, check, dict(fields))

    def _answered(self, kind: type[EditRequest], check: bool, fields: dict[str, Any]) -> ImagesResponse:
        if loop.is_here():
            raise RuntimeError(
                "This would wait for the very thread it is called on. Call it from another thread."
            )
        asked = Asking(self._core, kind, check, fields)
        try:
            return asked.begin().result()
        except KeyboardInterrupt as error:
            # First, and without a call: a second interrupt may come with the next one.
            asked.dropped = True
            asked.drop(error)
            raise


class AsyncImages:
    """What `AsyncClient.images` is."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def edit(self, *, check: bool = True, **fields: Unpack[EditFields]) -> ImagesResponse:
        """As `Client.images.edit`, awaited, on any event loop; to cancel it is what an interrupt is there."""
        return await self._answered(EditRequest, check, dict(fields))

    async def generate(self, *, check: bool = True, **fields: Unpack[GenerateFields]) -> ImagesResponse:
        """As `Client.images.generate`, awaited."""
        return await self._answered(GenerateRequest, check, dict(fields))

    async def _answered(self, kind: type[EditRequest], check: bool, fields: dict[str, Any]) -> ImagesResponse:
        asked = Asking(self._core, kind, check, fields)
        try:
            return await loop.follow(asked.begin())
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            asked.dropped = True
            asked.drop(error)
            raise


def _show_fields(*methods: Any, but: tuple[str, ...] = ()) -> None:
    """Let editors and Jupyter's help list the fields by name."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    listed = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for item in fields(EditRequest):
        if item.name in but:
            continue
        default = (
            item.default if item.name not in ("image", "prompt", "extra_body") else inspect.Parameter.empty
        )
        default = {} if item.name == "extra_body" else default
        listed.append(inspect.Parameter(item.name, keyword, default=default))
    listed.append(inspect.Parameter("check", keyword, default=True))
    for method in methods:
        method.__signature__ = inspect.Signature(listed, return_annotation="ImagesResponse")


_show_fields(Images.edit, AsyncImages.edit)
_show_fields(Images.generate, AsyncImages.generate, but=("image", "mask", "input_fidelity"))

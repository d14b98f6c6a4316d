"""The `references` form: pictures as data URLs in objects of JSON, the model as `model`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ...request import EditRequest
from .form import Body, Form, Written

__all__ = ["DATA_URL_LIMIT", "References"]

DATA_URL_LIMIT = 20_971_520
"""The most characters of a data URL."""


@dataclass(frozen=True)
class References(Form):
    """Takes data URLs of at most `DATA_URL_LIMIT` characters."""

    name: ClassVar[str] = "references"

    def _encoded(self, request: EditRequest) -> Body:
        written = Written()
        fields: dict[str, Any] = {
            "prompt": request.prompt,
            "images": [{"image_url": written.base64(file)} for file in request.image_files],
        }
        if request.mask_file is not None:
            fields["mask"] = {"image_url": written.base64(request.mask_file)}
        fields["model"] = request.model
        return Body("application/json", written.json(fields | request.body()))

    def problems(self, request: EditRequest) -> Iterator[str]:
        yield from super().problems(request)
        for file in request.image_files:
            # Four characters for every three bytes.
            if len("data:;base64,") + len(file.mime) + (len(file.data) + 2) // 3 * 4 > DATA_URL_LIMIT:
                yield (
                    f"{file.name!r} is too large for the references form, which takes data URLs of at most "
                    f'{DATA_URL_LIMIT:,} characters. Make the picture smaller, or use wire="multipart".'
                )

"""The `multipart` form: pictures as files, fields as OpenAI's clients write them."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ...request import EditRequest
from ..checks import switch_or_none
from .form import Body, Form

__all__ = ["Multipart"]


@dataclass(frozen=True)
class Multipart(Form):
    """`send_mode` tells whether the model goes out as `mode` beside `model`; None where the address decides."""

    name: ClassVar[str] = "multipart"
    checks: ClassVar = {"send_mode": switch_or_none}
    send_mode: bool | None = None
    own_host: bool = True

    def at(self, own_host: bool) -> Multipart:
        return replace(self, own_host=own_host)

    @property
    def sends_mode(self) -> bool:
        """Whether the model goes out as `mode` too. A gateway that renames models changes `model` alone."""
        return self.own_host if self.send_mode is None else self.send_mode

    @property
    def model_names(self) -> tuple[str, ...]:
        return ("model", "mode") if self.sends_mode else ("model",)

    def _encoded(self, request: EditRequest) -> Body:
        name = "image" if len(request.image_files) == 1 else "image[]"
        pictures = [(name, file) for file in request.image_files]
        if request.mask_file is not None:
            pictures.append(("mask", request.mask_file))
        data: dict[str, str | list[str]] = {}
        for key, value in (dict.fromkeys(self.model_names, request.model) | request.body()).items():
            if isinstance(value, list | tuple):
                # As OpenAI's clients write lists: one field for each item that says something.
                data[f"{key}[]"] = [_written(item) for item in value if item is not None]
            else:
                data[key] = _written(value)
        # In here, as the other forms are written without it.
        import httpx

        # Nobody else's text can have this in it. It stands for each file, which is put in its place with one copy.
        mark = uuid.uuid4().hex.encode()
        files = [(key, (file.name, mark, file.mime)) for key, file in pictures]
        form = httpx.Request("POST", "http://unused", files=files, data=data)
        first, *others = form.read().split(mark)
        parts = [first]
        for (_, file), rest in zip(pictures, others, strict=True):
            parts += [file.data, rest]
        return Body(form.headers["Content-Type"], b"".join(parts))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)

"""The `json` form: pictures as base64 in JSON, the model as `mode`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ...request import EditRequest
from ..checks import switch
from .form import Body, Form, Written

__all__ = ["JsonForm"]


@dataclass(frozen=True)
class JsonForm(Form):
    """`plain_base64` leaves out the `data:…;base64,` before each picture."""

    name: ClassVar[str] = "json"
    checks: ClassVar = {"plain_base64": switch}
    plain_base64: bool = False

    @property
    def model_names(self) -> tuple[str, ...]:
        return ("mode",)

    def _encoded(self, request: EditRequest) -> Body:
        written = Written()
        text = partial(written.base64, is_url=not self.plain_base64)
        fields: dict[str, Any] = {
            "prompt": request.prompt,
            "image": [text(file) for file in request.image_files],
        }
        if request.mask_file is not None:
            fields["mask"] = text(request.mask_file)
        fields["mode"] = request.model
        return Body("application/json", written.json(fields | request.body()))

"""`Copier`: a button that copies the edit as Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import TTAPIError
from .browser import Part, field_of, module

__all__ = ["Copier"]


class Copier(Part):
    """A button; what `code()` gives when it is pressed goes to the clipboard, or is shown where a page has none."""

    _esm = module("copier.js")

    def __init__(self, code: Callable[[], str], **rest: Any) -> None:
        self._code = code
        super().__init__(**rest)
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return "Copier()"

    def _receive(self, _: object, message: object, __: object) -> None:
        if field_of(message, "type", str) != "copy":
            return
        try:
            self.send({"type": "code", "text": self._code()})
        except TTAPIError as error:
            self.send({"type": "problem", "text": str(error)})

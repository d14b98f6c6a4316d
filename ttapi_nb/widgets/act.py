"""`Act`: a button that keeps the keyboard's place on it, also where it can't be pressed now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from .browser import Part, field_of, module

__all__ = ["Act"]

PROMPT_CAP = 1_000_000


class Act(Part):
    """A button; `on_click(callback)` is called with the prompt of the editor around it as it stands in its field, or
    with None where there is none. The `primary` one stands out; `tooltip` says what it does, or why it is `disabled`.
    """

    _esm = module("act.js")

    description = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    primary = traitlets.Bool(False).tag(sync=True)

    def __init__(self, description: str, **rest: Any) -> None:
        self._callbacks = ipywidgets.CallbackDispatcher()
        super().__init__(description=description, **rest)
        self.on_msg(self._receive)

    def on_click(self, callback: Callable[[str | None], None], remove: bool = False) -> None:
        """Call `callback(prompt)` when it is pressed."""
        self._callbacks.register_callback(callback, remove=remove)

    def click(self) -> None:
        """Press it from Python."""
        self._callbacks(None)

    def _receive(self, _: object, message: object, __: object) -> None:
        if field_of(message, "event", str) == "click":
            prompt = field_of(message, "prompt", str)
            self._callbacks(None if prompt is None or len(prompt) > PROMPT_CAP else prompt)

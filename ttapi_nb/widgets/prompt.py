"""`PromptBox`: where the prompt is written."""

from __future__ import annotations

import traitlets

from ..models import DEFAULT_MODEL, model_for
from .browser import Part, module

__all__ = ["PromptBox"]


class PromptBox(Part):
    """Where the prompt is written, with how many characters `model` leaves for it. `value` is the text."""

    _esm = module("prompt.js")

    value = traitlets.Unicode().tag(sync=True)
    limit = traitlets.Int().tag(sync=True)
    model = traitlets.Unicode(DEFAULT_MODEL)
    description = traitlets.Unicode("Prompt").tag(sync=True)
    placeholder = traitlets.Unicode("What the result should show").tag(sync=True)

    def __init__(self, value: str = "", model: str = DEFAULT_MODEL) -> None:
        super().__init__(value=value, model=model, limit=model_for(model).prompt_limit)

    def __repr__(self) -> str:
        return f"PromptBox({self.value[:37] + '...' if len(self.value) > 40 else self.value!r})"

    @property
    def remaining(self) -> int:
        """How many characters are left; below 0 the prompt is too long."""
        return self.limit - len(self.value)

    @traitlets.observe("model")
    def _follow(self, _: object) -> None:
        self.limit = model_for(self.model).prompt_limit

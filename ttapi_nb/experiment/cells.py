"""`Cell`: one request of an experiment, and the key by which the log knows it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..asked import Asked
from ..forking import cached
from ..request import EditRequest, GenerateRequest
from .photos import Photo
from .prompts import Prompt, as_json

__all__ = ["AXES", "Cell", "Skipped"]

AXES = ("prompt", "photo", "model", "size", "repeat")
"""The axes that every experiment has; variables and options that vary are axes too."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One request of an experiment.

    * `number`: its place among the plan's cells, from 1.
    * `prompt`: the prompt or template that it comes of, `text` the prompt as it is sent.
    * `photo`, `model`, `size`, `options`, `variables`: what it is made of; `repeat` counts equal ones, from 1.
    """

    number: int
    prompt: Prompt
    text: str
    photo: Photo
    model: str
    size: str
    options: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    repeat: int = 1
    fit: str = "auto"
    strict: bool = True

    def __repr__(self) -> str:
        return f"Cell({self.number}, {self.label})"

    @cached
    def key(self) -> str:
        """What tells it from all others: the same for the same request, photo, mask and repeat."""
        made_of = {
            "prompt": self.text,
            "photo": self.photo.digest,
            "mask": self.photo.mask_digest,
            "model": self.model,
            "size": self.size,
            "options": {name: value for name, value in self.options.items() if value is not None},
            "fit": self.fit,
            "strict": self.strict,
            "repeat": self.repeat,
        }
        return hashlib.sha256(as_json(made_of).encode()).hexdigest()[:32]

    @cached
    def values(self) -> Mapping[str, str]:
        """Its place on each axis, in words."""
        values = {
            "prompt": self.prompt.label,
            "photo": self.photo.label,
            "model": self.model,
            "size": self.size,
            "repeat": str(self.repeat),
        }
        return values | dict(self.variables) | {name: str(value) for name, value in self.options.items()}

    @property
    def label(self) -> str:
        """What it is called where there is little room."""
        more = f", repeat {self.repeat}" if self.repeat > 1 else ""
        return f"{self.values['prompt']!r}, {self.photo.label}, {self.model}, {self.size}{more}"

    @property
    def request(self) -> EditRequest:
        """Its request, before anything is fitted."""
        kind = GenerateRequest if self.photo.picture is None else EditRequest
        image = () if self.photo.picture is None else (self.photo.picture,)
        return kind(
            image=image,
            mask=self.photo.mask,
            prompt=self.text,
            model=self.model,
            size=self.size,
            **self.options,
        )

    @property
    def asked(self) -> Asked:
        """It as it is asked for."""
        return Asked(self.request, self.fit, self.strict)


@dataclass(frozen=True)
class Skipped:
    """A cell that is not sent, and why, in a sentence."""

    cell: Cell
    reason: str

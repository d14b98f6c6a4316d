"""`Step`: one edit that was made, as it is told again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from ..mask import Mask
from .drawing import drawn

__all__ = ["Origin", "Step", "bare_name"]


@dataclass(frozen=True)
class Origin:
    """A picture that went into a step: its bare file name, its size (width, height in pixels; None where that is not
    known) and its `digest`, the SHA-256 of its pixels that `SourceImage.digest` is.
    """

    name: str
    size: tuple[int, int] | None
    digest: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit, as far as a saved result or a run log tells of it.

    * `prompt`, `model`; `options`: the other fields of the edit that were set, as `edit(**options)` takes them.
    * `sources`: the pictures that went in, the edited one first; none where the picture was generated.
    * `mask_digest`: SHA-256 of the mask's size and coverage (of a run in a log, of the file that was sent), or "" where
      there was none; `mask` is the mask itself where it was small enough to be written.
    * `fit`: how the picture was to be fitted; `plan`: what was done, in words; `box`: what was sent of it, (left, top,
      right, bottom), and `sent_size` the size that this was sent at.
    * `strict`: whether what lies outside the mask was to stay, `kept`: whether it did, before a JPEG blurred it.
    * `leak`: (share, mean) as in `Leak`, or None where it was not measured.
    * `number`: which of the run's results, from 1; `time`: when it was made, in UTC; `version`: ttapi_nb's own.
    * `offline`: whether the embedded service made it.
    """

    prompt: str
    model: str
    options: Mapping[str, Any]
    sources: tuple[Origin, ...]
    mask_digest: str = ""
    drawing: str = field(default="", repr=False)
    fit: str = "auto"
    plan: str = ""
    box: tuple[int, int, int, int] | None = None
    sent_size: tuple[int, int] | None = None
    strict: bool = True
    kept: bool = False
    leak: tuple[float, float] | None = None
    number: int = 1
    time: datetime
    version: str
    offline: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view of a dict can't be pickled.
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return partial(type(self), **values | {"options": dict(self.options)}), ()

    @property
    def source(self) -> Origin:
        """The picture that was edited; one without a name where the step made a picture of words alone."""
        return self.sources[0] if self.sources else Origin("", None, "")

    @property
    def mask(self) -> Mask | None:
        """The mask mark by mark, or None where there was none, it was too large to be written, or it can't be used."""
        mask = drawn(self.drawing)
        known = self.source.size is None or mask is None or mask.size == self.source.size
        return mask if known else None


def bare_name(name: str) -> str:
    """The last part of a name, without what could not be seen or would lead out of a folder."""
    last = re.split(r"[/\\:]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip(" .")[:100] or "image"

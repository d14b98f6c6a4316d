"""An answer as a stream of events: drafts of each result, coarse at first, and then the results.

Written as the one or the other service does (TTAPI ends its streams with `[DONE]`, leaves out the space behind `data:`,
and sends `retry:` and `id:null` lines), so that a client meets both.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from . import paint
from .invent import invent
from .rules import Edit

__all__ = ["Style", "begun", "draft_of", "drafts_of", "ended", "written"]

Style: TypeAlias = Literal["ttapi", "openai"]
COARSEST = 16
"""The least size in pixels that a draft is made at."""


def written(kind: str, content: Mapping[str, object], style: Style) -> bytes:
    """One event."""
    text = json.dumps({"type": kind} | dict(content))
    if style == "ttapi":
        return f"id:null\nretry:3000\ndata:{text}\n\n".encode()
    return f"event: {kind}\ndata: {text}\n\n".encode()


def ended(style: Style) -> bytes:
    """What comes behind the last event."""
    return b"data:[DONE]\n\n" if style == "ttapi" else b""


def begun(first: bytes, others: Generator[bytes]) -> Generator[bytes]:
    """`others` with the first of them in front again."""
    try:
        yield first
        yield from others
    finally:
        others.close()


def drafts_of(edit: Edit, seed: int, stage: int) -> list[Image.Image]:
    """A draft of each result, made at the coarser a size, the earlier the `stage` is, from 0."""
    finer = 2 ** (edit.partials - stage)
    picture, hole = edit.picture.pixels, edit.hole
    if hole is not None and not hole.any():
        return [picture] * edit.n
    if not edit.generates and hole is not None and not hole.all():
        fills = paint.fills_of(picture, hole, seed, edit.n, max(COARSEST, paint.WORK_SIZE // finer))
        return [
            paint.paint(picture, hole, edit.prompt, seed, number, fill, detailed=False)
            for number, fill in enumerate(fills)
        ]
    return [draft_of(edit, seed, number, 2 * finer) for number in range(edit.n)]


def draft_of(edit: Edit, seed: int, number: int, times: int) -> Image.Image:
    """The draft of a picture that is painted over as a whole, made so many times smaller."""
    size = edit.picture.size
    small = (max(COARSEST, size[0] // times), max(COARSEST, size[1] // times))
    if edit.generates:
        picture, hole = invent(small, seed), None
    else:
        picture = edit.picture.pixels.resize(small, Image.Resampling.BOX)
        hole = None if edit.hole is None else np.ones(small[::-1], np.bool_)
    made = paint.paint(picture, hole, edit.prompt, seed, number, None)
    return made.resize(size, Image.Resampling.BICUBIC)

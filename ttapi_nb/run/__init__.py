"""One edit, from what is asked for to its results: `edit` for a script, `Run` for whoever holds it."""

from __future__ import annotations

from .again import made_again
from .editing import edit, generate, start, start_edit
from .partial import Partial
from .result import Result
from .run import Run
from .script import to_code
from .tiled import TiledRun

__all__ = [
    "Partial",
    "Result",
    "Run",
    "TiledRun",
    "edit",
    "generate",
    "made_again",
    "start",
    "start_edit",
    "to_code",
]

# What other rooms take from this one, each with the file that has it: a run that is shown needs nothing of what sends.

from .again import made_again
from .earlier import earlier
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
    "earlier",
    "edit",
    "generate",
    "made_again",
    "start",
    "start_edit",
    "to_code",
]

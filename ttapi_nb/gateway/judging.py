"""What became of a run, told by its answer as it passes by: the same reading that our own client makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RefusedError, UnknownOutcomeError
from ..reply.meaning import interpret, parse
from .runs import End
from .skimming import Skimmer

__all__ = ["Judge"]

# In bytes: no error's message and no revised prompt is longer, and what is longer is a picture.
LONGEST_TEXT, MOST_TEXT = 16_384, 4_000_000
COUNTS = ("total_tokens", "input_tokens", "output_tokens")


class Judge:
    """Takes an answer's bytes; `end` says what they mean for the bill."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._skimmer = Skimmer(LONGEST_TEXT, MOST_TEXT)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._skimmer.feed(data)

    def end(self, *, whole: bool) -> End:
        """How the run ended; `whole` says that the answer came to its end."""
        try:
            plain = interpret(self._status, parse(self._skimmer.text, str))
        except RefusedError as error:
            return End("refused" if whole else "unknown", _short(error))
        except UnknownOutcomeError as error:
            return End("unknown", _short(error))
        except Exception as error:  # noqa: BLE001 - whatever a service answers, its run is settled
            return End("unknown", f"The answer could not be read ({type(error).__name__}).")
        problem = "" if whole else "The line broke before the answer was whole."
        return End("done", problem, came=len(plain["data"]), usage=_usage(plain.get("usage")))


def _short(error: Exception) -> str:
    return str(error)[:500].replace("\0", "")


def _usage(usage: Any) -> dict[str, int | None]:
    if not isinstance(usage, Mapping):
        return {}
    return {name: value for name in COUNTS if isinstance(value := usage.get(name), int)}

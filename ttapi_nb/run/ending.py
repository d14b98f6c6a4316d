"""How a run ends: with its results, or with an error that says what it means for the bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from ..errors import (
    InvalidRequestError,
    NotSentError,
    RefusedError,
    ResultError,
    TTAPIError,
    UnknownOutcomeError,
)
from ..log import RunLog, State
from ..text import may_be_billed
from .result import Result

__all__ = [
    "ENDED",
    "HANGS",
    "INTERRUPTED",
    "UNTOLD",
    "End",
    "Ended",
    "cancelled",
    "caught",
    "either",
    "end_of",
    "goes_on",
    "unsent",
    "words_of",
]

T = TypeVar("T")
Ended: TypeAlias = Literal["done", "failed", "cancelled"]
FAILED: State = "failed"
STATES: tuple[tuple[type[BaseException], State], ...] = (
    (NotSentError, "not sent"),
    (RefusedError, "refused"),
    (UnknownOutcomeError, "unknown"),
)
UNTOLD = "What made the results could not be written down ({error}), so their files won't tell it."
INTERRUPTED = "The run was interrupted as it began, so nothing was sent. Run again."
ENDED = (
    "Python ended before the request had left, so nothing was sent or billed. Run again, and wait() for it."
)
HANGS = "The run log did not answer within {seconds:g} seconds."


@dataclass(frozen=True)
class End:
    """How a run ends: its status and error, and what the log is told."""

    status: Ended
    error: TTAPIError | None
    state: State
    problem: str
    results: tuple[Result, ...] = ()


def cancelled(*, has_left: bool, offline: bool) -> str:
    """What cancelling a run means; one that stays in this process has no bill to speak of."""
    if not has_left:
        return (
            "Cancelled before it began."
            if offline
            else "Cancelled before the request had left: nothing was billed."
        )
    if offline:
        return "Cancelled. If the result still comes, it is kept."
    return "Cancelled after the request had left, so it may be billed. If the answer comes, it is kept."


def goes_on(run_id: str, log: RunLog | None, *, offline: bool) -> str:
    """What it means that nobody waits any more for a run that is under way."""
    begin = "The run goes on all the same" + ("." if offline else ", and may be billed.")
    if log is not None:
        return (
            f'{begin} What comes of it is kept: ttapi_nb.{log!r}.row("{run_id}") tells of it, with its files.'
        )
    return (
        f"{begin} It has no log: what comes of it is in the run itself, whose wait() gives it, and else lost."
    )


def caught(work: Callable[[], None]) -> BaseException | None:
    """Do `work`; what it raises, as a value: raised on the loop, SystemExit and its kin would reach for the loop."""
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - as said
        return error
    return None


def either(work: Callable[[], T]) -> tuple[T | None, str]:
    try:
        return work(), ""
    except BaseException as error:  # noqa: BLE001 - as above
        return None, str(error) or type(error).__name__


def words_of(error: BaseException) -> str:
    """An error for a sentence: ours in its words, another with its kind."""
    if isinstance(error, TTAPIError):
        return str(error)
    words = str(error).strip()
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def unsent(error: BaseException) -> TTAPIError:
    kind = ResultError if isinstance(error, ResultError) else NotSentError
    words = words_of(error)
    return kind(f"Nothing was sent or billed. {words}{'' if words.endswith('.') else '.'}")


def end_of(error: BaseException, *, has_left: bool, answered: bool, account: str) -> End:
    """How a run ends in which `error` was raised: before it left, after that, or when its answer was here.

    `account` is where somebody finds what was billed, empty where nothing can be.
    """
    if not has_left and not isinstance(error, RefusedError):
        kept = error if isinstance(error, NotSentError | InvalidRequestError) else unsent(error)
        return End("failed", kept, "not sent", str(kept))
    if isinstance(error, TTAPIError):
        state = next((state for kind, state in STATES if isinstance(error, kind)), FAILED)
        return End("failed", error, state, str(error))
    if not answered:
        next_step = may_be_billed(account) if account else "Run it again."
        unknown = UnknownOutcomeError(
            f"The request had left when something went wrong here ({words_of(error)}). {next_step}"
        )
        return End("failed", unknown, "unknown", str(unknown))
    unmade = ResultError(
        f"The answer came, and is billed, but its results could not be made ({words_of(error)}). It is kept as it "
        "came: see run.response."
    )
    return End("failed", unmade, FAILED, str(unmade))

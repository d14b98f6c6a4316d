"""One cell carried out: sent as any other run is, and what is shown of its results kept in the log."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from .. import loop
from ..client import AsyncClient, Client
from ..errors import (
    AuthenticationError,
    BudgetError,
    ClaimedError,
    MissingKeyError,
    NotRecordedError,
    NotSentError,
    QuotaError,
    RateLimitError,
    ResultError,
    SettingsError,
    TTAPIError,
)
from ..log import Budget, Claim, RunLog, Shown
from ..picture import preview
from ..run import Result, Run, start
from ..threads import InTurn
from .cells import Cell

__all__ = ["THUMB", "Outcome", "carry", "file_name", "keep_shown", "shown_of"]

THUMB = 256
"""The longest side of a thumbnail in pixels."""

BEGINS = InTurn(0.1)
"""Of sixteen cells that begin together the first has left by then."""

Kind = Literal["over", "busy", "budget", "unreachable", "halt", "impossible"]


@dataclass(frozen=True)
class Outcome:
    """How a cell went, in so far as the log does not tell it.

    * `over`: see the run in the log, `run_id`.
    * `busy`: the service was too busy, and asked to be left alone for so many `seconds`.
    * `budget`, `unreachable`: it may be sent later. `halt`: and so would be all others. `impossible`: and never this
      one.
    """

    kind: Kind
    problem: str = ""
    run_id: str = ""
    seconds: float | None = None


def carry(
    cell: Cell,
    claim: Claim,
    *,
    client: Client | AsyncClient,
    log: RunLog,
    budget: Budget | None,
    save_to: Path | None = None,
    room: AbstractContextManager[Any] | None = None,
    watch: Callable[[Run], None] | None = None,
    begun: Callable[[Run], None] | None = None,
    answered: Callable[[], None] | None = None,
) -> Outcome:
    """Send a cell and wait for it; never raises but for an interrupt. `watch(run)` is called before anything happens to
    it, and keeps it from being sent by raising, `begun(run)` when it is under way, `answered()` when its answer is
    here, once or more, and its photo is fitted in the `room` that there is for that.
    """
    run: Run | None = None
    try:
        with BEGINS.turn():
            run = start(
                cell.asked, client=client, log=log, budget=budget, claim=claim, room=room, watch=watch
            )
        if begun is not None:
            begun(run)
        if answered is not None:
            run._when_answered(answered)
        run.wait()
        note = loop.picture_work(partial(keep_shown, log, cell, run.id, run.results, save_to)).result()
        return Outcome("over", note, run.id)
    except Exception as error:  # noqa: BLE001 - whatever a cell does, the others go on
        return _went(error, run)


def _went(error: Exception, run: Run | None) -> Outcome:
    run_id = run.id if run is not None else ""
    words = str(error) if isinstance(error, TTAPIError) else f"{type(error).__name__}: {error}"
    if isinstance(error, ClaimedError):
        return Outcome("over", words, error.run_id)
    if isinstance(error, RateLimitError):
        return Outcome("busy", words, run_id, error.retry_after)
    if isinstance(error, BudgetError):
        return Outcome("budget", words)
    if isinstance(error, AuthenticationError | QuotaError | MissingKeyError):
        return Outcome("halt", words, run_id)
    if isinstance(error, NotRecordedError):
        return Outcome("impossible", words, run_id)
    if isinstance(error, NotSentError):
        return Outcome("unreachable", words, run_id)
    if run is not None:
        return Outcome("over", words, run_id)
    if isinstance(error, ResultError | SettingsError | OSError):
        # The log can't be written, so nothing may be sent.
        return Outcome("halt", words)
    return Outcome("impossible", words)


def keep_shown(
    log: RunLog, cell: Cell, run_id: str, results: Sequence[Result], save_to: Path | None = None
) -> str:
    """Keep what is shown of results in the log, and the results themselves as files where that is asked for.

    Returns what went wrong with that, in words: what is paid for is in the log in any case.
    """
    problems = []
    for result in results:
        try:
            log.experiments.show(run_id, result.number, shown_of(result))
            if save_to is not None:
                result.save(save_to / f"{file_name(cell, result.number)}.png")
        except TTAPIError as error:
            problems.append(str(error))
    return " ".join(dict.fromkeys(problems))


def shown_of(result: Result) -> Shown:
    """What is shown of a result without making it again."""
    out = io.BytesIO()
    small = preview(result.image, THUMB)
    small.convert("RGBA" if small.has_transparency_data else "RGB").save(out, "WEBP", quality=80)
    leak = None if result.leak is None else (float(result.leak.share), float(result.leak.mean))
    return Shown(out.getvalue(), result.image.size, leak, result.kept, result.note)


def file_name(cell: Cell, number: int) -> str:
    """What a result's file is called, but for its suffix: its place and its key, which no other has."""
    return f"{cell.number:04d}-{cell.key[:8]}-{number}"

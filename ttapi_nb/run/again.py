"""The results of a run made again from what the log kept of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ..asked import Prepared
from ..errors import ResultError
from ..lineage import step_of
from ..log import RunRow
from ..reply import ImagesResponse
from ..reply.responses import ImageData
from .making import results_of
from .result import Result
from .run import Run
from .signing import signed

__all__ = ["made_again"]


def made_again(prepared: Prepared, row: RunRow) -> tuple[Result, ...]:
    """The results of a run as they were, of the answers that the log kept: laid back, pasted and signed once more.

    `prepared` is the run's. Raises `ResultError` where nothing of it is kept.
    """
    if not row.results:
        gone = "They were pruned." if row.pruned else "None came, or none could be fetched."
        raise ResultError(f"The results of this run are not in the log. {gone}")
    try:
        data = tuple(ImageData(path.read_bytes()) for path in row.results)
    except OSError as error:
        raise ResultError(f"A result can't be read from the log ({error.strerror}).") from None
    run = Run(prepared)
    results, _ = results_of(run, ImagesResponse(None, data, offline=row.offline))
    step = replace(
        step_of(prepared, offline=row.offline),
        time=datetime.fromtimestamp(row.started, UTC).replace(microsecond=0),
    )
    return tuple(signed(prepared.asked.source, step, result) for result in results)

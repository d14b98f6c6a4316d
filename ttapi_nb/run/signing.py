"""What made a result, written into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..lineage import Step, next_lineage, step_of
from ..picture import SourceImage
from .ending import UNTOLD
from .result import Result
from .run import Run

__all__ = ["all_signed", "signed"]


def signed(source: SourceImage | None, step: Step, result: Result) -> Result:
    """A result of `step` with its lineage: that of the `source`, if there was one, and this step."""
    leak = None if result.leak is None else (float(result.leak.share), float(result.leak.mean))
    step = replace(step, kept=result.kept, leak=leak, number=result.number)
    return replace(result, picture=result.picture.with_lineage(next_lineage(source, step).to_json()))


def all_signed(run: Run, results: Sequence[Result], *, offline: bool) -> tuple[Result, ...]:
    """The results of a run with what made them, as far as that can be written."""
    made = list(results)
    try:
        step = step_of(run.prepared, offline=offline)
        for at, result in enumerate(results):
            made[at] = signed(run.asked.source, step, result)
    except Exception as error:  # noqa: BLE001 - a paid answer must not be lost to what is written about it
        run._add_note(UNTOLD.format(error=f"{type(error).__name__}: {error}"))
    return tuple(made)

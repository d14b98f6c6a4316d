"""What made a result, written into it."""

from __future__ import annotations

from dataclasses import replace

from ..lineage import Step, next_lineage
from ..picture import SourceImage
from .result import Result

__all__ = ["signed"]


def signed(source: SourceImage | None, step: Step, result: Result) -> Result:
    """A result of `step` with its lineage: that of the `source`, if there was one, and this step."""
    leak = None if result.leak is None else (float(result.leak.share), float(result.leak.mean))
    step = replace(step, kept=result.kept, leak=leak, number=result.number)
    return replace(result, picture=result.picture.with_lineage(next_lineage(source, step).to_json()))

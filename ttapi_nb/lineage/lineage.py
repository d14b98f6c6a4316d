"""`Lineage`: what made a picture, step by step, as one JSON text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from .. import __version__
from ..asked import Prepared
from ..errors import ResultError
from ..mask import Mask
from ..metadata import TEXT_CAP
from ..picture import SourceImage
from ..text import cut
from .drawing import drawing_of, mask_of
from .step import Origin, Step, bare_name
from .written import OPTIONS, STEPS_CAP, WORD_CAP, dump, fits, must_be, no_constant, step_in, step_out, whole

__all__ = ["FORMAT", "Lineage", "lineage_of", "next_lineage", "step_of", "step_text"]

FORMAT = 1
"""The version of what is written here; a later one may mean something else by the same words."""


@dataclass(frozen=True)
class Lineage:
    """The steps that made a picture, oldest first; `earlier` counts those before them that are no longer written."""

    steps: tuple[Step, ...]
    earlier: int = 0

    def __repr__(self) -> str:
        count = len(self.steps) + self.earlier
        return f"Lineage({count} step{'' if count == 1 else 's'}, last: {cut(self.steps[-1].prompt, 40)!r})"

    def to_json(self) -> str:
        """The lineage as it is written into a file: ASCII, at most a million characters.

        Where it would be longer, the oldest drawings are left out first and then the oldest steps; "" where not even
        the last step has room.
        """
        steps, earlier = list(self.steps[-STEPS_CAP:]), self.earlier + max(0, len(self.steps) - STEPS_CAP)
        written = [dump(step_out(step)) for step in steps]
        room = TEXT_CAP - 200
        for at, step in enumerate(steps):
            if sum(map(len, written)) + len(written) <= room:
                break
            written[at] = dump(step_out(replace(step, drawing="")))
        while written and sum(map(len, written)) + len(written) > room:
            del written[0]
            earlier += 1
        if not written:
            return ""
        return (
            f'{{"format":{FORMAT},"software":"ttapi_nb","earlier":{earlier},"steps":[{",".join(written)}]}}'
        )

    @classmethod
    def from_json(cls, text: str) -> Lineage:
        """The lineage that `to_json` wrote; every word of it is checked. Raises `ResultError`."""
        problem = "The lineage is damaged. Open the picture alone with open_image()."
        try:
            if len(text) > TEXT_CAP:
                raise ValueError
            read = json.loads(text, parse_constant=no_constant)
            if isinstance(read["format"], int) and read["format"] > FORMAT:
                problem = "The lineage was written by a newer ttapi_nb. Update yours to read it."
                raise ValueError
            if read["format"] != FORMAT:
                raise ValueError
            steps = must_be(list, read["steps"])
            if not 1 <= len(steps) <= STEPS_CAP:
                raise ValueError
            return cls(tuple(map(step_in, steps)), whole(read.get("earlier", 0), 0))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError):
            pass
        raise ResultError(problem)


def lineage_of(picture: SourceImage) -> Lineage | None:
    """What made a picture: of one that was opened from a saved result, or of a `Result`'s. None where there is no
    lineage that can be read.
    """
    try:
        return Lineage.from_json(picture._lineage) if picture._lineage else None
    except ResultError:
        return None


def step_of(prepared: Prepared, *, offline: bool = False) -> Step:
    """The step that an edit stands for, as it was asked for and before it was fitted; now. Hashes its pictures."""
    request, plan = prepared.asked.request, prepared.plan
    mask = mask_of(request.mask)
    return Step(
        # What was sent unchecked may be anything, and what is written must be readable again.
        prompt=str(request.prompt),
        model=str(request.model)[:WORD_CAP],
        options={name: value for name, value in request.body().items() if name in OPTIONS and fits(value)},
        sources=tuple(
            Origin(bare_name(source.name), source.size, source.digest) for source in request.image[:STEPS_CAP]
        ),
        mask_digest="" if mask is None else _mask_digest(mask),
        drawing=drawing_of(mask),
        fit=prepared.asked.fit[:WORD_CAP],
        plan="" if plan is None else plan.words,
        box=None if plan is None else plan.box,
        sent_size=None if plan is None else prepared.sent.image[0].size,
        strict=prepared.asked.strict,
        time=datetime.now(UTC).replace(microsecond=0),
        version=__version__,
        offline=offline,
    )


def step_text(prepared: Prepared) -> str:
    """The edit's own step alone, as the JSON of a lineage."""
    return Lineage((step_of(prepared),)).to_json()


def next_lineage(source: SourceImage | None, step: Step) -> Lineage:
    """The lineage of what `step` made of `source`, or of words alone: the source's own, and this step."""
    before = None if source is None else lineage_of(source)
    return Lineage((*before.steps, step), before.earlier) if before else Lineage((step,))


def _mask_digest(mask: Mask) -> str:
    head = f"L {mask.size[0]}x{mask.size[1]} ".encode()
    return hashlib.sha256(head + mask.coverage().tobytes()).hexdigest()

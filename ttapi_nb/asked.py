"""What is asked for, and what preparing it found: frozen values that travel together from an editor or a call to a run.

prepared = prepare(Asked(request, fit="auto", strict=True), client.core.problems)
prepared.sent, prepared.plan, prepared.problems
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .errors import FitError
from .fit import HOWS, Fit, mask_for
from .mask import Mask, asked_for
from .picture import SourceImage
from .request import NO_PICTURE, EditRequest

__all__ = ["Asked", "Prepared", "prepare"]


@dataclass(frozen=True)
class Asked:
    """An edit as it is asked for.

    * `request`: its pictures, mask, prompt and options, before anything is fitted to a model.
    * `fit`: the word for how the first picture is brought to the model, one of `ttapi_nb.fit.HOWS`.
    * `strict`: whether what lies outside the mask is kept exactly.
    """

    request: EditRequest
    fit: str = "auto"
    strict: bool = True

    @property
    def source(self) -> SourceImage | None:
        """The picture that is edited, or None where there is none yet."""
        return self.request.image[0] if self.request.image else None


@dataclass(frozen=True)
class Prepared:
    """An edit as it would be sent.

    * `asked`: what it was made of; `sent`: the request that goes out.
    * `plan`: how the first picture travels there and back; None where there is no picture yet, or none is edited.
    * `problems`: why it can't be sent, as sentences; empty where it can, or where nobody looked.
    """

    asked: Asked
    sent: EditRequest
    plan: Fit | None = None
    problems: tuple[str, ...] = ()

    @property
    def requests(self) -> int:
        """How many requests it takes: one for each tile where it goes in tiles."""
        return len(self.plan.tiles) if self.plan is not None and self.plan.how == "tiles" else 1


def prepare(
    asked: Asked, problems: Callable[[EditRequest], Sequence[str]] | None = None, *, cuts: bool = False
) -> Prepared:
    """Fit what is asked for to its model, and look for what is wrong with `problems`: `EditRequest.problems`, or a
    client's, which knows its body form too. Left out, nobody looks.

    The first picture and its mask are fitted as `Fit.plan` says, and the plan's size is asked for. The others go whole,
    in a format the model takes and, where that can be done, under its byte limit. With `cuts` a thin mask that crosses
    a large photo goes in tiles unasked, which takes several requests; `sent` is then what would go out as one. Raises
    `FitError` for an unknown `fit`, for `"crop"` and `"tiles"` without a mask, for `"tiles"` with several results or
    without `strict`, and where nothing of the mask would be sent.
    """
    sent, plan = _fitted(asked.request, asked.fit)
    if plan is not None and plan.tiles:
        plan = _in_tiles(asked, plan, cuts=cuts)
    reasons = () if problems is None else tuple(problems(sent))
    if problems is not None and plan is None and not reasons and not sent.generates:
        reasons = (NO_PICTURE,)
    return Prepared(asked, sent, plan, reasons)


def _in_tiles(asked: Asked, plan: Fit, *, cuts: bool) -> Fit:
    """The plan with its tiles where they are asked for, or may be taken or offered."""
    problem = ""
    if asked.request.n != 1:
        problem = 'fit="tiles" makes one result. Set n to 1, or use fit="auto".'
    elif not asked.strict:
        problem = 'fit="tiles" keeps what is outside the mask. Use strict=True, or fit="auto".'
    if not problem:
        return replace(plan, how="tiles") if cuts else plan
    if plan.how == "tiles":
        raise FitError(problem)
    return replace(plan, tiles=())


def _fitted(request: EditRequest, how: str) -> tuple[EditRequest, Fit | None]:
    if not request.image:
        return request, None
    first = request.image[0]
    mask = mask_for(first, request.mask)
    # A mask that can't travel goes as it is, so that its problem is said.
    travels = request.mask is None or mask is not None
    faint = mask is not None and bool(mask.meaning.problem)
    if faint and how in ("crop", "tiles"):
        travels = False
    plan = Fit.plan(first, request.model, request.size, how if travels or how not in HOWS else "none", mask)
    picture, note = plan.there_and_note(first)
    plan = replace(plan, format=picture.format, note=note)
    if not travels:
        plan = replace(plan, masked="")
    others = tuple(Fit.plan(other, request.model, how="none").there(other) for other in request.image[1:])
    there = plan.there_mask(mask) if mask is not None and not faint else request.mask
    if isinstance(there, Mask) and asked_for(there) is None:
        raise FitError('Nothing of the mask is in what would be sent. Use another size, or fit="auto".')
    return replace(request, image=(picture, *others), mask=there, size=plan.asked_size), plan

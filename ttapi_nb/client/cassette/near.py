"""Which recording is nearest to a request that was not recorded, and what is different about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...lineage import Step
from ...text import one_line
from .asks import Ask
from .reading import Entry

__all__ = ["Near", "nearest"]

Area = NDArray[np.bool_]
"""Which pixels a mask lets be edited, (height, width)."""


@dataclass(frozen=True)
class Near:
    """A recording near to a request, and how far from it: settings that differ, and how much of the masks is common (0
    to 1, None where that can't be told); `words` says so.
    """

    entry: Entry
    differs: tuple[str, ...]
    common: float | None
    masked: bool

    @property
    def words(self) -> str:
        """What is different about it, for whoever looks at the result."""
        teacher = "Recorded with the teacher's mask" if self.entry.ask.mask else "Recorded without a mask"
        share = "" if self.common is None else f", which has {self.common:.0%} in common with yours"
        sentence = (
            f"{teacher}{share}." if self.masked or self.entry.ask.mask else "Recorded once for this prompt."
        )
        return f"{sentence} It was asked with {', '.join(self.differs)}." if self.differs else sentence

    @property
    def distance(self) -> tuple[int, int, float]:
        """The smaller, the nearer: settings first, then whether there is a mask in both, then how alike they are."""
        unlike = self.masked != (self.entry.ask.mask is not None)
        return len(self.differs), unlike, -(self.common or 0.0)


def nearest(
    ask: Ask,
    area: Area | None,
    step: Step | None,
    entries: Iterable[Entry],
    mask_of: Callable[[Entry], Area | None],
) -> Near | None:
    """The nearest of `entries`, which have the prompt of `ask`; None where none shows the same photo in the same cut.

    `area` is the request's mask, `step` what was asked before it was fitted, and `mask_of` an entry's mask.
    """
    candidates = [
        Near(entry, _differs(ask, entry.ask), _common(area, mask_of(entry)), ask.mask is not None)
        for entry in entries
        if not entry.refused and _same_picture(ask, step, entry)
    ]
    return min(candidates, key=lambda one: one.distance, default=None)


def _same_picture(ask: Ask, step: Step | None, entry: Entry) -> bool:
    """Whether an answer to `entry` lies on the picture of `ask` as on its own."""
    if ask.images[:1] == entry.ask.images[:1]:
        return True
    if step is None or entry.step is None or not (step.sources and entry.step.sources):
        return False
    # The same photo sent at another size. Where it is cut or padded is in `box`.
    return step.source.digest == entry.step.source.digest and step.box == entry.step.box


def _differs(ask: Ask, other: Ask) -> tuple[str, ...]:
    """The settings of `other` that are not those of `ask`, in words."""
    names = sorted({*ask.options, *other.options})
    settings = [] if ask.model == other.model else [f"model {one_line(other.model, 40)}"]
    settings += [
        f"{name} {one_line(str(other.options.get(name, 'left out')), 40)}"
        for name in names
        if ask.options.get(name) != other.options.get(name)
    ]
    settings += ["other fields of extra_body"] if ask.extra != other.extra else []
    return tuple(settings + (["other reference pictures"] if ask.images[1:] != other.images[1:] else []))


def _common(one: Area | None, other: Area | None) -> float | None:
    """Intersection over union of two masks, looked at in the smaller one's pixels; None where one is not there."""
    if one is None or other is None or not one.size or not other.size:
        return None
    small, large = sorted((one, other), key=lambda area: area.size)
    rows = np.arange(small.shape[0]) * large.shape[0] // small.shape[0]
    columns = np.arange(small.shape[1]) * large.shape[1] // small.shape[1]
    seen = large[np.ix_(rows, columns)]
    both = np.count_nonzero(small | seen)
    return float(np.count_nonzero(small & seen) / both) if both else 1.0

"""`Steps`: the changes of a photo and its mask, to go back through them and forth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

from ...mask import Mask
from ...picture import SourceImage

__all__ = ["State", "Steps"]

State: TypeAlias = tuple[SourceImage | None, Mask | None]

# Photos that undo can go back to: each stays in memory.
PHOTOS_KEPT = 4


class Steps:
    """What was there before each change, and what somebody went back from."""

    def __init__(self) -> None:
        self._past: list[State] = []
        self._future: list[State] = []
        self.are_taken = True
        """Whether a change is a step of its own, and not a part of one."""

    @property
    def can_go_back(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._past)

    @property
    def can_go_forth(self) -> bool:
        """Whether there is something to redo."""
        return bool(self._future)

    def take(self, before: State) -> None:
        """Something was changed, before which this was there; without a photo there is nothing to go back to."""
        if before[1] is None:
            return
        self._past.append(before)
        self._future.clear()
        photos = [id(image) for image, _ in self._past]
        kept = list(dict.fromkeys(reversed(photos)))[:PHOTOS_KEPT]
        self._past = [one for one, photo in zip(self._past, photos, strict=True) if photo in kept]

    @contextlib.contextmanager
    def as_one(self) -> Iterator[None]:
        """What is changed within this is part of one step, which its end takes."""
        before, self.are_taken = self.are_taken, False
        try:
            yield
        finally:
            self.are_taken = before

    def back(self, now: State) -> State | None:
        """What was there before the last change; None where there was none."""
        return _gone(self._past, self._future, now)

    def forth(self, now: State) -> State | None:
        """What was last gone back from; None where nothing was."""
        return _gone(self._future, self._past, now)

    def masks(self) -> Iterator[Mask]:
        """The masks of before, the latest first."""
        return (mask for _, mask in reversed(self._past) if mask is not None)


def _gone(here: list[State], there: list[State], now: State) -> State | None:
    if not here:
        return None
    there.append(now)
    return here.pop()

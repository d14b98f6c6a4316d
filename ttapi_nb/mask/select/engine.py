"""What selects a thing: `select(picture, points, labels, box)` gives its coverage. Engines are in the files beside."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...picture import SourceImage
from ..marks import Box
from .clicks import Clicks

__all__ = ["SECONDS", "Engine", "EngineName", "Floats", "Given", "Select", "Stop", "StoppedError"]

SECONDS = 60.0
"""How long an answer is waited for, where nobody said."""

Floats: TypeAlias = NDArray[np.float32]
EngineName: TypeAlias = Literal["auto", "grabcut", "mobilesam"]
Select: TypeAlias = Callable[[SourceImage, list[tuple[float, float]], list[int], Box | None], Any]
"""Any model: it gets the photo (`picture.pixels` is Pillow's, `picture.size` its width and height), the points, a label
for each, 1 on the thing and 0 beside it, and a box or None, all in image pixels; and gives an array of the photo's
(height, width), floats from 0 to 1 or bool.
"""


class StoppedError(Exception):
    """Nobody waits any more for what was being selected."""


class Stop:
    """Tells what is going on that nobody waits for it any more."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._told: list[Callable[[], object]] = []

    def ask(self) -> None:
        """Ask for an end."""
        self._asked.set()
        with self._lock:
            told, self._told = self._told, []
        for tell in told:
            tell()

    @property
    def asked(self) -> bool:
        """Whether an end was asked for."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise `StoppedError` where an end was asked for."""
        if self.asked:
            raise StoppedError

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Iterator[None]:
        """Call `tell()`, which only raises a flag, when an end is asked for while this goes on."""
        with self._lock:
            self._told.append(tell)
        try:
            if self.asked:
                tell()
            yield
        finally:
            with self._lock:
                if tell in self._told:
                    self._told.remove(tell)


class Engine(ABC):
    """One way to select a thing; call it, or let `call` ask it on a thread.

    * `name`: what people call it.
    * `quick`: whether a click costs little enough to ask it under a moving pointer.
    """

    name: str
    quick = False

    @property
    def model(self) -> object:
        """What does the work, which several may share."""
        return self

    @abstractmethod
    def run(self, picture: SourceImage, clicks: Clicks, stop: Stop) -> Any:
        """The coverage of what the clicks point at. Raises `StoppedError` soon after an end was asked for."""

    def glimpse(self, picture: SourceImage, clicks: Clicks, size: tuple[int, int], stop: Stop) -> Any:
        """As `run`, and at another size: what is only looked at is smaller than the photo."""
        coverage = np.asarray(self.run(picture, clicks, stop), np.float32)
        return np.asarray(Image.fromarray(coverage).resize(size, Image.Resampling.BILINEAR))

    def prepare(self, picture: SourceImage, stop: Stop) -> None:  # noqa: B027 - most have nothing to do
        """Do beforehand what each photo needs once; it is forgotten with the photo."""

    def __call__(
        self,
        picture: SourceImage,
        points: Iterable[Sequence[float]] = (),
        labels: Iterable[int] | None = None,
        box: Box | None = None,
    ) -> Any:
        """The coverage of a thing, on this thread: an array of the picture's (height, width), floats from 0 to 1."""
        return self.run(picture, Clicks.of(picture.size, points, labels, box), Stop())


class Given(Engine):
    """A function of somebody's own: see `Select`."""

    def __init__(self, function: Select) -> None:
        self._function = function
        name = getattr(function, "name", None) or getattr(function, "__name__", None)
        self.name = name[:80] if isinstance(name, str) else type(function).__name__
        self.quick = getattr(function, "quick", False) is True

    @property
    def model(self) -> object:
        return self._function

    def run(self, picture: SourceImage, clicks: Clicks, stop: Stop) -> Any:
        stop.check()
        return self._function(picture, list(clicks.points), list(clicks.labels), clicks.box)

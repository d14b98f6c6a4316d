"""An engine is asked on a thread of the package's own, and what it gives is looked at before it is believed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np

from ... import loop
from ...errors import MaskError, TTAPIError
from ...forking import anew
from ...picture import SourceImage
from ..arrays import as_array, coverage_of, flat
from ..meaning import HALF
from ..raster import Coverage
from .clicks import Clicks
from .engine import SECONDS, Engine, Stop, StoppedError

__all__ = ["Call"]

# Of those that never answer each holds a thread and a photo.
MOST_STUCK = 4
# How long what was stopped may take to notice.
GRACE = 5.0

_lock = threading.Lock()
anew(globals(), "_lock")
_running: dict[int, list[Call]] = {}


class Call:
    """One question to an engine, asked at once on a thread; nothing of it is kept when it is answered or given up. With
    a `size` the answer is of that size, and only to be looked at.

    Raises `MaskError` where the engine has too many questions that it never answered.
    """

    def __init__(
        self, engine: Engine, picture: SourceImage, clicks: Clicks, size: tuple[int, int] | None = None
    ) -> None:
        loop.not_here("selecting")
        self.engine = engine
        self._stop = Stop()
        self._given_up = 0.0
        with _lock:
            asked = _running.setdefault(id(engine.model), [])
            if sum(call._is_stuck for call in asked) >= MOST_STUCK:
                raise MaskError(
                    f"{engine.name} still works on {MOST_STUCK} earlier clicks that it never answered. Restart the "
                    "kernel, or choose another engine."
                )
            asked.append(self)
        try:
            self._future: Future[Coverage] = loop.start(
                partial(_asked, engine, picture, clicks, size, self._stop)
            )
        except BaseException:
            self._forget()
            raise
        self._future.add_done_callback(lambda _: self._forget())

    def _forget(self) -> None:
        with _lock:
            asked = _running.get(id(self.engine.model), [])
            if self in asked:
                asked.remove(self)
            if not asked:
                _running.pop(id(self.engine.model), None)

    @property
    def _is_stuck(self) -> bool:
        return bool(self._given_up) and time.monotonic() - self._given_up > GRACE

    def stop(self) -> None:
        """Give it up: whatever it gives is dropped, and an engine that can be stopped stops."""
        self._given_up = self._given_up or time.monotonic()
        self._stop.ask()

    def coverage(self, seconds: float = SECONDS) -> Coverage:
        """What was found, (height, width) of uint8, waited for no longer than this. Raises `MaskError`."""
        try:
            return self._future.result(seconds)
        except TimeoutError:
            # Not the engine's own: what it raises comes as a MaskError.
            self.stop()
        except StoppedError:
            raise MaskError("The selection was stopped. The mask is as it was.") from None
        except BaseException:
            # An interrupt, say: nobody waits any more.
            self.stop()
            raise
        raise MaskError(
            f"{self.engine.name} gave no answer in {seconds:g} s, and the mask is as it was. Try again, or choose "
            "another engine."
        )

    def then(self, done: Callable[[Future[Coverage]], object]) -> None:
        """Call `done(future)`, on whichever thread, when it is answered, stopped or failed."""
        self._future.add_done_callback(done)


def _asked(
    engine: Engine, picture: SourceImage, clicks: Clicks, size: tuple[int, int] | None, stop: Stop
) -> Coverage:
    """What the engine finds, believed only as far as it can be a mask of the picture. Raises `MaskError`."""
    wanted = size or picture.size
    try:
        if size is None:
            answer = engine.run(picture, clicks, stop)
        else:
            answer = engine.glimpse(picture, clicks, size, stop)
        del picture
        coverage = _believed(engine.name, answer, wanted)
        del answer
    except (StoppedError, TTAPIError):
        raise
    except BaseException as error:  # noqa: BLE001 - it is somebody's own code, and may raise anything
        stop.check()
        reason = f"{type(error).__name__}: {_words(error)}" if _words(error) else type(error).__name__
        problem = (
            f"{engine.name} failed ({reason}). The mask is as it was. Try again, or choose another engine."
        )
    else:
        stop.check()
        if coverage.max() < HALF:
            raise MaskError(
                f"{engine.name} found nothing there. Click elsewhere on the thing, or drag a box around it."
            )
        return coverage
    # Without its cause: its frames would hold the photo.
    raise MaskError(problem)


def _words(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:200]
    except Exception:  # noqa: BLE001 - what can't even say what it is
        return ""


def _believed(name: str, answer: Any, size: tuple[int, int]) -> Coverage:
    problem = ""
    try:
        array = flat(as_array(answer))
        width, height = size
        if array.shape != (height, width):
            problem = (
                f"{name} gave a mask of {array.shape[1]}x{array.shape[0]} for a photo of {width}x{height}. It must "
                "give an array of the photo's (height, width)."
            )
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            problem = f"{name} gave numbers that are none (nan or infinity). The mask is as it was."
        else:
            return coverage_of(array)[0]
    except MaskError as error:
        problem = f"What {name} gave is no mask. {error}"
    raise MaskError(problem)

"""Selecting in a drawer: what is clicked goes to an engine on a thread, and what it finds becomes a mark.

Clicks refine the selection that is the mask's last mark, so undo goes back through them like through any other change.
A click that comes while an earlier one is worked on takes that one's place, with its points.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ... import loop
from ...errors import MaskError, TTAPIError
from ...mask import Mask, Selection
from ...mask import select as engines
from ...mask.select import ADD, SECONDS, TAKE_AWAY, Clicks, Engine, EngineName, Select, Stop
from ...picture import SourceImage
from ..browser import field_of
from .stage import Stage
from .turns import Turns

if TYPE_CHECKING:
    from ...mask.select import Call, Chosen

__all__ = ["Selecting"]

# So far from a selection, in its own sizes, or of the photo's longer side, a click still means it.
NEAR, LEAST_NEAR = 0.5, 0.03
# Of the photo's longer side: two clicks no further apart mean one place.
SAME = 0.01
# The longer side of what is shown under the pointer.
GLIMPSE = 512
# A hand moves by so many pixels of the preview in a click.
TREMBLE = 4


class Owner(Protocol):
    """The drawer that this is a part of."""

    lock: Turns
    stage: Stage
    image: SourceImage | None
    mask: Mask | None

    def before_last(self) -> Mask:
        """The mask without its last mark."""

    def take(self, changed: Callable[[Mask], Mask]) -> None:
        """Change the mask, as one step to undo."""


@dataclass(frozen=True)
class _Asked:
    """What is being found: by which clicks, in which photo, as what, and in place of which mark."""

    picture: SourceImage
    clicks: Clicks
    erase: bool
    inverted: bool
    base: Selection | None


class Selecting:
    """What a drawer's tool *Select* does. All of it may be called on any thread but the loop's."""

    def __init__(self, owner: Owner, select: EngineName | Select) -> None:
        self._owner, self._select = owner, select
        self._call: Call | None = None
        self._asked: _Asked | None = None
        # Whether the next click begins another thing, and for which photo the engine is ready.
        self._anew = False
        self._ready: SourceImage | None = None
        self._preparing, self._prepares = Stop(), False
        self._glimpse: Call | None = None

    def show(self) -> None:
        """Tell the browser which engine there is, and what it is doing."""
        asked, mask = self._asked, self._owner.mask
        clicks = asked.clicks if asked is not None else None
        last = self._last(mask)
        if clicks is None and last is not None and not self._anew:
            clicks = Clicks(last.points, last.labels, last.box)
        scale = self._owner.stage.scale
        told: dict[str, Any] = {
            "busy": asked is not None or self._prepares,
            "points": []
            if clicks is None
            else [
                [x * scale, y * scale, label]
                for (x, y), label in zip(clicks.points, clicks.labels, strict=True)
            ],
        }
        try:
            chosen = engines.engine_of(self._select)
            told |= {
                "engine": chosen.engine.name,
                "quick": chosen.engine.quick,
                "missing": "",
                "note": chosen.note,
            }
        except TTAPIError as error:
            told |= {"engine": "", "quick": False, "missing": str(error), "note": ""}
        self._owner.stage.selecting = told

    def asked(self, message: object) -> None:
        """Do what the browser asks for beside clicks."""
        what, number = field_of(message, "what", str), field_of(message, "number", int)
        place: list[Any] = [message.get(name) for name in ("x", "y")] if isinstance(message, dict) else []
        if what in ("subject", "background"):
            self.whole(inverted=what == "background")
        elif what == "another":
            self.another()
        elif what == "hover" and number is not None and all(type(at) in (int, float) for at in place):
            # A whole number may be too large for any place.
            with contextlib.suppress(OverflowError):
                scale = self._owner.stage.scale
                self.hover(place[0] / scale, place[1] / scale, number)

    def prepare(self) -> None:
        """Have the engine look at the photo before the first click: the tool was chosen, or another photo opened."""
        picture = self._owner.image
        if picture is None or picture is self._ready:
            return
        self._preparing.ask()
        self._preparing, self._ready = Stop(), picture
        try:
            engine = engines.engine_of(self._select).engine
        except TTAPIError:
            return
        self._prepares = True
        loop.start(partial(self._prepare, engine, picture, self._preparing))

    def _prepare(self, engine: Engine, picture: SourceImage, stop: Stop) -> None:
        # What goes wrong here goes wrong again at the first click, and is told then.
        with contextlib.suppress(Exception):
            engine.prepare(picture, stop)
        del picture
        with self._owner.lock:
            if self._preparing is stop:
                self._prepares = False
                self.show()

    def clicked(self, points: list[tuple[float, float]], erase: bool) -> None:
        """A place was clicked, or a box was dragged: its two corners, in image pixels."""
        owner = self._owner
        with owner.lock:
            picture, mask = owner.image, owner.mask
            if picture is None or mask is None:
                return
            try:
                apart = math.hypot(points[-1][0] - points[0][0], points[-1][1] - points[0][1])
                if apart * owner.stage.scale > TREMBLE:
                    clicks = Clicks.of(picture.size, box=(*points[0], *points[-1]))
                    self._begin(_Asked(picture, clicks, erase, False, None))
                else:
                    self._begin(self._refined(picture, mask, points[0], erase))
            except TTAPIError as error:
                self._failed(str(error))

    def whole(self, *, inverted: bool) -> None:
        """Select the photo's subject, or all that is not."""
        owner = self._owner
        with owner.lock:
            picture = owner.image
            if picture is None:
                return
            try:
                clicks = Clicks.of(picture.size, box=(0, 0, *picture.size))
                self._begin(_Asked(picture, clicks, False, inverted, None))
            except TTAPIError as error:
                self._failed(str(error))

    def another(self) -> None:
        """Let the next click begin another thing, wherever it is."""
        with self._owner.lock:
            self._anew = True
            self.show()

    def stop(self) -> bool:
        """Give up what is being found; whether there was something."""
        with self._owner.lock:
            call, self._call = self._call, None
            was, self._asked = self._asked is not None, None
            if call is not None:
                call.stop()
            if was:
                self.show()
            return was

    def let_go(self) -> None:
        """Give up everything: the drawer is closed, or shows another photo."""
        # Without the lock: the collector closes what nobody holds on whichever thread it comes by.
        call, self._call, self._asked = self._call, None, None
        if call is not None:
            call.stop()
        self._preparing.ask()
        self._ready, self._prepares = None, False
        glimpse, self._glimpse = self._glimpse, None
        if glimpse is not None:
            glimpse.stop()

    def hover(self, x: float, y: float, number: int) -> None:
        """Show what a click at this place, in image pixels, would select."""
        owner = self._owner
        with owner.lock:
            picture, mask = owner.image, owner.mask
            if picture is None or mask is None or self._asked is not None:
                return
            try:
                chosen = engines.engine_of(self._select)
                if not chosen.engine.quick:
                    return
                clicks = self._refined(picture, mask, (x, y), False).clicks
                if self._glimpse is not None:
                    self._glimpse.stop()
                scale = min(1.0, GLIMPSE / max(picture.size))
                size = (max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale)))
                self._glimpse = engines.Call(chosen.engine, picture, clicks, size)
                self._glimpse.then(partial(self._glimpsed, number))
            except TTAPIError:
                # It is only looked at: a click will tell.
                return

    def _glimpsed(self, number: int, done: Future[Any]) -> None:
        shown = None if done.cancelled() or done.exception() is not None else done.result()
        head = {"type": "glimpse", "number": number}
        if shown is None:
            self._owner.stage.send(head)
        else:
            height, width = shown.shape
            self._owner.stage.send(head | {"width": width, "height": height}, [shown.tobytes()])

    def _last(self, mask: Mask | None) -> Selection | None:
        last = mask.marks[-1] if mask is not None and mask.marks else None
        return last if isinstance(last, Selection) else None

    def _refined(self, picture: SourceImage, mask: Mask, point: tuple[float, float], erase: bool) -> _Asked:
        """What a click means: more or less of the thing that was just selected, or another thing."""
        waiting, last = self._asked, self._last(mask)
        if not self._anew:
            if waiting is not None and not waiting.inverted:
                clicks = waiting.clicks
                label = TAKE_AWAY if erase and not waiting.erase else ADD
                return _Asked(
                    picture, _more(clicks, picture, point, label), waiting.erase, False, waiting.base
                )
            if (
                last is not None
                and last.erase == (erase and last.erase)
                and _is_near(last, point, picture.size)
            ):
                clicks = Clicks(last.points, last.labels, last.box)
                label = TAKE_AWAY if erase and not last.erase else ADD
                return _Asked(picture, _more(clicks, picture, point, label), last.erase, False, last)
        return _Asked(picture, Clicks.of(picture.size, [point]), erase, False, None)

    def _begin(self, asked: _Asked) -> None:
        chosen: Chosen = engines.engine_of(self._select)
        if self._call is not None:
            self._call.stop()
        if self._glimpse is not None:
            self._glimpse.stop()
        self._owner.stage.problem = ""
        self._asked, self._anew = asked, False
        self._call = call = engines.Call(chosen.engine, asked.picture, asked.clicks)
        self.show()
        loop.start(partial(self._wait, call, asked))

    def _wait(self, call: Call, asked: _Asked) -> None:
        problem = ""
        try:
            coverage = call.coverage(SECONDS)
        except MaskError as error:
            problem = str(error)
        with self._owner.lock:
            # Another click, an undo or another photo came meanwhile.
            if self._call is not call:
                return
            self._call = self._asked = None
            if problem or self._owner.image is not asked.picture:
                self._failed(problem)
                return
            if asked.inverted:
                coverage = np.subtract(255, coverage)
            clicks = Clicks() if asked.inverted else asked.clicks
            mark = Selection.found(
                coverage, asked.erase, clicks.points, clicks.labels, clicks.box, call.engine.name
            )
            replaces = asked.base is not None and self._last(self._owner.mask) is asked.base
            before = self._owner.before_last() if replaces else None
            self._owner.take(lambda mask: (mask if before is None else before).add(mark))
            self.show()

    def _failed(self, problem: str) -> None:
        self._owner.stage.problem = problem
        self.show()


def _more(clicks: Clicks, picture: SourceImage, point: tuple[float, float], label: int) -> Clicks:
    """One click more. It takes the place of those beside it that say the opposite, if it has one on the thing left."""
    room = SAME * max(picture.size)
    before = list(zip(clicks.points, clicks.labels, strict=True))
    left = [(at, said) for at, said in before if said == label or math.dist(at, point) > room]
    if label == ADD or clicks.box is not None or any(said == ADD for _, said in left):
        before = left
    points, labels = [at for at, _ in before], [said for _, said in before]
    return Clicks.of(picture.size, (*points, point), (*labels, label), clicks.box)


def _is_near(selection: Selection, point: tuple[float, float], size: tuple[int, int]) -> bool:
    width, height = selection.size
    room = max(NEAR * max(width, height), LEAST_NEAR * max(size))
    across = max(selection.x - point[0], point[0] - selection.x - width, 0)
    down = max(selection.y - point[1], point[1] - selection.y - height, 0)
    return math.hypot(across, down) <= room

"""`Surface`: a photo with ink over it that people paint on. It knows strokes and pixels, and nothing of undo or tools.

The photo and the ink are two ipycanvas canvases, which a stage in the browser copies. Where the browser can't have
ipycanvas's script the stage has canvases of its own, and gets photo and ink from here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import ipycanvas
import numpy as np

from ...errors import MaskError
from ...mask import TOOLS, Mark, Mask, Pointed
from ...picture import SourceImage
from ..browser import buffer_of, field_of
from ..looks import looks
from .sheet import EMPTY, Point, Sheet, name_again
from .stage import Stage
from .turns import Turns

__all__ = ["Surface"]

# Hours of drawing without letting go; and how far from the photo a point may lie, in its own sizes or pixels.
POINTS_CAP = 200_000
FAR, LEAST_FAR = 100, 100_000
NAME_CAP = 500
# Views of a drawer whose marks are counted; a browser that comes back after so many others starts anew.
VIEWS = 64

OnMark: TypeAlias = Callable[[Mark], None]
OnAsk: TypeAlias = Callable[[str, list[Point], bool], None]
OnAct: TypeAlias = Callable[[str, object], None]
OnRefused: TypeAlias = Callable[[str], None]


class Surface:
    """Shows a photo and a mask on its `stage`, and hands on what people do, in image pixels.

    `on_mark(mark)` is called with each finished mark, `on_ask(tool, points, erase)` with what a tool did of which only
    the kernel makes one, `on_refused(sentence)` for what is no mark, and `on_act(kind, message)` with any other
    message.
    """

    def __init__(
        self, on_mark: OnMark, on_ask: OnAsk, on_act: OnAct, on_refused: OnRefused, lock: Turns
    ) -> None:
        self._on_mark, self._on_ask, self._on_act, self._on_refused = on_mark, on_ask, on_act, on_refused
        self._source: SourceImage | None = None
        # ipykernel hands events to the main thread or a subshell's, and may change its mind.
        self.lock = lock
        self._taken: dict[str, int] = {}
        # The stage shows neither of the two as a widget.
        layout = looks().shown
        photo, ink = (ipycanvas.Canvas(width=EMPTY[0], height=EMPTY[1], layout=layout) for _ in range(2))
        self.stage = Stage(photo=photo, ink=ink, layout=layout)
        self._sheet = Sheet(photo, ink)
        # Before there is a page it would be drawn on, and a page asks for it.
        self._seen = False
        photo.on_client_ready(self._photo_wanted)
        ink.on_client_ready(self._draw_ink)
        self.stage.on_msg(self._receive)

    def show_photo(self, source: SourceImage | None) -> None:
        """Show another picture, without a mask, or none."""
        with self.lock:
            self._source = source
            width, height = self._sheet.show_nothing() if source is None else self._sheet.show_photo(source)
            for canvas in (self.stage.photo, self.stage.ink):
                with canvas.hold_sync():
                    canvas.width, canvas.height = width, height
            with self.stage.hold_sync():
                self.stage.scale, self.stage.ready = self._sheet.scale, source is not None
                self.stage.preview = self._sheet.preview
                self.stage.photo_size = (0, 0) if source is None else source.size
            if self._seen:
                self._draw_photo()

    def show_mask(self, mask: Mask) -> None:
        """Show another mask of the same picture; a stroke that is being drawn stays on top of it."""
        with self.lock:
            self._sheet.show_mask(mask)

    @property
    def share(self) -> float:
        """How much of the picture is masked, 0 to 1, as it is shown."""
        return self._sheet.share

    def let_go(self) -> None:
        """Close what is no child, and let ipycanvas forget its last canvas."""
        self._sheet.forget_photo()
        name_again(self.stage.ink)

    def show_frame(self, box: tuple[int, int, int, int] | None) -> None:
        """Show which part of the picture is sent, in image pixels; None where that is all of it."""
        self.stage.frame = [side * self._sheet.scale for side in box] if box else []

    def finished(self, mark: Mark, scale: float) -> None:
        """Hand on a mark that was made in pixels of the preview."""
        self._on_mark(mark.scaled(1 / scale, 1 / scale))

    def _photo_wanted(self) -> None:
        self._seen = True
        self._draw_photo()

    def _draw_photo(self) -> None:
        with self.lock:
            self._sheet.draw_photo()

    def _draw_ink(self) -> None:
        with self.lock:
            self._sheet.draw_all_ink()

    def _receive(self, _: object, message: object, buffers: Sequence[Any]) -> None:
        kind = field_of(message, "type", str)
        if kind == "own":
            with self.lock:
                self._sheet.tell = self._tell
                self._photo_wanted()
                self._draw_ink()
        elif kind in ("mark", "run"):
            view, number = field_of(message, "view", str), field_of(message, "number", int)
            if view is not None and number is not None and len(view) <= NAME_CAP:
                with self.lock:
                    self._receive_next(kind, message, view, number, buffers)
            elif kind == "run":
                self._on_act(kind, message)
        elif kind is not None:
            self._on_act(kind, message)

    def _tell(self, head: dict[str, object], data: bytes) -> None:
        self.stage.send(head, [data])

    def _receive_next(
        self, kind: str, message: object, view: str, number: int, buffers: Sequence[Any]
    ) -> None:
        taken = self._taken.setdefault(view, 0)
        while len(self._taken) > VIEWS:
            del self._taken[next(iter(self._taken))]
        if number > taken + 1:
            # One before it was lost on the way. The browser sends both again, in order.
            return
        if number <= taken:
            # The answer was lost, and perhaps the ink with it.
            self._sheet.draw_all_ink()
        else:
            self._taken[view] = number
            if kind == "run":
                # It asks what is spent, and may wait for that.
                self.lock.after(lambda: self._on_act(kind, message))
            elif not self._took(message, buffers):
                self._sheet.draw_all_ink()
        # The ink is on its way: from its next frame on, the browser need not paint this mark itself.
        self.stage.send({"type": "taken", "view": view, "number": number})

    def _took(self, message: object, buffers: Sequence[Any]) -> bool:
        """Hand on what the browser made; whether it covers anything.

        What is no mark is refused in words, and answered like any other: the browser would send it again for ever.
        """
        # The eraser is a brush to the browser.
        tool, erase = TOOLS.get(field_of(message, "tool", str) or ""), field_of(message, "erase", bool)
        points = _points(buffers, self._sheet.shown.shape)
        if tool is None or tool.erases or erase is None or points is None:
            self._on_refused("This mark came damaged from the browser and was left out. Paint it again.")
            return False
        if self._source is None:
            return False
        if tool.make is None:
            scale = self._sheet.scale
            self._on_ask(tool.name, [(x / scale, y / scale) for x, y, _ in points], erase)
            # What was drawn of it meanwhile is no paint.
            return not tool.boxes
        try:
            mark = tool.make(points, erase)
        except MaskError as error:
            self._on_refused(str(error))
            return False
        if mark is not None:
            self.finished(mark, self._sheet.scale)
        return mark is not None


def _points(buffers: object, shown: tuple[int, ...]) -> Pointed | None:
    """The points of a mark, x, y and radius each in pixels of the preview; None where these are none."""
    data = buffer_of(buffers, 12 * POINTS_CAP)
    if not data or len(data) % 12:
        return None
    points = np.frombuffer(data, "<f4").reshape(-1, 3)
    # A pointer may leave the photo, but not the screen that it is on.
    far = FAR * max(shown)
    if (
        not np.isfinite(points).all()
        or (np.abs(points) > max(far, LEAST_FAR)).any()
        or (points[:, 2] < 0).any()
    ):
        return None
    return [(x, y, radius) for x, y, radius in points.tolist()]

"""`Surface`: a photo with ink over it that people paint on. It knows strokes and pixels, and nothing of undo or tools.

The photo and the ink are two ipycanvas canvases. Where the browser can copy them, a small stage shows them and paints a
stroke while it is drawn, without asking the kernel; where it can't, ipycanvas shows them and sends every move here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import ipycanvas
import ipywidgets
import numpy as np
import traitlets

from ..errors import MaskError
from ..mask import OPACITY, TINT, TOOLS, Mark, Mask, Pointed
from ..picture import SourceImage
from .browser import Part, buffer_of, field_of, module
from .closing import Closing
from .plain import PlainCanvas
from .sheet import Point, Sheet, name_again
from .turns import Turns

__all__ = ["Surface"]

PLAIN_TOOLS = tuple(name for name, tool in TOOLS.items() if tool.plain)
"""The tools that work where the browser does not paint by itself."""

LARGEST_BRUSH = 1000
BRUSH_SIZE = 60
"""The brush's diameter where nobody chose, in image pixels."""
TINT_COLOUR = "#{:02x}{:02x}{:02x}".format(*TINT)
ACTIONS = ("undo", "redo")
# Hours of drawing without letting go; and how far from the photo a point may lie, in its own sizes or pixels.
POINTS_CAP = 200_000
FAR, LEAST_FAR = 100, 100_000
REASON_CAP = 500
# Views of a drawer whose marks are counted; a browser that comes back after so many others starts anew.
VIEWS = 64

OnMark: TypeAlias = Callable[[Mark], None]
OnFill: TypeAlias = Callable[[Point, bool], None]
OnKey: TypeAlias = Callable[[str], None]
OnRefused: TypeAlias = Callable[[str], None]


class Stage(Part):
    """The browser's half: shows the two canvases and paints a stroke as it is drawn (see `static/stage.js`)."""

    _esm = module("stage.js")

    photo = traitlets.Instance(ipycanvas.Canvas).tag(sync=True, **ipywidgets.widget_serialization)
    ink = traitlets.Instance(ipycanvas.Canvas).tag(sync=True, **ipywidgets.widget_serialization)
    ready = traitlets.Bool(False).tag(sync=True)
    tool = traitlets.Enum(tuple(TOOLS), "brush").tag(sync=True)
    brush_size = traitlets.Int(BRUSH_SIZE, min=1, max=LARGEST_BRUSH).tag(sync=True)
    largest = traitlets.Int(LARGEST_BRUSH).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    pressure = traitlets.Bool(False).tag(sync=True)
    tint = traitlets.Unicode(TINT_COLOUR).tag(sync=True)
    opacity = traitlets.Float(OPACITY, min=0.0, max=1.0).tag(sync=True)
    show = traitlets.Enum(("tint", "edges"), "tint").tag(sync=True)
    frame = traitlets.List(traitlets.Float()).tag(sync=True)
    extending = traitlets.Bool(False).tag(sync=True)
    margins = traitlets.Tuple(*(traitlets.Int(0, min=0) for _ in range(4)), default_value=(0, 0, 0, 0)).tag(
        sync=True
    )


class Surface(Closing, ipywidgets.Box):
    """Shows a photo and a mask, and hands on what people do, in image pixels.

    * `on_mark(mark)` is called with each finished mark, `on_fill(point, erase)` where a region of similar colours is
      asked for, `on_key(action)` with `"undo"` or `"redo"`, and `on_refused(sentence)` for what is no mark.
    * `stage` holds what the next mark is made with and how the mask is shown: `tool`, `brush_size`, `pressure`, `tint`,
      `opacity`, `show`.
    * `problem` is why the browser does not paint by itself, or nothing.
    """

    problem = traitlets.Unicode()

    def __init__(
        self, on_mark: OnMark, on_fill: OnFill, on_key: OnKey, on_refused: OnRefused, lock: Turns
    ) -> None:
        self._on_mark, self._on_fill, self._on_key, self._on_refused = on_mark, on_fill, on_key, on_refused
        self._source: SourceImage | None = None
        self._mask: Mask | None = None
        # ipykernel hands events to the main thread or a subshell's, and may change its mind.
        self.lock = lock
        self._taken: dict[str, int] = {}
        # The stage shows neither of the two as a widget.
        layout = ipywidgets.Layout()
        photo, ink = (ipycanvas.Canvas(width=320, height=240, layout=layout) for _ in range(2))
        self.stage = Stage(photo=photo, ink=ink, layout=layout)
        self.plain: PlainCanvas | None = None
        self._sheet = Sheet(self.stage.photo, self.stage.ink, 1.0)
        self.stage.photo.on_client_ready(self._draw_photo)
        self.stage.ink.on_client_ready(self._draw_ink)
        self.stage.on_msg(self._receive)
        super().__init__([self.stage])
        self.add_class("ttapi-surface")

    def show_photo(self, source: SourceImage) -> None:
        """Show another picture, without a mask."""
        with self.lock:
            self._source, self._mask = source, None
            if self.plain is not None:
                self.plain.show_photo(source)
                return
            width, height = self._sheet.show_photo(source)
            for canvas in (self.stage.photo, self.stage.ink):
                canvas.width, canvas.height = width, height
            self.stage.scale, self.stage.ready = self._sheet.scale, True
            self._draw_photo()

    def show_mask(self, mask: Mask) -> None:
        """Show another mask of the same picture; a stroke that is being drawn stays on top of it."""
        with self.lock:
            self._mask = mask
            if self.plain is not None:
                self.plain.show_mask(mask)
            else:
                self._sheet.show_mask(mask)

    def let_go(self) -> None:
        """Close what is no child, and let ipycanvas forget its last canvas."""
        for sheet in (self._sheet, *([self.plain.sheet] if self.plain is not None else [])):
            sheet.forget_photo()
        name_again(self.stage.ink)

    def show_frame(self, box: tuple[int, int, int, int] | None) -> None:
        """Show which part of the picture is sent, in image pixels; None where that is all of it."""
        self.stage.frame = [side * self._sheet.scale for side in box] if box else []

    def finished(self, mark: Mark, scale: float) -> None:
        """Hand on a mark that was made in pixels of the preview."""
        self._on_mark(mark.scaled(1 / scale, 1 / scale))

    def _brush(self) -> tuple[float, bool]:
        return self.stage.brush_size / 2, self.stage.tool == "eraser"

    def _draw_photo(self) -> None:
        with self.lock:
            self._sheet.draw_photo()

    def _draw_ink(self) -> None:
        with self.lock:
            self._sheet.draw_all_ink()

    def _receive(self, _: object, message: object, buffers: Sequence[Any]) -> None:
        kind = field_of(message, "type", str)
        if kind == "no_ink":
            with self.lock:
                if self.plain is None:
                    self._fall_back((field_of(message, "reason", str) or "")[:REASON_CAP])
        elif kind == "key":
            action = field_of(message, "action", str)
            if action in ACTIONS:
                self._on_key(action)
        elif kind == "mark":
            view, number = field_of(message, "view", str), field_of(message, "number", int)
            # Without these it can't even be answered, and no browser of ours sends it.
            if view is not None and number is not None and len(view) <= REASON_CAP:
                with self.lock:
                    self._receive_mark(message, view, number, buffers)

    def _receive_mark(self, message: object, view: str, number: int, buffers: Sequence[Any]) -> None:
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
            if not self._took(message, buffers):
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
            x, y, _ = points[0]
            self._on_fill((x / self._sheet.scale, y / self._sheet.scale), erase)
            return True
        try:
            mark = tool.make(points, erase)
        except MaskError as error:
            self._on_refused(str(error))
            return False
        if mark is not None:
            self.finished(mark, self._sheet.scale)
        return mark is not None

    def _fall_back(self, reason: str) -> None:
        self.plain = PlainCanvas(self.lock, self._brush, self.finished)
        if self._source is not None:
            self.plain.show_photo(self._source)
        if self._mask is not None:
            self.plain.show_mask(self._mask)
        self.children = (self.plain,)
        self.problem = reason


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

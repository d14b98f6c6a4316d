"""`Surface`: an ipycanvas that shows a photo with a tinted mask over it, and turns pointer events into strokes.

It knows pixels on the screen; what they mean for a mask is its owner's business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipycanvas
import ipywidgets
import numpy as np

from ..images import SourceImage, encode
from ..mask import Coverage, Mask, Stroke

__all__ = ["PREVIEW_EDGE", "Surface"]

PREVIEW_EDGE = 1600
"""The longest edge of the picture sent to the browser, in pixels."""

TINT = (0, 190, 255)
OPACITY = 0.6

Point = tuple[float, float]


class Surface(ipycanvas.MultiCanvas):
    """Shows `source` and `mask`, and calls `on_stroke(points)` with a finished stroke's points in image pixels.

    `brush()` says the stroke being drawn: its radius in image pixels, and whether it erases.
    """

    def __init__(
        self, brush: Callable[[], tuple[float, bool]], on_stroke: Callable[[tuple[Point, ...]], None]
    ) -> None:
        super().__init__(2, width=320, height=240, layout={"width": "100%", "height": "auto"})
        self._brush = brush
        self._on_stroke = on_stroke
        self._photo: ipywidgets.Image | None = None
        self._scale = 1.0
        self._live: Coverage = np.zeros((240, 320), np.uint8)
        self._points: list[Point] = []
        # ipykernel hands events to the main thread or a subshell's, and may change its mind.
        self._events = threading.RLock()
        self.on_client_ready(self._redraw)
        ink = self[1]
        ink.on_mouse_down(self._press)
        ink.on_mouse_move(self._move)
        ink.on_mouse_up(self._release)
        ink.on_mouse_out(self._release)
        ink.on_touch_start(lambda touches: self._press(*touches[0]) if touches else None)
        ink.on_touch_move(lambda touches: self._move(*touches[0]) if touches else None)
        ink.on_touch_end(lambda _: self._finish())
        ink.on_touch_cancel(lambda _: self._finish())

    def show_photo(self, source: SourceImage) -> None:
        """Show another picture, without a mask."""
        with self._events:
            shown = source.preview(PREVIEW_EDGE)
            self._scale = shown.width / source.size[0]
            format = "JPEG" if shown.mode == "RGB" else "PNG"
            self._photo = ipywidgets.Image(value=encode(shown, format), format=format.lower())
            self._points = []
            self._live = np.zeros((shown.height, shown.width), np.uint8)
            self.width, self.height = shown.size
            self._redraw()

    def show_mask(self, mask: Mask) -> None:
        """Show another mask of the same picture; a stroke being drawn stays on top of it."""
        with self._events:
            # A mask over a smaller preview: scaled marks keep their edges clean.
            self._live = mask.resize((self._live.shape[1], self._live.shape[0])).coverage().copy()
            points, self._points = self._points, []
            for point in points:
                self._extend(point)
            self._draw_ink(0, 0, self._live.shape[1], self._live.shape[0])

    def _redraw(self) -> None:
        """Draw everything: ipycanvas shows nothing that it was told before a reload."""
        with self._events:
            if self._photo is None:
                return
            self[0].clear()
            self[0].draw_image(self._photo, 0, 0)
            self._draw_ink(0, 0, self._live.shape[1], self._live.shape[0])

    def _draw_ink(self, left: int, top: int, right: int, bottom: int) -> None:
        part = self._live[top:bottom, left:right]
        if not part.size:
            return
        pixels = np.empty((*part.shape, 4), np.uint8)
        pixels[..., :3] = TINT
        pixels[..., 3] = (part * OPACITY).astype(np.uint8)
        # ipycanvas lays image data over what is there; a mask's pixels replace it.
        self[1].clear_rect(left, top, right - left, bottom - top)
        self[1].put_image_data(pixels, left, top)

    def _press(self, x: float, y: float) -> None:
        with self._events:
            if self._photo is not None and not self._points:
                self._extend((x, y))

    def _move(self, x: float, y: float) -> None:
        with self._events:
            if self._points:
                self._extend((x, y))

    def _release(self, x: float, y: float) -> None:
        with self._events:
            if self._points:
                self._extend((x, y))
                self._finish()

    def _extend(self, point: Point) -> None:
        before = self._points[-1] if self._points else point
        self._points.append(point)
        radius, erase = self._brush()
        reach = radius * self._scale
        Stroke(((*before, reach), (*point, reach)), erase).draw(self._live)
        height, width = self._live.shape
        self._draw_ink(
            max(0, int(min(before[0], point[0]) - reach) - 2),
            max(0, int(min(before[1], point[1]) - reach) - 2),
            min(width, int(max(before[0], point[0]) + reach) + 3),
            min(height, int(max(before[1], point[1]) + reach) + 3),
        )

    def _finish(self) -> None:
        with self._events:
            points, self._points = self._points, []
            if points:
                self._on_stroke(tuple((x / self._scale, y / self._scale) for x, y in points))

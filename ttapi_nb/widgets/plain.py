"""`PlainCanvas`: painting where the browser can't paint by itself, through the kernel."""

from __future__ import annotations

from collections.abc import Callable

import ipycanvas

from ..mask import OPACITY, Mask, Stroke
from ..picture import SourceImage
from .sheet import Point, Sheet
from .turns import Turns

__all__ = ["PlainCanvas"]


class PlainCanvas(ipycanvas.MultiCanvas):
    """ipycanvas on its own: every move of the pointer comes here and the ink goes back.

    `brush` gives the brush's radius in image pixels, and whether it erases. `on_stroke` is called with each finished
    stroke, in pixels of the preview, and the preview's scale.
    """

    def __init__(
        self,
        lock: Turns,
        brush: Callable[[], tuple[float, bool]],
        on_stroke: Callable[[Stroke, float], None],
    ) -> None:
        super().__init__(2, width=320, height=240, layout={"width": "100%", "height": "auto"})
        self.sheet = Sheet(self[0], self[1], OPACITY)
        self._lock, self._brush, self._on_stroke = lock, brush, on_stroke
        self._points: list[Point] = []
        self.on_client_ready(self.draw)
        ink = self[1]
        ink.on_mouse_down(self._press)
        ink.on_mouse_move(self._move)
        ink.on_mouse_up(self._release)
        ink.on_mouse_out(self._release)
        ink.on_touch_start(lambda touches: self._press(*touches[0]) if touches else None)
        ink.on_touch_move(lambda touches: self._move(*touches[0]) if touches else None)
        ink.on_touch_end(lambda _: self._finish())
        ink.on_touch_cancel(lambda _: self._finish())

    def draw(self) -> None:
        """Draw photo and ink."""
        with self._lock:
            self.sheet.draw_photo()
            self.sheet.draw_all_ink()

    def show_photo(self, source: SourceImage) -> None:
        """Show another picture, without ink."""
        self._points = []
        self.width, self.height = self.sheet.show_photo(source)
        self.draw()

    def show_mask(self, mask: Mask) -> None:
        """Show another mask; a stroke that is being drawn stays on top of it."""
        self.sheet.show_mask(mask)
        points, self._points = self._points, []
        for point in points:
            self._extend(point)

    def _press(self, x: float, y: float) -> None:
        with self._lock:
            if self.sheet.has_photo and not self._points:
                self._extend((x, y))

    def _move(self, x: float, y: float) -> None:
        with self._lock:
            if self._points:
                self._extend((x, y))

    def _release(self, x: float, y: float) -> None:
        with self._lock:
            if self._points:
                self._extend((x, y))
                self._finish()

    def _extend(self, point: Point) -> None:
        before = self._points[-1] if self._points else point
        self._points.append(point)
        reach, erases = self._reach()
        Stroke(((*before, reach), (*point, reach)), erases).draw(self.sheet.shown)
        height, width = self.sheet.shown.shape
        self.sheet.draw_ink(
            max(0, int(min(before[0], point[0]) - reach) - 2),
            max(0, int(min(before[1], point[1]) - reach) - 2),
            min(width, int(max(before[0], point[0]) + reach) + 3),
            min(height, int(max(before[1], point[1]) + reach) + 3),
        )

    def _finish(self) -> None:
        with self._lock:
            points, self._points = self._points, []
            if points:
                reach, erases = self._reach()
                self._on_stroke(Stroke(tuple((x, y, reach) for x, y in points), erases), self.sheet.scale)

    def _reach(self) -> tuple[float, bool]:
        radius, erases = self._brush()
        return radius * self.sheet.scale, erases

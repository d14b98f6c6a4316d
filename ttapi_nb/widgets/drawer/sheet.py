"""`Sheet`: a photo and a mask on two ipycanvas canvases, at the size of a preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import ipycanvas
import ipywidgets
import numpy as np
from PIL import Image

from ...mask import TINT, Coverage, Mask
from ...picture import SourceImage, encode
from ..closing import close_tree

__all__ = ["PREVIEW_EDGE", "Point", "Sheet", "name_again"]

PREVIEW_EDGE = 1600
"""The longest edge of the picture sent to the browser, in pixels."""


Point: TypeAlias = tuple[float, float]


class Sheet:
    """Draws photo and ink, and knows what ink is there.

    `tell(head, data)` is set where a browser has no ipycanvas: it is told what is drawn, the photo as the file that it
    is sent in and the ink as one byte a pixel.
    """

    def __init__(self, photo: ipycanvas.Canvas, ink: ipycanvas.Canvas) -> None:
        self._photo, self._ink = photo, ink
        self.tell: Callable[[dict[str, object], bytes], None] | None = None
        self._preview: ipywidgets.Image | None = None
        self.scale = 1.0
        self.shown: Coverage = np.zeros((1, 1), np.uint8)

    def show_photo(self, source: SourceImage) -> tuple[int, int]:
        """Show another picture, without ink; returns the size it is shown at."""
        self.forget_photo()
        preview = source.preview(PREVIEW_EDGE)
        format = "JPEG" if preview.mode == "RGB" else "PNG"
        self._preview = ipywidgets.Image(value=encode(preview, format), format=format.lower())
        self.scale = preview.width / source.size[0]
        self.shown = np.zeros((preview.height, preview.width), np.uint8)
        return preview.size

    def forget_photo(self) -> None:
        """Close what the picture was sent in."""
        if self._preview is not None:
            close_tree(self._preview)
        self._preview = None

    def draw_photo(self) -> None:
        """Draw the picture: ipycanvas shows nothing that it was told before a reload."""
        if self._preview is not None:
            name_again(self._photo)
            self._photo.clear()
            self._photo.draw_image(self._preview, 0, 0)
            if self.tell is not None:
                height, width = self.shown.shape
                mime = f"image/{self._preview.format}"
                self.tell(
                    {"type": "photo", "width": width, "height": height, "mime": mime}, self._preview.value
                )

    def show_mask(self, mask: Mask) -> None:
        """Show a mask: only what differs from the ink that is there is sent."""
        before, self.shown = self.shown, self._at_preview_size(mask)
        box = Image.fromarray(before ^ self.shown).getbbox()
        if box is not None:
            self.draw_ink(*box)

    def draw_all_ink(self) -> None:
        """Draw all ink again."""
        self.draw_ink(0, 0, self.shown.shape[1], self.shown.shape[0])

    def draw_ink(self, left: int, top: int, right: int, bottom: int) -> None:
        """Draw the ink in a box."""
        part = self.shown[top:bottom, left:right]
        if not part.size:
            return
        pixels = np.empty((*part.shape, 4), np.uint8)
        pixels[..., :3] = TINT
        pixels[..., 3] = part
        name_again(self._ink)
        # ipycanvas lays image data over what is there; a mask's pixels replace it.
        self._ink.clear_rect(left, top, right - left, bottom - top)
        self._ink.put_image_data(pixels, left, top)
        if self.tell is not None:
            colour = TINT[0] | TINT[1] << 8 | TINT[2] << 16
            box = {"left": left, "top": top, "width": right - left, "height": bottom - top}
            self.tell({"type": "ink", "colour": colour} | box, part.tobytes())

    def _at_preview_size(self, mask: Mask) -> Coverage:
        size = (self.shown.shape[1], self.shown.shape[0])
        if mask.size == size:
            return mask.coverage().copy()
        return np.array(mask.to_image().resize(size, Image.Resampling.BOX))


def name_again(canvas: ipycanvas.Canvas) -> None:
    """Makes ipycanvas say which canvas its next drawing is for: a page that was just opened was never told."""
    canvas._canvas_manager._current_canvas = None

"""`Sheet`: a photo and a mask on two ipycanvas canvases, at the size of a preview."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import ipycanvas
import ipywidgets
import numpy as np
from ipycanvas.canvas import COMMANDS
from ipycanvas.utils import binary_image
from numpy.typing import NDArray
from PIL import Image

from ...mask import HALF, TINT, Coverage, Mask
from ...picture import SourceImage, encode
from ..closing import close_tree

__all__ = ["EMPTY", "PREVIEW_EDGE", "Point", "Sheet", "name_again"]

PREVIEW_EDGE = 1600
"""The longest edge of the picture sent to the browser, in pixels."""

EMPTY = (320, 240)
"""The size of a sheet without a picture, in pixels."""


Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[int, int, int, int]


class Sheet:
    """Draws photo and ink, and knows what ink is there.

    `tell(head, data)` is set where a browser has no ipycanvas: it is told what is drawn, the photo as the file that it
    is sent in and the ink as one byte a pixel.
    """

    def __init__(self, photo: ipycanvas.Canvas, ink: ipycanvas.Canvas) -> None:
        self._photo, self._ink = photo, ink
        self.tell: Callable[[dict[str, object], bytes], None] | None = None
        self.preview: ipywidgets.Image | None = None
        self._mask: Mask | None = None
        self.scale = 1.0
        self.shown: Coverage = np.zeros((EMPTY[1], EMPTY[0]), np.uint8)
        # How many of its pixels are masked: counted where it changes, as all of it takes longer than the change.
        self._masked = 0

    def show_photo(self, source: SourceImage) -> tuple[int, int]:
        """Show another picture, without ink; returns the size it is shown at."""
        self.forget_photo()
        preview = source.preview(PREVIEW_EDGE)
        format = "JPEG" if preview.mode == "RGB" else "PNG"
        self.preview = ipywidgets.Image(value=_file_of(preview, format), format=format.lower())
        self.scale = preview.width / source.size[0]
        self.shown, self._masked = np.zeros((preview.height, preview.width), np.uint8), 0
        self._mask = Mask(source.size)
        return preview.size

    def show_nothing(self) -> tuple[int, int]:
        """Show no picture any more; returns the size that an empty sheet is shown at."""
        self.forget_photo()
        self.scale, self._mask = 1.0, None
        self.shown, self._masked = np.zeros((EMPTY[1], EMPTY[0]), np.uint8), 0
        return EMPTY

    def forget_photo(self) -> None:
        """Close what the picture was sent in."""
        if self.preview is not None:
            close_tree(self.preview)
        self.preview = None

    def draw_photo(self) -> None:
        """Draw the picture, or that there is none: ipycanvas shows nothing that it was told before a reload."""
        name_again(self._photo)
        self._photo.clear()
        if self.preview is not None:
            self._photo.draw_image(self.preview, 0, 0)
        if self.tell is not None:
            height, width = self.shown.shape
            mime, file = (
                ("", b"") if self.preview is None else (f"image/{self.preview.format}", self.preview.value)
            )
            self.tell({"type": "photo", "width": width, "height": height, "mime": mime}, file)

    def show_mask(self, mask: Mask) -> None:
        """Show a mask: only what differs from the ink that is there is worked out, and sent."""
        before, self._mask = self._mask, mask
        near = (0, 0, *mask.size)
        if before is not None and before.size == mask.size:
            looked_at = mask.differing(before)
            if looked_at is None:
                return
            near = looked_at
        left, top, right, bottom = self._at_preview(near, mask.size)
        part = self.shown[top:bottom, left:right]
        new = self._ink_in((left, top, right, bottom), mask)
        box = Image.fromarray(part ^ new).getbbox()
        self._masked += masked_in(new) - masked_in(part)
        part[:] = new
        if box is not None:
            self.draw_ink(left + box[0], top + box[1], left + box[2], top + box[3])

    @property
    def share(self) -> float:
        """How much of what is shown is masked, 0 to 1."""
        return self._masked / self.shown.size

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
        replace_pixels(self._ink, pixels, left, top)
        if self.tell is not None:
            colour = TINT[0] | TINT[1] << 8 | TINT[2] << 16
            box = {"left": left, "top": top, "width": right - left, "height": bottom - top}
            self.tell({"type": "ink", "colour": colour} | box, part.tobytes())

    def _at_preview(self, box: Box, size: tuple[int, int]) -> Box:
        """The pixels of the preview that show any of `box` of a mask of `size`."""
        high, wide = self.shown.shape
        across, down = wide / size[0], high / size[1]
        return (
            math.floor(box[0] * across),
            math.floor(box[1] * down),
            min(wide, math.ceil(box[2] * across)),
            min(high, math.ceil(box[3] * down)),
        )

    def _ink_in(self, box: Box, mask: Mask) -> Coverage:
        """The mask in these pixels of the preview."""
        high, wide = self.shown.shape
        if mask.size == (wide, high):
            return mask.part(box)
        across, down = mask.size[0] / wide, mask.size[1] / high
        exact = box[0] * across, box[1] * down, box[2] * across, box[3] * down
        # A pixel or two more, so that the filter finds around it what it would find in the whole.
        left, top = max(0, math.floor(exact[0]) - 2), max(0, math.floor(exact[1]) - 2)
        right, bottom = min(mask.size[0], math.ceil(exact[2]) + 2), min(mask.size[1], math.ceil(exact[3]) + 2)
        part = Image.fromarray(mask.part((left, top, right, bottom)))
        inner = exact[0] - left, exact[1] - top, exact[2] - left, exact[3] - top
        size = box[2] - box[0], box[3] - box[1]
        return np.asarray(part.resize(size, Image.Resampling.BOX, inner))


def _file_of(preview: Image.Image, format: str) -> bytes:
    if format != "JPEG":
        return encode(preview, format)
    # As results are shown. To be sent it would be written finer, and half as large again.
    out = io.BytesIO()
    preview.save(out, format, quality=88, subsampling=0)
    return out.getvalue()


def masked_in(ink: Coverage) -> int:
    """How many pixels are edited."""
    return int(np.count_nonzero(ink >= HALF))


def replace_pixels(canvas: ipycanvas.Canvas, pixels: NDArray[np.uint8], left: int, top: int) -> None:
    """Draw `pixels`, (height, width, 4), in place of what is there, over which ipycanvas lays image data.

    All goes as one message, and nothing is taken away before its place is taken: a page shows what each message leaves,
    and what was cleared first would be gone for a moment. It is none of ipycanvas's held batches, which mix with those
    of other threads, and which an interrupt leaves held for ever.
    """
    height, width = pixels.shape[:2]
    copies = [canvas.ATTRS["global_composite_operation"], "copy"]
    drawing: list[list[Any]] = [
        [COMMANDS["switchCanvas"], [f"IPY_MODEL_{canvas.model_id}"]],
        [COMMANDS["save"], [], 0],
        [COMMANDS["beginPath"], [], 0],
        [COMMANDS["rect"], [left, top, width, height], 0],
        [COMMANDS["clip"], [], 0],
        [COMMANDS["set"], copies],
        [COMMANDS["putImageData"], [left, top], 1],
        [COMMANDS["restore"], [], 0],
    ]
    manager, data = canvas._canvas_manager, [binary_image(pixels)]
    if not manager._caching:
        manager._send_custom(drawing, data)
        # What is drawn next says which canvas it is for.
        manager._current_canvas = None
        return
    # Somebody holds what is drawn, and what they drew so far is for the canvas before.
    name_again(canvas)
    for command in drawing[1:]:
        manager.send_command(canvas, command, data if command[0] == COMMANDS["putImageData"] else [])


def name_again(canvas: ipycanvas.Canvas) -> None:
    """Makes ipycanvas say which canvas its next drawing is for: a page that was just opened was never told."""
    canvas._canvas_manager._current_canvas = None

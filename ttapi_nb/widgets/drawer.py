"""`MaskDrawer`: paint over a photo what should change."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets
import traitlets

from ..images import ImageSource, SourceImage, open_image
from ..mask import Mark, Mask
from .browser import Style
from .surface import Surface
from .text import Words

__all__ = ["MaskDrawer"]

TOOLS = {
    "brush": ("paint-brush", "Paint what should change (B)"),
    "eraser": ("eraser", "Take paint away (E)"),
    "line": ("minus", "Paint a straight line (L)"),
    "rectangle": ("square", "Fill a rectangle (R)"),
    "ellipse": ("circle", "Fill an ellipse (O)"),
    "lasso": ("draw-polygon", "Fill what you draw around (P)"),
}


# How much of its size a brush gains or loses with ] and [.
BRUSH_STEP = 0.15


class MaskDrawer(ipywidgets.VBox):
    """A photo with tools to paint a mask over it.

    * `image`: the photo, a `SourceImage`; assign anything that `open_image` takes. A photo of another size starts a
      new mask.
    * `mask`: a `Mask` of the photo's size, None without a photo; read it, assign it, observe it.
    * `tool`: `"brush"`, `"eraser"`, `"line"`, `"rectangle"`, `"ellipse"` or `"lasso"`. The right button or Alt erases
      with any of them, and Shift draws straight.
    * `brush_size`: the brush's diameter in image pixels, 1 to 1000.

    Raises what `open_image` raises, and `MaskError` where a mask of another size is assigned.
    """

    image = traitlets.Any(allow_none=True)
    mask = traitlets.Any(allow_none=True)
    tool = traitlets.Enum(tuple(TOOLS), "brush")
    brush_size = traitlets.Int(60, min=1, max=1000)

    def __init__(self, image: ImageSource | None = None, *, mask: Mask | None = None) -> None:
        self._past: list[Mask] = []
        self._future: list[Mask] = []
        self._travelling = False
        # One lock for a drawer and all around it: two could wait for each other.
        self.lock = threading.RLock()
        self._surface = Surface(self._marked, self._key, self.lock)
        self._tools = ipywidgets.ToggleButtons(
            options=[(tool.capitalize(), tool) for tool in TOOLS],
            icons=[icon for icon, _ in TOOLS.values()],
            tooltips=[hint for _, hint in TOOLS.values()],
        )
        self._size = ipywidgets.IntSlider(
            60, 1, 300, description="Size", layout={"width": "190px"}, style={"description_width": "36px"}
        )
        self._undo = self._button("Undo", "undo", self.undo)
        self._redo = self._button("Redo", "repeat", self.redo)
        self._invert = self._button("Invert", "adjust", self.invert)
        self._clear = self._button("Clear", "trash", self.clear)
        drawing = ipywidgets.Box([self._tools, self._size])
        changing = ipywidgets.Box([self._undo, self._redo, self._invert, self._clear])
        tools = ipywidgets.Box([drawing, changing])
        for row in (drawing, changing, tools):
            row.add_class("ttapi-tools")
        self._words = Words("Open a photo to paint on it.")
        self._style = Style()
        super().__init__([tools, self._surface, self._words, self._style])
        self.add_class("ttapi-drawer")
        traitlets.link((self, "tool"), (self._tools, "value"))
        traitlets.link((self, "brush_size"), (self._size, "value"))
        self._surface.observe(self._enable, "problem")
        self._brush_changed()
        self._enable()
        self.image = image
        if mask is not None:
            self.mask = mask

    def __repr__(self) -> str:
        return f"MaskDrawer({self.image!r}, {self.mask!r})"

    def _button(self, description: str, icon: str, act: Any) -> ipywidgets.Button:
        button = ipywidgets.Button(description=description, icon=icon, tooltip=description)
        button.on_click(lambda _: act())
        return button

    def undo(self) -> None:
        """Go back to the mask before the last change; nothing happens where there is none."""
        self._travel(self._past, self._future)

    def redo(self) -> None:
        """Take an undo back."""
        self._travel(self._future, self._past)

    def clear(self) -> None:
        """Take the whole mask away; it can be undone."""
        self._change(lambda mask: mask.clear())

    def invert(self) -> None:
        """Mask what was not masked, and the other way round; it can be undone."""
        self._change(lambda mask: mask.invert())

    @traitlets.validate("image")
    def _open(self, proposal: Any) -> SourceImage | None:
        return None if proposal.value is None else open_image(proposal.value)

    @traitlets.validate("mask")
    def _fits(self, proposal: Any) -> Mask | None:
        mask = proposal.value
        if mask is not None and not isinstance(mask, Mask):
            raise traitlets.TraitError(
                "mask takes a ttapi_nb.Mask. Make one from a file with Mask.from_image()."
            )
        if mask is not None and (self.image is None or mask.size != self.image.size):
            shown = self.image.size if self.image is not None else None
            raise traitlets.TraitError(
                f"The mask is {mask.size} and the photo {shown}. Use mask.resize(drawer.image.size)."
            )
        return mask

    @traitlets.observe("image")
    def _image_changed(self, change: Any) -> None:
        with self.lock:
            if change.new is None:
                self._past, self._future, self.mask = [], [], None
                return
            self._surface.show_photo(change.new)
            if self.mask is not None and self.mask.size == change.new.size:
                self._surface.show_mask(self.mask)
                return
            self.mask = Mask(change.new.size)
            self._past, self._future = [], []
            self._size.max = max(100, max(change.new.size) // 4)
            self._enable()

    @traitlets.observe("mask")
    def _mask_changed(self, change: Any) -> None:
        with self.lock:
            if not self._travelling and isinstance(change.old, Mask):
                self._past.append(change.old)
                self._future.clear()
            if change.new is not None:
                self._surface.show_mask(change.new)
            self._enable()

    @traitlets.observe("tool", "brush_size")
    def _brush_changed(self, _: Any = None) -> None:
        self._surface.set_brush(self.tool, self.brush_size / 2)

    def _marked(self, mark: Mark) -> None:
        self._change(lambda mask: mask.add(mark))

    def _key(self, action: str) -> None:
        with self.lock:
            if action in TOOLS:
                self.tool = action
            elif action == "swap":
                self.tool = "brush" if self.tool == "eraser" else "eraser"
            elif action in ("smaller", "larger"):
                step = max(1, round(self.brush_size * BRUSH_STEP))
                wanted = self.brush_size + (step if action == "larger" else -step)
                self.brush_size = min(self._size.max, max(1, wanted))
            elif action == "undo":
                self.undo()
            elif action == "redo":
                self.redo()

    def _change(self, changed: Any) -> None:
        with self.lock:
            if self.mask is not None:
                self.mask = changed(self.mask)

    def _travel(self, here: list[Mask], there: list[Mask]) -> None:
        with self.lock:
            if not here or self.mask is None:
                return
            there.append(self.mask)
            self._travelling = True
            try:
                self.mask = here.pop()
            finally:
                self._travelling = False
            self._enable()

    def _enable(self, _: Any = None) -> None:
        marked = self.mask is not None and bool(self.mask.marks)
        self._undo.disabled, self._redo.disabled = not self._past, not self._future
        self._clear.disabled, self._invert.disabled = not marked, self.mask is None
        if self.mask is None:
            return
        said = (
            [] if marked else ["Paint over what should change. Without paint the whole picture may change."]
        )
        if self._surface.problem:
            said.append("Painting goes through the kernel here, which is slower: draw slowly.")
        self._words.say(said)

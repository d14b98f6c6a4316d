"""`MaskDrawer`: paint over a photo what should change."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import ipywidgets
import numpy as np
import traitlets

from ..errors import TTAPIError
from ..fit import extend
from ..mask import OPACITY, TOLERANCE, TOOLS, Bitmap, Mark, Mask
from ..picture import ImageSource, SourceImage, open_image
from .browser import Page
from .closing import Closing
from .surface import BRUSH_SIZE, LARGEST_BRUSH, PLAIN_TOOLS, TINT_COLOUR, Surface
from .text import LateWords, Words, made
from .toolbar import AppearanceRow, EdgeRow, ExtendRow, NumbersRow, ToolRow, button, row
from .turns import Patient, Turns

__all__ = ["MaskDrawer", "Masks"]

State: TypeAlias = tuple[SourceImage | None, Mask | None]

# Photos that undo can go back to: each stays in memory.
PHOTOS_KEPT = 4
NO_MEMORY = "There is not enough memory for this mask. Paint it in smaller marks, or on a smaller photo."


class Masks(traitlets.Any):
    """A trait for masks. One given as pixels that mark nothing is another than a sheet nobody touched: that is told,
    though the two are equal by what they paint.
    """

    def set(self, obj: Any, value: Any) -> None:
        """Take a mask, and tell."""
        before = obj._trait_values.get(self.name)
        super().set(obj, value)
        after = obj._trait_values.get(self.name)
        if isinstance(before, Mask) and before == after and before.blank != after.blank:
            obj._notify_trait(self.name, before, after)


class MaskDrawer(Closing, Patient, ipywidgets.VBox):
    """A photo with tools to paint a mask over it.

    * `image`: the photo, a `SourceImage`; assign anything that `open_image` takes. A photo of another size starts a
      new mask, and undo brings back the one before it.
    * `mask`: a `Mask` of the photo's size, None without a photo; read it, assign it, observe it.
    * `tool`: `"brush"`, `"eraser"`, `"line"`, `"rectangle"`, `"ellipse"`, `"polygon"`, `"lasso"` or `"bucket"`. The
      right button or Alt erases with any of them, and Shift draws straight.
    * `brush_size`: the brush's diameter in image pixels, 1 to 1000.
    * `pressure`: whether a pen that is pressed less paints a finer line.
    * `tolerance`: how far a colour may differ, 0 to 255 in each channel, for the bucket to fill it too.
    * `tint`, `opacity`: how the mask is laid over the photo, a colour of HTML (`"#00beff"`, `"red"`) and 0 to 1.
    * `show`: `"tint"`, or `"edges"` for a moving outline.

    Raises what `open_image` raises, and `MaskError` where a mask of another size is assigned.
    """

    image = traitlets.Any(allow_none=True)
    mask = Masks(allow_none=True)
    tool = traitlets.Enum(tuple(TOOLS), "brush")
    brush_size = traitlets.Int(BRUSH_SIZE, min=1, max=LARGEST_BRUSH)
    pressure = traitlets.Bool(False)
    tolerance = traitlets.Int(TOLERANCE, min=0, max=255)
    tint = ipywidgets.Color(TINT_COLOUR)
    opacity = traitlets.Float(OPACITY, min=0.0, max=1.0)
    show = traitlets.Enum(("tint", "edges"), "tint")

    def __init__(self, image: ImageSource | None = None, *, mask: Mask | None = None) -> None:
        self._past: list[State] = []
        self._future: list[State] = []
        self._recording = True
        # One lock for a drawer and all around it: two could wait for each other.
        self.lock = Turns()
        self._surface = Surface(self._marked, self._filled, self._key, self._refused, self.lock)
        self._tools = ToolRow()
        # Each layout and style is a widget too: what looks alike shares them.
        layout = ipywidgets.Layout()
        self._numbers = NumbersRow(self._marked, layout)
        self._edge = EdgeRow(self._changed_edge, layout)
        self._appearance = AppearanceRow(layout)
        self._extend = ExtendRow(self._extended, layout)
        looks = {"layout": layout, "style": ipywidgets.ButtonStyle()}
        self._undo = button("Undo", "undo", self.undo, **looks)
        self._redo = button("Redo", "repeat", self.redo, **looks)
        self._invert = button("Invert", "adjust", self.invert, **looks)
        self._clear = button("Clear", "trash", self.clear, **looks)
        self._extras = [self._numbers, self._edge, self._extend, self._appearance]
        openers = [extra.opener for extra in self._extras]
        changing = row([self._undo, self._redo, self._invert, self._clear, *openers], layout=layout)
        self._rows = row([self._tools, changing], layout=layout)
        self._words = Words("Open a photo to paint on it.")
        self._problem = LateWords(self._arrange)
        self.page = Page()
        super().__init__([self._rows, self._surface, self._words, self.page])
        self.add_class("ttapi-drawer")
        for extra in self._extras:
            extra.observe(self._arrange_rows, "box")
        stage = self._surface.stage
        for name in ("tool", "brush_size", "pressure", "tint", "opacity", "show"):
            traitlets.link((self, name), (stage, name))
        for name in ("tool", "brush_size", "pressure", "tolerance"):
            traitlets.link((self, name), (self._tools, name))
        for name in ("tint", "opacity", "show"):
            traitlets.link((self, name), (self._appearance, name))
        traitlets.link((self._extend, "margins"), (stage, "margins"))
        traitlets.dlink((self._extend.opener, "value"), (stage, "extending"))
        self._surface.observe(self._enable, "problem")
        self._enable()
        self.image = image
        if mask is not None:
            self.mask = mask
        self._others_observe = True

    def __repr__(self) -> str:
        return f"MaskDrawer({self.image!r}, {self.mask!r})"

    def _arrange(self) -> None:
        self.children = made(self._rows, self._surface, self._words, self._problem, self.page)

    def _arrange_rows(self, _: Any) -> None:
        self._rows.children = made(*self._rows.children[:2], *(extra.box for extra in self._extras))

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

    def extend(
        self,
        *,
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        aspect: str | tuple[float, float] | None = None,
    ) -> None:
        """Put transparent room around the photo and mask it, beside what is masked already; it can be undone.

        Margins are in image pixels; or give the `aspect` that the whole is to have. Raises `FitError`, as
        `ttapi_nb.extend` does.
        """
        with self.lock:
            if self.image is None or self.mask is None:
                return
            image, mask = extend(self.image, left=left, top=top, right=right, bottom=bottom, aspect=aspect)
            if self.mask.marks:
                spare = (image.size[0] - self.image.size[0], image.size[1] - self.image.size[1])
                before = (spare[0] // 2, spare[1] // 2) if aspect is not None else (left, top)
                width, height = self.image.size
                whole = np.zeros(image.size[::-1], np.uint8)
                whole[before[1] : before[1] + height, before[0] : before[0] + width] = self.mask.coverage()
                mask = mask.add(Bitmap.of(whole))
            self.show_both(image, mask)

    def show_both(self, image: ImageSource, mask: Mask | None = None) -> None:
        """Another photo together with its mask, as one change to undo. Raises what `open_image` raises."""
        # Before the lock is taken: it may be fetched, on the loop whose callbacks may wait for this very lock.
        image = open_image(image)
        with self.lock:
            before = (self.image, self.mask)
            with self._unrecorded():
                self.image = image
                if mask is not None:
                    self.mask = mask
            self._remember(before)

    def show_frame(self, box: tuple[int, int, int, int] | None) -> None:
        """Show which part of the photo is sent, (left, top, right, bottom) in image pixels; None for no frame."""
        self._surface.show_frame(box)

    @traitlets.validate("image")
    def _open(self, proposal: Any) -> SourceImage | None:
        return None if proposal.value is None else open_image(proposal.value)

    @traitlets.validate("mask")
    def _fits(self, proposal: Any) -> Mask | None:
        mask = proposal.value
        if mask is not None and not isinstance(mask, Mask):
            try:
                mask = Mask.read(mask, photo=self.image)
            except TTAPIError as error:
                raise traitlets.TraitError(
                    f"{error} Make a mask from a file with Mask.read() or Mask.from_image()."
                ) from None
        if mask is not None and (self.image is None or mask.size != self.image.size):
            shown = self.image.size if self.image is not None else None
            raise traitlets.TraitError(
                f"The mask is {mask.size} and the photo {shown}. Use mask.resize(drawer.image.size)."
            )
        # So that the mask shows itself over the photo.
        return mask if mask is None else mask.on(self.image)

    @traitlets.observe("image")
    def _image_changed(self, change: Any) -> None:
        with self.lock:
            before = (change.old or None, self.mask)
            with self._unrecorded():
                self._show_image(change.new)
            self._remember(before)

    def _show_image(self, image: SourceImage | None) -> None:
        if image is None:
            self.mask = None
            return
        self._surface.show_photo(image)
        self._numbers.picture_size = image.size
        self._extend.margins = (0, 0, 0, 0)
        if self.mask is not None and self.mask.size == image.size:
            # The same mask to whoever compares it, and now over this photo.
            self.mask = self.mask.on(image)
            self._surface.show_mask(self.mask)
            return
        self.mask = Mask(image.size)
        largest = min(LARGEST_BRUSH, max(100, max(image.size) // 4))
        self._tools.largest = self._surface.stage.largest = largest

    @traitlets.observe("mask")
    def _mask_changed(self, change: Any) -> None:
        with self.lock:
            if change.new is not None:
                self._surface.show_mask(change.new)
            self._remember((self.image, change.old))

    def _remember(self, state: State) -> None:
        if self._recording and state[1] is not None:
            self._past.append(state)
            self._future.clear()
            photos = [id(image) for image, _ in self._past]
            kept = list(dict.fromkeys(reversed(photos)))[:PHOTOS_KEPT]
            self._past = [one for one, photo in zip(self._past, photos, strict=True) if photo in kept]
        self._enable()

    @contextlib.contextmanager
    def _unrecorded(self) -> Iterator[None]:
        before, self._recording = self._recording, False
        try:
            yield
        finally:
            self._recording = before

    def _marked(self, mark: Mark) -> None:
        self._change(lambda mask: mask.add(mark))

    def _filled(self, seed: tuple[float, float], erase: bool) -> None:
        self._change(lambda mask: mask.fill_similar(self.image, seed, tolerance=self.tolerance, erase=erase))

    def _changed_edge(self, what: str, pixels: float) -> None:
        self._change(lambda mask: getattr(mask, what)(pixels))

    def _refused(self, sentence: str) -> None:
        self._problem.say(sentence, "alert")

    def _key(self, action: str) -> None:
        if action == "undo":
            self.undo()
        elif action == "redo":
            self.redo()

    def _change(self, changed: Callable[[Mask], Mask]) -> None:
        with self.lock:
            if self.mask is None:
                return
            try:
                mask = changed(self.mask)
                # Drawn before it is taken: what can't be drawn must not become the mask.
                mask.coverage()
                self.mask = mask
            except (TTAPIError, MemoryError) as error:
                said = str(error) if isinstance(error, TTAPIError) else NO_MEMORY
                self._problem.say(said, "alert")
            else:
                self._problem.say("")

    def _extended(self, margins: tuple[int, int, int, int], aspect: str | None) -> None:
        left, top, right, bottom = margins
        try:
            if aspect is None:
                self.extend(left=left, top=top, right=right, bottom=bottom)
            else:
                self.extend(aspect=aspect)
        except TTAPIError as error:
            self._problem.say(str(error), "alert")
        else:
            self._problem.say("")
            self._extend.opener.value = False

    def _travel(self, here: list[State], there: list[State]) -> None:
        with self.lock:
            if not here or self.mask is None:
                return
            there.append((self.image, self.mask))
            image, mask = here.pop()
            with self._unrecorded():
                if image is not self.image:
                    self.image = image
                self.mask = mask
            self._enable()

    def _enable(self, _: Any = None) -> None:
        marked = self.mask is not None and (bool(self.mask.marks) or self.mask.blank)
        self._undo.disabled, self._redo.disabled = not self._past, not self._future
        self._clear.disabled, self._invert.disabled = not marked, self.mask is None
        self._numbers.disabled = self._extend.disabled = self.mask is None
        self._edge.disabled = not marked
        if self._surface.problem:
            self._tools.tools = PLAIN_TOOLS
        if self.mask is None:
            return
        said = (
            [] if marked else ["Paint over what should change. Without paint the whole picture may change."]
        )
        if self.mask.blank and self.mask.meaning.problem:
            said.append(
                "The mask that was given marks nothing. Paint, or clear it to let the whole picture change."
            )
        if self._surface.problem:
            said.append(
                "Painting goes through the kernel here, which is slower: draw slowly. There are only brush and eraser; "
                "add shapes by their numbers."
            )
        self._words.say(said)

"""`MaskDrawer`: paint over a photo what should change."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from ...errors import TTAPIError
from ...fit.extend import extend
from ...mask import OPACITY, TOLERANCE, TOOLS, Bitmap, Mark, Mask
from ...mask.select import EngineName, Select
from ...picture import ImageSource, SourceImage, open_image
from ..act import PROMPT_CAP
from ..browser import field_of
from ..closing import Closing
from ..compare import Compare
from ..looks import looks
from .acts import ACTIONS, edge_in, extension_in, shape_in
from .masks import Masks
from .selecting import Selecting
from .stage import BRUSH_SIZE, LARGEST_BRUSH, TINT_COLOUR
from .steps import State, Steps
from .surface import Surface
from .turns import Patient, Turns

__all__ = ["MaskDrawer"]

# Of the photo's longer side: how wide the brush is at first, and at most on its slider.
BRUSH_SHARE, LARGEST_SHARE = 0.04, 0.25
NO_MEMORY = "There is not enough memory for this mask. Paint it in smaller marks, or on a smaller photo."


class MaskDrawer(Closing, Patient, ipywidgets.VBox):
    """A photo with tools to paint a mask over it.

    * `image`: the photo, a `SourceImage`; assign anything that `open_image` takes. A photo of another size starts a
      new mask, and undo brings back the one before it.
    * `mask`: a `Mask` of the photo's size, None without a photo; read it, assign it, observe it.
    * `tool`: `"brush"`, `"eraser"`, `"line"`, `"rectangle"`, `"ellipse"`, `"polygon"`, `"lasso"`, `"bucket"` or
      `"select"`. The right button or Alt erases with any of them, and Shift draws straight.
    * `brush_size`: the brush's diameter in image pixels, 1 to 1000; until somebody chooses, what suits the photo.
    * `pressure`: whether a pen that is pressed less paints a finer line.
    * `tolerance`: how far a colour may differ, 0 to 255 in each channel, for the bucket to fill it too.
    * `tint`, `opacity`: how the mask is laid over the photo, a colour of HTML (`"#00beff"`, `"red"`) and 0 to 1.
    * `show`: `"tint"`, or `"edges"` for a moving outline.

    `select` is what the tool `"select"` asks: `"auto"`, `"grabcut"`, `"mobilesam"`, or a function
    `select(picture, points, labels, box)`, as `Mask.select` takes it for `engine`.

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

    def __init__(
        self,
        image: ImageSource | None = None,
        *,
        mask: Mask | None = None,
        select: EngineName | Select = "auto",
    ) -> None:
        self._steps = Steps()
        # The brush's size that nobody chose.
        self._suits = BRUSH_SIZE
        # One lock for a drawer and all around it: two could wait for each other.
        self.lock = Turns()
        self._surface = Surface(self._marked, self._clicked, self._asked, self._refused, self.lock)
        self.stage = self._surface.stage
        self._selecting = Selecting(self, select)
        self._run_callbacks = ipywidgets.CallbackDispatcher()
        self._cancel_callbacks = ipywidgets.CallbackDispatcher()
        super().__init__([self.stage], _dom_classes=("ttapi-drawer", "ttapi-stage"), layout=looks().shown)
        self.stage.around = self.model_id or ""
        for name in ("tool", "brush_size", "pressure", "tolerance", "tint", "opacity", "show"):
            traitlets.link((self, name), (self.stage, name))
        self._enable()
        self.image = image
        if mask is not None:
            self.mask = mask
        self._others_observe = True

    def __repr__(self) -> str:
        return f"MaskDrawer({self.image!r}, {self.mask!r})"

    def let_go(self) -> None:
        """Close what is no child."""
        self._selecting.let_go()
        self._surface.let_go()

    def on_run(self, callback: Callable[[str | None], None], remove: bool = False) -> None:
        """Call `callback(prompt)` when Run or Ctrl+Enter is pressed in the editor around; with the prompt as it stands
        in its field, or None where there is none.
        """
        self._run_callbacks.register_callback(callback, remove=remove)

    def on_cancel(self, callback: Callable[[], None], remove: bool = False) -> None:
        """Call `callback()` when the run is to be cancelled that is shown on the photo."""
        self._cancel_callbacks.register_callback(callback, remove=remove)

    def show_results(self, results: Compare) -> None:
        """Have these on the stage's other side."""
        self.stage.results = results

    def show_progress(self, doing: str = "", seconds: float = 0.0) -> None:
        """Show on the photo what a run is doing, and for how long it has; nothing hides that."""
        masked = self.mask is not None and self._marks
        self.stage.progress = {"doing": doing, "seconds": seconds, "masked": masked} if doing else {}
        if not doing:
            self.stage.partial = {}

    def show_partial(self, number: int, picture: bytes, box: tuple[int, int, int, int]) -> None:
        """Show a draft of the result, a WebP, in a box of the photo's pixels, until what the run is doing is over."""
        place = [side * self.stage.scale for side in box]
        if self.stage.progress:
            self.stage.partial = {"number": number, "picture": picture, "mime": "image/webp", "box": place}
        # The run may have ended meanwhile, on another thread.
        if not self.stage.progress:
            self.stage.partial = {}

    def empty_mask(self) -> Mask | None:
        """What there is before somebody paints: a mask without marks, or None without a photo."""
        return None if self.image is None else Mask(self.image.size)

    def undo(self) -> None:
        """Go back to the mask before the last change; nothing happens where there is none. What is being selected is
        given up instead.
        """
        if not self._selecting.stop():
            self._travel(self._steps.back)

    def redo(self) -> None:
        """Take an undo back."""
        self._travel(self._steps.forth)

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
            with self._steps.as_one():
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
        # One message for all that another photo changes on the stage.
        with self.lock, self.stage.hold_sync():
            self.stage.side = "edit"
            before = (change.old or None, self.mask)
            with self._steps.as_one():
                self._show_image(change.new)
            self._remember(before)

    def _show_image(self, image: SourceImage | None) -> None:
        self._surface.show_photo(image)
        self._selecting.let_go()
        if self.tool == "select":
            self._selecting.prepare()
        self._selecting.show()
        self.stage.margins = (0, 0, 0, 0)
        if image is None:
            self.mask = None
            return
        if self.mask is not None and self.mask.size == image.size:
            # The same mask to whoever compares it, and now over this photo.
            self.mask = self.mask.on(image)
            self._surface.show_mask(self.mask)
            return
        self.mask = Mask(image.size)
        longest = max(image.size)
        with self.stage.hold_sync():
            self.stage.largest = min(LARGEST_BRUSH, max(100, round(longest * LARGEST_SHARE)))
            if self.brush_size == self._suits:
                self._suits = self.brush_size = min(LARGEST_BRUSH, max(4, round(longest * BRUSH_SHARE)))

    @traitlets.observe("mask")
    def _mask_changed(self, change: Any) -> None:
        with self.lock:
            # What is changed is looked at.
            self.stage.side = "edit"
            if change.new is not None:
                self._surface.show_mask(change.new)
            self._remember((self.image, change.old))
            # Where it is not chosen it shows nothing, and looking for its engine takes longer than an undo.
            if self.tool == "select":
                self._selecting.show()

    @traitlets.observe("tool")
    def _prepare_selecting(self, _: Any = None) -> None:
        if self.tool == "select":
            self._selecting.prepare()
            self._selecting.show()

    def _remember(self, before: State) -> None:
        # After a part of a step, it is looked at the step's end what can be done now.
        if self._steps.are_taken:
            self._steps.take(before)
            self._enable()

    def _marked(self, mark: Mark) -> None:
        self._change(lambda mask: mask.add(mark))

    def _clicked(self, tool: str, points: list[tuple[float, float]], erase: bool) -> None:
        if tool == "select":
            self._selecting.clicked(points, erase)
        else:
            self._change(
                lambda mask: mask.fill_similar(self.image, points[0], tolerance=self.tolerance, erase=erase)
            )

    def take(self, changed: Callable[[Mask], Mask]) -> None:
        """Change the mask, as one step to undo; what can't be done is said."""
        self._change(changed)

    def before_last(self) -> Mask:
        """The mask without its last mark; one of before is drawn already."""
        marks = self.mask.marks[:-1]
        earlier = (mask for mask in self._steps.masks() if mask.marks == marks)
        return next(earlier, None) or Mask(self.mask.size, marks).on(self.image)

    def _refused(self, sentence: str) -> None:
        self.stage.problem = sentence

    def _asked(self, kind: str, message: object) -> None:
        """Do what somebody asked for in the browser; what is no such thing is left alone."""
        if kind == "key" and field_of(message, "action", str) in ACTIONS:
            getattr(self, str(field_of(message, "action", str)))()
        elif kind == "shape" and (shape := shape_in(message)) is not None:
            self._marked(shape)
        elif kind == "edge" and (edge := edge_in(message)) is not None:
            self._change(lambda mask: getattr(mask, edge[0])(edge[1]))
        elif kind == "extend" and (extension := extension_in(message)) is not None:
            self._extended(*extension)
        elif kind == "select":
            self._selecting.asked(message)
        elif kind == "run":
            prompt = field_of(message, "prompt", str)
            self._run_callbacks(None if prompt is None or len(prompt) > PROMPT_CAP else prompt)
        elif kind == "cancel":
            self._cancel_callbacks()

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
                problem = str(error) if isinstance(error, TTAPIError) else NO_MEMORY
                self.stage.problem = problem
            else:
                self.stage.problem = ""

    def _extended(self, margins: tuple[int, int, int, int], aspect: str | None) -> None:
        left, top, right, bottom = margins
        try:
            if aspect is None:
                self.extend(left=left, top=top, right=right, bottom=bottom)
            else:
                self.extend(aspect=aspect)
        except TTAPIError as error:
            self.stage.problem = str(error)
        else:
            self.stage.problem = ""
            self.stage.extending = False

    def _travel(self, go: Callable[[State], State | None]) -> None:
        with self.lock:
            gone = go((self.image, self.mask))
            if gone is None:
                return
            image, mask = gone
            with self._steps.as_one():
                if image is not self.image:
                    self.image = image
                self.mask = mask
            self._enable()

    @property
    def _marks(self) -> bool:
        return self.mask is not None and (bool(self.mask.marks) or self.mask.blank)

    def _enable(self) -> None:
        marked, open_ = self._marks, self.mask is not None
        able = {
            "undo": self._steps.can_go_back,
            "redo": self._steps.can_go_forth,
            "invert": open_,
            "clear": marked,
            "numbers": open_,
            "extend": open_,
            "edge": marked,
        }
        now = {
            "can": [name for name, can in able.items() if can],
            "share": self._surface.share if marked else 0.0,
            "hint": self._hint(marked),
        }
        new = {name: value for name, value in now.items() if value != getattr(self.stage, name)}
        with self.stage.hold_sync() if len(new) > 1 else contextlib.nullcontext():
            for name, value in new.items():
                setattr(self.stage, name, value)

    def _hint(self, marked: bool) -> str:
        if self.mask is None:
            return "Open a photo to paint on it."
        if self.mask.blank and self.mask.meaning.problem:
            return (
                "The mask that was given marks nothing. Paint, or clear it to let the whole picture change."
            )
        return "" if marked else "Paint over what should change."

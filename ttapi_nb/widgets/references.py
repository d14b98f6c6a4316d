"""`ReferenceTray`: the pictures that go along with the photo, for models that take several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from ..errors import TTAPIError
from ..models import DEFAULT_MODEL, model_for
from ..picture import SourceImage, open_image, thumbnail_html
from .browser import PhotoInput
from .closing import close_tree
from .text import LateWords, made

__all__ = ["ReferenceTray"]

THUMBNAIL = 96


class ReferenceTray(ipywidgets.VBox):
    """Reference pictures in their order: added, moved and removed here, or by assigning `value`.

    `value` is a tuple of `SourceImage`; assign anything that `open_image` takes. The tray is hidden where `model` takes
    one picture and there is no reference; the photo that is edited counts as the first.
    """

    value = traitlets.Tuple()
    model = traitlets.Unicode(DEFAULT_MODEL)

    def __init__(self) -> None:
        self._input = PhotoInput("Add reference pictures", several=True)
        # Made with the first picture.
        self._cards: Any = None
        self._note = LateWords(self._arrange)
        self._problem = LateWords(self._arrange)
        super().__init__([self._input], _dom_classes=("ttapi-tray",))
        self._input.on_photo(self._add)
        self._input.on_refused(lambda problem: self._problem.say(problem, "alert"))
        self._show()

    def _arrange(self, _: object = None) -> None:
        self.children = made(self._input, self._cards, self._note, self._problem)

    def __repr__(self) -> str:
        return f"ReferenceTray({list(self.value)!r})"

    @traitlets.validate("value")
    def _open(self, proposal: Any) -> tuple[SourceImage, ...]:
        return tuple(open_image(source) for source in proposal.value)

    def _add(self, name: str, data: bytes) -> None:
        try:
            self.value = (*self.value, open_image(data, name=name))
        except TTAPIError as error:
            self._problem.say(str(error), "alert")
        else:
            self._problem.say("")

    def remove(self, index: int) -> None:
        """Take a picture out of the tray."""
        self.value = self.value[:index] + self.value[index + 1 :]

    def move(self, index: int, by: int) -> None:
        """Move a picture `by` places, -1 towards the first; nothing happens where there is no such place."""
        if 0 <= index + by < len(self.value):
            pictures = list(self.value)
            pictures.insert(index + by, pictures.pop(index))
            self.value = tuple(pictures)

    @traitlets.observe("value", "model")
    def _show(self, change: Any = None) -> None:
        most = model_for(self.model).images_max
        self.layout.display = "" if most > 1 or self.value else "none"
        if change is not None and change.name == "value":
            self._show_cards()
        if self.value and most == 1:
            self._note.say(
                f"{self.model} takes one picture. Remove these, or choose another model.", "notice"
            )
        elif self.value:
            self._note.say(
                f"Sent after the photo, in this order; {self.model} takes {most} in all. The mask is for the photo."
            )
        else:
            self._note.say("")

    def _show_cards(self) -> None:
        if self._cards is None:
            self._cards = ipywidgets.Box(_dom_classes=("ttapi-tools",))
            self._arrange()
        # A card has a place, and shows the picture that is there: who moves one by its keys stays at them.
        before, count = self._cards.children, len(self.value)
        new = (_Card(at, self.move, self.remove) for at in range(len(before), count))
        self._cards.children = (*before[:count], *new)
        for at, card in enumerate(self._cards.children):
            card.show(self.value[at], last=at == count - 1)
        for card in before[count:]:
            close_tree(card)


class _Card(ipywidgets.VBox):
    """The picture in the place `at`, and what can be done with it."""

    def __init__(self, at: int, move: Callable[[int, int], None], remove: Callable[[int], None]) -> None:
        self._at = at
        self._thumbnail = ipywidgets.HTML()
        self._buttons = {
            "Earlier": _act("arrow-left", lambda: move(at, -1)),
            "Later": _act("arrow-right", lambda: move(at, 1)),
            "Remove": _act("times", lambda: remove(at)),
        }
        row = ipywidgets.HBox(tuple(self._buttons.values()))
        super().__init__([self._thumbnail, row], _dom_classes=("ttapi-card",))

    def show(self, picture: SourceImage, *, last: bool) -> None:
        """Show this picture, which may be the last one."""
        name = picture.name if len(picture.name) <= 24 else picture.name[:23] + "…"
        label = f"{self._at + 1}. {name}"
        self._thumbnail.value = thumbnail_html(picture.pixels, label, THUMBNAIL)
        for what, button in self._buttons.items():
            button.tooltip = f"{what}: {label}"
        self._buttons["Earlier"].disabled = self._at == 0
        self._buttons["Later"].disabled = last


def _act(icon: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(icon=icon, layout={"width": "34px"})
    button.on_click(lambda _: act())
    return button

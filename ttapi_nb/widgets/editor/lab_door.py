"""*Lab* in an editor: its photo, mask and prompt go over into a `PromptLab` below, and a cell comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets

from ... import widgets
from ...fit import HOWS
from ..act import Act

if TYPE_CHECKING:
    from ...experiment.cells import Cell
    from ..lab import PromptLab
    from .editor import ImageEditor

__all__ = ["LabDoor"]

NO_PROMPT = "Write a prompt first: the lab begins with it."
CLOSES = "What is sent goes on, and Lab brings all of it back"
WHOLE = "A cell of the lab is one request, so the photo goes there as a whole and not in tiles."
ALONE = "Reference pictures stay here: a cell of the lab has one photo."


class LabDoor:
    """The `button`, and the `lab` once it was pressed; `put(widgets)` is called when there is one to show.

    There is no button where nothing is recorded: a lab goes by its log.
    """

    def __init__(
        self,
        editor: ImageEditor,
        put: Callable[[Sequence[ipywidgets.Widget]], None],
        layout: ipywidgets.Layout,
    ) -> None:
        self._editor, self._put = editor, put
        self.lab: PromptLab | None = None
        self.button: Act | None = None
        self._close: Act | None = None
        if editor.run_log is not False:
            self.button = Act(
                "Lab", tooltip="Try this photo and prompt on many prompts and models", layout=layout
            )
            self.button.on_click(self._pressed)

    @property
    def parts(self) -> tuple[ipywidgets.Widget, ...]:
        """What stands in the editor of it, shown or not."""
        return () if self.lab is None or self._close is None else (self._close, self.lab)

    def close(self, _: object = None) -> None:
        """Take the lab out of sight. What it sends goes on, and *Lab* brings it back as it was."""
        for part in self.parts:
            part.layout.display = "none"

    def _pressed(self, prompt: str | None) -> None:
        editor = self._editor
        if prompt is not None:
            editor.prompt = prompt
        self.open()

    def open(self) -> None:
        """Send what the editor has over, into the lab that is open or into a new one."""
        editor = self._editor
        if not editor.prompt.strip():
            editor._restored.say(NO_PROMPT, "notice")
            return
        stays = [ALONE] if editor.references else []
        stays += [WHOLE] if editor.fit == "tiles" else []
        editor._restored.say(stays, "notice")
        if self.lab is None:
            # Loaded with the first click, if at all: it would hold up every first editor.
            lab = widgets.PromptLab(client=editor.client, log=editor.run_log or None, budget=editor.budget)
            lab.take(editor.asked)
            lab.on_edit(self._back)
            self.lab = lab
            self._close = Act(
                "Close the lab", tooltip=CLOSES, layout=ipywidgets.Layout(align_self="flex-end")
            )
            self._close.on_click(self.close)
            self._put((self._close, self.lab))
        else:
            self.lab.take(editor.asked)
            for part in self.parts:
                part.layout.display = None
        self.lab.come()

    def _back(self, cell: Cell) -> None:
        """Fill the editor in as a cell is; what was there comes back by one undo, as far as it was painted."""
        editor = self._editor
        with editor.lock:
            editor.model, editor.prompt, editor.size = cell.model, cell.text, cell.size
            editor.options = dict(cell.options)
            editor.fit, editor.strict = cell.fit if cell.fit in HOWS else "auto", cell.strict
            if cell.photo.picture is not None:
                editor.drawer.show_both(cell.photo.picture, cell.photo.mask)
        editor.drawer.stage.side = "edit"
        editor._restored.say(
            f"Photo, mask, prompt and options are those of cell {cell.number} of the lab.", "notice"
        )
        editor.drawer.stage.come()

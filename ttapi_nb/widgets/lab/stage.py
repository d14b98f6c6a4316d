"""`CellStage`: a result of the lab over its photo, with slider and heat map, and the way from it into an editor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets

from ... import run as running
from ...errors import ResultError
from ...experiment import Trial, TrialCell
from ...lineage import Origin
from ...picture import SourceImage
from ..closing import close_tree
from ..text import Words
from ..viewer import ResultViewer

__all__ = ["CellStage"]


class CellStage(ipywidgets.VBox):
    """Hidden until a result is shown; `on_edit(cell)` is called with its `TrialCell` where that is to be edited, and
    `on_close(result)` with the result's id when it is closed. Without `on_edit` there is no button for it.
    """

    def __init__(self, on_edit: Callable[[TrialCell], None], on_close: Callable[[str], None]) -> None:
        self._on_edit, self._on_close = on_edit, on_close
        self._shown: tuple[TrialCell, str] | None = None
        self._title = Words()
        self._edit = _button(
            "Edit this", "Bring photo, mask, prompt and options of this cell into the editor"
        )
        self._edit.on_click(lambda _: self._edit_this())
        self._edit.layout.display = "none"
        close = _button("Close", "Close this result, and go back to its cell")
        close.on_click(lambda _: self.hide())
        self._head = ipywidgets.Box([self._title, self._edit, close], _dom_classes=("ttapi-actions",))
        self._viewer: ResultViewer | None = None
        super().__init__([self._head], _dom_classes=("ttapi-results", "ttapi-lab-stage"))
        self.layout.display = "none"

    def offer_edit(self) -> None:
        """There is an editor that a cell can go to."""
        self._edit.layout.display = ""

    def show(self, trial: Trial, key: str, number: int) -> None:
        """Show a result of a cell. Raises `ResultError` where there is none."""
        one = trial[key]
        if not one.run_id:
            raise ResultError(f"The cell is {one.state}, and has no results yet. {one.problem}".strip())
        run = running.earlier(trial.log, one.run_id, partial(_photo_in, trial))
        viewer = ResultViewer()
        viewer.session.join(run, ratings=one.ratings)
        at = next((at for at, result in enumerate(run.results) if result.number == number), 0)
        viewer.index = at
        self._shown = one, f"{key}.{number}"
        self._title.say(f"{one.cell.number}. {one.cell.label}")
        self._put(viewer)
        self.layout.display = ""

    def hide(self) -> None:
        """Close what is shown."""
        shown, self._shown = self._shown, None
        self.layout.display = "none"
        self._put(None)
        if shown is not None:
            self._on_close(shown[1])

    def _put(self, viewer: ResultViewer | None) -> None:
        gone, self._viewer = self._viewer, viewer
        self.children = (self._head,) if viewer is None else (self._head, viewer)
        if gone is not None:
            close_tree(gone)

    def _edit_this(self) -> None:
        if self._shown is not None:
            self._on_edit(self._shown[0])


def _photo_in(trial: Trial, origin: Origin) -> SourceImage | None:
    return next((one.picture for one in trial.plan.photos if one.digest == origin.digest), None)


def _button(description: str, tooltip: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=description, tooltip=tooltip)

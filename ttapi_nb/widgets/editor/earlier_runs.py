"""What an editor does with an earlier run: shows its results, compares them, or is filled in as it was before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ... import run as running
from ...errors import TTAPIError
from ...picture import SourceImage
from .filling import at_hand

if TYPE_CHECKING:
    from ...mask import Mask
    from ...run import Run
    from .editor import ImageEditor

__all__ = ["EarlierRuns"]

ASKED = ("model", "prompt", "size", "options", "fit", "strict")


class EarlierRuns:
    """Earlier runs of the log, for one editor. What is done raises `ResultError` where the log has no such run,
    but for `try_to_show`.
    """

    def __init__(self, editor: ImageEditor) -> None:
        self._editor = editor

    def fill(self, run_id: str) -> Callable[[], None]:
        """Fill in what was asked for; returns what takes that back."""
        editor = self._editor
        asked = {name: getattr(editor, name) for name in ASKED}
        image, mask = editor.image, editor.mask
        editor.restore_run(run_id)
        return partial(self._back, asked, image, mask)

    def _back(self, asked: dict[str, Any], image: SourceImage | None, mask: Mask | None) -> None:
        editor = self._editor
        with editor.lock:
            # The model first: what it does not take leaves the rest.
            for name, value in asked.items():
                setattr(editor, name, value)
            if image is not None and (editor.image is not image or editor.mask != mask):
                editor.drawer.show_both(image, mask)
            elif image is None:
                editor.image = None

    def show(self, run_id: str) -> None:
        """Put a run's results into the tray, and look at the first."""
        self._join(run_id)
        self._editor.drawer.stage.side = "result"

    def try_to_show(self, run_id: str) -> None:
        """As `show`, and the editor says why where that can't be."""
        try:
            self.show(run_id)
        except TTAPIError as error:
            self._editor.status.error(error)

    def compare(self, run_id: str) -> None:
        """Put a run's results into the tray, and lay what is looked at over the first; alone it is only shown."""
        session = self._editor.viewer.session
        if session.chosen is None:
            self.show(run_id)
            return
        self._join(run_id, choose=False)
        joined = next((one for one in session.entries if one.run.id == run_id), None)
        if joined is not None:
            session.compare_with(joined.key)
        self._editor.drawer.stage.side = "result"

    def _join(self, run_id: str, *, choose: bool = True) -> Run:
        editor = self._editor
        log = editor.run_log or editor._log()
        there = next((one.run for one in editor.viewer.session.entries if one.run.id == run_id), None)
        run = there or running.earlier(log, run_id, lambda origin: at_hand(origin, editor.image))
        editor.viewer.session.join(run, choose=choose, again=True, ratings=log.row(run_id).ratings)
        return run

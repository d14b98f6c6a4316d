"""The newest draft of a run that is under way, on the photo where its result will be."""

from __future__ import annotations

import io

from ...errors import TTAPIError
from ...run import Run
from ..drawer import MaskDrawer

__all__ = ["Partials"]

LONGEST = 1024
"""The longest side that a draft is shown at, in pixels."""


class Partials:
    """Shows what has come of a run on a drawer's photo. Only for the lane that follows runs."""

    def __init__(self, drawer: MaskDrawer) -> None:
        self._drawer = drawer
        self._shown = ("", 0)

    def look(self, run: Run) -> None:
        """Show the newest draft of `run`, where that is another than the one that is shown."""
        if run.done or not run.partials or self._shown == (run.id, len(run.partials)):
            return
        # Those that came meanwhile are passed over.
        newest = run.partials[-1]
        is_first = self._shown[0] != run.id
        self._shown = (run.id, newest.number)
        try:
            patch = newest.patch(LONGEST)
        except TTAPIError:
            # It is no picture, which its result may well be.
            return
        if patch is None or run.done:
            return
        if is_first:
            # Where an earlier result is being looked at, it is in the way.
            self._drawer.stage.side = "edit"
        picture, box = patch
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=85)
        self._drawer.show_partial(newest.number, file.getvalue(), box)

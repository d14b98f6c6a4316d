"""What an editor would send now, and what stands in the way of it: said whenever something of it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...asked import Prepared, prepare
from ...errors import FitError
from ...log.budget import NO_LOG
from ...picture import SourceImage
from .naming import run_words

if TYPE_CHECKING:
    from .editor import ImageEditor

__all__ = ["Checks"]


class Checks:
    """Looks at one editor; `in_doubt()` tells whether the same was sent before, and nobody knows what became of it."""

    def __init__(self, editor: ImageEditor, in_doubt: Callable[[], bool]) -> None:
        self._editor, self._in_doubt = editor, in_doubt
        # Both are touched by whoever holds the guard, which is never held while anything is looked at or shown.
        self._guard = threading.Lock()
        self._looking = self._again = False

    def prepared(self) -> Prepared:
        """The edit as it would be sent, and what is wrong with it, the budget too."""
        editor = self._editor
        asked = editor.asked
        try:
            prepared = prepare(asked, editor.client.core.problems, cuts=editor.client.core.cuts)
        except FitError as error:
            return Prepared(asked, asked.request, None, (str(error),))
        if editor.budget is not None and editor.run_log is False:
            return replace(prepared, problems=(*prepared.problems, NO_LOG))
        if editor.budget is not None and not prepared.problems and not editor.client.is_offline:
            with editor._one.asked_on_this_thread():
                problems = editor._log().problems(editor.budget, prepared.sent, prepared.requests)
                return replace(prepared, problems=problems)
        return prepared

    def look(self) -> None:
        """Say what would be sent and what it costs, and whether it can be.

        What changes meanwhile, in another thread or because somebody observes what is said, is looked at before this
        ends: of two that show what they found, the older might come last.
        """
        with self._guard:
            self._again = self._looking
            if self._looking:
                return
            self._looking = True
        is_new = True
        try:
            while is_new:
                self._show()
                with self._guard:
                    is_new, self._again = self._again, False
                    self._looking = is_new
        except BaseException:
            with self._guard:
                self._looking = self._again = False
            raise

    def _show(self) -> None:
        editor = self._editor
        image: SourceImage | None = editor.image
        name = "" if image is None else f"{image.name} · {image.size[0]} × {image.size[1]}"
        editor._input.photo_name = name
        if editor._one.under_way:
            return
        prepared = self.prepared()
        plan, problems = prepared.plan, prepared.problems
        if self._again:
            return
        editor._plan.show(prepared, None if editor.client.is_offline else editor.budget)
        whole = plan is None or plan.box == (0, 0, *plan.source_size)
        editor.drawer.show_frame(None if whole or plan is None else plan.box)
        editor._controls.show_problems(problems, self.name(prepared))

    def name(self, prepared: Prepared) -> str:
        """What is written on Run for this."""
        editor = self._editor
        return run_words(prepared, editor.budget, offline=editor.client.is_offline, in_doubt=self._in_doubt())

"""`Growing`: where a result goes on past its mask, the mask can be grown by one click; paid is only by another Run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from ...mask import Mask, asked_for
from ...picture import SourceImage
from ..offers import LateOffers

if TYPE_CHECKING:
    from .editor import ImageEditor

__all__ = ["Growing"]


class Growing(LateOffers):
    """Offers it for the result that is looked at, while photo and mask are still those that it was made from."""

    def __init__(self, editor: ImageEditor, put: Callable[[ipywidgets.Widget], None]) -> None:
        super().__init__(put)
        self._editor = editor
        self._offered: tuple[str, int] | None = None

    def look(self, _: Any = None) -> None:
        """Offer what can be done about the result that is chosen now, or nothing."""
        editor, chosen = self._editor, self._editor.viewer.session.chosen
        with editor.lock:
            past = chosen.result.past if chosen is not None else None
            image, mask = editor.image, asked_for(editor.mask)
            if chosen is None or past is None or not past.grow or image is None or mask is None:
                self._forget()
                return
            run = chosen.run
            alike = run.source is image or run.source.digest == image.digest
            if not alike or run.asked.request.mask != mask:
                self._forget()
            elif self._offered != (chosen.key, past.grow):
                self._offered = chosen.key, past.grow
                act = (f"Grow the mask by {past.grow} px", partial(self._grow, image, mask, past.grow))
                self.offer(str(replace(past, grow=0)), [act])

    def _forget(self) -> None:
        if self._offered is not None:
            self._offered = None
            self.clear()

    def _grow(self, image: SourceImage, mask: Mask, pixels: int) -> None:
        editor = self._editor
        with editor.lock:
            if editor.image is image and asked_for(editor.mask) == mask:
                editor.mask = mask.grow(pixels)

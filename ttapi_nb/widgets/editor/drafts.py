"""`MaskDrafts`: what is painted is kept beside the log, and offered back when its photo is opened by another kernel."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from ... import loop
from ...log.drafts import Draft, Drafts
from ...mask import Mask, asked_for
from ...picture import SourceImage
from ..offers import LateOffers

if TYPE_CHECKING:
    from .editor import ImageEditor

__all__ = ["MaskDrafts"]


def _still(of: weakref.ref[MaskDrafts], name: str, *arguments: object) -> None:
    """Call a method, where what has it is still there."""
    drafts = of()
    if drafts is not None:
        getattr(drafts, name)(*arguments)


PAUSE = 0.5
"""Seconds after a change, in which others may follow, until it is written."""


class MaskDrafts:
    """Keeps the masks of one editor; `offers` is where an earlier one is offered back.

    All that takes time is done on a lane: digests of photos, and files.
    """

    def __init__(self, editor: ImageEditor, put: Callable[[ipywidgets.Widget], None]) -> None:
        self._editor = editor
        self.offers = LateOffers(put)
        self._lane = loop.lane()
        self._guard = threading.Lock()
        # What is to be written next, and whether somebody is on the way to do that.
        self._pending: tuple[SourceImage, Mask | None, Drafts] | None = None
        self._waiting = False
        # The photos of which this editor has kept a mask: only those are let go when nothing is painted any more.
        self._kept: set[str] = set()

    def _drafts(self) -> Drafts | None:
        log = self._editor.run_log
        return None if log is False else Drafts(self._editor._log().folder)

    def mask_changed(self, _: Any) -> None:
        """Have what is painted now written, in a moment."""
        image, mask = self._editor.image, asked_for(self._editor.mask)
        # Beside the log that there is now, whatever the editor has when it is written.
        drafts = self._drafts()
        if image is None or drafts is None:
            return
        with self._guard:
            self._pending = image, mask, drafts
            starts, self._waiting = not self._waiting, True
        if starts:
            self._later()

    def _later(self) -> None:
        # What waits holds no editor: one that is closed meanwhile is gone at once.
        timer = threading.Timer(
            PAUSE, partial(self._lane.submit, partial(_still, weakref.ref(self), "_write"))
        )
        timer.daemon = True
        timer.start()

    def _write(self) -> None:
        with self._guard:
            pending, self._pending, self._waiting = self._pending, None, False
        # A photo that was opened meanwhile began with nothing painted: that says nothing of this one.
        if pending is None or self._editor.image is not pending[0]:
            return
        image, mask, drafts = pending
        if mask is not None:
            if drafts.keep(image.digest, mask):
                self._kept.add(image.digest)
        elif image.digest in self._kept:
            drafts.forget(image.digest)

    def photo_changed(self, _: Any) -> None:
        """Look whether there is a mask for the photo that was just opened."""
        self.offers.clear()
        image = self._editor.image
        if image is not None and self._editor.run_log is not False:
            self._lane.submit(partial(_still, weakref.ref(self), "_look", weakref.ref(image)))

    def _look(self, photo: weakref.ref[SourceImage]) -> None:
        drafts, editor, image = self._drafts(), self._editor, photo()
        if drafts is None or image is None or editor.image is not image:
            return
        draft = drafts.find(image.digest, image.size)
        if draft is None or editor.image is not image or asked_for(editor.mask) is not None:
            return
        when = time.strftime("%H:%M", time.localtime(draft.time))
        if time.time() - draft.time > 86_400:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(draft.time))
        acts = [
            (f"Bring back the mask of {when}", partial(self._bring_back, image, draft)),
            ("Dismiss", partial(self._dismiss, image)),
        ]
        self.offers.offer("", acts)

    def _bring_back(self, image: SourceImage, draft: Draft) -> None:
        self.offers.clear()
        if self._editor.image is image:
            self._editor.mask = draft.mask

    def _dismiss(self, image: SourceImage) -> None:
        self.offers.clear()
        drafts = self._drafts()
        # What was painted meanwhile is kept.
        if drafts is not None and asked_for(self._editor.mask) is None:
            self._lane.submit(partial(drafts.forget, image.digest))

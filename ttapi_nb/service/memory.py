"""How much memory requests may use at once: beyond it they wait for each other, or are told to come back."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections import deque
from collections.abc import Iterator

from PIL import Image

from .body import Body, Upload

__all__ = ["DECODING", "PAINTING", "WORK_MEMORY", "Gate", "decoding_of", "work"]

WORK_MEMORY = 800_000_000
"""The bytes that reading, decoding and painting may take at once, over all services of a process."""

DECODING = 8
"""Bytes that a pixel costs while it is decoded: twice RGBA, since it is copied once."""

PAINTING = 60
"""Bytes that a pixel of a result costs while it is painted: several layers of floats."""

FORMATS = ("PNG", "JPEG", "WEBP")


class Gate:
    """Lets work through as long as all that is inside weighs at most `most`, in the order in which it came.

    What weighs more than `most` by itself goes through alone.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._begin()
        if hasattr(os, "register_at_fork"):
            # What is inside goes on in the parent alone.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._inside = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def room(self, weight: int) -> Iterator[None]:
        """Wait until there is room for `weight`, and keep it while the block lasts."""
        taken = min(max(0, weight), self.most)
        place = object()
        with self._changed:
            self._waiting.append(place)
            try:
                self._changed.wait_for(
                    lambda: self._waiting[0] is place and self._inside + taken <= self.most
                )
                self._inside += taken
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._inside -= taken
                self._changed.notify_all()


work = Gate(WORK_MEMORY)
"""The one for this process: memory is shared, however many services there are."""


def decoding_of(body: Body) -> int:
    """About how many bytes the pictures of a request take at most at once, told by the heads of their files.

    The first picture and the mask are held together, the others one after another.
    """
    first, *others = [_pixels(upload) for upload in body.images] or [0]
    mask = _pixels(body.mask) if body.mask is not None else 0
    return DECODING * (first + mask + max(others, default=0))


def _pixels(upload: Upload) -> int:
    """How many pixels a file says it has; of one that says nothing, more than any may have."""
    try:
        with warnings.catch_warnings():
            # Only its head is read here; how large a picture may be is checked when it is opened.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(upload.data), formats=FORMATS) as head:
                return head.width * head.height
    except Exception:  # noqa: BLE001 - decoders fail on hostile bytes with any error at all
        return WORK_MEMORY

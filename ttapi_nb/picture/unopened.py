"""`as_given`: a picture whose file goes out as it came, without its metadata, and is decoded only where asked."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

from PIL import Image

from ..forking import cached
from .bare import Bare, bare
from .forms import File, taken
from .opening import PIXEL_CAP, ImageSource, check_size, open_image, tidy
from .own import OwnFile
from .source import SourceImage

__all__ = ["as_given"]

MOST_KEPT = 32 * 2**20
"""In bytes: of files that were cut as much is remembered, as the same photo is sent with many prompts."""
# The newest last. A text of bytes knows its hash, and is itself compared first, so that to ask costs nothing.
_kept: dict[bytes, Bare] = {}


def as_given(source: ImageSource) -> SourceImage:
    """As `open_image`, for whoever only sends it on: a file of plain pixels is not decoded for that.

    What only a decoder sees, as what stands in a JPEG's coded pixels, is the service's to say. Raises `ImageError`.
    """
    loaded = taken(source)
    if not isinstance(loaded, File):
        return open_image(source)
    cut = _cut(loaded.data)
    if cut is None:
        return open_image(loaded.data, name=loaded.name)
    check_size(cut.size, PIXEL_CAP, tidy(loaded.name))
    return _Unopened(loaded, cut)


def _cut(data: bytes) -> Bare | None:
    """The file as it was cut before, or is now."""
    cut = _kept.pop(data, None) or bare(data, PIXEL_CAP)
    if cut is not None:
        _kept[data] = cut
        # Other threads are at it too, without a lock: a forked child might find that held.
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):
            while sum(_size(*one) for one in list(_kept.items())) > MOST_KEPT:
                del _kept[next(iter(_kept))]
    return cut


def _size(data: bytes, cut: Bare) -> int:
    return len(data) + (0 if cut.data is data else len(cut.data))


class _Unopened(SourceImage):
    """A picture that is opened when its pixels are first asked for."""

    def __init__(self, file: File, cut: Bare) -> None:
        vars(self).update(format=cut.format, name=tidy(file.name), _file=file, _cut=cut)
        vars(self)["_files"] = {cut.format: cut.data}

    def __reduce__(self) -> tuple[Any, ...]:
        file: File = vars(self)["_file"]
        return partial(as_given, {"content": file.data, "name": file.name}), ()

    @cached
    def _opened(self) -> SourceImage:
        file: File = vars(self)["_file"]
        return open_image(file.data, name=file.name)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        cut: Bare = vars(self)["_cut"]
        return cut.size

    @property
    def pixels(self) -> Image.Image:
        """The pixels, upright and in sRGB."""
        return self._opened.pixels

    @property
    def own(self) -> OwnFile | None:
        """What it is in its file."""
        return self._opened.own

    @property
    def changes(self) -> tuple[str, ...]:
        """What opening it changed."""
        return self._opened.changes

    @property
    def _lineage(self) -> str:
        return self._opened._lineage

    def as_format(self, format: str) -> SourceImage:
        """The same picture, to be sent in another format."""
        return self if format == self.format else self._opened.as_format(format)

    def with_lineage(self, text: str) -> SourceImage:
        """The same picture with this lineage."""
        return self._opened.with_lineage(text)

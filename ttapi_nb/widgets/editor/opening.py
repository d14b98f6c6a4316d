"""Photos that are chosen, dropped or pasted in an editor: opened, or why they can't be, said in their row."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...errors import TTAPIError
from ...lineage import lineage_of
from ...picture import open_image, sample

if TYPE_CHECKING:
    from .editor import ImageEditor

__all__ = ["take_photos"]


def take_photos(editor: ImageEditor) -> None:
    """Open what comes through the editor's row of photos; a saved result brings back what made it."""
    row = editor._input
    row.on_photo(partial(_upload, editor))
    row.on_sample(partial(_sample, editor))
    row.on_refused(partial(setattr, row, "problem"))


def _upload(editor: ImageEditor, name: str, data: bytes) -> None:
    try:
        picture = open_image(data, name=name)
        if lineage_of(picture) is None:
            editor.image = picture
        else:
            editor.restore(picture)
        editor._input.problem = ""
    except TTAPIError as error:
        editor._input.problem = str(error)


def _sample(editor: ImageEditor) -> None:
    editor.image = sample()
    editor._input.problem = ""

"""What an editor says when it is filled in again, and the photo that belongs to that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...fit import HOWS
from ...lineage import Origin, Step, find_source
from ...picture import SourceImage, sample

if TYPE_CHECKING:
    from .editor import ImageEditor

__all__ = ["at_hand", "fill_in", "words_of_result", "words_of_run"]

SAMPLE_SIZE = (1024, 1024)


def at_hand(origin: Origin, open_here: SourceImage | None) -> SourceImage | None:
    """The picture of `origin`, where it is open or among the files of the working directory. Reads files."""
    alike = open_here is not None and origin.size in (None, open_here.size)
    if open_here is not None and alike and open_here.digest == origin.digest:
        return open_here
    # The sample is at hand wherever one is.
    if origin.size == SAMPLE_SIZE and (photo := sample()).digest == origin.digest:
        return photo
    return find_source(origin, Path.cwd())


def words_of_result(step: Step, source: SourceImage | None) -> str:
    """What is said when a saved result was opened."""
    sentence = "Prompt and options are those that made this picture."
    if source is None:
        name = repr(step.source.name)
        return f"{sentence} The photo it was made from, {name}, is not at hand, so the result itself is open."
    if step.mask is not None:
        return f"{sentence} Photo and mask are back too; Undo opens the result itself."
    if step.mask_digest:
        return f"{sentence} The photo is back too, but not its mask, which was too large for the file."
    return f"{sentence} The photo is back too; Undo opens the result itself."


def words_of_run(step: Step, source: SourceImage | None) -> str:
    """What is said when a run of the log was filled in."""
    sentence = "Prompt and options are those of that run."
    if source is None:
        return f"{sentence} Its photo, {step.source.name!r}, is not at hand: open it, and fill in again for the mask."
    if step.mask_digest and step.mask is None:
        return f"{sentence} Its mask was too large to be kept."
    return sentence


def fill_in(
    editor: ImageEditor, step: Step, source: SourceImage | None, otherwise: SourceImage | None = None
) -> None:
    """Make what is asked for that of `step`, with its `source` where that is at hand; what is opened besides comes
    before it, so that one undo brings that.
    """
    mask = step.mask
    # Pictures were looked for before the lock is taken: that reads files.
    with editor.lock:
        editor.model, editor.prompt = step.model, step.prompt
        options = {name: value for name, value in step.options.items() if value is not None}
        editor.size = str(options.pop("size", "auto"))
        editor.options = options
        editor.fit, editor.strict = step.fit if step.fit in HOWS else "auto", step.strict
        if otherwise is not None:
            editor.drawer.show_both(otherwise)
        if source is not None:
            editor.drawer.show_both(source, mask)

"""`Result`: one result of a run, to look at, to save, and to go on from."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..lineage import Lineage, lineage_of
from ..models import OFFLINE_NOTICE, REPLAY_NOTICE
from ..picture import ImageFile, SourceImage, thumbnail_html
from ..reply import ImageData

if TYPE_CHECKING:
    # Only what lands an answer makes these.
    from ..fit import Leak, Light, Moved, Past

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """One result of a run.

    `image` is the result as it is meant: what lies outside the mask is the source's, where `kept` is true.
    `raw` is the model's own answer, and `leak` how much that repainted outside the mask (None where
    nothing was protected).
    `light` tells how its light and colours were off, and what was done about it (None where there was too little to
    compare), and `moved` the same of where it lay. `past` tells where what was painted goes on past the mask, and by
    how many of the photo's pixels that would have to grow (None where nothing does). `note` says what a reader should
    know.
    """

    number: int
    picture: SourceImage = field(repr=False)
    data: ImageData = field(repr=False)
    kept: bool
    leak: Leak | None = None
    note: str = ""
    offline: bool = False
    light: Light | None = None
    moved: Moved | None = None
    past: Past | None = None
    replayed: bool = False
    _saved: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def image(self) -> Image.Image:
        """The result as a PIL image."""
        return self.picture.pixels

    @property
    def raw(self) -> Image.Image:
        """The model's answer as it came, as a PIL image."""
        return self.data.image

    @property
    def shift(self) -> Light | None:
        """`light`, by its earlier name."""
        return self.light

    @property
    def lineage(self) -> Lineage | None:
        """What made it, oldest step first; `save` writes that into the file."""
        return lineage_of(self.picture)

    @property
    def notice(self) -> str:
        """Where it comes from, if not from the hosted service; for wherever it is shown."""
        sentences = [REPLAY_NOTICE if self.replayed else "", OFFLINE_NOTICE if self.offline else ""]
        return " ".join(words for words in sentences if words)

    @property
    def native(self) -> np.ndarray[Any, Any]:
        """The result as it will be saved, in the photo's own colours and depth: (height, width), or with channels
        behind, uint8 or uint16. Where nothing is masked these are the numbers of the photo's file. Treat it as
        read-only; it is made anew at each look.
        """
        own = self.picture.own
        return np.asarray(self.picture.pixels) if own is None else own.numbers()

    def file(self, format: str | None = None) -> ImageFile:
        """The file that `save` writes, as `PNG` (left out), `JPEG`, `WEBP` or `TIFF`; `changes` of it tells what such a
        file can't hold.
        """
        return self.picture.saved_file(format)

    @property
    def saved_note(self) -> str:
        """What the file that was saved last could not hold of the result, in words; empty where it holds it all."""
        return " ".join(self._saved)

    def save(self, path: str | Path, *, lineage: bool = True, keep_metadata: bool = False) -> Path:
        """Write the result to `path` (.png, .jpg, .webp or .tif) in the photo's own colours, depth and density, with
        what made it, the prompt too, for `open_result`. Saved as .jpg, a JPEG keeps its blocks where nothing changed.

        `lineage=False` leaves out what made it. `keep_metadata=True` keeps the photo's EXIF, XMP and IPTC, but for
        place and maker's notes. What the kind of file can't hold is told by `saved_note`. Returns where it is; raises
        `ResultError`.
        """
        picture = self.picture if lineage else self.picture.with_lineage("")
        where, changes = picture.write(path, keep_metadata=keep_metadata)
        self._saved[:] = changes
        return where

    def _repr_html_(self) -> str:
        caption = f"Result {self.number}: {self.image.width}x{self.image.height}"
        sentences = [self.note, self.notice]
        return thumbnail_html(self.image, caption, 512) + "".join(
            f"<p>{html.escape(words)}</p>" for words in sentences if words
        )

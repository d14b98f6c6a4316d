"""A saved result opened together with what made it, and with the picture that it was made from where that is found."""

from __future__ import annotations

import html
import itertools
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import ImageError, ResultError
from ..forking import cached
from ..mask import Mask
from ..models import OFFLINE_NOTICE
from ..picture import FILE_CAP, FORMATS, PIXEL_CAP, ImageSource, SourceImage, open_image, thumbnail_html
from ..text import cut
from .lineage import Lineage
from .step import Origin, Step

__all__ = ["OpenedResult", "find_source", "open_result"]

# How many files of a folder are looked at for a source, and how many of these are opened whole.
LOOKED_AT, OPENED = 200, 8


@dataclass(frozen=True, eq=False)
class OpenedResult:
    """A saved result, and what made it.

    * `picture`: the result; use it as the source of the next edit, and the lineage goes on.
    * `lineage`: its steps, oldest first.
    * `source`: the picture that the last step edited, where it was at hand, else None.
    """

    picture: SourceImage
    lineage: Lineage
    source: SourceImage | None = None

    def __repr__(self) -> str:
        return f"OpenedResult({self.picture!r}, {self.lineage!r})"

    @property
    def step(self) -> Step:
        """The last step, the one that made the picture."""
        return self.lineage.steps[-1]

    @property
    def prompt(self) -> str:
        """The last step's prompt."""
        return self.step.prompt

    @property
    def model(self) -> str:
        """The last step's model."""
        return self.step.model

    @property
    def options(self) -> Mapping[str, Any]:
        """The last step's size, n and other options that were set."""
        return self.step.options

    @cached
    def mask(self) -> Mask | None:
        """The last step's mask, or None where there was none or only its hash was kept."""
        return self.step.mask

    def _repr_html_(self) -> str:
        lines = []
        for number, step in enumerate(self.lineage.steps, self.lineage.earlier + 1):
            asked = html.escape(cut(step.prompt, 300))
            how = html.escape(f"{step.model}, {step.time:%Y-%m-%d %H:%M} UTC{', offline' * step.offline}")
            # bdi: a prompt may hold characters that turn the direction of what stands after it.
            lines.append(f'<li value="{number}"><bdi>{asked}</bdi> (<bdi>{how}</bdi>)</li>')
        notice = f"<p>{html.escape(OFFLINE_NOTICE)}</p>" if self.step.offline else ""
        return (
            f"{thumbnail_html(self.picture.pixels, self.picture.name, 512)}<ol>{''.join(lines)}</ol>{notice}"
        )


def open_result(
    file: ImageSource, *, source: ImageSource | None = None, pixel_cap: int = PIXEL_CAP
) -> OpenedResult:
    """Open a saved result together with what made it.

    `file` is what `open_image` takes. `source` is the picture that it was made from; left out, it is looked for by its
    pixels among the files beside `file`, where that is a path.

    Raises `ImageError` where the picture can't be opened, and `ResultError` where it has no lineage that can be read,
    or `source` is another picture.
    """
    picture = open_image(file, pixel_cap=pixel_cap)
    if not picture._lineage:
        raise ResultError(
            f"{picture.name!r} carries no lineage: ttapi_nb did not save it, or another program has removed it since. "
            "Open the picture alone with open_image()."
        )
    lineage = Lineage.from_json(picture._lineage)
    origin = lineage.steps[-1].source
    if source is not None:
        original = open_image(source, pixel_cap=pixel_cap)
        if original.digest != origin.digest:
            raise ResultError(
                f"{original.name!r} is not the picture that this result was made from, which was {origin.name!r}"
                f"{'' if origin.size is None else f', {origin.size[0]}x{origin.size[1]}'}. Give that one, or leave "
                "source out."
            )
        return OpenedResult(picture, lineage, original)
    return OpenedResult(picture, lineage, _beside(file, origin, pixel_cap))


def _beside(file: ImageSource, origin: Origin, pixel_cap: int) -> SourceImage | None:
    """The picture with `origin`'s pixels in the folder of `file`, or None."""
    if not isinstance(file, str | os.PathLike) or str(file).lower().startswith(("http://", "https://")):
        return None
    return find_source(origin, Path(file).parent, besides=Path(file).name, pixel_cap=pixel_cap)


def find_source(
    origin: Origin, folder: Path, *, besides: str = "", pixel_cap: int = PIXEL_CAP
) -> SourceImage | None:
    """The picture with `origin`'s pixels among the files of `folder`, but for the one named `besides`; or None."""
    paths = (path for path in _candidates(folder, origin) if path.name != besides and _may_be(path, origin))
    for path in itertools.islice(paths, OPENED):
        try:
            candidate = open_image(path, pixel_cap=pixel_cap)
        except ImageError:
            continue
        if candidate.digest == origin.digest:
            return candidate
    return None


def _candidates(folder: Path, origin: Origin) -> list[Path]:
    """Some pictures of a folder, those of the right name first."""
    paths: list[Path] = []
    try:
        # A folder may hold millions of other files.
        for path in itertools.islice(folder.iterdir(), 50 * LOOKED_AT):
            if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
                paths.append(path)
                if len(paths) == LOOKED_AT:
                    break
    except OSError:
        return []
    named = folder / origin.name
    if named.suffix and named not in paths:
        paths.append(named)
    return sorted(paths, key=lambda path: (path.name != origin.name, path.stem != origin.name, path.name))


def _may_be(path: Path, origin: Origin) -> bool:
    """Whether a file's head says that it is a picture of `origin`'s size, upright or turned."""
    try:
        # A pipe or a device would keep whoever opens it waiting.
        if not path.is_file() or path.stat().st_size > FILE_CAP:
            return False
        with warnings.catch_warnings():
            # Only its head is read here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as head:
                return origin.size is None or origin.size in (head.size, head.size[::-1])
    except Exception:  # noqa: BLE001 - decoders fail on hostile bytes with any error at all
        return False

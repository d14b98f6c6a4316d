"""`SourceImage`: an opened picture, and the files that are written of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from ..errors import ResultError
from ..files import write
from ..forking import cached
from .own import OwnFile
from .saving import encode, kept_file
from .show import preview

__all__ = ["FORMATS", "MIME_TYPES", "SUFFIXES", "ImageFile", "SourceImage"]

FORMATS = ("PNG", "JPEG", "WEBP")
MIME_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
# What can be saved, of which no model takes the last.
SAVED = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}


@dataclass(frozen=True)
class ImageFile:
    """An encoded picture as it goes out: a name, a true MIME type, and the bytes. `changes` tells, a sentence each,
    what of the picture such a file can't hold.
    """

    name: str
    mime: str
    data: bytes
    changes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ImageFile({self.name!r}, {self.mime}, {len(self.data):,} bytes)"


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An opened picture: upright 8-bit `RGB` or `RGBA` pixels in sRGB, and nothing else of the file it came from but
    what ttapi_nb itself wrote there (see `lineage`).

    `format` is the file format it came in (`PNG` for pixels that came from memory) and is what `file()` writes
    unless told otherwise. Treat `pixels` as read-only. `own` is what it was before it was brought to sRGB, where
    that is known, and `changes` what opening it changed, a sentence each.
    """

    pixels: Image.Image
    format: str = "PNG"
    name: str = "image"
    own: OwnFile | None = field(default=None, repr=False)
    changes: tuple[str, ...] = field(default=(), repr=False)
    _files: dict[str, bytes] = field(default_factory=dict, repr=False)
    # As `lineage` writes and reads it: here it is a text like any other.
    _lineage: str = field(default="", repr=False)

    def __repr__(self) -> str:
        width, height = self.size
        return f"SourceImage({self.name!r}, {width}x{height}, {self.format})"

    def _repr_png_(self) -> bytes:
        return encode(self.preview(512), "PNG")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.size

    @cached
    def digest(self) -> str:
        """SHA-256 of mode, size and pixels, in hex: the same for the same picture in any file format."""
        head = f"{self.pixels.mode} {self.size[0]}x{self.size[1]} ".encode()
        return hashlib.sha256(head + self.pixels.tobytes()).hexdigest()

    def file(self, format: str | None = None) -> ImageFile:
        """The picture encoded as `PNG`, `JPEG` or `WEBP` (left out: the format it came in), without metadata: this is
        what is sent.
        """
        format = format or self.format
        return self._named(format, self._encoded(format))

    def smaller(self) -> ImageFile:
        """As `file("PNG")`, which is this from then on: smaller, and slow to write."""
        if "small" not in self._files:
            self._files["PNG"] = self._files["small"] = encode(self.pixels, "PNG", small=True)
        return self._named("PNG", self._files["PNG"])

    def saved_file(self, format: str | None = None, *, keep_metadata: bool = False) -> ImageFile:
        """The file that `save` writes: the photo's own numbers in its own colours, depth and density, as far as the
        `format` (`TIFF` too) can hold them, and its lineage; `changes` of it tells what it can't hold.
        """
        format = format or self.format
        data, changes = kept_file(self.pixels, self.own, format, self._lineage, keep_metadata)
        return self._named(format, data, changes)

    @property
    def is_written(self) -> bool:
        """Whether its file is there, and need not be encoded for it."""
        return self.format in self._files

    def _named(self, format: str, data: bytes, changes: tuple[str, ...] = ()) -> ImageFile:
        suffix, mime = SUFFIXES.get(format, ".tif"), MIME_TYPES.get(format, "image/tiff")
        return ImageFile(Path(self.name).stem[:80] + suffix, mime, data, changes)

    def _encoded(self, format: str) -> bytes:
        # A request asks for its size, then for itself: encode once.
        if format not in self._files:
            self._files[format] = encode(self.pixels, format)
        return self._files[format]

    def as_format(self, format: str) -> SourceImage:
        """The same picture, to be sent in another format."""
        if format == self.format:
            return self
        return replace(self, format=format)

    def with_lineage(self, text: str) -> SourceImage:
        """The same picture with this lineage, as `Lineage.to_json` writes it."""
        return replace(self, _lineage=text)

    def save(
        self, path: str | os.PathLike[str], *, as_it_came: bytes | None = None, keep_metadata: bool = False
    ) -> Path:
        """Write the picture to `path`, in the format of its suffix (.png, .jpg, .webp or .tif; none: its own), with the
        photo's own numbers, colour profile, depth and density. A JPEG of a JPEG keeps its blocks.

        Of metadata the file carries only the picture's lineage, where it has one; `keep_metadata` keeps EXIF, XMP and
        IPTC too, but for place and maker's notes. What the format can't hold, `saved_file(format).changes` tells.
        `as_it_came` are the bytes it was read from, written unchanged where the format fits. Returns where it is;
        raises `ResultError`.
        """
        return self.write(path, as_it_came=as_it_came, keep_metadata=keep_metadata)[0]

    def write(
        self, path: str | os.PathLike[str], *, as_it_came: bytes | None = None, keep_metadata: bool = False
    ) -> tuple[Path, tuple[str, ...]]:
        """As `save`, and returns also what the file could not hold, a sentence each."""
        where = _place(path)
        where = where if where.suffix else where.with_name(where.name + SUFFIXES[self.format])
        format = SAVED.get(where.suffix.lower())
        if format is None:
            raise ResultError(
                f"{_cut(where.name)!r} has a suffix that can't be written. Use .png, .jpg, .webp or .tif."
            )
        try:
            if as_it_came and format == self.format:
                file = self._named(format, as_it_came)
            else:
                file = self.saved_file(format, keep_metadata=keep_metadata)
            write(where, file.data)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            problem = f"{_cut(where)} could not be written ({why}). Choose another place."
        else:
            return where, file.changes
        raise ResultError(problem)

    def preview(self, longest: int) -> Image.Image:
        """The pixels, scaled down (never up) until no side is over `longest` pixels."""
        return preview(self.pixels, longest)


def _place(path: str | os.PathLike[str]) -> Path:
    """Where `path` leads; raises `ResultError` where it can be no file's."""
    try:
        where = Path(path).expanduser()
        if where.name not in ("", ".."):
            return where
    except (RuntimeError, TypeError, ValueError):
        pass
    raise ResultError(f"{_cut(path)!r} is no name of a file. Give one, result.png for example.")


def _cut(path: object) -> str:
    return str(path)[:200]

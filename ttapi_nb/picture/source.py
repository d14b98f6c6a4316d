"""`SourceImage`: an opened picture, and the files that are written of it."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from PIL import Image

from ..errors import ResultError
from ..files import write
from ..metadata import options_for
from .own import OwnFile
from .show import preview

__all__ = ["FORMATS", "MIME_TYPES", "SUFFIXES", "ImageFile", "SourceImage", "encode"]

FORMATS = ("PNG", "JPEG", "WEBP")
MIME_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


@dataclass(frozen=True)
class ImageFile:
    """An encoded picture as it goes out: a name, a true MIME type, and the bytes."""

    name: str
    mime: str
    data: bytes

    def __repr__(self) -> str:
        return f"ImageFile({self.name!r}, {self.mime}, {len(self.data):,} bytes)"


@dataclass(frozen=True, eq=False)
class SourceImage:
    """An opened picture: upright 8-bit `RGB` or `RGBA` pixels in sRGB, and nothing else of the file it came from but
    what ttapi_nb itself wrote there (see `lineage`).

    `format` is the file format it came in (`PNG` for pixels that came from memory) and is what `file()` writes
    unless told otherwise. Treat `pixels` as read-only. `own` is what it was before it was brought to sRGB, where that is
    known, and `changes` what opening it changed, a sentence each.
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

    @cached_property
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

    def saved_file(self, format: str | None = None) -> ImageFile:
        """The file that `save` writes: as `file()`, and where the picture has a lineage, with that."""
        format = format or self.format
        if not self._lineage:
            return self.file(format)
        return self._named(format, encode(self.pixels, format, self._lineage))

    def _named(self, format: str, data: bytes) -> ImageFile:
        return ImageFile(Path(self.name).stem[:80] + SUFFIXES[format], MIME_TYPES[format], data)

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

    def save(self, path: str | os.PathLike[str], *, as_it_came: bytes | None = None) -> Path:
        """Write the picture to `path`, in the format of its suffix (.png, .jpg or .webp; none: its own).

        Of metadata the file carries only the picture's lineage, where it has one. `as_it_came` are the bytes it was
        read from, written unchanged where the format fits. Returns where it is; raises `ResultError`.
        """
        where = _place(path)
        where = where if where.suffix else where.with_name(where.name + SUFFIXES[self.format])
        formats = {suffix: format for format, suffix in SUFFIXES.items()} | {".jpeg": "JPEG"}
        format = formats.get(where.suffix.lower())
        if format is None:
            raise ResultError(
                f"{_cut(where.name)!r} has a suffix that can't be written. Use .png, .jpg or .webp."
            )
        try:
            data = as_it_came if as_it_came and format == self.format else self.saved_file(format).data
            write(where, data)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            problem = f"{_cut(where)} could not be written ({why}). Choose another place."
        else:
            return where
        raise ResultError(problem)

    def preview(self, longest: int) -> Image.Image:
        """The pixels, scaled down (never up) until no side is over `longest` pixels."""
        return preview(self.pixels, longest)


def encode(pixels: Image.Image, format: str, lineage: str = "") -> bytes:
    """`pixels` as a file with no metadata but `lineage`. JPEG drops transparency; PNG and WEBP keep every pixel as it
    is.
    """
    out = io.BytesIO()
    more = options_for(format, lineage) if lineage else {}
    if format == "JPEG":
        pixels.convert("RGB").save(out, "JPEG", quality=95, subsampling=0, **more)
    elif format == "WEBP":
        pixels.save(out, "WEBP", lossless=True, exact=True, quality=50, **more)
    else:
        pixels.save(out, "PNG", **more)
    return out.getvalue()


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

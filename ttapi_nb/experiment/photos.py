"""The photos of an experiment, each with its mask or none: opened, kept in the log by digest, and found there again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ImageError, MaskError, ResultError, SettingsError
from ..forking import cached
from ..log import RunLog
from ..mask import Mask, asked_for
from ..picture import ImageSource, SourceImage, open_image

__all__ = ["Photo", "keep", "kept", "photos_of"]

NO_PHOTO = "no photo"


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo with its mask. Where `picture` is None, pictures are made of words alone."""

    picture: SourceImage | None
    mask: Mask | None = None
    name: str = ""
    given_digest: str = field(default="", repr=False)

    @property
    def label(self) -> str:
        """What it is called where there is little room."""
        return self.name or (self.picture.name if self.picture is not None else NO_PHOTO)

    @cached
    def digest(self) -> str:
        """`SourceImage.digest` of the photo, or "" without one."""
        if self.given_digest:
            return self.given_digest
        return self.picture.digest if self.picture is not None else ""

    @cached
    def drawing(self) -> str:
        """The mask as JSON, or "" without one."""
        return "" if self.mask is None else self.mask.to_json()

    @cached
    def mask_digest(self) -> str:
        """SHA-256 of the mask's drawing, or "" without one."""
        return hashlib.sha256(self.drawing.encode()).hexdigest() if self.drawing else ""


def photos_of(photos: Any) -> tuple[Photo, ...]:
    """Photos from one, or a list of what `open_image` takes, of pairs (photo, mask), of dicts with `photo`, `mask` and
    `name`, and of None for a picture made of words alone. Raises `SettingsError`, `ImageError` or `MaskError`.
    """
    if photos is None or (isinstance(photos, list | tuple) and not photos):
        return (Photo(None),)
    listed = photos if isinstance(photos, list) else [photos]
    opened = tuple(map(_opened, listed))
    # Two of one name are told apart.
    labels: dict[str, int] = {}
    named = []
    for photo in opened:
        labels[photo.label] = count = labels.get(photo.label, 0) + 1
        name = photo.label if count == 1 else f"{photo.label} ({count})"
        named.append(Photo(photo.picture, photo.mask, name))
    return tuple(named)


def _opened(source: Any) -> Photo:
    if isinstance(source, Photo):
        return source
    name = ""
    photo, mask = source, None
    if isinstance(source, Mapping) and "photo" in source:
        unknown = [key for key in source if key not in ("photo", "mask", "name")]
        if unknown:
            raise SettingsError(
                f"A photo has {unknown[0]!r:.40}, which is not known. It has photo, mask and name."
            )
        photo, mask, name = source["photo"], source.get("mask"), str(source.get("name") or "")
    elif isinstance(source, tuple):
        if len(source) != 2:
            raise SettingsError("A photo with its mask is a pair: (photo, mask).")
        photo, mask = source
    if photo is None:
        if mask is not None:
            raise SettingsError("There is a mask without a photo. Give the photo, or leave the mask out.")
        return Photo(None, None, name)
    return masked(open_image(photo), mask, name)


def masked(picture: SourceImage, mask: Any, name: str = "") -> Photo:
    """A photo with what may be its mask. Raises `MaskError`."""
    if mask is None:
        return Photo(picture, None, name)
    read = mask if isinstance(mask, Mask) else Mask.read(mask, photo=picture)
    if read.size != picture.size:
        raise MaskError(
            f"The mask is {read.size[0]}x{read.size[1]}, and {picture.name!r} is {picture.size[0]}x{picture.size[1]}. "
            "Make it for this photo."
        )
    return Photo(picture, asked_for(read), name)


# In the log


def keep(log: RunLog, photos: Sequence[Photo]) -> None:
    """Keep the photos beside the log, so that the experiment can be gone on with. Raises `ResultError`."""
    for photo in photos:
        if photo.picture is not None and log.experiments.picture(photo.digest) is None:
            log.experiments.keep_picture(photo.digest, _file(photo.picture))


def _file(picture: SourceImage) -> bytes:
    """A file that opens as this very picture, in its own colours and depth where that can be."""
    own = picture.own.data if picture.own is not None else b""
    for data in (own, picture.saved_file("PNG").data):
        try:
            if data and open_image(data).digest == picture.digest:
                return data
        except ImageError:
            continue
    return picture.file("PNG").data


def kept(digest: str, name: str, log: RunLog | None, photos: Sequence[ImageSource | Photo]) -> SourceImage:
    """The picture with this digest, of those `photos` or of those beside the log. Raises `ResultError`."""
    for one in photos:
        picture = one.picture if isinstance(one, Photo) else open_image(one)
        if picture is not None and picture.digest == digest:
            return picture
    data = log.experiments.picture(digest) if log is not None else None
    if data is not None:
        picture = open_image(data, name=name)
        if picture.digest == digest:
            return picture
    raise ResultError(f"The photo {name!r} of this experiment is not at hand. Give it with photos=[…].")

"""A request as a cassette writes it down, and as two are compared."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...asked import Asked, Prepared
from ...lineage import Step, step_text
from ...mask import Mask
from ...models import DEFAULT_MODEL
from ...picture import SourceImage
from ...request import EditRequest
from ...text import one_line

__all__ = ["Ask", "Recorded", "ask_of", "edited_in", "plain", "text_of"]

LONGEST_WORD = 80


@dataclass(frozen=True)
class Recorded:
    """One request that a cassette can answer: what was asked, as far as the cassette holds it.

    `options` are the fields besides prompt and model; `images` the (width, height) of the pictures as they were sent;
    `masked` whether there was a mask; `refused` whether the service refused it. `step` is the edit as it was asked for,
    mask and all, where that was recorded with `masks=True`.
    """

    prompt: str
    model: str
    options: Mapping[str, Any]
    images: tuple[tuple[int, int], ...]
    masked: bool
    refused: bool
    step: Step | None = None

    @property
    def size(self) -> str:
        """The size that was asked for."""
        return str(self.options.get("size", "auto"))

    def __str__(self) -> str:
        pictures = ", ".join(f"{width}x{height}" for width, height in self.images)
        settings = [one_line(self.model, 40), f"size {one_line(self.size, 20)}", f"picture {pictures}"]
        settings += ["with a mask"] if self.masked else []
        return f'"{one_line(self.prompt, 60)}" ({", ".join(settings)})'


@dataclass(frozen=True)
class Ask:
    """A request as it is written down and compared."""

    prompt: str
    model: str
    options: dict[str, Any]
    extra: str
    images: tuple[tuple[str, int, int], ...]
    mask: tuple[str, int, int] | None

    @property
    def key(self) -> str:
        """The same for the same request, whatever wrote its pictures."""
        rest = (self.model, self.options, self.extra, self.images, self.mask)
        written = json.dumps([plain(self.prompt), *rest], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()

    def listed(self, refused: bool, step: Step | None) -> Recorded:
        sizes = tuple((width, height) for _, width, height in self.images)
        return Recorded(self.prompt, self.model, self.options, sizes, self.mask is not None, refused, step)


def ask_of(request: EditRequest) -> Ask:
    body = request.body()
    extra = dict(request.extra_body)
    options = {
        name: value
        for name, value in body.items()
        # Whether it comes in a stream, and with drafts, changes nothing of a result.
        if name not in ("prompt", "user", "stream", "partial_images")
        and name not in extra
        and value is not False
    }
    extra.pop("user", None)
    # Fields of a gateway's own may be private: they are told apart, and not kept.
    digest = (
        hashlib.sha256(json.dumps(extra, sort_keys=True, default=str).encode()).hexdigest() if extra else ""
    )
    images = tuple((_pixels_digest(source), *source.size) for source in request.image)
    mask = None if request.mask is None else (_mask_digest(request.mask), *request.mask.size)
    return Ask(str(request.prompt), str(request.model or DEFAULT_MODEL), options, digest, images, mask)


def _pixels_digest(source: SourceImage) -> str:
    pixels = source.pixels
    # A PNG may bring alpha that hides nothing, and a JPEG of the same picture has none.
    if pixels.mode == "RGBA" and pixels.getchannel("A").getextrema()[0] == 255:
        pixels = pixels.convert("RGB")
    return hashlib.sha256(pixels.mode.encode() + pixels.tobytes()).hexdigest()


def _mask_digest(mask: Mask | SourceImage) -> str:
    edited = edited_in(mask)
    if edited is None and isinstance(mask, SourceImage):
        return _pixels_digest(mask)
    return hashlib.sha256(np.packbits(np.asarray(edited)).tobytes()).hexdigest()


def edited_in(mask: Mask | SourceImage | None) -> NDArray[np.bool_] | None:
    """Which pixels a mask lets be edited, (height, width); None where it is a picture that says nothing of that."""
    if isinstance(mask, Mask):
        return mask.to_array()
    if mask is None or mask.pixels.mode != "RGBA":
        return None
    return np.asarray(mask.pixels.getchannel("A")) < 128


def text_of(request: EditRequest) -> str:
    """A request that nothing was fitted for, as the JSON of a lineage."""
    return step_text(Prepared(Asked(request, "none"), request))


def plain(prompt: str) -> str:
    # The same words may be typed with other bytes, and a text box adds an end of line.
    plain = prompt.replace("\r\n", "\n").strip()
    if plain.isascii():
        return plain
    # Word by word, since nothing combines with a space, and no endless word: accents piled up take the square of their
    # number to be put in order.
    words = (
        word if len(word) > LONGEST_WORD else unicodedata.normalize("NFC", word) for word in plain.split(" ")
    )
    return " ".join(words)

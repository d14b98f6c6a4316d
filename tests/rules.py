"""The rules of every model that edits, as cases that one test after another goes through.

The limits here are written down from the service's pages a second time, on purpose: a wrong number in `MODELS`
then disagrees with this table.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from ttapi_nb.picture import SourceImage, open_image

MB = 10**6
SIDE = 64


@dataclass(frozen=True)
class Case:
    """One request that a model takes (`says` is empty) or refuses (`says` is a part of the sentence that says so).

    `fields` are those of an edit; `image` and `mask` there are names that `picture` knows.
    """

    model: str
    rule: str
    what: str
    says: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether nothing may be sent."""
        return bool(self.says)

    @property
    def given(self) -> dict[str, Any]:
        """All the fields, those that every request needs included."""
        return {"prompt": "a red sofa", "image": ("grey.png",), "model": self.model} | dict(self.fields)

    def __str__(self) -> str:
        return f"{self.model}: {self.rule}: {self.what}{', refused' if self.refused else ''}"


@dataclass(frozen=True)
class Picture:
    """A picture as bytes, and as `EditRequest` has it where the package can open it at all."""

    data: bytes
    mime: str

    @property
    def source(self) -> SourceImage:
        """The opened picture. Raises `ImageError`."""
        return open_image(self.data)


@dataclass(frozen=True)
class NoisePicture(Picture):
    """A large picture, opened and encoded once for all the cases that use it."""

    opened: SourceImage

    @property
    def source(self) -> SourceImage:
        """The opened picture."""
        return self.opened


@cache
def picture(name: str) -> Picture:
    """The picture of that name; `noise 3999999` is a PNG of 3,999,999 bytes, and `noisy mask …` one with alpha."""
    words = name.split()
    if words[0] == "noise":
        return _noise(int(words[-1]), 3)
    if words[:2] == ["noisy", "mask"]:
        return _noise(int(words[-1]), 4)
    if words[0] == "flat":
        return _drawn(Image.new("RGB", picture(name.removeprefix("flat as ")).source.size, "gray"), "png")
    stem, suffix = name.split(".")
    width, height = (SIDE, SIDE - 16) if stem.startswith("wide") else (SIDE, SIDE)
    if stem.endswith("mask"):
        image = Image.new("RGBA", (width, height), (0, 0, 0, 255))
        if stem != "opaque mask":
            image.paste((0, 0, 0, 0), (8, 8, 24, 24))
    else:
        image = Image.new("RGB", (width, height), "gray")
    return _drawn(image, suffix)


def _drawn(image: Image.Image, format: str) -> Picture:
    out = io.BytesIO()
    image.save(out, format)
    return Picture(out.getvalue(), f"image/{format}")


# How much noise, and of which seed, makes a file of that length and so many channels. Where another zlib needs
# another amount, it is searched for from here, which takes seconds.
NOISY: Mapping[tuple[int, int], tuple[int, int]] = {
    (50 * MB - 1, 3): (49_972_501, 0),
    (50 * MB, 3): (49_972_543, 1),
    (25 * MB - 1, 3): (24_984_981, 0),
    (25 * MB, 3): (24_984_982, 0),
    (4 * MB - 1, 3): (3_996_735, 0),
    (4 * MB, 3): (3_996_736, 0),
    (4 * MB - 1, 4): (4_610_562, 5),
    (4 * MB, 4): (4_610_553, 3),
}


def _noise(length: int, channels: int) -> NoisePicture:
    """A square picture whose file, as the package writes it, is exactly `length` bytes long."""
    limit = -(-length // MB) * MB
    side = int((limit * 1.02 / 3) ** 0.5) + 1
    # Noise can't be packed and zeros pack to nothing, so each byte of noise makes the file a byte longer.
    noisy, first = NOISY.get((length, channels), ((length - limit // 1600) * channels // 3, 0))
    for attempt in range(24):
        pixels = np.zeros(side * side * channels, np.uint8)
        # Another seed after a while, should one never hit the length.
        pixels[:noisy] = np.random.default_rng(first + attempt // 6).integers(0, 256, noisy, np.uint8)
        if channels == 4:
            # A mask says yes or no: transparency in between would be written as one of these.
            pixels[3::4] = 0
        source = SourceImage(Image.fromarray(pixels.reshape(side, side, channels)), name="noise")
        file = source.file("PNG")
        if len(file.data) == length:
            return NoisePicture(file.data, file.mime, source)
        # One byte in four of a mask is the same.
        noisy += (length - len(file.data)) * channels // 3
    raise AssertionError(f"No noise packs to {length:,} bytes.")


@dataclass(frozen=True)
class Limits:
    """What the pages say of one model."""

    model: str
    prompt: int
    images: int
    formats: tuple[str, ...]
    image_bytes: int
    sizes: tuple[str, ...]
    not_sizes: tuple[str, ...]
    choices: Mapping[str, tuple[str, ...]]
    square: bool = False
    compresses: bool = True
    streams: bool = True


GPT_CHOICES = {
    "quality": ("auto", "high", "medium", "low"),
    "response_format": ("b64_json",),
    "output_format": ("png", "jpeg", "webp"),
    "background": ("transparent", "opaque", "auto"),
    "moderation": ("auto", "low"),
}
FIDELITY = {"input_fidelity": ("high", "low")}
GPT_FORMATS = ("png", "webp", "jpeg")
GPT_SIZES = ("auto", "1024x1024", "1536x1024", "1024x1536")
GPT_NOT_SIZES = ("256x256", "512x512", "1792x1024", "1024X1024", "1024 x 1024", "01024x1024", "large", "")

LIMITS = (
    Limits("gpt-image-1", 32_000, 16, GPT_FORMATS, 25 * MB, GPT_SIZES, GPT_NOT_SIZES, GPT_CHOICES | FIDELITY),
    Limits(
        "dall-e-2",
        1_000,
        1,
        ("png",),
        4 * MB,
        ("auto", "256x256", "512x512", "1024x1024"),
        ("1536x1024", "1024x1536", "128x128", "512", ""),
        {"quality": ("auto", "standard"), "response_format": ("url", "b64_json")},
        square=True,
        compresses=False,
        streams=False,
    ),
    Limits(
        "gpt-image-1.5", 32_000, 16, GPT_FORMATS, 50 * MB, GPT_SIZES, GPT_NOT_SIZES, GPT_CHOICES | FIDELITY
    ),
    Limits(
        "gpt-image-2",
        32_000,
        16,
        GPT_FORMATS,
        50 * MB,
        # Beyond the list: the shape at its widest and tallest, the least area, and the most area in two shapes.
        (*GPT_SIZES, "1536x512", "512x1536", "640x1024", "1120x848", "2880x2880", "3840x2160", "2160x3840"),
        # Not a multiple of 16; beyond 3:1 and 1:3; a side too long; too small; too large; no size at all.
        (
            *("1024x1032", "1032x1024", "1552x512", "512x1552", "3856x2144", "2144x3856", "640x1008"),
            *("2896x2880", "3840x2176", "large", ""),
        ),
        GPT_CHOICES,
    ),
)

# All that any model takes, those that only generate included, and one that looks right and that none takes.
EVERY_CHOICE: Mapping[str, tuple[str, ...]] = {
    "quality": ("auto", "high", "medium", "low", "standard", "hd", "ultra"),
    "response_format": ("url", "b64_json", "png"),
    "output_format": ("png", "jpeg", "webp", "gif"),
    "background": ("transparent", "opaque", "auto", "red"),
    "moderation": ("low", "auto", "high"),
    "input_fidelity": ("high", "low", "medium"),
}
MASK_BYTES = 4 * MB

DIGITS = (
    "Forms and the page's own example write numbers as digits, so the service reads them. Python has numbers."
)
UNUSED = "The model doesn't use the field, so the service lets it through. Asking for it is a mistake all the same."
OPAQUE = "The service gives such a picture back unchanged, and bills it. Nobody means that."

OURS_ONLY: dict[tuple[str, str], str] = {
    ("dall-e-2", "output_format not taken"): UNUSED,
    ("dall-e-2", "background not taken"): UNUSED,
    ("dall-e-2", "moderation not taken"): UNUSED,
    ("dall-e-2", "input_fidelity not taken"): UNUSED,
    ("dall-e-2", "output_compression not taken"): UNUSED,
} | {
    (limits.model, rule): reason
    for limits in LIMITS
    for rule, reason in (
        ("partial_images without stream", UNUSED),
        ("mask marks something", OPAQUE),
        ("numbers are numbers", DIGITS),
    )
}
"""The rules that only `problems()` knows, by model, and why the service does not."""


def _cases(limits: Limits) -> Iterator[Case]:
    model = limits.model

    def taken(rule: str, what: str, **fields: Any) -> Case:
        return Case(model, rule, what, "", fields)

    def refused(rule: str, what: str, says: str, **fields: Any) -> Case:
        return Case(model, rule, what, says, fields)

    # Prompt
    yield taken("prompt", "one letter", prompt="x")
    yield refused("prompt", "empty", "prompt is empty", prompt="")
    yield refused("prompt", "blank", "prompt is empty", prompt=" \n\t\u3000")
    yield refused("prompt", "not text", "prompt is empty", prompt=5)
    yield taken("prompt length", "at the limit", prompt="x" * limits.prompt)
    # A character is a code point, however many bytes it takes.
    yield taken("prompt length", "at the limit in emoji", prompt="😀" * limits.prompt)
    over = "Shorten it by 1."
    yield refused("prompt length", "over the limit", over, prompt="x" * (limits.prompt + 1))

    # Pictures
    most = limits.images
    yield taken("pictures", "one", image=("grey.png",))
    yield taken("pictures", "as many as it takes", image=("grey.png",) * most)
    yield refused("pictures", "none", "There is no picture.", image=())
    yield refused(
        "pictures", "one too many", f"there are {most + 1}. Leave some out", image=("grey.png",) * (most + 1)
    )
    for format in limits.formats:
        yield taken("file format", format, image=(f"grey.{format}",))
    for format in ("png", "webp", "jpeg"):
        if format not in limits.formats:
            yield refused("file format", format, "takes only png pictures", image=(f"grey.{format}",))
    yield refused("file format", "gif", "It is a GIF, which no model takes.", image=("grey.gif",))
    under, at = f"noise {limits.image_bytes - 1}", f"noise {limits.image_bytes}"
    yield taken("file length", "just under the limit", image=(under,))
    yield refused("file length", "at the limit", "Make the picture smaller first.", image=(at,))
    yield taken("shape", "square", image=("grey.png",))
    if limits.square:
        yield refused("shape", "wide", "takes only square pictures", image=("wide.png",))
    else:
        yield taken("shape", "wide", image=("wide.png",))

    # Mask
    yield taken("mask size", "the picture's", mask="mask.png")
    yield refused("mask size", "another", "The mask is 64x48 and the picture 64x64.", mask="wide mask.png")
    yield taken("mask transparency", "some", mask="mask.png")
    yield refused("mask transparency", "no alpha at all", "has no transparency", mask="grey.png")
    yield taken("mask marks something", "a hole", mask="mask.png")
    yield refused("mask marks something", "all opaque", "The mask marks nothing.", mask="opaque mask.png")
    # The picture has as many pixels as the noise needs, so its own limit is not in the way.
    under, at = f"noisy mask {MASK_BYTES - 1}", f"noisy mask {MASK_BYTES}"
    yield taken("mask length", "just under the limit", image=(f"flat as {under}",), mask=under)
    yield refused(
        "mask length", "at the limit", "the service takes less than 4 MB", image=(f"flat as {at}",), mask=at
    )

    # Numbers
    for count in (1, 2, 10):
        yield taken("n", str(count), n=count)
    wrong: Any
    for wrong in (0, -1, 11, 1.5, 2.0, True, "many", [2]):
        yield refused("n", repr(wrong), "whole number from 1 to 10", n=wrong)
    yield taken("numbers are numbers", "2", n=2)
    yield refused("numbers are numbers", "'2'", "The number of results", n="2")

    # Sizes
    for size in limits.sizes:
        yield taken("size", size, size=size)
    for wrong in (*limits.not_sizes, 1024):
        says = f"results of size {wrong!r}. It takes auto" if wrong else "The size is empty."
        yield refused("size", repr(wrong), says, size=wrong)

    # Fixed values
    for name, all_values in EVERY_CHOICE.items():
        values = limits.choices.get(name, ())
        if not values:
            yield taken(f"{name} not taken", "left out")
            says = f"{model} doesn't take {name}. Leave it out."
            yield refused(f"{name} not taken", "asked for", says, **{name: all_values[0]})
            continue
        for value in values:
            yield taken(name, value, **{name: value})
        for wrong in (*(value for value in all_values if value not in values), "", 1):
            yield refused(name, repr(wrong), f"{model} doesn't take {name}={wrong!r}.", **{name: wrong})
    if "background" in limits.choices:
        for format in ("png", "webp"):
            yield taken("background and format", format, background="transparent", output_format=format)
        says = "A transparent background needs png or webp."
        yield refused("background and format", "jpeg", says, background="transparent", output_format="jpeg")

    # Compression
    fields: dict[str, Any]
    if limits.compresses:
        for compression, to in ((0, "webp"), (100, "webp"), (50, "jpeg"), (100, "png"), (100, None)):
            fields = {"output_compression": compression, "output_format": to}
            yield taken("output_compression", f"{compression} for {to}", **fields)
        for wrong_format in ("png", None):
            fields = {"output_compression": 50, "output_format": wrong_format}
            says = "is for webp and jpeg results"
            yield refused("compression and format", f"50 for {wrong_format}", says, **fields)
        yield taken("compression and format", "50 for webp", output_compression=50, output_format="webp")
    else:
        yield taken("output_compression not taken", "left out")
        says = f"{model} doesn't take output_compression. Leave it out."
        yield refused("output_compression not taken", "asked for", says, output_compression=50)
        yield taken("output_compression", "left out")
    for wrong in (-1, 101, 1.5, True, "many"):
        fields = {"output_compression": wrong, "output_format": "webp" if limits.compresses else None}
        yield refused("output_compression", repr(wrong), "a whole number from 0 to 100", **fields)

    # The rest
    yield taken("stream", "false", stream=False)
    yield refused("stream", "a word", "Whether to stream is True or False, and not 'yes'.", stream="yes")
    if limits.streams:
        yield taken("stream", "true", stream=True)
        for count in (0, 1, 3):
            yield taken("partial_images", str(count), stream=True, partial_images=count)
        for wrong in (-1, 4, 1.5, True, "2x"):
            says = "partial_images, is a whole number from 0 to 3"
            yield refused("partial_images", repr(wrong), says, stream=True, partial_images=wrong)
        says = "Partial images come in a stream. Leave stream out, or set it to True."
        yield refused("partial_images without stream", "asked for", says, stream=False, partial_images=2)
    else:
        yield refused("stream", "true", f"{model} doesn't stream. Leave stream out.", stream=True)
        says = f"{model} sends no partial images. Leave partial_images out."
        yield refused("partial_images without stream", "asked for", says, partial_images=2)
    yield taken("partial_images without stream", "left out")
    yield taken("user", "a name", user="class-7")


CASES = (
    *(case for limits in LIMITS for case in _cases(limits)),
    Case("dall-e-3", "editing", "asked for", "dall-e-3 makes new pictures only and can't edit one."),
)
"""The table."""

NO_OTHER_SIDE = {
    ("gpt-image-1", "shape"): "It takes pictures of any shape.",
    ("gpt-image-1.5", "shape"): "It takes pictures of any shape.",
    ("gpt-image-2", "shape"): "It takes pictures of any shape.",
    ("dall-e-3", "editing"): "It never edits.",
} | {(limits.model, "user"): "Any name will do." for limits in LIMITS}
"""The rules that have only cases of one kind, by model, and why."""

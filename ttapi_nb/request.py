"""`EditRequest`: everything that one edit asks for, frozen, and able to say what the service would refuse."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias, TypedDict

import numpy as np
from PIL import Image

from .errors import ImageError, InvalidRequestError, MaskError
from .forking import cached
from .mask import Mask, asked_for, picture_problems, says_yes_or_no, size_problem
from .models import (
    COMPRESSION_RANGE,
    DEFAULT_MODEL,
    MODELS,
    PARTIALS_MAX,
    WHOLE_FORMATS,
    Model,
    megabytes,
    model_for,
)
from .picture import ImageFile, ImageSource, SourceImage, as_given, open_image, under_limit

__all__ = [
    "NO_PICTURE",
    "EditFields",
    "EditRequest",
    "GenerateFields",
    "GenerateRequest",
    "MaskSource",
    "Options",
]

NO_PICTURE = "There is no picture. Open one first."
"""What is wrong with an edit of nothing."""

MaskSource: TypeAlias = Mask | ImageSource | Sequence[Any] | Mapping[str, Any]
"""What an edit takes as its mask: a `Mask`, or what `Mask.read` reads in one way."""

CHOICE_FIELDS = tuple(sorted({name for model in MODELS.values() for name in model.choices}))
# What each format is called in a sentence; the service says jpg and webp too.
FORMAT_WORDS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}


class Options(TypedDict, total=False):
    """The fields of an edit besides picture, mask and prompt, for the signatures that pass them on."""

    model: str
    n: int
    size: str
    quality: str
    response_format: str | None
    output_format: str | None
    output_compression: int | None
    background: str | None
    input_fidelity: str | None
    moderation: str | None
    user: str | None
    stream: bool | None
    partial_images: int | None
    extra_body: Mapping[str, Any]


class EditFields(Options, total=False):
    """All the fields of an edit: what `images.edit` takes."""

    image: ImageSource | Sequence[ImageSource]
    prompt: str
    mask: MaskSource | None


class GenerateFields(Options, total=False):
    """All the fields of a generation: what `images.generate` takes."""

    prompt: str


@dataclass(frozen=True, kw_only=True, eq=False)
class EditRequest:
    """One edit, as the endpoint knows it (TTAPI, POST /v1/images/edits). Build it with `make`, which opens pictures.

    * `image`: the source pictures; the mask belongs to the first.
    * `prompt`: what the result should show.
    * `mask`: a `Mask`, or a picture that is transparent where the edit is; None lets the whole picture change, and so
      does a `Mask` on which nothing is painted.
    * `model`: a name of `MODELS`, or any other, which is sent as typed.
    * `n`: how many results, 1 to 10.
    * `size`: `"auto"` or `"WIDTHxHEIGHT"` in pixels, one that the model offers.
    * `quality`, `response_format`, `output_format`, `background`, `input_fidelity`, `moderation`: one of
      `MODELS[model].choices`.
    * `output_compression`: 0 to 100, for webp and jpeg results.
    * `stream`: whether the answer comes as events, where the model does that; left out, it does where partial images
      are asked for.
    * `partial_images`: how many drafts of each result to send while it is made, 0 to 3; fewer may come.
    * `extra_body`: fields that this class does not know, sent as they are.

    What is None or `"auto"` is left out of the body.
    """

    path: ClassVar[str] = "images/edits"
    """Where it goes, behind the base URL."""
    generates: ClassVar[bool] = False
    """Whether it makes a picture of words alone."""

    image: tuple[SourceImage, ...] = ()
    prompt: str = ""
    mask: Mask | SourceImage | None = None
    model: str = DEFAULT_MODEL
    n: int = 1
    size: str = "auto"
    quality: str = "auto"
    response_format: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    background: str | None = None
    input_fidelity: str | None = None
    moderation: str | None = None
    user: str | None = None
    stream: bool | None = None
    partial_images: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra_body", MappingProxyType(dict(self.extra_body)))
        if isinstance(self.mask, Mask):
            object.__setattr__(self, "mask", asked_for(self.mask))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only view of a dict can't be pickled, and files are made again where they are needed.
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return partial(type(self), **values | {"extra_body": dict(self.extra_body)}), ()

    @classmethod
    def make(cls, **values: Any) -> EditRequest:
        """The request with these fields, its pictures opened. Raises `TypeError`, `ImageError` or `MaskError`."""
        return cls._made(open_image, values)

    @classmethod
    def passed_on(cls, **values: Any) -> EditRequest:
        """As `make`, for whoever only sends it: a file of plain pixels goes as it came, without its metadata."""
        return cls._made(as_given, values)

    @classmethod
    def _made(cls, opened_by: Callable[[Any], SourceImage], values: dict[str, Any]) -> EditRequest:
        known = [item.name for item in fields(cls)]
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = (
                    f"Did you mean {close[0]!r}?" if close else "Send a field of your own in extra_body={…}."
                )
                what = "A generation" if cls.generates else "An edit"
                raise TypeError(f"{what} has no field {name!r}. {hint}")
        image, mask = values.get("image", ()), values.get("mask")
        sources = image if isinstance(image, list | tuple) else (image,)
        opened: dict[str, Any] = {"image": tuple(map(opened_by, sources))}
        if mask is not None:
            opened["mask"] = _opened_mask(mask, opened["image"])
        return cls(**values | opened)

    def __repr__(self) -> str:
        mask = "" if self.mask is None else f", mask={self.mask!r}"
        prompt = self.prompt if len(str(self.prompt)) <= 40 else self.prompt[:37] + "..."
        asked = f"model={self.model!r}, n={self.n}, size={self.size!r}"
        return f"EditRequest({list(self.image)!r}, {prompt!r}{mask}, {asked})"

    @cached
    def image_files(self) -> tuple[ImageFile, ...]:
        """The pictures as files, without metadata."""
        return tuple(source.file() for source in self.image)

    @cached
    def mask_file(self) -> ImageFile | None:
        """The mask as the PNG file that the service takes, transparent where the edit is."""
        if self.mask is None:
            return None
        if isinstance(self.mask, Mask):
            data = self.mask.to_png()
        elif self.mask.pixels.mode == "RGBA" and not says_yes_or_no(self.mask):
            # What the service makes of half a transparency nobody knows.
            data = Mask.from_image(self.mask, edit="transparent").to_png()
        else:
            data = self.mask.file("PNG").data
        return ImageFile("mask.png", "image/png", data)

    def body(self) -> dict[str, Any]:
        """The fields to send besides pictures, mask and model."""
        skipped = {"image", "mask", "model", "extra_body"}
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in skipped}
        # A prompt or a user may well be called "auto".
        chosen = {"size", *CHOICE_FIELDS}
        sent = {
            name: value
            for name, value in values.items()
            if value is not None and not (name in chosen and value == "auto")
        }
        if not self.streams:
            # Some services take it with a stream only, and none is what comes without it.
            sent = {name: value for name, value in sent.items() if name != "partial_images" or value}
        elif self.stream is None:
            sent["stream"] = True
        return {name: int(value) if _is_whole(value) else value for name, value in sent.items()} | dict(
            self.extra_body
        )

    @property
    def streams(self) -> bool:
        """Whether the answer is asked for as a stream of events: asking for partial images asks for that too."""
        return bool(self.partial_images) if self.stream is None else self.stream is True

    def check(self) -> None:
        """Raise `InvalidRequestError` where the service would refuse this."""
        problems = self.problems()
        if problems:
            raise InvalidRequestError(problems)

    def problems(self, *, pictures: bool = True) -> tuple[str, ...]:
        """Everything that the service would refuse, each as a sentence or two; empty where it may be sent.

        `pictures=False` looks at the words and numbers alone, which takes no time.
        """
        if not isinstance(self.model, str) or not self.model.strip():
            return (f"There is no model. Choose one, {DEFAULT_MODEL} for example.",)
        row = model_for(self.model)
        if not row.edits and not self.generates:
            return (f"{row.name} makes new pictures only and can't edit one. Choose another model.",)
        checks = [
            self._prompt_problems,
            self._number_problems,
            self._stream_problems,
            self._choice_problems,
        ]
        if pictures:
            checks[1:1] = [self._image_problems, self._mask_problems]
        # Two pictures of one name may have the same problem, which is said once.
        return tuple(dict.fromkeys(problem for check in checks for problem in check(row)))

    def _prompt_problems(self, row: Model) -> Iterator[str]:
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            yield "The prompt is empty. Write what the result should show."
        elif any("\ud800" <= letter <= "\udfff" for letter in self.prompt):
            yield "The prompt holds half of a character. Delete what looks broken and type it again."
        elif len(self.prompt) > row.prompt_limit:
            over = len(self.prompt) - row.prompt_limit
            yield (
                f"The prompt has {len(self.prompt):,} characters and {row.name} takes at most {row.prompt_limit:,}. "
                f"Shorten it by {over:,}."
            )

    def _image_problems(self, row: Model) -> Iterator[str]:
        if not self.image:
            yield NO_PICTURE
        if len(self.image) > row.images_max:
            most = "one picture" if row.images_max == 1 else f"{row.images_max} pictures"
            yield f"{row.name} takes at most {most}, and there are {len(self.image)}. Leave some out."
        for source in self.image:
            if source.format not in row.image_formats:
                taken = " or ".join(FORMAT_WORDS[format] for format in row.image_formats)
                yield (
                    f"{row.name} takes only {taken} pictures, and {source.name!r} is a {FORMAT_WORDS[source.format]}. "
                    "Save it as png, or use ttapi_nb.edit(), which does that for you."
                )
            if not under_limit(source, row.image_bytes):
                bytes_ = megabytes(len(source.file().data))
                yield (
                    f"The picture {source.name!r} is {bytes_} as a file and {row.name} takes "
                    f"less than {megabytes(row.image_bytes)}. Make the picture smaller first."
                )
            if row.square and source.size[0] != source.size[1]:
                yield (
                    f"{row.name} takes only square pictures, and {source.name!r} is {source.size[0]}x{source.size[1]}. "
                    "Crop it to a square first, or choose another model."
                )

    def _mask_problems(self, row: Model) -> Iterator[str]:
        if self.mask is None or self.mask_file is None:
            return
        if isinstance(self.mask, Mask) and self.mask.meaning.problem:
            yield self.mask.meaning.problem
            return
        if self.image and self.mask.size != self.image[0].size:
            yield size_problem(self.mask.size, self.image[0])
        if isinstance(self.mask, SourceImage):
            # As it came: of another size it is another picture's, which was said.
            yield from picture_problems(self.mask, self.image[0] if self.image else None)
        if len(self.mask_file.data) >= row.mask_bytes:
            yield (
                f"The mask is {megabytes(len(self.mask_file.data))} as a PNG, and the service takes less than "
                f"{megabytes(row.mask_bytes)}. Use plainer shapes, a smaller picture, or mask.to_png(max_bytes=…): "
                "that leaves out the finest specks."
            )

    def _number_problems(self, row: Model) -> Iterator[str]:
        if not _is_whole(self.n) or not 1 <= self.n <= row.n_max:
            yield f"The number of results, n, is a whole number from 1 to {row.n_max}, and not {self.n!r}. Change it."
        low, high = COMPRESSION_RANGE
        compression = self.output_compression
        if compression is not None:
            if not _is_whole(compression) or not low <= compression <= high:
                yield (
                    f"The compression, output_compression, is a whole number from {low} to {high}, "
                    f"and not {compression!r}. Change it."
                )
            elif not row.compresses:
                yield f"{row.name} doesn't take output_compression. Leave it out."
            elif compression != high and row.known and self.output_format not in ("webp", "jpeg"):
                yield (
                    "The compression, output_compression, is for webp and jpeg results. "
                    'Set output_format="webp" or "jpeg", or leave it out.'
                )

    def _stream_problems(self, row: Model) -> Iterator[str]:
        count, most = self.partial_images, row.partials_max
        if self.stream is not None and not isinstance(self.stream, bool):
            yield f"Whether to stream is True or False, and not {self.stream!r}. Change stream, or leave it out."
        elif self.stream and most is None:
            yield f"{row.name} doesn't stream. Leave stream out."
        elif self.streams and self.output_format in WHOLE_FORMATS:
            yield f"A {self.output_format} comes as a whole. Leave stream and partial_images out, or take a png."
        if count is None:
            return
        if not _is_whole(count) or not 0 <= count <= (most or PARTIALS_MAX):
            yield (
                f"The number of partial images, partial_images, is a whole number from 0 to {most or PARTIALS_MAX}, "
                f"and not {count!r}. Change it."
            )
        elif count and most is None:
            yield f"{row.name} sends no partial images. Leave partial_images out."
        elif count and self.stream is False:
            yield "Partial images come in a stream. Leave stream out, or set it to True."

    def _choice_problems(self, row: Model) -> Iterator[str]:
        if isinstance(self.size, str) and not self.size.strip():
            yield 'The size is empty. Type one like 1024x1024, or choose "auto".'
        elif not isinstance(self.size, str) or not row.takes_size(self.size):
            yield f"{row.name} doesn't make results of size {self.size!r}. It takes {row.sizes_in_words}."
        for name in CHOICE_FIELDS:
            value = getattr(self, name)
            taken = row.choices.get(name)
            if value is None or value == "auto" or not row.known:
                continue
            if taken is None:
                yield f"{row.name} doesn't take {name}. Leave it out."
            elif value not in taken:
                yield f"{row.name} doesn't take {name}={value!r}. It takes {', '.join(taken)}."
        if self.background == "transparent" and self.output_format == "jpeg":
            yield 'A transparent background needs png or webp. Set output_format="png", or another background.'


class GenerateRequest(EditRequest):
    """One picture made of words alone (TTAPI, POST /v1/images/generations): an `EditRequest` with neither picture nor
    mask. The models' limits are those of an edit, and dall-e-3 takes it too.
    """

    path: ClassVar[str] = "images/generations"
    generates: ClassVar[bool] = True

    def _image_problems(self, row: Model) -> Iterator[str]:
        if self.image:
            yield "A generation takes no picture. Leave it out, or edit the picture."

    def _mask_problems(self, row: Model) -> Iterator[str]:
        if self.mask is not None:
            yield "A generation takes no mask. Leave it out, or edit a picture."
        if self.input_fidelity is not None:
            yield "A generation takes no input_fidelity, which is about a picture. Leave it out."


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _opened_mask(mask: Any, image: tuple[SourceImage, ...]) -> Mask | SourceImage:
    """A mask from whatever it is in. A picture that can't be read as one is kept, so that problems() can say why."""
    if isinstance(mask, Mask | SourceImage):
        return mask
    try:
        return Mask.read(mask, photo=image[0] if image else None)
    except MaskError:
        if not isinstance(mask, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
            raise
        try:
            return open_image(mask, name="mask")
        except ImageError:
            pass
        raise

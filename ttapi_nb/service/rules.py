"""Holds a request against what its model accepts, as strictly as the public pages say.

Numbers may come as strings of digits: forms have nothing else, and the page's own example does so in JSON. A
field that the model does not use, but that another model does, is let through unread, and so is a field that
no page names. A picture need not have an alpha channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ImageError
from ..models import COMPRESSION_RANGE, MODELS, Model, megabytes
from ..picture import MIME_TYPES, SourceImage, open_image
from .body import Body, Upload
from .refusal import Refusal, shown

__all__ = ["HALF", "Edit", "Hole", "check", "check_generation"]

Hole: TypeAlias = npt.NDArray[np.bool_]
"""Where to edit: True at each pixel of the picture that may change."""

DEFAULT_HERE = "dall-e-2"
HALF = 128
"""Alpha, of 255, below which a pixel counts as transparent."""

EMPTY_PROMPT = "'prompt' is required and must not be empty."


@dataclass(frozen=True)
class Edit:
    """A request that was found to be in order.

    `hole` is None where the request says nothing of where to edit. `inputs` are the sizes of all pictures
    that came in, the mask's too. `size` is `"auto"` or one that the model takes. Where `generates`, the picture is to
    be made of words alone, and `picture` is a sheet with nothing on it. `streams` asks for events, with so many
    `partials` of each result before it.
    """

    model: Model
    prompt: str
    picture: SourceImage
    hole: Hole | None
    inputs: tuple[tuple[int, int], ...]
    n: int
    size: str
    quality: str
    background: str
    as_url: bool
    output_format: str
    compression: int
    generates: bool = False
    streams: bool = False
    partials: int = 0


def check(body: Body) -> Edit:
    """The edit that `body` asks for; raises `Refusal` with what is wrong first."""
    model = _model(body.fields)
    if not model.edits:
        able = ", ".join(other.name for other in MODELS.values() if other.edits)
        message = f"{model.name} makes pictures but cannot edit them. Choose one of {able}."
        raise Refusal(message, code="invalid_value", param="model")
    asked = _fields(body, model)
    first, sizes = _pictures(body.images, model)
    mask = _mask(body.mask, first, model) if body.mask is not None else None
    inputs = (*sizes, *([mask.size] if mask else ()))
    return replace(asked, picture=first, hole=_hole(first, mask), inputs=inputs)


def check_generation(body: Body) -> Edit:
    """As `check`, of a request for a picture made of words alone."""
    if body.images or body.mask is not None:
        raise Refusal("A generation takes no picture. Edit one with POST /v1/images/edits.", param="image")
    return replace(_fields(body, _model(body.fields)), generates=True)


def _fields(body: Body, model: Model) -> Edit:
    fields = body.fields
    streams = _stream(fields, model)
    prompt = _prompt(fields, model)
    n = _whole_number(fields, "n", 1, (1, model.n_max))
    size = _size(fields, model)
    chosen = _choices(fields, model)
    compression = _compression(fields, model, chosen["output_format"])
    return Edit(
        model=model,
        prompt=prompt,
        picture=SourceImage(Image.new("RGB", (1, 1), "white"), "PNG"),
        hole=None,
        inputs=(),
        n=n,
        size=size,
        quality=chosen["quality"],
        background=chosen["background"],
        as_url=chosen["response_format"] == "url",
        output_format=chosen["output_format"],
        compression=compression,
        streams=streams,
        partials=_whole_number(fields, "partial_images", 0, (0, model.partials_max or 0)) if streams else 0,
    )


# Fields


def _text(fields: Mapping[str, object], name: str, default: str) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise Refusal(f"'{name}' must be a string, not {shown(value)}.", code="invalid_type", param=name)
    return value


def _whole_number(fields: Mapping[str, object], name: str, default: int, between: tuple[int, int]) -> int:
    value = fields.get(name, default)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(f"'{name}' must be an integer, not {shown(value)}.", code="invalid_type", param=name)
    least, most = between
    if not least <= value <= most:
        raise Refusal(f"'{name}' must be from {least} to {most}.", code="invalid_value", param=name)
    return value


def _model(fields: Mapping[str, object]) -> Model:
    name = _text(fields, "model", DEFAULT_HERE)
    row = MODELS.get(name)
    if row is None:
        message = f"The model {shown(name)} does not exist. The models are {', '.join(MODELS)}."
        raise Refusal(message, code="model_not_found", param="model")
    return row


def _stream(fields: Mapping[str, object], model: Model) -> bool:
    value = fields.get("stream", False)
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise Refusal(f"'stream' must be a boolean, not {shown(value)}.", code="invalid_type", param="stream")
    if value is False or value == "false":
        return False
    if model.partials_max is None:
        message = f"{model.name} does not stream. Leave 'stream' out."
        raise Refusal(message, code="invalid_value", param="stream")
    return True


def _prompt(fields: Mapping[str, object], model: Model) -> str:
    prompt = _text(fields, "prompt", "")
    if not prompt.strip():
        raise Refusal(EMPTY_PROMPT, param="prompt")
    if len(prompt) > model.prompt_limit:
        message = f"'prompt' has {len(prompt):,} characters, and {model.name} takes {model.prompt_limit:,}."
        raise Refusal(message, code="invalid_value", param="prompt")
    return prompt


def _size(fields: Mapping[str, object], model: Model) -> str:
    size = _text(fields, "size", "auto")
    if not model.takes_size(size):
        message = f"{model.name} does not take the size {shown(size)}. It takes {model.sizes_in_words}."
        raise Refusal(message, code="invalid_value", param="size")
    return size


def _choices(fields: Mapping[str, object], model: Model) -> dict[str, str]:
    chosen = {"quality": "auto", "response_format": "b64_json", "output_format": "png", "background": "auto"}
    for name, values in model.choices.items():
        if name not in fields:
            continue
        value = _text(fields, name, "")
        if value not in values:
            message = f"'{name}' is {shown(value)}, and {model.name} takes {', '.join(values)}."
            raise Refusal(message, code="invalid_value", param=name)
        chosen[name] = value
    if model.name == "gpt-image-2" and "input_fidelity" in fields:
        message = f"{model.name} does not take 'input_fidelity'. Leave it out."
        raise Refusal(message, code="invalid_input_fidelity_model", param="input_fidelity")
    if chosen["background"] == "transparent" and chosen["output_format"] == "jpeg":
        message = "A transparent background needs 'output_format' png or webp."
        raise Refusal(message, code="invalid_value", param="background")
    return chosen


def _compression(fields: Mapping[str, object], model: Model, output_format: str) -> int:
    default = COMPRESSION_RANGE[1]
    compression = _whole_number(fields, "output_compression", default, COMPRESSION_RANGE)
    if model.compresses and compression != default and output_format == "png":
        message = "'output_compression' under 100 needs 'output_format' jpeg or webp."
        raise Refusal(message, code="invalid_value", param="output_compression")
    return compression


# Pictures


def _pictures(uploads: tuple[Upload, ...], model: Model) -> tuple[SourceImage, list[tuple[int, int]]]:
    """The first picture, and the sizes of all of them."""
    if not uploads:
        raise Refusal("'image' is required: send a picture to edit.", param="image")
    if len(uploads) > model.images_max:
        takes = "exactly one" if model.images_max == 1 else f"at most {model.images_max}"
        message = f"{len(uploads)} pictures were sent, and {model.name} takes {takes}."
        raise Refusal(message, code="invalid_value", param="image")
    first = _picture(uploads[0], model)
    # The others are only checked: sixteen of them at once would fill the memory.
    return first, [first.size, *(_picture(upload, model).size for upload in uploads[1:])]


def _picture(upload: Upload, model: Model) -> SourceImage:
    wanted = f"The picture must be a {' or '.join(model.image_formats)} under {megabytes(model.image_bytes)}"
    if len(upload.data) >= model.image_bytes:
        message = f"{wanted}, and it has {len(upload.data):,} bytes."
        raise Refusal(message, param="image")
    picture = _opened(upload, "image")
    if picture.format not in model.image_formats:
        message = f"{wanted}, and it is a {picture.format}."
        raise Refusal(message, param="image")
    width, height = picture.size
    if model.square and width != height:
        message = f"The picture must be square for {model.name}, and it is {width}x{height}."
        raise Refusal(message, param="image")
    return picture


def _opened(upload: Upload, param: str) -> SourceImage:
    try:
        picture = open_image(upload.data, name=param)
    except ImageError as error:
        problem = str(error)
    else:
        mime = MIME_TYPES.get(picture.format, picture.format)
        if upload.mime in (None, mime):
            return picture
        problem = f"'{param}' was sent as {upload.mime}, but its bytes are {mime}."
    raise Refusal(problem, code="invalid_image_file", param=param)


def _mask(upload: Upload, picture: SourceImage, model: Model) -> SourceImage:
    mask = _opened(upload, "mask") if len(upload.data) < model.mask_bytes else None
    if mask is None or mask.format != "PNG":
        problem = f"The mask must be a PNG under {megabytes(model.mask_bytes)}."
    elif mask.size != picture.size:
        (width, height), (wide, high) = mask.size, picture.size
        problem = f"The mask is {width}x{height}, and the first picture is {wide}x{high}. They must be equal."
    elif mask.pixels.mode != "RGBA":
        problem = "The mask has no alpha channel. Make it transparent where the picture is to change."
    else:
        return mask
    raise Refusal(problem, code="invalid_mask_image_format", param="mask")


def _hole(picture: SourceImage, mask: SourceImage | None) -> Hole | None:
    # A picture that is sent alone says by its own transparency where to edit.
    source = mask or picture
    if source.pixels.mode != "RGBA":
        return None
    hole = np.asarray(source.pixels.getchannel("A")) < HALF
    return hole if mask is not None or hole.any() else None

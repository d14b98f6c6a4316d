"""What the service takes and what it refuses, model by model."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttapi_nb.models import MODELS
from ttapi_nb.service import Service

GPT = {"mode": "gpt-image-1", "size": "1024x1024", "mask": None, "image": Image.new("RGB", (64, 64), "gray")}
GPT2 = GPT | {"mode": "gpt-image-2"}


def returned(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """The picture itself, which takes no time."""
    return image


QUICK = Service(envelope="openai", fill=returned)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"prompt": "x" * 1000},
        {"prompt": "😀" * 1000},
        GPT | {"prompt": "x" * 32_000},
        {"n": 10},
        {"n": "2"},
        {"n": None},
        {"size": "auto"},
        {"size": "512x512"},
        {"quality": "standard"},
        {"response_format": "url"},
        {"output_compression": "100"},
        {"output_compression": 50},
        {"output_format": "webp"},
        {"input_fidelity": "high"},
        {"background": "transparent"},
        {"something": {"else": []}},
        {"stream": False},
        {"stream": "false"},
        {"user": "me"},
        {"mask": None},
        GPT,
        GPT | {"quality": "low", "background": "opaque", "moderation": "low", "input_fidelity": "low"},
        GPT | {"response_format": "b64_json"},
        GPT | {"output_format": "jpeg", "output_compression": 1},
        GPT | {"output_format": "webp", "output_compression": "0", "background": "transparent"},
        GPT | {"image": [GPT["image"]] * 16},
        GPT2 | {"size": "1120x848"},
        GPT2 | {"size": "1536x512"},
        GPT | {"stream": "false", "partial_images": 9},
        {"partial_images": 2},
    ],
    ids=lambda given: str(given)[:60],
)
def test_what_is_in_order_is_taken(ask: Any, given: dict[str, Any]) -> None:
    """Values at the edge of each rule, digits as text, and fields that the model merely ignores pass."""
    reply = ask(QUICK, **given)
    assert reply.status == 200, reply.json


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"prompt": None}, None, "prompt"),
        ({"prompt": ""}, None, "prompt"),
        ({"prompt": " \n"}, None, "prompt"),
        ({"prompt": 5}, "invalid_type", "prompt"),
        ({"prompt": ["x"]}, "invalid_type", "prompt"),
        ({"prompt": "x" * 1001}, "invalid_value", "prompt"),
        (GPT | {"prompt": "x" * 32_001}, "invalid_value", "prompt"),
        ({"mode": "dall-e-9"}, "model_not_found", "model"),
        ({"mode": 2}, "invalid_type", "model"),
        ({"mode": "dall-e-3"}, "invalid_value", "model"),
        ({"n": 0}, "invalid_value", "n"),
        ({"n": 11}, "invalid_value", "n"),
        ({"n": "11"}, "invalid_value", "n"),
        ({"n": -1}, "invalid_value", "n"),
        ({"n": 10**30}, "invalid_value", "n"),
        ({"n": True}, "invalid_type", "n"),
        ({"n": 1.5}, "invalid_type", "n"),
        ({"n": "two"}, "invalid_type", "n"),
        ({"n": "9" * 5000}, "invalid_type", "n"),
        ({"n": [1]}, "invalid_type", "n"),
        ({"size": "300x300"}, "invalid_value", "size"),
        ({"size": "1536x1024"}, "invalid_value", "size"),
        ({"size": 512}, "invalid_type", "size"),
        (GPT | {"size": "512x512"}, "invalid_value", "size"),
        (GPT2 | {"size": "1000x1000"}, "invalid_value", "size"),
        (GPT2 | {"size": "3200x1040"}, "invalid_value", "size"),
        ({"quality": "hd"}, "invalid_value", "quality"),
        ({"quality": 1}, "invalid_type", "quality"),
        (GPT | {"quality": "standard"}, "invalid_value", "quality"),
        ({"response_format": "png"}, "invalid_value", "response_format"),
        (GPT | {"response_format": "url"}, "invalid_value", "response_format"),
        (GPT | {"output_format": "gif"}, "invalid_value", "output_format"),
        (GPT | {"background": "red"}, "invalid_value", "background"),
        (GPT | {"background": "transparent", "output_format": "jpeg"}, "invalid_value", "background"),
        (GPT | {"moderation": "high"}, "invalid_value", "moderation"),
        (GPT | {"input_fidelity": "auto"}, "invalid_value", "input_fidelity"),
        (GPT2 | {"input_fidelity": "high"}, "invalid_input_fidelity_model", "input_fidelity"),
        (GPT | {"output_compression": 50}, "invalid_value", "output_compression"),
        (GPT | {"output_compression": 101, "output_format": "webp"}, "invalid_value", "output_compression"),
        ({"output_compression": -1}, "invalid_value", "output_compression"),
        ({"output_compression": True}, "invalid_type", "output_compression"),
        ({"stream": True}, "invalid_value", "stream"),
        ({"stream": "true"}, "invalid_value", "stream"),
        ({"stream": 1}, "invalid_type", "stream"),
        ({"stream": []}, "invalid_type", "stream"),
        (GPT | {"stream": True, "partial_images": 4}, "invalid_value", "partial_images"),
        (GPT | {"stream": True, "partial_images": -1}, "invalid_value", "partial_images"),
        (GPT | {"stream": True, "partial_images": 1.5}, "invalid_type", "partial_images"),
        ({"image": [GPT["image"]] * 2}, "invalid_value", "image"),
        (GPT | {"image": [GPT["image"]] * 17}, "invalid_value", "image"),
    ],
    ids=lambda given: str(given)[:60],
)
def test_what_is_out_of_order_is_refused(
    ask: Any, given: dict[str, Any], code: str | None, param: str
) -> None:
    """Each rule refuses what is just beyond it, and names the field."""
    reply = ask(QUICK, **given)
    assert (reply.status, reply.code, reply.json["error"]["param"]) == (400, code, param)


@pytest.mark.parametrize("model", [row.name for row in MODELS.values() if row.edits])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_each_model_takes_the_formats_of_its_row(
    ask: Any, as_url: Any, photo: Image.Image, model: str, format: str
) -> None:
    """A picture's format is judged by the model's row."""
    reply = ask(QUICK, image=as_url(photo, format), mode=model, size="1024x1024", mask=None)
    assert reply.status == (200 if format in MODELS[model].image_formats else 400)


def test_the_type_must_be_true_to_the_bytes(ask: Any, as_url: Any, photo: Image.Image) -> None:
    """A JPEG that is sent as a PNG is refused."""
    lying = as_url(photo, "JPEG").replace("image/jpeg", "image/png")
    assert ask(image=lying, mode="gpt-image-1", size="auto", mask=None).code == "invalid_image_file"


@pytest.mark.parametrize("data", [b"GIF89a" + bytes(50), b"\x89PNG\r\n\x1a\n" + bytes(99), b"<svg/>"])
def test_bytes_that_are_no_picture_are_refused(ask: Any, data: bytes) -> None:
    """What can't be decoded gets the contract's code for it."""
    assert ask(image=base64.b64encode(data).decode()).code == "invalid_image_file"


def test_a_picture_of_too_many_pixels_is_refused_unopened(ask: Any) -> None:
    """A small file that would unfold to more than 100 million pixels is refused."""
    assert ask(image=Image.new("1", (12_000, 12_000))).code == "invalid_image_file"


def padded(png: bytes, length: int) -> bytes:
    """The same PNG, made longer by what decoders skip."""
    return png + bytes(length - len(png))


@pytest.mark.parametrize(("over", "status"), [(-1, 200), (0, 400)])
def test_a_file_must_stay_under_its_limit(
    ask: Any, as_bytes: Any, mask_for: Any, photo: Image.Image, over: int, status: int
) -> None:
    """Pictures for dall-e-2 and masks may have 3,999,999 bytes and not 4,000,000."""
    limit = 4_000_000 + over
    picture = base64.b64encode(padded(as_bytes(photo), limit)).decode()
    mask = base64.b64encode(padded(as_bytes(mask_for(photo.size)), limit)).decode()
    assert ask(QUICK, image=picture).status == status
    refused = ask(QUICK, mask=mask)
    assert refused.status == status
    assert status == 200 or refused.code == "invalid_mask_image_format"


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (Image.new("RGBA", (255, 256)), "invalid_mask_image_format"),
        (Image.new("RGB", (256, 256)), "invalid_mask_image_format"),
        (Image.new("L", (256, 256)), "invalid_mask_image_format"),
    ],
)
def test_a_mask_needs_the_pictures_size_and_an_alpha_channel(ask: Any, mask: Image.Image, code: str) -> None:
    """A mask of another size or without alpha is refused."""
    assert ask(mask=mask).code == code


def test_a_mask_must_be_a_png(ask: Any, as_url: Any, mask_for: Any, photo: Image.Image) -> None:
    """A WEBP mask is refused, though it has alpha."""
    assert ask(mask=as_url(mask_for(photo.size), "WEBP")).code == "invalid_mask_image_format"


def test_alpha_below_half_is_the_hole(ask: Any, photo: Image.Image) -> None:
    """A mask's alpha of 127 marks a pixel for editing, and 128 does not."""
    alpha = np.full((256, 256), 128, np.uint8)
    alpha[50:150, 50:150] = 127
    mask = Image.new("RGBA", photo.size)
    mask.putalpha(Image.fromarray(alpha))
    changed = (ask(mask=mask).pixels != np.asarray(photo)).any(axis=2)
    assert changed[50:150, 50:150].mean() > 0.9
    assert not changed[alpha == 128].any()


def test_the_mask_belongs_to_the_first_picture(ask: Any, make_photo: Any, mask_for: Any) -> None:
    """With several pictures, only the first one's size counts, and the others change nothing."""
    first, other = make_photo(96, 96), make_photo(64, 80)
    mask = mask_for((96, 96), (20, 20, 50, 50))
    shared = {"mode": "gpt-image-1", "size": "1024x1024", "mask": mask}
    both, alone = ask(image=[first, other], **shared), ask(image=[first], **shared)
    np.testing.assert_array_equal(both.pixels, alone.pixels)
    assert ask(image=[other, first], **shared).code == "invalid_mask_image_format"

"""The three ways to write a body, and what is refused before any rule is asked."""

from __future__ import annotations

import base64
import io
import json
import reprlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttapi_nb.service import Service

URL = "https://pictures.example/cat.png"
PLAIN = Service(envelope="openai")


def form(*parts: tuple[str, bytes, str | None, str | None]) -> tuple[bytes, str]:
    """A form of parts (name, content, file name, MIME type), and its Content-Type."""
    out = b""
    for name, content, filename, mime in parts:
        out += f'--edge\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += f'; filename="{filename}"'.encode() if filename else b""
        out += f"\r\nContent-Type: {mime}".encode() if mime else b""
        out += b"\r\n\r\n" + content + b"\r\n"
    return out + b"--edge--\r\n", "multipart/form-data; boundary=edge"


@pytest.fixture
def written(photo: Image.Image, as_url: Any, as_bytes: Any, mask_for: Any) -> dict[str, tuple[bytes, str]]:
    """One and the same request in each form."""
    mask = mask_for(photo.size)
    plain = {"prompt": "a wall", "size": "256x256"}
    in_json = plain | {"image": [as_url(photo)], "mask": as_url(mask), "mode": "dall-e-2"}
    single = in_json | {"image": as_url(photo)}
    bare = in_json | {"image": as_url(photo).split(",")[1], "mask": as_url(mask).split(",")[1]}
    references = plain | {
        "model": "dall-e-2",
        "images": [{"image_url": as_url(photo)}],
        "mask": {"image_url": as_url(mask)},
    }
    texts = [(name, value.encode(), None, None) for name, value in plain.items()]
    texts += [("model", b"dall-e-2", None, None), ("mode", b"dall-e-2", None, None)]
    files = [("mask", as_bytes(mask), "mask.png", "image/png")]
    made = {
        "json": (json.dumps(in_json).encode(), "application/json"),
        "json, one string": (json.dumps(single).encode(), "application/json; charset=utf-8"),
        "json, plain base64": (json.dumps(bare).encode(), "application/json"),
        "references": (json.dumps(references).encode(), "application/json"),
    }
    for name in ("image", "image[]"):
        made[f"multipart, {name}"] = form(*texts, (name, as_bytes(photo), "a.png", "image/png"), *files)
    return made


@pytest.mark.slow
def test_every_form_says_the_same(written: dict[str, tuple[bytes, str]], send: Any) -> None:
    """The same request gets the same picture in whichever form it is written."""
    results = [send(PLAIN, *request).pixels for request in written.values()]
    assert len(results) == 6
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_a_missing_model_is_the_endpoints_default(ask: Any, make_photo: Any, mask_for: Any) -> None:
    """Where no model is named dall-e-2 answers, which takes square pictures only."""
    assert ask(mode=None).status == 200
    wide = ask(mode=None, image=make_photo(64, 32), mask=mask_for((64, 32), (8, 8, 16, 16)))
    assert wide.status == 400
    assert "square" in wide.json["error"]["message"]


def test_two_models_in_one_request_are_refused(ask: Any) -> None:
    """A body that names one model in `mode` and another in `model` is refused."""
    assert ask(model="gpt-image-1").code == "invalid_value"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe\xff",
        b'{"prompt": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"prompt": "x", "n": 1e400}',
    ],
    ids=lambda body: body[:12].decode(errors="replace"),
)
def test_broken_json_is_a_bad_request(send: Any, body: bytes) -> None:
    """Whatever is not a JSON object is answered with 400 and a sentence."""
    reply = send(PLAIN, body)
    assert reply.status == 400
    assert reply.json["error"]["message"].endswith(".")


@pytest.mark.parametrize("content_type", ["", "text/plain", "image/png", "multipart/form-data"])
def test_other_content_types_are_a_bad_request(send: Any, content_type: str) -> None:
    """A body that is neither JSON nor a form with a boundary is refused."""
    assert send(PLAIN, b"{}", content_type).status == 400


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"image": 5}, "invalid_type"),
        ({"image": [5]}, "invalid_type"),
        ({"image": {"image_url": "data:image/png;base64,AAAA"}}, "invalid_type"),
        ({"image": []}, None),
        ({"image": None}, None),
        ({"image": "?"}, "invalid_image_file"),
        ({"image": "é"}, "invalid_image_file"),
        ({"image": ""}, "invalid_image_file"),
        ({"image": "data:image/png,plain"}, "invalid_image_file"),
        ({"image": "data:image/png;base64,AAAA=A"}, "invalid_image_file"),
        ({"image": "data:image/gif;base64,AAAA"}, "unsupported_file_mimetype"),
        ({"image": "data:application/octet-stream;base64,AAAA"}, "unsupported_file_mimetype"),
        ({"image": URL}, None),
        ({"image": None, "images": {}}, "invalid_type"),
        ({"image": None, "images": ["data:image/png;base64,AAAA"]}, "invalid_type"),
        ({"image": None, "images": [{}]}, "invalid_type"),
        ({"image": None, "images": [{"image_url": URL}]}, None),
        ({"image": None, "images": [{"file_id": "file-1"}]}, None),
        (
            {"image": None, "images": [{"image_url": "data:image/png;base64," + "A" * 20_971_520}]},
            "invalid_value",
        ),
        ({"images": [{"image_url": "data:image/png;base64,AAAA"}]}, None),
        ({"mask": 5}, "invalid_type"),
        ({"mask": {"image_url": 5}}, "invalid_type"),
        ({"mask": {"image_url": URL}}, None),
    ],
    ids=reprlib.repr,
)
def test_pictures_written_wrongly_are_refused(ask: Any, given: dict[str, Any], code: str | None) -> None:
    """A picture that is no data URL or base64 in its place is refused, with the right code."""
    reply = ask(**given)
    assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize("given", [{"image": URL}, {"mask": {"image_url": URL}}])
def test_a_web_address_is_refused_with_its_reason(ask: Any, given: dict[str, Any]) -> None:
    """The service says that it fetches nothing."""
    assert "no network" in ask(**given).json["error"]["message"]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (("image", "a.png", "application/octet-stream"), "unsupported_file_mimetype"),
        (("image", "a.png", None), "unsupported_file_mimetype"),
        (("image", "a.gif", "image/gif"), "unsupported_file_mimetype"),
        (("image", "a.jpg", "image/jpeg"), "invalid_image_file"),
        (("image", None, None), "invalid_type"),
        (("picture", "a.png", "image/png"), None),
    ],
)
def test_form_parts_need_a_name_and_a_true_type(
    photo: Image.Image, send: Any, as_bytes: Any, part: tuple[str, str | None, str | None], code: str | None
) -> None:
    """A file part without a file name, or with a MIME type that is wrong or not a picture's, is refused."""
    name, filename, mime = part
    body = form(("prompt", b"x", None, None), (name, as_bytes(photo), filename, mime))
    reply = send(PLAIN, *body)
    assert (reply.status, reply.code) == (400, code)


def test_a_form_is_refused_where_it_is_cut_off(written: dict[str, tuple[bytes, str]], send: Any) -> None:
    """A form that ends before its last boundary is refused at every place it may be cut."""
    body, content_type = written["multipart, image"]
    for length in (0, 5, 30, len(body) // 2, len(body) - 8):
        assert send(PLAIN, body[:length], content_type).status == 400


def test_a_form_may_hold_one_mask_and_utf8_text_only(photo: Image.Image, send: Any, as_bytes: Any) -> None:
    """A second mask, and text that is not UTF-8, are refused."""
    picture = ("image", as_bytes(photo), "a.png", "image/png")
    mask = ("mask", as_bytes(photo), "a.png", "image/png")
    assert send(PLAIN, *form(picture, mask, mask)).json["error"]["param"] == "mask"
    assert send(PLAIN, *form(picture, ("prompt", b"\xff", None, None))).code == "invalid_type"


def test_a_phones_second_picture_does_no_harm(ask: Any, send: Any, photo: Image.Image) -> None:
    """A JPEG with a second picture behind the first, as phones write it, counts as the JPEG it is."""
    out = io.BytesIO()
    photo.save(out, "MPO", save_all=True, append_images=[photo])
    url = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
    assert ask(image=url, mode="gpt-image-1", size="1024x1024", mask=None).status == 200

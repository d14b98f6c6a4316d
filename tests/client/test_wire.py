"""What really leaves over a socket, held against the contract field by field, in all three body forms."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.server import Part, Request, Server, decoded, encoded, json_reply
from ttapi_nb import Client, EditRequest, InvalidRequestError, Mask, RefusedError, open_image
from ttapi_nb.client.client import Wire
from ttapi_nb.client.forms import FORMS
from ttapi_nb.client.forms.references import DATA_URL_LIMIT

WIRES: tuple[Wire, ...] = get_args(Wire)
JSON_WIRES: tuple[Wire, ...] = ("json", "references")
KEY = "test-key-0123456789"
HOLE = (8, 16, 40, 48)

every_wire = pytest.mark.parametrize("wire", WIRES)
MIMES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


@pytest.fixture
def mask() -> Mask:
    """Asks for an edit in HOLE."""
    return Mask((64, 64)).rectangle(HOLE)


@pytest.fixture
def sent(server: Server, photo: Image.Image) -> Callable[..., Request]:
    """Sends one edit in a body form and gives the request that came in."""

    def send(wire: Wire, *, settings: dict[str, Any] | None = None, **fields: Any) -> Request:
        client = Client(KEY, base_url=server.url, wire=wire, **settings or {})
        given: Any = {"image": photo, "prompt": "a red sofa"} | fields
        client.images.edit(**given)
        (request,) = server.requests
        return request

    return send


def _data_url(text: str) -> tuple[str, bytes]:
    """MIME type and bytes of a data URL."""
    found = re.fullmatch(r"data:([a-z/]+);base64,([A-Za-z0-9+/]+=*)", text)
    assert found, text[:60]
    return found[1], base64.b64decode(found[2], validate=True)


def _pictures_in(request: Request, wire: Wire) -> list[tuple[str, bytes]]:
    """MIME type and bytes of each picture, read as the contract writes them."""
    if wire == "json":
        return [_data_url(text) for text in request.json["image"]]
    if wire == "references":
        assert all(set(item) == {"image_url"} for item in request.json["images"])
        return [_data_url(item["image_url"]) for item in request.json["images"]]
    return [(str(part.mime), part.data) for part in request.parts if part.name in ("image", "image[]")]


def _mask_in(request: Request, wire: Wire) -> tuple[str, bytes]:
    if wire == "json":
        return _data_url(request.json["mask"])
    if wire == "references":
        assert set(request.json["mask"]) == {"image_url"}
        return _data_url(request.json["mask"]["image_url"])
    (part,) = [part for part in request.parts if part.name == "mask"]
    assert part.filename == "mask.png"
    return str(part.mime), part.data


def _texts(parts: list[Part]) -> dict[str, str]:
    plain = [part for part in parts if part.filename is None]
    assert len({part.name for part in plain}) == len(plain), "a field came twice"
    return {part.name: part.data.decode() for part in plain}


@every_wire
def test_address_and_headers(sent: Callable[..., Request], wire: Wire) -> None:
    """A request is a POST to /images/edits with the key in TT-API-KEY, a content type and a true length."""
    request = sent(wire)

    assert (request.method, request.path) == ("POST", "/v1/images/edits")
    assert request.get("TT-API-KEY") == KEY
    assert request.get("Authorization") is None
    kind = r"multipart/form-data; boundary=\S+" if wire == "multipart" else "application/json"
    assert re.fullmatch(kind, request.get("Content-Type") or "")
    assert request.get("Content-Length") == str(len(request.body))
    assert request.get("Accept-Encoding") == "identity"


@every_wire
def test_bearer(sent: Callable[..., Request], wire: Wire) -> None:
    """With OpenAI's header and scheme the key goes out as a bearer token, and in no other header."""
    request = sent(wire, settings={"auth_header": "Authorization", "auth_scheme": "Bearer"})

    assert request.get("Authorization") == f"Bearer {KEY}"
    assert request.head.count(KEY.encode()) == 1
    assert KEY.encode() not in request.body


@pytest.mark.parametrize(("wire", "names"), [("json", {"mode"}), ("references", {"model"})])
def test_json_fields(sent: Callable[..., Request], mask: Mask, wire: Wire, names: set[str]) -> None:
    """The JSON forms hold the given fields and no other, the model under its form's name, numbers as integers."""
    body = sent(
        wire,
        mask=mask,
        model="gpt-image-1.5",
        n=2,
        size="1024x1024",
        quality="high",
        output_format="webp",
        output_compression=80,
        input_fidelity="low",
        user="class 4b",
        extra_body={"seed": 7, "nested": {"list": [1, None, True]}},
    ).json

    pictures = {"json": "image", "references": "images"}[wire]
    assert {name: value for name, value in body.items() if name not in (pictures, "mask")} == {
        "prompt": "a red sofa",
        "n": 2,
        "size": "1024x1024",
        "quality": "high",
        "output_format": "webp",
        "output_compression": 80,
        "input_fidelity": "low",
        "user": "class 4b",
        "seed": 7,
        "nested": {"list": [1, None, True]},
    } | dict.fromkeys(names, "gpt-image-1.5")
    assert type(body["n"]) is int
    assert type(body["output_compression"]) is int
    assert {pictures, "mask"} <= set(body)


def test_form_fields(sent: Callable[..., Request], mask: Mask) -> None:
    """The form holds the given fields and no other as text, and the model as both model and mode."""
    parts = sent(
        "multipart",
        settings={"send_mode": True},
        mask=mask,
        n=2,
        size="1024x1024",
        quality="high",
        extra_body={"seed": 7, "style": "x"},
    ).parts

    assert _texts(parts) == {
        "prompt": "a red sofa",
        "model": "gpt-image-1.5",
        "mode": "gpt-image-1.5",
        "n": "2",
        "size": "1024x1024",
        "quality": "high",
        "seed": "7",
        "style": "x",
    }
    assert [part.name for part in parts if part.filename is not None] == ["image", "mask"]


@every_wire
def test_what_is_left_out(sent: Callable[..., Request], wire: Wire) -> None:
    """What is None or "auto" is not in the body, and without a mask neither is a mask."""
    request = sent(wire, size="auto", quality="auto", background="auto", moderation="auto", user=None)

    if wire == "multipart":
        names = {part.name for part in request.parts}
        assert names == {"prompt", "image", "model", "n"}
    else:
        names = {"json": {"image", "mode"}, "references": {"images", "model"}}[wire]
        assert set(request.json) == {"prompt", "n"} | names


@every_wire
def test_prompt_called_auto(sent: Callable[..., Request], wire: Wire) -> None:
    """A prompt that happens to be "auto" is sent like any other."""
    request = sent(wire, prompt="auto")
    fields = _texts(request.parts) if wire == "multipart" else request.json
    assert fields["prompt"] == "auto"


@every_wire
@pytest.mark.parametrize("format", MIMES)
def test_picture_keeps_its_format(
    sent: Callable[..., Request], photo: Image.Image, wire: Wire, format: str
) -> None:
    """A picture goes out in the format it came in, under its true MIME type, with the same pixels."""
    came = encoded(photo, format, **({"lossless": True} if format == "WEBP" else {}))

    ((mime, data),) = _pictures_in(sent(wire, image=came), wire)

    assert mime == MIMES[format]
    found = decoded(data)
    assert (found.format, found.size) == (format, photo.size)
    difference = np.abs(np.asarray(found).astype(int) - np.asarray(decoded(came).convert("RGB")))
    assert difference.mean() < (3 if format == "JPEG" else 1e-9)


@every_wire
def test_several_pictures(sent: Callable[..., Request], photo: Image.Image, wire: Wire) -> None:
    """Several pictures go out in order, each with its own MIME type; a form calls them image[]."""
    others = [Image.new("RGB", (32, 48), "red"), Image.new("RGB", (48, 32), "blue")]
    files = [encoded(photo), encoded(others[0], "JPEG"), encoded(others[1], "WEBP")]

    request = sent(wire, image=files)

    found = _pictures_in(request, wire)
    assert [mime for mime, _ in found] == ["image/png", "image/jpeg", "image/webp"]
    assert [decoded(data).size for _, data in found] == [(64, 64), (32, 48), (48, 32)]
    if wire == "multipart":
        files_sent = [part for part in request.parts if part.filename is not None]
        assert [part.name for part in files_sent] == ["image[]"] * 3
        suffixes = [str(part.filename).rsplit(".", 1)[1] for part in files_sent]
        assert suffixes == ["png", "jpg", "webp"]


@every_wire
def test_mask(sent: Callable[..., Request], mask: Mask, wire: Wire) -> None:
    """The mask is a PNG of the picture's size with alpha 0 exactly where the edit is, and 255 elsewhere."""
    mime, data = _mask_in(sent(wire, mask=mask), wire)

    found = decoded(data)
    assert (mime, found.format, found.mode, found.size) == ("image/png", "PNG", "RGBA", (64, 64))
    expected = np.full((64, 64), 255)
    expected[HOLE[1] : HOLE[3], HOLE[0] : HOLE[2]] = 0
    assert np.array_equal(np.asarray(found.getchannel("A")), expected)


@every_wire
def test_mask_given_as_a_picture(sent: Callable[..., Request], wire: Wire) -> None:
    """A mask given as a transparent picture, of whatever format, is sent as a PNG with the same alpha."""
    given_mask = Image.new("RGBA", (64, 64), (9, 9, 9, 255))
    given_mask.paste((9, 9, 9, 0), HOLE)

    mime, data = _mask_in(sent(wire, mask=encoded(given_mask, "WEBP", lossless=True)), wire)

    assert (mime, decoded(data).format) == ("image/png", "PNG")
    assert decoded(data).getchannel("A").tobytes() == given_mask.getchannel("A").tobytes()


def test_plain_base64(sent: Callable[..., Request], photo: Image.Image, mask: Mask) -> None:
    """By setting, the json form holds plain base64 with no data URL around it."""
    body = sent("json", mask=mask, settings={"plain_base64": True}).json

    (picture,) = body["image"]
    assert decoded(base64.b64decode(picture, validate=True)).convert("RGB").tobytes() == photo.tobytes()
    assert decoded(base64.b64decode(body["mask"], validate=True)).size == (64, 64)


@every_wire
def test_numpy_numbers(sent: Callable[..., Request], wire: Wire) -> None:
    """Whole numbers of numpy go out as plain ones."""
    request = sent(wire, n=np.int64(3))
    assert (_texts(request.parts)["n"] if wire == "multipart" else repr(request.json["n"])) == "3"


@every_wire
def test_newer_model_and_fields(sent: Callable[..., Request], wire: Wire) -> None:
    """A model that no row knows, its sizes and the newer fields are sent as typed."""
    request = sent(
        wire,
        model="some-model-of-2031",
        size="777x333",
        quality="ultra",
        background="transparent",
        output_format="png",
        moderation="low",
        input_fidelity="high",
        response_format="b64_json",
    )
    fields = _texts(request.parts) if wire == "multipart" else request.json
    assert (
        fields.items()
        >= {
            "size": "777x333",
            "quality": "ultra",
            "background": "transparent",
            "output_format": "png",
            "moderation": "low",
            "input_fidelity": "high",
            "response_format": "b64_json",
        }.items()
    )
    names = {"json": ["mode"], "references": ["model"], "multipart": ["model"]}[wire]
    assert {name: fields.get(name) for name in ("mode", "model") if name in fields} == dict.fromkeys(
        names, "some-model-of-2031"
    )


def test_dall_e_2(sent: Callable[..., Request], photo: Image.Image, mask: Mask) -> None:
    """The page's own example, a square PNG for dall-e-2, goes out as that page writes it."""
    body = sent(
        "json", image=encoded(photo), mask=mask, model="dall-e-2", size="512x512", response_format="b64_json"
    ).json
    assert body["mode"] == "dall-e-2"
    assert "model" not in body
    assert isinstance(body["image"], list)
    assert isinstance(body["mask"], str)
    assert body["response_format"] == "b64_json"


def test_misspelt_keyword(server: Server, photo: Image.Image) -> None:
    """A misspelt keyword is refused with the right one, and nothing is sent."""
    client = Client(KEY, base_url=server.url)
    with pytest.raises(TypeError, match=r"'qualty'.*'quality'"):
        client.images.edit(image=photo, prompt="x", qualty="high")  # type: ignore[call-arg]
    assert server.connections == 0


def test_hostile_file_name(sent: Callable[..., Request], photo: Image.Image) -> None:
    """A picture's name can't break out of its part's header."""
    named = open_image(encoded(photo), name='a"; name="prompt"\r\nX-Evil: 1\r\n\r\nüñ.png')

    parts = sent("multipart", image=named).parts

    assert [part.name for part in parts if part.filename is not None] == ["image"]
    assert _texts(parts)["prompt"] == "a red sofa"
    (picture,) = [part.data for part in parts if part.name == "image"]
    assert decoded(picture).size == (64, 64)


@given(
    prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
    wire=st.sampled_from(WIRES),
)
def test_any_prompt_survives(prompt: str, wire: Wire) -> None:
    """Any text there is arrives as it was typed, in each form."""
    request = EditRequest.make(image=Image.new("RGB", (8, 8)), prompt=prompt)
    body = FORMS[wire]().encode(request)
    came = Request("POST", "/", (("Content-Type", body.content_type),), body.data, b"")

    if wire == "multipart":
        # The standard library reads a part's text by lines, and may fold the last line break into the boundary.
        boundary = body.content_type.split("boundary=")[1].encode()
        (part,) = [piece for piece in body.data.split(b"--" + boundary) if b'name="prompt"' in piece[:80]]
        assert part.split(b"\r\n\r\n", 1)[1] == prompt.encode() + b"\r\n"
    else:
        assert came.json["prompt"] == prompt


@every_wire
def test_pictures_carry_no_metadata(sent: Callable[..., Request], photo: Image.Image, wire: Wire) -> None:
    """What the camera wrote into a picture does not leave with it."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    came = encoded(photo, "JPEG", exif=exif, comment=b"taken at home")
    assert b"SecretCamera" in came

    ((_, data),) = _pictures_in(sent(wire, image=came), wire)

    assert b"SecretCamera" not in data
    assert b"taken at home" not in data


@pytest.mark.slow
def test_references_limit(server: Server) -> None:
    """A picture whose data URL is over the references form's limit is a problem there, and only there."""
    noise = np.random.default_rng(1).integers(0, 256, (2300, 2300, 3), dtype=np.uint8)
    request = EditRequest.make(image=noise, prompt="x")
    (file,) = request.image_files
    assert len(file.data) * 4 / 3 > DATA_URL_LIMIT

    (problem,) = FORMS["references"]().problems(request)

    assert "20,971,520" in problem
    assert list(FORMS["json"]().problems(request)) == []
    with pytest.raises(InvalidRequestError, match="references form"):
        Client(KEY, base_url=server.url, wire="references").images.edit(image=request.image[0], prompt="x")
    assert server.connections == 0


@every_wire
def test_unchecked(server: Server, photo: Image.Image, wire: Wire) -> None:
    """check=False sends what problems() would refuse, so that the service has the last word."""
    server.answer = json_reply({"error": {"message": "n is too large"}}, 400)
    client = Client(KEY, base_url=server.url, wire=wire)
    with pytest.raises(InvalidRequestError):
        client.images.edit(image=photo, prompt="x", n=99)
    assert server.connections == 0

    with pytest.raises(RefusedError, match="n is too large"):
        client.images.edit(image=photo, prompt="x", n=99, check=False)
    assert len(server.posts) == 1


@pytest.mark.parametrize("wire", JSON_WIRES)
def test_extra_body_wins(sent: Callable[..., Request], wire: Wire) -> None:
    """A field given in extra_body is sent as given, also where the package has one of that name."""
    assert sent(wire, n=1, extra_body={"n": "one"}).json["n"] == "one"

"""Pictures, and a short way to ask the service for an edit."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttapi_nb.service import Answer, Service

SIZE = 256
HOLE = (64, 96, 160, 176)


def encoded(image: Image.Image, format: str = "PNG") -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def data_url(image: Image.Image, format: str = "PNG") -> str:
    """The picture as a data URL."""
    return f"data:image/{format.lower()};base64,{base64.b64encode(encoded(image, format)).decode()}"


def grainy(width: int = SIZE, height: int = SIZE, seed: int = 0) -> Image.Image:
    """A picture with structure: warm grain, growing lighter to the right."""
    grain = np.random.default_rng(seed).integers(-25, 25, (height, width, 1))
    base = np.linspace((90, 80, 60), (190, 170, 140), width)[None, :, :]
    return Image.fromarray(np.clip(base + grain, 0, 255).astype(np.uint8))


def mask_of(size: tuple[int, int], box: tuple[int, int, int, int] | None = HOLE) -> Image.Image:
    """A mask that is transparent in `box` and opaque elsewhere."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    if box is not None:
        mask.paste((0, 0, 0, 0), box)
    return mask


@dataclass(frozen=True)
class Reply:
    """An answer, read."""

    answer: Answer

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def json(self) -> Any:
        return json.loads(self.answer.body)

    @property
    def images(self) -> list[Image.Image]:
        assert self.status == 200, self.json
        return [Image.open(io.BytesIO(base64.b64decode(item["b64_json"]))) for item in self.json["data"]]

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        return np.asarray(self.images[0])

    @property
    def code(self) -> str | None:
        found: str | None = self.json["error"]["code"]
        return found


Ask = Callable[..., Reply]


def post(service: Service, body: bytes, content_type: str = "application/json") -> Reply:
    """The answer to a POST of `body`."""
    url = "https://api.example/v1/images/edits"
    return Reply(service.handle("POST", url, {"Content-Type": content_type}, body))


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A picture to edit, of 256x256 pixels."""
    return grainy()


@pytest.fixture(scope="session")
def hole() -> np.ndarray[Any, Any]:
    """Where `ask` asks for an edit by default."""
    inside = np.zeros((SIZE, SIZE), bool)
    left, top, right, bottom = HOLE
    inside[top:bottom, left:right] = True
    return inside


@pytest.fixture
def ask(photo: Image.Image) -> Ask:
    """Asks for an edit: dall-e-2 at 256x256 with a hole, but for the fields given (None leaves one out)."""

    def ask(service: Service | None = None, **given: Any) -> Reply:
        fields: dict[str, Any] = {
            "prompt": "an empty wall",
            "image": photo,
            "mask": mask_of((SIZE, SIZE)),
            "mode": "dall-e-2",
            "size": "256x256",
        }
        fields |= given
        for name in ("image", "mask"):
            if isinstance(fields[name], Image.Image):
                fields[name] = data_url(fields[name])
            if isinstance(fields[name], list):
                fields[name] = [data_url(x) if isinstance(x, Image.Image) else x for x in fields[name]]
        body = json.dumps({name: value for name, value in fields.items() if value is not None})
        return post(service or Service(envelope="openai"), body.encode())

    return ask


@pytest.fixture
def send() -> Callable[..., Reply]:
    """Sends a body as it is."""
    return post


@pytest.fixture
def as_url() -> Callable[..., str]:
    """Writes a picture as a data URL."""
    return data_url


@pytest.fixture
def as_bytes() -> Callable[..., bytes]:
    """Writes a picture as a file."""
    return encoded


@pytest.fixture
def mask_for() -> Callable[..., Image.Image]:
    """Makes a mask."""
    return mask_of


@pytest.fixture
def make_photo() -> Callable[..., Image.Image]:
    """Makes a picture of any size."""
    return grainy

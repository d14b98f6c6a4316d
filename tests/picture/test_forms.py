"""One door for pictures: what people have in their hands opens, and the rest is told in a sentence."""

from __future__ import annotations

import base64
import io
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import ipywidgets
import numpy as np
import pytest
from IPython.display import Image as Display
from PIL import Image

from tests.server import encoded
from ttapi_nb import ImageError, open_image
from ttapi_nb.picture import reading
from ttapi_nb.reply import ImageData

ARRAY = np.random.default_rng(4).integers(0, 256, (12, 10, 3)).astype(np.uint8)
DATA = encoded(Image.fromarray(ARRAY))
TEXT = base64.b64encode(DATA).decode()


class Tensor:
    """What torch's tensors can do, as far as it matters here."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array
        self.dtype = "torch.float32"

    def detach(self) -> Tensor:
        """Itself, without a graph."""
        return self

    def cpu(self) -> Tensor:
        """Itself, in main memory."""
        return self

    def numpy(self) -> np.ndarray[Any, Any]:
        """The array."""
        return self.array


class Figure:
    """What matplotlib's figures can do."""

    canvas = object()

    def savefig(self, out: io.BytesIO, *, format: str) -> None:
        """Write a picture."""
        Image.fromarray(ARRAY).save(out, format.upper())


class OnlyRead:
    """A stream that can't be rewound and gives what it is told to."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = list(pieces)

    def read(self, size: int = -1) -> Any:
        """The next piece."""
        return self.pieces.pop(0) if self.pieces else b""


FORMS: dict[str, Any] = {
    "data URL": f"data:image/png;base64,{TEXT}",
    "data URL, escaped": "data:image/png," + "".join(f"%{byte:02x}" for byte in DATA),
    "data URL in bytes": f"data:;base64,{TEXT}".encode(),
    "base64, in lines": "\n".join(TEXT[start : start + 76] for start in range(0, len(TEXT), 76)).rstrip("="),
    "bytearrays read": OnlyRead(bytearray(DATA[:50]), memoryview(DATA)[50:]),
    "upload 8": ({"name": "a.png", "type": "image/png", "size": 1, "content": memoryview(DATA)},),
    "upload 7": {"a.png": {"metadata": {"name": "a.png"}, "content": DATA}},
    "httpx": httpx.Response(200, content=DATA),
    "requests": SimpleNamespace(status_code=200, content=DATA, url="https://x.example/a.png"),
    "widget": ipywidgets.Image(value=DATA),
    "display": Display(data=DATA),
    "figure": Figure(),
    "axes": SimpleNamespace(figure=Figure()),
    "tensor": Tensor(np.moveaxis(ARRAY, 2, 0)),
    "tensor, batch": Tensor(np.moveaxis(ARRAY, 2, 0)[None] / np.float32(255)),
    "ours": ImageData(data=DATA),
    "batch": ARRAY[None],
    "channels first": np.moveaxis(ARRAY, 2, 0),
    "floats to 1": ARRAY / 255,
    "floats to 255": ARRAY.astype(float),
    "int64": ARRAY.astype(np.int64),
}


@pytest.mark.parametrize("kind", FORMS)
def test_forms(kind: str) -> None:
    """Each gives the same picture."""
    assert np.array_equal(np.asarray(open_image(FORMS[kind]).pixels), ARRAY)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin at home or be an address, with blanks escaped."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "a room.png"
    path.write_bytes(DATA)
    for source in (
        "~/a room.png",
        path.as_uri(),
        f"file://localhost{path.as_uri()[7:]}",
        Path("~/a room.png"),
    ):
        assert open_image(source).name == "a room.png"


def test_bgr() -> None:
    """OpenCV's order is turned round where that is said, alpha staying last; files have their own."""
    four = np.dstack([ARRAY[:, :, ::-1], ARRAY[:, :, 0]])
    assert np.array_equal(np.asarray(open_image(four, bgr=True).pixels)[:, :, :3], ARRAY)
    for source in (DATA, Image.fromarray(ARRAY), ARRAY[:, :, 0]):
        with pytest.raises(ImageError, match="bgr"):
            open_image(source, bgr=True)


@pytest.mark.parametrize("mode", ["I", "F", "I;16", "I;16B"])
@pytest.mark.parametrize("most", [200, 40_000])
def test_one_judgement(mode: str, most: int) -> None:
    """A PIL image of large numbers is read as the same array from numpy."""
    dtype = {"I": "int32", "F": "float32"}.get(mode, "uint16")
    array = np.linspace(0, most, 48).reshape(6, 8).astype(dtype)
    image = Image.fromarray(array)
    if mode == "I;16B":
        image = Image.frombytes("I;16B", (8, 6), array.astype(">u2").tobytes())
    assert image.mode == mode
    if mode == "F" and most > 255:
        for source in (image, array):
            with pytest.raises(ImageError, match="between 0 and 255"):
                open_image(source)
        return
    one, other = open_image(image), open_image(array)
    assert one.digest == other.digest
    assert int(np.asarray(one.pixels).max()) == (200 if most == 200 else 40_000 >> 8)


REFUSED: dict[str, tuple[Any, str]] = {
    "None": (None, "None was given"),
    "a list": (["a.png"], "Give a path"),
    "a status": (httpx.Response(404, content=DATA), "status 404"),
    "uploads": (({"content": DATA}, {"content": DATA}), "2 files were uploaded"),
    "no upload": ((), "Nothing was uploaded"),
    "ftp": ("ftp://x.example/a.png", "Addresses of ftp"),
    "another machine": ("file://server/share/a.png", "another machine"),
    "data URL without data": ("data:image/png;base64", "no data"),
    "data URL, damaged": ("data:image/png;base64,@@@", "base64.*damaged"),
    "text": (OnlyRead("text"), "gives text"),
    "nothing yet": (OnlyRead(None), "no bytes"),
    "a result that is not here": (ImageData(problem="It was lost."), "It was lost"),
    "a half float": (np.array([[0.0, 1.5]]), "between 0 and 1"),
    "minus": (np.array([[-0.5, 0.5]]), "between 0 and 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind: str) -> None:
    """What is no picture is told in a sentence of ours."""
    source, words = REFUSED[kind]
    with pytest.raises(ImageError, match=words):
        open_image(source)


def test_a_read_that_must_be_awaited() -> None:
    """An asynchronous file is told apart, and its coroutine is not left behind."""

    class Late:
        async def read(self, size: int = -1) -> bytes:
            return DATA

    with pytest.raises(ImageError, match="await"):
        open_image(Late())  # type: ignore[arg-type]


def test_only_regular_files(tmp_path: Path) -> None:
    """Pipes, sockets and devices are refused at once, through links too."""
    pipe, link, sock = tmp_path / "pipe", tmp_path / "link.png", tmp_path / "s"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sock))
        for path, word in ((pipe, "pipe"), (link, "pipe"), (sock, "socket"), (Path("/dev/zero"), "device")):
            with pytest.raises(ImageError, match=f"is no file but a {word}"):
                open_image(path)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has no end, or too late a one, is read up to the cap and no further."""
    monkeypatch.setattr(reading, "FILE_CAP", 10_000)

    class Endless:
        def read(self, size: int) -> bytes:
            return bytes(size)

    large = tmp_path / "large.png"
    large.write_bytes(bytes(10_001))
    text = base64.b64encode(bytes(40_000)).decode()
    for source in (
        Endless(),
        large,
        bytes(10_001),
        f"data:image/png;base64,{text}",
        httpx.Response(200, content=bytes(10_001)),
    ):
        with pytest.raises(ImageError, match="more than is opened"):
            open_image(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixel_cap": "x"},
        {"pixel_cap": 0},
        {"pixel_cap": None},
        {"pixel_cap": True},
        {"name": 5},
        {"bgr": 1},
        {"allow_private": "no"},
    ],
    ids=str,
)
def test_arguments(wrong: dict[str, Any]) -> None:
    """An argument that can't be is told by its name."""
    with pytest.raises(ImageError, match=next(iter(wrong))):
        open_image(DATA, **wrong)

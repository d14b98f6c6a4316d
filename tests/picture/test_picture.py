"""Any picture that people have is opened right way up and clean, or refused in a sentence that helps."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms

from tests.server import Reply, Server, decoded, encoded
from ttapi_nb import ImageError, SourceImage, open_image, sample
from ttapi_nb.picture import MIME_TYPES, encode


def _close(one: Image.Image, other: Image.Image, most: float = 6) -> bool:
    difference = np.asarray(one.convert("RGB")).astype(int) - np.asarray(other.convert("RGB"))
    return one.size == other.size and float(np.abs(difference).mean()) <= most


# Where pictures come from


@pytest.mark.parametrize(
    "kind", ["path", "str", "bytes", "bytearray", "memoryview", "file", "bytesio", "upload", "pil", "array"]
)
def test_every_source(photo: Image.Image, tmp_path: Path, kind: str) -> None:
    """Each way of giving a picture gives the same pixels."""
    data = encoded(photo)
    path = tmp_path / "room.png"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(100)
        source: Any = {
            "path": path,
            "str": str(path),
            "bytes": data,
            "bytearray": bytearray(data),
            "memoryview": memoryview(data),
            "file": file,
            "bytesio": io.BytesIO(data),
            "upload": {
                "name": "room.png",
                "type": "image/png",
                "size": len(data),
                "content": memoryview(data),
            },
            "pil": photo,
            "array": np.asarray(photo),
        }[kind]
        opened = open_image(source)
    assert opened.pixels.tobytes() == photo.tobytes()
    assert opened.format == "PNG"
    assert opened.name == ("room.png" if kind in ("path", "str", "file", "upload") else "image")
    assert open_image(opened) is opened


def test_file_is_rewound(photo: Image.Image) -> None:
    """A file that was read before is read from its start again, as often as it is given."""
    file = io.BytesIO(encoded(photo))
    first, second = open_image(file), open_image(file)
    assert first.pixels.tobytes() == second.pixels.tobytes() == photo.tobytes()


def test_url(server: Server, photo: Image.Image) -> None:
    """A picture is fetched from the web, and is called after the last part of its address."""
    server.answer = Reply(200, encoded(photo), mime="image/png")
    opened = open_image(f"{server.origin}/pictures/room.png?width=64", allow_private=True)
    assert (opened.name, opened.pixels.tobytes()) == ("room.png", photo.tobytes())
    server.answer = Reply(200, b"<html>not here</html>", mime="text/html")
    with pytest.raises(ImageError, match="web page"):
        open_image(f"{server.origin}/room.png", allow_private=True)
    server.answer = Reply(404)
    with pytest.raises(ImageError, match=r"answered 404.*Check the address"):
        open_image(f"{server.origin}/room.png", allow_private=True)
    with pytest.raises(ImageError, match=r"private.*allow_private=True"):
        open_image(f"{server.origin}/room.png")


def test_sample() -> None:
    """The photo that comes with the package can be opened, and is what its documentation says."""
    assert sample().size == (1024, 1024)
    assert sample().pixels.mode == "RGB"


# What is done to them


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(photo: Image.Image, orientation: int) -> None:
    """A photo that a phone stored lying down is turned as its EXIF says, and the note is not kept."""
    upright = photo.crop((0, 0, 64, 40))
    turn = Image.Transpose
    stored = {
        1: upright,
        2: upright.transpose(turn.FLIP_LEFT_RIGHT),
        3: upright.transpose(turn.ROTATE_180),
        4: upright.transpose(turn.FLIP_TOP_BOTTOM),
        5: upright.transpose(turn.TRANSPOSE),
        6: upright.transpose(turn.ROTATE_90),
        7: upright.transpose(turn.TRANSVERSE),
        8: upright.transpose(turn.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    opened = open_image(encoded(stored, "PNG", exif=exif))

    assert opened.size == (64, 40)
    assert opened.pixels.tobytes() == upright.tobytes()
    assert open_image(opened.file("JPEG").data).size == (64, 40)


def test_broken_orientation(photo: Image.Image) -> None:
    """A photo whose EXIF can't be read is used as it is stored."""
    opened = open_image(encoded(photo, exif=b"Exif\0\0no such notes"))
    assert opened.pixels.tobytes() == photo.tobytes()


@pytest.mark.parametrize("came", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("goes", ["PNG", "JPEG", "WEBP"])
def test_nothing_but_pixels(photo: Image.Image, came: str, goes: str) -> None:
    """GPS, camera, comments and colour profile of a file are in nothing that is written from it."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = "2031:01:02"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(photo, came, exif=exif, icc_profile=profile, xmp=b"<x>SecretHome</x>")
    assert b"SecretCamera" in data
    assert decoded(data).getexif().get_ifd(0x8825)

    opened = open_image(data)
    file = opened.file(goes)

    assert not opened.pixels.info
    found = decoded(file.data)
    assert (found.format, file.mime) == (goes, MIME_TYPES[goes])
    assert dict(found.getexif()) == {}
    assert not {"exif", "icc_profile", "xmp", "comment"} & set(found.info)
    assert b"Secret" not in file.data
    assert b"2031:01:02" not in file.data


def test_sixteen_bit_grey() -> None:
    """A 16-bit grey scan keeps its greys, and does not become white."""
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    opened = open_image(encoded(Image.fromarray(ramp)))
    assert opened.pixels.mode == "RGB"
    assert np.array_equal(np.asarray(opened.pixels)[:, :, 0], ramp >> 8)


def test_cmyk(photo: Image.Image) -> None:
    """A print shop's CMYK JPEG looks as it should."""
    flat = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    opened = open_image(encoded(flat, "JPEG"))
    assert opened.pixels.mode == "RGB"
    red, green, blue = (int(np.asarray(opened.pixels)[:, :, channel].mean()) for channel in range(3))
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("mode", ["P", "LA", "RGB", "L"])
def test_transparency(mode: str) -> None:
    """Transparency of every kind, a palette's and a colour's included, becomes alpha."""
    image = Image.new("RGB", (8, 8), "white")
    image.paste((255, 0, 0), (0, 0, 4, 8))
    if mode == "LA":
        made = Image.merge("LA", [image.convert("L"), image.getchannel("G")])
        data = encoded(made)
    else:
        made = image.quantize(4) if mode == "P" else image.convert(mode)
        clear = made.getpixel((0, 0))
        data = encoded(made, transparency=clear if mode != "P" else int(str(clear)))
    opened = open_image(data)
    assert opened.pixels.mode == "RGBA"
    alpha = np.asarray(opened.pixels.getchannel("A"))
    assert (alpha[:, :4] == 0).all()
    assert (alpha[:, 4:] == 255).all()


def test_palette_without_transparency(photo: Image.Image) -> None:
    """A picture with a palette becomes plain colours."""
    assert _close(open_image(encoded(photo.quantize(256))).pixels, photo, 12)
    assert open_image(encoded(photo.quantize(8))).pixels.mode == "RGB"


def test_colour_profile() -> None:
    """Colours of a picture with a profile of its own are brought to sRGB, and a broken profile does no harm."""
    rgb = Image.new("RGB", (8, 8), (200, 80, 40))
    lab = ImageCms.createProfile("LAB")
    assert lab is not None
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = open_image(encoded(rgb, icc_profile=srgb)).pixels
    broken = open_image(encoded(rgb, icc_profile=b"no profile at all" * 10)).pixels
    assert broken.getpixel((0, 0)) == (200, 80, 40)
    assert _close(same, rgb, 2)

    # Only colours have a profile that is of use here.
    grey = Image.new("L", (8, 8), 90)
    assert open_image(encoded(grey, icc_profile=srgb)).pixels.getpixel((0, 0)) == (90, 90, 90)

    # The same profile with the red and the blue primary exchanged: what was red is to be shown blue.
    swapped = srgb.replace(b"rXYZ", b"tXYZ", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tXYZ", b"bXYZ", 1)
    red, _, blue = open_image(encoded(rgb, icc_profile=swapped)).pixels.getpixel((0, 0))  # type: ignore[misc]
    assert blue > red


def test_mpo(photo: Image.Image) -> None:
    """A phone's MPO, a JPEG with a second picture behind it, is opened as the JPEG it starts with."""
    data = encoded(photo, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 64), "red")], quality=95)
    assert decoded(data).format == "MPO"
    opened = open_image(data, name="IMG_1.jpg")
    assert opened.format == "JPEG"
    assert _close(opened.pixels, photo, 14)
    assert decoded(opened.file().data).format == "JPEG"


def test_first_frame() -> None:
    """Of an animation the first picture counts."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert open_image(data).pixels.convert("RGB").getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "LA",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBX",
        "RGBa",
        "CMYK",
        "YCbCr",
        "HSV",
        "I",
        "I;16",
        "F",
        "LAB",
    ],
)
def test_pil_modes(mode: str) -> None:
    """A PIL image of any mode becomes 8-bit colours, with alpha where it had some."""
    opened = open_image(Image.new(mode, (4, 3)))
    assert opened.pixels.mode in ("RGB", "RGBA")
    assert opened.size == (4, 3)


def test_pil_image_is_not_changed(photo: Image.Image) -> None:
    """The picture that was given stays as it is, and what was made of it does not change with it."""
    before = photo.tobytes()
    opened = open_image(photo)
    photo.paste((0, 0, 0), (0, 0, 64, 64))
    assert opened.pixels.tobytes() == before


# Arrays


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3), (3, 4, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool", "float16", "float32", "float64"])
def test_arrays(shape: tuple[int, ...], dtype: str) -> None:
    """Arrays of every sensible type and shape become the picture that they mean, from black to white."""
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    array = np.zeros(shape, dtype)
    array[:, 2:] = white
    pixels = open_image(array).pixels
    assert (pixels.size, pixels.mode) == ((4, 3), "RGBA" if shape[2:] == (4,) else "RGB")
    found = np.asarray(pixels)
    assert (found[:, :2] == 0).all()
    assert (found[:, 2:] == 255).all()


@pytest.mark.parametrize(
    "array",
    [
        np.full((3, 4), 65_536, np.int64),
        np.full((3, 4), -1, np.int8),
        np.full((3, 4), 2**31, np.uint32),
        np.zeros((3, 4), np.complex128),
        np.full((3, 4), "x"),
        np.full((3, 4), None),
        np.full((3, 4), 1.5),
        np.full((3, 4), -0.1),
        np.full((3, 4), np.nan),
        np.full((3, 4), np.inf),
        np.zeros(5, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((3, 0, 3), np.uint8),
        np.zeros((3, 4, 2), np.uint8),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((2, 3, 4, 3), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_that_are_none(array: np.ndarray[Any, Any]) -> None:
    """An array of another type, shape or range is refused with what would do."""
    with pytest.raises(ImageError, match=r"Give|between 0 and 1"):
        open_image(array)


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4]))),
    st.sampled_from(["PNG", "WEBP"]),
)
def test_lossless_there_and_back(array: np.ndarray[Any, Any], format: str) -> None:
    """PNG and WEBP keep every pixel, also the colour of those that are fully transparent."""
    opened = open_image(array[::1, ::-1])
    assert np.array_equal(np.asarray(opened.pixels), array[:, ::-1])
    again = open_image(encode(opened.pixels, format))
    assert again.format == format
    assert np.array_equal(np.asarray(again.pixels.convert(opened.pixels.mode)), array[:, ::-1])


# What is refused


def _heic() -> bytes:
    return struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(200)


def _refused() -> dict[str, tuple[bytes, str]]:
    photo = Image.effect_noise((64, 64), 40)
    png = encoded(photo)
    return {
        "heic": (_heic(), "damaged"),
        "avif": (_heic().replace(b"heic", b"avif"), "AVIF.*PNG or JPEG"),
        "svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "html": (b"\n  <!DOCTYPE html><html><script>alert(1)</script></html>", "web page"),
        "gif": (encoded(photo, "GIF"), "a GIF"),
        "bmp": (encoded(photo, "BMP"), "a BMP"),
        "tiff": (encoded(photo, "TIFF", compression="jpeg"), "TIFF of a kind"),
        "pdf": (b"%PDF-1.7\n" + bytes(50), "a PDF"),
        "text": (b"hello, I am a picture", "not a PNG, JPEG or WEBP"),
        "empty": (b"", "empty"),
        "png head": (png[:20], "damaged|not a PNG"),
        "half a png": (png[: len(png) // 2], "damaged"),
        "half a jpeg": (encoded(photo, "JPEG")[:400], "damaged"),
        "half a webp": (encoded(photo, "WEBP", lossless=True)[:400], "damaged|not a PNG"),
        "png with noise": (png[:60] + bytes(range(256)) + png[316:], "damaged"),
    }


@pytest.mark.parametrize("kind", _refused())
@pytest.mark.parametrize("way", ["path", "bytes"])
def test_refused_files(tmp_path: Path, kind: str, way: str) -> None:
    """A file that is no good is named, with what it is and what to do, whatever its name says."""
    data, words = _refused()[kind]
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=f"can't be used.*(?:{words})") as caught:
        open_image(path if way == "path" else data)
    assert ("photo.png" in str(caught.value)) == (way == "path")
    assert caught.value.__cause__ is None


def _bomb(width: int, height: int) -> bytes:
    """A small PNG file that claims a huge size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_001, 10_000), (13_000, 13_000), (60_000, 60_000)])
def test_bomb(size: tuple[int, int]) -> None:
    """A file that would unpack to more than 100 million pixels is refused before it is unpacked, and quietly."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=r"100 million pixels.*Make it smaller"):
            open_image(_bomb(*size))


def test_pixel_cap(photo: Image.Image) -> None:
    """The cap can be set, and holds for files, PIL images and arrays alike."""
    for source in (encoded(photo), photo, np.asarray(photo)):
        with pytest.raises(ImageError, match="pixel_cap"):
            open_image(source, pixel_cap=64 * 64 - 1)
        assert open_image(source, pixel_cap=64 * 64).size == (64, 64)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible path each get a sentence."""
    with pytest.raises(ImageError, match=r"There is no file 'nope.png'.*looking from"):
        open_image("nope.png")
    with pytest.raises(ImageError, match="is a folder"):
        open_image(tmp_path)
    for path in ("a\0b.png", "x" * 5000):
        with pytest.raises(ImageError, match="could not be read"):
            open_image(path)


def test_files_that_do_not_give_bytes(tmp_path: Path, photo: Image.Image) -> None:
    """A file opened as text, for writing, or closed already is told from a picture."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(photo))
    with path.open(encoding="utf-8") as text, pytest.raises(ImageError, match='open\\(path, "rb"\\)'):
        open_image(text)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match='open\\(path, "rb"\\)'):
        open_image(io.StringIO("text"))  # type: ignore[arg-type]
    with (tmp_path / "b.png").open("wb") as writing, pytest.raises(ImageError, match="can't be read"):
        open_image(writing)
    with path.open("rb") as closed:
        pass
    with pytest.raises(ImageError, match="can't be read"):
        open_image(closed)


def test_a_pipe(photo: Image.Image) -> None:
    """A picture is read from what can't be rewound, a pipe or a socket say, from where it stands."""
    data = encoded(photo)
    out, into = os.pipe()

    def write() -> None:
        with os.fdopen(into, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(out, "rb") as file:
        assert open_image(file).pixels.tobytes() == photo.tobytes()
    writer.join()


def test_a_picture_without_pixels() -> None:
    """A picture that is nothing wide or high is refused."""
    for size in ((0, 5), (5, 0)):
        with pytest.raises(ImageError, match="no pixels"):
            open_image(Image.new("RGB", size))


@pytest.mark.parametrize("source", [None, 7, ["a.png"], {"name": "x"}, object()])
def test_things_that_are_no_picture(source: Any) -> None:
    """Anything else is refused with what could be given."""
    with pytest.raises(ImageError, match="Give a path"):
        open_image(source)


def test_broken_pil_image() -> None:
    """A PIL image that turns out to be damaged when it is read is an error of ours."""
    data = encoded(Image.effect_noise((64, 64), 40))
    with pytest.raises(ImageError, match="can't be used"):
        open_image(Image.open(io.BytesIO(data[: len(data) // 2])))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x20\0\0\0WEBPVP8L"]),
)
def test_any_bytes(data: bytes, head: bytes) -> None:
    """Any bytes at all are either a picture or an ImageError."""
    opened, problem = None, ""
    try:
        opened = open_image(head + data)
    except ImageError as error:
        problem = str(error)
    assert problem.endswith(".") if opened is None else min(opened.size) > 0


# What they are


def test_digest(photo: Image.Image) -> None:
    """The digest is the picture's, not its file's, and changes with a single pixel."""
    other = photo.copy()
    other.putpixel((0, 0), (1, 2, 3))
    one = open_image(encoded(photo)).digest
    assert one == open_image(encoded(photo, "WEBP", lossless=True)).digest == open_image(photo).digest
    assert one != open_image(other).digest
    assert open_image(photo.crop((0, 0, 64, 32))).digest != open_image(photo.crop((0, 0, 32, 64))).digest


def test_save(photo: Image.Image, tmp_path: Path) -> None:
    """A picture is written in the format of the suffix, or in its own."""
    opened = open_image(encoded(photo, "WEBP", lossless=True))
    for name, format in (
        ("a.png", "PNG"),
        ("a.jpg", "JPEG"),
        ("a.JPEG", "JPEG"),
        ("a.webp", "WEBP"),
        ("bare", "WEBP"),
    ):
        path = opened.save(tmp_path / name)
        assert path.exists()
        assert decoded(path.read_bytes()).format == format


def test_shows_itself(photo: Image.Image) -> None:
    """A picture's repr is short, and what a notebook shows of it is small."""
    opened = open_image(photo.resize((2000, 1000)), name="room.png")
    assert repr(opened) == "SourceImage('room.png', 2000x1000, PNG)"
    assert decoded(opened._repr_png_()).size == (512, 256)
    assert repr(opened.file()).startswith("ImageFile('room.png', image/png, ")
    assert isinstance(opened, SourceImage)
    assert opened.preview(5000).size == (2000, 1000)

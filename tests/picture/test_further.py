"""TIFF and HEIC open, and are sent as another kind of file."""

from __future__ import annotations

import io
import struct
import sys
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from tests.picture.making import DISPLAY_P3
from tests.server import encoded
from ttapi_nb import ImageError, open_image

CHANCE = np.random.default_rng(6)


def deep_tiff(array: np.ndarray[Any, Any], order: str) -> bytes:
    """An uncompressed TIFF of 16 bits a colour, in this order of bytes (`<` or `>`)."""
    height, width, channels = array.shape
    pixels = array.astype(f"{order}u2").tobytes()
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 8 + len(bits)), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(pixels)),
        *[(338, 3, 1, 2)] * (channels == 4),
    ]  # fmt: skip
    entries = b""
    for tag, kind, count, value in tags:
        small = kind == 3 and count == 1
        entries += struct.pack(f"{order}HHI", tag, kind, count)
        entries += struct.pack(f"{order}HH" if small else f"{order}I", *([value, 0] if small else [value]))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(bits) + len(pixels))
    return head + bits + pixels + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [3, 4])
def test_deep_tiffs(order: str, channels: int) -> None:
    """Each number of 16 bits is there, and eight of them are shown."""
    array = CHANCE.integers(0, 65_536, (9, 7, channels)).astype(np.uint16)
    opened = open_image(deep_tiff(array, order))
    assert opened.own is not None
    assert (opened.format, opened.own.format, opened.own.depth) == ("PNG", "TIFF", 16)
    assert np.array_equal(opened.own.numbers(), array)
    assert np.array_equal(np.asarray(opened.pixels), array >> 8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate"])
def test_tiffs(mode: str, compression: str) -> None:
    """A TIFF's numbers are what its decoder gives, with its profile and density."""
    image = Image.fromarray(CHANCE.integers(0, 256, (12, 10, 3)).astype(np.uint8)).convert(
        mode.replace("I;16", "L")
    )
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
    more = {} if mode != "RGB" else {"icc_profile": DISPLAY_P3, "dpi": (300, 300)}
    data = encoded(image, "TIFF", compression=compression, **more)
    opened = open_image(data)
    assert opened.own is not None
    numbers = opened.own.numbers()
    assert np.array_equal(numbers, np.asarray(image.convert("L") if mode == "1" else image))
    assert numbers.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    if more:
        assert (opened.own.profile, opened.own.density) == (DISPLAY_P3, (300, 300))
    assert "sent as PNG" in opened.changes[0]


def test_heic() -> None:
    """A HEIC photo opens upright, as a JPEG to be sent."""
    photo = Image.new("RGB", (64, 32), (200, 30, 40))
    out = io.BytesIO()
    pillow_heif.from_pillow(photo).save(out, quality=90)
    opened = open_image(out.getvalue(), name="IMG_1.HEIC")
    assert (opened.format, opened.size) == ("JPEG", (64, 32))
    assert np.abs(np.asarray(opened.pixels).astype(int) - [200, 30, 40]).max() <= 4
    assert opened.own is not None
    assert opened.own.numbers().shape == (32, 64, 3)
    assert opened.file().name == "IMG_1.jpg"
    with pytest.raises(ImageError, match="pixel_cap"):
        open_image(out.getvalue(), pixel_cap=100)


def test_heic_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not there, the sentence says how to get it, and how to do without."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(200)
    with pytest.raises(ImageError, match=r"HEIC photo.*ttapi-nb\[heic\].*iPhone.*Most Compatible"):
        open_image(data)

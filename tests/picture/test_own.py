"""A picture keeps its own numbers, whatever is shown of it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.picture.making import DISPLAY_P3, chunk, iccp, jpeg, png
from ttapi_nb import open_image

CHANCE = np.random.default_rng(3)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_numbers(channels: int, depth: str, interlaced: bool) -> None:
    """Each number of a PNG is there as it was written, of 16 bits too, whatever filters and passes it went through."""
    array = CHANCE.integers(0, np.iinfo(depth).max + 1, (13, 11, channels)).astype(depth)
    array = array[:, :, 0] if channels == 1 else array
    own = open_image(png(array, interlaced=interlaced)).own
    assert own is not None
    assert (own.mode, own.depth) == (["L", "LA", "RGB", "RGBA"][channels - 1], array.dtype.itemsize * 8)
    assert own.numbers().dtype == depth
    assert np.array_equal(own.numbers(), array)


@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_one_colour_that_is_see_through(depth: str) -> None:
    """A PNG's one see-through colour becomes an alpha channel, told by all its bits."""
    array = np.full((4, 4, 3), 7, depth)
    array[0, 0] = 200
    data = png(array, chunk(b"tRNS", np.array([200] * 3, ">u2").tobytes()))
    opened = open_image(data)
    assert opened.own is not None
    assert opened.own.mode == opened.pixels.mode == "RGBA"
    alpha = opened.own.numbers()[:, :, 3]
    assert (alpha[0, 0], alpha[1, 1]) == (0, np.iinfo(depth).max)


def test_palette() -> None:
    """A palette's numbers are its indices, and its colours and their alpha are beside them."""
    table = CHANCE.integers(0, 256, (9, 3)).astype(np.uint8)
    index = CHANCE.integers(0, 9, (6, 5)).astype(np.uint8)
    data = png(index, chunk(b"PLTE", table.tobytes()), chunk(b"tRNS", b"\0\x80"), colour=3)
    opened = open_image(data)
    assert opened.own is not None
    assert opened.own.mode == "P"
    assert np.array_equal(opened.own.numbers(), index)
    assert opened.own.palette is not None
    assert np.array_equal(opened.own.palette[:, :3], table)
    assert opened.own.palette[:3, 3].tolist() == [0, 128, 255]
    assert np.array_equal(np.asarray(opened.pixels)[:, :, :3], table[index])


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
def test_jpeg_numbers(mode: str, channels: int) -> None:
    """A JPEG's numbers are what its decoder gives, in its own mode, with its density and its profile."""
    array = np.zeros((16, 24, channels), np.uint8) + np.arange(24, dtype=np.uint8)[:, None] * 9
    data = jpeg(array, mode, dpi=(300, 150), icc_profile=DISPLAY_P3)
    own = open_image(data).own
    assert own is not None
    assert (own.format, own.mode, own.density, own.profile) == ("JPEG", mode, (300, 150), DISPLAY_P3)
    assert np.array_equal(own.numbers(), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_there_and_back(orientation: int) -> None:
    """Numbers are upright as the picture is, and can be turned back to how the file has them."""
    array = CHANCE.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(png(array, chunk(b"eXIf", exif.tobytes()[6:])))
    assert opened.own is not None
    assert opened.own.orientation == orientation
    assert np.array_equal(opened.own.numbers(), np.asarray(opened.pixels))
    assert np.array_equal(opened.own.as_filed(opened.own.numbers()), array)
    assert any("turned" in words for words in opened.changes) == (orientation > 1)


def test_metadata_is_kept_beside() -> None:
    """EXIF, XMP and Photoshop's notes are there as the file has them, and in nothing that is sent."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    notes = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x04\x1c\x02\x78\0"
    extra = b"\xff\xed" + (len(notes) + 2).to_bytes(2) + notes
    data = jpeg(np.zeros((8, 8, 3), np.uint8), exif=exif, xmp=b"<x/>", extra=extra)
    opened = open_image(data)
    assert opened.own is not None
    assert b"SecretCamera" in opened.own.metadata["exif"]
    assert opened.own.metadata["xmp"] == b"<x/>"
    assert opened.own.metadata["iptc"] == notes[14:]
    assert b"Secret" not in opened.file().data


@pytest.mark.parametrize(
    "source",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.arange(36, dtype=np.uint8).reshape(3, 4, 3),
        (np.arange(48) * 1300).astype(np.uint16).reshape(3, 4, 4),
        Image.new("CMYK", (4, 3), (1, 2, 3, 4)),
        Image.new("LA", (4, 3), (9, 8)),
    ],
    ids=["grey", "colour", "deep", "cmyk", "la"],
)
def test_pixels_from_memory(source: Any) -> None:
    """Of pixels from memory the numbers are kept as they were, and don't change when the source does."""
    expected = np.array(source)
    opened = open_image(source)
    if isinstance(source, np.ndarray):
        source[:] = 0
    else:
        source.paste((0,) * len(source.getbands()), (0, 0, 4, 3))
    assert opened.own is not None
    assert opened.own.format == ""
    assert np.array_equal(opened.own.numbers(), expected)


def test_files_hold_no_decoded_numbers() -> None:
    """A picture from a file keeps the file's bytes, and decodes them again when its numbers are asked for."""
    data = png(np.zeros((4, 4, 3), np.uint16), iccp(DISPLAY_P3))
    own = open_image(data).own
    assert own is not None
    assert own.data == data
    assert own._numbers is None

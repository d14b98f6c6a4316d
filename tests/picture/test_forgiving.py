"""Sound pictures in odd files open, what was skipped is told, and what is damaged is refused."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.picture.making import SIGNATURE, chunk, jpeg, png
from tests.server import encoded
from ttapi_nb import ImageError, open_image
from ttapi_nb.picture import changes_in_words

FIELD = Path(__file__).parents[1] / "fixtures" / "field"
ARRAY = np.random.default_rng(5).integers(0, 256, (64, 48, 3)).astype(np.uint8)
PLAIN = png(ARRAY)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("big_iTXt.png", "very long was skipped"),
        ("iccp_method1.png", "profile is damaged"),
        ("jpeg_no_eoi.jpg", "end of the file is missing"),
    ],
)
def test_files_of_the_field(name: str, words: str) -> None:
    """Files that browsers show are opened, and say what was skipped."""
    opened = open_image(FIELD / name)
    assert words in " ".join(opened.changes)
    assert changes_in_words(opened).startswith(f"{name}: ")


def _broken(kind: bytes, data: bytes) -> bytes:
    whole = chunk(kind, data)
    return whole[:-1] + bytes([whole[-1] ^ 255])


ODD = {
    "a bad checksum of a note": (PLAIN[:33] + _broken(b"tEXt", b"a\0b") + PLAIN[33:], "tEXt"),
    "a profile that is a bomb": (
        PLAIN[:33] + chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(50_000_000))) + PLAIN[33:],
        "profile is damaged",
    ),
    "a bomb of a text": (
        PLAIN[:33] + chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(9_000_000))) + PLAIN[33:],
        "long",
    ),
    "no end": (PLAIN[:-12], "end of the file"),
    "a cut checksum": (PLAIN[:-14], "end of the file"),
    "junk behind": (PLAIN + b"junk" * 50, ""),
    "junk in front": (b"\r\n" + PLAIN, "in front"),
    "pixels with a wrong checksum": (PLAIN[:-13] + bytes([PLAIN[-13] ^ 1]) + PLAIN[-12:], "pixels are sound"),
    "frames": (PLAIN[:33] + chunk(b"acTL", bytes(8)) + PLAIN[33:], "animation"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_pngs(kind: str) -> None:
    """The pixels are all there, and what was skipped is told."""
    data, words = ODD[kind]
    opened = open_image(data)
    assert np.array_equal(np.asarray(opened.pixels), ARRAY)
    assert words in " ".join(opened.changes)
    assert bool(opened.changes) == bool(words)
    assert opened.own is not None
    assert np.array_equal(opened.own.numbers(), ARRAY)


def test_the_last_rows_of_a_png() -> None:
    """Where the last few rows are missing, the rest is used and that is told; where half is, it is refused."""
    raw = b"".join(b"\0" + row.tobytes() for row in ARRAY)
    for rows, opens in ((62, True), (32, False)):
        cut = zlib.compress(raw[: rows * (48 * 3 + 1)])
        data = PLAIN[:33] + chunk(b"IDAT", cut[:-4])
        if opens:
            opened = open_image(data)
            assert "last 2 rows are missing" in " ".join(opened.changes)
            assert np.array_equal(np.asarray(opened.pixels)[:62], ARRAY[:62])
        else:
            with pytest.raises(ImageError, match="damaged"):
                open_image(data)


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_damaged_pixels(kind: bytes) -> None:
    """What the pixels can't do without must be sound."""
    place = PLAIN.index(kind) + 6
    data = PLAIN[:place] + bytes([PLAIN[place] ^ 1]) + PLAIN[place + 1 :]
    with pytest.raises(ImageError, match="damaged"):
        open_image(data)


def test_an_iphone_apps_png() -> None:
    """A PNG of the kind that only iPhone apps hold is told as that."""
    with pytest.raises(ImageError, match="Preview"):
        open_image(SIGNATURE + chunk(b"CgBI", bytes(4)) + PLAIN[8:])


@pytest.mark.parametrize("progressive", [False, True])
def test_odd_jpegs(progressive: bool) -> None:
    """Garbage between a JPEG's segments and a missing end cost no pixel; half a JPEG is refused."""
    smooth = np.asarray(Image.fromarray(ARRAY).resize((96, 128), Image.Resampling.BICUBIC))
    whole = jpeg(smooth, progressive=progressive)
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    for data, words in (
        (whole[:20] + b"garbage" + whole[20:], "belong to nothing"),
        (whole[:-2], "end of the file"),
        (whole[:2] + b"\xff\xe1\0\x08Exif\0\0" + whole[2:], ""),
        (whole + b"\0" * 99, ""),
    ):
        opened = open_image(data)
        assert np.array_equal(np.asarray(opened.pixels), expected)
        assert words in " ".join(opened.changes)
    with pytest.raises(ImageError, match="damaged"):
        open_image(whole[: len(whole) // 2])


def test_a_progressive_jpeg_without_its_last_scans() -> None:
    """Cut off between two of its scans, such a picture is whole but coarse: it is refused."""
    whole = jpeg(ARRAY, progressive=True)
    scans = [place for place in range(len(whole)) if whole[place : place + 2] == b"\xff\xda"]
    for scan in (scans[1], scans[-1]):
        with pytest.raises(ImageError, match="damaged"):
            open_image(whole[: whole.rindex(b"\xff\xc4", 0, scan)])


@pytest.mark.parametrize(
    ("marker", "bits", "words"),
    [(0xC1, 12, "of 12 bits"), (0xC3, 8, "without loss"), (0xC5, 8, "without loss")],
)
def test_jpegs_that_no_browser_decodes_are_named(marker: int, bits: int, words: str) -> None:
    """They are not damaged, and the sentence does not say so."""
    whole = jpeg(ARRAY)
    frame = whole.index(b"\xff\xc0")
    other = (
        whole[: frame + 1]
        + bytes([marker])
        + whole[frame + 2 : frame + 4]
        + bytes([bits])
        + whole[frame + 5 :]
    )
    with pytest.raises(ImageError, match=words):
        open_image(other)


def test_further_pictures_are_told() -> None:
    """A phone's gain map, the second picture of its file and an animation's other frames are told of."""
    photo = Image.fromarray(ARRAY)
    two = encoded(photo, "MPO", save_all=True, append_images=[photo])
    assert "further pictures" in " ".join(open_image(two).changes)
    mapped = encoded(photo, "JPEG", xmp=b'<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>')
    assert "gain map" in " ".join(open_image(mapped).changes)
    moving = encoded(photo, "WEBP", save_all=True, append_images=[photo.rotate(90, expand=False)])
    assert "animation" in " ".join(open_image(moving).changes)


CUT: dict[str, dict[str, Any]] = {
    "sequential": {},
    "finer chroma": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 3},
    "progressive": {"progressive": True},
}


@pytest.mark.parametrize("kind", CUT)
def test_a_jpeg_whose_pixels_end_early_is_shown_and_told(kind: str) -> None:
    """With an end marker behind them, a browser shows what came; so do we, and say from where on it is missing."""
    smooth = np.asarray(Image.fromarray(ARRAY).resize((96, 128), Image.Resampling.BICUBIC))
    whole = jpeg(smooth, **CUT[kind])
    assert open_image(whole).changes == ()
    for length in (len(whole) * 2 // 3, len(whole) * 9 // 10, len(whole) - 900):
        cut = open_image(whole[:length] + b"\xff\xd9")
        words = " ".join(cut.changes)
        assert "missing" in words
        if "coarser" not in words:
            rows = 128 - int(words.split("Its last ")[1].split()[0])
            assert 0 <= rows < 128
            assert np.array_equal(np.asarray(cut.pixels)[:rows], np.asarray(open_image(whole).pixels)[:rows])


def test_a_progressive_jpeg_with_an_end_but_not_all_scans_is_told() -> None:
    """It is whole but coarse; without an end it is taken for cut off, and refused."""
    whole = jpeg(ARRAY, progressive=True)
    cut = whole[: whole.rindex(b"\xff\xc4", 0, whole.rindex(b"\xff\xda"))]
    assert "coarser" in " ".join(open_image(cut + b"\xff\xd9").changes)


def test_a_jpeg_with_a_hole_between_its_restarts_is_told() -> None:
    """The rows behind the hole are there, a little further up: markers that are not there tell it."""
    smooth = np.asarray(Image.fromarray(ARRAY).resize((96, 128), Image.Resampling.BICUBIC))
    whole = jpeg(smooth, restart_marker_rows=1)
    assert open_image(whole).changes == ()
    second, fourth = (whole.index(bytes([0xFF, 0xD0 + number])) for number in (1, 3))
    assert "damaged or missing" in " ".join(open_image(whole[:second] + whole[fourth:]).changes)

"""Colours of files are brought to sRGB; the values are Chromium's for the same files, or the formula's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.picture.making import ADOBE_RGB, DISPLAY_P3, chrm, chunk, gama, grey_profile, iccp, jpeg, png
from tests.picture.profiles import LAB, bent, curv, light, mab, mft, para, profile
from ttapi_nb import open_image
from ttapi_nb.picture import edited_picture
from ttapi_nb.picture.colour import PRIMARIES, icc_of
from ttapi_nb.picture.hdr import Hdr

FIELD = Path(__file__).parents[1] / "fixtures" / "field"
GREYS = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLOURS = np.random.default_rng(2).integers(0, 256, (20, 20, 3)).astype(np.uint8)


def curve(
    linear: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Linear light as sRGB, 0 to 255."""
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def shown(data: bytes) -> NDArray[np.int64]:
    """The picture's pixels."""
    return np.asarray(open_image(data).pixels.convert("RGB")).astype(int)


@pytest.mark.parametrize("way", ["gAMA", "PNG ICC", "JPEG ICC", "alpha ICC", "cICP"])
def test_linear_greys(way: str) -> None:
    """Linear light gets its curve, however a file says that it is linear."""
    data = {
        "gAMA": png(GREYS, gama(1.0)),
        "PNG ICC": png(GREYS, iccp(grey_profile(1.0))),
        "JPEG ICC": jpeg(GREYS, "L", icc_profile=grey_profile(1.0)),
        "alpha ICC": png(np.dstack([GREYS, np.full_like(GREYS, 255)]), iccp(grey_profile(1.0))),
        "cICP": png(GREYS, chunk(b"cICP", bytes([1, 8, 0, 1]))),
    }[way]
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("L")) if way == "JPEG ICC" else GREYS
    assert np.abs(shown(data)[:, :, 1] - curve(stored / 255)).max() <= 1


def test_wide_colours() -> None:
    """Display P3 and Adobe RGB become sRGB by their primaries, clipped where sRGB has no such colour."""
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    light = np.where(
        COLOURS / 255 <= 0.04045, COLOURS / 255 / 12.92, ((COLOURS / 255 + 0.055) / 1.055) ** 2.4
    )
    expected = curve(light @ to_srgb.T)
    index = np.arange(200, dtype=np.uint8).reshape(10, 20)
    palette = png(index, iccp(DISPLAY_P3), chunk(b"PLTE", COLOURS.reshape(-1, 3)[:200].tobytes()), colour=3)
    for data, wanted in (
        (png(COLOURS, iccp(DISPLAY_P3)), expected),
        (png(COLOURS, chunk(b"cICP", bytes([12, 13, 0, 1]))), expected),
        (palette, expected.reshape(-1, 3)[:200].reshape(10, 20, 3)),
        (png(COLOURS.astype(np.uint16) * 257, iccp(DISPLAY_P3)), expected),
    ):
        assert np.abs(shown(data) - wanted).max() <= 1.5
    green = shown(png(np.full((1, 1, 3), (0, 200, 0), np.uint8), iccp(ADOBE_RGB)))[0, 0]
    assert np.abs(green - [0, 200, 0]).max() <= 1


def test_what_comes_first() -> None:
    """CICP comes before a profile, that before sRGB's chunk, and that before gamma, as browsers have it."""
    plain = png(COLOURS)
    srgb = chunk(b"sRGB", b"\0")
    for data in (
        png(COLOURS, chunk(b"cICP", bytes([1, 13, 0, 1])), iccp(DISPLAY_P3)),
        png(COLOURS, srgb, gama(1.0)),
        png(COLOURS, gama(0.45455)),
        png(COLOURS, chrm(PRIMARIES[12])),
        png(COLOURS, iccp(grey_profile(1.0))),
    ):
        assert np.array_equal(shown(data), shown(plain))
    assert np.array_equal(
        shown(png(COLOURS, iccp(DISPLAY_P3), gama(1.0))), shown(png(COLOURS, iccp(DISPLAY_P3)))
    )
    both = png(COLOURS, chrm(PRIMARIES[12]), gama(0.45455))
    assert not np.array_equal(shown(both), shown(plain))


def test_files_of_the_field() -> None:
    """A linear PNG and a linear grey JPEG are as bright as in a browser, and said to be converted."""
    for name in ("gama1.png", "gray_g1.0.jpg", "adobe.jpg", "cmyk.jpg"):
        assert "sRGB" in " ".join(open_image(FIELD / name).changes)
    stored = np.asarray(Image.open(FIELD / "gray_g1.0.jpg"))
    found = np.asarray(open_image(FIELD / "gray_g1.0.jpg").pixels)[:, :, 0]
    assert np.abs(found - curve(stored / 255)).max() <= 1


@pytest.mark.dear
@pytest.mark.parametrize(
    ("space", "table"),
    [
        (b"RGB ", mft(2)),
        (b"RGB ", mft(1, points=3)),
        (b"RGB ", mab()),
        (b"CMYK", mft(2, 4, 4)),
        (b"CMYK", mab(4, (3, 4, 3, 2))),
    ],
)
def test_an_answer_in_a_space_whose_profile_knows_no_way_back(space: bytes, table: bytes) -> None:
    """Scanners' profiles are searched: what is pasted is shown as the answer has it, and what is protected stays."""
    made_of = profile({b"A2B0": table}, space, LAB)
    if space == b"RGB ":
        photo = open_image(png(COLOURS, iccp(made_of)))
    else:
        inks = np.random.default_rng(3).integers(0, 256, (20, 20, 4)).astype(np.uint8)
        photo = open_image(jpeg(inks, "CMYK", icc_profile=made_of))
    made = photo.pixels.copy()
    made.paste((130, 120, 90), (3, 3, 12, 12))
    result = edited_picture(photo, made, "x", (3, 3, 12, 12), np.full((9, 9), 255, np.uint8))
    assert np.abs(np.asarray(result.pixels).astype(int)[3:12, 3:12] - (130, 120, 90)).max() <= 8
    assert photo.own is not None
    assert result.own is not None
    assert np.array_equal(result.own.numbers()[12:], photo.own.numbers()[12:])
    assert np.array_equal(np.asarray(result.pixels)[12:], np.asarray(photo.pixels)[12:])


@pytest.mark.parametrize("code", [16, 18])
@pytest.mark.parametrize("brightest", [1000, 4000, 150])
def test_hdr_there_and_back(code: int, brightest: int) -> None:
    """PQ and HLG are brought down for sRGB, white to half its light, and numbers that are shown as sRGB's exist."""
    hdr = Hdr(9, code, brightest)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    shown = hdr.shown(greys)
    assert (np.diff(shown.astype(int), axis=0) >= 0).all()
    # HLG's end may be less bright than the picture says.
    reached = greys.clip(0, shown.max())
    assert np.abs(hdr.shown(hdr.numbers(reached, 16)).astype(int) - reached).max() <= 1


@pytest.mark.parametrize("code", [16, 18])
def test_hdr_is_told_and_kept(tmp_path: Path, code: int) -> None:
    """Its numbers, depth, codes and brightest light are in the PNG that is saved of it; a JPEG is sRGB, in words."""
    deep = np.random.default_rng(1).integers(0, 65_536, (20, 20, 3)).astype(np.uint16)
    brightest = chunk(b"cLLI", (20_000_000).to_bytes(4) + bytes(4))
    photo = open_image(png(deep, chunk(b"cICP", bytes([9, code, 0, 1])), brightest))
    assert "HDR" in photo.changes[0]
    made = photo.pixels.copy()
    made.paste("teal", (3, 3, 8, 8))
    weight = np.full((5, 5), 255, np.uint8)
    result = edited_picture(photo, made, "x", (3, 3, 8, 8), weight)
    assert np.abs(np.asarray(result.pixels).astype(int)[3:8, 3:8] - (0, 128, 128)).max() <= 1
    again = open_image(result.save(tmp_path / "x.png"))
    assert again.digest == result.digest
    assert again.own is not None
    outside = np.ones((20, 20), np.bool_)
    outside[3:8, 3:8] = False
    assert np.array_equal(again.own.numbers()[outside], deep[outside])
    assert (again.own.cicp, again.own.light) == ((9, code, 0, 1), 2000.0)
    for beside in (photo, open_image(png(deep, chunk(b"cICP", bytes([9, code, 0, 1])), iccp(DISPLAY_P3)))):
        file = beside.saved_file("JPEG")
        assert "HDR" in " ".join(file.changes)
        assert open_image(file.data).changes == ()


def test_broken_profiles() -> None:
    """A profile that is cut off or empty of tables is left out, and that is told."""
    for broken in (DISPLAY_P3[:200], DISPLAY_P3[:128] + b"\xff" * 4, DISPLAY_P3[:132].ljust(400, b"\0")):
        opened = open_image(png(COLOURS, iccp(broken)))
        assert np.array_equal(np.asarray(opened.pixels), COLOURS)
        assert "profile" in " ".join(opened.changes)
    assert icc_of(None, None, 1e-9) is None
    assert icc_of(None, None, 0.5, (0.0,) * 8) is None


@pytest.mark.slow
def test_hostile_profiles() -> None:
    """Whatever stands in a profile, the picture opens, and what is pasted in it can be saved."""
    chance = np.random.default_rng(6)
    whole = [
        profile({b"A2B0": mft(1, points=2)} | light(para(4, 2.4, 0.92, 0.05, 0.08, 0.04, 0.01, 0)), pcs=LAB),
        profile({b"A2B0": mab(points=(2, 2, 3))}, pcs=LAB),
        profile(light(curv(bent(1.7, 9)), para(1, 2.2, 0.9, 0.1))),
    ]
    for number in range(60):
        broken = bytearray(whole[number % 3])
        for _ in range(chance.integers(1, 6)):
            broken[chance.integers(64, len(broken))] = chance.choice([0, 1, 127, 128, 255])
        photo = open_image(png(COLOURS[:4, :4], iccp(bytes(broken))))
        if number % 30:
            continue
        made = photo.pixels.copy()
        made.paste("teal", (0, 0, 2, 2))
        result = edited_picture(photo, made, "x", (0, 0, 2, 2), np.full((2, 2), 255, np.uint8))
        assert open_image(result.saved_file("PNG").data).size == (4, 4)


def test_a_pil_image_with_a_profile() -> None:
    """What Pillow knows of a file's colours is gone by, as if the file had been given."""
    for data in (
        png(COLOURS, iccp(DISPLAY_P3)),
        png(COLOURS, gama(1.0)),
        png(GREYS, iccp(grey_profile(1.8))),
    ):
        assert open_image(Image.open(io.BytesIO(data))).digest == open_image(data).digest

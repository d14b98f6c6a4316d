"""A result saved in the photo's own numbers: outside the mask they are the file's, with profile, depth and density."""

from __future__ import annotations

import functools
import io
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import ttapi_nb as tt
from ttapi_nb.picture import OwnFile, edited_picture, open_image

SIZE = (48, 40)
BOX = (16, 8, 32, 24)
# Noise is dear to pack at the 1024x1024 that other models are sent.
SMALL: dict[str, Any] = {"model": "dall-e-2", "size": "256x256"}


def colours(seed: int = 1, depth: int = 8, channels: int = 3) -> np.ndarray[Any, Any]:
    """Soft numbers of some depth, with grain."""
    random = np.random.default_rng(seed)
    most = 255 if depth == 8 else 65_535
    shape = (SIZE[1], SIZE[0], channels)
    ramp = np.linspace(0.2, 0.8, SIZE[0])[None, :, None] + random.normal(0, 0.03, shape)
    found = np.clip(ramp * most, 0, most).astype(np.uint8 if depth == 8 else np.uint16)
    return found[..., 0] if channels == 1 else found


def wide_profile() -> bytes:
    """A profile of Display P3's primaries with sRGB's curve."""
    from ttapi_nb.picture.colour import PRIMARIES, SRGB, made_profile

    found = made_profile(PRIMARIES[12], SRGB)
    assert found is not None
    return found


def adobe_profile() -> bytes:
    """A profile of Adobe RGB (1998)'s primaries and gamma."""
    from ttapi_nb.picture.colour import made_profile

    found = made_profile((0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), (563 / 256, 1, 0, 0, 0))
    assert found is not None
    return found


def grey_profile() -> bytes:
    """A grey profile of gamma 1."""
    curve = b"curv\0\0\0\0\0\0\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63_190, 65_536, 54_061)
    tags = [(b"wtpt", white), (b"kTRC", curve)]
    start = 132 + 12 * len(tags)
    table = struct.pack(">I4sII4sII", 2, b"wtpt", start, len(white), b"kTRC", start + len(white), len(curve))
    head = bytearray(128)
    head[:4] = struct.pack(">I", start + len(white) + len(curve))
    head[8:12], head[12:24], head[36:40] = b"\2\x40\0\0", b"mntrGRAYXYZ ", b"acsp"
    head[68:80] = struct.pack(">3i", 63_190, 65_536, 54_061)
    return bytes(head) + table + white + curve


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG's chunk."""
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def deep_png(numbers: np.ndarray[Any, Any], colour: int, *more: bytes) -> bytes:
    """A PNG of 16 bits, written by hand."""
    head = struct.pack(">IIBBBBB", numbers.shape[1], numbers.shape[0], 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in numbers)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def file(image: Image.Image, format: str = "PNG", **more: Any) -> bytes:
    """The picture as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, format, **more)
    return out.getvalue()


def with_palette(count: int) -> bytes:
    """A PNG of a palette."""
    image = Image.fromarray((colours(channels=1).astype(int) % count).astype(np.uint8))
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(np.random.default_rng(2).integers(0, 256, (count, 3), np.uint8).tobytes())
    return file(image)


@functools.cache
def sources() -> dict[str, bytes]:
    """A file of every kind, by name."""
    rgb, grey = Image.fromarray(colours()), Image.fromarray(colours(channels=1))
    rgba = Image.fromarray(np.dstack([colours(), np.full(SIZE[::-1], 255, np.uint8)]))
    clear = np.dstack([colours(), colours(4, channels=1)])
    pair = Image.merge("LA", (grey, Image.fromarray(colours(5, channels=1))))
    wide = wide_profile()
    return {
        "rgb": file(rgb),
        "srgb profile": file(
            rgb, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
        "p3": file(rgb, icc_profile=wide),
        "p3 rgba": file(rgba, icc_profile=wide),
        "rgba": file(Image.fromarray(clear)),
        "grey": file(grey),
        "grey profile": file(grey, icc_profile=grey_profile()),
        "grey and alpha": file(pair),
        "grey16": file(Image.fromarray(colours(depth=16, channels=1))),
        "la16": deep_png(colours(depth=16, channels=2), 4),
        "rgb16": deep_png(colours(depth=16), 2),
        "rgb16 p3": deep_png(colours(depth=16), 2, chunk(b"iCCP", b"p3\0\0" + zlib.compress(wide))),
        "rgba16": deep_png(colours(depth=16, channels=4), 6),
        "gamma": file(rgb).replace(b"IDAT", b"IDAT", 1)[:33]
        + chunk(b"gAMA", struct.pack(">I", 100_000))
        + file(rgb)[33:],
        "cicp": file(rgb)[:33] + chunk(b"cICP", bytes([12, 13, 0, 1])) + file(rgb)[33:],
        "pq16": deep_png(colours(depth=16), 2, chunk(b"cICP", bytes([9, 16, 0, 1]))),
        "hlg grey": file(grey)[:33] + chunk(b"cICP", bytes([9, 18, 0, 1])) + file(grey)[33:],
        "hlg palette": with_palette(8)[:33] + chunk(b"cICP", bytes([9, 18, 0, 1])) + with_palette(8)[33:],
        "jpeg": file(rgb, "JPEG", quality=90),
        "p3 jpeg": file(rgb, "JPEG", quality=90, icc_profile=wide),
        "adobe rgb jpeg": file(rgb, "JPEG", quality=90, icc_profile=adobe_profile()),
        "grey jpeg": file(grey, "JPEG", quality=90),
        "webp": file(rgb, "WEBP", quality=80, icc_profile=wide),
        "small palette": with_palette(8),
        "full palette": with_palette(256),
    }


def painted(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """Another colour everywhere, in the mask and around it."""
    return Image.new(image.mode, image.size, (200, 60, 90, 255)[: len(image.mode)])


def edited(data: bytes) -> tt.Run:
    """The file, edited within the box."""
    source = open_image(data, name="photo")
    mask = tt.Mask(source.size).rectangle(BOX)
    client = tt.Client.offline(fill=painted)
    return tt.edit(source, "x", mask=mask, client=client, log=False, **SMALL)


def outside(size: tuple[int, int] = SIZE) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """What the box's mask protects."""
    return np.asarray(tt.Mask(size).rectangle(BOX).coverage() == 0)


def own(picture: tt.SourceImage) -> OwnFile:
    """What the picture is in its file."""
    assert picture.own is not None
    return picture.own


@pytest.mark.dear
@pytest.mark.parametrize("kind", sources())
def test_protected_numbers_of_a_saved_png_are_the_files(tmp_path: Path, kind: str) -> None:
    """Byte for byte of what is decoded, with profile, depth and kind, and the same is shown when it is opened again."""
    run = edited(sources()[kind])
    result, before = run.results[0], own(run.source)
    saved = open_image(result.save(tmp_path / "result.png"))
    after = own(saved)
    assert (after.depth, after.profile, after.cicp) == (before.depth, before.profile, before.cicp)
    assert after.gamma == before.gamma
    numbers, old = after.numbers(), before.numbers()
    if kind != "full palette":
        assert after.mode == before.mode
        assert np.array_equal(numbers[outside()], old[outside()])
        assert not np.array_equal(numbers[~outside()], old[~outside()])
    else:
        assert (after.mode, result.saved_note or result.note)[0] == "RGB"
        assert "palette" in result.note
        assert before.palette is not None
        assert np.array_equal(numbers[outside()], before.palette[old][outside()])
    assert np.array_equal(numbers, result.native)
    assert np.array_equal(np.asarray(saved.pixels)[outside()], np.asarray(run.source.pixels)[outside()])
    assert saved.digest == result.picture.digest


@pytest.mark.dear
@pytest.mark.parametrize("kind", ["p3", "grey16", "rgb16 p3", "small palette", "grey and alpha"])
def test_an_edit_of_a_result_goes_on_in_the_photos_own_numbers(kind: str) -> None:
    """What no mask touched is the file's, also where the second edit is of the first one's picture; both pickle."""
    run = edited(sources()[kind])
    first = pickle.loads(pickle.dumps(run.results[0]))
    mask = tt.Mask(SIZE).rectangle((0, 30, 10, 40))
    second = tt.edit(
        first.picture, "y", mask=mask, client=tt.Client.offline(fill=painted), log=False, **SMALL
    )
    untouched = outside() & (mask.coverage() == 0)
    made, old = second.results[0].native, own(run.source).numbers()
    assert made.dtype == old.dtype
    assert np.array_equal(made[untouched], old[untouched])
    masked = ~outside()
    assert np.array_equal(made[masked], first.native[masked])


@pytest.mark.dear
@pytest.mark.parametrize("kind", ["p3", "grey", "grey16", "rgb16", "rgba16", "grey profile"])
def test_a_tiff_holds_the_numbers_too(tmp_path: Path, kind: str) -> None:
    """A TIFF has the depth and the profile, and packs what it was given without loss."""
    run = edited(sources()[kind])
    native = run.results[0].native
    with Image.open(run.results[0].save(tmp_path / "result.tif")) as made:
        assert made.info.get("icc_profile") == own(run.source).profile
        tags = dict(made.tag_v2)  # type: ignore[attr-defined]
    raw = (tmp_path / "result.tif").read_bytes()
    rows = [zlib.decompress(raw[at : at + size]) for at, size in zip(tags[273], tags[279], strict=True)]
    less = np.frombuffer(b"".join(rows), native.dtype).reshape(native.shape)
    assert np.array_equal(np.cumsum(less, axis=1, dtype=native.dtype), native)
    assert set(np.atleast_1d(tags[258])) == {native.itemsize * 8}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["p3", "grey16", "rgb16 p3", "rgba16", "grey profile"])
def test_a_saved_tiff_goes_on_as_a_photo(tmp_path: Path, kind: str) -> None:
    """Opened again, it has the numbers, the depth and the profile, and what is edited next keeps them."""
    first = edited(sources()[kind]).results[0]
    again = open_image(first.save(tmp_path / "one.tif"))
    assert own(again).profile == own(first.picture).profile
    assert own(again).depth == own(first.picture).depth
    assert np.array_equal(own(again).numbers(), first.native)
    second = edited((tmp_path / "one.tif").read_bytes()).results[0]
    path = second.save(tmp_path / "two.tif", keep_metadata=True)
    made = own(open_image(path)).numbers()
    assert np.array_equal(made[outside()], first.native[outside()])


def test_what_a_kind_of_file_can_not_hold_is_said(tmp_path: Path) -> None:
    """One sentence for depth, transparency, grey and metadata; none where all is held."""
    deep = edited(sources()["rgb16"]).results[0]
    deep.save(tmp_path / "deep.png")
    assert deep.saved_note == ""
    deep.save(tmp_path / "deep.jpg")
    assert "16" in deep.saved_note
    assert deep.file("WEBP").changes == ("WEBP holds 8 bits a channel, so the photo's 16 were rounded.",)
    assert "transparency" in edited(sources()["rgba"]).results[0].file("JPEG").changes[0]
    assert "grey" in edited(sources()["grey profile"]).results[0].file("WEBP").changes[0]


def test_cmyk_is_kept_where_the_kind_can_and_said_where_not(tmp_path: Path) -> None:
    """A TIFF and a JPEG have the four inks; a PNG is RGB, in words."""
    run = edited(file(Image.fromarray(colours()).convert("CMYK"), "JPEG", quality=95))
    result, before = run.results[0], own(run.source).numbers()
    assert result.native.shape == (*SIZE[::-1], 4)
    assert np.array_equal(result.native[outside()], before[outside()])
    assert not np.array_equal(result.native[~outside()], before[~outside()])
    with Image.open(result.save(tmp_path / "x.tif")) as made:
        assert made.mode == "CMYK"
        assert np.array_equal(np.asarray(made), result.native)
    with Image.open(result.save(tmp_path / "x.jpg")) as made:
        assert (made.mode, result.saved_note) == ("CMYK", "")
    with Image.open(result.save(tmp_path / "x.png")) as made:
        assert made.mode == "RGB"
    assert "CMYK" in result.saved_note


def test_what_opening_changed_is_said_with_the_result() -> None:
    """A photo of 16 bits was shown and sent with 8: its result's note says so."""
    run = edited(sources()["rgb16"])
    assert run.source.changes
    assert all(words in run.results[0].note for words in run.source.changes)


def test_a_photo_saved_as_it_is_keeps_its_numbers(tmp_path: Path) -> None:
    """Opened and saved, without an edit."""
    for kind, data in sources().items():
        photo = open_image(data)
        again = open_image(photo.save(tmp_path / f"{kind}.png"))
        assert np.array_equal(own(again).numbers(), own(photo).numbers()), kind
        assert own(again).profile == own(photo).profile


def test_density_is_kept(tmp_path: Path) -> None:
    """A photo of 300 pixels an inch stays one, as PNG, JPEG and TIFF."""
    result = edited(file(Image.fromarray(colours()), dpi=(300, 300))).results[0]
    for suffix in (".png", ".jpg", ".tif"):
        with Image.open(result.save(tmp_path / f"x{suffix}")) as made:
            assert made.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_metadata_is_kept_on_request_without_place_and_makers_notes(tmp_path: Path) -> None:
    """EXIF, XMP and IPTC survive; GPS, cities, maker's notes and the thumbnail do not; by default nothing does."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 1
    exif.get_ifd(0x8769).update({0x9003: "2024:01:02 03:04:05", 0x927C: b"secret notes", 0x829A: 0.5})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif='
        b'"http://ns.adobe.com/exif/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" exif:GPSLatitude="52N" '
        b'photoshop:City="Potsdam"><dc:creator>Ada</dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    records = b"".join(
        b"\x1c\2" + bytes([number]) + len(text).to_bytes(2) + text
        for number, text in ((80, b"Ada"), (90, b"Potsdam"))
    )
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(records).to_bytes(4) + records
    extra = b"\xff\xed" + (len(block) + 2).to_bytes(2) + block
    data = file(Image.fromarray(colours()), "JPEG", exif=exif, xmp=packet, extra=extra)
    result = edited(data).results[0]
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        path = result.save(tmp_path / f"kept{suffix}", keep_metadata=True)
        raw = path.read_bytes()
        with Image.open(path) as made:
            found = made.getexif()
            assert found[0x010F] == "Maker"
            inner = found.get_ifd(0x8769)
            assert (inner[0x9003], float(inner[0x829A])) == ("2024:01:02 03:04:05", 0.5)
            assert 0x8825 not in found
        assert b"Ada" in raw
        assert all(secret not in raw for secret in (b"secret notes", b"Potsdam", b"52N"))
        bare = result.save(tmp_path / f"bare{suffix}").read_bytes()
        assert b"Maker" not in bare
        assert b"Ada" not in bare


@pytest.mark.parametrize(
    "metadata",
    [
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"},
        {"exif": b"nonsense"},
        {"xmp": b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'},
        {"xmp": b"<a>" * 100_000},
        {"iptc": b"8BIM\x04\x04\0\0\0\0\0\x09\x1c\2\x50\xff\xffAda!"},
    ],
)
def test_damaged_metadata_is_left_out_and_said(metadata: dict[str, bytes]) -> None:
    """Whatever is wrong with it, the picture is saved."""
    from ttapi_nb.picture.notes import kept_notes

    notes = kept_notes(metadata, SIZE)
    assert (notes.exif, notes.xmp, notes.iptc) == ({}, b"", b"")
    assert len(notes.changes) == 1


@pytest.mark.dear
@pytest.mark.parametrize("kind", ["p3", "grey16", "rgb16", "small palette", "jpeg"])
def test_room_around_a_photo_leaves_its_numbers(kind: str) -> None:
    """Extended and filled, the photo's own numbers and profile are still there in the middle."""
    photo = open_image(sources()[kind])
    wider, mask = tt.extend(photo, left=20, top=10)
    made = tt.edit(wider, "x", mask=mask, client=tt.Client.offline(fill=painted), log=False, **SMALL).results[
        0
    ]
    old, new = own(photo), own(made.picture)
    numbers = old.numbers() if old.palette is None else old.palette[old.numbers()]
    channels = 1 if numbers.ndim == 2 else numbers.shape[2]
    native = made.native if new.palette is None else new.palette[made.native]
    assert (new.profile, native.dtype) == (old.profile, numbers.dtype)
    middle = native[10:, 20:, :channels]
    assert np.array_equal(middle if numbers.ndim == 3 else middle[..., 0], numbers)


def test_without_a_mask_the_whole_answer_has_the_photos_colours() -> None:
    """Where the whole picture may change, it still is of the photo's kind."""
    photo = open_image(sources()["rgb16 p3"])
    made = edited_picture(photo, Image.new("RGB", SIZE, "red"), "x")
    assert own(made).numbers().dtype == np.uint16
    assert own(made).profile == own(photo).profile
    red = own(made).numbers()[0, 0] // 257
    assert red[0] == pytest.approx(234, abs=1)
    assert red[1] == pytest.approx(51, abs=1)

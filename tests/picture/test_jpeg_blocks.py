"""A JPEG that stays the JPEG it was: over files of all kinds, blocks that no masked pixel touches are copied."""

from __future__ import annotations

import base64
import builtins
import io
import threading
from pathlib import Path
from typing import Any

import jpeglib
import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from ttapi_nb.picture import edited_picture, jpeg_blocks, open_image
from ttapi_nb.picture.jpeg_coding import Component, coded
from ttapi_nb.picture.jpeg_file import JpegFile, segment


def soft(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Soft colours with grain."""
    random = np.random.default_rng(width)
    few = Image.fromarray(random.integers(30, 220, (max(2, height // 9), max(2, width // 9), 3), np.uint8))
    large = np.asarray(few.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return Image.fromarray(
        np.clip(large + random.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
    ).convert(mode)


def jpeg(image: Image.Image, **more: Any) -> bytes:
    """The picture as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, "JPEG", **more)
    return out.getvalue()


def by_hand(image: Image.Image, factors: tuple[tuple[int, int], ...], adobe: int | None = None) -> bytes:
    """A JPEG with sampling factors that Pillow does not write: flat blocks, quantised by 16."""
    wide, high = max(one for one, _ in factors), max(one for _, one in factors)
    bands, components = image.split(), []
    for number, (across, down) in enumerate(factors):
        size = -(-image.width * across // (8 * wide)), -(-image.height * down // (8 * high))
        blocks = np.zeros((size[1], size[0], 64), np.int16)
        blocks[..., 0] = (np.asarray(bands[number].resize(size, Image.Resampling.BOX), np.int16) - 128) // 2
        blocks[..., 3] = np.arange(size[0]) % 5
        components.append(Component(number + 1, across, down, blocks))
    frame = b"\x08" + image.height.to_bytes(2) + image.width.to_bytes(2) + bytes([len(factors)])
    frame += b"".join(bytes([one.identifier, one.across << 4 | one.down, 0]) for one in components)
    note = b"" if adobe is None else segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    head = b"\xff\xd8" + note + segment(0xDB, b"\0" + b"\x10" * 64) + segment(0xC0, frame)
    return head + coded(components) + b"\xff\xd9"


def turned_by(orientation: int) -> Image.Exif:
    """EXIF that says how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# Of 24 by 16 pixels, made with cjpeg -arithmetic, and -progressive too.
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    "T09PT09PT0//yQARCAAQABgDASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD+6BP5YVaoj78dqGDu0zEhF/GwZgdW"
    "hg/+X2GXHv8AC+iPN0p3UDkNaRb9+tT/2Q=="
)
ARITHMETIC_PROGRESSIVE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    "UlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P"
    "T09PT09PT0//ygARCAAQABgDASIAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAAAf3cfkeix3SuHbf0/8wABBAF/9oACAEBAAEF"
    "AvLrBP/MAAQRBf/aAAgBAwEBPwE2rnTu/8wABBEF/9oACAECAQE/ASXUyWko/8wABBAF/9oACAEBAAY/AsD/zAAEEAX/2gAIAQEA"
    "AT8hABsi+HGc/9oADAMBAAIAAwAAABDKWP/MAAQRBf/aAAgBAwEBPxCrK//MAAQRBf/aAAgBAgEBPxBOMv/MAAQQBf/aAAgBAQAB"
    "PxA5h3VHv5o4tWjc/9k="
)


def files() -> dict[str, bytes]:
    """A JPEG of every kind, by name."""
    found = {
        f"quality {quality}, {name}": jpeg(soft(77, 61), quality=quality, subsampling=number)
        for quality in (20, 75, 96)
        for number, name in enumerate(("4:4:4", "4:2:2", "4:2:0"))
    }
    found |= {
        f"turned {number}": jpeg(soft(70, 51), exif=turned_by(number), quality=88) for number in range(2, 9)
    }
    found |= {
        "progressive": jpeg(soft(90, 71), progressive=True),
        "progressive 4:4:4": jpeg(soft(90, 71), progressive=True, subsampling=0),
        "progressive, turned": jpeg(soft(90, 71), progressive=True, exif=turned_by(6)),
        "restarts": jpeg(soft(90, 71), restart_marker_blocks=2),
        "restarts, progressive": jpeg(soft(90, 71), restart_marker_rows=1, progressive=True),
        "optimised": jpeg(soft(90, 71), optimize=True),
        "grey": jpeg(soft(90, 71, "L")),
        "grey, progressive": jpeg(soft(90, 71, "L"), progressive=True),
        "CMYK": jpeg(soft(90, 71, "CMYK")),
        "RGB": jpeg(soft(90, 71), keep_rgb=True),
        "own tables": jpeg(soft(90, 71), qtables=[list(range(1, 65)), [7] * 64]),
        "16-bit tables": jpeg(soft(90, 71), qtables=[[300] * 64, [17] * 64]),
        "4:4:0": by_hand(soft(90, 71, "YCbCr"), ((1, 2), (1, 1), (1, 1))),
        "4:1:1": by_hand(soft(90, 71, "YCbCr"), ((4, 1), (1, 1), (1, 1))),
        "4:1:0": by_hand(soft(90, 71, "YCbCr"), ((4, 2), (1, 1), (1, 1))),
        "chroma finer than luma": by_hand(soft(90, 71, "YCbCr"), ((1, 1), (2, 1), (1, 1))),
        "grey with factors": by_hand(soft(90, 71, "L"), ((2, 2),)),
        "YCCK": by_hand(soft(90, 71, "CMYK"), ((2, 2), (1, 1), (1, 1), (2, 2)), 2),
        "Adobe RGB": by_hand(soft(90, 71), ((1, 1), (1, 1), (1, 1)), 0),
        "one pixel wide": jpeg(soft(1, 90)),
        "8 by 8": jpeg(soft(8, 8)),
        "17 by 16": jpeg(soft(17, 16), subsampling=2),
        "quality 1": jpeg(soft(77, 61), quality=1),
        "quality 100": jpeg(soft(33, 17), quality=100, subsampling=0),
        "odd, 4:2:2": jpeg(soft(33, 17), subsampling=1),
        "arithmetic": ARITHMETIC,
        "arithmetic, progressive": ARITHMETIC_PROGRESSIVE,
        "pixels that end early": jpeg(soft(90, 71))[:1500] + b"\xff\xd9",
        "no end": jpeg(soft(90, 71))[:-2],
        "profile": jpeg(soft(90, 71), icc_profile=b"".join([bytes(36), b"acsp", bytes(200)])),
    }
    return found


FILES = files()


def blocks(data: bytes, tmp_path: Path) -> list[np.ndarray[Any, Any]]:
    """Each component's blocks."""
    path = tmp_path / "read.jpg"
    path.write_bytes(JpegFile.read(data).bare())
    jpeglib.version.set("turbo210")
    found = jpeglib.read_dct(str(path))
    return [part for part in (found.Y, found.Cb, found.Cr, found.K) if part is not None]


def share_kept(old: bytes, new: bytes, masked: np.ndarray[Any, Any], tmp_path: Path) -> float:
    """Of the blocks that hold no masked pixel, `masked` as filed, how many are the same."""
    parts = JpegFile.read(old).frame.components
    wide, high = max(one.across for one in parts), max(one.down for one in parts)
    kept, count = 0, 0
    for one, before, after in zip(parts, blocks(old, tmp_path), blocks(new, tmp_path), strict=True):
        cell = 8 * high // one.down, 8 * wide // one.across
        for row, column in np.ndindex(*before.shape[:2]):
            here = masked[row * cell[0] : (row + 1) * cell[0], column * cell[1] : (column + 1) * cell[1]]
            if not here.any():
                count += 1
                kept += bool(np.array_equal(before[row, column], after[row, column]))
    return kept / count if count else 1.0


def answered(photo: tt.SourceImage, box: tuple[int, int, int, int]) -> tt.SourceImage:
    """The photo with another picture in a box, pasted as an edit pastes it."""
    made = photo.pixels.copy()
    made.paste(
        soft(*photo.size).transpose(Image.Transpose.FLIP_TOP_BOTTOM).convert(made.mode).crop(box), box[:2]
    )
    weight = np.full((box[3] - box[1], box[2] - box[0]), 255, np.uint8)
    return edited_picture(photo, made, "x", box, weight)


@pytest.mark.parametrize("kind", FILES)
def test_blocks_outside_the_mask_are_the_files(tmp_path: Path, kind: str) -> None:
    """All of them, also where the photo is turned; the masked ones show the answer, as far as the tables allow."""
    photo = open_image(FILES[kind])
    assert photo.own is not None
    width, height = photo.size
    box = (width // 4, height // 3, width // 4 + max(1, width // 3), height // 3 + max(1, height // 3))
    made = answered(photo, box)
    saved = made.saved_file("JPEG")
    assert saved.changes == ()
    masked = np.zeros((height, width), np.bool_)
    masked[box[1] : box[3], box[0] : box[2]] = True
    assert share_kept(FILES[kind], saved.data, photo.own.as_filed(masked), tmp_path) == 1.0
    again = open_image(saved.data)
    assert again.own is not None
    assert (again.size, again.own.mode, again.own.orientation) == (
        photo.size,
        photo.own.mode,
        photo.own.orientation,
    )
    assert again.own.profile == photo.own.profile
    assert JpegFile.read(saved.data).frame.components == JpegFile.read(FILES[kind]).frame.components
    assert (JpegFile.read(saved.data).frame.marker == 0xC2) == ("progressive" in kind)
    tables = JpegFile.read(saved.data).quantisation
    assert {key: table.tolist() for key, table in tables.items()} == {
        key: table.tolist() for key, table in JpegFile.read(FILES[kind]).quantisation.items()
    }
    # Nearer to what was asked for than to what was there, unless both are much the same.
    wanted, old = np.asarray(made.pixels).astype(int), np.asarray(photo.pixels).astype(int)
    found = np.asarray(again.pixels).astype(int)
    if (
        min(photo.size) > 40
        and np.abs(wanted - old)[masked].mean() > 25
        and "20" not in kind
        and kind != "quality 1"
    ):
        assert np.abs(found - wanted)[masked].mean() < np.abs(found - old)[masked].mean()


@pytest.mark.parametrize("kind", ["quality 75, 4:2:0", "turned 6", "progressive"])
@pytest.mark.parametrize("reopened", [False, True])
def test_ten_edits_in_a_chain_keep_what_no_mask_touched(tmp_path: Path, kind: str, reopened: bool) -> None:
    """Whether each goes on from the last result, or from the file that was saved of it."""
    photo = open_image(FILES[kind])
    assert photo.own is not None
    masked = np.zeros(photo.size[::-1], np.bool_)
    now = photo
    for number in range(10):
        box = (number * 5, number * 2, number * 5 + 4, number * 2 + 6)
        masked[box[1] : box[3], box[0] : box[2]] = True
        now = answered(now, box)
        if reopened:
            now = open_image(now.save(tmp_path / "step.jpg"))
    data = now.saved_file("JPEG").data
    assert share_kept(FILES[kind], data, photo.own.as_filed(masked), tmp_path) == 1.0


def test_libjpegs_of_all_ages_read_them_without_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What they would have to say of a file goes to the error output: nothing, but for one that is cut."""
    path = tmp_path / "saved.jpg"

    def said(data: bytes) -> str:
        path.write_bytes(data)
        capfd.readouterr()
        for version in ("6b", "9e", "turbo210", "mozjpeg403"):
            jpeglib.version.set(version)
            jpeglib.read_dct(str(path))
        return capfd.readouterr().err

    assert "premature end" in said(FILES["optimised"][:900] + b"\xff\xd9")
    for kind, data in FILES.items():
        photo = open_image(data)
        width, height = photo.size
        box = (width // 4, height // 3, width // 4 + max(1, width // 3), height // 3 + max(1, height // 3))
        assert said(answered(photo, box).saved_file("JPEG").data) == "", kind


@pytest.mark.slow
def test_an_edit_saves_the_photos_jpeg(tmp_path: Path) -> None:
    """The way of a real edit: a run's result, with its lineage in the file and none of the camera's notes."""
    exif = turned_by(6)
    exif[0x010F] = "Maker"
    data = jpeg(soft(90, 71), exif=exif)
    photo = open_image(data, name="photo.jpg")
    mask = tt.Mask(photo.size).rectangle((20, 20, 40, 50))
    client = tt.Client.offline(fill=lambda image, *_: Image.new(image.mode, image.size, "teal"))
    result = tt.edit(photo, "x", mask=mask, client=client, log=False).results[0]
    path = result.save(tmp_path / "result.jpg")
    assert result.saved_note == ""
    assert photo.own is not None
    assert share_kept(data, path.read_bytes(), photo.own.as_filed(mask.coverage() > 0), tmp_path) == 1.0
    with Image.open(path) as made:
        assert dict(made.getexif()) == {0x0112: 6}
    assert tt.open_result(path).prompt == "x"


def test_a_photo_that_was_not_edited_keeps_its_very_codes(tmp_path: Path) -> None:
    """Saved as it is, only its notes go."""
    data = jpeg(soft(90, 71), progressive=True, comment=b"who was here")
    saved = open_image(data).save(tmp_path / "same.jpg").read_bytes()
    assert JpegFile.read(saved).scans == JpegFile.read(data).scans
    assert b"who was here" not in saved


def test_without_the_extra_it_is_made_anew_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, with the line that installs it; the picture is saved all the same."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "jpeglib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(jpeg_blocks, "find_spec", lambda name: None)
    photo = open_image(FILES["progressive"])
    file = answered(photo, (8, 8, 24, 24)).saved_file("JPEG")
    assert len(file.changes) == 1
    assert "pip install 'ttapi-nb[jpeg]'" in file.changes[0]
    assert open_image(file.data).size == photo.size


def test_a_jpeg_that_can_not_be_kept_is_made_anew_and_that_is_said() -> None:
    """A table that changes between the scans: what the blocks before it mean could not be told."""
    scans = JpegFile.read(FILES["progressive"]).scans
    second = scans.index(b"\xff\xda", 2)
    at = len(FILES["progressive"]) - 2 - len(scans) + scans.rindex(b"\xff\xc4", 0, second)
    data = FILES["progressive"][:at] + segment(0xDB, b"\3" + b"\1" * 64) + FILES["progressive"][at:]
    file = answered(open_image(data), (8, 8, 24, 24)).saved_file("JPEG")
    assert len(file.changes) == 1
    assert "made anew" in file.changes[0]


def test_a_picture_with_room_around_it_is_another_jpeg_and_that_is_said() -> None:
    """Extended, its blocks lie elsewhere."""
    wider, _ = tt.extend(open_image(FILES["progressive"]), left=5)
    assert "another size" in wider.saved_file("JPEG").changes[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xda\0\x02",
        b"\xff\xd8" + b"\xff\xe1\0\2" * 6000,
        b"\xff\xd8" + segment(0xC0, b"\x08\0\0\0\0\1\1\x11\0") + segment(0xDA, b"\1\1\0\0\x3f\0"),
        jpeg(soft(90, 71)).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
    ],
)
def test_hostile_files_raise_one_kind_of_error(data: bytes) -> None:
    """Whatever is wrong with it, it is a ValueError, and no end of the process."""
    pixels = np.zeros((71, 90, 3), np.uint8)
    with pytest.raises(ValueError, match=r"\w"):
        jpeg_blocks.edited(data, pixels, pixels + 1, b"")


def test_threads_read_at_once(tmp_path: Path) -> None:
    """Jpeglib keeps what it reads in variables of the process; each thread gets its own file's blocks."""
    kinds = ["4:4:0", "CMYK", "grey", "progressive"] * 2
    made = [answered(open_image(FILES[kind]), (8, 8, 24, 24)) for kind in kinds]
    alone = [picture.saved_file("JPEG").data for picture in made]
    found: dict[int, bytes] = {}

    def save(number: int) -> None:
        found[number] = made[number].saved_file("JPEG").data

    threads = [threading.Thread(target=save, args=(number,)) for number in range(len(made))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(made))] == alone

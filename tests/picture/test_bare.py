"""Files whose metadata is cut out of their bytes: as private as those that are written anew."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from tests.server import Server, encoded
from ttapi_nb import Client, open_image
from ttapi_nb.errors import ImageError
from ttapi_nb.picture import as_given, unopened
from ttapi_nb.picture.bare import bare

KEY = "sk-bare-0123456789"
SECRET = b"who took it, and where"


def photo(mode: str = "RGB", side: int = 48) -> Image.Image:
    """Grain, so that a byte too few or many shows."""
    shape = (side, side, len(mode)) if len(mode) > 1 else (side, side)
    return Image.fromarray(np.random.default_rng(4).integers(0, 256, shape, np.uint8), mode)


def exif(orientation: int = 1) -> bytes:
    """What a camera wrote."""
    found = Image.Exif()
    found[0x0112], found[0x010E] = orientation, SECRET.decode()
    return found.tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(mode: str = "RGB", before: bytes = b"", after: bytes = b"", **settings: Any) -> bytes:
    """A PNG with chunks behind its first one, and bytes behind its last."""
    whole = encoded(photo(mode), "PNG", **settings)
    return whole[:33] + before + whole[33:] + after


def jpeg(before: bytes = b"", after: bytes = b"", **settings: Any) -> bytes:
    """A JPEG with parts before its others, and bytes behind its end."""
    whole = encoded(photo(), "JPEG", **settings)
    return whole[:2] + before + whole[2:] + after


def segment(marker: int, data: bytes) -> bytes:
    """One part of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def texts() -> PngImagePlugin.PngInfo:
    """Texts that tell something."""
    found = PngImagePlugin.PngInfo()
    found.add_text("Author", SECRET.decode())
    found.add_itxt("Comment", SECRET.decode(), zip=True)
    return found


def archive() -> bytes:
    """A zip, which opens wherever it stands behind."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("secret.txt", SECRET)
    return out.getvalue()


def of_rows(rows: bytes, behind: bytes = b"", side: int = 48, interlaced: int = 0) -> bytes:
    """A PNG whose checksums are sound, of rows as they are, with bytes in its data behind these."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, interlaced)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows) + behind), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def rows(count: int = 48, kind: int = 0, side: int = 48) -> bytes:
    """So many rows of grain."""
    pixels = photo(side=max(count, side)).tobytes()
    length = 3 * max(count, side)
    return b"".join(bytes([kind]) + pixels[at * length :][: 3 * side] for at in range(count))


def remade(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A PNG with its packed pixels changed, and its checksum made to fit."""
    start = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[start - 4 : start])
    body = change(data[start + 4 : start + 4 + length])
    return data[: start - 4] + chunk(b"IDAT", body) + data[start + 8 + length :]


def before_scan(data: bytes, part: bytes) -> bytes:
    """A JPEG with a part more before its pixels."""
    at = data.index(b"\xff\xda")
    return data[:at] + part + data[at:]


def restarted(change: Callable[[bytes], bytes]) -> bytes:
    """A JPEG with restarts, whose coded pixels are changed."""
    data = jpeg(restart_marker_rows=1)
    at = data.index(b"\xff\xda")
    return data[:at] + change(data[at:])


def quantised(number: int) -> bytes:
    """A table of a JPEG, in which bytes can be hidden."""
    return segment(0xDB, bytes([number]) + (SECRET * 3)[:64])


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PLAIN: dict[str, bytes] = {
    "png": png(),
    "png with alpha": png("RGBA"),
    "png with texts": png(pnginfo=texts()),
    "png with chunks nobody knows the use of": png(
        before=chunk(b"tIME", SECRET[:7]) + chunk(b"caBX", SECRET)
    ),
    "png with something behind it": png(after=SECRET + png()),
    "png with a zip behind it": png(after=archive()),
    "png of another writer": of_rows(rows(kind=4)),
    "jpeg": jpeg(),
    "jpeg with a zip behind it": jpeg(after=archive()),
    "webp with a zip behind it": encoded(photo(), "WEBP") + archive(),
    "webp without loss and a zip behind it": encoded(photo(), "WEBP", lossless=True) + archive(),
    "progressive jpeg": jpeg(progressive=True, quality=95),
    "jpeg with restarts": jpeg(restart_marker_rows=1),
    "jpeg with exif": jpeg(exif=exif()),
    "jpeg with a comment, xmp and a maker's part": jpeg(
        before=segment(0xFE, SECRET)
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)
        + segment(0xED, SECRET)
        + segment(0xEB, SECRET)
    ),
    "jpeg with another behind it": jpeg(after=jpeg(exif=exif())),
    "jpeg with sRGB's profile": jpeg(icc_profile=SRGB),
    "webp": encoded(photo(), "WEBP"),
    "webp without loss": encoded(photo("RGBA"), "WEBP", lossless=True),
    "webp with alpha": encoded(photo("RGBA"), "WEBP", quality=80),
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_a_plain_file_is_cut(data: bytes) -> None:
    """Its pixels are those that are opened, and nothing is left of what else was in it."""
    cut = bare(data)
    assert cut is not None
    whole, kept = open_image(data), open_image(cut.data)
    assert (cut.format, cut.size) == (whole.format, whole.size)
    assert kept.digest == whole.digest
    assert SECRET not in cut.data
    assert SECRET[:7] not in cut.data
    with Image.open(io.BytesIO(cut.data)) as again:
        again.load()
        left = {*again.info} - {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "progressive",
            "progression",
        }
        assert left <= {"background", "loop", "duration", "timestamp"}, "of WEBP's reader itself"
        assert not dict(again.getexif())
    # Cut again it stays as it is.
    again_cut = bare(cut.data)
    assert again_cut is not None
    assert again_cut.data == cut.data


def webp_of(coded: bytes) -> bytes:
    """A WEBP with loss of these bytes."""
    body = b"WEBPVP8 " + struct.pack("<I", len(coded)) + coded
    return b"RIFF" + struct.pack("<I", len(body)) + body


def damaged(data: bytes) -> bytes:
    """With one bit of it turned."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


OTHERS: dict[str, Callable[[], bytes]] = {
    "grey png": lambda: png("L"),
    "png of a palette": lambda: encoded(photo().quantize(16), "PNG"),
    "png of 16 bits": lambda: encoded(Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG"),
    "png with a profile": lambda: png(icc_profile=SRGB),
    "png with gamma": lambda: png(before=chunk(b"gAMA", struct.pack(">I", 100_000))),
    "png that is turned": lambda: png(before=chunk(b"eXIf", exif(6)[6:])),
    "png with one colour left out": lambda: png(before=chunk(b"tRNS", b"\0" * 6)),
    "png with a chunk of somebody's": lambda: png(before=chunk(b"heAd", SECRET)),
    "png with a camera's text": lambda: png(
        before=chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(SECRET))
    ),
    "png with a damaged byte": lambda: damaged(png()),
    "png cut off": lambda: png()[:-20],
    "png with bytes behind its pixels, in their chunk": lambda: of_rows(rows(), SECRET),
    "png with a zip in its pixels' chunk": lambda: remade(png(), lambda body: body + archive()),
    "png of too many rows": lambda: of_rows(rows(49)),
    "png of too few rows": lambda: of_rows(rows(47)),
    "png of half a row": lambda: of_rows(rows()[:-3]),
    "png of a filter that is none": lambda: of_rows(rows(kind=5)),
    "png whose pixels are damaged and whose checksum fits": lambda: remade(png(), damaged),
    "png whose pixels are broken and whose checksum fits": lambda: remade(
        png(), lambda body: body[:2] + b"\x07" + body[3:]
    ),
    "png whose pixels are cut and whose checksum fits": lambda: remade(
        png(), lambda body: body[: len(body) // 2]
    ),
    "png whose pixels lack their own checksum": lambda: remade(png(), lambda body: body[:-4]),
    "interlaced png": lambda: of_rows(rows(), interlaced=1),
    "png with bytes in its end": lambda: png().replace(chunk(b"IEND", b""), chunk(b"IEND", SECRET)),
    "moving png": lambda: encoded(photo(), "PNG", save_all=True, append_images=[photo(side=48).rotate(90)]),
    "grey jpeg": lambda: encoded(photo("L"), "JPEG"),
    "jpeg of CMYK": lambda: encoded(photo().convert("CMYK"), "JPEG"),
    "jpeg that is turned": lambda: jpeg(exif=exif(6)),
    "jpeg with another profile": lambda: jpeg(
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    ),
    "jpeg cut off": lambda: jpeg()[:-20],
    "jpeg with a table that is written over": lambda: before_scan(jpeg(), quantised(0)),
    "jpeg with a table longer than it says": lambda: before_scan(jpeg(), quantised(3)[:-1] + b"\0" + SECRET),
    "jpeg with codes longer than they say": lambda: jpeg(before=segment(0xC4, b"\3" + bytes(16) + SECRET)),
    "jpeg with codes for nothing": lambda: jpeg()[:-2] + segment(0xC4, b"\3\1" + bytes(16)) + b"\xff\xd9",
    "jpeg coded twice": lambda: jpeg()[:-2] + jpeg()[jpeg().index(b"\xff\xda") :],
    "jpeg with restarts that nothing asks for": lambda: jpeg()[:-2] + b"\xff\xd0" + SECRET + b"\xff\xd9",
    "jpeg cut at a restart, and ended": lambda: restarted(
        lambda scan: scan[: scan.index(b"\xff\xd1")] + b"\xff\xd9"
    ),
    "jpeg with more restarts than rows": lambda: restarted(
        lambda scan: scan[:-2] + b"\xff\xd2" + SECRET + b"\xff\xd9"
    ),
    "jpeg without its pixels": lambda: jpeg()[: jpeg().index(b"\xff\xda")] + b"\xff\xd9",
    "jpeg of rgb": lambda: encoded(photo(), "JPEG", keep_rgb=True),
    "webp with exif": lambda: encoded(photo(), "WEBP", exif=exif(6)),
    "moving webp": lambda: encoded(photo(), "WEBP", save_all=True, append_images=[photo().rotate(90)]),
    "webp cut off": lambda: encoded(photo(), "WEBP")[:-20],
    "webp cut in its first part, and ended": lambda: webp_of(encoded(photo(), "WEBP")[20:120]),
    "no picture": lambda: b"\x89PNG\r\n\x1a\n" + SECRET,
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("made", OTHERS.values(), ids=OTHERS)
def test_any_other_file_is_opened(made: Callable[[], bytes]) -> None:
    """What says anything of how its pixels are to be seen, or is not whole, is not cut."""
    assert bare(made()) is None


def sent(server: Server, data: Any, **fields: Any) -> bytes:
    """The file that goes out for a picture."""
    Client(KEY, base_url=server.url).images.edit(image=data, prompt="x", **fields)
    return base64.b64decode(server.posts[-1].json["image"][0].partition(",")[2])


@pytest.mark.parametrize("name", ["png with texts", "jpeg with exif", "webp"])
def test_bytes_are_sent_without_being_decoded(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A plain file goes out with no pixel decoded or encoded, and without its metadata."""
    monkeypatch.setattr("ttapi_nb.picture.opening.shown", lambda parts: pytest.fail("it was decoded"))
    monkeypatch.setattr("ttapi_nb.picture.source.encode", lambda *given: pytest.fail("it was encoded"))
    came = sent(server, PLAIN[name])
    cut = bare(PLAIN[name])
    assert cut is not None
    assert came == cut.data


@pytest.mark.parametrize(
    "name",
    [
        "png with bytes behind its pixels, in their chunk",
        "png with a zip in its pixels' chunk",
        "png of too many rows",
        "png with bytes in its end",
        "jpeg with a table that is written over",
        "jpeg with a table longer than it says",
        "jpeg with restarts that nothing asks for",
    ],
)
def test_nothing_hidden_goes_along(server: Server, name: str) -> None:
    """What stands beside the pixels, in a part that is theirs, does not reach the service; they do."""
    data = OTHERS[name]()
    came = sent(server, data)
    assert SECRET not in came
    assert b"secret.txt" not in came
    assert open_image(came).size == (48, 48)


@pytest.mark.parametrize("name", ["broken", "cut"])
def test_broken_pixels_are_not_sent(server: Server, name: str) -> None:
    """A picture whose pixels are broken is refused here, though its checksums are sound."""
    with pytest.raises(ImageError, match="damaged"):
        sent(server, OTHERS[f"png whose pixels are {name} and whose checksum fits"]())
    assert not server.posts


def test_the_same_file_is_looked_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo that is sent with many prompts is cut once, and what is remembered of photos is bounded."""
    looked: list[int] = []

    def counted(data: bytes, cap: float) -> Any:
        looked.append(len(data))
        return bare(data, cap)

    monkeypatch.setattr(unopened, "bare", counted)
    monkeypatch.setattr(unopened, "_kept", {})
    data = png(after=b"1")
    assert {sent(server, data) for _ in range(3)} == {bare(data).data}  # type: ignore[union-attr]
    assert sent(server, bytes(bytearray(data)))
    assert len(looked) == 1
    monkeypatch.setattr(unopened, "MOST_KEPT", 3 * len(data))
    for number in range(2, 5):
        sent(server, png(after=str(number).encode()))
    assert len(looked) == 4
    assert len(unopened._kept) == 1
    sent(server, data)
    assert len(looked) == 5


def test_what_has_to_be_opened_is_sent_as_before(server: Server) -> None:
    """A turned photo goes out upright, and without its metadata."""
    data = jpeg(exif=exif(6))
    came = sent(server, data)
    assert open_image(came).size == open_image(data).size
    assert SECRET not in came


def test_a_mask_is_held_against_its_pixels(server: Server) -> None:
    """Where more than the file is needed, the picture is opened for that, and is the same."""
    picture = as_given(PLAIN["png"])
    assert (picture.size, picture.format) == ((48, 48), "PNG")
    assert picture.digest == open_image(PLAIN["png"]).digest
    assert picture.as_format("JPEG").file().mime == "image/jpeg"
    assert picture.file("WEBP").mime == "image/webp"
    mask = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
    assert sent(server, PLAIN["png"], mask=mask)


def test_too_many_pixels_are_refused_undecoded() -> None:
    """The cap on pixels holds for a picture that is not opened."""
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )
    with pytest.raises(ImageError, match="20000x20000, which is more than 100 million pixels"):
        as_given(data)

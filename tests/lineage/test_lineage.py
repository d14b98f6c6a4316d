"""What made a picture is written into its file, read back by anyone, and says nothing that it should not."""

from __future__ import annotations

import functools
import io
import json
import os
import struct
import time
import xml.etree.ElementTree as ET
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.server import Server, decoded, encoded, json_reply, pictures
from tests.support.preparing import prepared
from ttapi_nb import (
    Client,
    ImageError,
    Mask,
    ResultError,
    RunLog,
    SourceImage,
    __version__,
    edit,
    open_image,
    open_result,
)
from ttapi_nb.lineage import MASK_CAP, STEPS_CAP, Lineage, Origin, Step, lineage_of, next_lineage, step_of
from ttapi_nb.metadata import TEXT_CAP
from ttapi_nb.picture import encode
from ttapi_nb.request import EditRequest
from ttapi_nb.run import Run

KEY = "test-key-0123456789"
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
SUFFIXES = pytest.mark.parametrize("suffix", FORMATS)


@pytest.fixture
def mask() -> Mask:
    """A part of the photo."""
    return Mask((64, 64)).rectangle((16, 16, 40, 40)).paint([(10, 10), (20.5, 12.25)], radius=4)


def _edit(image: Any, prompt: str, **more: Any) -> Run:
    client = more.pop("client", None) or Client.offline()
    return edit(image, prompt, client=client, **{"model": "dall-e-2", "size": "256x256"} | more)


def _step(**fields: Any) -> Step:
    known: dict[str, Any] = {
        "prompt": "a red sofa",
        "model": "gpt-image-1",
        "options": {"n": 1},
        "sources": (Origin("room.png", (64, 64), "ab" * 32),),
        "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "version": "0.1.0",
    }
    return Step(**known | fields)


def _drawn(mask: Mask, **fields: Any) -> Step:
    origin = Origin("room.png", mask.size, "ab" * 32)
    return _step(sources=(origin,), mask_digest="cd" * 32, drawing=mask.to_json(), **fields)


def _read_by_others(data: bytes) -> Any:
    """The lineage in a file, read with Pillow and the standard library and nothing of ours."""
    with Image.open(io.BytesIO(data)) as opened:
        if opened.format == "PNG":
            assert isinstance(opened, PngImagePlugin.PngImageFile)
            return json.loads(opened.text["ttapi_nb"])
        tree = ET.fromstring(opened.info["xmp"].decode())
    (found,) = tree.iter("{urn:ttapi-nb:lineage:}lineage")
    return json.loads(found.text or "")


# What is written


@pytest.mark.dear
@SUFFIXES
def test_read_by_pillow_alone(photo: Image.Image, mask: Mask, tmp_path: Path, suffix: str) -> None:
    """A saved result tells what made it, to any program that reads PNG texts or XMP."""
    photo.save(tmp_path / "room.png")
    source = open_image(tmp_path / "room.png")
    run = _edit(source, "a red sofa", mask=mask, n=2, quality="standard")
    before = datetime.now(UTC)

    saved = run.results[1].save(tmp_path / f"sofa{suffix}")

    read = _read_by_others(saved.read_bytes())
    assert (read["format"], read["software"], read["earlier"]) == (1, "ttapi_nb", 0)
    (step,) = read["steps"]
    assert (step["prompt"], step["model"]) == ("a red sofa", "dall-e-2")
    assert step["options"] == {"n": 2, "size": "256x256", "quality": "standard"}
    assert step["sources"] == [{"name": "room.png", "size": [64, 64], "sha256": source.digest}]
    assert Mask.from_json(json.dumps(step["mask"]["drawing"])) == mask
    assert len(step["mask"]["sha256"]) == 64
    assert (step["strict"], step["kept"], step["offline"], step["number"]) == (True, True, True, 2)
    leak = run.results[1].leak
    assert leak is not None
    assert step["leak"] == {"share": leak.share, "mean": leak.mean}
    assert (step["fit"], step["plan"]) == ("auto", run.plan.words)
    assert step["box"] == list(run.plan.box)
    assert step["sent_size"] == list(run.request.image[0].size)
    assert step["version"] == __version__
    assert abs((datetime.fromisoformat(step["time"]) - before).total_seconds()) < 60


@pytest.mark.dear
@SUFFIXES
def test_three_edits(photo: Image.Image, mask: Mask, tmp_path: Path, suffix: str) -> None:
    """Three edits, each of the file that the one before had saved, read back in order."""
    given: Any = photo
    for number, prompt in enumerate(("a red sofa", "a blue lamp", "a green wall"), 1):
        result = _edit(given, prompt, mask=mask if number == 2 else None).results[0]
        given = result.save(tmp_path / f"{number}{suffix}")

    opened = open_result(given)

    steps = opened.lineage.steps
    assert [step.prompt for step in steps] == ["a red sofa", "a blue lamp", "a green wall"]
    assert [step["prompt"] for step in _read_by_others(given.read_bytes())["steps"]] == [
        step.prompt for step in steps
    ]
    assert [step.source.name for step in steps] == ["image", f"1{suffix}", f"2{suffix}"]
    assert steps[1].source.digest == open_image(tmp_path / f"1{suffix}").digest
    assert [step.mask for step in steps] == [None, mask, None]
    assert (opened.prompt, opened.model, opened.mask) == ("a green wall", "dall-e-2", None)


@pytest.mark.parametrize("how", ["crop", "pad"])
def test_fitted(photo: Image.Image, mask: Mask, how: str) -> None:
    """Of an edit that was fitted, the lineage holds source and mask as they were before, and how it was done."""
    wide = photo.resize((300, 100))
    drawn = mask.resize((300, 100))
    result = _edit(wide, "x", mask=drawn, fit=how).results[0]
    assert result.lineage is not None
    (step,) = result.lineage.steps
    assert (step.source.size, step.source.digest) == ((300, 100), open_image(wide).digest)
    assert (step.mask, step.fit, step.sent_size) == (drawn, how, (256, 256))
    assert step.box is not None
    assert (step.box[2] - step.box[0] >= 300) == (how == "pad")
    assert Lineage.from_json(result.lineage.to_json()) == result.lineage


def test_result_as_input(photo: Image.Image, tmp_path: Path) -> None:
    """A result that is the next edit's source passes its lineage on with no file in between, once per step."""
    first = _edit(photo, "a red sofa").results[0]
    second = _edit(first.picture, "a blue lamp").results[0]
    third = _edit(second.picture.as_format("JPEG"), "a green wall").results[0]
    for result, prompts in ((first, ["a red sofa"]), (second, ["a red sofa", "a blue lamp"])):
        assert result.lineage is not None
        assert [step.prompt for step in result.lineage.steps] == prompts
    assert len(open_result(third.save(tmp_path / "a.webp")).lineage.steps) == 3
    # Pixels that went through other hands are another picture.
    other = _edit(second.image, "x").results[0].lineage
    assert other is not None
    assert [step.prompt for step in other.steps] == ["x"]


def test_several_sources(photo: Image.Image) -> None:
    """Of several pictures each is named, and the chain is the first one's."""
    first = _edit(photo, "one").results[0].picture
    other = _edit(photo.rotate(90), "other").results[0].picture
    result = _edit([first, other], "both", model="gpt-image-1", size="1024x1024").results[0]
    assert result.lineage is not None
    assert [step.prompt for step in result.lineage.steps] == ["one", "both"]
    assert [origin.digest for origin in result.lineage.steps[-1].sources] == [first.digest, other.digest]


def test_masks_of_every_kind(photo: Image.Image, mask: Mask) -> None:
    """A mask given as a picture comes back as the same area, and no mask as none."""
    lineage = _edit(photo, "x", mask=mask.to_png()).results[0].lineage
    assert lineage is not None
    read = lineage.steps[0].mask
    assert read is not None
    assert np.array_equal(read.to_array(), mask.to_array())
    assert lineage.steps[0].mask_digest

    without = _edit(photo, "x").results[0].lineage
    assert without is not None
    assert (without.steps[0].mask, without.steps[0].mask_digest, without.steps[0].leak) == (None, "", None)


def test_large_mask(photo: Image.Image) -> None:
    """A drawing that is too large for a picture file leaves only its hash there."""
    noise = np.random.default_rng(1).integers(0, 256, (600, 600)).astype(np.uint8)
    mask = Mask.from_array(noise)
    assert len(mask.to_json()) > MASK_CAP
    result = _edit(photo.resize((600, 600)), "x", mask=mask).results[0]
    assert result.lineage is not None
    (step,) = result.lineage.steps
    assert (step.mask, len(step.mask_digest)) == (None, 64)
    assert len(result.file().data) < len(encode(result.image, "PNG")) + 5000


# What is not written


@SUFFIXES
def test_nothing_of_the_camera_the_key_or_the_machine(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, photo: Image.Image
) -> None:
    """GPS, camera, key, addresses, paths, the user's name and a gateway's own fields are in no saved file."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = "2031:01:02"
    folder = tmp_path / "SecretFolder"
    folder.mkdir()
    path = folder / "room.jpg"
    path.write_bytes(encoded(photo, "JPEG", exif=exif, xmp=b"<x>SecretHome</x>", comment=b"SecretWord"))
    assert decoded(path.read_bytes()).getexif().get_ifd(0x8825)
    monkeypatch.setenv("TT_API_KEY", KEY)
    server.answer = json_reply(
        pictures(photo) | {"data": [pictures(photo)["data"][0] | {"revised_prompt": "SecretRevised"}]}
    )

    run = edit(
        path,
        "a red sofa",
        client=Client(base_url=server.url),
        user="SecretUser",
        extra_body={"token": "SecretToken"},
        log=RunLog(tmp_path / "log"),
    )
    saved = run.results[0].save(folder / f"sofa{suffix}")

    data = saved.read_bytes()
    assert _read_by_others(data)["steps"][0]["prompt"] == "a red sofa"
    assert server.posts[0].get("TT-API-KEY") == KEY
    for secret in (KEY, "Secret", "2031", str(tmp_path), "127.0.0.1", server.origin, os.path.expanduser("~")):  # noqa: PTH111 - as text
        assert secret.encode() not in data
    found = decoded(data)
    assert dict(found.getexif()) == {}
    assert not {"exif", "icc_profile", "comment"} & set(found.info)


def test_what_is_sent_carries_no_lineage(
    server: Server, photo: Image.Image, mask: Mask, tmp_path: Path
) -> None:
    """A saved result that is edited again goes to the service as pixels and nothing else."""
    saved = _edit(photo, "the secret first prompt", mask=mask).results[0].save(tmp_path / "room.png")
    opened = open_image(saved)
    server.answer = json_reply(pictures(photo))
    result = edit(opened, "second", client=Client(KEY, base_url=server.url, wire="multipart")).results[0]
    assert result.lineage is not None
    assert len(result.lineage.steps) == 2
    assert b"the secret first prompt" not in server.posts[0].body
    for format in FORMATS.values():
        data = opened.file(format).data
        assert b"ttapi" not in data
        assert data == encode(opened.pixels, format)
    assert b"ttapi_nb" in opened.saved_file("PNG").data
    assert "secret" not in repr(opened)


def test_lineage_costs_no_pixel(photo: Image.Image, mask: Mask, tmp_path: Path) -> None:
    """A file with a lineage shows the same picture as one without."""
    result = _edit(photo, "x", mask=mask).results[0]
    for suffix, format in FORMATS.items():
        saved = result.save(tmp_path / f"a{suffix}")
        plain = decoded(result.picture.file(format).data)
        assert decoded(saved.read_bytes()).tobytes() == plain.tobytes()
        assert result.file(format).data == saved.read_bytes()


def test_saved_without(photo: Image.Image, tmp_path: Path) -> None:
    """A result can be saved without what made it, for those who keep their prompts to themselves."""
    result = _edit(photo, "a private prompt").results[0]
    saved = result.save(tmp_path / "a.png", lineage=False)
    assert saved.read_bytes() == encode(result.image, "PNG")
    assert result.lineage is not None


def test_saved_again(photo: Image.Image, tmp_path: Path) -> None:
    """An opened result that is saved again, in another format too, keeps its lineage."""
    saved = _edit(photo, "x").results[0].save(tmp_path / "a.png")
    again = open_image(open_image(saved).save(tmp_path / "b.webp")).save(tmp_path / "c.jpg")
    assert open_result(again).lineage == open_result(saved).lineage


# Any prompt


@given(st.text(st.characters()), st.sampled_from(["PNG", "JPEG", "WEBP"]))
@example("]]><!-- &amp;amp; </ttapi:lineage> \"'", "JPEG")
@example("\0\x1b[31m\u202e\u2066\ufffe\uffff\r\n\t\ud800", "WEBP")
@example("\U0001f6cb" * 32_000, "JPEG")
@example("\0" * 32_000, "WEBP")
def test_any_prompt(prompt: str, format: str) -> None:
    """Any prompt comes back from any format as it was."""
    lineage = Lineage((_step(prompt=prompt), _step(prompt="later")))
    data = encode(Image.new("RGB", (4, 4)), format, lineage.to_json())
    assert lineage_of(open_image(data)) == lineage
    assert lineage.to_json().isascii()
    if len(prompt) < 5000:
        assert _read_by_others(data)["steps"][0]["prompt"] == prompt


# How much


def test_oldest_drawings_go_first() -> None:
    """Where not all has room, the oldest drawings are left out and every step stays."""
    pixels = np.random.default_rng(1).integers(0, 256, (400, 400)).astype(np.uint8)
    steps = tuple(_drawn(Mask.from_array(pixels), prompt=str(number)) for number in range(8))
    assert 8 * len(steps[0].drawing) > TEXT_CAP
    text = Lineage(steps).to_json()
    assert len(text) <= TEXT_CAP
    read = Lineage.from_json(text)
    assert [step.prompt for step in read.steps] == [str(number) for number in range(8)]
    kept = [bool(step.drawing) for step in read.steps]
    assert kept == sorted(kept)
    assert 0 < kept.count(True) < 8
    assert all(step.mask_digest == "cd" * 32 for step in read.steps)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "length"), [(STEPS_CAP + 50, 10), (6, 30_000)])
def test_long_chains(count: int, length: int) -> None:
    """Of a chain that is too long the newest steps are written, and how many came before."""
    source, picture = SourceImage(Image.new("RGB", (4, 4))), Image.new("RGB", (4, 4))
    for number in range(count):
        step = _step(prompt=f"{number} " + "\U0001f6cb" * length)
        source = SourceImage(picture).with_lineage(next_lineage(source, step).to_json())
    lineage = lineage_of(source)
    assert lineage is not None
    assert 1 <= len(lineage.steps) < count
    assert lineage.earlier + len(lineage.steps) == count
    assert lineage.steps[-1].prompt.startswith(f"{count - 1} ")
    assert f"{count} steps" in repr(lineage)


def test_no_room_at_all(tmp_path: Path) -> None:
    """A prompt that no file has room for, sent unchecked, leaves a file without a lineage."""
    text = Lineage((_step(prompt="x" * (TEXT_CAP + 1)),)).to_json()
    assert text == ""
    saved = SourceImage(Image.new("RGB", (4, 4))).with_lineage(text).save(tmp_path / "a.png")
    assert lineage_of(open_image(saved)) is None


def test_unchecked_fields(server: Server, photo: Image.Image, tmp_path: Path) -> None:
    """What was sent unchecked, whatever it was, leaves a lineage that can be read."""
    server.answer = json_reply(pictures(photo))
    run = edit(
        photo,
        7,  # type: ignore[arg-type]
        client=Client(KEY, base_url=server.url),
        check=False,
        # A log would refuse to write some of these down.
        log=False,
        model="m" * 999,
        size="s" * 999,
        n=1.5,  # type: ignore[arg-type]
        quality=["x"],  # type: ignore[arg-type]
        background="opaque",
    )
    step = open_result(run.results[0].save(tmp_path / "a.png")).step
    assert (step.prompt, len(step.model), dict(step.options)) == ("7", 200, {"background": "opaque"})


def test_trouble_in_writing_it_down(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what made a result can't be written down, the result is there all the same, and the run says so."""

    def fails(*_: Any, **__: Any) -> Any:
        raise ValueError("no room")

    for part in ("signing.next_lineage", "signing.step_of"):
        monkeypatch.setattr(f"ttapi_nb.run.{part}", fails)
        run = _edit(photo, "x")
        assert run.results[0].lineage is None
        assert "could not be written down (ValueError: no room)" in run.note


# Opening


def test_open_result(photo: Image.Image, mask: Mask, tmp_path: Path) -> None:
    """A saved result brings back its picture, prompt, options, mask and, where it lies beside it, its source."""
    photo.save(tmp_path / "room.png")
    run = _edit(tmp_path / "room.png", "a red sofa", mask=mask)
    saved = run.results[0].save(tmp_path / "sofa.png")

    opened = open_result(str(saved))

    assert opened.picture.pixels.tobytes() == run.results[0].image.tobytes()
    assert (opened.prompt, opened.model, dict(opened.options)) == (
        "a red sofa",
        "dall-e-2",
        {"n": 1, "size": "256x256"},
    )
    assert opened.mask == mask
    assert opened.source is not None
    assert opened.source.pixels.tobytes() == photo.tobytes()
    again = _edit(opened.source, opened.prompt, mask=opened.mask, **opened.options)
    assert again.results[0].image.tobytes() == opened.picture.pixels.tobytes()
    assert (
        repr(opened)
        == "OpenedResult(SourceImage('sofa.png', 64x64, PNG), Lineage(1 step, last: 'a red sofa'))"
    )


def test_open_result_from_anywhere(photo: Image.Image, tmp_path: Path) -> None:
    """Bytes, an upload and an opened picture do as well as a path; their source is not looked for."""
    photo.save(tmp_path / "room.png")
    result = _edit(tmp_path / "room.png", "x").results[0]
    data = result.file("WEBP").data
    for file in (
        data,
        io.BytesIO(data),
        {"name": "a.webp", "content": data},
        open_image(data),
        result.picture,
    ):
        opened = open_result(file)
        assert (opened.prompt, opened.source) == ("x", None)


@pytest.mark.parametrize("where", ["another name", "another format", "given", "altered", "gone", "a pipe"])
def test_the_source(photo: Image.Image, tmp_path: Path, where: str) -> None:
    """The source is found by its pixels, whatever its name, and a picture with other pixels is not taken for it."""
    photo.save(tmp_path / "room.png")
    saved = _edit(tmp_path / "room.png", "x").results[0].save(tmp_path / "sofa.png")
    (tmp_path / "notes.png").write_text("no picture")
    whole = encoded(photo)
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "room.png").rename(tmp_path / "old.png")
    given: Any = None
    if where == "another format":
        (tmp_path / "old.webp").write_bytes(encode(Image.open(tmp_path / "old.png"), "WEBP"))
        (tmp_path / "old.png").unlink()
    elif where in ("given", "gone", "a pipe"):
        data = (tmp_path / "old.png").read_bytes()
        (tmp_path / "old.png").unlink()
        given = data if where == "given" else None
        if where == "a pipe" and hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "room.png")
    elif where == "altered":
        photo.putpixel((0, 0), (1, 2, 3))
        photo.save(tmp_path / "old.png")
        photo.save(tmp_path / "room.png")
    found = open_result(saved, source=given).source
    assert (found is None) == (where in ("altered", "gone", "a pipe"))
    if found is not None:
        assert found.pixels.tobytes() == photo.tobytes()


def test_another_source(photo: Image.Image, tmp_path: Path) -> None:
    """A source that is given and is another picture is refused, with the name of the right one."""
    photo.save(tmp_path / "room.png")
    saved = _edit(tmp_path / "room.png", "x").results[0].save(tmp_path / "sofa.png")
    with pytest.raises(ResultError, match=r"'image' is not the picture.*'room.png', 64x64"):
        open_result(saved, source=photo.rotate(90))


def test_no_lineage(photo: Image.Image, tmp_path: Path) -> None:
    """A picture without a lineage says so, and with what to open it."""
    photo.save(tmp_path / "room.png")
    with pytest.raises(ResultError, match=r"'room.png' carries no lineage.*open_image\(\)"):
        open_result(tmp_path / "room.png")
    with pytest.raises(ImageError, match="no file"):
        open_result(tmp_path / "nope.png")


def test_newer_format() -> None:
    """A lineage of a later version says what to do, and the picture opens all the same."""
    data = _png(json.dumps({"format": 2, "steps": "in another way"}))
    with pytest.raises(ResultError, match="newer ttapi_nb"):
        open_result(data)
    assert lineage_of(open_image(data)) is None


def test_shows_itself(photo: Image.Image) -> None:
    """In a notebook an opened result shows the picture and its steps, with nothing of a prompt taken for HTML."""
    first = _edit(photo, "<script>alert(1)</script>\u202e" + "x" * 900).results[0]
    second = _edit(first.picture, "two").results[0]
    shown = open_result(second.picture)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert shown.index("&lt;script&gt;") < shown.index("two")
    assert "embedded service" in shown
    assert len(repr(open_result(first.picture))) < 200


# Hostile files


def _png(text: str) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("ttapi_nb", text)
    return encoded(Image.new("RGB", (4, 4)), pnginfo=chunks)


def _damaged() -> dict[str, str]:
    good = json.loads(Lineage((_drawn(Mask((64, 64)).rectangle((1, 1, 9, 9))),)).to_json())

    def with_step(**fields: Any) -> str:
        return json.dumps(good | {"steps": [good["steps"][0] | fields]})

    origin = good["steps"][0]["sources"][0]
    return {
        "no json": "]]>",
        "deep": "[" * 900_000,
        "deep in a mask": with_step(mask={"sha256": "ab" * 32, "drawing": "@"}).replace(
            '"@"', "[" * 100_000 + "]" * 100_000
        ),
        "long number": '{"format": ' + "9" * 10_000 + "}",
        "infinity": with_step(leak={"share": 0.5, "mean": "@"}).replace('"@"', "1e999"),
        "nan": with_step(leak={"share": "@", "mean": 1}).replace('"@"', "NaN"),
        "a list": "[]",
        "null": "null",
        "format of another type": json.dumps(good | {"format": True} | {"format": "1"}),
        "no steps": json.dumps(good | {"steps": []}),
        "a million steps": json.dumps({"format": 1, "steps": [0] * 300_000}),
        "many steps": json.dumps(good | {"steps": [good["steps"][0]] * (STEPS_CAP + 1)}),
        "steps are text": json.dumps(good | {"steps": "abc"}),
        "earlier is negative": json.dumps(good | {"earlier": -1}),
        "prompt is a list": with_step(prompt=["x"]),
        "model is long": with_step(model="x" * 1000),
        "options are a list": with_step(options=[]),
        "an option is a dict": with_step(options={"size": {"a": 1}}),
        "a source is null": with_step(sources=[None]),
        "digest": with_step(sources=[origin | {"sha256": "../../x"}]),
        "size": with_step(sources=[origin | {"size": [0, 10]}]),
        "size of three": with_step(sources=[origin | {"size": [1, 2, 3]}]),
        "size of bools": with_step(sources=[origin | {"size": [True, True]}]),
        "mask without a hash": with_step(mask={"drawing": {}}),
        "time": with_step(time="yesterday"),
        "time without a zone": with_step(time="2026-01-02T03:04:05"),
        "time out of range": with_step(time="0001-01-01T00:00:00+23:59"),
        "number": with_step(number=0),
        "offline": with_step(offline="no"),
    }


@pytest.mark.parametrize("kind", _damaged())
def test_damaged_lineage(kind: str) -> None:
    """A lineage that is not what it should be is refused in a sentence, and the picture opens without it."""
    data = _png(_damaged()[kind])
    with pytest.raises(ResultError, match=r"damaged.*open_image"):
        open_result(data)
    picture = open_image(data)
    assert lineage_of(picture) is None
    result = _edit(picture.as_format("PNG"), "x").results[0]
    assert result.lineage is not None
    assert [step.prompt for step in result.lineage.steps] == ["x"]


@pytest.mark.slow
@given(st.data())
def test_any_change_of_any_value(data: st.DataObject) -> None:
    """Whatever stands in place of any value of a lineage, it is read or refused, and what is read can be written."""
    mask = Mask((64, 64)).rectangle((1, 1, 9, 9)).paint([(3, 3)]).grow(2)
    good = json.loads(
        Lineage((_drawn(mask, leak=(0.5, 3.0), sent_size=(64, 64), box=(0, -3, 64, 64)),)).to_json()
    )
    at: Any = good
    while True:
        key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))
        if not at[key] or not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        )
    )
    try:
        lineage = Lineage.from_json(json.dumps(good))
    except ResultError:
        return
    assert Lineage.from_json(lineage.to_json()) == lineage
    drawn = lineage.steps[0].mask
    assert drawn is None or drawn.coverage().shape == (64, 64)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text(text: str) -> None:
    """Any text in a lineage's place is no lineage, and no harm."""
    with pytest.raises(ResultError):
        open_result(SourceImage(Image.new("RGB", (4, 4))).with_lineage(text or " "))


def test_names_lead_nowhere(tmp_path: Path, photo: Image.Image) -> None:
    """A source's name in a file is only ever a name: it leads out of no folder, and shows no hidden characters."""
    for name, bare in (
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\room.png", "room.png"),
        ("\\\\server\\share\\a.png", "a.png"),
        ("ro\u202egnp.om\n\0", "rognp.om"),
        ("..", "image"),
        ("", "image"),
        ("x" * 5000, "x" * 100),
    ):
        text = Lineage((_step(sources=(Origin(name, (64, 64), "ab" * 32),)),)).to_json()
        assert Lineage.from_json(text).steps[0].source.name == bare
    # It would be found, were the name believed.
    (tmp_path / "inner").mkdir()
    photo.save(tmp_path / "outside.png")
    origin = Origin("../outside.png", (64, 64), open_image(photo).digest)
    path = tmp_path / "inner" / "a.png"
    path.write_bytes(_png(Lineage((_step(sources=(origin,)),)).to_json()))
    assert open_result(path).source is None


def _bombs() -> dict[str, Mask]:
    grown = Mask((8000, 8000)).rectangle((1, 1, 9, 9))
    for _ in range(2000):
        grown = Mask(grown.size, (*grown.marks, *Mask(grown.size).grow(10_000).marks))
    corners = [(0, 0), (8000, 8000)] * 1000
    return {
        "grown": grown,
        "strokes": Mask((8000, 8000)).paint(corners, radius=900_000),
        "ellipses": Mask((8000, 8000), Mask((8000, 8000)).ellipse((0, 0, 8000, 8000)).marks * 1500),
        "feathers": Mask((8000, 8000), Mask((8000, 8000)).feather(5).marks * 3000),
        "another size": Mask((100, 100)).rectangle((1, 1, 9, 9)),
    }


@pytest.mark.parametrize("kind", _bombs())
def test_masks_that_would_take_hours(kind: str) -> None:
    """A small drawing that asks for hours of work, or is for another picture, is not brought back."""
    step = replace(_drawn(_bombs()[kind]), sources=(Origin("room.png", (8000, 8000), "ab" * 32),))
    assert len(step.drawing) < MASK_CAP
    start = time.monotonic()
    assert step.mask is None
    assert time.monotonic() - start < 5


def test_drawings_that_are_none() -> None:
    """A drawing that is no mask is none, and the rest of the step is read."""
    step = replace(_drawn(Mask((64, 64)).rectangle((1, 1, 9, 9))), drawing='{"version":1,"size":[64,64]}')
    read = Lineage.from_json(Lineage((step,)).to_json()).steps[0]
    assert read == step
    assert read.mask is None


def test_heavy_but_honest_masks() -> None:
    """What people really draw on a large photo is brought back."""
    spiral = [(3000 + at * 2, 2000 + (at % 50) * 20) for at in range(500)]
    mask = Mask((6000, 4000)).paint(spiral, radius=300).ellipse((10, 10, 5000, 3000)).grow(60).feather(20)
    step = replace(_drawn(mask), sources=(Origin("room.png", (6000, 4000), "ab" * 32),))
    assert step.mask == mask


@pytest.mark.slow
def test_compressed_text_bomb() -> None:
    """A compressed text that unpacks to more than Pillow allows is skipped, and is no lineage."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    plain = encoded(Image.new("RGB", (4, 4)))
    bomb = b"ttapi_nb\0\1\0\0\0" + zlib.compress(bytes(200_000_000), 9)
    data = plain[:33] + chunk(b"iTXt", bomb) + plain[33:]
    assert any("skipped" in words for words in open_image(data).changes)
    with pytest.raises((ImageError, ResultError), match=r"no lineage"):
        open_result(data)


def test_unreadable_mask_in_a_request(photo: Image.Image) -> None:
    """A mask that says nothing, which can be sent unchecked, leaves a step without one."""
    request = EditRequest(image=(open_image(photo),), prompt="x", mask=open_image(photo))
    step = step_of(prepared(request))
    assert (step.mask_digest, step.mask) == ("", None)


def test_steps_are_values() -> None:
    """A step's options can't be changed behind its back."""
    step = _step()
    with pytest.raises(TypeError):
        step.options["n"] = 3  # type: ignore[index]


LARGE = {
    "an ellipse": lambda mask: mask.ellipse((0, 0, 10_000, 10_000)),
    "a polygon": lambda mask: mask.polygon([(0, 0), (10_000, 0), (0, 10_000), (9_999, 9_999)]),
    "a rectangle": lambda mask: mask.rectangle((0, 0, 10_000, 10_000)),
    "a brush": lambda mask: mask.paint([(5000, 5000)], radius=9000),
    "a stroke from outside": lambda mask: mask.paint([(-9000, -9000), (10_000, 10_000)], radius=1),
}


@pytest.mark.parametrize("kind", LARGE)
def test_marks_over_all_of_a_large_photo_are_brought_back(kind: str) -> None:
    """What somebody may well paint on 100 megapixels can be drawn again, and is."""
    step = replace(
        _drawn(LARGE[kind](Mask((10_000, 10_000)))), sources=(Origin("a.png", (10_000, 10_000), "ab" * 32),)
    )
    assert step.mask is not None


HEAVY = {
    "many brushes": lambda mask: mask.paint([(at, 5000) for at in range(0, 10_000, 2)], radius=4000),
    "many ellipses": lambda mask: functools.reduce(
        lambda one, _: one.ellipse((0, 0, 10_000, 10_000)), range(9), mask
    ),
    "growing": lambda mask: mask.rectangle((1, 1, 9, 9)).grow(30),
    "growing far": lambda mask: mask.rectangle((1, 1, 9, 9)).shrink(9000),
}


@pytest.mark.parametrize("kind", HEAVY)
def test_masks_that_would_fill_the_memory(kind: str) -> None:
    """A small drawing that would take minutes or gigabytes to draw again is not brought back."""
    step = replace(
        _drawn(HEAVY[kind](Mask((10_000, 10_000)))), sources=(Origin("a.png", (10_000, 10_000), "ab" * 32),)
    )
    assert len(step.drawing) < 200_000
    assert step.mask is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipes_and_links_beside_a_result_are_not_opened(photo: Image.Image, tmp_path: Path) -> None:
    """Where a source is looked for, what is no regular file is passed over: a pipe would keep its reader for ever."""
    os.mkfifo(tmp_path / "room.png")
    (tmp_path / "other.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    photo.save(tmp_path / "z.png")
    source = open_image(photo)
    origin = Origin("room.png", (64, 64), source.digest)
    path = tmp_path / "result.png"
    path.write_bytes(_png(Lineage((_step(sources=(origin,)),)).to_json()))
    found = open_result(path).source
    assert found is not None
    assert found.name == "z.png"

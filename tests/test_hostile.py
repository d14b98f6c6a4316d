"""Input made to do harm gets one of our errors, in bounded time and memory, and nothing of the user's is lost.

What single modules refuse is shown beside them (`test_picture`, `test_replies`, `test_responses`, `test_download`,
`test_cassette`); here is what goes through several of them, and what it costs.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import textwrap
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.server import Reply, Server, decoded, encoded, html_reply, json_reply, pictures
from ttapi_nb import (
    Client,
    ImageEditor,
    ImageError,
    InvalidRequestError,
    Mask,
    ResultError,
    SourceImage,
    TTAPIError,
    UnknownOutcomeError,
    edit,
    open_image,
    open_result,
)
from ttapi_nb.request import EditRequest, Options

KEY = "test-key-0123456789"
SMALL: Options = {"model": "dall-e-2", "size": "256x256"}
MB = 10**6
BLOCK = 2**20
NOISE = Image.effect_noise((64, 64), 40).convert("RGB")

linux = pytest.mark.skipif(sys.platform != "linux", reason="the figure comes from Linux")


# Pictures


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(count: int) -> bytes:
    """What zlib makes of so many zeros, without packing them all: after a full flush each block is like the first."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = pack.compress(bytes(BLOCK)) + pack.flush(zlib.Z_FULL_FLUSH)
    rest = pack.compress(bytes(count % BLOCK)) + pack.flush()
    # Adler-32 of zeros: one sum stays 1, and the other grows by it.
    return b"\x78\xda" + block * (count // BLOCK) + rest + struct.pack(">HH", count % 65521, 1)


@functools.cache
def flat_png(width: int, height: int, colour: int = 2, depth: int = 8) -> bytes:
    """A whole PNG of one colour, made without the memory that its pixels would take."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    packed = zeros(height * (1 + (width * channels * depth + 7) // 8))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(3 * 256)) if colour == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + palette + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def texts_png(count: int, length: int) -> bytes:
    """A PNG with so many packed texts of such a length."""
    texts = PngImagePlugin.PngInfo()
    for number in range(count):
        texts.add_text(f"text {number}", "x" * length, zip=True)
    return encoded(NOISE, pnginfo=texts)


EXIF = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\3\0\0\xff\xff"
PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "628 MB in 481 KiB": (lambda: flat_png(13_000, 13_000), "million pixels"),
    "4 GB in one bit": (lambda: flat_png(60_000, 60_000, 0, 1), "million pixels"),
    "one endless line": (lambda: flat_png(200_000_000, 1, 0, 1), "million pixels"),
    "cut off": (lambda: encoded(NOISE)[:-2000], "damaged"),
    "cut off WEBP": (lambda: encoded(NOISE, "WEBP", lossless=True)[:-2000], "can't be used"),
    "SVG named .png": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "SVG"),
    "HTML named .png": (lambda: b"<!doctype html><script>alert(1)</script>" * 1000, "web page"),
}
TAKEN: dict[str, Callable[[], bytes]] = {
    # Browsers show these: what is too long is skipped, unread.
    "packed text of 50 MB": lambda: texts_png(1, 50_000_000),
    "90 packed texts of 1 MB": lambda: texts_png(90, 1_000_000),
    "profile of 30 MB": lambda: encoded(NOISE, icc_profile=bytes(30_000_000)),
    "APNG": lambda: encoded(NOISE, save_all=True, append_images=[NOISE.rotate(90)] * 50),
    "animated WEBP": lambda: encoded(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(90)] * 50),
    "16 bits": lambda: encoded(Image.new("I;16", (64, 64), 40_000)),
    "CMYK": lambda: encoded(Image.new("CMYK", (64, 64)), "JPEG"),
    "CMYK with a broken profile": lambda: encoded(
        Image.new("CMYK", (64, 64)), "JPEG", icc_profile=b"garbage"
    ),
    "palette": lambda: encoded(NOISE.convert("P")),
    "one bit": lambda: encoded(NOISE.convert("1")),
    "broken profile": lambda: encoded(NOISE, icc_profile=b"garbage" * 100),
    "broken EXIF": lambda: encoded(NOISE, "JPEG", exif=EXIF),
    "broken EXIF in PNG": lambda: encoded(NOISE, exif=EXIF[6:]),
    "broken EXIF in WEBP": lambda: encoded(NOISE, "WEBP", exif=EXIF),
    "EXIF that is none": lambda: encoded(NOISE, "JPEG", exif=b"Exif\0\0garbage garbage"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_that_are_refused(kind: str, tmp_path: Path) -> None:
    """A picture that is none, or would fill the memory, is refused by the endpoint's call before anything is sent."""
    make, words = PICTURES[kind]
    path = tmp_path / "photo.png"
    path.write_bytes(make())
    for source in (path, path.read_bytes(), {"name": "photo.png", "content": path.read_bytes()}):
        with pytest.raises(ImageError, match=words):
            Client.offline().images.edit(image=source, prompt="x")


@pytest.mark.parametrize("kind", TAKEN)
def test_pictures_that_are_taken(kind: str) -> None:
    """An odd picture is opened upright in 8 bits, a broken note in it does no harm, and no warning is shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = open_image(TAKEN[kind]())
    assert (opened.size, opened.pixels.mode) == ((64, 64), "RGB")
    # Only pixels: none of Pillow's classes that keep what else was in a file.
    assert type(opened.pixels) is Image.Image
    assert opened.pixels.info == {}
    assert not opened.pixels.getexif()


def test_a_broken_picture_is_broken_the_second_time_too() -> None:
    """A picture that can't be read to its end is never shown in part, however often it is looked at."""
    half = Image.open(io.BytesIO(encoded(NOISE)[:-2000]))
    for _ in range(3):
        with pytest.raises(ImageError):
            open_image(half)
        half = Image.open(io.BytesIO(encoded(NOISE)[:-2000]))


whole = [
    encoded(NOISE),
    encoded(NOISE, "JPEG", exif=EXIF),
    encoded(NOISE, "WEBP"),
    encoded(NOISE.convert("P")),
]


@given(
    st.sampled_from(whole),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=6)), max_size=6),
    st.none() | st.integers(0, 12_000),
)
def test_mutated_pictures(data: bytes, changes: list[tuple[int, bytes]], end: int | None) -> None:
    """A picture with bytes changed anywhere, or cut off, is opened or refused by our error, and nothing else."""
    changed = bytearray(data)
    for place, new in changes:
        start = place % len(changed)
        changed[start : start + len(new)] = new
    opened, problem = None, ""
    try:
        opened = open_image(bytes(changed[:end]))
    except ImageError as error:
        problem = str(error)
    assert problem.endswith(".") if opened is None else opened.pixels.mode in ("RGB", "RGBA")


# What it costs, measured in a process of its own.

MEASURE = """
    import json, os, pathlib, re, sys, time
    import ttapi_nb as tt
    from ttapi_nb import picture
    from ttapi_nb.client import sending

    def peak():
        # Not getrusage: there a process starts with the peak of the one that started it.
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s*([0-9]+)", status)[1]) // 1024

    def refuse(path):
        try:
            tt.open_image(path)
        except tt.ImageError:
            return
        raise SystemExit(f"{path} was opened")

    def measured(work):
        tt.open_image(tt.sample())
        before, began = peak(), time.monotonic()
        try:
            exec(work)
            said = "done"
        except tt.TTAPIError as error:
            said = type(error).__name__
        return [said, peak() - before, time.monotonic() - began]

    for line in sys.stdin:
        work, *sys.argv[1:] = json.loads(line)
        number = os.fork()
        if number == 0:
            try:
                print(json.dumps(measured(work)), flush=True)
            except BaseException as error:
                print(json.dumps([repr(error), 0, 0]), flush=True)
            finally:
                os._exit(0)
        os.waitpid(number, 0)
"""
Cost = Callable[..., tuple[str, int, float]]


@contextlib.contextmanager
def measuring() -> Iterator[Cost]:
    """Gives what tells what came of some work in a fresh process, the MB it took at its most, and the seconds.

    Python starts once, and forks for each: at a fork the kernel forgets the peak.
    """
    # For a fixture of a module the tests' environment is not made yet.
    environment = {name: value for name, value in os.environ.items() if name != "TTAPI_OFFLINE"}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MEASURE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"TT_API_KEY": KEY},
    ) as process:
        asks, answers = process.stdin, process.stdout
        assert asks is not None
        assert answers is not None

        def ask(work: str, *arguments: object) -> tuple[str, int, float]:
            asks.write(json.dumps([work, *map(str, arguments)]) + "\n")
            asks.flush()
            said, megabytes, seconds = json.loads(answers.readline())
            return said, megabytes, seconds

        try:
            yield ask
        finally:
            process.kill()


@pytest.fixture(name="cost", scope="module")
def shared_cost() -> Iterator[Cost]:
    """One that all tests here share."""
    with measuring() as ask:
        yield ask


def cost(work: str, *arguments: object) -> tuple[str, int, float]:
    """What came of `work` in a fresh process, the MB it took at its most, and the seconds: for a single one."""
    with measuring() as ask:
        return ask(work, *arguments)


@linux
@pytest.mark.slow
def test_bombs_cost_little(cost: Cost, tmp_path: Path) -> None:
    """All the bombs above together take less than 100 MB and a few seconds to refuse, or to open without them."""
    for number, (make, _) in enumerate(PICTURES.values()):
        (tmp_path / f"{number}.png").write_bytes(make())
    for number, name in enumerate(("packed text of 50 MB", "90 packed texts of 1 MB", "profile of 30 MB")):
        (tmp_path / f"taken-{number}.png").write_bytes(TAKEN[name]())
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 2 * MB
    work = "[(tt.open_image if 'taken' in path else refuse)(path) for path in sys.argv[1:]]"
    said, megabytes, seconds = cost(work, *tmp_path.iterdir())
    assert said == "done"
    assert megabytes < 100
    assert seconds < 10


@linux
@pytest.mark.slow
def test_a_large_picture_is_copied_once(cost: Cost, tmp_path: Path) -> None:
    """The largest pictures are allowed, and cost twice their pixels, which Pillow keeps in four bytes each."""
    path = tmp_path / "large.png"
    path.write_bytes(flat_png(6000, 6000))
    said, megabytes, _ = cost("tt.open_image(sys.argv[1])", path)
    assert said == "done"
    assert megabytes * MB < 2.4 * 4 * 6000 * 6000


# Replies


GOOD: dict[str, Any] = pictures(NOISE)
ITEM: dict[str, Any] = GOOD["data"][0]


def b64(data: bytes) -> dict[str, str]:
    """A result of these bytes."""
    return {"b64_json": base64.b64encode(data).decode()}


def raw(body: bytes, **more: Any) -> Reply:
    """A 200 with this body."""
    return Reply(200, body, **more)


@functools.cache
def packed_zeros(megabytes: int) -> bytes:
    """So many MB of zeros, gzipped: one of them is packed, and repeated."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    one = pack.compress(bytes(MB)) + pack.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(megabytes):
        check = zlib.crc32(bytes(MB), check)
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return head + one * megabytes + pack.flush() + struct.pack("<II", check, megabytes * MB)


PACKED = {"headers": {"Content-Encoding": "gzip"}}
REPLIES: dict[str, tuple[Callable[[], Reply], str]] = {
    "larger than any answer": (lambda: raw(b" " * 60 * MB), "UnknownOutcomeError"),
    "gzip bomb": (lambda: raw(packed_zeros(500), **PACKED), "UnknownOutcomeError"),
    "gzip in gzip": (lambda: raw(gzip.compress(gzip.compress(b"{}")), **PACKED), "UnknownOutcomeError"),
    "gzip that is none": (lambda: raw(b"{}", **PACKED), "UnknownOutcomeError"),
    "gzip cut off": (
        lambda: raw(gzip.compress(json.dumps(GOOD).encode())[:60], **PACKED),
        "UnknownOutcomeError",
    ),
    "a million lists": (lambda: raw(b'{"data":[' + b"[]," * 15 * MB + b"[]]}"), "UnknownOutcomeError"),
    "a million names": (
        lambda: raw(b"{" + b",".join(b'"%d":0' % number for number in range(3 * MB)) + b"}"),
        "UnknownOutcomeError",
    ),
    "deep lists": (lambda: raw(b"[" * 40 * MB), "UnknownOutcomeError"),
    "deep in data": (lambda: raw(b'{"data":' + b"[" * 90_000 + b"]" * 90_000 + b"}"), "UnknownOutcomeError"),
    "a number of 10 million digits": (
        lambda: raw(b'{"data": ' + b"9" * 10 * MB + b"}"),
        "UnknownOutcomeError",
    ),
    "cut in a character": (lambda: raw(json.dumps(GOOD).encode() + b"\xff"), "done"),
    "many results that are none": (lambda: json_reply({"data": [None] * 20_000}), "done"),
    "NaN": (lambda: raw(json.dumps(GOOD | {"created": float("nan")}).encode()), "done"),
    "infinite usage": (
        lambda: raw(json.dumps(GOOD | {"usage": {"total_tokens": float("inf")}}).encode()),
        "done",
    ),
    "the same name twice": (
        lambda: raw(b'{"data": [], "data": ' + json.dumps(GOOD["data"]).encode() + b"}"),
        "done",
    ),
    "a picture bomb": (lambda: json_reply({"data": [b64(flat_png(13_000, 13_000))]}), "done"),
    "a prompt of 30 MB": (lambda: json_reply({"data": [ITEM | {"revised_prompt": "x" * 30 * MB}]}), "done"),
    "a message of 30 MB": (lambda: json_reply({"error": {"message": "x" * 30 * MB}}, 400), "RefusedError"),
    "a page of 40 MB": (lambda: Reply(502, b"<p>" * 13 * MB, mime="text/html"), "UnknownOutcomeError"),
}


@linux
@pytest.mark.slow
@pytest.mark.parametrize("kind", REPLIES)
def test_hostile_reply_costs_little(server: Server, cost: Cost, kind: str) -> None:
    """A reply made to fill the memory takes less than 300 MB and ends well before the deadline; nothing is re-sent."""
    make, expected = REPLIES[kind]
    server.answer = make()
    work = "tt.Client(base_url=sys.argv[1], timeout=20).images.edit(image=b64decode(sys.argv[2]), prompt='x')"
    photo = base64.b64encode(encoded(NOISE.resize((16, 16)))).decode()
    said, megabytes, seconds = cost(
        work.replace("b64decode", "__import__('base64').b64decode"), server.url, photo
    )
    assert said == expected
    assert megabytes < 300
    assert seconds < 20
    assert len(server.posts) == 1


ODD: dict[str, Any] = {
    "created": [None, "now", -5, 10**30, 1e308, True, [], {}],
    "usage": [
        None,
        [],
        "many",
        {"total_tokens": -7},
        {"total_tokens": 10**30},
        {"total_tokens": True},
        {"input_tokens_details": [1]},
    ],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in ODD for value in ODD[name]], ids=str)
def test_odd_figures(server: Server, photo: Image.Image, name: str, value: Any) -> None:
    """A figure that can't be one is None, and neither the picture nor the run's row is lost to it."""
    server.answer = json_reply(GOOD | {name: value})
    run = edit(photo, "x", client=Client(KEY, base_url=server.url))
    assert run.results[0].image.size == (64, 64)
    assert run.log is not None
    assert run.log.rows()[0].state == "done"
    figure = run.response.usage.total_tokens if run.response and run.response.usage else None
    assert figure is None or 0 <= figure <= 10**12


@pytest.mark.parametrize(("asked", "came"), [(1, 2), (2, 1), (3, 50), (10, 1)])
def test_wrong_count(server: Server, photo: Image.Image, asked: int, came: int) -> None:
    """Another number of results than was asked for is said, and those that came are there."""
    server.answer = json_reply(GOOD | {"data": [ITEM] * came})
    run = edit(photo, "x", client=Client(KEY, base_url=server.url), n=asked)
    # No model makes more than ten.
    assert len(run.results) == min(came, 10)
    assert f"asked for {asked}" in run.note
    assert f"sent {came}" in run.note


def test_half_characters_in_a_reply(server: Server, photo: Image.Image, tmp_path: Path) -> None:
    """Half a character, which nothing can write down, becomes a question mark before it reaches log, file or screen."""
    client = Client(KEY, base_url=server.url)
    server.answer = raw(json.dumps({"data": [ITEM | {"revised_prompt": "a \ud83d sofa"}]}).encode())
    run = edit(photo, "x", client=client)
    assert run.results[0].data.revised_prompt == "a ? sofa"
    run.results[0].save(tmp_path / "a.png")
    server.answer = raw(json.dumps({"error": {"message": "no \udc00", "code": "\ud800"}}).encode())
    with pytest.raises(TTAPIError) as caught:
        edit(photo, "x", client=client)
    assert "no ?" in str(caught.value).encode().decode()


@pytest.mark.slow
def test_nothing_is_lost(server: Server, photo: Image.Image) -> None:
    """Whatever a reply does, the drawing, the prompt and the earlier results stay in the editor, and it runs on."""
    editor = ImageEditor(photo, client=Client(KEY, base_url=server.url), prompt="a red sofa", log=False)
    editor.mask = Mask((64, 64)).rectangle((8, 8, 40, 40))
    editor.run().wait(20)
    before = (editor.mask, editor.prompt, editor.image, editor.results)
    assert len(editor.results) == 1
    replies = [
        *(make() for kind, (make, said) in REPLIES.items() if said != "done" and "MB" not in kind),
        *(html_reply(status) for status in (200, 403, 500, 524)),
        json_reply({"data": [b64(b"<script>alert(1)</script>")]}),
        json_reply({"data": [b64(flat_png(13_000, 13_000))]}),
        json_reply({"data": [{"b64_json": "%"}, {"url": "javascript:alert(1)"}, None]}),
    ]
    for reply in replies:
        server.answer = reply
        run = editor.run()
        with pytest.raises(TTAPIError):
            run.wait(20)
        assert (editor.mask, editor.prompt, editor.image, editor.results) == before
        assert not editor.problems
    server.answer = json_reply(GOOD)
    editor.run().wait(20)
    assert editor.results[0] is not before[3][0]
    assert len(server.posts) == len(replies) + 2
    editor.close()


@pytest.mark.parametrize(
    "data",
    [
        b"<html><script>alert(1)</script></html>",
        b"<svg onload='alert(1)'/>",
        b"",
        encoded(NOISE)[:-3000],
        b"GIF89a" + bytes(50),
        flat_png(60_000, 60_000, 0, 1),
    ],
    ids=["html", "svg", "empty", "cut off", "gif", "bomb"],
)
def test_results_that_are_no_picture(server: Server, photo: Image.Image, tmp_path: Path, data: bytes) -> None:
    """A paid result that is no picture is an error of ours where it is shown or saved, and its bytes are kept."""
    server.answer = json_reply({"data": [b64(data), ITEM]})
    response = Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x", n=2)
    bad, good = response.data
    assert good.image.size == (64, 64)
    for look in (lambda: bad.image, lambda: bad.save(tmp_path / "a.png")):
        with pytest.raises(ResultError):
            look()
    assert bad.data == (data or None)
    assert "<script" not in response._repr_html_()


# Words


PROMPTS = {
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Markdown": "# [click](javascript:alert(1)) `code` ![](http://127.0.0.1/x.png)",
    "ANSI": "\x1b[31mred\x1b]0;title\x07 \x9b31m",
    "bidi": "\u202etxet desrever\u202c \u2066isolated\u2069",
    "null": "a\0b",
    "controls": "a\r\nb\tc\x08\x7f\x85\u2028",
    "path": "../../etc/passwd",
    "Windows path": "C:\\Users\\x\\photo.png",
    "URL": "file:///etc/passwd",
    "header": "x\r\nTT-API-KEY: stolen\r\n\r\n",
    "form": '--boundary\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-2',
    "JSON": '", "n": 10, "x": "',
    "format": "%s %n {0} {client} ${HOME} $(id) `id`",
    "SQL": "'); DROP TABLE runs; --",
    "emoji": "👩‍👩‍👧‍👦 \U0001f468\u200d\U0001f680 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
    "auto": "auto",
    "formula": "=cmd|' /C calc'!A0",
    "long": "ÿ" * 32_000,
}


@pytest.mark.parametrize("kind", PROMPTS)
@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_prompts_arrive_as_they_are(server: Server, photo: Image.Image, kind: str, wire: Any) -> None:
    """Every prompt reaches the service letter for letter, and nothing in it is taken for something else."""
    prompt = PROMPTS[kind]
    Client(KEY, base_url=server.url, wire=wire).images.edit(image=photo, prompt=prompt)
    (post,) = server.posts
    if wire == "multipart":
        fields = {part.name: part.data.decode() for part in post.parts if part.filename is None}
        assert [part.name for part in post.parts if part.name == "image"] == ["image"]
        assert fields["prompt"] == prompt
        assert (fields["model"], fields["n"]) == ("gpt-image-1.5", "1")
    else:
        assert post.json["prompt"] == prompt
        assert post.json["n"] == 1
    assert post.get("TT-API-KEY") == KEY


@pytest.mark.parametrize("kind", PROMPTS)
def test_prompts_in_log_file_and_screen(photo: Image.Image, tmp_path: Path, kind: str) -> None:
    """Every prompt can be logged, written into the result and read back, and is never shown as HTML or as an escape."""
    prompt = PROMPTS[kind][:900]
    run = edit(photo, prompt, client=Client.offline(), **SMALL)
    assert run.log is not None
    assert run.log.rows()[0].prompt == prompt
    result = run.results[0]
    back = open_result(result.save(tmp_path / "a.png"))
    assert back.picture.size == (64, 64)
    shown = run._repr_html_() + result._repr_html_() + back._repr_html_()
    assert "<script" not in shown
    assert "<img src=x" not in shown
    assert repr(EditRequest.make(image=photo, prompt=prompt)).isprintable()


@pytest.mark.parametrize("name", ["user", "model", "extra_body"])
@pytest.mark.parametrize("wire", ["json", "multipart"])
def test_fields_that_can_not_be_written(photo: Image.Image, name: str, wire: Any) -> None:
    """A field that no body can hold is a problem before anything is sent or logged, and checked or not our error."""
    values: list[Any] = ["half \ud83d"]
    if name == "extra_body":
        values = [{"x": value} for value in (*values, object(), float("nan"), b"bytes", {1, 2})] + [{7: 1}]
    for value in values:
        given: dict[str, Any] = {**SMALL, name: value}
        with pytest.raises(InvalidRequestError, match="can't be written down"):
            edit(photo, "x", client=Client.offline(wire=wire), **given)
        with pytest.raises(InvalidRequestError, match="can't be written down"):
            Client.offline(wire=wire).images.edit(image=photo, prompt="x", **given)


@pytest.mark.slow
def test_unchecked_requests_that_can_not_be_written(photo: Image.Image) -> None:
    """Without the check too, what can't be written is an error of ours, and not one of the library below."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for hostile in ({"prompt": b"bytes"}, {"prompt": "x", "extra_body": {"x": deep}}):
        fields: dict[str, Any] = {**SMALL, **hostile}
        with pytest.raises(InvalidRequestError, match="can't be written down"):
            Client.offline().images.edit(image=photo, check=False, **fields)


# Names of files

NAMES = {
    "../../etc/passwd.png": "passwd.png",
    "..\\..\\windows\\system32\\evil.png": "evil.png",
    "/etc/shadow": "shadow",
    "..": "image",
    "." * 300: "image",
    "": "image",
    " .png": "png",
    "x" * 300 + ".png": "x" * 96 + ".png",
    "x" * 300: "x" * 100,
    "a\0b\r\nc.png": "abc.png",
    "\u202egnp.exe": "gnp.exe",
    "caf\udce9.png": "caf.png",
    "CON.png": "CON.png",
    "<script>alert(1)</script>.png": "script>.png",
    "schönes Bild.png": "schönes Bild.png",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("wire", ["json", "multipart"])
def test_names(server: Server, photo: Image.Image, tmp_path: Path, name: str, wire: Any) -> None:
    """A file's name leads nowhere, can be seen, stored and sent, and the run with it works."""
    opened = open_image({"name": name, "content": encoded(photo)})
    assert opened.name == (NAMES[name] if name else "image")
    run = edit(opened, "x", client=Client(KEY, base_url=server.url, wire=wire))
    (post,) = server.posts
    if wire == "multipart":
        (picture,) = [part for part in post.parts if part.name == "image"]
        assert picture.filename is not None
        assert decoded(picture.data).format == "PNG"
    result = run.results[0]
    assert not {"/", "\\", "\0", "\n"} & set(result.picture.name)
    assert result.picture.save(tmp_path / result.picture.name).parent == tmp_path


@pytest.mark.parametrize(
    "place",
    ["..", ".", "", "/", "x" * 300 + ".png", "a\0b.png", "~nobody-of-this-name/a.png", "no/such/a.png", 7],
)
def test_places_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any) -> None:
    """A place where no file can be written is said in a sentence, and nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)
    before = list(tmp_path.iterdir())
    with pytest.raises(ResultError) as caught:
        SourceImage(NOISE).save(place)
    assert len(str(caught.value)) < 400
    assert list(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_an_answer_that_never_ends(server: Server, photo: Image.Image) -> None:
    """A reply of spaces that never ends, and one that is only slow, end within half a second of the deadline."""
    import time

    server.answer = Reply(200, drip=True)
    for seconds in (0.3, 0.8):
        began = time.monotonic()
        with pytest.raises(UnknownOutcomeError, match="No answer came within"):
            Client(KEY, base_url=server.url, timeout=seconds).images.edit(image=photo, prompt="x")
        assert seconds <= time.monotonic() - began < seconds + 0.5


@pytest.mark.parametrize("place", ["decode.mended", "opening._picture"])
def test_no_memory_for_a_picture(monkeypatch: pytest.MonkeyPatch, server: Server, place: str) -> None:
    """Where there is no memory to open a picture, that is said, and not that it is none; a result's bytes are there."""

    def short(*given: object) -> None:
        raise MemoryError

    found = Client(KEY, base_url=server.url).images.edit(image=NOISE, prompt="x").data[0]
    with monkeypatch.context() as patch:
        patch.setattr(f"ttapi_nb.picture.{place}", short)
        with pytest.raises(ImageError, match="not enough memory"):
            open_image(encoded(NOISE))
        with pytest.raises(ResultError, match=r"not enough memory.*kept in \.data"):
            _ = found.image
    assert found.image.size == (64, 64)

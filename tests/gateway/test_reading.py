"""What the ledger reckons with is what the service reads: whatever could be read in two ways is refused."""

from __future__ import annotations

import base64
import json
import random

import pytest

from ttapi_nb.gateway.reading import EDITS, BodyReader, UnreadableError
from ttapi_nb.gateway.runs import Asked
from ttapi_nb.gateway.skimming import Skimmer

PICTURE = "data:image/png;base64," + base64.b64encode(random.Random(0).randbytes(600_000)).decode()


def read(body: bytes, kind: str = "application/json", piece: int = 1000) -> tuple[Asked, str]:
    """What a body asks for, fed piece by piece."""
    reader = BodyReader(EDITS, kind)
    for at in range(0, len(body), piece):
        reader.feed(body[at : at + piece])
    return reader.asked()


@pytest.mark.parametrize("piece", [1, 7, 1000, 10**7])
def test_json_with_a_large_picture(piece: int) -> None:
    """Fields are read whatever the pieces, and the picture is passed over."""
    large = PICTURE if piece > 7 else PICTURE[:3000]
    given = {
        "prompt": 'say "\\u00e9" \\',
        "image": [large],
        "mode": "gpt-image-1",
        "n": "3",
        "size": "1024x1024",
    }
    asked, wire = read(json.dumps(given).encode(), piece=piece)
    assert (asked.model, asked.options["n"], asked.options["size"]) == ("gpt-image-1", 3, "1024x1024")
    assert asked.prompt == given["prompt"]
    assert wire == "json"


def form(*parts: tuple[str, bytes]) -> tuple[bytes, str]:
    """A multipart body of parts, each with what stands behind its Content-Disposition."""
    lines = [
        b"--b\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data
        for head, data in parts
    ]
    return b"\r\n".join([*lines, b"--b--\r\n"]), "multipart/form-data; boundary=b"


@pytest.mark.parametrize("piece", [1, 13, 10**6])
def test_a_form(piece: int) -> None:
    """Fields of a form are read, and its files passed over."""
    body, kind = form(
        ('name="model"', b"gpt-image-1"), ('name="n"', b"2"), ('name="image[]"; filename="a.png"', b"x" * 5000),
        ('name="prompt"', "ein blåes Bøwl".encode()),
    )  # fmt: skip
    asked, wire = read(body, kind, piece)
    assert (asked.model, asked.options["n"], asked.prompt, wire) == (
        "gpt-image-1",
        2,
        "ein blåes Bøwl",
        "multipart",
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 1, "n": 10, "prompt": "x"}',
        b'{"n": 1, "N": 10}',
        b'{"n": 1, "\\u006e": 10}',
        b'{"model": "a", "mode": "b"}',
        b'{"model": "a", "Model": "b"}',
        b'{"size": "auto", "\xc5\xbfize": "3840x2160"}',
        b'{"n": 1, " n": 10}',
        b'{"n": 0}',
        b'{"n": 11}',
        b'{"n": -1}',
        b'{"n": 1.0}',
        b'{"n": true}',
        b'{"n": [10]}',
        b'{"n": "1e1"}',
        b'{"n": NaN}',
        b'{"model": ["a"]}',
        b'{"size": 1024}',
        b'{"size": "' + b" " * 101 + b'3840x2160"}',
        b'{"quality": ["high"]}',
        b'{"partial_images": 4}',
        b'{"partial_images": "000000003"}',
        b'{"partial_images": [3]}',
        b'{"Partial_Images": 3}',
        b"[]",
        b"{",
        b'{"n": 1} {"n": 10}',
        b"",
        b"[" * 100_000,
        '{"n": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"n": 1}',
        b'{"prompt": "\xff"}',
        b'{"a": ' + b"[1]" * 10 + b"}",
    ],
    ids=lambda body: body[:30],
)
def test_bodies_that_two_readers_could_take_in_two_ways(body: bytes) -> None:
    """Fields that stand there twice or nearly, odd numbers, other encodings and what is no JSON object are refused."""
    with pytest.raises(UnreadableError):
        read(body)


@pytest.mark.parametrize(
    "parts",
    [
        (('name="n"', b"1"), ('name="n"', b"10")),
        (('name="n"', b"1"), ('name="N"', b"10")),
        (('name="n"; filename="n.txt"', b"10"),),
        (('name="n"; name="x"', b"10"),),
        (("name*=utf-8''n", b"10"),),
        (("name=\"x\"; name*=utf-8''n", b"10"),),
        (('name=""', b"10"),),
        (('filename="a"', b"10"),),
        (('name="model"', b"a"), ('name="mode"', b"b")),
        (('name="n"\r\nContent-Disposition: form-data; name="x"', b"10"),),
        (('name="n"\r\nContent-Transfer-Encoding: base64', b"MQ=="),),
        (('name="model"', b"\xff"),),
        (('name="partial_images"; filename="p"', b"3"),),
    ],
    ids=range(13),
)
def test_forms_that_two_readers_could_take_in_two_ways(parts: tuple[tuple[str, bytes], ...]) -> None:
    """As with JSON."""
    body, kind = form(*parts)
    with pytest.raises(UnreadableError):
        read(body, kind)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--b\r\n", "multipart/form-data; boundary=b"),
        (b"n=1", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
        (b"{}", ""),
        (b"{}", "application/json; charset=utf-16"),
        (b"--a--", "multipart/form-data"),
        (b"--a--", "multipart/form-data; boundary=a; boundary=b"),
    ],
)
def test_kinds_and_broken_forms(body: bytes, kind: str) -> None:
    """Another type, no boundary or two, and a form without its end are refused."""
    with pytest.raises(UnreadableError):
        read(body, kind)


def test_the_digest_is_of_all_that_counts() -> None:
    """Another byte, type or address is another run."""
    body = b'{"prompt": "x"}'
    same = read(body)[0].digest
    assert read(body)[0].digest == same
    assert read(body + b" ")[0].digest != same
    assert read(body, "application/json; charset=utf-8")[0].digest != same


def test_a_skimmer_keeps_short_texts_and_bounds_the_rest() -> None:
    """Nothing but long strings is cut, wherever pieces end, and what is too much is said."""
    text = b'{"a": "' + b"\\\\" * 10 + b'\\"b", "p": "' + b"iVBOR" * 1000 + b'", "c": ["\xc3\xa9"]}'
    for piece in (1, 3, 10_000):
        skimmer = Skimmer(500, 10_000)
        for at in range(0, len(text), piece):
            skimmer.feed(text[at : at + piece])
        found = json.loads(skimmer.text)
        assert found["a"] == "\\" * 10 + '"b'
        assert found["c"] == ["é"]
        assert found["p"].startswith("iVBORiVBOR")
        assert len(found["p"]) <= 300
    flood = Skimmer(500, 10_000)
    flood.feed(b"[" + b"1," * 10_000)
    assert flood.too_much
    assert len(flood.text) <= 10_000

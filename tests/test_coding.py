"""What was done to a body is undone, with the packages that tests have, and said where one of them is missing."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from ttapi_nb.coding import Chunks, CodingError, CutOffError, TooLargeError, codings, unpacking

BODY = random.Random(0).randbytes(3000) + b"x" * 300_000 + b"its end"


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": _zstd,
}


def undone(said: str, data: bytes, *, cap: int = 10**6, size: int = 1000) -> bytes:
    """What `data`, which comes in pieces, unpacks to."""
    unpack = unpacking({"Content-Encoding": said}, cap)
    pieces = [piece for at in range(0, len(data), size) for piece in unpack.feed(data[at : at + size])]
    return b"".join([*pieces, *unpack.end()])


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("size", [1, 1000, 10**6])
def test_undone(name: str, size: int) -> None:
    """Each coding is undone, in pieces of whatever size, and what comes behind its end is left."""
    assert undone(name, PACKED[name](BODY), size=size) == BODY


@pytest.mark.parametrize("name", PACKED)
def test_cut_off(name: str) -> None:
    """What has no end says so, and all that came of it is given before."""
    data = PACKED[name](BODY)
    unpack = unpacking({"content-encoding": name}, 10**6)
    came = b"".join(unpack.feed(data[: len(data) - 9]))
    with pytest.raises(CutOffError, match="its end is missing"):
        came += b"".join(unpack.end())
    assert BODY.startswith(came)


@pytest.mark.parametrize("name", PACKED)
def test_damaged(name: str) -> None:
    """What is damaged is no end that is missing."""
    data = bytearray(PACKED[name](json.dumps(list(range(20_000))).encode()))
    data[50:] = b"\xff" * len(data)
    with pytest.raises(CodingError, match="damaged") as caught:
        undone(name, bytes(data))
    assert not isinstance(caught.value, CutOffError)


@pytest.mark.dear
@pytest.mark.parametrize("name", PACKED)
def test_bombs(name: str) -> None:
    """What unpacks to more than the cap is left there."""
    with pytest.raises(TooLargeError):
        undone(name, PACKED[name](bytes(50_000_000)))


def test_one_in_another() -> None:
    """Of several codings the last is undone first."""
    assert undone("br, zstd", _zstd(brotli.compress(BODY))) == BODY
    assert undone("zstd", _zstd(BODY[:9]) + _zstd(BODY[9:])) == BODY


def test_packed_though_nothing_said_so() -> None:
    """What begins like gzip or zstd is undone, and brotli, which has no such beginning, needs to be said."""
    assert undone("", _zstd(gzip.compress(BODY))) == BODY
    assert undone("", brotli.compress(BODY)) == brotli.compress(BODY)


@pytest.mark.parametrize(("name", "line"), [("br", "pip install brotli"), ("zstd", "pip install zstandard")])
def test_without_its_package(monkeypatch: pytest.MonkeyPatch, name: str, line: str) -> None:
    """Where the package is missing it is named, with the line that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CodingError, match=line):
        unpacking({"content-encoding": name}, 100)


@pytest.mark.parametrize(
    ("body", "way", "expected"),
    [
        ("", "chunked", ()),
        ("chunked", "", ()),
        ("", "gzip, chunked", ("gzip",)),
        ("br", "x-gzip;q=1, Chunked", ("br", "gzip")),
        ("", "chunked, gzip", ("chunked", "gzip")),
        ("identity", "identity", ()),
    ],
)
def test_names(body: str, way: str, expected: tuple[str, ...]) -> None:
    """The body's codings come before the way's, and chunks count only where they are packed themselves."""
    assert codings({"Content-Encoding": body, "Transfer-Encoding": way}) == expected


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("sent", "given", "whole"),
    [
        (b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n", b"abcde", True),
        (b" 3 \nabc\n0x2\nde\n0\n\n", b"abcde", True),
        (b"3\r\nabc2\r\nde0\r\n", b"abcde", True),
        (b"", b"", True),
        (b'{"a": 1}', b'{"a": 1}', True),
        (b"abc", b"abc", True),
        (b"3\r\nabc\r\n", b"abc\r\n", False),
        (b"3\r\nab", b"ab", False),
        (b"3\r\nabc\r\n?!x\r\ny", b"abc\r\n?!x\r\ny", False),
    ],
)
def test_chunks(sent: bytes, given: bytes, whole: bool, size: int) -> None:
    """Chunks are read as leniently as they are written, and whether they have an end is known."""
    chunks, came = Chunks(), b""
    for at in range(0, len(sent), size):
        came += b"".join(chunks.feed(sent[at : at + size]))
    end = chunks.end()
    came += next(end)
    assert (came, chunks.is_whole) == (given, whole)
    if not whole:
        with pytest.raises(CutOffError):
            next(end)

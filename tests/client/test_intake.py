"""An answer whose line breaks, or that is packed: what came is read, and what is kept holds no key."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard
from PIL import Image

from tests.answers import chunked, picture
from tests.server import Reply, Server
from tests.support.streams import HEAD, STREAM, event
from ttapi_nb import (
    AuthenticationError,
    Client,
    RateLimitError,
    RefusedError,
    ResultError,
    RunLog,
    UnknownOutcomeError,
    edit,
)
from ttapi_nb.client import sending
from ttapi_nb.rawanswers import opened

KEY = "tt-sk-0123456789abcdef"
LARGE = picture(1, side=48), picture(2, side=48)
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def body(*files: bytes) -> bytes:
    """An answer's body with those results."""
    return json.dumps({"data": [{"b64_json": base64.b64encode(file).decode()} for file in files]}).encode()


def ask(server: Server, photo: Image.Image, **more: Any) -> list[bytes | None]:
    """What a client makes of the server's answer."""
    client = Client(KEY, base_url=server.url, timeout=20)
    return [item.data for item in client.images.edit(image=photo, prompt="x", **more).data]


def kept(environment: Path) -> list[Path]:
    """The answers that are kept."""
    return sorted((environment / "answers").glob("*"))


@pytest.mark.parametrize("coding", ["", *PACKED])
def test_all_that_came_before_the_line_broke(
    server: Server, photo: Image.Image, environment: Path, coding: str
) -> None:
    """A picture that was here before the line broke is the answer, packed or not, and the note says what happened."""
    data = PACKED[coding](body(LARGE[0])) if coding else body(LARGE[0])
    server.answer = Reply(200, data, headers={"Content-Encoding": coding, "Content-Length": "99999"})
    response = Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    assert [item.data for item in response.data] == [LARGE[0]]
    assert "line broke" in response.note
    assert kept(environment) == []


def test_half_of_the_results(server: Server, photo: Image.Image, environment: Path) -> None:
    """Of two results the one that came is there, the other one says why not, and what came of it is kept."""
    server.answer = Reply(200, body(*LARGE), cut=len(body(*LARGE)) - 100)
    response = Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x", n=2)
    one, other = response.data
    assert one.data == LARGE[0]
    assert (other.data, other.problem) == (None, "The line broke before all of it was here.")
    (path,) = kept(environment)
    assert str(path) in response.note


def test_half_of_a_run(server: Server, photo: Image.Image, environment: Path) -> None:
    """In a run's log the result that came is stored, and the run is done."""
    server.answer = Reply(200, body(*LARGE), cut=len(body(*LARGE)) - 100)
    run = edit(photo, "x", client=Client(KEY, base_url=server.url), n=2)
    assert len(run.results) == 1
    (row,) = RunLog().rows()
    assert (row.state, len(row.results), len(kept(environment))) == ("done", 1, 1)


@pytest.mark.slow
def test_the_answers_time_is_over(server: Server, photo: Image.Image, environment: Path) -> None:
    """A picture that came is the answer also where its service then says nothing more."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answer = Reply(line=head + chunked(body(LARGE[0]), last=b""), stays=True)
    client = Client(KEY, base_url=server.url, timeout=0.5)
    assert client.images.edit(image=photo, prompt="x").data[0].data == LARGE[0]
    assert kept(environment) == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, RefusedError) for status in (400, 408, 409, 425)),
        (401, AuthenticationError),
        *((status, RateLimitError) for status in (429, 499)),
        *((status, UnknownOutcomeError) for status in (500, 504)),
    ],
)
@pytest.mark.parametrize("coding", ["", "gzip", "snappy"])
def test_a_status_whose_body_breaks_off(
    server: Server, photo: Image.Image, environment: Path, status: int, error: type[Exception], coding: str
) -> None:
    """The status tells what became of the request as if all of its body had come."""
    said = b'{"error": {"message": "no"}}'
    sent = gzip.compress(said)[:-12] if coding == "gzip" else said[:-5]
    server.answer = Reply(status, sent, headers={"Content-Length": "999", "Content-Encoding": coding})
    with pytest.raises(error) as caught:
        ask(server, photo)
    assert type(caught.value) is error
    assert len(kept(environment)) == (error is UnknownOutcomeError)


@pytest.mark.parametrize("name", ["b64_json", "image"])
def test_a_refusal_that_breaks_off_within_a_picture(
    server: Server, photo: Image.Image, environment: Path, name: str
) -> None:
    """Where a picture was on its way a status is not believed: it may be billed, and what came is kept."""
    server.answer = Reply(
        400, b'{"data": [{"%b": "%b' % (name.encode(), base64.b64encode(LARGE[0])), cut=3000
    )
    with pytest.raises(UnknownOutcomeError, match=r"line broke.*is kept in"):
        ask(server, photo)
    assert len(kept(environment)) == 1


def test_pictures_that_were_not_finished(server: Server, photo: Image.Image, environment: Path) -> None:
    """Drafts alone are no answer, then or when what came is read again."""
    event = {"type": "image_edit.partial_image", "b64_json": base64.b64encode(LARGE[0]).decode()}
    server.answer = Reply(
        200, b"data: " + json.dumps(event).encode() + b"\n\ndata: {", headers={"Content-Length": "99999"}
    )
    with pytest.raises(UnknownOutcomeError, match=r"line broke.*is kept in"):
        ask(server, photo)
    with pytest.raises(ResultError, match="only drafts"):
        RunLog().reread(kept(environment)[0].name)


@pytest.mark.parametrize(
    "behind", [b":" + b"x" * 9000 + b"\n", b'data:{"x":"%b"}\n\n' % (b"x" * 9000), b"data:" * 2000]
)
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_stream_without_end(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch, behind: bytes, coding: str
) -> None:
    """What was completed is the answer, however much comes behind it; without that nobody knows what was billed."""
    monkeypatch.setattr(sending, "CAP_PER_PICTURE", 1_500_000)
    done, head = event("green", "completed"), {"Content-Encoding": coding}
    rest = behind * (3_000_000 // len(behind))

    def streamed(data: bytes) -> Reply:
        return Reply(200, PACKED[coding](data) if coding else data, headers=head, mime="text/event-stream")

    server.answer = streamed(done + rest)
    response = Client(KEY, base_url=server.url, timeout=20).images.edit(image=photo, prompt="x")
    assert [item.image.size for item in response.data] == [(1024, 1024)]
    assert "went on for longer" in response.note
    server.answer = streamed(b": x\n" + rest)
    with pytest.raises(UnknownOutcomeError, match="larger than any answer"):
        ask(server, photo)


@pytest.mark.parametrize("size", [0, 1000])
def test_a_line_that_stays_open_behind_the_last_word(server: Server, photo: Image.Image, size: int) -> None:
    """A stream has ended with its last word, and nobody waits for the line, whatever its pieces."""
    body = b"".join(
        b"%x\r\n%b\r\n" % (len(one), one) for one in ([STREAM[:-size], STREAM[-size:]] if size else [STREAM])
    )
    head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    server.answer = Reply(line=head + body, stays=True)
    begun = time.monotonic()
    response = Client(KEY, base_url=server.url, timeout=60).images.edit(image=photo, prompt="x")
    assert time.monotonic() - begun < 30
    assert (len(response.data), response.note) == (1, "")


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("said", [True, False])
def test_a_key_in_a_packed_answer(
    server: Server, photo: Image.Image, environment: Path, coding: str, said: bool
) -> None:
    """A service that quotes the key and packs that leaves no key behind in what is kept, said or not."""
    text = b"<html>" + b"%d %b, " * 3 % (1, KEY.encode(), 2, KEY.encode(), 3, KEY.encode()) + b"x" * 5000
    server.answer = Reply(200, PACKED[coding](text), headers={"Content-Encoding": coding if said else ""})
    with pytest.raises(UnknownOutcomeError, match="is kept in"):
        ask(server, photo)
    (path,) = kept(environment)
    head, _, data = path.read_bytes().partition(b"\n")
    if said or coding in ("gzip", "zstd"):
        assert data == text.replace(KEY.encode(), b"[key]")
        assert b"encoding" not in head
    else:
        # Nothing tells that this is packed at all.
        assert data == PACKED[coding](text)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("quotes", [True, False])
def test_a_packed_answer_that_is_damaged(
    server: Server, photo: Image.Image, environment: Path, coding: str, quotes: bool
) -> None:
    """It is kept as it came, for a better reader, unless a key stands in what can be unpacked of it."""
    text = (KEY.encode() if quotes else b"no key") + bytes(range(256)) * 4000
    packed = bytearray(PACKED[coding](text) * 2)
    packed[len(packed) // 2 + 12 :] = b"\xff" * 500
    server.answer = Reply(200, bytes(packed), headers={"Content-Encoding": coding})
    with pytest.raises(UnknownOutcomeError, match=r"damaged.*is kept in"):
        ask(server, photo)
    (path,) = kept(environment)
    data = path.read_bytes().partition(b"\n")[2]
    if quotes:
        assert data == text.replace(KEY.encode(), b"[key]")
    else:
        assert data == packed
        with opened(environment / "answers", path.name) as (_, headers, _file):
            assert headers["content-encoding"] == coding


@pytest.mark.parametrize(
    ("coding", "line"), [("br", "pip install brotli"), ("zstd", "pip install zstandard")]
)
@pytest.mark.parametrize("way", [False, True])
def test_a_package_that_comes_later(
    server: Server,
    photo: Image.Image,
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    coding: str,
    line: str,
    way: bool,
) -> None:
    """Without its package an answer is kept packed and named with what to install, and is read again after that."""
    packed = PACKED[coding](body(LARGE[0]))
    server.answer = Reply(200, packed, headers={"Content-Encoding": coding})
    if way:
        head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}, chunked\r\n\r\n".encode()
        server.answer = Reply(line=head + chunked(packed))
    with monkeypatch.context() as without:
        without.setattr("ttapi_nb.coding._loaded", lambda name: None)
        with pytest.raises(UnknownOutcomeError, match=f"{line}.*is kept in"):
            ask(server, photo)
    (path,) = kept(environment)
    assert RunLog().reread(path.name).data[0].data == LARGE[0]
    assert ask(server, photo) == [LARGE[0]]


@pytest.mark.slow
def test_what_is_larger_than_any_answer_is_kept_packed(
    server: Server, photo: Image.Image, environment: Path
) -> None:
    """A bomb is not unpacked into the folder of answers."""
    bomb = gzip.compress(bytes(51_000_000))
    server.answer = Reply(200, bomb, headers={"Content-Encoding": "gzip"})
    with pytest.raises(UnknownOutcomeError, match="larger than any answer"):
        ask(server, photo)
    (path,) = kept(environment)
    assert path.read_bytes().partition(b"\n")[2] == bomb


def test_a_refusal_larger_than_words_is_not_believed(server: Server, photo: Image.Image) -> None:
    """What can't be unpacked and is larger than a refusal may hold a picture, whatever its status says."""
    server.answer = Reply(403, bytes(100_000), headers={"Content-Encoding": "snappy"})
    with pytest.raises(UnknownOutcomeError, match="snappy"):
        ask(server, photo)

"""An answer is read whatever its head looks like, however its end is marked, and however its way packed it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.answers import FRAMES, HEADS, answer, chunked, line, picture
from tests.server import Reply, Server
from ttapi_nb import AuthenticationError, Client, RefusedError, RunLog, TTAPIError, UnknownOutcomeError, loop
from ttapi_nb.download import download
from ttapi_nb.network import heads

KEY = "tt-sk-0123456789abcdef"
PAID = answer(seeds=(1,), side=48)


def results(
    server: Server, photo: Image.Image, sent: bytes, *, stays: bool = False, n: int = 1
) -> list[bytes | None]:
    """What a client makes of those bytes."""
    server.answer = Reply(line=sent, stays=stays)
    response = Client(KEY, base_url=server.url, timeout=20).images.edit(image=photo, prompt="x", n=n)
    return [item.data for item in response.data]


@pytest.mark.parametrize("head", HEADS)
def test_heads(server: Server, photo: Image.Image, environment: Path, head: str) -> None:
    """A head that breaks the rules costs no picture, and a refusal under it is one."""
    assert results(server, photo, line(PAID, head, "chunks")) == [*PAID.pictures]
    with pytest.raises(AuthenticationError):
        results(server, photo, HEADS[head](401, b"Content-Length: 2\r\n") + b"{}")
    assert not (environment / "answers").exists()


@pytest.mark.parametrize("frame", FRAMES)
def test_frames(server: Server, photo: Image.Image, environment: Path, frame: str) -> None:
    """Where the body ends is found, also where that is said wrongly or not at all, and how it was packed is undone."""
    assert results(server, photo, line(PAID, frame=frame)) == [*PAID.pictures]
    assert not (environment / "answers").exists()


@pytest.mark.parametrize(
    "frame",
    ["length twice", "a shorter length beside it", "length too short", "chunks and length", "gzip, chunked"],
)
def test_a_line_that_stays_open(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch, frame: str
) -> None:
    """Nobody waits for a line that the service leaves open, where all that was said has come."""
    monkeypatch.setattr(heads, "PATIENCE", 0.1)
    assert results(server, photo, line(PAID, frame=frame), stays=True) == [*PAID.pictures]


@pytest.mark.parametrize(
    "before", [b"", b"\x00", b"SSH-2.0-x\r\n", b"HTTP/1.1 fine\r\n\r\n", b"HTTP/1.1 20\r\nA: b\r\n\r\n"]
)
def test_no_head(server: Server, photo: Image.Image, before: bytes) -> None:
    """What has no head that can be read is read itself."""
    assert results(server, photo, before + PAID.body) == [*PAID.pictures]


@pytest.mark.parametrize(
    "sent", [b"\x15\x03\x01\x00\x02\x02\x46", b"220 mail.example.com\r\n", b"HTTP/1.1 2", b"Date"]
)
def test_no_answer_at_all(server: Server, photo: Image.Image, environment: Path, sent: bytes) -> None:
    """What nobody understands is unknown, and kept as it came."""
    with pytest.raises(UnknownOutcomeError, match="is kept in"):
        results(server, photo, sent)
    (path,) = (environment / "answers").iterdir()
    assert path.read_bytes().partition(b"\n")[2] == sent


def test_packed_on_its_way_as_nobody_can_undo(server: Server, photo: Image.Image, environment: Path) -> None:
    """What can't be unpacked here is kept as it came with what was said of it, and the error names it."""
    with pytest.raises(UnknownOutcomeError, match=r"packed as 'snappy'.*is kept in"):
        results(
            server,
            photo,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: snappy, chunked\r\n\r\n" + chunked(b"x" * 500, 9),
        )
    (path,) = (environment / "answers").iterdir()
    head, _, body = path.read_bytes().partition(b"\n")
    assert b'"content-encoding": "snappy"' in head
    assert body == b"x" * 500


def test_chunks_that_break_off_are_read_again(server: Server, photo: Image.Image, environment: Path) -> None:
    """Of damaged chunks all is kept from where nothing can be made of them, and read again as far as it goes."""
    cut = PAID.body[: PAID.body.index(b'", "revised')]
    with pytest.raises(UnknownOutcomeError, match="is kept in"):
        results(
            server, photo, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(cut, last=b"?!")
        )
    (path,) = (environment / "answers").iterdir()
    kept = path.read_bytes()
    assert kept.endswith(cut + b"\r\n?!")
    path.write_bytes(kept.removesuffix(b"\r\n?!") + PAID.body[len(cut) :])
    assert [item.data for item in RunLog(environment).reread(path.name).data] == [*PAID.pictures]


@pytest.mark.parametrize("status", [b"HTTP/1.1 413 Too Large", b"HTTP/1.0  413"])
@pytest.mark.parametrize("rest", [b"", b"Content-Le", b"Content-Length: 900\r\n\r\n", b"A: b\r\n\r\n{"])
def test_a_refusal_that_breaks_off(server: Server, photo: Image.Image, status: bytes, rest: bytes) -> None:
    """Once its status is here a refusal is one, however early its line breaks."""
    with pytest.raises(RefusedError, match="413"):
        results(server, photo, status + b"\r\n" + rest)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_no_content_with_content(server: Server, photo: Image.Image, status: int) -> None:
    """Where a status says that there is no body, and a paid one comes, that is read; without one nobody waits."""
    paid = line(replace(PAID, status=status))
    assert results(server, photo, paid, stays=True) == [*PAID.pictures]
    with pytest.raises(TTAPIError):
        results(server, photo, b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status, stays=True)


def test_a_body_behind_a_length_of_nothing() -> None:
    """A body that comes a little later than the head that speaks of none is waited for, and no refusal's is."""
    for status, waits in ((200, True), (401, False)):
        came = heads.Answer(without_head=True)
        came.feed(HEADS["plain"](status, b"Content-Length: 0\r\n"))
        assert came.is_over == (not waits)
        assert came.patience == heads.PATIENCE
        came.feed(PAID.body)
        assert (PAID.body in came.take()) == waits


@pytest.mark.parametrize("size", [1, 2, 3, 7, 5000])
def test_however_it_is_cut_on_its_way(size: int) -> None:
    """Pieces may end anywhere: what comes out is one head and the same body."""
    sent = line(PAID, "doubled returns", "gzip, chunked")
    whole, pieces = heads.Answer(without_head=True), heads.Answer(without_head=True)
    whole.feed(sent)
    expected = whole.take()
    came = b""
    for at in range(0, len(sent), size):
        pieces.feed(sent[at : at + size])
        came += pieces.take()
    first, _, body = came.partition(b"\r\n\r\n")
    assert (first, pieces.is_over, pieces.is_whole) == (expected.partition(b"\r\n\r\n")[0], True, True)
    assert body.endswith(b"0\r\n\r\n")
    assert first.count(b"Transfer-Encoding") == first.count(b"Content-Encoding: gzip") == 1


def test_a_result_that_is_fetched(server: Server) -> None:
    """A paid picture behind an address is read as leniently, but what has no head is no picture."""
    file = picture(3)
    for head in ("a space before the colon", "HTTP/1.0"):
        server.answer = Reply(line=HEADS[head](200, b"Content-Length: %d\r\n" % len(file)) + file)
        assert loop.call(download(f"{server.origin}/a.png", allow_private=True)) == file
    server.answer = Reply(line=file)
    with pytest.raises(Exception, match="could not be fetched"):
        loop.call(download(f"{server.origin}/a.png", allow_private=True))


def test_each_line_carries_one_answer(server: Server, photo: Image.Image) -> None:
    """What stands behind an answer on its line is never another one's."""
    other = answer(seeds=(9,), side=48)
    sent = line(PAID, frame="chunks")
    assert results(server, photo, sent + line(other)) == [*PAID.pictures]
    assert results(server, photo, line(other), stays=True) == [*other.pictures]
    assert server.connections == 2

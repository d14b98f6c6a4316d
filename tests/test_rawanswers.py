"""An answer is kept as it comes until it was understood, and can be read again."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.server import Reply, Server
from ttapi_nb import Client, EditRequest, Mask, RunLog, edit, loop
from ttapi_nb.client.told import Told
from ttapi_nb.errors import NotSentError, RefusedError, ResultError, UnknownOutcomeError
from ttapi_nb.rawanswers import HEADERS, RawAnswer, opened

KEY = "tt-sk-0123456789abcdef"
MASK = Mask((64, 64)).rectangle((5, 5, 30, 30))
ID = "0123456789abcdef" * 2


def answer(picture: bytes, **more: Any) -> bytes:
    """A body with one result."""
    return json.dumps({"data": [{"b64_json": base64.b64encode(picture).decode()}], **more}).encode()


def kept(folder: Path) -> list[Path]:
    """The answers that are kept beside a log."""
    return sorted((folder / "answers").glob("*"))


def png(image: Image.Image, folder: Path) -> bytes:
    """A picture's file."""
    image.save(folder / "a.png")
    return (folder / "a.png").read_bytes()


@pytest.mark.slow
def test_what_was_understood_is_not_kept(server: Server, photo: Image.Image, environment: Path) -> None:
    """After an answer was read, and stored or returned, nothing of it lies about; nor after a refusal."""
    client = Client(KEY, base_url=server.url)
    assert edit(photo, "x", mask=MASK, client=client).results
    assert client.images.edit(image=photo, prompt="x").images
    server.answer = Reply(400, b'{"error": {"message": "no", "code": "invalid_value"}}')
    with pytest.raises(RefusedError):
        edit(photo, "x", mask=MASK, client=client)
    assert kept(environment) == []


def test_an_answer_that_nobody_understands(server: Server, photo: Image.Image, environment: Path) -> None:
    """It is kept as it came, for its owner alone, without the key; the error says where, and how it is read again."""
    body = b"<html>" + KEY.encode() + b" not JSON " * 50_000
    server.answer = Reply(200, body, headers={"Content-Type": "text/html"})
    with pytest.raises(UnknownOutcomeError) as caught:
        edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url))
    (path,) = kept(environment)
    assert str(path) in str(caught.value)
    assert f"reread('{path.name}')" in str(caught.value)
    head, _, data = path.read_bytes().partition(b"\n")
    assert data == body.replace(KEY.encode(), b"[key]")
    assert json.loads(head)["status"] == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(ResultError, match="still can't be read"):
        RunLog().reread(path.name)
    assert path.is_file()


def test_it_is_read_again_by_a_later_version(
    server: Server, photo: Image.Image, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one version could not read, another does: the results are in the log, and the run is done."""
    server.answer = Reply(200, answer(png(photo, tmp_path)))
    with monkeypatch.context() as older:
        older.setattr("ttapi_nb.reply.arriving.parse", lambda *given: None)
        with pytest.raises(UnknownOutcomeError):
            edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url))
    (path,) = kept(environment)
    response = RunLog().reread(path.name)
    assert response.images[0].tobytes() == photo.tobytes()
    (row,) = RunLog().rows()
    assert (row.id, row.state, len(row.results)) == (path.name, "done", 1)
    assert kept(environment) == []
    assert len(server.posts) == 1


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ValueError, KeyError])
def test_whatever_goes_wrong_in_reading_is_told_with_the_bill(
    server: Server,
    photo: Image.Image,
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    """A fault of ours after an answer came is an unknown outcome that says what was kept, in the log too."""

    def fails(*given: object) -> None:
        raise error("no")

    monkeypatch.setattr("ttapi_nb.reply.arriving.parse", fails)
    with pytest.raises(UnknownOutcomeError, match=r"may have been carried out and billed.*is kept in"):
        edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url))
    assert len(kept(environment)) == 1
    assert [row.state for row in RunLog().rows()] == ["unknown"]


def test_no_memory_while_it_comes(
    server: Server, photo: Image.Image, environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where there is no memory for reading, all of the answer is kept all the same, and is read later."""
    server.answer = Reply(200, answer(png(photo, tmp_path)))

    def fails(*given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr("ttapi_nb.reply.reading.ReplyReader.feed", fails)
        with pytest.raises(UnknownOutcomeError, match="not enough memory"):
            edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url))
    (path,) = kept(environment)
    assert RunLog().reread(path.name).images[0].tobytes() == photo.tobytes()


@pytest.mark.parametrize("length", [10, 300_000, 700_000])
def test_a_long_answer_whose_line_breaks(
    server: Server, photo: Image.Image, environment: Path, length: int
) -> None:
    """All that came is kept, also what came last."""
    body = b"".join(b"%08d" % at for at in range(length // 8 + 1))
    server.answer = Reply(200, body, headers={"Content-Length": str(len(body) + 50)})
    with pytest.raises(UnknownOutcomeError, match="is kept in"):
        edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url, timeout=20))
    (path,) = kept(environment)
    assert path.read_bytes().partition(b"\n")[2] == body


@pytest.mark.slow
def test_a_log_that_waits_takes_none_of_the_services_time(server: Server, photo: Image.Image) -> None:
    """What waits before the first byte leaves does not count as the service's, and an error there sends nothing."""
    client = Client(KEY, base_url=server.url, timeout=1)
    request = EditRequest.make(image=photo, prompt="x")

    async def slow() -> None:
        await asyncio.sleep(1.2)

    assert loop.call(client.core.send(request, Told(sent=slow))).images

    async def fails() -> None:
        raise OSError("no")

    with pytest.raises(NotSentError, match="Nothing was sent or billed"):
        loop.call(client.core.send(request, Told(sent=fails)))
    assert len(server.posts) == 1


def test_a_line_that_breaks(server: Server, photo: Image.Image, environment: Path) -> None:
    """What came before the line broke is kept."""
    server.answer = Reply(200, b'{"data": [', headers={"Content-Length": "100000"})
    with pytest.raises(UnknownOutcomeError, match="is kept in"):
        edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url, timeout=20))
    (path,) = kept(environment)
    assert path.read_bytes().endswith(b'{"data": [')


@pytest.mark.parametrize("coding", ["gzip", "identity, gzip", "gzip, gzip", "x-gzip"])
def test_packed_answers(
    server: Server, photo: Image.Image, environment: Path, tmp_path: Path, coding: str
) -> None:
    """However a gateway packed it, and in however many members, it is read."""
    body = answer(png(photo, tmp_path))
    for _ in range(coding.count("gzip")):
        body = gzip.compress(body[:50], mtime=0) + gzip.compress(body[50:], mtime=0)
    server.answer = Reply(200, body, headers={"Content-Encoding": coding})
    assert edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url)).results
    assert kept(environment) == []


def test_packed_as_nobody_can_undo(server: Server, photo: Image.Image, environment: Path) -> None:
    """What can't be unpacked here is kept, and the error says why."""
    server.answer = Reply(200, b"x" * 500, headers={"Content-Encoding": "snappy"})
    with pytest.raises(UnknownOutcomeError, match=r"packed as 'snappy'.*is kept in"):
        edit(photo, "x", mask=MASK, client=Client(KEY, base_url=server.url))
    assert len(kept(environment)) == 1


def test_a_client_without_a_log(server: Server, photo: Image.Image, environment: Path) -> None:
    """A bare client's answer is kept in the user's data folder, and is read again from there."""
    server.answer = Reply(200, b"no")
    with pytest.raises(UnknownOutcomeError, match="is kept in"):
        Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    (path,) = kept(environment)
    with pytest.raises(ResultError, match="still can't be read"):
        RunLog().reread(path.name)


def test_a_folder_that_can_not_be_written(server: Server, photo: Image.Image, tmp_path: Path) -> None:
    """An answer that can't be kept is read all the same; where it is not understood, the error says so."""
    raw = RawAnswer(tmp_path / "file" / "answers", ID)
    (tmp_path / "file").write_bytes(b"")
    raw.head(200, {})
    raw.write(b"x")
    raw.end()
    assert "could not be kept" in raw.words


@pytest.mark.parametrize("size", [1, 5, 21, 22, 23, 1000])
def test_the_key_is_not_in_it(tmp_path: Path, size: int) -> None:
    """However the key is cut into pieces on its way, it is not in the file; all else is."""
    secret = Client(KEY).core.secret
    assert secret is not None
    body = b"a" + KEY.encode() + KEY.encode()[:10] + KEY.encode() * 2 + KEY.encode()[:-1]
    raw = RawAnswer(tmp_path / "answers", ID, secret.scrub_piece)
    raw.head(200, {"content-type": "x", "set-cookie": KEY})
    for start in range(0, len(body), size):
        raw.write(body[start : start + size])
    raw.end()
    data = raw.path.read_bytes()
    assert data.partition(b"\n")[2] == body.replace(KEY.encode(), b"[key]")
    assert KEY.encode() not in data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"x\n",
        b'{"format": 1}\n',
        b"[" * 70_000,
        b'{"format": "ttapi_nb raw answer", "version": 1}\n',
    ],
)
def test_a_file_of_somebody_else(tmp_path: Path, data: bytes) -> None:
    """What is no kept answer is refused in a sentence, and left as it is."""
    log = RunLog(tmp_path / "log")
    log.rows()
    (log.folder / "answers").mkdir(exist_ok=True)
    (log.folder / "answers" / ID).write_bytes(data)
    with pytest.raises(ResultError, match="damaged, or no kept answer"):
        log.reread(ID)
    assert (log.folder / "answers" / ID).read_bytes() == data


def test_links_pipes_and_names_are_not_followed(tmp_path: Path) -> None:
    """Only a plain file by a run's id is read."""
    folder = tmp_path / "answers"
    folder.mkdir()
    (tmp_path / "other").write_bytes(b"{}\n")
    (folder / ID).symlink_to(tmp_path / "other")
    os.mkfifo(folder / ("f" * 32))
    for name in (ID, "f" * 32, "../other", "", "0" * 32):
        with pytest.raises(ResultError), opened(folder, name):
            pass


def test_the_page_names_each_field(tmp_path: Path) -> None:
    """What is written is described."""
    raw = RawAnswer(tmp_path / "answers", ID)
    raw.head(200, dict.fromkeys(HEADERS, "x"))
    raw.end()
    head = json.loads(raw.path.read_bytes().partition(b"\n")[0])
    page = (Path(__file__).parents[1] / "docs" / "formats" / "raw-answer.md").read_text()
    assert all(f"`{name}`" in page for name in (*head, *head["headers"]))

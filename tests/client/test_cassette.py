"""What is recorded is answered again without a key or a network; it holds nothing private, and bad files do no harm."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.server import Reply, Server, encoded, json_reply, pictures
from ttapi_nb import (
    AsyncClient,
    Client,
    ImagesResponse,
    Mask,
    NotRecordedError,
    NotSentError,
    RefusedError,
    ResultError,
    SettingsError,
    TTAPIError,
    UnknownOutcomeError,
    edit,
    loop,
)
from ttapi_nb.client import cassette
from ttapi_nb.client.cassette import asks, reading, recorder
from ttapi_nb.client.ways import Replay
from ttapi_nb.models import REPLAY_NOTICE
from ttapi_nb.run import to_code

KEY = "sk-very-secret-0123456789"
HEAD = json.dumps({"format": "ttapi_nb cassette 1"}).encode()
TEAL = Image.new("RGB", (64, 64), "teal")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Where a test's recording is."""
    return tmp_path / "class.zip"


def record(server: Server, tape: Path, **settings: Any) -> Client:
    """A client that records what the test's server answers."""
    return Client.record(tape, api_key=KEY, base_url=server.url, **settings)


def everything_in(tape: Path) -> bytes:
    """The file's own bytes, and all that is packed in it."""
    with zipfile.ZipFile(tape) as archive:
        packed = [archive.read(name) for name in archive.namelist()]
        names = [str(info).encode() + info.comment + info.extra for info in archive.infolist()]
        return b"\n".join([tape.read_bytes(), archive.comment, *names, *packed])


def entries(tape: Path) -> list[dict[str, Any]]:
    """What is written of each exchange."""
    with zipfile.ZipFile(tape) as archive:
        return [json.loads(archive.read(name)) for name in sorted(archive.namelist()) if "exchanges/" in name]


ALONE = """
    import sys

    def no_network(event, args):
        if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
            raise RuntimeError("the network was asked: " + event)

    import asyncio
    import ttapi_nb as tt
    from ttapi_nb import loop

    loop.call(asyncio.sleep(0))  # its own pair of sockets is made here, before the doors are shut
    sys.addaudithook(no_network)
    client = tt.Client.replay(sys.argv[1])
    mask = tt.Mask((64, 64)).rectangle((8, 8, 40, 40))
    response = client.images.edit(image=sys.argv[2], prompt="a red sofa", mask=mask)
    response.data[0].save(sys.argv[3])
    assert client.is_offline and client.is_replay and response.replayed and not response.offline
    try:
        client.images.edit(image=sys.argv[2], prompt="a bomb")
    except tt.RefusedError as error:
        print(type(error).__name__, error.code, error)
"""


def test_a_class_replays_what_the_teacher_recorded(
    server: Server, photo: Image.Image, tape: Path, tmp_path: Path
) -> None:
    """Another process, with no key and no network, gets the same bytes and the same refusal."""
    teacher = record(server, tape)
    mask = Mask((64, 64)).rectangle((8, 8, 40, 40))
    response = teacher.images.edit(image=photo, prompt="a red sofa", mask=mask)
    server.answer = json_reply({"error": {"message": "no bombs", "code": "moderation_blocked"}}, 400)
    with pytest.raises(RefusedError) as refused:
        teacher.images.edit(image=photo, prompt="a bomb")
    posts = len(server.posts)

    # The student's file has other bytes for the same pixels.
    photo.save(tmp_path / "photo.png", compress_level=1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TT")}
    environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(ALONE),
            str(tape),
            str(tmp_path / "photo.png"),
            str(tmp_path / "got.png"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "got.png").read_bytes() == response.data[0].data
    assert done.stdout.strip() == f"RefusedError moderation_blocked {refused.value}"
    assert len(server.posts) == posts == 2


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_any_body_form_and_either_client(
    server: Server, photo: Image.Image, tape: Path, wire: Any, asynchronous: bool
) -> None:
    """What was recorded in one body form is replayed in any, by both clients."""
    fields: dict[str, Any] = {"image": [photo, photo.rotate(90)], "prompt": "x", "n": 1, "quality": "low"}
    if asynchronous:
        recording = AsyncClient.record(tape, api_key=KEY, base_url=server.url, wire=wire)
        first = asyncio.run(recording.images.edit(**fields))
        again = asyncio.run(AsyncClient.replay(tape).images.edit(**fields))
    else:
        first = record(server, tape, wire=wire).images.edit(**fields)
        again = Client.replay(tape, wire="references").images.edit(**fields)
    assert not first.replayed
    assert (again.created, again.usage) == (first.created, first.usage)
    assert [item.data for item in again.data] == [item.data for item in first.data]


def test_pictures_are_compared_by_their_pixels(server: Server, photo: Image.Image, tape: Path) -> None:
    """Another file of the same pixels is the same picture, and a single pixel makes another of picture and mask."""
    mask = Mask((64, 64)).rectangle((8, 8, 40, 40))
    record(server, tape).images.edit(image=photo, prompt="x", mask=mask)
    client = Client.replay(tape)

    for same in (encoded(photo, "WEBP", lossless=True), np.asarray(photo), photo.convert("RGBA")):
        for same_hole in (mask, mask.to_png(), Image.open(io.BytesIO(mask.to_png()))):
            assert client.images.edit(image=same, prompt="x", mask=same_hole).replayed
    other = photo.copy()
    other.putpixel((3, 3), (1, 2, 3))
    others: list[tuple[Image.Image, Mask | None]] = [
        (other, mask),
        (photo, mask.grow(1)),
        (photo, mask.erase([(20, 20)], radius=1)),
        (photo, None),
    ]
    for image, hole in others:
        with pytest.raises(NotRecordedError, match="this prompt"):
            client.images.edit(image=image, prompt="x", mask=hole)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"prompt": "a café\n"}, True),
        ({"prompt": "a cafe\u0301"}, True),
        ({"user": "someone else"}, True),
        ({"quality": "auto"}, True),
        ({"prompt": "a cafe"}, False),
        ({"n": 2}, False),
        ({"size": "1024x1024"}, False),
        ({"quality": "low"}, False),
        ({"model": "gpt-image-2"}, False),
        ({"extra_body": {"x": 1}}, False),
    ],
    ids=str,
)
def test_what_makes_a_request_the_same(
    server: Server, photo: Image.Image, tape: Path, change: dict[str, Any], found: bool
) -> None:
    """Words typed with other bytes, and who asks, make no other request; settings do."""
    asked: dict[str, Any] = {"image": photo, "prompt": "a café", "user": "me"}
    record(server, tape).images.edit(**asked)
    client = Client.replay(tape)
    if found:
        assert client.images.edit(**asked | change).data
    else:
        with pytest.raises(NotRecordedError):
            client.images.edit(**asked | change)


def test_asked_again(server: Server, photo: Image.Image, tape: Path) -> None:
    """The same request gets its answers, refusals too, in the order they were recorded, and then stays at the last."""
    client = record(server, tape)
    for number in (1, 2):
        server.answer = json_reply(pictures(photo) | {"created": number})
        client.images.edit(image=photo, prompt="x")
    server.answer = json_reply({"status": "FAILED", "message": "banned"})
    with pytest.raises(RefusedError):
        client.images.edit(image=photo, prompt="x")
    server.answer = json_reply(pictures(photo) | {"created": 4})
    client.images.edit(image=photo, prompt="x")

    for _ in range(2):
        student = Client.replay(tape)
        assert [student.images.edit(image=photo, prompt="x").created for _ in range(2)] == [1, 2]
        with pytest.raises(RefusedError, match=r"banned.*Change what it names"):
            student.images.edit(image=photo, prompt="x")
        assert [student.images.edit(image=photo, prompt="x").created for _ in range(3)] == [4, 4, 4]


def test_what_is_asked_for_but_not_there(server: Server, photo: Image.Image, tape: Path) -> None:
    """The error names what there is, in short and without what could take over the screen, and nothing was sent."""
    client = record(server, tape)
    client.images.edit(image=photo, prompt="a \x1b[31mred\nsofa" + "!" * 200, size="1024x1024")
    for number in range(10):
        client.images.edit(image=photo, prompt=f"number {number}")
    student = Client.replay(tape)

    with pytest.raises(NotRecordedError) as caught:
        student.images.edit(image=photo, prompt="number 7", n=3)

    said = str(caught.value)
    lines = said.splitlines()
    assert lines[0].startswith("class.zip holds no recording of this request, and nothing was sent.")
    assert "It has this prompt, but with other settings" in lines[0]
    assert lines[1] == '- "number 7" (gpt-image-1.5, size auto, picture 64x64)'
    assert lines[2].startswith('- "a [31mred sofa!!!')
    assert lines[2].endswith('…" (gpt-image-1.5, size 1024x1024, picture 64x64)')
    assert lines[-1] == "… and 3 more: see client.recorded."
    assert len(lines) == 10
    assert "\x1b" not in said
    assert isinstance(caught.value, NotSentError)
    assert len(student.recorded) == 11
    assert student.recorded[0].size == "1024x1024"
    assert client.recorded == ()


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (json_reply({"error": {"message": "bad size", "param": "size"}}, 400), True),
        (json_reply({"status": "FAILED", "message": "banned"}), True),
        (Reply(413), True),
        (json_reply({"error": "wrong key"}, 401), False),
        (json_reply({"error": "no quota"}, 402), False),
        (json_reply({"error": "blocked"}, 403), False),
        (json_reply({"error": "slow down"}, 429), False),
        (json_reply({"error": "queue"}, 499), False),
        (Reply(307, headers={"Location": "/elsewhere"}), False),
        (json_reply({"error": "oops"}, 500), False),
        (Reply(200, b"<html>"), False),
        (Reply(drop=True), False),
        (json_reply({"data": [{"b64_json": "%"}]}), False),
    ],
)
def test_which_answers_are_kept(
    server: Server, photo: Image.Image, tape: Path, answer: Reply, kept: bool
) -> None:
    """Refusals of what was asked are; what is about the account, not known, or no picture is not, and errors stay."""
    server.answer = answer
    client = record(server, tape)
    error: TTAPIError | None = None
    try:
        client.images.edit(image=photo, prompt="x")
    except TTAPIError as raised:
        error = raised
    assert len(entries(tape)) == kept
    if kept:
        with pytest.raises(RefusedError) as again:
            Client.replay(tape).images.edit(image=photo, prompt="x")
        assert error is not None
        assert (type(again.value), str(again.value), vars(again.value)) == (
            type(error),
            str(error),
            vars(error),
        )
    elif error is not None:
        assert isinstance(error, RefusedError | UnknownOutcomeError)


# What is in it


def test_no_key_and_nothing_private(
    server: Server, photo: Image.Image, tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key, quoted by the service wherever it can, nor address, file name, user or extra field is in it."""
    monkeypatch.setenv("TT_API_KEY", KEY)
    name = tmp_path / "my-holiday-with-eve.png"
    photo.save(name)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", f"made for {KEY}")
    marked = json_reply(
        {
            **pictures(photo),
            "data": [
                {"b64_json": pictures(photo)["data"][0]["b64_json"], "revised_prompt": f"for {KEY}"},
                {"url": f"{server.origin}/files/a.png?signature=sig-12345678"},
            ],
        },
        headers={"X-Your-Key": KEY, "Set-Cookie": "session=cookie-12345678"},
    )
    server.routes["/files/a.png?signature=sig-12345678"] = Reply(
        200, encoded(photo, pnginfo=text), mime="image/png"
    )
    client = Client.record(tape, base_url=server.url)
    server.answer = marked
    client.images.edit(
        image=name, prompt=f"x {KEY}", user="eve@example.com", extra_body={"team": "secret-team-1234"}
    )
    server.answer = json_reply({"error": {"message": f"bad {KEY}", "code": KEY, "param": KEY}}, 400)
    with pytest.raises(RefusedError):
        client.images.edit(image=name, prompt="y")

    found = everything_in(tape)
    private = [KEY, "holiday", "eve", "secret-team", "127.0.0.1", str(server.port), "signature", "cookie-"]
    assert [word for word in private if word.encode() in found] == []
    first, second = entries(tape)
    assert first["prompt"] == "x [key]"
    assert second["reply"]["refusal"]["message"] == "bad [key]"
    # The picture that was sent is not in it, and both results are.
    assert len([name for name in zipfile.ZipFile(tape).namelist() if "results/" in name]) == 1 + (
        hashlib.sha256(encoded(photo)).hexdigest() != first["reply"]["results"][1]["sha256"]
    )
    with zipfile.ZipFile(tape) as archive:
        for result in first["reply"]["results"]:
            data = archive.read(f"results/{result['sha256']}")
            assert Image.open(io.BytesIO(data)).tobytes() == photo.tobytes()


def test_a_broken_result_that_quotes_the_key(server: Server, photo: Image.Image, tape: Path) -> None:
    """A result that is no picture, with the key in it, is kept without the key."""
    server.answer = json_reply({"data": [{"b64_json": base64.b64encode(f"no {KEY}".encode()).decode()}]})
    record(server, tape).images.edit(image=photo, prompt="x")
    assert KEY.encode() not in everything_in(tape)
    assert Client.replay(tape).images.edit(image=photo, prompt="x").data[0].data == b"no [key]"


def test_a_mask_that_says_nothing(server: Server, photo: Image.Image, tape: Path) -> None:
    """A mask without transparency, sent unchecked, is told from another by its pixels."""
    asked: dict[str, Any] = {"image": photo, "prompt": "x", "check": False}
    record(server, tape).images.edit(**asked, mask=photo)
    client = Client.replay(tape)
    assert client.images.edit(**asked, mask=photo).data
    with pytest.raises(NotRecordedError):
        client.images.edit(**asked, mask=TEAL)


@pytest.mark.parametrize(
    ("cap", "value", "said"),
    [
        ("ENTRY_CAP", 100, "too large"),
        ("RESULTS_CAP", 100, "too large"),
        ("MEMBERS_CAP", 4, "it is full"),
        ("INDEX_CAP", 600, "it is full"),
    ],
)
def test_as_much_as_a_recording_holds(
    server: Server,
    photo: Image.Image,
    tape: Path,
    monkeypatch: pytest.MonkeyPatch,
    cap: str,
    value: int,
    said: str,
) -> None:
    """What would make a file that can't be opened again is not added, and the answer says so."""
    client = record(server, tape)
    assert client.images.edit(image=photo, prompt="a").notice == ""
    monkeypatch.setattr(recorder, cap, value)
    server.answer = json_reply(pictures(photo))
    notice = client.images.edit(image=photo, prompt="b").notice
    assert "was not recorded" in notice
    assert said in notice
    monkeypatch.undo()
    assert [one.prompt for one in Client.replay(tape).recorded] == ["a"]


def test_a_toy_key_changes_no_words(server: Server, photo: Image.Image, tape: Path) -> None:
    """A key that is short, as local services take it, stands in words by chance: they stay as they are."""
    Client.record(tape, api_key="a", base_url=server.url).images.edit(image=photo, prompt="a sofa")
    assert Client.replay(tape).images.edit(image=photo, prompt="a sofa").data


def test_a_missing_result(server: Server, photo: Image.Image, tape: Path) -> None:
    """A result that could not be fetched when it was recorded says so, and its neighbour is there."""
    server.answer = json_reply({"data": [{"url": "https://127.0.0.1/x.png"}, *pictures(photo)["data"]]})
    record(server, tape).images.edit(image=photo, prompt="x", n=2)
    first, second = Client.replay(tape).images.edit(image=photo, prompt="x", n=2).data
    assert second.image.size == (64, 64)
    with pytest.raises(ResultError, match="could not be fetched when this was recorded"):
        _ = first.image


def test_it_says_what_answers(
    server: Server, photo: Image.Image, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients and replies say that they record or replay, and who made the results."""
    recording = record(server, tape)
    assert repr(recording) == f"Client.record('class.zip', '{server.url}', wire='json')"
    assert "Each exchange is recorded in class.zip" in recording.words
    assert not recording.is_replay
    recording.images.edit(image=photo, prompt="x")
    student = Client.replay(tape)
    assert repr(student) == "Client.replay('class.zip')"
    assert "Replays class.zip: no key, nothing is sent" in student.words
    response = student.images.edit(image=photo, prompt="x")
    assert response.notice == REPLAY_NOTICE
    assert "Replayed from a recording" in response._repr_html_()
    assert repr(response) == "ImagesResponse(1 result, 30 tokens, replayed)"

    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    embedded = Client.record(tape)
    small: dict[str, Any] = {"model": "dall-e-2", "size": "256x256"}
    assert "recorded in" in embedded.words
    assert repr(embedded) == "Client.record('class.zip', offline=True)"
    embedded.images.edit(image=photo, prompt="by the embedded service", **small)
    replayed = Client.replay(tape).images.edit(image=photo, prompt="by the embedded service", **small)
    assert replayed.offline
    assert "reads nothing of the prompt" in replayed.notice


@pytest.mark.slow
def test_a_run_replays(server: Server, photo: Image.Image, tape: Path) -> None:
    """The whole way works on a recording: the result is the same, says so, and is logged as one that cost nothing."""
    mask = Mask((64, 64)).rectangle((8, 8, 40, 40))
    first = edit(photo, "a red sofa", mask=mask, client=record(server, tape))
    again = edit(photo, "a red sofa", mask=mask, client=Client.replay(tape))
    assert again.results[0].image.tobytes() == first.results[0].image.tobytes()
    assert (first.results[0].notice, again.results[0].notice) == ("", REPLAY_NOTICE)
    assert "Replayed from a recording" in again.results[0]._repr_html_()
    assert again.log is not None
    assert [row.offline for row in again.log.rows()] == [True, False]
    assert f"tt.Client.replay({str(tape)!r})".replace("'", '"') in to_code(
        again.asked, client=Client.replay(tape)
    )


def test_nothing_is_fetched_while_replaying(server: Server, photo: Image.Image, tape: Path) -> None:
    """A replaying client asks no network for a picture either."""
    record(server, tape).images.edit(image=photo, prompt="x")
    with pytest.raises(TTAPIError, match="nothing is fetched"):
        loop.call(Client.replay(tape).core.fetch(f"{server.origin}/x.png"))
    assert len(server.requests) == 1


# Adding to it


def test_added_to(server: Server, photo: Image.Image, tape: Path) -> None:
    """A second session adds to the file, and the same result is kept once."""
    for prompt in ("a", "b"):
        record(server, tape).images.edit(image=photo, prompt=prompt)
    client = Client.replay(tape)
    assert [one.prompt for one in client.recorded] == ["a", "b"]
    assert isinstance(client.core.way, Replay)
    assert repr(client.core.way.player) == f"Player({str(tape)!r}, 2 exchanges)"
    assert len([name for name in zipfile.ZipFile(tape).namelist() if "results/" in name]) == 1
    assert sorted(path.name for path in tape.parent.iterdir() if path.name != "ttapi-data") == ["class.zip"]


def test_an_empty_recording(tape: Path, photo: Image.Image) -> None:
    """A recording that was begun and holds nothing yet can be opened, and says so."""
    Client.record(tape, api_key=KEY)
    with pytest.raises(NotRecordedError, match="holds nothing yet"):
        Client.replay(tape).images.edit(image=photo, prompt="x")


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_disk_that_fails(
    server: Server, photo: Image.Image, tape: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Where an exchange can't be written, the paid answer comes back and says so, and what was recorded stays whole."""
    client = record(server, tape)
    client.images.edit(image=photo, prompt="a")
    before = tape.read_bytes()

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    if broken == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    response = client.images.edit(image=photo, prompt="b")
    monkeypatch.undo()

    assert response.data[0].image.size == (64, 64)
    assert "was not recorded in class.zip" in response.notice
    assert "No space left" in response.notice
    assert tape.read_bytes() == before
    assert [path.name for path in tape.parent.iterdir() if path.name != "ttapi-data"] == ["class.zip"]


def test_a_recording_that_is_gone(server: Server, photo: Image.Image, tape: Path) -> None:
    """Whoever removes the file meanwhile gets a new one, and no answer is lost."""
    client = record(server, tape)
    tape.unlink()
    assert client.images.edit(image=photo, prompt="a").notice == ""
    assert len(entries(tape)) == 1
    tape.write_bytes(b"no zip")
    assert "damaged" in client.images.edit(image=photo, prompt="b").notice or tape.read_bytes() == b"no zip"


def test_many_threads_and_two_clients(server: Server, photo: Image.Image, tape: Path) -> None:
    """Exchanges that end at the same time are all kept."""
    clients = [record(server, tape), record(server, tape)]
    together = threading.Barrier(8)

    def ask(number: int) -> ImagesResponse:
        together.wait(20)
        return clients[number % 2].images.edit(image=photo, prompt=f"number {number}")

    with ThreadPoolExecutor(8) as pool:
        assert all(response.note == "" for response in pool.map(ask, range(8)))
    assert {one.prompt for one in Client.replay(tape).recorded} == {f"number {number}" for number in range(8)}


ADDING = """
    import sys
    import ttapi_nb as tt
    from PIL import Image
    client = tt.Client.record(sys.argv[1], api_key="x" * 20, base_url=sys.argv[2])
    photo = Image.new("RGB", (16, 16))
    for number in range(int(sys.argv[4])):
        response = client.images.edit(image=photo, prompt=f"{sys.argv[3]} {number}")
        print(response.notice or "kept", flush=True)
"""


def _adding(server: Server, tape: Path, name: str, count: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", textwrap.dedent(ADDING), str(tape), server.url, name, str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="there only threads wait for each other")
def test_file_replaced_while_waiting_for_its_lock(
    server: Server, tape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process put a new file in place meanwhile, what it wrote stays, and ours comes to it."""
    import fcntl

    server.answer = json_reply(pictures(TEAL))
    client = record(server, tape)
    client.images.edit(image=TEAL, prompt="first")
    first = tape.read_bytes()
    tape.unlink()
    locks: list[int] = []
    flock = fcntl.flock

    def lock(file: Any, how: int) -> None:
        flock(file, how)
        locks.append(how)
        if len(locks) == 1:
            new = tape.with_suffix(".new")
            new.write_bytes(first)
            new.replace(tape)

    monkeypatch.setattr(fcntl, "flock", lock)
    client.images.edit(image=TEAL, prompt="second")
    assert len(locks) == 2
    assert len(entries(tape)) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there only threads wait for each other")
@pytest.mark.slow
def test_two_processes(server: Server, tape: Path) -> None:
    """Two kernels that record into one file lose nothing."""
    with _adding(server, tape, "one", 12) as one, _adding(server, tape, "two", 12) as two:
        said = [process.communicate(timeout=100)[0].split() for process in (one, two)]
    assert said == [["kept"] * 12] * 2
    assert len(Client.replay(tape).recorded) == 24


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.slow
def test_killed_while_adding(server: Server, tape: Path) -> None:
    """However a process that records ends, the file is whole, with all that it had said was kept."""
    for round_ in range(3):
        with _adding(server, tape, f"round {round_}", 10_000) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4 + 3 * round_)]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.readlines()
        assert set(lines) == {"kept\n"}
        kept = [
            one.prompt for one in Client.replay(tape).recorded if one.prompt.startswith(f"round {round_}")
        ]
        assert len(lines) <= len(kept) <= len(lines) + 1


@pytest.mark.parametrize("where", ["folder", "nowhere", "null", "number"])
def test_places_that_can_not_be_written(tmp_path: Path, where: str) -> None:
    """A place that holds no file is said before anything is paid for."""
    place: Any = {"folder": tmp_path, "nowhere": tmp_path / "no" / "a.zip", "null": "a\0b", "number": 7}[
        where
    ]
    with pytest.raises(SettingsError, match=r"can't be written|no path"):
        Client.record(place, api_key=KEY)
    with pytest.raises(SettingsError, match=r"There is no recording|not a file|no path"):
        Client.replay(place)


def test_a_file_of_somebody_elses(tape: Path) -> None:
    """A file that is no recording is not written over."""
    for data in (b"my only copy", _zip({"thesis.txt": b"my only copy"})):
        tape.write_bytes(data)
        with pytest.raises(SettingsError, match="Give another file"):
            Client.record(tape, api_key=KEY)
        assert tape.read_bytes() == data


# Hostile files


def _zip(members: dict[str, bytes], **settings: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **settings) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


RESULT = encoded(Image.new("RGB", (8, 8), "teal"))
NAME = hashlib.sha256(RESULT).hexdigest()
ENTRY: dict[str, Any] = {
    "prompt": "x",
    "model": "gpt-image-1",
    "options": {"n": 1},
    "extra": "",
    "images": [["0" * 64, 8, 8]],
    "mask": None,
    "reply": {
        "created": 1,
        "usage": None,
        "embedded": False,
        "results": [{"sha256": NAME, "revised_prompt": None}],
    },
}
FIRST = "exchanges/000001.json"


def _tape(entry: object = ENTRY, result: bytes = RESULT, **more: bytes) -> bytes:
    written = entry if isinstance(entry, bytes) else json.dumps(entry).encode()
    return _zip({"ttapi_nb.json": HEAD, FIRST: written, f"results/{NAME}": result} | more)


def _flipped(data: bytes, place: bytes, at: int) -> bytes:
    start = data.index(place) + at
    return data[:start] + bytes([data[start] ^ 0xFF]) + data[start + 1 :]


def _twice() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in ("ttapi_nb.json", FIRST, FIRST):
                archive.writestr(name, HEAD)
        return out.getvalue()


def _encrypted() -> bytes:
    data = bytearray(_tape())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _reply(**change: Any) -> dict[str, Any]:
    return ENTRY | {"reply": ENTRY["reply"] | change}


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"hello",
    "html named zip": lambda: b"<html><script>alert(1)</script></html>" * 100,
    "another zip": lambda: _zip({"a.txt": b"x"}),
    "another version": lambda: _zip({"ttapi_nb.json": b'{"format": "ttapi_nb cassette 99"}'}),
    "cut off": lambda: _tape()[:-40],
    "first half only": lambda: _tape()[:150],
    "directory bomb": lambda: _zip(
        {"ttapi_nb.json": HEAD} | {f"x/{n}{'y' * 80}": b"" for n in range(50_000)}
    ),
    "zip64": lambda: _tape()[:-22] + b"PK\x06\x07" + bytes(16) + _tape()[-22:],
    "head of another kind": lambda: _zip({"ttapi_nb.json": b"[]"}),
    "head that is deep": lambda: _zip({"ttapi_nb.json": b"[" * 200_000}),
    "path upwards": lambda: _tape(**{"../../evil.png": b"x"}),
    "absolute path": lambda: _tape(**{"/etc/cron.d/evil": b"x"}),
    "windows path": lambda: _tape(**{"C:evil.png": b"x"}),
    "the same name twice": _twice,
    "encrypted": _encrypted,
    "packed in another way": lambda: _repacked(zipfile.ZIP_BZIP2),
    "deep json": lambda: _tape(b'{"prompt":' * 100_000),
    "json bomb": lambda: _tape(b'"' + b" " * 300_000_000 + b'"'),
    "not a number": lambda: _tape(json.dumps(_reply(created=float("nan"))).encode()),
    "half a character": lambda: _tape(b'{"prompt": "\xff"}'),
    "no json": lambda: _tape(b"hello"),
    "a list": lambda: _tape([ENTRY]),
    "no prompt": lambda: _tape({name: value for name, value in ENTRY.items() if name != "prompt"}),
    "prompt of another type": lambda: _tape(ENTRY | {"prompt": {"a": 1}}),
    "options of another type": lambda: _tape(ENTRY | {"options": ["n", 1]}),
    "options that nest": lambda: _tape(ENTRY | {"options": {"n": [[1]]}}),
    "pictures of another shape": lambda: _tape(ENTRY | {"images": [["0" * 64, 8]]}),
    "a result outside": lambda: _tape(
        _reply(results=[{"sha256": "../../etc/passwd", "revised_prompt": None}])
    ),
    "a thousand results": lambda: _tape(_reply(results=[{"sha256": NAME, "revised_prompt": None}] * 1000)),
    "no results": lambda: _tape(_reply(results=7)),
    "usage of another type": lambda: _tape(_reply(usage={"total_tokens": "many"})),
    "huge number": lambda: _tape(_reply(created=10**400)),
    "a broken refusal": lambda: _tape(ENTRY | {"reply": {"refusal": {"status": "400"}}}),
    "a broken check sum": lambda: _flipped(_zip({"ttapi_nb.json": HEAD}), b"PK\x01\x02", 16),
}


def _repacked(how: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        archive.writestr("ttapi_nb.json", HEAD)
    return out.getvalue()


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_file(tape: Path, kind: str) -> None:
    """A file that is no recording, or a bad one, is refused with what it is, before anything of it is used."""
    tape.write_bytes(HOSTILE[kind]())
    with pytest.raises(SettingsError) as caught:
        Client.replay(tape)
    assert str(caught.value).endswith(("get the file anew.", "check the path."))
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    assert sorted(path.name for path in tape.parent.iterdir() if path.name != "ttapi-data") == ["class.zip"]


RESULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "missing": (lambda: _zip({"ttapi_nb.json": HEAD, FIRST: json.dumps(ENTRY).encode()}), "damaged"),
    "changed": (lambda: _tape(result=RESULT + b"x"), "has been changed"),
    "bomb": (lambda: _tape(result=bytes(400_000_000)), "too large"),
    "broken": (lambda: _flipped(_tape(), f"results/{NAME}".encode(), 90), "damaged|changed"),
}


@pytest.mark.dear
@pytest.mark.parametrize("kind", RESULTS)
def test_hostile_result(tape: Path, kind: str) -> None:
    """A result that is not what was recorded is an error of ours where it is asked for, and not shown."""
    make, words = RESULTS[kind]
    tape.write_bytes(make())
    player = cassette.Player(tape)
    played = lambda: player._played(player._entries[0])  # noqa: E731 - no picture has the digest in the file
    with pytest.raises(ResultError, match=rf"(?:{words}).*Get the file anew"):
        played()


def test_a_good_one_beside() -> None:
    """The files above are bad for their one reason: without it such a file can be played."""
    with zipfile.ZipFile(io.BytesIO(_tape(**{"notes/readme.txt": b"added by a teacher"}))) as archive:
        (entry,) = reading.read_entries(archive)
        assert entry.recorded.prompt == "x"
        assert reading.read_results(archive, entry.reply["results"])[0].data == RESULT


BOUND = """
    import pathlib, re, sys
    import ttapi_nb as tt
    from ttapi_nb.client import cassette

    def peak():
        # Not getrusage: there a process starts with the peak of the one that started it.
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s*([0-9]+)", status)[1]) // 1024

    before = peak()
    for path in sys.argv[1:]:
        try:
            player = cassette.Player(path)
            player._played(player._entries[0])
        except tt.TTAPIError:
            print("refused")
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the figure comes from Linux")
@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Files made to fill the memory, when unpacked or when their directory is read, cost less than 200 MB."""
    bombs = [
        HOSTILE["json bomb"](),
        HOSTILE["directory bomb"](),
        RESULTS["bomb"][0](),
        HOSTILE["deep json"](),
    ]
    paths = [tmp_path / f"{number}.zip" for number in range(len(bombs))]
    for path, data in zip(paths, bombs, strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BOUND), *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    *said, megabytes = done.stdout.split()
    assert said == ["refused"] * len(bombs)
    assert int(megabytes) < 200


def _many(entry: dict[str, Any], count: int) -> bytes:
    written = json.dumps(entry).encode()
    return _zip(
        {"ttapi_nb.json": HEAD} | {f"exchanges/{number:06d}.json": written for number in range(count)}
    )


SLOW: dict[str, dict[str, Any]] = {
    "many pictures": ENTRY | {"images": [["0" * 64, 1, 1]] * 20_000},
    "many options": ENTRY | {"options": {f"o{number}": 1 for number in range(100_000)}},
    "a long option": ENTRY | {"options": {"size": "x" * 1_000_000}},
    "a long model": ENTRY | {"model": "x" * 1_000_000},
    "an endless prompt": ENTRY | {"prompt": "x" * 1_500_000},
    "extra that is no digest": ENTRY | {"extra": "x" * 1_000_000},
    "a picture without a digest": ENTRY | {"images": [["../../etc/passwd", 1, 1]]},
}


@pytest.mark.parametrize("kind", SLOW)
def test_what_no_exchange_has_is_not_read(tape: Path, kind: str) -> None:
    """An exchange that would cost minutes to look at, and kilobytes to pack, is refused before it is compared."""
    tape.write_bytes(_many(SLOW[kind], 8))
    with pytest.raises(SettingsError, match="not what a recording holds"):
        cassette.Player(tape)


def test_accents_piled_up_cost_no_square(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt of accents that are in no order is compared without bringing all of them into one."""
    asked: list[int] = []
    normalize = unicodedata.normalize

    def watched(form: Literal["NFC"], text: str) -> str:
        asked.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", watched)
    tape.write_bytes(_many(ENTRY | {"prompt": "a" + "\u0301\u0316" * 50_000 + " e\u0301"}, 3))
    assert len(cassette.Player(tape).recorded) == 1
    assert max(asked) <= asks.LONGEST_WORD


def test_a_word_is_found_however_it_was_typed() -> None:
    """The same letters with other bytes are the same prompt."""
    assert asks.plain("un cafe\u0301 noir\r\n") == asks.plain("un caf\u00e9 noir") == "un caf\u00e9 noir"


@pytest.mark.skipif(os.name != "posix", reason="other systems have no modes")
def test_a_new_recording_is_its_owners_alone(server: Server, photo: Image.Image, tape: Path) -> None:
    """Under an ordinary umask nobody else reads a new one; one that was shared stays shared, and folders are let be."""
    before = os.umask(0o022)
    try:
        folder = tape.parent.stat().st_mode
        client = record(server, tape)
        assert tape.stat().st_mode & 0o777 == 0o600
        client.images.edit(image=photo, prompt="a")
        assert tape.stat().st_mode & 0o777 == 0o600
        tape.chmod(0o644)
        client.images.edit(image=photo, prompt="b")
        assert tape.stat().st_mode & 0o777 == 0o644
        assert tape.parent.stat().st_mode == folder
        assert [path.name for path in tape.parent.iterdir() if path.suffix == ".part"] == []
    finally:
        os.umask(before)


def test_a_relative_place_stays_where_it_was(
    server: Server, photo: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of the working directory, recording and replaying go on in the file that was meant."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    client = record(server, Path("a.zip"))
    client.images.edit(image=photo, prompt="a")
    replaying = Client.replay("a.zip")
    monkeypatch.chdir(tmp_path / "elsewhere")
    client.images.edit(image=photo, prompt="b")
    assert replaying.images.edit(image=photo, prompt="a").data[0].data
    assert len(Client.replay(tmp_path / "a.zip").recorded) == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []

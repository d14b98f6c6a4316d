"""Both clients: one POST whatever happens, one deadline, any thread and any loop, and offline without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import pickle
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from tests.client.test_secret import shown
from tests.server import PATIENCE, Failure, Reply, Server, encoded, fail, full_port, json_reply, pictures
from tests.support.interrupts import interrupts
from ttapi_nb import (
    AsyncClient,
    Client,
    EditRequest,
    ImageError,
    ImagesResponse,
    InvalidRequestError,
    Mask,
    MissingKeyError,
    NotSentError,
    RateLimitError,
    RefusedError,
    SettingsError,
    TTAPIError,
    UnknownOutcomeError,
    loop,
    open_image,
)
from ttapi_nb.client import default_client, sending
from ttapi_nb.client.client import DEFAULT_BASE_URL
from ttapi_nb.network import ways
from ttapi_nb.request import Options
from ttapi_nb.service import Service

KEY = "test-key-0123456789"
# What the embedded service makes quickest.
SMALL: Options = {"model": "dall-e-2", "size": "256x256"}
FAILURES: tuple[Failure, ...] = get_args(Failure)


def _edit(asynchronous: bool, base_url: str, photo: Image.Image, **settings: Any) -> ImagesResponse:
    """One edit with either client."""
    if not asynchronous:
        return Client(KEY, base_url=base_url, **settings).images.edit(image=photo, prompt="x")

    async def edit() -> ImagesResponse:
        return await AsyncClient(KEY, base_url=base_url, **settings).images.edit(image=photo, prompt="x")

    return asyncio.run(edit())


either = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@either
@pytest.mark.parametrize("how", FAILURES)
def test_one_post(server: Server, photo: Image.Image, asynchronous: bool, how: Failure) -> None:
    """However a request fails once it has left, it is sent exactly once, and the error tells whether it may cost."""
    fail(server, how)

    expected = RefusedError if how == "200 failed" else UnknownOutcomeError
    with pytest.raises(expected) as caught:
        _edit(asynchronous, server.url, photo, timeout=0.4 if how == "time-out" else 30)

    assert type(caught.value) is expected
    assert ("may have been carried out and billed" in str(caught.value)) == (expected is UnknownOutcomeError)
    assert len(server.posts) == server.connections == 1


@either
def test_nobody_listens(photo: Image.Image, asynchronous: bool) -> None:
    """A refused connection is the one failure that says that trying again is safe."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotSentError, match="nothing was sent or billed"):
        _edit(asynchronous, f"http://127.0.0.1:{port}", photo)


@either
def test_a_connection_is_tried_again(photo: Image.Image, asynchronous: bool) -> None:
    """A connection that is refused is tried once more, as nothing has left; then there is one POST."""
    with Server() as server, socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        refused = logging.getLogger("httpcore.connection")
        before = refused.level

        class Listen(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                # httpcore's word that a first try has failed.
                if "retry.started" in record.getMessage():
                    late.listen()
                    threading.Thread(target=forward, args=(late, server.port), daemon=True).start()

        handler = Listen()
        refused.addHandler(handler)
        refused.setLevel(logging.DEBUG)
        try:
            assert len(_edit(asynchronous, f"http://127.0.0.1:{late.getsockname()[1]}/v1", photo).data) == 1
        finally:
            refused.removeHandler(handler)
            refused.setLevel(before)
        assert len(server.posts) == 1


def forward(listener: socket.socket, port: int) -> None:
    """Pass one connection on to another port, both ways."""
    there, _ = listener.accept()
    with there, socket.create_connection(("127.0.0.1", port)) as here:
        back = threading.Thread(target=pour, args=(here, there), daemon=True)
        back.start()
        pour(there, here)
        back.join(PATIENCE)


def pour(source: socket.socket, target: socket.socket) -> None:
    """Copy what comes until there is no more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def busy(status: int = 429, wait: str | None = None) -> Reply:
    """What a service says that is too busy."""
    return json_reply(
        {"error": {"message": "slow down"}}, status, headers={} if wait is None else {"Retry-After": wait}
    )


@either
@pytest.mark.parametrize("status", [429, 499])
def test_busy_is_not_waited_for_unasked(
    server: Server, photo: Image.Image, asynchronous: bool, status: int
) -> None:
    """Unless it is asked to, a client does not wait: a refusal for being too much is one POST and an error."""
    server.answer = busy(status, "7")
    with pytest.raises(RateLimitError) as caught:
        _edit(asynchronous, server.url, photo)
    assert (caught.value.status, caught.value.retry_after) == (status, 7)
    assert len(server.posts) == 1


@either
@pytest.mark.parametrize("status", [429, 499])
def test_busy_is_waited_for(
    server: Server,
    photo: Image.Image,
    monkeypatch: pytest.MonkeyPatch,
    asynchronous: bool,
    status: int,
) -> None:
    """Where it may wait, a client sends a refused request again until it is taken, and then never more."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.05)
    replies = [busy(status), busy(status, "nonsense"), json_reply(pictures(photo)), busy(status)]
    server.answer = lambda request: replies.pop(0)
    assert len(_edit(asynchronous, server.url, photo, wait_when_busy=10).data) == 1
    assert len(server.posts) == 3
    assert len({post.body for post in server.posts}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["seconds", "date"])
def test_as_long_as_it_asks(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A busy service is left alone for as long as it asks, said in seconds or as a date."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.01)
    # A date has whole seconds, so it is between one and two of them away.
    wait = "1" if how == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    times: list[float] = []

    def answer(request: object) -> Reply:
        times.append(time.monotonic())
        return busy(wait=wait) if len(times) == 1 else json_reply(pictures(photo))

    server.answer = answer
    Client(KEY, base_url=server.url, wait_when_busy=30).images.edit(image=photo, prompt="x")
    first, second = times
    assert 0.95 <= second - first < 5


@pytest.mark.parametrize("wait", ["60", "9" * 5000, "Thu, 01 Jan 2099 00:00:00 GMT"])
def test_longer_than_it_may_wait(server: Server, photo: Image.Image, wait: str) -> None:
    """Where the service asks for more time than the client may wait, it does not wait at all, nor ask sooner."""
    server.answer = busy(wait=wait)
    start = time.monotonic()
    with pytest.raises(RateLimitError) as caught:
        Client(KEY, base_url=server.url, wait_when_busy=20).images.edit(image=photo, prompt="x")
    assert time.monotonic() - start < 10
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 60
    assert len(server.posts) == 1


@pytest.mark.slow
def test_busy_for_ever(server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stays busy is asked less and less often, and not after the time is up."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.1)
    server.answer = busy(wait="Thu, 01 Jan 1970 00:00:00 GMT")
    with pytest.raises(RateLimitError) as caught:
        Client(KEY, base_url=server.url, wait_when_busy=1).images.edit(image=photo, prompt="x")
    assert caught.value.retry_after == 0
    # After 0.1, 0.3 and 0.7 seconds; the next would be after 1.5.
    assert 2 <= len(server.posts) <= 4


def test_a_failure_after_waiting(server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only refusals for being too much are waited out: after one, a failure of unknown outcome is the end."""
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.01)
    replies = [busy(), Reply(504), json_reply(pictures(photo))]
    server.answer = lambda request: replies.pop(0)
    with pytest.raises(UnknownOutcomeError):
        Client(KEY, base_url=server.url, wait_when_busy=10).images.edit(image=photo, prompt="x")
    assert len(server.posts) == 2


@pytest.mark.parametrize("seconds", [-1, 3601, float("nan")])
def test_a_wait_that_can_not_be(seconds: float) -> None:
    """A wait out of range is refused when the client is made."""
    with pytest.raises(SettingsError, match="from 0 to 3600"):
        Client(KEY, wait_when_busy=seconds)


@pytest.mark.slow
@either
def test_deadline_for_a_slow_drip(server: Server, photo: Image.Image, asynchronous: bool) -> None:
    """A reply that drips a byte at a time for ever ends at the deadline, which is for the whole of a request."""
    server.answer = Reply(drip=True)
    with pytest.raises(UnknownOutcomeError, match=r"within 0\.5 seconds"):
        _edit(asynchronous, server.url, photo, timeout=0.5)
    assert len(server.posts) == 1


def test_deadline_while_connecting(photo: Image.Image) -> None:
    """Where the line is never made within the deadline, nothing was sent."""
    with full_port() as port, pytest.raises(NotSentError, match=r"within 0\.3 seconds, so nothing was sent"):
        Client(KEY, base_url=f"http://127.0.0.1:{port}", timeout=0.3).images.edit(image=photo, prompt="x")


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_no_deadline_at_all(timeout: float) -> None:
    """A time-out that makes no sense is refused when the client is made."""
    with pytest.raises(SettingsError, match="timeout"):
        Client(KEY, timeout=timeout)


def test_unknown_wire() -> None:
    """A body form that there is none of is refused with those there are."""
    with pytest.raises(SettingsError, match="json, multipart, references"):
        Client(KEY, wire="xml")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="json, multipart, references"):
        Client.offline(wire="xml")  # type: ignore[arg-type]


@pytest.mark.parametrize("made", [Client, AsyncClient])
@pytest.mark.parametrize("key", ["", "   ", "\n", None])
def test_no_key(made: type[Client] | type[AsyncClient], key: str | None) -> None:
    """Without a key the error says where to get one, how to set it, and how to work without."""
    with pytest.raises(MissingKeyError, match=r"(?s)TTAPI Dashboard.*TT_API_KEY.*Client\.offline\(\)"):
        made(key)


def test_key_from_the_environment(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's key is used where none is given, spaces around it cut off, and a given one goes first."""
    monkeypatch.setenv("TT_API_KEY", "  key-of-the-environment\n")
    Client(base_url=server.url).images.edit(image=photo, prompt="x")
    Client("given-key", base_url=server.url).images.edit(image=photo, prompt="x")
    assert [request.get("TT-API-KEY") for request in server.requests] == [
        "key-of-the-environment",
        "given-key",
    ]


def test_default_address() -> None:
    """Without a base_url a client is TTAPI's."""
    assert repr(Client(KEY)) == f"Client({DEFAULT_BASE_URL!r}, wire='json')"
    assert DEFAULT_BASE_URL == "https://api.ttapi.io/v1"


def test_a_password_in_the_address() -> None:
    """A gateway's address with a password in it is refused unseen; one without is kept without its path."""
    with pytest.raises(SettingsError, match='auth_scheme="Basic"') as caught:
        Client(KEY, base_url="https://me:pa55word@gate.example.com:8443/v1")
    assert "pa55word" not in shown(caught.value)
    client = Client(KEY, base_url="https://gate.example.com:8443/v1")
    assert client.core.address == "https://gate.example.com:8443"
    assert "gate.example.com." in client.words
    assert Client(KEY).core.address == "https://api.ttapi.io"


def test_offline_by_environment(server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """TTAPI_OFFLINE=1 makes every client the embedded service's, also with a key and an address."""
    monkeypatch.setenv("TTAPI_OFFLINE", "1")
    monkeypatch.setenv("TT_API_KEY", KEY)
    for client in (Client(KEY, base_url=server.url), Client(), default_client()):
        assert client.is_offline
        assert client.images.edit(image=photo, prompt="x", **SMALL).offline
    assert server.connections == 0


def test_default_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client that is used when none is named has the environment's key, or is offline where there is none."""
    assert default_client().is_offline
    monkeypatch.setenv("TT_API_KEY", KEY)
    assert not default_client().is_offline


@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_offline_opens_no_socket(photo: Image.Image, monkeypatch: pytest.MonkeyPatch, wire: Any) -> None:
    """The embedded service answers in each body form without a connection or a name being looked up."""
    loop.call(asyncio.sleep(0))  # the loop's own inner socket pair is made here, before the doors are shut

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    mask = Mask((64, 64)).rectangle((8, 8, 40, 40))
    client = Client.offline(wire=wire)
    response = client.images.edit(image=photo, mask=mask, prompt="x", **SMALL | {"n": 2})
    by_url = client.images.edit(image=photo, prompt="x", **SMALL | {"response_format": "url"})

    assert [image.size for image in response.images] == [(256, 256)] * 2
    assert by_url.images[0].size == (256, 256)


def test_offline_needs_no_key_and_makes_the_same_errors(photo: Image.Image) -> None:
    """The embedded service refuses what the real one would, through the same errors."""
    client = Client.offline()
    with pytest.raises(InvalidRequestError, match="prompt is empty"):
        client.images.edit(image=photo, prompt=" ")
    with pytest.raises(RefusedError, match="HTTP 400"):
        client.images.edit(image=photo, prompt="x", n=11, check=False)


def test_offline_settings(photo: Image.Image) -> None:
    """A seed repeats its results, a service or a fill of one's own is used."""
    mask = Mask((64, 64)).rectangle((8, 8, 40, 40))

    def made(client: Client) -> bytes:
        return client.images.edit(image=photo, mask=mask, prompt="x", **SMALL).images[0].tobytes()

    def all_red(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        return Image.new("RGB", image.size, "red")

    assert made(Client.offline(seed=3)) == made(Client.offline(seed=3))
    assert made(Client.offline(seed=3)) != made(Client.offline(seed=4))
    red = Image.new("RGB", (256, 256), "red").tobytes()
    assert made(Client.offline(fill=all_red)) == made(Client.offline(service=Service(fill=all_red))) == red


def test_two_event_loops(server: Server, photo: Image.Image) -> None:
    """One AsyncClient works on one event loop after another, and on two at once."""
    client = AsyncClient(KEY, base_url=server.url)
    first_came, second_done = threading.Event(), server.event()
    replies = iter(
        [Reply(200, json_reply(pictures(photo)).body, hold=second_done), json_reply(pictures(photo))]
    )
    server.answer = lambda request: next(replies)

    async def edit() -> ImagesResponse:
        return await client.images.edit(image=photo, prompt="x")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asyncio.run, edit())
        server.wait_for(1)
        first_came.set()
        second = pool.submit(asyncio.run, edit()).result(PATIENCE)
        assert not first.done()
        second_done.set()
        assert len(first.result(PATIENCE).data) == len(second.data) == 1


def test_many_at_once_on_one_loop(server: Server, photo: Image.Image) -> None:
    """Many edits awaited together are all under way at the same time."""
    everybody = threading.Barrier(12)

    def together(request: object) -> Reply:
        everybody.wait(PATIENCE)
        return json_reply(pictures(photo))

    server.answer = together
    client = AsyncClient(KEY, base_url=server.url)

    async def edits() -> list[ImagesResponse]:
        return await asyncio.gather(*(client.images.edit(image=photo, prompt="x") for _ in range(12)))

    assert len(asyncio.run(edits())) == 12


def test_cancelled_await(server: Server, photo: Image.Image) -> None:
    """Cancelling an awaited edit ends the await at once, and the client goes on working."""
    server.answer = Reply(hold=server.event())
    client = AsyncClient(KEY, base_url=server.url)

    async def give_up() -> None:
        task = asyncio.ensure_future(client.images.edit(image=photo, prompt="x"))
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    server.answer = json_reply(pictures(photo))
    assert len(_edit(True, server.url, photo).data) == 1


def test_eight_threads(server: Server, photo: Image.Image) -> None:
    """One client serves eight threads at the same time, each with its own answer."""
    everybody = threading.Barrier(8)

    def by_prompt(request: Any) -> Reply:
        everybody.wait(PATIENCE)
        return json_reply(pictures(Image.new("RGB", (4, 4), request.json["prompt"])))

    server.answer = by_prompt
    client = Client(KEY, base_url=server.url)
    colours = [f"#0000{number:02x}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda prompt: client.images.edit(image=photo, prompt=prompt), colours))
    assert [response.images[0].getpixel((0, 0)) for response in found] == [
        (0, 0, number) for number in range(8)
    ]


def test_pictures_by_url_in_many_edits(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More edits at once than there are threads, each with a picture to look up and fetch, do not block each other."""
    # No public address is on this machine, so one of its own stands in.
    monkeypatch.setattr(ways, "is_public", lambda address: True)
    server.routes["/a.png"] = Reply(200, encoded(photo), mime="image/png")
    client = AsyncClient(KEY, base_url=server.url)
    count = 3 * ((os.cpu_count() or 1) + 4)

    async def edits() -> list[ImagesResponse]:
        url = f"http://localhost:{server.port}/a.png"
        return await asyncio.gather(*(client.images.edit(image=url, prompt="x") for _ in range(count)))

    assert len(asyncio.run(asyncio.wait_for(edits(), PATIENCE))) == len(server.posts) == count


@pytest.mark.parametrize(
    "kind", ["path", "str", "bytes", "bytearray", "file", "pil", "array", "url", "source"]
)
def test_every_kind_of_picture(
    server: Server, photo: Image.Image, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is taken in every way that people hold one, and arrives as it was."""
    # No public address is on this machine, so one of its own stands in.
    monkeypatch.setattr(ways, "is_public", lambda address: True)
    path = tmp_path / "a.png"
    path.write_bytes(encoded(photo))
    server.routes["/a.png"] = Reply(200, encoded(photo), mime="image/png")
    client = Client(KEY, base_url=server.url)
    with path.open("rb") as file:
        file.read()  # left at its end, as people leave them
        source: Any = {
            "path": path,
            "str": str(path),
            "bytes": encoded(photo),
            "bytearray": bytearray(encoded(photo)),
            "file": file,
            "pil": photo,
            "array": np.asarray(photo),
            "url": f"{server.origin}/a.png",
            "source": open_image(photo),
        }[kind]
        client.images.edit(image=source, prompt="x")
    (post,) = server.posts
    import base64

    (picture,) = post.json["image"]
    sent = open_image(base64.b64decode(picture.split(",", 1)[1]))
    assert sent.pixels.tobytes() == photo.tobytes()
    assert all(KEY.encode() not in request.head for request in server.requests if request.method == "GET")


def test_a_picture_that_is_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that can't be opened is said before anything is sent."""
    client = Client(KEY, base_url=server.url)
    with pytest.raises(ImageError, match="no file"):
        client.images.edit(image="no/such/file.png", prompt="x")
    server.routes["/gone.png"] = Reply(404)
    with pytest.raises(ImageError, match=r"private.*allow_private=True"):
        client.images.edit(image=f"{server.origin}/gone.png", prompt="x")
    assert server.requests == []
    # No public address is on this machine, so one of its own stands in.
    monkeypatch.setattr(ways, "is_public", lambda address: True)
    with pytest.raises(ImageError, match="answered 404"):
        client.images.edit(image=f"{server.origin}/gone.png", prompt="x")
    assert server.posts == []


def test_signature() -> None:
    """Editors and Jupyter's help list every field of an edit by name, for both clients."""
    expected = {*(item.name for item in fields(EditRequest)), "check"}
    for client in (Client.offline(), AsyncClient.offline()):
        found = inspect.signature(client.images.edit).parameters
        assert set(found) == expected
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in found.values())
        assert found["model"].default == "gpt-image-1.5"


def test_called_on_the_packages_own_thread(photo: Image.Image) -> None:
    """A call that would wait for its own thread says so instead of hanging."""

    async def on_the_loop() -> None:
        Client.offline().images.edit(image=photo, prompt="x")

    with pytest.raises(RuntimeError, match="another thread"):
        loop.submit(on_the_loop()).result(PATIENCE)


@pytest.mark.parametrize(
    "error",
    [
        TTAPIError("a"),
        NotSentError("b"),
        RefusedError("c", status=400, code="d", param="e", service_message="f"),
        UnknownOutcomeError("g", status=504),
        InvalidRequestError(["h", "i"]),
    ],
)
def test_errors_travel(error: TTAPIError) -> None:
    """Errors can be pickled, for work in other processes, and say the same there."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@interrupts
def test_interrupted_call(server: Server, photo: Image.Image) -> None:
    """Stopping the cell while it waits for an answer stops the wait at once."""
    import signal

    server.answer = Reply(hold=server.event())
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        server.wait_for(1)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    thread.join()
    assert len(server.posts) == 1

"""The ways out: where the key goes, how a connection is made, and the embedded service in its place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Generator

import httpx
import pytest
from PIL import Image

from tests.server import Reply, Server
from ttapi_nb import (
    Client,
    EditRequest,
    NotSentError,
    SettingsError,
    TTAPIError,
    edit,
    loop,
    start_edit,
)
from ttapi_nb.client.key import Secret
from ttapi_nb.client.told import Told
from ttapi_nb.client.transport import (
    EmbeddedTransport,
    KeyTransport,
    _Places,
    is_loopback,
    network_set_up,
    network_transport,
)
from ttapi_nb.request import Options
from ttapi_nb.service import Service
from ttapi_nb.service.app import Answer

KEY = "test-key-0123456789"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """Only this machine's own literal addresses count as loopback, not names that look like them."""
    assert is_loopback(httpx.URL(f"http://{host}:8000/v1")) == expected


@pytest.mark.parametrize(
    "base_url", ["http://api.example.com/v1", "http://10.0.0.1/v1", "http://localhost.example.com"]
)
def test_plain_http_is_refused(base_url: str) -> None:
    """The key does not go over plain http to another machine, unless that is asked for."""
    with pytest.raises(SettingsError, match="allow_http=True"):
        Client(KEY, base_url=base_url)
    assert not Client(KEY, base_url=base_url, allow_http=True).is_offline


@pytest.mark.parametrize(
    "base_url", ["api.ttapi.io/v1", "ftp://x/v1", "", "https://", "http://[::1", "https://x:99999/v1"]
)
def test_base_url_is_no_address(base_url: str) -> None:
    """A base_url that is no web address is a setting to mend, found before anything is sent."""
    with pytest.raises(SettingsError, match="not a web address"):
        Client(KEY, base_url=base_url)


@pytest.mark.parametrize(
    "settings", [{"auth_header": "Bad Header"}, {"auth_header": ""}, {"auth_scheme": "Bea\nrer"}]
)
def test_header_settings(settings: dict[str, str]) -> None:
    """A header that HTTP can't carry is refused when the client is made, not in the middle of a request."""
    with pytest.raises(SettingsError, match="auth_"):
        Client(KEY, **settings)  # type: ignore[arg-type]  # the keys vary


def test_key_stays_with_its_origin(server: Server) -> None:
    """A request for another origin is stopped before it leaves, and one for the API's own has the key once."""

    async def get(url: str) -> int:
        own = httpx.URL(server.url)
        transport = KeyTransport(network_transport(own), own, Secret(KEY), "TT-API-KEY", "")
        async with httpx.AsyncClient(transport=transport) as client:
            response = await client.get(url)
            assert "TT-API-KEY" not in response.request.headers
            return response.status_code

    with Server() as other:
        for url in (other.url, f"https://127.0.0.1:{server.port}/v1", f"http://localhost:{server.port}/v1"):
            with pytest.raises(httpx.UnsupportedProtocol):
                asyncio.run(get(url))
        assert other.connections == server.connections == 0
        assert asyncio.run(get(server.url)) == 200
    assert server.requests[0].head.count(KEY.encode()) == 1


def test_through_a_proxy(server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used for other machines, and this machine's own services are spoken to directly."""
    with Server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        far = Client(KEY, base_url="http://api.example.com/v1", allow_http=True)
        assert len(far.images.edit(image=photo, prompt="x").data) == 1
        assert [request.path for request in proxy.requests] == ["http://api.example.com/v1/images/edits"]

        server.answer = Reply(200, b'{"data": [{"url": "%s/a.png"}]}' % server.origin.encode())
        server.routes["/a.png"] = Reply(200, b"picture")
        near = Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
        assert near.data[0].data == b"picture"
        assert len(proxy.requests) == 1


def test_one_proxy_for_all(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is named for all ways is used, and not where the environment leaves the service out."""
    with Server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("all_proxy", proxy.origin)
        monkeypatch.setenv("no_proxy", "near.invalid")
        for name in ("api.example.com", "near.invalid"):
            client = Client(KEY, base_url=f"http://{name}/v1", allow_http=True)
            with contextlib.suppress(NotSentError):
                client.images.edit(image=photo, prompt="x")
        assert [request.path for request in proxy.requests] == ["http://api.example.com/v1/images/edits"]


def test_a_proxy_that_makes_no_line(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that won't connect to the service has seen nothing of the request, so nothing was sent or billed."""
    with Server() as proxy:
        proxy.answer = Reply(503)
        monkeypatch.setenv("https_proxy", proxy.origin)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        left: list[bool] = []

        async def leave() -> None:
            left.append(True)

        far = Client(KEY, base_url="https://api.example.com/v1")
        with pytest.raises(NotSentError, match="othing was sent or billed"):
            loop.call(far.core.send(EditRequest.make(image=photo, prompt="x"), Told(sent=leave)))
        assert [request.method for request in proxy.requests] == ["CONNECT"]
        assert left == []
        assert KEY.encode() not in proxy.requests[0].head


def test_a_port_that_nobody_listens_on(photo: Image.Image) -> None:
    """A refused connection is an error that says nothing was sent, and never turns into an offline answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotSentError, match=r"nothing was sent or billed.*Client\.offline\(\)"):
        Client(KEY, base_url=f"http://127.0.0.1:{port}/v1").images.edit(image=photo, prompt="x")


def test_tls_that_fails(photo: Image.Image) -> None:
    """Where no secure line can be made nothing was sent, and the service is not spoken to in the clear."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard = bytearray()

        def hang_up() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    heard.extend(connection.recv(100_000))

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NotSentError):
            Client(KEY, base_url=f"https://127.0.0.1:{listener.getsockname()[1]}/v1").images.edit(
                image=photo, prompt="x"
            )
        thread.join()
    assert heard
    assert b"POST" not in heard
    assert KEY.encode() not in heard


def test_what_others_log_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Log lines lose a service's words only on the package's own thread, and only where such words stand."""

    async def log() -> None:
        logging.getLogger("httpx").info("loaded %s", "certificates")

    caplog.set_level(logging.DEBUG, logger="httpx")
    loop.call(log())
    logging.getLogger("httpx").info('%s %s "%s %d %s"', "GET", "http://x", "HTTP/1.1", 200, "Fine")
    logging.getLogger("httpcore.http11").debug(
        "receive_response_headers.complete return_value=(200, b'Fine')"
    )
    assert [record.getMessage() for record in caplog.records if record.name.startswith("httpx")] == [
        "loaded certificates",
        'GET http://x "HTTP/1.1 200 Fine"',
    ]


def test_a_socks_proxys_password_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The line that tells of a SOCKS proxy loses all but what happened: its password stands there."""

    async def log() -> None:
        logging.getLogger("httpcore.socks").debug(
            "setup_socks5_connection.started stream=<x> auth=(b'me', b's3cr3t')"
        )

    caplog.set_level(logging.DEBUG, logger="httpcore")
    loop.call(log())
    # A line that is closed meanwhile may be told too.
    assert "setup_socks5_connection.started" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("protocol", ["http11", "http2"])
def test_a_head_is_not_logged(caplog: pytest.LogCaptureFixture, protocol: str) -> None:
    """Whichever protocol a line speaks, what a service wrote into the head of its answer is not logged."""

    async def log() -> None:
        logging.getLogger(f"httpcore.{protocol}").debug(
            f"receive_response_headers.complete return_value=(401, b'No {KEY}')"
        )

    caplog.set_level(logging.DEBUG, logger="httpcore")
    loop.call(log())
    assert "receive_response_headers.complete" in [record.getMessage() for record in caplog.records]
    assert KEY not in caplog.text


def test_the_way_to_results_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps results from being fetched is found before a request leaves, also for a service on this machine."""
    own = httpx.URL("http://127.0.0.1:9/v1")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "/nowhere/at/all")
    for look in (network_set_up, network_transport):
        with pytest.raises(NotSentError, match=r"HTTPS_PROXY.*So nothing was sent or billed\.$"):
            look(own)
    monkeypatch.delenv("HTTPS_PROXY")
    assert len(network_set_up(own, ["http://10.0.0.5:9000"])) == 3


def test_places_are_given_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves lets the next in, one that stops waiting takes no place, and all places come back."""
    monkeypatch.setattr(loop, "AT_ONCE", 2)
    monkeypatch.setattr(_Places, "PATIENCE", 60.0)

    async def settled(*tasks: asyncio.Task[None]) -> list[bool]:
        for _ in range(6):
            await asyncio.sleep(0)
        return [task.done() for task in tasks]

    async def stand() -> None:
        places = _Places()
        first, second, third = (asyncio.create_task(places.enter()) for _ in range(3))
        assert await settled(first, second, third) == [True, True, False]
        stopped, fourth, fifth = (asyncio.create_task(places.enter()) for _ in range(3))
        await settled()
        stopped.cancel()
        assert await settled(third, stopped, fourth, fifth) == [False, True, False, False]
        places.leave()
        assert await settled(third, fourth, fifth) == [True, False, False]
        # Stopped just as its turn comes: then it is the next one's.
        places.leave()
        fourth.cancel()
        assert await settled(fourth, fifth) == [True, True]
        assert fourth.cancelled()
        assert not fifth.cancelled()
        places.leave()
        places.leave()
        sixth, seventh, eighth = (asyncio.create_task(places.enter()) for _ in range(3))
        assert await settled(sixth, seventh, eighth) == [True, True, False]
        places.leave()
        assert await settled(eighth) == [True]

    asyncio.run(asyncio.wait_for(stand(), 20))


def test_nobody_waits_for_a_place_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody could go in for a while one more may, and after it one more after as long again."""
    monkeypatch.setattr(loop, "AT_ONCE", 1)
    monkeypatch.setattr(_Places, "PATIENCE", 0.05)

    async def stand() -> list[float]:
        places, start = _Places(), asyncio.get_running_loop().time()

        async def enter() -> float:
            await places.enter()
            return asyncio.get_running_loop().time() - start

        return sorted(await asyncio.gather(*(enter() for _ in range(3))))

    first, second, third = asyncio.run(asyncio.wait_for(stand(), 20))
    assert first < second < third
    assert second - first >= 0.045
    assert third - second >= 0.045


@pytest.mark.parametrize("read", [1, 9])
def test_a_stream_that_is_left(monkeypatch: pytest.MonkeyPatch, read: int) -> None:
    """What an embedded service answers piece by piece holds its place until it is read or left, and is then closed."""
    monkeypatch.setattr(loop, "AT_ONCE", 1)
    closed: list[bool] = []

    def pieces() -> Generator[bytes]:
        try:
            yield from (b"one", b"two", b"three")
        finally:
            closed.append(True)

    class Piecewise(Service):
        def handle(self, *given: object) -> Answer:
            return Answer(200, {"X-Here": "yes"}, pieces=pieces())

    async def ask() -> list[bytes]:
        got: list[bytes] = []
        async with httpx.AsyncClient(transport=EmbeddedTransport(Piecewise())) as client:
            for _ in range(2):
                async with client.stream("POST", "http://embedded.invalid/") as answer:
                    assert answer.headers["X-Here"] == "yes"
                    async for piece in answer.aiter_raw():
                        got.append(piece)
                        if read == 1:
                            break
        return got

    begun = time.monotonic()
    got = loop.call(ask())
    assert got == [b"one", b"two", b"three"][:read] * 2
    assert len(closed) == 2
    # Nobody had to wait until places are given away all the same.
    assert time.monotonic() - begun < _Places.PATIENCE


def test_results_are_fetched_from_an_address() -> None:
    """What `fetch_from` names is looked at before a request leaves too, and is to be an address."""
    own = httpx.URL("http://127.0.0.1:9/v1")
    with pytest.raises(NotSentError, match=r"fetch_from.*nothing was sent or billed"):
        network_transport(own, ["http://[::1"])
    asyncio.run(network_transport(own, ["http://10.0.0.5:9000"]).aclose())


def test_a_service_that_quotes_the_key_beside_the_status(
    server: Server, photo: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    """What a service writes behind its status and into its headers is not logged, and the rest of the line is."""
    for name in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    server.answer = Reply(401, b"{}", headers={"X-Quoted": KEY}, said=f"No {KEY}")
    with pytest.raises(TTAPIError):
        Client(KEY, base_url=server.url).images.edit(image=photo, prompt="x")
    assert KEY not in caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    said = [record.getMessage() for record in caplog.records]
    assert f'HTTP Request: POST {server.url}/images/edits "HTTP/1.1 401 "' in said
    assert "receive_response_headers.complete" in said
    assert "send_request_headers.started request=<Request [b'POST']>" in said


def test_closed_with_what_is_inside() -> None:
    """Closing what adds the key closes the connections under it."""

    class Inner(httpx.AsyncBaseTransport):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    inner = Inner()
    asyncio.run(KeyTransport(inner, httpx.URL("https://x"), Secret(KEY), "TT-API-KEY", "").aclose())
    assert inner.closed


def test_the_embedded_service_says_when_it_is_asked(photo: Image.Image) -> None:
    """A request to the embedded service leaves once, as over a network, so that a run knows where it stands."""
    left: list[bool] = []

    async def leave() -> None:
        left.append(True)

    request = EditRequest.make(image=photo, prompt="x", size="256x256", model="dall-e-2")
    loop.call(Client.offline().core.send(request, Told(sent=leave)))
    assert left == [True]


def test_embedded_transport() -> None:
    """The embedded service answers through httpx like a server, sizes and types included."""

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=EmbeddedTransport(Service())) as client:
            return await client.get("http://embedded.invalid/nothing")

    response = loop.call(get())
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["status"] == "FAILED"


SMALL: Options = {"size": "256x256", "model": "dall-e-2"}


def test_edits_in_this_process_wait_for_each_other(
    photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are started at once, so many fills go on at a time; those that wait lose none of their time."""
    monkeypatch.setattr(loop, "AT_ONCE", 2)
    full, go, guard = threading.Semaphore(0), threading.Event(), threading.Lock()
    going: list[int] = [0, 0]

    def fill(image: Image.Image, *given: object) -> Image.Image:
        with guard:
            going[0] += 1
            going[1] = max(going)
        full.release()
        assert go.wait(20)
        with guard:
            going[0] -= 1
        return image

    client = Client.offline(fill=fill, timeout=1.5)
    runs = [start_edit(photo, f"run {number}", client=client, log=False, **SMALL) for number in range(6)]
    assert full.acquire(timeout=20)
    assert full.acquire(timeout=20)
    # One that waits can be stopped, and keeps nobody from going in.
    waiting = next(run for run in runs if run.status == "sending")
    waiting.cancel()
    assert not full.acquire(timeout=0.2)
    go.set()
    for run in runs:
        if run is not waiting:
            assert run.wait(20).results
    assert going == [0, 2]


def test_a_fill_that_asks_for_an_edit(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills that wait for other edits do not wait for ever for each other's places."""
    monkeypatch.setattr(loop, "AT_ONCE", 1)
    monkeypatch.setattr("ttapi_nb.client.transport._Places.PATIENCE", 0.05)
    inner = Client.offline(fill=lambda image, *given: image)

    def fill(image: Image.Image, *given: object) -> Image.Image:
        edit(photo, "inner", client=inner, log=False, **SMALL)
        return image

    outer = Client.offline(fill=fill)
    runs = [start_edit(photo, f"run {number}", client=outer, log=False, **SMALL) for number in range(3)]
    assert all(run.wait(20).results for run in runs)

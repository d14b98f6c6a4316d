"""What is said where no line is made: before anything leaves, and with what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.secure import AUTHORITY, SecureServer
from tests.server import Reply, Server, json_reply
from ttapi_nb import Client, NotSentError, SettingsError, loop
from ttapi_nb.download import download
from ttapi_nb.network import tls, ways

KEY = "test-key-0123456789"
PASSWORD = "pass-w0rd-of-the-proxy"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever runs the tests may have proxies and certificates of their own."""
    for name in (*VARIABLES, *map(str.lower, VARIABLES), "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
    yield
    tls._KNOWN.clear()


def send(base_url: str, photo: Image.Image, **settings: object) -> bytes | None:
    """One edit's first result, from that address."""
    client = Client(KEY, base_url=base_url, timeout=20, **settings)  # type: ignore[arg-type]  # they vary
    return client.images.edit(image=photo, prompt="x").data[0].data


BROKEN = [
    ("ALL_PROXY", "socks5://127.0.0.1:1080", r"ALL_PROXY names a SOCKS proxy.*pip install"),
    ("HTTPS_PROXY", "http://[::1", "What HTTPS_PROXY names is not a proxy's address"),
    ("https_proxy", "garbage here", "What https_proxy names is not a proxy's address"),
    ("ALL_PROXY", "gopher://x:1", "ALL_PROXY names a proxy of a kind"),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE names '/nowhere/ca.pem'"),
    ("SSL_CERT_DIR", "/nowhere", "SSL_CERT_DIR names '/nowhere'"),
    ("SSLKEYLOGFILE", "/nowhere/keys", "SSLKEYLOGFILE names '/nowhere/keys'"),
]


@pytest.mark.parametrize(("variable", "value", "said"), BROKEN)
def test_nothing_leaves_with_a_broken_environment(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """What would fail once a result is fetched is found before its request leaves, for a near service too."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "socksio", None)
    for base_url in (server.url, server.url.replace("127.0.0.1", "localhost"), "https://api.example.com/v1"):
        with pytest.raises(NotSentError, match=rf"{said}.*nothing was sent or billed"):
            send(base_url, photo)
    assert server.connections == 0


@pytest.mark.parametrize(("variable", "value"), [case[:2] for case in BROKEN])
def test_offline_touches_none_of_it(
    photo: Image.Image, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """An answer of this process needs no proxy and no certificate, whatever the environment says, nor its results."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "socksio", None)
    made: list[object] = []
    monkeypatch.setattr(tls, "_made", lambda *names: made.append(names))
    client = Client.offline(fill=lambda *given: given[0])
    size = {"size": "256x256", "model": "dall-e-2"}
    (item,) = client.images.edit(image=photo, prompt="x", **size).data  # type: ignore[arg-type]  # the fields
    assert item.data is not None
    inner = httpx.MockTransport(lambda request: httpx.Response(200, stream=httpx.ByteStream(b"picture")))
    near = "http://embedded.invalid"
    assert loop.call(download(f"{near}/a", public_only=True, own=near, transport=inner)) == b"picture"
    assert made == []


def test_a_certificate_that_is_not_trusted(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's own certificate is named with what to do, nothing is sent, and SSL_CERT_FILE mends it."""
    with SecureServer() as server:
        with pytest.raises(
            NotSentError, match=r"certificate of 127\.0\.0\.1 was not accepted.*SSL_CERT_FILE"
        ):
            send(server.url, photo)
        assert server.requests == []
        monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
        server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
        server.routes["/a.png"] = Reply(200, b"picture")
        assert send(server.url, photo) == b"picture"
        # For another name the same certificate is none.
        with pytest.raises(NotSentError, match=r"certificate of localhost .*SSL_CERT_FILE says whose"):
            send(server.url.replace("127.0.0.1", "localhost"), photo)


def test_a_proxy_that_wants_a_password(
    server: Server, photo: Image.Image, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy's 407 is said to be the proxy's, nothing was sent, and its password is nowhere to be read."""
    caplog.set_level("DEBUG")
    server.answer = Reply(407)
    named = server.origin.replace("//", f"//me:{PASSWORD}@")
    for variable, base_url in (
        ("HTTPS_PROXY", "https://api.example.com/v1"),
        ("http_proxy", "http://api.example.com/v1"),
    ):
        monkeypatch.setenv(variable, named)
        with pytest.raises(NotSentError, match=rf"{variable} names wants a user name .*HTTP 407") as caught:
            send(base_url, photo, allow_http=True)
        assert PASSWORD not in str(caught.value) + caplog.text
    assert [request.method for request in server.requests] == ["CONNECT", "POST"]
    assert all(request.get("Proxy-Authorization") for request in server.requests)


def test_a_service_that_answers_407_itself(server: Server, photo: Image.Image) -> None:
    """Without a proxy a 407 is the service's answer, as any other."""
    server.answer = Reply(407)
    with pytest.raises(Exception, match="407") as caught:
        send(server.url, photo)
    assert not isinstance(caught.value, NotSentError)


def test_a_proxy_that_is_not_there(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no line to the proxy is made the variable is named, and how to do without."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises(NotSentError, match=r"through the proxy that HTTPS_PROXY names.*NO_PROXY"):
        send("https://api.example.com/v1", photo)


def test_a_name_that_is_not_known(photo: Image.Image) -> None:
    """A name without an address is named, with nothing sent."""
    with pytest.raises(NotSentError, match=r"address of nowhere\.invalid could not be found"):
        send("https://nowhere.invalid/v1", photo)


def test_a_service_that_speaks_no_tls(server: Server, photo: Image.Image) -> None:
    """Where https is asked for and not spoken nothing was sent."""
    with pytest.raises(NotSentError, match="nothing was sent or billed"):
        send(server.url.replace("http:", "https:"), photo)
    assert server.requests == []


@pytest.mark.slow
def test_too_many_open_files(server: Server, photo: Image.Image) -> None:
    """Where no file can be opened any more that is said, and nothing was sent."""
    send(server.url, photo)
    with pytest.raises(NotSentError, match="could not be found"):
        send("https://nowhere.invalid/v1", photo)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What is closed in between would be told of by reading source files.
    gc.collect()
    try:
        # The three that there are always are open, so there is no number left.
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        # A look-up fails in its own words.
        for url in (server.url, "http://localhost:9/v1", "https://nowhere.invalid/v1"):
            with pytest.raises(NotSentError, match="Too many files are open"):
                send(url, photo)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(server.posts) == 1


@pytest.mark.slow
def test_no_file_is_left_at_first_use(server: Server) -> None:
    """A kernel that has opened too many files before anything of ours was loaded gets our error, and works after it."""
    code = f"""
import contextlib, os, resource
import ttapi_nb as tt
from PIL import Image
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
def short(left):
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    for _ in range(left):
        os.close(taken.pop())
    return taken
def ask(left):
    taken = short(left)
    try:
        client = tt.Client({KEY!r}, base_url={server.url!r})
        return client.images.edit(image=Image.new("RGB", (64, 64)), prompt="x")
    except Exception as error:
        return error
    finally:
        for one in taken:
            os.close(one)
def short_of_files(found):
    return type(found).__name__ == "NotSentError" and "Too many files are open" in str(found)
# Nothing can be loaded, not even by whoever has a client; the loop can't be made; Pillow has not all of itself.
found = [ask(0), ask(1)]
tt.Client({KEY!r}).core.load()
found += map(ask, range(6))
assert all(map(short_of_files, found[:5])), found
assert all(short_of_files(one) or getattr(one, "images", ()) for one in found), found
assert ask(50).images
"""
    environment = {name: value for name, value in os.environ.items() if name != "TTAPI_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert server.posts


def test_the_context_is_made_once_and_not_on_the_loop(
    photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates are read once for one environment, by a thread that has nothing else to do."""
    made: list[bool] = []
    really = tls._made

    def watched(file: str, folder: str, keylog: str) -> ssl.SSLContext:
        made.append(loop.is_here())
        return really(file, folder, keylog)

    monkeypatch.setattr(tls, "_made", watched)
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    with SecureServer() as server:
        server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
        server.routes["/a.png"] = Reply(200, b"picture")
        for _ in range(2):
            assert send(server.url, photo) == b"picture"
    assert made == [False]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "Too many files are open"),
        (OSError(errno.ENFILE, "Too many open files in system"), "Too many files are open"),
        (socket.gaierror(socket.EAI_NONAME, "not known"), "could not be found"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "No secure line"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "certificate of api.example.com was not accepted"),
        (ImportError("no", name="socksio"), "socksio"),
        (httpx.InvalidURL("x"), "base_url"),
    ],
)
def test_told(error: Exception, said: str) -> None:
    """Each known cause is a sentence, also below the errors of others, and an unknown one is left to the caller."""
    url = httpx.URL("https://api.example.com/v1")
    above = httpx.ConnectError("x")
    above.__cause__ = error
    for one in (error, above):
        if one is error or not isinstance(error, ImportError | httpx.InvalidURL):
            found = ways.told(one, url)
            assert isinstance(found, NotSentError)
            assert said in str(found)
    assert ways.told(ValueError("x"), url) is None


def test_a_way_needs_a_setting_that_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever asks for a way gets the error of settings, and where nothing is secured no certificate is read."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        ways.way_to(httpx.URL("https://api.example.com"))
    asyncio.run(ways.way_to(httpx.URL("http://api.example.com")).aclose())


def test_through_a_tunnel(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy request and result go through lines that it makes, to names that it looks up itself."""
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    with SecureServer() as server, socket.create_server(("127.0.0.1", 0)) as listener:
        server.answer = json_reply({"data": [{"url": "https://results.example.com/a.png"}]})
        server.routes["/a.png"] = Reply(200, b"picture")
        asked: list[bytes] = []

        def pass_on(one: socket.socket, other: socket.socket) -> None:
            # Whichever side hangs up first.
            with contextlib.suppress(OSError):
                while data := one.recv(65_536):
                    other.sendall(data)
                other.shutdown(socket.SHUT_WR)

        def relay() -> None:
            for _ in range(2):
                client, _ = listener.accept()
                with client, socket.create_connection(("127.0.0.1", server.port)) as behind:
                    asked.append(client.recv(65_536).split(b"\r\n", 1)[0])
                    client.sendall(b"HTTP/1.1 200 Fine\r\n\r\n")
                    back = threading.Thread(target=pass_on, args=(behind, client))
                    back.start()
                    pass_on(client, behind)
                    back.join()

        thread = threading.Thread(target=relay)
        thread.start()
        monkeypatch.setenv("ALL_PROXY", f"127.0.0.1:{listener.getsockname()[1]}")
        assert send("https://api.example.com/v1", photo) == b"picture"
        thread.join()
    assert asked == [
        b"CONNECT api.example.com:443 HTTP/1.1",
        b"CONNECT results.example.com:443 HTTP/1.1",
    ]
    assert server.names == ["api.example.com", "results.example.com"]

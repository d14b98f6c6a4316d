"""Fetching pictures from the web: keyless, in time, up to a size, and only from where it is allowed."""

from __future__ import annotations

import gzip
import socket

import httpx
import pytest

from tests.server import Reply, Server
from ttapi_nb import loop
from ttapi_nb.download import _check, download, origin
from ttapi_nb.errors import DownloadError


def test_bytes(server: Server) -> None:
    """What is behind a URL comes as it is, asked for without compression."""
    server.answer = Reply(200, b"\x00picture\xff")
    assert loop.call(download(f"{server.origin}/a.png?size=1")) == b"\x00picture\xff"
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/a.png?size=1")
    assert request.get("Accept-Encoding") == "identity"
    assert request.get("TT-API-KEY") is request.get("Authorization") is request.get("Cookie") is None


def test_redirects(server: Server) -> None:
    """A few redirects are followed, also to another server, and a circle of them ends."""
    with Server() as other:
        other.answer = Reply(200, b"there")
        server.routes["/1"] = Reply(302, headers={"Location": "/2"})
        server.routes["/2"] = Reply(307, headers={"Location": f"{other.origin}/3"})
        assert loop.call(download(f"{server.origin}/1")) == b"there"

        server.answer = Reply(302, headers={"Location": "/again"})
        with pytest.raises(DownloadError, match="too often"):
            loop.call(download(f"{server.origin}/again"))
        assert len(server.requests) < 10


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[::1", "http://127.0.0.1:99999/"]
)
def test_redirected_astray(server: Server, place: str) -> None:
    """A redirect to something that is no web address is an error of ours."""
    server.answer = Reply(302, headers={"Location": place})
    with pytest.raises(DownloadError):
        loop.call(download(f"{server.origin}/1"))


def test_ports() -> None:
    """The last port that can be is asked, and the one after it is an error of ours."""
    with pytest.raises(DownloadError, match="could not be fetched"):
        loop.call(download("http://127.0.0.1:65535/"))
    with pytest.raises(DownloadError, match="names a port that can't be"):
        loop.call(download("http://127.0.0.1:65536/"))


@pytest.mark.parametrize("status", [404, 403, 500, 204])
def test_status(server: Server, status: int) -> None:
    """Anything but a 200 is said with its number."""
    server.answer = Reply(status)
    with pytest.raises(DownloadError, match=f"answered {status}"):
        loop.call(download(server.origin))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(drop=True), r"could not be fetched: ReadError\.$"),
        (Reply(200, b"x" * 1000, cut=500), r"could not be fetched: ReadError\.$"),
        (Reply(200, headers={"Content-Length": "many"}), r"could not be fetched: \w+Error: .+\.$"),
    ],
)
def test_broken_line(server: Server, answer: Reply, said: str) -> None:
    """Half a picture is an error and not a picture, and the error says what went wrong as far as that is known."""
    server.answer = answer
    with pytest.raises(DownloadError, match=said):
        loop.call(download(server.origin))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_no_proxy_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """What is on this machine is asked for directly, and all else through the environment's proxy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Server() as proxy:
        proxy.answer = Reply(200, b"from afar")
        monkeypatch.setenv("http_proxy", proxy.origin)
        for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(DownloadError, match="ConnectError"):
            loop.call(download(f"http://{host}:{port}/a.png"))
        assert proxy.requests == []
        far = "http://files.example.com"
        for own in (None, far):
            assert loop.call(download(f"{far}/a.png", own=own)) == b"from afar"
        assert [request.path for request in proxy.requests] == [f"{far}/a.png"] * 2


@pytest.mark.parametrize("hang", [True, False])
def test_deadline(server: Server, hang: bool) -> None:
    """A server that says nothing, or drips for ever, is left at the deadline."""
    server.answer = Reply(hold=server.event()) if hang else Reply(drip=True)
    with pytest.raises(DownloadError, match=r"longer than 0\.3 seconds"):
        loop.call(download(server.origin, deadline=0.3))


def test_size_cap(server: Server) -> None:
    """What is larger than the cap is not read to its end, and what just fits is."""
    server.answer = Reply(200, b"x" * 1_000_000)
    assert len(loop.call(download(server.origin, size_cap=1_000_000))) == 1_000_000
    with pytest.raises(DownloadError, match="over 0 MB"):
        loop.call(download(server.origin, size_cap=999_999))


def test_compressed_bomb(server: Server) -> None:
    """What a server compresses against our wish is not blown up in memory."""
    bomb = gzip.compress(bytes(50_000_000))
    server.answer = Reply(200, bomb, headers={"Content-Encoding": "gzip"})
    assert len(loop.call(download(server.origin, size_cap=1_000_000))) == len(bomb) < 100_000


def test_own_origin_only(server: Server) -> None:
    """With public_only the API's own origin may be private, and no other port, scheme or host of it."""
    own = httpx.URL(server.url)
    server.answer = Reply(200, b"mine")
    assert loop.call(download(f"{server.origin}/files/a", public_only=True, own=own)) == b"mine"
    for url in (
        f"http://localhost:{server.port}/",
        f"https://127.0.0.1:{server.port}/",
        "http://127.0.0.1:1/",
    ):
        with pytest.raises(DownloadError, match=r"private|https"):
            loop.call(download(url, public_only=True, own=own))
    with pytest.raises(DownloadError, match="https"):
        loop.call(download(server.origin, public_only=True))
    assert server.connections == 1


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["93.184.216.34"], ""),
        (["93.184.216.34", "2606:2800:220:1::1"], ""),
        (["10.0.0.1"], "private"),
        (["93.184.216.34", "127.0.0.1"], "private"),
        (["::1"], "private"),
        (["169.254.169.254"], "private"),
        ([], "could not be found"),
    ],
)
def test_where_a_name_leads(monkeypatch: pytest.MonkeyPatch, found: list[str], said: str) -> None:
    """With public_only a name is looked up: all its addresses must be public ones."""
    asked: list[object] = []

    def look_up(*place: object, **more: object) -> list[tuple[object, ...]]:
        asked.append(place[:2])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    check = _check(httpx.URL("https://results.example.com/a.png"), True, None)
    if said:
        with pytest.raises(DownloadError, match=f"results.example.com.*{said}"):
            loop.call(check)
    else:
        loop.call(check)
    assert asked == [("results.example.com", 443)]


def test_signed_url_is_not_shown(server: Server) -> None:
    """A URL's query, which may be a signature, and a very long path are not part of the message."""
    server.answer = Reply(403)
    with pytest.raises(DownloadError) as caught:
        loop.call(download(f"{server.origin}/{'a' * 500}?signature=s3cr3t"))
    assert "s3cr3t" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.b/x", "https://a.b:443/y?z", True),
        ("http://a.b", "http://A.B:80/", True),
        ("http://a.b", "http://a.b:81", False),
        ("https://a.b", "https://a.b:80", False),
        ("ftp://a.b", "ftp://a.b:1", False),
        ("https://a.b", "http://a.b", False),
        ("https://a.b", "https://a.b:444", False),
        ("https://a.b", "https://a.b.c", False),
    ],
)
def test_origin(one: str, other: str, same: bool) -> None:
    """Two URLs lead to the same place where scheme, host and port are the same, written out or not."""
    assert (origin(httpx.URL(one)) == origin(httpx.URL(other))) == same

"""Fetching pictures from the web: keyless, in time, up to a size, and only from where it is allowed."""

from __future__ import annotations

import gzip
import socket
import zlib

import httpx
import pytest

from tests.secure import AUTHORITY, SecureServer
from tests.server import Reply, Server
from ttapi_nb import loop
from ttapi_nb.download import allowed_origin, download, origin
from ttapi_nb.errors import DownloadError
from ttapi_nb.network import ways


def test_bytes(server: Server) -> None:
    """What is behind a URL comes as it is, asked for without compression."""
    server.answer = Reply(200, b"\x00picture\xff")
    assert loop.call(download(f"{server.origin}/a.png?size=1", allow_private=True)) == b"\x00picture\xff"
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
        assert loop.call(download(f"{server.origin}/1", allow_private=True)) == b"there"

        server.answer = Reply(302, headers={"Location": "/again"})
        with pytest.raises(DownloadError, match="too often"):
            loop.call(download(f"{server.origin}/again", allow_private=True))
        # Two for the first, and five tries.
        assert len(server.requests) == 2 + 5


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[::1", "http://127.0.0.1:99999/"]
)
def test_redirected_astray(server: Server, place: str) -> None:
    """A redirect to something that is no web address is an error of ours."""
    server.answer = Reply(302, headers={"Location": place})
    with pytest.raises(DownloadError):
        loop.call(download(f"{server.origin}/1", allow_private=True))


def test_ports() -> None:
    """The last port that can be is asked, and the one after it is an error of ours."""
    with pytest.raises(DownloadError, match="could not be fetched"):
        loop.call(download("http://127.0.0.1:65535/", allow_private=True))
    with pytest.raises(DownloadError, match="names a port that can't be"):
        loop.call(download("http://127.0.0.1:65536/", allow_private=True))


@pytest.mark.parametrize("status", [404, 403, 500, 204])
def test_status(server: Server, status: int) -> None:
    """Anything but a 200 is said with its number."""
    server.answer = Reply(status)
    with pytest.raises(DownloadError, match=f"answered {status}"):
        loop.call(download(server.origin, allow_private=True))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(drop=True), r"could not be fetched: ReadError\.$"),
        (Reply(200, b"x" * 1000, cut=500), r"could not be fetched: ReadError\.$"),
        (
            Reply(200, b"5\r\npict", headers={"Transfer-Encoding": "chunked"}),
            r"could not be fetched: \w+Error: .+\.$",
        ),
    ],
)
def test_broken_line(server: Server, answer: Reply, said: str) -> None:
    """Half a picture is an error and not a picture, and the error says what went wrong as far as that is known."""
    server.answer = answer
    with pytest.raises(DownloadError, match=said):
        loop.call(download(server.origin, allow_private=True))


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
            loop.call(download(f"http://{host}:{port}/a.png", allow_private=True))
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
        loop.call(download(server.origin, deadline=0.3, allow_private=True))


def test_size_cap(server: Server) -> None:
    """What is larger than the cap is not read to its end, and what just fits is."""
    server.answer = Reply(200, b"x" * 1_000_000)
    assert len(loop.call(download(server.origin, size_cap=1_000_000, allow_private=True))) == 1_000_000
    with pytest.raises(DownloadError, match="over 0 MB"):
        loop.call(download(server.origin, size_cap=999_999, allow_private=True))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"picture", mtime=0)),
        ("X-GZip", gzip.compress(b"pic", mtime=0) + gzip.compress(b"ture", mtime=0) + b"\0\0"),
        ("identity, gzip", gzip.compress(b"picture", mtime=0)),
        ("deflate", zlib.compress(b"picture")),
        ("deflate", zlib.compress(b"picture")[2:-4]),
        ("deflate, gzip", gzip.compress(zlib.compress(b"picture"), mtime=0)),
        ("gzip", b"picture"),
        ("identity", b"picture"),
    ],
)
def test_compressed(server: Server, coding: str, body: bytes) -> None:
    """What a server compresses against our wish is undone; where it only says so, it is taken as it is."""
    server.answer = Reply(200, body, headers={"Content-Encoding": coding})
    assert loop.call(download(server.origin, allow_private=True)) == b"picture"


@pytest.mark.parametrize(
    ("coding", "body", "said"),
    [
        ("gzip", gzip.compress(b"picture", mtime=0)[:-9], "its end is missing"),
        ("snappy", b"x", "packed as 'snappy'"),
    ],
)
def test_compressed_and_not_to_be_undone(server: Server, coding: str, body: bytes, said: str) -> None:
    """Half of what was packed, or what is packed in an unknown way, is an error that says so."""
    server.answer = Reply(200, body, headers={"Content-Encoding": coding})
    with pytest.raises(DownloadError, match=said):
        loop.call(download(server.origin, allow_private=True))


def test_compressed_bomb(server: Server) -> None:
    """What a server compresses against our wish is not blown up in memory beyond the cap."""
    bomb = gzip.compress(bytes(5_000_000))
    for body in (bomb, gzip.compress(bytes(900_000)) * 3):
        server.answer = Reply(200, body, headers={"Content-Encoding": "gzip"})
        with pytest.raises(DownloadError, match="over 1 MB"):
            loop.call(download(server.origin, size_cap=1_000_000, allow_private=True))


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


class Names:
    """Looks names up as a test says, and counts how often it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        answer = self.answers.pop(0)
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answer


@pytest.mark.parametrize("public_only", [True, False])
@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["10.0.0.1"], "private"),
        (["93.184.216.34", "127.0.0.1"], "private"),
        (["::1"], "private"),
        (["169.254.169.254"], "private"),
        (["64:ff9b::7f00:1"], "private"),
        (["fe80::1%1"], "private"),
        ([], "could not be found"),
    ],
)
def test_where_a_name_leads(found: list[str], said: str, public_only: bool) -> None:
    """A name is looked up once, and all its addresses must be public ones, for a user's pictures too."""
    look_up = Names(found)
    with pytest.raises(DownloadError, match=rf"results.example.com.*{said}"):
        loop.call(download("https://results.example.com/a", public_only=public_only, look_up=look_up))
    assert look_up.asked == [("results.example.com", 443)]


def test_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was checked is the one that is spoken to, under the name's own Host and certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    # No public address is on this machine, so one of it stands in.
    monkeypatch.setattr(ways, "is_public", lambda address: address in ("127.0.0.1", "127.0.0.2"))
    with SecureServer() as server:
        server.answer = Reply(200, b"picture")
        # A second look-up would lead elsewhere; the first address takes no connection.
        look_up = Names(["127.0.0.2", "127.0.0.1"], ["10.0.0.1"])
        url = f"https://results.example.com.:{server.port}/a"
        assert loop.call(download(url, public_only=True, look_up=look_up)) == b"picture"
        assert look_up.asked == [("results.example.com.", server.port)]
        assert set(server.names) == {"results.example.com"}
        assert server.requests[0].get("Host") == f"results.example.com.:{server.port}"
        with pytest.raises(DownloadError, match=r"certificate of other.example.com was not accepted"):
            loop.call(
                download(
                    f"https://other.example.com:{server.port}/",
                    public_only=True,
                    look_up=Names(["127.0.0.1"]),
                )
            )
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "127.0.0.1.",
            "localhost",
            "0.0.0.0",
            "0",
        ),
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
        *("169.254.169.254", "100.100.100.200", "user@127.0.0.1", "example.com@127.0.0.1"),
    ],
)
def test_a_picture_of_this_machine(server: Server, host: str) -> None:
    """Without `allow_private` no way to write this machine's address leads there; the error names it."""
    with pytest.raises(
        DownloadError, match=r"private.*allow_private=True|could not be found|not a web"
    ) as caught:
        loop.call(download(f"http://{host}:{server.port}/a.png"))
    assert "user" not in str(caught.value)
    assert server.connections == 0


def test_redirected_to_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hop is held to the rule, from what may be fetched to what may not."""
    with Server() as other:
        other.answer = Reply(200, b"secret")
        server.answer = Reply(302, headers={"Location": f"{other.origin}/secret"})
        with pytest.raises(DownloadError, match="private"):
            loop.call(download(server.origin, own=server.origin))
        assert other.connections == 0
        assert loop.call(download(server.origin, fetch_from=(server.origin, other.origin))) == b"secret"


def test_further_origins(server: Server) -> None:
    """Results come from the origins of `fetch_from` too, private and over http; a refusal names the setting."""
    server.answer = Reply(200, b"mine")
    assert loop.call(download(f"{server.origin}/a", public_only=True, fetch_from=[server.url])) == b"mine"
    for url in (server.origin, f"https://127.0.0.1:{server.port}"):
        with pytest.raises(DownloadError, match="fetch_from="):
            loop.call(download(url, public_only=True, fetch_from=["http://127.0.0.1:1"]))


def test_behind_a_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy looks names up itself; addresses of private networks and names of this machine don't reach it."""
    server.answer = Reply(200, b"from afar")
    monkeypatch.setenv("http_proxy", server.origin)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    look_up = Names()
    assert loop.call(download("http://files.example.com/a", look_up=look_up)) == b"from afar"
    for host in ("10.0.0.1", "0x0a.1", "167772161", "[fe80::1]", "a.localhost", "printer.local", "0.0.0.0"):
        with pytest.raises(DownloadError, match="private"):
            loop.call(download(f"http://{host}/a", look_up=look_up))
    assert len(server.requests) == 1
    assert look_up.asked == []


def test_a_proxy_that_wants_a_password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 407 is said to be the proxy's, with the variable that names it and without the password in it."""
    server.answer = Reply(407)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, server.origin.replace("//", "//me:wr0ng@"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("http", "https"):
        with pytest.raises(
            DownloadError, match=rf"{scheme}_proxy names wants a user name .*HTTP 407"
        ) as caught:
            loop.call(download(f"{scheme}://files.example.com/a"))
        assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSLKEYLOGFILE", "HTTPS_PROXY"])
def test_a_broken_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """What is wrong with the environment is an error that names the variable."""
    monkeypatch.setenv(variable, "/nowhere/at/all")
    monkeypatch.delenv("https_proxy", raising=False)
    with pytest.raises(DownloadError, match=variable + r".*[^.]\.$"):
        loop.call(download("https://files.example.com/a", look_up=Names(["93.184.216.34"])))


def test_a_name_in_other_letters() -> None:
    """The name that is looked up is the one that httpx connects to, not what an older rule makes of its letters."""
    look_up = Names([])
    with pytest.raises(DownloadError, match="could not be found"):
        loop.call(download("https://fa\u00df.example/a", look_up=look_up))
    assert look_up.asked == [("xn--fa-hia.example", 443)]


def test_a_login_in_a_url(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A name and password in a picture's URL reach its server, no other one, no log and no error."""
    caplog.set_level("DEBUG")
    with Server() as other:
        other.answer = Reply(404)
        server.answer = Reply(302, headers={"Location": f"{other.origin}/there"})
        url = server.origin.replace("//", "//me:s3cr3t@")
        with pytest.raises(DownloadError, match="answered 404") as caught:
            loop.call(download(url, allow_private=True))
        assert server.requests[0].get("Authorization") == "Basic bWU6czNjcjN0"
        assert other.requests[0].get("Authorization") is None
    assert "s3cr3t" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "origins", "expected"),
    [
        ("http://10.0.0.5:9000/a?b", ["http://10.0.0.5:9000"], True),
        ("https://A.example/a", [None, "", "https://a.example:443/v1"], True),
        ("https://a.example:444/a", ["https://a.example"], False),
        ("http://a.example/a", ["https://a.example"], False),
        ("https://a.example.evil/a", ["https://a.example"], False),
        ("https://a.example@evil/a", ["https://a.example"], False),
        ("http://[::1", ["https://a.example"], False),
        ("https://a.example", ["http://[::1"], False),
        ("https://a.example", [], False),
    ],
)
def test_allowed_origin(url: str, origins: list[str | None], expected: bool) -> None:
    """Only what shares scheme, host and port with one of the origins belongs to them."""
    assert allowed_origin(url, origins) == expected


def test_signed_url_is_not_shown(server: Server) -> None:
    """A URL's query, which may be a signature, and a very long path are not part of the message."""
    server.answer = Reply(403)
    with pytest.raises(DownloadError) as caught:
        loop.call(download(f"{server.origin}/{'a' * 500}?signature=s3cr3t", allow_private=True))
    assert "s3cr3t" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ftp://a.example/p?signature=s3cr3t", "ftp://a.example/p"),
        ("ftp://a.example/p#s3cr3t", "ftp://a.example/p"),
        ("ftp://me:s3cr3t@a.example/p@q", "ftp://a.example/p@q"),
        ("ftp://me:s3cr3t@a.example", "ftp://a.example"),
        (f"ftp://a.example/{'p' * 104}", f"ftp://a.example/{'p' * 104}"),
        (f"ftp://a.example/{'p' * 105}", f"ftp://a.example/{'p' * 101}..."),
    ],
)
def test_how_a_url_is_shown(url: str, shown: str) -> None:
    """An error names an address without what may be secret in it, whole up to 120 characters."""
    with pytest.raises(DownloadError) as caught:
        loop.call(download(url))
    assert str(caught.value) == f"{shown} is not an http or https address."


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


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://A.b/x", ("https", "a.b", 443)),
        ("http://a.b", ("http", "a.b", 80)),
        ("http://a.b:81", ("http", "a.b", 81)),
        ("ftp://a.b:2121", ("ftp", "a.b", 2121)),
        ("mine://a.b", ("mine", "a.b", 0)),
    ],
)
def test_where_a_url_leads(url: str, place: tuple[str, str, int]) -> None:
    """Scheme, host and port are told of a URL, the port also where it is not written out."""
    assert origin(httpx.URL(url)) == place

"""The service on a port, seen through real sockets and other people's clients."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import socket
import struct
import sys
import threading
import urllib.request
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from ttapi_nb.errors import SettingsError
from ttapi_nb.service import Answer, Service, serve
from ttapi_nb.service.asgi import AT_ONCE, BODY_CAP
from ttapi_nb.service.serve import LocalServer
from ttapi_nb.serving.protocol import TURNED_AWAY

PATIENCE = 20


def running(service: Service | None = None, host: str = "127.0.0.1") -> Iterator[LocalServer]:
    """A server that answers until the block ends."""
    with serve(host, service=service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """The service as `serve()` makes it by default."""
    yield from running()


@pytest.fixture
def openai_server() -> Iterator[LocalServer]:
    """The service with OpenAI's way of writing errors."""
    yield from running(Service(envelope="openai", require_key=True))


def as_file(image: Image.Image) -> io.BytesIO:
    """The picture as an open PNG."""
    out = io.BytesIO()
    image.save(out, "PNG")
    out.seek(0)
    out.name = "picture.png"
    return out


def decoded(text: str | None) -> np.ndarray[Any, Any]:
    """The pixels of a base64 picture."""
    assert text is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_pages_own_example_gets_a_picture(
    server: LocalServer, photo: Image.Image, as_url: Any, mask_for: Any, hole: Any
) -> None:
    """The request on TTAPI's page, with its placeholders filled in, is answered with an edited picture."""
    body = {
        "prompt": "a cat",
        "image": [as_url(photo)],
        "mask": as_url(mask_for(photo.size)),
        "mode": "dall-e-2",
        "n": 1,
        "output_compression": "100",
        "quality": "auto",
        "response_format": "b64_json",
        "size": "256x256",
    }
    connection = http.client.HTTPConnection(server.origin)
    headers = {"Content-Type": "application/json", "TT-API-KEY": "any"}
    connection.request("POST", "/v1/images/edits", json.dumps(body), headers)
    response = connection.getresponse()
    reply = json.loads(response.read())
    connection.close()
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["TTAPI-NB-Service"] == "embedded"
    assert set(reply) == {"created", "data", "usage"}
    result = decoded(reply["data"][0]["b64_json"])
    np.testing.assert_array_equal(result[~hole], np.asarray(photo)[~hole])
    assert (result[hole] != np.asarray(photo)[hole]).any()


@pytest.mark.slow
def test_the_openai_package_gets_pictures(
    openai_server: LocalServer, photo: Image.Image, mask_for: Any, hole: Any
) -> None:
    """OpenAI's own client edits one picture or several, by base64 or URL, with its usage read."""
    import openai

    client = openai.OpenAI(base_url=openai_server.url, api_key="x", max_retries=0)
    with client:
        reply = client.images.edit(
            image=as_file(photo),
            mask=as_file(mask_for(photo.size)),
            prompt="a red wall",
            model="dall-e-2",
            n=2,
            size="256x256",
            response_format="b64_json",
        )
        several = client.images.edit(
            image=[as_file(photo), as_file(photo)], prompt="x", model="gpt-image-1", output_format="webp"
        )
        linked = client.images.edit(
            image=as_file(photo), prompt="x", model="dall-e-2", size="256x256", response_format="url"
        )
    assert reply.data is not None
    assert several.data is not None
    assert linked.data is not None
    first, second = (decoded(item.b64_json) for item in reply.data)
    np.testing.assert_array_equal(first[~hole], np.asarray(photo)[~hole])
    assert (first != second).any()
    assert reply.usage is not None
    assert reply.usage.total_tokens > 0
    assert decoded(several.data[0].b64_json).shape == (1024, 1024, 3)
    assert several.output_format == "webp"
    url = linked.data[0].url
    assert url is not None
    assert url.startswith(openai_server.url)
    with urllib.request.urlopen(url) as fetched:
        assert Image.open(fetched).size == (256, 256)


@pytest.mark.slow
def test_the_openai_package_understands_a_refusal(openai_server: LocalServer, photo: Image.Image) -> None:
    """OpenAI's client reads code and parameter of an error, and 401 without a key's worth."""
    import openai

    with openai.OpenAI(base_url=openai_server.url, api_key="x", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.edit(image=as_file(photo), prompt="x", model="no-such-model")
        assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
        octets = ("picture", as_file(photo), "application/octet-stream")
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.edit(image=octets, prompt="x", model="dall-e-2")
        assert refused.value.code == "unsupported_file_mimetype"


def test_without_a_key_the_answer_is_401(server: LocalServer) -> None:
    """A served service wants a key, whichever, and says so in TTAPI's envelope."""
    connection = http.client.HTTPConnection(server.origin)
    connection.request("POST", "/v1/images/edits", b"{}", {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 401
    assert json.loads(response.read())["status"] == "FAILED"
    connection.close()


def test_one_connection_serves_many_requests(server: LocalServer) -> None:
    """A connection is kept alive over refusals, bodies and empty bodies."""
    connection = http.client.HTTPConnection(server.origin)
    connection.connect()
    sock = connection.sock
    for method, body, status in (
        ("GET", None, 404),
        ("POST", b"{" * 1000, 404),
        ("HEAD", None, 404),
        ("DELETE", b"", 404),
    ):
        connection.request(method, "/elsewhere", body)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    assert connection.sock is sock
    connection.close()


def raw(server: LocalServer, request: bytes) -> bytes:
    """What comes back for these very bytes, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE) as sock:
        sock.sendall(request)
        return all_of(sock)


def all_of(line: socket.socket) -> bytes:
    """What comes on a line until its end."""
    return b"".join(iter(lambda: line.recv(65536), b""))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("headers", "status"),
    [(b"X: y", 411), (f"Content-Length: {BODY_CAP + 1}".encode(), 413)],
)
def test_bodies_of_unknown_or_huge_length_are_refused(
    server: LocalServer, headers: bytes, status: int
) -> None:
    """A body must say its length, or come in chunks, and stay under the cap; the connection then ends."""
    answer = raw(server, post(server, headers))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in answer.lower()


def test_a_body_cut_short_gets_no_edit(server: LocalServer) -> None:
    """A client that hangs up in the middle of its body gets nothing, and so does one that only announces an exabyte."""
    for request in (
        post(server, b"Content-Length: 100", body=b"{"),
        post(server, JSON, CHUNKED, body=b"fffffffffffffff\r\nx"),
    ):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE) as sock:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(65536) == b""


def test_the_name_that_was_asked_for_is_in_urls(server: LocalServer, photo: Image.Image, as_url: Any) -> None:
    """A result's URL has that of the server's names that the client used, and no other."""
    fields = {"prompt": "x", "image": as_url(photo), "size": "256x256", "response_format": "url"}
    for host in (f"localhost:{server.server_port}", server.origin):
        connection = http.client.HTTPConnection(server.origin)
        headers = {"Content-Type": "application/json", "TT-API-KEY": "any", "Host": host}
        connection.request("POST", "/v1/images/edits", json.dumps(fields), headers)
        reply = json.loads(connection.getresponse().read())
        connection.close()
        assert reply["data"][0]["url"].startswith(f"http://{host}/v1/files/")


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.1.4", "example.org", "::"])
def test_only_this_machine_may_be_served(host: str) -> None:
    """An address that others could reach is refused, with the ones that may be used."""
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        serve(host)


def test_nothing_of_a_request_is_logged(server: LocalServer, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither requests nor broken connections leave a line on the terminal."""
    raw(server, b"GET /?secret HTTP/1.0\r\nTT-API-KEY: secret\r\n\r\n")
    raw(server, b"secret nonsense\r\n\r\n")
    raw(server, post(server, JSON, CHUNKED, body=b"secret\r\n"))
    assert capfd.readouterr() == ("", "")


# Bodies without a length


def chunked(*chunks: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """A body piece by piece, as RFC 9112 has it."""
    written = [b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks]
    return b"".join([*written, b"0\r\n", trailer, b"\r\n"])


def post(server: LocalServer, *headers: bytes, body: bytes = b"", method: bytes = b"POST") -> bytes:
    """A request to edit, with the server's own name."""
    lines = [
        method + b" /v1/images/edits HTTP/1.1",
        b"Host: " + server.origin.encode(),
        b"TT-API-KEY: any",
        *headers,
    ]
    return b"\r\n".join([*lines, b"", body])


def status_of(answer: bytes) -> int:
    """The status of the first answer."""
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])


JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
CLOSE = b"Connection: close"


@pytest.fixture
def wanted(photo: Image.Image, as_url: Any) -> bytes:
    """The body of an edit that is in order."""
    return json.dumps({"prompt": "x", "image": as_url(photo), "size": "256x256"}).encode()


@pytest.mark.parametrize(
    "written",
    [
        chunked,
        lambda body: chunked(*(body[at : at + 700] for at in range(0, len(body), 700))),
        lambda body: chunked(body[:1], body[1:], extension=b';name="va;lue"'),
        lambda body: chunked(body, trailer=b"X-Sum: 5\r\nX-Other: y\r\n"),
        lambda body: b"%X\r\n" % len(body) + body + b"\r\n0000\r\n\r\n",
    ],
    ids=["one", "many", "extensions", "trailers", "capitals and zeros"],
)
def test_a_chunked_body_is_taken(wanted: bytes, written: Any) -> None:
    """A body that comes piece by piece gets its edit, and the line can be used again."""
    service = Service(fill=lambda image, *_: image, require_key=True)
    for server in running(service):
        again = post(server, CLOSE, method=b"GET")
        answer = raw(server, post(server, JSON, CHUNKED, body=written(wanted)) + again)
        assert status_of(answer) == 200
        assert answer.count(b"HTTP/1.1 405 ") == 1


def test_the_openai_package_and_http_client_send_chunks(photo: Image.Image, as_bytes: Any) -> None:
    """What httpx and the standard library send piece by piece, as of a stream, is taken."""
    boundary = "x" * 20
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    ).encode()
    fields = "".join(
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in (("prompt", "x"), ("size", "256x256"))
    ).encode()
    body = [form, as_bytes(photo), fields, f"\r\n--{boundary}--\r\n".encode()]
    for server in running(Service(fill=lambda image, *_: image, require_key=True)):
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "TT-API-KEY": "x"}
        connection = http.client.HTTPConnection(server.origin)
        connection.request("POST", "/v1/images/edits", iter(body), headers, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()
        with httpx.Client(trust_env=False) as client:
            assert (
                client.post(f"{server.url}/images/edits", content=iter(body), headers=headers).status_code
                == 200
            )


BAD_CHUNKS = {
    "no number": b"many\r\n{}\r\n0\r\n\r\n",
    "a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n",
    "nothing": b"\r\n{}\r\n0\r\n\r\n",
    "a space before": b" 2\r\n{}\r\n0\r\n\r\n",
    "a bare line feed": b"2\n{}\r\n0\r\n\r\n",
    "a bare line feed in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
    "too many digits": b"0" * 21 + b"\r\n\r\n",
    "more data than said": b"2\r\n{}{}\r\n0\r\n\r\n",
    "a trailer that is none": b"0\r\nX y\r\n\r\n",
}
ENDLESS_CHUNKS = {
    "an extension": b"2;" + b"x" * 400_000,
    "a trailer": b"0\r\n" + b"X: y\r\n" * 70_000,
}


@pytest.mark.parametrize("kind", BAD_CHUNKS)
def test_bad_chunks_are_refused(server: LocalServer, kind: str) -> None:
    """A broken chunked body is refused in words, and nothing behind it is taken for another request."""
    smuggled = post(server, method=b"GET")
    answer = raw(server, post(server, JSON, CHUNKED, body=BAD_CHUNKS[kind]) + smuggled)
    assert status_of(answer) == 400
    assert b'"The request can\'t be read. Let the HTTP library write it."' in answer
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("kind", ENDLESS_CHUNKS)
def test_what_comes_beside_the_chunks_has_a_size(server: LocalServer, kind: str) -> None:
    """An extension or trailers without end are refused, and not kept."""
    assert status_of(raw(server, post(server, JSON, CHUNKED, body=ENDLESS_CHUNKS[kind]))) == 431


@pytest.mark.parametrize(
    "head",
    [
        [CHUNKED, b"Content-Length: 2"],
        [b"Content-Length: 2", b"Content-Length: 40"],
        [b"Content-Length: 2, 40"],
        [b"Content-Length: +2"],
        [b"Content-Length: 2_0"],
        [b"Content-Length: \xb2"],
        [b"Content-Length:"],
        [b"Content-Length: many"],
        [b"Content-Length: -1"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: chunked, chunked"],
        [CHUNKED, CHUNKED],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding : chunked", b"Content-Length: 2"],
        [b"no header at all", b"Content-Length: 2"],
        [b"X: y", b" Content-Length: 2"],
        [b": y", b"Content-Length: 2"],
    ],
    ids=lambda head: (b" + ".join(head)).decode("latin-1"),
)
def test_a_head_that_two_readers_could_take_in_two_ways_is_refused(
    server: LocalServer, head: list[bytes]
) -> None:
    """Lengths that contradict each other, and headers that are none, are refused before the body is used."""
    answer = raw(server, post(server, JSON, *head, body=b"{}" + post(server, method=b"GET")))
    # 411: a header that went on in the next line, as the standard has it read, is no length.
    assert status_of(answer) in (400, 411, 501)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == "FAILED"
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "head", [[b"Content-Length: 2", b"Content-Length: 2"], [b"Content-Length: 2, 2"]], ids=["twice", "a list"]
)
def test_a_length_that_is_said_twice_is_that_length(server: LocalServer, head: list[bytes]) -> None:
    """The same length again is the length, as the standard allows; what is behind the body is the next request."""
    answer = raw(server, post(server, JSON, *head, body=b"{}" + post(server, CLOSE, method=b"GET")))
    assert status_of(answer) == 400
    assert b"'prompt'" in answer
    assert answer.count(b"HTTP/1.1 405 ") == 1


def test_old_http_has_no_chunks(server: LocalServer) -> None:
    """A chunked body of HTTP/1.0 is refused: what stands in its way would read it otherwise."""
    request = post(server, JSON, CHUNKED, body=chunked(b"{}")).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert status_of(raw(server, request)) == 400


def test_a_chunked_body_is_no_way_around_the_cap(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body whose pieces are too much together is refused, and so are several at once that are too much together."""
    for limit, status, words in (("body_cap", 413, b"smaller"), ("bodies_cap", 503, b"again in a moment")):
        with monkeypatch.context() as patch:
            patch.setattr(server.limits, limit, 1000)
            for body in (chunked(*[b"x" * 100] * 11), chunked(b"f" * 16**3)):
                answer = raw(server, post(server, JSON, CLOSE, CHUNKED, body=body))
                assert status_of(answer) == status
                assert words in answer
            # What was taken is given back.
            good = post(server, JSON, CLOSE, CHUNKED, body=chunked(b"{}" * 400))
            assert status_of(raw(server, good)) == 400


# Answers before the body was read


def test_continue_is_said_before_the_body(server: LocalServer) -> None:
    """A client that asks is told to go on, and answered; where its head is refused, it is told that at once."""
    expect = b"Expect: 100-continue"
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE) as sock:
        sock.sendall(post(server, JSON, CLOSE, expect, b"Content-Length: 2"))
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{}")
        assert status_of(sock.recv(65536)) == 400
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE) as sock:
        sock.sendall(post(server, JSON, expect, CHUNKED, b"Origin: http://evil.example"))
        assert status_of(sock.recv(65536)) == 403


@pytest.mark.parametrize("encode_chunked", [False, True])
def test_an_early_answer_reaches_a_client_that_sends_first(server: LocalServer, encode_chunked: bool) -> None:
    """A client that looks only after it has sent all of a large body still gets the refusal, not a broken line."""
    connection = http.client.HTTPConnection(server.origin, timeout=PATIENCE)
    headers = {"Host": "evil.example"} | ({} if encode_chunked else {"Content-Length": str(20 << 20)})
    connection.request(
        "POST", "/v1/images/edits", iter([bytes(1 << 20)] * 20), headers, encode_chunked=encode_chunked
    )
    response = connection.getresponse()
    assert response.status == 403
    assert response.headers["Connection"] == "close"
    assert "its own names" in json.loads(response.read())["message"]
    connection.close()


# Whom it answers


def test_only_its_own_names_are_answered(server: LocalServer) -> None:
    """A name that was made to lead here, and so a web page behind it, gets 403 in words; its own names are answered."""
    port = server.server_port
    good = [f"127.0.0.1:{port}", f"localhost:{port}", f"LocalHost:{port}", f"[::1]:{port}"]
    bad = [
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port + 1}",
        f"x@127.0.0.1:{port}",
    ]
    bad += [
        "",
        f"127.0.0.1.evil.example:{port}",
        f"localhost.:{port}",
        f"0x7f.1:{port}",
        f"localhost:{port}/",
        "[::1",
    ]
    for host in good + bad:
        answer = raw(server, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert status_of(answer) == (404 if host in good else 403), host
        assert (b"only for its own names" in answer) == (host in bad)
    assert status_of(raw(server, b"GET / HTTP/1.0\r\n\r\n")) == 403
    for lines in (
        "X: y",
        f"Host: localhost:{port}\r\nHost: evil.example",
        f"Host: localhost:{port}\r\nHost: localhost:{port}",
    ):
        assert status_of(raw(server, f"GET / HTTP/1.1\r\n{lines}\r\n\r\n".encode())) == 400


def test_a_url_in_the_place_of_a_path_counts_more_than_the_header(server: LocalServer) -> None:
    """A request as proxies get it is answered where its URL has a name of the server's own."""
    port = server.server_port
    for url, status in (
        (f"http://localhost:{port}/v1", 404),
        (f"http://evil.example:{port}/v1", 403),
        (f"https://localhost:{port}/", 403),
        (f"localhost:{port}", 403),
        ("http://[", 403),
    ):
        head = f"GET {url} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
        assert status_of(raw(server, head.encode())) == status, url


@pytest.mark.parametrize(
    ("origin", "answered"),
    [
        ("http://127.0.0.1:{port}", True),
        ("http://LOCALHOST:{port}", True),
        ("http://localhost", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("https://127.0.0.1:{port}", False),
        ("http://127.0.0.1:{port}\r\nOrigin: http://evil.example", False),
    ],
)
def test_no_web_page_of_another_origin_is_answered(server: LocalServer, origin: str, answered: bool) -> None:
    """A page elsewhere that sends requests here gets 403, and no header that would let it read an answer."""
    header = f"Origin: {origin.format(port=server.server_port)}".encode()
    for method in (b"GET", b"OPTIONS"):
        answer = raw(server, post(server, CLOSE, header, method=method))
        assert status_of(answer) == (405 if answered else 403)
        assert b"access-control" not in answer.lower()


# Whose words


@pytest.mark.parametrize(
    ("envelope", "headers", "openais"),
    [
        ("auto", {"Authorization": "Bearer x"}, True),
        ("auto", {"authorization": "bearer x"}, True),
        ("auto", {"TT-API-KEY": "x"}, False),
        ("auto", {"Authorization": "Basic eDp5"}, False),
        ("auto", {"Authorization": "Bearer "}, False),
        ("auto", {}, False),
        ("ttapi", {"Authorization": "Bearer x"}, False),
        ("openai", {"TT-API-KEY": "x"}, True),
    ],
)
def test_the_envelope_follows_the_client(envelope: Any, headers: dict[str, str], openais: bool) -> None:
    """Errors come as the client reads them, those too that are found before the body is: by how it brings its key."""
    for server in running(Service(envelope=envelope, require_key=True)):
        for more, status in (
            ({"Content-Type": "text/plain"}, (400, 401)),
            ({"Host": "evil.example"}, (403,)),
        ):
            connection = http.client.HTTPConnection(server.origin, timeout=PATIENCE)
            connection.request("POST", "/v1/images/edits", b"{}", headers | more)
            response = connection.getresponse()
            reply = json.loads(response.read())
            connection.close()
            assert response.status in status
            assert ("error" in reply) == openais
            assert (reply.get("status") == "FAILED") != openais


@pytest.mark.slow
def test_the_openai_package_shows_the_services_words_by_default(
    server: LocalServer, photo: Image.Image
) -> None:
    """OpenAI's client, told nothing of this service, says what was wrong."""
    import openai

    with (
        openai.OpenAI(base_url=server.url, api_key="x", max_retries=0) as client,
        pytest.raises(openai.BadRequestError, match="The model 'no-such-model' does not exist") as refused,
    ):
        client.images.edit(image=as_file(photo), prompt="x", model="no-such-model")
    assert refused.value.code == "model_not_found"


# How much at once


def dripping(server: LocalServer, head: bytes) -> bytes:
    """What comes back where a byte is sent each time that one is read from nothing: never fast enough."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=PATIENCE) as sock:
        sock.sendall(head)
        sock.settimeout(0.02)
        for _ in range(500):
            try:
                return sock.recv(65536)
            except TimeoutError:
                sock.sendall(b"x")
        raise AssertionError("it would have waited for ever")


@pytest.fixture
def impatient() -> Iterator[LocalServer]:
    """A server that gives nothing much time."""
    for server in running(Service(require_key=True)):
        server.lines.head_seconds = server.limits.body_seconds = 0.2
        server.lines.drain_seconds = server.lines.write_seconds = 0.1
        yield server


@pytest.mark.slow
def test_a_head_and_a_body_have_a_time_for_all_of_them(impatient: LocalServer) -> None:
    """A client that sends a byte now and then is given up on, however often it does."""
    assert dripping(impatient, b"GET / HTTP/1.1\r\nX: ") == b""
    for head in (b"Content-Length: 100000", CHUNKED):
        said = dripping(impatient, post(impatient, JSON, head, body=b"fffff\r\n"))
        assert status_of(said) == 408


@pytest.mark.slow
def test_an_idle_line_is_closed(impatient: LocalServer) -> None:
    """A line without a request does not stay for ever, neither a new one nor one that had a request before."""
    with socket.create_connection(("127.0.0.1", impatient.server_port), timeout=PATIENCE) as sock:
        assert sock.recv(1) == b""
    assert status_of(raw(impatient, post(impatient, method=b"GET"))) == 405


def test_an_answer_has_a_time_to_be_read(impatient: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks for much, and reads nothing of it, is hung up on."""
    over = threading.Event()

    def endless() -> Generator[bytes]:
        try:
            while True:
                yield bytes(1 << 20)
        finally:
            over.set()

    answer = Answer(200, {"Content-Type": "image/png"}, pieces=endless())
    monkeypatch.setattr(impatient.service, "handle", lambda *_: answer)
    with socket.create_connection(("127.0.0.1", impatient.server_port), timeout=PATIENCE) as sock:
        sock.sendall(post(impatient, method=b"GET"))
        assert over.wait(PATIENCE)


def test_a_head_has_a_size(server: LocalServer) -> None:
    """A head of hundreds of kilobytes is refused, by one header or by many."""
    for head in ([b"X: " + b"y" * 400_000], [b"X: " + b"y" * 60_000] * 9):
        assert status_of(raw(server, post(server, *head))) == 431


@pytest.fixture
def crowded() -> Iterator[LocalServer]:
    """A server that takes a few connections only."""
    for server in running(Service(require_key=True)):
        server.lines.most, server.lines.patience = 12, 1e9
        yield server


def test_lines_are_counted(crowded: LocalServer) -> None:
    """Where there are as many lines as said, the next are told so, and those beyond hung up on; old ones give way."""
    most = crowded.lines.most or 0
    with contextlib.ExitStack() as stack:

        def line() -> socket.socket:
            address = ("127.0.0.1", crowded.server_port)
            return stack.enter_context(socket.create_connection(address, timeout=PATIENCE))

        slow = [line() for _ in range(most)]
        for one in slow:
            one.sendall(post(crowded, method=b"GET") + b"GET / HTTP/1.1\r\n")
            said = one.recv(65536)
            while not said.endswith(b"}"):
                said += one.recv(65536)
            assert status_of(said) == 405
        told = [line() for _ in range(TURNED_AWAY)]
        # Those who are hung up on do not wait either.
        for _ in range(3 * most):
            with contextlib.suppress(ConnectionError):
                assert line().recv(1) == b""
        for one in told:
            one.sendall(post(crowded, method=b"GET"))
            answer = all_of(one)
            assert status_of(answer) == 503
            assert b"again in a moment" in answer
        crowded.lines.patience = 0
        assert status_of(raw(crowded, post(crowded, CLOSE, method=b"GET"))) == 405
        assert slow[0].recv(1) == b""
        slow[-1].sendall(b"Host: " + crowded.origin.encode() + b"\r\n\r\n")
        assert status_of(slow[-1].recv(65536)) == 404


def asking(server: LocalServer, stack: contextlib.ExitStack, prompt: str = "x") -> socket.socket:
    """A line on which an edit of a plain picture was asked for, until the stack ends."""
    address = ("127.0.0.1", server.server_port)
    line = stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
    image = base64.b64encode(as_file(Image.new("RGB", (256, 256))).getvalue()).decode()
    url = f"data:image/png;base64,{image}"
    body = json.dumps({"prompt": prompt, "image": url, "size": "256x256"}).encode()
    line.sendall(post(server, JSON, CLOSE, f"Content-Length: {len(body)}".encode(), body=body))
    return line


def test_so_many_edits_are_made_at_once() -> None:
    """Of many requests that come together as many are worked on as said, and the others wait for them."""
    enough, lock = threading.Event(), threading.Lock()
    inside = most = 0

    def fill(image: Image.Image, *_: Any) -> Image.Image:
        nonlocal inside, most
        with lock:
            inside, most = inside + 1, max(most, inside + 1)
            if inside == AT_ONCE:
                enough.set()
        assert enough.wait(PATIENCE)
        with lock:
            inside -= 1
        return image

    for server in running(Service(fill=fill, require_key=True)):
        with contextlib.ExitStack() as stack:
            for line in [asking(server, stack) for _ in range(AT_ONCE + 8)]:
                assert status_of(line.recv(65536)) == 200
    assert most == AT_ONCE


def test_who_hangs_up_as_it_waits_gets_no_edit() -> None:
    """What waits for its turn is forgotten where nobody waits for it any more."""
    begun, hold, done = threading.Event(), threading.Event(), list[str]()

    def fill(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        done.append(prompt)
        begun.set()
        assert hold.wait(PATIENCE)
        return image

    for server in running(Service(fill=fill, require_key=True)):
        server.limits.at_once = 1
        with contextlib.ExitStack() as stack:
            first = asking(server, stack, "first")
            assert begun.wait(PATIENCE)
            second = asking(server, stack, "second")
            # By a reset: one that says goodbye is asked first whether it still reads.
            second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            second.close()
            third = asking(server, stack, "third")
            # Answered once it has seen that the second has gone.
            assert again(server) == 405
            hold.set()
            for line in (first, third):
                assert status_of(line.recv(65536)) == 200
    assert done == ["first", "third"]


def again(server: LocalServer) -> int:
    """The status of a request that waits for no edit."""
    return status_of(raw(server, post(server, CLOSE, method=b"GET")))


# Answers that are made as they go


def test_a_stream_goes_out_as_it_is_made(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer in pieces each reaches the client before the next is made; one that breaks off has no end."""
    taken, closed = threading.Event(), threading.Event()

    def pieces(breaks: bool) -> Generator[bytes]:
        try:
            yield b"one"
            assert taken.wait(PATIENCE)
            if breaks:
                raise RuntimeError
            yield b"two"
        finally:
            closed.set()

    for breaks in (False, True):
        taken.clear()
        closed.clear()
        answer: Any = Answer(200, {"Content-Type": "text/event-stream"}, pieces=pieces(breaks))
        monkeypatch.setattr(server.service, "handle", lambda *_, answer=answer: answer)
        with (
            httpx.Client(trust_env=False, timeout=PATIENCE) as client,
            client.stream("POST", f"{server.url}/images/edits", content=b"{}") as reply,
        ):
            assert "content-length" not in reply.headers
            came = reply.iter_raw()
            assert next(came) == b"one"
            taken.set()
            if breaks:
                with pytest.raises(httpx.RemoteProtocolError):
                    next(came)
            else:
                assert b"".join(came) == b"two"
        assert closed.wait(PATIENCE)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvicorn the service answers in this process as always, and on a port it says what to install."""
    for name in [name for name in sys.modules if name.startswith(("uvicorn", "ttapi_nb.serving"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SettingsError, match=r'pip install "ttapi-nb\[serve\]"'):
        serve()
    assert Service().handle("GET", "http://localhost/", {}, b"").status == 404

"""The service on a port, seen through real sockets and other people's clients."""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image

from ttapi_nb.service import Service, serve
from ttapi_nb.service.serve import BODY_CAP, LocalServer


def running(service: Service | None = None, host: str = "127.0.0.1") -> Iterator[LocalServer]:
    """A server that answers until the block ends."""
    with serve(host, service=service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
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


def test_the_openai_package_gets_pictures(
    openai_server: LocalServer, photo: Image.Image, mask_for: Any, hole: Any
) -> None:
    """OpenAI's own client edits one picture or several, by base64 or URL, with its usage read."""
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


def test_the_openai_package_understands_a_refusal(openai_server: LocalServer, photo: Image.Image) -> None:
    """OpenAI's client reads code and parameter of an error, and 401 without a key's worth."""
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
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Transfer-Encoding: chunked", 411),
        (b"Content-Length: many", 411),
        (b"Content-Length: -1", 411),
        (b"X: y", 411),
        (f"Content-Length: {BODY_CAP + 1}".encode(), 413),
    ],
)
def test_bodies_of_unknown_or_huge_length_are_refused(
    server: LocalServer, headers: bytes, status: int
) -> None:
    """A body must say its length, and stay under the cap; the connection then ends."""
    request = b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n"
    answer = raw(server, request)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in answer


def test_a_body_cut_short_gets_no_edit(server: LocalServer) -> None:
    """A client that hangs up in the middle of its body gets nothing."""
    request = b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    assert raw(server, request) == b""


def test_a_strange_host_header_does_not_get_into_urls(
    server: LocalServer, photo: Image.Image, as_url: Any
) -> None:
    """A result's URL is built from the Host header, or from the server's address where that is no host."""
    fields = {"prompt": "x", "image": as_url(photo), "size": "256x256", "response_format": "url"}
    for host, origin in (("localhost:99", "localhost:99"), ("a b/@c", server.origin)):
        connection = http.client.HTTPConnection(server.origin)
        headers = {"Content-Type": "application/json", "TT-API-KEY": "any", "Host": host}
        connection.request("POST", "/v1/images/edits", json.dumps(fields), headers)
        reply = json.loads(connection.getresponse().read())
        connection.close()
        assert reply["data"][0]["url"].startswith(f"http://{origin}/v1/files/")


@pytest.mark.parametrize("host", ["0.0.0.0", "", "192.168.1.4", "example.org", "::"])
def test_only_this_machine_may_be_served(host: str) -> None:
    """An address that others could reach is refused, with the ones that may be used."""
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        serve(host)


def test_nothing_of_a_request_is_logged(server: LocalServer, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither requests nor broken connections leave a line on the terminal."""
    raw(server, b"GET /?secret HTTP/1.1\r\nTT-API-KEY: secret\r\n\r\n")
    raw(server, b"secret nonsense\r\n\r\n")
    assert capfd.readouterr() == ("", "")

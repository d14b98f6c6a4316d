"""No paid answer is lost to a line of its head that the HTTP library refuses."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from PIL import Image

from tests.server import Reply, Server, json_reply, pictures
from ttapi_nb import Client
from ttapi_nb.network.heads import LONGEST, Heads, tidied

KEY = "test-key-0123456789"
BODY = json.dumps(pictures(Image.new("RGB", (64, 64), "teal"))).encode()


def chunked(body: bytes) -> bytes:
    """`body` as HTTP's chunks."""
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


ODD: dict[str, tuple[dict[str, str], bytes]] = {
    "packed on its way": ({"Transfer-Encoding": "gzip, chunked"}, chunked(gzip.compress(BODY))),
    "in other letters": ({"transfer-encoding": "GZIP ,Chunked"}, chunked(gzip.compress(BODY))),
    "packed in itself and on its way": (
        {"Content-Encoding": "deflate", "Transfer-Encoding": "gzip, chunked"},
        chunked(gzip.compress(zlib.compress(BODY))),
    ),
    "until the line's end": ({"Transfer-Encoding": "gzip"}, gzip.compress(BODY)),
    "as it is": ({"Transfer-Encoding": "identity"}, BODY),
    "a name with a space": ({"X Served By": "gw 7"}, BODY),
    "a space before the colon": ({"X-Served-By ": "gw 7"}, BODY),
    "a name of no letters": ({"@": "gw"}, BODY),
    "an invisible letter": ({"X-Served-By": "gw\x007\x0b"}, BODY),
    "a line without a colon": ({"X": "y\r\nserved by gw 7"}, BODY),
    "a value in two lines": ({"X": "y\r\n z"}, BODY),
    "two lengths": ({"X": f"y\r\nContent-Length: {len(BODY) + 9}"}, BODY),
    "told to go on first": ({"X": "y"}, BODY),
}


@pytest.mark.parametrize("how", ODD)
def test_odd_heads(server: Server, photo: Image.Image, how: str) -> None:
    """Whatever a gateway writes into the head of an answer, its picture is read."""
    headers, body = ODD[how]
    said = "OK\r\n\r\nHTTP/1.1 200 Fine" if "go on" in how else "Said"
    lengthless = {"Content-Length": ""} if "Encoding" in str(headers) or "encoding" in str(headers) else {}
    server.answer = Reply(103 if "go on" in how else 200, body, lengthless | headers, said=said)
    found = Client(KEY, base_url=server.url, timeout=20).images.edit(image=photo, prompt="x")
    assert found.images[0].getpixel((5, 5)) == (0, 128, 128)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_pieces_change_nothing(size: int) -> None:
    """However an answer is cut on its way, what is given on is the same, with all of its body."""
    head = b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\nA b: c\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    whole = head + b"5\r\nHTTP/1.1 200 OK\r\nA b: c\r\n\r\n"
    heads = Heads()
    came = b"".join(
        heads.through(whole[at : at + size]) for at in range(0, len(whole), size)
    ) + heads.through(b"")
    tidy = b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    assert came == tidy + whole[len(head) :]


@pytest.mark.parametrize(
    "data",
    [b"", b"HT", b"HTTP/1.1 2", b"SSH-2.0\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 200 " + b"x" * LONGEST],
)
def test_what_is_no_head_stays_as_it_is(data: bytes) -> None:
    """Nothing is held back or changed of what is no head, is cut off, or has no end."""
    heads = Heads()
    assert heads.through(data) + heads.through(b"") == data


def test_a_head_in_order_stays_so() -> None:
    """What the library takes anyway is not changed but for the order of what says how the body comes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 5"
    assert tidied(head) == head


def test_a_result_that_was_packed_on_its_way(server: Server, photo: Image.Image) -> None:
    """A result's own address is read the same way."""
    server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
    packed = {"Transfer-Encoding": "gzip, chunked", "Content-Length": ""}
    server.routes["/a.png"] = Reply(200, chunked(gzip.compress(b"picture")), packed)
    found = Client(KEY, base_url=server.url, timeout=20).images.edit(image=photo, prompt="x")
    assert found.data[0].data == b"picture"

"""Answers with pictures as services, gateways and proxies write them: what a reply must be understood in, as tables."""

from __future__ import annotations

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from tests.server import encoded

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF"}


def picture(seed: int, kind: str = "png", side: int = 12) -> bytes:
    """A small picture's file, another one for each seed."""
    image = Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3))
    return encoded(image, FORMATS[kind])


def _broken(text: str, width: int = 76, end: str = "\n") -> str:
    return end.join(text[at : at + width] for at in range(0, len(text), width))


def _url_safe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


def _under(name: str, beside: str) -> Callable[[Any], Any]:
    return lambda value: {name: value, beside: 7}


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "lines": _broken,
    "lines of Windows": lambda text: _broken(text, 64, "\r\n") + "\r\n",
    "spaces": lambda text: f"  {_broken(text, 60, ' ')} ",
    "tabs": lambda text: f"\t{_broken(text, 33, chr(9))}",
    "no padding": lambda text: text.rstrip("="),
    "URL-safe": _url_safe,
    "URL-safe without padding": lambda text: _url_safe(text).rstrip("="),
    "data URL": lambda text: f"data:image/png;base64,{text}",
    "data URL with lines": lambda text: f"data:image/png;base64,\n{_broken(_url_safe(text))}",
    "data URL with a name": lambda text: f"data:image/png;name=a.png;charset=utf-8;base64,{text}",
}
"""How base64 is written; each takes it in the usual form."""

ITEMS: dict[str, Callable[[str], Any]] = {
    "b64_json": lambda text: {"b64_json": text, "revised_prompt": "nicer"},
    **{
        name: _under(name, "seed")
        for name in ("b64", "base64", "image", "image_base64", "url", "bytesBase64Encoded", "some_new_name")
    },
    "image_url": lambda text: {"image_url": f"data:image/png;base64,{text.rsplit('base64,', 1)[-1]}"},
    "image_url as an object": lambda text: {"type": "image_url", "image_url": {"url": text}},
    "inline data": lambda text: {"inlineData": {"mimeType": "image/png", "data": text}},
    "text": lambda text: text,
}
"""How one result is written."""

ENVELOPES: dict[str, Callable[[list[Any]], Any]] = {
    "plain": lambda items: {"created": 3, "data": items},
    "SUCCESS": lambda items: {"status": "SUCCESS", "message": "ok", "data": {"created": 3, "data": items}},
    "success": lambda items: {"status": "success", "data": {"created": 3, "data": items}},
    "completed": lambda items: {"status": "COMPLETED", "data": {"data": items}},
    "SUCCESS with a list": lambda items: {"status": "SUCCESS", "data": items},
    "code": lambda items: {"code": 0, "msg": "ok", "data": {"data": items}},
    "code with a list": lambda items: {"code": 200, "data": items},
    "one object": lambda items: {"data": items[0] if len(items) == 1 else items},
    "an object by number": lambda items: {"data": {str(at): item for at, item in enumerate(items)}},
    **{
        name: _under(name, "id") for name in ("images", "output", "outputs", "result", "results", "artifacts")
    },
    "one result": lambda items: {"result": items[0] if len(items) == 1 else {"images": items}},
    "nested": lambda items: {"body": {"response": {"payload": {"results": {"data": items}}}}},
    "a text": lambda items: {"statusCode": 200, "body": json.dumps({"data": items})},
    "a list": lambda items: items,
    "lists in a list": lambda items: {"data": [items]},
    "chat": lambda items: {"choices": [{"message": {"content": "here", "images": items}}]},
    "junk before": lambda items: {"data": [None, {}, 3, *items]},
    "beside an empty list": lambda items: {"data": [], "images": items},
}
"""What stands around the results."""

ERRORS: dict[str, dict[str, Any]] = {
    "none": {},
    "an empty object": {"error": {}},
    "null": {"error": None},
    "an empty text": {"error": ""},
    "a word for none": {"error": "none"},
    "an empty message": {"error": {"message": "", "code": None}},
    "no error in an object": {"error": {"message": "ok", "code": 0}},
    "false": {"error": False},
    "a list": {"error": []},
    "a message": {"error": {"message": "One of them was filtered", "code": "partial"}},
    "a text": {"error": "quota low"},
    "failed": {"status": "FAILED", "message": "half of it"},
}
"""What is said of errors beside them."""

BODIES: dict[str, Callable[[Any], bytes]] = {
    "JSON": lambda value: json.dumps(value).encode(),
    "indented": lambda value: json.dumps(value, indent=2).encode(),
    "BOM": lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode(),
    "UTF-16": lambda value: json.dumps(value).encode("utf-16"),
    "text behind": lambda value: json.dumps(value).encode() + b"\n\nServed by gateway {7} [a]",
    "text before": lambda value: b"HTTP proxy: [ok] done\r\n" + json.dumps(value).encode(),
    "script": lambda value: b")]}',\n" + json.dumps(value).encode(),
    "page": lambda value: b"<html><style>a{b:c}</style><pre>" + json.dumps(value).encode() + b"</pre></html>",
    "NUL behind": lambda value: json.dumps(value).encode() + b"\0\0",
    "lines of JSON": lambda value: (
        b'{"progress": 0.5}\n' + json.dumps(value).encode() + b'\n{"done": true}\n'
    ),
    "events": lambda value: (
        b"retry: 3000\nid: null\nevent: image_edit.completed\ndata: "
        + json.dumps(value).encode()
        + b"\n\ndata: [DONE]\n\n"
    ),
    "events without a space": lambda value: (
        b":ok\r\ndata:" + json.dumps(value).encode() + b"\r\n\r\ndata:[DONE]\r\n\r\n"
    ),
    "an event of many lines": lambda value: (
        b"event: done\n"
        + b"".join(b"data: " + line + b"\n" for line in json.dumps(value, indent=1).encode().split(b"\n"))
    ),
    "comma at its end": lambda value: json.dumps(value).encode()[:-1] + b",}",
    "cut off at its end": lambda value: json.dumps(value).encode()[:-1],
}
"""How it is written down as bytes."""

STATUSES = (200, 201, 202, 203, 206, 299, 302, 400, 401, 402, 404, 409, 422, 429, 499, 500, 502, 504, 524)


def chunked(body: bytes, size: int = 1000, *, end: bytes = b"\r\n", last: bytes | None = None) -> bytes:
    """A body in chunks."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x%b%b%b" % (len(one), end, one, end) for one in pieces) + (
        b"0" + 2 * end if last is None else last
    )


def _length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def _bare(data: bytes) -> bytes:
    """Bare deflate, as some send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


FRAMES: dict[str, Callable[[bytes], tuple[bytes, bytes]]] = {
    "length": lambda body: (_length(body), body),
    "nothing": lambda body: (b"", body),
    "length twice": lambda body: (2 * _length(body), body),
    "length with commas": lambda body: (b"Content-Length: %d, %d\r\n" % (len(body), len(body)), body),
    "a shorter length beside it": lambda body: (_length(body) + b"Content-Length: 1\r\n", body),
    "a longer length beside it": lambda body: (b"Content-Length: 9999999\r\n" + _length(body), body),
    "length too short": lambda body: (_length(body[:-30]), body),
    "length too long": lambda body: (_length(body + bytes(9)), body),
    "length of nothing": lambda body: (b"Content-Length: 0\r\n", body),
    "length of nothing beside it": lambda body: (b"Content-Length: 0\r\n" + _length(body), body),
    "no length": lambda body: (b"Content-Length: many\r\n", body),
    "negative length": lambda body: (b"Content-Length: -1\r\n", body),
    "endless length": lambda body: (b"Content-Length: " + b"9" * 30 + b"\r\n", body),
    "length before a space": lambda body: (b"Content-Length : %d\r\n" % len(body), body),
    "chunks": lambda body: (b"Transfer-Encoding: chunked\r\n", chunked(body)),
    "chunks and length": lambda body: (b"Transfer-Encoding: chunked\r\n" + _length(body), chunked(body)),
    "chunks that are none": lambda body: (b"Transfer-Encoding: chunked\r\n" + _length(body), body),
    "chunks by line feeds": lambda body: (b"Transfer-Encoding: chunked\r\n", chunked(body, 999, end=b"\n")),
    "chunks without an end": lambda body: (b"Transfer-Encoding: chunked\r\n", chunked(body, 77, last=b"")),
    "chunks with a damaged end": lambda body: (
        b"Transfer-Encoding: chunked\r\n",
        chunked(body, last=b"zz\r\n"),
    ),
    "chunks in quotes": lambda body: (b'Transfer-Encoding: "Chunked" ;x=y\r\n', chunked(body, 10**6)),
    "gzip, chunked": lambda body: (b"Transfer-Encoding: gzip, chunked\r\n", chunked(gzip.compress(body))),
    "x-gzip and chunked": lambda body: (
        b"Transfer-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n",
        chunked(gzip.compress(body)),
    ),
    "deflate, chunked": lambda body: (
        b"Transfer-Encoding: deflate, chunked\r\n",
        chunked(zlib.compress(body)),
    ),
    "bare deflate, chunked": lambda body: (b"Transfer-Encoding: deflate,chunked\r\n", chunked(_bare(body))),
    "chunked, gzip": lambda body: (b"Transfer-Encoding: chunked, gzip\r\n", gzip.compress(chunked(body))),
    "chunked, gzip, sent the other way": lambda body: (
        b"Transfer-Encoding: chunked, gzip\r\n",
        chunked(gzip.compress(body)),
    ),
    "gzip alone": lambda body: (b"Transfer-Encoding: gzip\r\n", gzip.compress(body)),
    "gzip in gzip, chunked": lambda body: (
        b"Content-Encoding: gzip\r\nTransfer-Encoding: gzip, chunked\r\n",
        chunked(gzip.compress(gzip.compress(body))),
    ),
}
"""How a service says where its body ends, and how it is packed: lines of the head, and what is sent behind it."""


def _lines(*more: bytes) -> Callable[[int, bytes], bytes]:
    return lambda status, frame: b"\r\n".join([b"HTTP/1.1 %d Said" % status, *more, frame]) + b"\r\n"


HEADS: dict[str, Callable[[int, bytes], bytes]] = {
    "plain": _lines(b"Content-Type: application/json"),
    "a line that is none": _lines(b"this is no header", b"X-Real: 1"),
    "a line without a name": _lines(b": nothing", b"X-Real: 1"),
    "a space before the colon": _lines(b"X-Powered-By : gateway"),
    "a space in a name": _lines(b"X Powered By: gateway"),
    "odd letters in a name": _lines("X-Größe: 1".encode(), b'"quoted": 1', b"a[b]: 1", b"X\0Y: 1"),
    "odd letters in a value": _lines(b"X-Odd: a\0b\x01c\x0bd\xff", b"X-Utf: " + "ü".encode()),
    "a folded value": _lines(b"X-Long: a", b"  b", b"\tc"),
    "folded from the start": _lines(b"  folded from nothing"),
    "two hundred cookies": _lines(*(b"Set-Cookie: a%d=%b" % (at, 900 * b"x") for at in range(200))),
    "no words": lambda status, frame: b"HTTP/1.1 %d\r\n%b\r\n" % (status, frame),
    "HTTP/1.0": lambda status, frame: b"HTTP/1.0 %d OK\r\n%b\r\n" % (status, frame),
    "HTTP/2": lambda status, frame: b"HTTP/2 %d\r\n%b\r\n" % (status, frame),
    "no version": lambda status, frame: b"HTTP %d OK\r\n%b\r\n" % (status, frame),
    "small letters": lambda status, frame: b"http/1.1 %d ok\r\n%b\r\n" % (status, frame.lower()),
    "many spaces": lambda status, frame: b"HTTP/1.1   %d   OK\r\n%b\r\n" % (status, frame),
    "odd words": lambda status, frame: b"HTTP/1.1 %d O\0K\x01\xff\r\n%b\r\n" % (status, frame),
    "line feeds": lambda status, frame: b"HTTP/1.1 %d OK\nX-A: 1\n%b\n" % (status, frame.replace(b"\r", b"")),
    "some line feeds": lambda status, frame: b"HTTP/1.1 %d OK\nX-A: 1\n%b\r\n" % (status, frame),
    "doubled returns": lambda status, frame: (
        b"HTTP/1.1 %d OK\r\r\n%b\r\r\n" % (status, frame.replace(b"\r", b"\r\r"))
    ),
    "returns alone": lambda status, frame: (
        b"HTTP/1.1 %d OK\rX-A: 1\r%b\r" % (status, frame.replace(b"\n", b""))
    ),
    "empty lines before": lambda status, frame: b"\r\n\r\nHTTP/1.1 %d OK\r\n%b\r\n" % (status, frame),
    "hints before": lambda status, frame: (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 %d OK\r\n%b\r\n" % (status, frame)
    ),
    "a script's": lambda status, frame: (
        b"Content-Type: application/json\r\nStatus: %d\r\n%b\r\n" % (status, frame)
    ),
}
"""How a head is written, by its status and its lines on the body."""


def line(answer: Answer, head: str = "plain", frame: str = "length") -> bytes:
    """All that a service sends for `answer`, written so."""
    lines, body = FRAMES[frame](answer.body)
    return HEADS[head](answer.status, lines) + body


@dataclass(frozen=True)
class Answer:
    """An answer, the pictures that are in it, and how it was made."""

    status: int
    body: bytes
    pictures: tuple[bytes, ...]
    how: str


def answer(
    item: str = "b64_json",
    written: str = "plain",
    envelope: str = "plain",
    error: str = "none",
    body: str = "JSON",
    *,
    status: int = 200,
    seeds: tuple[int, ...] = (1,),
    kind: str = "png",
    side: int = 12,
) -> Answer:
    """An answer made by those rows of the tables."""
    files = tuple(picture(seed, kind, side) for seed in seeds)
    items = [ITEMS[item](WRITTEN[written](base64.b64encode(file).decode())) for file in files]
    value = ENVELOPES[envelope](items)
    if isinstance(value, dict):
        value = value | ERRORS[error]
    how = f"{status}, {item}, {written}, {envelope}, error: {error}, {body}, {kind}, {len(files)}"
    return Answer(status, BODIES[body](value), files, how)


def mutated(chance: random.Random) -> Answer:
    """An answer made of rows that are drawn, one of all tables together."""

    def draw(table: dict[str, Any], usual: str) -> str:
        return usual if chance.random() < 0.2 else chance.choice(list(table))

    body = draw(BODIES, "JSON")
    return answer(
        # A page may show pictures of its own, under any name but this.
        "b64_json" if body == "page" else draw(ITEMS, "b64_json"),
        draw(WRITTEN, "plain"),
        draw(ENVELOPES, "plain"),
        draw(ERRORS, "none"),
        body,
        status=200 if chance.random() < 0.4 else chance.choice(STATUSES),
        seeds=tuple(chance.sample(range(10**6), chance.choice((1, 1, 2, 4)))),
        kind=chance.choice(list(FORMATS)),
        # Over four thousand letters a picture is decoded as it arrives.
        side=chance.choice((12, 12, 48)),
    )

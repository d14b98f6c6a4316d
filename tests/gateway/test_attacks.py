"""Attacks on a gateway: what is tried, and that it gains nothing."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.server import Reply, Server, encoded, json_reply
from tests.support import gateways
from tests.support.folders import contents
from tests.support.gateways import ANSWER, KEY, Running, headers, plain_client, running
from ttapi_nb.gateway import storing
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.serving import Lines

service = gateways.answering_service
ledger = gateways.ledger_in_file
room = gateways.class_of(2, images=5)


@pytest.fixture
def gateway(ledger: Ledger, room: Made, service: Server) -> Iterator[Running]:
    """A gateway before the service, which takes small bodies only, and not for long."""
    lines = Lines(head_seconds=0.5)
    with running(ledger, service.url, lines=lines, most_body=100_000, body_seconds=0.5) as found:
        yield found


def body(**fields: Any) -> bytes:
    """An edit as JSON."""
    picture = base64.b64encode(encoded(Image.new("RGB", (64, 64)))).decode()
    return json.dumps({"prompt": "x", "image": [picture], "mode": "gpt-image-1"} | fields).encode()


def ask(gateway: Running, method: str, path: str, given: Any, content: Any = None) -> httpx.Response:
    """Send a request as it is."""
    with plain_client() as client:
        return client.request(method, f"{gateway.origin}{path}", headers=given, content=content)


def raw(gateway: Running, request: bytes) -> bytes:
    """What comes back for these very bytes."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as line:
        line.sendall(request)
        return b"".join(iter(lambda: line.recv(65_536), b""))


@pytest.mark.dear
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"TT-API-KEY": "ttclass-guessed"},
        {"TT-API-KEY": KEY},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dHRjbGFzczp4"},
        {"TT-API-KEY": "x" * 5000},
    ],
)
def test_nobodys_token(gateway: Running, service: Server, given: dict[str, str]) -> None:
    """No token, a guessed one, the key itself and other schemes are all the same: 401, and nothing is sent."""
    for method, path in (("POST", "/v1/images/edits"), ("GET", "/v1/me"), ("GET", "/v1/runs/x")):
        found = ask(gateway, method, path, {**given, "Content-Type": "application/json"}, body())
        assert found.status_code == 401, path
        assert KEY not in found.text
    assert service.requests == []


def test_a_token_in_an_address_or_two_of_them_open_nothing(
    gateway: Running, room: Made, service: Server
) -> None:
    """Tokens count in headers only, where no proxy writes them down; and two are none."""
    ada, bob = (token for _, token in room.people)
    assert ask(gateway, "GET", f"/v1/me?token={ada}&api_key={ada}", {}).status_code == 401
    assert (
        ask(gateway, "GET", "/v1/me", {"TT-API-KEY": ada, "Authorization": f"Bearer {bob}"}).status_code
        == 401
    )
    assert (
        ask(gateway, "GET", "/v1/me", {"TT-API-KEY": ada, "Authorization": f"Bearer {ada}"}).status_code
        == 200
    )
    assert ask(gateway, "GET", "/v1/me", {"Authorization": f"bearer {ada}"}).status_code == 200
    assert service.requests == []


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "text/plain"}, 400),
        ({"Idempotency-Key": "../../etc/passwd"}, 400),
        ({"Idempotency-Key": "a b"}, 400),
        ({"Idempotency-Key": "x" * 200}, 400),
    ],
)
def test_odd_heads(gateway: Running, room: Made, service: Server, given: dict[str, str], status: int) -> None:
    """Packed bodies, other types and keys that are no plain word are refused before anything is reserved."""
    asked = {**headers(room.people[0][1]), "Content-Type": "application/json", **given}
    assert ask(gateway, "POST", "/v1/images/edits", asked, body()).status_code == status
    assert service.requests == []
    assert gateway.ledger.report(room.room)["states"] == {}


def test_fields_in_the_address_are_refused(gateway: Running, room: Made, service: Server) -> None:
    """Ten results that only the address asks for are neither sent nor counted as one."""
    asked = headers(room.people[0][1], Content_Type="application/json")
    assert ask(gateway, "POST", "/v1/images/edits?n=10", asked, body()).status_code == 400
    assert ask(gateway, "POST", "/v1/images/edits", asked, body(n=6)).status_code == 402
    assert service.requests == []


def test_bodies_that_are_too_large(gateway: Running, room: Made, service: Server) -> None:
    """Announced, or piece by piece: it ends at the limit, and no file stays."""
    asked = headers(room.people[0][1], Content_Type="application/json")
    large = body(prompt="x" * 200_000)

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(large), 10_000):
            yield large[at : at + 10_000]

    for content in (large, pieces()):
        with contextlib.suppress(httpx.WriteError):
            assert ask(gateway, "POST", "/v1/images/edits", asked, content).status_code == 413
    assert service.requests == []
    assert list((gateway.ledger.database.folder / "bodies").iterdir()) == []


@pytest.mark.slow
def test_bodies_and_heads_that_come_too_slowly(gateway: Running, room: Made, service: Server) -> None:
    """A body that drips is given up after its time, and so is a head, and a line on which nothing comes."""
    head = (
        b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"TT-API-KEY: " + room.people[0][1].encode() + b"\r\nContent-Length: 50000\r\n\r\n"
    )
    for sent in (head + b"{", head[:30], b""):
        begun = time.monotonic()
        answer = raw(gateway, sent)
        assert time.monotonic() - begun < 5
        assert (b" 408 " in answer) == (sent.endswith(b"{"))
    assert service.requests == []


@pytest.mark.parametrize(
    ("head", "content", "status"),
    [
        (b"Transfer-Encoding: chunked\r\nContent-Length: 4", b"0\r\n\r\n", 400),
        (b"Content-Length: 4\r\nContent-Length: 5", b"{}  ", 400),
        (b"Transfer-Encoding: chunked", b"2;a\nb\r\n{}\r\n0\r\n\r\n", 400),
        (b"X: " + b"y" * 200_000, b"", 431),
    ],
    ids=["a length and chunks", "two lengths", "a chunk with a line feed", "a head without end"],
)
def test_what_two_could_read_in_two_ways_is_refused(
    gateway: Running, room: Made, service: Server, head: bytes, content: bytes, status: int
) -> None:
    """It is refused in the gateway's words, nothing is reserved, and what stands behind it is no request."""
    start = b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTT-API-KEY: "
    start += room.people[0][1].encode() + b"\r\n"
    answer = raw(gateway, start + head + b"\r\n\r\n" + content + start + b"Content-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (told["status"], told["error"]["code"]) == ("FAILED", "class_http")
    assert gateway.ledger.report(room.room)["states"] == {}
    assert service.requests == []


def test_a_broken_body_leaves_nothing(gateway: Running, room: Made, service: Server) -> None:
    """A client that hangs up in the midst of its body has reserved nothing, and its file is gone."""
    with socket.create_connection(("127.0.0.1", gateway.port)) as line:
        line.sendall(
            b"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"TT-API-KEY: " + room.people[0][1].encode() + b"\r\nContent-Length: 50000\r\n\r\n{"
        )
    end = time.monotonic() + 10
    while list((gateway.ledger.database.folder / "bodies").iterdir()) and time.monotonic() < end:
        time.sleep(0.02)
    assert list((gateway.ledger.database.folder / "bodies").iterdir()) == []
    assert gateway.ledger.report(room.room)["states"] == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": {"message": f"The key {KEY} is wrong."}}, 401),
        json_reply(ANSWER | {"note": KEY}, headers={"X-Request-Id": KEY}),
        Reply(500, f"<html>{KEY}</html>".encode(), mime="text/html"),
        json_reply({"status": "FAILED", "message": KEY, "data": None}),
    ],
)
def test_a_service_that_quotes_the_key(
    gateway: Running,
    room: Made,
    service: Server,
    reply: Reply,
    environment: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever the service quotes, nobody sees the key: not in the answer, the ledger, a file, a metric or a log."""
    service.answer = reply
    asked = headers(room.people[0][1], Content_Type="application/json", Idempotency_Key="run-1")
    answers = [ask(gateway, "POST", "/v1/images/edits", asked, body()) for _ in range(2)]
    answers += [
        ask(gateway, "GET", path, asked) for path in ("/v1/runs/run-1", "/v1/me", "/metrics", "/health")
    ]
    for answer in answers:
        assert KEY not in answer.text + str(answer.headers)
    assert [path for path, data in contents(environment).items() if KEY.encode() in data] == []
    with plain_client(base_url=gateway.origin, follow_redirects=True) as teacher:
        teacher.post("/teacher/in", data={"token": room.teacher_token})
        for where in ("", "/limits", "/runs.csv", "/wall", "/board"):
            page = teacher.get(f"/teacher{where}")
            assert page.status_code == 200
            assert KEY not in page.text
    assert KEY not in "".join(capfd.readouterr())
    assert service.posts[0].get("tt-api-key") == KEY


def test_nothing_of_a_persons_request_leads_elsewhere(gateway: Running, room: Made, service: Server) -> None:
    """Headers of the client's own, cookies and forwarded ones among them, do not reach the service."""
    asked = headers(room.people[0][1], Content_Type="application/json") | {
        "Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "Host": "evil.example", "X-Api-Key": "mine",
        "Authorization": f"Bearer {room.people[0][1]}",
    }  # fmt: skip
    assert ask(gateway, "POST", "/v1/images/edits", asked, body()).status_code == 200
    got = service.posts[0]
    assert got.get("host") == f"127.0.0.1:{service.port}"
    for name in ("cookie", "x-forwarded-for", "x-api-key", "authorization"):
        assert got.get(name) is None
    assert room.people[0][1].encode() not in got.body


def test_a_chunked_body_does_not_fill_the_disk(
    gateway: Running, room: Made, service: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What says nothing of its length ends where the room that answers need begins, and leaves no file."""
    bodies = gateway.ledger.database.folder / "bodies"
    asked = headers(room.people[0][1], Content_Type="application/json")

    def pieces() -> Iterator[bytes]:
        yield body()[:-1]
        while not list(bodies.iterdir()):
            pass
        # It was let in, and others have come since.
        monkeypatch.setattr(storing, "MARGIN", 10**18)
        yield b"}"

    full = ask(gateway, "POST", "/v1/images/edits", asked, pieces())
    assert (full.status_code, service.requests) == (507, [])
    assert list(bodies.iterdir()) == []


def test_a_full_disk_refuses_in_words_and_loses_nothing(
    gateway: Running, room: Made, service: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room for a body and its answer, nothing is sent; what was answered is still there."""
    asked = headers(room.people[0][1], Content_Type="application/json", Idempotency_Key="run-1")
    first = ask(gateway, "POST", "/v1/images/edits", asked, body())
    monkeypatch.setattr(storing, "MARGIN", 10**18)
    full = ask(gateway, "POST", "/v1/images/edits", asked | {"Idempotency-Key": "run-2"}, body())
    assert full.status_code == 507
    assert "disk is full" in full.json()["message"]
    assert len(service.posts) == 1
    assert gateway.ledger.report(room.room)["states"] == {"settled": 1}
    assert ask(gateway, "GET", "/v1/runs/run-1", asked).content == first.content

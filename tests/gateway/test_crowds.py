"""Nobody takes all of a gateway: neither those whose bodies drip, nor one person with very many requests."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.server import Server, json_reply
from tests.support import gateways
from tests.support.gateways import ANSWER, Running, class_of, headers, plain_client, running
from ttapi_nb.gateway import crowds
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger

PEOPLE = crowds.MOST_UPLOADS // crowds.MOST_EACH + 1
BODY = json.dumps({"prompt": "x", "mode": "gpt-image-1", "image": []}).encode()

service = gateways.answering_service
ledger = gateways.ledger_in_file
room = class_of(PEOPLE, runs=10)


@pytest.fixture
def gateway(ledger: Ledger, room: Made, service: Server) -> Iterator[Running]:
    """A gateway in front of the answering service."""
    with running(ledger, service.url) as found:
        yield found


def asked(token: str, size: int = len(BODY), key: str = "") -> bytes:
    """The head of an edit."""
    named = f"Idempotency-Key: {key}\r\n" if key else ""
    return (
        f"POST /v1/images/edits HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n{named}"
        f"TT-API-KEY: {token}\r\nContent-Length: {size}\r\n\r\n"
    ).encode()


def post(gateway: Running, token: str) -> httpx.Response:
    """Send an edit."""
    with plain_client() as client:
        given = headers(token, Content_Type="application/json")
        return client.post(f"{gateway.url}/images/edits", content=BODY, headers=given)


def lines(stack: contextlib.ExitStack, gateway: Running, heads: list[bytes]) -> list[socket.socket]:
    """A line for each of these heads, until the stack ends."""
    found = []
    for head in heads:
        line = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=30))
        line.sendall(head)
        found.append(line)
    return found


def test_bodies_that_drip_give_way(
    gateway: Running, room: Made, service: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a few people hold every place with bodies that don't come, another's edit is taken, and theirs told so."""
    monkeypatch.setattr(crowds, "GRACE", 0.2)
    monkeypatch.setattr(crowds, "LOOK", 0.05)
    *slow, (_, other) = room.people
    heads = [asked(token, 50_000) + b"{" for _, token in slow for _ in range(crowds.MOST_EACH)]
    with contextlib.ExitStack() as stack:
        held = lines(stack, gateway, heads)
        while len(list((gateway.ledger.database.folder / "bodies").iterdir())) < crowds.MOST_UPLOADS:
            pass
        assert post(gateway, other).json() == ANSWER
        # As many as were waited for, and no more: those that come slowly over a bad line are let be.
        (told,), _, _ = select.select(held, [], [], 30)
        assert b" 408 " in told.recv(4096)
    assert len(service.posts) == 1


@pytest.mark.slow
def test_one_person_has_so_many_requests(gateway: Running, room: Made, service: Server) -> None:
    """Whoever has a hundred requests without an answer is refused another, until they are answered; others are not."""
    (_, ada), (_, bob), *_ = room.people
    hold = service.event()
    service.answer = lambda request: json_reply(ANSWER, hold=None if hold.is_set() else hold)
    with contextlib.ExitStack() as stack:
        held = lines(stack, gateway, [asked(ada, key="run-1") + BODY] * crowds.MOST_REQUESTS)
        with plain_client() as client:

            def me(token: str) -> int:
                return client.get(f"{gateway.url}/me", headers=headers(token)).status_code

            while me(ada) != 429:
                pass
            assert post(gateway, ada).json()["error"]["code"] == "class_crowded"
            assert me(bob) == 200
            hold.set()
            for line in held:
                assert b" 200 " in line.recv(100)
                line.close()
            while me(ada) == 429:
                pass
    assert post(gateway, ada).json() == ANSWER
    assert len(service.posts) == 2

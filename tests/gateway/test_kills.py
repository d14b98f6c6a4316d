"""A gateway that is killed: what it had sent is answered, nothing is sent twice, and nobody pays for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Server, json_reply, pictures
from tests.support.gateways import headers, plain_client, process
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.terms import Limits, Terms

PHOTO = Image.new("RGB", (64, 64), "navy")


@pytest.fixture
def service() -> Iterator[Server]:
    """The service behind the gateway; it answers when the test says so."""
    with Server() as server:
        server.answer = json_reply(pictures(Image.new("RGB", (64, 64), "teal")), hold=server.event())
        yield server


def made(environment: Path, database: str | None) -> Made:
    """A class of two."""
    ledger = Ledger(database)
    found = ledger.classes.make("bowls", 2, Terms(each=Limits(runs=2)))
    ledger.close()
    return found


def report(database: str | None) -> Any:
    """What the ledger says."""
    ledger = Ledger(database)
    found = ledger.report(ledger.classes.named("bowls"))
    ledger.close()
    return found


def until(holds: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.05)


def kill(started: subprocess.Popen[str]) -> None:
    """Kill a gateway, and not what stands beside it."""
    started.send_signal(signal.SIGKILL)
    started.wait(30)
    assert started.stdout is not None
    started.stdout.close()


def start(environment: Path, service: Server, database: str | None, port: int = 0) -> tuple[Any, int]:
    """A gateway of its own."""
    more = [] if database is None else ["--database", database]
    return process(environment, "--port", str(port), "--upstream", service.url, "--at-once", "1", *more)


@pytest.mark.slow
def test_a_killed_gateway_loses_nothing(environment: Path, service: Server, database: str | None) -> None:
    """One run is with the service and one waits as the gateway is killed: both owners get their results from the next
    one, each run is sent once, and the ledger has just those two.
    """
    room = made(environment, database)
    started, port = start(environment, service, database)
    clients = [
        tt.Client(token, base_url=f"http://127.0.0.1:{port}/v1", timeout=60) for _, token in room.people
    ]
    first = tt.start_edit(PHOTO, "first", model="gpt-image-1", client=clients[0])
    service.wait_for(1)
    second = tt.start_edit(PHOTO, "second", model="gpt-image-1", client=clients[1])
    until(lambda: report(database)["states"] == {"sent": 1, "reserved": 1})
    kill(started)
    # The service answers while there is no gateway.
    service.let_go()
    until(lambda: report(database)["states"].get("settled") == 1)
    started, _ = start(environment, service, database, port)
    try:
        assert first.wait().results[0].raw.size == second.wait().results[0].raw.size == (64, 64)
    finally:
        started.terminate()
        started.communicate(timeout=30)
    assert [request.json["prompt"] for request in service.posts] == ["first", "second"]
    assert report(database)["states"] == {"settled": 2}


# What came of it and where the ledger is have nothing to do with each other: each of both is tried once, as a gateway
# takes seconds to start.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("database", "came"),
    [("postgres", 0), ("sqlite", -1)],
    indirect=["database"],
    ids=["its head alone", "all but its end"],
)
def test_a_gateway_that_is_killed_amid_an_answer(
    environment: Path, service: Server, database: str | None, came: int
) -> None:
    """What its client has then is not taken for whole; asked again, the next gateway says it all, and its length."""
    room = made(environment, database)
    answer = json.dumps(pictures(Image.new("RGB", (64, 64), "teal"))).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
    go_on = service.event()
    service.stream = head + answer[:came], go_on, answer[came:]
    started, port = start(environment, service, database)
    given: dict[str, Any] = {
        "content": json.dumps({"prompt": "first", "image": ["aGk="], "mode": "gpt-image-1"}),
        "headers": headers(room.people[0][1], Content_Type="application/json", Idempotency_Key="run-1"),
    }
    url = f"http://127.0.0.1:{port}/v1/images/edits"
    with plain_client(timeout=60) as asking:
        with asking.stream("POST", url, **given) as reply:
            assert reply.status_code == 200
            kill(started)
            with pytest.raises(httpx.RemoteProtocolError):
                reply.read()
        go_on.set()
        until(lambda: report(database)["states"].get("settled") == 1)
        started, _ = start(environment, service, database, port)
        try:
            again, once_more = (
                asking.post(url, **given),
                asking.get(f"http://127.0.0.1:{port}/v1/runs/run-1", headers=headers(room.people[0][1])),
            )
        finally:
            started.terminate()
            started.communicate(timeout=30)
    for kept in (again, once_more):
        assert kept.content == answer
        assert kept.headers["content-length"] == str(len(answer))
    assert len(service.posts) == 1


@pytest.mark.slow
def test_where_all_of_it_is_killed_the_run_is_in_doubt(environment: Path, service: Server) -> None:
    """With the process that has the lines killed too, the run counts, its owner is told, and it is not sent again."""
    room = made(environment, None)
    started, port = start(environment, service, None)
    client = tt.Client(room.people[0][1], base_url=f"http://127.0.0.1:{port}/v1", timeout=60)
    run = tt.start_edit(PHOTO, "first", model="gpt-image-1", client=client)
    service.wait_for(1)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    kill(started)
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    started, _ = start(environment, service, None, port)
    try:
        with pytest.raises(tt.UnknownOutcomeError, match="may have been billed"):
            run.wait()
        with plain_client() as asking:
            me = asking.get(f"http://127.0.0.1:{port}/v1/me", headers=headers(room.people[0][1])).json()
        assert me["left"] == {"runs": 1}
        assert me["spent"]["unknown"] == 1
    finally:
        started.terminate()
        started.communicate(timeout=30)
    assert len(service.posts) == 1

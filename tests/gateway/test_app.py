"""The gateway as clients see it: what they send reaches the service byte for byte, once, and the answer comes back."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Request, Server, encoded, json_reply, pictures
from tests.support import gateways
from tests.support.gateways import ANSWER, KEY, Running, headers, plain_client, running
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger
from ttapi_nb.gateway.upstream import EmbeddedUpstream

JSON = "application/json"
service = gateways.answering_service
room = gateways.class_of(3, runs=5)


@pytest.fixture
def gateway(ledger: Ledger, room: Made, service: Server) -> Iterator[Running]:
    """A gateway before the service."""
    with running(ledger, service.url) as found:
        yield found


def tokens(room: Made) -> list[str]:
    """Everybody's token."""
    return [token for _, token in room.people]


def body(prompt: str = "a bowl", **fields: Any) -> bytes:
    """An edit as JSON."""
    picture = base64.b64encode(encoded(Image.new("RGB", (64, 64)))).decode()
    given = {"prompt": prompt, "image": [f"data:image/png;base64,{picture}"], "mode": "gpt-image-1"}
    return json.dumps(given | fields).encode()


def post(gateway: Running, token: str, content: bytes, key: str = "", kind: str = JSON) -> httpx.Response:
    """Send an edit."""
    given = headers(token, Content_Type=kind, **({"Idempotency_Key": key} if key else {}))
    with plain_client() as client:
        return client.post(f"{gateway.url}/images/edits", content=content, headers=given)


def get(gateway: Running, path: str, token: str) -> httpx.Response:
    """Ask for something."""
    with plain_client() as client:
        return client.get(f"{gateway.origin}{path}", headers=headers(token))


@pytest.mark.slow
@pytest.mark.parametrize("wire", ["json", "multipart", "references"])
def test_our_client_edits_in_every_form(gateway: Running, room: Made, service: Server, wire: Any) -> None:
    """An edit with a mask comes back, and what the service got is what the client sends to the service itself."""
    photo, mask = Image.new("RGB", (64, 64), "navy"), tt.Mask((64, 64)).rectangle((8, 8, 32, 32))

    def edit(url: str, key: str) -> Request:
        client = tt.Client(key, base_url=url, wire=wire)
        run = tt.edit(photo, "a bowl", mask=mask, model="gpt-image-1", client=client, fit="none")
        assert run.results[0].raw.size == (64, 64)
        return service.posts[-1]

    plain, through = edit(service.url, KEY), edit(gateway.url, tokens(room)[0])
    assert through.path == plain.path
    assert through.get("tt-api-key") == KEY
    kind, boundary = (request.get("content-type") or "" for request in (plain, through))
    split = [one.rpartition("boundary=")[2].encode() or b"\0" for one in (kind, boundary)]
    assert through.body.replace(split[1], b"") == plain.body.replace(split[0], b"")


@pytest.mark.slow
def test_bytes_go_on_as_they_came(gateway: Running, room: Made, service: Server) -> None:
    """Odd spacing, unknown fields and escapes reach the service untouched, and its answer comes back so."""
    odd = body(extra={"unknown": [1, 2.50, None]}).replace(b'"prompt"', b'\n\t "prompt" ') + b"  \n"
    answer = (
        b' {"created":1,   "data":[{"b64_json":"'
        + base64.b64encode(encoded(Image.new("L", (9, 9))))
        + b'"}]}\r\n'
    )
    service.answer = Reply(body=answer, headers={"X-Request-Id": "r1"})
    found = post(gateway, tokens(room)[0], odd)
    assert service.posts[0].body == odd
    assert found.content == answer
    assert found.headers["x-request-id"] == "r1"
    assert found.headers["ttapi-nb-gateway"] == "idempotency-key"


def test_a_chunked_body_is_passed_on(gateway: Running, room: Made, service: Server) -> None:
    """A body that comes piece by piece reaches the service whole."""
    whole = body()

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(whole), 100):
            yield whole[at : at + 100]

    with plain_client() as client:
        found = client.post(
            f"{gateway.url}/images/edits",
            content=pieces(),
            headers=headers(tokens(room)[0], Content_Type=JSON),
        )
    assert found.status_code == 200
    assert service.posts[0].body == whole


@pytest.mark.slow
def test_the_openai_package_works(gateway: Running, room: Made, service: Server) -> None:
    """With its base_url set to the gateway it edits and generates, and tells a limit from a fault."""
    import openai

    with openai.OpenAI(base_url=gateway.url, api_key=tokens(room)[0]) as client:
        picture = ("a.png", encoded(Image.new("RGB", (64, 64))), "image/png")
        for _ in range(4):
            made = client.images.edit(model="gpt-image-1", image=picture, prompt="a bowl")
        assert made.data is not None
        assert made.data[0].b64_json == ANSWER["data"][0]["b64_json"]
        client.images.generate(model="gpt-image-1", prompt="a bowl")
        with pytest.raises(openai.APIStatusError) as refused:
            client.images.edit(model="gpt-image-1", image=picture, prompt="a bowl")
    assert refused.value.status_code == 402
    assert "Ask your teacher" in str(refused.value)
    assert [request.path for request in service.posts] == ["/v1/images/edits"] * 4 + [
        "/v1/images/generations"
    ]


def test_a_stream_comes_piece_by_piece(gateway: Running, room: Made, service: Server) -> None:
    """The first event of a stream is there before the service has said the last one."""
    last = service.event()
    first_event = (
        b'event: image_edit.partial_image\ndata: {"type":"image_edit.partial_image","b64_json":"aGk="}\n\n'
    )
    second_event = (
        b"event: image_edit.completed\ndata: "
        + json.dumps(
            {
                "type": "image_edit.completed",
                "b64_json": ANSWER["data"][0]["b64_json"],
                "usage": {"total_tokens": 7},
            }
        ).encode()
        + b"\n\n"
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    service.stream = (head + first_event, last, second_event)
    with (
        plain_client() as client,
        client.stream(
            "POST",
            f"{gateway.url}/images/edits",
            content=body(stream=True),
            headers=headers(tokens(room)[0], Content_Type=JSON),
        ) as stream,
    ):
        pieces = stream.iter_raw()
        got = next(pieces)
        assert got == first_event
        last.set()
        got += b"".join(pieces)
    assert got == first_event + second_event
    assert stream.headers["content-type"] == "text/event-stream"
    me = get(gateway, "/v1/me", tokens(room)[0]).json()
    assert me["spent"] == {"runs": 1, "images": 1, "tokens": 7, "cost": 0.0, "unknown": 0}


DRAFT = {"type": "image_edit.partial_image", "b64_json": ANSWER["data"][0]["b64_json"]}


@pytest.mark.slow
def test_a_stream_of_drafts_is_no_result(gateway: Running, room: Made, service: Server) -> None:
    """Drafts alone settle as unknown, and keep what was reserved; with an error they are a refusal."""
    draft = f"data:{json.dumps(DRAFT)}\n\n".encode()
    failed = b'data:{"status":"FAILED","message":"No."}\n\n'
    ada = tokens(room)[0]
    client = tt.Client(ada, base_url=gateway.url, timeout=20)
    for stream, error, unknown in (
        (draft, tt.UnknownOutcomeError, 1),
        (draft + failed, tt.RefusedError, 1),
    ):
        service.answer = Reply(body=stream, mime="text/event-stream")
        run = tt.start_edit(Image.new("RGB", (64, 64)), "x", client=client, log=False, partial_images=1)
        with pytest.raises(error):
            run.wait(20)
        assert len(run.partials) == 1
        spent = get(gateway, "/v1/me", ada).json()["spent"]
        assert (spent["runs"], spent["unknown"]) == (1, unknown)


@pytest.mark.slow
def test_drafts_through_a_gateway(ledger: Ledger, room: Made) -> None:
    """A class that works offline sees drafts, and their tokens are counted."""
    with running(ledger, EmbeddedUpstream()) as gateway:
        client = tt.Client(tokens(room)[0], base_url=gateway.url)
        photo = Image.effect_noise((64, 64), 60).convert("RGB")
        run = tt.edit(photo, "red", client=client, log=False, partial_images=2)
        assert [draft.index for draft in run.partials] == [0, 1]
        assert run.response is not None
        assert run.response.usage is not None
        spent = get(gateway, "/v1/me", tokens(room)[0]).json()["spent"]
        assert (spent["runs"], spent["tokens"]) == (1, run.response.usage.total_tokens)


def test_the_same_key_gets_the_same_answer(gateway: Running, room: Made, service: Server) -> None:
    """Asked again, while it is under way and after, a run is not sent again; with another body it is refused."""
    ada, bob = tokens(room)[:2]
    hold = service.event()
    service.answer = json_reply(ANSWER, hold=hold)
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(post, gateway, ada, body(), "run-1") for _ in range(3)]
        service.wait_for(1)
        hold.set()
        answers = [one.result() for one in asked]
    answers.append(post(gateway, ada, body(), "run-1"))
    answers.append(get(gateway, "/v1/runs/run-1", ada))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert post(gateway, ada, body("another"), "run-1").status_code == 409
    assert get(gateway, "/v1/runs/run-1", bob).status_code == 404
    assert len(service.posts) == 1
    assert get(gateway, "/v1/me", ada).json()["spent"]["runs"] == 1


@pytest.mark.slow
def test_a_run_goes_on_when_its_line_breaks(gateway: Running, room: Made, service: Server) -> None:
    """Whoever lost the line while the service worked gets what was paid for by asking again."""
    hold = service.event()
    service.answer = json_reply(ANSWER, hold=hold)
    ada = tokens(room)[0]
    with plain_client(timeout=0.3) as client, pytest.raises(httpx.TimeoutException):
        client.post(
            f"{gateway.url}/images/edits",
            content=body(),
            headers=headers(ada, Content_Type=JSON, Idempotency_Key="run-1"),
        )
    service.wait_for(1)
    waiting = get(gateway, "/v1/runs/run-1", ada)
    assert (waiting.status_code, waiting.json()["state"]) == (202, "sent")
    hold.set()
    assert post(gateway, ada, body(), "run-1").json() == ANSWER
    assert len(service.posts) == 1


@pytest.mark.dear
@pytest.mark.parametrize(
    ("reply", "status", "state"),
    [
        (json_reply({"error": {"message": "bad", "code": "x"}}, 400), 400, "refused"),
        (json_reply({"status": "FAILED", "message": "banned", "data": None}), 200, "refused"),
        (json_reply({"error": {"message": "oops"}}, 500), 500, "unknown"),
        (Reply(504, b"<html>gateway</html>", mime="text/html"), 504, "unknown"),
        (Reply(drop=True), 502, "unknown"),
        (json_reply(pictures(Image.new("L", (9, 9)), Image.new("L", (9, 9)))), 200, "settled"),
    ],
)
def test_what_the_answer_means_for_the_ledger(
    gateway: Running, room: Made, service: Server, reply: Reply, status: int, state: str
) -> None:
    """A refusal costs nothing, what nobody knows keeps its reservation, and results are counted as they came."""
    service.answer = reply
    found = post(gateway, tokens(room)[0], body(), "run-1")
    assert found.status_code == status
    report = gateway.ledger.report(room.room)
    assert report["states"] == {state: 1}
    assert report["spent"]["runs"] == (0 if state == "refused" else 1)
    assert report["spent"]["unknown"] == (state == "unknown")
    again = post(gateway, tokens(room)[0], body(), "run-1")
    assert again.status_code == status
    assert len(service.posts) == 1


def test_a_service_that_is_not_there(ledger: Ledger, room: Made) -> None:
    """Nothing was sent, the reservation is free again, and the words say so; later the same run may go."""
    with Server() as service:
        port, url = service.port, service.url
    with running(ledger, url) as gateway:
        found = post(gateway, tokens(room)[0], body(), "run-1")
        assert found.status_code == 503
        assert "nothing was sent" in found.json()["error"]["message"]
        assert ledger.report(room.room)["spent"]["runs"] == 0
    assert port


@pytest.mark.slow
def test_people_wait_in_turn_and_are_told(ledger: Ledger, room: Made, service: Server) -> None:
    """With one place at the service, three of Ada's runs let Bob's through after the first."""
    hold = service.event()
    service.answer = json_reply(ANSWER, hold=hold)
    ada, bob, _ = tokens(room)
    with running(ledger, service.url, at_once=1) as gateway, ThreadPoolExecutor(4) as threads:
        asked = []
        for number in range(3):
            asked.append(threads.submit(post, gateway, ada, body(f"a{number}"), f"a{number}"))
            until(lambda number=number: sum(ledger.report(room.room)["states"].values()) == number + 1)
        service.wait_for(1)
        asked.append(threads.submit(post, gateway, bob, body("b"), "b"))
        until(lambda: get(gateway, "/v1/me", bob).json()["ahead"] == 0)
        assert get(gateway, "/v1/me", ada).json()["ahead"] == 1
        hold.set()
        assert [one.result().status_code for one in asked] == [200] * 4
    assert [request.json["prompt"] for request in service.posts] == ["a0", "b", "a1", "a2"]


def until(holds: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


@pytest.mark.slow
def test_a_busy_service_is_left_alone(gateway: Running, room: Made, service: Server) -> None:
    """429 goes to whoever asked, costs nothing, and nobody else sends anything until the service's time is over."""
    service.answer = json_reply({"error": {"message": "slow down"}}, 429, headers={"Retry-After": "1"})
    ada, bob, _ = tokens(room)
    found = post(gateway, ada, body())
    assert (found.status_code, found.headers["retry-after"]) == (429, "1")
    service.answer = json_reply(ANSWER)
    begun = time.monotonic()
    assert post(gateway, bob, body()).status_code == 200
    assert time.monotonic() - begun > 0.7
    assert gateway.ledger.report(room.room)["spent"]["runs"] == 1


def test_the_embedded_service_behind_a_gateway(ledger: Ledger, room: Made) -> None:
    """A class can work offline: results are marked as the embedded service's, and limits hold all the same."""
    with running(ledger, EmbeddedUpstream()) as gateway:
        client = tt.Client(tokens(room)[0], base_url=gateway.url)
        run = tt.edit(
            Image.new("RGB", (256, 256), "teal"), "red", model="dall-e-2", size="256x256", client=client
        )
        assert run.results[0].offline
        assert get(gateway, "/v1/me", tokens(room)[0]).json()["left"] == {"runs": 4}


def test_health_and_metrics(gateway: Running, room: Made) -> None:
    """Both need no token, and neither names a person, a class or a token."""
    post(gateway, tokens(room)[0], body("a secret prompt"))
    assert get(gateway, "/health", "").json() == {"status": "ok"}
    text = get(gateway, "/metrics", "").text
    assert 'ttapi_gateway_runs{state="settled"} 1' in text
    for hidden in (KEY, "person", "bowls", "secret prompt", *tokens(room)):
        assert hidden not in text

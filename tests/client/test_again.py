"""Asking again: at a class's gateway a broken line loses nothing and sends nothing twice."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.server import Reply, Server, html_reply, json_reply, pictures
from tests.support import gateways
from tests.support.gateways import KEY, running
from tests.support.wifi import Cut, Wifi
from ttapi_nb.client import again
from ttapi_nb.gateway.classes import Made
from ttapi_nb.gateway.ledger import Ledger

PHOTO = Image.new("RGB", (64, 64), "navy")
service = gateways.answering_service
ledger = gateways.ledger_in_file
room = gateways.class_of(2, runs=3)


@pytest.fixture(autouse=True)
def asked_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that is away is asked again sooner than it would be."""
    monkeypatch.setattr(again, "FIRST_PAUSE", 0.03)
    monkeypatch.setattr(again, "LONGEST_PAUSE", 0.3)


def edit(url: str, key: str, **more: Any) -> tt.Run:
    """An edit that waits for its result."""
    client = tt.Client(key, base_url=url, timeout=more.pop("timeout", 20))
    return tt.edit(PHOTO, "a bowl", model="gpt-image-1", client=client, **more)


@pytest.mark.slow
@pytest.mark.dear
@pytest.mark.parametrize(
    "cut",
    [("up", 100), ("up", 400), ("down", 1), ("down", 120), ("down", 400)],
    ids=["in its head", "in its body", "at once", "in the answer's head", "in the answer's body"],
)
def test_a_broken_line_loses_nothing(ledger: Ledger, room: Made, service: Server, cut: Any) -> None:
    """Wherever the first line breaks, the run ends with its result, is sent to the service once, and counts once."""
    with (
        running(ledger, service.url) as gateway,
        Wifi(gateway.port, lambda number: cut if not number else None) as wifi,
    ):
        run = edit(wifi.url, room.people[0][1])
        assert wifi.broken == 1
    assert run.status == "done"
    assert run.results[0].raw.size == (64, 64)
    assert len(service.posts) == 1
    assert ledger.report(room.room)["spent"]["runs"] == 1
    (row,) = tt.RunLog().rows()
    assert (row.id, row.state) == (run.id, "done")


@pytest.mark.slow
def test_a_line_that_breaks_again_and_again(ledger: Ledger, room: Made, service: Server) -> None:
    """Every line breaks but the sixth, the questions about oneself too; the run is sent once."""

    def cut(number: int) -> Cut:
        return ("down", 20 * number) if number < 5 else None

    with running(ledger, service.url) as gateway, Wifi(gateway.port, cut) as wifi:
        assert edit(wifi.url, room.people[0][1]).status == "done"
    assert len(service.posts) == 1


def test_a_gateway_that_is_stopped_and_started(ledger: Ledger, room: Made, service: Server) -> None:
    """A run goes on when its gateway comes back on the same port."""
    hold = service.event()
    service.answer = json_reply(pictures(Image.new("RGB", (64, 64))), hold=hold)
    with running(ledger, service.url) as gateway:
        port = gateway.port
        other = edit_in_background(gateway.url, room.people[0][1])
        service.wait_for(1)
        hold.set()
        assert other.wait().status == "done"
    stopped = edit_in_background(gateway.url, room.people[1][1])
    # Known to honour it, but nobody is there: nothing has left, so this one says so.
    with pytest.raises(tt.NotSentError):
        stopped.wait()
    reopened = Ledger()
    with running(reopened, service.url, port):
        assert edit(gateway.url, room.people[1][1]).status == "done"
    reopened.close()
    assert len(service.posts) == 2


def edit_in_background(url: str, key: str) -> tt.Run:
    """An edit that does not wait."""
    client = tt.Client(key, base_url=url, timeout=20)
    return tt.start_edit(PHOTO, "a bowl", model="gpt-image-1", client=client)


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(leave=True), Reply(body=b"{" * 900, cut=400)])
@pytest.mark.parametrize("key", ["plain-key-0123456789", "ttclass-looks-like-one"])
def test_nobody_else_is_asked_again(service: Server, reply: Reply, key: str) -> None:
    """An address that never said that it honours the key gets one POST, and the outcome is unknown, as before."""
    service.answer = reply
    service.routes["/v1/me"] = json_reply({"name": "x"})
    with pytest.raises(tt.UnknownOutcomeError):
        edit(service.url, key, timeout=5)
    assert len(service.posts) == 1
    assert (len(service.requests) == 1) == (not key.startswith("ttclass-"))


@pytest.mark.slow
def test_the_key_is_the_runs_id(service: Server) -> None:
    """Every request carries the id of its run as its key; what is sent anew after a refusal has another one."""
    run = edit(service.url, KEY)
    assert service.posts[0].get("idempotency-key") == run.id
    busy, good = json_reply({"error": {"message": "slow"}}, 429, headers={"Retry-After": "0"}), service.answer
    assert isinstance(good, Reply)
    service.answer = lambda _: busy if len(service.posts) == 2 else good
    client = tt.Client(KEY, base_url=service.url, wait_when_busy=30)
    run = tt.edit(PHOTO, "a bowl", model="gpt-image-1", client=client)
    assert [one.get("idempotency-key") for one in service.posts[1:]] == [run.id, f"{run.id}-2"]


def test_what_a_gateway_refuses_says_what_to_do(ledger: Ledger, room: Made, service: Server) -> None:
    """A limit is told in the teacher's words, and not with where TTAPI's own accounts are."""
    with running(ledger, service.url) as gateway:
        for _ in range(3):
            edit(gateway.url, room.people[0][1])
        with pytest.raises(tt.QuotaError) as refused:
            edit(gateway.url, room.people[0][1])
    assert "Ask your teacher for more." in str(refused.value)
    assert "Dashboard" not in str(refused.value)


def test_a_service_that_the_gateway_cannot_reach_bills_nothing(ledger: Ledger, room: Made) -> None:
    """What the gateway could not send is refused, and not unknown."""
    with Server() as service:
        url = service.url
    with running(ledger, url) as gateway, pytest.raises(tt.RefusedError, match="nothing was sent"):
        edit(gateway.url, room.people[0][1])


def test_a_run_tells_its_place_in_the_queue(
    ledger: Ledger, room: Made, service: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others are served, a run's note says how many are before it, and nothing is left of that at its end."""
    monkeypatch.setattr(again, "LOOK", 0.05)
    hold = service.event()
    service.answer = json_reply(pictures(Image.new("RGB", (64, 64))), hold=hold)
    with running(ledger, service.url, at_once=1) as gateway:
        first = edit_in_background(gateway.url, room.people[0][1])
        service.wait_for(1)
        second = edit_in_background(gateway.url, room.people[1][1])
        told = threading.Event()
        second.on_change(lambda run: told.set() if run.note == "You are next." else None)
        assert told.wait(20)
        hold.set()
        assert first.wait().status == second.wait().status == "done"
    assert "next" not in second.note


WHOLE = json.dumps(pictures(Image.new("RGB", (64, 64), "teal"))).encode()
SIGNED = {"TTAPI-NB-Gateway": "idempotency-key"}
NO_LENGTH = SIGNED | {"Content-Length": ""}


def in_turn(server: Server, *bodies: bytes, headers: Any = SIGNED, mime: str = "application/json") -> None:
    """Answer HTTP 200 with each of these, and then with the last one for ever; nothing on the line says what is cut."""
    server.answer = lambda _: Reply(
        200, bodies[min(len(server.posts), len(bodies)) - 1], headers=headers, mime=mime
    )


@pytest.mark.slow
@pytest.mark.parametrize("headers", [SIGNED, NO_LENGTH], ids=["with a length", "to the line's end"])
@pytest.mark.parametrize(
    "cut",
    [b"", WHOLE[:1], WHOLE[:90], WHOLE[:-1], b"<html>gone"],
    ids=["nothing", "a letter", "in the picture", "but its end", "a page"],
)
def test_a_gateways_answer_that_is_not_whole_is_asked_for_again(
    service: Server, headers: Any, cut: bytes
) -> None:
    """An HTTP 200 whose body looks complete, and is not, ends with what was paid for, under the same key."""
    in_turn(service, cut, WHOLE, headers=headers)
    run = edit(service.url, "plain-key-0123456789")
    assert run.status == "done"
    assert run.results[0].raw.size == (64, 64)
    assert [request.get("idempotency-key") for request in service.posts] == [run.id] * 2


@pytest.mark.slow
def test_an_answer_that_is_cut_elsewhere_each_time(service: Server) -> None:
    """What is asked for again may come cut again, as often as it likes."""
    in_turn(service, *(WHOLE[: 3 * number] for number in range(3)), WHOLE)
    assert edit(service.url, "plain-key-0123456789").status == "done"
    assert len(service.posts) == 4


@pytest.mark.slow
def test_what_a_gateway_says_again_and_again_is_what_was_said(service: Server) -> None:
    """What is no answer at all is not asked for until the time is over; a picture in an odd one is taken."""
    in_turn(service, b"<html>a page</html>", mime="text/html")
    with pytest.raises(tt.UnknownOutcomeError, match="not its JSON"):
        edit(service.url, "plain-key-0123456789", timeout=600)
    assert len(service.posts) == again.ALIKE
    in_turn(service, WHOLE[:-1])
    assert edit(service.url, "plain-key-0123456789", timeout=600).status == "done"
    assert len(service.posts) == 2 * again.ALIKE


@pytest.mark.parametrize("mime", ["application/json", "text/event-stream"])
def test_a_whole_answer_is_asked_for_once(service: Server, mime: str) -> None:
    """JSON, and a stream's events, are whole as they are."""
    in_turn(service, WHOLE if "json" in mime else b"data: " + WHOLE + b"\n\n", mime=mime)
    assert edit(service.url, "plain-key-0123456789").status == "done"
    assert len(service.posts) == 1


@pytest.mark.parametrize("key", ["plain-key-0123456789", "ttclass-looks-like-one"])
def test_nobody_else_is_asked_for_the_rest(service: Server, key: str) -> None:
    """An address that honours no key is asked once, whatever it answers."""
    service.routes["/v1/me"] = json_reply({"name": "x"})
    in_turn(service, WHOLE[:40], headers={})
    with pytest.raises(tt.UnknownOutcomeError):
        edit(service.url, key)
    assert len(service.posts) == 1


ANOTHER = json_reply({"name": "x"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "me"),
    [
        (Reply(drop=True), html_reply(503)),
        (html_reply(503), ANOTHER),
        (Reply(body=b"{" * 900, cut=400), ANOTHER),
        (html_reply(504), Reply(drop=True)),
    ],
    ids=["gone", "a page", "cut", "late"],
)
def test_another_service_where_a_gateway_was(service: Server, reply: Reply, me: Reply) -> None:
    """It would bill what is asked again, so it is not, before a gateway has spoken there once more."""
    again._honouring.add(again._origin(service.url))
    service.answer = reply
    service.routes["/v1/me"] = me
    with pytest.raises(tt.UnknownOutcomeError):
        edit(service.url, "plain-key-0123456789", timeout=1)
    assert len(service.posts) == 1
    assert len(service.requests) > 1


@pytest.mark.slow
def test_a_gateway_that_comes_back_where_another_spoke_for_it(service: Server) -> None:
    """What stands before a gateway is not asked for the run; the gateway is, once it is back."""
    in_turn(service, WHOLE)
    good = service.answer
    service.answer = lambda asked: good(asked) if len(service.requests) > 3 else html_reply(503)  # type: ignore[operator]
    again._honouring.add(again._origin(service.url))
    run = edit(service.url, "plain-key-0123456789")
    assert run.status == "done"
    assert [request.get("idempotency-key") for request in service.posts] == [run.id] * 2
    assert [request.method for request in service.requests] == ["POST", "GET", "GET", "GET", "POST"]

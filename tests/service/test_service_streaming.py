"""The embedded service streams as the hosted one is said to: drafts, results, and an end, over a socket too."""

from __future__ import annotations

import base64
import http.client
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

import ttapi_nb as tt
from tests.service.test_service_serve import as_file, running
from ttapi_nb.service import Service
from ttapi_nb.service.serve import LocalServer

MODEL = "gpt-image-1"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A service with OpenAI's way of writing."""
    yield from running(Service(envelope="openai", require_key=True))


def noise(side: int = 64) -> Image.Image:
    """A picture with grain."""
    return Image.effect_noise((side, side), 60).convert("RGB")


def asked(**fields: Any) -> bytes:
    """The body of an edit that asks for a stream."""
    out = io.BytesIO()
    noise().save(out, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    return json.dumps(
        {"prompt": "a red cat", "image": [url], "model": MODEL, "stream": True} | fields
    ).encode()


def said(service: Service, body: bytes, **headers: str) -> list[bytes]:
    """The pieces of what it answers."""
    url = "http://a.example/v1/images/edits"
    answer = service.handle("POST", url, {"Content-Type": "application/json"} | headers, body)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.pieces is not None
    return list(answer.pieces)


@pytest.mark.slow
@pytest.mark.dear
@pytest.mark.parametrize(("partials", "n"), [(None, 1), ("2", 2)])
def test_drafts_and_then_the_result(partials: Any, n: int) -> None:
    """As many drafts as were asked for, each counted as 100 tokens, and the result that a plain request gets."""
    service = Service(envelope="openai")
    body = asked(n=n, partial_images=partials) if partials is not None else asked(n=n)
    pieces = [piece.decode() for piece in said(service, body)]
    values = [json.loads(piece.partition("\ndata: ")[2]) for piece in pieces]
    count = int(partials or 0)
    kinds = ["image_edit.partial_image"] * n * count + ["image_edit.completed"] * n
    assert [value["type"] for value in values] == kinds
    assert [piece.split("\n")[0] for piece in pieces] == [f"event: {kind}" for kind in kinds]
    assert [value["partial_image_index"] for value in values[:-n]] == [at // n for at in range(n * count)]
    assert all(value["size"] == "1024x1024" and value["output_format"] == "png" for value in values)
    plain = json.loads(
        service.handle("POST", "http://a.example/v1/images/edits", JSON, without_stream(body)).body
    )
    assert [value["b64_json"] for value in values[-n:]] == [item["b64_json"] for item in plain["data"]]
    for name in ("total_tokens", "output_tokens"):
        assert sum(value["usage"][name] for value in values[-n:]) == plain["usage"][name] + 100 * n * count


JSON = {"Content-Type": "application/json"}


def without_stream(body: bytes) -> bytes:
    """The same edit, asked for as a plain one."""
    fields = json.loads(body)
    return json.dumps(
        {name: fields[name] for name in fields if name not in ("stream", "partial_images")}
    ).encode()


def test_as_ttapi_writes_them() -> None:
    """Without a Bearer token a stream has TTAPI's lines and end."""
    pieces = said(Service(), asked(partial_images=1))
    assert all(piece.startswith(b'id:null\nretry:3000\ndata:{"type"') for piece in pieces[:-1])
    assert pieces[-1] == b"data:[DONE]\n\n"


def test_what_fails_at_once_is_refused_and_later_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault before the first event has a status; one behind it is an event, and our client says that nobody knows."""

    def fails(*given: Any) -> Image.Image:
        raise ZeroDivisionError

    answer = Service(fill=fails).handle(
        "POST", "http://a.example/v1/images/edits", JSON, asked(partial_images=2)
    )
    assert (answer.status, answer.pieces) == (500, None)
    service = Service(envelope="openai")
    monkeypatch.setattr(service, "_results", fails)
    assert b'"type": "server_error"' in said(service, asked(partial_images=1))[-1]
    client = tt.Client.offline(service=service)
    with pytest.raises(tt.UnknownOutcomeError, match="only drafts"):
        tt.edit(noise(), "x", client=client, log=False, partial_images=1)


@pytest.mark.slow
def test_the_openai_package_gets_a_stream(server: LocalServer) -> None:
    """OpenAI's own client reads the events one by one."""
    import openai

    with openai.OpenAI(api_key="any", base_url=server.url, max_retries=0) as client:
        stream = client.images.edit(
            model=MODEL, image=as_file(noise()), prompt="x", stream=True, partial_images=1
        )
        events = list(stream)
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]


def test_over_a_socket(server: LocalServer) -> None:
    """Our client gets the drafts of a service on a port."""
    client = tt.Client("any-key-1234", base_url=server.url)
    seen: list[tt.Partial] = []
    tt.edit(noise(), "x", client=client, log=False, partial_images=1, on_partial=seen.append)
    assert len(seen) == 1


@pytest.mark.slow
def test_whoever_hangs_up_leaves_nothing_behind(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose client is gone ends, and the service answers the next."""
    line = http.client.HTTPConnection("127.0.0.1", server.server_port)
    line.request("POST", "/v1/images/edits", asked(partial_images=2), JSON | {"TT-API-KEY": "any"})
    line.getresponse().read(100)
    line.close()
    tt.edit(noise(), "x", client=tt.Client("any-key-1234", base_url=server.url), log=False)
    go, service = threading.Event(), Service()
    finish = service._results
    monkeypatch.setattr(service, "_results", lambda *given: (go.wait(60), finish(*given))[1])
    client = tt.Client.offline(service=service)
    run = tt.start_edit(noise(), "x", client=client, log=False, partial_images=1)
    run.on_change(lambda one: one.cancel() if one.partials else None)
    with pytest.raises(tt.RunCancelledError):
        run.wait(60)
    go.set()

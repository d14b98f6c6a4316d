"""A stream of events means the same however it is written and wherever it is cut, and a draft is never a result."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.answers import picture
from tests.support.properties import examples
from ttapi_nb.coding import TooLargeError
from ttapi_nb.errors import RefusedError, UnknownOutcomeError
from ttapi_nb.loop import call
from ttapi_nb.reply import events
from ttapi_nb.reply.arriving import AnswerReader
from ttapi_nb.reply.meaning import interpret
from ttapi_nb.reply.responses import ImagesResponse, read_response

SMALL, OTHER, LONG = picture(1), picture(2), bytes(range(256)) * 40


def event(kind: str, data: bytes, **more: Any) -> dict[str, Any]:
    """What an event says that brings a picture."""
    return {"type": kind, "b64_json": base64.b64encode(data).decode()} | more


DRAFT = event("image_edit.partial_image", OTHER, partial_image_index=0)
DONE = event("image_edit.completed", SMALL, created_at=7, usage={"total_tokens": 30, "output_tokens": 20})


def openai(*values: dict[str, Any]) -> bytes:
    """A stream as OpenAI writes it."""
    return b"".join(
        f"event: {value.get('type', 'message')}\ndata: {json.dumps(value)}\n\n".encode() for value in values
    )


def ttapi(*values: dict[str, Any]) -> bytes:
    """A stream as TTAPI writes them."""
    return (
        b"".join(f"retry:3000\nid:null\ndata:{json.dumps(value)}\n\n".encode() for value in values)
        + b"data:[DONE]\n\n"
    )


def untyped(*values: dict[str, Any]) -> bytes:
    """One that says what an event is beside it alone."""
    parts = [
        f"event: {value['type']}\ndata: {json.dumps(dict(list(value.items())[1:]))}\n\n" for value in values
    ]
    return "".join(parts).encode()


def many_lines(*values: dict[str, Any]) -> bytes:
    """One whose values are written on many lines, pictures too."""
    out = b""
    for value in values:
        text = json.dumps(value, indent=1)
        at = text.index('"b64_json": "') + 40
        lines = (text[:at] + "\n" + text[at:]).split("\n")
        out += b"".join(f"data: {line}\n".encode() for line in lines) + b"\n"
    return out


def nested(*values: dict[str, Any]) -> bytes:
    """One whose pictures lie deeper."""
    return openai(*({"type": value["type"], "data": {"item": value}} for value in values))


def enveloped(*values: dict[str, Any]) -> bytes:
    """One whose values are in TTAPI's envelope."""
    return ttapi(*({"status": "SUCCESS", "message": "ok", "data": value} for value in values))


STREAMS = {
    "OpenAI": openai,
    "TTAPI": ttapi,
    "no type in it": untyped,
    "many lines": many_lines,
    "deeper": nested,
    "in an envelope": enveloped,
    "two names": lambda *values: openai(*values).replace(b"event: ", b"event: image_edit.completed\nevent: "),
    "CRLF": lambda *values: openai(*values).replace(b"\n", b"\r\n"),
    "CR": lambda *values: openai(*values).replace(b"\n", b"\r"),
    "a mark and comments": lambda *values: (
        b'\xef\xbb\xbf: "hello\n\n'
        + openai(*values).replace(b"\n\n", b"\n\n: ping\n\n:\n\nevent: ping\ndata: {}\n\n")
    ),
    "no blank line at its end": lambda *values: openai(*values).rstrip(b"\n"),
    "no line at its start": lambda *values: b"\n\n" + ttapi(*values),
}


def read(
    body: bytes, size: int = 0, status: int = 200
) -> tuple[ImagesResponse, list[tuple[bytes, int | None]]]:
    """What a stream means that comes in pieces of so many bytes, and its drafts as they were told."""
    told: list[tuple[bytes, int | None]] = []
    reader = AnswerReader(lambda data, index: told.append((data, index)))
    for at in range(0, len(body), size or max(1, len(body))):
        reader.feed(body[at : at + (size or len(body))])
    reader.end()
    plain = interpret(status, reader.parsed(str))
    return call(read_response(plain, offline=False, fetch=_no)), told


async def _no(url: str) -> bytes:
    raise AssertionError(url)


@pytest.mark.parametrize("written", STREAMS)
@pytest.mark.parametrize("size", [0, 1, 7])
def test_each_way_to_write_it(written: str, size: int) -> None:
    """Drafts are told, in order, and the result is what was completed, with its usage and time."""
    response, told = read(STREAMS[written](DRAFT, event("image_edit.partial_image", LONG), DONE), size)
    assert [data for data, _ in told] == [OTHER, LONG]
    assert [item.data for item in response.data] == [SMALL]
    assert response.usage is not None
    if written != "deeper":
        assert (response.usage.total_tokens, response.usage.output_tokens, response.created) == (30, 20, 7)


@examples(25)
@given(st.sampled_from(sorted(STREAMS)), st.integers(1, 400))
def test_whatever_its_pieces(written: str, size: int) -> None:
    """It means the same however it is cut into pieces."""
    body = STREAMS[written](DRAFT, DONE)
    assert read(body, size) == read(body)


@pytest.mark.dear
@pytest.mark.parametrize("written", STREAMS)
def test_cut_at_every_byte(written: str) -> None:
    """No draft is ever the result, and what was completed is never lost, wherever the stream ends."""
    body = STREAMS[written](DRAFT, DONE)
    end = base64.b64encode(SMALL)[-8:] + b'"'
    whole = body.rindex(end) + len(end)
    step = 1 if written in ("OpenAI", "TTAPI", "no type in it") else 7
    for cut in range(0, len(body) + 1, step):
        try:
            response, told = read(body[:cut])
        except UnknownOutcomeError:
            # Without the last word of its type nothing says that it is complete.
            assert cut < whole + 60, cut
            continue
        assert cut >= whole - 1, cut
        assert [item.data for item in response.data] == [SMALL], cut
        assert [data for data, _ in told] == [OTHER]
    assert read(body)[0].data[0].data == SMALL


def test_a_draft_that_is_the_result_too() -> None:
    """Where the last draft and the result are one picture, it is a result."""
    response, _ = read(openai(event("image_edit.partial_image", SMALL), DONE))
    assert [item.data for item in response.data] == [SMALL]


def test_several_results() -> None:
    """Each event that completes one is one, and their tokens are added up."""
    response, told = read(
        openai(DRAFT, DONE, DRAFT, event("image_edit.completed", OTHER, usage={"total_tokens": 5}))
    )
    assert [item.data for item in response.data] == [SMALL, OTHER]
    assert len(told) == 2
    assert response.usage is not None
    assert response.usage.total_tokens == 35


@pytest.mark.parametrize(
    "ending",
    [
        b'event: error\ndata: {"type": "error", "error": {"message": "Not this.", "code": "moderation_blocked"}}\n\n',
        b'data:{"status":"FAILED","message":"Not this.","data":null}\n\n',
        b'data: {"error": "Not this."}\n\n',
        b'event: error\ndata: {"message": "Not this."}\n\n',
        b"event: error\ndata: Not this.\n\n",
        b'data: {"type": "image_edit.failed", "message": "Not this."}\n\n',
        b'{"error": {"message": "Not this."}}',
    ],
)
def test_an_error_is_a_refusal(ending: bytes) -> None:
    """An error within a stream is the refusal that it would be alone, whatever drafts came before it."""
    for before in (b"", openai(DRAFT)):
        with pytest.raises(RefusedError, match=r"Not this\. Nothing was billed"):
            read(
                before + ending + b"data:[DONE]\n\n"
                if ending.endswith(b"\n\n")
                else b": x\n\n" + before + ending
            )


@pytest.mark.parametrize(
    "error", [{"type": "server_error", "message": "Oh."}, {"code": 502, "message": "Oh."}]
)
def test_a_fault_of_the_service_is_no_refusal(error: dict[str, Any]) -> None:
    """Where the service broke on its way nobody knows what was billed, and with a picture it is an answer."""
    with pytest.raises(UnknownOutcomeError, match=r"only drafts of it came\. It said: Oh\."):
        read(openai(DRAFT, {"type": "error", "error": error}))
    response, _ = read(openai(DRAFT, DONE, {"type": "error", "error": error}))
    assert [item.data for item in response.data] == [SMALL]
    assert "Oh." in response.note


def test_what_is_no_stream() -> None:
    """A plain answer to who asked for a stream is read as ever, and drafts that are damaged are passed over."""
    plain = json.dumps({"data": [{"b64_json": DONE["b64_json"]}]}).encode()
    assert read(plain, 3)[0].data[0].data == SMALL
    response, told = read(openai(DRAFT | {"b64_json": "%%%"}, DRAFT | {"b64_json": 7}, DONE))
    assert ([item.data for item in response.data], told) == ([SMALL], [])
    for nothing in (b"", b"data", b"data: [DONE]\n\n", b": only\n", b"data: {\n\n"):
        with pytest.raises(UnknownOutcomeError):
            read(nothing)


def test_a_text_without_an_end_takes_no_other_event() -> None:
    """A picture whose text is not ended in its own event leaves the next event what it is."""
    broken = b'data: {"type": "image_edit.partial_image", "b64_json": "' + base64.b64encode(LONG) + b"\n\n"
    response, told = read(broken + openai(DONE), 100)
    assert ([item.data for item in response.data], told) == ([SMALL], [])


def test_far_too_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile stream is not read for ever, and what came before that stays."""
    monkeypatch.setattr(events, "MOST_EVENTS", 1000)
    reader = AnswerReader()
    with pytest.raises(TooLargeError, match="more events"):
        reader.feed(openai(DONE) + b"data:7\n\n" * 1000)
    reader.end()
    assert [item["b64_json"] for item in interpret(200, reader.parsed(str))["data"]] == [DONE["b64_json"]]


@pytest.mark.parametrize(
    "idle", [b'{"type":"ping"}', b"7", b'"keep-alive"', b"[[],{}]", b'{"data":{"at":[1,2,3]}}']
)
def test_what_keeps_a_line_alive(idle: bytes) -> None:
    """Events that say nothing are neither kept nor counted against the result, however many come."""
    reader = AnswerReader()
    for body in (b"data:" + idle + b"\n\n",) * 3_000 + (openai(DRAFT, DONE),):
        reader.feed(body)
    reader.end()
    assert reader.size < 2000
    assert len(interpret(200, reader.parsed(str))["data"]) == 1


def test_an_event_within_a_text() -> None:
    """What a gateway wrote as a text in its own event is no less a result."""
    response, _ = read(openai(DRAFT) + b"data: " + json.dumps(json.dumps(DONE)).encode() + b"\n\n")
    assert [item.data for item in response.data] == [SMALL]
    response, _ = read(b"data: " + json.dumps(DONE["b64_json"]).encode() + b"\n\n")
    assert [item.data for item in response.data] == [SMALL]


def test_too_many_marks() -> None:
    """What is no JSON, and is full of brackets, costs no result."""
    assert [item.data for item in read(openai(DONE) + (b"data:" + b"{" * 50_000 + b"\n\n") * 5)[0].data] == [
        SMALL
    ]


@pytest.mark.parametrize("place", [0, 1], ids=["object", "list"])
def test_drafts_in_the_envelope(place: int) -> None:
    """A draft in TTAPI's envelope is told as it comes, and is no result."""
    wrapped = [{"status": "SUCCESS", "data": [one] if place else one} for one in (DRAFT, DONE)]
    response, told = read(openai(*wrapped))
    assert ([data for data, _ in told], [item.data for item in response.data]) == ([OTHER], [SMALL])
    with pytest.raises(UnknownOutcomeError, match="only drafts"):
        read(openai(wrapped[0]))
    with pytest.raises(RefusedError):
        read(openai({"status": "FAILED", "message": "Not this.", "data": DRAFT}))


@pytest.mark.parametrize(
    "words", ["upstream connect error", "Internal error", "The request timed out", "HTTP 504"]
)
def test_a_fault_in_words_alone(words: str) -> None:
    """Once drafts came, an error that blames nothing of the request is no refusal, though no code says so."""
    with pytest.raises(UnknownOutcomeError, match="only drafts"):
        read(openai(DRAFT, {"error": {"message": words}}))
    with pytest.raises(RefusedError, match="Nothing was billed"):
        read(openai({"error": {"message": words}}))

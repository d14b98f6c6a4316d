"""Paid pictures are read in whatever envelope, base64 and status they come, and no junk is taken for one."""

from __future__ import annotations

import base64
import json
import logging
import pickle
from typing import Any

import pytest
from PIL import Image

from tests.answers import (
    BODIES,
    ENVELOPES,
    ERRORS,
    FORMATS,
    ITEMS,
    STATUSES,
    WRITTEN,
    Answer,
    answer,
    picture,
)
from tests.server import encoded
from tests.trust.answers import came, outcomes, read
from ttapi_nb import ImagesResponse, RefusedError, ResultError, UnknownOutcomeError, loop
from ttapi_nb.client.key import Secret
from ttapi_nb.errors import DownloadError
from ttapi_nb.reply.addresses import shown
from ttapi_nb.reply.meaning import interpret, parse
from ttapi_nb.reply.responses import counted, read_response

TEXT = base64.b64encode(picture(1)).decode()


async def _no(url: str) -> bytes:
    return url.encode()


def understood(value: Any, status: int = 200, most: int = 200) -> ImagesResponse:
    """What a reply means whose body is `value`, as JSON or as it is; an address gives itself as bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return loop.call(read_response(interpret(status, parse(body, str)), offline=False, fetch=_no, most=most))


def _whole(made: Answer) -> None:
    response = read(made, 1000)
    assert came(made, response), made.how


@pytest.mark.parametrize("name", ["data", "output", "message"])
def test_a_result_that_is_a_text(name: str) -> None:
    """A result that a gateway wrote as a text into its own answer is found, alone as in a list."""
    for value in ({"b64_json": TEXT}, [{"b64_json": TEXT}]):
        response = understood({"status": "SUCCESS", name: json.dumps(value)})
        assert [item.data for item in response.data] == [picture(1)]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("status", [200, 203, 422, 502])
def test_each_envelope(envelope: str, status: int) -> None:
    """Pictures are found in any envelope, with any status, in order."""
    _whole(answer(envelope=envelope, status=status, seeds=(1, 2)))
    _whole(answer(envelope=envelope, status=status, error="a message"))


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("kind", FORMATS)
def test_each_way_to_write_a_result(item: str, kind: str) -> None:
    """A picture is one under any name, in the plain form and elsewhere."""
    _whole(answer(item=item, kind=kind))
    _whole(answer(item=item, kind=kind, envelope="code", status=201, seeds=(1, 2)))


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("side", [12, 48])
def test_each_base64(written: str, side: int) -> None:
    """Base64 is read as services write it, decoded as it arrives or at its end."""
    for item in ("b64_json", "url", "text"):
        _whole(answer(item=item, written=written, side=side))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("side", [12, 48])
def test_each_body(body: str, side: int) -> None:
    """Marks, texts, lines and events around the JSON cost no picture."""
    _whole(answer(body=body, side=side, seeds=(1, 2)))
    _whole(answer(body=body, side=side, status=400, envelope="images"))


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("status", STATUSES)
def test_never_refused_where_pictures_came(error: str, status: int) -> None:
    """With any status and any words, a reply with a picture is an answer, and what speaks of an error is said."""
    made = answer(error=error, status=status)
    response = read(made, 1000)
    assert came(made, response)
    spoken = error in ("a message", "a text", "failed")
    assert ("together with" in response.note) == (spoken or status >= 300)
    if error == "a message":
        assert "One of them was filtered" in response.note


@pytest.mark.parametrize(
    "error", ["an empty object", "null", "an empty text", "a word for none", "false", "a list"]
)
def test_an_error_that_says_nothing_refuses_nothing(error: str) -> None:
    """Without a picture, HTTP 200 and an error that says nothing, it is not known what was done."""
    with pytest.raises(UnknownOutcomeError):
        interpret(200, parse(json.dumps({"data": [], **ERRORS[error]}).encode(), str))


@pytest.mark.parametrize(
    "value",
    [
        {"error": {"message": "no", "url": "https://example.com/docs"}},
        {"error": "no", "url": "https://example.com/help"},
        {"error": "no", "request": {"images": [{"image_url": f"data:image/png;base64,{TEXT}"}]}},
        {"error": "no", "data": [{"b64_json": "none"}]},
        {"error": "no", "data": [], "id": "iVBOR", "token": base64.b64encode(bytes(300)).decode()},
        {"status": "FAILED", "message": f"Invalid image: data:image/png;base64,{TEXT}"},
        {"status": "FAILED", "error": {}},
    ],
)
def test_no_picture_is_no_picture(value: dict[str, Any]) -> None:
    """Addresses of help, what was asked quoted, and words that look like base64 leave a refusal what it is."""
    for status in (200, 400):
        with pytest.raises(RefusedError):
            understood(value, status)


def test_a_page_with_a_logo_is_no_answer() -> None:
    """A gateway's page that shows a picture is refused or unknown by its status as ever."""
    logo = f"data:image/png;base64,{TEXT}"
    page = f'<html><script>x={{"logo": "{logo}"}}</script><img src="{logo}">'
    with pytest.raises(RefusedError):
        understood(page.encode(), 403)
    with pytest.raises(UnknownOutcomeError):
        understood(page.encode(), 200)


@pytest.mark.parametrize(
    "value",
    [
        {"data": ["https://a.example/1.png"]},
        {"output": "https://a.example/1.png"},
        {"images": [{"image_url": {"url": "https://a.example/1.png"}}]},
        {"code": 0, "data": {"image_url": "https://a.example/1.png"}},
        {"url": "https://a.example/1.png"},
        {"error": "slow", "data": [{"url": "https://a.example/1.png"}]},
    ],
)
def test_addresses(value: dict[str, Any]) -> None:
    """A result's address is found as its picture would be, once."""
    assert [item.url for item in understood(value, 201).data] == ["https://a.example/1.png"]


def test_a_stream_of_events() -> None:
    """Of a stream each finished picture counts, once; unfinished ones never do."""
    early = {"type": "image_edit.partial_image", "b64_json": base64.b64encode(picture(7)).decode()}
    done = [
        {
            "type": "image_edit.completed",
            "b64_json": base64.b64encode(picture(at)).decode(),
            "usage": {"total_tokens": 5},
        }
        for at in (1, 2)
    ]

    def stream(*events: dict[str, Any]) -> bytes:
        return b"".join(b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n" for event in events)

    response = understood(stream(early, *done, {"type": "end"}))
    assert [item.data for item in response.data] == [picture(1), picture(2)]
    assert response.usage is not None
    assert response.usage.total_tokens == 10
    with pytest.raises(RefusedError, match="it broke"):
        understood(stream(early, {"error": {"message": "it broke"}}))
    with pytest.raises(UnknownOutcomeError, match="only drafts"):
        understood(stream(early, early))


def test_twice_in_two_places_is_one_result() -> None:
    """What a reply says again elsewhere is one result; two equal ones in a list are two."""
    item = {"b64_json": TEXT}
    assert len(understood({"images": [item], "output": [item]}).data) == 1
    assert len(understood({"images": [item, item]}).data) == 2


@pytest.mark.dear
@pytest.mark.parametrize("junk", [0, {}, "x", {"b64_json": 7}, []])
def test_no_more_results_than_there_is_room_for(junk: Any) -> None:
    """Of a hundred thousand items so many are read, pictures first, and a short note says how many came."""
    count = 40_000
    response = understood({"data": [*count * [junk], {"b64_json": TEXT}]}, most=10)
    assert len(response.data) == 10
    assert response.data[-1].data == picture(1)
    assert f"{count + 1:,}" in response.note
    assert len(counted(response, 1).note) < 200


@pytest.mark.parametrize("deep", [b'{"a":' * 50_000, b"[" * 100_000, b"x" + b'{"a":[' * 30_000])
def test_deep_replies_cost_an_error_of_ours(deep: bytes) -> None:
    """A reply of any depth is not understood, and that is all."""
    with pytest.raises(UnknownOutcomeError):
        understood(deep)


def test_a_picture_of_too_many_pixels_keeps_its_bytes() -> None:
    """A picture bomb says how large it is before it is opened, and its bytes are kept."""
    bomb = encoded(Image.new("1", (8000, 8000)))
    (item,) = understood({"data": [{"b64_json": base64.b64encode(bomb).decode()}]}).data
    assert item.data == bomb
    with pytest.raises(ResultError, match=r"more than 33 million pixels.*pixel_cap"):
        _ = item.image


@pytest.mark.parametrize("key", ["x", "test", "a.1", "sk-long-0123456789"])
def test_an_address_is_used_as_it_is_and_shown_without_the_key(key: str) -> None:
    """Whatever key stands in a result's address, it is asked for unchanged; a long key is in nothing that shows it."""
    address = f"https://test.example/a.1?x={key}&y=3"
    scrub = Secret(key).scrub
    for value in ({"data": [{"url": address}]}, {"images": [address]}, {"image_url": {"url": address}}):
        parsed = parse(json.dumps(value).encode(), scrub)
        (item,) = loop.call(read_response(interpret(200, parsed), offline=False, fetch=_no)).data
        assert item.url == address
        assert item.data == address.encode()
        hidden = [
            repr(item.url),
            repr(parsed),
            shown(item.url or ""),
            repr(pickle.loads(pickle.dumps(item.url))),
        ]
        assert all((key in text) == (len(key) < 8) for text in hidden)


@pytest.mark.parametrize("key", ["sk-long-0123456789"])
def test_a_problem_in_fetching_shows_no_key(key: str, caplog: pytest.LogCaptureFixture) -> None:
    """What went wrong with such an address, and what httpx logs of it, are told without the key."""

    async def fails(url: str) -> bytes:
        logging.getLogger("httpx").info("GET %s", url)
        raise DownloadError(f"{url} could not be fetched.")

    parsed = parse(json.dumps({"data": [{"url": f"https://a.example/{key}"}]}).encode(), Secret(key).scrub)
    # The client has one of its own there, where it is loaded.
    before = list(logging.getLogger("httpx").filters)
    with caplog.at_level(logging.INFO, "httpx"):
        (item,) = loop.call(read_response(interpret(200, parsed), offline=False, fetch=fails)).data
    assert "https://a.example/[key]" in item.problem
    assert "https://a.example/[key]" in caplog.text
    assert key not in item.problem + caplog.text + repr(item)
    assert logging.getLogger("httpx").filters == before


@pytest.mark.slow
def test_sixty_mutated_answers() -> None:
    """Answers drawn from all the tables at once, some over a socket, lose no picture and are never called refused."""
    found, lost = outcomes(60, 3, each=12)
    assert lost == []
    assert found["read"] >= 60

"""Every kind of reply there is, known or not: it gives a picture, or an error that says what to do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.server import Reply, Server, html_reply, json_reply, pictures
from ttapi_nb import (
    AuthenticationError,
    Client,
    QuotaError,
    RateLimitError,
    RefusedError,
    ResultError,
    TTAPIError,
    UnknownOutcomeError,
)
from ttapi_nb.client.core import Core
from ttapi_nb.reply.meaning import Asked, interpret, parse

PLAIN = pictures(Image.new("RGB", (64, 64), "teal"))
REFUSALS = [
    (400, RefusedError, "Change what it names"),
    (401, AuthenticationError, "TT_API_KEY.*email"),
    (402, QuotaError, "quota is used up"),
    (403, AuthenticationError, "account"),
    (404, RefusedError, "base_url"),
    (408, RefusedError, "too slowly"),
    (413, RefusedError, "smaller picture"),
    (429, RateLimitError, "wait a minute"),
    (499, RateLimitError, "queue is full"),
]
UNCLEAR = [500, 502, 503, 504, 524]


@pytest.fixture
def core(server: Server) -> Core:
    """The heart of a client of the test's server."""
    return Client("test-key-0123456789", base_url=server.url).core


@pytest.fixture
def client(server: Server) -> Client:
    """A client of the test's server."""
    return Client("test-key-0123456789", base_url=server.url)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        {"status": "SUCCESS", "message": "ok", "data": PLAIN},
        {"status": "SUCCESS", "data": PLAIN["data"], "usage": PLAIN["usage"], "created": PLAIN["created"]},
        PLAIN | {"error": None, "size": "64x64", "some_new_field": {"x": 1}},
    ],
    ids=["plain", "envelope", "envelope with a list", "newer fields"],
)
def test_success(server: Server, client: Client, photo: Image.Image, content: dict[str, Any]) -> None:
    """A reply gives its pictures, time and usage, whichever envelope it came in."""
    server.answer = json_reply(content)

    response = client.images.edit(image=photo, prompt="x")

    assert response.images[0].getpixel((5, 5)) == (0, 128, 128)
    assert response.created == PLAIN["created"]
    assert response.usage is not None
    assert (response.usage.total_tokens, response.usage.input_tokens, response.usage.output_tokens) == (
        30,
        10,
        20,
    )
    assert (response.usage.text_tokens, response.usage.image_tokens) == (4, 6)
    assert not response.offline


@pytest.mark.parametrize("missing", ["created", "usage"])
def test_forgiving(server: Server, client: Client, photo: Image.Image, missing: str) -> None:
    """What a gateway leaves out of a paid reply is None, and the picture is there."""
    server.answer = json_reply({name: value for name, value in PLAIN.items() if name != missing})
    response = client.images.edit(image=photo, prompt="x")
    assert getattr(response, missing) is None
    assert len(response.images) == 1


@pytest.mark.parametrize("data", [[], None, {}, "x", 7, PLAIN["data"]])
def test_bare_envelope_list(data: Any) -> None:
    """Of an envelope only a list of results counts as an answer; else it is not known what was done."""
    reply = parse(json.dumps({"status": "SUCCESS", "data": data}).encode(), str)
    if data == PLAIN["data"]:
        assert interpret(200, reply)["data"] == data
    else:
        with pytest.raises(UnknownOutcomeError, match=r"without a picture.*Dashboard"):
            interpret(200, reply)


@pytest.mark.parametrize(("status", "kind", "step"), REFUSALS)
@pytest.mark.parametrize("envelope", ["ttapi", "openai", "html", "empty"])
def test_refusal(
    server: Server,
    client: Client,
    photo: Image.Image,
    status: int,
    kind: type[RefusedError],
    step: str,
    envelope: str,
) -> None:
    """Each 4xx code is an error of its own class that says what to do next, and quotes the service."""
    server.answer = {
        "ttapi": json_reply({"status": "FAILED", "message": "because of reasons", "data": None}, status),
        "openai": json_reply(
            {"error": {"message": "because of reasons", "code": "c1", "param": "p1"}}, status
        ),
        "html": html_reply(status),
        "empty": Reply(status),
    }[envelope]

    with pytest.raises(kind, match=f"(?s){step}") as caught:
        client.images.edit(image=photo, prompt="x")

    error = caught.value
    assert type(error) is kind
    assert error.status == status
    assert ("because of reasons" in str(error)) == (envelope in ("ttapi", "openai"))
    assert error.service_message == ("because of reasons" if envelope in ("ttapi", "openai") else "")
    assert (error.code, error.param) == (("c1", "p1") if envelope == "openai" else (None, None))
    assert "<" not in str(error)
    # Money first, and no other service's pages.
    assert "Nothing was billed." in str(error)
    assert "TTAPI" not in str(error)


@pytest.mark.parametrize("status", [401, 402, 403])
def test_whose_pages_are_named(status: int) -> None:
    """Who asks TTAPI is sent to its Dashboard, who asks a gateway to the account there."""
    with pytest.raises(RefusedError, match="in the TTAPI Dashboard"):
        interpret(status, None)
    with pytest.raises(RefusedError, match=r"in the account at gateway\.example") as caught:
        interpret(status, None, Asked("the account at gateway.example"))
    assert "TTAPI" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("20", "wait 20 seconds, as it asks,"),
        ("1", "wait 1 second, as it asks,"),
        ("0", "wait 1 second, as it asks,"),
        ("600", "wait 10 minutes, as it asks,"),
        ("9" * 400, "wait more than a day, as it asks,"),
        ("soon", "wait a minute and run again"),
        ("", "wait a minute and run again"),
    ],
)
@pytest.mark.parametrize("status", [429, 499])
def test_how_long_it_asks_to_be_left_alone(
    server: Server, client: Client, photo: Image.Image, status: int, header: str, words: str
) -> None:
    """The service's own Retry-After is said, and a minute where it gave none that can be read."""
    server.answer = Reply(status, headers={"Retry-After": header} if header else {})
    with pytest.raises(RateLimitError, match=words) as caught:
        client.images.edit(image=photo, prompt="x")
    assert (caught.value.retry_after is None) == (header in ("", "soon"))


GONE = [
    (400, {"message": "nope", "code": "model_not_found"}),
    (404, {"message": "The model `gpt-image-1` does not exist or you do not have access to it."}),
    (400, {"message": "model gpt-image-1 has been deprecated"}),
    (400, {"message": "The model gpt-image-1 was shut down on 23 October 2026"}),
    (400, {"message": "Invalid model: gpt-image-1"}),
    (404, {"message": "This model is no longer available."}),
]
NOT_GONE = [
    (400, {"message": "The size is not supported."}),
    (400, {"message": "This prompt is unknown to us"}),
    (401, {"message": "The key does not exist for this model"}),
    (404, {"message": "Not found"}),
    (402, {"message": "model quota used up"}),
]


@pytest.mark.parametrize(("status", "error"), GONE)
def test_a_model_that_is_gone(status: int, error: dict[str, str]) -> None:
    """Those that live are named, and are in the error for an editor; never the one that was just refused."""
    for asked, living in (
        ("gpt-image-1", ("gpt-image-1.5", "gpt-image-2")),
        ("gpt-image-2", ("gpt-image-1.5",)),
    ):
        with pytest.raises(
            RefusedError, match=r"Nothing was billed[.] Choose another model: TTAPI lists"
        ) as caught:
            interpret(status, {"error": error}, Asked(model=asked))
        assert caught.value.models == living
        assert all(name in str(caught.value) for name in living)


@pytest.mark.parametrize(("status", "error"), NOT_GONE)
def test_a_refusal_about_something_else(status: int, error: dict[str, str]) -> None:
    """No other model is offered where that would not help."""
    with pytest.raises(RefusedError) as caught:
        interpret(status, {"error": error}, Asked(model="gpt-image-1"))
    assert caught.value.models == ()
    assert "lists" not in str(caught.value)


@pytest.mark.parametrize("status", UNCLEAR)
@pytest.mark.parametrize("envelope", ["ttapi", "openai", "html", "empty"])
def test_unclear(server: Server, client: Client, photo: Image.Image, status: int, envelope: str) -> None:
    """After a 5xx nobody knows whether the edit was made, and the error says where to look before trying again."""
    server.answer = {
        "ttapi": json_reply({"status": "FAILED", "message": "upstream slow"}, status),
        "openai": json_reply({"error": {"message": "upstream slow"}}, status),
        "html": html_reply(status),
        "empty": Reply(status),
    }[envelope]
    with pytest.raises(
        UnknownOutcomeError, match=r"may have been carried out and billed.*the account at 127"
    ) as caught:
        client.images.edit(image=photo, prompt="x")
    assert caught.value.status == status
    assert ("upstream slow" in str(caught.value)) == (envelope in ("ttapi", "openai"))


def test_failed_with_200(server: Server, client: Client, photo: Image.Image) -> None:
    """A failure that comes with HTTP 200 is a refusal with the service's words, never an empty success."""
    server.answer = json_reply({"status": "FAILED", "message": "prompt contains banned words", "data": None})
    with pytest.raises(RefusedError, match="prompt contains banned words") as caught:
        client.images.edit(image=photo, prompt="x")
    assert caught.value.status == 200


def test_moderation(server: Server, client: Client, photo: Image.Image) -> None:
    """A picture that the service won't make has a next step of its own."""
    server.answer = json_reply({"error": {"message": "no", "code": "moderation_blocked"}}, 400)
    with pytest.raises(RefusedError, match="reword the prompt") as caught:
        client.images.edit(image=photo, prompt="x")
    assert caught.value.code == "moderation_blocked"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"ok"',
        b"<html>hello</html>",
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b"\xff\xfe{}",
        b"{",
    ],
    ids=["empty", "null", "list", "string", "html", "deep list", "deep object", "not utf-8", "cut off"],
)
def test_200_without_a_reply(server: Server, client: Client, photo: Image.Image, body: bytes) -> None:
    """A 200 whose body is not the reply, a web page say, is an unknown outcome and not a success."""
    server.answer = Reply(200, body, mime="text/html")
    with pytest.raises(UnknownOutcomeError, match=r"web page.*the account at 127"):
        client.images.edit(image=photo, prompt="x")


@pytest.mark.parametrize("message", ["x" * 100_000, "a\x1b[31m\x07\nb", "<script>alert(1)</script>" * 100])
def test_hostile_message(message: str) -> None:
    """A service's message is shown short, on one line and without terminal codes."""
    reply = parse(json.dumps({"error": {"message": message}}).encode(), str)
    with pytest.raises(RefusedError) as caught:
        interpret(400, reply)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        *((status, RefusedError, "base_url") for status in (301, 302, 307, 308)),
        (303, UnknownOutcomeError, "billed"),
    ],
)
def test_redirect(
    server: Server, client: Client, photo: Image.Image, status: int, error: type[TTAPIError], words: str
) -> None:
    """A redirect is not followed, to another server or to the same, so the key is not sent on."""
    with Server() as other:
        for place in (f"{other.origin}/v1/images/edits", f"{server.origin}/elsewhere"):
            server.answer = Reply(status, headers={"Location": place})
            with pytest.raises(error, match=words):
                client.images.edit(image=photo, prompt="x")
        assert other.connections == 0
    assert [request.path for request in server.requests] == ["/v1/images/edits"] * 2


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"b64_json": "%%%"}, "damaged"),
        ({"b64_json": "AAAAA"}, "damaged"),
        ({"b64_json": "AAA"}, "not a picture"),
        ({"b64_json": "ünï"}, "damaged"),
        ({"b64_json": ""}, "neither"),
        ({"b64_json": 7}, "neither"),
        ({}, "neither"),
        ("text", "something else"),
        (None, "something else"),
        ({"b64_json": "aGVsbG8="}, "not a picture"),
    ],
)
def test_bad_result_beside_a_good_one(
    server: Server, client: Client, photo: Image.Image, item: object, words: str
) -> None:
    """One bad result says what is wrong with it, and does not cost the good one beside it."""
    server.answer = json_reply(PLAIN | {"data": [item, PLAIN["data"][0]]})

    bad, good = client.images.edit(image=photo, prompt="x", n=2).data

    assert good.image.size == (64, 64)
    with pytest.raises(ResultError, match=words):
        _ = bad.image


def test_compressed_against_our_wish(server: Server, client: Client, photo: Image.Image) -> None:
    """A gateway that compresses the reply all the same does not cost the picture."""
    body = gzip.compress(json.dumps(PLAIN).encode())
    server.answer = Reply(200, body, headers={"Content-Encoding": "gzip"})
    assert client.images.edit(image=photo, prompt="x").images[0].size == (64, 64)


def test_compressed_to_little(server: Server, client: Client, photo: Image.Image) -> None:
    """A compressed reply that unpacks to many times its size is read whole, and what comes after its end is left."""
    said = json.dumps(PLAIN | {"padding": " " * 5_000_000}).encode()
    server.answer = Reply(200, gzip.compress(said) + b"more", headers={"Content-Encoding": "gzip"})
    assert client.images.edit(image=photo, prompt="x").images[0].size == (64, 64)


PACKED = gzip.compress(json.dumps(PLAIN).encode())


@pytest.mark.slow
@pytest.mark.dear
@pytest.mark.parametrize(
    ("body", "packed", "words"),
    [
        (lambda: json.dumps(PLAIN).encode() + b" " * 51_000_000, False, "larger than any answer"),
        (lambda: gzip.compress(bytes(51_000_000)), True, "larger than any answer"),
        (lambda: PACKED + bytes(51_000_000), True, "larger than any answer"),
        (lambda: PACKED[:60], True, "its end is missing"),
    ],
    ids=["plain", "packed", "after the end of a packed one", "packed and cut off"],
)
def test_more_or_less_than_an_answer(
    server: Server, client: Client, photo: Image.Image, body: Callable[[], bytes], packed: bool, words: str
) -> None:
    """A reply that is larger than any, however it is written, or that is cut off, says so and that it may be billed."""
    server.answer = Reply(200, body(), headers={"Content-Encoding": "gzip"} if packed else {})
    with pytest.raises(UnknownOutcomeError, match=f"{words}.*may have been carried out and billed"):
        client.images.edit(image=photo, prompt="x")


def test_more_parts_than_an_answer() -> None:
    """A reply of a million small parts, which would take fifty times its size in memory, is not taken apart."""
    assert parse(b'{"data":[' + 199_990 * b"0," + b"0]}", str) is not None
    assert parse(b'{"data":[' + 200_000 * b"0," + b"0]}", str) is None


def test_short_key_leaves_pictures_alone(server: Server, photo: Image.Image) -> None:
    """A toy key, whose letters also stand in a picture's base64, damages no picture."""
    assert "AAA" in PLAIN["data"][0]["b64_json"]
    client = Client("AAA", base_url=server.url)
    server.answer = json_reply(PLAIN)
    assert client.images.edit(image=photo, prompt="x").images[0].size == (64, 64)


@pytest.mark.parametrize(
    "more", ["", ",", "}, {", '}, {"b64_json": "iVBORw0K', ', "revised_prompt": "ni', ', "seed": 1', ', "a']
)
def test_cut_off_behind_a_picture(more: str) -> None:
    """Of an answer that breaks off anywhere behind a picture, that picture is read, and no half of another one."""
    text = PLAIN["data"][0]["b64_json"]
    found = parse(f'{{"created": 1, "data": [{{"b64_json": "{text}"{more}'.encode(), str)
    assert found is not None
    items = interpret(200, found)["data"]
    assert [item.get("b64_json") for item in items if item] == [text]


def test_cut_off_within_a_picture() -> None:
    """A picture that breaks off is none, by whatever name it came."""
    text = PLAIN["data"][0]["b64_json"][:-9]
    for name in ("b64_json", "image"):
        assert parse(f'{{"data": [{{"{name}": "{text}'.encode(), str) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "message", "data", "error", "code", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
envelopes = st.fixed_dictionaries(
    {}, optional={"status": st.sampled_from(["SUCCESS", "FAILED"]), "data": json_values, "error": json_values}
)


@given(
    status=st.integers(100, 599),
    body=st.binary() | (json_values | envelopes).map(lambda x: json.dumps(x).encode()),
)
def test_any_reply_is_an_answer_or_an_error_of_ours(status: int, body: bytes) -> None:
    """Whatever comes back, the outcome is a list with results in it or one of the package's own errors."""
    plain, error = None, None
    try:
        plain = interpret(status, parse(body, str))
    except TTAPIError as raised:
        error = raised
    if plain is None:
        assert isinstance(error, RefusedError | UnknownOutcomeError)
        assert str(error).strip()
    else:
        assert status == 200
        assert isinstance(plain["data"], list)
        assert plain["data"]

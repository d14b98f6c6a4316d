"""Routes, envelopes, keys, usage, result URLs, and what a user may replace."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.properties import examples
from ttapi_nb.service import Service

EDITS = "https://api.example/v1/images/edits"


def inverted(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """A fill of one's own."""
    return Image.eval(image, lambda value: 255 - value)


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", EDITS, 405),
        ("HEAD", EDITS, 405),
        ("POST", "https://api.example/v1/files/x.png", 405),
        ("GET", "https://api.example/v1/files/x.png", 404),
        ("GET", "https://api.example/v1/files/../../secret", 404),
        ("GET", "https://api.example/v1/images/generations", 405),
        ("POST", "https://api.example/v1/images/variations", 404),
        ("GET", "https://api.example/", 404),
        ("GET", "", 404),
        ("POST", "http://[broken", 400),
    ],
)
def test_other_routes_get_an_answer(method: str, url: str, status: int) -> None:
    """An unknown path is 404 and a wrong method 405, in the usual envelope and with the service's sign."""
    answer = Service().handle(method, url, {}, b"")
    assert answer.status == status
    assert answer.headers["TTAPI-NB-Service"] == "embedded"
    assert json.loads(answer.body)["status"] == "FAILED"


def test_both_envelopes_carry_the_same_sentence(ask: Any) -> None:
    """An error is written in TTAPI's envelope by default, and in OpenAI's by setting."""
    ttapi = ask(Service(), size="1x1").json
    openai = ask(Service(envelope="openai"), size="1x1").json
    assert ttapi == {"status": "FAILED", "message": openai["error"]["message"], "data": None}
    assert openai["error"] | {"message": ""} == {
        "message": "",
        "type": "invalid_request_error",
        "param": "size",
        "code": "invalid_value",
    }


def test_an_unknown_envelope_is_refused_at_once() -> None:
    """A misspelt envelope is a ValueError that names those there are."""
    with pytest.raises(ValueError, match="'ttapi' or 'openai'"):
        Service(envelope="azure")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({}, False),
        ({"TT-API-KEY": ""}, False),
        ({"TT-API-KEY": "  "}, False),
        ({"Authorization": "Bearer "}, False),
        ({"Authorization": "Basic abc"}, False),
        ({"TT-API-KEY": "any"}, True),
        ({"tt-api-key": "any"}, True),
        ({"Authorization": "Bearer any"}, True),
        ({"authorization": "bearer any"}, True),
    ],
)
def test_a_key_can_be_required(headers: dict[str, str], accepted: bool) -> None:
    """With require_key any key will do, in either header, and none is 401; without it none is needed."""
    status = Service(require_key=True).handle("POST", EDITS, headers, b"").status
    assert status == (400 if accepted else 401)
    assert Service().handle("POST", EDITS, headers, b"").status == 400


def test_usage_follows_its_rule(ask: Any, make_photo: Any, mask_for: Any) -> None:
    """One token for 4 characters, and one for each 32x32 block of what came in and goes out."""
    pictures = [make_photo(64, 64), make_photo(65, 32)]
    reply = ask(
        image=pictures,
        mask=mask_for((64, 64), (8, 8, 24, 24)),
        mode="gpt-image-1",
        size="1024x1024",
        prompt="five5",
        n=2,
    )
    assert reply.json["usage"] == {
        "total_tokens": 2 + 11 + 2048,
        "input_tokens": 2 + 11,
        "output_tokens": 2048,
        "input_tokens_details": {"text_tokens": 2, "image_tokens": 4 + 3 + 4},
    }


def test_newer_models_say_what_they_made(ask: Any, photo: Image.Image) -> None:
    """The gpt models' replies name size, quality, format and background; dall-e-2's do not."""
    wide = {"mode": "gpt-image-1", "mask": None, "size": "auto", "output_format": "webp"}
    reply = ask(**wide).json
    assert {
        "size": "1024x1024",
        "quality": "high",
        "output_format": "webp",
        "background": "opaque",
    }.items() <= (reply.items())
    assert set(ask().json) == {"created", "data", "usage"}


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_results_come_in_the_format_asked_for(ask: Any, photo: Image.Image, format: str) -> None:
    """A result is of the format that was asked for."""
    gpt = {"mode": "gpt-image-1", "size": "1024x1024", "mask": None, "output_format": format}
    assert ask(**gpt).images[0].format == format.upper()


def test_compression_makes_files_smaller(ask: Any) -> None:
    """A lower output_compression gives a smaller file."""
    gpt = {"mode": "gpt-image-1", "size": "1024x1024", "mask": None, "output_format": "jpeg"}
    sizes = [len(ask(**gpt, output_compression=level).answer.body) for level in (10, 90)]
    assert sizes[0] < sizes[1] / 2


def test_an_opaque_background_is_white(ask: Any, photo: Image.Image) -> None:
    """Where opaque is asked for, or the format knows no transparency, what was see-through becomes white."""
    picture = photo.convert("RGBA")
    picture.paste((0, 0, 0, 130), (0, 0, 64, 64))
    service = Service(fill=lambda image, mask, prompt, seed: image)
    gpt = {"image": picture, "mode": "gpt-image-1", "size": "1024x1024"}
    assert ask(service, **gpt).images[0].mode == "RGBA"
    for asked in ({"background": "opaque"}, {"output_format": "jpeg"}):
        reply = ask(service, **gpt, **asked)
        assert reply.json["background"] == "opaque"
        assert abs(int(reply.pixels[20, 20, 0]) - 125) < 3


# Results by URL


def test_a_result_can_be_fetched_from_its_url(ask: Any) -> None:
    """A URL leads to the request's own origin and gives the same picture as base64 does, without a key."""
    service = Service(require_key=False)
    url = ask(service, response_format="url").json["data"][0]["url"]
    assert url.startswith("https://api.example/v1/files/")
    answer = service.handle("GET", url, {}, b"")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.body))), ask().pixels)


def test_a_url_dies_after_sixty_minutes(ask: Any) -> None:
    """A result's URL works for 60 minutes and is 404 from then on."""
    now = 1_000.0
    service = Service(clock=lambda: now)
    reply = ask(service, response_format="url")
    assert reply.json["created"] == 1_000
    url = reply.json["data"][0]["url"]
    now += 3_599
    assert service.handle("GET", url, {}, b"").status == 200
    now += 1
    assert service.handle("GET", url, {}, b"").status == 404


@pytest.mark.slow
def test_only_the_newest_urls_are_kept(ask: Any, mask_for: Any) -> None:
    """Of 70 results by URL the first 6 are gone."""
    service = Service(fill=inverted)
    urls = [item["url"] for _ in range(7) for item in ask(service, n=10, response_format="url").json["data"]]
    found = [service.handle("GET", url, {}, b"").status for url in urls]
    assert found == [404] * 6 + [200] * 64


# What a user may replace or turn on


def test_ones_own_fill_is_used_as_it_comes(ask: Any, photo: Image.Image, hole: Any) -> None:
    """A fill gets picture, mask, prompt and a seed for each result, and what it returns is the result."""
    seen: list[tuple[Any, ...]] = []

    def fill(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        seen.append((image.mode, mask.mode, np.asarray(mask) == 255, prompt, seed))
        return inverted(image, mask, prompt, seed)

    images = ask(Service(fill=fill, leaky=True), n=2, prompt="a hat").images
    for image in images:
        np.testing.assert_array_equal(np.asarray(image), 255 - np.asarray(photo))
    (mode, mask_mode, marked, prompt, seed), second = seen
    assert (mode, mask_mode, prompt) == ("RGB", "L", "a hat")
    np.testing.assert_array_equal(marked, hole)
    assert seed != second[-1]


def test_ones_own_fill_without_a_mask_may_change_everything(ask: Any) -> None:
    """Where no mask was sent, the fill's mask is white all over."""
    service = Service(fill=lambda image, mask, prompt, seed: mask)
    assert (ask(service, mask=None).pixels == 255).all()


def test_a_fill_of_another_size_is_resized(ask: Any) -> None:
    """A fill that returns a smaller picture still gives a result of the size asked for."""
    service = Service(fill=lambda image, mask, prompt, seed: Image.new("L", (20, 10), 7))
    assert ask(service).images[0].size == (256, 256)


def broken(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """A fill with a mistake in it."""
    raise ZeroDivisionError("no steps")


@pytest.mark.parametrize(
    ("fill", "words"),
    [(broken, "ZeroDivisionError: no steps"), (lambda *_: None, "NoneType"), (lambda: None, "TypeError")],
)
def test_a_faulty_fill_is_named(ask: Any, fill: Any, words: str) -> None:
    """A fill that raises or returns no picture gives a 500 that says what it did."""
    reply = ask(Service(fill=fill))
    assert reply.status == 500
    assert words in reply.json["message"]


def test_a_leaky_service_repaints_everything_a_little(ask: Any, photo: Image.Image, hole: Any) -> None:
    """With leaky the pixels outside the hole change, but not by much, and differently from place to place."""
    result = ask(Service(leaky=True)).pixels.astype(int)
    difference = np.abs(result - np.asarray(photo).astype(int))[~hole]
    assert difference.any(axis=1).mean() > 0.9
    assert 1 < difference.mean() < 20
    assert 0.1 < (difference.max(axis=1) > 8).mean() < 1


def test_a_leaky_service_fills_the_hole_as_ever(ask: Any, hole: Any) -> None:
    """In the hole is the usual fill, only its colours shift with all the others."""
    plain, leaky = (ask(Service(leaky=leaky)).pixels.astype(int) for leaky in (False, True))
    difference = (leaky - plain)[hole].astype(float)
    shift = difference.mean(axis=0)
    assert np.abs(shift).max() > 3
    assert np.abs(difference - shift).mean() < 5


def test_a_leaky_service_is_softer_outside(ask: Any, photo: Image.Image, hole: Any) -> None:
    """Fine grain outside the hole is lost."""
    before, after = (
        np.abs(np.diff(np.asarray(image, int), axis=1)) for image in (photo, ask(Service(leaky=True)).pixels)
    )
    outside = ~hole[:, 1:]
    assert after[outside].mean() < 0.8 * before[outside].mean()


def test_a_leaky_service_leaks_by_its_seed(ask: Any) -> None:
    """The same seed gives the same leak, and another one another."""
    one, again, other = (ask(Service(leaky=True, seed=seed)).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one.astype(int) - other)[:40, :40].mean() > 2


def test_a_leaky_service_keeps_transparency(ask: Any, photo: Image.Image) -> None:
    """A see-through picture stays as see-through as it was outside the hole; without a mask all of it is repainted."""
    clear = photo.copy()
    clear.putalpha(100)
    result = ask(Service(leaky=True), image=clear, background=None).pixels
    assert (result[:40, :40, 3] == 100).all()
    whole = ask(Service(leaky=True), mask=None).pixels
    assert (whole != ask(mask=None).pixels).any(axis=2).mean() > 0.9


# Robustness


@pytest.mark.slow
def test_eight_threads_get_what_one_gets(ask: Any, mask_for: Any) -> None:
    """Requests at the same time get the same results as one after another."""
    service, mask = Service(), mask_for((256, 256), (100, 100, 130, 130))

    def results(number: int) -> Any:
        return ask(service, mask=mask, prompt=f"wall {number}").json["data"]

    serial = [results(number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(results, range(8))) == serial
    assert len({item["b64_json"] for (item,) in serial}) == 8


def test_a_fault_of_the_service_is_an_answer_too(ask: Any) -> None:
    """An error that nothing foresaw, here in the clock, is a 500 that names its kind."""

    def stopped() -> float:
        raise OSError("the clock stands still")

    reply = ask(Service(envelope="openai", clock=stopped))
    assert reply.status == 500
    assert reply.json["error"]["type"] == "server_error"
    assert "OSError" in reply.json["error"]["message"]


def test_half_a_character_does_no_harm(ask: Any) -> None:
    """A prompt with half a surrogate pair, which JSON can hold, is answered."""
    assert ask(prompt="\ud83d").status == 200


@given(
    st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/plain"]),
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(["prompt", "image", "images", "mask", "mode", "n", "size", "stream", "quality"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner),
                max_leaves=5,
            ),
        ).map(lambda fields: json.dumps(fields).encode()),
    ),
)
@examples(200)
def test_handle_never_raises(content_type: str, body: bytes) -> None:
    """Whatever comes in, the answer is a bad request and not a fault."""
    assert Service().handle("POST", EDITS, {"Content-Type": content_type}, body).status == 400


def test_the_service_starts_light() -> None:
    """Importing the service loads neither PatchMatch nor the form parser nor any HTTP client."""
    script = "import sys, ttapi_nb.service; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not {"patchmatch", "python_multipart", "httpx", "ipywidgets"} & set(loaded.split())


def test_results_are_base64_unless_a_url_is_asked_for(ask: Any) -> None:
    """Without response_format a result is base64, for dall-e-2 too."""
    (item,) = ask().json["data"]
    assert set(item) == {"b64_json"}
    assert base64.b64decode(item["b64_json"], validate=True).startswith(b"\x89PNG")

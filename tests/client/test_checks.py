"""A client's settings are checked when it is made, with sentences of ours that hold no key and no password."""

from __future__ import annotations

import math
from typing import Any

import pytest
from PIL import Image

from tests.server import Server
from ttapi_nb import AsyncClient, Client
from ttapi_nb.errors import SettingsError

KEY = "tt-sk-0123456789abcdef"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    "given",
    [
        {"base_url": "https://gate.example/v1?x=1"},
        {"base_url": "https://gate.example/v1#x"},
        {"base_url": "https://gate.example/v1?"},
        {"base_url": "https://gate .example/v1"},
        {"base_url": "https:\\\\gate.example/v1"},
        {"base_url": "https://gate.example/\tv1"},
        {"base_url": "https://gate.example/v1\u200b"},
        {"base_url": "ftp://gate.example"},
        {"base_url": "gate.example/v1"},
        {"base_url": "https://"},
        {"base_url": "https://gate.example:99999"},
        {"base_url": None},
        {"base_url": b"https://gate.example"},
        {"base_url": 5},
        *({"auth_header": name} for name in ("Host", "content-length", "Transfer-Encoding", "CONNECTION")),
        *({"auth_header": name} for name in ("Content-Type", "expect", "TE", "Accept-Encoding", "Upgrade")),
        *({"auth_header": name} for name in ("", "a b", "a:b", "ä", None, 5)),
        *({"auth_scheme": scheme} for scheme in (None, 5, "Bea\nrer", "é")),
        *({"timeout": value} for value in (None, math.nan, math.inf, "5", True, 0, -1, 1e9)),
        *({"wait_when_busy": value} for value in (None, math.nan, "x", True, -1, 1e9)),
        *({"wire": value} for value in (None, 5, "xml", ["json"])),
        *({"plain_base64": value} for value in ("yes", None, 1)),
        *({"allow_http": value} for value in ("yes", None, 1)),
        *({"send_mode": value} for value in ("yes", 1)),
        *(
            {"fetch_from": value}
            for value in ("https://a.example", 5, [5], ["a.example"], ["ftp://a.example"])
        ),
        *(
            {"fetch_from": [value]}
            for value in ("https://a.example/path", "https://me:pw@a.example", "https://")
        ),
        *({"api_key": value} for value in (5, b"x", "a b", "ключ")),
    ],
    ids=str,
)
def test_settings_that_can_not_work(kind: Any, given: dict[str, Any]) -> None:
    """Whatever is wrong with a setting is said when the client is made, in a sentence."""
    with pytest.raises(SettingsError) as caught:
        kind(**{"api_key": KEY} | given)
    assert str(caught.value).endswith(".")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("password", ["pa55word", "pa55@word", "pa55/word", "pa55?word", "pa55#word"])
def test_a_password_in_the_address_is_shown_nowhere(password: str, caplog: pytest.LogCaptureFixture) -> None:
    """A login before the host is taken out of the address; where it ends the host too early, it is not repeated."""
    try:
        client = Client(KEY, base_url=f"https://me:{password}@gate.example/v1")
    except SettingsError as error:
        said = str(error)
    else:
        said = f"{client!r} {client.words} {client.core!r} {client.core.base_url} {client.core.address}"
        assert "gate.example" in said
    assert "pa55" not in said + caplog.text
    assert "word" not in said.replace("password", "")


def test_the_login_is_sent_beside_the_key(
    server: Server, photo: Image.Image, caplog: pytest.LogCaptureFixture
) -> None:
    """What stood before the host goes as a Basic login, to that origin, and is in no log."""
    caplog.set_level("INFO")
    Client(KEY, base_url=server.url.replace("//", "//me:pa55word@")).images.edit(image=photo, prompt="x")
    (post,) = server.posts
    assert post.get("Authorization") == "Basic bWU6cGE1NXdvcmQ="
    assert post.get("TT-API-KEY") == KEY
    assert "pa55word" not in caplog.text


def test_a_login_and_a_key_in_one_header() -> None:
    """Both as Authorization can't be."""
    with pytest.raises(SettingsError, match="Leave one of them out"):
        Client(KEY, base_url="https://me:pw@gate.example/v1", auth_header="authorization")


def test_a_look_alike_is_shown_as_it_is() -> None:
    """A host that is written with other letters is shown as it is looked up, and as it is written."""
    words = Client(KEY, base_url="https://аpi.ttapi.io/v1").words
    assert "xn--" in words
    assert "written" in words
    assert "written" not in Client(KEY).words


@pytest.mark.parametrize(
    ("settings", "sent"),
    [({}, False), ({"send_mode": True}, True), ({"send_mode": False}, False)],
)
def test_mode_in_a_multipart_body(
    server: Server, photo: Image.Image, settings: dict[str, Any], sent: bool
) -> None:
    """A gateway of one's own is told the model once, unless it is to be twice; a list goes as repeated fields."""
    client = Client(KEY, base_url=server.url, wire="multipart", **settings)
    client.images.edit(image=photo, prompt="x", extra_body={"tags": ["a", 2]})
    (post,) = server.posts
    names = [part.name for part in post.parts]
    assert ("mode" in names) == sent
    assert "model" in names
    assert [part.data for part in post.parts if part.name == "tags[]"] == [b"a", b"2"]


def test_mode_goes_to_ttapi() -> None:
    """At TTAPI itself, and its other host, the model is in `mode` too."""
    for address, sent in (
        ("https://api.ttapi.io/v1", True),
        ("https://api.ttapi.org/v1", True),
        ("https://ttapi.io.evil.example/v1", False),
        ("https://evilttapi.io/v1", False),
    ):
        assert Client(KEY, base_url=address).core.sends_mode is sent

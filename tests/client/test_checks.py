"""A client's settings: what can't work, or would show a password, is refused in words when the client is made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.client.test_secret import shown
from tests.server import Server
from ttapi_nb import AsyncClient, Client, EditRequest, SettingsError
from ttapi_nb.asked import Asked
from ttapi_nb.client.forms.multipart import Multipart
from ttapi_nb.run import to_code

KEY = "test-key-0123456789"
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hidden@gate.example/v1",
        "https://hidden@gate.example/v1",
        "https://me:hid@hidden@gate.example/v1",
        "https://me:hid/hidden@gate.example/v1",
        "https://me:1234/hidden@gate.example/v1",
        "https://me:hid?hidden@gate.example/v1",
        "https://gate.example/v1?token=hidden",
        "https://gate.example/v1#hidden",
        "https://gate.example/v1?",
        "https://gate.example/v1#",
        " https://gate.example/hidden",
        "https://gate.example/hidden\n",
        "https://gate.example/\thidden",
        "https://gate.example\\hidden",
        "https://gate.example/\x7fhidden",
        "https://gate.example/\u202ehidden",
        "https://gate\u200b.example/hidden",
        "https://gate\u3000hidden.example/",
        "https://gate%2eexample/hidden",
        "https://gate.example:99999/hidden",
        "https://gate.example:0/hidden",
        "https://gate.example:hidden/",
        "https:///hidden",
        "ftp://gate.example/hidden",
        "hidden",
        "",
        b"https://gate.example/hidden",
        5,
        ["https://gate.example"],
    ],
)
@pytest.mark.parametrize(
    "make", [Client, AsyncClient, lambda *a, **k: Client.record("unused.zip", api_key=a[0], **k)]
)
def test_addresses(url: Any, make: Callable[..., Any]) -> None:
    """An address that leads elsewhere, or holds a password, is refused, and no part of it is in error or frames."""
    with pytest.raises(SettingsError, match="base_url") as caught:
        make(KEY, base_url=url)
    assert "hidden" not in shown(caught.value)


def test_a_host_that_looks_like_another() -> None:
    """A name in other letters is shown as it is connected to and as it reads, however it was given."""
    for url in ("https://xn--pi-6kc.ttapi.example/v1", "https://аpi.ttapi.example/v1"):
        client = Client(KEY, base_url=url)
        for text in (client.words, repr(client)):
            assert "xn--pi-6kc.ttapi.example" in text
            assert "'аpi.ttapi.example'" in text
        assert client.core.address == "https://xn--pi-6kc.ttapi.example"
    assert "reads" not in Client(KEY).words + repr(Client(KEY))


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "hOST", "Content-Length", "Transfer-Encoding", "Connection", "Content-Type", "Content-Encoding"),
        *("Accept-Encoding", "Expect", "TE", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Authorization", "Cookie"),
        *("Proxy-Connection", "User-Agent", "Accept", "Content-MD5", "a b", "", "x:", "x\r\ny", None, 5, b"X-Key"),
    ],
)  # fmt: skip
def test_headers(name: Any) -> None:
    """A header that frames the request, or is no header's name, can't carry the key."""
    with pytest.raises(SettingsError, match="auth_header"):
        Client(KEY, auth_header=name)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("timeout", [None, NAN, INFINITY, "5", True, 0, -1, 10**400, [], 1j]),
        ("wait_when_busy", ["x", NAN, True, -1, 3601, None, INFINITY, 10**400]),
        ("wire", [None, 5, "xml", [], {}, b"json"]),
        ("auth_scheme", [None, 5, b"Bearer", "Beärer", "a\nb"]),
        ("plain_base64", ["yes", 1, None]),
        ("allow_http", ["no", 0, None]),
        ("send_mode", ["no", 0, 1]),
        ("fetch_from", ["https://a.example", None, 5, b"x", [5], ["a.example"], ["https://a.example/path"]]),
        ("fetch_from", [["https://me:pa@a.example"], ["ftp://a.example"], {"https://a.example": 1}]),
        ("api_key", [5, b"sk", ["x"]]),
    ],
)
def test_odd_values(name: str, values: list[Any]) -> None:
    """A value of the wrong kind or out of range is a sentence that names the setting, never Python's own error."""
    for value in values:
        with pytest.raises(SettingsError, match=name):
            Client(**{"api_key": KEY, name: value})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("seed", ["x", 1.5, None, True]),
        ("fill", [5, "x"]),
        ("service", [5, "x", object()]),
        ("timeout", [None, NAN, "5", True]),
        ("leaky", ["x", 1]),
        ("plain_base64", ["x", None]),
        ("wire", [None, 5]),
    ],
)
def test_odd_values_offline(name: str, values: list[Any]) -> None:
    """An offline client's settings are held to the same."""
    for value in values:
        with pytest.raises(SettingsError, match=name):
            Client.offline(**{name: value})


@pytest.mark.parametrize("path", [None, 5, b"x.zip", "", "a\0b", ["x.zip"]])
def test_odd_recordings(path: Any) -> None:
    """A recording's path of the wrong kind is a sentence as well."""
    with pytest.raises(SettingsError, match="path"):
        Client.record(path, api_key=KEY)
    with pytest.raises(SettingsError, match="path"):
        Client.replay(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "pipe"])
def test_recordings_that_are_no_file(tmp_path: Path, path: str) -> None:
    """A device or a pipe in the place of a recording is refused as the client is made."""
    os.mkfifo(tmp_path / "pipe")
    for make in (Client.record, Client.replay):
        with pytest.raises(SettingsError, match="a recording is a file"):
            make(tmp_path / path)


def test_further_places(photo: Image.Image) -> None:
    """Places to fetch from are kept as origins, plain http and private ones too, and written into a script."""
    client = Client(KEY, fetch_from=["http://10.0.0.7:9000/", "https://Files.example"])
    assert client.core.fetch_from == ("http://10.0.0.7:9000", "https://files.example")
    code = to_code(Asked(EditRequest.make(image=photo, prompt="x")), client=client)
    assert "fetch_from=['http://10.0.0.7:9000', 'https://files.example']" in code


@pytest.mark.parametrize(
    ("url", "setting", "sends"),
    [
        ("https://api.ttapi.io/v1", None, True),
        ("https://API.ttapi.org./v1", None, True),
        ("https://ttapi.io", None, True),
        ("https://ttapi.io.gate.example/v1", None, False),
        ("https://notttapi.io/v1", None, False),
        ("https://api.ttapi.io/v1", False, False),
        ("https://gate.example/v1", True, True),
    ],
)
def test_who_gets_mode(url: str, setting: bool | None, sends: bool) -> None:
    """`mode` goes to TTAPI's own addresses alone, unless a setting says otherwise."""
    for client, expected in (
        (Client(KEY, base_url=url, wire="multipart", send_mode=setting), sends),
        (Client.offline(wire="multipart"), True),
    ):
        form = client.core.form
        assert isinstance(form, Multipart)
        assert form.sends_mode is expected


@pytest.mark.parametrize("setting", [None, True, False])
def test_mode_on_the_line(server: Server, photo: Image.Image, setting: bool | None) -> None:
    """To a gateway the form names the model once, so that an alias changes all of it."""
    client = Client(KEY, base_url=server.url, wire="multipart", send_mode=setting)
    client.images.edit(image=photo, prompt="x")
    names = [part.name for part in server.requests[0].parts]
    assert names.count("model") == 1
    assert names.count("mode") == (setting is True)
    code = to_code(Asked(EditRequest.make(image=photo, prompt="x")), client=client)
    assert ("send_mode" in code) == (setting is not None)


def test_lists_in_the_form(server: Server, photo: Image.Image) -> None:
    """Lists of extra_body are repeated fields, as OpenAI's package writes them; a dict is JSON."""
    body = {"tags": ["a", True, 3, None, {"k": [1]}], "none": [], "deep": {"x": [1]}}
    client = Client(KEY, base_url=server.url, wire="multipart")
    client.images.edit(image=photo, prompt="x", extra_body=body)
    parts = server.requests[0].parts
    assert [part.data.decode() for part in parts if part.name == "tags[]"] == ["a", "true", "3", '{"k": [1]}']
    (deep,) = [part for part in parts if part.name == "deep"]
    assert json.loads(deep.data) == {"x": [1]}
    assert not [part for part in parts if part.name in ("tags", "none", "none[]")]


def test_encode_by_itself(photo: Image.Image) -> None:
    """The form's writer takes the same switch."""
    request = EditRequest.make(image=photo, prompt="x")
    assert b'name="mode"' not in Multipart(send_mode=False).encode(request).data

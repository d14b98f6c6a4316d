"""Typed replies: results that show and save themselves, and URLs that are fetched at once and can be fetched again."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.server import Reply, Request, Server, decoded, encoded, json_reply, pictures
from ttapi_nb import Client, ImagesResponse, ResultError, loop
from ttapi_nb.reply.responses import ImageData

KEY = "test-key-0123456789"
TEAL = Image.new("RGB", (64, 48), "teal")


@pytest.fixture
def client(server: Server) -> Client:
    """A client of the test's server."""
    return Client(KEY, base_url=server.url)


def _ask(client: Client, photo: Image.Image) -> ImagesResponse:
    return client.images.edit(image=encoded(photo), prompt="x", model="dall-e-2", response_format="url")


def test_url_is_fetched_at_once(server: Server, client: Client, photo: Image.Image) -> None:
    """A result URL at the API's own origin is fetched before the call returns, without the key."""
    server.answer = json_reply({"data": [{"url": f"{server.origin}/files/a.png", "revised_prompt": "nicer"}]})
    server.routes["/files/a.png"] = Reply(200, encoded(TEAL), mime="image/png")

    (item,) = _ask(client, photo).data

    post, get = server.requests
    assert (get.method, get.path) == ("GET", "/files/a.png")
    assert KEY.encode() in post.head
    assert KEY.encode() not in get.head
    assert item.data == encoded(TEAL)
    assert item.url == f"{server.origin}/files/a.png"
    assert item.revised_prompt == "nicer"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/a.png",
        "https://127.0.0.1:{port}/a.png",
        "https://localhost:{port}/a.png",
        "https://127.1:{port}/a.png",
        "https://0x7f.1:{port}/a.png",
        "https://[::1]:{port}/a.png",
        "https://[::ffff:127.0.0.1]:{port}/a.png",
        "https://0.0.0.0:{port}/a.png",
        "https://10.0.0.7/a.png",
        "https://169.254.169.254/latest/meta-data",
        "http://93.184.215.14/a.png",
        "https://93.184.215.14:99999/a.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.png",
        "no url",
        "https://",
        "https://[::1",
        "https://" + "a" * 70 + ".example/",
    ],
)
def test_url_elsewhere_is_refused(server: Server, client: Client, photo: Image.Image, url: str) -> None:
    """A result URL that leads into private places, or nowhere, is not fetched; the result says why and keeps it."""
    with Server() as other:
        url = url.format(port=other.port)
        server.answer = json_reply({"data": [{"url": url}, pictures(TEAL)["data"][0]]})

        first, second = _ask(client, photo).data

        assert other.connections == 0
    assert len(server.requests) == 1
    assert (first.data, first.url) == (None, url)
    with pytest.raises(ResultError, match="It was paid for"):
        _ = first.image
    assert second.image.size == TEAL.size


def test_redirected_result(server: Server, client: Client, photo: Image.Image) -> None:
    """A result URL may move within the API's own origin, and not from there into a private place."""
    with Server() as other:
        server.answer = json_reply({"data": [{"url": f"{server.origin}/{name}"} for name in ("near", "far")]})
        server.routes["/near"] = Reply(302, headers={"Location": "/a.png"})
        server.routes["/a.png"] = Reply(200, encoded(TEAL), mime="image/png")
        server.routes["/far"] = Reply(302, headers={"Location": f"{other.origin}/b.png"})

        near, far = _ask(client, photo).data

        assert other.connections == 0
    assert near.image.size == TEAL.size
    assert far.data is None
    assert all(KEY.encode() not in request.head for request in server.requests[1:])


@pytest.mark.parametrize("failure", [Reply(500), Reply(404), Reply(drop=True), Reply(200, b"x" * 90, cut=9)])
def test_fetched_again(server: Server, client: Client, photo: Image.Image, failure: Reply) -> None:
    """A paid result whose fetch failed keeps its URL, and can be fetched again with no second POST."""
    server.answer = json_reply({"data": [{"url": f"{server.origin}/a.png"}]})
    server.routes["/a.png"] = failure
    (item,) = _ask(client, photo).data
    assert item.data is None
    assert item.url == f"{server.origin}/a.png"
    with pytest.raises(ResultError, match="fetch it again within the hour"):
        _ = item.image

    server.routes["/a.png"] = Reply(200, encoded(TEAL), mime="image/png")
    again = loop.call(client.core.fetch_again(item))

    assert again.image.size == TEAL.size
    assert again.problem == ""
    assert len(server.posts) == 1


def test_offline_url(photo: Image.Image) -> None:
    """The embedded service's result URLs are fetched from it, without a network."""
    response = _ask(Client.offline(), photo)
    (item,) = response.data
    assert item.url is not None
    assert item.image.size == (256, 256)
    assert response.offline


def test_save(tmp_path: Path) -> None:
    """A result is saved as the bytes that came, or in the format of another suffix, or with its own suffix added."""
    item = ImageData(encoded(TEAL, "WEBP"))

    assert item.save(tmp_path / "a.webp").read_bytes() == item.data
    assert item.save(tmp_path / "none") == tmp_path / "none.webp"
    assert decoded(item.save(tmp_path / "a.png").read_bytes()).format == "PNG"
    assert decoded(item.save(str(tmp_path / "a.JPG")).read_bytes()).format == "JPEG"


@pytest.mark.parametrize("name", ["a.gif", "no/such/folder/a.png"])
def test_save_where_it_cannot_be(tmp_path: Path, name: str) -> None:
    """Where a result can't be saved the error says what to do instead."""
    with pytest.raises(ResultError, match=r"Use \.png|Choose another"):
        ImageData(encoded(TEAL)).save(tmp_path / name)


def test_gallery() -> None:
    """A reply shows itself as one small picture with a caption for each result, and a sentence for a missing one."""
    big = Image.new("RGB", (1200, 600), "teal")
    response = ImagesResponse(
        1, (ImageData(encoded(big)), ImageData(problem="<b>It is lost.</b>")), offline=True
    )

    html = response._repr_html_()

    (small,) = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    assert Image.open(io.BytesIO(base64.b64decode(small))).size == (256, 128)
    assert "Result 1: 1200x600" in html
    assert "&lt;b&gt;It is lost." in html
    assert "<b>" not in html
    assert "embedded service" in html
    assert len(html) < 20_000


@pytest.mark.parametrize("offline", [True, False])
def test_notice(offline: bool) -> None:
    """Only the embedded service's results say that the prompt was not read."""
    response = ImagesResponse(1, (), offline=offline)
    assert bool(response.notice) == offline
    assert ("offline" in repr(response)) == offline


def test_reprs_are_short(server: Server, client: Client, photo: Image.Image) -> None:
    """A reply's repr says how many results and tokens there are, and shows no bytes."""
    server.answer = json_reply(pictures(TEAL, TEAL))
    response = client.images.edit(image=photo, prompt="x", n=2)
    assert repr(response) == "ImagesResponse(2 results, 30 tokens)"
    assert repr(response.data[0]) == f"ImageData({len(encoded(TEAL))} bytes)"
    assert repr(ImageData(problem="It is lost.")) == "ImageData(not fetched: It is lost.)"


def test_a_data_url_in_place_of_base64(server: Server, client: Client, photo: Image.Image) -> None:
    """A gateway that writes a data URL into b64_json is understood."""
    text = "data:image/png;base64," + pictures(TEAL)["data"][0]["b64_json"]
    server.answer = json_reply({"data": [{"b64_json": text}]})
    assert client.images.edit(image=photo, prompt="x").images[0].size == TEAL.size


def test_nonsense_counts(server: Server, client: Client, photo: Image.Image) -> None:
    """Counts that are no numbers are None."""
    usage = {"total_tokens": "many", "input_tokens": True, "input_tokens_details": 3}
    server.answer = json_reply(pictures(TEAL) | {"usage": usage, "created": "today"})
    response = client.images.edit(image=photo, prompt="x")
    assert response.created is None
    assert response.usage is not None
    assert {response.usage.total_tokens, response.usage.input_tokens, response.usage.text_tokens} == {None}


def test_answer_depends_on_the_request(server: Server, client: Client, photo: Image.Image) -> None:
    """Each of several calls gets its own answer."""

    def by_prompt(request: Request) -> Reply:
        return json_reply(pictures(Image.new("RGB", (8, 8), request.json["prompt"])))

    server.answer = by_prompt
    found = [
        client.images.edit(image=photo, prompt=colour).images[0].getpixel((0, 0))
        for colour in ("red", "blue")
    ]
    assert found == [(255, 0, 0), (0, 0, 255)]

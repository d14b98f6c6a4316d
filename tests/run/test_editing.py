"""The whole way of an edit: checked, logged, sent, brought back, and outside the mask the source, bit for bit."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.server import PATIENCE, Reply, Server, decoded, encoded, json_reply, pictures
from tests.support.preparing import fitted, prepared
from ttapi_nb import (
    AsyncClient,
    Client,
    EditRequest,
    FitError,
    InvalidRequestError,
    Mask,
    ResultError,
    Run,
    RunLog,
    edit,
    start_edit,
)
from ttapi_nb.fit import extend
from ttapi_nb.log import default_log

KEY = "test-key-0123456789"
BOX = (8, 16, 40, 48)


@pytest.fixture
def client(server: Server) -> Client:
    """A client of the test's server."""
    return Client(KEY, base_url=server.url)


@pytest.fixture
def mask() -> Mask:
    """Protects most of the picture, and has a seam of partly covered pixels around its hole."""
    return Mask((64, 64)).rectangle(BOX).feather(3)


def _noise(size: tuple[int, int], seed: int = 1) -> Image.Image:
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    )


def _outside(image: Image.Image, mask: Mask) -> bytes:
    outside: bytes = np.asarray(image)[mask.coverage() == 0].tobytes()
    return outside


# Outside the mask


@pytest.mark.slow
@pytest.mark.dear
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("answer", [(64, 64), (128, 128), (32, 32)])
def test_outside_the_mask(
    server: Server, client: Client, photo: Image.Image, mask: Mask, format: str, answer: tuple[int, int]
) -> None:
    """Whatever the model repaints, outside the mask the result is the source, bit for bit, at any answer's size."""
    came = encoded(photo, format)
    server.answer = json_reply(pictures(_noise(answer)))

    run = edit(came, "x", mask=mask, client=client)

    (result,) = run.results
    source = run.source.pixels
    assert result.image.size == (64, 64)
    assert _outside(result.image, mask) == _outside(source, mask)
    inside = mask.coverage() == 255
    assert inside.any()
    assert not np.array_equal(np.asarray(result.image)[inside], np.asarray(source)[inside])
    assert result.raw.tobytes() == _noise(answer).tobytes()
    assert result.kept
    assert result.leak is not None
    assert result.leak.share > 0.5
    assert result.note == ""


@pytest.mark.slow
@pytest.mark.parametrize("answer", [(64, 64), (128, 128)])
def test_inside_the_mask(server: Server, client: Client, photo: Image.Image, answer: tuple[int, int]) -> None:
    """A few pixels in from the mask's edge, the result is the model's answer."""
    mask = Mask((64, 64)).rectangle(BOX)
    server.answer = json_reply(pictures(Image.new("RGB", answer, (1, 250, 3))))
    result = edit(photo, "x", mask=mask, client=client).results[0]
    deep = mask.shrink(4).to_array()
    assert deep.sum() > 400
    assert result.shift is None
    assert (np.asarray(result.image)[deep] == (1, 250, 3)).all()


@pytest.mark.parametrize("leaky", [False, True])
def test_leaky_service(leaky: bool) -> None:
    """The embedded service that repaints everywhere, as hosted models do, is measured, and does not get through."""
    source = _noise((256, 256), 5).resize((64, 64)).resize((256, 256))
    mask = Mask((256, 256)).ellipse((60, 60, 180, 180))

    run = edit(source, "x", mask=mask, client=Client.offline(leaky=leaky), model="dall-e-2", size="256x256")

    (result,) = run.results
    assert _outside(result.image, mask) == _outside(source, mask)
    assert (_outside(result.raw.convert("RGB"), mask) == _outside(source, mask)) == (not leaky)
    assert result.leak is not None
    assert (result.leak.mean > 0, result.leak.share > 0.3) == (leaky, leaky)
    assert result.leak.map is not None
    assert result.leak.map.size == (256, 256)
    assert result.offline


def test_transparent_source(server: Server, client: Client, photo: Image.Image, mask: Mask) -> None:
    """A source with transparency keeps it outside the mask, and the colours under it."""
    source = photo.copy()
    source.putalpha(Image.linear_gradient("L").resize((64, 64)))
    server.answer = json_reply(pictures(_noise((64, 64))))
    result = edit(source, "x", mask=mask, client=client).results[0]
    assert result.image.mode == "RGBA"
    assert _outside(result.image, mask) == _outside(source, mask)


@pytest.mark.slow
def test_strict_unless_told_otherwise(server: Server, client: Client, photo: Image.Image, mask: Mask) -> None:
    """Whoever says nothing about it keeps what lies outside the mask, whether the edit is waited for or not."""
    server.answer = json_reply(pictures(_noise((64, 64))))
    for run in (
        edit(photo, "x", mask=mask, client=client),
        start_edit(photo, "x", mask=mask, client=client).wait(PATIENCE),
    ):
        assert run.results[0].kept
        assert _outside(run.results[0].image, mask) == _outside(photo, mask)
        assert default_log().restore(run.id).strict


def test_not_strict(server: Server, client: Client, photo: Image.Image, mask: Mask) -> None:
    """With strict=False the result is what the model sent, and the leak is still told."""
    server.answer = json_reply(pictures(_noise((64, 64))))
    result = edit(photo, "x", mask=mask, client=client, strict=False).results[0]
    assert result.image.tobytes() == result.raw.tobytes() == _noise((64, 64)).tobytes()
    assert not result.kept
    assert result.leak is not None


def test_no_mask(server: Server, client: Client, photo: Image.Image) -> None:
    """Without a mask none is sent, the whole picture may change, and there is no leak to speak of."""
    server.answer = json_reply(pictures(_noise((64, 64))))
    result = edit(photo, "x", client=client).results[0]
    assert "mask" not in server.posts[0].json
    assert (result.leak, result.kept) == (None, False)
    assert result.image.tobytes() == _noise((64, 64)).tobytes()


@pytest.mark.dear
@pytest.mark.parametrize("way", ["strict", "not strict", "no mask"])
def test_another_shape(server: Server, client: Client, photo: Image.Image, mask: Mask, way: str) -> None:
    """An answer in another shape comes back into the photo all the same, and a note says how it was laid."""
    server.answer = json_reply(pictures(photo.resize((96, 64)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    given = None if way == "no mask" else mask
    result = edit(photo, "x", mask=given, client=client, strict=way == "strict").results[0]
    assert result.image.size == photo.size
    assert result.raw.size == (96, 64)
    assert result.kept == (way == "strict")
    assert (result.leak is None) == (way == "no mask")
    assert "came as 96x64 where 1024x1024 was sent" in result.note
    assert (_outside(result.image, mask) == _outside(photo, mask)) == (way == "strict")


def test_an_answer_without_what_was_masked(server: Server, client: Client) -> None:
    """Where the answer shows only another part of the photo, the photo stays, and the note says why."""
    source = _noise((12, 12), 6).resize((512, 512))
    mask = Mask((512, 512)).rectangle((0, 200, 60, 300))
    server.answer = json_reply(pictures(source.crop((128, 0, 384, 512))))
    result = edit(source, "x", mask=mask, client=client, fit="none").results[0]
    assert result.image.tobytes() == source.tobytes()
    assert "What you masked is not in it" in result.note


@pytest.mark.slow
def test_a_crop(server: Server, client: Client) -> None:
    """On a large photo the surroundings of a small mask are sent, and the answer goes back into its place."""
    source = _noise((60, 50)).resize((2400, 2000))
    mask = Mask((2400, 2000)).ellipse((1500, 700, 1700, 900))
    server.answer = json_reply(pictures(Image.new("RGB", (1024, 1024), "lime")))

    run = edit(source, "x", mask=mask, client=client)

    body = server.posts[0].json
    assert body["size"] == "1024x1024"
    assert decoded(base64.b64decode(body["image"][0].split(",")[1])).size == (1024, 1024)
    left, top, right, bottom = run.plan.box
    assert (run.plan.how, right - left, bottom - top) == ("crop", 1024, 1024)
    (result,) = run.results
    assert result.image.size == (2400, 2000)
    assert _outside(result.image, mask) == _outside(source, mask)
    assert result.image.getpixel((1600, 800)) == (0, 255, 0)
    loose = np.asarray(edit(source, "x", mask=mask, client=client, strict=False).results[0].image)
    assert (loose[top:bottom, left:right] == (0, 255, 0)).all()
    assert _outside(Image.fromarray(loose), Mask(source.size).rectangle(run.plan.box)) == _outside(
        source, Mask(source.size).rectangle(run.plan.box)
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["crop", "pad", "scale", "auto", "none"])
@pytest.mark.parametrize("model", ["gpt-image-1", "gpt-image-2", "dall-e-2"])
def test_every_way_to_every_model(how: str, model: str) -> None:
    """Whatever the plan, the embedded service takes it, the photo keeps its size, and outside nothing changes."""
    source = _noise((9, 6), 3).resize((300, 200 if how != "none" or model != "dall-e-2" else 300))
    mask = Mask(source.size).ellipse((120, 60, 170, 110))
    client = Client.offline(
        fill=lambda image, mask, prompt, seed: image.convert("RGB").point(lambda level: level // 2)
    )
    run = edit(source, "x", mask=mask, client=client, model=model, fit=how)
    (result,) = run.results
    assert result.image.size == source.size
    assert _outside(result.image, mask) == _outside(source, mask)
    assert result.image.tobytes() != source.tobytes()
    assert how in (run.plan.how, "auto")


@pytest.mark.slow
def test_the_plain_fill_leaks_nothing() -> None:
    """A PNG that is sent pixel for pixel comes back from the embedded service with exactly no leak."""
    source = _noise((1024, 1024), 2)
    mask = Mask((1024, 1024)).ellipse((450, 450, 520, 520))
    result = edit(source, "x", mask=mask, client=Client.offline(), size="1024x1024").results[0]
    assert result.leak is not None
    assert (result.leak.share, result.leak.mean) == (0.0, 0.0)
    assert result.shift is not None
    assert (result.shift.red, result.shift.green, result.shift.blue) == (0, 0, 0)


@pytest.mark.slow
def test_padding_is_no_leak(server: Server, client: Client, photo: Image.Image) -> None:
    """What the model paints over padding is thrown away, and does not count."""
    wide = photo.resize((96, 32))
    mask = Mask((96, 32)).rectangle((0, 0, 60, 32))
    run = edit(wide, "x", mask=mask, client=client, model="dall-e-2", size="1024x1024", fit="pad")
    sent = run.request.image[0].pixels.convert("RGB")
    answer = Image.new("RGB", (1024, 1024), "lime")
    answer.paste(sent.crop((0, 342, 1024, 682)), (0, 342))
    server.answer = json_reply(pictures(answer))
    leak = (
        edit(wide, "x", mask=mask, client=client, model="dall-e-2", size="1024x1024", fit="pad")
        .results[0]
        .leak
    )
    assert leak is not None
    assert leak.share == 0


def test_colour_shift(server: Server, client: Client) -> None:
    """An answer whose colours are off as a whole is measured and evened out; the raw answer keeps them."""
    source = _noise((8, 8), 4).point(lambda level: 60 + level // 2).resize((256, 256))
    mask = Mask((256, 256)).ellipse((80, 80, 180, 180))
    server.answer = json_reply(pictures(Image.eval(source, lambda level: level + 20)))
    result = edit(source, "x", mask=mask, client=client, fit="none").results[0]
    assert result.shift is not None
    assert (result.shift.red, result.shift.green, result.shift.blue) == pytest.approx((20, 20, 20), abs=0.5)
    assert np.abs(np.asarray(result.image, int) - np.asarray(source)).max() <= 1


def test_extended(server: Server, client: Client, photo: Image.Image) -> None:
    """A photo with more room keeps every pixel it had, and the room is filled and opaque."""
    wider, mask = extend(photo, left=20, bottom=10)
    server.answer = json_reply(pictures(Image.new("RGB", (1024, 1024), "lime")))
    result = edit(wider, "more of it", mask=mask, client=client, size="1024x1024").results[0]
    made = np.asarray(result.image)
    assert made.shape == (74, 84, 4)
    assert np.array_equal(made[:64, 20:, :3], np.asarray(photo))
    assert (made[..., 3] == 255).all()
    assert (made[64:, :20] == (0, 255, 0, 255)).all()


@pytest.mark.slow
@pytest.mark.dear
@pytest.mark.parametrize("edges", ["transparent", "white", "black"])
def test_mask_as_a_picture(server: Server, client: Client, photo: Image.Image, edges: Any) -> None:
    """A mask given as a picture protects as a Mask does, whichever way round it was drawn."""
    drawn = Mask((64, 64)).rectangle(BOX)
    grey = drawn.to_image()
    given: Any = drawn.to_png()
    if edges != "transparent":
        given = Mask.from_image(
            grey if edges == "white" else Image.eval(grey, lambda value: 255 - value), edit=edges
        )
    server.answer = json_reply(pictures(_noise((64, 64))))
    result = edit(photo, "x", mask=given, client=client).results[0]
    assert _outside(result.image, drawn) == _outside(photo, drawn)
    alpha = decoded(base64.b64decode(server.posts[0].json["mask"].split(",")[1])).getchannel("A")
    assert np.array_equal(np.asarray(alpha) == 0, drawn.resize((1024, 1024)).to_array())


# On the way


def test_sent_in_a_format_the_model_takes(server: Server, client: Client, photo: Image.Image) -> None:
    """A JPEG goes to a model that takes only PNG as a PNG with the same pixels."""
    run = edit(encoded(photo, "JPEG"), "x", client=client, model="dall-e-2", fit="none")
    (url,) = server.posts[0].json["image"]
    assert url.startswith("data:image/png;base64,")
    sent = decoded(base64.b64decode(url.split(",")[1]))
    assert sent.convert("RGB").tobytes() == run.source.pixels.tobytes()


@pytest.mark.slow
def test_several_pictures(server: Server, client: Client, photo: Image.Image, mask: Mask) -> None:
    """Of several pictures the first is the one that is edited, and the one that the mask is for."""
    server.answer = json_reply(pictures(_noise((64, 64))))
    run = edit([photo, Image.new("RGB", (40, 30), "red")], "x", mask=mask, client=client)
    assert len(server.posts[0].json["image"]) == 2
    assert _outside(run.results[0].image, mask) == _outside(photo, mask)


@pytest.mark.slow
def test_results_have_numbers_and_names(
    server: Server, client: Client, photo: Image.Image, tmp_path: Path
) -> None:
    """Several results are numbered from 1 and are named after the source."""
    path = tmp_path / "my room.png"
    photo.save(path)
    server.answer = json_reply(pictures(_noise((64, 64), 1), _noise((64, 64), 2)))
    run = edit(path, "x", n=2, client=client)
    assert [(result.number, result.picture.name) for result in run.results] == [
        (1, "my room-edit-1"),
        (2, "my room-edit-2"),
    ]
    assert repr(run) == "Run(done, 2 results)"
    masked = edit(path, "x", mask=Mask((64, 64)).rectangle(BOX), client=client).results[0]
    assert (masked.number, masked.picture.name) == (1, "my room-edit-1")
    # Whatever the source was, the results lose nothing.
    assert [result.file().mime for result in (*run.results, masked)] == ["image/png"] * 3
    saved = run.results[1].save(tmp_path / "out.png")
    assert decoded(saved.read_bytes()).tobytes() == _noise((64, 64), 2).tobytes()


def test_one_result_missing(server: Server, client: Client, photo: Image.Image) -> None:
    """A result that could not be fetched does not cost the other, and the run's note says what is missing."""
    good = pictures(_noise((64, 64)))["data"][0]
    server.answer = json_reply({"data": [{"url": f"{server.origin}/gone.png"}, good]})
    server.routes["/gone.png"] = Reply(404)
    run = edit(photo, "x", n=2, client=client)
    assert [result.number for result in run.results] == [2]
    assert "answered 404" in run.note
    assert "fetch it again" in run.note


@pytest.mark.parametrize("wrong", ["no alpha", "size"])
def test_unchecked_mask(server: Server, client: Client, photo: Image.Image, wrong: str) -> None:
    """A mask that says nothing or has another size is sent with check=False, and does not cost the paid answer."""
    mask: Any = (
        Image.new("RGB", (64, 64)) if wrong == "no alpha" else Mask((32, 32)).rectangle((4, 4, 20, 20))
    )
    server.answer = json_reply(pictures(_noise((64, 64))))
    result = edit(photo, "x", mask=mask, client=client, check=False).results[0]
    assert result.raw.tobytes() == _noise((64, 64)).tobytes()
    assert result.kept == (wrong == "size")


def test_any_client(server: Server, photo: Image.Image, mask: Mask) -> None:
    """An AsyncClient does as well, and without a client and a key the embedded service answers."""
    assert not edit(photo, "x", client=AsyncClient(KEY, base_url=server.url)).results[0].offline
    run = edit(photo, "x", mask=mask, model="dall-e-2", size="256x256")
    assert run.results[0].offline
    assert len(server.posts) == 1


# What is not sent


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"prompt": "x" * 32_001}, "Shorten it by 1"),
        ({"n": 0}, "from 1 to 10"),
        ({"size": "640x480"}, "640x480"),
        ({"model": "dall-e-3"}, "can't edit"),
        ({"mask": Mask((64, 64)).to_png()}, "marks nothing"),
        ({"mask": Mask((64, 64)).rectangle(BOX).feather(900)}, "marks nothing"),
        ({"mask": Mask.from_array(np.full((64, 64), 127, np.uint8))}, "marks nothing"),
        ({"mask": Mask((32, 32)).rectangle((0, 0, 9, 9))}, "own size"),
        ({"image": []}, "no picture"),
    ],
)
@pytest.mark.parametrize("way", [edit, start_edit])
def test_problems_send_nothing(
    server: Server,
    client: Client,
    photo: Image.Image,
    environment: Path,
    way: Callable[..., Run],
    fields: dict[str, Any],
    words: str,
) -> None:
    """What the service would refuse is raised at once: nothing is sent, and nothing is logged."""
    with pytest.raises(InvalidRequestError, match=words) as caught:
        way(**{"image": photo, "prompt": "x", "client": client} | fields)
    assert caught.value.problems
    assert server.connections == 0
    assert not environment.exists()


def test_other_ways_to_fit(server: Server, client: Client, photo: Image.Image) -> None:
    """A way of fitting that there is none of, and a crop to nothing, are refused before anything is sent."""
    with pytest.raises(FitError, match="Use one of auto, crop"):
        edit(photo, "x", client=client, fit="stretch")
    with pytest.raises(FitError, match="Paint a mask first"):
        edit(photo, "x", client=client, fit="crop")
    assert server.connections == 0


def test_misspelt_option(server: Server, client: Client, photo: Image.Image) -> None:
    """A misspelt option is refused with the right one."""
    with pytest.raises(TypeError, match="'size'"):
        edit(photo, "x", client=client, sise="1024x1024")  # type: ignore[call-arg]
    assert server.connections == 0


def test_no_log(server: Server, client: Client, photo: Image.Image, environment: Path) -> None:
    """With log=False nothing is written, and the run works as ever."""
    run = edit(photo, "x", client=client, log=False)
    assert run.log is None
    assert run.results
    assert not environment.exists()


def test_default_log(
    server: Server, client: Client, photo: Image.Image, environment: Path, tmp_path: Path
) -> None:
    """Without a word about it a run is logged in the data folder, and elsewhere where that is asked for."""
    edit(photo, "x", client=client)
    assert [row.state for row in RunLog(environment).rows()] == ["done"]
    edit(photo, "y", client=client, log=RunLog(tmp_path / "mine"))
    assert [row.prompt for row in RunLog(tmp_path / "mine").rows()] == ["y"]
    assert len(RunLog(environment).rows()) == 1


@pytest.mark.parametrize("way", ["a file in the way", "no database"])
def test_log_that_can_not_be_written(
    server: Server, client: Client, photo: Image.Image, tmp_path: Path, way: str
) -> None:
    """Where the run can't be logged nothing is sent, and the error says how to go on."""
    folder = tmp_path / "log"
    if way == "a file in the way":
        folder.write_text("a file")
    else:
        folder.mkdir()
        (folder / "runs.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(ResultError, match="log=False"):
        edit(photo, "x", client=client, log=RunLog(folder))
    assert server.connections == 0


def test_goes_on_in_the_background(server: Server, client: Client, photo: Image.Image) -> None:
    """start_edit returns while the service is still at work."""
    gate = server.event()
    server.answer = Reply(200, json_reply(pictures(_noise((64, 64)))).body, hold=gate)
    run = start_edit(photo, "x", client=client)
    server.wait_for(1)
    assert (run.status, run.done, run.results) == ("waiting", False, ())
    gate.set()
    assert run.wait(PATIENCE).results


def test_fitted(photo: Image.Image, mask: Mask) -> None:
    """What is about to be sent can be looked at: the request as it goes out, and the plan in words."""
    request = EditRequest.make(
        image=encoded(photo, "WEBP"), prompt="x", mask=mask, model="dall-e-2", size="256x256"
    )
    sent, plan = fitted(request)
    assert plan is not None
    assert sent.image_files[0].mime == "image/png"
    assert sent.problems() == ()
    there = "Sends 256x256 as PNG, returns into 64x64. The picture is scaled up to 400%."
    assert plan.words == f"{there} {mask.meaning.words}"
    assert "of the picture and protects" in plan.masked
    assert (sent.size, sent.image[0].size) == ("256x256", (256, 256))
    assert isinstance(sent.mask, Mask)
    assert sent.mask.size == (256, 256)
    without = EditRequest(prompt="x")
    assert (prepared(without).sent, prepared(without).plan) == (without, None)

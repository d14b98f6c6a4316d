"""Situations that people met: each from the outside, through the package's public names alone, in one short test.

The files in `fixtures` were made for these; each stands for a kind, of which a case or two more follow it.
"""

from __future__ import annotations

import base64
import contextlib
import io
import multiprocessing
import pickle
import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import ipywidgets
import ipywidgets.embed
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from pycocotools import mask as coco

import ttapi_nb as tt
from tests.picture.making import png
from tests.server import Reply, Server, encoded, json_reply
from tests.support.folders import contents

FIXTURES = Path(__file__).parent / "fixtures"
FIELD = FIXTURES / "field"
SIZE = (48, 36)
TEAL = (0, 128, 128)
PHOTO = Image.new("RGB", SIZE, TEAL)
# An answer of this costs little.
SMALL: dict[str, Any] = {"model": "dall-e-2", "size": "256x256", "log": False}
BOX = (8, 6, 20, 16)
TRUE = np.zeros(SIZE[::-1], bool)
TRUE[6:16, 8:20] = True


def flat(image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
    """One light grey everywhere, in the mask and around it."""
    return Image.new("RGB", image.size, (230, 230, 230))


def edited(photo: Any, mask: Any = None, **more: Any) -> tt.Run:
    """The run of an edit that repaints everything."""
    return tt.edit(photo, "x", mask=mask, client=tt.Client.offline(fill=flat), **SMALL | more)


def layer(colour: Any) -> Image.Image:
    """The box painted in a colour on transparency."""
    image = Image.new("RGBA", SIZE)
    image.paste(colour, BOX)
    return image


# Weak masks

WEAK = {
    "a stroke feathered away": tt.Mask(SIZE).paint([(24, 18)], radius=4).feather(100),
    "a stroke shrunk away": tt.Mask(SIZE).paint([(24, 18)], radius=4).shrink(30),
    "a level under one half all over": tt.Mask.from_array(np.full(SIZE[::-1], 127, np.uint8)),
    "a trace of one level": tt.Mask.from_array(np.eye(36, 48, dtype=np.float32) / 255),
    "an array of which nothing is marked": tt.Mask.from_array(np.zeros(SIZE[::-1], bool)),
}


@pytest.mark.parametrize("kind", WEAK)
def test_a_mask_that_edits_nothing_is_never_sent_as_no_mask(server: Server, kind: str) -> None:
    """Editor and headless edit say the same in words, and no request leaves."""
    client = tt.Client("test-key-0123456789", base_url=server.url)
    with pytest.raises(tt.InvalidRequestError, match="The mask marks nothing"):
        tt.edit(PHOTO, "x", mask=WEAK[kind], client=client, log=False)
    editor = tt.ImageEditor(PHOTO, client=client, log=False, prompt="x")
    editor.mask = WEAK[kind]
    assert ["The mask marks nothing" in problem for problem in editor.problems] == [True]
    with pytest.raises(tt.InvalidRequestError, match="The mask marks nothing"):
        editor.run()
    editor.close()
    assert server.posts == []


@pytest.mark.parametrize("protects", ["a level of one everywhere", "a fixture", "all of it masked"])
def test_a_mask_that_protects_nothing_keeps_nothing(protects: str) -> None:
    """No leak is told where nothing was protected, nothing is said to be kept, and the note says why."""
    size, mask = SIZE, tt.Mask(SIZE).invert()
    if protects == "a fixture":
        size, mask = (128, 128), tt.Mask.read(FIXTURES / "mask_alpha254.png")
    elif protects == "a level of one everywhere":
        mask = tt.Mask.from_array(np.where(TRUE, 255, 1).astype(np.uint8))
    run = edited(Image.new("RGB", size, TEAL), mask)
    (result,) = run.results
    assert (result.leak, result.kept) == (None, False)
    assert "Nothing was protected" in result.note
    assert "protects nothing" in run.plan.words


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16, np.float32, bool, list])
def test_ones_and_zeros_are_true_and_false(kind: Any) -> None:
    """Where the greatest value is 1, that is the edit, whatever holds the numbers."""
    given = TRUE.astype(int).tolist() if kind is list else TRUE.astype(kind)
    assert np.array_equal(tt.Mask.from_array(given).to_array(), TRUE)
    asked = edited(PHOTO, given).asked.request.mask
    assert isinstance(asked, tt.Mask)
    assert np.array_equal(asked.to_array(), TRUE)


@pytest.mark.parametrize("name", ["white_on_transparent_white.png", "mask_white_on_transparent.png"])
def test_white_that_is_transparent_is_no_paint(name: str) -> None:
    """A white stroke on transparent white is the stroke alone, as white paint and as paint; unsaid, both are named."""
    for edit in ("white", "painted"):
        assert tt.Mask.from_image(FIXTURES / name, edit=edit).area == 1024
    with pytest.raises(tt.MaskError, match=r'edit="painted" would edit 6\.2% .* edit="transparent" 94%'):
        tt.Mask.read(FIXTURES / name)


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize("width", [1, 3, 4])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_a_strip_along_the_border_is_filled_as_anywhere(side: str, width: int, fit: str) -> None:
    """However thin, all of it is the answer, and beside it all is the photo."""
    wide, high = SIZE
    boxes = {"left": (0, 0, width, high), "top": (0, 0, wide, width), "right": (wide - width, 0, wide, high)}
    box = boxes.get(side, (0, high - width, wide, high))
    mask = tt.Mask(SIZE).rectangle(box)
    pixels = np.asarray(edited(PHOTO, mask, fit=fit).results[0].image)
    assert (pixels[mask.to_array()] == 230).all()
    assert (pixels[~mask.to_array()] == TEAL).all()


# The photo's own colours


def deep() -> bytes:
    """A PNG of 16 bits a channel, with grain in the lower ones."""
    return png(np.random.default_rng(4).integers(0, 65536, (36, 48, 3), np.uint16))


@pytest.mark.dear
@pytest.mark.parametrize("name", ["p3.png", "adobe.jpg", "gray_g1.0.jpg", "gama1.png", "deep"])
def test_what_is_protected_keeps_the_files_own_numbers(tmp_path: Path, name: str) -> None:
    """Saved, it has the profile and depth of the photo, and outside the mask its very numbers."""
    photo = tt.open_image(deep(), name="deep.png") if name == "deep" else tt.open_image(FIELD / name)
    width, height = photo.size
    mask = tt.Mask(photo.size).rectangle((0, 0, width // 3, height // 3))
    result = edited(photo, mask).results[0]
    saved = tt.open_image(result.save(tmp_path / "saved.png"))
    assert photo.own is not None
    assert saved.own is not None
    before, after = photo.own.numbers(), saved.own.numbers()
    assert np.array_equal(before[mask.coverage() == 0], after[mask.coverage() == 0])
    assert not np.array_equal(before[mask.to_array()], after[mask.to_array()])
    same = ("mode", "depth", "profile", "gamma")
    assert [getattr(saved.own, one) for one in same] == [getattr(photo.own, one) for one in same]
    assert result.image.mode == "RGB"


def test_inks_stay_where_the_kind_of_file_has_them(tmp_path: Path) -> None:
    """A CMYK photo is CMYK in a TIFF, with its own numbers outside the mask, and in a PNG it is said that it is not."""
    photo = tt.open_image(FIELD / "cmyk.jpg")
    mask = tt.Mask(photo.size).rectangle((0, 0, photo.size[0] // 3, photo.size[1] // 3))
    result = edited(photo, mask).results[0]
    with Image.open(result.save(tmp_path / "x.tif")) as saved:
        assert saved.mode == "CMYK"
        assert photo.own is not None
        outside = mask.coverage() == 0
        assert np.array_equal(np.asarray(saved)[outside], photo.own.numbers()[outside])
    result.save(tmp_path / "x.png")
    assert "CMYK" in result.saved_note


@pytest.mark.parametrize("name", ["gama1.png", "gray_g1.0.jpg"])
def test_a_file_that_counts_light_is_shown_as_browsers_show_it(name: str) -> None:
    """Linear numbers are brought to sRGB by its curve, to within a level."""
    photo = tt.open_image(FIELD / name)
    assert photo.own is not None
    light = photo.own.numbers().astype(float) / 255
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    shown = np.asarray(photo.pixels, float)
    expected = curve if curve.ndim == 3 else np.repeat(curve[..., None], 3, axis=2)
    assert np.abs(shown - expected).max() <= 1
    assert photo.changes


def test_sixteen_bits_that_a_kind_of_file_can_not_hold_are_said(tmp_path: Path) -> None:
    """The photo's depth is told at once, and where it is lost, in one sentence."""
    run = edited(tt.open_image(deep(), name="deep.png"), tt.Mask(SIZE).rectangle(BOX))
    assert "16 bits" in run.plan.words
    assert "16 bits" in run.results[0].note
    run.results[0].save(tmp_path / "x.jpg")
    assert "16" in run.results[0].saved_note


@pytest.mark.parametrize(("mode", "kind"), [("I", np.int32), ("F", np.float32), ("I;16", np.uint16)])
def test_numbers_in_a_pil_image_are_judged_as_in_an_array(mode: str, kind: Any) -> None:
    """Levels of 0 to 255 are levels, for a photo and for a mask."""
    levels = np.random.default_rng(0).integers(0, 256, SIZE[::-1]).astype(kind)
    image = Image.fromarray(levels)
    assert image.mode == mode
    shown = np.asarray(tt.open_image(image).pixels)[..., 0]
    assert np.array_equal(shown, np.asarray(tt.open_image(levels).pixels)[..., 0])
    assert np.array_equal(shown, levels.astype(np.uint8))
    mask = tt.Mask.from_image(Image.fromarray((TRUE * 255).astype(kind)), edit="white")
    assert np.array_equal(mask.to_array(), TRUE)


@pytest.mark.parametrize("name", ["big_iTXt.png", "iccp_method1.png", "jpeg_no_eoi.jpg"])
def test_sound_files_with_an_odd_part_open(name: str) -> None:
    """What browsers show is opened and can be edited; what was skipped is noted."""
    photo = tt.open_image(FIELD / name)
    assert np.asarray(photo.pixels).std() > 1
    assert photo.changes
    mask = tt.Mask(photo.size).rectangle((0, 0, *photo.size)).rectangle((0, 0, 9, 9), erase=True)
    assert edited(photo, mask).results[0].kept


def test_a_hole_without_a_mask_is_said_and_offered() -> None:
    """The plan says that the whole may change and how to ask for the hole alone, which is then all that changes."""
    photo = tt.open_image(FIXTURES / "hole.png")
    said = edited(photo).plan.words
    assert "whole picture may change" in said
    assert "Mask.hole_of" in said
    hole = tt.Mask.hole_of(photo)
    pixels = np.asarray(edited(photo, hole).results[0].image.convert("RGB"))
    outside = hole.coverage() == 0
    assert np.array_equal(pixels[outside], np.asarray(photo.pixels.convert("RGB"))[outside])


# The network, and what was paid for


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have proxies of their own."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
    ],
)
def test_a_setting_of_the_environment_that_can_not_work_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Before anything is sent, the error names the variable; offline there is nothing to say."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "socksio", None)
    client = tt.Client("test-key-0123456789", base_url=server.url)
    with pytest.raises(tt.NotSentError, match=f"{variable} names .*nothing was sent or billed"):
        tt.edit(PHOTO, "x", client=client, **SMALL)
    assert server.connections == 0
    assert edited(PHOTO).results[0].image.size == SIZE


@pytest.mark.usefixtures("no_proxies")
def test_addresses_of_six_may_be_left_out_of_a_proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY with such addresses and networks is understood, and the service is asked straight."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "::1,[2001:db8::1],2001:db8::/32,127.0.0.1")
    client = tt.Client("test-key-0123456789", base_url=server.url)
    tt.edit(PHOTO, "x", client=client, **SMALL)
    assert len(server.posts) == 1


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_that_wants_a_name_is_said_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's own 407 is not taken for the service's answer: nothing was sent or billed."""
    server.answer = Reply(407)
    monkeypatch.setenv("HTTPS_PROXY", server.origin)
    client = tt.Client("test-key-0123456789", base_url="https://api.example.com/v1")
    with pytest.raises(tt.NotSentError, match="HTTPS_PROXY names wants a user name"):
        tt.edit(PHOTO, "x", client=client, **SMALL)
    assert [request.method for request in server.requests] == ["CONNECT"]


WRITTEN = {
    "line breaks": lambda data: base64.encodebytes(data).decode(),
    "no padding": lambda data: base64.b64encode(data).decode().rstrip("="),
    "letters for addresses": lambda data: base64.urlsafe_b64encode(data).decode(),
    "a data URL": lambda data: "data:image/png;base64," + base64.b64encode(data).decode(),
}


@pytest.mark.parametrize("field", ["b64_json", "url"])
@pytest.mark.parametrize("written", WRITTEN)
def test_a_paid_answer_is_read_however_it_is_written(server: Server, written: str, field: str) -> None:
    """Base64 of any usual writing is the picture, also where an address should be."""
    answer = encoded(Image.effect_noise((64, 64), 90).convert("RGB"))
    text = WRITTEN[written](answer)
    if field == "url" and written != "a data URL":
        text = f"data:image/png;base64,{text}"
    server.answer = json_reply({"created": 1, "data": [{field: text}]})
    client = tt.Client("test-key-0123456789", base_url=server.url)
    result = tt.edit(PHOTO, "x", client=client, **SMALL).results[0]
    assert result.data.data == answer


def test_an_answer_nobody_understands_keeps_its_bytes(server: Server, environment: Path) -> None:
    """What was paid for is in the data folder as it came, and the error says where."""
    server.answer = Reply(200, b'{"created": 1, "data": [{"b64_json": "!!! not a picture"}]}')
    client = tt.Client("test-key-0123456789", base_url=server.url)
    with pytest.raises(tt.TTAPIError):
        tt.edit(PHOTO, "x", client=client, **SMALL | {"log": None})
    assert [path for path, data in contents(environment).items() if b"!!! not" in data]


@contextlib.contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file may grow over `size` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["old.png", "old.tif", "old.jpg"])
def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, name: str) -> None:
    """Saving over a file either writes all of the new one or leaves the old one, with an error of ours."""
    noise = Image.effect_noise((400, 300), 90).convert("RGB")
    result = edited(noise, tt.Mask(noise.size).rectangle((0, 0, 40, 40))).results[0]
    old = tmp_path / name
    old.write_bytes(b"what was there")
    with little_room(2000), pytest.raises(tt.TTAPIError):
        result.save(old)
    assert old.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [old]
    result.save(old)
    assert tt.open_image(old).size == noise.size


# Notebooks, processes, and forms of pictures


def test_widgets_of_others_can_be_exported_beside_ours(tmp_path: Path) -> None:
    """While a result is shown, a page of any widget can be written, and one with ours as well."""
    viewer = tt.ResultViewer(edited(PHOTO))
    for views in ([ipywidgets.IntSlider()], [viewer]):
        ipywidgets.embed.embed_minimal_html(str(tmp_path / "x.html"), views=views)
        assert "widget-view" in (tmp_path / "x.html").read_text()
    viewer.close()


def test_what_should_work_or_be_a_sentence_of_ours() -> None:
    """Lists as masks, answers as pictures and odd settings: none of them ends in an error of Python's."""
    assert tt.Mask.from_array(TRUE.tolist()).area == TRUE.sum()
    with pytest.raises(tt.MaskError, match="one length"):
        tt.Mask.from_array([[1, 0], [1]])
    good: Any = httpx.Response(200, content=encoded(PHOTO))
    bad: Any = httpx.Response(404, content=b"no")
    assert tt.open_image(good).size == SIZE
    with pytest.raises(tt.ImageError):
        tt.open_image(bad)
    with contextlib.suppress(tt.SettingsError):
        tt.Client("test-key-0123456789", timeout=None)  # type: ignore[arg-type]
    with pytest.raises(tt.SettingsError):
        tt.Client("test-key-0123456789", timeout="soon")  # type: ignore[arg-type]


@pytest.mark.slow
def test_runs_travel_between_processes() -> None:
    """A run can be pickled, and a pool of processes can edit: its results come back whole."""
    mask = tt.Mask(SIZE).rectangle(BOX)
    run = edited(PHOTO, mask)
    again = pickle.loads(pickle.dumps(run))
    assert np.array_equal(np.asarray(again.results[0].image), np.asarray(run.results[0].image))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(tt.edit, PHOTO, "a red bowl", mask=mask, **SMALL).result(60)
    assert there.results[0].image.size == SIZE
    assert there.results[0].kept


def test_one_opener_takes_pictures_of_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths from home, addresses of files, data URLs, uploads, results and arrays are the same photo at every door."""
    monkeypatch.setenv("HOME", str(tmp_path))
    colours = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    file = encoded(Image.fromarray(colours))
    (tmp_path / "x.png").write_bytes(file)
    upload = {"name": "x.png", "type": "image/png", "size": len(file), "content": memoryview(file)}
    result: Any = edited(Image.fromarray(colours), tt.Mask(SIZE)).results[0]
    forms: dict[str, Any] = {
        "home": "~/x.png",
        "file address": (tmp_path / "x.png").as_uri(),
        "data URL": "data:image/png;base64," + base64.b64encode(file).decode(),
        "upload 8": (upload,),
        "upload 7": {"x.png": {"metadata": {"name": "x.png"}, "content": file}},
        "reader": io.BytesIO(file),
        "array": colours,
        "batch": colours[None],
        "channels first": np.ascontiguousarray(colours.transpose(2, 0, 1)),
    }
    for form, given in forms.items():
        assert np.array_equal(np.asarray(tt.open_image(given).pixels), colours), form
    for form in ("home", "upload 8", "data URL"):
        assert edited(forms[form]).source.size == SIZE
        editor = tt.ImageEditor(forms[form], client=tt.Client.offline(), log=False)
        drawer = tt.MaskDrawer(forms[form])
        assert drawer.mask.size == SIZE
        editor.close()
        drawer.close()
    assert np.array_equal(np.asarray(tt.open_image(colours[..., ::-1], bgr=True).pixels), colours)
    assert tt.open_image(result).size == SIZE
    assert tt.open_image(result.data).size == result.raw.size
    assert np.array_equal(tt.Mask.from_array(TRUE[None]).to_array(), TRUE)


# Masks of other tools


def other_tools() -> dict[str, Any]:
    """The same box as several tools hand it over."""
    runs = coco.encode(np.asfortranarray(TRUE.astype(np.uint8)))
    corners = [[8, 6], [19, 6], [19, 15], [8, 15]]
    return {
        "gradio's editor": {"background": PHOTO, "layers": [layer("red")], "composite": PHOTO},
        "Segment Anything's list": [{"segmentation": TRUE, "area": 120, "predicted_iou": 0.9}],
        "logits": np.where(TRUE, 4.0, -6.0)[None],
        "run lengths": runs,
        "run lengths as text": {**runs, "counts": runs["counts"].decode()},
        "polygons": [{"segmentation": [[8, 6, 20, 6, 20, 16, 8, 16]]}],
        "labelme": {"shapes": [{"label": "a", "points": corners}], "imageWidth": 48, "imageHeight": 36},
        "contours": [np.array(corners, np.int32)[:, None]],
    }


@pytest.mark.parametrize("tool", other_tools())
def test_masks_of_other_tools_mark_what_was_marked(tool: str) -> None:
    """Read, and given to an edit as they are, they edit the box and nothing else."""
    given = other_tools()[tool]
    mask = tt.Mask.read(given, photo=PHOTO)
    assert np.array_equal(mask.to_array(), TRUE)
    assert mask.read_as
    pixels = np.asarray(edited(PHOTO, given).results[0].image)
    assert (pixels[~TRUE] == TEAL).all()
    assert (pixels[TRUE] != TEAL).any()


def test_a_soft_layer_of_black_is_not_guessed() -> None:
    """Where paint may be meant or its opposite, both are named, and nothing is sent."""
    image = layer((0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse(BOX, fill="black")
    soft = image.filter(ImageFilter.GaussianBlur(1))
    with pytest.raises(tt.TTAPIError, match="two ways"):
        edited(PHOTO, soft)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_a_photo_that_was_turned_is_offered_a_turn(orientation: int) -> None:
    """EXIF turned the photo and not the mask: that is said with the way to turn it, which brings it to its place."""
    exif, colours = Image.Exif(), Image.new("RGB", SIZE, TEAL)
    exif[0x0112] = orientation
    colours.paste((200, 30, 30), BOX)
    photo = tt.open_image(encoded(colours, "JPEG", exif=exif, quality=95, subsampling=0))
    assert photo.size == SIZE[::-1]
    with pytest.raises(tt.MaskError, match=r'turned upright.*turn="exif"'):
        tt.Mask.read(TRUE, photo=photo)
    mask = tt.Mask.read(TRUE, photo=photo, turn="exif")
    red = np.asarray(photo.pixels)[..., 0] > 100
    assert np.array_equal(mask.to_array(), red)

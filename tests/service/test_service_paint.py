"""What an edit does to the pixels."""

from __future__ import annotations

import colorsys
import itertools
import os
import threading
from typing import Any

import numpy as np
import patchmatch
import pytest
from PIL import Image, ImageColor

from ttapi_nb.service import Service
from ttapi_nb.service.paint import fills_of


def hue(pixels: np.ndarray[Any, Any]) -> float:
    """The hue of the mean colour, in degrees."""
    return 360 * colorsys.rgb_to_hsv(*(pixels.reshape(-1, 3).mean(axis=0) / 255))[0]


def apart(one: float, other: float) -> float:
    """How far two hues lie apart, in degrees."""
    return abs((one - other + 180) % 360 - 180)


@pytest.mark.fine
@pytest.mark.slow
def test_outside_the_hole_no_bit_changes(ask: Any, photo: Image.Image, hole: Any) -> None:
    """In a PNG of equal size, each pixel outside the mask is what it was, and most inside are not."""
    result = ask(prompt="a red wall").pixels
    source = np.asarray(photo)
    np.testing.assert_array_equal(result[~hole], source[~hole])
    assert (result[hole] != source[hole]).any(axis=1).mean() > 0.95


@pytest.mark.fine
@pytest.mark.slow
def test_a_photo_of_1024_keeps_its_outside_too(ask: Any, make_photo: Any, mask_for: Any) -> None:
    """The same holds where the fill is made at a lower resolution than the picture's."""
    photo = make_photo(1024, 1024)
    result = ask(image=photo, mask=mask_for(photo.size, (300, 300, 724, 724)), size="1024x1024").pixels
    inside = np.zeros((1024, 1024), bool)
    inside[300:724, 300:724] = True
    np.testing.assert_array_equal(result[~inside], np.asarray(photo)[~inside])
    assert (result[inside] != np.asarray(photo)[inside]).any(axis=1).mean() > 0.95


@pytest.mark.fine
def test_the_fill_comes_from_the_rest_of_the_picture(ask: Any, photo: Image.Image, hole: Any) -> None:
    """An object in the hole is gone, and what is there instead has the colours around it."""
    busy = photo.copy()
    busy.paste((0, 255, 0), (70, 100, 150, 170))
    result = ask(image=busy).pixels
    assert apart(hue(result[hole]), hue(np.asarray(photo)[hole])) < 15
    assert not (result[110:160, 80:140] == (0, 255, 0)).all(axis=2).any()


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["red", "Blue", "GREEN", "yellow", "purple", "teal"])
def test_a_colour_word_tints_the_fill(ask: Any, hole: Any, colour: str) -> None:
    """The fill takes the hue of a colour that the prompt names, and keeps some texture."""
    filled = ask(prompt=f"a {colour} door.").pixels[hole]
    wanted = np.array(ImageColor.getrgb(colour.lower()))
    assert apart(hue(filled), hue(wanted)) < 20
    assert filled.mean(axis=1).std() > 2


@pytest.mark.slow
@pytest.mark.parametrize(("words", "level"), [("black", 70), ("white", 190)])
def test_black_and_white_act_too(ask: Any, hole: Any, words: str, level: int) -> None:
    """Colours without a hue show in how light the fill is."""
    mean = ask(prompt=words).pixels[hole].mean()
    assert mean < level if words == "black" else mean > level


@pytest.mark.slow
def test_colour_names_may_be_written_apart(ask: Any, hole: Any) -> None:
    """`dark green` is the one colour that CSS calls darkgreen."""
    apart_, joined = ask(prompt="dark green").pixels[hole], ask(prompt="darkgreen").pixels[hole]
    plain = ask(prompt="green").pixels[hole]
    assert abs(apart_.mean() - joined.mean()) < 2
    assert apart_.mean() < plain.mean()


@pytest.mark.slow
def test_a_colour_word_counts_only_as_a_word(ask: Any, hole: Any) -> None:
    """`hundred` holds `red` but does not mean it."""
    assert apart(hue(ask(prompt="a hundred walls").pixels[hole]), hue(ask(prompt="walls").pixels[hole])) < 5


def test_several_colours_blend_from_top_to_bottom(ask: Any) -> None:
    """Of two colours the first shows at the hole's top and the second at its bottom."""
    result = ask(prompt="from blue to yellow").pixels
    assert apart(hue(result[104:112, 80:144]), 240) < 30
    assert apart(hue(result[160:168, 80:144]), 60) < 30


@pytest.mark.slow
def test_results_of_one_request_differ_and_come_again(ask: Any, hole: Any) -> None:
    """Any two of n results differ visibly in the hole, and the same request gives the same ones."""
    first, second = (
        [np.asarray(image).astype(int) for image in ask(n=3).images],
        [np.asarray(image).astype(int) for image in ask(n=3).images],
    )
    for one, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, again)
    for number, other in ((0, 1), (0, 2), (1, 2)):
        difference = np.abs(first[number] - first[other])
        assert difference[hole].mean() > 4
        assert not difference[~hole].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "other", [{"service": Service(seed=1)}, {"prompt": "another wall"}], ids=["seed", "prompt"]
)
def test_seed_and_prompt_change_the_fill(ask: Any, other: dict[str, Any]) -> None:
    """Another seed or another prompt gives another result."""
    assert (ask().pixels != ask(**other).pixels).any()


def test_without_a_mask_the_whole_picture_is_painted(ask: Any, photo: Image.Image) -> None:
    """Without a mask the picture changes all over, is smoother, and is still the same picture."""
    result = ask(mask=None).pixels.astype(float)
    source = np.asarray(photo).astype(float)
    assert (result != source).any(axis=2).mean() > 0.9
    assert np.abs(np.diff(result, axis=1)).mean() < 0.6 * np.abs(np.diff(source, axis=1)).mean()
    assert np.corrcoef(result.mean(axis=0).mean(axis=1), source.mean(axis=0).mean(axis=1))[0, 1] > 0.95


def test_a_colour_word_acts_on_the_whole_picture(ask: Any) -> None:
    """Without a mask the whole picture takes the colour."""
    assert apart(hue(ask(mask=None, prompt="in blue").pixels), 240) < 30


def test_a_mask_over_everything_is_like_none(ask: Any, mask_for: Any) -> None:
    """Where the mask covers the whole picture, it is painted as without a mask."""
    whole = ask(mask=mask_for((256, 256), (0, 0, 256, 256))).pixels
    np.testing.assert_array_equal(whole, ask(mask=None).pixels)


def test_a_mask_without_a_hole_changes_nothing(ask: Any, mask_for: Any, photo: Image.Image) -> None:
    """A mask that is opaque all over gives the picture back."""
    np.testing.assert_array_equal(ask(mask=mask_for((256, 256), None)).pixels, np.asarray(photo))


@pytest.mark.fine
@pytest.mark.slow
@pytest.mark.dear
@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (255, 0, 256, 256), (0, 100, 256, 101), (0, 0, 256, 255), (1, 1, 255, 255)]
)
def test_holes_of_any_shape_are_filled(
    ask: Any, mask_for: Any, photo: Image.Image, box: tuple[int, ...]
) -> None:
    """A single pixel, a thin line, a border, and all but a border are painted, and nothing else is."""
    result = ask(mask=mask_for((256, 256), box), prompt="blue").pixels
    left, top, right, bottom = box
    changed = (result != np.asarray(photo)).any(axis=2)
    inside = changed[top:bottom, left:right]
    assert inside.mean() > 0.9
    assert changed.sum() == inside.sum()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["dall-e-2", "gpt-image-1"])
def test_a_pictures_own_transparency_is_its_mask(ask: Any, make_photo: Any, model: str) -> None:
    """Sent alone, a picture is edited where it is transparent, for every model, and becomes opaque there."""
    picture = make_photo(1024, 1024).convert("RGBA")
    picture.paste((0, 0, 0, 0), (400, 400, 500, 500))
    result = ask(image=picture, mask=None, mode=model, size="1024x1024", prompt="red").pixels
    inside = np.zeros((1024, 1024), bool)
    inside[400:500, 400:500] = True
    np.testing.assert_array_equal(result[~inside], np.asarray(picture)[~inside])
    assert (result[inside][:, 3] == 255).all()
    assert apart(hue(result[inside][:, :3]), 0) < 20


def test_transparency_outside_the_hole_stays(ask: Any, photo: Image.Image, hole: Any) -> None:
    """With a mask, a see-through picture keeps its alpha everywhere else."""
    picture = photo.convert("RGBA")
    picture.paste((10, 20, 30, 40), (0, 0, 40, 256))
    result = ask(image=picture).pixels
    np.testing.assert_array_equal(result[~hole], np.asarray(picture)[~hole])


def test_an_opaque_alpha_channel_is_no_mask(ask: Any, photo: Image.Image) -> None:
    """A picture with alpha that is nowhere transparent is painted as a whole, and stays opaque."""
    result = ask(image=photo.convert("RGBA"), mask=None).pixels
    assert (result[..., 3] == 255).all()
    np.testing.assert_array_equal(result[..., :3], ask(mask=None).pixels)


@pytest.mark.slow
def test_next_to_nothing_to_fill_from_is_enough(ask: Any, make_photo: Any, mask_for: Any) -> None:
    """Where all but one pixel is to change, all but that pixel is painted."""
    photo, mask = make_photo(1024, 1024), mask_for((1024, 1024), (0, 0, 1024, 1024))
    mask.putpixel((511, 511), (0, 0, 0, 255))
    changed = (ask(image=photo, mask=mask, size="1024x1024").pixels != np.asarray(photo)).any(axis=2)
    assert changed.mean() > 0.9
    assert not changed[511, 511]


@pytest.mark.dear
@pytest.mark.parametrize(
    ("picture", "given", "size"),
    [
        ((256, 256), {"size": "512x512"}, (512, 512)),
        ((100, 100), {"size": "auto"}, (256, 256)),
        ((300, 300), {"size": "auto"}, (512, 512)),
        ((1100, 1100), {"size": "auto"}, (1024, 1024)),
        ((90, 80), {"mode": "gpt-image-1", "size": "auto"}, (1024, 1024)),
        ((90, 50), {"mode": "gpt-image-1", "size": "auto"}, (1536, 1024)),
        ((50, 90), {"mode": "gpt-image-2", "size": "auto"}, (1024, 1536)),
        ((90, 50), {"mode": "gpt-image-2", "size": "1120x848"}, (1120, 848)),
    ],
)
def test_the_result_has_the_size_asked_for(
    ask: Any, make_photo: Any, picture: tuple[int, int], given: dict[str, Any], size: tuple[int, int]
) -> None:
    """`auto` is the smallest square that holds the picture, or the offered size nearest in shape."""
    assert ask(image=make_photo(*picture), mask=None, **given).images[0].size == size


@pytest.mark.slow
def test_another_shape_is_scaled_and_cut_with_its_mask(ask: Any, mask_for: Any) -> None:
    """A wide picture loses the same at both ends, and the hole stays where it was in the picture."""
    wide = Image.new("RGB", (300, 100), "gray")
    wide.paste("white", (0, 0, 90, 100))
    wide.paste("black", (210, 0, 300, 100))
    mask = mask_for((300, 100), (140, 40, 160, 60))
    result = ask(image=wide, mask=mask, mode="gpt-image-1", size="1024x1024", prompt="red").pixels
    assert (result[:, [30, 512, 990]][50] == 128).all()
    assert apart(hue(result[480:540, 480:540]), 0) < 10
    assert (result[:380] == 128).all()


@pytest.mark.fine
@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core works on one thing at a time")
def test_several_results_are_filled_side_by_side(
    photo: Image.Image, hole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four results take four searches, the first two of which are under way at once; each finds another fill, the first
    the one that it finds alone, and all leave what is around the hole.
    """
    alone = fills_of(photo, hole, 7, 1)
    both, calls, search = threading.Barrier(2, timeout=60), itertools.count(), patchmatch.inpaint

    def inpaint(*given: Any, **named: Any) -> Any:
        if next(calls) < 2:
            both.wait()
        return search(*given, **named)

    monkeypatch.setattr(patchmatch, "inpaint", inpaint)
    fills = fills_of(photo, hole, 7, 4)
    assert next(calls) == 4
    assert np.array_equal(fills[0], alone[0])
    assert len({fill.tobytes() for fill in fills}) == 4
    assert all(np.array_equal(fill[~hole], np.asarray(photo)[~hole]) for fill in fills)

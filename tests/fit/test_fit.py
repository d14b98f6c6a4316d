"""There and back between the picture's geometry and the model's."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image

import ttapi_nb
from tests.server import encoded
from tests.support.preparing import fitted
from tests.support.properties import examples
from ttapi_nb.errors import FitError, TTAPIError
from ttapi_nb.fit import AUTO_AREA, HOWS, Fit, extend, paste
from ttapi_nb.mask import Mask
from ttapi_nb.models import MODELS, model_for, parse_size
from ttapi_nb.picture import SourceImage, open_image
from ttapi_nb.request import EditRequest
from ttapi_nb.service import paint

EDITING = [name for name, row in MODELS.items() if row.edits]
UNKNOWN = "a-model-of-tomorrow"
sides = st.integers(1, 9000)
small_sides = st.integers(1, 90)
models = st.sampled_from([*EDITING, UNKNOWN])


def source(size: tuple[int, int] = (60, 40), format: str = "PNG", mode: str = "RGB") -> SourceImage:
    """A grey picture."""
    return SourceImage(Image.new(mode, size, "gray"), format, "room.png")


def smooth(size: tuple[int, int], mode: str = "RGB") -> SourceImage:
    """A picture of soft colours, no two places of which are alike."""
    seeds = np.random.default_rng(size[0] * 9001 + size[1]).integers(60, 200, (4, 4, len(mode)), np.uint8)
    return SourceImage(Image.fromarray(seeds).resize(size, Image.Resampling.BICUBIC), "PNG", "soft.png")


def textured(size: tuple[int, int]) -> SourceImage:
    """A picture with shapes that tell one place from another."""
    seeds = np.random.default_rng(3).integers(0, 256, (12, 12, 3), np.uint8)
    return SourceImage(Image.fromarray(seeds).resize(size, Image.Resampling.BICUBIC))


@st.composite
def boxes(draw: Any, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box of at least a pixel in a picture of that size."""
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    return left, top, draw(st.integers(left + 1, size[0])), draw(st.integers(top + 1, size[1]))


@st.composite
def plans(draw: Any, side: st.SearchStrategy[int] = sides) -> tuple[Fit, tuple[int, int, int, int] | None]:
    """Any plan: every model row, way and size that goes together, and the mask's bounds."""
    size, model, how = (draw(side), draw(side)), draw(models), draw(st.sampled_from(HOWS))
    bounds = draw(boxes(size)) if how in ("crop", "tiles") or draw(st.booleans()) else None
    asked = draw(st.sampled_from(model_for(model).sizes))
    return Fit.of_sizes(size, model, asked, how, bounds), bounds


# Geometry


@given(plans(), st.fractions(-100, 10_000), st.fractions(-100, 10_000))
@examples(500)
def test_there_and_back_is_exact(planned: Any, x: Fraction, y: Fraction) -> None:
    """Every point of every plan comes back to where it was: exactly in fractions, and in floats to a billionth."""
    fit, _ = planned
    assert fit.back_point(*fit.there_point(x, y)) == (x, y)
    assert fit.there_point(*fit.back_point(x, y)) == (x, y)
    assert fit.back_point(*fit.there_point(float(x), float(y))) == pytest.approx(
        (float(x), float(y)), abs=1e-9
    )


@given(plans())
@examples(1000)
def test_every_plan_holds_what_it_must(planned: Any) -> None:
    """The box's corners are the sent picture's, its shape is the sent one, and mask or picture lie wholly in it."""
    fit, bounds = planned
    (left, top, right, bottom), (width, height) = fit.box, fit.sent_size
    assert fit.there_point(Fraction(left), Fraction(top)) == (0, 0)
    assert fit.there_point(Fraction(right), Fraction(bottom)) == (width, height)
    if fit.how in ("crop", "pad") and fit.asked_size != "auto":
        # As nearly as whole pixels allow: a pixel more or less on one side would not be nearer.
        across, down = right - left, bottom - top
        assert min(abs(across - down * width / height), abs(down - across * height / width)) <= 0.5 + 1e-9
    if fit.how == "crop":
        assert bounds is not None
        assert left <= bounds[0] and top <= bounds[1] and right >= bounds[2] and bottom >= bounds[3]  # noqa: PT018
    else:
        assert left <= 0 and top <= 0 and right >= fit.source_size[0] and bottom >= fit.source_size[1]  # noqa: PT018
    inside = fit.inside
    assert inside[0] < inside[2]
    assert inside[1] < inside[3]


@given(plans())
@examples(500)
def test_every_plan_asks_for_what_the_model_takes(planned: Any) -> None:
    """What is sent has the size that is asked for, and that is one of the model's."""
    fit, _ = planned
    row = model_for(fit.model)
    assert row.takes_size(fit.asked_size)
    if fit.how != "none" and fit.asked_size != "auto":
        assert parse_size(fit.asked_size) == fit.sent_size
    if row.known and fit.how != "none":
        assert fit.asked_size != "auto"


@given(st.tuples(sides, sides), st.sampled_from(EDITING), st.data())
@examples(500)
def test_a_crop_is_padded_only_where_the_mask_leaves_no_other_way(
    size: tuple[int, int], model: str, data: Any
) -> None:
    """A box of the right shape that fits into the picture is never pushed over its edge."""
    bounds = data.draw(boxes(size))
    fit = Fit.of_sizes(size, model, how="crop", bounds=bounds)
    if fit.inside != fit.box:
        wide, high = fit.sent_size
        scale = min(size[0] / wide, size[1] / high)
        context = max(8, math.ceil(max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / 8) - 1)
        needed = (
            min(bounds[2] - bounds[0] + 2 * context, size[0]),
            min(bounds[3] - bounds[1] + 2 * context, size[1]),
        )
        assert needed[0] > scale * wide - 2 or needed[1] > scale * high - 2


@given(st.tuples(sides, sides))
@examples(300)
def test_auto_asks_a_free_model_for_the_pictures_own_shape(size: tuple[int, int]) -> None:
    """A model that takes any size is asked for the shape of the picture, and for no more pixels than it can use."""
    rule = MODELS["gpt-image-2"].size_rule
    assert rule is not None
    fit = Fit.of_sizes(size, "gpt-image-2")
    (width, height), area = fit.sent_size, size[0] * size[1]
    assert rule.takes(width, height)
    assert width * height <= AUTO_AREA
    assert width * height <= 1.3 * max(area, rule.least_area)
    if 1 / 3 <= size[0] / size[1] <= 3:
        assert width / height == pytest.approx(size[0] / size[1], rel=0.04)


@pytest.mark.parametrize(
    ("model", "size", "bounds", "how", "sent"),
    [
        # A small mask on a large photo: the model's pixels go where the edit is.
        ("gpt-image-1", (6000, 4000), (3000, 2000, 3200, 2150), "crop", (1024, 1024)),
        ("gpt-image-1", (6000, 4000), (1000, 2000, 2600, 2300), "crop", (1536, 1024)),
        ("gpt-image-1", (4000, 6000), (1000, 1000, 1300, 2600), "crop", (1024, 1536)),
        ("dall-e-2", (6000, 4000), (3000, 2000, 3050, 2050), "crop", (256, 256)),
        # Too large to cut, or nothing to cut: all of it.
        ("gpt-image-1", (6000, 4000), (500, 500, 5500, 3500), "scale", (1536, 1024)),
        ("gpt-image-1", (1024, 1024), (250, 305, 775, 785), "scale", (1024, 1024)),
        ("gpt-image-1", (6000, 4000), None, "scale", (1536, 1024)),
        ("gpt-image-1", (6000, 3000), None, "pad", (1536, 1024)),
        ("dall-e-2", (6000, 4000), None, "pad", (1024, 1024)),
        ("dall-e-2", (64, 64), None, "scale", (256, 256)),
        # Not known: left alone.
        (UNKNOWN, (6000, 4000), (3000, 2000, 3200, 2150), "none", (6000, 4000)),
    ],
)
def test_what_auto_does(
    model: str, size: tuple[int, int], bounds: Any, how: str, sent: tuple[int, int]
) -> None:
    """The default plan for the usual cases."""
    fit = Fit.of_sizes(size, model, bounds=bounds)
    assert (fit.how, fit.sent_size) == (how, sent)


def test_a_crop_is_not_scaled_up_where_the_picture_has_the_pixels() -> None:
    """A tiny mask on a large photo is sent pixel for pixel, with more of the photo around it."""
    fit = Fit.of_sizes((6000, 4000), "gpt-image-1", "1536x1024", bounds=(10, 10, 40, 40))
    assert fit.box == (0, 0, 1536, 1024)
    assert fit.scale == (1, 1)


def test_ways_that_can_not_be_gone() -> None:
    """An unknown way, and a crop without a mask, are errors of ours that say what to do."""
    for how in ("stretch", "", "AUTO"):
        with pytest.raises(FitError, match="Use one of auto, crop, tiles, pad, scale, none") as caught:
            Fit.plan(source(), "gpt-image-1", how=how)
        assert isinstance(caught.value, TTAPIError)
    for mask in (None, Mask((60, 40)), Mask((9, 9)).rectangle((0, 0, 5, 5))):
        with pytest.raises(FitError, match="Paint a mask first"):
            Fit.plan(source(), "gpt-image-1", how="crop", mask=mask)


@pytest.mark.parametrize("size", ["640x480", "large", "99999x99999", 5])
def test_a_size_the_model_does_not_make_is_left_to_the_checks(size: Any) -> None:
    """The picture stays as it is, the wrong size stays in the request, and the problem is about the size alone."""
    request = EditRequest.make(image=source(), prompt="x", size=size)
    sent, plan = fitted(request)
    assert plan is not None
    assert plan.is_whole
    (problem,) = sent.problems()
    assert repr(size) in problem


# Pixels on their way


@pytest.mark.parametrize(
    ("model", "format", "sent"),
    [
        ("gpt-image-1", "PNG", "PNG"),
        ("gpt-image-1", "JPEG", "JPEG"),
        ("gpt-image-2", "WEBP", "WEBP"),
        ("dall-e-2", "PNG", "PNG"),
        ("dall-e-2", "JPEG", "PNG"),
        ("dall-e-2", "WEBP", "PNG"),
        (UNKNOWN, "WEBP", "WEBP"),
    ],
)
def test_a_picture_goes_out_in_a_format_the_model_takes(model: str, format: str, sent: str) -> None:
    """Its own where the model takes that, else PNG; the name stays."""
    picture = source(format=format)
    fit = Fit.plan(picture, model)
    going = fit.there(picture)
    assert (fit.format, going.format) == (sent, sent)
    assert going.name == picture.name
    assert going.size == fit.sent_size
    assert going.file().mime == f"image/{sent.lower()}"


def test_a_picture_that_fits_goes_out_untouched() -> None:
    """Nothing is copied where nothing has to change."""
    picture = source((1024, 1024))
    assert Fit.plan(picture, "gpt-image-1").there(picture) is picture


def test_a_picture_is_made_once() -> None:
    """Asked again for the same plan, it is the same picture with the same file."""
    picture = source()
    assert Fit.plan(picture, "gpt-image-1").there(picture) is Fit.plan(picture, "gpt-image-1").there(picture)


def test_transparency_goes_along() -> None:
    """A see-through picture stays one, in a format that can say so, and dall-e-2 gets an alpha channel in any case."""
    clear = SourceImage(Image.new("RGBA", (60, 40), (200, 10, 10, 77)), "JPEG")
    going = Fit.plan(clear, "gpt-image-1").there(clear)
    assert (going.format, going.size) == ("PNG", (1536, 1024))
    # To within what premultiplied levels of 255 can hold.
    assert np.abs(np.asarray(going.pixels, int) - (200, 10, 10, 77)).max() <= 3
    opaque = Fit.plan(source(), "dall-e-2").there(source())
    assert opaque.pixels.mode == "RGBA"
    assert opaque.pixels.getchannel("A").getextrema() == (255, 255)


def test_colours_hidden_under_transparency_do_not_shine_through() -> None:
    """Scaled, the edge of what is see-through keeps the colour of what can be seen."""
    pixels = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    pixels.paste((200, 0, 0, 255), (0, 0, 20, 40))
    going = np.asarray(Fit.plan(SourceImage(pixels), "gpt-image-1").there(SourceImage(pixels)).pixels)
    seen = going[going[..., 3] > 16]
    assert seen[:, 1].max() <= 12


@given(st.tuples(small_sides, small_sides), st.sampled_from(["pad", "crop"]), st.data())
@examples(40)
def test_padding_repeats_the_edge(size: tuple[int, int], how: str, data: Any) -> None:
    """A picture of one colour is that colour all over, however it is padded, and padding is masked as its edge is."""
    picture = SourceImage(Image.new("RGB", size, (10, 90, 200)))
    mask = Mask(size).rectangle(data.draw(boxes(size)))
    fit = Fit.plan(picture, "dall-e-2", "256x256", how, mask)
    assert fit.there(picture).pixels.convert("RGB").getextrema() == ((10, 10), (90, 90), (200, 200))
    coverage = fit.there_mask(mask).coverage()
    (x0, y0), (x1, y1) = fit.there_point(0.0, 0.0), fit.there_point(float(size[0]), float(size[1]))
    left, top = max(0, math.ceil(x0 - 0.5)), max(0, math.ceil(y0 - 0.5))
    right, bottom = min(256, math.floor(x1 + 0.5)), min(256, math.floor(y1 + 0.5))
    inside = coverage[top:bottom, left:right]
    around = ((top, 256 - bottom), (left, 256 - right))
    # A pixel of the source that lies across the border may be painted beyond it too.
    assert (coverage >= np.pad(inside, around, "edge")).all()
    assert not coverage[: max(0, top - 1), :].any() or inside[0].any()
    assert not coverage[bottom + 1 :, :].any() or inside[-1].any()


def test_a_padded_picture_is_what_scaling_a_padded_one_gives() -> None:
    """The short cut for much padding shows the same as padding first and scaling then."""
    picture = textured((300, 40))
    fit = Fit.plan(picture, "dall-e-2", "256x256", "pad")
    rows = fit.box[1], fit.box[3] - 40
    whole = np.pad(np.asarray(picture.pixels), ((-rows[0], rows[1]), (0, 0), (0, 0)), "edge")
    expected = np.asarray(Image.fromarray(whole).resize((256, 256), Image.Resampling.LANCZOS), int)
    sent = np.asarray(fit.there(picture).pixels.convert("RGB"), int)
    assert np.abs(sent - expected).max() <= 2


@given(plans(small_sides), st.data())
@examples(60)
def test_no_mask_is_too_small_to_arrive(planned: Any, data: Any) -> None:
    """One painted pixel is asked for at the place where it lies, whatever the plan."""
    fit, _ = planned
    left, top, right, bottom = fit.inside
    x, y = data.draw(st.integers(left, right - 1)), data.draw(st.integers(top, bottom - 1))
    mask = fit.there_mask(Mask(fit.source_size).rectangle((x, y, x + 1, y + 1)))
    assert mask.size == fit.sent_size
    assert mask.area > 0
    # What padding repeats of it is beside the point.
    bounds = Mask.from_array(np.where(fit.not_padding(), mask.coverage(), np.uint8(0))).bounds
    assume(bounds is not None)
    assert bounds is not None
    (x0, y0), (x1, y1) = fit.there_point(float(x), float(y)), fit.there_point(float(x + 1), float(y + 1))
    margin = max(1, (x1 - x0), (y1 - y0))
    assert bounds[0] >= x0 - margin
    assert bounds[1] >= y0 - margin
    assert bounds[2] <= x1 + margin
    assert bounds[3] <= y1 + margin


def test_a_mask_of_one_pixel_on_a_large_photo_arrives() -> None:
    """Scaled down by 23 in both directions, it is still there."""
    mask = Mask((6000, 4000)).rectangle((4321, 1234, 4322, 1235))
    fit = Fit.plan(source((6000, 4000)), "dall-e-2", "256x256", "scale", mask)
    assert fit.there_mask(mask).area == 1


@pytest.mark.parametrize("how", ["scale", "pad", "crop"])
def test_every_painted_pixel_of_a_large_photo_arrives(how: str) -> None:
    """Scaled down, no speck is lost among others: wherever one lies, the sent mask asks for an edit."""
    specks = np.random.default_rng(8).random((700, 900)) < 0.002
    fit = Fit.plan(source((900, 700)), "dall-e-2", "256x256", how, Mask.from_array(specks))
    sent = fit.there_mask(Mask.from_array(specks)).to_array()
    rows, columns = np.nonzero(specks)
    places = [fit.there_point(x + 0.5, y + 0.5) for x, y in zip(columns.tolist(), rows.tolist(), strict=True)]
    assert len(places) > 1000
    assert all(sent[int(y), int(x)] for x, y in places)
    assert (sent & fit.not_padding()).sum() <= len(places)


# Back


def resampling_loss(picture: SourceImage, fit: Fit) -> int:
    """The most that plain scaling of the padded picture, there and back, moves any channel."""
    (left, top, right, bottom), (width, height) = fit.box, fit.source_size
    x, y = max(0, -left), max(0, -top)
    pixels = np.asarray(picture.pixels)
    ringed = np.pad(pixels, ((y, max(0, bottom - height)), (x, max(0, right - width)), (0, 0)), "edge")
    gone = Image.fromarray(ringed).resize(
        fit.sent_size, Image.Resampling.LANCZOS, (left + x, top + y, right + x, bottom + y)
    )
    back = np.asarray(gone.resize((right - left, bottom - top), Image.Resampling.LANCZOS), int)
    x0, y0, x1, y1 = fit.inside
    moved = back[y0 - top : y1 - top, x0 - left : x1 - left] - pixels[y0:y1, x0:x1].astype(int)
    return int(np.abs(moved).max())


@given(plans(small_sides), st.booleans())
# Four rows that have nothing in common: no scaling keeps all of that.
@example((Fit.of_sizes((41, 4), "dall-e-2", "512x512", "pad", (0, 0, 41, 4)), (0, 0, 41, 4)), True)
@examples(60)
def test_an_unchanged_answer_brings_back_the_picture(planned: Any, clear: bool) -> None:
    """Fitted and returned, a picture is the source bit for bit outside the mask, and within one resampling inside."""
    fit, bounds = planned
    assume(bounds is not None)
    picture = smooth(fit.source_size, "RGBA" if clear else "RGB")
    mask = Mask(fit.source_size).rectangle(bounds)
    answer = fit.there(picture).pixels
    back = fit.back(answer, picture)
    assert back.size == fit.source_size
    landed = fit.land(answer, picture)
    assert landed.region is not None
    assert landed.part is not None
    whole = np.asarray(paste(picture.pixels, landed.part, mask, landed.region[:2]).image, int)
    before = np.asarray(picture.pixels, int)
    outside = mask.coverage() == 0
    assert np.array_equal(whole[outside], before[outside])
    # Rounding, and that what was cut out can't be looked at from beyond its edge.
    assert np.abs(whole - before).max() <= resampling_loss(picture, fit) + 12


def test_an_answer_of_the_same_size_comes_back_as_it_is() -> None:
    """No pixel is touched where none has to be."""
    answer = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    back = Fit.plan(source(), "gpt-image-1", how="none").back(answer, source())
    assert np.array_equal(np.asarray(back), np.asarray(answer))


def test_a_crop_comes_back_into_its_place() -> None:
    """Around the box the source stays, and in the box is the answer."""
    picture = textured((3000, 2000))
    fit = Fit.plan(picture, "gpt-image-1", mask=Mask((3000, 2000)).rectangle((1500, 900, 1600, 1000)))
    left, top, right, bottom = fit.box
    assert (right - left, bottom - top) == fit.sent_size == (1024, 1024)
    back = np.asarray(fit.back(Image.new("RGB", (1024, 1024), "lime"), picture))
    assert (back[top:bottom, left:right] == (0, 255, 0)).all()
    around = np.ones((2000, 3000), bool)
    around[top:bottom, left:right] = False
    assert np.array_equal(back[around], np.asarray(picture.pixels)[around])


@given(st.tuples(small_sides, small_sides), st.integers(1, 4))
@examples(50)
def test_an_answer_of_the_same_shape_comes_back_scaled(size: tuple[int, int], times: int) -> None:
    """A larger answer of the sent shape is laid back at the picture's size, and there is nothing to say about it."""
    picture = source(size)
    fit = Fit.plan(picture, "gpt-image-1", how="none")
    answer = Image.new("RGB", (size[0] * times, size[1] * times), (200, 30, 90))
    back = fit.back(answer, picture)
    assert fit.land(answer, picture).note == ""
    assert back.size == size
    assert back.getextrema() == ((200, 200), (30, 30), (90, 90))


@pytest.mark.parametrize(
    ("way", "words"),
    [("stretch", "stretched"), ("cover", "only the middle"), ("contain", "beyond that was cut off")],
)
@pytest.mark.parametrize("shape", [(640, 400), (400, 640)])
@pytest.mark.parametrize("tint", [0, 25])
def test_an_answer_of_another_shape_is_laid_where_it_belongs(
    way: str, words: str, shape: tuple[int, int], tint: int
) -> None:
    """Stretched, cut or ringed with more, it is recognised by what it shows, also when its colours shifted."""
    picture = textured((512, 512))
    pixels = picture.pixels
    if way == "stretch":
        answer = pixels.resize(shape)
    elif way == "cover":
        side = max(shape)
        x, y = ((side - edge) // 2 for edge in shape)
        answer = pixels.resize((side, side)).crop((x, y, x + shape[0], y + shape[1]))
    else:
        side = min(shape)
        answer = Image.fromarray(np.random.default_rng(9).integers(0, 256, (shape[1], shape[0], 3), np.uint8))
        x, y = ((edge - side) // 2 for edge in shape)
        answer.paste(pixels.resize((side, side)), (x, y))
    answer = Image.eval(answer, lambda level: min(255, level + tint))
    fit = Fit.plan(picture, "gpt-image-1", how="none")
    landed = fit.land(answer, picture)
    assert landed.note.startswith(f"The answer came as {shape[0]}x{shape[1]} where 512x512 was sent")
    assert words in landed.note
    assert landed.region is not None
    back = np.asarray(fit.back(answer, picture), int)
    expected = np.minimum(np.asarray(pixels, int) + tint, 255)
    left, top, right, bottom = landed.region
    assert (right - left, bottom - top) == (
        (512, 512) if way != "cover" else (512, 320) if shape[0] > shape[1] else (320, 512)
    )
    difference = np.abs(back - expected)[top + 4 : bottom - 4, left + 4 : right - 4]
    assert difference.mean() < 3


@given(plans(small_sides), st.tuples(st.integers(1, 300), st.integers(1, 300)))
@examples(100)
def test_an_answer_of_any_size_comes_back(planned: Any, shape: tuple[int, int]) -> None:
    """Whatever the service sent, however odd its shape, the result has the source's size, and the leak can be told."""
    fit, bounds = planned
    picture = smooth(fit.source_size)
    mask = Mask(fit.source_size).rectangle(bounds) if bounds else None
    answer = smooth(shape).pixels
    assert fit.back(answer, picture, mask).size == fit.source_size
    landed = fit.land(answer, picture, mask)
    assert landed.raw.size == landed.counted.shape[::-1] == fit.sent_size
    assert landed.region is not None
    left, top, right, bottom = landed.region
    assert 0 <= left < right <= fit.source_size[0]
    assert 0 <= top < bottom <= fit.source_size[1]


def test_what_the_mask_covers_does_not_decide_how_an_answer_lies() -> None:
    """A new thing in the mask, however large, is no reason to lay the answer elsewhere."""
    picture = textured((512, 512))
    mask = Mask((512, 512)).rectangle((40, 120, 480, 400))
    answer = picture.pixels.copy()
    answer.paste("white", (40, 120, 480, 400))
    answer = answer.resize((768, 512))
    fit = Fit.plan(picture, "gpt-image-1", how="none")
    assert "stretched" in fit.land(answer, picture, mask).note


@pytest.mark.parametrize("part", [0.3, 0.62])
@pytest.mark.parametrize("moved", [-40, 60])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_part_that_was_repainted_does_not_decide_how_an_answer_lies(
    part: float, moved: int, mode: str
) -> None:
    """Where a model brightens or darkens a part of what is protected, that is no reason to lay the answer elsewhere."""
    picture = SourceImage(smooth((300, 200)).pixels.convert(mode).convert("RGB"))
    pixels = np.asarray(picture.pixels, np.int16) + 3
    pixels[:, : round(300 * part)] += moved
    answer = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    fit = Fit.plan(picture, "gpt-image-1", how="none")
    mask = Mask((300, 200)).ellipse((165, 80, 225, 120))
    assert "stretched" in fit.land(answer.resize((300, 150)), picture, mask).note
    assert "only the middle" in fit.land(answer.crop((40, 0, 260, 200)), picture, mask).note
    ringed = Image.new("RGB", (300, 300))
    ringed.paste(answer, (0, 50))
    assert "cut off" in fit.land(ringed, picture, mask).note


def test_a_see_through_answer_stays_so() -> None:
    """Where nothing is to be kept, transparency that the model made comes back; an opaque alpha channel is none."""
    clear, opaque = Image.new("RGBA", (60, 40), (9, 9, 9, 0)), Image.new("RGBA", (60, 40), "red")
    fit = Fit.plan(source(), "gpt-image-1", how="none")
    assert fit.back(clear, source()).getchannel("A").getextrema() == (0, 0)
    assert fit.back(opaque, source()).mode == "RGB"


# Words, and what has to be re-encoded


@pytest.mark.parametrize(
    ("size", "how", "bounds", "words"),
    [
        (
            (6000, 4000),
            "auto",
            (3000, 2000, 3600, 2600),
            "Sends 1024x1024 around the mask as PNG, returns into 6000x4000. "
            "The 1200x1200 cut out is scaled down to 85%.",
        ),
        ((1024, 1024), "auto", None, "Sends 1024x1024 as PNG, returns into 1024x1024."),
        (
            (512, 512),
            "auto",
            None,
            "Sends 1024x1024 as PNG, returns into 512x512. The picture is scaled up to 200%.",
        ),
        (
            (6000, 3000),
            "pad",
            None,
            "Sends 1536x1024 as PNG, returns into 6000x3000. The picture is padded at top and bottom with its edge "
            "pixels, which are cut off again afterwards, and scaled down to 26%.",
        ),
        (
            (6000, 3000),
            "scale",
            None,
            "Sends 1536x1024 as PNG, returns into 6000x3000. The picture is stretched to 1536x1024.",
        ),
        (
            (1024, 700),
            "pad",
            None,
            "Sends 1536x1024 as PNG, returns into 1024x700. The picture is padded at left and right with its edge "
            "pixels, which are cut off again afterwards, and scaled up to 146%.",
        ),
        (
            (1000, 1024),
            "pad",
            None,
            "Sends 1024x1024 as PNG, returns into 1000x1024. The picture is padded at left and right with its edge "
            "pixels, which are cut off again afterwards.",
        ),
        ((60, 40), "none", None, "Sends the picture as it is, 60x40 as PNG."),
    ],
)
def test_the_words_of_a_plan(size: tuple[int, int], how: str, bounds: Any, words: str) -> None:
    """The plan says in plain sentences what is sent, what that does to the picture, and where the answer goes."""
    assert Fit.of_sizes(size, "gpt-image-1", how=how, bounds=bounds).words == words


@pytest.mark.slow
def test_a_file_over_the_limit_is_re_encoded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes as JPEG where the model takes that, else with fewer bits a colour, and the plan says which."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (1024, 1024, 4), np.uint8))
    sent, plan = fitted(EditRequest.make(image=noise, prompt="x", model="dall-e-2"))
    assert plan is not None
    assert sent.problems() == ()
    assert len(sent.image_files[0].data) < 4_000_000
    assert plan.note == "It is sent with 7 bits a colour, since with 8 it is not under 4 MB."
    assert plan.words.endswith(plan.note)
    changed = np.abs(np.asarray(sent.image[0].pixels, int) - np.asarray(noise, int))
    assert changed[..., :3].max() <= 1
    assert changed[..., 3].max() == 0

    large = np.random.default_rng(2).integers(0, 256, (3000, 3000, 3), np.uint8)
    sent, plan = fitted(EditRequest.make(image=large, prompt="x", model="gpt-image-1"), "none")
    assert plan is not None
    assert sent.problems() == ()
    assert plan.format == sent.image[0].format == "JPEG"
    assert plan.note == "It is sent as JPEG, since as PNG it is not under 25 MB."


def test_other_pictures_keep_their_geometry() -> None:
    """Pictures after the first go whole, whatever the plan for the first, in a format the model takes."""
    others = [source((300, 20), "WEBP"), source((20, 300), "JPEG")]
    sent, _ = fitted(EditRequest.make(image=[source(), *others], prompt="x", model="gpt-image-1"))
    assert [picture.size for picture in sent.image] == [(1536, 1024), (300, 20), (20, 300)]
    sent, _ = fitted(EditRequest.make(image=[source(), *others], prompt="x", model="dall-e-2"))
    assert [picture.format for picture in sent.image] == ["PNG"] * 3


# Extending


@given(st.tuples(*[st.integers(0, 30)] * 4), st.sampled_from(["RGB", "RGBA"]))
def test_extending_adds_masked_room_and_nothing_else(margins: tuple[int, int, int, int], mode: str) -> None:
    """The picture stays bit for bit, the room around it is transparent, and the mask is exactly this room."""
    assume(any(margins))
    pixels = Image.fromarray(np.random.default_rng(5).integers(0, 256, (20, 31, len(mode)), np.uint8))
    left, top, right, bottom = margins
    wider, mask = extend(pixels, left=left, top=top, right=right, bottom=bottom)
    assert wider.size == mask.size == (31 + left + right, 20 + top + bottom)
    inside = np.zeros(mask.size[::-1], bool)
    inside[top : top + 20, left : left + 31] = True
    made = np.asarray(wider.pixels)
    assert np.array_equal(made[inside], np.asarray(pixels.convert("RGBA")).reshape(-1, 4))
    assert not made[~inside].any()
    assert np.array_equal(mask.coverage(), np.where(inside, 0, 255))


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("16:9", (1778, 1000)), ((9, 16), (1000, 1778)), ((2.0, 1.0), (2000, 1000)), ("1.5:1", (1500, 1000))],
)
def test_extending_to_an_aspect_keeps_the_picture_in_the_middle(aspect: Any, size: tuple[int, int]) -> None:
    """As little as possible is added, the same on both sides."""
    wider, mask = extend(Image.new("RGB", (1000, 1000)), aspect=aspect)
    assert wider.size == size
    bare = mask.invert().bounds
    assert bare is not None
    assert (bare[2] - bare[0], bare[3] - bare[1]) == (1000, 1000)
    assert (bare[0], bare[1]) == ((size[0] - 1000) // 2, (size[1] - 1000) // 2)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({}, "All margins are 0"),
        ({"left": -1}, "whole numbers of pixels"),
        ({"left": 1.5}, "whole numbers of pixels"),
        ({"aspect": "1:1"}, "has that aspect already"),
        ({"aspect": "wide"}, '"16:9"'),
        ({"aspect": (0, 1)}, '"16:9"'),
        ({"aspect": "16:9", "left": 5}, "Give one of the two"),
        ({"left": 10_000_000}, "million pixels"),
    ],
)
def test_extending_by_nonsense_is_refused(given_: Any, words: str) -> None:
    """Margins that add nothing, take away or make too much are errors with a next step."""
    with pytest.raises(FitError, match=words):
        extend(Image.new("RGB", (100, 100)), **given_)


@pytest.mark.parametrize("model", EDITING)
def test_an_extended_picture_can_be_sent_to_every_model(model: str) -> None:
    """With its mask, fitted, it is in order, still see-through where it is new, and asked to be painted there."""
    wider, mask = extend(open_image(encoded(Image.new("RGB", (900, 600), "teal"), "JPEG")), left=300, top=40)
    sent, _ = fitted(EditRequest.make(image=wider, prompt="more room", mask=mask, model=model))
    assert sent.problems() == ()
    assert isinstance(sent.mask, Mask)
    alpha = np.asarray(sent.image[0].pixels.getchannel("A"))
    assert alpha[sent.mask.coverage() == 255].max() <= 128
    assert np.median(alpha[sent.mask.coverage() == 0]) == 255


@pytest.mark.parametrize(
    "room",
    [
        {"left": 300, "right": 300},
        {"aspect": "3:2"},
        {"aspect": "16:9"},
        {"top": 77},
    ],
)
@pytest.mark.parametrize("side", [300, 1024])
@pytest.mark.slow
def test_an_extended_picture_comes_back_without_gaps(
    room: dict[str, Any], side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padded or scaled on its way, an extended picture comes back solid all over, with no line where it was joined."""
    # As fine as it takes to be flat where the photo is.
    monkeypatch.setattr(paint, "WORK_SIZE", 192)
    flat = Image.new("RGB", (side, side), (170, 120, 60))
    picture, mask = extend(flat, **room)
    run = ttapi_nb.edit(picture, "more", mask=mask, client=ttapi_nb.Client.offline(), log=False)
    result = run.results[0].image.convert("RGBA")
    low, high = np.array(result.getextrema()).T
    assert (low[3], high[3]) == (255, 255)
    # White that shines through would be far more.
    assert np.abs(low[:3] - (170, 120, 60)).max() <= 10
    assert np.abs(high[:3] - (170, 120, 60)).max() <= 10


def test_the_plan_says_what_opening_changed() -> None:
    """A plan for a photo with a colour profile says that its colours were brought to sRGB; a plain one says nothing."""
    photo = open_image(Path(__file__).parents[1] / "fixtures" / "field" / "adobe.jpg")
    plan = Fit.plan(photo, "gpt-image-1", "1024x1024")
    assert photo.changes
    assert all(change in plan.words for change in photo.changes)
    plain = open_image(photo.pixels)
    assert plain.changes == ()
    assert Fit.plan(plain, "gpt-image-1", "1024x1024").changes == ""

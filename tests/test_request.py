"""`EditRequest`: how it is made, what it sends, and the problems that the table of rules does not cover."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.preparing import fitted
from ttapi_nb.errors import ImageError, InvalidRequestError
from ttapi_nb.mask import Mask
from ttapi_nb.picture import SourceImage
from ttapi_nb.request import EditRequest

GREY = Image.new("RGB", (64, 48), "gray")
HOLE = Mask(GREY.size).rectangle((8, 8, 24, 24))


def asked(**fields: Any) -> EditRequest:
    """A request in order, but for these fields."""
    return EditRequest.make(**{"image": GREY, "prompt": "a red sofa"} | fields)


def test_a_plain_request_has_no_problem() -> None:
    """A picture and a prompt are enough, and checking them raises nothing."""
    request = asked()
    assert request.problems() == ()
    request.check()


def test_check_raises_all_problems_at_once() -> None:
    """The error holds each problem, so that all can be mended in one go."""
    request = asked(prompt="", n=0)
    with pytest.raises(InvalidRequestError) as caught:
        request.check()
    assert caught.value.problems == request.problems()
    assert len(caught.value.problems) == 2


# Making


def test_one_picture_or_several() -> None:
    """A single picture, a list and a tuple all become a tuple of opened pictures."""
    out = io.BytesIO()
    GREY.save(out, "WEBP")
    for image, formats in (
        (GREY, ["PNG"]),
        ([GREY, out.getvalue()], ["PNG", "WEBP"]),
        ((np.zeros((4, 4), np.uint8),), ["PNG"]),
    ):
        request = asked(image=image)
        assert [source.format for source in request.image] == formats
        assert all(isinstance(source, SourceImage) for source in request.image)


def test_a_field_that_is_misspelt() -> None:
    """A keyword that no field has is refused, with the one that was meant."""
    with pytest.raises(TypeError, match="Did you mean 'prompt'"):
        EditRequest.make(image=GREY, promt="a red sofa")
    with pytest.raises(TypeError, match="extra_body"):
        asked(wibble=1)


def test_a_picture_that_can_not_be_opened() -> None:
    """It is said while the request is made, with the picture's name."""
    with pytest.raises(ImageError):
        asked(image=b"no picture")
    with pytest.raises(ImageError, match="'mask'"):
        asked(mask=b"no picture")


def test_a_request_is_frozen() -> None:
    """Fields can't be set, the caller's dict is not held, and `replace` makes another request."""
    extra = {"seed": 5}
    request: Any = asked(extra_body=extra)
    extra["seed"] = 6
    assert dict(request.extra_body) == {"seed": 5}
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.n = 5
    with pytest.raises(TypeError):
        request.extra_body["seed"] = 7
    other = dataclasses.replace(request, n=3)
    assert (other.n, request.n) == (3, 1)
    assert dict(other.extra_body) == {"seed": 5}


def test_repr_is_short_and_shows_no_pixels() -> None:
    """Picture, prompt, mask, model, n and size fit on a line or two, whatever they hold."""
    shown = repr(asked(mask=HOLE))
    assert shown == (
        "EditRequest([SourceImage('image', 64x48, PNG)], 'a red sofa', mask=Mask(64x48, 1 mark), "
        "model='gpt-image-1.5', n=1, size='auto')"
    )
    assert len(repr(asked(prompt="x" * 5000))) < 200


# What is sent


def test_only_what_was_chosen_is_sent() -> None:
    """None and auto are left out, and so are the fields that travel in their own way."""
    assert asked().body() == {"prompt": "a red sofa", "n": 1}
    every = asked(size="auto", quality="auto", background="auto", moderation="auto", stream=None, user=None)
    assert every.body() == {"prompt": "a red sofa", "n": 1}
    some = asked(n=np.int64(2), size="1024x1024", quality="low", output_format="webp", output_compression=0)
    assert some.body() == {
        "prompt": "a red sofa",
        "n": 2,
        "size": "1024x1024",
        "quality": "low",
        "output_format": "webp",
        "output_compression": 0,
    }
    assert type(some.body()["n"]) is int


def test_a_prompt_and_a_user_may_be_called_auto() -> None:
    """Only fields of fixed values have an auto to leave out."""
    assert asked(prompt="auto", user="auto").body() == {"prompt": "auto", "user": "auto", "n": 1}


def test_fields_of_ones_own_are_sent_as_they_are() -> None:
    """`extra_body` goes into the body, and over a field that is there."""
    body = asked(extra_body={"seed": 5, "n": "2", "style": "auto"}).body()
    assert body == {"prompt": "a red sofa", "n": "2", "seed": 5, "style": "auto"}


def test_pictures_go_out_as_files_in_their_own_format() -> None:
    """Each has a name with the right suffix and its true MIME type."""
    pictures = [SourceImage(GREY, format, "room.bmp") for format in ("PNG", "JPEG", "WEBP")]
    files = asked(image=pictures).image_files
    assert [(file.name, file.mime) for file in files] == [
        ("room.png", "image/png"),
        ("room.jpg", "image/jpeg"),
        ("room.webp", "image/webp"),
    ]
    assert [Image.open(io.BytesIO(file.data)).format for file in files] == ["PNG", "JPEG", "WEBP"]


def test_the_mask_goes_out_as_a_png_with_alpha() -> None:
    """A `Mask`, or a picture in any format that has transparency, becomes a PNG that is transparent at the edit."""
    picture = Image.open(io.BytesIO(HOLE.to_png()))
    webp = io.BytesIO()
    picture.save(webp, "WEBP", lossless=True)
    assert asked().mask_file is None
    for mask in (HOLE, picture, webp.getvalue()):
        request = asked(mask=mask)
        assert request.problems() == ()
        file = request.mask_file
        assert file is not None
        assert (file.name, file.mime) == ("mask.png", "image/png")
        sent = Image.open(io.BytesIO(file.data))
        assert sent.format == "PNG"
        assert np.array_equal(np.asarray(sent.getchannel("A")) == 0, HOLE.to_array())


# Problems beyond the table


@pytest.mark.parametrize("model", ["", "  ", None, 5, ["gpt-image-1.5"]], ids=repr)
def test_no_model(model: Any) -> None:
    """A model is always named."""
    assert asked(model=model).problems() == ("There is no model. Choose one, gpt-image-1.5 for example.",)


def test_a_model_that_only_generates_has_one_problem() -> None:
    """What else is wrong with the request does not matter then."""
    (problem,) = asked(model="dall-e-3", prompt="", n=99).problems()
    assert "can't edit" in problem


def test_a_model_that_no_row_knows_keeps_the_common_limits() -> None:
    """Such a name is sent with any size and any value, and the endpoint's own limits still hold."""
    free = {
        "model": "a-model-of-tomorrow",
        "size": "777x333",
        "quality": "splendid",
        "output_compression": 50,
    }
    assert asked(**free).problems() == ()
    problems = asked(**free | {"n": 11, "prompt": "x" * 32_001, "output_compression": 101}).problems()
    assert [word in " ".join(problems) for word in ("n, is", "Shorten it by 1.", "output_compression")] == [
        True
    ] * 3
    assert len(problems) == 3


def test_a_mask_drawn_here_is_checked_like_a_picture_of_one() -> None:
    """A `Mask` of another size has the same problem as such a file."""
    small = Mask((32, 24)).invert()
    assert asked(mask=small).problems() == asked(mask=small.to_png()).problems()
    assert len(asked(mask=small).problems()) == 1


def test_a_mask_on_which_nothing_is_painted_is_no_mask() -> None:
    """Untouched or erased again it is left out; a file that marks nothing was given to protect, and is a problem."""
    for blank in (Mask(GREY.size), HOLE.erase([(16, 16)], radius=30)):
        request = asked(mask=blank)
        assert (request.mask, request.mask_file, request.problems()) == (None, None, ())
    (problem,) = asked(mask=Mask(GREY.size).to_png()).problems()
    assert "marks nothing" in problem


def test_what_fades_away_is_a_problem() -> None:
    """Feathered or shrunk until nothing is half covered, even until nothing is covered, a mask is never left out."""
    dot = Mask(GREY.size).paint([(20, 20)], radius=2)
    for faded in (dot.feather(20), dot.feather(5000), HOLE.shrink(60), HOLE.shrink(60).grow(3)):
        request = asked(mask=faded)
        assert request.mask is faded
        assert ["marks nothing" in problem for problem in request.problems()] == [True]
        for model in ("gpt-image-1.5", "dall-e-2"):
            sent, _ = fitted(dataclasses.replace(request, model=model))
            assert "marks nothing" in sent.problems()[0]


def test_a_mask_of_seam_only_marks_nothing() -> None:
    """Coverage under one half asks for no edit."""
    faint = Mask.from_array(np.full((48, 64), 127, np.uint8))
    assert "marks nothing" in asked(mask=faint).problems()[0]
    assert asked(mask=Mask.from_array(np.full((48, 64), 128, np.uint8))).problems() == ()


def test_the_mask_belongs_to_the_first_picture() -> None:
    """Its size is held against the first picture's, not against the others'."""
    other = Image.new("RGB", (32, 32))
    assert asked(image=[GREY, other], mask=HOLE).problems() == ()
    assert len(asked(image=[other, GREY], mask=HOLE).problems()) == 1


def test_two_pictures_with_one_problem_say_it_once() -> None:
    """Pictures of one name and one fault get one sentence; pictures of two names get two."""
    webp = SourceImage(Image.new("RGB", (8, 8)), "WEBP", "a.webp")
    other = SourceImage(Image.new("RGB", (8, 8)), "WEBP", "b.webp")
    said = [
        problem
        for problem in asked(image=[webp, webp], model="dall-e-2").problems()
        if "takes only" in problem
    ]
    assert len(said) == 1
    said = [
        problem
        for problem in asked(image=[webp, other], model="dall-e-2").problems()
        if "takes only" in problem
    ]
    assert len(said) == 2


@pytest.mark.parametrize("value", [1, "true", 0, ""], ids=repr)
def test_a_stream_that_is_no_switch(value: Any) -> None:
    """Streaming is True or False; anything else is a problem, since the service would not understand it."""
    (problem,) = asked(stream=value).problems()
    assert repr(value) in problem


def test_partial_images_ask_for_a_stream() -> None:
    """Whoever asks for drafts asks for a stream, and for none of either where it says nothing of them."""
    assert asked(partial_images=2).body() == asked().body() | {"partial_images": 2, "stream": True}
    assert asked(partial_images=0).body() == asked().body()
    assert asked(stream=True, partial_images=0).body() == asked().body() | {
        "partial_images": 0,
        "stream": True,
    }
    assert asked(partial_images=2).problems() == asked(stream=True, partial_images=3).problems() == ()


@pytest.mark.parametrize("model", ["gpt-image-2", "a-model-of-tomorrow"])
@pytest.mark.parametrize("format", ["gif", "svg"])
def test_what_is_never_streamed(model: str, format: str) -> None:
    """A moving picture, or a drawing, comes as a whole, whatever the model."""
    assert any(
        "comes as a whole" in problem
        for problem in asked(model=model, output_format=format, partial_images=1).problems()
    )
    assert asked(model="a-model-of-tomorrow", output_format=format).problems() == ()


def test_full_compression_needs_no_format() -> None:
    """100 is what every result has anyway."""
    assert asked(output_compression=100).problems() == ()
    assert asked(output_compression=np.int32(7), output_format="jpeg").problems() == ()


def test_half_a_character_in_the_prompt_is_a_problem() -> None:
    """A lone surrogate, which no body form can carry, is found before anything is written or sent."""
    request = EditRequest(image=(SourceImage(Image.new("RGB", (8, 8))),), prompt="a \ud83d bowl")
    assert [problem for problem in request.problems() if "half of a character" in problem]

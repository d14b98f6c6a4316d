"""There and back between the picture's geometry and the model's, as far as it goes by now."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ttapi_nb.errors import FitError, TTAPIError
from ttapi_nb.fit import Fit
from ttapi_nb.images import SourceImage
from ttapi_nb.mask import Mask

sides = st.integers(1, 300)
sizes = st.tuples(sides, sides)


def source(size: tuple[int, int] = (60, 40), format: str = "PNG") -> SourceImage:
    """A grey picture."""
    return SourceImage(Image.new("RGB", size, "gray"), format, "room.png")


@pytest.mark.parametrize(
    ("model", "format", "sent"),
    [
        ("gpt-image-1", "PNG", "PNG"),
        ("gpt-image-1", "JPEG", "JPEG"),
        ("gpt-image-2", "WEBP", "WEBP"),
        ("dall-e-2", "PNG", "PNG"),
        ("dall-e-2", "JPEG", "PNG"),
        ("dall-e-2", "WEBP", "PNG"),
        ("a-model-of-tomorrow", "WEBP", "WEBP"),
    ],
)
def test_a_picture_goes_out_in_a_format_the_model_takes(model: str, format: str, sent: str) -> None:
    """Its own where the model takes that, else PNG; the pixels and the name stay."""
    picture = source(format=format)
    fit = Fit.plan(picture, model)
    going = fit.there(picture)
    assert (fit.format, going.format) == (sent, sent)
    assert going.digest == picture.digest
    assert going.name == picture.name
    assert going.file().mime == f"image/{sent.lower()}"


def test_a_picture_that_fits_goes_out_untouched() -> None:
    """Nothing is copied where nothing has to change."""
    picture = source()
    assert Fit.plan(picture, "gpt-image-1").there(picture) is picture


@given(sizes)
def test_picture_and_mask_travel_together(size: tuple[int, int]) -> None:
    """Whatever size is sent, the mask has it too."""
    picture = source(size)
    fit = Fit.plan(picture, "dall-e-2", "512x512")
    mask = Mask(size).rectangle((0, 0, 1, 1))
    assert fit.there(picture).size == fit.there_mask(mask).size == fit.sent_size


def test_an_answer_of_the_same_size_comes_back_as_it_is() -> None:
    """No pixel is touched where none has to be."""
    answer = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    back = Fit.plan(source(), "gpt-image-1").back(answer)
    assert back is not None
    assert np.array_equal(np.asarray(back), np.asarray(answer))


@given(sizes, st.integers(1, 4))
def test_an_answer_of_the_same_shape_comes_back_scaled(size: tuple[int, int], times: int) -> None:
    """A larger answer of the picture's own shape is laid back at the picture's size."""
    answer = Image.new("RGB", (size[0] * times, size[1] * times), (200, 30, 90))
    back = Fit.plan(source(size), "gpt-image-1").back(answer)
    assert back is not None
    assert back.size == size
    assert back.getextrema() == ((200, 200), (30, 30), (90, 90))


@given(st.integers(300, 2000), st.integers(300, 2000), st.floats(0.3, 3))
def test_rounding_is_no_other_shape(width: int, height: int, factor: float) -> None:
    """A size that was scaled and rounded to whole pixels still counts as the same shape."""
    scaled = (round(width * factor), round(height * factor))
    assert Fit((width, height), (width, height), "PNG").back(Image.new("L", scaled)) is not None


@pytest.mark.parametrize("answer", [(1024, 1536), (1536, 1024), (60, 42), (64, 64)])
def test_an_answer_of_another_shape_is_never_stretched(answer: tuple[int, int]) -> None:
    """It does not come back at all, and a sentence says what that means and what to do."""
    fit = Fit.plan(source((1000, 1000) if answer[0] > 99 else (60, 40)), "gpt-image-1")
    assert fit.back(Image.new("RGB", answer)) is None
    said = fit.cannot_return(answer)
    assert said.startswith(f"A result of {answer[0]}x{answer[1]} has another shape")
    assert "crop the picture" in said


def test_the_words_of_a_plan() -> None:
    """The plan says what is sent, and where the answer goes; of `auto` it promises nothing."""
    picture = source((512, 512), "JPEG")
    assert Fit.plan(picture, "gpt-image-1").words == "Sends 512x512 as JPEG."
    same = Fit.plan(picture, "gpt-image-1", "1024x1024").words
    assert same == "Sends 512x512 as JPEG. Asks for 1024x1024, returns into 512x512."
    other = Fit.plan(picture, "gpt-image-1", "1536x1024").words
    assert other.startswith("Sends 512x512 as JPEG. A result of 1536x1024 has another shape")
    assert "returns into" not in other


@pytest.mark.parametrize("how", ["crop", "pad", "", "AUTO"])
def test_other_ways_are_not_offered_yet(how: str) -> None:
    """Asking for a way that is not there is an error of ours that names the one that is."""
    with pytest.raises(FitError, match='Use fit="auto"') as caught:
        Fit.plan(source(), "gpt-image-1", how=how)
    assert isinstance(caught.value, TTAPIError)

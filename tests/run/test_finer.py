"""The offline fill at the photo's own sharpness, also where it was made smaller than the photo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ttapi_nb import Client, Mask, RunLog, edit, open_image
from ttapi_nb.run.earlier import earlier
from ttapi_nb.run.finer import is_filled

SIZE = (1100, 800)
GIVEN: dict[str, Any] = {"model": "dall-e-2", "size": "256x256", "fit": "pad"}
BOX = (400, 300, 700, 520)


@pytest.fixture(scope="module")
def rough() -> Image.Image:
    """A slope of grey with grain in blocks of two, which a smaller picture loses in part."""
    grain = np.random.default_rng(4).normal(0, 18, (SIZE[1], SIZE[0], 1))
    pixels = np.linspace(90, 160, SIZE[0])[None, :, None] + grain + np.zeros((1, 1, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def mask() -> Mask:
    """What is filled."""
    return Mask(SIZE).rectangle(BOX)


def sharpness(picture: Image.Image, box: tuple[int, int, int, int]) -> float:
    """How much pixels differ from their neighbours in a box."""
    grey = np.asarray(picture.crop(box).convert("L"), np.float32)
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.abs(4 * grey[1:-1, 1:-1] - around).mean())


@pytest.mark.slow
@pytest.mark.fine
def test_a_fill_that_was_made_smaller_is_as_sharp_as_the_photo(rough: Image.Image, mask: Mask) -> None:
    """Brought back four times as large it has the photo's own grain, and so it has when it is looked at again in the
    log.
    """
    log = RunLog()
    run = edit(rough, "the wall", mask=mask, client=Client.offline(), log=log, **GIVEN)
    assert max(run.plan.scale) > 3
    made = run.results[0].image
    assert sharpness(made, (430, 330, 670, 490)) == pytest.approx(
        sharpness(rough, (80, 80, 320, 240)), rel=0.35
    )
    again = earlier(log, run.id, lambda _: run.source).results[0].image
    assert again.tobytes() == made.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_files_tell_of_the_fill(photo: Image.Image, kind: str) -> None:
    """Whatever file a result comes in, it says what filled it, and one of no hole does not."""
    mask = Mask(photo.size).rectangle((20, 20, 40, 40))
    for given, filled in ((mask, True), (None, False)):
        run = edit(photo, "the wall", mask=given, client=Client.offline(), log=False, output_format=kind)
        assert is_filled(run.results[0].data.data) is filled
    assert not is_filled(b"nothing")


def test_a_fill_of_ones_own_is_left_alone(rough: Image.Image, mask: Mask) -> None:
    """What somebody's function painted is as smooth as that painted it."""

    def grey(image: Image.Image, hole: Image.Image, prompt: str, seed: int) -> Image.Image:
        return Image.composite(Image.new("RGB", image.size, (120, 120, 120)), image.convert("RGB"), hole)

    run = edit(
        rough,
        "grey",
        mask=mask,
        client=Client.offline(fill=grey),
        model="dall-e-2",
        size="256x256",
        fit="pad",
    )
    assert sharpness(run.results[0].image, (450, 350, 650, 470)) < 1
    assert open_image(run.results[0].image).size == SIZE

"""What one would see of a leak, and where an answer goes on past the mask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

import ttapi_nb as tt
from tests.benchmarks._answers import Spoil, cast, grain, jpeg, times
from ttapi_nb.fit import Leak, measure_leak
from ttapi_nb.mask import Mask

pytestmark = pytest.mark.fine

SIZE = (400, 400)
MASK = Mask(SIZE).ellipse((130, 130, 280, 260))


def photo() -> Image.Image:
    """The sample."""
    return tt.sample().pixels.convert("RGB").resize(SIZE)


def leak_of(answer: Image.Image, *spoils: Spoil) -> Leak:
    """The leak of an answer that was spoilt by steps."""
    pixels = np.asarray(answer, np.float32)
    for spoil in spoils:
        pixels = spoil(pixels, np.random.default_rng(1))
    came = Image.fromarray(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))
    leak = measure_leak(photo(), came, MASK)
    assert leak is not None
    return leak


def with_a_box(picture: Image.Image) -> None:
    """A box that was not there."""
    ImageDraw.Draw(picture).rectangle((300, 20, 379, 99), (30, 90, 200))


def darker(picture: Image.Image) -> None:
    """A shadow without an edge."""
    shade = Image.new("L", SIZE, 255)
    ImageDraw.Draw(shade).ellipse((10, 280, 150, 390), 140)
    picture.paste(
        Image.fromarray((np.asarray(picture) * (np.asarray(shade)[..., None] / 255)).astype(np.uint8))
    )


SPOILS: dict[str, tuple[Spoil, ...]] = {
    "as it is": (),
    "grain": (grain(6),),
    "JPEG": (jpeg(50),),
    "cast": (cast(14, 4, -12),),
    "darker": (times(0.75), grain(3)),
}


@pytest.mark.dear
@pytest.mark.parametrize("name", SPOILS)
def test_what_nobody_sees_is_not_seen(name: str) -> None:
    """Grain, compression and light move most pixels, and none that one would see."""
    leak = leak_of(photo(), *SPOILS[name])
    assert leak.seen is not None
    assert leak.seen < 0.005
    assert leak.past is None


@pytest.mark.dear
@pytest.mark.parametrize("plant", [with_a_box, darker])
@pytest.mark.parametrize("name", SPOILS)
def test_what_changed_is_seen_through_noise_and_light(
    name: str, plant: Callable[[Image.Image], None]
) -> None:
    """Of what was planted the true share is told, to a percentage point, whatever else happened to the answer."""
    planted = photo()
    plant(planted)
    true = (np.abs(np.asarray(planted, int) - np.asarray(photo())).max(axis=2) > 8)[
        MASK.coverage() == 0
    ].mean()
    leak = leak_of(planted, *SPOILS[name])
    assert leak.seen == pytest.approx(true, abs=0.01)
    assert leak.seen_map is not None
    assert leak.seen_map.size == SIZE
    assert not np.asarray(leak.seen_map)[MASK.coverage() > 0].any()


def test_a_shift_is_not_seen_and_another_picture_is() -> None:
    """What only lies elsewhere looks as it did; where nothing is as it was, all of it is seen."""
    moved = Image.new("RGB", SIZE)
    moved.paste(photo().resize((406, 406)).crop((3, 1, 403, 401)))
    assert (leak_of(moved).seen or 0) < 0.01
    assert (leak_of(Image.new("RGB", SIZE, "lime")).seen or 0) > 0.9


def test_the_seen_leads_in_the_words() -> None:
    """The first figure is what one would see, the second what moved at all."""
    words = str(leak_of(photo(), cast(14, 4, -12)))
    assert words.startswith("0.0% of the protected pixels look changed; 100.0% moved at all")
    assert str(Leak(0.1, 2.0)) == "10.0% of the protected pixels repainted (mean difference 2.0 of 255)"


@pytest.mark.dear
@pytest.mark.parametrize(
    ("box", "side", "least", "most"),
    [
        ((240, 160, 330, 230), "right", 45, 75),
        ((80, 160, 170, 230), "left", 45, 75),
        ((170, 60, 240, 170), "top", 65, 95),
        ((170, 220, 240, 300), "bottom", 35, 65),
    ],
)
def test_what_goes_on_past_the_mask_is_told(
    box: tuple[int, int, int, int], side: str, least: int, most: int
) -> None:
    """On which side, and by how much the mask has to grow for it; grown by that it holds all of it."""
    answer = photo()
    ImageDraw.Draw(answer).rectangle(box, (60, 160, 210))
    past = leak_of(answer, cast(8, 0, -8), grain(2)).past
    assert past is not None
    assert past.sides == (side,)
    assert least <= past.grow <= most
    assert f"Grow the mask by {past.grow} px" in str(past)
    new = np.abs(np.asarray(answer, int) - np.asarray(photo())).max(axis=2) > 0
    assert MASK.grow(past.grow).to_array()[new].all()


def test_what_lies_apart_does_not_go_on_past_the_mask() -> None:
    """A thing elsewhere is a leak, but no thing that the mask cuts."""
    planted = photo()
    with_a_box(planted)
    assert leak_of(planted).past is None


def test_the_heat_map_shows_what_goes_on_past_the_mask() -> None:
    """It is blue there, and glows red to yellow where the leak lies apart."""
    answer = photo()
    ImageDraw.Draw(answer).rectangle((240, 160, 330, 230), (60, 160, 210))
    with_a_box(answer)
    heat = leak_of(answer).heat_map(photo())
    blue, red = heat.getpixel((310, 195)), heat.getpixel((340, 60))
    assert isinstance(blue, tuple)
    assert isinstance(red, tuple)
    assert blue[2] > blue[0] + 80
    assert red[0] > red[2] + 80


def test_without_a_look_the_rest_is_as_with_one() -> None:
    """What moved at all is measured all the same."""
    came = photo()
    with_a_box(came)
    whole, part = measure_leak(photo(), came, MASK), measure_leak(photo(), came, MASK, look=False)
    assert whole is not None
    assert part is not None
    assert part == whole
    assert part.map is not None
    assert part.map == whole.map
    assert (part.seen, part.seen_map, part.past) == (None, None, None)
    assert whole.seen

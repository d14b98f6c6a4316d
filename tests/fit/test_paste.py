"""What lies outside the mask: the strict paste keeps it, and the leak counts what changed there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ttapi_nb.fit import LEAK_THRESHOLD, Leak, paste
from ttapi_nb.fit import measure_leak as measured
from ttapi_nb.mask import Mask

SIZE = (24, 18)
seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(["RGB", "RGBA"])


def noise(seed: int, mode: str) -> Image.Image:
    """A picture of any colours, and for RGBA of any transparency."""
    shape = (SIZE[1], SIZE[0], len(mode))
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def random_mask(seed: int) -> Mask:
    """A mask with holes, edges and every coverage in between."""
    random = np.random.default_rng(seed)
    coverage = random.integers(0, 256, SIZE[::-1], np.uint8)
    coverage[random.random(coverage.shape) < 0.4] = 0
    coverage[random.random(coverage.shape) < 0.3] = 255
    return Mask.from_array(coverage)


def soft(seed: int, mode: str = "RGB", size: tuple[int, int] = (200, 160)) -> Image.Image:
    """A picture of soft colours, far from black and white."""
    seeds = np.random.default_rng(seed).integers(70, 180, (5, 5, len(mode)), np.uint8)
    return Image.fromarray(seeds).resize(size, Image.Resampling.BICUBIC)


def shifted(image: Image.Image, by: tuple[int, int, int]) -> Image.Image:
    """The picture, redder, greener and bluer by that much."""
    return Image.fromarray(np.clip(np.asarray(image, int) + by, 0, 255).astype(np.uint8))


def measure_leak(sent: Image.Image, raw: Image.Image, mask: Mask, counted: Any = None) -> Leak:
    """The leak of an answer to a mask that protects something."""
    leak = measured(sent, raw, mask, counted)
    assert leak is not None
    return leak


# The strict paste


@given(seeds, modes, modes)
def test_outside_the_mask_every_byte_is_the_source(seed: int, before: str, after: str) -> None:
    """Where coverage is 0 the result is the source bit for bit, transparency and what lies under it included."""
    source, answer, mask = noise(seed, before), noise(seed + 1, after), random_mask(seed + 2)
    whole = paste(source, answer, mask).image
    assert whole.size == SIZE
    assert whole.mode == ("RGBA" if "RGBA" in (before, after) else "RGB")
    outside = mask.coverage() == 0
    assert np.array_equal(np.asarray(whole)[outside], np.asarray(source.convert(whole.mode))[outside])


@given(seeds, modes, st.integers(0, 12), st.integers(0, 9))
def test_an_answer_for_a_part_touches_only_that_part(seed: int, mode: str, x: int, y: int) -> None:
    """What an answer does not reach is the source, also inside the mask."""
    source, mask = noise(seed, mode), random_mask(seed + 2)
    whole = np.asarray(paste(source, noise(seed + 1, mode).crop((0, 0, 12, 9)), mask, (x, y)).image)
    untouched = np.ones(SIZE[::-1], bool)
    untouched[y : y + 9, x : x + 12] = mask.coverage()[y : y + 9, x : x + 12] == 0
    assert np.array_equal(whole[untouched], np.asarray(source)[untouched])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_unchanged_answer_changes_nothing(mode: str) -> None:
    """Where the answer is the source, so is the result, seam and all, and no colour shifted."""
    source = soft(1, mode)
    pasted = paste(source, source, Mask(source.size).ellipse((30, 30, 150, 120)))
    assert np.abs(np.asarray(pasted.image, int) - np.asarray(source)).max() <= (mode == "RGBA")
    assert pasted.shift is None or str(pasted.shift).count("+0.0") == 3


@pytest.mark.parametrize("at", [(0, 0), (30, 20)])
def test_deep_inside_the_mask_is_the_answer(at: tuple[int, int]) -> None:
    """A few pixels in from the mask's edge nothing of the source is left."""
    source, answer = soft(1), soft(1)
    box = (60, 40, 140, 110)
    ImageDraw.Draw(answer).rectangle((62, 42, 137, 107), "red")
    mask = Mask(source.size).rectangle(box)
    part = answer.crop((*at, *source.size))
    whole = np.asarray(paste(source, part, mask, at).image)
    inside = mask.shrink(6).coverage() == 255
    assert inside.sum() > 3000
    assert (whole[inside] == (255, 0, 0)).all()


def test_the_answer_fades_in_inside_the_mask() -> None:
    """From the mask's edge inwards there is more and more of the answer, and none outside."""
    source, answer = Image.new("RGB", (1600, 100), "black"), Image.new("RGB", (1600, 100), "black")
    answer.paste("white", (800, 0, 1600, 100))
    row = np.asarray(paste(source, answer, Mask((1600, 100)).rectangle((800, 0, 1600, 100))).image)[50, :, 0]
    assert not row[:800].any()
    assert 0 < row[800] < 128
    assert (np.diff(row[800:].astype(int)) >= 0).all()
    assert row[802] < 255
    assert (row[812:] == 255).all()


def test_at_the_pictures_own_border_nothing_fades() -> None:
    """A mask over everything takes the answer everywhere, to the last row and column."""
    source, answer = soft(1), Image.new("RGB", (200, 160), "lime")
    assert (np.asarray(paste(source, answer, Mask((200, 160)).invert()).image) == (0, 255, 0)).all()
    half = np.asarray(paste(source, answer, Mask((200, 160)).rectangle((0, 0, 100, 160))).image)
    assert (half[:, :90] == (0, 255, 0)).all()


@pytest.mark.parametrize("radius", [0.5, 1, 2, 4])
@pytest.mark.parametrize("size", [(400, 400), (6000, 300)])
def test_a_thin_stroke_shows(radius: float, size: tuple[int, int]) -> None:
    """However thin a stroke is, along its middle the answer shows."""
    source, answer = Image.new("RGB", size, "black"), Image.new("RGB", size, "black")
    answer.paste("white", (100, 50, 200, 250))
    mask = Mask(size).paint([(100, 100.5), (200, 100.5)], radius=radius)
    row = np.asarray(paste(source, answer, mask).image)[100, 110:190, 0]
    assert row.min() > 200


@pytest.mark.parametrize("size", [(90, 70), (1500, 200), (200, 3600)], ids=str)
@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 12])
def test_a_strip_along_the_border_is_pasted_as_in_mid_photo(
    size: tuple[int, int], side: str, width: int
) -> None:
    """However thin it is, at no pixel is there less of the answer than in the same strip in the middle."""
    source, answer = Image.new("RGB", size, (200, 40, 70)), Image.new("RGB", size, (230, 230, 230))
    across, far = side in ("left", "right"), side in ("right", "bottom")
    length = size[0] if across else size[1]
    # On the grid on which the edge's softness is worked out, so that both lie on it alike.
    middle = length // 2 - (length // 2) % 24 + (length % 24 - width % 24 if far else 0)

    def shown(start: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        box = (start, 0, start + width, size[1]) if across else (0, start, size[0], start + width)
        pasted = np.asarray(paste(source, answer, Mask(size).rectangle(box)).image, np.int64)[..., 1]
        row = pasted[size[1] // 2] if across else pasted[:, size[0] // 2]
        return row[start : start + width]

    border, inner = shown(length - width if far else 0), shown(middle)
    assert (border >= inner).all()
    assert (border[-1] if far else border[0]) == 230
    if width <= 4:
        assert (border == 230).all()


def test_a_frame_and_corners_show_too() -> None:
    """A thin frame round the whole photo, a dot in a corner, and a photo that is thin itself show the answer."""
    size = (80, 60)
    source, answer = Image.new("RGB", size, (200, 40, 70)), Image.new("RGB", size, (230, 230, 230))
    frame = Mask(size).invert().rectangle((3, 3, 77, 57), erase=True)
    whole = np.asarray(paste(source, answer, frame).image)
    assert (whole[frame.to_array()] == 230).all()
    assert (whole[frame.coverage() == 0] == (200, 40, 70)).all()
    dot = Mask(size).rectangle((78, 58, 80, 60))
    assert (np.asarray(paste(source, answer, dot).image)[dot.to_array()] == 230).all()
    thin = Mask((80, 2)).invert()
    assert (
        np.asarray(paste(source.crop((0, 0, 80, 2)), answer.crop((0, 0, 80, 2)), thin).image) == 230
    ).all()


@pytest.mark.parametrize("by", [(20, -10, 5), (-30, -30, -30), (0, 0, 0)])
def test_a_colour_shift_is_measured_and_evened_out(by: tuple[int, int, int]) -> None:
    """Where the answer's colours are off as a whole, inside the mask they are brought back, and the shift is told."""
    source = soft(4)
    pasted = paste(source, shifted(source, by), Mask(source.size).ellipse((50, 40, 150, 120)))
    assert pasted.shift is not None
    assert (pasted.shift.red, pasted.shift.green, pasted.shift.blue) == pytest.approx(by, abs=0.5)
    assert np.abs(np.asarray(pasted.image, int) - np.asarray(source)).max() <= 1


def test_a_shift_that_changes_from_side_to_side_is_evened_out() -> None:
    """What is too light on the left and too dark on the right is right on both."""
    source = soft(4)
    slope = np.linspace(-20, 20, 200)[None, :, None]
    answer = Image.fromarray((np.asarray(source) + slope).astype(np.uint8))
    whole = paste(source, answer, Mask(source.size).ellipse((50, 40, 150, 120))).image
    assert np.abs(np.asarray(whole, int) - np.asarray(source)).max() <= 4


def test_other_things_are_no_colour_shift() -> None:
    """What the model painted anew beside the mask does not tint what is in it."""
    source = soft(4)
    answer = shifted(source, (10, 0, 0))
    answer.paste("blue", (150, 60, 190, 100))
    pasted = paste(source, answer, Mask(source.size).ellipse((50, 40, 150, 120)))
    assert pasted.shift is not None
    assert pasted.shift.red == pytest.approx(10, abs=1)
    assert np.abs(np.asarray(pasted.image, int) - np.asarray(source)).max() <= 3
    nothing_alike = paste(
        source, noise(3, "RGB").resize(source.size, 0), Mask(source.size).ellipse((50, 40, 150, 120))
    )
    assert nothing_alike.shift is None


def test_hidden_colours_do_not_shine_through() -> None:
    """Along the seam to a see-through part, the colour under it is not mixed in, and what is new is opaque."""
    source = Image.new("RGBA", (100, 100), (0, 255, 0, 0))
    source.paste((200, 0, 0, 255), (0, 0, 50, 100))
    answer = Image.new("RGB", (100, 100), (200, 0, 0))
    whole = np.asarray(paste(source, answer, Mask((100, 100)).rectangle((40, 0, 80, 100))).image)
    assert (whole[:, :80] == (200, 0, 0, 255)).all()
    assert (whole[:, 80:] == (0, 255, 0, 0)).all()


def test_an_answer_with_holes_makes_holes() -> None:
    """A background that the model made see-through is see-through in the result, inside the mask only."""
    whole = np.asarray(
        paste(soft(1), Image.new("RGBA", (200, 160)), Mask((200, 160)).rectangle((40, 40, 120, 120))).image
    )
    assert (whole[50:110, 50:110, 3] == 0).all()
    assert (whole[:40, :, 3] == 255).all()


def test_the_paste_leaves_its_inputs_alone() -> None:
    """Source and answer can be used again."""
    source, answer = noise(1, "RGB"), noise(2, "RGB")
    before = source.tobytes(), answer.tobytes()
    assert paste(source, answer, random_mask(3)).image.tobytes() not in before
    assert (source.tobytes(), answer.tobytes()) == before


def test_an_empty_mask_keeps_the_source_and_a_full_one_the_answer() -> None:
    """The two ends of what a mask can say."""
    source, answer = noise(1, "RGBA"), noise(2, "RGBA")
    assert paste(source, answer, Mask(SIZE)).image.tobytes() == source.tobytes()
    full = np.asarray(paste(source, answer, Mask(SIZE).invert()).image)
    seen = np.asarray(answer)[..., 3] > 0
    assert np.array_equal(full[..., 3], np.asarray(answer)[..., 3])
    assert np.array_equal(full[seen], np.asarray(answer)[seen])


@pytest.mark.slow
def test_a_large_mask_is_blended_in_strips_without_a_trace() -> None:
    """A mask of more pixels than are blended at a time gives what it would in one piece."""
    size = (1500, 1500)
    source, answer = soft(1, size=size), shifted(soft(1, size=size), (12, 0, -12))
    mask = Mask(size).rectangle((100, 100, 1400, 1400))
    whole = np.asarray(paste(source, answer, mask).image, int)
    assert np.abs(whole - np.asarray(source)).max() <= 2


@pytest.mark.parametrize("other", [(18, 24), (48, 36)])
def test_sizes_that_differ_are_refused(other: tuple[int, int]) -> None:
    """A mask of another size is never laid over the wrong place, nor an answer beyond the picture's edge."""
    with pytest.raises(ValueError, match="match"):
        paste(noise(1, "RGB"), noise(2, "RGB"), Mask(other).invert())
    with pytest.raises(ValueError, match="match"):
        paste(noise(1, "RGB"), noise(2, "RGB"), Mask(SIZE).invert(), (1, 0))


# Leak


@given(seeds, modes)
def test_changes_inside_the_mask_are_no_leak(seed: int, mode: str) -> None:
    """What was pasted strictly has not leaked, whatever the answer was."""
    source, mask = noise(seed, mode), random_mask(seed + 2)
    leak = measure_leak(source, paste(source, noise(seed + 1, mode), mask).image, mask)
    assert leak == Leak(0.0, 0.0)
    assert leak.map is not None
    assert leak.map.getextrema() == (0, 0)


def test_a_planted_change_is_counted() -> None:
    """20 of 200 protected pixels repainted by 60 levels in one channel: a tenth of them, and 2 levels on average."""
    sent = Image.new("RGB", (20, 20), (100, 100, 100))
    mask = Mask((20, 20)).rectangle((0, 0, 20, 10))
    raw = sent.copy()
    raw.paste((0, 0, 255), (0, 0, 20, 10))
    raw.paste((100, 160, 100), (0, 19, 20, 20))
    leak = measure_leak(sent, raw, mask)
    assert leak.share == pytest.approx(0.1)
    assert leak.mean == pytest.approx(60 * 20 / (200 * 3))
    assert str(leak) == "10.0% of the protected pixels repainted (mean difference 2.0 of 255)"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_pixel_counts_only_beyond_the_threshold(sign: int) -> None:
    """A change of the threshold is the noise of an encoder, and one level more is paint, brighter or darker."""
    sent = Image.new("RGB", (10, 10), (128, 128, 128))
    mask = Mask((10, 10)).rectangle((0, 0, 5, 10))
    for change, share in ((LEAK_THRESHOLD, 0.0), (LEAK_THRESHOLD + 1, 1.0)):
        raw = Image.new("RGB", (10, 10), (128, 128, 128 + sign * change))
        leak = measure_leak(sent, raw, mask)
        assert leak.share == share
        assert leak.mean == pytest.approx(change / 3)


def test_the_whole_range_of_a_channel_is_a_difference_of_255() -> None:
    """Black to white does not wrap around."""
    white, black = Image.new("RGB", (4, 4), "white"), Image.new("RGB", (4, 4), "black")
    for sent, raw in ((white, black), (black, white)):
        assert measure_leak(sent, raw, Mask((4, 4))) == Leak(1.0, 255.0)


def test_the_seam_is_neither_kept_nor_leaked() -> None:
    """Only pixels of coverage 0 are protected, so paint in the seam is no leak."""
    mask = Mask((10, 10)).rectangle((0, 0, 9.5, 10))
    raw = Image.new("RGB", (10, 10), "white")
    raw.paste("black", (0, 0, 1, 1))
    assert measured(Image.new("RGB", (10, 10)), raw, mask) is None
    column = Mask((10, 10)).rectangle((0, 0, 8.5, 10))
    raw.paste("black", (9, 0, 10, 10))
    assert measure_leak(Image.new("RGB", (10, 10)), raw, column) == Leak(0.0, 0.0)


def test_a_mask_that_protects_nothing_has_no_leak() -> None:
    """With no pixel protected there is nothing to divide by, and nothing to tell."""
    full = Mask((4, 4)).invert()
    assert measured(Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "white"), full) is None
    faint = Mask.from_array(np.full((4, 4), 1, np.uint8) + np.eye(4, dtype=np.uint8) * 254)
    assert measured(Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "white"), faint) is None


def test_the_map_shows_where_and_how_much() -> None:
    """The map is the greatest difference of any channel, outside the mask only, and at the sent size."""
    sent = Image.new("RGB", (20, 10), (100, 100, 100))
    raw = sent.copy()
    raw.paste((100, 160, 90), (0, 0, 5, 10))
    raw.paste("white", (10, 0, 20, 10))
    leak = measure_leak(sent, raw, Mask((20, 10)).rectangle((10, 0, 20, 10)))
    assert leak.map is not None
    shown = np.asarray(leak.map)
    assert (leak.map.mode, leak.map.size) == ("L", (20, 10))
    assert (shown[:, :5] == 60).all()
    assert not shown[:, 5:].any()
    assert "map" not in repr(leak)


def test_what_does_not_count_is_left_out() -> None:
    """Padding, which is thrown away again, is neither measured nor shown."""
    counted = np.zeros((10, 20), bool)
    counted[:, 15:] = True
    raw = Image.new("RGB", (20, 10), "white")
    raw.paste("black", (16, 0, 20, 10))
    leak = measure_leak(Image.new("RGB", (20, 10)), raw, Mask((20, 10)), counted)
    assert leak == Leak(0.2, 255 * 0.2)
    assert leak.map is not None
    assert not np.asarray(leak.map)[:, :15].any()


def test_what_is_see_through_leaks_only_what_can_be_seen() -> None:
    """Other colours under full transparency are no leak, and paint in a see-through place is one."""
    sent, same = Image.new("RGBA", (8, 8), (0, 255, 0, 0)), Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert measure_leak(sent, same, Mask((8, 8))) == Leak(0.0, 0.0)
    assert measure_leak(sent, Image.new("RGB", (8, 8), "black"), Mask((8, 8))).share == 1.0


def test_the_heat_map_glows_where_the_leak_is() -> None:
    """What changed glows from red to yellow over the grey picture, which stays grey elsewhere, at a size to look at."""
    photo = Image.new("RGB", (400, 200), (200, 100, 50))
    raw = photo.copy()
    raw.paste((212, 100, 50), (0, 0, 100, 200))
    raw.paste((0, 255, 255), (100, 0, 200, 200))
    leak = measure_leak(photo, raw, Mask((400, 200)))
    heat = leak.heat_map(photo, longest=100)
    assert (heat.mode, heat.size) == ("RGB", (100, 50))
    red, yellow, grey = (heat.getpixel((x, 25)) for x in (10, 35, 80))
    assert isinstance(red, tuple)
    assert isinstance(yellow, tuple)
    assert isinstance(grey, tuple)
    assert red[0] > red[1] + 40
    assert yellow[0] > 200
    assert yellow[1] > 200
    assert yellow[2] < 50
    assert len(set(grey)) == 1
    assert leak.heat_map().size == (400, 200)
    assert Leak(0.0, 0.0).heat_map(photo).size == (400, 200)

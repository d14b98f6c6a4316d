"""What lies outside the mask: the strict paste keeps it, and the leak counts what changed there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ttapi_nb.mask import Mask
from ttapi_nb.strict import LEAK_THRESHOLD, Leak, measure_leak, paste

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


@given(seeds, modes, modes)
def test_outside_the_mask_every_byte_is_the_source(seed: int, before: str, after: str) -> None:
    """Where coverage is 0 the result is the source bit for bit, transparency and what lies under it included."""
    source, answer, mask = noise(seed, before), noise(seed + 1, after), random_mask(seed + 2)
    whole = paste(source, answer, mask)
    assert (whole.mode, whole.size) == (before, SIZE)
    outside = mask.coverage() == 0
    assert np.array_equal(np.asarray(whole)[outside], np.asarray(source)[outside])


@given(seeds, modes)
def test_inside_the_mask_every_byte_is_the_answer(seed: int, mode: str) -> None:
    """Where coverage is full nothing of the source is left."""
    source, answer, mask = noise(seed, mode), noise(seed + 1, mode), random_mask(seed + 2)
    inside = mask.coverage() == 255
    assert np.array_equal(np.asarray(paste(source, answer, mask))[inside], np.asarray(answer)[inside])


@given(seeds)
def test_in_the_seam_the_two_are_blended(seed: int) -> None:
    """A pixel that is covered by half is half of each, to within a level."""
    source, answer, mask = noise(seed, "RGB"), noise(seed + 1, "RGB"), random_mask(seed + 2)
    share = mask.coverage()[..., None] / 255
    expected = np.asarray(answer) * share + np.asarray(source) * (1 - share)
    assert np.abs(np.asarray(paste(source, answer, mask)) - expected).max() <= 1


def test_the_paste_leaves_its_inputs_alone() -> None:
    """Source and answer can be used again."""
    source, answer = noise(1, "RGB"), noise(2, "RGB")
    before = source.tobytes(), answer.tobytes()
    assert paste(source, answer, random_mask(3)).tobytes() not in before
    assert (source.tobytes(), answer.tobytes()) == before


def test_an_empty_mask_keeps_the_source_and_a_full_one_the_answer() -> None:
    """The two ends of what a mask can say."""
    source, answer = noise(1, "RGBA"), noise(2, "RGBA")
    assert paste(source, answer, Mask(SIZE)).tobytes() == source.tobytes()
    assert paste(source, answer, Mask(SIZE).invert()).tobytes() == answer.tobytes()


@pytest.mark.parametrize("other", [(18, 24), (48, 36)])
def test_sizes_that_differ_are_refused(other: tuple[int, int]) -> None:
    """A mask of another size is never laid over the wrong place."""
    with pytest.raises(ValueError, match="match"):
        paste(noise(1, "RGB"), noise(2, "RGB"), Mask(other).invert())


@given(seeds, modes)
def test_changes_inside_the_mask_are_no_leak(seed: int, mode: str) -> None:
    """What was pasted strictly has not leaked, whatever the answer was."""
    source, mask = noise(seed, mode), random_mask(seed + 2)
    assert measure_leak(source, paste(source, noise(seed + 1, mode), mask), mask) == Leak(0.0, 0.0)


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
    assert measure_leak(Image.new("RGB", (10, 10)), raw, mask) == Leak(0.0, 0.0)


def test_a_mask_that_protects_nothing_has_no_leak() -> None:
    """With no pixel protected there is nothing to divide by, and nothing to tell."""
    full = Mask((4, 4)).invert()
    assert measure_leak(Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "white"), full) == Leak(0.0, 0.0)

"""What coverage means: editor, headless edit, sent file, paste and leak agree on edit, protected and seam."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

import ttapi_nb
from tests.support.preparing import fitted
from tests.support.properties import examples
from ttapi_nb.fit import HOWS, Fit, measure_leak, paste
from ttapi_nb.mask import HALF, Mask, asked_for
from ttapi_nb.picture import SourceImage
from ttapi_nb.request import EditRequest

FIXTURES = Path(__file__).parent.parent / "fixtures"
SIZE = (24, 18)
SOURCE = SourceImage(Image.new("RGB", SIZE, (200, 40, 70)))
ANSWER = Image.new("RGB", SIZE, (30, 230, 230))

levels = st.sampled_from([0, 0, 0, 1, 2, 126, HALF - 1, HALF, HALF + 1, 200, 254, 255])
coverages = st.lists(levels, min_size=1, max_size=24).flatmap(
    lambda some: st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).choice(np.array(some, np.uint8), SIZE[::-1])
    )
)


def editor() -> Any:
    """An editor in this process that writes nothing down."""
    return ttapi_nb.ImageEditor(SOURCE, client=ttapi_nb.Client.offline(), log=False, prompt="x", fit="none")


@given(coverages)
@examples(60)
def test_all_agree_on_edit_protected_and_seam(coverage: Any) -> None:
    """The file is transparent at the edit, the paste keeps what is protected, and the leak counts that."""
    mask = Mask.of_coverage(coverage)
    edit, protected = coverage >= HALF, coverage == 0
    meaning = mask.meaning
    assert (meaning.edited, meaning.protected) == (edit.sum(), protected.sum())
    assert meaning.seam == coverage.size - edit.sum() - protected.sum()
    request = EditRequest.make(image=SOURCE, prompt="x", mask=mask)
    assert (request.mask is None) == (not coverage.any())
    assert bool(request.problems()) == (bool(coverage.any()) and not edit.any())
    if request.mask_file is not None:
        alpha = np.asarray(Image.open(io.BytesIO(request.mask_file.data)).getchannel("A"))
        assert np.array_equal(alpha == 0, edit)
        assert set(np.unique(alpha)) <= {0, 255}
    pasted = np.asarray(paste(SOURCE.pixels, ANSWER, mask).image)
    assert (pasted[protected] == (200, 40, 70)).all()
    leak = measure_leak(SOURCE.pixels, ANSWER, mask)
    assert (leak is None) == (not protected.any())
    if leak is not None:
        assert leak.share == 1.0
        assert leak.map is not None
        assert np.array_equal(np.asarray(leak.map) > 0, protected)


@given(coverages, st.sampled_from([(24, 18), (48, 36), (60, 45), (12, 9), (7, 5), (36, 9)]))
@examples(60)
def test_a_scaled_mask_edits_where_the_mask_does(coverage: Any, sent: tuple[int, int]) -> None:
    """Sent larger, each pixel is what the nearest is; sent smaller, no edit is lost and no protection made up."""
    mask = Mask.of_coverage(coverage)
    there = Fit(SIZE, (0, 0, *SIZE), sent, how="scale").there_mask(mask).coverage()
    rows = np.clip(((np.arange(sent[1]) + 0.5) * SIZE[1] / sent[1]).astype(int), 0, SIZE[1] - 1)
    columns = np.clip(((np.arange(sent[0]) + 0.5) * SIZE[0] / sent[0]).astype(int), 0, SIZE[0] - 1)
    near = coverage[rows][:, columns]
    assert (there[near >= HALF] >= HALF).all()
    assert (there[near > 0] > 0).all()
    if sent[0] >= SIZE[0] and sent[1] >= SIZE[1]:
        assert (there[near < HALF] < HALF).all()
    assert (there >= HALF).any() == (coverage >= HALF).any()


@given(coverages, st.sampled_from(HOWS))
@examples(30)
def test_by_every_plan_the_sent_mask_is_the_masks(coverage: Any, how: str) -> None:
    """Wherever a sent pixel shows the source, it edits, fades or protects as the nearest pixel there; none is lost."""
    mask = Mask.of_coverage(coverage)
    assume(how not in ("crop", "tiles") or mask.bounds)
    fit = Fit.plan(SOURCE, "dall-e-2", "256x256", how, mask)
    there = fit.there_mask(mask).coverage()
    shown = fit.not_padding()
    rows, columns = np.nonzero(shown)
    (across, down), (left, top, _, _) = fit.scale, fit.box
    near = coverage[((rows + 0.5) * down + top).astype(int), ((columns + 0.5) * across + left).astype(int)]
    sent = there[shown]
    # None is sent smaller: the source is tiny.
    assert np.array_equal(sent >= HALF, near >= HALF)
    assert (sent[near > 0] > 0).all()
    assert (there >= HALF).any() == (coverage >= HALF).any()
    leak = measure_leak(
        fit.there(SOURCE).pixels.convert("RGB"), ANSWER.resize(fit.sent_size), Mask.of_coverage(there), shown
    )
    assert (leak is None) == (not (there[shown] == 0).any())


@given(coverages)
@examples(10)
def test_editor_and_headless_edit_ask_for_the_same(coverage: Any) -> None:
    """The same mask is left out, sent or refused in the editor as without one, and so it is as a picture with alpha."""
    mask = Mask.of_coverage(coverage)
    shown = editor()
    shown.mask = mask
    headless = EditRequest.make(image=SOURCE, prompt="x", mask=mask, model=shown.model)
    asked = shown.request
    assert (asked.mask is None) == (headless.mask is None)
    assert shown.problems == fitted(headless, "none")[0].problems()
    if asked.mask_file is not None and headless.mask_file is not None:
        assert asked.mask_file.data == headless.mask_file.data
    shown.close()


def test_a_feathered_stroke_sends_nothing() -> None:
    """Feathered until nothing is half covered, a stroke is a problem in words, in the editor as without one."""
    mask = Mask(SIZE).paint([(12, 9)], radius=3).feather(100)
    shown = editor()
    shown.mask = mask
    assert ["nowhere half covered" in problem for problem in shown.problems] == [True]
    with pytest.raises(ttapi_nb.InvalidRequestError, match="nowhere half covered"):
        shown.run()
    with pytest.raises(ttapi_nb.InvalidRequestError, match="nowhere half covered"):
        ttapi_nb.edit(SOURCE, "x", mask=mask, client=ttapi_nb.Client.offline(), log=False)
    shown.close()


def test_painted_and_erased_again_is_nothing_painted() -> None:
    """What was erased is no mask, and the plan says that the whole picture may change."""
    mask = Mask(SIZE).paint([(12, 9)], radius=3).erase([(12, 9)], radius=9)
    assert asked_for(mask) is None
    assert asked_for(None) is None
    assert "whole picture may change" in Fit.plan(SOURCE, "gpt-image-1", mask=mask).words


BLANK = {
    "array": Mask.from_array(np.zeros(SIZE[::-1], bool)),
    "array of levels": Mask.from_array(np.zeros(SIZE[::-1], np.uint8)),
    "list": Mask.from_array([[0.0] * SIZE[0]] * SIZE[1]),
    "picture": Mask.from_image(Image.new("L", SIZE), edit="white"),
    "empty layer": Mask.from_image(Image.new("RGBA", SIZE), edit="painted"),
    "region": Mask(SIZE).fill(np.zeros(SIZE[::-1], bool)),
}


@pytest.mark.parametrize("kind", BLANK)
def test_pixels_that_mark_nothing_are_a_problem(kind: str) -> None:
    """Who gives an array or a picture of which nothing is marked is told so, in the editor as without one."""
    mask = BLANK[kind]
    same = (mask, pickle.loads(pickle.dumps(mask)), copy.copy(mask), mask.on(SOURCE), mask.grow(2))
    assert [one.meaning.problem[:26] for one in same] == ["The mask marks nothing. Pa"] * len(same)
    assert [
        "marks nothing" in one for one in EditRequest.make(image=SOURCE, prompt="x", mask=mask).problems()
    ] == [True]
    assert asked_for(mask.clear()) is None
    assert mask.invert().meaning.edited == SIZE[0] * SIZE[1]
    assert mask.rectangle((0, 0, 12, 18)).meaning.problem == ""


def test_pixels_that_mark_nothing_are_never_sent() -> None:
    """The editor and the edit without one refuse them alike, by every plan."""
    shown = editor()
    shown.mask = mask = BLANK["array"]
    assert shown.drawer.mask.blank
    assert ["marks nothing" in problem for problem in shown.problems] == [True]
    with pytest.raises(ttapi_nb.InvalidRequestError, match="marks nothing"):
        shown.run()
    shown.close()
    client = ttapi_nb.Client.offline()
    for fit in ("auto", "none", "crop"):
        with pytest.raises(ttapi_nb.InvalidRequestError, match="marks nothing"):
            ttapi_nb.edit(
                SOURCE, "x", mask=mask, client=client, log=False, fit=fit, model="dall-e-2", size="256x256"
            )


def test_what_nobody_touched_is_no_mask() -> None:
    """An empty `Mask`, and a drawer nobody painted in, let the whole picture change, and the plan says so."""
    drawer = ttapi_nb.MaskDrawer(SOURCE)
    for mask in (Mask(SIZE), drawer.mask, Mask.from_json(Mask(SIZE).to_json())):
        assert EditRequest.make(image=SOURCE, prompt="x", mask=mask).mask is None
        assert "whole picture may change" in Fit.plan(SOURCE, "gpt-image-1", mask=mask).words
    drawer.close()


def test_a_photo_without_a_hole_offers_none() -> None:
    """Where a photo is nowhere transparent, there is no hole to fill, also where it has an alpha channel."""
    for mode in ("RGB", "RGBA"):
        with pytest.raises(ttapi_nb.MaskError, match=r"transparen"):
            Mask.hole_of(Image.new(mode, SIZE, "teal"))


def test_a_mask_that_protects_nothing_is_said() -> None:
    """With alpha of 254 outside, no pixel is protected: no leak, nothing kept, and plan and result say so."""
    photo = Image.effect_noise((128, 128), 60).convert("RGB")
    client = ttapi_nb.Client.offline(fill=lambda image, mask, prompt, seed: image.convert("RGB"))
    run = ttapi_nb.edit(
        photo, "x", mask=FIXTURES / "mask_alpha254.png", client=client, log=False, model="gpt-image-1"
    )
    (result,) = run.results
    assert (result.leak, result.kept) == (None, False)
    assert "Nothing was protected" in result.note
    assert "protects nothing" in run.plan.words


def test_a_hole_is_offered_as_the_mask() -> None:
    """Without a mask the plan of a photo with a hole says what may happen, and the hole can be had as the mask."""
    photo = FIXTURES / "hole.png"
    request = EditRequest.make(image=photo, prompt="x")
    plan = fitted(request)[1]
    assert plan is not None
    assert "Mask.hole_of" in plan.words
    mask = Mask.hole_of(photo)
    assert 0 < mask.area < 128 * 128
    assert "Mask.hole_of" not in Fit.plan(request.image[0], "gpt-image-1", mask=mask).words

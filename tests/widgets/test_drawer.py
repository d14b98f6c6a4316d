"""Painting on the drawer, by the events that a browser sends and from Python."""

from __future__ import annotations

import contextlib
import io

import ipycanvas
import numpy as np
import pytest
import traitlets
from ipycanvas.canvas import COMMANDS
from PIL import Image

from tests.support.controls import message, said, sentences
from tests.support.painting import Screen, act, can, drawn, extend_photo, stage_of, stroke
from ttapi_nb import Mask, MaskDrawer


def test_stroke_becomes_the_same_mask_as_painting_in_python(drawer):
    """What the mouse drew is a stroke of the brush's size along the pointer's way."""
    drawer.brush_size = 40
    stroke(drawer, (100, 100), (200, 150))
    painted = Mask((400, 300)).paint([(100, 100), (200, 150)], radius=20)
    assert (drawer.mask.coverage() == painted.coverage()).all()


def test_stroke_on_a_large_photo_is_in_photo_pixels():
    """The screen shows a smaller picture, and the mask is still in the photo's own pixels."""
    drawer = MaskDrawer(Image.new("RGB", (3200, 1600)))
    drawer.brush_size = 100
    assert (stage_of(drawer).ink.width, stage_of(drawer).ink.height) == (1600, 800)
    stroke(drawer, (400, 400))
    assert drawer.mask.bounds == (750, 750, 850, 850)


def test_a_mask_that_marks_nothing_is_another_than_no_paint(drawer):
    """Assigned, it is taken, told and said, though it paints as little as an empty sheet; Clear and Undo go on."""
    told = []
    drawer.observe(lambda change: told.append(change.new.blank), "mask")
    drawer.mask = Mask.from_array(np.zeros((300, 400), bool))
    assert drawer.mask.blank
    assert "marks nothing" in said(drawer)
    drawer.clear()
    assert not drawer.mask.blank
    assert "marks nothing" not in said(drawer)
    drawer.undo()
    assert drawer.mask.blank
    stroke(drawer, (100, 100))
    assert "marks nothing" not in said(drawer)
    assert told == [True, False, True, True]


def test_eraser_takes_paint_away(drawer):
    """With the eraser, the same way removes what the brush painted."""
    drawer.brush_size = 30
    stroke(drawer, (50, 50), (150, 50))
    drawer.tool = "eraser"
    drawer.brush_size = 60
    stroke(drawer, (50, 50), (150, 50))
    assert drawer.mask.area == 0


def test_screen_shows_what_the_mask_says(drawer):
    """The ink that was sent to the screen is the mask's own coverage."""
    screen = Screen(drawer)
    stroke(drawer, (30, 40), (200, 210), (260, 100))
    drawer.tool = "eraser"
    stroke(drawer, (100, 100), (210, 200))
    assert drawer.mask.area
    assert (screen.ink == drawer.mask.coverage()).all()


def test_undo_and_redo_go_through_every_change(drawer):
    """Strokes, inverting, clearing and assignments can all be undone and redone."""
    stroke(drawer, (100, 100), (150, 100))
    drawer.invert()
    drawer.clear()
    drawer.mask = Mask((400, 300)).rectangle((0, 0, 10, 10))
    after = drawer.mask
    areas = []
    for _ in range(4):
        areas.append(drawer.mask.area)
        drawer.undo()
    assert drawer.mask.marks == ()
    assert areas[0] == 100
    assert areas[1] == 0
    assert areas[2] + areas[3] == 400 * 300
    for _ in range(4):
        drawer.redo()
    assert drawer.mask == after


def test_undo_without_a_past_does_nothing(drawer):
    """Undo and redo on a fresh drawer leave it as it is."""
    before = drawer.mask
    drawer.undo()
    drawer.redo()
    assert drawer.mask is before


def test_new_change_forgets_what_was_undone(drawer):
    """After an undo, a new stroke starts another future."""
    stroke(drawer, (100, 100))
    drawer.undo()
    stroke(drawer, (200, 200))
    after = drawer.mask
    drawer.redo()
    assert drawer.mask is after


def test_buttons_tell_whether_they_do_something(drawer):
    """Undo, redo and clear are enabled only where they would change something."""
    names = ("Undo", "Redo", "Clear")
    assert [can(drawer, name) for name in names] == [False, False, False]
    stroke(drawer, (100, 100))
    assert [can(drawer, name) for name in names] == [True, False, True]
    act(drawer, "Undo")
    assert [can(drawer, name) for name in names] == [False, True, False]


def test_the_brush_suits_the_photo():
    """It begins at about 4 % of the longer side, for each photo, until somebody has chosen."""
    drawer = MaskDrawer(Image.new("RGB", (400, 300)))
    assert drawer.brush_size == 16
    drawer.image = Image.new("RGB", (1000, 3000))
    assert (drawer.brush_size, stage_of(drawer).largest) == (120, 750)
    drawer.brush_size = 33
    drawer.image = Image.new("RGB", (400, 300))
    assert drawer.brush_size == 33


def test_photo_of_the_same_size_keeps_the_mask(drawer):
    """Another photo of the same size keeps the mask; one of another size starts anew, and undo brings both back."""
    stroke(drawer, (100, 100))
    first, mask = drawer.image, drawer.mask
    drawer.image = Image.new("RGB", (400, 300), "red")
    assert drawer.mask == mask
    drawer.image = Image.new("RGB", (100, 50))
    assert drawer.mask == Mask((100, 50))
    drawer.undo()
    assert (drawer.image.pixels.getpixel((0, 0)), drawer.mask) == ((255, 0, 0), mask)
    drawer.undo()
    assert (drawer.image, drawer.mask) == (first, mask)
    drawer.redo()
    drawer.redo()
    assert (drawer.image.size, drawer.mask) == ((100, 50), Mask((100, 50)))


def test_undo_keeps_a_few_photos_in_memory(drawer):
    """Undo goes back over the last photos, and not over all that were ever opened."""
    for number in range(10):
        drawer.image = Image.new("RGB", (40 + number, 30))
    sizes = []
    while can(drawer, "Undo"):
        act(drawer, "Undo")
        sizes.append(drawer.image.size[0])
    assert sizes == [48, 47, 46, 45]


def test_extend_masks_the_new_room_and_keeps_the_old_mask(drawer):
    """The margins are masked, what was painted moves along, and one undo takes all of it back."""
    stroke(drawer, (100, 100))
    before, photo = drawer.mask, drawer.image
    drawer.extend(left=50, bottom=20)
    assert drawer.image.size == drawer.mask.size == (450, 320)
    inside = drawer.mask.coverage()[:300, 50:]
    assert (inside == before.coverage()).all()
    assert drawer.mask.area == before.area + 450 * 320 - 400 * 300
    assert drawer.image.pixels.getpixel((49, 0))[3] == 0
    assert drawer.image.pixels.crop((50, 0, 450, 300)).convert("RGB").tobytes() == photo.pixels.tobytes()
    drawer.undo()
    assert (drawer.image, drawer.mask) == (photo, before)


def test_extending_says_what_is_wrong(drawer):
    """Margins of nothing are told where the user looks; an aspect extends the photo and closes the pop-over."""
    stage = stage_of(drawer)
    stage.set_state({"extending": True})
    extend_photo(drawer)
    assert "at least one margin" in said(drawer, "alert")
    assert stage.extending
    extend_photo(drawer, aspect="1:1")
    assert drawer.image.size == (400, 400)
    assert not said(drawer, "alert")
    assert not stage.extending


def test_a_photo_is_extended_by_what_is_in_the_fields(drawer):
    """Margins in pixels of the photo put so much room around it, and are 0 again for the next."""
    stage_of(drawer).set_state({"margins": [10, 0, 20, 5]})
    extend_photo(drawer, 44, 0, 20, 5)
    assert drawer.image.size == (400 + 64, 305)
    assert stage_of(drawer).margins == (0, 0, 0, 0)


def test_mask_shows_itself_over_the_photo(drawer):
    """What a notebook shows of the drawer's mask is the photo with a tint, also after strokes and on another photo."""

    def seen(place: tuple[int, int]) -> object:
        with Image.open(io.BytesIO(drawer.mask._repr_png_())) as shown:
            return shown.convert("RGB").getpixel(place)

    stroke(drawer, (100, 100))
    assert seen((300, 200)) == (128, 128, 128)
    assert seen((100, 100)) == pytest.approx((51, 165, 204), abs=2)
    drawer.image = Image.new("RGB", (400, 300), "red")
    assert seen((300, 200)) == (255, 0, 0)
    drawer.mask = Mask((400, 300)).rectangle((0, 0, 10, 10))
    assert seen((300, 200)) == (255, 0, 0)
    drawer.undo()
    drawer.undo()
    assert seen((300, 200)) == (128, 128, 128)


def test_mask_of_another_size_is_refused(drawer):
    """A mask that does not fit the photo is an error, and the drawn one stays."""
    stroke(drawer, (100, 100))
    before = drawer.mask
    with pytest.raises(traitlets.TraitError, match="resize"):
        drawer.mask = Mask((10, 10))
    with pytest.raises(traitlets.TraitError, match=r"Mask.from_image"):
        drawer.mask = "mask.png"
    assert drawer.mask is before


def test_every_drawing_says_where_it_belongs(drawer, monkeypatch):
    """A stroke, and photo and mask for a page that is ready, come with their canvas, which no page was told before."""
    stroke(drawer, (100, 100))
    sent = drawn(drawer, monkeypatch)
    photo, ink = stage_of(drawer).photo, stage_of(drawer).ink

    def told() -> object:
        first, *drawings = sent
        sent.clear()
        assert drawings
        return first

    stroke(drawer, (200, 200))
    assert told() == [COMMANDS["switchCanvas"], [f"IPY_MODEL_{ink.model_id}"]]
    # Twice: for a second page, too.
    for canvas in (photo, photo, ink, ink):
        message(canvas, {"event": "client_ready"})
        assert told() == [COMMANDS["switchCanvas"], [f"IPY_MODEL_{canvas.model_id}"]]


@pytest.mark.parametrize("holds", [True, False])
def test_ink_and_what_somebody_else_draws_keep_apart(drawer, monkeypatch, holds):
    """Each drawing is for its own canvas, also where somebody holds theirs while a stroke comes."""
    sent = drawn(drawer, monkeypatch)
    theirs = ipycanvas.Canvas()
    with ipycanvas.hold_canvas() if holds else contextlib.nullcontext():
        theirs.fill_rect(0, 0, 1, 1)
        stroke(drawer, (100, 100))
        theirs.fill_rect(1, 1, 1, 1)
    which, found = None, []
    for number, arguments, *_ in sent:
        if number == COMMANDS["switchCanvas"]:
            which = arguments[0].removeprefix("IPY_MODEL_")
        elif number in (COMMANDS["fillRect"], COMMANDS["putImageData"]):
            found.append(which)
    assert found == [theirs.model_id, stage_of(drawer).ink.model_id, theirs.model_id]


def test_without_a_photo_nothing_can_be_painted():
    """An empty drawer says what to do, and events change nothing."""
    drawer = MaskDrawer()
    stroke(drawer, (10, 10), (20, 20))
    drawer.invert()
    assert drawer.mask is None
    assert sentences(drawer) == ("Open a photo to paint on it.",)


def test_closing_the_photo_takes_the_mask_along(drawer):
    """Assigning None for the photo leaves no mask, and nothing to be seen; one undo brings back both."""
    screen = Screen(drawer)
    stroke(drawer, (100, 100))
    mask, stage = drawer.mask, stage_of(drawer)
    drawer.image = None
    assert drawer.mask is None
    assert not screen.ink.any()
    assert (stage.ready, stage.preview, stage.photo_size) == (False, None, (0, 0))
    assert (stage.photo.width, stage.ink.width) == (320, 320)
    drawer.undo()
    assert drawer.mask == mask
    assert (stage.ready, stage.photo_size) == (True, (400, 300))
    assert screen.ink.any()
    drawer.redo()
    assert (drawer.image, drawer.mask) == (None, None)


def test_no_mask_is_no_ink(drawer):
    """Assigning None for the mask shows that nothing is masked, and painting goes on."""
    screen = Screen(drawer)
    stroke(drawer, (100, 100))
    assert screen.ink.any()
    drawer.mask = None
    assert drawer.mask == Mask((400, 300))
    assert not screen.ink.any()
    stroke(drawer, (200, 100))
    assert len(drawer.mask.marks) == 1
    assert screen.ink.any()


def test_repr_is_short(drawer):
    """The repr names photo and mask."""
    assert repr(drawer) == "MaskDrawer(SourceImage('image', 400x300, PNG), Mask(400x300, 0 marks))"


def test_a_photo_is_opened_before_the_lock_is_taken(drawer):
    """Whatever a photo is read from, a run that ends meanwhile can still say so: nobody waits with the lock."""
    held = []

    class File(io.BytesIO):
        def read(self, *size):
            held.append(drawer.lock.is_mine)
            return super().read(*size)

    Image.new("RGB", (400, 300), "teal").save(data := io.BytesIO(), "PNG")
    drawer.show_both(File(data.getvalue()), Mask((400, 300)).rectangle((1, 1, 9, 9)))
    drawer.image = File(data.getvalue())
    assert held
    assert not any(held)


def test_a_mark_that_can_not_be_drawn_does_not_become_the_mask(drawer, monkeypatch):
    """Where a mask can't be drawn, that is said, and the mask that was there stays, on the screen and in Python."""
    stroke(drawer, (100, 100))
    before = drawer.mask

    def fails(mask):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Mask, "coverage", fails)
        drawer.invert()
    assert drawer.mask is before
    assert "not enough memory" in said(drawer, "alert")
    stroke(drawer, (200, 200))
    assert len(drawer.mask.marks) == 2
    assert not said(drawer, "alert")

"""The editor: its state, why it can't run, and what a run does."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from tests.support.controls import click, labelled, message, press, said
from tests.support.painting import act, stage_of
from tests.support.uploading import upload


@pytest.fixture
def editor(photo) -> tt.ImageEditor:
    """An editor that could run, on a small photo."""
    return tt.ImageEditor(photo, prompt="something red", client=tt.Client.offline())


class Gate:
    """A fill that waits until it is let through, and counts its calls."""

    def __init__(self) -> None:
        self.open, self.calls, self.entered = threading.Event(), 0, threading.Event()

    def __call__(self, image: Image.Image, mask: Image.Image, prompt: str, seed: int) -> Image.Image:
        """Wait, then give the picture back in another colour."""
        self.calls += 1
        self.entered.set()
        self.open.wait(30)
        return Image.new("RGB", image.size, "lime")


@pytest.fixture
def gate():
    """A gate that is open in the end, whatever the test did."""
    gate = Gate()
    yield gate
    gate.open.set()


def test_state_can_be_read_and_assigned(editor):
    """Every part of the editor is a trait: assigning shows, and what is shown can be read."""
    editor.model, editor.size, editor.prompt = "dall-e-2", "512x512", "blue"
    editor.options = {"n": 2, "response_format": "b64_json"}
    model, size, prompt = (labelled(editor, name) for name in ("Model", "Size", "Prompt"))
    assert (model.value, size.label, prompt.value) == ("dall-e-2", "512 × 512", "blue")
    prompt.value = "green"
    labelled(editor, "More options").value = True
    labelled(editor, "Results").value = 3
    assert editor.prompt == "green"
    assert editor.request.n == 3
    editor.mask = editor.mask.rectangle((0, 0, 8, 8))
    assert editor.drawer.mask is editor.mask
    assert editor.request.mask is editor.mask


def test_disabled_run_says_why(editor):
    """Each problem stands under the button, and when there is none it is enabled."""
    assert not labelled(editor, "Run").disabled
    editor.prompt = " "
    assert labelled(editor, "Run").disabled
    assert editor.status.words == editor.problems
    editor.mask = None
    assert editor.mask == editor.drawer.mask == tt.Mask(editor.image.size)
    editor.image = None
    assert len(editor.status.words) == 2
    editor.prompt, editor.image = "x", Image.new("RGB", (8, 8))
    assert not labelled(editor, "Run").disabled
    assert editor.status.words == ("Ready.",)


def test_problems_are_those_of_the_chosen_model():
    """A prompt that is too long for dall-e-2 is a problem for that alone, and the photo's shape is none."""
    editor = tt.ImageEditor(Image.new("RGB", (60, 40)), prompt="x" * 1001, client=tt.Client.offline())
    assert not editor.problems
    editor.model = "dall-e-2"
    (problem,) = editor.problems
    assert "Shorten it by 1" in problem


def test_nothing_painted_sends_no_mask(editor):
    """An empty mask, and one that was erased again, are left out of the request."""
    assert editor.request.mask is None
    editor.mask = editor.mask.paint([(9, 9)], radius=4).erase([(9, 9)], radius=9)
    assert editor.request.mask is None


def test_run_button_edits_and_shows_the_result(editor):
    """The button does what run() does: the result is shown, and outside the mask nothing changed."""
    editor.model, editor.size = "dall-e-2", "256x256"
    editor.mask = editor.mask.rectangle((10, 10, 50, 50))
    press(editor, "Run")
    run = editor.current.wait(30)
    assert editor.results == run.results
    assert editor.status.words[0].startswith("Done in")
    before, after = np.asarray(editor.image.pixels), np.asarray(run.results[0].image)
    outside = editor.mask.coverage() == 0
    assert (before[outside] == after[outside]).all()
    assert (before[~outside] != after[~outside]).any()


def test_second_click_starts_nothing(photo, gate):
    """While a run is under way, clicks, keys and calls give that run; one row is logged, one fill made."""
    editor = tt.ImageEditor(photo, prompt="x", client=tt.Client.offline(fill=gate))
    first = editor.run()
    click(labelled(editor, "Run"))
    message(editor.drawer.stage, {"type": "run"})
    assert editor.run() is first
    assert labelled(editor, "Run").disabled
    gate.open.set()
    first.wait(30)
    assert gate.calls == 1
    assert len(tt.RunLog().rows()) == 1
    assert not labelled(editor, "Run").disabled


def test_cancel_tells_what_it_means(photo, gate):
    """Cancelling says that the answer is kept when it comes; the embedded service has no bill to speak of."""
    editor = tt.ImageEditor(photo, prompt="x", client=tt.Client.offline(fill=gate))
    run, arrived = editor.run(), threading.Event()
    assert gate.entered.wait(30)
    press(editor, "Cancel")
    assert editor.status.words == ("Cancelled. If the result still comes, it is kept.",)
    assert not labelled(editor, "Run").disabled
    assert labelled(editor, "Cancel").disabled
    run.on_change(lambda changed: arrived.set() if changed.results else None)
    gate.open.set()
    assert arrived.wait(30)
    assert run.results
    assert tt.RunLog().rows()[0].results


def test_refusal_is_shown_where_people_look(photo):
    """What the service refuses is an alert in the status, and prompt and mask stay."""
    editor = tt.ImageEditor(photo, prompt="keep me", client=tt.Client.offline(), model="gpt-image-99")
    editor.mask = editor.mask.rectangle((0, 0, 9, 9))
    mask = editor.mask
    with pytest.raises(tt.RefusedError):
        editor.run().wait(30)
    assert "gpt-image-99" in editor.status.words[0]
    assert editor.status.tone == "alert"
    assert (editor.prompt, editor.mask) == ("keep me", mask)


def test_run_with_problems_raises_and_logs_nothing(editor):
    """From Python, run() raises what the button shows; nothing is recorded because nothing was sent."""
    editor.prompt = ""
    with pytest.raises(tt.InvalidRequestError, match="The prompt is empty"):
        editor.run()
    message(editor.drawer.stage, {"type": "run"})
    assert editor.status.tone == "alert"
    assert tt.RunLog().rows() == []


def test_result_becomes_the_next_input_and_keeps_the_mask(editor):
    """Use as input makes the result the photo; the mask stays."""
    editor.model, editor.size = "dall-e-2", "256x256"
    editor.mask = editor.mask.rectangle((10, 10, 50, 50))
    mask = editor.mask
    result = editor.run().wait(30).results[0]
    press(editor, "Use as input")
    assert editor.image is result.picture
    assert editor.mask == mask


def test_result_of_another_size_brings_the_mask_along(editor):
    """A result at another size resizes the mask, and undo still works."""
    editor.model, editor.size = "dall-e-2", "256x256"
    result = editor.run().wait(30).results[0]
    editor.mask = editor.mask.rectangle((16, 16, 32, 32))
    larger = replace(result, picture=tt.open_image(result.image.resize((128, 128))))
    editor.use_as_input(larger)
    assert editor.mask.bounds == (32, 32, 64, 64)
    editor.drawer.undo()
    assert (editor.image.size, editor.mask.bounds) == ((64, 64), (16, 16, 32, 32))


def test_upload_opens_and_a_bad_one_changes_nothing(editor, photo):
    """A good file becomes the photo; a bad one is explained, and photo, mask and prompt stay."""
    data = tt.open_image(photo).file().data
    upload(editor, "new.png", data)
    assert editor.image.name == "new.png"
    editor.mask = editor.mask.rectangle((0, 0, 9, 9))
    before = (editor.image, editor.mask, editor.prompt)
    upload(editor, "bad.png", b"<svg></svg>")
    assert "SVG" in labelled(editor, "Choose a photo").problem
    assert (editor.image, editor.mask, editor.prompt) == before


@pytest.mark.slow
def test_log_can_be_moved_or_switched_off(photo, tmp_path):
    """`log` names another folder, or none."""
    elsewhere = tt.RunLog(tmp_path / "elsewhere")
    tt.ImageEditor(photo, prompt="x", client=tt.Client.offline(), log=elsewhere).run().wait(30)
    tt.ImageEditor(photo, prompt="x", client=tt.Client.offline(), log=False).run().wait(30)
    assert len(elsewhere.rows()) == 1
    assert tt.RunLog().rows() == []


def test_unwritable_log_is_said_before_anything_is_sent(photo, tmp_path, gate):
    """Where the log can't be written, nothing is sent, and the status says what to do."""
    (tmp_path / "file").write_text("in the way")
    editor = tt.ImageEditor(
        photo, prompt="x", client=tt.Client.offline(fill=gate), log=tt.RunLog(tmp_path / "file")
    )
    press(editor, "Run")
    assert "run log" in editor.status.words[0]
    assert gate.calls == 0


def test_misspelt_keywords_are_refused(photo):
    """A keyword that the editor does not have is an error."""
    wrong: dict[str, Any] = {"modle": "dall-e-2"}
    with pytest.raises(TypeError, match="modle"):
        tt.ImageEditor(photo, **wrong)


def test_repr_is_short_and_holds_no_prompt(editor):
    """The repr names photo, model and size."""
    assert repr(editor) == "ImageEditor(SourceImage('image', 64x64, PNG), model='gpt-image-1.5', size='auto')"


@pytest.fixture
def large() -> Image.Image:
    """A picture of 1200 x 800 pixels, no two columns alike."""
    across = np.tile(np.arange(1200) % 256, (800, 1)).astype(np.uint8)
    return Image.fromarray(np.dstack([across, across[::-1], np.full_like(across, 90)]))


def test_the_part_that_is_sent_is_framed_and_told(large):
    """With a small mask on a large photo, the plan is drawn on the photo and said in words; scaling it shows none."""
    editor = tt.ImageEditor(large, prompt="red", client=tt.Client.offline())
    frame = stage_of(editor)
    editor.size = "1024x1024"
    editor.fit = "crop"
    assert "mask" in editor.problems[0]
    assert "around the mask" not in said(editor)
    assert labelled(editor, "Run").disabled
    editor.mask = editor.mask.rectangle((100, 100, 160, 160))
    assert editor.problems == ()
    left, top, right, bottom = frame.frame
    assert right - left == bottom - top == 800
    assert "around the mask" in said(editor)
    editor.fit, editor.size = "scale", "1536x1024"
    assert frame.frame == []
    assert "around the mask" not in said(editor)


@pytest.mark.slow
def test_a_run_uses_fit_strict_and_references(large):
    """What the panel says is what runs: the way to fit, whether the outside is kept, and the pictures that go along."""
    editor = tt.ImageEditor(
        large,
        prompt="red",
        client=tt.Client.offline(leaky=True),
        references=[Image.new("RGB", (50, 40), "green")],
    )
    editor.mask = editor.mask.rectangle((100, 100, 160, 160))
    editor.fit, editor.strict = "scale", False
    run = editor.run().wait(60)
    assert (run.asked.fit, run.strict, len(run.request.image)) == ("scale", False, 2)
    assert run.results[0].image.getpixel((1000, 700)) != large.getpixel((1000, 700))
    labelled(editor, "Keep what is outside the mask exactly").value = True
    kept = editor.run().wait(60).results[0]
    assert kept.kept
    assert kept.image.getpixel((1000, 700)) == large.getpixel((1000, 700))


def test_too_many_references_are_a_problem(editor):
    """A model that takes one picture says so while there are references, and nothing can be run."""
    editor.references = [Image.new("RGB", (8, 8))]
    editor.model = "dall-e-2"
    assert any("at most one picture" in problem for problem in editor.problems)
    assert labelled(editor, "Run").disabled
    editor.references = ()
    assert editor.problems == ()


@pytest.mark.slow
def test_code_does_the_same_edit(editor, tmp_path, monkeypatch):
    """What to_code gives, run as a script, makes the pixels that the editor made."""
    editor.image = tt.sample()
    editor.mask = editor.mask.ellipse((300, 300, 500, 520))
    editor.size = "1024x1024"
    run = editor.run().wait(60)
    monkeypatch.chdir(tmp_path)
    made: dict[str, Any] = {}
    exec(editor.to_code(), made)
    assert made["run"].results[0].image.tobytes() == run.results[0].image.tobytes()


@pytest.mark.slow
def test_a_saved_result_brings_back_what_made_it(editor, tmp_path, monkeypatch):
    """Dropped on an editor, a saved result restores prompt, model, options, photo and mask; undo shows the result."""
    photo = editor.image
    photo.save(tmp_path / "photo.png")
    editor.mask = editor.mask.rectangle((8, 8, 40, 40))
    editor.options, editor.size, editor.fit = {"n": 2}, "1024x1024", "scale"
    mask, run = editor.mask, editor.run().wait(60)
    data = run.results[1].save(tmp_path / "result.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    other = tt.ImageEditor(client=tt.Client.offline())
    upload(other, "result.png", data)
    assert (other.prompt, other.model, other.size) == ("something red", "gpt-image-1.5", "1024x1024")
    assert (other.options, other.fit) == ({"n": 2}, "scale")
    assert other.image.digest == photo.digest
    assert other.mask == mask
    assert "Undo opens the result itself" in said(other, "notice")
    act(other, "Undo")
    assert other.image.pixels.tobytes() == run.results[1].image.tobytes()


@pytest.mark.slow
def test_a_saved_result_without_its_photo_opens_itself(editor, tmp_path, monkeypatch):
    """Where the photo is not at hand, the result itself is opened, and the editor says so."""
    editor.mask = editor.mask.rectangle((8, 8, 40, 40))
    run = editor.run().wait(60)
    data = run.results[0].save(tmp_path / "result.webp").read_bytes()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    other = tt.ImageEditor(client=tt.Client.offline())
    upload(other, "result.webp", data)
    assert other.prompt == "something red"
    assert other.image.pixels.tobytes() == run.results[0].image.tobytes()
    assert "not at hand" in said(other, "notice")


def test_the_viewer_gives_its_prompt_back(editor):
    """The prompt of the run that is shown comes back into the editor."""
    editor.run().wait(60)
    editor.prompt = "something else"
    press(editor, "Copy the prompt back")
    assert editor.prompt == "something red"

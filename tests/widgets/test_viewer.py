"""Results beside the original, and what can be done with them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import ttapi_nb as tt
from ttapi_nb.images import ImageFile
from ttapi_nb.runs import Result
from ttapi_nb.widgets.viewer import ResultViewer


@pytest.fixture
def run(photo) -> tt.Run:
    """Two results of a masked edit by a service that repaints everywhere."""
    mask = tt.Mask(photo.size).rectangle((10, 10, 40, 40))
    return tt.edit(photo, "red <b>", mask=mask, n=2, client=tt.Client.offline(leaky=True), size="auto")


def click(viewer: ResultViewer, description: str) -> None:
    """Press one of the viewer's buttons."""
    buttons = (viewer._use, viewer._download_button, viewer._save_button)
    next(button for button in buttons if button.description == description)._handle_custom_msg(
        {"event": "click"}, []
    )


@pytest.fixture
def kept(photo) -> tt.Run:
    """A result in the picture's own shape, so that what is outside the mask was kept."""
    mask = tt.Mask(photo.size).rectangle((10, 10, 40, 40))
    client = tt.Client.offline(fill=lambda image, mask, prompt, seed: Image.new("RGB", image.size, "lime"))
    return tt.edit(photo, "anything", mask=mask, model="dall-e-2", size="256x256", client=client)


def test_nothing_is_shown_before_there_is_a_result():
    """An empty viewer takes no room and has no result."""
    viewer = ResultViewer()
    assert viewer.layout.display == "none"
    assert viewer.result is None
    assert viewer.save() is None


def test_result_stands_beside_the_original_with_its_figures(kept):
    """Both pictures are shown, with size, model, seconds and tokens, and the notice of the embedded service."""
    viewer = ResultViewer(kept)
    assert "Before: 64x64" in viewer._before.value
    for words in ("64x64", "dall-e-2", " s,", "tokens", "outside the mask nothing changed"):
        assert words in viewer._after.value
    assert "embedded service" in viewer._notice.words[0]


def test_each_of_several_results_can_be_chosen(run):
    """With two results there is a choice; choosing changes what is shown, and a new run starts at the first."""
    viewer = ResultViewer(run)
    first = viewer._after.value
    assert viewer._number.layout.display is None
    assert viewer._number.value == 0
    viewer._number.value = 1
    assert viewer.result is run.results[1]
    assert viewer._after.value != first
    viewer.index = 0
    assert viewer._number.value == 0
    assert viewer._after.value == first


def test_raw_answer_is_one_click_away(kept):
    """The model's own answer takes the result's place, and back."""
    viewer = ResultViewer(kept)
    with_mask = viewer._after.value
    viewer._raw.value = True
    assert "Raw answer" in viewer._after.value
    assert viewer._after.value != with_mask
    viewer.raw = False
    assert viewer._after.value == with_mask


def test_save_writes_the_result_and_never_over_another_file(kept, tmp_path):
    """Saving twice makes two files, each the result pixel for pixel; with the raw answer shown, that one."""
    viewer = ResultViewer(kept)
    first, second = viewer.save(tmp_path), viewer.save(tmp_path)
    assert first
    assert second
    assert first.name == "image-edit-1.png"
    assert second.name == "image-edit-1-2.png"
    assert (np.asarray(tt.open_image(second).pixels) == np.asarray(kept.results[0].image)).all()
    assert str(second) in viewer._status.words[0]
    viewer.raw = True
    third = viewer.save(tmp_path)
    assert third
    assert tt.open_image(third).size == (256, 256)


def test_save_button_writes_into_the_working_folder(kept, tmp_path, monkeypatch):
    """The button saves where the notebook is."""
    monkeypatch.chdir(tmp_path)
    click(ResultViewer(kept), "Save to folder")
    assert (tmp_path / "image-edit-1.png").exists()


def test_failed_save_is_said(kept, tmp_path):
    """A folder that can't be written to is an alert, not a traceback."""
    viewer = ResultViewer(kept)
    assert viewer.save(tmp_path / "missing") is None
    assert "could not be written" in viewer._status.words[0]


def test_download_hands_over_a_png(kept, monkeypatch):
    """The download is a PNG of the result."""
    viewer = ResultViewer(kept)
    files: list[ImageFile] = []
    monkeypatch.setattr(viewer._browser, "download", files.append)
    click(viewer, "Download")
    assert files[0].name == "image-edit-1.png"
    assert (np.asarray(tt.open_image(files[0].data).pixels) == np.asarray(kept.results[0].image)).all()


def test_use_as_input_calls_back_with_the_result(run):
    """The result that is shown is handed on."""
    viewer = ResultViewer(run)
    used: list[Result] = []
    viewer.on_use(used.append)
    viewer.index = 1
    click(viewer, "Use as input")
    assert used == [run.results[1]]


def test_text_in_captions_is_escaped(kept, monkeypatch):
    """A model's name can't bring markup into the page."""
    kept.request = tt.EditRequest(image=kept.request.image, prompt="x", model="<script>alert(1)</script>")
    assert "<script>" not in ResultViewer(kept)._after.value


def test_answer_of_another_shape_says_so(photo):
    """An answer that can't be laid back is shown as it came, with a note."""
    mask = tt.Mask((64, 64)).rectangle((0, 0, 9, 9))
    run = tt.edit(photo, "x", mask=mask, client=tt.Client.offline(), model="gpt-image-1", size="1536x1024")
    viewer = ResultViewer(run)
    assert not run.results[0].kept
    assert any("another shape" in words for words in viewer._notice.words)
    assert viewer._raw.layout.display == "none"

"""Results against the original, and what can be done with them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import ipywidgets
import nbformat
import numpy as np
import pytest
import traitlets
from nbclient import NotebookClient
from PIL import Image

import ttapi_nb as tt
from tests.support.controls import message, of_kind, press, said, sees, sentences, shown
from tests.support.trays import chosen, do, seen, tray_of
from ttapi_nb.fit import Light
from ttapi_nb.picture import ImageFile
from ttapi_nb.run import Result
from ttapi_nb.widgets.compare import Compare, Download
from ttapi_nb.widgets.viewer import ResultViewer


def lime(image: Image.Image, *_: object) -> Image.Image:
    """A service that paints everything lime."""
    return Image.new("RGB", image.size, "lime")


def edit(photo: Any, prompt: str = "red <b>", masked: bool = True, **more: Any) -> tt.Run:
    """Results of an edit by that service, in the picture's own shape."""
    mask = tt.Mask(photo.size).rectangle((10, 10, 40, 40)) if masked else None
    client = more.pop("client", None) or tt.Client.offline(fill=lime)
    return tt.edit(photo, prompt, mask=mask, model="dall-e-2", size="256x256", client=client, **more)


@pytest.fixture
def kept(photo) -> tt.Run:
    """One result, of which what is outside the mask was kept."""
    return edit(photo)


@pytest.fixture
def two(photo) -> tt.Run:
    """Two results."""
    return edit(photo, n=2)


def panes_of(viewer: ResultViewer) -> Compare:
    """The viewer's pictures in the browser."""
    panes = of_kind(viewer, Compare)
    assert isinstance(panes, Compare)
    return panes


def item_of(viewer: ResultViewer) -> Any:
    """What the browser is told of the result that is shown."""
    return panes_of(viewer).shown["item"]


def kept_of(viewer: ResultViewer, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a notebook keeps in a cell's output where the viewer is displayed."""
    written: list[dict[str, str]] = []
    monkeypatch.setattr("ttapi_nb.widgets.viewer.viewer.display", lambda bundle, **_: written.append(bundle))
    viewer.show_in_cell()
    _, kept = written
    return kept["text/html"]


def given(viewer: ResultViewer, monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, Image.Image]:
    """The pictures that the browser gets when it asks for these names."""
    sent: dict[str, Image.Image] = {}

    def send(head: dict[str, str], buffers: list[bytes]) -> None:
        sent[head["name"]] = picture = Image.open(io.BytesIO(buffers[0]))
        assert Image.MIME[picture.format or ""] == head["mime"]

    monkeypatch.setattr(panes_of(viewer), "send", send)
    for name in names:
        message(panes_of(viewer), {"type": "want", "name": name})
    return sent


def photo_name(viewer: ResultViewer) -> str:
    """What the browser asks for to see what lies below the result."""
    name = panes_of(viewer).shown["before"]["name"]
    assert isinstance(name, str)
    return name


def middle(image: Image.Image) -> list[int]:
    """The colour of a picture's middle, to within what JPEG costs."""
    return [round(level / 16) for level in image.convert("RGB").resize((3, 3)).getpixel((1, 1))]  # type: ignore[union-attr] # RGB gives a tuple


def test_nothing_is_shown_before_there_is_a_result():
    """An empty viewer takes no room, has no result, and its actions do nothing."""
    viewer = ResultViewer()
    assert viewer.layout.display == "none"
    assert viewer.result is None
    assert viewer.caption == ""
    assert viewer.save() is None
    assert viewer.save_all() == ()
    viewer.download()
    viewer.use_as_input()
    viewer.use_prompt()


def test_caption_has_the_figures(kept):
    """Size, model, seconds and tokens are said, and the notice of the embedded service."""
    viewer = ResultViewer(kept)
    for words in ("Result 1: 64 × 64", "dall-e-2", " s · ", " tokens."):
        assert words in viewer.caption
    assert "embedded service" in said(viewer, "notice")


def test_tokens_that_nobody_counted_are_said_to_be_unknown(kept):
    """Where the reply had no usage, the caption says so; with several results it says that the tokens are for all."""
    assert kept.response
    kept.response = replace(kept.response, usage=None)
    assert "tokens unknown" in ResultViewer(kept).caption


def test_tokens_of_several_results_are_for_all_of_them(two):
    """Nobody is led to multiply the tokens by the number of results."""
    assert "tokens for all 2 results" in ResultViewer(two).caption


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "The model repainted 100% of what you protected; that was put back."),
        ({"strict": False}, "The model repainted 100% of what you protected, and that was left as it came."),
        ({"client": tt.Client.offline()}, "Nothing outside the mask changed."),
        ({"client": tt.Client.offline(), "strict": False}, "Nothing outside the mask changed visibly."),
    ],
    ids=["put back", "left", "no leak", "no leak and left"],
)
def test_caption_says_what_became_of_the_protected_part(photo, more, says):
    """How much the model repainted outside the mask, and whether that was put back."""
    if "client" in more:
        photo = photo.resize((256, 256))
    assert says in ResultViewer(edit(photo, **more)).caption


def test_small_leak_is_not_rounded_to_nothing(kept):
    """A leak under one hundredth is said as that."""
    leak = replace(kept.results[0].leak, seen=0.004)
    kept.results = (replace(kept.results[0], leak=leak),)
    assert "repainted less than 1% of what you protected" in ResultViewer(kept).caption


def test_colours_that_were_evened_out_are_said(kept):
    """A shift of colours between answer and photo is told where it was a level or more."""
    for red, told in ((12.0, True), (0.4, False)):
        kept.results = (replace(kept.results[0], light=Light(red, 0, 0)),)
        assert ("Inside, colours had shifted" in ResultViewer(kept).caption) == told


def test_without_a_mask_nothing_is_said_of_one(photo):
    """With no mask there is neither a leak nor a raw answer apart, and the heat map says why it is not there."""
    viewer = ResultViewer(edit(photo, masked=False))
    assert "protected" not in viewer.caption
    item = item_of(viewer)
    assert not item["has_raw"]
    assert "Nothing was protected" in item["no_heat"]
    with pytest.raises(traitlets.TraitError, match="Nothing was protected"):
        viewer.mode = "heat"


def test_prompt_that_the_model_rewrote_is_said(kept):
    """A revised prompt is told."""
    data = replace(kept.results[0].data, revised_prompt="a red bowl, studio light")
    kept.results = (replace(kept.results[0], data=data),)
    assert "The model read the prompt as: a red bowl, studio light" in sentences(ResultViewer(kept), "notice")


def test_each_of_several_results_can_be_chosen(two):
    """Choosing in the tray, or from Python, changes what is shown; a new run starts at the first."""
    viewer = ResultViewer(two)
    assert len(viewer.results) == 2
    do(viewer, "choose", 1)
    assert viewer.index == 1
    assert viewer.result is two.results[1]
    assert "Result 2" in viewer.caption
    viewer.index = 0
    assert chosen(viewer) == 0
    viewer.index = 1
    viewer.run = edit(two.source.pixels)
    assert viewer.index == 0


@pytest.mark.slow
def test_pictures_reach_the_browser_small_and_when_asked_for(photo, monkeypatch):
    """Before, result, raw answer and heat map are previews of the photo's shape, and come by name."""
    viewer = ResultViewer(edit(photo.resize((2000, 2000)), strict=True))
    key = item_of(viewer)["key"]
    names = (photo_name(viewer), f"result {key}", f"raw {key}", f"heat {key}")
    sent = given(viewer, monkeypatch, *names, "result 7", f"photo {key}", "photo ", "nonsense", "")
    assert tuple(sent) == names
    assert {sent[name].size for name in names[:3]} == {(1600, 1600)}
    # The mask is at the photo's first corner, 32 pixels of a preview wide, and the model saw little more than it.
    masked, beside, away = (12, 12, 28, 28), (40, 40, 48, 48), (1500, 1500, 1600, 1600)
    before, result, raw = (sent[name] for name in names[:3])
    assert middle(raw.crop(masked)) == middle(raw.crop(beside)) == [0, 16, 0]
    for where in (beside, away):
        assert middle(result.crop(where)) == middle(before.crop(where))
    assert sent[names[3]].size[0] <= 1600


def test_picture_of_another_run_is_not_given(kept, two, monkeypatch):
    """A browser that asks for a run that is gone gets nothing."""
    viewer = ResultViewer(kept)
    old = item_of(viewer)["key"]
    viewer.run = two
    monkeypatch.setattr(panes_of(viewer), "send", lambda *_: pytest.fail("sent"))
    message(panes_of(viewer), {"type": "want", "name": f"result {old}"})


def test_transparent_photo_stays_transparent_in_the_browser(photo, monkeypatch):
    """A source with alpha goes to the browser with it, for the checkerboard behind it."""
    photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    viewer = ResultViewer(edit(photo))
    name = photo_name(viewer)
    assert given(viewer, monkeypatch, name)[name].has_transparency_data


@pytest.mark.slow
def test_state_holds_thumbnails_only(photo):
    """Ten results of noise, the worst there is, leave under 0.25 MB in the widget's state."""
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (512, 512, 3), np.uint8))
    viewer = ResultViewer(edit(noise, n=10, client=tt.Client.offline(fill=lambda image, *_: image)))
    thumbnails = [*panes_of(viewer).get_state()["shown"]["thumbs"], *tray_of(viewer).get_state()["thumbs"]]
    assert len(thumbnails) == 12
    assert sum(map(len, thumbnails)) < 250_000 * 3 / 4
    assert max(Image.open(io.BytesIO(data)).width for data in thumbnails) == 256


def test_raw_answer_is_one_click_away(kept):
    """The model's own answer is shown and described in the result's place, and back."""
    viewer = ResultViewer(kept)
    panes_of(viewer).set_state({"raw": True})
    assert viewer.raw
    assert "Raw answer 1: 256 × 256" in viewer.caption
    viewer.raw = False
    assert not panes_of(viewer).raw
    assert "Result 1: 64 × 64" in viewer.caption


def test_heat_map_brings_its_legend(kept):
    """In the heat map's mode the caption says how to read it; where the next run has none, the slider is back."""
    viewer = ResultViewer(kept)
    viewer.mode = "heat"
    assert panes_of(viewer).mode == "heat"
    assert "brighter" in viewer.caption
    viewer.run = edit(kept.source.pixels, masked=False)
    assert viewer.mode == "slider"
    with pytest.raises(traitlets.TraitError):
        viewer.mode = "magic"


def test_stars_are_state(two):
    """Stars are given in the tray or assigned, belong to their result, and can be observed."""
    viewer = ResultViewer(two)
    told: list[tuple[int, ...]] = []
    viewer.observe(lambda change: told.append(change.new), "starred")
    do(viewer, "rate", 1, stars=4)
    assert viewer.starred == (1,)
    viewer.starred = (1, 0)
    assert seen(viewer, "stars") == [1, 4]
    do(viewer, "rate", 0, stars=0)
    assert told == [(1,), (0, 1), (1,)]


def test_notes_are_state(two):
    """A note is typed or assigned, belongs to its result, and an empty one is none."""
    viewer = ResultViewer(two)
    do(viewer, "rate", 0, note="too dark")
    assert viewer.notes == {0: "too dark"}
    viewer.notes = {1: "this one", 0: ""}
    assert seen(viewer, "note") == ["", "this one"]
    assert viewer.notes == {1: "this one"}


@pytest.mark.parametrize("index", [2, -1, "0"])
def test_marks_on_a_result_that_is_not_there_are_refused(two, index):
    """A star or a note needs a result."""
    viewer = ResultViewer(two)
    with pytest.raises(traitlets.TraitError, match="There is no result"):
        viewer.starred = (index,)
    with pytest.raises(traitlets.TraitError, match="there are 2, counted from 0"):
        viewer.notes = {index: "x"}


def test_marks_come_back_with_their_run(kept, two):
    """Another run has stars and notes of its own; the first one's are there again when it is."""
    viewer = ResultViewer(two)
    viewer.index = 1
    viewer.starred, viewer.notes = (1,), {1: "this one"}
    viewer.run = kept
    assert not viewer.starred
    assert not viewer.notes
    viewer.run = None
    viewer.run = two
    assert (viewer.starred, viewer.notes) == ((1,), {1: "this one"})


def test_save_writes_the_result_and_never_over_another_file(kept, tmp_path):
    """Saving twice makes two files, each the result pixel for pixel; with the raw answer shown, that one."""
    viewer = ResultViewer(kept)
    first, second = viewer.save(tmp_path), viewer.save(tmp_path)
    assert first
    assert second
    assert first.name == "image-edit-1.png"
    assert second.name == "image-edit-1-2.png"
    assert (np.asarray(tt.open_image(second).pixels) == np.asarray(kept.results[0].image)).all()
    assert str(second) in said(viewer, "good")
    viewer.raw = True
    third = viewer.save(tmp_path)
    assert third
    assert third.name == "image-edit-1-raw.png"
    assert tt.open_image(third).size == (256, 256)


def test_save_button_writes_into_the_working_folder(kept, tmp_path, monkeypatch):
    """The tray's button saves where the notebook is."""
    monkeypatch.chdir(tmp_path)
    do(ResultViewer(kept), "save")
    assert (tmp_path / "image-edit-1.png").exists()


def test_save_all_numbers_and_says_where(two, tmp_path, monkeypatch):
    """All results are written under names that are free, and the status names the folder and each file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image-edit-2.png").write_text("mine")
    viewer = ResultViewer(two)
    press(viewer, "Save all")
    assert (tmp_path / "image-edit-2.png").read_text() == "mine"
    assert said(viewer, "good") == f"Saved 2 results in {tmp_path}: image-edit-1.png, image-edit-2-2.png"


def test_save_all_can_keep_to_the_starred(two, tmp_path):
    """Only starred results, and where there is none, that is said."""
    viewer = ResultViewer(two)
    assert viewer.save_all(tmp_path, starred=True) == ()
    assert "no result is starred" in said(viewer, "notice")
    viewer.starred = (1,)
    assert [path.name for path in viewer.save_all(tmp_path, starred=True)] == ["image-edit-2.png"]


def test_save_all_is_there_for_several_results_only(kept, two):
    """With one result there is one button to save it."""
    assert not sees(ResultViewer(kept), "Save all")
    assert sees(ResultViewer(two), "Save all")


def test_failed_save_is_said(two, tmp_path):
    """A folder that can't be written to is an alert, not a traceback."""
    viewer = ResultViewer(two)
    assert viewer.save(tmp_path / "missing") is None
    assert "could not be written" in said(viewer, "alert")
    assert viewer.save_all(tmp_path / "missing") == ()
    assert "could not be written" in said(viewer, "alert")


def test_download_hands_over_a_png(kept, monkeypatch):
    """The download is the file that save writes: a PNG of the result; with the raw answer shown, of that."""
    viewer = ResultViewer(kept)
    files: list[ImageFile] = []
    monkeypatch.setattr(of_kind(viewer, Download), "download", files.append)
    press(viewer, "Download")
    assert files[0].name == "image-edit-1.png"
    assert (np.asarray(tt.open_image(files[0].data).pixels) == np.asarray(kept.results[0].image)).all()
    viewer.raw = True
    press(viewer, "Download")
    assert files[1].name == "image-edit-1-raw.png"
    assert tt.open_image(files[1].data).size == (256, 256)


def test_use_as_input_calls_back_with_the_result(two):
    """The result that is shown is handed on."""
    viewer = ResultViewer(two)
    used: list[Result] = []
    viewer.on_use(used.append)
    viewer.index = 1
    press(viewer, "Use as input")
    assert used == [two.results[1]]
    viewer.on_use(used.append, remove=True)
    press(viewer, "Use as input")
    assert len(used) == 1


def test_prompt_goes_back_where_somebody_takes_it(kept):
    """There is a button for the prompt while somebody listens, and it hands the prompt over as it was."""
    viewer = ResultViewer(kept)
    assert not sees(viewer, "Copy the prompt back")
    prompts: list[str] = []
    viewer.on_use_prompt(prompts.append)
    press(viewer, "Copy the prompt back")
    assert prompts == ["red <b>"]


@pytest.mark.dear
@pytest.mark.parametrize("kind", ["16 bits", "further pictures", "turned", "animation"])
def test_what_opening_changed_is_said_once(kind):
    """The plan, the result's note and the viewer each say once what opening the photo changed."""
    colours, out, turned = Image.new("RGB", (48, 32), "teal"), io.BytesIO(), Image.Exif()
    turned[0x0112] = 6
    if kind == "16 bits":
        Image.fromarray(np.full((32, 48), 30_000, np.uint16)).save(out, "PNG")
    elif kind == "further pictures":
        colours.save(out, "MPO", save_all=True, append_images=[colours.resize((24, 16))])
    elif kind == "turned":
        colours.save(out, "JPEG", exif=turned)
    else:
        colours.save(
            out, "WEBP", save_all=True, append_images=[Image.new("RGB", (48, 32), "red")], duration=90
        )
    photo = tt.open_image(out.getvalue(), name="photo")
    assert photo.changes
    run = tt.edit(
        photo,
        "x",
        mask=tt.Mask(photo.size).rectangle((5, 5, 20, 20)),
        client=tt.Client.offline(),
        log=False,
        fit="none",
    )
    viewer = ResultViewer(run)
    for change in photo.changes:
        for words in (run.plan.words, run.results[0].note, said(viewer)):
            assert words.count(change) == 1
    viewer.close()


def test_text_can_bring_no_markup(kept, monkeypatch):
    """Prompt, model's name and note stay text, on the screen and in the output that a notebook keeps."""
    evil = '"><script>alert(1)</script>'
    kept.prepared = replace(kept.prepared, sent=replace(kept.request, model=evil, prompt=evil))
    viewer = ResultViewer(kept)
    viewer.notes = {0: evil}
    written = [one.value for one in shown(viewer) if isinstance(one, ipywidgets.HTML)]
    for page in ("".join(written), kept_of(viewer, monkeypatch)):
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


def test_alt_text_is_the_prompt_in_one_line(photo):
    """Each thumbnail's alternative text has its number and the prompt, shortened."""
    viewer = ResultViewer(edit(photo, "a red\nbowl " + "x" * 500))
    item = item_of(viewer)
    assert item["alt"].startswith("Result 1: a red bowl xxx")
    assert len(item["alt"]) < 320


def test_only_a_run_can_be_shown():
    """Anything else is refused with what to do."""
    with pytest.raises(traitlets.TraitError, match="run takes a Run"):
        ResultViewer(run="room.png")  # type: ignore[arg-type] # that is the mistake


def test_repr_is_short(two):
    """The repr says how many results there are, and nothing of the prompt."""
    assert repr(ResultViewer(two)) == "ResultViewer(Run(done, 2 results))"


def executed(*cells: str) -> Any:
    """A notebook of these cells after a real kernel ran them, all widget state in it."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return NotebookClient(book, kernel_name="python3", timeout=60).execute()


@pytest.mark.slow
def test_displaying_it_leaves_thumbnails_in_the_output():
    """A cell gets the widget, and apart from it thumbnails that follow run, stars and notes after the cell has ended.

    Ten results of noise, the worst there is, make the notebook less than 0.5 MB larger, with widget state and all.
    """
    book = executed(
        "import numpy as np, ttapi_nb as tt\nviewer = tt.ResultViewer()\nviewer",
        "noise = np.random.default_rng(3).integers(0, 256, (512, 512, 3), np.uint8)\n"
        "mask = tt.Mask((512, 512)).rectangle((100, 100, 400, 400))\n"
        "client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image)\n"
        "viewer.run = tt.edit(noise, 'a <b>', mask=mask, n=10, model='dall-e-2', size='512x512', client=client)",
        "viewer.starred, viewer.notes = (1,), {1: 'this <one>'}",
    )
    first, *others = (cell.outputs for cell in book.cells)
    assert others == [[], []]
    widget, kept = first
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert "text/html" not in widget.data
    page = kept.data["text/html"]
    assert page.count("<img") == 11
    assert "★ Result 2" in page
    assert "this &lt;one&gt;" in page
    assert "embedded service" in page
    assert kept.data["text/plain"] == "Thumbnails of ResultViewer(Run(done, 10 results))"
    assert book.metadata["widgets"]
    assert len(nbformat.writes(book)) < 500_000


@pytest.mark.slow
def test_widget_around_it_is_displayed_with_the_thumbnails_too():
    """`show_in_cell(widget)` is what an editor calls; a viewer that is only made in code writes no output."""
    book = executed(
        "import ipywidgets, ttapi_nb as tt\n"
        "run = tt.edit(tt.sample(), 'x', client=tt.Client.offline(fill=lambda image, mask, prompt, seed: image))\n"
        "viewer, hidden = tt.ResultViewer(), tt.ResultViewer(run)\n"
        "viewer.show_in_cell(ipywidgets.VBox([viewer]))",
        "hidden.starred = (0,)\nviewer.run = run",
        "viewer.run = None\nviewer.close()\nviewer",
    )
    (widget, kept), silent, (closed, empty) = (cell.outputs for cell in book.cells)
    assert widget.data["text/plain"].startswith("VBox(children=(ResultViewer(None)")
    assert silent == []
    assert closed.data == {"text/plain": "ResultViewer(None)"}
    # Both outputs follow the one viewer.
    assert kept.data["text/html"] == empty.data["text/html"] == '<div class="ttapi-kept"></div>'

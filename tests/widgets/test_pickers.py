"""What the pickers offer, and that their values can be read, set and observed."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.support.controls import controls, has, labelled, said, sees
from ttapi_nb import MODELS, EditRequest, ModelPicker, SizePicker
from ttapi_nb.widgets import OptionsPanel, PromptBox

OTHER = "other …"
NAME, MEASURES = "name of a model", "WIDTHxHEIGHT"


def offered(picker: ModelPicker | SizePicker) -> list[str]:
    """What the list shows, as a person reads it."""
    name = "Model" if isinstance(picker, ModelPicker) else "Size"
    return [label for label, _ in labelled(picker, name).options]


def test_model_picker_offers_every_model_that_edits():
    """Those that live come first and say nothing; the retired follow under their date, and any name can be typed."""
    picker = ModelPicker()
    assert (picker.value, said(picker)) == ("gpt-image-1.5", "")
    assert offered(picker) == [
        "gpt-image-1.5",
        "gpt-image-2",
        "gpt-image-1 · retired 23 October 2026",
        "dall-e-2 · retired 12 May 2026",
        OTHER,
    ]


def test_model_picker_says_when_a_model_was_retired():
    """A retired model is not refused, but once it is chosen a sentence says since when."""
    picker = ModelPicker()
    labelled(picker, "Model").label = "dall-e-2 · retired 12 May 2026"
    assert picker.value == "dall-e-2"
    assert "12 May 2026" in said(picker)
    picker.value = "gpt-image-2"
    assert said(picker) == ""


def test_model_picker_takes_a_typed_name_and_reports_it():
    """What the field shows is the value: nothing at first, then another model's name."""
    picker, seen = ModelPicker(), []
    picker.observe(lambda change: seen.append(change.new), "value")
    assert not has(picker, NAME)
    labelled(picker, "Model").label = OTHER
    assert (picker.value, said(picker)) == ("", "")
    labelled(picker, NAME).value = " gpt-image-9"
    assert (picker.value, labelled(picker, NAME).value) == ("gpt-image-9", " gpt-image-9")
    assert "sent as typed" in said(picker)
    labelled(picker, NAME).value = "gpt-image-2"
    labelled(picker, NAME).value = "gpt-image-2.7"
    assert sees(picker, NAME)
    labelled(picker, NAME).value = "  "
    assert seen == ["", "gpt-image-9", "gpt-image-2", "gpt-image-2.7", ""]
    labelled(picker, "Model").label = "gpt-image-2"
    assert picker.value == "gpt-image-2"


def test_a_typed_field_has_a_name_of_its_own():
    """The field behind the list has a label that says what is typed there, for those who can't see where it stands."""
    for picker, name, label in ((ModelPicker(), NAME, "Model name"), (SizePicker(), MEASURES, "Other size")):
        picker.value = "odd"
        assert labelled(picker, name) is labelled(picker, label)


@pytest.mark.parametrize("field", ["model", "size"])
def test_a_blank_other_is_a_problem(field):
    """An empty model or size is said in a sentence, and never sent as what was chosen before."""
    picture = Image.new("RGB", (64, 64))
    for blank in ("", " "):
        request = EditRequest.make(image=picture, prompt="a bowl", **{"model": "gpt-image-2", field: blank})
        (problem,) = request.problems()
        assert problem.startswith("There is no model." if field == "model" else "The size is empty.")


def test_model_picker_shows_an_assigned_unknown_name():
    """A name assigned from Python that no row knows stands in the text field."""
    picker = ModelPicker()
    picker.value = "my-model"
    assert (labelled(picker, "Model").label, labelled(picker, NAME).value) == (OTHER, "my-model")
    assert sees(picker, NAME)
    picker.value = "dall-e-2"
    assert labelled(picker, "Model").value == "dall-e-2"
    assert not sees(picker, NAME)


@pytest.mark.parametrize("name", [row.name for row in MODELS.values() if row.edits])
def test_size_picker_offers_what_the_model_takes(name):
    """The list is the model's own, with a field for more only where a rule takes more."""
    picker = SizePicker(model=name)
    sizes = [size.replace("x", " × ") for size in MODELS[name].sizes]
    assert offered(picker) == sizes + [OTHER] * (MODELS[name].size_rule is not None)


def test_size_picker_keeps_a_size_that_the_next_model_takes():
    """Changing the model keeps the size where it can, and goes back to auto where it can't."""
    picker = SizePicker("1024x1024", model="gpt-image-1")
    picker.model = "dall-e-2"
    assert picker.value == "1024x1024"
    picker.value = "512x512"
    picker.model = "gpt-image-1"
    assert picker.value == "auto"
    assert labelled(picker, "Size").label == "auto"


def test_size_picker_takes_free_text_for_unknown_models_and_rules():
    """Another size can be typed for a model by rule and for one that no row knows."""
    for model in ("gpt-image-2", "something-new"):
        picker = SizePicker(model=model)
        labelled(picker, "Size").label = OTHER
        assert picker.value == ""
        labelled(picker, MEASURES).value = "1280x720"
        assert picker.value == "1280x720"


def test_size_picker_shows_a_wrong_size_that_was_assigned():
    """A size that the model doesn't make is shown as it was assigned, for the checks to refuse."""
    picker = SizePicker(model="gpt-image-1")
    picker.value = "999x999"
    assert labelled(picker, MEASURES).value == "999x999"
    assert labelled(picker, "Size").label == OTHER


def test_options_panel_has_the_fields_of_the_model():
    """Only fields that the model takes are shown, and their values leave with them."""
    panel = OptionsPanel("gpt-image-1")
    panel.unfolded = True
    panel.value = {"quality": "low", "input_fidelity": "high", "n": 3}
    assert labelled(panel, "Quality").label == "low"
    assert labelled(panel, "Results").value == 3
    assert sees(panel, "Input fidelity")
    panel.model = "gpt-image-2"
    assert panel.value == {"quality": "low", "n": 3}
    assert not has(panel, "Input fidelity")
    assert (labelled(panel, "Quality").label, labelled(panel, "Results").value) == ("low", 3)
    taken = [name.replace("_", " ").capitalize() for name in MODELS["gpt-image-2"].choices]
    fields = [one.description for one in panel.inside.children]
    assert fields == ["Results", *taken, "Compression", "Partial images"]
    panel.model = "dall-e-2"
    assert labelled(panel, "Quality").label == "default"
    assert panel.value == {"n": 3}


def test_options_panel_reports_what_is_picked():
    """A picked value stands in `value`, one set back to its default leaves it, and assigned values wait unfolded."""
    panel = OptionsPanel("gpt-image-1")
    panel.value = {"n": 2}
    panel.unfolded = True
    results, background = labelled(panel, "Results"), labelled(panel, "Background")
    assert results.value == 2
    background.label = "opaque"
    assert panel.value == {"n": 2, "background": "opaque"}
    results.value, background.label = 1, "default"
    assert panel.value == {}


def test_options_panel_keeps_its_controls_when_folded():
    """Folding and unfolding shows the same controls."""
    panel = OptionsPanel("gpt-image-1")
    panel.unfolded = True
    before = list(controls(panel))
    assert sees(panel, "Results")
    panel.unfolded = False
    assert not sees(panel, "Results")
    panel.unfolded = True
    assert list(controls(panel)) == before


def test_options_panel_offers_compression_only_where_it_counts():
    """Compression is for webp and jpeg results, and only sent when it is not the default."""
    panel = OptionsPanel("gpt-image-1")
    panel.unfolded = True
    output = labelled(panel, "Output format")
    assert not sees(panel, "Compression")
    output.label = "webp"
    assert sees(panel, "Compression")
    labelled(panel, "Compression").value = 60
    assert panel.value == {"output_format": "webp", "output_compression": 60}
    output.label = "png"
    assert panel.value == {"output_format": "png"}
    assert not sees(panel, "Compression")


def test_prompt_box_counts_what_the_model_leaves():
    """The remaining length follows text and model, and says when there is too much."""
    box = PromptBox("x" * 990, model="dall-e-2")
    assert box.remaining == 10
    box.value = "y" * 1001
    assert box.remaining == -1
    box.model = "gpt-image-1"
    assert box.remaining == 32_000 - 1001


@pytest.mark.parametrize(
    ("widget", "said"),
    [
        (ModelPicker(), "ModelPicker('gpt-image-1.5')"),
        (SizePicker(), "SizePicker('auto')"),
        (OptionsPanel(), "OptionsPanel({})"),
        (PromptBox("hi"), "PromptBox('hi')"),
    ],
)
def test_reprs_are_short_and_the_same_each_time(widget, said):
    """A widget's repr names its value and nothing that changes from run to run."""
    assert repr(widget) == said


@pytest.mark.parametrize("kind", [ModelPicker, SizePicker, OptionsPanel, PromptBox])
def test_misspelt_keywords_are_refused(kind):
    """A keyword that no picker has is an error, not silence."""
    with pytest.raises(TypeError, match="modell"):
        kind(modell="x")


def test_default_can_be_chosen_again_in_the_browser() -> None:
    """Back at its first choice, a list of the panel still says what is chosen, and nothing is asked for."""
    panel = OptionsPanel("gpt-image-1.5")
    panel.unfolded = True
    quality = labelled(panel, "Quality")
    quality.set_state({"index": 1})
    assert panel.value == {"quality": "high"}
    quality.set_state({"index": 0})
    assert (quality.label, quality.index, panel.value) == ("default", 0, {})

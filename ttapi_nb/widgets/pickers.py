"""What to ask for: model, size, other options and prompt. Each has a `value` to read, set and observe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets

from ..fit import HOWS
from ..models import DEFAULT_MODEL, MODELS, PARTIAL_TOKENS, Model, model_for
from .fold import Fold
from .looks import looks, sharing
from .prompt import PromptBox
from .text import LateWords, Slot, made

__all__ = ["FitPicker", "ModelPicker", "OptionsPanel", "PromptBox", "SizePicker"]

OTHER = "other …"
FIT_WORDS = {
    "auto": "what suits best",
    "crop": "the mask and its surroundings",
    "tiles": "tiles along the mask, one by one",
    "pad": "all of it, padded to the shape",
    "scale": "all of it, scaled",
    "none": "the photo as it is",
}
# What is sent when a control is not touched: nothing.
DEFAULTS = {"n": 1, "partial_images": 0, "output_compression": 100}

PARTIALS_HINT = (
    f"How many drafts to see while the result is made; each is said to cost about {PARTIAL_TOKENS} tokens"
)


class _ChoiceOrText(ipywidgets.VBox):
    """A list of known values, with a field for any other behind its last entry: what it shows is the value, also
    nothing.
    """

    value = traitlets.Unicode()

    def __init__(
        self, description: str, other: str, placeholder: str, choices: Sequence[tuple[str, str]], value: str
    ) -> None:
        self._choices = ipywidgets.Dropdown(
            description=description, options=choices, layout=looks().wide, style=looks().labels
        )
        self._other, self._placeholder = other, placeholder
        self._showing = self._typing = False
        # Made when there is another value than the known ones.
        self._text: Any = None
        self._note = LateWords(self._arrange)
        super().__init__([self._choices], layout=looks().shown)
        self.value = value
        self._show()
        self._choices.observe(self._chosen, "value")
        self.observe(self._show, "value")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def _known(self) -> dict[str, str]:
        return {value: label for label, value in self._choices.options if value != OTHER}

    def _chosen(self, change: Any) -> None:
        if self._showing:
            return
        if change.new == OTHER:
            self._show_text()
            self.value = self._text.value.strip()
        elif change.new is not None:
            self.value = change.new

    def _typed(self, change: Any) -> None:
        if self._choices.value != OTHER or self._showing:
            return
        # A longer name may begin with one that the list has: the field stays while somebody types in it.
        self._typing = True
        self.value = change.new.strip()
        self._typing = False

    def _show(self, _: Any = None) -> None:
        if self._typing:
            return
        known = self.value in self._known()
        self._showing = True
        if not known:
            self._show_text()
            self._text.value = self.value
        elif self._text is not None:
            self._text.layout.display = "none"
        self._choices.value = self.value if known else OTHER
        self._showing = False

    def _show_text(self) -> None:
        if self._text is None:
            self._text = ipywidgets.Text(
                description=self._other,
                placeholder=self._placeholder,
                layout=looks().wide,
                style={"description_width": "initial"},
            )
            self._text.observe(self._typed, "value")
            self._arrange()
        self._text.layout.display = ""

    def _arrange(self, _: object = None) -> None:
        self.children = made(self._choices, self._text, self._note)


class ModelPicker(_ChoiceOrText):
    """Picks a model that edits, or takes the name of any other. `value` is the model's name, `""` while none is typed.

    Those that were retired come last, under the date of that.
    """

    def __init__(self, value: str = DEFAULT_MODEL) -> None:
        names = [(_entry(row), row.name) for row in MODELS.values() if row.edits]
        super().__init__("Model", "Model name", "name of a model", [*names, (OTHER, OTHER)], value)
        self._describe()
        self.observe(self._describe, "value")

    def _describe(self, _: Any = None) -> None:
        row = model_for(self.value)
        if not self.value:
            self._note.say("")
        elif not row.known:
            self._note.say("Not in our table: sent as typed, with only the checks that hold for every model.")
        elif not row.edits:
            self._note.say(f"{row.name} can't edit a picture.")
        elif row.is_retired():
            self._note.say(
                f"OpenAI retired {row.name} on {_day(row)}; whether it still answers is the service's to say."
            )
        else:
            self._note.say("")


def _day(row: Model) -> str:
    return f"{row.retired.day} {row.retired:%B %Y}" if row.retired else ""


def _entry(row: Model) -> str:
    return f"{row.name} · retired {_day(row)}" if row.is_retired() else row.name


class SizePicker(_ChoiceOrText):
    """Picks a size that `model` makes. `value` is `"auto"` or `"WIDTHxHEIGHT"` in pixels, `""` while none is typed.

    Where the model takes any size by a rule, or is not known, another size can be typed. When `model` changes to one
    that doesn't make the chosen size, `value` goes back to `"auto"`.
    """

    model = traitlets.Unicode(DEFAULT_MODEL)

    def __init__(self, value: str = "auto", model: str = DEFAULT_MODEL) -> None:
        super().__init__("Size", "Other size", "WIDTHxHEIGHT", _sizes(model_for(model)), "auto")
        self.model = model
        self._say_rule()
        self.observe(self._offer, "model")
        self.value = value

    def _offer(self, _: Any) -> None:
        row = model_for(self.model)
        value = self.value if row.takes_size(self.value) else "auto"
        self._choices.unobserve(self._chosen, "value")
        self._choices.options = _sizes(row)
        self.value = value
        self._choices.value = value if value in self._known() else OTHER
        self._choices.observe(self._chosen, "value")
        self._show()
        self._say_rule()

    def _say_rule(self) -> None:
        rule = model_for(self.model).size_rule
        self._note.say(f"Or type another: {rule}." if rule else "")

    def _show(self, _: Any = None) -> None:
        if self.value not in self._known() and all(value != OTHER for _, value in self._choices.options):
            # Assigned from Python: shown as it is, and refused by the checks.
            self._choices.options = [*self._choices.options, (OTHER, OTHER)]
        super()._show()


def _sizes(row: Model) -> list[tuple[str, str]]:
    offered = [(size.replace("x", " × "), size) for size in row.sizes]
    free = row.size_rule is not None or not row.known
    return [*offered, (OTHER, OTHER)] if free else offered


class FitPicker(Slot):
    """How the photo is brought to the model, and whether what lies outside the mask stays.

    `value` is one of `ttapi_nb.fit.HOWS`, and `strict` true where what is outside the mask is kept exactly. What that
    means for the photo is `put` below, in words.
    """

    value = traitlets.Enum(HOWS, "auto")
    strict = traitlets.Bool(True)

    def __init__(self) -> None:
        with sharing() as shared:
            self._made = shared.made
            self._choices = ipywidgets.Dropdown(
                description="Send",
                options=[(FIT_WORDS[how], how) for how in HOWS],
                layout=shared.wide,
                style=shared.labels,
            )
            self._strict = ipywidgets.Checkbox(
                True, description="Keep what is outside the mask exactly", indent=False, layout=shared.wide
            )
            super().__init__(self._choices, self._strict, layout=shared.shown, name="ttapi-fit")
        traitlets.link((self, "value"), (self._choices, "value"))
        traitlets.link((self, "strict"), (self._strict, "value"))

    def __repr__(self) -> str:
        return f"FitPicker({self.value!r}, strict={self.strict})"


class OptionsPanel(Fold):
    """The other options that `model` takes, folded. `value` is a dict of those that are not the default.

    When `model` changes, what the new one doesn't take leaves `value`.
    """

    model = traitlets.Unicode(DEFAULT_MODEL)
    value = traitlets.Dict()

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        self._controls: dict[str, Any] = {}
        self._showing = False
        self._box = ipywidgets.VBox()
        super().__init__("More options", self._box)
        self.model = model
        self.observe(self._offer, ["model", "unfolded"])
        self.observe(self._show, "value")

    def __repr__(self) -> str:
        return f"OptionsPanel({self.value!r})"

    def _offer(self, change: Any) -> None:
        row = model_for(self.model)
        if change.name == "model":
            self.value = {
                name: value
                for name, value in self.value.items()
                if (name == "n" and value <= row.n_max)
                or (name == "partial_images" and value <= (row.partials_max or 0))
                or value in row.choices.get(name, ())
                or (name == "output_compression" and row.compresses)
            }
        elif self._controls:
            return
        if self.unfolded:
            self._build(row)

    def _build(self, row: Model) -> None:
        for control in self._controls.values():
            control.close()
        controls: dict[str, Any] = {
            "n": ipywidgets.BoundedIntText(1, min=1, max=row.n_max, description="Results")
        }
        for name, values in row.choices.items():
            # Not None: chosen in the browser, that would leave the list blank.
            options = [("default", ""), *((value, value) for value in values if value != "auto")]
            controls[name] = ipywidgets.Dropdown(
                options=options, description=name.replace("_", " ").capitalize()
            )
        if row.compresses:
            controls["output_compression"] = ipywidgets.IntSlider(100, 0, 100, description="Compression")
        if row.partials_max:
            controls["partial_images"] = ipywidgets.BoundedIntText(
                0, min=0, max=row.partials_max, description="Partial images", tooltip=PARTIALS_HINT
            )
        for control in controls.values():
            control.layout.width, control.style.description_width = "auto", "124px"
        self._controls = controls
        self._show()
        for control in controls.values():
            control.observe(self._gather, "value")
        self._box.children = tuple(controls.values())

    def _gather(self, _: Any = None) -> None:
        if self._showing:
            return
        chosen = {name: control.value for name, control in self._controls.items()}
        if chosen.get("output_format") not in ("webp", "jpeg"):
            chosen.pop("output_compression", None)
        self.value = {name: value for name, value in chosen.items() if value not in ("", DEFAULTS.get(name))}

    def _show(self, _: Any = None) -> None:
        # Half of the controls in their new state would be another value.
        self._showing = True
        for name, control in self._controls.items():
            control.value = self.value.get(name, DEFAULTS.get(name, ""))
        self._showing = False
        if "output_compression" in self._controls:
            compresses = self.value.get("output_format") in ("webp", "jpeg")
            self._controls["output_compression"].layout.display = "" if compresses else "none"

"""`PromptLab`: many prompts on many models, made, compared and judged in a notebook."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import ipywidgets
from IPython.display import display

from ...asked import Asked
from ...client import AsyncClient, Client, default_client
from ...errors import SettingsError, TTAPIError
from ...experiment import Experiment, Trial, TrialCell
from ...experiment.cells import Cell
from ...experiment.photos import Photo, photos_of
from ...experiment.plan import Plan
from ...experiment.prompts import Prompt
from ...log import Budget, RunLog
from ...mask import Mask
from ...models import DEFAULT_MODEL, MODELS
from ...request import EditRequest
from ..closing import Closing
from ..text import Words
from .stage import CellStage
from .view import LabView, static_grid

__all__ = ["PromptLab"]


class PromptLab(Closing, ipywidgets.VBox):
    """An experiment as a form and a grid that fills while it runs.

    * `plan`: an `Experiment` to begin with, or a `Trial` to look at and go on with; left out, an empty form.
    * `photos`, `name`: as `Experiment` takes them, where there is no plan.
    * `client`, `log`, `budget`, `parallel`: as `Experiment.run` takes them.

    `take` puts a photo with its mask and a prompt into the form, as *Lab* in an editor does; `on_edit(callback)` offers
    the way back. `plan` is what the form says now, `trial` what was begun. The grid, table, votes and ranking are those
    of the report that `trial.report(path)` writes, and a cell opens over its photo. The notebook keeps small thumbnails
    of what was made.
    """

    def __init__(
        self,
        plan: Experiment | Trial | None = None,
        *,
        photos: Any = None,
        name: str = "",
        client: Client | AsyncClient | None = None,
        log: RunLog | None = None,
        budget: Budget | None = None,
        parallel: int = 4,
    ) -> None:
        trial = plan if isinstance(plan, Trial) else None
        base: Plan | None = plan.plan if isinstance(plan, Trial) else plan
        if base is not None and (photos is not None or name):
            raise SettingsError(
                "A plan has its photos and its name. Give either the plan, or photos and name."
            )
        self._base = base
        start = base or Experiment("-", photos=photos)
        self._photos: list[Photo] = list(start.photos)
        self._name = base.name if base is not None else name
        self._client, self._budget, self._parallel = client or default_client(), budget, parallel
        self._log = trial.log if trial is not None else log
        # What belongs to all cells, and has no field of its own.
        self._options: Mapping[str, Any] = base.options if base is not None else {}
        self._fit, self._strict = (base.fit, base.strict) if base is not None else ("auto", True)
        self._edit_callbacks = ipywidgets.CallbackDispatcher()
        self.trial: Trial | None = None
        self._kept_id = ""
        self._build(base)
        super().__init__([self._form, self._status, self._stage, self._view], _dom_classes=("ttapi-lab",))
        self._view.around = self.model_id or ""
        self._show_estimate()
        if trial is not None:
            self._follow(trial)

    def __repr__(self) -> str:
        return f"PromptLab({self.trial!r})" if self.trial is not None else "PromptLab()"

    def _build(self, base: Plan | None) -> None:
        wide = ipywidgets.Layout(width="auto")
        prompts = "\n".join(one.text.replace("\n", " ") for one in base.prompts) if base is not None else ""
        self._prompts = ipywidgets.Textarea(
            value=prompts, description="Prompts", placeholder="One prompt a line", rows=5, layout=wide
        )
        known = dict.fromkeys([*(base.models if base is not None else ()), *MODELS])
        chosen = base.models if base is not None else (DEFAULT_MODEL,)
        self._models = ipywidgets.SelectMultiple(
            options=list(known), value=tuple(chosen), description="Models", rows=5, layout=wide
        )
        sizes = " ".join(base.sizes) if base is not None else "auto"
        self._sizes = ipywidgets.Text(
            value=sizes, description="Sizes", tooltip="auto, or WIDTHxHEIGHT, with spaces between"
        )
        repeats = base.repeats if base is not None else 1
        self._repeats = ipywidgets.BoundedIntText(value=repeats, min=1, max=100, description="Repeats")
        self._run = ipywidgets.Button(description="Run", icon="play", button_style="primary")
        self._stop = ipywidgets.Button(description="Stop", icon="stop", disabled=True)
        self._status = Words()
        self._view = LabView(self._open)
        self._stage = CellStage(lambda one: self._edit_callbacks(one.cell), self._view.go_to)
        self._about = Words()
        self._say_photos()
        row = ipywidgets.HBox(
            [self._sizes, self._repeats, self._run, self._stop], layout={"flex_flow": "row wrap"}
        )
        self._form = ipywidgets.VBox([self._about, self._prompts, self._models, row])
        for part in (self._prompts, self._models, self._sizes, self._repeats):
            part.observe(self._show_estimate, "value")
        self._run.on_click(lambda _: self.run())
        self._stop.on_click(lambda _: self.stop())

    # What is asked for

    @property
    def plan(self) -> Experiment:
        """The plan that the form says. Raises `SettingsError` where it says none."""
        lines = [line.strip() for line in self._prompts.value.splitlines() if line.strip()]
        if not lines:
            raise SettingsError("There is no prompt. Write one on each line.")
        base = self._base
        named = {one.text.replace("\n", " "): one for one in base.prompts} if base is not None else {}
        return Experiment(
            [named.get(line, Prompt(line)) for line in dict.fromkeys(lines)],
            self._photos,
            self._models.value,
            self._sizes.value.split() or "auto",
            self._options,
            int(self._repeats.value),
            base.variables if base is not None else None,
            zip=base.together if base is not None else (),
            skip=base.ruled_out if base is not None else None,
            fit=self._fit,
            strict=self._strict,
            name=self._name,
        )

    def _say_photos(self) -> None:
        photos = ", ".join(photo.label for photo in self._photos)
        self._about.say(f"Photos: {photos}. {self._client.words}")

    def take(self, asked: Asked) -> None:
        """Put the photo, mask, prompt, model and size of an edit into the form, beside what is there; its options, fit
        and strictness hold for all cells from now on. What would go in tiles goes whole.
        """
        request = asked.request
        mask = request.mask if isinstance(request.mask, Mask) else None
        photo = Photo(asked.source, mask)
        there = [one for one in self._photos if one.picture is not None]
        alike = (photo.digest, photo.mask_digest)
        if photo.picture is not None and alike not in [(one.digest, one.mask_digest) for one in there]:
            self._photos = list(photos_of([*there, photo]))
        known = [line.strip() for line in self._prompts.value.splitlines() if line.strip()]
        prompt = " ".join(request.prompt.split())
        if prompt and prompt not in known:
            self._prompts.value = "\n".join([*known, prompt])
        chosen = self._models.value if known else ()
        self._models.options = list(dict.fromkeys([*self._models.options, request.model]))
        self._models.value = tuple(dict.fromkeys([*chosen, request.model]))
        sizes = self._sizes.value.split() if known else []
        self._sizes.value = " ".join(dict.fromkeys([*sizes, request.size or "auto"]))
        # A cell is one request.
        self._fit = "auto" if asked.fit == "tiles" else asked.fit
        self._options, self._strict = _further(request), asked.strict
        self._say_photos()
        self._show_estimate()

    def come(self) -> None:
        """Have the page go to it, as soon as it is shown."""
        self._view.come()

    def on_edit(self, callback: Callable[[Cell], None], remove: bool = False) -> None:
        """Call `callback(cell)` when a cell is to be edited, in an editor say; without one there is no button."""
        self._edit_callbacks.register_callback(callback, remove=remove)
        self._stage.offer_edit()

    def _open(self, key: str, number: int) -> None:
        """Show a result of a cell over its photo."""
        if self.trial is None:
            return
        try:
            self._stage.show(self.trial, key, number)
        except TTAPIError as error:
            self._status.say(str(error), "alert")
        else:
            self._view.go_to()

    def _show_estimate(self, _: object = None) -> None:
        if self.trial is not None and self.trial.running:
            return
        try:
            plan = self.plan
            prices = self._budget.prices if self._budget is not None else None
            skipped = f" {len(plan.skipped)} skipped: {plan.skipped[0].reason}" if plan.skipped else ""
            estimate = plan.estimate(prices, parallel=self._parallel, log=self._log)
            takes = estimate.words_for(offline=self._client.is_offline)
            self._status.say(f"{takes}.{skipped}")
        except TTAPIError as error:
            self._status.say(str(error), "notice")

    # Running

    def run(self) -> None:
        """Send what the form asks for and was never sent, as Run does."""
        if self.trial is not None and self.trial.running:
            return
        try:
            plan = self.plan
            # Under the name of its first content, so that further prompts join what there is.
            self._name = plan.name
            trial = plan.start(self._client, budget=self._budget, parallel=self._parallel, log=self._log)
        except TTAPIError as error:
            self._status.say(str(error), "alert")
            return
        self._follow(trial)

    def stop(self) -> None:
        """Send nothing more, as Stop does; what is under way goes on."""
        if self.trial is not None:
            self.trial.stop()

    def _follow(self, trial: Trial) -> None:
        if self.trial is not None:
            self.trial.on_change(self._changed, remove=True)
        self.trial = trial
        trial.on_change(self._changed)
        self._view.show(trial, lambda words: self._status.say(words, "alert"))
        self._progress()

    def _changed(self, _: TrialCell) -> None:
        self._progress()

    def _progress(self) -> None:
        trial = self.trial
        if trial is None:
            return
        counts = trial.counts
        under_way = bool(counts["sending"] or counts["elsewhere"] or (trial.running and counts["waiting"]))
        self._run.disabled, self._stop.disabled = under_way, not under_way
        counted = ", ".join(f"{count} {state}" for state, count in counts.items())
        self._status.say(
            f"{counted}. {trial.note}".strip(),
            "busy" if under_way else "good" if not trial.note else "notice",
        )
        if not under_way:
            self._keep(update=True)

    def on_change(self, callback: Callable[[TrialCell], None]) -> None:
        """Call `callback(cell)` when something of a cell changes; see `Trial.on_change`."""
        if self.trial is not None:
            self.trial.on_change(callback)

    # What the notebook keeps

    def _ipython_display_(self) -> None:
        view = self._repr_mimebundle_() if self._repr_mimebundle_ else {"text/plain": repr(self)}
        display(view, raw=True)  # type: ignore[no-untyped-call] # IPython has no types here
        self._kept_id = self._kept_id or uuid.uuid4().hex
        self._keep()

    def _keep(self, update: bool = False) -> None:
        if not self._kept_id:
            return
        page = static_grid(self.trial) if self.trial is not None else ""
        bundle = {"text/plain": f"Thumbnails of {self!r}", "text/html": page}
        display(bundle, raw=True, display_id=self._kept_id, update=update)  # type: ignore[no-untyped-call] # as above


def _further(request: EditRequest) -> dict[str, Any]:
    """The options of an edit, as an experiment takes them: nobody would see the drafts, which are paid for."""
    return {
        item.name: value
        for item in fields(request)
        if item.name
        not in ("image", "prompt", "mask", "model", "size", "extra_body", "stream", "partial_images")
        and (value := getattr(request, item.name)) != item.default
    }

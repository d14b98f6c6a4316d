"""`PromptLab`: many prompts on many models, made, compared and judged in a notebook."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import ipywidgets
from IPython.display import display

from ...client import AsyncClient, Client, default_client
from ...errors import SettingsError, TTAPIError
from ...experiment import Experiment, Trial, TrialCell
from ...experiment.photos import Photo
from ...experiment.plan import Plan
from ...experiment.prompts import Prompt
from ...log import Budget, RunLog
from ...models import DEFAULT_MODEL, MODELS
from ..closing import Closing
from ..text import Words
from .view import LabView, static_grid

__all__ = ["PromptLab"]


class PromptLab(Closing, ipywidgets.VBox):
    """An experiment as a form and a grid that fills while it runs.

    * `plan`: an `Experiment` to begin with, or a `Trial` to look at and go on with; left out, an empty form.
    * `photos`, `name`: as `Experiment` takes them, where there is no plan.
    * `client`, `log`, `budget`, `parallel`: as `Experiment.run` takes them.

    `plan` is what the form says now, `trial` what was begun. The grid, table, votes and ranking are those of the report
    that `trial.report(path)` writes. The notebook keeps small thumbnails of what was made.
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
        given: Plan | None = plan.plan if isinstance(plan, Trial) else plan
        if given is not None and (photos is not None or name):
            raise SettingsError(
                "A plan has its photos and its name. Give either the plan, or photos and name."
            )
        self._given = given
        start = given or Experiment("-", photos=photos)
        self._photos: list[Photo] = list(start.photos)
        self._name = given.name if given is not None else name
        self._client, self._budget, self._parallel = client or default_client(), budget, parallel
        self._log = trial.log if trial is not None else log
        self.trial: Trial | None = None
        self._kept_id = ""
        self._build(given)
        super().__init__([self._form, self._status, self._view])
        self._show_estimate()
        if trial is not None:
            self._follow(trial)

    def __repr__(self) -> str:
        return f"PromptLab({self.trial!r})" if self.trial is not None else "PromptLab()"

    def _build(self, given: Plan | None) -> None:
        wide = ipywidgets.Layout(width="auto")
        prompts = "\n".join(one.text.replace("\n", " ") for one in given.prompts) if given is not None else ""
        self._prompts = ipywidgets.Textarea(
            value=prompts, description="Prompts", placeholder="One prompt a line", rows=5, layout=wide
        )
        known = dict.fromkeys([*(given.models if given is not None else ()), *MODELS])
        chosen = given.models if given is not None else (DEFAULT_MODEL,)
        self._models = ipywidgets.SelectMultiple(
            options=list(known), value=tuple(chosen), description="Models", rows=5, layout=wide
        )
        sizes = " ".join(given.sizes) if given is not None else "auto"
        self._sizes = ipywidgets.Text(
            value=sizes, description="Sizes", tooltip="auto, or WIDTHxHEIGHT, with spaces between"
        )
        repeats = given.repeats if given is not None else 1
        self._repeats = ipywidgets.BoundedIntText(value=repeats, min=1, max=100, description="Repeats")
        self._run = ipywidgets.Button(description="Run", icon="play", button_style="primary")
        self._stop = ipywidgets.Button(description="Stop", icon="stop", disabled=True)
        self._status = Words()
        self._view = LabView()
        photos = ", ".join(photo.label for photo in self._photos)
        about = Words(f"Photos: {photos}. {self._client.words}")
        row = ipywidgets.HBox(
            [self._sizes, self._repeats, self._run, self._stop], layout={"flex_flow": "row wrap"}
        )
        self._form = ipywidgets.VBox([about, self._prompts, self._models, row])
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
        given = self._given
        named = {one.text.replace("\n", " "): one for one in given.prompts} if given is not None else {}
        return Experiment(
            [named.get(line, Prompt(line)) for line in dict.fromkeys(lines)],
            self._photos,
            self._models.value,
            self._sizes.value.split() or "auto",
            given.options if given is not None else None,
            int(self._repeats.value),
            given.variables if given is not None else None,
            zip=given.together if given is not None else (),
            skip=given.ruled_out if given is not None else None,
            fit=given.fit if given is not None else "auto",
            strict=given.strict if given is not None else True,
            name=self._name,
        )

    def _show_estimate(self, _: object = None) -> None:
        if self.trial is not None and self.trial.running:
            return
        try:
            plan = self.plan
            prices = self._budget.prices if self._budget is not None else None
            skipped = f" {len(plan.skipped)} skipped: {plan.skipped[0].reason}" if plan.skipped else ""
            self._status.say(f"{plan.estimate(prices, parallel=self._parallel, log=self._log)}.{skipped}")
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
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        self._status.say(
            f"{said}. {trial.note}".strip(), "busy" if under_way else "good" if not trial.note else "notice"
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

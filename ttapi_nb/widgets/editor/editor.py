"""`ImageEditor`: open a photo, paint, pick, write, run, and see the result beside the original."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import ipywidgets
import traitlets

from ... import run as running
from ...asked import Asked
from ...client import Client, default_client
from ...client.client import is_offline_forced
from ...client.key import Secret, held
from ...errors import SettingsError, TTAPIError
from ...fit import HOWS
from ...lineage import open_result
from ...log import Budget, RunLog
from ...log.budget import NO_LOG
from ...mask import EngineName, Mask, Select, asked_for
from ...models import DEFAULT_MODEL
from ...picture import ImageSource, SourceImage, open_image
from ...request import EditRequest
from ...run import Result, Run
from ..browser import PhotoInput
from ..closing import Closing
from ..copier import Copier
from ..drawer import MaskDrawer, Masks
from ..drawer.turns import Patient
from ..history import HistoryPanel
from ..looks import sharing
from ..pickers import FitPicker, ModelPicker, OptionsPanel, SizePicker
from ..prompt import PromptBox
from ..references import ReferenceTray
from ..text import LateWords, Slot, made
from ..viewer import ResultViewer
from .checks import Checks
from .controls import Controls
from .drafts import MaskDrafts
from .earlier_runs import EarlierRuns
from .filling import at_hand, fill_in, words_of_result, words_of_run
from .growing import Growing
from .key_corner import KeyCorner, with_key
from .lab_door import LabDoor
from .one_run import OneRun
from .opening import take_photos
from .partials import Partials
from .plan_line import PlanLine
from .recordings import Recordings
from .remedies import Remedies

__all__ = ["ImageEditor"]


class ImageEditor(Closing, Patient, ipywidgets.VBox):
    """An editor for one photo.

    * `image`: the photo, a `SourceImage` or None; assign anything that `open_image` takes.
    * `mask`: what was painted, a `Mask` of the photo's size; read it, assign it, observe it.
    * `references`: a tuple of pictures that go along, for models that take several; the mask is not theirs.
    * `model`, `size`, `prompt`: strings; `options`: a dict of the other fields of `EditRequest`.
    * `fit`: how the photo is brought to the model, as in `ttapi_nb.edit`: `"auto"`, `"crop"`, `"tiles"`, `"pad"`,
      `"scale"` or `"none"`; `strict`: whether what lies outside the mask is kept exactly.
    * `client`: left out, one with the environment's key, or where there is none the embedded service; the editor says
      which it is, and where it found no key it takes one: see `use_key`.
    * `log`: where runs are recorded, False for nowhere. `budget`: how much may be spent. `select`: see `MaskDrawer`.

    Observers may do anything, also cancel a run or wait for one: they are called when the editor has done what it does.
    What a run changes here is shown from a thread of the package. Raises `SettingsError` for a budget with `log=False`.

    `run()` is what the Run button does; `results` are those of the last run that had any. A saved result that is opened
    here brings back what made it: see `restore`.
    """

    image = traitlets.Any(allow_none=True)
    mask = Masks(allow_none=True)
    model = traitlets.Unicode(DEFAULT_MODEL)
    size = traitlets.Unicode("auto")
    prompt = traitlets.Unicode()
    options = traitlets.Dict()
    references = traitlets.Tuple()
    fit = traitlets.Enum(HOWS, "auto")
    strict = traitlets.Bool(True)

    def __init__(
        self,
        image: ImageSource | None = None,
        *,
        client: Client | None = None,
        mask: Mask | None = None,
        prompt: str = "",
        model: str = DEFAULT_MODEL,
        size: str = "auto",
        fit: str = "auto",
        strict: bool = True,
        references: Sequence[ImageSource] = (),
        log: RunLog | Literal[False] | None = None,
        budget: Budget | None = None,
        select: EngineName | Select = "auto",
    ) -> None:
        if log is False and budget is not None:
            raise SettingsError(NO_LOG)
        self.client = client or default_client()
        self.run_log = log
        self.budget = budget
        self._one = OneRun()
        # With a key or without, whoever brings a client has chosen.
        takes_key = client is None and self.client.is_offline and not is_offline_forced()
        with sharing() as alike:
            self._looks, self._made = alike, alike.made
            children = self._parts(select, takes_key=takes_key)
        super().__init__(children, _dom_classes=("ttapi-editor",))
        self.drawer.stage.around = self.model_id or ""
        self._link()
        self.model, self.size, self.prompt = model, size, prompt
        self.fit, self.strict, self.references = fit, strict, tuple(references)
        self.image = image
        if mask is not None:
            self.mask = mask
        self._check()
        self._others_observe = True

    def __repr__(self) -> str:
        return f"ImageEditor({self.image!r}, model={self.model!r}, size={self.size!r})"

    def _parts(self, select: EngineName | Select, *, takes_key: bool) -> tuple[ipywidgets.Widget, ...]:
        """Make what the editor is made of."""
        alike = self._looks
        self._input = PhotoInput()
        # Where words and offers come late.
        self._notes = Slot(layout=alike.shown)
        self.drawer = MaskDrawer(select=select)
        self.lock = self.drawer.lock
        self._model = ModelPicker()
        self._size = SizePicker()
        self._prompt = PromptBox()
        self._options = OptionsPanel()
        self._fit = FitPicker()
        self._tray = ReferenceTray()
        self._controls = Controls(alike.shown, lambda: self.current, self.drawer.show_progress)
        self.status = self._controls.status
        self._plan = PlanLine(self._fit.put, partial(setattr, self, "fit"))
        self._copier = Copier(self.to_code, layout=alike.shown)
        self._restored = LateWords(self._notes.put)
        self._recordings = Recordings(self, self.client, alike.shown)
        self.viewer = ResultViewer(place=self.drawer.show_results)
        earlier = EarlierRuns(self)
        self.history = HistoryPanel(
            self._log,
            earlier.fill,
            lambda: (self.client.core.address, *self.client.core.fetch_from),
            earlier.show,
            earlier.compare,
        )
        self._key = KeyCorner(
            lambda: self.client, self.use_key, self._put_in_panel, alike.shown, takes_key=takes_key
        )
        self._drafts = MaskDrafts(self, self._notes.put)
        self._remedies = Remedies(
            self._notes.put,
            partial(setattr, self, "model"),
            self._key.ask,
            self.drawer.show_both,
            earlier.try_to_show,
        )
        self._partials = Partials(self.drawer)
        self._checks = Checks(self, lambda: self._remedies.in_doubt)
        self._growing = Growing(self, self._notes.put)
        self._lab = LabDoor(self, self._put_below, alike.shown)
        doors = made(self._copier, self._lab.button)
        self._doors = ipywidgets.HBox(doors, layout=alike.shown, _dom_classes=("ttapi-doors",))
        self._panel = Slot(*self._panel_parts(), layout=alike.shown, name="ttapi-panel")
        body = ipywidgets.Box([self.drawer, self._panel], layout=alike.shown, _dom_classes=("ttapi-body",))
        history = None if self.run_log is False else self.history
        self._whole = made(self._input, body, self.viewer, history)
        return self._whole

    def _put_below(self, widgets: Sequence[ipywidgets.Widget]) -> None:
        self.children = (*self._whole, *widgets)

    def _put_in_panel(self, widget: ipywidgets.Widget) -> None:
        self._panel.put(widget)

    def _panel_parts(self) -> tuple[ipywidgets.Widget, ...]:
        return made(
            self._recordings.shown,
            self._prompt,
            self._controls.buttons,
            self.status,
            self._notes,
            self._model,
            self._size,
            self._fit,
            self._options,
            self._tray,
            self._doors,
            self._key.words,
            self._key.opener,
        )

    def _log(self) -> RunLog:
        return self.run_log or RunLog()

    def _link(self) -> None:
        traitlets.link((self, "model"), (self._model, "value"))
        for follower in (self._size, self._prompt, self._options, self._tray):
            traitlets.dlink((self, "model"), (follower, "model"))
        traitlets.link((self, "size"), (self._size, "value"))
        traitlets.link((self, "prompt"), (self._prompt, "value"))
        traitlets.link((self, "options"), (self._options, "value"))
        traitlets.link((self, "fit"), (self._fit, "value"))
        traitlets.link((self, "strict"), (self._fit, "strict"))
        traitlets.link((self._tray, "value"), (self, "references"))
        # Followed at once, and not when others are: `image` and `mask` are the drawer's.
        self.drawer._others_observe = False
        traitlets.link((self.drawer, "image"), (self, "image"))
        traitlets.link((self.drawer, "mask"), (self, "mask"))
        self.drawer._others_observe = True
        self.observe(
            self._check,
            ["image", "mask", "model", "size", "prompt", "options", "references", "fit", "strict"],
        )
        self.observe(self._drafts.photo_changed, "image")
        self.observe(self._drafts.mask_changed, "mask")
        self.observe(self._growing.look, ["image", "mask"])
        self.viewer.session.watch(self._growing.look)
        take_photos(self)
        self._controls.run.on_click(self._run_asked)
        self._controls.cancel.on_click(lambda _: self.cancel())
        self.drawer.on_run(self._run_asked)
        self.drawer.on_cancel(self.cancel)
        self.viewer.on_use(self.use_as_input)
        self.viewer.on_use_prompt(partial(setattr, self, "prompt"))

    def _ipython_display_(self) -> None:
        self.viewer.show_in_cell(self)
        if self.run_log is not False:
            self.history.look()

    def empty_mask(self) -> Mask | None:
        """See `MaskDrawer.empty_mask`."""
        return self.drawer.empty_mask()

    @property
    def request(self) -> EditRequest:
        """What a run would ask for now. A mask on which nothing is painted is left out."""
        mask = asked_for(self.mask)
        pictures = () if self.image is None else (self.image, *self.references)
        return EditRequest(
            image=pictures, prompt=self.prompt, mask=mask, model=self.model, size=self.size, **self.options
        )

    @property
    def asked(self) -> Asked:
        """What a run would be made of now."""
        return Asked(self.request, self.fit, self.strict)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why a run can't start now, as sentences; empty where it can."""
        return self._checks.prepared().problems

    @property
    def results(self) -> tuple[Result, ...]:
        """The results that are shown."""
        return self.viewer.run.results if self.viewer.run is not None else ()

    def run(self) -> Run:
        """Start the edit and return its `Run` at once; where one is under way, that one is returned.

        Raises `InvalidRequestError` where there are `problems`, and `ResultError` where the run log can't be written.
        """
        run, begun = self._one.begin(self._start, self._check)
        if begun:
            self._remedies.clear()
            self._controls.show(run)
            self._controls.count_seconds(run)
        return run

    @property
    def current(self) -> Run | None:
        """The run that was begun last here, or None."""
        return self._one.current

    def _start(self) -> Run:
        def watch(run: Run) -> None:
            # Before it can end: who waits for it finds it shown.
            self._one.current = run
            run._follow(self._run_changed, self._controls.lane)

        return running.start(
            self.asked, client=self.client, log=self.run_log, budget=self.budget, watch=watch
        )

    def use_key(self, key: Secret | str) -> None:
        """Send the next runs with `key`, to the same gateway or to TTAPI; one that is under way goes on as it began.

        `ttapi_nb.ask_key()` asks for one without showing it, and `ttapi_nb.store_key` keeps it for later. Raises
        `MissingKeyError` or `SettingsError` where it can't be a key, and where the environment keeps all runs offline.
        """
        # A traceback shows this frame: it must not hold the key when something below raises.
        secret, key = held(key), ""
        self.client = with_key(self.client, secret or Secret(""))
        self._key.words.say(self.client.words)
        self._remedies.forget()
        self._check()

    def cancel(self) -> None:
        """Stop the run that is under way; what that means for the bill is said in the status."""
        run = self.current
        if run is not None:
            run.cancel()
            self._controls.show(run)

    def use_as_input(self, result: Result) -> None:
        """Make a result the photo of the next run. The mask stays; one undo brings back both."""
        with self.lock:
            mask = self.mask.resize(result.picture.size) if self.mask is not None else None
            self.drawer.show_both(result.picture, mask)

    def restore(self, picture: ImageSource) -> None:
        """Bring back what made a saved result: prompt, model, options, and photo and mask where they are at hand.

        The photo is at hand where it is open here, or among the files beside the result or in the working directory.
        Where it is not, the result itself is opened. Raises what `ttapi_nb.open_result` raises.
        """
        opened = open_result(picture)
        source = opened.source or at_hand(opened.step.source, self.image)
        fill_in(self, opened.step, source, opened.picture)
        self._restored.say(words_of_result(opened.step, source), "notice")

    def restore_run(self, run_id: str) -> None:
        """Fill in prompt, model, options and mask as they were before a run of the log, and its photo if it is at hand.

        Raises `ResultError` where the log has no such run.
        """
        step = self._log().restore(run_id)
        source = at_hand(step.source, self.image)
        fill_in(self, step, source)
        self._restored.say(words_of_run(step, source), "notice")

    def to_code(self) -> str:
        """Python that does the same edit without a widget, for a script or another cell; it holds no key."""
        return running.to_code(self.asked, client=self.client)

    @traitlets.validate("image")
    def _open(self, proposal: Any) -> SourceImage | None:
        return None if proposal.value is None else open_image(proposal.value)

    @traitlets.validate("references")
    def _open_references(self, proposal: Any) -> tuple[SourceImage, ...]:
        return tuple(open_image(source) for source in proposal.value)

    def _run_asked(self, prompt: str | None) -> None:
        self.prompt = self.prompt if prompt is None else prompt
        self._try_run()

    def _try_run(self) -> None:
        try:
            self.run()
        except TTAPIError as error:
            self.status.error(error)

    def _check(self, change: Any = None) -> None:
        # It looks into the log, and what it says somebody may observe: not while the lock is held.
        if change is not None:
            self._remedies.forget()
        if change is not None and change.name == "image":
            self._restored.say("")
        self.lock.after(self._checks.look)

    def _run_changed(self, run: Run) -> None:
        # On the controls' lane.
        late = run is not self.current or run.status == "cancelled"
        if run.results:
            # Every answer joins; a late one never takes the place of what is looked at.
            self.viewer.join(run, choose=not late, late=late)
            if not late:
                self.drawer.stage.side = "result"
        if run.done:
            self.history.show()
        if run is self.current:
            self._controls.show(run)
            self._partials.look(run)
            if run.done:
                self._remedies.after(run, offline=self.client.is_offline)
                self._controls.run.description = self._checks.name(run.prepared)

"""`ImageEditor`: open a photo, paint, pick, write, run, and see the result beside the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import ipywidgets
import traitlets

from ..client import Client, default_client
from ..errors import TTAPIError
from ..images import ImageSource, SourceImage, open_image, sample
from ..mask import Mask
from ..models import DEFAULT_MODEL
from ..request import EditRequest
from .browser import PhotoInput, RunKeys
from .drawer import MaskDrawer
from .pickers import ModelPicker, OptionsPanel, PromptBox, SizePicker
from .text import StatusLine, Words
from .viewer import ResultViewer

if TYPE_CHECKING:
    from ..runs import Result, Run, RunLog

__all__ = ["ImageEditor"]


class ImageEditor(ipywidgets.VBox):
    """An editor for one photo.

    * `image`: the photo, a `SourceImage` or None; assign anything that `open_image` takes.
    * `mask`: what was painted, a `Mask` of the photo's size; read it, assign it, observe it.
    * `model`, `size`, `prompt`: strings; `options`: a dict of the other fields of `EditRequest`.
    * `client`: left out, one with the environment's key, or where there is none the embedded service; the editor says
      which it is.
    * `log`: where runs are recorded; False for nowhere.

    `run()` is what the Run button does; `results` are those of the last run that had any.
    """

    image = traitlets.Any(allow_none=True)
    mask = traitlets.Any(allow_none=True)
    model = traitlets.Unicode(DEFAULT_MODEL)
    size = traitlets.Unicode("auto")
    prompt = traitlets.Unicode()
    options = traitlets.Dict()

    def __init__(
        self,
        image: ImageSource | None = None,
        *,
        client: Client | None = None,
        mask: Mask | None = None,
        prompt: str = "",
        model: str = DEFAULT_MODEL,
        size: str = "auto",
        log: RunLog | Literal[False] | None = None,
    ) -> None:
        self.client = client or default_client()
        self.run_log = log
        self.current: Run | None = None
        self._input = PhotoInput()
        self._keys = RunKeys()
        self.drawer = MaskDrawer()
        self._lock = self.drawer.lock
        self._model = ModelPicker()
        self._size = SizePicker()
        self._prompt = PromptBox()
        self._options = OptionsPanel()
        self._run_button = ipywidgets.Button(description="Run", icon="play", button_style="primary")
        self._cancel_button = ipywidgets.Button(description="Cancel", icon="stop", disabled=True)
        self._plan = Words()
        self.status = StatusLine()
        self.viewer = ResultViewer()
        super().__init__(self._arranged())
        self.add_class("ttapi-editor")
        self._link()
        self.model, self.size, self.prompt = model, size, prompt
        self.image = image
        if mask is not None:
            self.mask = mask
        self._check()

    def __repr__(self) -> str:
        return f"ImageEditor({self.image!r}, model={self.model!r}, size={self.size!r})"

    def _arranged(self) -> list[ipywidgets.Widget]:
        if self.client.is_offline:
            service = Words(
                "Embedded service: no key, nothing is billed. It reads nothing of the prompt but colour words.",
                "notice",
            )
        else:
            service = Words(f"Sends to {self.client.core.host}. Each run may cost quota.")
        buttons = ipywidgets.HBox([self._run_button, self._cancel_button])
        self._panel = ipywidgets.VBox(
            [self._model, self._size, self._prompt, self._options, service, self._plan, buttons, self.status]
        )
        self._panel.add_class("ttapi-panel")
        self.drawer.add_class("ttapi-stage")
        body = ipywidgets.Box([self.drawer, self._panel])
        body.add_class("ttapi-body")
        return [self._input, body, self.viewer, self._keys]

    def _link(self) -> None:
        traitlets.link((self, "model"), (self._model, "value"))
        for follower in (self._size, self._prompt, self._options):
            traitlets.dlink((self, "model"), (follower, "model"))
        traitlets.link((self, "size"), (self._size, "value"))
        traitlets.link((self, "prompt"), (self._prompt, "value"))
        traitlets.link((self, "options"), (self._options, "value"))
        traitlets.link((self.drawer, "image"), (self, "image"))
        traitlets.link((self.drawer, "mask"), (self, "mask"))
        self.observe(self._check, ["image", "mask", "model", "size", "prompt", "options"])
        self._input.on_photo(self._open_upload)
        self._input.on_sample(self._open_sample)
        self._input.on_refused(lambda problem: self.status.say(problem, "alert"))
        self._run_button.on_click(lambda _: self._try_run())
        self._cancel_button.on_click(lambda _: self.cancel())
        self._keys.on_run(self._try_run)
        self.viewer.on_use(self.use_as_input)

    @property
    def request(self) -> EditRequest:
        """What a run would ask for now. A mask on which nothing is painted is left out."""
        mask = self.mask if self.mask is not None and self.mask.marks and self.mask.area else None
        pictures = () if self.image is None else (self.image,)
        return EditRequest(
            image=pictures, prompt=self.prompt, mask=mask, model=self.model, size=self.size, **self.options
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """Why a run can't start now, as sentences; empty where it can."""
        return self.client.core.problems(self.request.fitted()[0])

    @property
    def results(self) -> tuple[Result, ...]:
        """The results that are shown."""
        return self.viewer.run.results if self.viewer.run is not None else ()

    def run(self) -> Run:
        """Start the edit and return its `Run` at once; where one is under way, that one is returned.

        Raises `InvalidRequestError` where there are `problems`, and `ResultError` where the run log can't be written.
        """
        # Here, not above: an editor is shown sooner without what runs it.
        from .. import loop
        from ..editing import start_edit

        with self._lock:
            if self.current is not None and not self.current.done:
                return self.current
            asked = self.request
            run = start_edit(
                self.image if self.image is not None else (),
                self.prompt,
                mask=asked.mask,
                client=self.client,
                log=self.run_log,
                model=self.model,
                size=self.size,
                **self.options,
            )
            self.current = run
            self._run_button.disabled, self._cancel_button.disabled = True, False
            run.on_change(self._run_changed)
            self._run_changed(run)
            loop.submit(self._show_time(run))
            return run

    def cancel(self) -> None:
        """Stop the run that is under way; what that means for the bill is said in the status."""
        if self.current is not None:
            self.current.cancel()

    def use_as_input(self, result: Result) -> None:
        """Make a result the photo of the next run. The mask stays, and can be undone."""
        with self._lock:
            before = self.mask
            self.image = result.picture
            if before is not None and self.mask is not None and before.size != self.mask.size:
                self.mask = before.resize(self.mask.size)

    @traitlets.validate("image")
    def _open(self, proposal: Any) -> SourceImage | None:
        return None if proposal.value is None else open_image(proposal.value)

    def _open_upload(self, name: str, data: bytes) -> None:
        try:
            self.image = open_image(data, name=name)
        except TTAPIError as error:
            self.status.error(error)

    def _open_sample(self) -> None:
        self.image = sample()

    def _try_run(self) -> None:
        try:
            self.run()
        except TTAPIError as error:
            self.status.error(error)

    def _check(self, change: Any = None) -> None:
        with self._lock:
            self._input.photo_name = (
                ""
                if self.image is None
                else f"{self.image.name} · {self.image.size[0]} × {self.image.size[1]}"
            )
            if self.current is not None and not self.current.done:
                return
            asked, plan = self.request.fitted()
            found = self.client.core.problems(asked)
            self._run_button.disabled = bool(found)
            self._run_button.tooltip = " ".join(found) or "Run the edit (Ctrl+Enter)"
            self._plan.say(plan.words if plan is not None else "")
            self.status.say(found or ("Ready.",), "notice" if found else "quiet")

    def _run_changed(self, run: Run) -> None:
        with self._lock:
            if run is not self.current:
                return
            self._run_button.disabled = not run.done
            self._cancel_button.disabled = run.done
            if run.results:
                self.viewer.run = run
            if not run.done:
                self._say_time(run)
            elif run.status == "done":
                self.status.say(
                    f"Done in {run.seconds:.1f} seconds.{' ' + run.note if run.note else ''}", "good"
                )
            elif run.status == "cancelled":
                self.status.say(run.note, "notice")
            elif run.error is not None:
                self.status.error(run.error)

    def _say_time(self, run: Run) -> None:
        doing = "Sending" if run.status == "sending" else "Waiting for the result"
        self.status.say(f"{doing} … {run.seconds:.0f} s", "busy")

    async def _show_time(self, run: Run) -> None:
        import asyncio

        while not run.done:
            with self._lock:
                if run is self.current and not run.done:
                    self._say_time(run)
            await asyncio.sleep(1)

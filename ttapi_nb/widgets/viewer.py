"""`ResultViewer`: the results beside the original, with what to do next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets
from PIL import Image

from ..errors import ResultError
from ..images import ImageFile, SourceImage, encode, thumbnail_html
from ..models import OFFLINE_NOTICE
from .browser import Download
from .text import StatusLine, Words

if TYPE_CHECKING:
    from ..runs import Result, Run

__all__ = ["ResultViewer"]

SHOWN_EDGE = 640


class ResultViewer(ipywidgets.VBox):
    """Shows a run's results beside the picture they were made from.

    * `run`: the `Run` shown; assign one that is done.
    * `index`: which of its results, from 0.
    * `raw`: whether the model's own answer is shown, as it came, in place of the result.

    `on_use(callback)` is called with the `Result` that is to be the next input.
    """

    run = traitlets.Any(allow_none=True)
    index = traitlets.Int(0)
    raw = traitlets.Bool(False)

    def __init__(self, run: Run | None = None) -> None:
        self._use_callbacks = ipywidgets.CallbackDispatcher()
        super().__init__()
        self.add_class("ttapi-results")
        self.layout.display = "none"
        self.run = run

    def _build(self) -> None:
        # Only when there is something to show: an editor appears sooner without it.
        self._before, self._after = ipywidgets.HTML(), ipywidgets.HTML()
        for figure in (self._before, self._after):
            figure.add_class("ttapi-figure")
        pair = ipywidgets.Box([self._before, self._after])
        pair.add_class("ttapi-pair")
        self._number = ipywidgets.ToggleButtons(description="Result", style={"button_width": "40px"})
        self._raw = ipywidgets.ToggleButton(
            description="Raw answer", icon="eye", tooltip="Show the model's own answer"
        )
        self._use = self._button("Use as input", "share", self.use_as_input)
        self._download_button = self._button("Download", "download", self.download)
        self._save_button = self._button("Save to folder", "save", self.save)
        actions = ipywidgets.Box(
            [self._number, self._use, self._download_button, self._save_button, self._raw]
        )
        actions.add_class("ttapi-actions")
        self._notice = Words()
        self._status = StatusLine()
        self._browser = Download()
        self.children = (self._notice, pair, actions, self._status, self._browser)
        self._number.observe(lambda change: self.set_trait("index", change.new or 0), "value")
        traitlets.link((self, "raw"), (self._raw, "value"))

    def __repr__(self) -> str:
        return f"ResultViewer({self.run!r})"

    def _button(self, description: str, icon: str, act: Callable[[], object]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=description, icon=icon)
        button.on_click(lambda _: act())
        return button

    @property
    def result(self) -> Result | None:
        """The result that is shown, or None."""
        if self.run is None or not 0 <= self.index < len(self.run.results):
            return None
        result: Result = self.run.results[self.index]
        return result

    def on_use(self, callback: Callable[[Result], None], remove: bool = False) -> None:
        """Call `callback(result)` when a result is to be used as the next input."""
        self._use_callbacks.register_callback(callback, remove=remove)

    def use_as_input(self) -> None:
        """Hand the result that is shown on as the next input."""
        if self.result is not None:
            self._use_callbacks(self.result)

    def download(self) -> None:
        """Let the browser download the picture that is shown, as a PNG or as the file that came."""
        if self.result is None:
            return
        shown = self._shown(self.result)
        self._browser.download(
            ImageFile(f"{self.result.picture.name}.png", "image/png", encode(shown, "PNG"))
        )

    def save(self, folder: str | Path = ".") -> Path | None:
        """Write the picture that is shown as a PNG into `folder`, under a name that is free; returns where it is."""
        if self.result is None:
            return None
        picture = SourceImage(self._shown(self.result), "PNG", self.result.picture.name)
        try:
            where = picture.save(_free(Path(folder).resolve(), picture.name, ".png"))
        except ResultError as error:
            self._status.error(error)
            return None
        self._status.say(f"Saved as {where}", "good")
        return where

    def _shown(self, result: Result) -> Image.Image:
        return result.raw if self.raw else result.image

    @traitlets.validate("run")
    def _is_run(self, proposal: Any) -> Run | None:
        run = proposal.value
        if run is None:
            return None
        # Here, not above: before there is a run, nobody needs what runs one.
        from ..runs import Run

        if not isinstance(run, Run):
            raise traitlets.TraitError("run takes a Run, which ttapi_nb.edit() and ImageEditor.run() return.")
        return run

    @traitlets.observe("run")
    def _run_changed(self, _: Any) -> None:
        count = len(self.run.results) if self.run is not None else 0
        self.layout.display = None if count else "none"
        if not count:
            return
        if not self.children:
            self._build()
        self._status.say("")
        self._number.options = [(str(number + 1), number) for number in range(count)]
        self._number.value = 0
        self._number.layout.display = None if count > 1 else "none"
        self.index, self.raw = 0, False
        self._show()

    @traitlets.observe("index", "raw")
    def _choice_changed(self, _: Any) -> None:
        if self._number.value != self.index and 0 <= self.index < len(self._number.options):
            self._number.value = self.index
        self._show()

    def _show(self) -> None:
        result = self.result
        if self.run is None or result is None:
            return
        shown = self._shown(result)
        self._raw.layout.display = None if result.kept else "none"
        self._before.value = thumbnail_html(
            self.run.source.pixels, f"Before: {_by(self.run.source.pixels)}", SHOWN_EDGE
        )
        self._after.value = thumbnail_html(shown, self._caption(result, shown), SHOWN_EDGE)
        said = (OFFLINE_NOTICE if result.offline else "", result.note)
        self._notice.say([words for words in said if words], "notice")

    def _caption(self, result: Result, shown: Image.Image) -> str:
        if self.run is None or self.run.response is None:
            return ""
        usage = self.run.response.usage
        parts = [
            "Raw answer" if self.raw else "After",
            _by(shown),
            self.run.request.model,
            f"{self.run.seconds:.1f} s",
        ]
        if usage is not None and usage.total_tokens is not None:
            parts.append(f"{usage.total_tokens:,} tokens in all")
        if result.kept and not self.raw:
            parts.append("outside the mask nothing changed")
        if result.leak is not None:
            parts.append(f"the model's own answer: {result.leak}")
        return f"{parts[0]}: {', '.join(parts[1:])}"


def _by(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"


def _free(folder: Path, stem: str, suffix: str) -> Path:
    candidate, number = folder / f"{stem}{suffix}", 2
    while candidate.exists():
        candidate, number = folder / f"{stem}-{number}{suffix}", number + 1
    return candidate

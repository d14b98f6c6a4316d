"""`ResultViewer`: the results laid over the photo they were made from, with what to do next."""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets
from IPython.display import display
from PIL import Image

from ...errors import ResultError
from ...picture import SourceImage
from ...run import Result, Run
from ...text import one_line
from ..closing import Closing
from ..compare import MODES, Compare, Download
from ..text import StatusLine, Words
from .pictures import as_file, figure, picture_of, thumbnail
from .words import HEAT_LEGEND, by_size, figures_of, leaked, no_heat, said_of

__all__ = ["MODES", "ResultViewer"]


class ResultViewer(Closing, ipywidgets.VBox):
    """Shows a run's results against the picture they were made from.

    * `run`: the `Run` shown; assign one that is done.
    * `index`: which of its results, from 0.
    * `mode`: how it is compared, one of `MODES`.
    * `raw`: whether the model's own answer is shown, and saved, in place of the result.
    * `starred`: the results to keep in mind, a tuple of indices in rising order.
    * `notes`: what you wrote about results, a dict from index to text.

    Stars and notes belong to their run and are there again when it is shown again. Assign new values; changing a dict
    in place tells nobody. `on_use(callback)` is called with the `Result` that is to be the next input, and
    `on_use_prompt(callback)` with the prompt that is to be written again.

    Displayed in a cell, it also writes thumbnails into the cell's output, hidden while the widget is alive: a notebook
    that is opened without a kernel shows these.
    """

    run = traitlets.Any(allow_none=True)
    index = traitlets.Int(0)
    mode = traitlets.Enum(MODES, "slider")
    raw = traitlets.Bool(False)
    starred = traitlets.Tuple()
    notes: traitlets.Dict[int, str] = traitlets.Dict()

    def __init__(self, run: Run | None = None, *, place: Callable[[Compare], None] | None = None) -> None:
        # Where the comparison is shown, if not here.
        self._place = place
        self._use_callbacks = ipywidgets.CallbackDispatcher()
        self._prompt_callbacks = ipywidgets.CallbackDispatcher()
        self._thumbnails: list[bytes] = []
        self._remembered: dict[str, tuple[tuple[int, ...], dict[int, str]]] = {}
        self._kept_id = ""
        super().__init__()
        self.add_class("ttapi-results")
        self.layout.display = "none"
        self.run = run

    def _build(self) -> None:
        # Only when there is something to show: an editor appears sooner without it.
        self._panes = Compare()
        self._panes.on_want(self._give)
        self._caption, self._leak, self._notice = Words(), Words(), Words()
        self._leak.add_class("ttapi-leak")
        self._star = ipywidgets.ToggleButton(description="Star", icon="star", tooltip="Mark this result")
        self._note = ipywidgets.Text(
            description="Note", placeholder="What you think of it", continuous_update=False
        )
        self._note.add_class("ttapi-note")
        marks = ipywidgets.Box([self._star, self._note])
        self._use = self._button(
            "Use as input", "share", self.use_as_input, "Make it the photo of the next edit"
        )
        self._use_prompt = self._button(
            "Copy the prompt back", "pencil", self.use_prompt, "Write this result's prompt into the editor"
        )
        self._download_button = self._button(
            "Download", "download", self.download, "Save through the browser"
        )
        self._save_button = self._button(
            "Save to folder", "save", self.save, "Write a PNG where the notebook is"
        )
        self._save_all_button = self._button(
            "Save all", "save", self.save_all, "Write every result where the notebook is"
        )
        actions = ipywidgets.Box(
            [self._use, self._use_prompt, self._download_button, self._save_button, self._save_all_button]
        )
        for row in (marks, actions):
            row.add_class("ttapi-actions")
        self._status = StatusLine()
        self._browser = Download()
        self._prompt_wanted()
        if self._place is not None:
            self._place(self._panes)
        self.children = (
            *(
                *(() if self._place is not None else (self._panes,)),
                self._caption,
                self._leak,
                self._notice,
                marks,
                actions,
                self._status,
                self._browser,
            ),
        )
        for name in ("index", "mode", "raw"):
            traitlets.link((self, name), (self._panes, name))
        self._star.observe(lambda change: self._set_star(change.new), "value")
        self._note.observe(lambda change: self._set_note(change.new), "value")

    def __repr__(self) -> str:
        return f"ResultViewer({self.run!r})"

    def _button(
        self, description: str, icon: str, act: Callable[[], object], tooltip: str
    ) -> ipywidgets.Button:
        button = ipywidgets.Button(description=description, icon=icon, tooltip=tooltip)
        button.on_click(lambda _: act())
        return button

    @property
    def result(self) -> Result | None:
        """The result that is shown, or None."""
        if self.run is None or not 0 <= self.index < len(self.run.results):
            return None
        result: Result = self.run.results[self.index]
        return result

    @property
    def caption(self) -> str:
        """What is said under the pictures: size, model, seconds, tokens, and what became of the protected part."""
        return " ".join((*self._caption.words, *self._leak.words)) if self.children else ""

    def on_use(self, callback: Callable[[Result], None], remove: bool = False) -> None:
        """Call `callback(result)` when a result is to be used as the next input."""
        self._use_callbacks.register_callback(callback, remove=remove)

    def on_use_prompt(self, callback: Callable[[str], None], remove: bool = False) -> None:
        """Call `callback(prompt)` when the run's prompt is to be used again; without a callback there is no button."""
        self._prompt_callbacks.register_callback(callback, remove=remove)
        if self.children:
            self._prompt_wanted()

    def use_as_input(self) -> None:
        """Hand the result that is shown on as the next input."""
        if self.result is not None:
            self._use_callbacks(self.result)

    def use_prompt(self) -> None:
        """Hand the prompt of the run that is shown back, to be written again."""
        if self.run is not None:
            self._prompt_callbacks(self.run.request.prompt)

    def download(self) -> None:
        """Let the browser download the picture that is shown as a PNG."""
        if self.result is None:
            return
        if self.raw:
            name = f"{self.result.picture.name}-raw"
            self._browser.download(SourceImage(self.result.raw, "PNG", name).file())
        else:
            self._browser.download(self.result.file("PNG"))

    def save(self, folder: str | Path = ".") -> Path | None:
        """Write the picture that is shown as a PNG into `folder`, under a name that is free.

        Returns where it is, or None where it could not be written, which the status says.
        """
        if self.result is None:
            return None
        written = self._write([self.result], folder)
        return written[0] if written else None

    def save_all(self, folder: str | Path = ".", *, starred: bool = False) -> tuple[Path, ...]:
        """Write every result, or every starred one, as a PNG into `folder`, under names that are free, and say where.

        Where `raw` is set, the model's own answers are written. Returns where those are that could be written.
        """
        if self.run is None:
            return ()
        chosen = [result for at, result in enumerate(self.run.results) if not starred or at in self.starred]
        return self._write(chosen, folder)

    def _write(self, results: list[Result], folder: str | Path) -> tuple[Path, ...]:
        where = Path(folder).expanduser().resolve()
        written: list[Path] = []
        for result in results:
            try:
                if self.raw:
                    name = f"{result.picture.name}-raw"
                    written.append(SourceImage(result.raw, "PNG", name).save(free_name(where, name)))
                else:
                    written.append(result.save(free_name(where, result.picture.name)))
            except ResultError as error:
                before = f"{len(written)} of {len(results)} were saved. " if written else ""
                self._status.say(f"{before}{error}", "alert")
                return tuple(written)
        if len(written) == 1:
            self._status.say(f"Saved as {written[0]}", "good")
        elif written:
            names = ", ".join(path.name for path in written)
            self._status.say(f"Saved {len(written)} results in {where}: {names}", "good")
        else:
            self._status.say("Nothing was saved: no result is starred.", "notice")
        return tuple(written)

    def show_in_cell(self, widget: ipywidgets.Widget | None = None) -> None:
        """Display `widget` (left out: this one), and after it an output with the results' thumbnails.

        The second is plain HTML that a notebook keeps without a kernel and without widget state, and it follows what
        is shown here, also after the cell has ended. A widget around the viewer calls this in `_ipython_display_`.
        """
        shown = self if widget is None else widget
        # A closed widget has no view any more.
        view = shown._repr_mimebundle_() if shown._repr_mimebundle_ else {"text/plain": repr(shown)}
        display(view, raw=True)  # type: ignore[no-untyped-call] # IPython has no types here
        # One id for all the places it is displayed in: one update reaches them all.
        self._kept_id = self._kept_id or uuid.uuid4().hex
        self._keep()

    def _ipython_display_(self) -> None:
        self.show_in_cell()

    def _keep(self, update: bool = False) -> None:
        bundle = {"text/plain": f"Thumbnails of {self!r}", "text/html": self._kept_html()}
        display(bundle, raw=True, display_id=self._kept_id, update=update)  # type: ignore[no-untyped-call] # as above

    def _kept_html(self) -> str:
        if self.run is None or not self.run.results:
            return '<div class="ttapi-kept"></div>'
        source = self.run.source.pixels
        figures = [figure(self._thumbnails[0], "Before the edit", f"Before: {by_size(source)}")]
        for at, result in enumerate(self.run.results):
            star = "★ " if at in self.starred else ""
            note = f"Note: {self.notes[at]}" if at in self.notes else ""
            caption = " ".join(filter(None, (figures_of(self.run, at, result.image), leaked(result), note)))
            figures.append(figure(self._thumbnails[at + 1], self._alt(at), star + caption))
        said = dict.fromkeys(words for result in self.run.results for words in said_of(result))
        paragraphs = "".join(f"<p>{html.escape(words)}</p>" for words in said)
        return (
            f'<div class="ttapi-kept"><p>Prompt: {html.escape(one_line(self.run.request.prompt, 600))}</p>'
            f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(figures)}</div>{paragraphs}</div>'
        )

    def _shown(self, result: Result) -> Image.Image:
        return result.raw if self.raw else result.image

    @traitlets.validate("run")
    def _is_run(self, proposal: Any) -> Run | None:
        run = proposal.value
        if run is None:
            return None
        if not isinstance(run, Run):
            raise traitlets.TraitError("run takes a Run, which ttapi_nb.edit() and ImageEditor.run() return.")
        return run

    @traitlets.validate("mode")
    def _can_compare(self, proposal: Any) -> str:
        mode: str = proposal.value
        if mode == "heat" and self.result is not None and no_heat(self.result):
            raise traitlets.TraitError(no_heat(self.result))
        return mode

    @traitlets.validate("starred")
    def _in_order(self, proposal: Any) -> tuple[int, ...]:
        return tuple(sorted({self._checked(index) for index in proposal.value}))

    @traitlets.validate("notes")
    def _with_text(self, proposal: Any) -> dict[int, str]:
        return {
            self._checked(index): str(text) for index, text in sorted(proposal.value.items()) if str(text)
        }

    def _checked(self, index: object) -> int:
        count = len(self.run.results) if self.run is not None else 0
        if not isinstance(index, int) or not 0 <= index < count:
            raise traitlets.TraitError(f"There is no result {index!r}: there are {count}, counted from 0.")
        return index

    @traitlets.observe("run")
    def _run_changed(self, change: Any) -> None:
        if change.old is not None and change.old is not traitlets.Undefined:
            # Nothing of a run without marks, or an editor would grow with every run.
            self._remembered.pop(change.old.id, None)
            if self.starred or self.notes:
                self._remembered[change.old.id] = (self.starred, self.notes)
        results = self.run.results if self.run is not None else ()
        pictures = [self.run.source.pixels, *(result.image for result in results)] if results else []
        self._thumbnails = [thumbnail(picture) for picture in pictures]
        self.starred, self.notes = (), {}
        self.layout.display = "" if results else "none"
        if self.run is None or not results:
            self._refresh_kept()
            return
        if not self.children:
            self._build()
        self._status.say("")
        self.index, self.raw = 0, False
        self._panes.shown = {
            "run": self.run.id,
            "size": self.run.source.size,
            "items": [self._item(at, result) for at, result in enumerate(results)],
            "thumbs": self._thumbnails,
        }
        self._save_all_button.layout.display = "" if len(results) > 1 else "none"
        self.starred, self.notes = self._remembered.get(self.run.id, ((), {}))
        self._show()
        self._refresh_kept()

    def _item(self, at: int, result: Result) -> dict[str, object]:
        return {"alt": self._alt(at), "has_raw": result.kept, "no_heat": no_heat(result)}

    def _alt(self, at: int) -> str:
        prompt = self.run.request.prompt if self.run is not None else ""
        return f"Result {at + 1}: {one_line(prompt, 300)}"

    @traitlets.observe("index", "raw", "mode")
    def _choice_changed(self, _: Any) -> None:
        self._show()

    @traitlets.observe("starred", "notes")
    def _marks_changed(self, _: Any) -> None:
        if self.children and self.result is not None:
            self._show_marks()
            self._refresh_kept()

    def _show(self) -> None:
        result = self.result
        if self.run is None or result is None or not self.children:
            return
        if self.mode == "heat" and no_heat(result):
            self.mode = "slider"
        self._caption.say(
            figures_of(self.run, self.index, self._shown(result), "Raw answer" if self.raw else "Result")
        )
        legend = HEAT_LEGEND if self.mode == "heat" else ""
        self._leak.say(" ".join(filter(None, (leaked(result), legend))))
        self._notice.say(said_of(result), "notice")
        self._show_marks()

    def _show_marks(self) -> None:
        self._panes.starred = list(self.starred)
        self._star.value = self.index in self.starred
        self._note.value = self.notes.get(self.index, "")

    def _set_star(self, on: bool) -> None:
        others = set(self.starred) - {self.index}
        self.starred = tuple(others | {self.index} if on else others)

    def _set_note(self, text: str) -> None:
        self.notes = {**self.notes, self.index: text}

    def _prompt_wanted(self) -> None:
        self._use_prompt.layout.display = "" if self._prompt_callbacks.callbacks else "none"

    def _refresh_kept(self) -> None:
        if self._kept_id:
            self._keep(update=True)

    def _give(self, run_id: str, name: str) -> None:
        run = self.run
        # The browser asks for what it showed a moment ago; by now that may be another run.
        if run is None or run.id != run_id:
            return
        picture = picture_of(run, name)
        if picture is not None:
            self._panes.give(run_id, as_file(picture, name))


def free_name(folder: Path, stem: str) -> Path:
    candidate, number = folder / f"{stem}.png", 2
    while candidate.exists():
        candidate, number = folder / f"{stem}-{number}.png", number + 1
    return candidate

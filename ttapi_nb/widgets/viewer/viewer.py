"""`ResultViewer`: results laid over the photo they were made from, or over each other, with what to do next."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets
from IPython.display import display

from ...log import Rating
from ...picture import SourceImage
from ...run import Result, Run
from ...text import so_many
from ..closing import Closing
from ..compare import MODES, Compare, Download
from ..text import StatusLine, Words
from ..tray import Entry, Session, SessionTray
from .kept import kept_html
from .pictures import Before, as_file, pair_of, picture_of
from .saving import write_results
from .words import HEAT_LEGEND, figures_of, leaked, no_heat, said_of

__all__ = ["MODES", "ResultViewer"]

NO_RUN = "run takes a Run, which ttapi_nb.edit() and ImageEditor.run() return."


class ResultViewer(Closing, ipywidgets.VBox):
    """Shows the results of a run, or of several, against the picture they were made from or against each other.

    * `run`: the `Run` of the result that is shown; assigned, that run is shown alone, or chosen where it is among
      `runs`. Assign one that is done.
    * `runs`: all whose results are here, a tuple; `join` puts one more behind them.
    * `index`: which of all the results, from 0; `against`: the index of the one that it is compared with, None for the
      photo.
    * `mode`: how it is compared, one of `MODES`.
    * `raw`: whether the model's own answer is shown, and saved, in place of the result.
    * `starred`: the results with a star or more, a tuple of indices in rising order; starred here, one gets one star.
    * `notes`: what you wrote about results, a dict from index to text.

    Stars and notes belong to their run: they are written into its run log, and are there again when it is shown again.
    Assign new values; changing a dict in place tells nobody. `on_use(callback)` is called with the `Result` that is to
    be the next input, and `on_use_prompt(callback)` with the prompt that is to be written again.

    Displayed in a cell, it also writes thumbnails into the cell's output, hidden while the widget is alive: a notebook
    that is opened without a kernel shows these.
    """

    run = traitlets.Any(allow_none=True)
    runs = traitlets.Tuple()
    index = traitlets.Int(0)
    against = traitlets.Int(None, allow_none=True)
    mode = traitlets.Enum(MODES, "slider")
    raw = traitlets.Bool(False)
    starred = traitlets.Tuple()
    notes: traitlets.Dict[int, str] = traitlets.Dict()

    def __init__(
        self,
        run: Run | Sequence[Run] | None = None,
        *,
        place: Callable[[Compare], None] | None = None,
    ) -> None:
        # Where the comparison is shown, if not here.
        self._place = place
        self._use_callbacks = ipywidgets.CallbackDispatcher()
        self._prompt_callbacks = ipywidgets.CallbackDispatcher()
        self.session = Session(self._trouble)
        # Set on a thread while it tells here what is so in the session.
        self._telling = threading.local()
        self._before = Before()
        self._kept_id = ""
        super().__init__()
        self.add_class("ttapi-results")
        self.layout.display = "none"
        self.session.watch(self._tell)
        if isinstance(run, list | tuple):
            self.runs = tuple(run)
        else:
            self.run = run

    def _build(self) -> None:
        # Only when there is something to show: an editor appears sooner without it.
        self._panes = Compare()
        self._panes.on_want(self._give)
        self._tray = SessionTray(self.session)
        self._tray.on_save(lambda _: self.save())
        self._caption, self._leak, self._notice = Words(), Words(), Words()
        self._leak.add_class("ttapi-leak")
        self._use = _button("Use as input", "share", self.use_as_input, "Make it the photo of the next edit")
        self._use_prompt = _button(
            "Copy the prompt back", "pencil", self.use_prompt, "Write this result's prompt into the editor"
        )
        download = _button("Download", "download", self.download, "Save through the browser")
        self._save_all_button = _button(
            "Save all", "save", self.save_all, "Write every result where the notebook is"
        )
        actions = ipywidgets.Box([self._use, self._use_prompt, download, self._save_all_button])
        actions.add_class("ttapi-actions")
        self._status = StatusLine()
        self._browser = Download()
        self._prompt_wanted()
        if self._place is not None:
            self._place(self._panes)
        here = () if self._place is not None else (self._panes,)
        notes = (self._caption, self._leak, self._notice)
        self.children = (*here, self._tray, *notes, actions, self._status, self._browser)
        for name in ("mode", "raw"):
            traitlets.link((self, name), (self._panes, name))

    def __repr__(self) -> str:
        if len(self.runs) > 1:
            return f"ResultViewer({so_many(len(self.runs), 'run')}, {so_many(len(self.session.entries), 'result')})"
        return f"ResultViewer({self.run!r})"

    @property
    def results(self) -> tuple[Result, ...]:
        """All results that are here, in the tray's order."""
        return tuple(one.result for one in self.session.entries)

    @property
    def result(self) -> Result | None:
        """The result that is shown, or None."""
        entry = self._entry
        return None if entry is None else entry.result

    @property
    def _entry(self) -> Entry | None:
        entries = self.session.entries
        return entries[self.index] if 0 <= self.index < len(entries) else None

    @property
    def caption(self) -> str:
        """What is said under the pictures: size, model, seconds, tokens, and what became of the protected part."""
        return " ".join((*self._caption.words, *self._leak.words)) if self.children else ""

    def join(
        self,
        run: Run,
        *,
        choose: bool = True,
        late: bool = False,
        ratings: Mapping[int, Rating] | None = None,
    ) -> None:
        """Put a run's results behind the others; see `Session.join`."""
        self.session.join(run, choose=choose, late=late, ratings=ratings)

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
        chosen = [result for at, result in enumerate(self.results) if not starred or at in self.starred]
        return self._write(chosen, folder)

    def _write(self, results: list[Result], folder: str | Path) -> tuple[Path, ...]:
        written, sentence, tone = write_results(results, folder, raw=self.raw)
        self._status.say(sentence, tone)
        return written

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
        page = kept_html(self.session.entries, self._before.thumbnail)
        bundle = {"text/plain": f"Thumbnails of {self!r}", "text/html": page}
        display(bundle, raw=True, display_id=self._kept_id, update=update)  # type: ignore[no-untyped-call] # as above

    # What is assigned here goes into the session, and what is so there is told here

    @traitlets.validate("run")
    def _is_run(self, proposal: Any) -> Run | None:
        if proposal.value is not None and not isinstance(proposal.value, Run):
            raise traitlets.TraitError(NO_RUN)
        run: Run | None = proposal.value
        return run

    @traitlets.validate("runs")
    def _are_runs(self, proposal: Any) -> tuple[Run, ...]:
        if not all(isinstance(run, Run) for run in proposal.value):
            raise traitlets.TraitError(NO_RUN)
        # Each once, in their order.
        return tuple({run.id: run for run in proposal.value}.values())

    @traitlets.validate("mode")
    def _can_compare(self, proposal: Any) -> str:
        mode: str = proposal.value
        why = no_heat(self.result) if mode == "heat" and self.result is not None else ""
        if why:
            raise traitlets.TraitError(why)
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
        count = len(self.session.entries)
        if not isinstance(index, int) or not 0 <= index < count:
            raise traitlets.TraitError(f"There is no result {index!r}: there are {count}, counted from 0.")
        return index

    @property
    def _is_told(self) -> bool:
        return getattr(self._telling, "now", False)

    @traitlets.observe("run")
    def _show_run(self, _: Any) -> None:
        if self._is_told:
            return
        first = next((one for one in self.session.entries if one.run is self.run), None)
        if first is not None:
            self.session.choose(first.key)
        else:
            self.session.show(() if self.run is None else (self.run,))

    @traitlets.observe("runs")
    def _show_runs(self, _: Any) -> None:
        if not self._is_told:
            self.session.show(self.runs)

    @traitlets.observe("index", "against")
    def _choose(self, change: Any) -> None:
        entries, at = self.session.entries, change.new
        if self._is_told:
            return
        if change.name == "index" and 0 <= at < len(entries):
            self.session.choose(entries[at].key)
        elif change.name == "against":
            self.session.compare_with(entries[at].key if at is not None and 0 <= at < len(entries) else "")
        self._show()

    @traitlets.observe("starred", "notes")
    def _rate(self, change: Any) -> None:
        if self._is_told:
            return
        for at, entry in enumerate(self.session.entries):
            if change.name == "notes":
                self.session.rate(entry.key, note=change.new.get(at, ""))
            elif (entry.rating.stars > 0) != (at in change.new):
                self.session.rate(entry.key, stars=int(at in change.new))

    @traitlets.observe("raw", "mode")
    def _look_changed(self, _: Any) -> None:
        self._show()

    def _trouble(self, words: str) -> None:
        if self.children:
            self._tray.say(words)

    def _tell(self) -> None:
        """Tell here what is so in the session; on any thread, and the latest has the last word."""
        while True:
            version = self.session.version
            entries, chosen, against = self.session.entries, self.session.chosen, self.session.against
            self._telling.now = True
            try:
                self._tell_traits(entries, chosen, against)
            finally:
                self._telling.now = False
            if version == self.session.version:
                break
        self._show()
        if self._kept_id:
            self._keep(update=True)

    def _tell_traits(self, entries: tuple[Entry, ...], chosen: Entry | None, against: Entry | None) -> None:
        at = {one.key: place for place, one in enumerate(entries)}
        another = chosen is not None and chosen.run is not self.run
        if entries or (self.run is not None and self.run.results):
            self.run = chosen.run if chosen is not None else None
        self.runs = tuple({one.run.id: one.run for one in entries}.values())
        self.index = 0 if chosen is None else at.get(chosen.key, 0)
        self.against = None if against is None else at.get(against.key)
        self.starred = tuple(place for place, one in enumerate(entries) if one.rating.stars)
        self.notes = {place: one.rating.note for place, one in enumerate(entries) if one.rating.note}
        if another:
            self.raw = False

    def _show(self) -> None:
        entry = self._entry
        there = self.session.entries or self.session.discarded
        self.layout.display = "" if there else "none"
        if there and not self.children:
            self._build()
        if entry is None or not self.children:
            return
        result, run = entry.result, entry.run
        if self.mode == "heat" and no_heat(result):
            self.mode = "slider"
        self._panes.show(**pair_of(self.session, entry, self.index, self._before))
        several = len(self.session.entries) > 1
        self._save_all_button.layout.display = "" if several else "none"
        name, shown = ("Raw answer", result.raw) if self.raw else ("Result", result.image)
        self._caption.say(figures_of(run, self.index, entry.at, shown, name))
        legend = HEAT_LEGEND if self.mode == "heat" else ""
        self._leak.say(" ".join(filter(None, (leaked(result), legend))))
        self._notice.say(said_of(result), "notice")

    def _prompt_wanted(self) -> None:
        self._use_prompt.layout.display = "" if self._prompt_callbacks.callbacks else "none"

    def _give(self, name: str) -> None:
        # The browser asks for what it showed a moment ago; by now that may be gone.
        picture = picture_of(name, self.session.entries)
        if picture is not None:
            self._panes.give(as_file(picture, name))


def _button(description: str, icon: str, act: Callable[[], object], tooltip: str) -> ipywidgets.Button:
    button = ipywidgets.Button(description=description, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: act())
    return button

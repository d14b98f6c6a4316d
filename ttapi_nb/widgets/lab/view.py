"""`LabView`: what a trial has, shown in the browser as its report shows it, and told anew while it runs."""

from __future__ import annotations

import base64
import html
import io
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import traitlets

from ... import loop
from ...errors import SettingsError, TTAPIError
from ...experiment import Trial, TrialCell
from ...experiment.report import script_of, text_of
from ...experiment.report.telling import pictures_of, told_of
from ...log import Vote
from ...log.ratings import MOST_STARS
from ...picture import on_white, open_image, preview
from ..browser import Part, field_of, module
from ..thumbnails import thumbnail

__all__ = ["LabView", "static_grid"]

HERE = Path(__file__).parent
PAUSE = 0.3
"""Seconds between two tellings: a browser that is told of each change has no time left to show them."""
LARGE = 1600
"""The longest side in pixels of what is shown side by side."""
STATIC = 112
"""The longest side in pixels of the thumbnails that the notebook keeps."""
MOST_STATIC = 400


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


class LabView(Part):
    """Shows a `trial`. `on_open(cell key, number)` is called, on a thread, where a result is to be looked at.

    `around` is the id of the widget that it is a part of, as a stage has it.
    """

    _esm = traitlets.Unicode(f"{module('keeping.js').default_value}\n{script_of()}\n{_text('lab.js')}").tag(
        sync=True
    )
    _css = traitlets.Unicode(text_of("report.css") + _text("lab.css")).tag(sync=True)

    around = traitlets.Unicode().tag(sync=True)
    called = traitlets.Bool(False).tag(sync=True)
    """Whether the page is to go there once it is shown."""

    def __init__(self, on_open: Callable[[str, int], None] | None = None) -> None:
        self._on_open = on_open
        self.trial: Trial | None = None
        self._sent: set[str] = set()
        self._lane = loop.lane()
        self._guard = threading.Lock()
        self._due = False
        self._say: Callable[[str], None] = lambda words: None
        super().__init__()
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"LabView({self.trial!r})"

    def show(self, trial: Trial | None, say: Callable[[str], None]) -> None:
        """Show another trial; `say(words)` is told what goes wrong."""
        if self.trial is not None:
            self.trial.on_change(self._changed, remove=True)
        self.trial, self._say = trial, say
        self._sent.clear()
        if trial is not None:
            trial.on_change(self._changed)
            self.tell()

    def _changed(self, _: TrialCell) -> None:
        with self._guard:
            due, self._due = self._due, True
        if not due:
            timer = threading.Timer(PAUSE, self.tell)
            timer.daemon = True
            timer.start()

    def tell(self) -> None:
        """Have the browser told how everything stands."""
        with self._guard:
            self._due = False
        self._lane.submit(self._tell)

    def _tell(self) -> None:
        trial = self.trial
        if trial is None or self.comm is None:
            return
        cells = trial.cells
        try:
            told = told_of(trial, cells, full=False)
        except TTAPIError as error:
            self._say(str(error))
            return
        by_id = {f"{one.key}.{number}": shown for one in cells for number, shown in one.shown.items()}
        for one in told["results"]:
            # By its own name: places change while results come.
            one["at"] = one["id"] if one["id"] in by_id else None
        self.send({"type": "told", "told": told})
        if "0" not in self._sent:
            for at, picture in enumerate(pictures_of(trial, (), full=False)):
                self._picture(str(at), picture)
            self._sent.add("0")
        for name, shown in by_id.items():
            if name not in self._sent and shown.thumb:
                self._picture(name, shown.thumb)
        # Once more, as a picture that is there is looked up when it is shown.
        self.send({"type": "told", "told": told})

    def _picture(self, at: str, data: bytes) -> None:
        self._sent.add(at)
        self.send({"type": "picture", "at": at}, [data])

    def _receive(self, _: object, message: object, __: object) -> None:
        kind = field_of(message, "type", str)
        if kind == "ready":
            self._sent.clear()
            self.tell()
        elif kind == "want":
            name = field_of(message, "id", str)
            if name is not None:
                loop.start(partial(self._give, name))
        elif kind in ("open", "rate"):
            self._about(kind, message)
        elif kind == "vote":
            self._vote(message.get("vote") if isinstance(message, dict) else None)

    def _give(self, name: str) -> None:
        """Send a result in a size for holding it beside another."""
        trial = self.trial
        key, _, number = name.rpartition(".")
        if trial is None or key not in trial.board or not number.isdecimal():
            return
        try:
            result = trial.result(key, int(number))
        except TTAPIError as error:
            self._say(str(error))
            return
        out = io.BytesIO()
        on_white(preview(result.image, LARGE)).save(out, "WEBP", quality=90)
        self.send({"type": "large", "id": name}, [out.getvalue()])

    def come(self) -> None:
        """Have the page go there, or as soon as it is shown."""
        self.called = True
        self.send({"type": "come"})

    def go_to(self, result: str = "") -> None:
        """Have the browser go to what was opened, or back to this result, by its id."""
        self.send({"type": "staged", "id": result})

    def _about(self, kind: str, message: object) -> None:
        """Look at a result, or give it stars."""
        trial, stars = self.trial, field_of(message, "stars", int)
        key, _, number = (field_of(message, "id", str) or "").rpartition(".")
        if trial is None or key not in trial.board or not number.isdecimal() or len(number) > 6:
            return
        if kind == "open" and self._on_open is not None:
            loop.start(partial(self._on_open, key, int(number)))
        elif kind == "rate" and stars is not None and stars <= MOST_STARS:
            try:
                trial.rate(key, stars, number=int(number))
            except (SettingsError, TTAPIError) as error:
                self._say(str(error))

    def _vote(self, message: object) -> None:
        trial = self.trial
        words = [field_of(message, name, str) for name in ("left", "right", "choice", "voter", "id")]
        if trial is None or None in words or not {words[0], words[1]} <= set(trial.entries):
            return
        left, right, choice, voter, own = map(str, words)
        try:
            trial.log.experiments.vote(trial.name, [Vote(left, right, choice, voter[:100], id=own[:100])])
        except (SettingsError, TTAPIError) as error:
            self._say(str(error))


def static_grid(trial: Trial) -> str:
    """Small thumbnails with their cells' names, as plain HTML that a notebook keeps without a kernel."""
    figures = []
    for one in trial.cells[:MOST_STATIC]:
        if one.thumb is None:
            continue
        small = thumbnail(preview(open_image(one.thumb).pixels, STATIC))
        figures.append(_figure(small, one))
    left = (
        f"<p>{len(trial.cells) - MOST_STATIC} more are in the log.</p>"
        if len(trial.cells) > MOST_STATIC
        else ""
    )
    head = f"<p><bdi>{html.escape(repr(trial))}</bdi></p>"
    return f'{head}<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(figures)}</div>{left}'


def _figure(data: bytes, one: TrialCell) -> str:
    words = html.escape(f"{one.cell.number}. {one.cell.values['prompt'][:40]}, {one.cell.model}")
    source = base64.b64encode(data).decode()
    return (
        f'<figure style="margin:0;width:{STATIC}px"><img alt="{words}" src="data:image/webp;base64,{source}">'
        f'<figcaption style="font-size:11px;overflow-wrap:anywhere"><bdi>{words}</bdi></figcaption></figure>'
    )

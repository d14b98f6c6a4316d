"""`SessionTray`: the session's answers as thumbnails in the browser, with what can be done with each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from ...text import one_line, so_many
from ..browser import Part, field_of, module, static
from .session import LONGEST_NOTE, Entry, Session

__all__ = ["SessionTray"]

LONGEST_PROMPT = 300
VERDICTS = ("", "kept")


class SessionTray(Part):
    """Every answer of a `session`, oldest first: thumbnails to flip through, compare, rate, keep, discard and save.

    `on_save(callback)` is called with the key of a result that is to be saved.
    """

    _esm = module("tray.js")
    _css = traitlets.Unicode(static("tray.css")).tag(sync=True)

    items: traitlets.List[dict[str, object]] = traitlets.List().tag(sync=True)
    """A dict for each result: key, alt, prompt, model, stars, note, verdict, late."""
    thumbs: traitlets.List[bytes] = traitlets.List().tag(sync=True)
    chosen = traitlets.Unicode().tag(sync=True)
    against = traitlets.Unicode().tag(sync=True)
    discarded = traitlets.Int(0).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)

    def __init__(self, session: Session) -> None:
        self.session = session
        self._save_callbacks = ipywidgets.CallbackDispatcher()
        self._drawing = threading.RLock()
        super().__init__()
        self._show()
        session.watch(self._show)
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        return f"SessionTray({so_many(len(self.items), 'result')})"

    def on_save(self, callback: Callable[[str], object], remove: bool = False) -> None:
        """Call `callback(key)` when a result is to be saved."""
        self._save_callbacks.register_callback(callback, remove=remove)

    def say(self, words: str) -> None:
        """What went wrong, until something else is done here."""
        self.status = words

    def _show(self) -> None:
        session = self.session
        # Of two threads the later has the last word.
        with self._drawing, self.hold_sync():
            entries, chosen, against = session.entries, session.chosen, session.against
            thumbs = [one.thumbnail for one in entries]
            # All of them travel again with each change.
            if thumbs != self.thumbs:
                self.thumbs = thumbs
            self.items = [_item(at, one) for at, one in enumerate(entries)]
            self.chosen = chosen.key if chosen is not None else ""
            self.against = against.key if against is not None else ""
            self.discarded = session.discarded
            self.status = ""
            self.layout.display = "" if entries or session.discarded else "none"

    def _receive(self, _: object, message: object, __: object) -> None:
        kind, key = (field_of(message, name, str) for name in ("type", "key"))
        session = self.session
        if kind == "choose" and key is not None:
            session.choose(key)
        elif kind == "compare" and key is not None:
            session.compare_with(key)
        elif kind == "discard" and key is not None:
            session.discard(key)
        elif kind == "undo":
            session.undo()
        elif kind == "save" and key is not None and session.entry(key) is not None:
            self._save_callbacks(key)
        elif kind == "rate" and key is not None:
            session.rate(key, **_rating_in(message))


def _rating_in(message: object) -> dict[str, Any]:
    """What a message says of a result, as far as it can be meant."""
    stars, note, verdict = (
        field_of(message, "stars", int),
        *(field_of(message, name, str) for name in ("note", "verdict")),
    )
    rating: dict[str, Any] = {}
    if stars is not None and stars <= 5:
        rating["stars"] = stars
    if note is not None:
        rating["note"] = note[:LONGEST_NOTE]
    if verdict in VERDICTS:
        rating["verdict"] = verdict
    return rating


def _item(at: int, entry: Entry) -> dict[str, object]:
    request, rating = entry.run.request, entry.rating
    prompt = one_line(request.prompt, LONGEST_PROMPT)
    return {
        "key": entry.key,
        "alt": f"Result {at + 1}: {prompt}",
        "prompt": prompt,
        "model": one_line(request.model, 100),
        "stars": rating.stars,
        "note": rating.note,
        "verdict": rating.verdict,
        "late": entry.late,
    }

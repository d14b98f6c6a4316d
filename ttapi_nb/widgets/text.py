"""Words on the screen: always escaped, never run as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import ipywidgets

from .looks import Looks, looks

__all__ = ["LateWords", "Slot", "StatusLine", "Words", "made"]

Tone: TypeAlias = Literal["quiet", "busy", "good", "notice", "alert"]
ROLES = {"alert": "alert", "busy": "status", "good": "status", "notice": "note", "quiet": "note"}
# What html.escape does. That module is slow to load: it brings the names of two thousand letters.
ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


class Words(ipywidgets.HTML):
    """A sentence, or a list of sentences, in a tone; what is said is in `words`."""

    # The style sheet has it: a style of its own would be one more widget for each sentence.
    style = None

    def __init__(
        self,
        words: str | Sequence[str] = (),
        tone: Tone = "quiet",
        *,
        classes: Sequence[str] = (),
        alike: Looks | None = None,
    ) -> None:
        self._looks = alike or looks()
        # For who closes this.
        self._made = self._looks.made
        self.words, self.tone = _lines(words), tone
        super().__init__(value=self._html(), layout=self._layout(), _dom_classes=("ttapi-text", *classes))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' '.join(self.words)!r})"

    def say(self, words: str | Sequence[str], tone: Tone = "quiet") -> None:
        """Show `words` in place of what was there; nothing hides the line."""
        lines = _lines(words)
        if (lines, tone) == (self.words, self.tone):
            return
        self.words, self.tone = lines, tone
        with self.hold_sync():
            self.value, self.layout = self._html(), self._layout()

    def _layout(self) -> ipywidgets.Layout:
        return self._looks.shown if self.words else self._looks.hidden

    def _html(self) -> str:
        lines = [line.translate(ESCAPED) for line in self.words]
        inner = (
            "".join(lines) if len(lines) < 2 else f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
        )
        return f'<div class="ttapi-{self.tone}" role="{ROLES[self.tone]}">{inner}</div>' if lines else ""


def _lines(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) and words else tuple(words)


class Slot(ipywidgets.VBox):
    """A place within a box for what comes late: behind what came before it, so that nothing else is touched.

    The page makes all that stands behind a new child anew, with the stroke or the word that somebody is at there.
    """

    def __init__(
        self, *widgets: ipywidgets.Widget, layout: ipywidgets.Layout, name: str = "ttapi-slot"
    ) -> None:
        self._all = list(widgets)
        super().__init__(self._all, layout=layout, _dom_classes=(name,))

    def put(self, widget: ipywidgets.Widget) -> None:
        """Show this behind the others; on any thread."""
        self._all.append(widget)
        there: tuple[ipywidgets.Widget, ...] = ()
        # Once more where another thread put something in meanwhile: it may have shown less, and later.
        while len(there) < len(self._all):
            there = tuple(self._all)
            self.children = there


class LateWords:
    """Words that are made when there is first something to say; `put(widget)` is called to put them in their place."""

    def __init__(self, put: Callable[[ipywidgets.Widget], None]) -> None:
        self._put = put
        self._looks = looks()
        self.widget: Words | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What is said."""
        return self.widget.words if self.widget is not None else ()

    @property
    def shown(self) -> ipywidgets.Widget | None:
        """What is to stand in its place now."""
        return self.widget

    def say(self, words: str | Sequence[str], tone: Tone = "quiet") -> None:
        """Show `words` in place of what was there; nothing hides the line."""
        if self.widget is not None:
            self.widget.say(words, tone)
        elif words:
            self.widget = Words(words, tone, alike=self._looks)
            self._put(self.widget)


def made(*parts: ipywidgets.Widget | LateWords | None) -> tuple[ipywidgets.Widget, ...]:
    """Those of the parts that are there by now, for a box's `children`."""
    widgets = [part.shown if isinstance(part, LateWords) else part for part in parts]
    return tuple(part for part in widgets if part is not None)


class StatusLine(Words):
    """Where an editor says what goes on, and what went wrong."""

    def __init__(self) -> None:
        super().__init__(classes=("ttapi-status",))

    def error(self, error: Exception) -> None:
        """Show an error of ours as it is, and any other as what it is."""
        problems = getattr(error, "problems", None)
        self.say(problems or str(error) or type(error).__name__, "alert")

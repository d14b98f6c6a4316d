"""Words on the screen: always escaped, never run as HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import ipywidgets

__all__ = ["LateWords", "StatusLine", "Words", "made"]

Tone: TypeAlias = Literal["quiet", "busy", "good", "notice", "alert"]
ROLES = {"alert": "alert", "busy": "status", "good": "status", "notice": "note", "quiet": "note"}
# What html.escape does. That module is slow to load: it brings the names of two thousand letters.
ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


class Words(ipywidgets.HTML):
    """A sentence, or a list of sentences, in a tone; what is said is in `words`."""

    # The style sheet has it: a style of its own would be one more widget for each sentence.
    style = None

    def __init__(self, words: str | Sequence[str] = (), tone: Tone = "quiet") -> None:
        super().__init__()
        self.add_class("ttapi-text")
        self.words: tuple[str, ...] = ()
        self.tone: Tone = tone
        self.say(words, tone)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({' '.join(self.words)!r})"

    def say(self, words: str | Sequence[str], tone: Tone = "quiet") -> None:
        """Show `words` in place of what was there; nothing hides the line."""
        self.words = (words,) if isinstance(words, str) and words else tuple(words)
        self.tone = tone
        lines = [line.translate(ESCAPED) for line in self.words]
        inner = (
            "".join(lines) if len(lines) < 2 else f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
        )
        self.value = f'<div class="ttapi-{tone}" role="{ROLES[tone]}">{inner}</div>' if lines else ""
        self.layout.display = "" if lines else "none"


class LateWords:
    """Words that are made when there is first something to say; `arrange()` is called to put them in their place."""

    def __init__(self, arrange: Callable[[], None]) -> None:
        self._arrange = arrange
        self.widget: Words | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What is said."""
        return self.widget.words if self.widget is not None else ()

    def say(self, words: str | Sequence[str], tone: Tone = "quiet") -> None:
        """Show `words` in place of what was there; nothing hides the line."""
        if self.widget is not None:
            self.widget.say(words, tone)
        elif words:
            self.widget = Words(words, tone)
            self._arrange()


def made(*parts: ipywidgets.Widget | LateWords | None) -> tuple[ipywidgets.Widget, ...]:
    """Those of the parts that are there by now, for a box's `children`."""
    found = [part.widget if isinstance(part, LateWords) else part for part in parts]
    return tuple(part for part in found if part is not None)


class StatusLine(Words):
    """Where an editor says what goes on, and what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.add_class("ttapi-status")

    def error(self, error: Exception) -> None:
        """Show an error of ours as it is, and any other as what it is."""
        problems = getattr(error, "problems", None)
        self.say(problems or str(error) or type(error).__name__, "alert")

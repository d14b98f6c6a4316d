"""Words on the screen: always escaped, never run as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Literal, TypeAlias

import ipywidgets

__all__ = ["StatusLine", "Words"]

Tone: TypeAlias = Literal["quiet", "busy", "good", "notice", "alert"]
ROLES = {"alert": "alert", "busy": "status", "good": "status", "notice": "note", "quiet": "note"}


class Words(ipywidgets.HTML):
    """A sentence, or a list of sentences, in a tone; what is said is in `words`."""

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
        lines = [html.escape(line) for line in self.words]
        inner = (
            "".join(lines) if len(lines) < 2 else f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
        )
        self.value = f'<div class="ttapi-{tone}" role="{ROLES[tone]}">{inner}</div>' if lines else ""
        self.layout.display = None if lines else "none"


class StatusLine(Words):
    """Where an editor says what goes on, and what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.add_class("ttapi-status")

    def error(self, error: Exception) -> None:
        """Show an error of ours as it is, and any other as what it is."""
        problems = getattr(error, "problems", None)
        self.say(problems or str(error) or type(error).__name__, "alert")

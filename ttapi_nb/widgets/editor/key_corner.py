"""What answers, in words; and where no key was found, the button that opens the form for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from ...client import Client
from ...client.key import Secret
from ..key import KeyForm
from ..text import Tone, Words

__all__ = ["KeyCorner"]


class KeyCorner:
    """`words` says what `client()` is; `opener` and `form` are there where a key may be given, which `use` takes.

    `rearrange` is called when there is one widget more to show.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        use: Callable[[Secret], None],
        rearrange: Callable[[], None],
        layout: ipywidgets.Layout,
        *,
        takes_key: bool,
    ) -> None:
        self._client, self._use, self._rearrange = client, use, rearrange
        self.words = Words(client().words, "notice" if client().is_offline else "quiet")
        self.form: KeyForm | None = None
        self.opener: ipywidgets.ToggleButton | None = None
        if takes_key:
            self.opener = ipywidgets.ToggleButton(
                description="Use a key", icon="key", tooltip="Send runs to TTAPI", layout=layout
            )
            self.opener.add_class("ttapi-key-opener")
            self.opener.observe(self._open, "value")

    def _open(self, change: Any) -> None:
        if self.form is None:
            # With the first click, if at all.
            self.form = KeyForm(self._use, self._taken)
            self._rearrange()
        self.form.layout.display = "" if change.new else "none"

    def _taken(self, words: str, tone: Tone) -> None:
        self.words.say(f"{self._client().words} {words}", tone)
        if self.opener is not None:
            self.opener.value, self.opener.description = False, "Use another key"

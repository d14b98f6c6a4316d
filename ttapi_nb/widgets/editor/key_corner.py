"""What answers, in words; and where no key was found, the button that opens the form for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from ...client import Client
from ...client.client import OFFLINE_VARIABLE
from ...client.key import Secret
from ...client.ways import Network
from ...errors import SettingsError
from ..key import KeyForm
from ..text import Tone, Words

__all__ = ["KeyCorner", "with_key"]


def with_key(client: Client, key: Secret) -> Client:
    """A client with this key in place of `client`: of the same gateway, where it is one's, else of TTAPI.

    Raises `SettingsError` where the environment keeps all runs offline.
    """
    made = client._with_key(key) if isinstance(client.core.way, Network) else Client(key)
    if made.is_offline:
        raise SettingsError(
            f"The environment's {OFFLINE_VARIABLE}=1 keeps every run in this process, so a key has no use. "
            "Unset it, and restart the kernel."
        )
    return made


class KeyCorner:
    """`words` says what `client()` is; `opener` and `form` are there where a key may be given, which `use` takes.

    `put(widget)` is called when there is one more to show.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        use: Callable[[Secret], None],
        put: Callable[[ipywidgets.Widget], None],
        layout: ipywidgets.Layout,
        *,
        takes_key: bool,
    ) -> None:
        self._client, self._use, self._put = client, use, put
        self.words = Words(client().words, "notice" if client().is_offline else "quiet")
        self.form: KeyForm | None = None
        self.opener: ipywidgets.ToggleButton | None = None
        self._layout = layout
        if takes_key:
            self._make_opener("Use a key")

    def _make_opener(self, name: str) -> ipywidgets.ToggleButton:
        self.opener = ipywidgets.ToggleButton(
            description=name, icon="key", tooltip="Send runs with a key", layout=self._layout
        )
        self.opener.add_class("ttapi-key-opener")
        self.opener.observe(self._open, "value")
        return self.opener

    def ask(self) -> None:
        """Open the form for another key, also where none was asked for before."""
        if self.opener is None:
            self._put(self._make_opener("Use another key"))
        if self.opener is not None:
            self.opener.value = True

    def _open(self, change: Any) -> None:
        if self.form is None:
            # With the first click, if at all.
            self.form = KeyForm(self._use, self._taken)
            self._put(self.form)
        self.form.layout.display = "" if change.new else "none"

    def _taken(self, words: str, tone: Tone) -> None:
        self.words.say(f"{self._client().words} {words}", tone)
        if self.opener is not None:
            self.opener.value, self.opener.description = False, "Use another key"

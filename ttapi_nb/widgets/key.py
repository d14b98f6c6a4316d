"""`KeyForm`: where somebody who sits at the notebook gives a key, which goes in and never comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from ..client.key import Secret, store_key
from ..errors import MissingKeyError, SettingsError
from .browser import Part, buffer_of, field_of, module
from .text import LateWords, Tone, made

__all__ = ["KeyForm", "KeyInput"]


# Far longer than any key.
KEY_CAP = 10_000


class KeyInput(Part):
    """A field for a key. What is typed is in none of its traits, so that no notebook saves it; it is sent here once."""

    _esm = module("key_input.js")

    def __init__(self) -> None:
        super().__init__()
        self._callbacks = ipywidgets.CallbackDispatcher()
        self.on_msg(self._receive)

    def on_key(self, callback: Callable[[Secret, bool], None], remove: bool = False) -> None:
        """Call `callback(key, remember)` when a key was sent."""
        self._callbacks.register_callback(callback, remove=remove)

    def _receive(self, _: object, message: object, buffers: list[Any]) -> None:
        data = buffer_of(buffers, KEY_CAP)
        if isinstance(buffers, list):
            # Taken out, not only read: the kernel keeps the last message.
            buffers.clear()
        if field_of(message, "type", str) != "key" or data is None:
            return
        key = Secret(data.decode("utf-8", "replace"))
        self._callbacks(key, field_of(message, "remember", bool) is True)


class KeyForm(ipywidgets.VBox):
    """Takes a key and hands it to `use(key)`. What went well is told to `done(words, tone)`, what did not is said here.

    Ticked to be remembered, the key is stored as the command `ttapi-nb key` does.
    """

    def __init__(self, use: Callable[[Secret], None], done: Callable[[str, Tone], None]) -> None:
        self._use, self._done = use, done
        self._input = KeyInput()
        self._problem = LateWords(self._arrange)
        super().__init__([self._input])
        self.add_class("ttapi-key")
        self._input.on_key(self._take)

    def __repr__(self) -> str:
        return "KeyForm()"

    def _arrange(self, _: object = None) -> None:
        self.children = made(self._input, self._problem)

    def _take(self, key: Secret, remember: bool) -> None:
        try:
            self._use(key)
        except MissingKeyError:
            self._problem.say("The field was empty. Paste your key from the TTAPI Dashboard.", "alert")
            return
        except SettingsError as error:
            self._problem.say(str(error), "alert")
            return
        self._problem.say("")
        if not remember:
            self._done("The key is used in this editor, and forgotten when the kernel stops.", "quiet")
            return
        try:
            sentence = store_key(key)
        except SettingsError as error:
            self._done(f"The key is used, but was not remembered. {error}", "notice")
        else:
            self._done(sentence, "quiet")

"""The small parts that only the browser can do: reading a dropped photo, and the page around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from ..picture import FILE_CAP

__all__ = ["Page", "Part", "PhotoInput", "module"]


def static(name: str) -> str:
    """The text of a file in `static/`: given its path, anywidget would hold every widget for good."""
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")


def module(name: str) -> traitlets.Unicode[str, str | bytes]:
    """What a part's `_esm` is: the text of a module in `static/`."""
    return traitlets.Unicode(static(name)).tag(sync=True)


class Part(anywidget.AnyWidget):
    """A widget whose inside is a module in `static/`, with the style sheet that all of them have.

    Its traits belong to its class. Left to anywidget, each widget would get a class of its own for them, which takes as
    long as all the rest of making it.
    """

    _css = traitlets.Unicode(static("style.css")).tag(sync=True)
    _anywidget_id = traitlets.Unicode().tag(sync=True)

    @traitlets.default("_anywidget_id")
    def _name(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}"

    def add_traits(self, **given: traitlets.TraitType[Any, Any]) -> None:
        """Add the traits that are not there yet."""
        missing = {name: trait for name, trait in given.items() if not self.has_trait(name)}
        if missing:
            super().add_traits(**missing)


class PhotoInput(Part):
    """A row to choose, drop or paste a photo, or to take the sample; anywhere in the editor around it counts.

    With `several` it takes any number at a time, in the tray around it, and offers no sample.
    `photo_name` is shown at its end. `on_photo(callback)` is called with a file's name and bytes, `on_sample(callback)`
    with nothing, and `on_refused(callback)` with a sentence where a file is too large to be read.
    """

    _esm = module("photo_input.js")

    photo_name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("Choose a photo").tag(sync=True)
    several = traitlets.Bool(False).tag(sync=True)

    def __init__(self, label: str = "Choose a photo", *, several: bool = False) -> None:
        super().__init__(label=label, several=several)
        self._pieces = bytearray()
        self._upload = ""
        self._photo_callbacks = ipywidgets.CallbackDispatcher()
        self._sample_callbacks = ipywidgets.CallbackDispatcher()
        self._refused_callbacks = ipywidgets.CallbackDispatcher()
        self.on_msg(self._receive)

    def on_photo(self, callback: Callable[[str, bytes], None], remove: bool = False) -> None:
        """Call `callback(name, data)` when a photo has arrived."""
        self._photo_callbacks.register_callback(callback, remove=remove)

    def on_sample(self, callback: Callable[[], None], remove: bool = False) -> None:
        """Call `callback()` when the sample is asked for."""
        self._sample_callbacks.register_callback(callback, remove=remove)

    def on_refused(self, callback: Callable[[str], None], remove: bool = False) -> None:
        """Call `callback(sentence)` when a file is not read because it is too large."""
        self._refused_callbacks.register_callback(callback, remove=remove)

    def _receive(self, _: object, message: dict[str, Any], buffers: list[memoryview]) -> None:
        if message.get("type") == "sample":
            self._sample_callbacks()
        elif message.get("type") == "piece" and buffers:
            self._receive_piece(message, buffers[0])

    def _receive_piece(self, message: dict[str, Any], piece: memoryview) -> None:
        name = str(message["name"])
        if message["size"] > FILE_CAP:
            if message["last"]:
                self._refused_callbacks(f"{name!r} is over {FILE_CAP // 10**6} MB. Choose a smaller file.")
            return
        if message["start"] == 0:
            # A new file wins over one whose rest never came.
            self._upload, self._pieces = message["id"], bytearray()
        if message["id"] != self._upload or message["start"] != len(self._pieces):
            return
        self._pieces += piece
        if message["last"]:
            data, self._pieces, self._upload = bytes(self._pieces), bytearray(), ""
            self._photo_callbacks(name, data)


class Page(Part):
    """What has to do with the page around a drawer, and an editor that it is in (see `static/page.js`).

    It brings the style sheet, names for what ipywidgets leaves without one, and the run key: `on_run(callback)`.
    """

    _esm = module("page.js")

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})
        self._callbacks = ipywidgets.CallbackDispatcher()
        self.on_msg(lambda _, message, __: self._callbacks() if message.get("type") == "run" else None)

    def on_run(self, callback: Callable[[], None], remove: bool = False) -> None:
        """Call `callback()` when Ctrl+Enter or Cmd+Enter is pressed inside the editor."""
        self._callbacks.register_callback(callback, remove=remove)

"""The small parts that only the browser can do: reading a dropped photo, and the page around it."""

from __future__ import annotations

import posixpath
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anywidget
import ipywidgets
import traitlets

from ..picture import FILE_CAP
from ..picture.opening import tidy
from .looks import looks

__all__ = ["Part", "PhotoInput", "module"]


PIECE_CAP = 8 * 1024 * 1024
"""The most bytes of one message: a browser's socket closes at 10 MiB."""

NAME_CAP = 200

Kind = TypeVar("Kind", str, int, bool)


def field_of(message: object, name: str, kind: type[Kind]) -> Kind | None:
    """A field of a message from the browser, or None where it is not there or of another type.

    What comes from a browser is input: a page may send anything under a widget's name.
    """
    value = message.get(name) if isinstance(message, dict) else None
    # True is no number, whatever Python says; and no count of bytes or marks is below 0 or beyond this.
    if type(value) is not kind or (isinstance(value, int) and not 0 <= value < 1 << 53):
        return None
    return value


def buffer_of(buffers: object, most: int) -> bytes | None:
    """The bytes that came beside a message, or None where there are none, or more than `most`."""
    first = buffers[0] if isinstance(buffers, list | tuple) and buffers else None
    if not isinstance(first, bytes | bytearray | memoryview):
        return None
    return bytes(first) if memoryview(first).nbytes <= most else None


STATIC = Path(__file__).parent / "static"
# Without `^`: what begins with a text is found five times as fast, and each import of the widgets pays for it.
IMPORT = re.compile(r'\nimport {[^}]*} from "(\.[^"]+)";')
EXPORT = re.compile(r"\nexport (?!default )")


def static(name: str) -> str:
    """The text of a file in `static/`: given its path, anywidget would hold every widget for good."""
    return (STATIC / name).read_text(encoding="utf-8")


def scripts_of(name: str) -> dict[str, str]:
    """The texts of a module of `static/` and of all that it imports, each once and after what it imports itself."""
    texts: dict[str, str] = {}

    def visit(name: str) -> None:
        text = static(name)
        for other in IMPORT.findall(text):
            if (needed := posixpath.normpath(f"{posixpath.dirname(name)}/{other}".lstrip("/"))) not in texts:
                visit(needed)
        texts[name] = text

    visit(name)
    return texts


def module(name: str) -> traitlets.Unicode[str, str | bytes]:
    """What a part's `_esm` is: a module of `static/` and those it imports, as one text.

    A widget has one module, which must stand by itself wherever it is shown: in a saved notebook there is no server to
    import from. So no two modules that come together may have the same name at their top (a test sees to it).
    """
    texts = (EXPORT.sub("\n", IMPORT.sub("", text)) for text in scripts_of(name).values())
    return traitlets.Unicode("\n".join(texts)).tag(sync=True)


class Part(anywidget.AnyWidget):
    """A widget whose inside is a module in `static/`. The stage brings the style sheet for all of them.

    Its traits belong to its class. Left to anywidget, each widget would get a class of its own for them, which takes as
    long as all the rest of making it.
    """

    _css = traitlets.Unicode().tag(sync=True)
    _anywidget_id = traitlets.Unicode().tag(sync=True)

    @traitlets.default("layout")
    def _layout(self) -> ipywidgets.Layout:
        return looks().shown

    @traitlets.default("_anywidget_id")
    def _name(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}"

    def add_traits(self, **traits: traitlets.TraitType[Any, Any]) -> None:
        """Add the traits that are not there yet."""
        missing = {name: trait for name, trait in traits.items() if not self.has_trait(name)}
        if missing:
            super().add_traits(**missing)


class PhotoInput(Part):
    """A row to choose, drop or paste a photo, or to take the sample; anywhere in the editor around it counts.

    With `several` it takes any number at a time, in the tray around it, and offers no sample.
    `photo_name` is shown at its end, and `problem` where one could not be opened.
    `on_photo(callback)` is called with a file's name and bytes, `on_sample(callback)`
    with nothing, and `on_refused(callback)` with a sentence where a file is too large to be read.
    """

    _esm = module("photo_input.js")

    photo_name = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("Choose a photo").tag(sync=True)
    several = traitlets.Bool(False).tag(sync=True)

    def __init__(self, label: str = "Choose a photo", *, several: bool = False) -> None:
        super().__init__(label=label, several=several)
        # One file at a time, of which no more is kept than was announced.
        self._arriving = threading.Lock()
        self._forget()
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

    def _receive(self, _: object, message: object, buffers: Sequence[Any]) -> None:
        kind = field_of(message, "type", str)
        if kind == "sample":
            self._sample_callbacks()
        elif kind == "piece":
            data = buffer_of(buffers, PIECE_CAP)
            with self._arriving:
                words, photo = self._take_piece(message, data)
            # Outside the lock: a callback may take long, and another photo may come meanwhile.
            if words:
                self._refused_callbacks(words)
            elif photo is not None:
                self._photo_callbacks(*photo)

    def _take_piece(self, message: object, piece: bytes | None) -> tuple[str, tuple[str, bytes] | None]:
        """Keep a piece; returns why the file is refused or nothing, and name and bytes once they are whole."""
        upload, name = (field_of(message, field, str) for field in ("id", "name"))
        size, start = (field_of(message, field, int) for field in ("size", "start"))
        last = field_of(message, "last", bool)
        if upload is None or name is None or size is None or start is None or last is None:
            return "", None
        upload, name = upload[:NAME_CAP], tidy(name)
        if size > FILE_CAP:
            problem = f"{name!r} is over {FILE_CAP // 10**6} MB. Choose a smaller file."
            return (problem if last else ""), None
        if start == 0:
            # A new file wins over one whose rest never came.
            self._upload, self._size, self._pieces = upload, size, bytearray()
        if upload != self._upload:
            return "", None
        if piece is None or start != len(self._pieces) or size != self._size or start + len(piece) > size:
            if start == len(self._pieces):
                self._forget()
                return f"{name!r} did not come as it was announced. Choose it again.", None
            return "", None
        self._pieces += piece
        if not last:
            # Without a byte it would never be whole, and more than it has can't come.
            return "", None
        data, whole = bytes(self._pieces), len(self._pieces) == size
        self._forget()
        return ("", (name, data)) if whole else (f"{name!r} came only in part. Choose it again.", None)

    def _forget(self) -> None:
        self._pieces, self._upload, self._size = bytearray(), "", 0

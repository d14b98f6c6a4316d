"""What shows results in the browser, and what saves them there: `Compare` and `Download`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from ..picture import ImageFile
from .browser import Part, field_of, module, static

__all__ = ["MODES", "Compare", "Download"]

MODES = ("slider", "side", "blink", "heat")
"""How a result can be compared: a slider over both pictures, side by side, blinking, or as a map of what leaked."""


class Compare(Part):
    """Two pictures in the browser: a result, and what it is laid over.

    `shown` describes them: the photo's size; of both the label and alternative text; by which name each is asked for;
    and their thumbnails (WEBP; that of what lies below first). The previews are not in the widget's state, which
    notebooks may save: `on_want(callback)` is called with a picture's name, and `give` answers.
    """

    _esm = module("compare.js")
    _css = traitlets.Unicode(static("style.css") + static("compare.css")).tag(sync=True)

    shown: traitlets.Dict[str, Any] = traitlets.Dict(
        {"size": (1, 1), "before": {}, "item": None, "thumbs": []}
    ).tag(sync=True)
    mode = traitlets.Enum(MODES, "slider").tag(sync=True)
    raw = traitlets.Bool(False).tag(sync=True)

    def show(
        self,
        size: tuple[int, int],
        before: Mapping[str, str],
        item: Mapping[str, object],
        thumbs: Sequence[bytes | None],
    ) -> None:
        """Show another pair."""
        shown: dict[str, object] = {
            "size": size,
            "before": dict(before),
            "item": dict(item),
            "thumbs": list(thumbs),
        }
        if shown != self.shown:
            self.shown = shown

    def on_want(self, callback: Callable[[str], None]) -> None:
        """Call `callback(name)` when the browser first needs a picture."""

        def receive(_: object, message: object, __: object) -> None:
            name = field_of(message, "name", str)
            if field_of(message, "type", str) == "want" and name is not None:
                callback(name)

        self.on_msg(receive)

    def give(self, picture: ImageFile) -> None:
        """Send a picture to every browser that shows this widget."""
        self.send({"type": "picture", "name": picture.name, "mime": picture.mime}, [picture.data])


class Download(Part):
    """Saves files through the browser: `download(file)`."""

    _esm = module("download.js")

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

    def download(self, file: ImageFile) -> None:
        """Let every browser that shows this widget download `file`."""
        self.send({"type": "save", "name": file.name, "mime": file.mime}, [file.data])

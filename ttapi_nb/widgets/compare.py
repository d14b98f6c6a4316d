"""What shows results in the browser, and what saves them there: `Compare` and `Download`."""

from __future__ import annotations

from collections.abc import Callable

import traitlets

from ..picture import ImageFile
from .browser import Part, field_of, module, static

__all__ = ["MODES", "Compare", "Download"]

MODES = ("slider", "side", "blink", "heat")
"""How a result can be compared: a slider over both pictures, side by side, blinking, or as a map of what leaked."""


class Compare(Part):
    """The pictures in the browser: two panes to compare, and a strip of thumbnails where there are several results.

    `shown` describes a run: its id, the photo's size, a line for each result, and the thumbnails (WEBP; the photo's
    first). The previews are not in the widget's state, which notebooks may save: `on_want(callback)` is called with a
    run's id and a picture's name, and `give` answers.
    """

    _esm = module("compare.js")
    _css = traitlets.Unicode(static("style.css") + static("compare.css")).tag(sync=True)

    shown = traitlets.Dict({"run": "", "size": (1, 1), "items": [], "thumbs": []}).tag(sync=True)
    starred: traitlets.List[int] = traitlets.List().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    mode = traitlets.Enum(MODES, "slider").tag(sync=True)
    raw = traitlets.Bool(False).tag(sync=True)

    def on_want(self, callback: Callable[[str, str], None]) -> None:
        """Call `callback(run_id, name)` when the browser first needs a picture."""

        def receive(_: object, message: object, __: object) -> None:
            run_id, name = (field_of(message, field, str) for field in ("run", "name"))
            if field_of(message, "type", str) == "want" and run_id is not None and name is not None:
                callback(run_id, name)

        self.on_msg(receive)

    def give(self, run_id: str, picture: ImageFile) -> None:
        """Send a picture to every browser that shows this widget."""
        head = {"type": "picture", "run": run_id, "name": picture.name, "mime": picture.mime}
        self.send(head, [picture.data])


class Download(Part):
    """Saves files through the browser: `download(file)`."""

    _esm = module("download.js")

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

    def download(self, file: ImageFile) -> None:
        """Let every browser that shows this widget download `file`."""
        self.send({"type": "save", "name": file.name, "mime": file.mime}, [file.data])

"""`Stage`: the browser's half of a drawer, and what it tells of what people do there."""

from __future__ import annotations

import ipycanvas
import ipywidgets
import traitlets

from ...mask import OPACITY, TINT, TOLERANCE, TOOLS
from ..browser import Part, module, static
from ..compare import Compare

__all__ = ["BRUSH_SIZE", "LARGEST_BRUSH", "TINT_COLOUR", "Stage"]

LARGEST_BRUSH = 1000
BRUSH_SIZE = 60
"""The brush's diameter where there is no photo to suit, in image pixels."""
TINT_COLOUR = "#{:02x}{:02x}{:02x}".format(*TINT)


class Stage(Part):
    """Shows the photo, the ink and the tools, paints a stroke as it is drawn, and on its other side shows the results
    (see `static/stage.js`).

    * `can`: what would change something now, of `"undo"`, `"redo"`, `"clear"`, `"invert"`, `"numbers"`, `"edge"` and
      `"extend"`; `share`: how much is masked, 0 to 1; `hint` and `problem`: what is said beside and over the photo.
    * `progress`: empty, or what a run is `doing`, for how many `seconds`, and whether a part of the photo is `masked`.
    * `partial`: empty, or a draft of the result to show on the photo while a run is under way: its `number`, its
      `picture` as a file of type `mime`, see-through where the photo shows, and its `box` in pixels of the preview.
    * `selecting`: which `engine` selects things, whether it is `busy` or `quick`, what is `missing` for it, a `note`,
      and the `points` that were clicked, [x, y, label] in pixels of the preview.
    * `preview`: what the photo is sent in, which the page shows before the kernel has had time to draw it.
    * `results`: the comparison on the other side, and `side` which of the two is shown.
    * `around`: the id of the widget that this is a part of, in which a page that finds its kernel again keeps what is
      newer there.
    """

    _esm = module("stage.js")
    _css = traitlets.Unicode(static("style.css") + static("compare.css")).tag(sync=True)

    photo = traitlets.Instance(ipycanvas.Canvas).tag(sync=True, **ipywidgets.widget_serialization)
    ink = traitlets.Instance(ipycanvas.Canvas).tag(sync=True, **ipywidgets.widget_serialization)
    results = traitlets.Instance(Compare, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)
    side = traitlets.Enum(("edit", "result"), "edit").tag(sync=True)
    around = traitlets.Unicode().tag(sync=True)
    preview = traitlets.Instance(ipywidgets.Image, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )
    ready = traitlets.Bool(False).tag(sync=True)
    photo_size = traitlets.Tuple((0, 0)).tag(sync=True)
    tool = traitlets.Enum(tuple(TOOLS), "brush").tag(sync=True)
    brush_size = traitlets.Int(BRUSH_SIZE, min=1, max=LARGEST_BRUSH).tag(sync=True)
    largest = traitlets.Int(300).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    pressure = traitlets.Bool(False).tag(sync=True)
    tolerance = traitlets.Int(TOLERANCE, min=0, max=255).tag(sync=True)
    tint = ipywidgets.Color(TINT_COLOUR).tag(sync=True)
    opacity = traitlets.Float(OPACITY, min=0.0, max=1.0).tag(sync=True)
    show = traitlets.Enum(("tint", "edges"), "tint").tag(sync=True)
    frame = traitlets.List(traitlets.Float()).tag(sync=True)
    extending = traitlets.Bool(False).tag(sync=True)
    margins = traitlets.Tuple(*(traitlets.Int(0, min=0) for _ in range(4)), default_value=(0, 0, 0, 0)).tag(
        sync=True
    )
    can = traitlets.List(traitlets.Unicode()).tag(sync=True)
    share = traitlets.Float(0.0).tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    partial = traitlets.Dict().tag(sync=True)
    selecting = traitlets.Dict().tag(sync=True)

    def come(self) -> None:
        """Have the page go to the photo."""
        self.send({"type": "come"})

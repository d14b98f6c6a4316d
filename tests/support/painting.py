"""A drawer as the browser has it: the marks that it sends, and the ink that it gets."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

import ipycanvas
import numpy as np
import pytest
from ipycanvas.canvas import COMMANDS
from ipywidgets import Widget
from PIL import Image

from tests.support.controls import message, of_kind
from ttapi_nb.widgets.drawer import Stage

NAMES = {number: name for name, number in COMMANDS.items()}

_views = itertools.count()


def stage_of(root: Widget) -> Stage:
    """The browser's half of the drawer in `root`."""
    stage = of_kind(root, Stage)
    assert isinstance(stage, Stage)
    return stage


def mark(root: Widget, number: int, points: Any, **rest: Any) -> None:
    """Send a mark as the stage does: x, y and radius of each point, in pixels of the preview; or these as bytes."""
    content = {"type": "mark", "view": "a", "number": number, "tool": "brush", "erase": False} | rest
    data = points if isinstance(points, bytes) else np.array(points, np.float32).tobytes()
    message(stage_of(root), content, data)


def stroke(root: Widget, *points: tuple[float, float]) -> None:
    """Draw along `points` with the tool that is chosen, in pixels of the preview, in a page that was just opened."""
    stage = stage_of(root)
    erase = stage.tool == "eraser"
    radius = stage.brush_size / 2 * stage.scale
    mark(
        root,
        1,
        [(x, y, radius) for x, y in points],
        view=f"view {next(_views)}",
        tool="brush" if erase else stage.tool,
        erase=erase,
    )


def act(root: Widget, action: str) -> None:
    """Press one of the rail's buttons that act at once: "Undo", "Redo", "Invert" or "Clear"; it must be enabled."""
    assert can(root, action), f"{action!r} is disabled"
    message(stage_of(root), {"type": "key", "action": action.lower()})


def can(root: Widget, action: str) -> bool:
    """Whether a button of the rail is enabled."""
    return action.lower() in stage_of(root).can


def add_shape(root: Widget, outline: str, box: tuple[int, int, int, int], *, erase: bool = False) -> None:
    """Add a shape by its left, top, width and height in pixels of the photo, or take it away."""
    left, top, width, height = box
    sent = {"outline": outline, "left": left, "top": top, "width": width, "height": height, "erase": erase}
    message(stage_of(root), {"type": "shape"} | sent)


def move_edge(root: Widget, what: str, pixels: int) -> None:
    """Grow, shrink or feather the mask."""
    message(stage_of(root), {"type": "edge", "what": what, "pixels": pixels})


def extend_photo(root: Widget, *margins: int, aspect: str = "") -> None:
    """Press "Extend photo" with these margins in the fields: left, top, right, bottom."""
    message(stage_of(root), {"type": "extend", "margins": list(margins or (0, 0, 0, 0)), "aspect": aspect})


def own_surface(root: Widget) -> None:
    """Let the browser say that it has no ipycanvas."""
    message(stage_of(root), {"type": "own"})


def answers(root: Widget) -> list[Any]:
    """What the stage is told from now on."""
    told: list[Any] = []
    stage: Any = stage_of(root)
    stage.send = lambda content, buffers=None: told.append(content)
    return told


class Screen:
    """A page that opens the drawer now: the `ink` on it, and which `boxes` of ink (x, y, height, width) came since."""

    def __init__(self, root: Widget) -> None:
        canvas: Any = stage_of(root).ink
        self._empty(canvas)
        canvas.observe(lambda _: self._empty(canvas), ["width", "height"])
        self.boxes: list[tuple[int, int, int, int]] = []
        kept, receive = type(canvas._canvas_manager), self._receive

        class Page(kept):  # type: ignore[misc,valid-type]  # ipycanvas has no types
            def _send_custom(self, command: list[Any], buffers: Sequence[bytes] = ()) -> None:
                receive(command if isinstance(command[0], list) else [command], buffers)

        canvas._canvas_manager = Page()
        message(canvas, {"event": "client_ready"})
        self.boxes.clear()

    def _empty(self, canvas: Any) -> None:
        # As canvases do that get another size.
        self.ink = np.zeros((canvas.height, canvas.width), np.uint8)

    def _receive(self, commands: list[list[Any]], buffers: Sequence[bytes]) -> None:
        clip, copies = (0, 0, self.ink.shape[1], self.ink.shape[0]), False
        for number, arguments, *_ in commands:
            name = NAMES[number]
            if name == "rect":
                clip = arguments
            elif name == "set":
                copies = arguments == [ipycanvas.Canvas.ATTRS["global_composite_operation"], "copy"]
            elif name == "putImageData":
                x, y = arguments
                pixels = np.asarray(Image.open(io.BytesIO(buffers[0])))[..., 3]
                height, width = pixels.shape
                assert list(clip) == [x, y, width, height]
                self.boxes.append((x, y, height, width))
                part = self.ink[y : y + height, x : x + width]
                part[:] = pixels if copies else np.maximum(part, pixels)


def drawn(root: Widget, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The commands that the drawer's canvases are sent from now on, as ipycanvas writes them."""
    sent: list[Any] = []

    def send(_: object, buffers: list[Any]) -> None:
        said = json.loads(bytes(buffers[0]))
        sent.extend(said if isinstance(said[0], list) else [said])

    monkeypatch.setattr(stage_of(root).ink._canvas_manager, "send", send)
    return sent

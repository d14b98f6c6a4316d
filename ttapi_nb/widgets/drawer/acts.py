"""What the rail and its pop-overs ask for, read from the browser's messages."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ...mask import Shape
from ..browser import field_of

__all__ = ["ACTIONS", "EDGES", "Edge", "Extension", "edge_in", "extension_in", "shape_in"]

ACTIONS = ("undo", "redo", "invert", "clear")
EDGES = ("grow", "shrink", "feather")
MOST_PIXELS = 100
MOST_MARGIN = 20_000
ASPECTS = ("1:1", "3:2", "2:3", "4:3", "3:4", "16:9", "9:16")

Edge: TypeAlias = tuple[str, int]
Extension: TypeAlias = tuple[tuple[int, int, int, int], str | None]


def shape_in(message: object) -> Shape | None:
    """The rectangle or ellipse that is to be added or taken away, or None where there is none."""
    outline, erase = field_of(message, "outline", str), field_of(message, "erase", bool)
    sides = [field_of(message, name, int) for name in ("left", "top", "width", "height")]
    if outline not in ("rectangle", "ellipse") or erase is None:
        return None
    left, top, width, height = (
        float(side) if side is not None and side <= 100_000 else -1.0 for side in sides
    )
    if min(left, top) < 0 or min(width, height) < 1:
        return None
    kind: Literal["rectangle", "ellipse"] = "rectangle" if outline == "rectangle" else "ellipse"
    return Shape(kind, ((left, top), (left + width, top + height)), erase)


def edge_in(message: object) -> Edge | None:
    """What is to be done with the mask's edge, and by how many pixels."""
    what, pixels = field_of(message, "what", str), field_of(message, "pixels", int)
    if what not in EDGES or pixels is None or not 1 <= pixels <= MOST_PIXELS:
        return None
    return what, pixels


def extension_in(message: object) -> Extension | None:
    """The margins that the photo is to have, and the aspect in place of them or None."""
    margins = message.get("margins") if isinstance(message, dict) else None
    aspect = field_of(message, "aspect", str)
    if not isinstance(margins, list) or len(margins) != 4 or aspect is None or aspect not in ("", *ASPECTS):
        return None
    if not all(type(margin) is int and 0 <= margin <= MOST_MARGIN for margin in margins):
        return None
    left, top, right, bottom = margins
    return (left, top, right, bottom), aspect or None

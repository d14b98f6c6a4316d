"""What a mask is made of: its marks, one class each, and the tools that make them.

A new kind of mark is a file here; a new outline of a shape, an entry of `OUTLINES`. Each brings its tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ..raster import Coverage
from .bitmap import Bitmap
from .change import Change
from .mark import KINDS, Mark, Pointed, Tool
from .points import Box, amount, corners, is_length, numbers, polygon_points, stroke_points
from .selection import Selection
from .shape import Shape
from .stroke import Stroke

__all__ = [
    "TOOLS",
    "Bitmap",
    "Box",
    "Change",
    "Mark",
    "Pointed",
    "Selection",
    "Shape",
    "Stroke",
    "Tool",
    "amount",
    "corners",
    "draw_all",
    "is_length",
    "mark_from",
    "numbers",
    "polygon_points",
    "stroke_points",
]

_IN_ORDER: list[type[Mark]] = [Stroke, Shape, *KINDS.values()]
TOOLS: dict[str, Tool] = {tool.name: tool for kind in _IN_ORDER for tool in kind.tools}
"""Every tool, by its name, in the order in which they are offered."""


def draw_all(marks: Sequence[Mark], coverage: Coverage) -> None:
    """Draw these marks, in their order, into `coverage`, in place: strokes that follow each other all at once, of which
    those below cost little.
    """
    for together, some in groupby(marks, lambda mark: isinstance(mark, Stroke) and not mark.erase):
        if together:
            Stroke.draw_together([mark for mark in some if isinstance(mark, Stroke)], coverage)
        else:
            for mark in some:
                mark.draw(coverage)


def mark_from(read: dict[str, Any]) -> Mark:
    """The mark that `Mask.to_json` wrote as these fields. Raises what `Mark.read` raises."""
    return KINDS[read["kind"]].read(read)

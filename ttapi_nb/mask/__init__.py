"""Masks: what should change in a picture, what that means, and how masks of other tools are read."""

from .marks import TOOLS, Bitmap, Change, Mark, Pointed, Selection, Shape, Stroke, Tool
from .mask import TOLERANCE, Mask
from .meaning import HALF, Meaning, asked_for, edited, protected, share
from .pictures import picture_problems, says_yes_or_no
from .raster import Coverage
from .reading import size_problem
from .select import EngineName, Select
from .tint import OPACITY, TINT

__all__ = [
    "HALF",
    "OPACITY",
    "TINT",
    "TOLERANCE",
    "TOOLS",
    "Bitmap",
    "Change",
    "Coverage",
    "EngineName",
    "Mark",
    "Mask",
    "Meaning",
    "Pointed",
    "Select",
    "Selection",
    "Shape",
    "Stroke",
    "Tool",
    "asked_for",
    "edited",
    "picture_problems",
    "protected",
    "says_yes_or_no",
    "share",
    "size_problem",
]

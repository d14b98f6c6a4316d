"""Masks: what should change in a picture, what that means, and how masks of other tools are read."""

from .marks import Bitmap, Change, Mark, Shape, Stroke
from .mask import Mask
from .meaning import HALF, MARKS_NOTHING, Meaning, asked_for, edited, protected, share
from .pictures import picture_reading
from .raster import TILE, Coverage
from .reading import size_problem

__all__ = [
    "HALF",
    "MARKS_NOTHING",
    "TILE",
    "Bitmap",
    "Change",
    "Coverage",
    "Mark",
    "Mask",
    "Meaning",
    "Shape",
    "Stroke",
    "asked_for",
    "edited",
    "picture_reading",
    "protected",
    "share",
    "size_problem",
]

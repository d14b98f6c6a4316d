"""Painting over a photo what should change."""

from .drawer import MaskDrawer
from .masks import Masks
from .stage import Stage

__all__ = ["MaskDrawer", "Masks", "Stage"]

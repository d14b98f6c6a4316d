"""Painting over a photo what should change."""

from .drawer import MaskDrawer, Masks
from .stage import Stage

__all__ = ["MaskDrawer", "Masks", "Stage"]

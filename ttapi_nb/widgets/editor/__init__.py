"""The editor for one photo."""

from .editor import ImageEditor

__all__ = ["ImageEditor"]

"""The results, laid over the photo that they were made from."""

from ..compare import MODES
from .viewer import ResultViewer

__all__ = ["MODES", "ResultViewer"]

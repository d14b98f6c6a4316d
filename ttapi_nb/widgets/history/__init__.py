"""Earlier runs from the log."""

from .panel import HistoryPanel

__all__ = ["HistoryPanel"]

"""The session's tray: every answer, to look at, compare, rate, keep and discard."""

from .session import Entry, Session
from .tray import SessionTray

__all__ = ["Entry", "Session", "SessionTray"]

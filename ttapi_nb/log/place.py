"""How a run log's file is kept whole: as given, as the environment says, or as usual."""

from __future__ import annotations

from typing import get_args

from ..errors import SettingsError
from ..folders import environment
from .file import Journal

__all__ = ["JOURNAL_VARIABLE", "journal_of"]

JOURNAL_VARIABLE = "TTAPI_JOURNAL"


def journal_of(journal: Journal | None) -> Journal | None:
    """How the log's file is kept whole; None as it already is. Raises `SettingsError`."""
    chosen = journal or environment(JOURNAL_VARIABLE) or None
    if chosen is not None and chosen not in get_args(Journal):
        raise SettingsError(f"journal={chosen!r} is not known. Use 'wal' or 'rollback', or leave it out.")
    return "rollback" if chosen == "rollback" else "wal" if chosen else None

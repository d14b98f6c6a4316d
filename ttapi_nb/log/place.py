"""Which folder a run log is in, and how its file is kept whole: as given, as the environment says, or as usual."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import get_args

import platformdirs

from ..errors import SettingsError
from .file import Journal

__all__ = ["DATA_VARIABLE", "JOURNAL_VARIABLE", "folder_of", "journal_of"]

DATA_VARIABLE = "TTAPI_DATA"
JOURNAL_VARIABLE = "TTAPI_JOURNAL"


def _absolute(folder: object) -> Path:
    try:
        where = Path(folder)  # type: ignore[arg-type]  # what can't be one is said below
        # A home of nobody's can't be found: then the name is taken as it is written.
        with contextlib.suppress(RuntimeError):
            where = where.expanduser()
        if "\0" in str(where):
            raise ValueError
        # Now: the working directory may be another when the run ends.
        return where.absolute()
    except (TypeError, ValueError):
        raise SettingsError(f"{folder!r} can't be a folder. Use a path, like RunLog('my-runs').") from None
    except OSError:
        raise SettingsError(
            f"{folder!r} is not a whole path, and the working directory is gone. Name all of it."
        ) from None


def _environment(name: str) -> str:
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(name, "")


def _user_folder() -> str:
    return platformdirs.user_data_dir("ttapi_nb", appauthor=False)


def folder_of(folder: str | Path | None) -> Path:
    """The log's folder, whole: the working directory may be another when a run ends. Raises `SettingsError`."""
    return _absolute(folder or _environment(DATA_VARIABLE) or _user_folder())


def journal_of(journal: Journal | None) -> Journal | None:
    """How the log's file is kept whole; None as it already is. Raises `SettingsError`."""
    chosen = journal or _environment(JOURNAL_VARIABLE) or None
    if chosen is not None and chosen not in get_args(Journal):
        raise SettingsError(f"journal={chosen!r} is not known. Use 'wal' or 'rollback', or leave it out.")
    return "rollback" if chosen == "rollback" else "wal" if chosen else None

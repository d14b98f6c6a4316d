"""Where the package keeps what lasts: runs, results, and models that were installed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from .errors import SettingsError

__all__ = ["DATA_VARIABLE", "MODELS", "data_folder", "environment"]

DATA_VARIABLE = "TTAPI_DATA"
MODELS = "models"
"""The folder of installed models in the data folder."""


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


def environment(name: str) -> str:
    """A variable of the environment, or nothing."""
    # Alone in here: where a statement with os.environ in it raises, a traceback shows the environment with the key.
    return os.environ.get(name, "")


def _user_folder() -> str:
    return platformdirs.user_data_dir("ttapi_nb", appauthor=False)


def data_folder(folder: str | Path | None = None) -> Path:
    """The data folder, whole: the working directory may be another when a run ends. It is `folder` where one is given,
    or what the environment says, or the usual one of this user. Raises `SettingsError`.
    """
    return _absolute(folder or environment(DATA_VARIABLE) or _user_folder())

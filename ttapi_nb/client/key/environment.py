"""What the environment says of a key: the key itself, or where its file is."""

from __future__ import annotations

import os

from .secret import Secret

__all__ = ["FILE_VARIABLE", "KEY_VARIABLE", "from_environment", "in_environment", "named_file"]

KEY_VARIABLE = "TT_API_KEY"
FILE_VARIABLE = "TT_API_KEY_FILE"


def from_environment() -> Secret | None:
    value = os.environ.get(KEY_VARIABLE, "")
    return Secret(value) if value.strip() else None


def in_environment() -> bool:
    return from_environment() is not None


def named_file() -> str:
    # Alone in here: a traceback would show the environment, and the key may be in it.
    return os.environ.get(FILE_VARIABLE, "")

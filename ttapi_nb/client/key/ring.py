"""The key in the system's keyring, where there is one."""

from __future__ import annotations

import contextlib
import importlib.util
from typing import Any

from .environment import KEY_VARIABLE
from .secret import Secret

__all__ = ["from_keyring", "into_keyring", "out_of_keyring"]

KEYRING_ENTRY = ("ttapi_nb", KEY_VARIABLE)


def _keyring() -> Any:
    if importlib.util.find_spec("keyring") is None:
        return None
    with contextlib.suppress(Exception):
        return importlib.import_module("keyring")
    return None


def from_keyring() -> Secret | None:
    keyring = _keyring()
    if keyring is None:
        return None
    with contextlib.suppress(Exception):
        value = keyring.get_password(*KEYRING_ENTRY)
        return Secret(value) if isinstance(value, str) and value.strip() else None
    return None


def into_keyring(secret: Secret) -> bool:
    keyring = _keyring()
    if keyring is None:
        return False
    with contextlib.suppress(Exception):
        keyring.set_password(*KEYRING_ENTRY, secret.reveal())
        # A back end that keeps nothing takes everything.
        return bool(keyring.get_password(*KEYRING_ENTRY) == secret.reveal())
    return False


def out_of_keyring() -> bool:
    if from_keyring() is None:
        return False
    with contextlib.suppress(Exception):
        _keyring().delete_password(*KEYRING_ENTRY)
    return from_keyring() is None

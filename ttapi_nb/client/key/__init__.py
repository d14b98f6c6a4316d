"""The key: a secret that never shows itself, and the places where it is kept."""

from __future__ import annotations

from .file import key_file
from .finding import ask_key, find_key, forget_key, key_place, look_for_key, store_key
from .secret import Secret, held, is_same

__all__ = [
    "Secret",
    "ask_key",
    "find_key",
    "forget_key",
    "held",
    "is_same",
    "key_file",
    "key_place",
    "look_for_key",
    "store_key",
]

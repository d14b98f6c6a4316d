"""What a forked child must not inherit: a lock that a thread held which the child has not got."""

from __future__ import annotations

import os
import threading
from typing import Any

__all__ = ["anew"]

_locks: list[tuple[dict[str, Any], str]] = []


def anew(names: dict[str, Any], name: str) -> None:
    """Give a forked child a lock of its own in place of a module's, of which `names` are the globals."""
    _locks.append((names, name))


def _renew() -> None:
    for names, name in _locks:
        names[name] = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

"""One edit, from what is asked for to its results: `edit` for a script, `Run` for whoever holds it."""

from __future__ import annotations

from typing import Any

import lazy_loader

from ..loading import loading as _loading

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    with _loading():
        return _load(name)

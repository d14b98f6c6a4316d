"""Edit images with a hosted model from a notebook: widgets, a client, and an embedded service for when there is no key.

    import ttapi_nb as tt
    tt.ImageEditor("room.png")                                   # in a notebook
    tt.edit("room.png", "a red sofa", mask=mask).results[0].image    # without a widget

Importing the package is cheap: each name loads what it needs when it is first used.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

from .loading import loading as _loading

__version__ = "0.1.0"

# What there is, and in which room, stands in `__init__.pyi` alone.
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    with _loading():
        return _load(name)

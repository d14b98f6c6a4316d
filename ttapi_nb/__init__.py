"""Edit images with a hosted model from a notebook: widgets, a client, and an embedded service for when there is no key.

    import ttapi_nb as tt
    tt.ImageEditor("room.png")                                   # in a notebook
    tt.edit("room.png", "a red sofa", mask=mask).results[0].image    # without a widget

Importing the package is cheap: each name loads what it needs when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import AsyncClient, Client, ImagesResponse
    from .editing import edit, start_edit
    from .errors import (
        AuthenticationError,
        FitError,
        ImageError,
        InvalidRequestError,
        MaskError,
        MissingKeyError,
        NotSentError,
        QuotaError,
        RateLimitError,
        RefusedError,
        ResultError,
        RunCancelledError,
        SettingsError,
        TTAPIError,
        UnknownOutcomeError,
    )
    from .fit import Fit
    from .images import SourceImage, open_image, sample
    from .mask import Mask
    from .models import MODELS
    from .request import EditRequest
    from .runs import Run, RunLog
    from .service import Service
    from .widgets import ImageEditor, MaskDrawer, ModelPicker, ResultViewer, SizePicker

__version__ = "0.1.0"

_ROOMS = {
    "client": ("AsyncClient", "Client", "ImagesResponse"),
    "editing": ("edit", "start_edit"),
    "errors": (
        "AuthenticationError",
        "FitError",
        "ImageError",
        "InvalidRequestError",
        "MaskError",
        "MissingKeyError",
        "NotSentError",
        "QuotaError",
        "RateLimitError",
        "RefusedError",
        "ResultError",
        "RunCancelledError",
        "SettingsError",
        "TTAPIError",
        "UnknownOutcomeError",
    ),
    "fit": ("Fit",),
    "images": ("SourceImage", "open_image", "sample"),
    "mask": ("Mask",),
    "models": ("MODELS",),
    "request": ("EditRequest",),
    "runs": ("Run", "RunLog"),
    "service": ("Service",),
    "widgets": ("ImageEditor", "MaskDrawer", "ModelPicker", "ResultViewer", "SizePicker"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [  # noqa: PLE0604 - the same names as _ROOMS, kept in one place
    *_ROOM_OF
]


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{room}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})

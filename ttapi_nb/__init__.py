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
    from .client import AsyncClient, Client
    from .client.responses import ImagesResponse
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
    "client": ("AsyncClient", "Client"),
    "client.responses": ("ImagesResponse",),
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

# Written out for type checkers, which can't read it from _ROOMS.
__all__ = [
    "MODELS",
    "AsyncClient",
    "AuthenticationError",
    "Client",
    "EditRequest",
    "Fit",
    "FitError",
    "ImageEditor",
    "ImageError",
    "ImagesResponse",
    "InvalidRequestError",
    "Mask",
    "MaskDrawer",
    "MaskError",
    "MissingKeyError",
    "ModelPicker",
    "NotSentError",
    "QuotaError",
    "RateLimitError",
    "RefusedError",
    "ResultError",
    "ResultViewer",
    "Run",
    "RunCancelledError",
    "RunLog",
    "Service",
    "SettingsError",
    "SizePicker",
    "SourceImage",
    "TTAPIError",
    "UnknownOutcomeError",
    "edit",
    "open_image",
    "sample",
    "start_edit",
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

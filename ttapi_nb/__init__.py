"""Edit images with a hosted model from a notebook: widgets, a client, and an embedded service for when there is no key.

    import ttapi_nb as tt
    tt.ImageEditor("room.png")                                   # in a notebook
    tt.edit("room.png", "a red sofa", mask=mask).results[0].image    # without a widget

Importing the package is cheap: each name loads what it needs when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import loading as _loading

if TYPE_CHECKING:
    from .budget import Budget, PriceTable
    from .client import AsyncClient, Client
    from .client.secret import ask_key, forget_key, store_key
    from .editing import edit, start_edit
    from .errors import (
        AuthenticationError,
        BudgetError,
        FitError,
        ImageError,
        InvalidRequestError,
        MaskError,
        MissingKeyError,
        NotRecordedError,
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
    from .fit import Fit, extend
    from .lineage import Lineage, OpenedResult, open_result
    from .mask import Mask
    from .models import MODELS
    from .picture import SourceImage, open_image, sample
    from .reply import ImagesResponse
    from .request import EditRequest
    from .runlog import RunLog
    from .runs import Run
    from .service import Service
    from .widgets import ImageEditor, MaskDrawer, ModelPicker, ResultViewer, SizePicker

__version__ = "0.1.0"

_ROOMS = {
    "budget": ("Budget", "PriceTable"),
    "client": ("AsyncClient", "Client"),
    "client.secret": ("ask_key", "forget_key", "store_key"),
    "editing": ("edit", "start_edit"),
    "errors": (
        "AuthenticationError",
        "BudgetError",
        "FitError",
        "ImageError",
        "InvalidRequestError",
        "MaskError",
        "MissingKeyError",
        "NotRecordedError",
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
    "fit": ("Fit", "extend"),
    "picture": ("SourceImage", "open_image", "sample"),
    "lineage": ("Lineage", "OpenedResult", "open_result"),
    "mask": ("Mask",),
    "models": ("MODELS",),
    "reply": ("ImagesResponse",),
    "request": ("EditRequest",),
    "runlog": ("RunLog",),
    "runs": ("Run",),
    "service": ("Service",),
    "widgets": ("ImageEditor", "MaskDrawer", "ModelPicker", "ResultViewer", "SizePicker"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

# Written out for type checkers, which can't read it from _ROOMS.
__all__ = [
    "MODELS",
    "AsyncClient",
    "AuthenticationError",
    "Budget",
    "BudgetError",
    "Client",
    "EditRequest",
    "Fit",
    "FitError",
    "ImageEditor",
    "ImageError",
    "ImagesResponse",
    "InvalidRequestError",
    "Lineage",
    "Mask",
    "MaskDrawer",
    "MaskError",
    "MissingKeyError",
    "ModelPicker",
    "NotRecordedError",
    "NotSentError",
    "OpenedResult",
    "PriceTable",
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
    "ask_key",
    "edit",
    "extend",
    "forget_key",
    "open_image",
    "open_result",
    "sample",
    "start_edit",
    "store_key",
]


def __getattr__(name: str) -> Any:
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _loading():
        value = getattr(importlib.import_module(f".{room}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})

# The public names, each with the room that has it: for type checkers, and for `__init__`, which loads a room when one
# of its names is first used.

from .client import AsyncClient, Client
from .client.key import ask_key, forget_key, store_key
from .errors import (
    AuthenticationError,
    BudgetError,
    ClaimedError,
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
from .experiment import Experiment
from .fit import Fit, extend
from .lineage import Lineage, OpenedResult, open_result
from .log import Budget, PriceTable, RunLog
from .mask import Mask
from .models import MODELS
from .picture import SourceImage, open_image, sample
from .reply import ImagesResponse
from .request import EditRequest
from .run import Partial, Run, TiledRun, edit, generate, start_edit
from .service import Service
from .widgets import ImageEditor, MaskDrawer, ModelPicker, PromptLab, ResultViewer, SizePicker

__version__: str

__all__ = [
    "MODELS",
    "AsyncClient",
    "AuthenticationError",
    "Budget",
    "BudgetError",
    "ClaimedError",
    "Client",
    "EditRequest",
    "Experiment",
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
    "Partial",
    "PriceTable",
    "PromptLab",
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
    "TiledRun",
    "UnknownOutcomeError",
    "ask_key",
    "edit",
    "extend",
    "forget_key",
    "generate",
    "open_image",
    "open_result",
    "sample",
    "start_edit",
    "store_key",
]

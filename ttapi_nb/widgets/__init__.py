"""The widgets: a photo to open, a mask to paint, a model and a size to pick, a prompt to write, results to compare."""

from .drawer import MaskDrawer
from .editor import ImageEditor
from .lab import PromptLab
from .pickers import ModelPicker, OptionsPanel, PromptBox, SizePicker
from .viewer import ResultViewer

__all__ = [
    "ImageEditor",
    "MaskDrawer",
    "ModelPicker",
    "OptionsPanel",
    "PromptBox",
    "PromptLab",
    "ResultViewer",
    "SizePicker",
]

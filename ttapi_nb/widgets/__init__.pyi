# The widgets that are public, each with the folder that has it: an editor needs nothing of the lab's.

from .drawer import MaskDrawer
from .editor import ImageEditor
from .lab import PromptLab
from .pickers import ModelPicker, OptionsPanel, SizePicker
from .prompt import PromptBox
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

"""Libraries of the extra, loaded when an engine first needs them."""

from __future__ import annotations

import importlib.util
from typing import Any

from ...errors import MaskError

__all__ = ["PIP", "has", "load_cv2", "load_onnxruntime"]

PIP = 'pip install "ttapi-nb[select]"'


def has(module: str) -> bool:
    """Whether a module is installed, without loading it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def load_cv2() -> Any:
    """OpenCV. Raises `MaskError` with the line that installs it."""
    try:
        import cv2
    except ImportError:
        pass
    else:
        return cv2
    raise MaskError(f"GrabCut needs OpenCV, which is not installed. Install it with: {PIP}")


def load_onnxruntime() -> Any:
    """ONNX Runtime. Raises `MaskError` with the line that installs it."""
    try:
        import onnxruntime
    except ImportError:
        pass
    else:
        return onnxruntime
    raise MaskError(f"MobileSAM needs ONNX Runtime, which is not installed. Install it with: {PIP}")

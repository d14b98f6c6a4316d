"""What kinds of things are pictures: each is told by what it can do, so that no library is loaded for it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError
from .arrays import judged
from .parts import Numbers
from .reading import from_file, from_path, from_response, from_text, read_bytes
from .source import SourceImage

__all__ = ["File", "Memory", "taken"]

GIVE = "Give a path, a URL, bytes, a PIL image or a numpy array."


@dataclass(frozen=True)
class File:
    """A picture as a file's bytes, and what it is called."""

    data: bytes
    name: str = "image"


@dataclass(frozen=True, eq=False)
class Memory:
    """A picture as numbers that `judged` gave, and the sentence about them."""

    numbers: Numbers
    words: str = ""


def taken(
    source: Any, *, allow_private: bool = False, bgr: bool = False
) -> File | Memory | Image.Image | SourceImage:
    """A picture in one of the forms that the opener knows. Raises `ImageError`."""
    numbers = _numbers(source)
    if numbers is not None:
        array, tensor = numbers
        return Memory(*judged(array, bgr=bgr, channels_first=tensor))
    if bgr:
        raise ImageError(
            "bgr=True is for arrays. Leave it out for files and PIL images, which say what is what."
        )
    if isinstance(source, SourceImage | Image.Image):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return File(read_bytes(source))
    if isinstance(source, str):
        return File(*from_text(source, allow_private=allow_private))
    if isinstance(source, os.PathLike):
        return File(*from_path(source))
    if source is None:
        raise ImageError(f"There is no picture: None was given. {GIVE}")
    inner = _ours(source) or _uploaded(source) or _drawn(source)
    if inner is not None:
        return inner
    if hasattr(source, "status_code") and hasattr(source, "content"):
        return File(*from_response(source))
    if hasattr(source, "read"):
        return File(*from_file(source))
    raise ImageError(f"A picture can't be made from {type(source).__name__}. {GIVE}")


def _numbers(source: Any) -> tuple[np.ndarray[Any, Any], bool] | None:
    """An array, and whether it is a tensor, whose channels come first; None where `source` is neither."""
    if isinstance(source, np.ndarray):
        return source, False
    if isinstance(source, Image.Image | SourceImage | np.generic | type):
        return None
    tensor = hasattr(source, "detach") and hasattr(source, "cpu")
    if not tensor and not hasattr(source, "__array__"):
        return None
    kind = type(source).__name__
    try:
        if tensor:
            source = source.detach().cpu()
            # numpy has no such floats.
            source = source.float() if "bfloat16" in str(source.dtype) else source
            source = source.numpy()
        array = np.asarray(source)
    except Exception as error:  # noqa: BLE001 - other libraries fail with errors of their own
        problem = f"This {kind} can't be made an array ({str(error)[:200]}). Give a numpy array."
    else:
        return array, tensor
    raise ImageError(problem)


def _module(source: Any) -> set[str]:
    return {kind.__module__.split(".")[0] for kind in type(source).__mro__}


def _ours(source: Any) -> File | SourceImage | None:
    """A result of this package: one of a run, or one of the service's answer."""
    if "ttapi_nb" not in _module(source):
        return None
    picture = getattr(source, "picture", None)
    if isinstance(picture, SourceImage):
        return picture
    if hasattr(source, "data") and hasattr(source, "revised_prompt"):
        if source.data is None:
            raise ImageError(f"This result is not here. {source.problem}".strip())
        return File(read_bytes(source.data), "result")
    for several in ("results", "data"):
        if isinstance(getattr(source, several, None), Sequence):
            kind = type(source).__name__
            raise ImageError(f"This {kind} can hold several pictures. Give one of them: .{several}[0], say.")
    return None


def _uploaded(source: Any) -> File | None:
    """What ipywidgets' FileUpload holds: one file, a tuple of them (version 8), or a dict by name (version 7)."""
    if isinstance(source, Mapping) and "content" in source:
        name = source.get("name")
        if not name and isinstance(source.get("metadata"), Mapping):
            name = source["metadata"].get("name")
        content = source["content"]
        if not isinstance(content, bytes | bytearray | memoryview):
            raise ImageError("This upload has no bytes in its content. Upload the file again.")
        return File(read_bytes(content), str(name or "image"))
    if isinstance(source, Mapping):
        entries = [
            {"name": name} | dict(entry) if isinstance(entry, Mapping) else entry
            for name, entry in source.items()
        ]
    elif isinstance(source, tuple | list):
        entries = list(source)
    else:
        return None
    if not entries:
        raise ImageError("Nothing was uploaded. Choose a file first.")
    if not all(isinstance(entry, Mapping) and "content" in entry for entry in entries):
        return None
    if len(entries) > 1:
        raise ImageError(f"{len(entries)} files were uploaded. Give one of them: upload.value[0], say.")
    return _uploaded(entries[0])


def _drawn(source: Any) -> File | None:
    """What notebooks show: a widget with a file in it, a display image, a figure."""
    modules = _module(source)
    value = getattr(source, "value", None) if "ipywidgets" in modules else None
    if isinstance(value, bytes | bytearray | memoryview):
        return File(read_bytes(value))
    if isinstance(value, Mapping | tuple):
        return _uploaded(value)
    if "IPython" in modules and hasattr(source, "data"):
        return _displayed(source)
    figure = source if hasattr(source, "savefig") else getattr(source, "figure", None)
    if figure is not None and hasattr(figure, "savefig") and hasattr(figure, "canvas"):
        out = io.BytesIO()
        try:
            figure.savefig(out, format="png")
        except Exception as error:  # noqa: BLE001 - a figure may hold anything
            problem = f"This figure can't be drawn ({str(error)[:200]}). Save it as PNG and give its path."
        else:
            return File(out.getvalue(), "figure")
        raise ImageError(problem)
    return None


def _displayed(source: Any) -> File:
    if isinstance(source.data, bytes | bytearray | memoryview):
        return File(read_bytes(source.data))
    for address in (source.data, getattr(source, "url", None), getattr(source, "filename", None)):
        if isinstance(address, str) and address:
            return File(*from_text(address, allow_private=False))
    raise ImageError("This display object holds no picture. Give the picture's path or bytes.")

"""Files as a browser brings them: in pieces, each a message with its bytes."""

from __future__ import annotations

import itertools
from typing import Any

import ipywidgets

from tests.support.controls import labelled, message
from ttapi_nb.widgets.browser import PhotoInput

_numbers = itertools.count()


def send_piece(widget: PhotoInput, start: int, data: bytes, **rest: Any) -> None:
    """Send a piece of a file; all of it where nothing else is said."""
    whole = {"type": "piece", "id": "a", "name": "x.png", "size": len(data), "start": start, "last": True}
    message(widget, whole | rest, data)


def upload(root: ipywidgets.Widget, name: str, data: bytes, *, label: str = "Choose a photo") -> None:
    """Choose a file in the field with that label."""
    send_piece(labelled(root, label), 0, data, id=f"upload {next(_numbers)}", name=name)


def watched() -> tuple[PhotoInput, list[Any]]:
    """A photo input, and all that it calls back with: files as name and bytes, "sample", and sentences."""
    widget, seen = PhotoInput(), list[Any]()
    widget.on_photo(lambda name, data: seen.append((name, data)))
    widget.on_sample(lambda: seen.append("sample"))
    widget.on_refused(seen.append)
    return widget, seen

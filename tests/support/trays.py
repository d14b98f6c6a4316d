"""The session's tray, used as a browser does."""

from __future__ import annotations

from typing import Any

import ipywidgets

from tests.support.controls import message, of_kind
from ttapi_nb.widgets.tray import SessionTray


def tray_of(root: ipywidgets.Widget) -> SessionTray:
    """The one tray within `root`."""
    found = of_kind(root, SessionTray)
    assert isinstance(found, SessionTray)
    return found


def do(root: ipywidgets.Widget, kind: str, at: int | None = None, **more: Any) -> None:
    """Do something with the result at this place of the tray, from 0; with the chosen one where it is left out."""
    tray = tray_of(root)
    key = tray.chosen if at is None else tray.items[at]["key"]
    message(tray, {"type": kind, "key": key, **more})


def seen(root: ipywidgets.Widget, field: str) -> list[object]:
    """One field of each result in the tray, in their order."""
    return [item[field] for item in tray_of(root).items]


def chosen(root: ipywidgets.Widget) -> int:
    """The place of the chosen result, from 0."""
    tray = tray_of(root)
    return [item["key"] for item in tray.items].index(tray.chosen)

"""What the loop's thread may not do, told by the thread that a thing runs on and not by the clock.

Refused there are SQLite, Pillow's work on pixels, files that are written, locks of the widgets, callbacks of runs, and
functions that a user gives: prices and fills. Each is refused with an error and remembered with its stack, as the error
itself may be caught on the way.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageFile

from ttapi_nb import loop
from ttapi_nb.log.budget import PriceTable
from ttapi_nb.run import Run
from ttapi_nb.service import Service

# Of Python's own audit events: what changes files, and what opens a database.
CHANGES = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.link",
    "os.symlink",
    "os.chmod",
}
OPENS = {"sqlite3.connect"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
PIXELS = (
    "load",
    "save",
    "resize",
    "convert",
    "copy",
    "crop",
    "paste",
    "tobytes",
    "split",
    "point",
    "thumbnail",
)


class LoopError(RuntimeError):
    """The loop's thread did something else than network."""


class Guard:
    """Watches the loop's thread; what it did is in `found`."""

    def __init__(self) -> None:
        self.found: list[str] = []
        # It can't be taken away again, so there is one for all tests.
        sys.addaudithook(self._audit)

    def refuse(self, what: str) -> None:
        """Remember that something was done on the loop's thread, and raise; on other threads nothing happens."""
        if loop.is_here():
            self.found.append(f"{what}\n{''.join(traceback.format_stack()[-12:-1])}")
            raise LoopError(what)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Watch what tells nothing by itself, until the test ends."""
        for owner in (Image.Image, ImageFile.ImageFile):
            for name in PIXELS:
                if name in vars(owner):
                    self._wrap(monkeypatch, owner, name, "Pillow")
        for name in ("open", "new", "fromarray", "frombytes"):
            self._wrap(monkeypatch, Image, name, "Pillow")
        self._wrap(monkeypatch, PriceTable, "cost", "a price function")
        self._wrap(monkeypatch, Service, "handle", "the embedded service, with a fill")
        guard, really_not_here, really_watch = self, loop.not_here, Run.on_change

        def not_here(what: str) -> None:
            guard.refuse(what)
            really_not_here(what)

        def on_change(run: Run, callback: Callable[[Run], None], remove: bool = False) -> None:
            really_watch(run, _Watched(callback, guard), remove)

        class Connection(sqlite3.Connection):
            """One that is used on other threads only."""

            def execute(self, *given: Any) -> sqlite3.Cursor:
                guard.refuse("SQLite")
                return super().execute(*given)

        monkeypatch.setattr(loop, "not_here", not_here)
        monkeypatch.setattr(Run, "on_change", on_change)
        monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Connection))

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, what: str) -> None:
        really = getattr(owner, name)

        @functools.wraps(really)
        def wrapped(*given: Any, **more: Any) -> Any:
            self.refuse(f"{what}: {name}")
            return really(*given, **more)

        monkeypatch.setattr(owner, name, wrapped)

    def _audit(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = given
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                isinstance(flags, int) and flags & WRITES
            )
            # Python writes down what it compiled where a module is loaded for the first time.
            if not writes or "__pycache__" in str(path):
                return
        elif event not in CHANGES and event not in OPENS:
            return
        # Asked last, as it is asked for every event there is.
        if loop.is_here() and not any("__pycache__" in str(one) for one in given):
            self.refuse(f"{event} {given!r}")


class _Watched:
    """A callback that says where it is called; the same as the one that it calls."""

    def __init__(self, callback: Callable[[Run], None], guard: Guard) -> None:
        self.callback, self._guard = callback, guard

    def __call__(self, run: Run) -> None:
        self._guard.refuse("a callback")
        self.callback(run)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Watched) and self.callback == other.callback

    def __hash__(self) -> int:
        return hash(self.callback)

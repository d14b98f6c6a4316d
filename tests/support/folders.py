"""What lies in a folder that something still works in: a live log takes its files away between two looks."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def contents(folder: Path) -> dict[Path, bytes]:
    """Each file below a folder and its bytes, without those that went while it was read."""
    found = {}
    for path in _below(folder):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.read_bytes()
    return found


def modes(folder: Path) -> dict[Path, int]:
    """The permission bits of a folder and of all below it, without what went while it was looked at."""
    found = {}
    for path in (folder, *_below(folder)):
        with contextlib.suppress(FileNotFoundError):
            found[path] = stat.S_IMODE(path.lstat().st_mode)
    return found


def _below(folder: Path) -> Iterator[Path]:
    # Path.rglob fails where a folder goes before it is opened; this leaves it out.
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))

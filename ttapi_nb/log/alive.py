"""Whose unfinished runs are nobody's any more: which processes with runs under way in a log are alive.

Every process that has runs under way in a log holds a lock on a file of its own beside it. The system lets go of that
lock however the process ends, kill -9 included, and no other process can have it by mistake, as can happen with a
process number.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import stat
import sys
import threading
import uuid
from pathlib import Path
from typing import IO

from ..files import make_private_folder, new_private_file
from .checks import MARK
from .folder import ALIVE
from .fork import on_fork

__all__ = ["hold", "is_alive", "my_host", "release"]


class _Mark:
    """The file by which others see that this process is alive, and the runs for which it is."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self.path = folder / uuid.uuid4().hex
        # Kept open, and locked, until the last run has ended or this process has.
        self.file = os.fdopen(new_private_file(self.path), "wb")
        self.runs: set[str] = set()
        with contextlib.suppress(OSError):
            _take(self.file)

    def drop(self) -> None:
        self.file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


_marks: dict[Path, _Mark] = {}
_lock = threading.Lock()


def my_host() -> str:
    """The name of this machine, or container."""
    return platform.node()


def hold(folder: Path, run_id: str) -> str:
    """Show others that the process of a run is alive, until `release`; returns the mark that they ask `is_alive` about.

    Raises `OSError`.
    """
    marks = folder.resolve() / ALIVE
    with _lock:
        mark = _marks.get(marks)
        if mark is not None and not mark.path.exists():
            # Somebody has tidied up.
            _marks.pop(marks).drop()
            mark = None
        if mark is None:
            mark = _marks[marks] = _Mark(marks)
        mark.runs.add(run_id)
        return mark.path.name


def release(folder: Path, run_id: str) -> None:
    """The run has ended in the log, and needs its process no more."""
    marks = folder.resolve() / ALIVE
    with _lock:
        mark = _marks.get(marks)
        if mark is not None:
            mark.runs.discard(run_id)
            if not mark.runs:
                _marks.pop(marks).drop()


def is_alive(folder: Path, mark: object) -> bool | None:
    """Whether the process with this mark lives; None where that can't be told, as of a mark that is none of ours."""
    if not isinstance(mark, str) or not MARK.fullmatch(mark):
        return None
    marks = folder.resolve() / ALIVE
    path = marks / mark
    with _lock:
        if any(mine.path == path for mine in _marks.values()):
            return True
    if marks.is_symlink():
        return None
    try:
        # Not through a link, and not waiting for a pipe's other end.
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return False
    except OSError:
        return None
    with os.fdopen(handle, "r+b", buffering=0) as file:
        status = os.fstat(handle)
        # A mark is an empty file. Others may have been given such a name, and are neither locked nor deleted.
        if not stat.S_ISREG(status.st_mode) or status.st_size or status.st_nlink > 1:
            return None
        try:
            _take(file)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:
            return None
    with contextlib.suppress(OSError):
        path.unlink()
    return False


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        # flock, not lockf: that would be let go by anybody here who opens and closes the file, to copy it, say.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _forget() -> None:
    # A forked child shares its parent's locks, and would keep them when the parent has gone.
    global _lock  # noqa: PLW0603 - it may be held by a thread that the child has not got
    _lock = threading.Lock()
    for mark in _marks.values():
        mark.file.close()
    _marks.clear()


@atexit.register
def _leave() -> None:
    for mark in _marks.values():
        mark.drop()


on_fork(_forget)

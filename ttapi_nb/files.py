"""Writing files so that nothing is ever lost or half there, and keeping folders and files private."""

from __future__ import annotations

import contextlib
import os
import stat
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

__all__ = [
    "PRIVATE_FILE",
    "close_to_others",
    "make_private_folder",
    "new_private_file",
    "replacing",
    "sync_folder",
    "write",
]

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
# What a new file may be at most; the user's umask takes away from it.
PLAIN_FILE = 0o666


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write `data` to `path`, which is whole at every moment: the old file, or the new one. See `replacing`."""
    with replacing(path, private=private) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """A file to write into, which takes the place of `path` once it is on the disk; where that fails, nothing changed.

    Behind a link it is the link's target that is replaced. The old file's mode is kept; a new one gets what the umask
    allows, or with `private` is its owner's alone. What is no regular file (a device, a pipe) is written to as it is.
    Raises `OSError`.
    """
    target = Path(os.path.realpath(path))
    old = None
    with contextlib.suppress(FileNotFoundError):
        old = target.stat()
    if old is not None and not stat.S_ISREG(old.st_mode) and not stat.S_ISDIR(old.st_mode):
        with target.open("wb") as file:
            yield file
        return
    # Short, whatever the file's name: names have a limit.
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    mode = PRIVATE_FILE if private else PLAIN_FILE if old is None else stat.S_IMODE(old.st_mode)
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        with os.fdopen(handle, "wb") as file:
            if old is not None and hasattr(os, "fchmod"):
                # The umask has taken from what was asked for. Not every file system has modes.
                with contextlib.suppress(OSError):
                    os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names of new files in `folder` on the disk too, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_private_folder(folder: Path, only_with: Collection[str] | None = None) -> None:
    """Make `folder`, with those above it that are missing, its owner's alone; one that is there is closed to others.

    With `only_with`, one that is there and has something else in it than these names stays as it is: others may have
    their work in it. So do those above it that are there. Raises `OSError` where it can't be made. What can't be
    closed, as it is somebody else's, is left as it is.
    """
    # One by one: mkdir's own `parents` makes those above it with whatever mode the umask leaves.
    missing = [folder]
    while not missing[-1].exists() and missing[-1].parent != missing[-1]:
        missing.append(missing[-1].parent)
    for place in reversed(missing):
        place.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    if only_with is None or set(os.listdir(folder)) <= set(only_with):  # noqa: PTH208 - names are wanted
        close_to_others(folder, link=True)


def new_private_file(path: Path) -> int:
    """A descriptor of a new file, open to write, that is its owner's alone. Raises `OSError` where there is one."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE_FILE)


def close_to_others(path: str | Path, *, link: bool = False) -> None:
    """Take a file or folder from all but its owner, as far as it is ours; what a link leads to only with `link`."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        # By `os`: a text is looked up in a tenth of the time that a `Path` takes to be made.
        status = os.stat(path) if link else os.lstat(path)  # noqa: PTH116
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077 and not stat.S_ISLNK(status.st_mode):
            Path(path).chmod(mode & PRIVATE_FOLDER)

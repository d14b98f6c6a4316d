"""`Drafts`: masks that were painted and not yet sent, beside the log, so that a kernel that ends takes none with it.

One file for each photo, by the digest of its pixels, its owner's alone. No lock is held: of two kernels that paint on
the same photo the later has the last word. What is in such a file is trusted as little as the rest of a log.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import MaskError
from ..files import make_private_folder, write
from ..mask import Mask
from .checks import HASH, moment
from .folder import DRAFTS

__all__ = ["Draft", "Drafts"]

MOST = 40
"""Drafts that are kept; the oldest go."""
LARGEST = 1_000_000
"""In bytes: a mask that takes more is not kept."""
VERSION = 1


@dataclass(frozen=True)
class Draft:
    """A mask that was painted, and when, in seconds since 1970."""

    mask: Mask
    time: float


class Drafts:
    """The drafts beside the log in `folder`. What can't be read or written is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / DRAFTS

    def keep(self, digest: str, mask: Mask) -> bool:
        """Keep a mask for the photo with that digest; whether that could be done."""
        if not HASH.fullmatch(digest):
            return False
        data = json.dumps({"version": VERSION, "time": time.time(), "mask": mask.to_json()}).encode()
        if len(data) > LARGEST:
            return False
        try:
            if not self._folder.parent.exists():
                make_private_folder(self._folder.parent)
            make_private_folder(self._folder)
            if not self._is_ours() or (self._folder / digest).is_symlink():
                return False
            write(self._folder / digest, data, private=True)
        except OSError:
            return False
        self._tidy()
        return True

    def find(self, digest: str, size: tuple[int, int]) -> Draft | None:
        """The mask that was kept for a photo of this size, or None."""
        if not HASH.fullmatch(digest) or not self._is_ours():
            return None
        try:
            # Not through a link, and not waiting for a pipe's other end.
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            with os.fdopen(os.open(self._folder / digest, flags), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return None
                read = json.loads(file.read(LARGEST + 1)[:LARGEST])
            when = moment(read["time"])
            if read["version"] != VERSION or when is None:
                return None
            mask = Mask.from_json(read["mask"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError, MaskError):
            return None
        return Draft(mask, when) if mask.size == size and mask.meaning.asks else None

    def forget(self, digest: str, older_than: float | None = None) -> None:
        """Let a photo's draft go; those that are older than so many seconds where no digest is given."""
        if not self._is_ours():
            return
        before = time.time() - (older_than or 0.0)
        for path in self._files():
            with contextlib.suppress(OSError):
                if path.name == digest or (not digest and path.lstat().st_mtime <= before):
                    path.unlink()

    def _is_ours(self) -> bool:
        """Whether there is a folder, and no link to somebody else's."""
        try:
            return stat.S_ISDIR(self._folder.lstat().st_mode)
        except OSError:
            return False

    def _files(self) -> list[Path]:
        with contextlib.suppress(OSError):
            return [path for path in self._folder.iterdir() if HASH.fullmatch(path.name)]
        return []

    def _tidy(self) -> None:
        files: list[tuple[float, Path]] = []
        for path in self._files():
            with contextlib.suppress(OSError):
                files.append((path.lstat().st_mtime, path))
        for _, path in sorted(files)[: max(0, len(files) - MOST)]:
            with contextlib.suppress(OSError):
                path.unlink()

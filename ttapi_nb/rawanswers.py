"""Answers as they came, kept until they were understood: a paid picture must not be lost to a reader's mistake.

Beside a run log, in `answers/`, each in a file by the id of its run, for its owner alone: a line of JSON that says what
came (see `docs/formats/raw-answer.md`), and then the body's bytes, unpacked where that can be done here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

from .errors import ResultError
from .files import make_private_folder

__all__ = ["FOLDER", "HEADERS", "RawAnswer", "opened"]

FOLDER = "answers"

Hide: TypeAlias = Callable[[bytes, bytes], tuple[bytes, bytes]]
"""Takes what was held back and what comes now; gives what may be written, without the key, and what is held back."""

FORMAT, VERSION = "ttapi_nb raw answer", 1
NAME = re.compile(r"[0-9a-f]{32}")
HEADERS = ("content-type", "content-encoding", "content-length", "date")
LONGEST_VALUE, LONGEST_HEAD = 500, 1 << 16
# In bytes, of all that are kept together, and how many.
MOST_BYTES, MOST_FILES = 2 * 10**9, 2000
# Of a header's value: what can be shown.
PLAIN = re.compile(r"[^\x20-\x7e]")


class RawAnswer:
    """The answer to one request as it comes. Nothing here raises: what can't be kept is read all the same.

    None of this may be called on the loop's thread, as it writes.
    """

    def __init__(
        self, folder: Path, run_id: str, hide: Hide | None = None, *, leaves_no_folder: bool = False
    ) -> None:
        self.path = folder / run_id
        # Where there is no log, nothing is left of what was understood, its empty folders neither.
        self._leaves_no_folder = leaves_no_folder
        self.problem = ""
        """Why it is not kept, as part of a sentence."""
        self.held_key = False
        """Whether the key was taken out of it."""
        self._hide = hide
        self._file: IO[bytes] | None = None
        self._held = b""

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """An answer begins; one that came before for the same run, a refusal say, is forgotten."""
        kept = {name: PLAIN.sub("?", headers.get(name, ""))[:LONGEST_VALUE] for name in HEADERS}
        head = {
            "format": FORMAT,
            "version": VERSION,
            "status": status,
            "time": time.time(),
            "headers": {name: value for name, value in kept.items() if value},
        }
        self._close()
        self.problem, self.held_key, self._held = "", False, b""
        try:
            make_private_folder(self.path.parent)
            self._must_have_room()
            # Never through a link, and nobody else's file.
            self.path.unlink(missing_ok=True)
            handle = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
            )
            self._file = os.fdopen(handle, "wb")
        except (OSError, ValueError) as error:
            self._failed(error)
        self._write(json.dumps(head).encode(), last=True)
        self._write(b"\n", last=True)

    def write(self, data: bytes) -> None:
        """The next bytes of its body."""
        self._write(data)

    def end(self) -> None:
        """There is no more of it. May be said twice."""
        self._write(b"", last=True)
        self._close()

    def understood(self) -> None:
        """It was read, and what was in it is kept elsewhere, or it held nothing to keep."""
        self._close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            if self._leaves_no_folder:
                self.path.parent.rmdir()
                self.path.parent.parent.rmdir()

    @property
    def words(self) -> str:
        """Where it is and how it is read again, for the end of an error; or why it is not kept."""
        return self._kept_as("reread({name!r}) reads it again.")

    @property
    def words_of_stream(self) -> str:
        """The same of a stream, which may have nothing but drafts in it."""
        return self._kept_as("partials({name!r}) gives its drafts, and reread({name!r}) reads it again.")

    def _kept_as(self, how: str) -> str:
        if self.problem or not self.path.is_file():
            return f"What came could not be kept ({self.problem})." if self.problem else ""
        log = f"ttapi_nb.RunLog({str(self.path.parent.parent)!r})"
        return f"What came is kept in {self.path}: {log}.{how.format(name=self.path.name)}"

    def _write(self, data: bytes, *, last: bool = False) -> None:
        if self._file is None:
            return
        if self._hide is not None:
            whole = self._held + data if self._held else data
            data, self._held = self._hide(self._held, data)
            self.held_key = (
                self.held_key or len(data) + len(self._held) != len(whole) or data + self._held != whole
            )
            if last:
                data, self._held = data + self._held, b""
        try:
            self._file.write(data)
            if last:
                self._file.flush()
        except (OSError, MemoryError) as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self.problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
        self.understood()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError):
                self._file.close()
            self._file = None

    def _must_have_room(self) -> None:
        with os.scandir(self.path.parent) as entries:
            sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
        if len(sizes) >= MOST_FILES or sum(sizes) >= MOST_BYTES:
            raise OSError(f"{self.path.parent} is full: read again or remove what is in it")


@contextlib.contextmanager
def opened(folder: Path, run_id: str) -> Iterator[tuple[int, dict[str, str], IO[bytes]]]:
    """Status, headers and body of a kept answer. Raises `ResultError` where there is none, or it is none of ours."""
    path = folder / run_id
    if not NAME.fullmatch(run_id):
        raise ResultError(f"{run_id!r:.80} is no id of a run: it has 32 digits and letters from a to f.")
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise ResultError(
            f"No answer is kept for run {run_id!r}: one that was understood is in the log itself. See rows()."
        ) from None
    except OSError as error:
        raise ResultError(f"{path} can't be read ({error.strerror}). Check whose it is.") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ResultError(f"{path} is no file that a run log made. Remove it.")
        status, headers = _head(file.readline(LONGEST_HEAD), path)
        yield status, headers, file


def _head(line: bytes, path: Path) -> tuple[int, dict[str, str]]:
    try:
        head: Any = json.loads(line)
        version, status, headers = head["version"], head["status"], head["headers"]
        sound = (
            head["format"] == FORMAT
            and type(version) is int
            and type(status) is int
            and 100 <= status <= 999
            and isinstance(headers, dict)
            and all(isinstance(value, str) for value in headers.values())
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise ResultError(f"{path} is damaged, or no kept answer. Remove it if you don't know it.")
    if version > VERSION:
        raise ResultError(f"{path} was kept by a newer ttapi_nb. Install that one here too.")
    return status, headers

"""Bodies and answers on the disk: a body until it was sent, an answer for as long as somebody may want it.

An answer's file begins with one line of JSON, its status and headers; then come its bytes. It has its name only once
all of it is there, so whoever finds it after a crash has all of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..files import make_private_folder, new_private_file
from .splicing import Splice

__all__ = ["MARGIN", "PIECE", "AnswerFile", "Store"]

PIECE = 2**18
"""In bytes: how much is read at a time."""
MARGIN = 200_000_000
"""In bytes: what is left free on the disk, for the ledger and the answers that are under way."""
LONGEST_HEAD = 65_536
ANSWER = re.compile(r"[0-9]{1,19}")


@dataclass
class AnswerFile:
    """An answer as it is written: `put` its bytes, then `finish`, or `drop` it."""

    path: Path
    file: IO[bytes]
    start: int
    size: int = field(default=0)

    def put(self, data: bytes) -> int:
        """Write bytes, so that a reader sees them; returns how many there are now. Raises `OSError`."""
        self.file.write(data)
        self.file.flush()
        self.size += len(data)
        return self.size

    def finish(self, *, whole: bool) -> None:
        """Have it on the disk, and under its name where it is whole."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if whole:
            self.path.replace(self.path.with_suffix(""))

    def drop(self) -> None:
        """It is not wanted."""
        self.file.close()
        self.path.unlink(missing_ok=True)


class Store:
    """The files of a gateway in a folder. All of it is for threads. Raises `OSError`."""

    def __init__(self, folder: Path) -> None:
        self.bodies, self.answers = folder / "bodies", folder / "answers"
        for place in (self.bodies, self.answers):
            make_private_folder(place)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be written."""
        return shutil.disk_usage(self.bodies).free - size >= MARGIN

    def new_body(self) -> tuple[Path, IO[bytes]]:
        """A new file for a body."""
        path = self.bodies / uuid.uuid4().hex
        return path, os.fdopen(new_private_file(path), "wb")

    def splice(self, path: Path, splice: Splice) -> None:
        """Change a body's file."""
        changed, file = self.new_body()
        try:
            with file, path.open("rb") as source:
                _copy(source, file, splice.start)
                file.write(splice.data)
                source.seek(splice.stop)
                shutil.copyfileobj(source, file, PIECE)
            changed.replace(path)
        except BaseException:
            changed.unlink(missing_ok=True)
            raise

    def new_answer(self, number: int, status: int, headers: Sequence[tuple[str, str]]) -> AnswerFile:
        """A new file for the answer to a run, in place of one that was not finished."""
        path = self.answers / f"{number}.part"
        path.unlink(missing_ok=True)
        file = os.fdopen(new_private_file(path), "wb")
        head = json.dumps({"status": status, "headers": list(headers)}).encode() + b"\n"
        file.write(head)
        file.flush()
        return AnswerFile(path, file, len(head))

    def place(self, number: int) -> Path | None:
        """Where an answer is, or as much of it as came; None where nothing did."""
        # In this order: it may be finished between the two looks.
        for path in (self.answers / f"{number}.part", self.answers / str(number)):
            if path.is_file():
                return path
        return None

    def open(self, number: int) -> IO[bytes]:
        """An answer's file, to read while it is written; it may get its name meanwhile."""
        for path in (self.answers / f"{number}.part", self.answers / str(number)):
            with contextlib.suppress(FileNotFoundError):
                return path.open("rb")
        raise FileNotFoundError("the answer's file is gone")

    def is_whole(self, number: int) -> bool:
        """Whether all of an answer is there."""
        return (self.answers / str(number)).is_file()

    def head(self, path: Path) -> tuple[int, tuple[tuple[str, str], ...], int]:
        """An answer's status, its headers, and where its bytes begin."""
        with path.open("rb") as file:
            line = file.readline(LONGEST_HEAD)
        head: Mapping[str, object] = json.loads(line)
        headers = head["headers"]
        if not isinstance(headers, list) or not isinstance(head["status"], int):
            raise OSError("it is no answer of a gateway")
        return head["status"], tuple((str(name), str(value)) for name, value in headers), len(line)

    def size(self, number: int) -> int | None:
        """How many bytes an answer has, or None where there is none."""
        path = self.place(number)
        return None if path is None else path.stat().st_size - self.head(path)[2]

    def pieces(self, number: int) -> Iterator[bytes]:
        """An answer's bytes."""
        path = self.place(number)
        if path is None:
            return
        start = self.head(path)[2]
        with path.open("rb") as file:
            file.seek(start)
            while data := file.read(PIECE):
                yield data

    def forget(self, number: int) -> None:
        """Delete an answer's file."""
        for path in (self.answers / str(number), self.answers / f"{number}.part"):
            path.unlink(missing_ok=True)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size > 0 and (data := source.read(min(size, PIECE))):
        target.write(data)
        size -= len(data)

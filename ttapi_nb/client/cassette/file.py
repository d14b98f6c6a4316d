"""The zip file of a cassette: opened with distrust, added to as a whole, by one at a time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from ...errors import SettingsError
from ...files import PRIVATE_FILE, replacing
from ...text import one_line

if sys.platform != "win32":
    import fcntl

__all__ = [
    "ENTRY_CAP",
    "ENTRY_NAME",
    "FORMAT",
    "HEAD",
    "DamagedError",
    "alone",
    "cannot_write",
    "check_members",
    "checked_path",
    "json_in",
    "member",
    "opened",
    "replace_file",
]

ENTRY_CAP = 2_000_000
"""The most bytes of one exchange's description."""
DIRECTORY_CAP = 4_000_000
PIECE = 1 << 20
FORMAT = "ttapi_nb cassette 1"
HEAD = "ttapi_nb.json"
ENTRY_NAME = re.compile(r"exchanges/[0-9]{6}\.json")
_threads = threading.Lock()


class DamagedError(Exception):
    """A file that is no cassette, or a broken one; says which and how."""


def checked_path(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).expanduser().resolve()
    except (TypeError, ValueError, OSError, RuntimeError):
        pass
    raise SettingsError(f"{str(path)[:200]!r} is no path of a file. Name the recording's zip file.")


def cannot_write(path: Path, error: OSError) -> str:
    return (
        f"{path} can't be written ({error.strerror or type(error).__name__}). Choose another place to record."
    )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip file at `path`; whatever is wrong with it is a `DamagedError`."""
    what = ""
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedError(f"{path.name} is not a file.")
    with path.open("rb") as file:
        _check_directory(file, path.name)
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
                return
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            zlib.error,
            EOFError,
            KeyError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            what = type(error).__name__
    raise DamagedError(f"{path.name} is damaged, or no recording at all ({what}).")


def _check_directory(file: BinaryIO, name: str) -> None:
    # Each of a million members would cost half a kilobyte before a single one is looked at.
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - (1 << 16) - 22))
    tail = file.read(1 << 17)
    starts = [match.start() for match in re.finditer(b"PK\x05\x06", tail)]
    sizes = [int.from_bytes(tail[start + 12 : start + 16], "little") for start in starts]
    # Nor does a recording need what zip files over 4 GB have, which stands right before.
    large = any(tail[max(0, start - 20) : start].startswith(b"PK\x06\x07") for start in starts)
    if not starts or max(sizes) > DIRECTORY_CAP or large:
        raise DamagedError(f"{name} is no recording that Client.record wrote.")
    file.seek(0)


def check_members(archive: zipfile.ZipFile) -> dict[str, int]:
    """The names in the archive, none of which is dangerous, twice there or packed in a way of its own, and how many
    bytes each says it has.
    """
    names: dict[str, int] = {}
    for info in archive.infolist():
        name = info.filename
        strange = name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/")
        if strange or name in names or info.flag_bits & 1 or info.compress_type not in (0, 8):
            raise DamagedError(f"{one_line(name, 60)!r} in it does not belong into a recording.")
        names[name] = info.file_size
    if HEAD not in names or json_in(archive, HEAD).get("format") != FORMAT:
        raise DamagedError("It is a zip file, but no recording of this version.")
    return names


def member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member, of which no more than `most` are unpacked."""
    pieces = []
    with archive.open(name) as file:
        # To its end, where its check sum is looked at.
        while piece := file.read(PIECE):
            pieces.append(piece)
            most -= len(piece)
            if most < 0:
                raise DamagedError(f"{name} in it is too large.")
    return b"".join(pieces)


def json_in(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        parsed = json.loads(member(archive, name, ENTRY_CAP), parse_constant=_no_such_number)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise DamagedError(f"{name} in it is not what a recording holds.")
    return parsed


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(name)


def replace_file(path: Path, members: Iterable[tuple[str, bytes]], *, keep: bool = False) -> None:
    """Put a new file in the place of the one at `path`, with what was in it where `keep`, and `members`."""
    # To read too, which adding to a zip file needs.
    with replacing(path) as whole, os.fdopen(os.dup(whole.fileno()), "r+b") as file:
        if keep:
            with path.open("rb") as before:
                shutil.copyfileobj(before, file)
        with zipfile.ZipFile(file, "a" if keep else "w", allowZip64=False) as archive:
            for name, data in members:
                # No time and no machine: they are nobody's business.
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o644 << 16
                packed = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
                archive.writestr(info, data, packed)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else adds to the file at `path` meanwhile; it is there, if only empty."""
    with _threads:
        if sys.platform == "win32":
            # A file that is open there can't be replaced, so only threads wait for each other.
            path.touch(PRIVATE_FILE)
            yield
            return
        while True:
            # A new one is its owner's alone, until its owner shares it.
            with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE_FILE), "ab") as file:
                # Some network folders have no locks: then only threads wait.
                with contextlib.suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX)
                # Whoever had the lock before has put another file in its place.
                if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    yield
                    return

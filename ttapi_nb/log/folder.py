"""What a run log keeps in its folder beside the database: whose a folder is, who may read it, what may be deleted.

The folder that a log is given may be full of other things, a `results` among them. A folder that the log did not make,
and that has somebody else's files in it, is not used. Nothing is deleted but files that the log's own table names, by
names that are hashes; never through a link.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import sqlite3
import stat
import time
import uuid
from pathlib import Path

from ..files import close_to_others, make_private_folder, new_private_file, sync_folder
from ..folders import MODELS
from ..rawanswers import FOLDER as ANSWERS
from .checks import HASH, MARK, PART

__all__ = [
    "ALIVE",
    "ANSWERS",
    "DATABASE",
    "DRAFTS",
    "PICTURES",
    "RESULTS",
    "adopt",
    "claim",
    "is_ours",
    "place",
    "placed",
    "prepare",
    "sizes",
    "sweep",
    "written",
]

DATABASE = "runs.sqlite3"
RESULTS = "results"
HALF = re.compile(r"\.[0-9a-f]{32}\.part")
"""The name of a draft while it is being written."""
PICTURES = "pictures"
ALIVE = "alive"
DRAFTS = "drafts"
# Which names in a folder of ours are ours; None where only the folder itself is looked at.
NAMES: dict[str, tuple[re.Pattern[str], ...] | None] = {
    RESULTS: (HASH, PART),
    ALIVE: (MARK,),
    ANSWERS: (MARK,),
    DRAFTS: (HASH, HALF),
    PICTURES: (HASH, PART),
}
# What SQLite puts beside its file.
BESIDE = ("-wal", "-shm", "-journal")
FILES = (DATABASE, *(DATABASE + end for end in BESIDE))
ABANDONED = 86_400.0
"""Seconds after which a file that was never renamed is nobody's."""
# The end of a journal that names another one, which SQLite deletes. Only a transaction over several files writes that.
SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")

NOT_OURS = (
    "it has a folder {name!r} that this log did not make, with other files in it; move it away or use another folder, "
    "as nothing of it is touched"
)

# Folders that this process has seen to be the log's, as (path, identity).
_seen: set[tuple[str, str]] = set()


def prepare(folder: Path) -> Path:
    """The database's path in `folder`, made where there is none, its owner's alone; see `make_private_folder`.

    Raises `OSError` for what can't be one of ours: a link, a folder, a pipe, a journal that names other files.
    """
    path = folder / DATABASE
    if not os.path.lexists(path):
        # First of all, so that not even the folder is closed to others.
        _must_be_free(folder)
    # A log may be given a folder that several people work in: what is its own in there is private all the same.
    make_private_folder(folder, {*FILES, *NAMES, MODELS})
    base = os.fspath(folder) + os.sep
    seen = [_must_be_plain(base, name) for name in FILES]
    _must_name_no_other(folder / f"{DATABASE}-journal")
    if seen[0] is None:
        # Made here, not by SQLite: it gives its other files this one's mode.
        with contextlib.suppress(FileExistsError):
            os.close(new_private_file(path))
    for name, mode in zip(FILES, seen, strict=True):
        if mode is not None and mode & 0o077:
            close_to_others(base + name)
    for name in NAMES:
        _must_be_folder(base + name)
    return path


def _must_be_plain(base: str, name: str) -> int | None:
    """The mode of such a file, if there is one. Raises `OSError` where it is none. By its name as a text: this is done
    for every transaction, and a `Path` costs more than the look.
    """
    try:
        status = os.lstat(base + name)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{name} there is a link, a folder or a device, and no file")
    return status.st_mode


def _must_name_no_other(journal: Path) -> None:
    with contextlib.suppress(FileNotFoundError), journal.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(SUPER_JOURNAL)))
        if file.read() == SUPER_JOURNAL:
            raise OSError(f"{journal.name} there names other files, which no journal of a run log does")


def _must_be_folder(path: str | Path) -> str | None:
    """What the system knows a folder by; None where there is none. Raises `OSError` where it is none, or a link."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(status.st_mode):
        raise OSError(
            f"{Path(path).name} there is a link or a file, and not a folder of the log's own; move it away"
        )
    return f"{status.st_dev}:{status.st_ino}"


def claim(db: sqlite3.Connection, folder: Path) -> bool:
    """Whether all folders in `folder` are known to be the log's; raises `OSError` where one is somebody else's.

    Where they are not known yet, this is to be asked again within a transaction that may write: see `adopt`.
    """
    known = dict(db.execute("SELECT name, identity FROM folders").fetchall())
    good, base = True, os.fspath(folder) + os.sep
    for name in NAMES:
        path = base + name
        identity = _must_be_folder(path)
        if identity is None and name in (RESULTS, ALIVE):
            with contextlib.suppress(FileExistsError):
                Path(path).mkdir(mode=0o700)
                _seen.add((path, _must_be_folder(path) or ""))
            identity = _must_be_folder(path)
        if identity is not None and known.get(name) == identity:
            close_to_others(path)
            _seen.add((path, identity))
        elif identity is not None:
            good = False
    return good


def is_ours(path: Path) -> bool:
    """Whether this process has seen this folder to be the log's. Raises `OSError` where it is none."""
    return (os.fspath(path), _must_be_folder(path) or "") in _seen


def adopt(db: sqlite3.Connection, folder: Path) -> None:
    """Note which folders are the log's, and close what is in them to others: one that is new, was copied, or is older
    than this note. Raises `OSError` where one has somebody else's files in it, and none that the log made.
    """
    for name, patterns in NAMES.items():
        path = folder / name
        identity = _must_be_folder(path)
        if identity is None:
            continue
        names = [one.name for one in path.iterdir()]
        ours = _ours(names, patterns)
        if len(ours) < len(names) and (os.fspath(path), identity) not in _seen and not _made(db, ours):
            raise OSError(NOT_OURS.format(name=name))
        _seen.add((os.fspath(path), identity))
        close_to_others(path)
        for one in ours:
            close_to_others(path / one)
        db.execute("INSERT OR REPLACE INTO folders (name, identity) VALUES (?, ?)", (name, identity))


def _ours(names: list[str], patterns: tuple[re.Pattern[str], ...] | None) -> list[str]:
    return [one for one in names if patterns is None or any(kind.fullmatch(one) for kind in patterns)]


def _must_be_free(folder: Path) -> None:
    """Refuse a folder without a log, in which somebody else's things are in the places of the log's own."""
    for name, patterns in NAMES.items():
        identity = _must_be_folder(folder / name)
        if identity is not None and (os.fspath(folder / name), identity) not in _seen:
            names = [one.name for one in (folder / name).iterdir()]
            if len(_ours(names, patterns)) < len(names):
                raise OSError(NOT_OURS.format(name=name))


def _made(db: sqlite3.Connection, names: list[str]) -> bool:
    """Whether one of these names is of a result or a process that the log tells of."""
    asked = "SELECT 1 FROM files WHERE name = :name UNION ALL SELECT 1 FROM runs WHERE mark = :name LIMIT 1"
    return any(db.execute(asked, {"name": name}).fetchone() is not None for name in names)


# Results


def written(results: Path, name: str, data: bytes) -> Path:
    """A file with this data that is on the disk, for `place`. Raises `OSError`."""
    if _must_be_folder(results) is None:
        results.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = results / f"{name}.{uuid.uuid4().hex}"
    try:
        with os.fdopen(new_private_file(part), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return part


def place(db: sqlite3.Connection, results: Path, name: str, part: Path) -> None:
    """Give a file that `written` made its name, and note it as the log's; whoever calls this has the name written to
    the disk. Raises `OSError`.

    A file of that name that the log did not make stays as it is: if it is the same, it will do.
    """
    target = results / name
    ours = db.execute("SELECT 1 FROM files WHERE name = ?", (name,)).fetchone() is not None
    if not ours and os.path.lexists(target):
        if target.is_symlink() or not target.is_file() or not filecmp.cmp(target, part, shallow=False):
            raise OSError(f"{RESULTS}/{name} is there already, and is not what this log would put there")
        part.unlink()
        return
    part.replace(target)
    db.execute("INSERT OR IGNORE INTO files (name) VALUES (?)", (name,))


def placed(part: Path, target: Path) -> None:
    """Give a file that `written` made its name. Raises `OSError`."""
    part.replace(target)
    sync_folder(target.parent)


def sizes(results: Path) -> dict[str, int]:
    """The files of results, by name, with their size in bytes; those that are being written too."""
    by_name = {}
    with contextlib.suppress(OSError), os.scandir(results) as entries:
        for entry in entries:
            if (HASH.fullmatch(entry.name) or PART.fullmatch(entry.name)) and entry.is_file(
                follow_symlinks=False
            ):
                with contextlib.suppress(OSError):
                    by_name[entry.name] = entry.stat(follow_symlinks=False).st_size
    return by_name


def sweep(db: sqlite3.Connection, results: Path) -> None:
    """Delete the files of results that no run needs any more, and what was left half written long ago."""
    needed = {
        name for (name,) in db.execute("SELECT DISTINCT sha256 FROM results WHERE NOT pruned").fetchall()
    }
    ours = {name for (name,) in db.execute("SELECT name FROM files").fetchall()}
    with _held(results) as delete:
        for name in sizes(results):
            stale = PART.fullmatch(name) is not None and _is_abandoned(results / name)
            if stale or (name in ours and name not in needed):
                delete(name)
        left = sizes(results)
    for name in ours - needed:
        if name not in left:
            db.execute("DELETE FROM files WHERE name = ?", (name,))


class _held:  # noqa: N801 - used like a function
    """Delete within one folder, also where somebody puts a link in its place meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    def __enter__(self) -> _held:
        if os.unlink in os.supports_dir_fd:
            self._handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        return self

    def __call__(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if self._handle is not None:
                os.unlink(name, dir_fd=self._handle)
            else:
                (self._folder / name).unlink()

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)


def _is_abandoned(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.lstat().st_mtime < time.time() - ABANDONED
    return False

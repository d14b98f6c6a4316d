"""The key in a file that is its owner's alone."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import uuid
from pathlib import Path

import platformdirs

from ...errors import SettingsError
from .environment import FILE_VARIABLE, named_file
from .secret import Secret

__all__ = ["from_file", "into_file", "key_file", "out_of_file"]

FILE_CAP = 4096


def key_file() -> Path:
    """Where a key is kept as a file: in the user's configuration folder, or where `TT_API_KEY_FILE` says."""
    named = named_file()
    if named:
        # As a shell reads it: quoted, or from a kernel's settings, ~ comes as it is.
        return Path(os.path.abspath(os.path.expanduser(named)))  # noqa: PTH100, PTH111 - these never raise
    return Path(platformdirs.user_config_dir("ttapi_nb", appauthor=False)) / "key"


def from_file(path: Path) -> Secret | None:
    secret, problem = _read_file(path)
    if problem:
        raise SettingsError(problem)
    return secret


def _read_file(path: Path) -> tuple[Secret | None, str]:
    try:
        # Not blocking: a pipe in its place would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None, ""
    except (OSError, ValueError) as error:
        return (
            None,
            f"The key's file {path} can't be read ({type(error).__name__}). Remove it, or change who may.",
        )
    try:
        # Of what was opened: behind a link, the file's own.
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            return (
                None,
                f"The key's file {path} is no plain file. Remove it and store the key again: ttapi-nb key.",
            )
        # On Windows these bits say nothing; the folder is the user's own.
        if os.name == "posix" and facts.st_mode & 0o077:
            return None, (
                f"Others on this machine can read the key's file {path}, so it was not used. "
                f"Close it with: chmod 600 {path}"
            )
        problem = _foreign(path, facts)
        if problem:
            return None, problem
        data = os.read(handle, FILE_CAP + 1)
    except OSError as error:
        return (
            None,
            f"The key's file {path} can't be read ({error.strerror}). Remove it and store the key again.",
        )
    finally:
        os.close(handle)
    if len(data) > FILE_CAP:
        return None, f"The key's file {path} is too long for a key. Store the key again: ttapi-nb key."
    text = data.decode("utf-8", "replace")
    return (Secret(text) if text.strip() else None), ""


def _foreign(path: Path, facts: os.stat_result) -> str:
    """Who else could have put the key there, as a sentence; empty where nobody could.

    Root's files count as another's: whoever is not root should not come to use root's key, nor root a user's.
    """
    if sys.platform == "win32":
        return ""
    if facts.st_uid != os.geteuid():
        return (
            f"The key's file {path} belongs to another user, who could have put a key of theirs there, so it was not "
            f"used. Store yours in a file of your own, or take it over with: chown $(id -un) {path}"
        )
    return _open_folder(path)


def _open_folder(path: Path) -> str:
    """Whether others may put files into the folder that `path` is in, behind links, as a sentence."""
    if sys.platform == "win32":
        return ""
    folder = Path(os.path.realpath(path)).parent
    try:
        facts = folder.stat()
    except OSError:
        return ""
    # In a sticky folder, /tmp say, a file can be replaced by its owner alone. One's own group is often oneself.
    others = facts.st_mode & 0o002 or (facts.st_mode & 0o020 and facts.st_gid != os.getegid())
    if not others or facts.st_mode & stat.S_ISVTX:
        return ""
    return (
        f"Others on this machine may put files into {folder}, where the key's file is, so it is not used. Close it "
        f"with: chmod go-w {folder}"
    )


def into_file(secret: Secret) -> None:
    path = key_file()
    problem = _open_folder(path)
    if problem:
        raise SettingsError(problem)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    problem = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Never open to others, not even for a moment.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(handle, secret)
            os.fsync(handle)
        finally:
            os.close(handle)
        part.replace(path)
    except OSError as error:
        problem = f"The key could not be written to {path} ({error.strerror or type(error).__name__})."
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    if problem:
        raise SettingsError(f"{problem} Name another file with the environment variable {FILE_VARIABLE}.")


def _write(handle: int, secret: Secret) -> None:
    rest = secret.reveal().encode() + b"\n"
    # On a full disk a part is taken, without an error.
    while rest:
        rest = rest[os.write(handle, rest) :]


def out_of_file() -> str:
    path = key_file()
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return f" An older one is still in {path}: remove it."
    return ""

"""The key: held so that it is never shown, and found, asked for and stored where people keep it.

It is looked for in this order: the argument, the environment's `TT_API_KEY`, the keyring (where the `keyring` package
is installed), and a file that only its owner can read: the one that the environment's `TT_API_KEY_FILE` names, or
`key` in the user's own configuration folder.

A traceback may show every name of every frame, and what expressions like `os.environ` stand for. So nothing in here
raises from a statement, or in a function, that has the key at hand.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

from ..errors import MissingKeyError, SettingsError

__all__ = [
    "FILE_VARIABLE",
    "KEY_VARIABLE",
    "Place",
    "Secret",
    "ask_key",
    "find_key",
    "forget_key",
    "key_file",
    "key_place",
    "look_for_key",
    "store_key",
]

KEY_VARIABLE = "TT_API_KEY"
FILE_VARIABLE = "TT_API_KEY_FILE"
Place: TypeAlias = Literal["environment", "keyring", "file"]
"""Where a key was found, or is stored."""

FILE_CAP = 4096
# A toy key, as local services take it, stands in many a word by chance, and is no secret.
SHORTEST_SCRUBBED = 8
KEYRING_ENTRY = ("ttapi_nb", KEY_VARIABLE)
COPY_AGAIN = "The API key holds a space, a line break or a letter that no key has. Copy it again, alone."


class Secret:
    """A key that can't be printed, compared or pickled; only the transport reveals it, as a request leaves."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # In a closure, so that no debugger's or traceback's view of attributes has it.
        self._reveal: Callable[[], str] = lambda: value

    def __repr__(self) -> str:
        return "<key, not shown>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key can't be pickled or copied. Make the client anew where it is needed.")

    def reveal(self) -> str:
        """The key itself."""
        return self._reveal()

    def scrub(self, text: str) -> str:
        """`text` without the key, for words that came from outside."""
        key = self._reveal()
        return text if len(key) < SHORTEST_SCRUBBED else text.replace(key, "[key]")

    def scrub_piece(self, held: bytes, data: bytes) -> tuple[bytes, bytes]:
        """As `scrub`, for bytes that come piece by piece: what may go on, and what is held back for the next piece."""
        key = self._reveal().encode()
        if len(key) < SHORTEST_SCRUBBED:
            return held + data, b""
        whole = (held + data).replace(key, b"[key]")
        # As much as could be the beginning of one.
        keep = next(
            (size for size in range(min(len(key) - 1, len(whole)), 0, -1) if key.startswith(whole[-size:])), 0
        )
        return whole[: len(whole) - keep], whole[len(whole) - keep :]


def held(key: Secret | str | None) -> Secret | None:
    """`key` as a `Secret`. What is neither that nor text becomes one that `find_key` refuses, unseen."""
    if key is None or isinstance(key, Secret):
        return key
    return Secret(key if isinstance(key, str) else "\0")


def find_key(given: Secret | None = None) -> Secret:
    """The key that was given, or the one that `look_for_key` finds.

    Raises `MissingKeyError` where there is none, `SettingsError` where it can't be one.
    """
    secret = given if given is not None else look_for_key()
    state = "missing" if secret is None else _state(secret)
    if secret is None or state == "missing":
        raise MissingKeyError(
            "There is no API key. Copy one from the TTAPI Dashboard and set it as the environment variable "
            f"{KEY_VARIABLE} before you start Jupyter, or store it once with the command ttapi-nb key; "
            "or work without a key and network with Client.offline()."
        )
    if state == "unsound":
        raise SettingsError(COPY_AGAIN)
    return _stripped(secret)


def look_for_key() -> Secret | None:
    """The key from the environment, the keyring or the user's file, whichever has one first; None where none has.

    Raises `SettingsError` where the file can be read by others, or can't be read at all.
    """
    return _search()[0]


def key_place() -> Place | None:
    """Where `look_for_key` finds a key, or None. Raises what that raises."""
    return _search()[1]


def key_file() -> Path:
    """Where a key is kept as a file: in the user's configuration folder, or where `TT_API_KEY_FILE` says."""
    named = _named_file()
    if named:
        # As a shell reads it: quoted, or from a kernel's settings, ~ comes as it is.
        return Path(os.path.abspath(os.path.expanduser(named)))  # noqa: PTH100, PTH111 - these never raise
    # Here, not above: it is slow to load, and only asked for when nobody names a file.
    import platformdirs

    return Path(platformdirs.user_config_dir("ttapi_nb", appauthor=False)) / "key"


def ask_key(prompt: str = "TTAPI key (it is not shown): ") -> Secret:
    """Ask for the key without showing or keeping what is typed: `Client(api_key=ask_key())`.

    Raises `SettingsError` where what is typed would be shown or nobody can be asked, and `MissingKeyError` where
    nothing was typed.
    """
    # Here, not above: few ask. As an attribute, since Jupyter's kernel puts its own in its place.
    import getpass
    import warnings

    secret: Secret | None = None
    with warnings.catch_warnings():
        # It would go on, showing what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        with contextlib.suppress(getpass.GetPassWarning, EOFError, NotImplementedError, OSError):
            secret = Secret(getpass.getpass(prompt))
    if secret is None:
        raise SettingsError(
            f"Nobody can be asked for the key here without showing it. Set the environment variable {KEY_VARIABLE}, or "
            "store the key with the command ttapi-nb key in a terminal."
        )
    return find_key(secret)


def store_key(key: Secret | str, where: Literal["keyring", "file"] | None = None) -> str:
    """Keep the key for later sessions, and say where it is in a sentence.

    `where` left out is the keyring, where there is one that works, and else a file that only you can read. A copy in
    the other place is removed, so that the newest key is the one that is found. Raises `MissingKeyError` for an empty
    key, `SettingsError` for one that can't be one, or where it could not be stored.
    """
    given, key = held(key), ""
    secret = find_key(given or Secret(""))
    if where not in (None, "keyring", "file"):
        raise SettingsError(f'where={where!r} is not known. Use "keyring" or "file", or leave it out.')
    in_keyring = where != "file" and _into_keyring(secret)
    if not in_keyring:
        if where == "keyring":
            raise SettingsError(
                'There is no keyring here that takes the key. Install the keyring package, or use where="file".'
            )
        _into_file(secret)
        _out_of_keyring()
        said = f"The key is in {key_file()}, which only you can read."
    else:
        said = "The key is in your keyring."
        said += _out_of_file()
    if _in_environment():
        said += f" The environment's {KEY_VARIABLE} goes before it: unset that to use it."
    return said


def forget_key() -> str:
    """Remove the key from keyring and file, and say in a sentence what was removed. Raises `SettingsError`."""
    found = [*(["your keyring"] if _out_of_keyring() else [])]
    path = key_file()
    problem = ""
    try:
        path.unlink()
        found.append(str(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        problem = f"{path} could not be removed ({error.strerror}). Remove it yourself."
    if problem:
        raise SettingsError(problem)
    said = f"The key was removed from {' and '.join(found)}." if found else "There was no stored key."
    return said + (f" The environment's {KEY_VARIABLE} is still set." if _in_environment() else "")


def _search() -> tuple[Secret | None, Place | None]:
    secret = _from_environment()
    if secret is not None:
        return secret, "environment"
    secret = _from_keyring()
    if secret is not None:
        return secret, "keyring"
    secret = _from_file(key_file())
    return secret, None if secret is None else "file"


def _state(secret: Secret) -> Literal["missing", "unsound", "sound"]:
    value = secret.reveal().strip()
    if not value:
        return "missing"
    return "sound" if value.isascii() and value.isprintable() and " " not in value else "unsound"


def _stripped(secret: Secret) -> Secret:
    return Secret(secret.reveal().strip())


def _from_environment() -> Secret | None:
    value = os.environ.get(KEY_VARIABLE, "")
    return Secret(value) if value.strip() else None


def _in_environment() -> bool:
    return _from_environment() is not None


def _named_file() -> str:
    # Alone in here: a traceback would show the environment, and the key may be in it.
    return os.environ.get(FILE_VARIABLE, "")


# The keyring. Its back ends fail with errors of all kinds, whose frames hold the key: none gets out of here.


def _keyring() -> Any:
    import importlib.util

    if importlib.util.find_spec("keyring") is None:
        return None
    with contextlib.suppress(Exception):
        return importlib.import_module("keyring")
    return None


def _from_keyring() -> Secret | None:
    keyring = _keyring()
    if keyring is None:
        return None
    with contextlib.suppress(Exception):
        value = keyring.get_password(*KEYRING_ENTRY)
        return Secret(value) if isinstance(value, str) and value.strip() else None
    return None


def _into_keyring(secret: Secret) -> bool:
    keyring = _keyring()
    if keyring is None:
        return False
    with contextlib.suppress(Exception):
        keyring.set_password(*KEYRING_ENTRY, secret.reveal())
        # A back end that keeps nothing takes everything.
        return bool(keyring.get_password(*KEYRING_ENTRY) == secret.reveal())
    return False


def _out_of_keyring() -> bool:
    if _from_keyring() is None:
        return False
    with contextlib.suppress(Exception):
        _keyring().delete_password(*KEYRING_ENTRY)
    return _from_keyring() is None


# The file


def _from_file(path: Path) -> Secret | None:
    found, problem = _read_file(path)
    if problem:
        raise SettingsError(problem)
    return found


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


def _into_file(secret: Secret) -> None:
    import uuid

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


def _out_of_file() -> str:
    path = key_file()
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return f" An older one is still in {path}: remove it."
    return ""

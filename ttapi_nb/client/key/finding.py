"""Where the key is: asked for, found, stored and forgotten."""

from __future__ import annotations

import contextlib
import getpass
import warnings
from typing import Literal, TypeAlias

from ...errors import MissingKeyError, SettingsError
from .environment import KEY_VARIABLE, from_environment, in_environment
from .file import from_file, into_file, key_file, out_of_file
from .ring import from_keyring, into_keyring, out_of_keyring
from .secret import COPY_AGAIN, Secret, held, stripped

__all__ = ["ask_key", "find_key", "forget_key", "key_place", "look_for_key", "store_key"]

Place: TypeAlias = Literal["environment", "keyring", "file"]
"""Where a key was found, or is stored."""


def find_key(api_key: Secret | None = None) -> Secret:
    """The key that was given, or the one that `look_for_key` finds.

    Raises `MissingKeyError` where there is none, `SettingsError` where it can't be one.
    """
    secret = api_key if api_key is not None else look_for_key()
    state = "missing" if secret is None else _state(secret)
    if secret is None or state == "missing":
        raise MissingKeyError(
            "There is no API key. Copy one from the TTAPI Dashboard and set it as the environment variable "
            f"{KEY_VARIABLE} before you start Jupyter, or store it once with the command ttapi-nb key; "
            "or work without a key and network with Client.offline()."
        )
    if state == "unsound":
        raise SettingsError(COPY_AGAIN)
    return stripped(secret)


def look_for_key() -> Secret | None:
    """The key from the environment, the keyring or the user's file, whichever has one first; None where none has.

    Raises `SettingsError` where the file can be read by others, or can't be read at all.
    """
    return _search()[0]


def key_place() -> Place | None:
    """Where `look_for_key` finds a key, or None. Raises what that raises."""
    return _search()[1]


def ask_key(prompt: str = "TTAPI key (it is not shown): ") -> Secret:
    """Ask for the key without showing or keeping what is typed: `Client(api_key=ask_key())`.

    Raises `SettingsError` where what is typed would be shown or nobody can be asked, and `MissingKeyError` where
    nothing was typed.
    """
    secret: Secret | None = None
    with warnings.catch_warnings():
        # It would go on, showing what is typed.
        warnings.simplefilter("error", getpass.GetPassWarning)
        with contextlib.suppress(getpass.GetPassWarning, EOFError, NotImplementedError, OSError):
            # As an attribute, since Jupyter's kernel puts its own in its place.
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
    new_key, key = held(key), ""
    secret = find_key(new_key or Secret(""))
    if where not in (None, "keyring", "file"):
        raise SettingsError(f'where={where!r} is not known. Use "keyring" or "file", or leave it out.')
    in_keyring = where != "file" and into_keyring(secret)
    if not in_keyring:
        if where == "keyring":
            raise SettingsError(
                'There is no keyring here that takes the key. Install the keyring package, or use where="file".'
            )
        into_file(secret)
        out_of_keyring()
        sentence = f"The key is in {key_file()}, which only you can read."
    else:
        sentence = "The key is in your keyring."
        sentence += out_of_file()
    if in_environment():
        sentence += f" The environment's {KEY_VARIABLE} goes before it: unset that to use it."
    return sentence


def forget_key() -> str:
    """Remove the key from keyring and file, and say in a sentence what was removed. Raises `SettingsError`."""
    places = [*(["your keyring"] if out_of_keyring() else [])]
    path = key_file()
    problem = ""
    try:
        path.unlink()
        places.append(str(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        problem = f"{path} could not be removed ({error.strerror}). Remove it yourself."
    if problem:
        raise SettingsError(problem)
    sentence = f"The key was removed from {' and '.join(places)}." if places else "There was no stored key."
    return sentence + (f" The environment's {KEY_VARIABLE} is still set." if in_environment() else "")


def _search() -> tuple[Secret | None, Place | None]:
    secret = from_environment()
    if secret is not None:
        return secret, "environment"
    secret = from_keyring()
    if secret is not None:
        return secret, "keyring"
    secret = from_file(key_file())
    return secret, None if secret is None else "file"


def _state(secret: Secret) -> Literal["missing", "unsound", "sound"]:
    value = secret.reveal().strip()
    if not value:
        return "missing"
    return "sound" if value.isascii() and value.isprintable() and " " not in value else "unsound"

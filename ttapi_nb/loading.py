"""Loading code, where a process has no file left to open."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from .errors import NotSentError

__all__ = ["loading"]

NO_FILES = (
    "Too many files are open in this process, so what this needs could not be loaded. Close some, or restart the "
    "kernel. Nothing was sent or billed."
)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While code that sends is loaded, or the loop made. Raises `NotSentError` where no file can be opened for it."""
    try:
        yield
    except (OSError, ImportError) as error:
        if not _out_of_files(error):
            raise
    else:
        return
    raise NotSentError(NO_FILES)


def _out_of_files(error: BaseException | None) -> bool:
    cause = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            return True
        cause = cause.__cause__ or cause.__context__
    # A library that can't be opened is only said to be missing.
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as short:
        return short.errno in (errno.EMFILE, errno.ENFILE)
    return False

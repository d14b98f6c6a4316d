"""Whose certificates are believed: the system's, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import ssl
import stat
import sys
import threading
from pathlib import Path

from ..errors import SettingsError
from ..forking import anew

__all__ = [
    "FILE_VARIABLE",
    "FOLDER_VARIABLE",
    "KEYLOG_VARIABLE",
    "believes_nobody",
    "named_certificates",
    "secure_context",
]

FILE_VARIABLE = "SSL_CERT_FILE"
FOLDER_VARIABLE = "SSL_CERT_DIR"
KEYLOG_VARIABLE = "SSLKEYLOGFILE"

MOST_FILES = 2000

# Where systems keep them, for a Python whose OpenSSL was built to look elsewhere.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


# The last one, by what the variables said, and how old the file was.
_KNOWN: dict[tuple[str, ...], tuple[int, ssl.SSLContext]] = {}
_making = threading.Lock()
anew(globals(), "_making")


def secure_context() -> ssl.SSLContext:
    """What every secure line is made with; made once, and anew where the variables or the file have changed.

    It reads files, so it is not called on the loop's thread. Raises `SettingsError` that names the variable.
    """
    # Of many that ask at once the first makes it for all.
    with _making:
        return _secure_context()


def _secure_context() -> ssl.SSLContext:
    file, folder, keylog = names = tuple(
        _set(name) for name in (FILE_VARIABLE, FOLDER_VARIABLE, KEYLOG_VARIABLE)
    )
    stamp = _stamp(file)
    known = _KNOWN.get(names)
    # A file that went away since is no reason to leave a result where it is, which is paid for.
    if known is None or stamp not in (0, known[0]):
        known = stamp, _made(file, folder, keylog)
        _KNOWN.clear()
        _KNOWN[names] = known
    return known[1]


def named_certificates() -> str:
    """The variable that names certificates in place of the system's, or nothing."""
    return next((name for name in (FILE_VARIABLE, FOLDER_VARIABLE) if _set(name)), "")


def _set(variable: str) -> str:
    # Alone in here: a traceback would show the environment, and the key may be in it.
    return os.environ.get(variable, "")


def _stamp(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns if file else 0
    except (OSError, ValueError):
        return 0


def _made(file: str, folder: str, keylog: str) -> ssl.SSLContext:
    context = _system(sys.platform) if not file and not folder else _named(file, folder)
    if keylog:
        problem = ""
        try:
            if Path(keylog).is_fifo():
                problem = "it is a pipe"
            else:
                context.keylog_filename = keylog
        except (OSError, ValueError) as error:
            problem = _why(error)
        if problem:
            raise SettingsError(
                f"{KEYLOG_VARIABLE} names {keylog!r}, which can't be written ({problem}). Correct or unset it."
            )
    return context


def _named(file: str, folder: str) -> ssl.SSLContext:
    context = _believes_nobody()
    folders = [Path(part) for part in folder.split(os.pathsep) if part and _is_folder(part)]
    if file:
        problem = _load(context, file)
        if problem:
            raise SettingsError(_no_certificates(FILE_VARIABLE, file, problem))
    elif not folders:
        raise SettingsError(_no_certificates(FOLDER_VARIABLE, folder, "there is no such folder"))
    for path in folders:
        _load_folder(context, path)
    if not context.cert_store_stats()["x509"]:
        named = (FILE_VARIABLE, file) if file else (FOLDER_VARIABLE, folder)
        raise SettingsError(_no_certificates(*named, "there is no certificate in it"))
    return context


def _no_certificates(variable: str, named: str, why: str) -> str:
    return (
        f"{variable} names {named!r}, which can't be read as certificates ({why}). Correct it, or unset it for the "
        "system's certificates."
    )


@functools.cache
def believes_nobody() -> ssl.SSLContext:
    """What secures lines that are not to be secured: it takes no certificate at all."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _believes_nobody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What is named is believed, also where it is not the root of its chain: a company's own, or one server's.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _load(context: ssl.SSLContext, file: str) -> str:
    """Believe the certificates in a file; what is wrong with it, or nothing."""
    try:
        if not stat.S_ISREG(Path(file).stat().st_mode):
            # A pipe would be waited for.
            return "it is no plain file"
        context.load_verify_locations(file)
    except (OSError, ValueError) as error:
        return _why(error)
    return ""


def _load_folder(context: ssl.SSLContext, folder: Path) -> None:
    # All, now: OpenSSL would search the folder while a line is made, on the loop's thread, and by names that
    # `openssl rehash` has to make first.
    with contextlib.suppress(OSError):
        for file in itertools.islice(sorted(folder.iterdir()), MOST_FILES):
            _load(context, str(file))


def _system(platform: str) -> ssl.SSLContext:
    if platform in ("win32", "darwin"):
        # Here, not above: on other systems the certificates are plain files, which it would read for each line anew.
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = _believes_nobody()
    context.set_default_verify_paths()
    path = next((bundle for bundle in BUNDLES if Path(bundle).is_file()), None)
    if path is not None:
        # As a whole, now: a folder of certificates is searched while a line is made, on the loop's thread.
        context.load_verify_locations(path)
    elif not context.cert_store_stats()["x509_ca"] and not _has_files(ssl.get_default_verify_paths().capath):
        # A bare container has none of its own.
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _has_files(folder: str | None) -> bool:
    return folder is not None and any(Path(folder).iterdir())


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open: close some, or restart the kernel"
    if isinstance(error, ssl.SSLError):
        return "there is no certificate in it"
    return getattr(error, "strerror", None) or type(error).__name__

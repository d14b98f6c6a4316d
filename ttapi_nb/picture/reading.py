"""The bytes of a picture from wherever they are: a path, an address, a file that is open, an answer from the web."""

from __future__ import annotations

import base64
import binascii
import inspect
import os
import re
import stat
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.request import url2pathname

from .. import loop
from ..download import download
from ..errors import DownloadError, ImageError

__all__ = ["FILE_CAP", "from_file", "from_path", "from_response", "from_text", "read_bytes", "regular"]

FILE_CAP = 200 * 10**6
"""The most bytes of a file that is opened, fetched or uploaded."""

PIECE = 2**20
# How the base64 of PNG, JPEG and WEBP begins: no path of a picture does.
BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "UklGR")
SHORTEST_BASE64 = 60
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def read_bytes(data: bytes | bytearray | memoryview) -> bytes:
    """A copy of `data`, or what it says where it is a data URL. Raises `ImageError` where it is too long."""
    if memoryview(data).nbytes > 2 * FILE_CAP:
        raise _too_large()
    whole = bytes(data)
    if whole[:5].lower() == b"data:":
        return _from_data_url(whole.decode("latin-1"))
    if len(whole) > FILE_CAP:
        raise _too_large()
    return whole


def from_text(text: str, *, allow_private: bool) -> tuple[bytes, str]:
    """The bytes behind a path, an http(s) or file address, a data URL or base64, and a name. Raises `ImageError`."""
    plain = text.strip()
    scheme = SCHEME.match(plain)
    kind = scheme[1].lower() if scheme else ""
    if kind in ("http", "https"):
        return _from_url(plain, allow_private)
    if kind == "data":
        return _from_data_url(plain), "image"
    if kind == "file":
        return from_path(_path_in(plain))
    if len(plain) >= SHORTEST_BASE64 and plain.startswith(BASE64_STARTS) and not _exists(text):
        return _unpacked(plain), "image"
    # A drive's letter is no scheme, and neither is a colon in a file's name.
    if scheme and plain[scheme.end() :].startswith("//"):
        raise ImageError(f"Addresses of {kind[:20]}: can't be opened. Save the picture and give its path.")
    return from_path(text)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _path_in(url: str) -> str:
    """The path that a file address means."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        parts = urllib.parse.urlsplit("file://nowhere/")
    if parts.netloc not in ("", "localhost"):
        raise ImageError(f"{url[:200]!r} is on another machine. Copy the picture here and give its path.")
    return url2pathname(parts.path)


def _from_data_url(url: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma:
        raise ImageError("This data URL has no data. It should read data:image/png;base64,… to its end.")
    if head.lower().rstrip().endswith(";base64"):
        return _unpacked(urllib.parse.unquote(body) if "%" in body else body)
    data = urllib.parse.unquote_to_bytes(body)
    if len(data) > FILE_CAP:
        raise _too_large()
    return data


def _unpacked(text: str) -> bytes:
    if len(text) > FILE_CAP * 3 // 2:
        raise _too_large()
    # As browsers do: blanks, missing padding and the other two letters of addresses are no fault.
    plain = re.sub(r"\s+", "", text).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ImageError("The base64 of this picture is damaged. Copy it again, to its end, or give the file.")


def _from_url(url: str, allow_private: bool) -> tuple[bytes, str]:
    try:
        more: dict[str, Any] = {"allow_private": True} if allow_private else {}
        data = loop.call(download(url, size_cap=FILE_CAP, **more))
    except DownloadError as error:
        problem = str(error)
    else:
        return data, name_in(url)
    raise ImageError(f"{problem} Check the address, or save the picture and give its path.")


def name_in(url: str) -> str:
    """What a picture at this address is called."""
    return url.split("?", 1)[0].split("#", 1)[0].rstrip("/").rsplit("/", 1)[-1] or "image"


def from_path(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """The bytes of a regular file, and its name. Raises `ImageError`."""
    shown = str(path)[:200]
    try:
        where = Path(os.fsdecode(path)).expanduser()
        data = regular(where)
        if data is not None:
            return data, where.name
        problem = f"{shown!r} is no file but a {_kind(where)}. Give the path of a picture{_in_it(where)}."
    except FileNotFoundError:
        problem = (
            f"There is no file {shown!r} (looking from {_here()}). Check the name, or give the whole path."
        )
    except IsADirectoryError:
        problem = f"{shown!r} is a folder. Give the path of a picture in it."
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        problem = f"{shown!r} could not be read ({type(error).__name__}). Check the path and its permissions."
    raise ImageError(problem)


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "a folder that is gone"


def regular(where: Path) -> bytes | None:
    """The bytes of the file there, or None where it is none; never waits for a pipe's other end."""
    if not stat.S_ISREG(where.stat().st_mode):
        if where.is_dir():
            raise IsADirectoryError
        return None
    handle = os.open(where, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        # It may have become another thing since we looked.
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > FILE_CAP:
            raise _too_large()
        return _capped(iter(lambda: file.read(PIECE), b""))


def _kind(where: Path) -> str:
    mode = where.stat().st_mode
    kinds = (
        (stat.S_ISFIFO, "pipe"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "device"),
        (stat.S_ISBLK, "device"),
    )
    return next((name for test, name in kinds if test(mode)), "special file")


def _in_it(where: Path) -> str:
    return ", or open it yourself and give that" if _kind(where) == "pipe" else ""


def _capped(pieces: Iterable[bytes]) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > FILE_CAP:
            raise _too_large()
    return bytes(whole)


def _too_large() -> ImageError:
    return ImageError(f"It is over {FILE_CAP // 10**6} MB, more than is opened. Give a smaller file.")


def from_file(file: Any) -> tuple[bytes, str]:
    """What an open file gives, from its start where it can be rewound, and its name. Raises `ImageError`."""
    problem = 'This file gives text, not bytes. Open it with open(path, "rb").'
    try:
        if hasattr(file, "seekable") and hasattr(file, "seek") and file.seekable():
            file.seek(0)
        pieces = _pieces(file)
        whole = _capped(pieces)
    except (ImageError, MemoryError):
        raise
    except _NotBytesError as error:
        problem = str(error) or problem
    except UnicodeDecodeError:
        pass
    except Exception as error:  # noqa: BLE001 - whatever has a `read` may fail in any way
        problem = f'This file can\'t be read ({str(error)[:200]}). Open it again with open(path, "rb").'
    else:
        name = getattr(file, "name", None)
        return whole, Path(name).name if isinstance(name, str) else "image"
    raise ImageError(problem)


class _NotBytesError(Exception):
    """A `read` gave something else than bytes."""


def _pieces(file: Any) -> Iterable[bytes]:
    try:
        piece = file.read(PIECE)
        by_size = True
    except TypeError:
        piece = file.read()
        by_size = False
    while True:
        if inspect.isawaitable(piece):
            if inspect.iscoroutine(piece):
                piece.close()
            raise _NotBytesError(
                "This file's read() has to be awaited. Give what it returns: await file.read()."
            )
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise _NotBytesError(
                "" if isinstance(piece, str) else "This file gave no bytes. Read it yourself first."
            )
        if not len(piece):
            return
        yield bytes(piece)
        if not by_size:
            return
        piece = file.read(PIECE)


def from_response(response: Any) -> tuple[bytes, str]:
    """The body of an answer of httpx or requests, and a name by its address. Raises `ImageError`."""
    status = response.status_code
    try:
        name = name_in(str(response.url))
    except Exception:  # noqa: BLE001 - httpx has none where the answer was made by hand
        name = "image"
    if not isinstance(status, int) or not 200 <= status < 300:
        raise ImageError(
            f"This answer has status {str(status)[:20]} and holds no picture. Ask again, or check the address."
        )
    for each in ("iter_content", "iter_bytes"):
        if hasattr(response, each):
            try:
                return _capped(getattr(response, each)(PIECE)), name
            except ImageError:
                raise
            except Exception:  # noqa: BLE001, S112 - read already, or never to be read: its content tells
                continue
    try:
        content = response.content
    except Exception:  # noqa: BLE001 - told below
        content = None
    if isinstance(content, bytes | bytearray | memoryview):
        return read_bytes(content), name
    raise ImageError("This answer's body was not read. Read it first, and give the bytes.")

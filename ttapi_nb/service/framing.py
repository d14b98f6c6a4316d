"""How long a request's body is, and a chunked one piece by piece. What two readers could take in two ways is refused.

Follows RFC 9112, sections 6 and 7.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import errors
from email.message import Message
from io import BufferedReader
from typing import Any

from .refusal import Refusal

__all__ = ["CHUNKED", "CutOffError", "body_length", "pieces"]

CHUNKED = -1
"""The length of a body that says it piece by piece."""

PIECE = 1 << 20
LINE_CAP = 4096
# What comes beside the data: extensions of chunks, and trailers.
EXTRA_CAP = 16_384
BODILESS = ("GET", "HEAD", "OPTIONS")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
BROKEN_HEADS = (
    errors.FirstHeaderLineIsContinuationDefect,
    errors.MisplacedEnvelopeHeaderDefect,
    errors.MissingHeaderBodySeparatorDefect,
    errors.InvalidHeaderDefect,
)
BROKEN = "The chunked body is broken. Let the HTTP library write it."


class CutOffError(Exception):
    """The client hung up before the body was whole."""


def body_length(method: str, version: str, headers: Message) -> int:
    """How many bytes the body has, or `CHUNKED`; raises `Refusal` where that is not said, or not in one way."""
    _check_head(headers)
    lengths = headers.get_all("Content-Length", [])
    codings = headers.get_all("Transfer-Encoding", [])
    if codings:
        if lengths:
            raise Refusal("The body has both Content-Length and Transfer-Encoding. Send one of them.")
        if [str(coding).strip().lower() for coding in codings] != ["chunked"]:
            raise Refusal(
                "This Transfer-Encoding is not known. Send the body chunked, or with its Content-Length."
            )
        if version != "HTTP/1.1":
            raise Refusal("Only HTTP/1.1 has chunked bodies. Send the body with its Content-Length.")
        return CHUNKED
    if not lengths:
        if method in BODILESS:
            return 0
        raise Refusal("The body must come with its Content-Length, or chunked.", status=411)
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,15}", str(lengths[0]).strip(" \t")):
        raise Refusal("The Content-Length is no number of bytes. Let the HTTP library write it.")
    return int(lengths[0])


def _check_head(headers: Message) -> None:
    # The parser passes over a line that is no header, and over all behind it; another reader may not. It also looks for
    # parts of a form, which are not in the head.
    broken = any(isinstance(defect, BROKEN_HEADS) for defect in headers.defects)
    if broken or any(
        not TOKEN.fullmatch(name) or "\n" in value or "\r" in value for name, value in headers.items()
    ):
        raise Refusal("The request's headers are broken. Let the HTTP library write them.")


def pieces(file: BufferedReader[Any], length: int) -> Iterator[bytes]:
    """The body, which `body_length` told the length of. Raises `Refusal` and `CutOffError`."""
    return _chunks(file) if length == CHUNKED else _exactly(file, length)


def _exactly(file: BufferedReader[Any], length: int) -> Iterator[bytes]:
    while length > 0:
        piece = file.read(min(length, PIECE))
        if not piece:
            raise CutOffError
        length -= len(piece)
        yield piece


def _chunks(file: BufferedReader[Any]) -> Iterator[bytes]:
    extra = EXTRA_CAP
    while True:
        line = _line(file)
        found = SIZE_LINE.fullmatch(line)
        extra -= len(found[2] or b"") if found else 0
        if found is None or extra < 0:
            raise Refusal(BROKEN)
        size = int(found[1], 16)
        if not size:
            break
        yield from _exactly(file, size)
        if file.read(2) != b"\r\n":
            raise Refusal(BROKEN)
    # Trailers say nothing that is needed here.
    while (line := _line(file)) != b"\r\n":
        extra -= len(line)
        if extra < 0 or not line.endswith(b"\r\n"):
            raise Refusal(BROKEN)


def _line(file: BufferedReader[Any]) -> bytes:
    line = file.readline(LINE_CAP)
    if not line or (not line.endswith(b"\n") and len(line) < LINE_CAP):
        raise CutOffError
    return line

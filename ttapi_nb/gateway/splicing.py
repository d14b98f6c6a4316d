"""One field put into a body that lies on the disk, all its other bytes as they came."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Splice", "into_form", "into_json"]

SPACE = re.compile(r"[ \t\n\r]*")
BETWEEN = re.compile(r"[ \t\n\r,:]*")


@dataclass(frozen=True)
class Splice:
    """The bytes from `start` up to `stop` give way to `data`."""

    start: int
    stop: int
    data: bytes


def into_json(text: bytes, place: Callable[[int], int], name: str, value: str) -> Splice:
    """Where a field goes in a JSON object: in place of its value there, or before all others.

    `text` is the object in valid JSON, of which long strings may be shorter than in the body; `place` tells where in
    the body a place of `text` is.
    """
    # A letter for each byte; what JSON is made of is ASCII.
    plain = text.decode("latin-1")
    first = plain.index("{") + 1
    span = _value(plain, first, name)
    written = json.dumps(value).encode()
    if span is not None:
        return Splice(place(span[0]), place(span[1]), written)
    behind = SPACE.match(plain, first)
    is_empty = behind is not None and plain[behind.end()] == "}"
    return Splice(
        place(first), place(first), json.dumps(name).encode() + b":" + written + b"," * (not is_empty)
    )


def _value(text: str, at: int, name: str) -> tuple[int, int] | None:
    """From where to where the value of a field of an object is, whose first field may begin at `at`."""
    decoder = json.JSONDecoder()
    while text[at := _past(text, at)] != "}":
        key, at = decoder.raw_decode(text, at)
        start = _past(text, at)
        _, at = decoder.raw_decode(text, start)
        if key == name:
            return start, at
    return None


def _past(text: str, at: int) -> int:
    match = BETWEEN.match(text, at)
    return at if match is None else match.end()


def into_form(path: Path, boundary: bytes, part: int | None, name: str, value: str) -> Splice:
    """Where a field goes in a multipart form: in place of the part of that number, or before all others."""
    line = b"--" + boundary
    written = line + f'\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        start = body.find(line)
        if part is None:
            return Splice(start, start, written)
        for _ in range(part):
            start = _next(body, start, line)
        return Splice(start, _next(body, start, line), written)


def _next(body: mmap.mmap, at: int, line: bytes) -> int:
    """Where the part behind the one at `at` begins."""
    index = body.find(b"\r\n\r\n", at + len(line)) + 4
    while (index := body.find(b"\r\n" + line, index) + 2) > 1:
        # A line of its content may begin as the one between parts does, and go on.
        if body[index + len(line) : index + len(line) + 2].startswith((b"\r\n", b"--", b" ", b"\t")):
            return index
    raise AssertionError("a form that was read has an end")

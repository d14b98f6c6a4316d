"""A stream of server-sent events (HTML Standard) as it arrives: its drafts told at once, its other events kept.

What it says is written in many ways: lines that end with CR, LF or both, a value on many lines, comments, `id:null` and
`retry:`, no space behind `data:`, no `event:`, no blank line at its end. A piece may end anywhere.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..coding import TooLargeError
from .base64s import decoded
from .envelopes import FAILED, PLACE, is_draft, is_error, kind_in, says_nothing, search
from .reading import ReplyReader

__all__ = ["Event", "EventReader", "Tell", "is_stream"]

Tell = Callable[[bytes, int | None], None]
"""Called with a draft's bytes, and its number as the stream says it, from 0."""

LINE_END = re.compile(rb"\r\n|\r|\n")
BEGINS = (b"data:", b"event:", b"id:", b"retry:", b":")
LONGEST_FIELD, LONGEST_NAME = 5, 200
OVER = b"[DONE]"
# What none of ours is near: a service that sends more than that is broken, or hostile.
MOST_EVENTS = 100_000
# Of drafts, how many are read, and how long the words around one may be, in bytes.
MOST_DRAFTS, LONGEST_WORDS = 30, 100_000
# In bytes, of an event that has no end, but for its pictures: what is longer takes nothing from those before it.
LONGEST_CUT = 2**23


def is_stream(head: bytes | bytearray) -> bool | None:
    """Whether a body that begins so is a stream, whatever its content type says; None where that can't be told yet."""
    first = bytes(head[:100])
    if codecs.BOM_UTF8.startswith(first):
        return None
    first = first.removeprefix(codecs.BOM_UTF8).lstrip()
    if first.startswith(BEGINS):
        return True
    return None if any(begin.startswith(first) for begin in BEGINS) else False


@dataclass(frozen=True)
class Event:
    """One event: its name, where it has one, and its text, in which words stand for pictures (see `ReplyReader`).

    `is_whole` says that it came to its end.
    """

    name: str
    text: bytes
    pictures: dict[str, bytes | str]
    is_whole: bool


class EventReader:
    """Takes a stream's bytes; `tell` is called with each draft as soon as it is whole.

    `events` are those that are no drafts, `drafts` how many those were, and `is_over` whether the stream said that it
    has ended.
    """

    def __init__(self, tell: Tell | None = None) -> None:
        self.events: list[Event] = []
        self.drafts = 0
        self.is_over = False
        self.size = 0
        """Bytes of all that is kept but pictures."""
        self._tell = tell
        self._count = 0
        self._has_begun, self._after_cr = False, False
        # Of the line that comes: its beginning until that tells what it is, and then what it is.
        self._head = b""
        self._field: bytes | None = None
        self._is_at_value = False
        # Of the event that comes.
        self._name = b""
        self._lines = 0
        self._reader = ReplyReader()

    @property
    def is_amid_picture(self) -> bool:
        """Whether what came ends within a picture."""
        return self._reader.is_amid_picture

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises `TooLargeError` where there are far too many events."""
        if not self._has_begun:
            data = data.removeprefix(codecs.BOM_UTF8)
        self._has_begun = self._has_begun or bool(data)
        if self._after_cr and data:
            data, self._after_cr = data.removeprefix(b"\n"), False
        at = 0
        while at < len(data):
            end = LINE_END.search(data, at)
            self._take(data[at : end.start() if end else len(data)])
            if end is None:
                return
            self._end_line()
            at = end.end()
            self._after_cr = at == len(data) and end[0] == b"\r"

    def end(self) -> None:
        """There is no more of it."""
        if self._head or self._field is not None:
            self._end_line(is_whole=False)
        if self._lines:
            self._end_event(is_whole=False)

    def _take(self, piece: bytes) -> None:
        """The next bytes of a line."""
        if not piece:
            return
        if self._field is None:
            self._head += piece
            name, colon, rest = self._head.partition(b":")
            if self._head[:1] in (b"{", b"["):
                # No line of a stream: what a gateway adds to one that it can't go on with.
                name, rest, colon = b"data", self._head, b""
            elif not colon and len(self._head) <= LONGEST_FIELD:
                return
            self._field, self._is_at_value, piece = name, bool(colon), rest
            if name == b"data":
                self._lines += 1
                if self._lines > 1:
                    self._reader.feed(b"\n")
            elif name == b"event":
                self._name = b""
        if self._is_at_value and piece:
            piece, self._is_at_value = piece.removeprefix(b" "), False
        if self._field == b"data":
            self._reader.feed(piece)
        elif self._field == b"event":
            self._name = (self._name + piece)[:LONGEST_NAME]

    def _end_line(self, *, is_whole: bool = True) -> None:
        is_blank = self._field is None and not self._head
        self._head, self._field, self._is_at_value = b"", None, False
        if is_blank and is_whole:
            if self._lines:
                self._end_event(is_whole=True)
            self._name = b""

    def _end_event(self, *, is_whole: bool) -> None:
        reader, self._reader, self._lines = self._reader, ReplyReader(), 0
        # A text that has no end in its own event has none in the next.
        is_whole = is_whole and not reader.is_within_picture
        name = self._name.decode("utf-8", "replace").strip()
        text = bytes(reader.text)
        if text.strip() == OVER:
            self.is_over = True
            return
        self._count += 1
        if self._count > MOST_EVENTS:
            raise TooLargeError("it has more events than any answer")
        is_read, value = _value(text) if len(text) <= LONGEST_WORDS else (False, None)
        if is_read:
            if isinstance(value, dict):
                value = value if kind_in(value) else value | {"type": name}
                results = search(value, sure=True)
                if is_draft(value) or (results.drafts and not results.items and not is_error(value)):
                    self._draft(value, results.drafts, reader.pictures)
                    return
            if name not in FAILED and says_nothing(value):
                # It may come for ever, to keep the line alive.
                return
        if text.strip() and (is_whole or len(text) <= LONGEST_CUT):
            self.size += len(text)
            self.events.append(Event(name, text, reader.pictures, is_whole))

    def _draft(
        self, value: dict[str, Any], items: list[dict[str, Any]], pictures: dict[str, bytes | str]
    ) -> None:
        encoded = items[0].get("b64_json") if items else None
        data = pictures.get(encoded, encoded) if isinstance(encoded, str) else None
        data = decoded(data) if isinstance(data, str) else data
        self.drafts += bool(items)
        # A gateway may have put it into an envelope.
        inner = value.get("data")
        index = (value if PLACE in value or not isinstance(inner, dict) else inner).get(PLACE)
        if data and self._tell is not None and self.drafts <= MOST_DRAFTS:
            self._tell(data, index if isinstance(index, int) and not isinstance(index, bool) else None)


def _value(text: bytes) -> tuple[bool, Any]:
    """Whether a text is JSON, and its value."""
    try:
        return True, json.loads(text.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return False, None

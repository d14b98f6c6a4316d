"""`AnswerReader`: an answer as it arrives, plain or a stream, whatever its content type says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .events import EventReader, Tell, is_stream
from .parsing import parse, parsed_events
from .reading import ReplyReader

__all__ = ["AnswerReader"]

# In bytes: more blanks before a body than that are not waited for.
LONGEST_HEAD = 1000


class AnswerReader:
    """Takes an answer's bytes piece by piece; `tell` is called with each draft of a stream, as soon as it is whole."""

    def __init__(self, tell: Tell | None = None) -> None:
        self._tell = tell
        self._head = b""
        self._plain: ReplyReader | None = None
        self._events: EventReader | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises `TooLargeError` where a stream has far too many events."""
        if self._plain is None and self._events is None:
            self._head += data
            streamed = is_stream(self._head)
            if streamed is None and len(self._head) < LONGEST_HEAD:
                return
            data, self._head = self._head, b""
            self._begin(is_stream=bool(streamed))
        if self._events is not None:
            self._events.feed(data)
        elif self._plain is not None:
            self._plain.feed(data)

    def end(self) -> None:
        """There is no more of it."""
        if self._plain is None and self._events is None:
            self._begin(is_stream=False).feed(self._head)
        if self._events is not None:
            self._events.end()

    def _begin(self, *, is_stream: bool) -> ReplyReader:
        self._plain = ReplyReader()
        if is_stream:
            self._events = EventReader(self._tell)
        return self._plain

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of events."""
        return self._events is not None

    @property
    def is_over(self) -> bool:
        """Whether a stream has said that nothing more comes."""
        return self._events is not None and self._events.is_over

    @property
    def is_amid_picture(self) -> bool:
        """Whether what came ends within a picture, by whatever name."""
        reader = self._events or self._plain
        return reader is not None and reader.is_amid_picture

    @property
    def size(self) -> int:
        """Bytes of all that is kept but pictures."""
        if self._events is not None:
            return self._events.size
        return len(self._plain.text) if self._plain is not None else len(self._head)

    @property
    def text(self) -> bytes:
        """What it says but for its pictures and drafts."""
        if self._events is not None:
            return b"\n".join(event.text for event in self._events.events)
        return bytes(self._plain.text) if self._plain is not None else b""

    def parsed(self, scrub: Callable[[str], str]) -> dict[str, Any] | None:
        """What it says, as `parse` gives it."""
        if self._events is not None:
            return parsed_events(self._events, scrub)
        return parse(self._plain.text, scrub, self._plain.pictures) if self._plain is not None else None

    def is_whole(self, mime: str) -> bool:
        """Whether all of it is here, by what it says itself: one JSON value, or a stream that came to a result, an
        error or its end.
        """
        if self._events is not None:
            reply = parsed_events(self._events, str)
            return self._events.is_over or bool(reply and (reply.results or reply["error"]))
        if "json" not in mime:
            return self.parsed(str) is not None
        try:
            json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return True

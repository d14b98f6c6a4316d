"""`Skimmer`: what a JSON text says but for its long strings, read piece by piece, so that pictures are never held."""

from __future__ import annotations

import re

__all__ = ["Skimmer"]

# Of a string that is too long, only its beginning is kept, as far as any reader takes it for the same.
PLAIN_HEAD = re.compile(rb"(?:[A-Za-z0-9+/=:;,._-]|\\/)*")
HEAD = 300


class Skimmer:
    """Takes a text's bytes. `text` is the same text, in which each string of over `longest` bytes is cut to its head.

    What is not within strings is kept up to `most` bytes in all; `too_much` says whether there was more.
    """

    def __init__(self, longest: int, most: int) -> None:
        self.text = bytearray()
        self.too_much = False
        # Where a cut string ends: in `text`, and in what it was made of.
        self._cuts: list[tuple[int, int]] = []
        self._before = 0
        self._longest, self._most = longest, most
        self._inside = self._escaped = self._cut = False
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        at, end = 0, len(data)
        # Where the next of each is: looked for once, as there may be many of the other.
        quote = slash = -1
        while at < end:
            if quote < at:
                quote = _find(data, b'"', at)
            if not self._inside:
                stop = min(end, quote + 1)
                self._keep(data[at:stop])
                at = stop
                if quote < end:
                    self._inside, self._cut, self._start = True, False, len(self.text)
                continue
            if self._escaped:
                self._keep(data[at : at + 1])
                self._escaped = False
                at += 1
                continue
            if slash < at:
                slash = _find(data, b"\\", at)
            stop = min(end, quote, slash)
            self._keep(data[at:stop])
            at = stop + 1
            if stop == end:
                break
            if stop == quote:
                self._inside = False
                if self._cut:
                    self._cuts.append((len(self.text), self._before + quote))
                self._keep(b'"', always=True)
            else:
                self._escaped = True
                self._keep(b"\\")
        self._before += end

    def place(self, at: int) -> int:
        """Where in the bytes that were taken a place of `text` is; it must not be within a string that was cut."""
        for ours, theirs in reversed(self._cuts):
            if ours <= at:
                return theirs + at - ours
        return at

    def _keep(self, data: bytes, *, always: bool = False) -> None:
        if self._inside and not always:
            if self._cut:
                return
            if len(self.text) + len(data) - self._start > self._longest:
                self._cut = True
                whole = bytes(self.text[self._start : self._start + HEAD]) + data[:HEAD]
                head = PLAIN_HEAD.match(whole[:HEAD])
                del self.text[self._start :]
                self.text += head[0] if head else b""
                return
        if len(self.text) + len(data) > self._most:
            self.too_much = True
            return
        self.text += data


def _find(data: bytes, letter: bytes, at: int) -> int:
    index = data.find(letter, at)
    return len(data) if index < 0 else index

"""`ReplyReader`: a reply as it arrives, its pictures decoded on the way, so that their base64 is never held whole."""

from __future__ import annotations

import json
import re
import secrets

from .base64s import PREFIX, Decoder
from .envelopes import DAMAGED

__all__ = ["ReplyReader", "mended"]

# In valid JSON only a key stands so: within a text these quotation marks would have a backslash. What stands before it
# is looked at last, as a search that begins with that takes ten times as long.
START = re.compile(rb'"b64_json"(?<=[{,\s]"b64_json")\s{0,8}:\s{0,8}"')
LONGEST_START = 40
# In bytes: a shorter text stays where it is.
LEAST = 4096
# An answer has a dozen at most, and a hostile one may have a million. The others stay where they are.
MOST_PICTURES = 100
# Of a JSON text, up to its end or to an escape that is not whole.
RUN = re.compile(rb'(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+', re.DOTALL)
LONGEST_ESCAPE = 6
# A backslash and, in JSON, what it stands for with it.
ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
NO_ESCAPE = b"\\u"
# No word is so long, in letters: at the end of what came it is base64 that goes on.
LONGEST_WORD = 200
AMID = re.compile(rb"[A-Za-z0-9+/=_-]{%d}\Z" % LONGEST_WORD)


def mended(text: str) -> str:
    """`text`, of JSON, with a backslash that begins no escape standing for itself."""
    return ESCAPE.sub(lambda match: match[0] if match[1] else r"\\", text)


class ReplyReader:
    """Takes a reply's bytes piece by piece.

    In `text`, a word that nobody can guess stands for each long picture. By that word `pictures` has its bytes, or,
    where it is damaged, a text that is no base64. Where a picture is written so that the reply can be no JSON, nothing
    is kept.
    """

    def __init__(self) -> None:
        self.text = bytearray()
        self.pictures: dict[str, bytes | str] = {}
        self._looked = 0
        self._picture: _Picture | None = None
        self._begun = 0
        self._word = secrets.token_hex(16)

    @property
    def is_amid_picture(self) -> bool:
        """Whether what came ends within a picture, by whatever name."""
        return self._picture is not None or AMID.search(self.text[-LONGEST_WORD:]) is not None

    @property
    def is_within_picture(self) -> bool:
        """Whether what came ends within a text that is named as a picture."""
        return self._picture is not None

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        while data:
            if self._picture is None:
                data = self._look(data)
                continue
            data, ended = self._picture.feed(data)
            if ended:
                self._put(self._picture)
                self._picture = None

    def _look(self, data: bytes) -> bytes:
        """Add to the text up to where a picture starts, and return what comes then."""
        self.text += data
        start = START.search(self.text, self._looked) if self._begun < MOST_PICTURES else None
        if start is None:
            self._looked = max(0, len(self.text) - LONGEST_START)
            return b""
        rest = bytes(self.text[start.end() :])
        del self.text[start.end() :]
        self._looked = len(self.text)
        self._begun += 1
        self._picture = _Picture()
        return rest

    def _put(self, picture: _Picture) -> None:
        decoded = picture.decoded()
        if picture.size <= LEAST:
            self.text += picture.head
        else:
            word = f"{self._word}-{len(self.pictures)}"
            self.pictures[word] = decoded
            self.text += word.encode()
        self.text += b'"'


class _Picture:
    """A JSON text as it arrives, decoded from base64 as far as it is here."""

    def __init__(self) -> None:
        self.size = 0
        self.head = bytearray()
        self._escape = b""
        self._begin()

    def _begin(self) -> None:
        self._encoded = bytearray()
        self._decoder = Decoder()

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Take text up to its end. Returns what comes after it, and whether it has ended."""
        data, self._escape = self._escape + data, b""
        while True:
            # It matches always, if only nothing.
            at = RUN.match(data).end()  # type: ignore[union-attr]
            self._take(data[:at])
            if data[at : at + 1] == b'"':
                return data[at + 1 :], True
            self._escape = data[at:]
            # A whole one would have matched: it is none, and the backslash stands for itself.
            if len(self._escape) < LONGEST_ESCAPE:
                return b"", False
            self._take(NO_ESCAPE)
            data, self._escape = data[at + len(NO_ESCAPE) :], b""

    def _take(self, raw: bytes) -> None:
        self.size += len(raw)
        if len(self.head) <= LEAST:
            self.head += raw
        if b"\\" in raw:
            raw = json.loads(f'"{mended(raw.decode(errors="replace"))}"', strict=False).encode(
                errors="replace"
            )
        self._encoded += raw
        # Where that comes twice, the last one counts.
        if (prefix := self._encoded.rfind(PREFIX)) >= 0:
            rest = self._encoded[prefix + len(PREFIX) :]
            self._begin()
            self._encoded += rest
        # What may be the beginning of a prefix is left for later.
        ready = max(0, len(self._encoded) - len(PREFIX))
        self._decoder.feed(self._encoded[:ready])
        del self._encoded[:ready]

    def decoded(self) -> bytes | str:
        """The picture's bytes at its end, or what stands for a damaged one."""
        self._decoder.feed(self._encoded)
        data = self._decoder.end()
        # An empty one is no less lost.
        return data or DAMAGED

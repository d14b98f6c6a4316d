"""Answers as services really send them, made into what h11 reads: heads against HTTP's rules, odd lengths, odd codings.

A client may be strict, as h11 is, and lose what it was billed for. So heads are mended here: an illegal line is left
out, and what can't be trusted says nothing. How long a body is, is found out here too, and h11 gets it in chunks of
our own. That is safe for one reason: a line that carried such an answer is closed then, so that no byte of it can be
taken for another one's (request smuggling needs lines that are used again). Only an answer of which nothing had to be
mended, and which has one length, leaves its line to another request: see `Answer.leaves_line`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..coding import CHUNKED, Chunks, CodingError

__all__ = ["Answer"]

# In bytes: a head is no longer, and h11 takes so much of it (httpcore's MAX_INCOMPLETE_EVENT_SIZE is 100 KiB).
LONGEST_HEAD, MOST_TAKEN = 1 << 20, 1 << 16
STATUS = re.compile(
    rb"\s{0,8}(?:HTTP|ICY)(?:/?[ \t]*[0-9]+(?:\.[0-9]+)?)?[ \t]+([1-9][0-9]{2})(?![0-9])(.*)", re.IGNORECASE
)
# What may be the beginning of a status line.
MAYBE_STATUS = re.compile(rb"\s{0,8}(?:H|HT|HTT|HTTP.{0,20}|I|IC|ICY.{0,20})?", re.IGNORECASE | re.DOTALL)
# A head without its status line, as a script writes it that a server should have read (RFC 3875, 6.2.1).
FIELD = re.compile(
    rb"\s{0,8}(?:content-[a-z]+|status|server|date|x-[a-z-]+)[ \t]*:[^\r\n]*\r*\n", re.IGNORECASE
)
MAYBE_FIELD = re.compile(rb"\s{0,8}[a-z][a-z-]{0,40}[ \t]*(?::[^\r\n]{0,4000}\r*)?", re.IGNORECASE)
CGI_STATUS = re.compile(rb"[ \t]*([1-9][0-9]{2})(?![0-9])")
# The empty line behind a head, also of who ends lines with two returns, or with a return alone.
HEAD_END = re.compile(rb"\n\r{0,4}\n|\r\r(?=[^\r\n])")
LINE_END = re.compile(rb"\r{0,4}\n|\r(?=[^\r\n ])")
NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
# What h11 has in no value.
NO_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]+")
LENGTH = re.compile(rb"[0-9]{1,15}")
# Framing is ours: what these say is read here, and h11 is told by chunks.
FRAMING = frozenset(
    {b"transfer-encoding", b"content-length", b"connection", b"keep-alive", b"content-encoding", b"upgrade"}
)
# Where one of these is, the line carries no other answer.
ENDING = frozenset({b"upgrade", b"trailer"})
LASTING = {b"connection": b"keep-alive", b"transfer-encoding": b"chunked"}
# In seconds: how long more is waited for where what has come may be all.
PATIENCE = 2.0
NO_BODY = (204, 304)


class Answer:
    """One answer: takes the bytes of its line in `feed`, and gives in `take` what h11 reads.

    `without_head` says that what has no head at all is an answer too, the whole of it its body.
    """

    def __init__(self, *, without_head: bool) -> None:
        self._without_head = without_head
        self._head = bytearray()
        self._looked = 0
        self._ready: list[bytes] = []
        self._body: _Body | None = None
        self._is_plain = False
        self.is_over = False
        """Whether there is no more to read."""
        self.is_whole = True
        """Whether its end came, once it is over."""

    @property
    def refuses(self) -> bool:
        """Whether it says no (HTTP 4xx and 5xx), as far as it is here."""
        return self.status >= 400

    @property
    def status(self) -> int:
        """Its status, or 0 where that is not here yet."""
        if self._body is not None:
            return self._body.status
        line = STATUS.match(self._head) if b"\n" in self._head or b"\r" in self._head else None
        code = int(line[1]) if line else 0
        return 0 if 100 <= code < 200 else code

    @property
    def leaves_line(self) -> bool:
        """Whether its line may carry another one: it is over, as the rules say, and nothing is behind it."""
        return (
            self.is_over
            and self.is_whole
            and self._is_plain
            and self._body is not None
            and self._body.ends_exactly
        )

    @property
    def patience(self) -> float | None:
        """For how many seconds more is waited for, where what has come may be all; None where it is not."""
        return PATIENCE if self._body is not None and self._body.may_end else None

    def take(self) -> bytes:
        """What is ready for h11."""
        ready, self._ready = b"".join(self._ready), []
        return ready

    def feed(self, data: bytes) -> None:
        """The next bytes of its line."""
        if self._body is None:
            self._head += data
            data = self._begin()
        if self.is_over:
            # Whatever it is, it is not this one's.
            self._is_plain = self._is_plain and not data
        elif self._body is not None:
            self._give(self._body.feed(data))
            if self._body.is_over:
                self._end(is_whole=True)

    def end(self, *, broken: bool = False) -> None:
        """The line has ended: said so by the other end, or `broken`."""
        self._is_plain = False
        if self.is_over:
            return
        if self._body is None and self._head:
            # The status may be here, and who refuses says so first.
            if self.status:
                self._open(_mended(self._whole_lines()))
            elif self._without_head:
                self._open(_Head(200, [], ()))
                self._give([bytes(self._head)])
            broken = True
        if self._body is None:
            self.is_over, self.is_whole = True, False
            return
        self._give(self._body.end())
        self._end(is_whole=self._body.is_whole and not (broken and not self._body.may_end))

    def _whole_lines(self) -> bytes:
        last = max(self._head.rfind(b"\n"), self._head.rfind(b"\r"))
        return bytes(self._head[:last]).lstrip(b"\r\n")

    def _begin(self) -> bytes:
        """Read heads as far as they are here; gives what comes behind the last of them."""
        while True:
            if not self._may_be_head():
                if not self._without_head:
                    # h11 says what is wrong with it.
                    self._ready.append(bytes(self._head))
                    self._head.clear()
                    return b""
                self._open(_Head(200, [], ()))
                return bytes(self._head)
            start = len(self._head) - len(self._head.lstrip(b"\r\n"))
            end = HEAD_END.search(self._head, max(start, self._looked))
            if end is None:
                self._looked = max(0, len(self._head) - 8)
                return b""
            written = bytes(self._head[: end.end()])
            head = _mended(bytes(self._head[start : end.start()]))
            rest = bytes(self._head[end.end() :])
            self._looked = 0
            if head.status >= 200:
                self._is_plain = head.stays_open = head.is_as_it_was(written)
                self._open(head)
                return rest
            # Of those in between (1xx) nothing is needed.
            self._head = bytearray(rest)
            if not rest:
                return b""

    def _may_be_head(self) -> bool:
        head = bytes(self._head[:5000])
        if len(self._head) > LONGEST_HEAD:
            return False
        return bool(
            STATUS.match(head)
            or MAYBE_STATUS.fullmatch(head)
            or FIELD.match(head)
            or MAYBE_FIELD.fullmatch(head)
        )

    def _open(self, head: _Head) -> None:
        if self._without_head and head.status in NO_BODY and (head.is_chunked or any(head.lengths)):
            # It says that it has a body, and h11 would not look at it.
            head.status = 200
        self._body = _Body(head, may_be_paid=self._without_head)
        self._ready.append(head.written())

    def _give(self, pieces: Iterable[bytes]) -> None:
        if data := b"".join(pieces):
            self._ready.append(b"%x\r\n%b\r\n" % (len(data), data))

    def _end(self, *, is_whole: bool) -> None:
        self.is_over, self.is_whole = True, is_whole
        if is_whole and (self._body is None or self._body.status not in NO_BODY):
            self._ready.append(b"0\r\n\r\n")


class _Head:
    """What a head says that can be trusted."""

    def __init__(
        self, status: int, fields: list[tuple[bytes, bytes]], codings: tuple[bytes, ...], reason: bytes = b""
    ) -> None:
        self.status, self.codings, self._fields, self._reason = status, codings, fields, reason
        self.stays_open = False
        """Whether h11 is told that the line may carry another answer."""
        self.is_chunked = CHUNKED.encode() in codings
        values = [value for name, value in fields if name.lower() == b"content-length"]
        lengths = [one.strip(b" \t\"'") for value in values for one in value.split(b",")]
        self.lengths = {int(one) for one in lengths if LENGTH.fullmatch(one)}

    def is_as_it_was(self, head: bytes) -> bool:
        """Whether `head` is just this, as HTTP/1.1 writes it: with one length, and nothing that ends the line."""
        names = [name.lower() for name, _ in self._fields]
        lines = [b"%b: %b" % field for field in self._fields]
        plain = head.startswith(b"HTTP/1.1 %d " % self.status) and head.split(b"\r\n")[1:] == [
            *lines,
            b"",
            b"",
        ]
        ends = any(
            name in ENDING or value.lower() != LASTING.get(name, value.lower())
            for name, (_, value) in zip(names, self._fields, strict=True)
        )
        one_length = names.count(b"content-length") == len(self.lengths) == 1 and not self.codings
        in_chunks = b"content-length" not in names and self.codings == (CHUNKED.encode(),)
        return plain and not ends and (one_length or in_chunks)

    def written(self) -> bytes:
        """The head as h11 reads it: legal, its body in chunks, and the line closed behind it unless it may stay."""
        lines = [b"HTTP/1.1 %d %b" % (self.status, self._reason)]
        size = 0
        for name, value in self._fields:
            more = len(name) + len(value) + 4
            if name.lower() not in FRAMING and size + more < MOST_TAKEN:
                size += more
                lines.append(b"%b: %b" % (name, value))
        packed = [value for name, value in self._fields if name.lower() == b"content-encoding"]
        # Those of the way are undone where those of the body are, and first.
        packed += self.codings[: -1 if self.codings[-1:] == (CHUNKED.encode(),) else None]
        if packed:
            lines.append(b"Content-Encoding: " + b", ".join(packed)[:1000])
        if len(self.lengths) == 1 and not self.is_chunked:
            lines.append(b"Content-Length: %d" % next(iter(self.lengths)))
        if self.status not in NO_BODY:
            lines.append(b"Transfer-Encoding: chunked")
        return b"\r\n".join([*lines, *([] if self.stays_open else [b"Connection: close"]), b"", b""])


class _Body:
    """Finds where a body ends, by what its head says, and by itself where that says nothing, or two things."""

    def __init__(self, head: _Head, *, may_be_paid: bool) -> None:
        self.status = head.status
        self._may_lie = may_be_paid and head.status == 200
        self._chunks = Chunks() if head.is_chunked else None
        self._least = min(head.lengths, default=None)
        self._most = max(head.lengths, default=None)
        self._came = 0
        self.is_over = head.status in NO_BODY

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The next of its bytes."""
        if self.is_over:
            return
        if self._chunks is not None and not self._chunks.is_plain:
            yield from self._counted(self._chunks.feed(data))
            self.is_over = self._chunks.is_over
        elif data:
            yield from self._counted([data])
        if self._most is None or self._in_chunks:
            return
        if self._came == self._most:
            # Some say so of what they send all the same, a little later.
            self.is_over = self._most > 0 or not self._may_lie
        elif self._came > self._most:
            # Behind its end some send an empty line. What else is there belongs to it: some count letters for bytes.
            self.is_over = not data.strip(b"\r\n\0 ")

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._came += len(piece)
            yield piece

    @property
    def ends_exactly(self) -> bool:
        """Whether just as much came as the head said."""
        if self._chunks is not None:
            return self._chunks.is_over and not self._chunks.is_damaged and self._chunks.behind == b"\r\n"
        return self._came == self._most == self._least

    @property
    def _in_chunks(self) -> bool:
        return self._chunks is not None and not self._chunks.is_plain

    def end(self) -> Iterator[bytes]:
        """What was held back, now that nothing more comes."""
        if self._chunks is not None:
            try:
                yield from self._counted(self._chunks.end())
            except CodingError:
                return

    @property
    def may_end(self) -> bool:
        """Whether all that is sure to belong to it is here."""
        if self._in_chunks:
            return self.is_over
        return self._least is not None and self._came >= self._least

    @property
    def is_whole(self) -> bool:
        """Whether it may end where its line has ended."""
        if self._chunks is not None and not self._chunks.is_plain:
            return self._chunks.is_whole
        return self._least is None or self._came >= self._least


def _mended(head: bytes) -> _Head:
    """What stands in a head, without what is illegal in it."""
    lines = LINE_END.split(head)
    status, reason = 200, b""
    line = STATUS.match(lines[0])
    if line is not None:
        status, reason = int(line[1]), NO_VALUE.sub(b" ", line[2]).strip()[:200]
        lines = lines[1:]
    fields: list[tuple[bytes, bytes]] = []
    folds = False
    for one in lines:
        if one[:1] in (b" ", b"\t"):
            # A value that goes on (RFC 9112, 5.2), unless what it goes on from was left out.
            if folds:
                name, value = fields[-1]
                fields[-1] = name, (value + b" " + _value(one)).strip()
            continue
        name, colon, value = one.partition(b":")
        name = name.strip()
        folds = bool(colon) and NAME.fullmatch(name) is not None
        if folds:
            fields.append((name, _value(value)))
    if line is None:
        matches = (CGI_STATUS.match(value) for name, value in fields if name.lower() == b"status")
        status = next((int(one[1]) for one in matches if one), 200)
    ways = b",".join(value for name, value in fields if name.lower() == b"transfer-encoding")
    names = [one.partition(b";")[0].strip(b" \t\"'").lower() for one in ways.split(b",")]
    return _Head(status, fields, tuple(one for one in names if one and one != b"identity"), reason)


def _value(text: bytes) -> bytes:
    return NO_VALUE.sub(b" ", text).strip()

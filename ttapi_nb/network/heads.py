"""The head of an answer in a form that the HTTP library takes, so that no paid answer is lost to a line of its head.

The library refuses an answer whose body was packed on its way (`Transfer-Encoding: gzip, chunked`, which HTTP allows),
and one with a header that HTTP does not allow, as some gateways write. What was done to the body is told to whoever
unpacks it by `Content-Encoding`; a header that can't be one is left out.
"""

from __future__ import annotations

import re

__all__ = ["Heads", "tidied"]

END = b"\r\n\r\n"
LONGEST = 1 << 16
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |$)")
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What no value may hold: all that is invisible, but for spaces and tabs.
INVISIBLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Heads:
    """Takes what comes over a line, and gives it on with the answer's head tidied; all else stays as it is."""

    def __init__(self) -> None:
        self._waiting: bytes | None = b""

    def through(self, data: bytes) -> bytes:
        """What may be read of it by now: nothing while a head is not whole. At the line's end, what is left."""
        if self._waiting is None:
            return data
        came, self._waiting = self._waiting + data, None
        ready = b""
        while STATUS.match(came[:16]) or b"HTTP/1.".startswith(came[:7]):
            head, end, rest = came.partition(END)
            if not end:
                if data and len(came) < LONGEST:
                    self._waiting = came
                    return ready
                break
            found = STATUS.match(head)
            if found is None:
                break
            ready, came = ready + tidied(head) + END, rest
            # Behind one that only says to go on (1xx) comes another.
            if not found[1].startswith(b"1") or found[1] == b"101":
                break
            if not came:
                self._waiting = b""
                break
        return ready + came


def tidied(head: bytes) -> bytes:
    """An answer's head, without the empty line at its end, as the library takes it."""
    status, *lines = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n")
    kept: list[tuple[bytes, bytes]] = []
    packed: list[bytes] = []
    ways: list[bytes] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        name, value = name.strip(), INVISIBLE.sub(b"", value).strip()
        kind = name.lower()
        if not colon or not NAME.fullmatch(name):
            continue
        if kind == b"transfer-encoding":
            ways += [way for one in value.split(b",") if (way := one.strip().lower())]
        elif kind == b"content-encoding":
            packed.append(value)
        else:
            kept.append((name, value))
    lengths = {value for name, value in kept if name.lower() == b"content-length"}
    if ways or len(lengths) > 1:
        # By its chunks or, where it has none, by the line's end.
        kept = [(name, value) for name, value in kept if name.lower() != b"content-length"]
    if b"chunked" in ways[-1:]:
        kept.append((b"Transfer-Encoding", b"chunked"))
    packed += [way for way in ways if way not in (b"chunked", b"identity")]
    if packed:
        kept.append((b"Content-Encoding", b", ".join(packed)))
    return b"\r\n".join([status, *(name + b": " + value for name, value in kept)])

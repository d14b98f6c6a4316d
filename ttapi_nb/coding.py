"""Undoing what a gateway did to a body on its way (Content-Encoding, Transfer-Encoding), never beyond a size.

Every coding that is registered for the web is undone where this machine can; `gzip` and `deflate` always, `br` and
`zstd` with a package. A gateway that forgets to say so, or says so and does not do it, is understood too.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

__all__ = ["Chunks", "CodingError", "CutOffError", "TooLargeError", "Unpacking", "codings", "unpacking"]

MOST_CODINGS = 4
# In bytes: how much is unpacked at a time.
PIECE = 2**20
# In bytes: how much is given to a package that can't be told where to stop.
SIP = 256
# Of zstd: what may be kept for later pieces, as web servers may ask for (RFC 9659).
WINDOW = 2**27
# In bytes: how much must be here to tell deflate from plain text.
TELLING = 64
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# Said by some that mean that nothing was done.
NOTHING = frozenset({"", "identity", "none", "null", "utf-8", "utf8", "binary", "8bit", "7bit", "text"})
CHUNKED = "chunked"
# What stands before a chunk, behind the end of the one before it, and what may be the beginning of that.
SIZE = re.compile(rb"(?:\r*\n)?[ \t]*(?:0[xX])?([0-9a-fA-F]{1,16})[ \t]*(?:;[^\n]{0,4000})?\r*\n")
MAYBE_SIZE = re.compile(
    rb"(?:\r{0,9}\n?)?[ \t]{0,9}(?:0[xX])?[0-9a-fA-F]{0,16}[ \t]{0,9}(?:;[^\n]{0,4000})?\r{0,9}"
)
NAMES = {"x-gzip": "gzip", "gunzip": "gzip", "brotli": "br", "x-deflate": "deflate", "zlib": "deflate"}
PACKAGES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd", "zstandard")}
PIP = {"br": "brotli", "zstd": "zstandard"}


class CodingError(Exception):
    """A body can't be unpacked. Its words say why, as part of a sentence."""


class CutOffError(CodingError):
    """A body has no end: what there is of it is as it was."""


class TooLargeError(CodingError):
    """A body, or what it unpacks to, is over the cap."""


class _Stage(Protocol):
    """One coding that is undone."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What this gives, in pieces of a bounded size."""

    def end(self) -> Iterator[bytes]:
        """What was held back. Raises `CodingError` where something is missing."""


class Unpacking:
    """Takes a body's bytes piece by piece, and gives what they unpack to; at most `cap` bytes, before and after.

    Raises `TooLargeError` where it is more, and `CodingError` where it can't be undone.
    """

    def __init__(self, names: tuple[str, ...], cap: int) -> None:
        self._cap = cap
        self._came = self._gave = 0
        if len(names) > MOST_CODINGS:
            raise CodingError(f"it is packed {len(names)} times over")
        self._names = names
        # The last one that was done is the first to be undone. What looks packed in the end is, said or not.
        self._stages: list[_Stage] = [*(_stage(name) for name in reversed(names)), _Unsaid(0)]

    def is_packed(self, start: bytes) -> bool:
        """Whether a body that begins like this is packed, said or not."""
        return bool(self._names) or any(start.startswith(one[: len(start)]) for one in (GZIP, ZSTD))

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to."""
        self._came += len(data)
        if self._came > self._cap:
            raise TooLargeError("it is larger than any answer is")
        yield from self._through(data, 0)

    def end(self) -> Iterator[bytes]:
        """What is left, now that this was all. Raises `CodingError` where there should be more."""
        for number, stage in enumerate(self._stages):
            for piece in stage.end():
                yield from self._through(piece, number + 1)

    def _through(self, data: bytes, number: int) -> Iterator[bytes]:
        if not data:
            return
        if number == len(self._stages):
            self._gave += len(data)
            if self._gave > self._cap:
                raise TooLargeError("it is larger than any answer is")
            yield data
            return
        for piece in self._stages[number].feed(data):
            yield from self._through(piece, number + 1)


def unpacking(headers: Mapping[str, str], cap: int) -> Unpacking:
    """What undoes all that `headers` say was done to a body. Raises `CodingError` where this machine can't."""
    return Unpacking(codings(headers), cap)


def codings(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The codings that headers name, in the order in which they were done: those of the body, then of the way."""
    lower = {name.lower(): value for name, value in headers.items()}
    values = [lower.get(name, "").split(",") for name in ("content-encoding", "transfer-encoding")]
    # What stands behind a semicolon says how, which the body says too.
    names = [name.partition(";")[0].strip(" \t\"'").lower() for names in values for name in names]
    applied = [NAMES.get(name, name) for name in names if name not in NOTHING]
    # The last is undone where lines are read. Before another one it is packed with the rest.
    while applied and applied[-1] == CHUNKED:
        applied.pop()
    return tuple(applied)


def _stage(name: str) -> _Stage:
    if name in ("gzip", "deflate"):
        return _Inflate(raw=name == "deflate")
    if name in PACKAGES:
        return _Sipped(name)
    if name == CHUNKED:
        return Chunks()
    shown = re.sub(r"[^a-z0-9-]", "?", name)[:20]
    raise CodingError(f"it is packed as {shown!r}, which can't be undone here")


class Chunks:
    """What stands in the chunks of a body (RFC 9112, 7.1), or the body as it is where it is not in chunks at all.

    From where it is damaged the rest is given as it is, and `is_damaged`.
    """

    def __init__(self) -> None:
        self.is_plain = self.is_damaged = self.is_over = False
        """Whether it is in no chunks, from some place on in none, and at its end."""
        self.behind = b""
        """What came with its end, behind the last chunk's size."""
        self._rest = b""
        self._left = 0
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        data, self._rest, at = self._rest + data, b"", 0
        while at < len(data) and not self.is_over:
            if self.is_plain or self.is_damaged:
                yield data[at:]
                return
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield piece
                continue
            size = SIZE.match(data, at)
            if size is None:
                if MAYBE_SIZE.fullmatch(data, at):
                    self._rest = data[at:]
                    return
                self.is_damaged, self.is_plain = self._begun, not self._begun
                continue
            at = size.end()
            self._begun, self._left = True, int(size[1], 16)
            self.is_over = not self._left
            self.behind = data[at:] if self.is_over else b""

    def end(self) -> Iterator[bytes]:
        yield self._rest
        if not self.is_whole:
            raise CutOffError("it is in pieces, and its end is missing")

    @property
    def is_whole(self) -> bool:
        """Whether it may end here."""
        return self.is_over or not (self._begun or self.is_damaged)


class _Unsaid:
    """What is packed though nothing said so, by its first bytes."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._start = b""
        self._inner: _Both | None = None
        self._plain = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inner is None and not self._plain:
            data = self._start + data
            magic = next((one for one in (GZIP, ZSTD) if data.startswith(one)), None)
            if magic is None and len(data) < len(ZSTD) and any(one.startswith(data) for one in (GZIP, ZSTD)):
                self._start = data
                return
            self._start = b""
            if magic is None or self._depth == MOST_CODINGS:
                self._plain = True
            else:
                first = _stage("gzip" if magic == GZIP else "zstd")
                self._inner = _Both(first, _Unsaid(self._depth + 1))
        if self._inner is None:
            yield data
        else:
            yield from self._inner.feed(data)

    def end(self) -> Iterator[bytes]:
        yield self._start
        if self._inner is not None:
            yield from self._inner.end()


class _Both:
    """One coding undone, and then another."""

    def __init__(self, first: _Stage, then: _Stage) -> None:
        self._first, self._then = first, then

    def feed(self, data: bytes) -> Iterator[bytes]:
        for piece in self._first.feed(data):
            yield from self._then.feed(piece)

    def end(self) -> Iterator[bytes]:
        for piece in self._first.end():
            yield from self._then.feed(piece)
        yield from self._then.end()


class _Inflate:
    """gzip of any number of members, zlib's form, and with `raw` also bare deflate; or what is none of these, as it is.

    "deflate" means zlib's form (RFC 9110, 8.4.1.2), and some send it bare.
    """

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._start = b""
        self._unpack: Any = None
        self._is_gzip = self._is_plain = self._is_over = False
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        data, self._start = self._start + data, b""
        while data and not self._is_over:
            if self._is_plain:
                yield data
                return
            if self._unpack is None and self._members:
                # Zeros may fill up the end of a member, and what else comes is no part of it.
                data = data.lstrip(b"\0")
                if data and GZIP.startswith(data):
                    self._start = data
                    return
                if not data.startswith(GZIP):
                    self._is_over = bool(data)
                    return
            if self._unpack is None:
                if len(data) < TELLING and not data.startswith(GZIP):
                    self._start = data
                    return
                self._begin(data)
                continue
            try:
                piece = self._unpack.decompress(data, PIECE)
            except zlib.error:
                raise CodingError("it is packed and damaged") from None
            data = self._unpack.unconsumed_tail
            if piece:
                yield piece
            if self._unpack.eof:
                data = self._unpack.unused_data
                # Kept, it would gather all that comes after it.
                self._unpack = None
                self._members += 1
                self._is_over = not self._is_gzip

    def _begin(self, data: bytes) -> None:
        self._is_gzip = data.startswith(GZIP)
        is_zlib = len(data) > 1 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        if self._is_gzip or is_zlib:
            self._unpack = zlib.decompressobj(wbits=31 if self._is_gzip else 15)
        elif self._raw and _is_bare_deflate(data):
            self._unpack = zlib.decompressobj(wbits=-15)
        else:
            self._is_plain = True

    def end(self) -> Iterator[bytes]:
        if self._start and self._unpack is None and not self._members:
            self._begin(self._start)
            yield from self.feed(b"")
        if self._unpack is not None and not self._unpack.eof and not self._is_over:
            raise CutOffError("it is packed, and its end is missing")


def _is_bare_deflate(data: bytes) -> bool:
    try:
        zlib.decompressobj(wbits=-15).decompress(data[:PIECE], PIECE)
    except zlib.error:
        return False
    return True


class _Sipped:
    """br or zstd, by whichever package is here, a little at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        package = next(filter(None, map(_loaded, PACKAGES[name])), None)
        if package is None:
            raise CodingError(
                f"it is packed as {name!r}, which needs a package that is not here: pip install {PIP[name]}"
            )
        self._make = _Brotli if name == "br" else _Zstd
        self._package = package
        self._decoder: _Brotli | _Zstd | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), SIP):
            rest = data[start : start + SIP]
            while rest:
                if self._decoder is None or (self._decoder.is_over and self._name == "zstd"):
                    # Frames of zstd may follow each other.
                    self._decoder = self._make(self._package)
                if self._decoder.is_over:
                    return
                try:
                    yield from self._decoder.feed(rest)
                except Exception:  # noqa: BLE001 - each package has errors of its own
                    raise CodingError("it is packed and damaged") from None
                rest = self._decoder.unused

    def end(self) -> Iterator[bytes]:
        if self._decoder is not None and not self._decoder.is_over:
            raise CutOffError("it is packed, and its end is missing")
        yield b""


class _Brotli:
    def __init__(self, package: Any) -> None:
        self._inner = package.Decompressor()
        self.unused = b""

    @property
    def is_over(self) -> bool:
        return bool(self._inner.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not hasattr(self._inner, "can_accept_more_data"):
            # An older one, which can't be told where to stop.
            yield self._inner.process(data)
            return
        yield self._inner.process(data, output_buffer_limit=PIECE)
        while not self._inner.can_accept_more_data():
            yield self._inner.process(b"", output_buffer_limit=PIECE)


class _Zstd:
    """By Python's own module (or its copy for older Pythons), or by the `zstandard` package."""

    def __init__(self, package: Any) -> None:
        if hasattr(package, "DecompressionParameter"):
            limit = {package.DecompressionParameter.window_log_max: WINDOW.bit_length() - 1}
            self._inner = package.ZstdDecompressor(options=limit)
        else:
            self._inner = package.ZstdDecompressor(max_window_size=WINDOW).decompressobj()

    @property
    def is_over(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._inner.unused_data) if self._inner.eof else b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not hasattr(self._inner, "needs_input"):
            yield self._inner.decompress(data)
            return
        yield self._inner.decompress(data, PIECE)
        while not (self._inner.needs_input or self._inner.eof):
            yield self._inner.decompress(b"", PIECE)


def _loaded(name: str) -> Any:
    try:
        return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None
    except ImportError:
        return None

"""`Intake`: an answer's body on its way from the network, kept, unpacked and read, whatever becomes of its line."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from .. import loop
from ..coding import CodingError, CutOffError, TooLargeError, Unpacking, unpacking
from ..rawanswers import RawAnswer
from ..reply.arriving import AnswerReader
from ..reply.events import Tell
from ..threads import InTurn

__all__ = ["Intake"]

# In bytes: of a packed answer, what is held in memory and not in a file that has no name.
HELD = 2**23
READ = 2**20
# In bytes: no refusal says more in words.
LONGEST_REFUSAL = 2**16
# In bytes, of a stream that was not read to its end: what is read of it but its pictures.
LARGEST_TEXT = 2**25
ENDS = InTurn(0.25)
"""Of answers that come together the first can be followed by the next request while the others are read."""
PACKING = ("content-encoding", "transfer-encoding")


class Intake:
    """Takes a body piece by piece. But for making one, nothing in here is for the loop's thread.

    What is kept in `raw` is what the body unpacks to, as a key can be taken out of that only. The packed bytes
    themselves are kept where they can't be unpacked: nobody can look into them here.
    """

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        cap: int,
        raw: RawAnswer | None,
        tell: Tell | None = None,
        scrub: Callable[[str], str] = str,
    ) -> None:
        self.reader = AnswerReader(tell)
        self.failure: Exception | None = None
        """Why what came could not be unpacked, or read."""
        # Whoever gave up waiting for one piece may bring the last one.
        self._guard = threading.Lock()
        self._raw, self._status, self._headers = raw, status, headers
        self._cap, self._came, self._is_closed = cap, 0, False
        self._unpack: Unpacking | None = None
        self._packed: IO[bytes] | None = None
        self._has_begun = False
        self._scrub = scrub
        # What it says, in a tuple, once that was read.
        self._says: tuple[dict[str, Any] | None] | None = None

    def _begin(self) -> None:
        """With its first bytes, as that looks into folders and makes a file."""
        if self._has_begun:
            return
        self._has_begun = True
        headers, cap, raw = self._headers, self._cap, self._raw
        kept = headers
        try:
            self._unpack = unpacking(headers, cap)
            kept = {name: value for name, value in headers.items() if name.lower() not in PACKING}
        except CodingError as error:
            # All of it is kept, for when it can be undone.
            self.failure = error
        if raw is not None:
            raw.head(self._status, kept)

    def take(self, data: bytes) -> None:
        """The next bytes. Raises where there are too many; other faults wait until all of it is here, and kept."""
        with self._guard:
            self._take(data)

    def end(self, data: bytes) -> None:
        """The last bytes. Raises what went wrong with them all."""
        with ENDS.turn():
            with self._guard:
                self._take(data)
                self._close()
            if self.failure is not None:
                raise self.failure
            # While this thread has it. What can't be read is told to whoever wants it.
            with contextlib.suppress(Exception):
                self._says = (self.reader.parsed(self._scrub),)

    def broken(self, data: bytes) -> None:
        """The last bytes of a body that has no end."""
        with self._guard, contextlib.suppress(TooLargeError):
            if not self._is_closed:
                self._take(data)
        with self._guard, contextlib.suppress(TooLargeError):
            self._close()

    async def parsed(self) -> dict[str, Any] | None:
        """What it says, without the key; None where that can't be told. Raises what reading it raises."""
        if self._says is None:
            self._says = await loop.in_thread(
                lambda: (self.reader.parsed(self._scrub) if self.is_sound else None,)
            )
        return self._says[0]

    @property
    def is_sound(self) -> bool:
        """Whether what was read is what was sent, if perhaps not all of it."""
        if self.is_too_large:
            # A stream's results are whole where their events are. It takes a few times its size to look at it.
            return self.reader.is_stream and self.reader.size <= LARGEST_TEXT
        return self.failure is None or isinstance(self.failure, CutOffError)

    @property
    def is_too_large(self) -> bool:
        """Whether there was more of it than of any answer."""
        return isinstance(self.failure, TooLargeError)

    @property
    def may_hold_picture(self) -> bool:
        """Whether a picture may stand in what is missing, or can't be read."""
        # A stream's drafts are large, and what it says of an error comes last.
        many = self._came > LONGEST_REFUSAL and not self.reader.is_stream
        return many or self.reader.is_amid_picture

    @property
    def is_over(self) -> bool:
        """Whether the body itself has said that nothing more comes."""
        return self.reader.is_over

    def unread(self, mime: str) -> bytes:
        """A digest of what came, where it can't be read as a whole; empty where it can."""
        # What is not one JSON value, and is no stream of them, may have lost its end.
        if self.is_sound and self.reader.is_whole(mime):
            return b""
        return hashlib.sha256(b"%d %s" % (self._came, self.reader.text)).digest()

    def _take(self, data: bytes) -> None:
        self._begin()
        self._came += len(data)
        if self._came > self._cap:
            self.failure = TooLargeError("it is larger than any answer is")
            raise self.failure
        if self._unpack is None:
            self._keep(data)
            return
        if self._came == len(data) and self._raw is not None and self._unpack.is_packed(data):
            # Closed in `_close`, whatever becomes of the body.
            self._packed = tempfile.SpooledTemporaryFile(HELD)  # noqa: SIM115
        if self._packed is not None:
            try:
                self._packed.write(data)
            except OSError:
                # There is no room: what it unpacks to is kept.
                self._packed = None
        self._unpacked(self._unpack.feed(data))

    def _unpacked(self, pieces: Iterator[bytes]) -> None:
        """Keep and read what the body unpacks to; what fails then fails for good."""
        while self._unpack is not None:
            try:
                piece = next(pieces, None)
            except Exception as error:
                self.failure = self.failure or error
                if not isinstance(error, CutOffError):
                    self._unpack = None
                if isinstance(error, TooLargeError):
                    raise
                return
            if piece is None:
                return
            self._keep(piece)
            if self.failure is None:
                self._read(piece)

    def _read(self, piece: bytes | None) -> None:
        """The next bytes for the reader, or its end."""
        try:
            if piece is None:
                self.reader.end()
            else:
                self.reader.feed(piece)
        except TooLargeError as error:
            self.failure = error
            raise
        except Exception as error:  # noqa: BLE001 - all of it is kept, for another reader
            self.failure = error

    def _keep(self, data: bytes) -> None:
        if self._raw is not None:
            self._raw.write(data)

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._unpack is not None:
                self._unpacked(self._unpack.end())
            if self.is_sound:
                self._read(None)
        finally:
            raw, packed = self._raw, self._packed
            # Where a key stood in what was unpacked, it stands in the packed bytes too.
            if raw is not None and packed is not None and self._unpack is None and not raw.held_key:
                self._keep_packed(raw, packed)
            elif raw is not None:
                raw.end()
            if packed is not None:
                packed.close()

    def _keep_packed(self, raw: RawAnswer, packed: IO[bytes]) -> None:
        raw.head(self._status, self._headers)
        packed.seek(0)
        while piece := packed.read(READ):
            raw.write(piece)
        raw.end()

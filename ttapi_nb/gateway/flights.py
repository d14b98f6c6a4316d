"""`Flight`: a run that this gateway has, from its admission to its answer, as those who wait for it see it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from .runs import End
from .storing import PIECE

__all__ = ["Flight"]


class Flight:
    """One run under way. It goes on whether or not somebody follows it.

    `status` is None until an answer has begun; `end` until it is settled.
    """

    def __init__(self, body: Path, accept: str, *, may_return: bool) -> None:
        self.number, self.body, self.accept = 0, body, accept
        self.taken = False
        self.may_return = may_return
        """Whether its client can ask for it again, so that it is worth sending while nobody waits."""
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.end: End | None = None
        self.cut = False
        """Whether the service's line broke before its answer was whole."""
        self.lost = False
        """Whether its sender was lost: what becomes of it, the ledger will know."""
        self.followers = 0
        self.alone_since = time.monotonic()
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._size = 0
        self._start = 0
        self._live = False
        self._changed = asyncio.Event()

    def join(self) -> bool:
        """Somebody follows it from now on, until `leave`; False where it is over, and the ledger has its answer."""
        if self.end is not None:
            return False
        self.followers += 1
        return True

    def leave(self) -> None:
        """Who followed it does not any more."""
        self.followers -= 1
        self.alone_since = time.monotonic()
        self._close()

    def _close(self) -> None:
        if self._file is not None and self.end is not None and not self.followers:
            self._file.close()

    def begun(
        self, status: int, headers: tuple[tuple[str, str], ...], file: IO[bytes], start: int, *, live: bool
    ) -> None:
        """An answer begins, to be read in `file` from `start`; `live` says that each piece is wanted at once."""
        self.status, self.headers, self._file, self._start, self._live = status, headers, file, start, live
        self._tell()

    def grown(self, size: int) -> None:
        """So many bytes of it are there."""
        self._size = size
        self._tell()

    def ended(self, end: End) -> None:
        """It is settled."""
        self.end = end
        self._tell()
        self._close()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until_begun(self) -> None:
        """Wait until there is an answer, or an end without one."""
        while self.status is None and self.end is None:
            await self._changed.wait()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The answer's bytes as they come. The last ones come once the run is settled, but for a stream's."""
        sent = 0
        while True:
            changed, over = self._changed, self.end is not None
            # What has come last is held back: whoever has all of it may ask the ledger next.
            ready = self._size if over or self._live else max(0, self._size - 1)
            while sent < ready:
                data = await asyncio.to_thread(self._read, sent, min(PIECE, ready - sent))
                sent += len(data)
                yield data
            if over:
                return
            await changed.wait()

    def _read(self, at: int, size: int) -> bytes:
        if self._file is None:
            raise AssertionError("an answer that has begun has a file")
        with self._lock:
            self._file.seek(self._start + at)
            data = self._file.read(size)
        if not data:
            raise OSError("an answer's file is shorter than it was")
        return data

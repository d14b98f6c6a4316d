"""What comes in over a connection, by a deadline for all of it and not for each byte, and no more than was allowed."""

from __future__ import annotations

import io
import socket
import threading
import time
from typing import Any, Self

from .refusal import Refusal

__all__ = ["Inbox", "Lot", "Store"]


class Inbox(io.RawIOBase):
    """Reads from a socket. `allow` says for how long and how much; beyond that reading raises `TimeoutError`, or
    `Refusal` where it is too much.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._socket = sock
        self._until, self._left, self._pause = 0.0, 0, 0.0

    def allow(self, seconds: float, most: int, *, pause: float | None = None) -> None:
        """Allow `most` more bytes within `seconds`, and no silence longer than `pause`."""
        self._until, self._left = time.monotonic() + seconds, most
        self._pause = seconds if pause is None else pause

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what is there, as far as it is allowed."""
        if self._left <= 0:
            raise Refusal("The request's head is too large. Send fewer and shorter headers.", status=431)
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, self._pause))
        got = self._socket.recv_into(memoryview(buffer)[: self._left])
        self._left -= got
        return got


class Store:
    """Room for the bodies of all requests that are being read: at most `most` bytes at once."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._lock = threading.Lock()

    def lot(self) -> Lot:
        """Room for one body, which grows as it comes and is free again after the `with` block."""
        return Lot(self)

    def change(self, by: int) -> None:
        """Take room, or give it back; raises `Refusal` where there is not enough.

        Nobody waits for it: two bodies that are half there would wait for each other.
        """
        with self._lock:
            if by > 0 and self._taken + by > self._most:
                raise Refusal(
                    "Too many large requests came at once. Send this one again in a moment.", status=503
                )
            self._taken += by


class Lot:
    """Room for one body in a `Store`."""

    def __init__(self, store: Store) -> None:
        self._store, self._size = store, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.change(-self._size)
        self._size = 0

    def grow(self, by: int) -> None:
        """Take room for `by` more bytes."""
        self._store.change(by)
        self._size += by

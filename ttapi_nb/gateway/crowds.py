"""Who may take how much of a gateway at once: `Uploads`, bodies that come in, and `Crowd`, all requests of a person."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Crowd", "Upload", "Uploads"]

MOST_UPLOADS, MOST_EACH = 128, 8
MOST_REQUESTS = 100
# In seconds: how often somebody who waits looks for a body that is too slow, and how long each has before it may be.
LOOK, GRACE = 1.0, 10.0
# In bytes a second. What is slower keeps its place as long as nobody waits for one.
SLOWEST = 5_000
LEAVE = "ttapi_nb.leave"


@dataclass(eq=False)
class Upload:
    """A body that is coming in; `clock`, where its reader has set one, says how long it may."""

    began: float = field(default_factory=time.monotonic)
    came: int = 0
    clock: asyncio.Timeout | None = None

    def is_slow(self) -> bool:
        """Whether it is to give way to whoever waits."""
        seconds = time.monotonic() - self.began
        return seconds > GRACE and self.came < SLOWEST * seconds

    def end(self) -> None:
        """Have its reader give up."""
        # It may be whole by now.
        with contextlib.suppress(RuntimeError):
            if self.clock is not None:
                self.clock.reschedule(0.0)


class Uploads:
    """Bodies that are coming in: so many from each person, and so many in all. Others wait, and cost a line each; a
    body that drips gives way to them.
    """

    def __init__(self, most: int = MOST_UPLOADS, most_each: int = MOST_EACH) -> None:
        self._all, self._most_each = asyncio.Semaphore(most), most_each
        self._each: dict[str, asyncio.Semaphore] = {}
        self._users: Counter[str] = Counter()
        self._inside: list[Upload] = []

    @contextlib.asynccontextmanager
    async def place(self, person_id: str) -> AsyncIterator[Upload]:
        """Wait for a place, and keep it while the block lasts."""
        own = self._each.setdefault(person_id, asyncio.Semaphore(self._most_each))
        self._users[person_id] += 1
        upload = Upload()
        try:
            # First one's own: who waits there must not hold a place of all.
            async with own:
                await self._enter()
                upload.began = time.monotonic()
                self._inside.append(upload)
                try:
                    yield upload
                finally:
                    self._inside.remove(upload)
                    self._all.release()
        finally:
            self._users[person_id] -= 1
            if not self._users[person_id]:
                del self._users[person_id], self._each[person_id]

    async def _enter(self) -> None:
        turn = asyncio.ensure_future(self._all.acquire())
        try:
            while not (await asyncio.wait([turn], timeout=LOOK))[0]:
                slow = next((one for one in self._inside if one.is_slow()), None)
                if slow is not None:
                    slow.end()
        except BaseException:
            if not turn.cancel() and not turn.cancelled():
                self._all.release()
            raise


class Crowd:
    """Counts the requests of each person that are not answered yet, down to the last byte of the answer."""

    def __init__(self, most: int = MOST_REQUESTS) -> None:
        self._most = most
        self._there: Counter[str] = Counter()

    def enter(self, scope: MutableMapping[str, Any], person_id: str) -> bool:
        """Count a request until `leave`; False where there are too many."""
        if self._there[person_id] >= self._most:
            return False
        self._there[person_id] += 1
        scope[LEAVE] = self, person_id
        return True

    @staticmethod
    def leave(scope: MutableMapping[str, Any]) -> None:
        """A request is over, whoever's it was."""
        crowd, person_id = scope.pop(LEAVE, (None, ""))
        if crowd is not None:
            crowd._there[person_id] -= 1
            if not crowd._there[person_id]:
                del crowd._there[person_id]

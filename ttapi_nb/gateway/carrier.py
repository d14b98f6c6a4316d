"""`Carrier`: takes runs in their turn and sends each at most once, whoever waits for it.

A run is marked in the ledger as sent, on the disk, before its first byte leaves. A gateway that is killed then leaves a
run of unknown outcome behind, which keeps its reservation, unless all of its answer was on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import ParamSpec, TypeVar

from ..freeing import LARGE, give_back
from .classes import Person
from .database import DiskFullError, LedgerError
from .flights import Flight
from .keeping import Keeper
from .pruning import EVERY, Kept, prune, tidy
from .runs import Asked, End, Refused, Run
from .sender import Sender, Sent, say
from .storing import Store

__all__ = ["Carrier", "is_full"]

P = ParamSpec("P")
R = TypeVar("R")

# In seconds: how often others that died are looked for, and the queue where another gateway shares it.
LOOK, SHARED_LOOK = 1.0, 0.1
# In seconds: for how long a run whose client may come back is worth sending while nobody waits for it.
PATIENCE = 60.0
GIVEN_UP = "Nobody waited for it any more when its turn came, so it was not sent."
NOT_REACHED = (
    "The service can't be reached from the gateway, so nothing was sent or billed. Tell your teacher."
)
LOST = (
    "The gateway was stopped while this run was with the service, so it may have been billed, and it counts."
)
TIMES_KEPT = 1000
# In seconds: for how long what was told of the queue is told again.
PLACES_SECONDS = 0.5


class Carrier:
    """Sends what is admitted: at most `at_once` runs at a time and `per_minute` a minute, by all gateways together."""

    def __init__(
        self,
        sender: Sender,
        *,
        at_once: int,
        per_minute: int | None,
        keeper: Keeper | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.sender, self.keeper, self.kept = sender, keeper, kept or Kept()
        self.ledger, self.store = sender.ledger, sender.store
        self.at_once, self.per_minute = at_once, per_minute
        self.flights: dict[tuple[str, str], Flight] = {}
        self.counts: Counter[str] = Counter()
        self.seconds: deque[float] = deque(maxlen=TIMES_KEPT)
        self._kick = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._alone = True
        self._places: dict[str, int] = {}
        self._places_at = 0.0

    async def call(self, work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """Have the ledger do something on a thread."""
        return await self.sender.call(work, *args, **named)

    async def ahead(self, person_id: str) -> int | None:
        """How many people are served before this one, as it was a moment ago; None where nothing of theirs waits."""
        if time.monotonic() - self._places_at > PLACES_SECONDS:
            # First: many ask at once.
            self._places_at = time.monotonic()
            self._places = await self.call(self.ledger.runs.places)
        return self._places.get(person_id)

    def kick(self) -> None:
        """Look at the queue: who may be served has changed."""
        self._kick.set()

    @property
    def mine(self) -> set[str]:
        """By what names the ledger knows this gateway."""
        return {self.ledger.runs.me, self.keeper.id if self.keeper is not None else self.ledger.runs.me}

    # Begin and end

    async def start(self) -> None:
        """Be there for runs."""
        # Meanwhile, and before somebody waits for it.
        beside = asyncio.ensure_future(self._have_keeper())
        try:
            await self.call(self.ledger.runs.live)
            await self._bury()
        except BaseException:
            await beside
            if self.keeper is not None:
                await self.keeper.close()
            raise
        await beside
        self._begin(self._take_turns())
        self._begin(self._look_around())
        self._begin(self._tidy_up())

    async def _have_keeper(self) -> None:
        with contextlib.suppress(OSError):
            if self.keeper is not None:
                await self.keeper.ready()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, seconds: float = 20.0) -> None:
        """Take nothing more, wait a while for what is with the service, and leave."""
        self._closing = True
        self._kick.set()
        mine = [task for task in self._tasks if task.get_name().startswith("run")]
        if mine:
            await asyncio.wait(mine, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.keeper is not None:
            await self.keeper.close()
        with contextlib.suppress(LedgerError):
            await self.call(self.ledger.runs.gone)
        await self.sender.close()

    # In

    async def admit(
        self, person: Person, run_id: str, asked: Asked, new: Flight
    ) -> tuple[Run | Refused, Flight | None]:
        """Reserve a run and put it in the queue, or find it where it is known; then the flight is not `new`, or has
        ended, or another gateway has it.
        """
        key = person.id, run_id
        # Before it is in the ledger: its turn may come at once.
        flight = self.flights.setdefault(key, new)
        joined = False
        try:
            run = await self.call(self.ledger.runs.admit, person, run_id, asked)
            if isinstance(run, Run) and not run.ended and run.gateway in self.mine:
                joined = flight.join()
                flight.number = run.number
                self.counts["admitted"] += flight is new
                self._kick.set()
            return run, flight if joined else None
        finally:
            if not joined and flight is new:
                self.flights.pop(key, None)

    # In turn

    async def _take_turns(self) -> None:
        wait = 0.0
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._kick.wait(), wait)
            self._kick.clear()
            try:
                wait = await self._take_all()
            except (LedgerError, OSError) as error:
                say(error)
                wait = LOOK

    async def _take_all(self) -> float:
        """Send all that may be sent; returns when to look again."""
        while any(not flight.taken for flight in self.flights.values()) and not self._closing:
            way = self.ledger.runs.me if self.keeper is None else await self.keeper.ready()
            run, seconds = await self.call(self.ledger.runs.take, self.at_once, self.per_minute, way)
            if run is None:
                return min(seconds, LOOK if self._alone else SHARED_LOOK)
            flight = self.flights.get((run.person, run.id))
            if flight is not None:
                flight.taken, flight.number = True, run.number
            task = asyncio.ensure_future(self._carry(run, flight))
            task.set_name(f"run {run.number}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return LOOK

    async def _carry(self, run: Run, flight: Flight | None) -> None:
        begun = time.monotonic()
        if flight is None or self._is_given_up(flight):
            sent = Sent(End("not sent", GIVEN_UP))
            await self.sender.settle(run, sent.end)
        else:
            progress = _Followed(flight, self.store)
            way = self.sender if self.keeper is None else self.keeper
            sent = await way.carry(run, flight.body, flight.accept, progress)
            if sent.lost and sent.end.state == "not sent":
                with contextlib.suppress(LedgerError):
                    await self.call(self.ledger.runs.not_left, run)
        self.seconds.append(time.monotonic() - begun)
        self.counts[sent.end.state] += 1
        if flight is not None:
            self.flights.pop((run.person, run.id), None)
            flight.cut, flight.lost = sent.cut, sent.lost
            flight.ended(sent.end)
        # A keeper that was lost may be yet to send it.
        if flight is not None and (not sent.lost or sent.end.state == "not sent"):
            with contextlib.suppress(OSError):
                await asyncio.to_thread(flight.body.unlink, missing_ok=True)
        if sent.end.status is not None:
            await self.sender.forget(run.number)
        self._kick.set()

    def _is_given_up(self, flight: Flight) -> bool:
        if flight.followers:
            return False
        return not flight.may_return or time.monotonic() - flight.alone_since > PATIENCE

    # What others have left

    async def _look_around(self) -> None:
        while not self._closing:
            await asyncio.sleep(LOOK)
            # What many bodies have passed through would stay with this process.
            await asyncio.to_thread(give_back, 2 * LARGE)
            try:
                await self._bury()
            except LedgerError as error:
                say(error)

    async def _tidy_up(self) -> None:
        while not self._closing:
            wanted = {flight.body for flight in self.flights.values()}
            try:
                await self.call(prune, self.ledger, self.store, self.kept)
                await asyncio.to_thread(tidy, self.store, wanted, alone=self._alone)
            except (LedgerError, OSError) as error:
                say(error)
            await asyncio.sleep(EVERY)

    async def _bury(self) -> None:
        left = await self.call(self.ledger.runs.bury)
        self._alone = await self.call(self.ledger.runs.is_alone, self.mine)
        for run in left:
            await self.sender.settle(run, await asyncio.to_thread(self.sender.end_of, run))
            await self.sender.forget(run.number)
        if left:
            self._kick.set()


class _Followed:
    """Tells a flight of its answer, which it reads from the file."""

    def __init__(self, flight: Flight, store: Store) -> None:
        self._flight, self._store = flight, store

    async def begun(
        self, status: int, headers: tuple[tuple[str, str], ...], start: int, *, live: bool
    ) -> None:
        file = await asyncio.to_thread(self._store.open, self._flight.number)
        self._flight.begun(status, headers, file, start, live=live)

    def grown(self, size: int) -> None:
        self._flight.grown(size)


def is_full(error: Exception) -> bool:
    """Whether an error says that there is no room on the disk."""
    return isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno == 28)

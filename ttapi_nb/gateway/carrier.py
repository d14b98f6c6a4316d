"""`Carrier`: takes runs in their turn and sends each at most once, whoever waits for it.

A run is marked in the ledger as sent, on the disk, before its first byte leaves. A gateway that is killed then leaves a
run of unknown outcome behind, which keeps its reservation, unless all of its answer was on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import ParamSpec, TypeVar

from .classes import Person
from .database import CONNECTIONS, DiskFullError, LedgerError
from .flights import Flight
from .judging import Judge
from .ledger import Ledger
from .runs import Asked, End, Refused, Run
from .storing import Store
from .upstream import NotSent, Upstream

__all__ = ["Carrier", "is_full"]

P = ParamSpec("P")
R = TypeVar("R")

# In seconds: how often others that died are looked for, and the queue where another gateway shares it.
LOOK, SHARED_LOOK = 1.0, 0.1
# In seconds: for how long a run whose client may come back is worth sending while nobody waits for it.
PATIENCE = 60.0
BUSY = (429, 499)
BUSY_SECONDS = 5.0
LONGEST_PAUSE = 3600.0
GIVEN_UP = "Nobody waited for it any more when its turn came, so it was not sent."
NOT_REACHED = (
    "The service can't be reached from the gateway, so nothing was sent or billed. Tell your teacher."
)
LOST = (
    "The gateway was stopped while this run was with the service, so it may have been billed, and it counts."
)
TIMES_KEPT = 1000


class Carrier:
    """Sends what is admitted: at most `at_once` runs at a time and `per_minute` a minute, by all gateways together."""

    def __init__(
        self, ledger: Ledger, store: Store, upstream: Upstream, *, at_once: int, per_minute: int | None
    ) -> None:
        self.ledger, self.store, self.upstream = ledger, store, upstream
        self.at_once, self.per_minute = at_once, per_minute
        self.flights: dict[tuple[str, str], Flight] = {}
        self.counts: Counter[str] = Counter()
        self.seconds: deque[float] = deque(maxlen=TIMES_KEPT)
        # SQLite takes one writer at a time, and its own way of waiting for each other is to sleep.
        self._threads = ThreadPoolExecutor(1 if ledger.database.is_file else CONNECTIONS, "ledger")
        self._kick = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._alone = True

    async def call(self, work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """Have the ledger do something on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **named))

    def kick(self) -> None:
        """Look at the queue: who may be served has changed."""
        self._kick.set()

    # Begin and end

    async def start(self) -> None:
        """Be there for runs."""
        await self.call(self.ledger.runs.live)
        await self._bury()
        self._begin(self._take_turns())
        self._begin(self._look_around())

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
        await self.upstream.close()
        await asyncio.to_thread(self.ledger.database.leave)
        self._threads.shutdown(wait=True)

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
            if isinstance(run, Run) and not run.ended and run.gateway == self.ledger.runs.me:
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
            except LedgerError as error:
                _say(error)
                wait = LOOK

    async def _take_all(self) -> float:
        """Send all that may be sent; returns when to look again."""
        while any(not flight.taken for flight in self.flights.values()) and not self._closing:
            run, seconds = await self.call(self.ledger.runs.take, self.at_once, self.per_minute)
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
        end = End("unknown", LOST)
        try:
            if flight is None or self._is_given_up(flight):
                end = End("not sent", GIVEN_UP)
            else:
                end = await self._send(run, flight)
        except NotSent:
            end = End("not sent", NOT_REACHED)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the run is settled
            end = replace(end, problem=f"No whole answer came from the service ({type(error).__name__}).")
        await self._settle(run, end)
        self.seconds.append(time.monotonic() - begun)
        self.counts[end.state] += 1
        if flight is not None:
            self.flights.pop((run.person, run.id), None)
            flight.ended(end)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(flight.body.unlink, missing_ok=True)
        self._kick.set()

    def _is_given_up(self, flight: Flight) -> bool:
        if flight.followers:
            return False
        return not flight.may_return or time.monotonic() - flight.alone_since > PATIENCE

    async def _send(self, run: Run, flight: Flight) -> End:
        path = run.path.removeprefix("/v1")
        size = await asyncio.to_thread(lambda: flight.body.stat().st_size)
        async with self.upstream.post(path, run.kind, flight.accept, flight.body, size) as answer:
            live = any(name == "content-type" and "event-stream" in value for name, value in answer.headers)
            file = await asyncio.to_thread(self.store.new_answer, run.number, answer.status, answer.headers)
            judge = Judge(answer.status)
            reader = await asyncio.to_thread(file.path.open, "rb")
            flight.begun(answer.status, answer.headers, reader, file.start, live=live)
            whole = False

            def put(data: bytes) -> int:
                judge.feed(data)
                return file.put(data)

            try:
                async with contextlib.aclosing(answer.pieces) as pieces:
                    async for piece in pieces:
                        flight.grown(await asyncio.to_thread(put, piece))
                whole = True
            except Exception as error:  # noqa: BLE001 - what came until then is kept
                flight.cut = True
                _say(error)
            await asyncio.to_thread(partial(file.finish, whole=whole))
        if answer.status in BUSY:
            await self._leave_alone(answer.headers)
        end = judge.end(whole=whole)
        return replace(end, status=answer.status, headers=answer.headers)

    async def _leave_alone(self, headers: tuple[tuple[str, str], ...]) -> None:
        said = dict(headers).get("retry-after", "").strip()
        seconds = float(said) if said.isascii() and said.isdecimal() and len(said) < 6 else BUSY_SECONDS
        await self.call(self.ledger.runs.pause, min(seconds, LONGEST_PAUSE))

    async def _settle(self, run: Run, end: End) -> None:
        """Write the end down, as often as it takes: the answer is on the disk meanwhile."""
        while True:
            try:
                if not self.ledger.database.is_file and end.status is not None:
                    await self.call(self._into_database, run.number)
                await self.call(self.ledger.runs.settle, run, end)
                if not self.ledger.database.is_file and end.status is not None:
                    await asyncio.to_thread(self.store.forget, run.number)
                return
            except (LedgerError, OSError) as error:
                _say(error)
                if self._closing:
                    return
                await asyncio.sleep(LOOK)

    def _into_database(self, number: int) -> None:
        path = self.store.place(number)
        if path is not None:
            self.ledger.pieces.keep(number, self.store.pieces(number))

    # What others have left

    async def _look_around(self) -> None:
        while not self._closing:
            await asyncio.sleep(LOOK)
            try:
                await self._bury()
            except LedgerError as error:
                _say(error)

    async def _bury(self) -> None:
        left = await self.call(self.ledger.runs.bury)
        self._alone = await self.call(self.ledger.runs.is_alone)
        for run in left:
            await self._settle(run, await asyncio.to_thread(self._end_of, run))
        if left:
            self._kick.set()

    def _end_of(self, run: Run) -> End:
        """How a run ended that a gateway was killed over: all of its answer may be here."""
        path = self.store.place(run.number)
        if path is None or not self.store.is_whole(run.number):
            return End("unknown", LOST)
        status, headers, _ = self.store.head(path)
        judge = Judge(status)
        for piece in self.store.pieces(run.number):
            judge.feed(piece)
        return replace(judge.end(whole=True), status=status, headers=headers)


def is_full(error: Exception) -> bool:
    """Whether an error says that there is no room on the disk."""
    return isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno == 28)


def _say(error: Exception) -> None:
    # Its kind alone where it may hold what is the user's own.
    said = str(error) if isinstance(error, LedgerError) else type(error).__name__
    logging.getLogger("ttapi_nb.gateway").warning("%s", said)

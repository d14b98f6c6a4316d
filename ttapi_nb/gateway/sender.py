"""`Sender`: makes the one POST of a run, keeps the answer as it comes, and settles the run in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from .database import CONNECTIONS, LedgerError
from .judging import Judge
from .ledger import Ledger
from .runs import End, Run
from .storing import Store
from .upstream import NotSent, Upstream

__all__ = ["LOST", "Progress", "Sender", "Sent", "say"]

P = ParamSpec("P")
R = TypeVar("R")

BUSY = (429, 499)
BUSY_SECONDS = 5.0
AGAIN = 1.0
NOT_REACHED = (
    "The service can't be reached from the gateway, so nothing was sent or billed. Tell your teacher."
)
LOST = (
    "The gateway was stopped while this run was with the service, so it may have been billed, and it counts."
)


class Progress(Protocol):
    """Who is told of an answer as it comes."""

    async def begun(
        self, status: int, headers: tuple[tuple[str, str], ...], start: int, *, live: bool
    ) -> None:
        """It begins, in its file behind `start` bytes; `live` says that each piece is wanted at once."""

    def grown(self, size: int) -> None:
        """So many bytes of it are there."""


@dataclass(frozen=True)
class Sent:
    """What became of a run, whether the service's line broke before its answer was whole, and whether its sender was
    lost, so that the ledger will say what became of it.
    """

    end: End
    cut: bool = False
    lost: bool = False


class Sender:
    """Sends for one ledger, with its files in `store`."""

    def __init__(self, ledger: Ledger, store: Store, upstream: Upstream) -> None:
        self.ledger, self.store, self.upstream = ledger, store, upstream
        # SQLite takes one writer at a time, and its own way of waiting for each other is to sleep.
        self._threads = ThreadPoolExecutor(1 if ledger.database.is_file else CONNECTIONS, "ledger")

    async def call(self, work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """Have the ledger do something on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **named))

    async def close(self) -> None:
        """Send nothing more."""
        await self.upstream.close()
        await asyncio.to_thread(self.ledger.database.leave)
        self._threads.shutdown(wait=True)

    async def carry(self, run: Run, body: Path, accept: str, progress: Progress) -> Sent:
        """Send a run that is marked as sent, and settle it."""
        sent = Sent(End("unknown", LOST))
        try:
            sent = await self._send(run, body, accept, progress)
        except NotSent:
            sent = Sent(End("not sent", NOT_REACHED))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the run is settled
            say(error)
            words = f"No whole answer came from the service ({type(error).__name__})."
            sent = Sent(End("unknown", words))
        await self.settle(run, sent.end)
        return sent

    async def _send(self, run: Run, body: Path, accept: str, progress: Progress) -> Sent:
        path = run.path.removeprefix("/v1")
        size = await asyncio.to_thread(lambda: body.stat().st_size)
        async with self.upstream.post(path, run.kind, accept, body, size) as answer:
            live = any(name == "content-type" and "event-stream" in value for name, value in answer.headers)
            file = await asyncio.to_thread(self.store.new_answer, run.number, answer.status, answer.headers)
            judge = Judge(answer.status)
            await progress.begun(answer.status, answer.headers, file.start, live=live)
            whole = False

            def put(data: bytes) -> int:
                judge.feed(data)
                return file.put(data)

            try:
                async with contextlib.aclosing(answer.pieces) as pieces:
                    async for piece in pieces:
                        progress.grown(await asyncio.to_thread(put, piece))
                whole = True
            except Exception as error:  # noqa: BLE001 - what came until then is kept
                say(error)
            await asyncio.to_thread(partial(file.finish, whole=whole))
        if answer.status in BUSY:
            await self._leave_alone(answer.headers)
        end = judge.end(whole=whole)
        return Sent(replace(end, status=answer.status, headers=answer.headers), not whole)

    async def _leave_alone(self, headers: tuple[tuple[str, str], ...]) -> None:
        pause = dict(headers).get("retry-after", "").strip()
        seconds = float(pause) if pause.isascii() and pause.isdecimal() and len(pause) < 6 else BUSY_SECONDS
        await self.call(self.ledger.runs.pause, seconds)

    async def settle(self, run: Run, end: End) -> None:
        """Write the end down, as often as it takes: the answer is on the disk meanwhile."""
        while True:
            try:
                if not self.ledger.database.is_file and end.status is not None:
                    await self.call(self._into_database, run.number)
                await self.call(self.ledger.runs.settle, run, end)
                return
            except (LedgerError, OSError) as error:
                say(error)
                await asyncio.sleep(AGAIN)

    async def forget(self, number: int) -> None:
        """The answer's file is needed no more, where the database has its bytes."""
        if not self.ledger.database.is_file:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self.store.forget, number)

    def _into_database(self, number: int) -> None:
        if self.store.place(number) is not None:
            self.ledger.pieces.keep(number, self.store.pieces(number))

    def end_of(self, run: Run) -> End:
        """How a run ended whose sender was killed: all of its answer may be here."""
        path = self.store.place(run.number)
        if path is None or not self.store.is_whole(run.number):
            return End("unknown", LOST)
        status, headers, _ = self.store.head(path)
        judge = Judge(status)
        for piece in self.store.pieces(run.number):
            judge.feed(piece)
        return replace(judge.end(whole=True), status=status, headers=headers)


def say(error: Exception) -> None:
    """Log what went wrong: by its kind alone where its words may hold what is the user's own."""
    words = str(error) if isinstance(error, LedgerError) else type(error).__name__
    logging.getLogger("ttapi_nb.gateway").warning("%s", words)

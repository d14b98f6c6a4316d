"""`Keeper`: the gateway's side of the process that has the lines to the service; see `keeper`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .keeper import LONGEST_LINE, asked, ended
from .runs import STOPPED, End, Run
from .sender import LOST, Progress, Sent, say

__all__ = ["Keeper"]

# In seconds: for it to be there, and for it to settle what is left once its gateway ends well.
STARTS, ENDS = 60.0, 20.0
ROOT = Path(__file__).parents[2]


@dataclass
class _Beside:
    """One such process: its name, its lines, and who is told of the runs that it was given."""

    process: asyncio.subprocess.Process
    id: str
    input: asyncio.StreamWriter
    output: asyncio.StreamReader
    told: dict[int, tuple[Progress, asyncio.Future[Sent]]] = field(default_factory=dict)
    is_over: bool = False
    """Whether it is given nothing more."""

    def leave(self) -> None:
        """Give it nothing more: it settles in the ledger what it has, and ends."""
        self.is_over = True
        self.input.close()
        for _, future in self.told.values():
            if not future.done():
                future.set_result(Sent(End("unknown", LOST), lost=True))
        self.told.clear()


class Keeper:
    """Starts the process when it is first needed, and anew where it has died, or what it says can't be followed.

    `settings()` is its first line.
    """

    def __init__(self, settings: Callable[[], dict[str, Any]]) -> None:
        self._settings = settings
        self._one: _Beside | None = None
        self._reading: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return "<Keeper>"

    @property
    def id(self) -> str:
        """By what name the ledger knows it; empty until it is there."""
        return "" if self._one is None else self._one.id

    async def ready(self) -> str:
        """Its name, once it is there. Raises `OSError` where it can't be started."""
        async with self._lock:
            if self._one is None or self._one.is_over or self._one.process.returncode is not None:
                self._one = None
                self._one = await self._started()
                task = asyncio.ensure_future(_read(self._one))
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
            return self._one.id

    async def _started(self) -> _Beside:
        # A session of its own: Ctrl+C in the gateway's terminal is not for it.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); from ttapi_nb.gateway import keeper; keeper.main()",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        try:
            process.stdin.write(json.dumps(self._settings()).encode() + b"\n")
            await process.stdin.drain()
            async with asyncio.timeout(STARTS):
                line = await process.stdout.readline()
            return _Beside(process, json.loads(line)["id"], process.stdin, process.stdout)
        except BaseException as error:
            # It was given nothing yet. Nobody may want it any more, as the gateway ends.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if not isinstance(error, ValueError | KeyError | TimeoutError | ConnectionError):
                raise
            raise OSError("the process that has the lines to the service does not start") from None

    async def carry(self, run: Run, body: Path, accept: str, progress: Progress) -> Sent:
        """Have it send a run; what became of it. Where the process is lost, that is for the ledger to say."""
        one = self._one
        if one is None or one.is_over or one.id != run.gateway:
            # It was taken in the name of a process that has been left since.
            return Sent(End("not sent", STOPPED), lost=True)
        future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        one.told[run.number] = progress, future
        try:
            one.input.write(json.dumps(asked(run, body, accept)).encode() + b"\n")
            await one.input.drain()
        except (ConnectionError, RuntimeError):
            one.told.pop(run.number, None)
            return Sent(End("unknown", LOST), lost=True)
        return await future

    async def close(self) -> None:
        """Let it settle what is left, and end."""
        one = self._one
        if one is not None:
            one.is_over = True
            one.input.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDS):
                    await one.process.wait()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)


async def _read(one: _Beside) -> None:
    """Tell of its runs what it says, until it ends; where that can't be told, leave it."""
    try:
        while line := await one.output.readline():
            await _tell(one, json.loads(line))
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody is to wait for ever
        say(error)
    finally:
        one.leave()
    with contextlib.suppress(OSError):
        # It is not to wait for a reader while it settles what it has.
        while await one.output.read(LONGEST_LINE):
            pass
    await one.process.wait()


async def _tell(one: _Beside, message: dict[str, Any]) -> None:
    progress, future = one.told.get(message["number"], (None, None))
    if progress is None or future is None:
        return
    if message["what"] == "begun":
        headers = tuple((str(name), str(value)) for name, value in message["headers"])
        await progress.begun(message["status"], headers, message["start"], live=message["live"])
    elif message["what"] == "grown":
        progress.grown(message["size"])
    elif message["what"] == "ended":
        sent = ended(message)
        del one.told[message["number"]]
        if not future.done():
            future.set_result(sent)

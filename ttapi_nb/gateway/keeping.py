"""`Keeper`: the gateway's side of the process that has the lines to the service; see `keeper`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .keeper import LONGEST_LINE, asked, ended
from .runs import End, Run
from .sender import LOST, Progress, Sent, say

__all__ = ["Keeper"]

# In seconds: for it to be there, and for it to settle what is left once its gateway ends well.
STARTS, ENDS = 60.0, 20.0
ROOT = Path(__file__).parents[2]


class Keeper:
    """Starts the process when it is first needed, and anew where it has died. `settings()` is its first line."""

    def __init__(self, settings: Callable[[], dict[str, Any]]) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._told: dict[int, tuple[Progress, asyncio.Future[Sent]]] = {}
        self.id = ""
        """By what name the ledger knows it; empty until it is there."""

    def __repr__(self) -> str:
        return "<Keeper>"

    async def ready(self) -> str:
        """Its name, once it is there. Raises `OSError` where it can't be started."""
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                await self._start()
            return self.id

    async def _start(self) -> None:
        self.id = ""
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
            self.id = json.loads(line)["id"]
        except (ValueError, KeyError, TimeoutError, ConnectionError):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise OSError("the process that has the lines to the service does not start") from None
        self._process = process
        self._reading = asyncio.ensure_future(self._read(process.stdout))

    async def carry(self, run: Run, body: Path, accept: str, progress: Progress) -> Sent:
        """Have it send a run; what became of it. A keeper that dies leaves it in doubt, for the ledger to find."""
        if self._process is None or self._process.stdin is None:
            raise AssertionError("a run is taken in its name, so it is there")
        future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        self._told[run.number] = progress, future
        try:
            self._process.stdin.write(json.dumps(asked(run, body, accept)).encode() + b"\n")
            await self._process.stdin.drain()
        except (ConnectionError, RuntimeError):
            self._told.pop(run.number, None)
            return Sent(End("unknown", LOST))
        return await future

    async def _read(self, output: asyncio.StreamReader) -> None:
        try:
            while line := await output.readline():
                told = json.loads(line)
                progress, future = self._told.get(told["number"], (None, None))
                if progress is None or future is None:
                    continue
                if told["what"] == "begun":
                    headers = tuple((str(name), str(value)) for name, value in told["headers"])
                    await progress.begun(told["status"], headers, told["start"], live=told["live"])
                elif told["what"] == "grown":
                    progress.grown(told["size"])
                elif told["what"] == "ended":
                    del self._told[told["number"]]
                    if not future.done():
                        future.set_result(ended(told))
            process = self._process
            if process is not None:
                await process.wait()
        except (ValueError, KeyError, OSError) as error:
            say(error)
        finally:
            for _, future in self._told.values():
                if not future.done():
                    future.set_result(Sent(End("unknown", LOST)))
            self._told.clear()

    async def close(self) -> None:
        """Let it settle what is left, and end."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDS):
                await process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

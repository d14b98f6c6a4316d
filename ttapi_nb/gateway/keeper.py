"""The keeper: a process beside a gateway that has the lines to the service, and outlives it.

A gateway that is killed leaves runs behind which the service works on. Their answers would be lost with their lines;
the keeper takes them in, settles them in the ledger, and ends. It is told what to do on its standard input, a line of
JSON for each run, and tells what comes of it on its standard output; where that input ends, its gateway has.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..client.key import Secret
from .ledger import Ledger
from .runs import End, Run
from .sender import Sender, Sent
from .storing import Store
from .upstream import NetworkUpstream

__all__ = ["LONGEST_LINE", "asked", "ended", "main"]

LONGEST_LINE = 2**20


def asked(run: Run, body: Path, accept: str) -> dict[str, Any]:
    """What the keeper is told to send."""
    return {"run": asdict(run), "body": str(body), "accept": accept}


def ended(told: dict[str, Any]) -> Sent:
    """What the keeper says that became of a run."""
    headers = [(str(name), str(value)) for name, value in told["headers"]]
    return Sent(End(told["state"], told["problem"], told["status"], headers, told["came"]), told["cut"])


class _Told:
    """Tells the gateway of one run, as long as there is one."""

    def __init__(self, number: int) -> None:
        self._number = number

    async def begun(
        self, status: int, headers: tuple[tuple[str, str], ...], start: int, *, live: bool
    ) -> None:
        _tell(self._number, what="begun", status=status, headers=headers, start=start, live=live)

    def grown(self, size: int) -> None:
        _tell(self._number, what="grown", size=size)


def _tell(number: int, **fields: Any) -> None:
    # Nobody may read it any more.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(json.dumps({"number": number} | fields) + "\n")
        sys.stdout.flush()


async def _carry(sender: Sender, message: dict[str, Any], over: asyncio.Event) -> None:
    fields = message["run"]
    run = Run(**fields | {"headers": ()})
    sent = await sender.carry(run, Path(message["body"]), message["accept"], _Told(run.number))
    end = sent.end
    _tell(
        run.number,
        what="ended",
        state=end.state,
        problem=end.problem,
        status=end.status,
        headers=list(end.headers),
        came=end.came,
        cut=sent.cut,
    )
    if over.is_set():
        await sender.forget(run.number)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(Path(message["body"]).unlink, missing_ok=True)


async def _keep(first: dict[str, Any], reader: asyncio.StreamReader) -> None:
    secret = Secret(first.pop("secret"))
    upstream = NetworkUpstream(
        first["base_url"],
        secret,
        auth_header=first["auth_header"],
        auth_scheme=first["auth_scheme"],
        timeout=first["timeout"],
    )
    ledger = Ledger(first["database"], Path(first["folder"]))
    sender = Sender(ledger, Store(ledger.database.folder), upstream)
    await sender.call(ledger.runs.live)
    _tell(0, what="there", id=ledger.runs.me)
    over = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()
    numbers: list[int] = []
    # What was being written as the gateway was killed is no line.
    while (line := await reader.readline()).endswith(b"\n"):
        numbers.append(json.loads(line)["run"]["number"])
        task = asyncio.ensure_future(_carry(sender, json.loads(line), over))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    over.set()
    await sender.call(ledger.runs.not_handed_over, numbers)
    if tasks:
        await asyncio.wait(tasks)
    await sender.call(ledger.runs.gone)
    await sender.close()
    ledger.close()


async def _main() -> None:
    reader = asyncio.StreamReader(LONGEST_LINE)
    here = asyncio.get_running_loop()
    await here.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    line = await reader.readline()
    if line:
        await _keep(json.loads(line), reader)


def main() -> int:
    """Run it until its gateway has ended, and all that was sent is settled."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # What ends the gateway ends its input too, and what is with the service is not to be lost.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    asyncio.run(_main())
    return 0


if __name__ == "__main__":
    sys.exit(main())

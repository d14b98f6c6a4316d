"""What this process knows of its own runs until they are settled on the disk.

A database may be deleted under a run, its disk may be full as the run ends, and whoever stops a cell may stop the
writing too. What a run's row says is then written again, or its end later, by whatever is done with the log next.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .fork import on_fork

__all__ = ["Known", "drop", "known", "remember", "unwritten", "withdraw"]


@dataclass
class Known:
    """A run that this process began.

    * `row`: its row as far as it is known; `results`: the rows of its results, by number.
    * `end`: the columns that say how it ended, None while it goes on.
    * `withdrawn`: it was stopped as it began and must not leave. Its row may never have been written.
    """

    row: dict[str, Any]
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    end: dict[str, Any] | None = None
    withdrawn: bool = False

    @property
    def unsent(self) -> bool:
        """Whether it is sure to have cost nothing, whatever the file says."""
        if self.end is not None and self.end["state"] in ("not sent", "refused", "cancelled"):
            return True
        return not self.row["sent"] and (self.withdrawn or self.end is not None)


_runs: dict[tuple[Path, str], Known] = {}
_lock = threading.Lock()


def remember(folder: Path, row: dict[str, Any]) -> None:
    """A run has begun, with this row."""
    with _lock:
        _runs[folder, row["id"]] = Known(dict(row))


def known(folder: Path, run_id: str) -> Known | None:
    """What is known of a run that this process began and that is not settled on the disk."""
    with _lock:
        return _runs.get((folder, run_id))


def withdraw(folder: Path, run_id: str) -> None:
    """A run must not leave, if it has not left already."""
    with _lock:
        entry = _runs.get((folder, run_id))
        if entry is not None and not entry.row["sent"]:
            entry.withdrawn = True


def unwritten(folder: Path) -> dict[str, Known]:
    """The runs that have ended, or were withdrawn, and of which the file may not say so yet."""
    with _lock:
        return {
            run: entry
            for (place, run), entry in _runs.items()
            if place == folder and (entry.end is not None or entry.withdrawn)
        }


def drop(folder: Path, run_id: str) -> None:
    """A run is settled on the disk."""
    with _lock:
        _runs.pop((folder, run_id), None)


def _forget() -> None:
    # A forked child has no runs of its own, and must not end its parent's.
    global _lock  # noqa: PLW0603 - it may be held by a thread that the child has not got
    _lock = threading.Lock()
    _runs.clear()


on_fork(_forget)

"""What a gateway keeps of answers and bodies, and for how long. All of it is for threads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from .ledger import Ledger
from .storing import Store

__all__ = ["EVERY", "Kept", "prune", "tidy"]

DAY = 86400.0
EVERY = 3600.0
"""In seconds: how often it is looked at."""
# In seconds. Whoever lost a line asks again within minutes, so what is younger stays, however much there is.
YOUNG = 3600.0
# In seconds: for how long a body that no run of this gateway has may be another's.
LEFT, LEFT_ALONE = DAY, 900.0


@dataclass(frozen=True)
class Kept:
    """For how many days answers are kept, and how many gigabytes of them; the oldest go first."""

    days: float = 30.0
    gigabytes: float = 20.0

    @property
    def most(self) -> int:
        """In bytes."""
        return int(self.gigabytes * 1e9)

    def before(self, now: float) -> float:
        """What is from earlier, in seconds since 1970, is not kept."""
        return now - self.days * DAY


def prune(ledger: Ledger, store: Store, kept: Kept) -> int:
    """Delete answers that are too old, or too much; returns how many. Runs and what they cost stay in the ledger.

    Raises `OSError` and `LedgerError`.
    """
    now = time.time()
    gone = _delete(_oldest([(path, *_told(path)) for path in store.answers.iterdir()], kept, now))
    if ledger.database.is_file:
        return gone
    return gone + ledger.pieces.prune(kept.before(now), now - YOUNG, kept.most)


def _told(path: Path) -> tuple[float, int]:
    """When a file was written, and how large it is."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_mtime, status.st_size
    # It went meanwhile.
    return time.time(), 0


def _oldest(files: list[tuple[Path, float, int]], kept: Kept, now: float) -> list[Path]:
    oldest, size = [], 0
    for path, written, taken in sorted(files, key=lambda one: -one[1]):
        size += taken
        if written < now - YOUNG and (written < kept.before(now) or size > kept.most):
            oldest.append(path)
    return oldest


def tidy(store: Store, wanted: Collection[Path], *, alone: bool) -> int:
    """Delete bodies that a gateway which was killed has left; returns how many. `wanted` are this gateway's own."""
    before = time.time() - (LEFT_ALONE if alone else LEFT)
    return _delete(
        [path for path in store.bodies.iterdir() if path not in wanted and _told(path)[0] < before]
    )


def _delete(paths: list[Path]) -> int:
    for path in paths:
        # Somebody may read it just now, where the system minds that: it goes the next time.
        with contextlib.suppress(OSError):
            path.unlink()
    return len(paths)

"""What the benchmarks share: contenders that alternate within one run, their medians and spread, and peak memory.

A row of the table is one piece of work against its limit, and tells whether the goal is met; `Table.finish` is the
script's exit status. Where `TTAPI_BENCH_ROWS` names a file, `make bench` gathers the rows from it.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

__all__ = ["NOT_RUN", "Table", "Times", "alternating", "cpu", "median", "not_run", "peak_of"]

NOT_RUN = 77
"""The exit status of a script that can't run here."""
ROWS_VARIABLE = "TTAPI_BENCH_ROWS"
HEADING = f"{'work':58}{'ours':>30}{'limit':>30}{'ratio':>8}{'goal':>8}{'peak MB':>16}"

Times: TypeAlias = Sequence[float]
Work: TypeAlias = Callable[[], object]


def alternating(
    contenders: Mapping[str, Work],
    rounds: int = 7,
    *,
    before: Callable[[str], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds that each contender took, in turn, in so many rounds; the first round only warms up and is left out.

    `before(name)` is called before each, and not timed.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            if before is not None:
                before(name)
            start = clock()
            kept = work()
            spent = clock() - start
            del kept
            if number:
                found[name].append(spent)
    return found


def cpu(work: Work) -> float:
    """Seconds of processor that `work` takes in this process, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def median(times: Times) -> float:
    """The median."""
    return statistics.median(times)


def peak_of(work: Work) -> float:
    """Megabytes that `work` needs at most above what is in use before; not a number where the system does not tell.

    On Linux the kernel's own figure, which counts what C code takes too.
    """
    if sys.platform != "linux":
        return float("nan")
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
        used = _status("VmRSS")
        kept = work()
        peak = _status("VmHWM") - used
        del kept
    except OSError:
        return float("nan")
    if peak <= 0:
        return _watched(work)
    return peak / 1e6


def not_run(why: str) -> NoReturn:
    """End the script: it can't run here, and `why` says what to do about that."""
    print(f"Not run: {why}", flush=True)
    raise SystemExit(NOT_RUN)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _watched(work: Work) -> float:
    """As `peak_of`, by looking again and again, for systems whose highest figure can't be set back."""
    over, most = threading.Event(), [0]
    start = _status("VmRSS")

    def watch() -> None:
        while not over.wait(0.002):
            most[0] = max(most[0], _status("VmRSS") - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        kept = work()
        most[0] = max(most[0], _status("VmRSS") - start)
        del kept
    finally:
        over.set()
        watcher.join()
    return max(0, most[0]) / 1e6


@dataclass(frozen=True)
class _Row:
    script: str
    work: str
    ours: str
    limit: str
    ratio: str
    goal: str
    peak: str
    met: bool


class Table:
    """The rows of one script, printed as they are known."""

    def __init__(self, title: str) -> None:
        self._script = Path(sys.argv[0]).name
        self._missed = 0
        print(
            f"{title}\nMedians, the least and the most in brackets; contenders alternate.\n\n{HEADING}",
            flush=True,
        )

    def compare(
        self,
        work: str,
        ours: Times,
        limit: Times,
        most: float,
        *,
        peak: float | tuple[float, float] | None = None,
        note: str = "",
    ) -> bool:
        """A row of seconds against those of its limit, at most `most` times as many; whether that is so. `peak` are
        megabytes, ours or ours and the limit's.
        """
        ratio = median(ours) / median(limit)
        return self._add(
            work, _span(ours), _span(limit), f"{ratio:.2f}", f"{most:g}", _mb(peak), ratio <= most, note
        )

    def under(
        self,
        work: str,
        ours: Times,
        most: float,
        *,
        peak: float | tuple[float, float] | None = None,
        note: str = "",
    ) -> bool:
        """A row of seconds against a limit in seconds."""
        middle = median(ours)
        return self._add(
            work, _span(ours), _seconds(most), f"{middle / most:.2f}", "1", _mb(peak), middle <= most, note
        )

    def count(
        self, work: str, ours: float, most: float, unit: str = "", *, limit: str = "", note: str = ""
    ) -> bool:
        """A row of anything else than seconds: messages, bytes, megabytes, times; at most `most` of it."""
        said = f"{ours:,.4g} {unit}".strip()
        return self._add(work, said, limit, "", f"{most:g}", "", ours <= most, note)

    def say(self, words: str) -> None:
        """A line below the rows so far."""
        print(f"  {words}", flush=True)

    def _add(
        self, work: str, ours: str, limit: str, ratio: str, goal: str, peak: str, met: bool, note: str
    ) -> bool:
        row = _Row(self._script, work, ours, limit, ratio, goal, peak, met)
        said = "met" if met else "MISSED"
        print(f"{work:58}{ours:>30}{limit:>30}{ratio:>8}{goal:>8}{peak:>16}  {said}", flush=True)
        if note:
            self.say(note)
        self._missed += not met
        if os.environ.get(ROWS_VARIABLE):
            with Path(os.environ[ROWS_VARIABLE]).open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(row) | {"note": note}) + "\n")
        return met

    def finish(self) -> int:
        """Say whether every goal is met; 0 where it is, 1 where it is not."""
        print(
            f"\n{'Every goal is met.' if not self._missed else f'Goals missed: {self._missed}.'}", flush=True
        )
        return int(self._missed > 0)


def _seconds(time_: float) -> str:
    return (
        f"{time_:.2f} s"
        if time_ >= 1
        else f"{time_ * 1e3:.3g} ms"
        if time_ >= 1e-3
        else f"{time_ * 1e6:.3g} µs"
    )


def _span(times: Times) -> str:
    return f"{_seconds(median(times))} [{_seconds(min(times))}..{_seconds(max(times))}]"


def _mb(peak: float | tuple[float, float] | None) -> str:
    if peak is None:
        return ""
    return f"{peak:.0f}" if isinstance(peak, int | float) else " / ".join(f"{one:.0f}" for one in peak)

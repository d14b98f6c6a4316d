"""Run every benchmark of this folder, also after one that fails; print what they print, and write `BENCHMARKS.md`.

    make bench                              # all of them
    make bench ARGS="mask_speed fill"       # these alone; the rows of the others stay as they are
    make bench ARGS="--minutes 3"           # each is stopped after so long, and what it has found by then is kept
    make bench ARGS="--before 8a9b531"      # each on that commit too, in a column of its own

Ends with 1 where a goal is missed or a script fails. One that can't run here, as it misses a package, says why in its
row and counts as neither. The rows that stay say when they were measured; on another machine all begin anew.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import NOT_RUN, ROWS_VARIABLE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WRITTEN = ROOT / "BENCHMARKS.md"
MINUTES = 6.0
"""How long a script may take; on two quiet cores the longest needs about four."""
HEAD = (
    "# Benchmarks\n\nWritten by `make bench`. Each row is a piece of work against its limit or a peer, in one run and "
    "in turn: medians, with the least and the most in brackets; peaks are megabytes, ours and the limit's.\n\n"
)


def commit() -> str:
    """The commit that is measured, and whether something was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", ".", f":!{WRITTEN.name}")
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{', changed' if changed else ''}"


def machine() -> str:
    """Processors, memory, system and Python."""
    found = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        found = named[0].partition(":")[2].strip() if named else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return (
        f"{cores} cores of {found or platform.machine()}{memory}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


@dataclass
class Outcome:
    """How a script ended: its status, what it printed, its seconds, its rows, and whether it was stopped."""

    status: int
    said: str
    seconds: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False

    @property
    def word(self) -> str:
        """One word for it."""
        if self.stopped:
            return "Stopped"
        return {0: "Passed", NOT_RUN: "Not run"}.get(self.status, "Missed" if self.rows else "Failed")


@contextlib.contextmanager
def earlier(wanted: str | None) -> Iterator[Path | None]:
    """A folder with the package of an earlier commit, and the scripts and tests of this one."""
    if wanted is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tree"
        subprocess.run(
            ["git", "worktree", "add", "--detach", "--quiet", folder, wanted], cwd=ROOT, check=True
        )
        try:
            shutil.rmtree(folder / "tests")
            shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
            yield folder
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", folder], cwd=ROOT, check=True)


def run(script: Path, minutes: float) -> Outcome:
    """Run one, showing what it prints."""
    print(f"== {script.name}", flush=True)
    start, said = time.perf_counter(), list[str]()
    late = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        environment = os.environ | {ROWS_VARIABLE: str(rows), "PYTHONUNBUFFERED": "1"}
        # Kernels and other processes that it starts have the same package.
        environment["PYTHONPATH"] = str(script.parents[2])
        # A session of its own, so that servers and browsers that it started end with it.
        with subprocess.Popen(
            [sys.executable, script],
            cwd=script.parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        ) as process:

            def stop() -> None:
                late.set()
                os.killpg(process.pid, signal.SIGKILL)

            timer = threading.Timer(60 * minutes, stop)
            timer.start()
            for line in process.stdout or ():
                said.append(line)
                print(line, end="", flush=True)
            status = process.wait()
            timer.cancel()
        found = [json.loads(line) for line in rows.read_text("utf-8").splitlines()] if rows.exists() else []
    if late.is_set():
        said.append(f"Stopped after {minutes:g} minutes.\n")
        print(said[-1], flush=True)
    missing = re.findall(r"^ModuleNotFoundError: (.*)$", "".join(said), re.MULTILINE)
    if status and missing:
        said.append(f"Not run: {missing[-1]}.\n")
        print(said[-1], flush=True)
        status = NOT_RUN
    return Outcome(status, "".join(said), time.perf_counter() - start, found, late.is_set())


def table(rows: list[dict[str, Any]], before: Outcome | None) -> list[str]:
    """The rows as Markdown, with what each was before where that is known."""
    columns = ["work", "ours", "limit", "ratio", "goal", "peak MB"]
    if before is not None:
        columns.insert(1, "before")
    lines = [f"| {' | '.join(columns)} | |", "|---" * (len(columns) + 1) + "|"]
    was = {row["work"]: row for row in before.rows} if before is not None else {}
    for row in rows:
        cells = [row["work"], row["ours"], row["limit"], row["ratio"], row["goal"], row["peak"]]
        if before is not None:
            old = was.get(row["work"])
            cells.insert(
                1, "-" if old is None else f"{old['ours']}{', ' + old['ratio'] if old['ratio'] else ''}"
            )
        said = "met" if row["met"] else "**missed**"
        lines.append(f"| {' | '.join(cells)} | {said}{': ' + row['note'] if row['note'] else ''} |")
    return lines


def section(script: Path, outcome: Outcome, before: Outcome | None, earlier_commit: str | None) -> str:
    """What the file says of a script."""
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}"
    if before is not None:
        when += f"; before: commit {earlier_commit}, {before.word.lower()}, in {before.seconds:.0f} s"
        if not before.rows and before.said.strip():
            when += f" ({before.said.strip().splitlines()[-1][:160]})"
    lines = [f"## `{script.name}`", "", f"{outcome.word}, in {outcome.seconds:.0f} s; {when}.", ""]
    if outcome.rows:
        lines += [*table(outcome.rows, before), ""]
        if outcome.stopped:
            lines += [outcome.said.splitlines()[-1], ""]
    else:
        said = outcome.said.rstrip()
        lines += ["```text", said.splitlines()[-1] if outcome.status == NOT_RUN and said else said, "```", ""]
    return "\n".join(lines)


def kept(here: str) -> dict[str, str]:
    """The sections that were written before on this machine, by the names of their scripts."""
    text = WRITTEN.read_text("utf-8") if WRITTEN.exists() else ""
    if f"* {here}\n" not in text:
        return {}
    found = re.split(r"^## `([^`]+)`\n", text, flags=re.MULTILINE)[1:]
    return {
        name: f"## `{name}`\n{rest.rstrip()}\n"
        for name, rest in zip(found[::2], found[1::2], strict=True)
        if (HERE / name).exists()
    }


def main() -> int:
    """Run them; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="scripts to run, without .py; left out, all")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long each may take")
    parser.add_argument("--before", metavar="COMMIT", help="an earlier commit to run them on too")
    wanted = parser.parse_args()
    every = {script.stem: script for script in sorted(HERE.glob("[!_]*.py"))}
    unknown = [name for name in wanted.names if name not in every]
    if unknown:
        parser.error(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(every)}.")
    here = machine()
    outcomes: dict[str, Outcome] = {}
    sections = kept(here)
    with earlier(wanted.before) as tree:
        for name in wanted.names or every:
            script, before = every[name], None
            outcomes[script.name] = run(script, wanted.minutes)
            if tree is not None:
                print(f"On commit {wanted.before}:", flush=True)
                before = run(tree / script.relative_to(ROOT), wanted.minutes)
            sections[script.name] = section(script, outcomes[script.name], before, wanted.before)
            # After each: a run that is broken off has its rows too.
            text = "\n".join(sections[name] for name in sorted(sections))
            head = f"{HEAD}* {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}\n* {here}\n\n"
            WRITTEN.write_text(head + text, "utf-8")
    print()
    for name, outcome in outcomes.items():
        missed = [row["work"] for row in outcome.rows if not row["met"]]
        print("\n         ".join((f"{outcome.word:8} {name} ({outcome.seconds:.0f} s)", *missed)))
    print(f"Written to {WRITTEN.name}.", flush=True)
    return int(any(outcome.status not in (0, NOT_RUN) for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())

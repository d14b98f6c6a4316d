"""Run every benchmark of this folder, also after one that fails; print what they print, and write `BENCHMARKS.md`.

Names of scripts, without .py, run only these, and write nothing. Ends with 1 where a goal is missed or a script fails.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import ROWS_VARIABLE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WRITTEN = ROOT / "BENCHMARKS.md"


def commit() -> str:
    """The commit that is measured, and whether something was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{', changed' if git('status', '--porcelain') else ''}"


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


def run(script: Path, rows: Path) -> tuple[int, str, float]:
    """Run one, showing what it prints; returns its exit status, that, and its seconds."""
    print(f"== {script.name}", flush=True)
    start = time.perf_counter()
    said = []
    environment = os.environ | {ROWS_VARIABLE: str(rows), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            said.append(line)
            print(line, end="", flush=True)
    return process.returncode, "".join(said), time.perf_counter() - start


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as Markdown."""
    lines = ["| work | ours | limit | ratio | goal | peak MB | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = (row["work"], row["ours"], row["limit"], row["ratio"], row["goal"], row["peak"])
        said = "met" if row["met"] else "**missed**"
        lines.append(f"| {' | '.join(cells)} | {said}{': ' + row['note'] if row['note'] else ''} |")
    return lines


def main() -> int:
    """Run them; returns the exit status."""
    chosen = sys.argv[1:]
    scripts = [one for one in sorted(HERE.glob("[!_]*.py")) if not chosen or one.stem in chosen]
    text = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Each row is a piece of work against its limit or a peer, in one run and in turn: "
        "medians, with the least and the most in brackets.",
        "",
        f"* {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}",
        f"* {machine()}",
        "",
    ]
    failed = []
    for script in scripts:
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.jsonl"
            status, said, seconds = run(script, rows)
            found = (
                [json.loads(line) for line in rows.read_text("utf-8").splitlines()] if rows.exists() else []
            )
        if status:
            failed.append(script.name)
        text += [f"## `{script.name}`", "", f"{'Failed' if status else 'Passed'}, in {seconds:.0f} s.", ""]
        text += [*table(found), ""] if found else ["```text", said.rstrip(), "```", ""]
    print(f"\n{len(scripts) - len(failed)} of {len(scripts)} scripts passed.", flush=True)
    if failed:
        print(f"These did not: {', '.join(failed)}.", flush=True)
    if not chosen:
        WRITTEN.write_text("\n".join(text), "utf-8")
        print(f"Written to {WRITTEN.name}.", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
